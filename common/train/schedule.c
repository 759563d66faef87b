/* schedule.c - the learning rate as a function of the step. */
#include <math.h>

#include "train/trainer.h"

static int64_t warmup_of(const struct schedule_options *o, int64_t n_steps)
{
    if (o->warmup_steps >= 0)
        return o->warmup_steps;
    return (int64_t)llround(o->warmup_ratio * (double)n_steps);
}

/* Share of the peak that is left after the part x in [0, 1) of the way down, for a shape that ends
 * in 0. */
static double shape(int type, double x)
{
    return type == SCHEDULE_COSINE ? 0.5 * (1 + cos(M_PI * x)) : 1 - x;
}

double schedule_lr(const struct schedule_options *o, int64_t step, int64_t n_steps)
{
    int64_t warmup = warmup_of(o, n_steps);
    if (step < warmup)
        return o->lr * (double)(step + 1) / (double)warmup;
    if (o->type == SCHEDULE_CONSTANT || n_steps <= warmup)
        return o->lr;

    int64_t start = warmup;
    if (o->type == SCHEDULE_WSD) {
        /* Warm-up, stable, decay (Hu et al., arXiv:2404.06395), the decay linear. */
        start = n_steps - (int64_t)llround(o->decay_ratio * (double)n_steps);
        if (start < warmup)
            start = warmup;
        if (step < start)
            return o->lr;
    }
    if (step >= n_steps)
        return o->lr * o->min_lr_ratio;
    double x = (double)(step - start) / (double)(n_steps - start);
    return o->lr * (o->min_lr_ratio + (1 - o->min_lr_ratio) * shape(o->type, x));
}
