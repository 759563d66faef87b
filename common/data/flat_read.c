/* flat_read.c - token files of other trainers: reading. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/flat_internal.h"

struct flat_reader {
    struct flat_options o;
    char *path; /* of the ids, for messages */
    struct file_view data, mask;
    const uint8_t *ids;
    int64_t n_tokens;
    int64_t *ends;  /* [n_docs] where documents end; NULL = at eos or bos */
    int64_t *begins;
    char **names; /* [n_docs] or NULL */
    int64_t n_docs, doc, at;
    int32_t *tokens; /* the document's; room for cap */
    int64_t cap;
};

void flat_reader_close(struct flat_reader *r)
{
    if (!r)
        return;
    for (int64_t i = 0; r->names && i < r->n_docs; i++)
        free(r->names[i]);
    free(r->names);
    free(r->begins);
    free(r->ends);
    free(r->tokens);
    free(r->path);
    file_view_release(&r->data);
    file_view_release(&r->mask);
    free(r);
}

static uint64_t read_le(const uint8_t *p, size_t bytes)
{
    uint64_t x = 0;
    for (size_t k = 0; k < bytes; k++)
        x |= (uint64_t)p[k] << (8 * k);
    return x;
}

/* The ids are what follows the first `skip` bytes. */
static int set_ids(struct flat_reader *r, size_t skip, struct err *err)
{
    size_t width = flat_dtype_bytes(r->o.dtype);
    if (width == 0)
        return err_set(err, "%s: it does not say how wide its ids are: give --dtype", r->path);
    if ((r->data.n - skip) % width)
        return err_set(err, "%s: %zu bytes of ids are no multiple of %zu (%s)", r->path, r->data.n - skip,
                       width, flat_dtype_names[r->o.dtype]);
    r->ids = (const uint8_t *)r->data.bytes + skip;
    r->n_tokens = (int64_t)((r->data.n - skip) / width);
    return 0;
}

static void add_doc(struct flat_reader *r, int64_t begin, int64_t end, const char *name, int64_t *cap)
{
    if (r->n_docs == *cap) {
        *cap = *cap ? 2 * *cap : 256;
        r->begins = xreallocarray(r->begins, (size_t)*cap, sizeof *r->begins);
        r->ends = xreallocarray(r->ends, (size_t)*cap, sizeof *r->ends);
        r->names = xreallocarray(r->names, (size_t)*cap, sizeof *r->names);
    }
    r->begins[r->n_docs] = begin;
    r->ends[r->n_docs] = end;
    r->names[r->n_docs++] = name && *name ? xstrdup(name) : NULL;
}

/* FILE.json: what these formats do not say. */

static enum flat_dtype find_dtype(const char *name)
{
    for (int t = FLAT_U8; name && flat_dtype_names[t]; t++)
        if (strcmp(flat_dtype_names[t], name) == 0)
            return (enum flat_dtype)t;
    return FLAT_UNKNOWN;
}

/* Options that were given win. */
static int read_notes(struct flat_reader *r, const char *path, int64_t *n_tokens, struct err *err)
{
    char *notes = xasprintf("%s.json", path);
    *n_tokens = -1;
    json_t *doc = file_exists(notes) ? json_load_path(notes, err) : NULL;
    int rc = err->set ? -1 : 0;
    if (doc) {
        const char *dtype = NULL;
        int64_t eos = -1, bos = -1;
        if (json_opt_str(doc, "dtype", &dtype, err) < 0 || json_opt_int(doc, "eos", &eos, err) < 0 ||
            json_opt_int(doc, "bos", &bos, err) < 0 || json_opt_int(doc, "n_tokens", n_tokens, err) < 0)
            rc = err_prefix(err, "%s", notes);
        if (r->o.dtype == FLAT_UNKNOWN)
            r->o.dtype = find_dtype(dtype);
        if (r->o.eos < 0 && r->o.bos < 0) {
            r->o.eos = eos;
            r->o.bos = bos;
        }
        json_decref(doc);
    }
    free(notes);
    return rc;
}

/* npy */

