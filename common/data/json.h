/* json.h - what jansson leaves to us: exact writing, typed reading with good messages.
 *
 * Objects keep the order of their keys.  Writing prints the shortest decimal
 * that reads back to the same double ("0.1", not 0.10000000000000001), so that
 * fields we do not know pass through unchanged.  json_float() makes a number
 * that prints with at most nine digits and reads back to the same float32, so
 * log-probabilities survive a pipe bit for bit.
 */
#ifndef TP_DATA_JSON_H
#define TP_DATA_JSON_H

#include <jansson.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"

/* One line, no newline.  Non-finite numbers cannot be held by jansson, so none can appear. */
void json_write(struct strbuf *out, const json_t *value);
/* One string, with its quotes; n bytes of UTF-8. */
void json_write_string(struct strbuf *out, const char *s, size_t n);
/* With two-space indentation, for files people read. */
void json_write_pretty(struct strbuf *out, const json_t *value);
/* New reference; null for NaN and infinities. */
json_t *json_float(float x);
json_t *json_number(double x); /* same for doubles */

/* Parses text as one value; duplicate keys, trailing garbage and raw NaN are errors.  NUL bytes
 * (\u0000) are allowed; a lone surrogate escape becomes U+FFFD.  NULL on failure. */
json_t *json_parse(const char *text, size_t n, struct err *err);
json_t *json_load_path(const char *path, struct err *err); /* errors name the file */
int json_save_path(const char *path, const json_t *value, struct err *err) WARN_UNUSED; /* atomic, pretty */

/* Typed reading of members.  Required ones fail with "'key' is missing" or "'key' is a string,
 * expected a number"; optional ones leave *out alone when the key is absent or null. */
int json_get_str(const json_t *obj, const char *key, const char **out, struct err *err) WARN_UNUSED;
int json_get_int(const json_t *obj, const char *key, int64_t *out, struct err *err) WARN_UNUSED;
int json_get_num(const json_t *obj, const char *key, double *out, struct err *err) WARN_UNUSED;
int json_opt_str(const json_t *obj, const char *key, const char **out, struct err *err) WARN_UNUSED;
int json_opt_int(const json_t *obj, const char *key, int64_t *out, struct err *err) WARN_UNUSED;
int json_opt_num(const json_t *obj, const char *key, double *out, struct err *err) WARN_UNUSED;
int json_opt_bool(const json_t *obj, const char *key, bool *out, struct err *err) WARN_UNUSED;
/* Arrays of numbers into malloc'ed memory the caller frees; return the length or -1.
 * Absent key: returns 0 and *out = NULL if !required. */
int64_t json_get_i32s(const json_t *obj, const char *key, bool required, int32_t **out,
                      struct err *err) WARN_UNUSED;
int64_t json_get_f32s(const json_t *obj, const char *key, bool required, float **out,
                      struct err *err) WARN_UNUSED;
json_t *json_from_i32s(const int32_t *x, int64_t n); /* new reference */
json_t *json_from_f32s(const float *x, int64_t n);   /* new reference, json_float() each */
const char *json_type_name(const json_t *value);      /* "an array", "null", ... */

#endif
