/* loss_nll.c - the mean negative log-probability of the trained tokens. */
#include "train/loss.h"

static void nll_eval(const void *opt, const struct batch *b, const float *logprobs, float *dlogprobs,
                     struct metrics *m)
{
    (void)opt;
    double loss = 0;
    for (int64_t s = 0; s < b->n_seqs; s++) {
        for (int32_t i = b->seq_start[s]; i < b->seq_start[s + 1]; i++) {
            float w = b->loss_mask[i] != 0 ? b->seq_weight[s] * b->loss_mask[i] : 0;
            dlogprobs[i] = -w;
            if (w != 0)
                loss -= (double)w * (double)logprobs[i];
        }
    }
    metrics_sum(m, "loss", loss);
}

const struct loss_head loss_nll = {.name = "nll", .needs = 0, .eval = nll_eval};
