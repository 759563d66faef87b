/* gguf_write.c - the GGUF file format: writing. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/gguf.h"
#include "data/half.h"

static void add_number(struct strbuf *out, uint64_t x, int bytes)
{
    for (int i = 0; i < bytes; i++)
        strbuf_addc(out, (char)(x >> 8 * i & 0xff));
}

static void add_string(struct strbuf *out, const char *text, size_t n)
{
    add_number(out, n, 8);
    strbuf_add(out, text, n);
}

static void begin_value(struct gguf_writer *w, const char *key, enum gguf_type type)
{
    add_string(&w->values, key, strlen(key));
    add_number(&w->values, type, 4);
    w->n_values++;
}

void gguf_put_u32(struct gguf_writer *w, const char *key, uint32_t x)
{
    begin_value(w, key, GGUF_U32);
    add_number(&w->values, x, 4);
}

void gguf_put_i32(struct gguf_writer *w, const char *key, int32_t x)
{
    begin_value(w, key, GGUF_I32);
    add_number(&w->values, (uint32_t)x, 4);
}

void gguf_put_f32(struct gguf_writer *w, const char *key, float x)
{
    begin_value(w, key, GGUF_F32);
    add_number(&w->values, float_bits(x), 4);
}

void gguf_put_bool(struct gguf_writer *w, const char *key, bool x)
{
    begin_value(w, key, GGUF_BOOL);
    add_number(&w->values, x, 1);
}

void gguf_put_str(struct gguf_writer *w, const char *key, const char *text, size_t n)
{
    begin_value(w, key, GGUF_STRING);
    add_string(&w->values, text, n);
}

void gguf_put_array(struct gguf_writer *w, const char *key, enum gguf_type item, uint64_t n)
{
    begin_value(w, key, GGUF_ARRAY);
    add_number(&w->values, item, 4);
    add_number(&w->values, n, 8);
}

void gguf_add_str(struct gguf_writer *w, const char *text, size_t n)
{
    add_string(&w->values, text, n);
}

void gguf_add_u32(struct gguf_writer *w, uint32_t x)
{
    add_number(&w->values, x, 4);
}

void gguf_add_bool(struct gguf_writer *w, bool x)
{
    add_number(&w->values, x, 1);
}

void gguf_copy_values(struct gguf_writer *w, const struct gguf_file *f, const char *prefix)
{
    for (int i = 0; i < f->n_values; i++) {
        const struct gguf_value *v = &f->values[i];
        if (strncmp(v->key, prefix, strlen(prefix)) != 0)
            continue;
        if (v->type == GGUF_ARRAY)
            gguf_put_array(w, v->key, v->item, v->n);
        else
            begin_value(w, v->key, v->type);
        if (v->type == GGUF_STRING)
            add_number(&w->values, v->n, 8);
        strbuf_add(&w->values, v->data, (size_t)(v->end - v->data));
    }
}

void gguf_add_tensor(struct gguf_writer *w, const char *name, enum ggml_type type, int n_dims,
                     const int64_t *shape)
{
    const struct ggml_format *format = ggml_format(type);
    uint64_t numel = 1;
    if (!format || n_dims < 1 || n_dims > GGUF_MAX_DIMS || strlen(name) > GGUF_MAX_NAME ||
        shape[n_dims - 1] % format->block)
        BUG("tensor '%s' cannot be in a GGUF file", name);
    GROW(w->tensors, w->n_tensors, w->cap_tensors);
    struct gguf_out_tensor *t = &w->tensors[w->n_tensors++];
    add_string(&w->entries, name, strlen(name));
    add_number(&w->entries, (uint64_t)n_dims, 4);
    for (int i = n_dims; i-- > 0;) {
        add_number(&w->entries, (uint64_t)shape[i], 8);
        if (shape[i] < 1 || __builtin_mul_overflow(numel, (uint64_t)shape[i], &numel))
            BUG("tensor '%s' has an impossible shape", name);
    }
    add_number(&w->entries, type, 4);
    add_number(&w->entries, w->data_bytes, 8);
    *t = (struct gguf_out_tensor){.name = xstrdup(name), .type = type, .offset = w->data_bytes,
                                  .bytes = numel / (uint64_t)format->block *
                                           (uint64_t)format->bytes};
    w->data_bytes += (t->bytes + GGUF_ALIGNMENT - 1) / GGUF_ALIGNMENT * GGUF_ALIGNMENT;
}

/* Zeros up to the next aligned place behind n bytes. */
static int pad(FILE *fp, uint64_t n, const char *path, struct err *err)
{
    static const char zeros[GGUF_ALIGNMENT];
    return file_put(fp, zeros, (GGUF_ALIGNMENT - n % GGUF_ALIGNMENT) % GGUF_ALIGNMENT, path, err);
}

static int write_head(const struct gguf_writer *w, FILE *fp, const char *path, struct err *err)
{
    struct strbuf head = {0};
    strbuf_adds(&head, "GGUF");
    add_number(&head, 3, 4);
    add_number(&head, (uint64_t)w->n_tensors, 8);
    add_number(&head, w->n_values, 8);
    int rc = file_put(fp, head.buf, head.len, path, err);
    if (rc == 0)
        rc = file_put(fp, w->values.buf, w->values.len, path, err);
    if (rc == 0)
        rc = file_put(fp, w->entries.buf, w->entries.len, path, err);
    if (rc == 0)
        rc = pad(fp, head.len + w->values.len + w->entries.len, path, err);
    strbuf_release(&head);
    return rc;
}

int gguf_save(struct gguf_writer *w, const char *path, gguf_write_fn *write, void *arg,
              struct err *err)
{
    struct atomic_file f;
    if (atomic_file_open(&f, path, err) < 0)
        return -1;
    int rc = write_head(w, f.fp, path, err);
    for (int i = 0; rc == 0 && i < w->n_tensors; i++) {
        rc = write(arg, i, f.fp, err);
        if (rc == 0)
            rc = pad(f.fp, w->tensors[i].bytes, path, err);
    }
    if (rc == 0)
        return atomic_file_commit(&f, err);
    atomic_file_abort(&f);
    return -1;
}

void gguf_writer_release(struct gguf_writer *w)
{
    for (int i = 0; i < w->n_tensors; i++)
        free(w->tensors[i].name);
    free(w->tensors);
    strbuf_release(&w->values);
    strbuf_release(&w->entries);
    *w = (struct gguf_writer){0};
}
