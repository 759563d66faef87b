/* law.c - the mixing law y = bias +- exp(coef . x), by Levenberg and Marquardt. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "mix/regress.h"
#include "mix/stats.h"

enum { MAX_STEPS = 200, N_FOLDS = 5 };
/* Pulls the centred exponents to 0 in directions the data does not fix; y is standardised. */
static const double PENALTY = 1e-4;
static const double MAX_EXPONENT = 50; /* e^50 is beyond any metric; keeps sums finite */

/* The unknowns are coef [m] and one more for the bias: its logarithm when the metric is positive
 * and falls (the law's irreducible loss is above 0), itself otherwise. */
struct law {
    const struct fit_data *d;
    const int64_t *rows; /* which rows of d to fit; n of them */
    int64_t n;
    double scale; /* standard deviation of y */
    bool log_bias;
};

static double law_bias(const struct law *l, const double *p)
{
    return l->log_bias ? exp(p[l->d->m]) : p[l->d->m];
}

static double law_term(const double *coef, const double *x, int64_t m)
{
    double e = dot(coef, x, m);
    return exp(fmin(fmax(e, -MAX_EXPONENT), MAX_EXPONENT));
}

static double penalty_cost(const double *coef, int64_t m)
{
    double mean = 0, sum = 0;
    for (int64_t j = 0; j < m; j++)
        mean += coef[j] / (double)m;
    for (int64_t j = 0; j < m; j++)
        sum += (coef[j] - mean) * (coef[j] - mean);
    return PENALTY * sum;
}

static double law_cost(const struct law *l, const double *p)
{
    int64_t m = l->d->m;
    double sign = l->d->rising ? -1 : 1, bias = law_bias(l, p), cost = penalty_cost(p, m);
    for (int64_t i = 0; i < l->n; i++) {
        int64_t row = l->rows[i];
        double r = (bias + sign * law_term(p, l->d->x + row * m, m) - l->d->y[row]) / l->scale;
        cost += r * r;
    }
    return isfinite(cost) ? cost : INFINITY;
}

/* gram = J^T J and right = -J^T r of residuals and penalty at p. */
static void law_normal(const struct law *l, const double *p, double *gram, double *right,
                       double *jac)
{
    int64_t m = l->d->m, k = m + 1;
    double sign = l->d->rising ? -1 : 1, bias = law_bias(l, p), mean = 0;
    memset(gram, 0, (size_t)(k * k) * sizeof *gram);
    memset(right, 0, (size_t)k * sizeof *right);
    for (int64_t i = 0; i < l->n; i++) {
        const double *x = l->d->x + l->rows[i] * m;
        double term = sign * law_term(p, x, m);
        double r = (bias + term - l->d->y[l->rows[i]]) / l->scale;
        for (int64_t j = 0; j < m; j++)
            jac[j] = term * x[j] / l->scale;
        jac[m] = (l->log_bias ? bias : 1) / l->scale;
        for (int64_t a = 0; a < k; a++) {
            right[a] -= jac[a] * r;
            for (int64_t b = 0; b <= a; b++)
                gram[a * k + b] += jac[a] * jac[b];
        }
    }
    for (int64_t j = 0; j < m; j++)
        mean += p[j] / (double)m;
    /* The centring matrix I - 11'/m is its own square. */
    for (int64_t a = 0; a < m; a++) {
        right[a] -= PENALTY * (p[a] - mean);
        for (int64_t b = 0; b <= a; b++)
            gram[a * k + b] += PENALTY * ((a == b) - 1.0 / (double)m);
    }
}

struct law_work {
    double *gram, *damped, *right, *step, *jac, *next;
};

static void work_init(struct law_work *w, int64_t m)
{
    size_t k = (size_t)m + 1;
    w->gram = xcalloc(k * k, sizeof(double));
    w->damped = xcalloc(k * k, sizeof(double));
    w->right = xcalloc(k, sizeof(double));
    w->step = xcalloc(k, sizeof(double));
    w->jac = xcalloc(k, sizeof(double));
    w->next = xcalloc(k, sizeof(double));
}

static void work_release(struct law_work *w)
{
    free(w->gram);
    free(w->damped);
    free(w->right);
    free(w->step);
    free(w->jac);
    free(w->next);
}

/* Improves p in place; returns its cost. */
static double law_descend(const struct law *l, struct law_work *w, double *p)
{
    int64_t k = l->d->m + 1;
    double cost = law_cost(l, p), damping = 1e-3;
    for (int it = 0; it < MAX_STEPS && isfinite(cost) && damping < 1e12; it++) {
        law_normal(l, p, w->gram, w->right, w->jac);
        double next_cost = INFINITY;
        for (; damping < 1e12; damping *= 4) {
            memcpy(w->damped, w->gram, (size_t)(k * k) * sizeof(double));
            memcpy(w->step, w->right, (size_t)k * sizeof(double));
            for (int64_t a = 0; a < k; a++)
                w->damped[a * (k + 1)] += damping * (w->gram[a * (k + 1)] + 1e-8);
            if (!cholesky_solve(w->damped, k, w->step))
                continue;
            for (int64_t a = 0; a < k; a++)
                w->next[a] = p[a] + w->step[a];
            next_cost = law_cost(l, w->next);
            if (next_cost < cost)
                break;
        }
        if (!(next_cost < cost))
            break;
        bool small = cost - next_cost < 1e-10 * cost;
        memcpy(p, w->next, (size_t)k * sizeof(double));
        cost = next_cost;
        damping = fmax(damping / 8, 1e-12);
        if (small)
            break;
    }
    return cost;
}

