/* flat_write.c - token files of other trainers: writing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/flat_internal.h"

struct flat_writer {
    struct flat_options o;
    char *path; /* of the ids */
    struct atomic_file ids, mask;
    char *mask_path;
    int64_t n_tokens, n_docs;
    bool has_mask, mask_open, ids_open;
    struct strbuf lengths;  /* megatron: int32 each; npy: lines of the csv */
    struct strbuf chunk, mask_chunk;
};

static void put_le(struct strbuf *s, uint64_t x, size_t bytes)
{
    for (size_t k = 0; k < bytes; k++)
        strbuf_addc(s, (char)(x >> (8 * k)));
}

static void llmc_header(struct strbuf *s, const struct flat_writer *w)
{
    bool wide = w->o.dtype == FLAT_U32;
    put_le(s, wide ? LLMC_MAGIC_U32 : LLMC_MAGIC_U16, 4);
    put_le(s, wide ? LLMC_VERSION_U32 : LLMC_VERSION_U16, 4);
    put_le(s, (uint64_t)w->n_tokens, 4);
    while (s->len < 4 * LLMC_HEADER)
        strbuf_addc(s, 0);
}

static void writer_free(struct flat_writer *w)
{
    free(w->path);
    free(w->mask_path);
    strbuf_release(&w->lengths);
    strbuf_release(&w->chunk);
    strbuf_release(&w->mask_chunk);
    free(w);
}

void flat_writer_abort(struct flat_writer *w)
{
    if (!w)
        return;
    if (w->ids_open)
        atomic_file_abort(&w->ids);
    if (w->mask_open)
        atomic_file_abort(&w->mask);
    writer_free(w);
}

static int check_dtype(const struct flat_writer *w, struct err *err)
{
    enum flat_dtype t = w->o.dtype;
    if (w->o.format == FLAT_LLMC && t != FLAT_U16 && t != FLAT_U32)
        return err_set(err, "--dtype %s: llm.c has u16 and u32", flat_dtype_names[t]);
    if (w->o.format == FLAT_MEGATRON && t == FLAT_U32)
        return err_set(err, "--dtype u32: Megatron has u8, u16, i32 and u64");
    if (w->o.format == FLAT_NPY && t == FLAT_I32)
        return err_set(err, "--dtype i32: OLMo's files are unsigned");
    return 0;
}

struct flat_writer *flat_writer_open(const char *path, const struct flat_options *o, struct err *err)
{
    struct flat_writer *w = xcalloc(1, sizeof *w);
    char *prefix = megatron_prefix(path);
    w->o = *o;
    w->path = o->format == FLAT_MEGATRON ? xasprintf("%s.bin", prefix) : xstrdup(path);
    free(prefix);
    int rc = check_dtype(w, err);
    if (rc == 0)
        rc = atomic_file_open(&w->ids, w->path, err);
    if (rc < 0) {
        flat_writer_abort(w);
        return NULL;
    }
    w->ids_open = true;
    if (o->format == FLAT_LLMC) {
        llmc_header(&w->chunk, w); /* again when the number of tokens is known */
        rc = file_put(w->ids.fp, w->chunk.buf, w->chunk.len, w->path, err);
        strbuf_clear(&w->chunk);
    }
    if (rc == 0)
        return w;
    flat_writer_abort(w);
    return NULL;
}

static int put_token(struct flat_writer *w, int32_t token, struct err *err)
{
    size_t width = flat_dtype_bytes(w->o.dtype);
    if (token < 0 || (width < 4 && (uint64_t)token >> (8 * width)))
        return err_set(err, "token %d does not fit into %s: another --dtype is needed", token,
                       flat_dtype_names[w->o.dtype]);
    put_le(&w->chunk, (uint64_t)token, width);
    return 0;
}

static int check_seq(struct flat_writer *w, const struct shard_seq *s, struct err *err)
{
    if (s->logprobs || s->old_logprobs || s->ref_logprobs || s->policy_version || s->reward || s->advantage)
        return err_set(err, "it has more than tokens and loss masks, for which %s has no place",
                       flat_format_names[w->o.format]);
    if (s->loss_mask && w->o.format != FLAT_NPY)
        return err_set(err, "it has a loss mask, for which %s has no place", flat_format_names[w->o.format]);
    if (w->n_docs && w->has_mask != (s->loss_mask != NULL))
        return err_set(err, "some of its sequences have a loss mask, others do not");
    if (!s->loss_mask || w->mask_open)
        return 0;
    w->mask_path = flat_mask_path(w->path);
    if (!w->mask_path)
        return err_set(err, "a loss mask goes beside a file called token_ids_...npy, not '%s'", w->path);
    if (atomic_file_open(&w->mask, w->mask_path, err) < 0)
        return -1;
    w->mask_open = w->has_mask = true;
    return 0;
}

/* The document's place in the index. */
static void note_document(struct flat_writer *w, int64_t n, const char *id)
{
    if (w->o.format == FLAT_MEGATRON)
        put_le(&w->lengths, (uint64_t)n, 4);
    if (w->o.format != FLAT_NPY)
        return;
    strbuf_addf(&w->lengths, "%lld,%lld", (long long)w->n_tokens, (long long)(w->n_tokens + n));
    if (id && *id && !strpbrk(id, ",\"\r\n"))
        strbuf_addf(&w->lengths, ",%s", id);
    strbuf_addc(&w->lengths, '\n');
}

