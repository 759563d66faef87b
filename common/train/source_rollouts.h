/* source_rollouts.h - reinforcement learning: groups of rewarded rollouts, as they come.
 *
 * A batch is prompts_per_step groups of consecutive records with the same `group`;
 * it makes `minibatches` optimiser steps, so version v of the policy is the weights
 * after v batches.  A group has group_size records, or as many as its records'
 * `group_size` says, or ends where another group begins.  Groups without signal
 * (all rewards equal) and sequences that are too stale are left out of the loss,
 * and counted.
 *
 * A recorded stream replays: a resumed run reads past what it has consumed,
 * checking that it is the same.  A live one is made again from the first group that
 * the checkpoint has not seen; what still comes of earlier groups, or of weights
 * that were published after that checkpoint and lost, is left out.
 */
#ifndef TP_TRAIN_SOURCE_ROLLOUTS_H
#define TP_TRAIN_SOURCE_ROLLOUTS_H

#include "train/input.h"
#include "train/planner.h"
#include "train/publish.h"

enum advantage_type { ADVANTAGE_CENTERED, ADVANTAGE_STANDARD, ADVANTAGE_RLOO };

/* Advantages of one group, R = rewards (methods: Shao et al., arXiv:2402.03300; Liu et al.,
 * arXiv:2503.20783; Ahmadian et al., arXiv:2402.14740), mu and sd over the group (population):
 *   centered R - mu     standard (R - mu) / (sd + eps)     rloo R - mean of the others */
void group_advantages(enum advantage_type type, double eps, const double *rewards, int64_t n,
                      double *advantages);

struct rollout_place {
    int64_t records, extra_groups;
    int64_t next_group; /* after the last one that was read */
    char digest[40]; /* chain over the records' text */
};

struct rollout {
    struct example e;
    double advantage;
    bool keep;
};

struct source_rollouts {
    /* set by the owner */
    int64_t group_size; /* 0 = what the records say */
    int64_t prompts_per_step, minibatches;
    enum advantage_type advantage;
    double advantage_eps;
    bool active_sampling; /* groups without signal do not count towards the batch */
    bool mask_truncated;
    bool fresh_input; /* a resumed run's input is new: nothing to read past or to leave out */
    int64_t max_staleness; /* in policy versions; -1 = no limit */
    bool stale_fail;
    unsigned fields;      /* what the loss needs */
    struct publisher *publisher; /* of a live stream: told of groups that do not count; or NULL */
    /* its own */
    struct input input;
    struct planner planner;
    struct rollout_place place, batch_start, planned;
    int64_t n, cap;       /* of the batch in hand */
    struct rollout *rollouts;
    int64_t n_kept, kept_cap, *kept;
    int64_t batch;        /* number of the batch in hand, -1 = none */
    int64_t first_group;  /* earlier ones were trained on before a resumed run's checkpoint */
    bool ended, told_truncation, told_earlier;
    int64_t told_drops;
    /* The record that showed the end of a group of unknown size, for the next one. */
    bool have_pending;
    struct example pending;
    struct rollout_place before_last, after_pending;
};

void source_rollouts_open(struct source_rollouts *s, const char **files, int n_files,
                          const struct example_reader *reader, const struct planner *plan);
struct batch_source source_rollouts_source(struct source_rollouts *s);
void source_rollouts_release(struct source_rollouts *s);

#endif
