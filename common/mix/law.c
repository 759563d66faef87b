/* law.c - the mixing law y = bias +- sum_h exp(coef_h . x), by Levenberg and Marquardt. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "mix/regress.h"
#include "mix/stats.h"

enum { MAX_STEPS = 200, N_STARTS = 3, MANY_RUNS = 15 };
/* One term: pulls the centred exponents to 0 in directions the data does not fix; y is standardised.
 * More terms: each is pulled to the law of one term instead, without which some run away to where they
 * no longer matter.  With fewer than MANY_RUNS runs a domain that pull has to be stronger. */
static const double PENALTY_ONE = 1e-4, PENALTY_MORE = 1e-5, PENALTY_FEW = 1e-2;
static const double MAX_EXPONENT = 50; /* e^50 is beyond any metric; keeps sums finite */

/* The unknowns are coef [terms, m] and one more for the bias: its logarithm when the metric is positive
 * and falls (the law's irreducible loss is above 0), itself otherwise. */
struct law {
    const struct fit_data *d;
    int64_t *rows; /* which rows of d to fit; n of them */
    int64_t n, terms;
    double scale, penalty; /* scale: the standard deviation of y */
    const double *anchor;  /* [m] what terms are pulled to; NULL = to their own mean */
    bool log_bias;
};

static int64_t n_unknowns(const struct law *l)
{
    return l->terms * l->d->m + 1;
}

static double law_bias(const struct law *l, const double *p)
{
    double bias = p[n_unknowns(l) - 1];
    return l->log_bias ? exp(bias) : bias;
}

static double law_term(const double *coef, const double *x, int64_t m)
{
    double e = dot(coef, x, m);
    return exp(fmin(fmax(e, -MAX_EXPONENT), MAX_EXPONENT));
}

static double law_sum(const double *coef, int64_t terms, const double *x, int64_t m)
{
    double sum = 0;
    for (int64_t h = 0; h < terms; h++)
        sum += law_term(coef + h * m, x, m);
    return sum;
}

static double law_predict(const struct law *l, const double *p, const double *x)
{
    double sign = l->d->rising ? -1 : 1;
    return law_bias(l, p) + sign * law_sum(p, l->terms, x, l->d->m);
}

/* away [m]: how far a term is from where it is pulled. */
static void pull(const struct law *l, const double *coef, double *away)
{
    double mean = 0;
    for (int64_t j = 0; j < l->d->m && !l->anchor; j++)
        mean += coef[j] / (double)l->d->m;
    for (int64_t j = 0; j < l->d->m; j++)
        away[j] = coef[j] - (l->anchor ? l->anchor[j] : mean);
}

struct law_work {
    double *gram, *damped, *right, *step, *jac, *next, *away;
};

static void work_init(struct law_work *w, int64_t m, int64_t terms)
{
    size_t k = (size_t)(m * terms) + 1;
    w->gram = xcalloc(k * k, sizeof(double));
    w->damped = xcalloc(k * k, sizeof(double));
    w->right = xcalloc(k, sizeof(double));
    w->step = xcalloc(k, sizeof(double));
    w->jac = xcalloc(k, sizeof(double));
    w->next = xcalloc(k, sizeof(double));
    w->away = xcalloc(k, sizeof(double));
}

static void work_release(struct law_work *w)
{
    free(w->gram);
    free(w->damped);
    free(w->right);
    free(w->step);
    free(w->jac);
    free(w->next);
    free(w->away);
}

static double law_cost(const struct law *l, const struct law_work *w, const double *p)
{
    int64_t m = l->d->m;
    double cost = 0;
    for (int64_t i = 0; i < l->n; i++) {
        int64_t row = l->rows[i];
        double r = (law_predict(l, p, l->d->x + row * m) - l->d->y[row]) / l->scale;
        cost += r * r;
    }
    for (int64_t h = 0; h < l->terms; h++) {
        pull(l, p + h * m, w->away);
        cost += l->penalty * dot(w->away, w->away, m);
    }
    return isfinite(cost) ? cost : INFINITY;
}

