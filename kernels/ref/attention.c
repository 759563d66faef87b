/* attention.c - reference: causal attention, its gradient, the KV cache. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/ref/ref_ops.h"

static double dot(const double *a, const double *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* One query over keys [first, last], stride apart; returns the log-sum-exp. */
static double attend(double *out, const double *q, const double *k, const double *v, int64_t stride,
                     int64_t first, int64_t last, int64_t head_dim, double scale)
{
    double max = -INFINITY, sum = 0;
    for (int64_t j = first; j <= last; j++)
        max = fmax(max, scale * dot(q, k + j * stride, head_dim));
    for (int64_t j = first; j <= last; j++)
        sum += exp(scale * dot(q, k + j * stride, head_dim) - max);
    double lse = max + log(sum);
    for (int64_t d = 0; d < head_dim; d++)
        out[d] = 0;
    for (int64_t j = first; j <= last; j++) {
        double p = exp(scale * dot(q, k + j * stride, head_dim) - lse);
        for (int64_t d = 0; d < head_dim; d++)
            out[d] += p * v[j * stride + d];
    }
    return lse;
}

/* The first row that row i of a sequence starting at start sees. */
static int64_t first_key(int64_t i, int64_t start, int64_t window)
{
    return window > 0 && i - window + 1 > start ? i - window + 1 : start;
}

void ref_attention(struct dev *dev, const struct attention_args *a)
{
    int64_t hd = a->head_dim, group = a->n_heads / a->n_kv_heads;
    (void)dev;
    for (int64_t s = 0; s < a->n_seqs; s++)
        for (int64_t i = a->seq_start[s]; i < a->seq_start[s + 1]; i++)
            for (int64_t h = 0; h < a->n_heads; h++) {
                double lse = attend((double *)a->out + (i * a->n_heads + h) * hd,
                                    (const double *)a->q + i * a->q_stride + h * hd,
                                    (const double *)a->k + h / group * hd,
                                    (const double *)a->v + h / group * hd, a->kv_stride,
                                    first_key(i, a->seq_start[s], a->window), i, hd, a->scale);
                if (a->lse)
                    ((double *)a->lse)[i * a->n_heads + h] = lse;
            }
}

/* One query row and head: dq is set, dk and dv are added to. */
static void backward_row(const struct attention_backward_args *a, int64_t start, int64_t i,
                         int64_t h)
{
    int64_t hd = a->head_dim, at = (i * a->n_heads + h) * hd;
    int64_t head = h / (a->n_heads / a->n_kv_heads) * hd;
    const double *q = (const double *)a->q + i * a->q_stride + h * hd;
    const double *dout = (const double *)a->dout + at, *out = (const double *)a->out + at;
    double *dq = (double *)a->dq + i * a->q_stride + h * hd;
    double lse = ((const double *)a->lse)[i * a->n_heads + h], delta = dot(dout, out, hd);
    for (int64_t d = 0; d < hd; d++)
        dq[d] = 0;
    for (int64_t j = first_key(i, start, a->window); j <= i; j++) {
        int64_t kv = j * a->kv_stride + head;
        const double *k = (const double *)a->k + kv, *v = (const double *)a->v + kv;
        double p = exp(a->scale * dot(q, k, hd) - lse);
        double ds = a->scale * p * (dot(dout, v, hd) - delta);
        for (int64_t d = 0; d < hd; d++) {
            dq[d] += ds * k[d];
            ((double *)a->dk)[kv + d] += ds * q[d];
            ((double *)a->dv)[kv + d] += p * dout[d];
        }
    }
}

void ref_attention_backward(struct dev *dev, const struct attention_backward_args *a)
{
    (void)dev;
    for (int64_t i = 0; i < a->n; i++)
        for (int64_t d = 0; d < a->n_kv_heads * a->head_dim; d++) {
            ((double *)a->dk)[i * a->kv_stride + d] = 0;
            ((double *)a->dv)[i * a->kv_stride + d] = 0;
        }
    for (int64_t s = 0; s < a->n_seqs; s++)
        for (int64_t i = a->seq_start[s]; i < a->seq_start[s + 1]; i++)
            for (int64_t h = 0; h < a->n_heads; h++)
                backward_row(a, a->seq_start[s], i, h);
}

/* -- the cache: [page][position][k or v][head][head_dim] -- */

static int64_t row_elems(const struct kv_shape *s)
{
    return s->n_kv_heads * s->head_dim;
}

static int64_t page_at(const struct kv_shape *s, int64_t page)
{
    return page * KV_PAGE * 2 * row_elems(s);
}

static int64_t cache_at(const struct kv_shape *s, const struct kv_table *t, int64_t slot, int64_t pos)
{
    return page_at(s, t->pages[slot * t->slot_pages + pos / KV_PAGE]) + pos % KV_PAGE * 2 * row_elems(s);
}

size_t ref_kv_cache_bytes(struct dev *dev, const struct kv_shape *s)
{
    (void)dev;
    return (size_t)page_at(s, s->n_pages) * sizeof(double);
}

void ref_kv_append(struct dev *dev, const struct kv_append_args *a)
{
    int64_t n = row_elems(&a->shape);
    (void)dev;
    for (int64_t i = 0; i < a->n; i++) {
        double *to = (double *)a->cache + cache_at(&a->shape, &a->table, a->slot[i], a->pos[i]);
        memcpy(to, (const double *)a->k + i * a->kv_stride, (size_t)n * sizeof(double));
        memcpy(to + n, (const double *)a->v + i * a->kv_stride, (size_t)n * sizeof(double));
    }
}

void ref_kv_copy(struct dev *dev, const struct kv_copy_args *a)
{
    double *cache = a->cache;
    (void)dev;
    if (a->src != a->dst)
        memcpy(cache + page_at(&a->shape, a->dst), cache + page_at(&a->shape, a->src),
               (size_t)page_at(&a->shape, 1) * sizeof(double));
}

/* Positions [0, pos] of row i, end to end, malloc'ed. */
static double *gathered(const struct attention_cached_args *a, int64_t i)
{
    const double *cache = a->cache;
    int64_t n = 2 * row_elems(&a->shape);
    double *all = malloc((size_t)(n * (a->pos[i] + 1)) * sizeof(double));
    if (!all)
        abort();
    for (int64_t p = 0; p <= a->pos[i]; p++)
        memcpy(all + p * n, cache + cache_at(&a->shape, &a->table, a->slot[i], p), (size_t)n * sizeof(double));
    return all;
}

void ref_attention_cached(struct dev *dev, const struct attention_cached_args *a)
{
    const struct kv_shape *s = &a->shape;
    int64_t hd = s->head_dim, group = a->n_heads / s->n_kv_heads, n = row_elems(s);
    (void)dev;
    for (int64_t i = 0; i < a->n; i++) {
        double *kv = gathered(a, i);
        for (int64_t h = 0; h < a->n_heads; h++) {
            const double *k = kv + h / group * hd;
            attend((double *)a->out + (i * a->n_heads + h) * hd,
                   (const double *)a->q + i * a->q_stride + h * hd, k, k + n, 2 * n,
                   first_key(a->pos[i], 0, a->window), a->pos[i], hd, a->scale);
        }
        free(kv);
    }
}
