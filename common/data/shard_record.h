/* shard_record.h - a sequence of a shard as a JSON record and back.
 *
 *     {"id":"a","domain":"web","tokens":[1,2,3],"loss_mask":[0,1,1],"reward":0.5}
 */
#ifndef TP_DATA_SHARD_RECORD_H
#define TP_DATA_SHARD_RECORD_H

#include "data/shard.h"

struct shard_record {
    struct shard_seq seq; /* points into what follows, its domain into the record */
    char *id;
    int32_t *tokens;
    void *fields[8];
};

/* `tokens` is required; `id` (string or integer), `domain`, `loss_mask`, `logprobs`, `old_logprobs`,
 * `ref_logprobs`, `policy_version`, `reward`, `advantage` are taken when present.  Arrays must have
 * as many entries as `tokens`.  Other fields are ignored: a shard has no place for them. */
int shard_record_parse(const json_t *obj, struct shard_record *out, struct err *err) WARN_UNUSED;
void shard_record_release(struct shard_record *r);
/* The record's `domain`, borrowed; NULL if it is no string, or one with a NUL, which a shard cannot hold. */
const char *shard_record_domain(const json_t *obj);
json_t *shard_seq_to_json(const struct shard_seq *s); /* new reference */

#endif