/* Guesses the bias `share` of the way from the best value to (for a loss) 0, and takes logarithms. */
static void law_start(const struct law *l, double share, double *p)
{
    const struct fit_data *d = l->d;
    double sign = d->rising ? -1 : 1, lowest = INFINITY, highest = -INFINITY;
    for (int64_t i = 0; i < l->n; i++) {
        lowest = fmin(lowest, sign * d->y[l->rows[i]]);
        highest = fmax(highest, sign * d->y[l->rows[i]]);
    }
    double span = fmax(highest - lowest, 1e-12);
    double bias = l->log_bias ? share * lowest : lowest - 3 * span * (1 - share) - 1e-3 * span;
    double *x = xcalloc((size_t)(l->n * d->m), sizeof *x), *y = xcalloc((size_t)l->n, sizeof *y);
    for (int64_t i = 0; i < l->n; i++) {
        memcpy(x + i * d->m, d->x + l->rows[i] * d->m, (size_t)d->m * sizeof *x);
        y[i] = log(sign * d->y[l->rows[i]] - bias);
    }
    ridge_through_origin(x, y, l->n, d->m, 1e-3, p);
    p[d->m] = l->log_bias ? log(bias) : sign * bias;
    free(x);
    free(y);
}

static void law_search(const struct law *l, struct law_work *w, double *best)
{
    static const double shares[] = {0.05, 0.3, 0.55, 0.75, 0.87, 0.95};
    size_t k = (size_t)l->d->m + 1;
    double *p = xcalloc(k, sizeof *p), best_cost = INFINITY;
    for (size_t s = 0; s < ARRAY_SIZE(shares); s++) {
        law_start(l, shares[s], p);
        double cost = law_descend(l, w, p);
        if (s == 0 || cost < best_cost) {
            best_cost = cost;
            memcpy(best, p, k * sizeof *p);
        }
    }
    free(p);
}

/* Each fold starts at the full fit: one descent instead of a search. */
static void law_cross_validate(const struct law *full, struct law_work *w, const double *fitted,
                               double *held_out)
{
    const struct fit_data *d = full->d;
    int64_t *rows = xcalloc((size_t)d->n, sizeof *rows);
    double *p = xcalloc((size_t)d->m + 1, sizeof *p);
    for (int fold = 0; fold < N_FOLDS; fold++) {
        struct law part = *full;
        part.rows = rows;
        part.n = 0;
        for (int64_t i = 0; i < d->n; i++)
            if (i % N_FOLDS != fold)
                rows[part.n++] = i;
        memcpy(p, fitted, (size_t)(d->m + 1) * sizeof *p);
        law_descend(&part, w, p);
        double sign = d->rising ? -1 : 1, bias = law_bias(&part, p);
        for (int64_t i = fold; i < d->n; i += N_FOLDS)
            held_out[i] = bias + sign * law_term(p, d->x + i * d->m, d->m);
    }
    free(rows);
    free(p);
}

static void law_init(struct law *l, const struct fit_data *d, int64_t *rows)
{
    double mean = 0, var = 0, lowest = INFINITY;
    for (int64_t i = 0; i < d->n; i++) {
        rows[i] = i;
        mean += d->y[i] / (double)d->n;
        lowest = fmin(lowest, d->y[i]);
    }
    for (int64_t i = 0; i < d->n; i++)
        var += (d->y[i] - mean) * (d->y[i] - mean) / (double)d->n;
    *l = (struct law){.d = d, .rows = rows, .n = d->n, .scale = var > 0 ? sqrt(var) : 1};
    l->log_bias = !d->rising && lowest > 0;
}

static int law_fit(const struct fit_data *d, struct surrogate *out, double *held_out,
                   struct err *err)
{
    if (d->n < 5)
        return err_set(err, "%lld runs, the law needs at least 5", (long long)d->n);
    struct law l;
    struct law_work w;
    int64_t *rows = xcalloc((size_t)d->n, sizeof *rows);
    double *p = xcalloc((size_t)d->m + 1, sizeof *p);
    law_init(&l, d, rows);
    work_init(&w, d->m);
    law_search(&l, &w, p);
    law_cross_validate(&l, &w, p, held_out);
    *out = (struct surrogate){
        .kind = &regressor_law, .rising = d->rising, .bias = law_bias(&l, p), .penalty = PENALTY};
    out->coef = p;
    work_release(&w);
    free(rows);
    return 0;
}

static double law_value(const struct surrogate *s, const double *x, int64_t m)
{
    return s->bias + (s->rising ? -1 : 1) * law_term(s->coef, x, m);
}

static void law_gradient(const struct surrogate *s, const double *x, int64_t m, double *grad)
{
    double term = (s->rising ? -1 : 1) * law_term(s->coef, x, m);
    for (int64_t j = 0; j < m; j++)
        grad[j] = term * s->coef[j];
}

const struct regressor regressor_law = {
    .name = "law",
    .convex_log = true,
    .fit = law_fit,
    .value = law_value,
    .gradient = law_gradient,
};
