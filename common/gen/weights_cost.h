/* weights_cost.h - what int8 weights cost: sampled tokens, measured again with the exact ones.
 *
 * The mean of log p_int8 - log p_exact over tokens drawn from p_int8 is an estimate of the divergence
 * KL(int8 || exact) in nats a token.
 */
#ifndef TP_GEN_WEIGHTS_COST_H
#define TP_GEN_WEIGHTS_COST_H

#include "gen/engine.h"

struct weights_cost {
    int64_t n; /* tokens so far */
    double sum, largest;
};

/* Takes a result in, until a few thousand tokens are measured; nothing for exact weights. */
int weights_cost_add(struct weights_cost *c, struct model *m, const struct gen_result *r,
                     const struct sampling *how, struct err *err) WARN_UNUSED;
/* One line to the log, if anything was measured. */
void weights_cost_report(const struct weights_cost *c);

#endif