int flat_writer_add(struct flat_writer *w, const struct shard_seq *s, struct err *err)
{
    bool bos = w->o.bos >= 0 && !(s->n_tokens && s->tokens[0] == w->o.bos);
    bool eos = w->o.eos >= 0 && !(s->n_tokens && s->tokens[s->n_tokens - 1] == w->o.eos);
    int64_t n = s->n_tokens + bos + eos;
    if (check_seq(w, s, err) < 0)
        return -1;
    if (n > INT32_MAX)
        return err_set(err, "a document of %lld tokens", (long long)n);
    strbuf_clear(&w->chunk);
    strbuf_clear(&w->mask_chunk);
    if (bos && put_token(w, (int32_t)w->o.bos, err) < 0)
        return -1;
    for (int64_t i = 0; i < s->n_tokens; i++)
        if (put_token(w, s->tokens[i], err) < 0)
            return -1;
    if (eos && put_token(w, (int32_t)w->o.eos, err) < 0)
        return -1;
    /* An added eos is learnt if what is before it is. */
    if (w->has_mask && bos)
        strbuf_addc(&w->mask_chunk, 0);
    if (w->has_mask)
        strbuf_add(&w->mask_chunk, s->loss_mask, (size_t)s->n_tokens);
    if (w->has_mask && eos)
        strbuf_addc(&w->mask_chunk, s->n_tokens ? (char)s->loss_mask[s->n_tokens - 1] : 0);
    if (w->chunk.len && file_put(w->ids.fp, w->chunk.buf, w->chunk.len, w->path, err) < 0)
        return -1;
    if (w->mask_chunk.len && file_put(w->mask.fp, w->mask_chunk.buf, w->mask_chunk.len, w->mask_path, err) < 0)
        return -1;
    note_document(w, n, s->id);
    w->n_tokens += n;
    w->n_docs++;
    return 0;
}

static int write_index(const struct flat_writer *w, struct err *err)
{
    static const uint8_t types[] = {0, 1, 8, 4, 0, 5};
    struct strbuf s = {0};
    int64_t offset = 0;
    char *prefix = megatron_prefix(w->path), *path = xasprintf("%s.idx", prefix);
    strbuf_add(&s, MEGATRON_MAGIC, MEGATRON_MAGIC_BYTES);
    put_le(&s, 1, 8);
    put_le(&s, types[w->o.dtype], 1);
    put_le(&s, (uint64_t)w->n_docs, 8);
    put_le(&s, (uint64_t)w->n_docs + 1, 8);
    strbuf_add(&s, w->lengths.buf ? w->lengths.buf : "", w->lengths.len);
    for (int64_t i = 0; i < w->n_docs; i++) {
        int32_t length;
        put_le(&s, (uint64_t)offset * flat_dtype_bytes(w->o.dtype), 8);
        memcpy(&length, w->lengths.buf + 4 * i, sizeof length);
        offset += length;
    }
    for (int64_t i = 0; i <= w->n_docs; i++)
        put_le(&s, (uint64_t)i, 8);
    int rc = file_write_atomic(path, s.buf, s.len, err);
    strbuf_release(&s);
    free(prefix);
    free(path);
    return rc;
}

static int write_csv(const struct flat_writer *w, struct err *err)
{
    char *path = flat_sibling(w->path, ".npy", ".csv.gz");
    struct stream_out *out = stream_out_open(path, err);
    int rc = out ? 0 : -1;
    if (rc == 0 && w->lengths.len)
        rc = stream_out_write(out, w->lengths.buf, w->lengths.len, err);
    if (rc == 0)
        rc = stream_out_commit(out, err);
    else if (out)
        stream_out_abort(out);
    free(path);
    return rc;
}

static int write_notes(const struct flat_writer *w, struct err *err)
{
    char *path = xasprintf("%s.json", w->path);
    json_t *doc = json_pack("{ss ss sI sI}", "format", flat_format_names[w->o.format], "dtype",
                            flat_dtype_names[w->o.dtype], "n_tokens", (json_int_t)w->n_tokens, "n_seqs",
                            (json_int_t)w->n_docs);
    if (w->o.eos >= 0)
        json_object_set_new(doc, "eos", json_integer(w->o.eos));
    if (w->o.bos >= 0)
        json_object_set_new(doc, "bos", json_integer(w->o.bos));
    int rc = json_save_path(path, doc, err);
    json_decref(doc);
    free(path);
    return rc;
}

static int finish_ids(struct flat_writer *w, struct err *err)
{
    if (w->o.format == FLAT_LLMC) {
        if (w->n_tokens > INT32_MAX)
            return err_set(err, "%lld tokens, llm.c's files have less than 2^31: split the shard",
                           (long long)w->n_tokens);
        strbuf_clear(&w->chunk);
        llmc_header(&w->chunk, w);
        if (fseek(w->ids.fp, 0, SEEK_SET) != 0)
            return err_errno(err, "%s: cannot go back to its header", w->path);
        if (file_put(w->ids.fp, w->chunk.buf, w->chunk.len, w->path, err) < 0)
            return -1;
    }
    w->ids_open = false;
    return atomic_file_commit(&w->ids, err);
}

/* What describes the ids comes before them if it can be read without them, and behind them if it would
 * speak of a file that is not there. */
int flat_writer_close(struct flat_writer *w, struct err *err)
{
    int rc = write_notes(w, err);
    if (rc == 0 && w->o.format == FLAT_NPY)
        rc = write_csv(w, err);
    if (rc == 0 && w->mask_open) {
        w->mask_open = false;
        rc = atomic_file_commit(&w->mask, err);
    }
    if (rc == 0)
        rc = finish_ids(w, err);
    if (rc == 0 && w->o.format == FLAT_MEGATRON)
        rc = write_index(w, err);
    if (rc == 0)
        writer_free(w);
    else
        flat_writer_abort(w);
    return rc;
}
