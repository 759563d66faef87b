/* search.c - the mixture that an objective likes best, within limits. */
#include "mix/search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/pool.h"
#include "base/rng.h"
#include "mix/swarm.h"

enum { N_BEST_RUNS = 10, DRAW_CHUNK = 1024, MAX_TIGHTENED = 60 };

/* Smooth objectives. */

/* Start number k: the prior, the uniform mixture, then nearly all of one domain. */
static void start_at(const struct limits *l, const double *prior, int64_t k, double *log_z, double *x)
{
    for (int64_t j = 0; j < l->m; j++) {
        double even = 1.0 / (double)l->m;
        log_z[j] = log(k == 0 ? prior[j] : k == 1 ? even : (j == k - 2 ? 0.9 : 0.1 * even));
    }
    simplex_project(l, log_z, x);
}

/* With ceilings: as often as it takes until they hold.  The Lagrangian's minimum is no more than the
 * minimum that is sought, so what the result lies above it is part of the gap. */
static struct convex_result minimize(const struct search *s, const struct convex_problem *problem,
                                     struct objective *f, double *x)
{
    struct convex_result r = simplex_minimize(problem, x);
    if (!f->reference)
        return r;
    for (int round = 0; round < MAX_TIGHTENED && !objective_tighten(f, x); round++)
        r = simplex_minimize(problem, x);
    double value;
    objective_values(f, x, 1, &value);
    if (s->kl > 0)
        value += s->kl * kl_divergence(x, s->p->prior, s->p->limits.m);
    return (struct convex_result){value, r.gap + fmax(0, value - r.value), r.steps};
}

static struct found descend(const struct search *s, struct objective *f, double *best)
{
    int64_t m = s->p->limits.m;
    double *x = xcalloc((size_t)m, sizeof *x), *log_z = xcalloc((size_t)m, sizeof *log_z);
    struct convex_problem problem = {.limits = &s->p->limits,
                                     .self = f,
                                     .f = objective_value,
                                     .kl = s->kl,
                                     .prior = s->p->prior,
                                     .tolerance = 1e-9};
    struct found found = {.value = INFINITY, .gap = NAN};
    for (int64_t k = 0; k < (f->convex ? 1 : m + 2); k++) {
        start_at(&s->p->limits, s->p->prior, k, log_z, x);
        objective_relax(f);
        struct convex_result r = minimize(s, &problem, f, x);
        if (k == 0 || r.value < found.value) {
            found = (struct found){r.value, f->convex ? r.gap : NAN};
            memcpy(best, x, (size_t)m * sizeof *x);
        }
    }
    free(x);
    free(log_z);
    return found;
}

/* Draws. */

struct draw_job {
    const struct draw *d;
    int64_t n;
    double *x;
};

static void draw_chunk(void *arg, int64_t chunk, int thread)
{
    const struct draw_job *job = arg;
    const struct draw *d = job->d;
    int64_t m = d->limits->m, end = (chunk + 1) * DRAW_CHUNK;
    double *log_z = xcalloc((size_t)m, sizeof *log_z);
    (void)thread;
    for (int64_t i = chunk * DRAW_CHUNK; i < job->n && i < end; i++) {
        struct rng r;
        rng_init(&r, d->seed, "mix-fit solve", (uint64_t)i, d->round);
        double strength = d->low * pow(d->high / d->low, rng_uniform(&r));
        dirichlet_log(&r, d->centres + i % d->n_centres * m, m, strength, log_z);
        simplex_project(d->limits, log_z, job->x + i * m);
    }
    free(log_z);
}

void draw_mixtures(const struct draw *d, int64_t n, double *x)
{
    struct draw_job job = {d, n, x};
    pool_for((n + DRAW_CHUNK - 1) / DRAW_CHUNK, draw_chunk, &job);
}

/* Objectives with steps. */

struct scored {
    double value;
    int64_t i;
};

static int by_score(const void *a, const void *b)
{
    const struct scored *p = a, *q = b;
    if (p->value != q->value)
        return p->value < q->value ? -1 : 1;
    return (p->i > q->i) - (p->i < q->i);
}

static void score_all(const struct search *s, const double *x, int64_t n, struct scored *out)
{
    double *value = xcalloc((size_t)n + 1, sizeof *value);
    objective_values(s->f, x, n, value);
    objective_add_excess(s->f, x, n, value);
    for (int64_t i = 0; i < n; i++) {
        if (s->kl > 0)
            value[i] += s->kl * kl_divergence(x + i * s->p->limits.m, s->p->prior, s->p->limits.m);
        out[i] = (struct scored){isnan(value[i]) ? INFINITY : value[i], i};
    }
    free(value);
}

struct centres {
    int64_t n, m;
    double *x; /* [CAP, m] */
};
enum { MAX_CENTRES = N_BEST_RUNS + 4 };

