/* truncate.c - what top-k, top-p and min-p leave of a distribution.
 *
 * A row's exponentials over the largest are floats in [0, 1], whose bits order as they do.  The bits of the last
 * one that stays are found byte by byte: how many there are, or how much mass there is, of each byte's value
 * beneath what is known of it already (a radix selection, without sorting).
 */
#include "kernels/cpu/cpu.h"

#include <string.h>

/* Stays: more than `at`, or as much and an id up to `last`. */
struct cut {
    uint32_t at;
    int64_t last;
};

struct row {
    const uint32_t *bits;
    int64_t vocab;
};

static bool stays(const struct cut *c, uint32_t bits, int64_t id)
{
    return bits > c->at || (bits == c->at && id <= c->last);
}

static uint64_t mass_of(uint32_t bits)
{
    float e;
    memcpy(&e, &bits, sizeof e);
    return e > 0 && e <= 1 ? (uint64_t)(e * (float)TRUNCATE_UNIT) : 0;
}

static uint64_t weight_of(uint32_t bits, bool mass)
{
    return mass ? mass_of(bits) : 1;
}

static uint64_t total_of(const struct row *r, const struct cut *c)
{
    uint64_t sum = 0;
    for (int64_t i = 0; i < r->vocab; i++)
        sum += stays(c, r->bits[i], i) ? mass_of(r->bits[i]) : 0;
    return sum;
}

/* Of what c leaves, the best that have the weight `target` together, which all have at least. */
static void tighten(const struct row *r, struct cut *c, bool mass, uint64_t target)
{
    uint32_t found = 0;
    uint64_t above = 0;
    for (int shift = 24; shift >= 0; shift -= 8) {
        uint64_t weights[256] = {0};
        int digit = 255;
        for (int64_t i = 0; i < r->vocab; i++)
            if ((uint64_t)r->bits[i] >> (shift + 8) == found && stays(c, r->bits[i], i))
                weights[r->bits[i] >> shift & 255] += weight_of(r->bits[i], mass);
        while (digit > 0 && above + weights[digit] < target)
            above += weights[digit--];
        found = found << 8 | (uint32_t)digit;
    }
    struct cut tighter = {found, r->vocab};
    for (int64_t i = 0; i < r->vocab && above < target; i++)
        if (r->bits[i] == found && stays(c, found, i)) {
            above += weight_of(found, mass);
            tighter.last = i;
        }
    *c = tighter;
}

/* The bits of exponentials over the largest. */
static void find_bits(const float *logits, int64_t vocab, float inv_temp, uint32_t *bits)
{
    float max = logits_max(logits, vocab) * inv_temp, e[LOGITS_CHUNK + LANES];
    for (int64_t at = 0; at < vocab; at += LOGITS_CHUNK) {
        logits_exponentials(logits, vocab, at / LOGITS_CHUNK, inv_temp, max, e);
        memcpy(bits + at, e, (size_t)min_i64(LOGITS_CHUNK, vocab - at) * sizeof *bits);
    }
}

struct truncation {
    const struct truncate_args *a;
    uint32_t *bits; /* [threads][vocab] */
};

static void truncate_row(const struct truncate_args *a, int64_t i, uint32_t *bits)
{
    float *logits = (float *)a->logits + i * a->stride;
    float inv_temp = a->inv_temp ? ((const float *)a->inv_temp)[i] : 1.0f, min_p = (float)a->min_p[i], e;
    const struct row r = {bits, a->vocab};
    struct cut c = {0, a->vocab};
    find_bits(logits, a->vocab, inv_temp, bits);
    if (a->top_k[i] > 0 && a->top_k[i] < a->vocab)
        tighten(&r, &c, false, (uint64_t)a->top_k[i]);
    if (a->top_p[i] < 1) {
        uint64_t all = total_of(&r, &c), target = (uint64_t)ceil(a->top_p[i] * (double)all);
        tighten(&r, &c, true, target < 1 ? 1 : target > all ? all : target);
    }
    for (int64_t v = 0; v < a->vocab; v++) {
        memcpy(&e, &bits[v], sizeof e);
        if (!stays(&c, bits[v], v) || e < min_p)
            logits[v] = -INFINITY;
    }
}

static void truncate_rows(void *arg, int64_t first, int64_t last, int thread)
{
    const struct truncation *t = arg;
    const struct truncate_args *a = t->a;
    for (int64_t i = first; i < last; i++)
        if (a->top_k[i] > 0 || a->top_p[i] < 1 || a->min_p[i] > 0)
            truncate_row(a, i, t->bits + thread * a->vocab);
}

size_t truncate_shared(int64_t vocab, int64_t n_threads)
{
    return (size_t)(vocab * max_i64(1, n_threads)) * sizeof(uint32_t);
}

void cpu_truncate(struct dev *dev, const struct truncate_args *a)
{
    struct truncation t = {.a = a, .bits = cpu_shared(dev, truncate_shared(a->vocab, dev->n_threads))};
    if (t.bits)
        cpu_rows(dev, a->n, 8 * a->vocab, truncate_rows, &t);
}
