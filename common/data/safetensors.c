/* safetensors.c - the tensor file format: reading. */
#include "data/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define MAX_HEADER_BYTES 100000000u /* the reference implementation's limit */
#define MAX_DIMS 8

static const struct {
    const char *name;
    size_t bytes;
} dtypes[ST_N] = {
    [ST_BOOL] = {"BOOL", 1}, [ST_U8] = {"U8", 1},   [ST_I8] = {"I8", 1},     [ST_I16] = {"I16", 2},
    [ST_U16] = {"U16", 2},   [ST_F16] = {"F16", 2}, [ST_BF16] = {"BF16", 2}, [ST_I32] = {"I32", 4},
    [ST_U32] = {"U32", 4},   [ST_F32] = {"F32", 4}, [ST_F64] = {"F64", 8},   [ST_I64] = {"I64", 8},
    [ST_U64] = {"U64", 8},
};

size_t st_dtype_bytes(enum st_dtype t)
{
    return dtypes[t].bytes;
}

const char *st_dtype_name(enum st_dtype t)
{
    return dtypes[t].name;
}

/* One tensor's entry. */

static int parse_dtype(struct st_tensor *t, const json_t *obj, struct err *err)
{
    const char *name;
    if (json_get_str(obj, "dtype", &name, err) < 0)
        return -1;
    for (int i = 0; i < ST_N; i++) {
        if (strcmp(name, dtypes[i].name) == 0) {
            t->dtype = (enum st_dtype)i;
            return 0;
        }
    }
    return err_set(err, "type '%s' is not supported", name);
}

static int parse_shape(struct st_tensor *t, const json_t *obj, struct err *err)
{
    const json_t *shape = json_object_get(obj, "shape");
    if (!json_is_array(shape))
        return err_set(err, "'shape' is %s, expected an array", json_type_name(shape));
    if (json_array_size(shape) > MAX_DIMS)
        return err_set(err, "it has %zu dimensions, %d are supported", json_array_size(shape),
                       MAX_DIMS);
    t->n_dims = (int)json_array_size(shape);
    t->numel = 1;
    int64_t product = 1; /* without the zeros, which would hide an overflow behind them */
    bool overflow = false;
    for (int i = 0; i < t->n_dims; i++) {
        const json_t *dim = json_array_get(shape, (size_t)i);
        if (!json_is_integer(dim) || json_integer_value(dim) < 0)
            return err_set(err, "'shape'[%d] is not a size", i);
        t->shape[i] = json_integer_value(dim);
        if (t->shape[i])
            overflow |= __builtin_mul_overflow(product, t->shape[i], &product);
        t->numel = t->shape[i] && t->numel ? product : 0;
    }
    return overflow ? err_set(err, "the product of its shape overflows") : 0;
}

static int parse_offsets(struct st_tensor *t, const json_t *obj, struct err *err)
{
    const json_t *at = json_object_get(obj, "data_offsets");
    const json_t *begin = json_array_get(at, 0), *end = json_array_get(at, 1);
    if (json_array_size(at) != 2 || !json_is_integer(begin) || !json_is_integer(end) ||
        json_integer_value(begin) < 0 || json_integer_value(end) < json_integer_value(begin))
        return err_set(err, "'data_offsets' is not [begin, end]");
    t->begin = (uint64_t)json_integer_value(begin);
    t->end = (uint64_t)json_integer_value(end);
    int64_t bytes;
    if (__builtin_mul_overflow(t->numel, (int64_t)dtypes[t->dtype].bytes, &bytes))
        return err_set(err, "the product of its shape overflows");
    if ((uint64_t)bytes != t->end - t->begin)
        return err_set(err, "its shape needs %lld bytes, 'data_offsets' has %llu", (long long)bytes,
                       (unsigned long long)(t->end - t->begin));
    return 0;
}

static int parse_tensor(struct st_tensor *t, const char *name, const json_t *obj, struct err *err)
{
    t->name = xstrdup(name);
    int rc = 0;
    if (!json_is_object(obj))
        rc = err_set(err, "it is %s, expected an object", json_type_name(obj));
    else if (json_object_size(obj) > 3)
        rc = err_set(err, "it has more than 'dtype', 'shape' and 'data_offsets'");
    else if (parse_dtype(t, obj, err) < 0 || parse_shape(t, obj, err) < 0 ||
             parse_offsets(t, obj, err) < 0)
        rc = -1;
    return rc < 0 ? err_prefix(err, "tensor '%s'", name) : 0;
}

static int parse_metadata(struct st_file *f, json_t *obj, struct err *err)
{
    const char *key;
    json_t *value;
    if (!json_is_object(obj))
        return err_set(err, "'__metadata__' is %s, expected an object", json_type_name(obj));
    json_object_foreach(obj, key, value) if (!json_is_string(value)) return err_set(
        err, "'__metadata__': '%s' is %s, expected a string", key, json_type_name(value));
    json_decref(f->metadata);
    f->metadata = json_incref(obj);
    return 0;
}

/* The header. */

/* A document of tiny values ("[0,0,...") makes a tree twenty times its size.  An honest header has
 * few commas outside its strings, so one with many is refused before it is parsed. */
