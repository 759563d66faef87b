/* swarm.c - mixtures for many small training runs. */
#include "mix/swarm.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "mix/simplex.h"

enum { N_STRENGTHS = 15, MAX_TRIES = 1000 };

/* In logarithms: a strength of 0.1 over a prior share of 1% is Gamma(0.001), whose draws are almost
 * all below the smallest double. */
void dirichlet_log(struct rng *r, const double *centre, int64_t m, double strength, double *log_x)
{
    for (int64_t j = 0; j < m; j++)
        log_x[j] = centre[j] > 0 ? rng_gamma_log(r, strength * centre[j]) : -INFINITY;
}

static void draw_dirichlet(struct rng *r, const double *prior, int64_t m, double strength,
                           double *x)
{
    double top = -INFINITY, sum = 0;
    dirichlet_log(r, prior, m, strength, x);
    for (int64_t j = 0; j < m; j++)
        top = fmax(top, x[j]);
    for (int64_t j = 0; j < m; j++) {
        x[j] = exp(x[j] - top);
        sum += x[j];
    }
    for (int64_t j = 0; j < m; j++)
        x[j] /= sum;
}

static void drop_small(double *x, int64_t m, double min_weight)
{
    double sum = 0, biggest = 0;
    for (int64_t j = 0; j < m; j++)
        biggest = fmax(biggest, x[j]);
    for (int64_t j = 0; j < m; j++) {
        if (x[j] < fmin(min_weight, biggest))
            x[j] = 0;
        sum += x[j];
    }
    for (int64_t j = 0; j < m; j++)
        x[j] /= sum;
}

static bool seen_before(const int64_t *out, int64_t row, int64_t m)
{
    for (int64_t i = 0; i < row; i++)
        if (memcmp(out + i * m, out + row * m, (size_t)m * sizeof *out) == 0)
            return true;
    return false;
}

static double draw_strength(const struct swarm_options *o, struct rng *r)
{
    double at = (double)rng_below(r, N_STRENGTHS) / (N_STRENGTHS - 1);
    return o->strength_low * pow(o->strength_high / o->strength_low, at);
}

/* One mixture in units: run 0 and 1 are given, the others drawn. */
static void draw_row(const struct swarm_options *o, const double *prior, const struct limits *l,
                     int64_t i, int attempt, double *x, int64_t *out)
{
    struct rng r;
    int64_t m = l->m;
    rng_init(&r, o->seed, "mix-fit", (uint64_t)i, (uint64_t)attempt);
    for (int64_t j = 0; j < m; j++)
        x[j] = i == 0 ? prior[j] : o->second ? o->second[j] : 1.0 / (double)m;
    if (i > 1) {
        draw_dirichlet(&r, prior, m, draw_strength(o, &r), x);
        drop_small(x, m, o->min_weight);
    }
    if (o->limits) {
        for (int64_t j = 0; j < m; j++)
            x[j] = log(x[j]);
        simplex_project(l, x, x);
    }
    simplex_round(x, l, SWARM_UNITS, out);
}

int swarm_draw(const struct swarm_options *o, const double *prior, int64_t m, int64_t *out,
               struct err *err)
{
    double *x = xcalloc((size_t)m * 3, sizeof *x);
    struct limits open = {.m = m, .lo = x + m, .hi = x + 2 * m};
    int rc = 0;
    for (int64_t j = 0; j < m; j++)
        open.hi[j] = 1;
    for (int64_t i = 0; i < o->n && rc == 0; i++) {
        bool found = false;
        for (int attempt = 0; attempt < MAX_TRIES && !found; attempt++) {
            draw_row(o, prior, o->limits ? o->limits : &open, i, attempt, x, out + i * m);
            /* A uniform prior makes the first two runs alike; that is what was asked for. */
            found = i <= 1 || !seen_before(out, i, m);
        }
        if (!found)
            rc = err_set(err, "cannot find %lld different mixtures of %lld domains; "
                              "a smaller --min-weight or other --strength may help",
                         (long long)o->n, (long long)m);
    }
    free(x);
    return rc;
}
