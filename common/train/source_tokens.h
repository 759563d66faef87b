/* source_tokens.h - pretraining: documents in stream order, cut into pieces.
 *
 * A step is exactly batch_tokens positions.  Documents are cut into pieces of at
 * most seq_len positions; the piece that would overfill a step is cut there, and
 * its rest starts the next step.  Every token but a document's first is predicted
 * exactly once an epoch.  Any loss mask of the data is ignored.
 */
#ifndef TP_TRAIN_SOURCE_TOKENS_H
#define TP_TRAIN_SOURCE_TOKENS_H

#include "train/input.h"
#include "train/planner.h"

struct token_place {
    int64_t epoch, sequences; /* read in this epoch, the one under the cursor included */
    int64_t position;         /* of the cursor in it; 0 = it is finished */
    char digest[40];          /* chain over the sequences read in this epoch */
};

struct source_tokens {
    /* set by the owner */
    int64_t batch_tokens, seq_len;
    int64_t epochs; /* 0 = as many as it takes */
    /* its own */
    struct input input;
    struct planner planner;
    struct token_place place, planned; /* now; after the last planned step */
    struct example doc;
    int32_t *store; /* tokens of the step's pieces */
    int64_t store_n, store_cap;
    int64_t *starts; /* [n + 1] of the pieces in store */
    int64_t n_pieces, starts_cap;
    bool told_rewind;
};

void source_tokens_open(struct source_tokens *s, const char **files, int n_files,
                        const struct example_reader *reader, int64_t micro_tokens);
struct batch_source source_tokens_source(struct source_tokens *s);
void source_tokens_release(struct source_tokens *s);

#endif
