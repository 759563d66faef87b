/* rows.c - reference: embedding, normalisation, rotary positions, gated activation, sum. */
#include <math.h>

#include "kernels/ref/ref_ops.h"

void ref_embedding(struct dev *dev, const struct embedding_args *a)
{
    (void)dev;
    for (int64_t i = 0; i < a->n; i++)
        for (int64_t d = 0; d < a->dim; d++)
            ((double *)a->x)[i * a->dim + d] =
                ((const double *)a->table)[a->tokens[i] * a->dim + d];
}

void ref_embedding_backward(struct dev *dev, const struct embedding_backward_args *a)
{
    (void)dev;
    for (int64_t i = 0; i < a->n; i++)
        for (int64_t d = 0; d < a->dim; d++)
            ((double *)a->dtable)[a->tokens[i] * a->dim + d] +=
                ((const double *)a->dx)[i * a->dim + d];
}

void ref_rmsnorm(struct dev *dev, const struct rmsnorm_args *a)
{
    (void)dev;
    for (int64_t r = 0; r < a->n_rows; r++) {
        int64_t row = r / a->heads, head = r % a->heads * a->dim;
        const double *x = (const double *)a->x + row * a->x_stride + head, *w = a->w;
        double *y = (double *)a->y + row * a->y_stride + head, sum = 0;
        for (int64_t i = 0; i < a->dim; i++)
            sum += x[i] * x[i];
        double rstd = 1 / sqrt(sum / (double)a->dim + a->eps);
        if (a->rstd)
            ((double *)a->rstd)[r] = rstd;
        for (int64_t i = 0; i < a->dim; i++)
            y[i] = (a->y_acc && a->y_accumulate ? y[i] : 0) + x[i] * rstd * w[i];
    }
}

/* With xhat = x rstd:  dw += dy xhat,  dx = rstd (dy w - xhat mean(dy w xhat)). */
void ref_rmsnorm_backward(struct dev *dev, const struct rmsnorm_backward_args *a)
{
    (void)dev;
    for (int64_t r = 0; r < a->n_rows; r++) {
        int64_t row = r / a->heads, head = r % a->heads * a->dim;
        const double *x = (const double *)a->x + row * a->x_stride + head, *w = a->w;
        const double *dy = (const double *)a->dy + row * a->y_stride + head;
        double *dx = (double *)a->dx + row * a->x_stride + head, *dw = a->dw;
        double rstd = ((const double *)a->rstd)[r], mean = 0;
        for (int64_t i = 0; i < a->dim; i++) {
            mean += dy[i] * w[i] * x[i] * rstd / (double)a->dim;
            dw[i] += dy[i] * x[i] * rstd;
        }
        for (int64_t i = 0; i < a->dim; i++) {
            double g = rstd * (dy[i] * w[i] - x[i] * rstd * mean);
            dx[i] = a->dx_accumulate ? dx[i] + g : g;
        }
    }
}

void ref_rope(struct dev *dev, const struct rope_args *a)
{
    int64_t half = a->head_dim / 2;
    (void)dev;
    for (int64_t i = 0; i < a->n; i++)
        for (int64_t h = 0; h < a->heads; h++)
            for (int64_t d = 0; d < half; d++) {
                double *x = (double *)a->x + i * a->stride + h * a->head_dim + d;
                double c = ((const double *)a->cos)[a->positions[i] * half + d];
                double s = ((const double *)a->sin)[a->positions[i] * half + d];
                double p = x[0], q = x[half];
                if (a->inverse)
                    s = -s;
                x[0] = p * c - q * s;
                x[half] = q * c + p * s;
            }
}

void ref_swiglu(struct dev *dev, const struct swiglu_args *a)
{
    (void)dev;
    for (int64_t i = 0; i < a->n; i++)
        for (int64_t d = 0; d < a->dim; d++) {
            const double *gate = (const double *)a->gate_up + i * 2 * a->dim + d;
            ((double *)a->h)[i * a->dim + d] = gate[0] / (1 + exp(-gate[0])) * gate[a->dim];
        }
}

void ref_swiglu_backward(struct dev *dev, const struct swiglu_backward_args *a)
{
    (void)dev;
    for (int64_t i = 0; i < a->n; i++)
        for (int64_t d = 0; d < a->dim; d++) {
            int64_t at = i * 2 * a->dim + d;
            double g = ((const double *)a->gate_up)[at];
            double up = ((const double *)a->gate_up)[at + a->dim];
            double dh = ((const double *)a->dh)[i * a->dim + d], s = 1 / (1 + exp(-g));
            ((double *)a->dgate_up)[at] = dh * up * s * (1 + g * (1 - s));
            ((double *)a->dgate_up)[at + a->dim] = dh * g * s;
        }
}

void ref_add(struct dev *dev, void *acc, const void *x, int64_t n)
{
    (void)dev;
    for (int64_t i = 0; i < n; i++)
        ((double *)acc)[i] += ((const double *)x)[i];
}
