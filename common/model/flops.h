/* flops.h - floating-point operations of a forward, as our kernels do them.
 *
 * A multiply-add is two (Kaplan et al., arXiv:2001.08361, section 2.1).  Attention counts the keys that
 * the mask and the window leave, 4 head_dim a key and query head; norms, rotation and softmax are left
 * out.  A backward takes twice the products; attention computes its scores again, 5 products for the
 * forward's 2.  With recompute all layers but the last run again, without the last product where the norm is in front.
 */
#ifndef TP_MODEL_FLOPS_H
#define TP_MODEL_FLOPS_H

#include "model/config.h"

struct flops {
    double products, attention, head; /* of the layers' matrices; of scores and values; of the logits */
};

/* Of positions [first, end) of a sequence, all together. */
struct flops flops_forward(const struct model_config *c, int64_t first, int64_t end);
struct flops flops_training(const struct model_config *c, int64_t first, int64_t end, bool recompute); /* both ways */
double flops_total(const struct flops *f);
/* *f += g * by */
void flops_add(struct flops *f, const struct flops *g, double by);

#endif
