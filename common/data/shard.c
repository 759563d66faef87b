/* shard.c - token shards: reading. */
#include "data/shard.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/mem.h"
#include "data/safetensors.h"
#include "data/shard_field.h"

#define MAX_HEADER_BYTES 100000000u
#define READ_STEP ((size_t)16 << 20)

const struct shard_field shard_fields[] = {
    {"loss_mask", ST_U8, false, offsetof(struct shard_batch, loss_mask),
     offsetof(struct shard_seq, loss_mask)},
    {"logprobs", ST_F32, false, offsetof(struct shard_batch, logprobs),
     offsetof(struct shard_seq, logprobs)},
    {"old_logprobs", ST_F32, false, offsetof(struct shard_batch, old_logprobs),
     offsetof(struct shard_seq, old_logprobs)},
    {"ref_logprobs", ST_F32, false, offsetof(struct shard_batch, ref_logprobs),
     offsetof(struct shard_seq, ref_logprobs)},
    {"policy_version", ST_I32, false, offsetof(struct shard_batch, policy_version),
     offsetof(struct shard_seq, policy_version)},
    {"reward", ST_F32, true, offsetof(struct shard_batch, reward),
     offsetof(struct shard_seq, reward)},
    {"advantage", ST_F32, true, offsetof(struct shard_batch, advantage),
     offsetof(struct shard_seq, advantage)},
};
const int n_shard_fields = (int)ARRAY_SIZE(shard_fields);

void *shard_batch_field(const struct shard_batch *b, int field)
{
    void *array;
    memcpy(&array, (const char *)b + shard_fields[field].in_batch, sizeof array);
    return array;
}

static void set_batch_field(struct shard_batch *b, int field, void *array)
{
    memcpy((char *)b + shard_fields[field].in_batch, &array, sizeof array);
}

const void *shard_seq_field(const struct shard_seq *s, int field)
{
    const void *array;
    memcpy(&array, (const char *)s + shard_fields[field].in_seq, sizeof array);
    return array;
}

void shard_seq_set_field(struct shard_seq *s, int field, const void *array)
{
    memcpy((char *)s + shard_fields[field].in_seq, &array, sizeof array);
}

void shard_batch_release(struct shard_batch *b)
{
    free(b->tokens);
    free(b->offsets);
    for (int i = 0; i < n_shard_fields; i++)
        free(shard_batch_field(b, i));
    json_decref(b->ids);
    json_decref(b->domains);
    *b = (struct shard_batch){0};
}

struct shard_seq shard_batch_seq(const struct shard_batch *b, int64_t i)
{
    int64_t begin = b->offsets[i];
    struct shard_seq s = {.tokens = b->tokens + begin,
                          .n_tokens = b->offsets[i + 1] - begin,
                          .id = json_string_value(json_array_get(b->ids, (size_t)i)),
                          .domain = json_string_value(json_array_get(b->domains, (size_t)i))};
    for (int f = 0; f < n_shard_fields; f++) {
        const char *array = shard_batch_field(b, f);
        size_t at = (size_t)(shard_fields[f].per_seq ? i : begin);
        if (array)
            shard_seq_set_field(&s, f, array + at * st_dtype_bytes(shard_fields[f].dtype));
    }
    return s;
}

static void add_name(json_t *names, const char *name)
{
    size_t i;
    json_t *known;
    json_array_foreach(names, i, known) if (strcmp(json_string_value(known), name) == 0) return;
    json_array_append_new(names, json_string(name));
}

void shard_batch_add_fields(const struct shard_batch *b, json_t *names)
{
    add_name(names, "tokens");
    for (int i = 0; i < n_shard_fields; i++)
        if (shard_batch_field(b, i))
            add_name(names, shard_fields[i].name);
}

struct shard_reader {
    struct stream *stream;
    struct strbuf header, data;
    int64_t n_blobs, n_open; /* n_open: sequences since the last end marker */
    bool ended;              /* the last blob read had one */
};

struct shard_reader *shard_reader_from(struct stream *s)
{
    struct shard_reader *r = xcalloc(1, sizeof *r);
    r->stream = s;
    return r;
}

struct shard_reader *shard_reader_open(const char *path, struct err *err)
{
    struct stream *s = stream_open(path, err);
    return s ? shard_reader_from(s) : NULL;
}