/* A header that numpy wrote: 1-dimensional, little-endian integers.  Returns its length or 0. */
static int npy_header(struct flat_reader *r, size_t *skip, struct err *err)
{
    static const struct {
        const char *descr;
        enum flat_dtype dtype;
    } types[] = {{"'|u1'", FLAT_U8}, {"'<u2'", FLAT_U16}, {"'<i4'", FLAT_I32}, {"'<u4'", FLAT_U32},
                 {"'<u8'", FLAT_U64}, {"'<i8'", FLAT_U64}};
    const uint8_t *b = r->data.bytes;
    *skip = 0;
    if (r->data.n < 10 || memcmp(b, "\x93NUMPY", 6) != 0)
        return 0;
    size_t wide = b[6] > 1 ? 4 : 2, length = r->data.n < 8 + wide ? 0 : read_le(b + 8, wide);
    if (length > r->data.n - 8 - wide)
        return err_set(err, "%s: cut in its numpy header", r->path);
    char *text = xstrndup((const char *)b + 8 + wide, length);
    enum flat_dtype found = FLAT_UNKNOWN;
    for (size_t k = 0; k < ARRAY_SIZE(types); k++)
        if (strstr(text, types[k].descr))
            found = types[k].dtype;
    const char *shape = strstr(text, "'shape': (");
    bool flat = shape && strchr(shape, ',') && strchr(shape, ',')[1] == ')';
    int rc = 0;
    if (found == FLAT_UNKNOWN || !flat)
        rc = err_set(err, "%s: its numpy header is not of a row of little-endian integers: %.60s", r->path,
                     text);
    free(text);
    r->o.dtype = found;
    *skip = 8 + wide + length;
    return rc;
}

static int read_csv_line(struct flat_reader *r, const char *name, int64_t n, char *text, int64_t *cap,
                         struct err *err)
{
    char *end;
    long long first = strtoll(text, &end, 10), last = *end == ',' ? strtoll(end + 1, &end, 10) : -1;
    if (first < 0 || last < first || (*end && *end != ','))
        return err_set(err, "%s:%lld: expected start,end[,id], got '%.40s'", name, (long long)n, text);
    if (last > r->n_tokens)
        return err_set(err, "%s:%lld: a document ends at token %lld of %lld", name, (long long)n, last,
                       (long long)r->n_tokens);
    char *id = *end ? end + 1 : NULL;
    if (id)
        id[strcspn(id, ",")] = '\0';
    add_doc(r, first, last, id, cap);
    return 0;
}

static int read_csv(struct flat_reader *r, const char *name, struct err *err)
{
    struct stream *in = stream_open(name, err);
    struct strbuf line = {0};
    int64_t n = 0, cap = 0;
    int got = in ? 1 : -1, rc = 0;
    while (rc == 0 && got > 0 && (got = stream_line(in, &line, 1 << 20, NULL, err)) > 0)
        rc = read_csv_line(r, name, ++n, line.buf, &cap, err);
    if (in)
        stream_close(in);
    strbuf_release(&line);
    return rc < 0 || got < 0 ? -1 : 0;
}

static int open_mask(struct flat_reader *r, struct err *err)
{
    char *path = flat_mask_path(r->path);
    int rc = 0;
    if (path && file_exists(path)) {
        rc = file_view_open(&r->mask, path, err);
        if (rc == 0 && (int64_t)r->mask.n != r->n_tokens)
            rc = err_set(err, "%s: %zu bytes for %lld tokens", path, r->mask.n, (long long)r->n_tokens);
    }
    free(path);
    return rc;
}

static int open_npy(struct flat_reader *r, struct err *err)
{
    size_t skip;
    if (npy_header(r, &skip, err) < 0 || set_ids(r, skip, err) < 0 || open_mask(r, err) < 0)
        return -1;
    char *csv = flat_sibling(r->path, ".npy", ".csv.gz");
    int rc = file_exists(csv) ? read_csv(r, csv, err) : 0;
    free(csv);
    return rc;
}

/* llm.c */