/* Adds the penalty's share to the normal equations. */
static void penalty_normal(const struct law *l, const double *p, struct law_work *w)
{
    int64_t m = l->d->m, k = n_unknowns(l);
    for (int64_t h = 0; h < l->terms; h++) {
        pull(l, p + h * m, w->away);
        /* The centring matrix I - 11'/m is its own square. */
        double centring = l->anchor ? 0 : 1.0 / (double)m;
        for (int64_t a = 0; a < m; a++) {
            w->right[h * m + a] -= l->penalty * w->away[a];
            for (int64_t b = 0; b <= a; b++)
                w->gram[(h * m + a) * k + h * m + b] += l->penalty * ((a == b) - centring);
        }
    }
}

/* gram += jac jac^T, right -= jac r.  No sum runs across lanes, so the wide version has the same bits. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
__attribute__((target_clones("avx2", "default")))
#endif
static void add_row(double *gram, double *right, const double *jac, double r, int64_t k)
{
    for (int64_t a = 0; a < k; a++) {
        double *row = gram + a * k, at = jac[a];
        right[a] -= at * r;
        for (int64_t b = 0; b <= a; b++)
            row[b] += at * jac[b];
    }
}

/* gram = J^T J (its lower half) and right = -J^T r of residuals and penalty at p. */
static void law_normal(const struct law *l, const double *p, struct law_work *w)
{
    int64_t m = l->d->m, k = n_unknowns(l);
    double sign = l->d->rising ? -1 : 1, bias = law_bias(l, p);
    memset(w->gram, 0, (size_t)(k * k) * sizeof(double));
    memset(w->right, 0, (size_t)k * sizeof(double));
    for (int64_t i = 0; i < l->n; i++) {
        const double *x = l->d->x + l->rows[i] * m;
        double r = bias - l->d->y[l->rows[i]], *jac = w->jac;
        for (int64_t h = 0; h < l->terms; h++) {
            double term = sign * law_term(p + h * m, x, m);
            r += term;
            for (int64_t j = 0; j < m; j++)
                jac[h * m + j] = term * x[j] / l->scale;
        }
        r /= l->scale;
        jac[k - 1] = (l->log_bias ? bias : 1) / l->scale;
        add_row(w->gram, w->right, jac, r, k);
    }
    penalty_normal(l, p, w);
}

/* Improves p in place; returns its cost. */
static double law_descend(const struct law *l, struct law_work *w, double *p)
{
    int64_t k = n_unknowns(l);
    double cost = law_cost(l, w, p), damping = 1e-3, enough = l->terms > 1 ? 1e-6 : 1e-10;
    for (int it = 0; it < MAX_STEPS && isfinite(cost) && damping < 1e12; it++) {
        law_normal(l, p, w);
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
            next_cost = law_cost(l, w, w->next);
            if (next_cost < cost)
                break;
        }
        if (!(next_cost < cost))
            break;
        bool small = cost - next_cost < enough * cost;
        memcpy(p, w->next, (size_t)k * sizeof(double));
        cost = next_cost;
        damping = fmax(damping / 8, 1e-12);
        if (small)
            break;
    }
    return cost;
}

/* One term. */

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

/* best [m + 1] */
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

/* More terms: the law of one term in equal parts, shaken apart. */

static struct law with_terms(const struct law *one, int64_t terms, const double *anchor)
{
    struct law l = *one;
    l.terms = terms;
    l.anchor = anchor;
    l.penalty = l.d->n >= MANY_RUNS * l.d->m ? PENALTY_MORE : PENALTY_FEW;
    return l;
}

