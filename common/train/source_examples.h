/* source_examples.h - supervised fine-tuning: examples in memory, shuffled every epoch.
 *
 * A step takes the next examples of the shuffled order: batch_size of them, or as
 * many as fit batch_tokens positions (at least one).  The order runs on over the
 * end of an epoch, so only the very last step can be smaller.
 */
#ifndef TP_TRAIN_SOURCE_EXAMPLES_H
#define TP_TRAIN_SOURCE_EXAMPLES_H

#include "train/input.h"
#include "train/planner.h"
#include "train/shuffle.h"

struct source_examples {
    /* set by the owner */
    int64_t batch_tokens, batch_size; /* one of them is 0 */
    int64_t epochs;                   /* 0 = as many as it takes */
    /* its own */
    struct planner planner;
    struct shuffle order;
    int64_t n, cap, n_tokens, tokens_cap;
    int64_t *starts;    /* [n + 1] in tokens and loss_mask */
    int32_t *tokens;    /* [n_tokens] */
    uint8_t *loss_mask; /* [n_tokens] */
    int64_t next;       /* place in the order */
    char digest[40];    /* of all examples */
};

/* Reads everything.  order.seed, .stream and .in_order are set by the owner before the first step. */
int source_examples_load(struct source_examples *s, const char **files, int n_files,
                         const struct example_reader *reader, int64_t micro_tokens,
                         struct err *err) WARN_UNUSED;
int64_t source_examples_steps(struct source_examples *s); /* of `epochs` epochs */
struct batch_source source_examples_source(struct source_examples *s);
void source_examples_release(struct source_examples *s);

#endif