bool shard_sniff(struct stream *s)
{
    const unsigned char *p;
    struct err ignored = {0};
    ssize_t n = stream_peek(s, &p, 1, &ignored);
    /* Byte 0 of JSON lines is '{' or white space; look no further than it takes to tell, so as
     * not to wait for ten bytes that a short line does not have. */
    if (n < 1 || p[0] % 8 != 0 || stream_peek(s, &p, 10, &ignored) < 10)
        return false;
    return p[4] == 0 && p[5] == 0 && p[6] == 0 && p[7] == 0 && p[8] == '{' && p[9] == '"';
}

void shard_reader_close(struct shard_reader *r)
{
    if (!r)
        return;
    stream_close(r->stream);
    strbuf_release(&r->header);
    strbuf_release(&r->data);
    free(r);
}

/* Reads n bytes in steps, so that a length that lies costs no more memory than there is data. */
static int read_bytes(struct shard_reader *r, struct strbuf *to, uint64_t n, struct err *err)
{
    strbuf_clear(to);
    while (to->len < n) {
        size_t step = n - to->len < READ_STEP ? (size_t)(n - to->len) : READ_STEP;
        strbuf_reserve(to, step);
        ssize_t got = stream_read(r->stream, to->buf + to->len, step, err);
        if (got < 0)
            return -1;
        if (got == 0)
            return err_set(err, "cut: %zu of %llu bytes are there", to->len, (unsigned long long)n);
        to->len += (size_t)got;
    }
    return 0;
}

/* Header and data of the next blob.  1 = got it, 0 = end of the stream. */
static int read_blob(struct shard_reader *r, struct st_file *f, struct err *err)
{
    if (r->n_blobs == 0) {
        const unsigned char *p;
        ssize_t n = stream_peek(r->stream, &p, 1, err);
        if (n < 0)
            return -1;
        if (n > 0 && !shard_sniff(r->stream))
            return err_set(err, "not a token shard");
    }
    unsigned char length[8];
    int rc = stream_read_exact(r->stream, length, sizeof length, err);
    if (rc <= 0)
        return rc;
    r->n_blobs++;
    uint64_t n_header = 0;
    for (int i = 7; i >= 0; i--)
        n_header = n_header << 8 | length[i];
    if (n_header > MAX_HEADER_BYTES)
        return err_set(err, "the header's length is %llu", (unsigned long long)n_header);
    if (read_bytes(r, &r->header, n_header, err) < 0 ||
        st_parse_header(f, "header", r->header.buf, r->header.len, UINT64_MAX, err) < 0)
        return -1;
    uint64_t n_data = f->n_tensors ? f->tensors[f->n_tensors - 1].end : 0;
    if (read_bytes(r, &r->data, n_data, err) < 0) {
        st_release(f);
        return -1;
    }
    return 1;
}

static const char *metadata_str(const struct st_file *f, const char *key)
{
    return json_string_value(json_object_get(f->metadata, key));
}

static int check_digest(const struct shard_reader *r, const struct st_file *f, struct err *err)
{
    const char *kind = metadata_str(f, "kind"), *want = metadata_str(f, "xxh64");
    if (!kind || strcmp(kind, "tokens") != 0)
        return err_set(err, "its kind is '%s', expected 'tokens'", kind ? kind : "none");
    if (!want)
        return err_set(err, "'xxh64' is missing");
    char have[20];
    snprintf(have, sizeof have, "%016llx", (unsigned long long)XXH64(r->data.buf, r->data.len, 0));
    return strcmp(want, have) == 0
               ? 0
               : err_set(err, "damaged: xxh64 is %s, the header says %s", have, want);
}

/* A copy of a tensor's bytes after checks of type and length; NULL without err if it is missing. */
static void *take_tensor(const struct shard_reader *r, const struct st_file *f, const char *name,
                         enum st_dtype dtype, int64_t n, struct err *err)
{
    const struct st_tensor *t = st_find(f, name);
    if (!t)
        return NULL;
    if (t->dtype != dtype || t->n_dims != 1 || (n >= 0 && t->numel != n)) {
        err_set(err, "'%s' is not %s [%lld]", name, st_dtype_name(dtype), (long long)n);
        return NULL;
    }
    size_t bytes = (size_t)(t->end - t->begin);
    void *copy = xmalloc(bytes);
    if (bytes)
        memcpy(copy, r->data.buf + t->begin, bytes);
    return copy;
}

