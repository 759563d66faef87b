/* safetensors_write.c - the tensor file format: writing. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/safetensors.h"

static size_t tensor_bytes(const struct st_write_tensor *t)
{
    size_t bytes = st_dtype_bytes(t->dtype);
    if (t->n_dims < 0 || t->n_dims > 8)
        BUG("tensor '%s' has %d dimensions", t->name, t->n_dims);
    for (int i = 0; i < t->n_dims; i++)
        if (t->shape[i] < 0 || __builtin_mul_overflow(bytes, (size_t)t->shape[i], &bytes))
            BUG("tensor '%s' has an impossible shape", t->name);
    return bytes;
}

/* The reference writer's order: its enum of types backwards, then the name's bytes. */
static int compare_for_writing(const void *a, const void *b)
{
    const struct st_write_tensor *x = a, *y = b;
    if (x->dtype != y->dtype)
        return x->dtype > y->dtype ? -1 : 1;
    return strcmp(x->name, y->name);
}

void st_sort(struct st_write_tensor *t, int n)
{
    if (n > 1)
        qsort(t, (size_t)n, sizeof *t, compare_for_writing);
}

static json_t *entry_json(const struct st_write_tensor *t, uint64_t begin, uint64_t end)
{
    json_t *entry = json_object(), *shape = json_array(), *offsets = json_array();
    for (int i = 0; i < t->n_dims; i++)
        json_array_append_new(shape, json_integer(t->shape[i]));
    json_array_append_new(offsets, json_integer((json_int_t)begin));
    json_array_append_new(offsets, json_integer((json_int_t)end));
    json_object_set_new(entry, "dtype", json_string(st_dtype_name(t->dtype)));
    json_object_set_new(entry, "shape", shape);
    json_object_set_new(entry, "data_offsets", offsets);
    return entry;
}

/* Length, JSON and padding. */
static void encode_header(struct strbuf *out, const struct st_write_tensor *t, int n,
                          const json_t *metadata)
{
    json_t *doc = json_object();
    uint64_t at = 0;
    if (metadata && json_object_size(metadata))
        json_object_set_new(doc, "__metadata__", json_deep_copy(metadata));
    for (int i = 0; i < n; i++) {
        uint64_t end = at + tensor_bytes(&t[i]);
        if (end < at || end > INT64_MAX || json_object_get(doc, t[i].name))
            BUG("tensor '%s' is there twice or too large", t[i].name);
        json_object_set_new(doc, t[i].name, entry_json(&t[i], at, end));
        at = end;
    }
    struct strbuf json = {0};
    json_write(&json, doc);
    while (json.len % 8)
        strbuf_addc(&json, ' ');
    for (int i = 0; i < 8; i++)
        strbuf_addc(out, (char)(json.len >> 8 * i & 0xff));
    strbuf_add(out, json.buf, json.len);
    strbuf_release(&json);
    json_decref(doc);
}

void st_encode(struct strbuf *out, struct st_write_tensor *t, int n, const json_t *metadata,
               bool keep_order)
{
    if (!keep_order)
        st_sort(t, n);
    encode_header(out, t, n, metadata);
    for (int i = 0; i < n; i++)
        strbuf_add(out, t[i].data, tensor_bytes(&t[i]));
}

int st_save_made(const char *path, struct st_write_tensor *t, int n, const json_t *metadata,
                 st_write_fn *write, void *arg, struct err *err)
{
    struct atomic_file f;
    struct strbuf header = {0};
    int rc;
    st_sort(t, n);
    encode_header(&header, t, n, metadata);
    if (atomic_file_open(&f, path, err) < 0) {
        strbuf_release(&header);
        return -1;
    }
    rc = file_put(f.fp, header.buf, header.len, path, err);
    for (int i = 0; rc == 0 && i < n; i++)
        rc = write(arg, &t[i], f.fp, err);
    strbuf_release(&header);
    if (rc == 0)
        return atomic_file_commit(&f, err);
    atomic_file_abort(&f);
    return -1;
}

static int write_data(void *arg, const struct st_write_tensor *t, FILE *fp, struct err *err)
{
    return file_put(fp, t->data, tensor_bytes(t), arg, err);
}

int st_save(const char *path, struct st_write_tensor *t, int n, const json_t *metadata,
            struct err *err)
{
    char *name = xstrdup(path);
    int rc = st_save_made(path, t, n, metadata, write_data, name, err);
    free(name);
    return rc;
}
