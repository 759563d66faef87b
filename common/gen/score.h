/* score.h - log-probabilities of given tokens, many sequences to a forward.
 *
 *     struct score_seq s = {.tokens = ids, .n = n, .first = n_prompt, .sampling = SAMPLING_DEFAULT,
 *                           .logprobs = out};
 *     score_run(m, &s, 1, 4096, &err);      // out[i] = log p(ids[i] | ids[0..i))
 *
 * By batch invariance a sequence's numbers do not depend on its neighbours.
 */
#ifndef TP_GEN_SCORE_H
#define TP_GEN_SCORE_H

#include "gen/sampler.h"
#include "model/model.h"

struct score_seq {
    const int32_t *tokens; /* [n] borrowed */
    int64_t n, first;      /* scored are the tokens from max(first, 1) on */
    /* Log-probabilities are under the distribution this describes, cuts included. */
    struct sampling sampling;
    float *logprobs;       /* [n] written from max(first, 1) on; 0 before */
};

/* A token that the distribution cuts off has no finite log-probability; it gets this, as in vLLM. */
#define SCORE_FLOOR (-9999.0f)

/* Fails if a sequence cannot be run: too long for the model, or ids outside its vocabulary. */
int score_check(const struct model *m, const struct score_seq *s, struct err *err) WARN_UNUSED;
/* Runs them in forwards of about batch_tokens positions. */
int score_run(struct model *m, struct score_seq *seqs, int64_t n_seqs, int64_t batch_tokens,
              struct err *err) WARN_UNUSED;

#endif
