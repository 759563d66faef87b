/* gguf.c - the GGUF file format: reading. */
#include "data/gguf.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/utf8.h"

#define MAX_COUNT (1 << 24)

static const size_t value_bytes[] = {
    [GGUF_U8] = 1,  [GGUF_I8] = 1,     [GGUF_U16] = 2,   [GGUF_I16] = 2, [GGUF_U32] = 4,
    [GGUF_I32] = 4, [GGUF_F32] = 4,    [GGUF_BOOL] = 1,  [GGUF_STRING] = 0, [GGUF_ARRAY] = 0,
    [GGUF_U64] = 8, [GGUF_I64] = 8,    [GGUF_F64] = 8,
};
static const char *const type_names[] = {
    [GGUF_U8] = "u8",   [GGUF_I8] = "i8",      [GGUF_U16] = "u16",       [GGUF_I16] = "i16",
    [GGUF_U32] = "u32", [GGUF_I32] = "i32",    [GGUF_F32] = "f32",       [GGUF_BOOL] = "a bool",
    [GGUF_STRING] = "a string", [GGUF_ARRAY] = "an array", [GGUF_U64] = "u64",
    [GGUF_I64] = "i64", [GGUF_F64] = "f64",
};

static uint64_t load(const unsigned char *p, size_t bytes)
{
    uint64_t x = 0;
    for (size_t i = bytes; i-- > 0;)
        x = x << 8 | p[i];
    return x;
}

/* --- walking over the file ------------------------------------------------------------------- */

struct cursor {
    const unsigned char *at, *end;
};

static uint64_t left(const struct cursor *c)
{
    return (uint64_t)(c->end - c->at);
}

static int take(struct cursor *c, size_t bytes, uint64_t *out, const char *what, struct err *err)
{
    *out = 0;
    if (left(c) < bytes)
        return err_set(err, "the file ends in %s", what);
    *out = load(c->at, bytes);
    c->at += bytes;
    return 0;
}

static int take_string(struct cursor *c, const unsigned char **text, uint64_t *n, const char *what,
                       struct err *err)
{
    if (take(c, 8, n, what, err) < 0)
        return -1;
    if (*n > left(c))
        return err_set(err, "%s: a string of %llu bytes, the file has %llu left", what,
                       (unsigned long long)*n, (unsigned long long)left(c));
    *text = c->at;
    c->at += *n;
    return 0;
}

/* UTF-8 without NUL. */
static bool is_text(const unsigned char *text, uint64_t n)
{
    return !memchr(text, 0, n) && utf8_valid_prefix((const char *)text, n) == n;
}

/* A key or a tensor's name: owned. */
static char *take_name(struct cursor *c, uint64_t max, const char *what, struct err *err)
{
    const unsigned char *text;
    uint64_t n;
    if (take_string(c, &text, &n, what, err) < 0)
        return NULL;
    if (n == 0 || n > max || !is_text(text, n)) {
        err_set(err, "%s: expected 1 to %llu bytes of UTF-8", what, (unsigned long long)max);
        return NULL;
    }
    return xstrndup((const char *)text, n);
}

/* --- values ---------------------------------------------------------------------------------- */

static int take_array(struct cursor *c, struct gguf_value *v, struct err *err)
{
    uint64_t item, text_n;
    const unsigned char *text;
    if (take(c, 4, &item, "an array", err) < 0 || take(c, 8, &v->n, "an array", err) < 0)
        return -1;
    if (item > GGUF_F64 || item == GGUF_ARRAY)
        return err_set(err, "an array of items of type %llu is not supported",
                       (unsigned long long)item);
    v->item = (enum gguf_type)item;
    v->data = c->at;
    size_t each = v->item == GGUF_STRING ? 8 : value_bytes[item]; /* at least */
    if (v->n > left(c) / each)
        return err_set(err, "an array of %llu items, the file has %llu bytes left",
                       (unsigned long long)v->n, (unsigned long long)left(c));
    if (v->item != GGUF_STRING)
        c->at += v->n * each;
    for (uint64_t i = 0; v->item == GGUF_STRING && i < v->n; i++)
        if (take_string(c, &text, &text_n, "an array", err) < 0)
            return -1;
    return 0;
}

static int take_value(struct cursor *c, struct gguf_value *v, struct err *err)
{
    uint64_t type, x;
    if (take(c, 4, &type, "a value", err) < 0)
        return -1;
    if (type > GGUF_F64)
        return err_set(err, "a value of type %llu is not known", (unsigned long long)type);
    v->type = (enum gguf_type)type;
    if (v->type == GGUF_ARRAY)
        return take_array(c, v, err);
    if (v->type == GGUF_STRING)
        return take_string(c, &v->data, &v->n, "a value", err);
    v->data = c->at;
    return take(c, value_bytes[type], &x, "a value", err);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct gguf_value *)a)->key, ((const struct gguf_value *)b)->key);
}

