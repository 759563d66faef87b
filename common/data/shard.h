/* shard.h - token shards: a stream of safetensors blobs, one per batch of sequences.
 *
 * Each blob is a valid safetensors file; `cat a b` is a shard.  Tensors:
 * `tokens` I32 [n_tokens], `offsets` I64 [n_seqs+1], and as needed `loss_mask` U8,
 * `logprobs`, `old_logprobs`, `ref_logprobs` F32, `policy_version` I32 (all
 * [n_tokens]), `reward`, `advantage` F32 [n_seqs].  `__metadata__`: kind
 * ("tokens"), xxh64 of the tensors' bytes (16 hex digits), ids and domains (JSON
 * arrays of strings), and on the last blob end = number of sequences since the
 * previous end (so concatenated shards stay whole).  A stream that ends without
 * one was cut: an error.
 */
#ifndef TP_DATA_SHARD_H
#define TP_DATA_SHARD_H

#include <stdint.h>

#include "base/err.h"
#include "data/json.h"
#include "data/stream.h"

struct shard_batch {
    int64_t n_tokens, n_seqs;
    int32_t *tokens;         /* [n_tokens] */
    int64_t *offsets;        /* [n_seqs + 1] */
    uint8_t *loss_mask;      /* or NULL */
    float *logprobs, *old_logprobs, *ref_logprobs; /* or NULL */
    int32_t *policy_version; /* or NULL */
    float *reward, *advantage; /* [n_seqs] or NULL */
    json_t *ids, *domains;   /* arrays of n_seqs strings or nulls; or NULL */
};
void shard_batch_release(struct shard_batch *b);

/* One sequence: what a writer is given, or a view of one in a batch. */
struct shard_seq {
    const char *id;     /* or NULL */
    const char *domain; /* what it counts as in a mixture; or NULL */
    int64_t n_tokens;
    const int32_t *tokens;
    const uint8_t *loss_mask; /* arrays of one shard: present in all sequences or in none */
    const float *logprobs, *old_logprobs, *ref_logprobs;
    const int32_t *policy_version;
    const float *reward, *advantage;
};
struct shard_seq shard_batch_seq(const struct shard_batch *b, int64_t i); /* borrows from b */
/* Adds the names of the arrays b has to an array of strings, each once. */
void shard_batch_add_fields(const struct shard_batch *b, json_t *names);

struct shard_reader;
struct shard_reader *shard_reader_open(const char *path, struct err *err);
/* 1 = got a batch (release it), 0 = whole stream read, -1 = error naming the file and blob. */
int shard_reader_next(struct shard_reader *r, struct shard_batch *b, struct err *err) WARN_UNUSED;
void shard_reader_close(struct shard_reader *r);
/* True if the stream starts like a shard (a small header length, then '{"'), not like JSON lines. */
bool shard_sniff(struct stream *s);
struct shard_reader *shard_reader_from(struct stream *s); /* takes the stream */

/* Collects sequences and writes blobs of about blob_tokens tokens. */
struct shard_writer;
struct shard_writer *shard_writer_open(const char *path, int64_t blob_tokens, struct err *err);
/* -1 = this sequence does not fit the shard (nothing was added), SHARD_WRITE_FAILED = I/O error. */
#define SHARD_WRITE_FAILED (-2)
int shard_writer_add(struct shard_writer *w, const struct shard_seq *s, struct err *err) WARN_UNUSED;
int shard_writer_close(struct shard_writer *w, struct err *err) WARN_UNUSED; /* writes the end; frees */
void shard_writer_abort(struct shard_writer *w);

#endif
