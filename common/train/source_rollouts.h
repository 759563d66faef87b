/* source_rollouts.h - reinforcement learning: rewarded rollouts, a batch of groups at a time.
 *
 * A group is a run of consecutive records with the same `group`.  A batch of
 * groups_per_batch groups serves `minibatches` optimiser steps.  Groups whose
 * rewards are all equal teach nothing and are left out.  The policy's version is
 * the number of batches done; a sequence is as stale as its oldest token.
 */
#ifndef TP_TRAIN_SOURCE_ROLLOUTS_H
#define TP_TRAIN_SOURCE_ROLLOUTS_H

#include "train/input.h"
#include "train/planner.h"

enum advantage_type { ADVANTAGE_CENTERED, ADVANTAGE_STANDARD, ADVANTAGE_RLOO };

struct source_rollouts {
    /* set by the owner */
    int64_t groups_per_batch, minibatches, max_staleness;
    enum advantage_type advantage;
    bool stale_fails;
    bool use_ref;              /* the loss wants ref_logprobs: a record without them is an error */
    /* its own */
    struct input input;
    struct planner planner;
    int64_t n, cap;
    struct example *rollouts;  /* of the batch */
    int64_t *group_first;      /* [n_groups + 1] */
    int64_t n_groups, groups_cap;
    struct example pending;    /* first rollout of the group after the batch */
    bool has_pending;
    int64_t records, counted;  /* read so far; before the pending one */
    int64_t batch_start;       /* records before the batch in hand */
    bool batch_used;           /* its last minibatch was planned */
    char digest[40], counted_digest[40], batch_digest[40];
};

void source_rollouts_open(struct source_rollouts *s, const char **files, int n_files,
                          const struct example_reader *reader, int64_t micro_tokens);
struct batch_source source_rollouts_source(struct source_rollouts *s);
void source_rollouts_release(struct source_rollouts *s);

#endif