static int take_values(struct gguf_file *f, struct cursor *c, uint64_t n, struct err *err)
{
    int cap = 0;
    for (uint64_t i = 0; i < n; i++) {
        GROW(f->values, f->n_values, cap);
        struct gguf_value *v = &f->values[f->n_values];
        *v = (struct gguf_value){.key = take_name(c, 65535, "a key", err)};
        if (!v->key)
            return -1;
        f->n_values++;
        if (take_value(c, v, err) < 0)
            return err_prefix(err, "key '%s'", v->key);
        v->end = c->at;
    }
    if (f->n_values > 1)
        qsort(f->values, (size_t)f->n_values, sizeof *f->values, by_key);
    for (int i = 1; i < f->n_values; i++)
        if (strcmp(f->values[i - 1].key, f->values[i].key) == 0)
            return err_set(err, "key '%s' occurs twice", f->values[i].key);
    return 0;
}

/* --- tensors --------------------------------------------------------------------------------- */

static int take_shape(struct cursor *c, struct gguf_tensor *t, struct err *err)
{
    uint64_t n_dims, dim;
    if (take(c, 4, &n_dims, "a tensor's entry", err) < 0)
        return -1;
    if (n_dims < 1 || n_dims > GGUF_MAX_DIMS)
        return err_set(err, "it has %llu dimensions, expected 1 to %d", (unsigned long long)n_dims,
                       GGUF_MAX_DIMS);
    t->n_dims = (int)n_dims;
    t->numel = 1;
    for (int i = t->n_dims; i-- > 0;) {
        if (take(c, 8, &dim, "a tensor's entry", err) < 0)
            return -1;
        if (dim == 0 || dim > INT64_MAX)
            return err_set(err, "a dimension of %llu", (unsigned long long)dim);
        t->shape[i] = (int64_t)dim;
        if (__builtin_mul_overflow(t->numel, t->shape[i], &t->numel))
            return err_set(err, "the product of its shape overflows");
    }
    return 0;
}

static int take_entry(struct cursor *c, struct gguf_tensor *t, uint64_t alignment, struct err *err)
{
    uint64_t type;
    if (take_shape(c, t, err) < 0 || take(c, 4, &type, "a tensor's entry", err) < 0 ||
        take(c, 8, &t->offset, "a tensor's entry", err) < 0)
        return -1;
    const struct ggml_format *format = ggml_format((uint32_t)type);
    if (!format)
        return err_set(err, "its type %llu is not supported (F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, "
                            "Q8_0 and Q2_K to Q6_K are)", (unsigned long long)type);
    t->type = (enum ggml_type)type;
    int64_t n_cols = t->shape[t->n_dims - 1];
    if (n_cols % format->block)
        return err_set(err, "its rows of %lld are not a multiple of %d, the block of %s",
                       (long long)n_cols, format->block, format->name);
    if (__builtin_mul_overflow((uint64_t)(t->numel / format->block), (uint64_t)format->bytes,
                               &t->bytes))
        return err_set(err, "the product of its shape overflows");
    if (t->offset % alignment)
        return err_set(err, "its offset %llu is no multiple of %llu", (unsigned long long)t->offset,
                       (unsigned long long)alignment);
    return 0;
}

static int by_offset(const void *a, const void *b)
{
    const struct gguf_tensor *x = a, *y = b;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct gguf_tensor *)a)->name, ((const struct gguf_tensor *)b)->name);
}

int gguf_sort_tensors(struct gguf_file *f, struct err *err)
{
    if (f->n_tensors > 1)
        qsort(f->tensors, (size_t)f->n_tensors, sizeof *f->tensors, by_name);
    for (int i = 1; i < f->n_tensors; i++)
        if (strcmp(f->tensors[i - 1].name, f->tensors[i].name) == 0)
            return err_set(err, "tensor '%s' occurs twice", f->tensors[i].name);
    return 0;
}