static int open_llmc(struct flat_reader *r, struct err *err)
{
    const uint8_t *b = r->data.bytes;
    if (r->data.n < 4 * LLMC_HEADER)
        return err_set(err, "%s: %zu bytes, less than an llm.c header", r->path, r->data.n);
    uint64_t magic = read_le(b, 4), version = read_le(b + 4, 4), n = read_le(b + 8, 4);
    if (magic == LLMC_MAGIC_U16 && version == LLMC_VERSION_U16)
        r->o.dtype = FLAT_U16;
    else if (magic == LLMC_MAGIC_U32 && version == LLMC_VERSION_U32)
        r->o.dtype = FLAT_U32;
    else
        return err_set(err, "%s: magic %llu version %llu is not llm.c's", r->path, (unsigned long long)magic,
                       (unsigned long long)version);
    if (set_ids(r, 4 * LLMC_HEADER, err) < 0)
        return -1;
    return r->n_tokens == (int64_t)n ? 0
                                     : err_set(err, "%s: it says %llu tokens and has %lld", r->path,
                                               (unsigned long long)n, (long long)r->n_tokens);
}

/* Megatron */

static int read_index(struct flat_reader *r, const char *name, const struct file_view *v, struct err *err)
{
    static const enum flat_dtype types[] = {FLAT_UNKNOWN, FLAT_U8, FLAT_UNKNOWN, FLAT_UNKNOWN, FLAT_I32,
                                            FLAT_U64, FLAT_UNKNOWN, FLAT_UNKNOWN, FLAT_U16};
    const uint8_t *b = v->bytes;
    if (v->n < MEGATRON_HEAD || memcmp(b, MEGATRON_MAGIC, MEGATRON_MAGIC_BYTES) != 0 || read_le(b + 9, 8) != 1)
        return err_set(err, "%s: not a Megatron index of version 1", name);
    r->o.dtype = b[17] < ARRAY_SIZE(types) ? types[b[17]] : FLAT_UNKNOWN;
    uint64_t n_seqs = read_le(b + 18, 8), n_docs = read_le(b + 26, 8);
    if (n_seqs > v->n || n_docs > v->n || v->n != MEGATRON_HEAD + 12 * n_seqs + 8 * n_docs || n_docs < 1)
        return err_set(err, "%s: %zu bytes do not hold %llu sequences and %llu documents", name, v->n,
                       (unsigned long long)n_seqs, (unsigned long long)n_docs);
    if (r->o.dtype == FLAT_UNKNOWN)
        return err_set(err, "%s: ids of type %d are not unsigned integers or int32", name, b[17]);
    if (set_ids(r, 0, err) < 0)
        return -1;
    const uint8_t *length = b + MEGATRON_HEAD, *offset = length + 4 * n_seqs, *doc = offset + 8 * n_seqs;
    int64_t cap = 0, width = (int64_t)flat_dtype_bytes(r->o.dtype), expected = 0;
    for (uint64_t i = 0; i < n_seqs; i++) {
        if ((int64_t)read_le(offset + 8 * i, 8) != expected * width)
            return err_set(err, "%s: sequence %llu does not follow the one before", name,
                           (unsigned long long)i);
        expected += (int64_t)read_le(length + 4 * i, 4);
        if (expected > r->n_tokens)
            return err_set(err, "%s: sequence %llu ends behind the %lld tokens of %s", name,
                           (unsigned long long)i, (long long)r->n_tokens, r->path);
    }
    /* A document is the sequences from its first to the next one's first. */
    for (uint64_t d = 0; d + 1 < n_docs; d++) {
        uint64_t from = read_le(doc + 8 * d, 8), to = read_le(doc + 8 * d + 8, 8);
        if (from > to || to > n_seqs)
            return err_set(err, "%s: document %llu has sequences %llu to %llu of %llu", name,
                           (unsigned long long)d, (unsigned long long)from, (unsigned long long)to,
                           (unsigned long long)n_seqs);
        int64_t begin = from < n_seqs ? (int64_t)read_le(offset + 8 * from, 8) / width : r->n_tokens;
        int64_t end = to < n_seqs ? (int64_t)read_le(offset + 8 * to, 8) / width : expected;
        add_doc(r, begin, end, NULL, &cap);
    }
    return 0;
}

