/* evaluate.h - validation loss on held-out shards, between steps. */
#ifndef TP_TRAIN_EVALUATE_H
#define TP_TRAIN_EVALUATE_H

#include "train/input.h"
#include "train/planner.h"

struct eval_set {
    char *name;           /* the metric is eval/NAME/loss */
    int64_t n, cap;
    struct example *docs; /* pieces of at most seq_len + 1 tokens */
};

struct evaluation {
    int64_t every; /* after every so many steps, and after the last */
    int64_t done;  /* the step after which it ran last; 0 = none */
    int n_sets;
    struct eval_set *sets;
    struct planner planner;
};

/* specs: "NAME=FILE" each. */
int evaluation_load(struct evaluation *e, const struct opt_list *specs, int64_t seq_len,
                    int64_t micro_tokens, const struct example_reader *reader,
                    struct err *err) WARN_UNUSED;
/* The train hook: nats a token of each set, when it is time and not done yet. */
int evaluation_run(struct evaluation *e, struct model *m, int64_t step, bool last,
                   struct metrics *out, struct err *err) WARN_UNUSED;
void evaluation_release(struct evaluation *e);

#endif
