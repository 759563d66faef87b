/* planner.h - the sequences of one optimiser step, cut into packed micro-batches.
 *
 * A source adds the step's sequences; planner_finish() settles each one's weight
 * in the step's loss (so that the loss does not depend on how the step is cut)
 * and where the micro-batches begin; planner_batch() packs one.
 *
 *     planner_clear(&p);
 *     planner_add(&p, &seq);                     // borrows the arrays until the next clear
 *     n_micro = planner_finish(&p);
 *     planner_batch(&p, i, &batch);              // valid until the next planner_batch
 */
#ifndef TP_TRAIN_PLANNER_H
#define TP_TRAIN_PLANNER_H

#include "train/trainer.h"

/* A sequence of n_tokens tokens is n_tokens - 1 positions.  Arrays are indexed by token: entry i + 1
 * belongs to position i, which predicts that token. */
struct plan_seq {
    int64_t n_tokens;
    const int32_t *tokens;
    const uint8_t *loss_mask; /* NULL = all */
    const float *sampler_logprobs, *old_logprobs, *ref_logprobs; /* NULL = 0 where the field is on */
    float advantage, inv_temp;
};

struct planner {
    /* set by the owner */
    enum reduction reduction;
    int64_t micro_tokens; /* most positions in a micro-batch; a longer sequence has one of its own */
    double const_tokens;  /* REDUCE_SEQ_SUM_CONST divides by n_seqs * const_tokens */
    bool pairs;           /* sequences 2k and 2k + 1 stay together */
    unsigned fields;      /* enum batch_field bits to fill */
    /* results of planner_finish */
    int64_t n_positions, n_trained, n_trained_seqs;
    /* its own */
    int64_t n_seqs, cap;
    struct plan_seq *seqs;
    int n_micro, micro_cap;
    int64_t *micro_first; /* [n_micro + 1] first sequence of each */
    int64_t tokens_cap, seqs_cap;
    int32_t *tokens, *targets, *seq_start;
    float *seq_weight, *loss_mask, *inv_temp, *sampler, *old, *ref, *advantages;
};

void planner_clear(struct planner *p); /* also for a struct whose own fields are still zero */
void planner_add(struct planner *p, const struct plan_seq *s);
int planner_finish(struct planner *p); /* number of micro-batches, at least 1 (which may be empty) */
void planner_batch(struct planner *p, int i, struct batch *out);
void planner_release(struct planner *p);

#endif