/* one [m + 1] is the law of one term, p [terms * m + 1] the start. */
static void split_terms(const struct law *l, const double *one, int start, double *p)
{
    int64_t m = l->d->m;
    struct rng rng;
    rng_init(&rng, 0, "mix-fit law", (uint64_t)start, (uint64_t)l->terms);
    for (int64_t h = 0; h < l->terms; h++)
        for (int64_t j = 0; j < m; j++)
            p[h * m + j] = one[j] - log((double)l->terms) + 0.7 * rng_normal(&rng);
    p[l->terms * m] = one[m];
}

/* anchor [m]: each of the equal parts. */
static void anchor_of(const double *one, int64_t m, int64_t terms, double *anchor)
{
    for (int64_t j = 0; j < m; j++)
        anchor[j] = one[j] - log((double)terms);
}

/* Returns the start that was best, best [terms * m + 1]. */
static int search_terms(const struct law *l, struct law_work *w, const double *one, double *best)
{
    size_t k = (size_t)n_unknowns(l);
    double *p = xcalloc(k, sizeof *p), best_cost = INFINITY;
    int best_start = 0;
    for (int start = 0; start < N_STARTS; start++) {
        split_terms(l, one, start, p);
        double cost = law_descend(l, w, p);
        if (start == 0 || cost < best_cost) {
            best_cost = cost;
            best_start = start;
            memcpy(best, p, k * sizeof *p);
        }
    }
    free(p);
    return best_start;
}

/* A fold's law starts at the law of one term of the whole, which has one optimum, and splits it again
 * itself: what the left-out runs say cannot reach it by way of the terms. */
static void law_cross_validate(const struct law *full, struct law_work *w, const double *one,
                               int64_t terms, int start, double *held_out)
{
    const struct fit_data *d = full->d;
    int64_t m = d->m, *rows = xcalloc((size_t)d->n, sizeof *rows);
    double *p = xcalloc((size_t)m + 1, sizeof *p), *anchor = xcalloc((size_t)m, sizeof *anchor);
    double *q = xcalloc((size_t)(terms * m) + 1, sizeof *q);
    for (int fold = 0; fold < N_FOLDS; fold++) {
        struct law part = *full;
        part.rows = rows;
        part.n = 0;
        for (int64_t i = 0; i < d->n; i++)
            if (i % N_FOLDS != fold)
                rows[part.n++] = i;
        memcpy(p, one, (size_t)(m + 1) * sizeof *p);
        law_descend(&part, w, p);
        memcpy(q, p, (size_t)(m + 1) * sizeof *p);
        if (terms > 1) {
            anchor_of(p, m, terms, anchor);
            part = with_terms(&part, terms, anchor);
            split_terms(&part, p, start, q);
            law_descend(&part, w, q);
        }
        for (int64_t i = fold; i < d->n; i += N_FOLDS)
            held_out[i] = law_predict(&part, q, d->x + i * m);
    }
    free(rows);
    free(p);
    free(q);
    free(anchor);
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
    *l = (struct law){.d = d, .rows = rows, .n = d->n, .terms = 1, .penalty = PENALTY_ONE,
                      .scale = var > 0 ? sqrt(var) : 1};
    l->log_bias = !d->rising && lowest > 0;
}

/* The law of so many terms and its predictions of rows it did not see; keeps the better of it and what
 * out and held_out hold (if that has any terms). */
static void try_terms(const struct law *l, struct law_work *w, const double *one, int64_t terms,
                      struct surrogate *out, double *held_out)
{
    int64_t m = l->d->m, n = l->d->n;
    double *p = xcalloc((size_t)(terms * m) + 1, sizeof *p), *anchor = xcalloc((size_t)m, sizeof *p);
    double *guess = xcalloc((size_t)n, sizeof *guess);
    struct law more = *l;
    int start = 0;
    memcpy(p, one, (size_t)(m + 1) * sizeof *p);
    if (terms > 1) {
        anchor_of(one, m, terms, anchor);
        more = with_terms(l, terms, anchor);
        start = search_terms(&more, w, one, p);
    }
    if (held_out)
        law_cross_validate(l, w, one, terms, start, guess);
    if (out->n_terms == 0 || !held_out ||
        root_mean_square(guess, l->d->y, n) < root_mean_square(held_out, l->d->y, n)) {
        free(out->coef);
        out->bias = law_bias(&more, p);
        out->penalty = more.penalty;
        out->n_terms = terms;
        out->coef = p;
        p = NULL;
        if (held_out)
            memcpy(held_out, guess, (size_t)n * sizeof *guess);
    }
    free(p);
    free(anchor);
    free(guess);
}

