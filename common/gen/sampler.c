/* sampler.c - drawing a token from a truncated distribution, reproducibly. */
#include "gen/sampler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

bool sampling_truncates(const struct sampling *s)
{
    return s->temperature > 0 && (s->top_k > 0 || s->top_p < 1 || s->min_p > 0);
}

float sampling_inv_temp(const struct sampling *s)
{
    return s->temperature > 0 ? (float)(1.0 / s->temperature) : 1.0f;
}

void sampler_init(struct sampler *s, int64_t vocab)
{
    s->vocab = vocab;
    s->p = xreallocarray(NULL, (size_t)vocab, sizeof *s->p);
    s->keys = xreallocarray(NULL, (size_t)vocab, sizeof *s->keys);
}

void sampler_release(struct sampler *s)
{
    free(s->p);
    free(s->keys);
    *s = (struct sampler){0};
}

static int32_t argmax(const float *x, int64_t n)
{
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (x[i] > x[best])
            best = i;
    return (int32_t)best;
}

/* p = exp(z - max); returns the sum, in ascending order of ids. */
static double exponentials(struct sampler *s, const struct sampling *how, const float *logits)
{
    float inv_temp = sampling_inv_temp(how);
    float max = logits[argmax(logits, s->vocab)] * inv_temp;
    double total = 0;
    for (int64_t i = 0; i < s->vocab; i++) {
        s->p[i] = expf(logits[i] * inv_temp - max);
        total += (double)s->p[i];
    }
    return total;
}

/* Bits of floats >= 0 order as the floats do, so one integer holds the whole ranking. */
static uint64_t key_of(float p, int64_t id)
{
    uint32_t bits;
    memcpy(&bits, &p, sizeof bits);
    return (uint64_t)~bits << 32 | (uint64_t)id;
}

static int32_t key_id(uint64_t key)
{
    return (int32_t)(key & 0xffffffffu);
}

static int compare_keys(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Moves the k smallest of n keys to the front (Hoare's selection). */
static void select_smallest(uint64_t *keys, int64_t n, int64_t k)
{
    int64_t lo = 0, hi = n - 1;
    while (lo < hi) {
        uint64_t pivot = keys[lo + (hi - lo) / 2];
        int64_t i = lo, j = hi;
        while (i <= j) {
            while (keys[i] < pivot)
                i++;
            while (keys[j] > pivot)
                j--;
            if (i <= j) {
                uint64_t t = keys[i];
                keys[i++] = keys[j];
                keys[j--] = t;
            }
        }
        if (k - 1 <= j)
            hi = j;
        else if (k - 1 >= i)
            lo = i;
        else
            return;
    }
}

/* Tokens under this cannot be kept, so they need no sorting: together they weigh less than the share
 * 1 - top_p.  The factor leaves room for rounding of the sums. */
static float keep_floor(const struct sampling *how, int64_t vocab, double total)
{
    double floor = 0;
    if (how->top_k == 0 && how->top_p < 1)
        floor = 0.99 * (1 - how->top_p) * total / (double)vocab;
    else if (how->top_k == 0)
        floor = how->min_p;
    return (float)floor;
}

/* The kept tokens, best first, are keys[0..return); *mass is their sum of p. */
static int64_t truncate(struct sampler *s, const struct sampling *how, const float *logits,
                        double *mass)
{
    double total = exponentials(s, how, logits);
    float floor = keep_floor(how, s->vocab, total);
    int64_t n = 0, kept = 0;
    for (int64_t i = 0; i < s->vocab; i++)
        if (s->p[i] >= floor)
            s->keys[n++] = key_of(s->p[i], i);
    if (how->top_k > 0 && how->top_k < n) {
        select_smallest(s->keys, n, how->top_k);
        n = how->top_k;
    }
    qsort(s->keys, (size_t)n, sizeof *s->keys, compare_keys);
    if (how->top_k > 0) {
        total = 0;
        for (int64_t i = 0; i < n; i++)
            total += (double)s->p[key_id(s->keys[i])];
    }
    *mass = 0;
    while (kept < n && (kept == 0 || *mass < how->top_p * total || how->top_p >= 1)) {
        double p = (double)s->p[key_id(s->keys[kept])];
        if (kept > 0 && p < how->min_p) /* p_max is exp(0) = 1 */
            break;
        *mass += p;
        kept++;
    }
    return kept;
}

int32_t sampler_draw(struct sampler *s, const struct sampling *how, const float *logits, double u,
                     float *logprob)
{
    double mass, sum = 0;
    int64_t n = truncate(s, how, logits, &mass), i = 0;
    for (; i < n - 1; i++) {
        sum += (double)s->p[key_id(s->keys[i])];
        if (sum > u * mass)
            break;
    }
    int32_t token = n > 0 ? key_id(s->keys[i]) : 0; /* 0: logits that are no numbers */
    *logprob = (float)log((double)s->p[token] / mass);
    return token;
}

float sampler_logprob(struct sampler *s, const struct sampling *how, const float *logits, int32_t token)
{
    if (!sampling_truncates(how)) {
        double total = exponentials(s, how, logits);
        return (float)log((double)s->p[token] / total);
    }
    double mass;
    int64_t n = truncate(s, how, logits, &mass);
    for (int64_t i = 0; i < n; i++)
        if (key_id(s->keys[i]) == token)
            return (float)log((double)s->p[token] / mass);
    return -INFINITY;
}
