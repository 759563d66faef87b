/* utf8.h - is it UTF-8, and what to do when it is not. */
#ifndef TP_DATA_UTF8_H
#define TP_DATA_UTF8_H

#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

/* Length of the well-formed character at s (1 to 4; n > 0), or minus the number of bytes to replace
 * by one U+FFFD: the longest prefix of a character, as Unicode 15 section 3.9 recommends. */
int utf8_char_bytes(const unsigned char *s, size_t n);
/* Number of leading bytes that are valid; n if all are. */
size_t utf8_valid_prefix(const char *s, size_t n);
/* Appends s with U+FFFD for what is not UTF-8; returns how many replacements there were. */
int64_t utf8_repair(struct strbuf *out, const char *s, size_t n);

#endif
