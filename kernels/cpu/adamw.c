/* adamw.c - the optimiser's step, and the sum of squares for clipping by the norm. */
#include "kernels/cpu/cpu.h"

struct step {
    struct dev *dev;
    const struct adamw_args *a;
};

/* Plain loops over separate arrays: compilers vectorise them, square root and division included. */
static void step_range(void *arg, int64_t first, int64_t last, int thread)
{
    const struct step *j = arg;
    const struct adamw_args *a = j->a;
    float *restrict master = a->master, *restrict m = a->m, *restrict v = a->v;
    const float *restrict grad = a->grad;
    const float b1 = (float)a->beta1, b2 = (float)a->beta2, eps = (float)a->eps;
    const float c1 = (float)(1 - a->beta1), c2 = (float)(1 - a->beta2);
    const float lr = (float)a->lr, decay = (float)a->weight_decay, scale = (float)a->grad_scale;
    const float unbias1 = (float)(1 / a->bias1), unbias2 = (float)(1 / a->bias2);
    (void)thread;
    for (int64_t i = first; i < last; i++) {
        float g = grad[i] * scale;
        m[i] = b1 * m[i] + c1 * g;
        v[i] = b2 * v[i] + c2 * g * g;
        float update = m[i] * unbias1 / (sqrtf(v[i] * unbias2) + eps);
        master[i] -= lr * (update + decay * master[i]);
    }
    if (a->weights != a->master)
        store_row(a->weights, j->dev->dtype, first, master + first, last - first);
}

void cpu_adamw(struct dev *dev, const struct adamw_args *a)
{
    struct step j = {dev, a};
    cpu_rows(dev, a->n, 1, step_range, &j);
}

#define BLOCK 4096

struct squares {
    const float *x;
    int64_t n;
    double *sum; /* [blocks] */
};

static void sum_block(void *arg, int64_t block, int thread)
{
    const struct squares *j = arg;
    int64_t i = block * BLOCK, end = min_i64(j->n, i + BLOCK);
    double lane[8] = {0};
    (void)thread;
    for (; i + 8 <= end; i += 8)
        for (int l = 0; l < 8; l++)
            lane[l] += (double)j->x[i + l] * (double)j->x[i + l];
    for (; i < end; i++)
        lane[0] += (double)j->x[i] * (double)j->x[i];
    j->sum[block] =
        ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

size_t sum_squares_shared(int64_t n)
{
    return (size_t)((n + BLOCK - 1) / BLOCK + 1) * sizeof(double);
}

double cpu_sum_squares(struct dev *dev, const void *x, int64_t n)
{
    int64_t blocks = (n + BLOCK - 1) / BLOCK;
    struct squares j = {x, n, cpu_shared(dev, sum_squares_shared(n))};
    double total = 0;
    if (!j.sum)
        return NAN;
    cpu_for(dev, blocks, sum_block, &j);
    for (int64_t b = 0; b < blocks; b++)
        total += j.sum[b];
    return total;
}
