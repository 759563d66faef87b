/* shard_write.c - token shards: writing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/mem.h"
#include "data/shard.h"
#include "data/shard_field.h"

struct shard_writer {
    struct stream_out *out;
    int64_t blob_tokens, n_written; /* sequences in blobs already written */
    /* The blob being collected. */
    int64_t n_seqs, n_tokens;
    struct strbuf tokens, offsets; /* int32, int64: the offset behind each sequence */
    struct strbuf fields[MAX_SHARD_FIELDS];
    json_t *ids, *domains;
    /* Which fields the first sequence had. */
    bool any, has[MAX_SHARD_FIELDS];
    struct strbuf blob;
};

struct shard_writer *shard_writer_open(const char *path, int64_t blob_tokens, struct err *err)
{
    bool is_stdout = !path || strcmp(path, "-") == 0;
    if (is_stdout && isatty(STDOUT_FILENO)) {
        err_set(err, "a shard is binary and standard output is a terminal: name a file or a pipe");
        return NULL;
    }
    struct stream_out *out = stream_out_open(path, err);
    if (!out)
        return NULL;
    struct shard_writer *w = xcalloc(1, sizeof *w);
    w->out = out;
    w->blob_tokens = blob_tokens;
    w->ids = json_array();
    w->domains = json_array();
    return w;
}

/* `ids` or `domains`, unless all are null. */
static void set_names(json_t *metadata, const char *key, const json_t *names)
{
    bool any = false;
    size_t i;
    json_t *name;
    json_array_foreach(names, i, name) any |= json_is_string(name);
    if (!any)
        return;
    struct strbuf text = {0};
    json_write(&text, names);
    json_object_set_new(metadata, key, json_string(text.buf));
    strbuf_release(&text);
}

static json_t *name_json(const char *name)
{
    return name ? json_string(name) : json_null();
}

static size_t data_bytes(const struct st_write_tensor *t)
{
    return (size_t)t->shape[0] * st_dtype_bytes(t->dtype);
}

static json_t *metadata_of(const struct shard_writer *w, const struct st_write_tensor *t, int n,
                           bool end)
{
    XXH64_state_t *state = XXH64_createState();
    if (!state)
        BUG("no memory for a hash state");
    XXH64_reset(state, 0);
    for (int i = 0; i < n; i++)
        XXH64_update(state, t[i].data, data_bytes(&t[i]));
    char text[24];
    snprintf(text, sizeof text, "%016llx", (unsigned long long)XXH64_digest(state));
    XXH64_freeState(state);

    json_t *m = json_object();
    json_object_set_new(m, "kind", json_string("tokens"));
    json_object_set_new(m, "xxh64", json_string(text));
    set_names(m, "ids", w->ids);
    set_names(m, "domains", w->domains);
    if (end) {
        snprintf(text, sizeof text, "%lld", (long long)(w->n_written + w->n_seqs));
        json_object_set_new(m, "end", json_string(text));
    }
    return m;
}

/* The tensors of the collected blob in the order they are written; returns how many. */
static int collect_tensors(struct shard_writer *w, struct st_write_tensor t[])
{
    static const int64_t zero = 0;
    int n = 0;
    if (w->offsets.len == 0)
        strbuf_add(&w->offsets, &zero, sizeof zero);
    strbuf_reserve(&w->tokens, 0);
    t[n++] = (struct st_write_tensor){.name = "offsets",
                                      .dtype = ST_I64,
                                      .n_dims = 1,
                                      .shape = {w->n_seqs + 1},
                                      .data = w->offsets.buf};
    t[n++] = (struct st_write_tensor){.name = "tokens",
                                      .dtype = ST_I32,
                                      .n_dims = 1,
                                      .shape = {w->n_tokens},
                                      .data = w->tokens.buf};
    for (int i = 0; i < n_shard_fields; i++) {
        const struct shard_field *f = &shard_fields[i];
        if (!w->has[i])
            continue;
        strbuf_reserve(&w->fields[i], 0);
        t[n++] = (struct st_write_tensor){.name = f->name,
                                          .dtype = f->dtype,
                                          .n_dims = 1,
                                          .shape = {f->per_seq ? w->n_seqs : w->n_tokens},
                                          .data = w->fields[i].buf};
    }
    st_sort(t, n);
    return n;
}

static int write_blob(struct shard_writer *w, bool end, struct err *err)
{
    struct st_write_tensor t[2 + MAX_SHARD_FIELDS];
    int n = collect_tensors(w, t);
    json_t *metadata = metadata_of(w, t, n, end);
    strbuf_clear(&w->blob);
    st_encode(&w->blob, t, n, metadata, true);
    json_decref(metadata);
    int rc = stream_out_write(w->out, w->blob.buf, w->blob.len, err);

    w->n_written += w->n_seqs;
    w->n_seqs = w->n_tokens = 0;
    strbuf_clear(&w->tokens);
    strbuf_clear(&w->offsets);
    for (int i = 0; i < n_shard_fields; i++)
        strbuf_clear(&w->fields[i]);
    json_array_clear(w->ids);
    json_array_clear(w->domains);
    return rc;
}

static int check_fields(struct shard_writer *w, const struct shard_seq *s, struct err *err)
{
    for (int i = 0; i < n_shard_fields; i++) {
        bool has = shard_seq_field(s, i) != NULL;
        if (!w->any)
            w->has[i] = has;
        else if (w->has[i] != has)
            return err_set(err, "'%s' is %s, unlike in earlier sequences", shard_fields[i].name,
                           has ? "there" : "missing");
    }
    w->any = true;
    return 0;
}

int shard_writer_add(struct shard_writer *w, const struct shard_seq *s, struct err *err)
{
    if (check_fields(w, s, err) < 0)
        return -1;
    /* A full blob waits for the next sequence, so that the last blob can carry the end marker. */
    if (w->n_tokens >= w->blob_tokens && w->n_seqs && write_blob(w, false, err) < 0)
        return SHARD_WRITE_FAILED;
    static const int64_t zero = 0;
    if (w->n_seqs == 0)
        strbuf_add(&w->offsets, &zero, sizeof zero);
    w->n_seqs++;
    w->n_tokens += s->n_tokens;
    strbuf_add(&w->tokens, s->tokens, (size_t)s->n_tokens * sizeof *s->tokens);
    strbuf_add(&w->offsets, &w->n_tokens, sizeof w->n_tokens);
    for (int i = 0; i < n_shard_fields; i++) {
        const struct shard_field *f = &shard_fields[i];
        size_t n = f->per_seq ? 1 : (size_t)s->n_tokens;
        if (w->has[i])
            strbuf_add(&w->fields[i], shard_seq_field(s, i), n * st_dtype_bytes(f->dtype));
    }
    json_array_append_new(w->ids, name_json(s->id));
    json_array_append_new(w->domains, name_json(s->domain));
    return 0;
}

int shard_writer_close(struct shard_writer *w, struct err *err)
{
    int rc = write_blob(w, true, err);
    if (rc == 0) {
        rc = stream_out_commit(w->out, err);
        w->out = NULL;
    }
    shard_writer_abort(w);
    return rc;
}

void shard_writer_abort(struct shard_writer *w)
{
    if (!w)
        return;
    stream_out_abort(w->out);
    strbuf_release(&w->tokens);
    strbuf_release(&w->offsets);
    for (int i = 0; i < n_shard_fields; i++)
        strbuf_release(&w->fields[i]);
    strbuf_release(&w->blob);
    json_decref(w->ids);
    json_decref(w->domains);
    free(w);
}