static bool is_dense(const char *json, size_t n)
{
    size_t commas = 0;
    bool in_string = false;
    for (size_t i = 0; i < n; i++) {
        if (in_string && json[i] == '\\')
            i++;
        else if (json[i] == '"')
            in_string = !in_string;
        else if (!in_string && (json[i] == ',' || json[i] == '['))
            commas++;
    }
    return commas > n / 4 + 64;
}

static int compare_places(const void *a, const void *b)
{
    const struct st_tensor *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end) /* empty tensors lie before the one that starts at their place */
        return x->end < y->end ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int check_layout(const struct st_file *f, uint64_t data_bytes, struct err *err)
{
    uint64_t at = 0;
    for (int i = 0; i < f->n_tensors; i++) {
        const struct st_tensor *t = &f->tensors[i];
        if (t->begin != at)
            return err_set(err, "tensor '%s' begins at byte %llu, expected %llu (%s)", t->name,
                           (unsigned long long)t->begin, (unsigned long long)at,
                           t->begin < at ? "an overlap" : "a hole");
        at = t->end;
    }
    if (data_bytes != UINT64_MAX && at != data_bytes)
        return err_set(err, "the tensors take %llu bytes, the data has %llu",
                       (unsigned long long)at, (unsigned long long)data_bytes);
    return 0;
}

static int parse_entries(struct st_file *f, json_t *doc, struct err *err)
{
    const char *key;
    json_t *value;
    f->tensors = xcalloc(json_object_size(doc), sizeof *f->tensors);
    json_object_foreach(doc, key, value)
    {
        if (strcmp(key, "__metadata__") == 0) {
            if (parse_metadata(f, value, err) < 0)
                return -1;
            continue;
        }
        if (parse_tensor(&f->tensors[f->n_tensors++], key, value, err) < 0)
            return -1;
    }
    if (f->n_tensors > 1)
        qsort(f->tensors, (size_t)f->n_tensors, sizeof *f->tensors, compare_places);
    return 0;
}

static json_t *header_json(const char *json, size_t n, struct err *err)
{
    while (n > 0 && json[n - 1] == ' ')
        n--;
    /* Anything before the brace would let one file be two formats. */
    if (n == 0 || json[0] != '{' || json[n - 1] != '}') {
        err_set(err, "the header is not a JSON object");
        return NULL;
    }
    if (is_dense(json, n)) {
        err_set(err, "the header is not one of tensors");
        return NULL;
    }
    json_t *doc = json_parse(json, n, err);
    if (!doc)
        err_prefix(err, "header");
    return doc;
}

int st_parse_header(struct st_file *f, const char *name, const char *json, size_t n,
                    uint64_t data_bytes, struct err *err)
{
    *f = (struct st_file){.path = xstrdup(name), .metadata = json_object()};
    json_t *doc = header_json(json, n, err);
    int rc = doc ? parse_entries(f, doc, err) : -1;
    if (rc == 0)
        rc = check_layout(f, data_bytes, err);
    json_decref(doc);
    if (rc < 0) {
        st_release(f);
        return err_prefix(err, "%s", name);
    }
    return 0;
}

/* Whole files. */

/* Points the tensors into data.  Some writers pad neither header nor tensors, and C must not read
 * a float from an odd address: those tensors are copied. */
static void place_tensors(struct st_file *f, const char *data)
{
    for (int i = 0; i < f->n_tensors; i++) {
        struct st_tensor *t = &f->tensors[i];
        t->data = data + t->begin;
        if ((uintptr_t)t->data % dtypes[t->dtype].bytes == 0)
            continue;
        size_t bytes = (size_t)(t->end - t->begin);
        t->copy = xaligned(bytes);
        memcpy(t->copy, t->data, bytes);
        t->data = t->copy;
    }
}

int st_parse(struct st_file *f, const char *name, const void *bytes, size_t n, struct err *err)
{
    const unsigned char *p = bytes;
    uint64_t header = 0;
    *f = (struct st_file){0};
    if (n < 8)
        return err_set(err, "%s: too short for a safetensors file (%zu bytes)", name, n);
    for (int i = 7; i >= 0; i--)
        header = header << 8 | p[i];
    if (header > MAX_HEADER_BYTES || header > n - 8)
        return err_set(err, "%s: the header's length is %llu, the file has %zu bytes", name,
                       (unsigned long long)header, n);
    const char *json = (const char *)p + 8;
    if (st_parse_header(f, name, json, (size_t)header, n - 8 - header, err) < 0)
        return -1;
    place_tensors(f, json + header);
    return 0;
}

int st_open(struct st_file *f, const char *path, struct err *err)
{
    struct file_view view;
    *f = (struct st_file){0};
    if (file_view_open(&view, path, err) < 0)
        return -1;
    int rc = st_parse(f, path, view.bytes, view.n, err);
    f->file = view;
    if (rc < 0)
        st_release(f);
    return rc;
}

const struct st_tensor *st_find(const struct st_file *f, const char *name)
{
    for (int i = 0; i < f->n_tensors; i++)
        if (strcmp(f->tensors[i].name, name) == 0)
            return &f->tensors[i];
    return NULL;
}

void st_release(struct st_file *f)
{
    for (int i = 0; i < f->n_tensors; i++) {
        free(f->tensors[i].name);
        free(f->tensors[i].copy);
    }
    free(f->tensors);
    json_decref(f->metadata);
    file_view_release(&f->file);
    free(f->path);
    *f = (struct st_file){0};
}
