/* source_pairs.h - preference tuning: pairs in memory, shuffled every epoch.
 *
 * `ref_logprobs` come with the records (logprob-recalc --as ref_logprobs), or are
 * computed once, before training, by source_pairs_add_refs().
 */
#ifndef TP_TRAIN_SOURCE_PAIRS_H
#define TP_TRAIN_SOURCE_PAIRS_H

#include "train/input.h"
#include "train/planner.h"
#include "train/shuffle.h"

struct pair {
    struct example chosen, rejected;
};

struct source_pairs {
    /* set by the owner */
    int64_t batch_size; /* pairs a step */
    int64_t epochs;     /* 0 = as many as it takes */
    unsigned fields;    /* what the loss needs */
    /* its own */
    struct planner planner;
    struct shuffle order;
    int64_t n, cap;
    struct pair *pairs;
    int64_t next; /* place in the order */
    char digest[40];
};

int source_pairs_load(struct source_pairs *s, const char **files, int n_files,
                      const struct example_reader *reader, int64_t micro_tokens,
                      struct err *err) WARN_UNUSED;
int64_t source_pairs_steps(struct source_pairs *s);
int64_t source_pairs_without_refs(const struct source_pairs *s); /* how many pairs lack them */
/* Fills in what is missing with the model's log-probabilities. */
int source_pairs_add_refs(struct source_pairs *s, struct model *m, struct err *err) WARN_UNUSED;
struct batch_source source_pairs_source(struct source_pairs *s);
void source_pairs_release(struct source_pairs *s);

#endif