static int check_offsets(const struct shard_batch *b, struct err *err)
{
    bool ok = b->offsets[0] == 0 && b->offsets[b->n_seqs] == b->n_tokens;
    for (int64_t i = 0; ok && i < b->n_seqs; i++)
        ok = b->offsets[i] <= b->offsets[i + 1];
    if (!ok)
        return err_set(err, "'offsets' do not cut %lld tokens into sequences",
                       (long long)b->n_tokens);
    for (int64_t i = 0; i < b->n_tokens; i++)
        if (b->tokens[i] < 0)
            return err_set(err, "token %lld is %d", (long long)i, b->tokens[i]);
    return 0;
}

/* A string or null for each sequence: `ids` or `domains`. */
static int take_names(const struct st_file *f, const char *key, int64_t n_seqs, json_t **names,
                      struct err *err)
{
    const char *text = metadata_str(f, key);
    if (!text)
        return 0;
    *names = json_parse(text, strlen(text), err);
    if (!*names)
        return err_prefix(err, "'%s'", key);
    bool ok = json_is_array(*names) && (int64_t)json_array_size(*names) == n_seqs;
    for (int64_t i = 0; ok && i < n_seqs; i++) {
        const json_t *name = json_array_get(*names, (size_t)i);
        ok = json_is_string(name) || json_is_null(name);
    }
    return ok ? 0 : err_set(err, "'%s' is not an array of %lld strings", key, (long long)n_seqs);
}

static int take_batch(const struct shard_reader *r, const struct st_file *f, struct shard_batch *b,
                      struct err *err)
{
    const struct st_tensor *tokens = st_find(f, "tokens"), *offsets = st_find(f, "offsets");
    if (!tokens || !offsets || offsets->numel < 1)
        return err_set(err, "'tokens' or 'offsets' is missing");
    b->n_tokens = tokens->numel;
    b->n_seqs = offsets->numel - 1;
    b->tokens = take_tensor(r, f, "tokens", ST_I32, b->n_tokens, err);
    b->offsets = take_tensor(r, f, "offsets", ST_I64, b->n_seqs + 1, err);
    if (!b->tokens || !b->offsets || check_offsets(b, err) < 0)
        return -1;
    for (int i = 0; i < n_shard_fields; i++) {
        const struct shard_field *field = &shard_fields[i];
        int64_t n = field->per_seq ? b->n_seqs : b->n_tokens;
        set_batch_field(b, i, take_tensor(r, f, field->name, field->dtype, n, err));
    }
    if (err->set || take_names(f, "ids", b->n_seqs, &b->ids, err) < 0)
        return -1;
    return take_names(f, "domains", b->n_seqs, &b->domains, err);
}

/* The count in an end marker must be that of the sequences before it. */
static int note_end(struct shard_reader *r, const struct st_file *f, int64_t n_seqs,
                    struct err *err)
{
    const char *end = metadata_str(f, "end");
    r->n_open += n_seqs;
    r->ended = end != NULL;
    if (!end)
        return 0;
    char have[24];
    snprintf(have, sizeof have, "%lld", (long long)r->n_open);
    r->n_open = 0;
    return strcmp(have, end) == 0
               ? 0
               : err_set(err, "%s sequences were read, the end marker says %s: some are missing",
                         have, end);
}

static int next_batch(struct shard_reader *r, struct shard_batch *b, struct err *err)
{
    struct st_file f;
    int rc = read_blob(r, &f, err);
    if (rc < 0)
        return -1;
    if (rc == 0 && r->ended)
        return 0;
    if (rc == 0)
        return r->n_blobs ? err_set(err, "cut: it ends without its end marker")
                          : err_set(err, "empty: not a token shard");
    rc = check_digest(r, &f, err);
    if (rc == 0)
        rc = take_batch(r, &f, b, err);
    if (rc == 0)
        rc = note_end(r, &f, b->n_seqs, err);
    st_release(&f);
    return rc < 0 ? -1 : 1;
}

int shard_reader_next(struct shard_reader *r, struct shard_batch *b, struct err *err)
{
    struct err why = {0};
    *b = (struct shard_batch){0};
    int rc = next_batch(r, b, &why);
    if (rc >= 0)
        return rc;
    shard_batch_release(b);
    if (r->n_blobs)
        err_prefix(&why, "%s: blob %lld", stream_name(r->stream), (long long)r->n_blobs);
    else
        err_prefix(&why, "%s", stream_name(r->stream));
    if (err)
        *err = why;
    return -1;
}