static int law_fit(const struct fit_data *d, struct surrogate *out, double *held_out,
                   struct err *err)
{
    struct law l;
    struct law_work w;
    int64_t least = d->options.terms ? d->options.terms : 1, most = least;
    int64_t *rows = xcalloc((size_t)d->n, sizeof *rows);
    double *one = xcalloc((size_t)d->m + 1, sizeof *one), *own = NULL;
    (void)err; /* a law is always found, if not always a good one */
    if (!held_out && d->options.terms == 0) /* needed to choose */
        held_out = own = xcalloc((size_t)d->n, sizeof *own);
    if (d->options.terms == 0 && d->n >= MANY_RUNS * d->m)
        most = MAX_TERMS;
    law_init(&l, d, rows);
    work_init(&w, d->m, most);
    law_search(&l, &w, one);
    for (int64_t terms = least; terms <= most; terms++)
        try_terms(&l, &w, one, terms, out, held_out);
    work_release(&w);
    free(one);
    free(own);
    free(rows);
    return 0;
}

static double law_value(const struct surrogate *s, const double *x, int64_t m)
{
    return s->bias + (s->rising ? -1 : 1) * law_sum(s->coef, s->n_terms, x, m);
}

static void law_gradient(const struct surrogate *s, const double *x, int64_t m, double *grad)
{
    memset(grad, 0, (size_t)m * sizeof *grad);
    for (int64_t h = 0; h < s->n_terms; h++) {
        const double *coef = s->coef + h * m;
        double term = (s->rising ? -1 : 1) * law_term(coef, x, m);
        for (int64_t j = 0; j < m; j++)
            grad[j] += term * coef[j];
    }
}

static void law_write(const struct surrogate *s, int64_t m, json_t *obj)
{
    json_t *terms = json_array();
    for (int64_t h = 0; h < s->n_terms; h++)
        json_array_append_new(terms, json_from_doubles(s->coef + h * m, m));
    json_object_set_new(obj, "penalty", json_number(s->penalty));
    json_object_set_new(obj, "bias", json_number(s->bias));
    json_object_set_new(obj, "terms", terms);
}

static int law_read(struct surrogate *s, int64_t m, const json_t *obj, struct err *err)
{
    const json_t *terms = json_object_get(obj, "terms");
    int64_t n = (int64_t)json_array_size(terms);
    if (json_get_num(obj, "bias", &s->bias, err) < 0 ||
        json_opt_num(obj, "penalty", &s->penalty, err) < 0)
        return -1;
    if (n < 1 || n > MAX_TERMS)
        return err_set(err, "'terms' is not an array of 1 to %d terms", MAX_TERMS);
    s->n_terms = n;
    s->coef = xcalloc((size_t)(n * m), sizeof *s->coef);
    for (int64_t h = 0; h < n; h++) {
        const json_t *term = json_array_get(terms, (size_t)h);
        for (int64_t j = 0; j < m; j++) {
            const json_t *v = json_array_get(term, (size_t)j);
            if (!json_is_number(v) || (int64_t)json_array_size(term) != m)
                return err_set(err, "'terms' holds one that is not an array of %lld numbers",
                               (long long)m);
            s->coef[h * m + j] = json_number_value(v);
        }
    }
    return 0;
}

const struct regressor regressor_law = {
    .name = "law",
    .convex_log = true,
    .smooth = true,
    .min_runs = 5,
    .fit = law_fit,
    .value = law_value,
    .gradient = law_gradient,
    .write = law_write,
    .read = law_read,
};
