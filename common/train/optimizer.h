/* optimizer.h - AdamW on fp32 masters, with global gradient clipping.
 *
 * Masters and moments are device arrays beside the model's, in its parameters'
 * order.  When the model computes in fp32 its weights are the master.
 */
#ifndef TP_TRAIN_OPTIMIZER_H
#define TP_TRAIN_OPTIMIZER_H

#include "model/model.h"

struct optimizer_options {
    double beta1, beta2, eps, weight_decay, max_grad_norm;
};

struct optimizer {
    struct model *model;
    void *master, *m, *v; /* device [n_elements] */
    int64_t updates;      /* applied so far: the t of the bias correction */
};

/* Masters start as `initial` (host [n_elements]), or as the model's own weights if that is NULL. */
int optimizer_init(struct optimizer *o, struct model *m, const float *initial,
                   struct err *err) WARN_UNUSED;
void optimizer_release(struct optimizer *o);
size_t optimizer_bytes(const struct model *m); /* that optimizer_init() allocates for it */
double optimizer_grad_norm(const struct optimizer *o); /* over all of model->grads, fixed order */
/* One update with gradients scaled down to max_grad_norm (0 = never). */
void optimizer_step(struct optimizer *o, const struct optimizer_options *opt, double lr,
                    double grad_norm);
/* Host arrays [n_elements] each: the optimiser's own where the device's memory can be read in place
 * (they change with the next step), else copies. */
struct optimizer_view {
    int64_t n;
    const float *master, *m, *v;
    float *copies;
};
struct optimizer_view optimizer_view(const struct optimizer *o);
void optimizer_view_release(struct optimizer_view *v);
/* From host arrays; also sets the model's weights. */
void optimizer_load(struct optimizer *o, const float *master, const float *m, const float *v);

#endif
