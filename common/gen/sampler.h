/* sampler.h - drawing a token from a row of logits, reproducibly.
 *
 * The distribution is softmax(logits / temperature) cut to top_k, then top_p
 * (smallest set with mass >= top_p of what top_k left), then min_p
 * (p >= min_p * p_max), and renormalised: the order transformers uses.  Equal
 * probabilities rank by token id, lowest first.
 *
 * temperature 0 is greedy: the lowest id among the equals, whatever the cuts.  A
 * point distribution has no log-probabilities worth keeping, so what is recorded
 * is the token's under the untempered softmax (sampling_inv_temp() is 1), which
 * is also what a trainer can recompute.
 *
 * The draw is rng_uniform_at(seed, "rollout-gen", record, sample; position), so a
 * record's tokens do not depend on what else is in the batch.
 */
#ifndef TP_GEN_SAMPLER_H
#define TP_GEN_SAMPLER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/opt.h"

struct sampling {
    double temperature, top_p, min_p;
    int64_t top_k; /* 0 = all */
};
#define SAMPLING_DEFAULT {.temperature = 1, .top_p = 1, .min_p = 0, .top_k = 0}
/* top_k, top_p or min_p is on, and the draw is not greedy. */
bool sampling_truncates(const struct sampling *s);
/* The factor on the logits that log-probabilities are recorded with. */
float sampling_inv_temp(const struct sampling *s);

/* Scratch for one thread, sized for the vocabulary. */
struct sampler {
    int64_t vocab;
    float *p;       /* [vocab] exp(z - max) */
    uint64_t *keys; /* [vocab] candidates, sortable: probability descending, then id */
};
void sampler_init(struct sampler *s, int64_t vocab);
void sampler_release(struct sampler *s);
/* Draws with u in [0, 1) where sampling_truncates() (the model draws from the whole distribution:
 * model_row_draw()).  logprob gets the log-probability under the truncated, renormalised
 * distribution. */
int32_t sampler_draw(struct sampler *s, const struct sampling *how, const float *logits, double u,
                     float *logprob);
/* The log-probability of a given token under any of them; -inf if it is cut off. */
float sampler_logprob(struct sampler *s, const struct sampling *how, const float *logits, int32_t token);

#endif