static int open_megatron(struct flat_reader *r, const char *path, struct err *err)
{
    char *prefix = megatron_prefix(path), *name = xasprintf("%s.idx", prefix);
    struct file_view v = {0};
    int rc = file_view_open(&v, name, err);
    if (rc == 0)
        rc = read_index(r, name, &v, err);
    file_view_release(&v);
    free(prefix);
    free(name);
    return rc;
}

/* All of them. */

static int open_ids(struct flat_reader *r, const char *path, struct err *err)
{
    int64_t n_tokens;
    char *prefix = megatron_prefix(path);
    r->path = r->o.format == FLAT_MEGATRON ? xasprintf("%s.bin", prefix) : xstrdup(path);
    free(prefix);
    if (file_view_open(&r->data, r->path, err) < 0 || read_notes(r, r->path, &n_tokens, err) < 0)
        return -1;
    int rc = r->o.format == FLAT_NPY    ? open_npy(r, err)
             : r->o.format == FLAT_LLMC ? open_llmc(r, err)
                                        : open_megatron(r, path, err);
    if (rc == 0 && n_tokens >= 0 && n_tokens != r->n_tokens)
        rc = err_set(err, "%s: %lld tokens, its .json says %lld", r->path, (long long)r->n_tokens,
                     (long long)n_tokens);
    if (rc == 0 && !r->ends && r->n_tokens && r->o.eos < 0 && r->o.bos < 0)
        rc = err_set(err, "%s: it does not say where documents end: give --eos or --bos", r->path);
    return rc;
}

struct flat_reader *flat_reader_open(const char *path, const struct flat_options *o, struct err *err)
{
    struct flat_reader *r = xcalloc(1, sizeof *r);
    r->o = *o;
    if (open_ids(r, path, err) == 0)
        return r;
    flat_reader_close(r);
    return NULL;
}

static int token_at(const struct flat_reader *r, int64_t i, int32_t *out, struct err *err)
{
    size_t width = flat_dtype_bytes(r->o.dtype);
    uint64_t id = read_le(r->ids + (size_t)i * width, width);
    if (id > INT32_MAX)
        return err_set(err, "%s: token %lld is %llu, expected at most 2147483647", r->path, (long long)i,
                       (unsigned long long)id);
    *out = (int32_t)id;
    return 0;
}

static void push(struct flat_reader *r, int64_t n, int32_t token)
{
    GROW(r->tokens, n, r->cap);
    r->tokens[n] = token;
}

/* Tokens up to and with eos, or up to the next bos. */
static int64_t read_marked(struct flat_reader *r, struct err *err)
{
    int64_t n = 0;
    int32_t token;
    for (; r->at < r->n_tokens; r->at++) {
        if (token_at(r, r->at, &token, err) < 0)
            return -1;
        if (n > 0 && token == r->o.bos)
            break;
        push(r, n++, token);
        if (token == r->o.eos) {
            r->at++;
            break;
        }
    }
    return n;
}

int flat_reader_next(struct flat_reader *r, struct shard_seq *seq, struct err *err)
{
    int64_t n = 0, begin = r->at;
    *seq = (struct shard_seq){0};
    if (r->ends && r->doc < r->n_docs) {
        begin = r->begins[r->doc];
        seq->id = r->names[r->doc];
        for (int64_t end = r->ends[r->doc++]; begin + n < end; n++) {
            int32_t token;
            if (token_at(r, begin + n, &token, err) < 0)
                return -1;
            push(r, n, token);
        }
    } else if (!r->ends && r->at < r->n_tokens) {
        n = read_marked(r, err);
        if (n < 0)
            return -1;
    } else {
        return 0;
    }
    seq->n_tokens = n;
    seq->tokens = r->tokens;
    if (r->mask.bytes)
        seq->loss_mask = (const uint8_t *)r->mask.bytes + begin;
    return 1;
}
