/* shard_info.h - what is in a token shard: counts, lengths, domains, a digest.
 *
 *     struct shard_info info;
 *     shard_info_init(&info);
 *     while ((rc = shard_reader_next(r, &batch, err)) > 0) {
 *         shard_info_add(&info, &batch);
 *         shard_batch_release(&batch);
 *     }
 *     json_t *obj = shard_info_json(&info);
 *     shard_info_release(&info);
 */
#ifndef TP_DATA_SHARD_INFO_H
#define TP_DATA_SHARD_INFO_H

#include <xxhash.h>

#include "data/shard.h"

struct shard_info {
    int64_t n_blobs, n_seqs, n_tokens, n_trained;
    int64_t min_length, max_length;
    int32_t max_token;       /* -1 = there is none */
    bool has_mask;
    json_t *fields;          /* names of the arrays */
    json_t *domains;         /* name -> {n_seqs, n_tokens} */
    int64_t no_domain_seqs, no_domain_tokens;
    XXH64_state_t *digest;
};

void shard_info_init(struct shard_info *s);
void shard_info_add(struct shard_info *s, const struct shard_batch *b);
/* New reference.  `xxh64` is over the sequences, each its length (int64), its tokens (int32) and its other
 * arrays as they are in the shard: the same however the shard is cut into blobs or compressed. */
json_t *shard_info_json(const struct shard_info *s);
void shard_info_release(struct shard_info *s);

#endif
