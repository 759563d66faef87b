/* blend.h - several token shards blended into one by weights.
 *
 * The next document always comes from the source that lags most behind its
 * share of the tokens so far, so every prefix of the result has the mixture
 * asked for, as closely as whole documents allow.  Within a source the documents
 * come in a random order, a new one each epoch, that depends on the seed and the
 * source's name alone: adding a source does not reshuffle the others.
 *
 * Each document's domain is the name of its source.
 *
 * Sources are held in memory: 4 bytes a token (5 with a loss mask).
 */
#ifndef TP_DATA_BLEND_H
#define TP_DATA_BLEND_H

#include "data/json.h"
#include "data/shard.h"

struct blend;
struct blend *blend_new(uint64_t seed);
/* Reads a shard.  Weights need not sum to 1; a source of weight 0 is not opened. */
int blend_add(struct blend *b, const char *name, const char *path, double weight,
              struct err *err) WARN_UNUSED;
/* Writes documents until there are n_tokens; the last one is kept whole. */
int blend_write(struct blend *b, int64_t n_tokens, struct shard_writer *w, struct err *err) WARN_UNUSED;
/* What was written, new reference: {"tokens","seqs","seed","domains":{name:{"weight","tokens",
 * "share","seqs","epochs","source_tokens"}}}. */
json_t *blend_report(const struct blend *b);
int64_t blend_seqs_read(const struct blend *b);
int64_t blend_seqs_written(const struct blend *b);
void blend_free(struct blend *b);

#endif
