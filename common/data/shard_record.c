/* shard_record.c - a sequence of a shard as a JSON record and back. */
#include "data/shard_record.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/shard_field.h"

void shard_record_release(struct shard_record *r)
{
    free(r->id);
    free(r->tokens);
    for (int i = 0; i < n_shard_fields; i++)
        free(r->fields[i]);
    *r = (struct shard_record){0};
}

/* In place: the int32 values as bytes of 0 and 1. */
static int narrow_mask(const char *key, int32_t *values, int64_t n, struct err *err)
{
    uint8_t *bytes = (uint8_t *)values;
    for (int64_t i = 0; i < n; i++) {
        if (values[i] != 0 && values[i] != 1)
            return err_set(err, "'%s'[%lld] is %d, expected 0 or 1", key, (long long)i, values[i]);
        bytes[i] = (uint8_t)values[i];
    }
    return 0;
}

static int64_t parse_array(const json_t *obj, const struct shard_field *f, void **out,
                           struct err *err)
{
    int32_t *ints = NULL;
    float *floats = NULL;
    int64_t n;
    if (f->dtype == ST_F32) {
        n = json_get_f32s(obj, f->name, false, &floats, err);
        *out = floats;
        return n;
    }
    n = json_get_i32s(obj, f->name, false, &ints, err);
    *out = ints;
    return n > 0 && f->dtype == ST_U8 && narrow_mask(f->name, ints, n, err) < 0 ? -1 : n;
}

static int parse_field(const json_t *obj, int i, struct shard_record *out, struct err *err)
{
    const struct shard_field *f = &shard_fields[i];
    const json_t *value = json_object_get(obj, f->name);
    if (!value || json_is_null(value))
        return 0;
    if (f->per_seq) {
        double x = 0;
        if (json_opt_num(obj, f->name, &x, err) < 0)
            return -1;
        out->fields[i] = xmalloc(sizeof(float));
        *(float *)out->fields[i] = (float)x;
    } else {
        int64_t n = parse_array(obj, f, &out->fields[i], err);
        if (n < 0)
            return -1;
        if (n != out->seq.n_tokens)
            return err_set(err, "'%s' has %lld entries, 'tokens' has %lld", f->name, (long long)n,
                           (long long)out->seq.n_tokens);
    }
    shard_seq_set_field(&out->seq, i, out->fields[i]);
    return 0;
}

static int parse_id(const json_t *obj, struct shard_record *out, struct err *err)
{
    const json_t *id = json_object_get(obj, "id");
    if (!id || json_is_null(id))
        return 0;
    if (json_is_string(id) && strlen(json_string_value(id)) == json_string_length(id))
        out->id = xstrdup(json_string_value(id));
    else if (json_is_integer(id))
        out->id = xasprintf("%lld", (long long)json_integer_value(id));
    else
        return err_set(err, "'id' is %s, expected a string", json_type_name(id));
    out->seq.id = out->id;
    return 0;
}

const char *shard_record_domain(const json_t *obj)
{
    const json_t *domain = json_object_get(obj, "domain");
    const char *text = json_string_value(domain);
    return text && strlen(text) == json_string_length(domain) ? text : NULL;
}

static int parse(const json_t *obj, struct shard_record *out, struct err *err)
{
    int64_t n = json_get_i32s(obj, "tokens", true, &out->tokens, err);
    if (n < 0 || parse_id(obj, out, err) < 0)
        return -1;
    out->seq.domain = shard_record_domain(obj);
    out->seq.tokens = out->tokens;
    out->seq.n_tokens = n;
    for (int64_t i = 0; i < n; i++)
        if (out->tokens[i] < 0)
            return err_set(err, "'tokens'[%lld] is %d", (long long)i, out->tokens[i]);
    for (int i = 0; i < n_shard_fields; i++)
        if (parse_field(obj, i, out, err) < 0)
            return -1;
    return 0;
}

int shard_record_parse(const json_t *obj, struct shard_record *out, struct err *err)
{
    *out = (struct shard_record){0};
    if (parse(obj, out, err) == 0)
        return 0;
    shard_record_release(out);
    return -1;
}

static json_t *mask_json(const uint8_t *mask, int64_t n)
{
    json_t *array = json_array();
    for (int64_t i = 0; i < n; i++)
        json_array_append_new(array, json_integer(mask[i]));
    return array;
}

static json_t *field_json(const struct shard_seq *s, int i)
{
    const void *array = shard_seq_field(s, i);
    if (shard_fields[i].per_seq)
        return json_float(*(const float *)array);
    switch (shard_fields[i].dtype) {
    case ST_U8:
        return mask_json(array, s->n_tokens);
    case ST_I32:
        return json_from_i32s(array, s->n_tokens);
    default:
        return json_from_f32s(array, s->n_tokens);
    }
}

json_t *shard_seq_to_json(const struct shard_seq *s)
{
    json_t *obj = json_object();
    if (s->id)
        json_object_set_new(obj, "id", json_string(s->id));
    if (s->domain)
        json_object_set_new(obj, "domain", json_string(s->domain));
    json_object_set_new(obj, "tokens", json_from_i32s(s->tokens, s->n_tokens));
    for (int i = 0; i < n_shard_fields; i++)
        if (shard_seq_field(s, i))
            json_object_set_new(obj, shard_fields[i].name, field_json(s, i));
    return obj;
}
