/* strbuf.h - a growing byte string.
 *
 * buf is always NUL-terminated after the first call and may hold NUL bytes; len
 * does not count the terminator.  A zeroed struct is an empty string.
 */
#ifndef TP_BASE_STRBUF_H
#define TP_BASE_STRBUF_H

#include <stdarg.h>
#include <stddef.h>

#include "base/err.h"

struct strbuf {
    char *buf;
    size_t len, cap;
};

void strbuf_reserve(struct strbuf *s, size_t extra);
void strbuf_add(struct strbuf *s, const void *bytes, size_t n);
void strbuf_adds(struct strbuf *s, const char *text);
void strbuf_addc(struct strbuf *s, char c);
void strbuf_addf(struct strbuf *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
void strbuf_vaddf(struct strbuf *s, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
void strbuf_clear(struct strbuf *s);               /* len = 0, keeps the memory */
char *strbuf_detach(struct strbuf *s, size_t *len); /* caller owns the result; s is empty again */
void strbuf_release(struct strbuf *s);

#endif
