/* mismatch.h - how far a generator's log-probabilities are from the trainer's.
 *
 * With q the sampler's and p the recomputed log-probability of a sampled token:
 * k1 = mean(q - p) and k3 = mean(exp(p - q) - 1 - (p - q)) estimate KL(q || p)
 * (Schulman, "Approximating KL divergence"); effective_sample_size is
 * (sum w)^2 / (n sum w^2) of the importance weights w = exp(p - q).
 */
#ifndef TP_GEN_MISMATCH_H
#define TP_GEN_MISMATCH_H

#include <jansson.h>
#include <stdint.h>

struct mismatch {
    int64_t records, tokens, equal;
    double sum_abs, max_abs, k1, k3, w, w2; /* sums but for max_abs */
};
void mismatch_add(struct mismatch *m, const float *sampled, const float *recomputed, int64_t n);
json_t *mismatch_json(const struct mismatch *m); /* new reference; without tokens: the counts only */

#endif
