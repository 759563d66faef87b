/* rope.c - rotary positions, in place. */
#include "kernels/cpu/cpu.h"

struct rope {
    struct dev *dev;
    const struct rope_args *a;
};

static void rotate(float *x, float *y, const float *c, const float *s, float sign, int64_t half)
{
    for (int64_t i = 0; i < half; i += VW) {
        vf p = vload(x + i), q = vload(y + i), cos = vload(c + i), sin = vload(s + i) * sign;
        vstore(x + i, vfma(p, cos, -(q * sin)));
        vstore(y + i, vfma(q, cos, p * sin));
    }
}

static void rope_rows(void *arg, int64_t first, int64_t last, int thread)
{
    const struct rope *j = arg;
    const struct rope_args *a = j->a;
    enum dtype t = j->dev->dtype;
    int64_t half = a->head_dim / 2, padded = round_up(half, LANES);
    float *x = thread_scratch(j->dev, thread), *y = x + padded;
    float *c = y + padded, *s = c + padded;
    for (int64_t i = first; i < last; i++) {
        load_row(c, a->cos, DTYPE_F32, a->positions[i] * half, half);
        load_row(s, a->sin, DTYPE_F32, a->positions[i] * half, half);
        for (int64_t h = 0; h < a->heads; h++) {
            int64_t at = i * a->stride + h * a->head_dim;
            load_row(x, a->x, t, at, half);
            load_row(y, a->x, t, at + half, half);
            rotate(x, y, c, s, a->inverse ? -1.0f : 1.0f, half);
            store_row(a->x, t, at, x, half);
            store_row(a->x, t, at + half, y, half);
        }
    }
}

void cpu_rope(struct dev *dev, const struct rope_args *a)
{
    struct rope j = {dev, a};
    if (cpu_scratch(dev, (size_t)round_up(a->head_dim / 2, LANES) * 4 * sizeof(float)))
        cpu_rows(dev, a->n, a->heads * a->head_dim, rope_rows, &j);
}
