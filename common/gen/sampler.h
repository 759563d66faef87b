/* sampler.h - which distribution a token is drawn from.
 *
 * It is softmax(logits / temperature) cut to top_k, then top_p (smallest set with mass >= top_p of what top_k
 * left), then min_p (p >= min_p * p_max), and renormalised: the order transformers uses.  Equal probabilities
 * rank by token id, lowest first.  Cutting and drawing are ops (truncate, draw), so that generator and trainer find
 * the same log-probabilities.
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

#include "base/batch.h"
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

/* struct cuts, to be filled. */
struct cut_lists {
    int32_t *top_k;
    double *top_p, *min_p;
};
void cut_lists_resize(struct cut_lists *l, int64_t n);
void cut_lists_release(struct cut_lists *l);
/* Entry i becomes s, or no cut at all where that is greedy. */
void cut_lists_set(struct cut_lists *l, int64_t i, const struct sampling *s);
struct cuts cut_lists_cuts(const struct cut_lists *l);

#endif
