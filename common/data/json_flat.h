/* json_flat.h - the members of a flat JSON object, without building a tree.
 *
 * Most lines of a corpus are one object of strings and numbers.  Such a line is
 * checked here as strictly as json_parse() does, many times faster, and its members
 * are given as they stand.  Whatever is out of the ordinary (nested values, keys
 * with escapes, lone surrogates, large numbers, errors of any kind) is declined: the
 * caller then parses the line, which finds the same things or the error.
 */
#ifndef TP_DATA_JSON_FLAT_H
#define TP_DATA_JSON_FLAT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/strbuf.h"

#define JSON_FLAT_MEMBERS 32

struct json_member {
    const char *key, *value; /* without the quotes of strings */
    size_t key_bytes, value_bytes;
    bool string;
    bool escaped;   /* the string holds a backslash */
    bool canonical; /* the value stands as json_write() would write it */
};

/* How many members the object has, -1 = declined. */
int json_flat(const char *text, size_t n, struct json_member members[JSON_FLAT_MEMBERS]);
const struct json_member *json_flat_find(const struct json_member *members, int n, const char *key);
/* Appends the string's characters. */
void json_flat_string(const struct json_member *m, struct strbuf *out);

#endif
