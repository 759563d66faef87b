/* example_fields.h - what stands beside the tokens of a record: numbers and per-token arrays;
 * private to example.c.
 */
#ifndef TP_DATA_EXAMPLE_FIELDS_H
#define TP_DATA_EXAMPLE_FIELDS_H

#include "data/example.h"

/* Where a record's arrays are: one entry for each of n tokens, which begin at `first` of e. */
struct example_span {
    const json_t *obj;
    const char *prefix, *ids_key; /* "chosen_", "chosen_token_ids" */
    int64_t first, n;
};

/* id, sampling, finish_reason, group, reward, advantage; the last two behind the prefix. */
int example_read_properties(const json_t *obj, const char *prefix, struct example *e,
                            struct err *err) WARN_UNUSED;
/* loss_mask, logprobs, policy_version, ...: e->tokens are set. */
int example_read_arrays(const struct example_span *s, struct example *e,
                        struct err *err) WARN_UNUSED;

#endif
