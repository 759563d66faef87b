/* example_fields.c - numbers and arrays beside a record's tokens. */
#include "data/example_fields.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

bool example_has(const json_t *obj, const char *key)
{
    const json_t *value = json_object_get(obj, key);
    return value && !json_is_null(value);
}

/* --- numbers ---------------------------------------------------------------------------------- */

static int read_sampling(const json_t *obj, struct example *e, struct err *err)
{
    const json_t *sampling = json_object_get(obj, "sampling");
    if (json_opt_num(sampling, "temperature", &e->temperature, err) < 0 ||
        json_opt_num(sampling, "top_p", &e->top_p, err) < 0 ||
        json_opt_num(sampling, "min_p", &e->min_p, err) < 0 ||
        json_opt_int(sampling, "top_k", &e->top_k, err) < 0)
        return err_prefix(err, "sampling");
    if (e->top_k < 0) /* vLLM's and SGLang's way to say off */
        e->top_k = 0;
    return 0;
}

static int read_number(const json_t *obj, const char *prefix, const char *name, double *out,
                       bool *found, struct err *err)
{
    char key[64];
    snprintf(key, sizeof key, "%s%s", prefix, name);
    *found = example_has(obj, key);
    return json_opt_num(obj, key, out, err);
}

static int read_id(const json_t *obj, struct example *e, struct err *err)
{
    const json_t *id = json_object_get(obj, "id");
    if (!id || json_is_null(id))
        return 0;
    if (json_is_integer(id))
        e->id = xasprintf("%lld", (long long)json_integer_value(id));
    else if (json_is_string(id))
        e->id = xstrdup(json_string_value(id));
    else
        return err_set(err, "'id' is %s, expected a string", json_type_name(id));
    return 0;
}

int example_read_properties(const json_t *obj, const char *prefix, struct example *e,
                            struct err *err)
{
    const char *finish_reason = "";
    if (read_id(obj, e, err) < 0 || read_sampling(obj, e, err) < 0 ||
        json_opt_str(obj, "finish_reason", &finish_reason, err) < 0 ||
        json_opt_int(obj, "group", &e->group, err) < 0 ||
        json_opt_int(obj, "sample", &e->sample, err) < 0 ||
        json_opt_int(obj, "group_size", &e->group_size, err) < 0)
        return -1;
    if (e->group_size < 0)
        return err_set(err, "'group_size' is negative");
    e->truncated = strcmp(finish_reason, "length") == 0;
    if (read_number(obj, prefix, "reward", &e->reward, &e->has_reward, err) < 0)
        return -1;
    return read_number(obj, prefix, "advantage", &e->advantage, &e->has_advantage, err);
}

/* --- arrays ----------------------------------------------------------------------------------- */

static int check_length(const struct example_span *s, const char *key, int64_t n, struct err *err)
{
    if (n < 0 || n == s->n)
        return n < 0 ? -1 : 0;
    return err_set(err, "'%s' has %lld entries, '%s' has %lld", key, (long long)n, s->ids_key,
                   (long long)s->n);
}

/* Above 0 there is none; a little is rounding of whoever wrote it, more is a probability or something else. */
static int check_logprobs(const char *key, const float *x, int64_t n, struct err *err)
{
    for (int64_t i = 0; i < n; i++)
        if (x[i] > 1e-3f)
            return err_set(err, "'%s'[%lld] is %g, the logarithm of a probability is at most 0", key,
                           (long long)i, (double)x[i]);
    return 0;
}

static int read_logprobs(const struct example_span *s, const char *name, const struct example *e,
                         float **out, struct err *err)
{
    char key[64];
    float *x = NULL;
    snprintf(key, sizeof key, "%s%s", s->prefix, name);
    if (!example_has(s->obj, key))
        return 0;
    int64_t n = json_get_f32s(s->obj, key, true, &x, err);
    int rc = check_length(s, key, n, err);
    if (rc == 0)
        rc = check_logprobs(key, x, n, err);
    if (rc == 0) {
        *out = xcalloc((size_t)e->n_tokens + 1, sizeof **out);
        if (n > 0)
            memcpy(*out + s->first, x, (size_t)n * sizeof *x);
    }
    free(x);
    return rc;
}

/* An array, or one number for the whole completion. */
static int read_versions(const struct example_span *s, struct example *e, struct err *err)
{
    char key[64];
    int32_t *x = NULL;
    snprintf(key, sizeof key, "%spolicy_version", s->prefix);
    if (!example_has(s->obj, key))
        return 0;
    const json_t *one = json_object_get(s->obj, key);
    if (json_is_integer(one) && json_integer_value(one) != (int32_t)json_integer_value(one))
        return err_set(err, "'%s' is %lld, out of range", key, (long long)json_integer_value(one));
    int64_t n = json_is_integer(one) ? s->n : json_get_i32s(s->obj, key, true, &x, err);
    int rc = check_length(s, key, n, err);
    if (rc == 0) {
        e->policy_version = xmalloc(((size_t)e->n_tokens + 1) * sizeof *e->policy_version);
        for (int64_t i = 0; i < e->n_tokens; i++)
            e->policy_version[i] = -1;
        for (int64_t i = 0; i < n; i++)
            e->policy_version[s->first + i] = x ? x[i] : (int32_t)json_integer_value(one);
    }
    free(x);
    return rc;
}

static int read_mask(const struct example_span *s, struct example *e, struct err *err)
{
    char key[64];
    int32_t *x = NULL;
    snprintf(key, sizeof key, "%sloss_mask", s->prefix);
    e->loss_mask = xcalloc((size_t)e->n_tokens + 1, 1);
    memset(e->loss_mask + s->first, 1, (size_t)s->n);
    if (!example_has(s->obj, key))
        return 0;
    int64_t n = json_get_i32s(s->obj, key, true, &x, err);
    int rc = check_length(s, key, n, err);
    for (int64_t i = 0; rc == 0 && i < n; i++) {
        if (x[i] != 0 && x[i] != 1)
            rc = err_set(err, "'%s'[%lld] is %d, expected 0 or 1", key, (long long)i, x[i]);
        e->loss_mask[s->first + i] = x[i] == 1;
    }
    free(x);
    return rc;
}

int example_read_arrays(const struct example_span *s, struct example *e, struct err *err)
{
    if (read_mask(s, e, err) < 0 || read_logprobs(s, "logprobs", e, &e->logprobs, err) < 0 ||
        read_logprobs(s, "old_logprobs", e, &e->old_logprobs, err) < 0 ||
        read_logprobs(s, "ref_logprobs", e, &e->ref_logprobs, err) < 0)
        return -1;
    return read_versions(s, e, err);
}
