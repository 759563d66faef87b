/* weights_cost.c - what int8 weights cost: sampled tokens, measured again with the exact ones. */
#include "gen/weights_cost.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "gen/score.h"

enum { ENOUGH_TOKENS = 4096 };

int weights_cost_add(struct weights_cost *c, struct model *m, const struct gen_result *r,
                     const struct sampling *how, struct err *err)
{
    if (!model_has_int8(m) || c->n >= ENOUGH_TOKENS)
        return 0;
    int64_t n = r->n_prompt + r->n_tokens;
    int32_t *ids = xreallocarray(NULL, (size_t)n, sizeof *ids);
    float *exact = xcalloc((size_t)n, sizeof *exact);
    memcpy(ids, r->prompt, (size_t)r->n_prompt * sizeof *ids);
    memcpy(ids + r->n_prompt, r->tokens, (size_t)r->n_tokens * sizeof *ids);
    struct score_seq s = {.tokens = ids, .n = n, .first = r->n_prompt, .sampling = *how,
                          .logprobs = exact};
    model_use_exact(m, true);
    int rc = score_run(m, &s, 1, n, err);
    model_use_exact(m, false);
    for (int64_t i = 0; rc == 0 && i < r->n_tokens; i++) {
        double d = (double)r->logprobs[i] - (double)exact[r->n_prompt + i];
        c->sum += d;
        c->largest = fmax(c->largest, fabs(d));
        c->n++;
    }
    free(ids);
    free(exact);
    return rc;
}

void weights_cost_report(const struct weights_cost *c)
{
    if (c->n)
        log_info("int8 weights: log-probabilities of %lld sampled tokens are %.2g nats above the "
                 "exact weights' on average, %.2g at most",
                 (long long)c->n, c->sum / (double)c->n, c->largest);
}
