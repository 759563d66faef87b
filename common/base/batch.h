/* batch.h - one micro-batch of packed sequences: the struct the data, model and
 * train rooms share.  All arrays are host memory, borrowed from the source.
 *
 * Tokens of several sequences lie end to end, without padding; seq_start cuts
 * them.  Position i of a sequence predicts targets[i], the token after it; the
 * reader shifts, nobody else does.  A sequence of T tokens gives T - 1 positions.
 */
#ifndef TP_BASE_BATCH_H
#define TP_BASE_BATCH_H

#include <stdint.h>

enum batch_field {
    BATCH_OLD_LOGPROBS = 1 << 0,
    BATCH_REF_LOGPROBS = 1 << 1,
    BATCH_ADVANTAGES = 1 << 2,
    BATCH_SAMPLER_LOGPROBS = 1 << 3
};

/* What top-k, top-p and min-p leave of the distributions (truncate_args of kernels/ops.h), by position. */
struct cuts {
    const int32_t *top_k;
    const double *top_p, *min_p;
};

struct batch {
    int64_t n_tokens, n_seqs;     /* positions and sequences */
    const int32_t *tokens;        /* [n_tokens] input ids */
    const int32_t *targets;       /* [n_tokens] next id */
    const int32_t *seq_start;     /* [n_seqs + 1] attention never crosses a boundary */
    const float *seq_weight;      /* [n_seqs] weight of each trained token in the whole STEP's loss */
    const float *loss_mask;       /* [n_tokens] 1 = trained on, 0 = context only */
    const float *inv_temp;        /* [n_tokens] 1 / sampling temperature, or NULL = 1 */
    const struct cuts *cuts;      /* log-probabilities are under what is left, and have no backward; or NULL */
    /* [n_tokens] or NULL; what the sampler recorded, what the trainer recomputed under the weights
     * that sampled, what the frozen reference says */
    const float *sampler_logprobs, *old_logprobs, *ref_logprobs;
    const float *advantages;      /* [n_tokens] or NULL */
};

#endif
