/* swiglu.c - the gated activation and its gradient; and the sum of a residual. */
#include "kernels/cpu/cpu.h"

#define CHUNK 256 /* elements of a row at a time, on the stack */

static inline vf sigmoid(vf x)
{
    return 1.0f / (1.0f + vexp(-x));
}

struct forward {
    struct dev *dev;
    const struct swiglu_args *a;
};

static void forward_rows(void *arg, int64_t first, int64_t last, int thread)
{
    const struct forward *j = arg;
    const struct swiglu_args *a = j->a;
    enum dtype t = j->dev->dtype;
    (void)thread;
    for (int64_t r = first; r < last; r++)
        for (int64_t c = 0; c < a->dim; c += CHUNK) {
            int64_t n = min_i64(CHUNK, a->dim - c), at = r * 2 * a->dim + c;
            float buf[3][CHUNK];
            const float *gate = row_view(buf[0], a->gate_up, t, at, n);
            const float *up = row_view(buf[1], a->gate_up, t, at + a->dim, n);
            float *h = row_target(buf[2], a->h, t, r * a->dim + c, n);
            for (int64_t i = 0; i < n; i += VW) {
                vf g = vload(gate + i);
                vstore(h + i, g * sigmoid(g) * vload(up + i));
            }
            row_done(h, a->h, t, r * a->dim + c, n);
        }
}

void cpu_swiglu(struct dev *dev, const struct swiglu_args *a)
{
    struct forward j = {dev, a};
    cpu_rows(dev, a->n, 4 * a->dim, forward_rows, &j);
}

struct backward {
    struct dev *dev;
    const struct swiglu_backward_args *a;
};

static void backward_rows(void *arg, int64_t first, int64_t last, int thread)
{
    const struct backward *j = arg;
    const struct swiglu_backward_args *a = j->a;
    enum dtype t = j->dev->dtype;
    (void)thread;
    for (int64_t r = first; r < last; r++)
        for (int64_t c = 0; c < a->dim; c += CHUNK) {
            int64_t n = min_i64(CHUNK, a->dim - c), at = r * 2 * a->dim + c;
            float buf[5][CHUNK];
            const float *gate = row_view(buf[0], a->gate_up, t, at, n);
            const float *up = row_view(buf[1], a->gate_up, t, at + a->dim, n);
            const float *dh = row_view(buf[2], a->dh, t, r * a->dim + c, n);
            float *dgate = row_target(buf[3], a->dgate_up, t, at, n);
            float *dup = row_target(buf[4], a->dgate_up, t, at + a->dim, n);
            for (int64_t i = 0; i < n; i += VW) {
                vf g = vload(gate + i), s = sigmoid(g), d = vload(dh + i), u = vload(up + i);
                /* silu'(g) = s + g s (1 - s) */
                vf slope = vfma(g * s, 1.0f - s, s);
                vstore(dgate + i, d * u * slope);
                vstore(dup + i, d * g * s);
            }
            row_done(dgate, a->dgate_up, t, at, n);
            row_done(dup, a->dgate_up, t, at + a->dim, n);
        }
}

void cpu_swiglu_backward(struct dev *dev, const struct swiglu_backward_args *a)
{
    struct backward j = {dev, a};
    cpu_rows(dev, a->n, 4 * a->dim, backward_rows, &j);
}

struct sum {
    struct dev *dev;
    float *acc;
    const void *x;
};

static void sum_range(void *arg, int64_t first, int64_t last, int thread)
{
    const struct sum *j = arg;
    (void)thread;
    for (int64_t i = first; i < last; i += CHUNK) {
        int64_t n = min_i64(CHUNK, last - i);
        float x[CHUNK];
        load_floats(x, j->x, j->dev->dtype, i, n);
        for (int64_t k = 0; k < n; k++)
            j->acc[i + k] += x[k];
    }
}

void cpu_add(struct dev *dev, void *acc, const void *x, int64_t n)
{
    struct sum j = {dev, acc, x};
    cpu_rows(dev, n, 1, sum_range, &j);
}