/* Side by side, each at the next aligned place, as every reader expects. */
static int place_tensors(struct gguf_file *f, const struct cursor *data, uint64_t alignment,
                         struct err *err)
{
    uint64_t expected = 0;
    if (f->n_tensors > 1)
        qsort(f->tensors, (size_t)f->n_tensors, sizeof *f->tensors, by_offset);
    for (int i = 0; i < f->n_tensors; i++) {
        struct gguf_tensor *t = &f->tensors[i];
        if (t->offset != expected)
            return err_set(err, "tensor '%s' begins at byte %llu, expected %llu (%s)", t->name,
                           (unsigned long long)t->offset, (unsigned long long)expected,
                           t->offset < expected ? "an overlap" : "a hole");
        if (t->offset > left(data) || t->bytes > left(data) - t->offset)
            return err_set(err, "tensor '%s' needs %llu bytes at byte %llu, the data has %llu",
                           t->name, (unsigned long long)t->bytes, (unsigned long long)t->offset,
                           (unsigned long long)left(data));
        t->data = data->at + t->offset;
        expected = (t->offset + t->bytes + alignment - 1) / alignment * alignment;
    }
    return gguf_sort_tensors(f, err);
}

static int take_tensors(struct gguf_file *f, struct cursor *c, uint64_t n, uint64_t alignment,
                        struct err *err)
{
    int cap = 0;
    for (uint64_t i = 0; i < n; i++) {
        GROW(f->tensors, f->n_tensors, cap);
        struct gguf_tensor *t = &f->tensors[f->n_tensors];
        *t = (struct gguf_tensor){.name = take_name(c, GGUF_MAX_NAME, "a tensor's name", err)};
        if (!t->name)
            return -1;
        f->n_tensors++;
        if (take_entry(c, t, alignment, err) < 0)
            return err_prefix(err, "tensor '%s'", t->name);
    }
    return 0;
}

/* --- whole files ----------------------------------------------------------------------------- */

static int take_header(struct gguf_file *f, struct cursor *c, uint64_t *n_tensors,
                       uint64_t *n_values, struct err *err)
{
    uint64_t version;
    if (left(c) < 4 || memcmp(c->at, "GGUF", 4) != 0)
        return err_set(err, "not a GGUF file");
    c->at += 4;
    if (take(c, 4, &version, "the header", err) < 0)
        return -1;
    if (version && version % 65536 == 0)
        return err_set(err, "a big-endian GGUF file is not supported");
    if (version != 2 && version != 3)
        return err_set(err, "GGUF version %llu is not supported (2 and 3 are)",
                       (unsigned long long)version);
    f->version = (uint32_t)version;
    if (take(c, 8, n_tensors, "the header", err) < 0 || take(c, 8, n_values, "the header", err) < 0)
        return -1;
    if (*n_values > left(c) / 13 || *n_tensors > left(c) / 33 || /* the shortest of each */
        *n_values > MAX_COUNT || *n_tensors > MAX_COUNT)
        return err_set(err, "%llu keys and %llu tensors cannot be in a file of this size",
                       (unsigned long long)*n_values, (unsigned long long)*n_tensors);
    return 0;
}

static int parse(struct gguf_file *f, const unsigned char *bytes, size_t n, struct err *err)
{
    struct cursor c = {bytes, bytes + n};
    uint64_t n_tensors = 0, n_values = 0;
    int64_t alignment = GGUF_ALIGNMENT;
    if (take_header(f, &c, &n_tensors, &n_values, err) < 0 ||
        take_values(f, &c, n_values, err) < 0 ||
        gguf_get_int(f, "general.alignment", &alignment, err) < 0)
        return -1;
    if (alignment < 1 || alignment > 1 << 20 || (alignment & (alignment - 1)))
        return err_set(err, "'general.alignment' is %lld, expected a power of two up to 1048576",
                       (long long)alignment);
    if (take_tensors(f, &c, n_tensors, (uint64_t)alignment, err) < 0)
        return -1;
    uint64_t used = (uint64_t)(c.at - bytes), a = (uint64_t)alignment;
    uint64_t padding = (a - used % a) % a;
    c.at += padding < left(&c) ? padding : left(&c);
    return place_tensors(f, &c, a, err);
}

int gguf_parse(struct gguf_file *f, const char *name, const void *bytes, size_t n, struct err *err)
{
    *f = (struct gguf_file){.path = xstrdup(name), .n_parts = 1};
    if (parse(f, bytes, n, err) == 0)
        return 0;
    gguf_release(f);
    return err_prefix(err, "%s", name);
}

void gguf_release(struct gguf_file *f)
{
    for (int i = 0; i < f->n_values; i++)
        free(f->values[i].key);
    for (int i = 0; i < f->n_tensors; i++)
        free(f->tensors[i].name);
    for (int i = 0; i + 1 < f->n_parts; i++)
        file_view_release(&f->more[i]);
    for (int i = 0; f->part_paths && i < f->n_parts; i++)
        free(f->part_paths[i]);
    free(f->more);
    free(f->part_paths);
    free(f->values);
    free(f->tensors);
    free(f->path);
    file_view_release(&f->file);
    *f = (struct gguf_file){0};
}

