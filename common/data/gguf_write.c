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

static void gguf_put_u16(struct gguf_writer *w, const char *key, uint16_t x)
{
    begin_value(w, key, GGUF_U16);
    add_number(&w->values, x, 2);
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
    *t = (struct gguf_out_tensor){.name = xstrdup(name), .type = type, .n_dims = n_dims};
    for (int i = 0; i < n_dims; i++) {
        t->shape[i] = shape[i];
        if (shape[i] < 1 || __builtin_mul_overflow(numel, (uint64_t)shape[i], &numel))
            BUG("tensor '%s' has an impossible shape", name);
    }
    t->bytes = numel / (uint64_t)format->block * (uint64_t)format->bytes;
}

/* --- files ----------------------------------------------------------------------------------- */

/* One file: which tensors, and the keys. */
struct part {
    int first, end;
    const struct strbuf *values;
    uint64_t n_values;
};

static uint64_t aligned(uint64_t n)
{
    return (n + GGUF_ALIGNMENT - 1) / GGUF_ALIGNMENT * GGUF_ALIGNMENT;
}

/* Zeros up to the next aligned place behind n bytes. */
static int pad(FILE *fp, uint64_t n, const char *path, struct err *err)
{
    static const char zeros[GGUF_ALIGNMENT];
    return file_put(fp, zeros, (size_t)(aligned(n) - n), path, err);
}

static void add_entry(struct strbuf *out, const struct gguf_out_tensor *t, uint64_t offset)
{
    add_string(out, t->name, strlen(t->name));
    add_number(out, (uint64_t)t->n_dims, 4);
    for (int i = t->n_dims; i-- > 0;)
        add_number(out, (uint64_t)t->shape[i], 8);
    add_number(out, t->type, 4);
    add_number(out, offset, 8);
}

static int write_head(const struct gguf_writer *w, const struct part *p, FILE *fp, const char *path,
                      struct err *err)
{
    struct strbuf head = {0}, entries = {0};
    uint64_t offset = 0;
    strbuf_adds(&head, "GGUF");
    add_number(&head, 3, 4);
    add_number(&head, (uint64_t)(p->end - p->first), 8);
    add_number(&head, p->n_values, 8);
    for (int i = p->first; i < p->end; i++) {
        add_entry(&entries, &w->tensors[i], offset);
        offset += aligned(w->tensors[i].bytes);
    }
    int rc = file_put(fp, head.buf, head.len, path, err);
    if (rc == 0)
        rc = file_put(fp, p->values->buf, p->values->len, path, err);
    if (rc == 0)
        rc = file_put(fp, entries.buf, entries.len, path, err);
    if (rc == 0)
        rc = pad(fp, head.len + p->values->len + entries.len, path, err);
    strbuf_release(&head);
    strbuf_release(&entries);
    return rc;
}

static int save_part(const struct gguf_writer *w, const struct part *p, const char *path,
                     gguf_write_fn *write, void *arg, struct err *err)
{
    struct atomic_file f;
    if (atomic_file_open(&f, path, err) < 0)
        return -1;
    int rc = write_head(w, p, f.fp, path, err);
    for (int i = p->first; rc == 0 && i < p->end; i++) {
        rc = write(arg, i, f.fp, err);
        if (rc == 0)
            rc = pad(f.fp, w->tensors[i].bytes, path, err);
    }
    if (rc == 0)
        return atomic_file_commit(&f, err);
    atomic_file_abort(&f);
    return -1;
}

int gguf_save(struct gguf_writer *w, const char *path, gguf_write_fn *write, void *arg,
              struct err *err)
{
    struct part all = {0, w->n_tensors, &w->values, w->n_values};
    return save_part(w, &all, path, write, arg, err);
}

/* first[i] is where part i begins; returns how many there are. */
static int plan_parts(const struct gguf_writer *w, uint64_t limit, int *first)
{
    uint64_t used = 0;
    int n = 1;
    for (int i = 0; i < w->n_tensors; i++) {
        uint64_t bytes = aligned(w->tensors[i].bytes);
        if (i > first[n - 1] && used + bytes > limit) {
            first[n++] = i;
            used = 0;
        }
        used += bytes;
    }
    first[n] = w->n_tensors;
    return n;
}

/* Every part says which it is; the first has the model's keys, too. */
static int save_nth(const struct gguf_writer *w, const int *first, int i, int n, const char *path,
                    gguf_write_fn *write, void *arg, struct err *err)
{
    struct gguf_writer keys = {0};
    if (i == 0) {
        strbuf_add(&keys.values, w->values.buf, w->values.len);
        keys.n_values = w->n_values;
    }
    gguf_put_u16(&keys, "split.no", (uint16_t)i);
    gguf_put_u16(&keys, "split.count", (uint16_t)n);
    gguf_put_i32(&keys, "split.tensors.count", w->n_tensors);
    struct part p = {first[i], first[i + 1], &keys.values, keys.n_values};
    int rc = save_part(w, &p, path, write, arg, err);
    gguf_writer_release(&keys);
    return rc;
}

int gguf_save_split(struct gguf_writer *w, const char *path, uint64_t limit, gguf_write_fn *write, void *arg,
                    struct err *err)
{
    int *first = xcalloc((size_t)w->n_tensors + 2, sizeof *first), n = plan_parts(w, limit, first), rc = 0;
    if (n > GGUF_MAX_PARTS)
        rc = err_set(err, "%s: %d files, at most %d are possible", path, n, GGUF_MAX_PARTS);
    else if (n == 1)
        rc = gguf_save(w, path, write, arg, err);
    for (int i = 0; rc == 0 && n > 1 && i < n; i++) {
        char *name = gguf_part_path(path, i, n);
        rc = file_exists(name) ? err_set(err, "%s already exists", name) : 0;
        free(name);
    }
    for (int i = n; rc == 0 && n > 1 && i-- > 0;) {
        char *name = gguf_part_path(path, i, n);
        rc = save_nth(w, first, i, n, name, write, arg, err);
        free(name);
    }
    free(first);
    return rc;
}

void gguf_writer_release(struct gguf_writer *w)
{
    for (int i = 0; i < w->n_tensors; i++)
        free(w->tensors[i].name);
    free(w->tensors);
    strbuf_release(&w->values);
    *w = (struct gguf_writer){0};
}
