/* loss.c - reference: log-probabilities, their gradient, drawing, the optimiser's step. */
#include <math.h>
#include <stdlib.h>

#include "kernels/ref/ref_ops.h"

void ref_logprob(struct dev *dev, const struct logprob_args *a)
{
    (void)dev;
    for (int64_t i = 0; i < a->n; i++) {
        const double *row = (const double *)a->logits + i * a->stride;
        double t = a->inv_temp ? ((const double *)a->inv_temp)[i] : 1;
        double max = -INFINITY, sum = 0, entropy = 0;
        for (int64_t v = 0; v < a->vocab; v++)
            max = fmax(max, t * row[v]);
        for (int64_t v = 0; v < a->vocab; v++)
            sum += exp(t * row[v] - max);
        double lse = max + log(sum);
        for (int64_t v = 0; v < a->vocab; v++) {
            double logp = t * row[v] - lse;
            entropy -= logp > -700 ? exp(logp) * logp : 0;
        }
        ((double *)a->logprobs)[i] = t * row[a->targets[i]] - lse;
        if (a->lse)
            ((double *)a->lse)[i] = lse;
        if (a->entropy)
            ((double *)a->entropy)[i] = entropy;
    }
}

void ref_logprob_backward(struct dev *dev, const struct logprob_backward_args *a)
{
    (void)dev;
    for (int64_t i = 0; i < a->n; i++) {
        const double *row = (const double *)a->logits + i * a->stride;
        double *d = (double *)a->dlogits + i * a->stride;
        double t = a->inv_temp ? ((const double *)a->inv_temp)[i] : 1;
        double dz = a->dz ? ((const double *)a->dz)[i] : 0;
        double lse = ((const double *)a->lse)[i], dlp = ((const double *)a->dlogprobs)[i];
        for (int64_t v = 0; v < a->vocab; v++) {
            double p = exp(t * row[v] - lse);
            d[v] = t * (dlp * ((v == a->targets[i]) - p) + 2 * dz * lse * p);
        }
        for (int64_t v = a->vocab; v < a->stride; v++)
            d[v] = 0;
    }
}

static int32_t largest(const double *row, int64_t n)
{
    int64_t best = 0;
    for (int64_t v = 1; v < n; v++)
        if (row[v] > row[best])
            best = v;
    return (int32_t)best;
}

struct ranked {
    double p; /* over the largest */
    int64_t id;
};

static int by_rank(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    return x->p > y->p ? -1 : x->p < y->p ? 1 : x->id < y->id ? -1 : 1;
}

static double mass_of(const struct ranked *r, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += r[i].p;
    return sum;
}

/* How many of the n best are left. */
static int64_t rank_cut(const struct ranked *r, int64_t n, int64_t top_k, double top_p, double min_p)
{
    int64_t most = top_k > 0 && top_k < n ? top_k : n, kept = 0;
    double mass = mass_of(r, most), sum = 0;
    while (kept < most && (kept == 0 || ((top_p >= 1 || sum < top_p * mass) && r[kept].p >= min_p)))
        sum += r[kept++].p;
    return kept;
}

void ref_truncate(struct dev *dev, const struct truncate_args *a)
{
    struct ranked *r = malloc((size_t)a->vocab * sizeof *r);
    (void)dev;
    if (!r)
        abort();
    for (int64_t i = 0; i < a->n; i++) {
        double *row = (double *)a->logits + i * a->stride;
        double t = a->inv_temp ? ((const double *)a->inv_temp)[i] : 1, best = row[largest(row, a->vocab)];
        for (int64_t v = 0; v < a->vocab; v++)
            r[v] = (struct ranked){exp(t * (row[v] - best)), v};
        qsort(r, (size_t)a->vocab, sizeof *r, by_rank);
        for (int64_t v = rank_cut(r, a->vocab, a->top_k[i], a->top_p[i], a->min_p[i]); v < a->vocab; v++)
            row[r[v].id] = -INFINITY;
    }
    free(r);
}

void ref_draw(struct dev *dev, const struct draw_args *a)
{
    (void)dev;
    for (int64_t i = 0; i < a->n; i++) {
        const double *row = (const double *)a->logits + i * a->stride;
        double t = a->inv_temp ? ((const double *)a->inv_temp)[i] : 1, total = 0, below = 0;
        int32_t best = largest(row, a->vocab);
        for (int64_t v = 0; v < a->vocab; v++)
            total += exp(t * (row[v] - row[best]));
        int64_t v = 0;
        while (v < a->vocab - 1 && (below += exp(t * (row[v] - row[best]))) <= a->u[i] * total)
            v++;
        a->tokens[i] = a->u[i] < 0 ? best : (int32_t)v;
    }
}

void ref_adamw(struct dev *dev, const struct adamw_args *a)
{
    double *w = a->master, *m = a->m, *v = a->v;
    (void)dev;
    for (int64_t i = 0; i < a->n; i++) {
        double g = ((const double *)a->grad)[i] * a->grad_scale;
        m[i] = a->beta1 * m[i] + (1 - a->beta1) * g;
        v[i] = a->beta2 * v[i] + (1 - a->beta2) * g * g;
        w[i] -=
            a->lr * (m[i] / a->bias1 / (sqrt(v[i] / a->bias2) + a->eps) + a->weight_decay * w[i]);
        ((double *)a->weights)[i] = w[i];
    }
}

double ref_sum_squares(struct dev *dev, const void *x, int64_t n)
{
    double sum = 0;
    (void)dev;
    for (int64_t i = 0; i < n; i++)
        sum += ((const double *)x)[i] * ((const double *)x)[i];
    return sum;
}
