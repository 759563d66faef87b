/* shard_field.h - the optional arrays of a shard as a table, so that reading, writing, packing and
 * dumping treat them alike.  Inside of shard*.c. */
#ifndef TP_DATA_SHARD_FIELD_H
#define TP_DATA_SHARD_FIELD_H

#include <stddef.h>

#include "data/safetensors.h"
#include "data/shard.h"

struct shard_field {
    const char *name; /* of the tensor and of the JSON key */
    enum st_dtype dtype;
    bool per_seq; /* one number a sequence, else one a token */
    size_t in_batch, in_seq; /* where the pointer is in the structs */
};
extern const struct shard_field shard_fields[];
extern const int n_shard_fields;
enum { MAX_SHARD_FIELDS = 8 };

void *shard_batch_field(const struct shard_batch *b, int field);
const void *shard_seq_field(const struct shard_seq *s, int field);
void shard_seq_set_field(struct shard_seq *s, int field, const void *array);

#endif