/* --- asking ---------------------------------------------------------------------------------- */

const struct gguf_value *gguf_find(const struct gguf_file *f, const char *key)
{
    char *name = xstrdup(key);
    struct gguf_value wanted = {.key = name};
    const struct gguf_value *v =
        f->n_values ? bsearch(&wanted, f->values, (size_t)f->n_values, sizeof wanted, by_key) : NULL;
    free(name);
    return v;
}

const struct gguf_tensor *gguf_find_tensor(const struct gguf_file *f, const char *name)
{
    char *copy = xstrdup(name);
    struct gguf_tensor wanted = {.name = copy};
    const struct gguf_tensor *t =
        f->n_tensors ? bsearch(&wanted, f->tensors, (size_t)f->n_tensors, sizeof wanted, by_name)
                     : NULL;
    free(copy);
    return t;
}

static int wrong_type(const struct gguf_value *v, const char *expected, struct err *err)
{
    return err_set(err, "key '%s' is %s, expected %s", v->key, type_names[v->type], expected);
}

/* Whole numbers of every type as int64_t; false for others. */
static bool whole(const struct gguf_value *v, int64_t *out)
{
    uint64_t x;
    switch (v->type) {
    case GGUF_U8:
    case GGUF_U16:
    case GGUF_U32:
    case GGUF_U64:
        x = load(v->data, value_bytes[v->type]);
        *out = (int64_t)x;
        return x <= INT64_MAX;
    case GGUF_I8:
        *out = (int8_t)load(v->data, 1);
        return true;
    case GGUF_I16:
        *out = (int16_t)load(v->data, 2);
        return true;
    case GGUF_I32:
        *out = (int32_t)load(v->data, 4);
        return true;
    case GGUF_I64:
        *out = (int64_t)load(v->data, 8);
        return true;
    default:
        return false;
    }
}

int gguf_get_int(const struct gguf_file *f, const char *key, int64_t *out, struct err *err)
{
    const struct gguf_value *v = gguf_find(f, key);
    int64_t x;
    if (!v)
        return 0;
    if (!whole(v, &x))
        return wrong_type(v, "a whole number", err);
    *out = x;
    return 1;
}

int gguf_get_num(const struct gguf_file *f, const char *key, double *out, struct err *err)
{
    const struct gguf_value *v = gguf_find(f, key);
    int64_t x;
    if (!v)
        return 0;
    if (v->type == GGUF_F32) {
        uint32_t bits = (uint32_t)load(v->data, 4);
        float small;
        memcpy(&small, &bits, 4);
        *out = (double)small;
    } else if (v->type == GGUF_F64) {
        uint64_t bits = load(v->data, 8);
        memcpy(out, &bits, 8);
    } else if (whole(v, &x)) {
        *out = (double)x;
    } else {
        return wrong_type(v, "a number", err);
    }
    return 1;
}

int gguf_get_bool(const struct gguf_file *f, const char *key, bool *out, struct err *err)
{
    const struct gguf_value *v = gguf_find(f, key);
    if (!v)
        return 0;
    if (v->type != GGUF_BOOL)
        return wrong_type(v, "a bool", err);
    *out = v->data[0] != 0;
    return 1;
}

int gguf_get_str(const struct gguf_file *f, const char *key, char **out, struct err *err)
{
    const struct gguf_value *v = gguf_find(f, key);
    if (!v)
        return 0;
    if (v->type != GGUF_STRING)
        return wrong_type(v, "a string", err);
    if (!is_text(v->data, v->n))
        return err_set(err, "key '%s' is not UTF-8, or has a NUL byte", key);
    *out = xstrndup((const char *)v->data, v->n);
    return 1;
}

const struct gguf_value *gguf_array(const struct gguf_file *f, const char *key, enum gguf_type item,
                                    struct err *err)
{
    const struct gguf_value *v = gguf_find(f, key);
    if (!v || (v->type == GGUF_ARRAY && v->item == item))
        return v;
    err_set(err, "key '%s' is %s%s, expected an array of %s", key, type_names[v->type],
            v->type == GGUF_ARRAY ? " of other items" : "", type_names[item]);
    return NULL;
}

const char *gguf_next_string(const unsigned char **at, uint64_t *n)
{
    const char *text = (const char *)*at + 8;
    *n = load(*at, 8);
    *at += 8 + *n;
    return text;
}

int32_t gguf_i32_at(const struct gguf_value *v, uint64_t i)
{
    return (int32_t)load(v->data + 4 * i, 4);
}
