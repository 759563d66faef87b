/* json_get.c - typed reading of members. */
#include "data/json.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

const char *json_type_name(const json_t *value)
{
    if (!value)
        return "missing";
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
        return "true";
    case JSON_FALSE:
        return "false";
    default:
        return "null";
    }
}

static int wrong_type(const json_t *v, const char *key, const char *expected, struct err *err)
{
    return err_set(err, "'%s' is %s, expected %s", key, json_type_name(v), expected);
}

static const json_t *required(const json_t *obj, const char *key, struct err *err)
{
    const json_t *v = json_object_get(obj, key);
    if (!v)
        err_set(err, "'%s' is missing", key);
    return v;
}

/* NULL for absent and for null. */
static const json_t *optional(const json_t *obj, const char *key)
{
    const json_t *v = json_object_get(obj, key);
    return v && !json_is_null(v) ? v : NULL;
}

static int take_str(const json_t *v, const char *key, const char **out, struct err *err)
{
    if (!json_is_string(v))
        return wrong_type(v, key, "a string", err);
    *out = json_string_value(v);
    return 0;
}

static int take_int(const json_t *v, const char *key, int64_t *out, struct err *err)
{
    if (!json_is_integer(v))
        return wrong_type(v, key, "an integer", err);
    *out = json_integer_value(v);
    return 0;
}

static int take_num(const json_t *v, const char *key, double *out, struct err *err)
{
    if (!json_is_number(v))
        return wrong_type(v, key, "a number", err);
    *out = json_number_value(v);
    return 0;
}

int json_get_str(const json_t *obj, const char *key, const char **out, struct err *err)
{
    const json_t *v = required(obj, key, err);
    return v ? take_str(v, key, out, err) : -1;
}

int json_get_int(const json_t *obj, const char *key, int64_t *out, struct err *err)
{
    const json_t *v = required(obj, key, err);
    return v ? take_int(v, key, out, err) : -1;
}

int json_get_num(const json_t *obj, const char *key, double *out, struct err *err)
{
    const json_t *v = required(obj, key, err);
    return v ? take_num(v, key, out, err) : -1;
}

int json_opt_str(const json_t *obj, const char *key, const char **out, struct err *err)
{
    const json_t *v = optional(obj, key);
    return v ? take_str(v, key, out, err) : 0;
}

int json_opt_int(const json_t *obj, const char *key, int64_t *out, struct err *err)
{
    const json_t *v = optional(obj, key);
    return v ? take_int(v, key, out, err) : 0;
}

int json_opt_num(const json_t *obj, const char *key, double *out, struct err *err)
{
    const json_t *v = optional(obj, key);
    return v ? take_num(v, key, out, err) : 0;
}

int json_opt_bool(const json_t *obj, const char *key, bool *out, struct err *err)
{
    const json_t *v = optional(obj, key);
    if (!v)
        return 0;
    if (!json_is_boolean(v))
        return wrong_type(v, key, "true or false", err);
    *out = json_is_true(v);
    return 0;
}

/* The array of a member; *n = -1 on error, 0 if it may be absent and is. */
static const json_t *get_array(const json_t *obj, const char *key, bool is_required, int64_t *n,
                               struct err *err)
{
    const json_t *v = is_required ? required(obj, key, err) : optional(obj, key);
    *n = v || is_required ? -1 : 0;
    if (!v)
        return NULL;
    if (!json_is_array(v)) {
        wrong_type(v, key, "an array", err);
        return NULL;
    }
    *n = (int64_t)json_array_size(v);
    return v;
}

int64_t json_get_i32s(const json_t *obj, const char *key, bool is_required, int32_t **out,
                      struct err *err)
{
    int64_t n;
    const json_t *array = get_array(obj, key, is_required, &n, err);
    *out = NULL;
    if (!array)
        return n;
    int32_t *x = xreallocarray(NULL, (size_t)n, sizeof *x);
    for (int64_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(array, (size_t)i);
        json_int_t value = json_integer_value(v);
        if (!json_is_integer(v))
            err_set(err, "'%s'[%lld] is %s, expected an integer", key, (long long)i,
                    json_type_name(v));
        else if (value < INT32_MIN || value > INT32_MAX)
            err_set(err, "'%s'[%lld] is %lld, which does not fit 32 bits", key, (long long)i,
                    (long long)value);
        else {
            x[i] = (int32_t)value;
            continue;
        }
        free(x);
        return -1;
    }
    *out = x;
    return n;
}

int64_t json_get_f32s(const json_t *obj, const char *key, bool is_required, float **out,
                      struct err *err)
{
    int64_t n;
    const json_t *array = get_array(obj, key, is_required, &n, err);
    *out = NULL;
    if (!array)
        return n;
    float *x = xreallocarray(NULL, (size_t)n, sizeof *x);
    for (int64_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(array, (size_t)i);
        x[i] = (float)json_number_value(v);
        if (!json_is_number(v))
            err_set(err, "'%s'[%lld] is %s, expected a number", key, (long long)i,
                    json_type_name(v));
        else if (!isfinite(x[i]))
            err_set(err, "'%s'[%lld] is %g, which does not fit 32 bits", key, (long long)i,
                    json_number_value(v));
        else
            continue;
        free(x);
        return -1;
    }
    *out = x;
    return n;
}

json_t *json_from_i32s(const int32_t *x, int64_t n)
{
    json_t *array = json_array();
    for (int64_t i = 0; i < n; i++)
        json_array_append_new(array, json_integer(x[i]));
    return array;
}

json_t *json_from_f32s(const float *x, int64_t n)
{
    json_t *array = json_array();
    for (int64_t i = 0; i < n; i++)
        json_array_append_new(array, json_float(x[i]));
    return array;
}
