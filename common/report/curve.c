/* curve.c - points of one curve: smoothing, and reduction to what a picture can show. */
#include "report/curve.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

void curve_add(struct curve *c, double x, double y)
{
    if (c->n == c->cap) {
        c->cap = c->cap ? 2 * c->cap : 64;
        c->x = xreallocarray(c->x, (size_t)c->cap, sizeof *c->x);
        c->y = xreallocarray(c->y, (size_t)c->cap, sizeof *c->y);
    }
    c->x[c->n] = x;
    c->y[c->n++] = y;
}

void curve_release(struct curve *c)
{
    free(c->x);
    free(c->y);
    *c = (struct curve){0};
}

/* Sums of windows by blocks of one window's length (van Herk): a window is the end of one block and
 * the beginning of the next, so nothing is ever subtracted and one wild value spoils only the
 * windows it lies in. */

struct sum {
    long double total; /* sums of the largest doubles stay finite */
    int64_t count;
};

static struct sum sum_add(struct sum s, double y)
{
    if (!isnan(y)) {
        s.total += y;
        s.count++;
    }
    return s;
}

static double mean_of(struct sum s)
{
    return s.count ? (double)(s.total / (long double)s.count) : (double)NAN;
}

static double padded(const struct curve *c, int64_t i)
{
    return i >= 0 && i < c->n ? c->y[i] : (double)NAN;
}

void curve_smooth(const struct curve *c, int64_t window, struct curve *out)
{
    int64_t half = window / 2, w = 2 * half + 1, n = c->n + 2 * half;
    struct sum *from_start = xreallocarray(NULL, (size_t)n, sizeof *from_start);
    struct sum *to_end = xreallocarray(NULL, (size_t)n, sizeof *to_end);
    for (int64_t i = 0; i < n; i++)
        from_start[i] = sum_add(i % w ? from_start[i - 1] : (struct sum){0}, padded(c, i - half));
    for (int64_t i = n - 1; i >= 0; i--)
        to_end[i] = sum_add(i + 1 < n && (i + 1) % w ? to_end[i + 1] : (struct sum){0},
                            padded(c, i - half));
    *out = (struct curve){0};
    for (int64_t i = 0; i < c->n; i++) {
        struct sum s = from_start[i + w - 1];
        if (i % w) {
            s.total += to_end[i].total;
            s.count += to_end[i].count;
        }
        curve_add(out, c->x[i], isnan(c->y[i]) ? (double)NAN : mean_of(s));
    }
    free(from_start);
    free(to_end);
}

/* The points [from, to) of one part. */
static void reduce_part(const struct curve *c, int64_t from, int64_t to, struct curve *out)
{
    int64_t lo = -1, hi = -1;
    bool broken = false;
    for (int64_t i = from; i < to; i++) {
        if (isnan(c->y[i])) {
            broken = true;
            continue;
        }
        lo = lo < 0 || c->y[i] < c->y[lo] ? i : lo;
        hi = hi < 0 || c->y[i] > c->y[hi] ? i : hi;
    }
    int64_t first = lo < hi ? lo : hi, second = lo < hi ? hi : lo;
    if (first >= 0)
        curve_add(out, c->x[first], c->y[first]);
    if (second > first)
        curve_add(out, c->x[second], c->y[second]);
    if (broken)
        curve_add(out, c->x[to - 1], (double)NAN);
}

static int64_t part_of(double x, double x0, double x1, int64_t n_parts)
{
    double p = x1 > x0 ? floor((x - x0) / (x1 - x0) * (double)n_parts) : 0;
    return p < 0 ? 0 : p >= (double)n_parts ? n_parts - 1 : (int64_t)p;
}

void curve_reduce(const struct curve *c, double x0, double x1, int64_t n_parts, struct curve *out)
{
    *out = (struct curve){0};
    if (c->n <= 2 * n_parts) {
        for (int64_t i = 0; i < c->n; i++)
            curve_add(out, c->x[i], c->y[i]);
        return;
    }
    for (int64_t from = 0, to; from < c->n; from = to) {
        int64_t part = part_of(c->x[from], x0, x1, n_parts);
        for (to = from + 1; to < c->n && part_of(c->x[to], x0, x1, n_parts) == part;)
            to++;
        reduce_part(c, from, to, out);
    }
}

bool curve_range(const struct curve *c, double *lo, double *hi)
{
    bool any = false;
    for (int64_t i = 0; i < c->n; i++) {
        double y = c->y[i];
        if (isnan(y))
            continue;
        *lo = !any || y < *lo ? y : *lo;
        *hi = !any || y > *hi ? y : *hi;
        any = true;
    }
    return any;
}

double curve_tail_mean(const struct curve *c, int64_t n)
{
    struct sum s = {0};
    for (int64_t i = c->n - 1; i >= 0 && s.count < n; i--)
        s = sum_add(s, c->y[i]);
    return mean_of(s);
}

double curve_first(const struct curve *c)
{
    for (int64_t i = 0; i < c->n; i++)
        if (!isnan(c->y[i]))
            return c->y[i];
    return (double)NAN;
}

int64_t curve_n_missing(const struct curve *c)
{
    int64_t n = 0;
    for (int64_t i = 0; i < c->n; i++)
        n += isnan(c->y[i]);
    return n;
}
