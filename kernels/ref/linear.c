/* linear.c - reference: matrix products of a linear layer. */
#include <math.h>

#include "kernels/ref/ref_ops.h"

size_t ref_packed_bytes(struct dev *dev, int64_t N, int64_t K, enum packing how)
{
    (void)dev;
    return how == PACK_INT8 ? (size_t)(N * K) * sizeof(double) : 0;
}

/* What the int8 weights stand for. */
void ref_pack_weight(struct dev *dev, void *packed, const void *w, int64_t N, int64_t K,
                     enum packing how)
{
    const double *from = w;
    double *to = packed;
    (void)dev;
    for (int64_t n = 0; how == PACK_INT8 && n < N; n++, from += K, to += K) {
        double max = 0;
        for (int64_t k = 0; k < K; k++)
            max = fmax(max, fabs(from[k]));
        for (int64_t k = 0; k < K; k++)
            to[k] = max > 0 ? rint(from[k] * 127 / max) * max / 127 : 0;
    }
}

void ref_linear(struct dev *dev, const struct linear_args *a)
{
    double *y = a->y;
    const double *x = a->x, *bias = a->bias;
    const double *w = a->packed && a->packing == PACK_INT8 ? a->packed : a->w;
    (void)dev;
    for (int64_t m = 0; m < a->M; m++)
        for (int64_t n = 0; n < a->N; n++) {
            double sum = 0;
            for (int64_t k = 0; k < a->K; k++)
                sum += x[m * a->K + k] * w[n * a->K + k];
            if (bias)
                sum += bias[n];
            y[m * a->N + n] = a->accumulate ? y[m * a->N + n] + sum : sum;
        }
}

void ref_linear_backward_input(struct dev *dev, const struct linear_backward_input_args *a)
{
    double *dx = a->dx;
    const double *dy = a->dy, *w = a->w;
    (void)dev;
    for (int64_t m = 0; m < a->M; m++)
        for (int64_t k = 0; k < a->K; k++) {
            double sum = 0;
            for (int64_t n = 0; n < a->N; n++)
                sum += dy[m * a->N + n] * w[n * a->K + k];
            dx[m * a->K + k] = a->accumulate ? dx[m * a->K + k] + sum : sum;
        }
}

void ref_linear_backward_weight(struct dev *dev, const struct linear_backward_weight_args *a)
{
    double *dw = a->dw, *dbias = a->dbias;
    const double *dy = a->dy, *x = a->x;
    (void)dev;
    for (int64_t m = 0; m < a->M; m++)
        for (int64_t n = 0; n < a->N; n++) {
            for (int64_t k = 0; k < a->K; k++)
                dw[n * a->K + k] += dy[m * a->N + n] * x[m * a->K + k];
            if (dbias)
                dbias[n] += dy[m * a->N + n];
        }
}