static void project(const struct limits *l, const double *x, double *out)
{
    double *log_z = xcalloc((size_t)l->m, sizeof *log_z);
    for (int64_t j = 0; j < l->m; j++)
        log_z[j] = log(x[j]);
    simplex_project(l, log_z, out);
    free(log_z);
}

/* A little of the prior is in every centre, so that no domain is out for good. */
static void add_centre(struct centres *c, const struct search *s, const double *x)
{
    double *centre = c->x + c->n++ * c->m;
    project(&s->p->limits, x, centre);
    for (int64_t j = 0; j < c->m; j++)
        centre[j] = 0.97 * centre[j] + 0.03 * s->p->prior[j];
}

/* The runs of the fit that were best by what was measured. */
static void add_best_runs(struct centres *c, const struct search *s)
{
    const struct mix_model *model = s->f->model;
    struct scored *run = xcalloc((size_t)model->n_runs + 1, sizeof *run);
    for (int64_t i = 0; i < model->n_runs; i++) {
        double value = objective_measured(s->f, model->measured + i * model->n_metrics);
        run[i] = (struct scored){isnan(value) ? INFINITY : value, i};
    }
    qsort(run, (size_t)model->n_runs, sizeof *run, by_score);
    for (int64_t k = 0; k < N_BEST_RUNS && k < model->n_runs && isfinite(run[k].value); k++)
        add_centre(c, s, model->runs + run[k].i * c->m);
    free(run);
}

/* One round: draws, and replaces the centres by the mean of the best draws, which is returned in mean,
 * and the ten best. */
static void search_round(const struct search *s, struct centres *c, int64_t round, double *x,
                         struct scored *scored, double *mean)
{
    const struct limits *l = &s->p->limits;
    int64_t m = l->m, n = s->candidates, top = n < SEARCH_TOP ? n : SEARCH_TOP;
    struct draw d = {.limits = l, .centres = c->x, .n_centres = c->n, .seed = s->seed,
                     .round = (uint64_t)round, .low = s->regmix ? 1 : 3 * (double)(round + 1),
                     .high = s->regmix ? 1 : 300 * (double)(round + 1)};
    draw_mixtures(&d, n, x);
    score_all(s, x, n, scored);
    qsort(scored, (size_t)n, sizeof *scored, by_score);
    memset(mean, 0, (size_t)m * sizeof *mean);
    for (int64_t k = 0; k < top; k++)
        for (int64_t j = 0; j < m; j++)
            mean[j] += x[scored[k].i * m + j] / (double)top;
    c->n = 0;
    add_centre(c, s, mean);
    project(l, mean, mean);
    for (int64_t k = 0; k < N_BEST_RUNS && k < n; k++)
        add_centre(c, s, x + scored[k].i * m);
}

static double value_at(const struct search *s, const double *x)
{
    struct scored one;
    score_all(s, x, 1, &one);
    return one.value;
}

static struct found sample(const struct search *s, const double *law, double *best)
{
    int64_t m = s->p->limits.m, n = s->candidates;
    struct centres c = {.m = m, .x = xcalloc((size_t)(MAX_CENTRES * m), sizeof *c.x)};
    struct scored *scored = xcalloc((size_t)n, sizeof *scored);
    double *x = xreallocarray(NULL, (size_t)(n * m), sizeof *x), *mean = xcalloc((size_t)m, sizeof *mean);
    struct found found = {.value = INFINITY, .gap = NAN};
    add_centre(&c, s, s->p->prior);
    if (!s->regmix && law)
        add_centre(&c, s, law);
    if (s->f->reference)
        add_centre(&c, s, s->f->reference);
    if (!s->regmix)
        add_best_runs(&c, s);
    for (int64_t round = 0; round < (s->regmix ? 1 : s->rounds); round++) {
        search_round(s, &c, round, x, scored, mean);
        double value = value_at(s, mean);
        if (value < found.value || round == 0) {
            found.value = value;
            memcpy(best, mean, (size_t)m * sizeof *mean);
        }
    }
    if (law && !s->regmix && value_at(s, law) < found.value) {
        found.value = value_at(s, law);
        memcpy(best, law, (size_t)m * sizeof *law);
    }
    free(c.x);
    free(scored);
    free(x);
    free(mean);
    return found;
}

struct found search_best(const struct search *s, double *x)
{
    struct objective f = *s->f;
    if (f.smooth && !s->regmix)
        return descend(s, &f, x);
    if (s->f->model->kind != &regressor_mean)
        return sample(s, NULL, x);
    double *law = xcalloc((size_t)s->p->limits.m, sizeof *law);
    struct objective laws = objective_of_laws(s->f);
    descend(s, &laws, law);
    struct found found = sample(s, law, x);
    objective_release(&laws);
    free(law);
    return found;
}
