/* pareto.c - what several metrics can reach together. */
#include "mix/pareto.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { MAX_POINTS = 5000 };

/* The pool that trees choose from. */

struct pool {
    int64_t n;
    double *x;       /* [n, m] */
    double *metric;  /* [n_goals, n] each goal's part of the objective, at weight 1 */
    double *kl;      /* [n] */
};

static void pool_release_all(struct pool *p)
{
    free(p->x);
    free(p->metric);
    free(p->kl);
}

/* f with all the weight on goal k. */
static struct objective only_goal(const struct objective *f, int64_t k, struct goal *goal)
{
    struct objective one = *f;
    *goal = f->goals[k];
    goal->weight = 1;
    one.goals = goal;
    one.n = 1;
    return one;
}

static void pool_score(struct pool *pool, const struct search *s)
{
    int64_t m = s->p->limits.m;
    pool->metric = xcalloc((size_t)(s->f->n * pool->n), sizeof *pool->metric);
    pool->kl = xcalloc((size_t)pool->n, sizeof *pool->kl);
    for (int64_t k = 0; k < s->f->n; k++) {
        struct goal goal;
        struct objective one = only_goal(s->f, k, &goal);
        objective_values(&one, pool->x, pool->n, pool->metric + k * pool->n);
    }
    for (int64_t i = 0; i < pool->n && s->kl > 0; i++)
        pool->kl[i] = s->kl * kl_divergence(pool->x + i * m, s->p->prior, m);
}

/* Around the optimum of each goal alone, and of all of them. */
static void pool_draw(struct pool *pool, const struct search *s)
{
    int64_t m = s->p->limits.m, n_centres = s->f->n + 2;
    double *centres = xcalloc((size_t)(n_centres * m), sizeof *centres);
    struct search quick = *s;
    quick.rounds = 2;
    quick.candidates = s->candidates < 20000 ? s->candidates : 20000;
    for (int64_t k = 0; k < s->f->n; k++) {
        struct goal goal;
        struct objective one = only_goal(s->f, k, &goal);
        quick.f = &one;
        search_best(&quick, centres + k * m);
    }
    quick.f = s->f;
    search_best(&quick, centres + s->f->n * m);
    memcpy(centres + (s->f->n + 1) * m, s->p->prior, (size_t)m * sizeof *centres);
    /* Halfway between two of them is where the front is. */
    int64_t n_mixed = n_centres * n_centres;
    double *mixed = xcalloc((size_t)(n_mixed * m), sizeof *mixed);
    for (int64_t a = 0; a < n_centres; a++)
        for (int64_t b = 0; b < n_centres; b++)
            for (int64_t j = 0; j < m; j++)
                mixed[(a * n_centres + b) * m + j] =
                    0.48 * (centres[a * m + j] + centres[b * m + j]) + 0.04 * s->p->prior[j];
    pool->n = s->candidates;
    pool->x = xreallocarray(NULL, (size_t)(pool->n * m), sizeof *pool->x);
    struct draw d = {.limits = &s->p->limits, .centres = mixed, .n_centres = n_mixed, .seed = s->seed,
                     .round = 99, .low = 3, .high = 1000};
    draw_mixtures(&d, pool->n, pool->x);
    pool_score(pool, s);
    free(centres);
    free(mixed);
}

static double pool_best(const struct pool *pool, const struct search *s, double *x)
{
    int64_t m = s->p->limits.m, best = 0;
    double least = INFINITY;
    for (int64_t i = 0; i < pool->n; i++) {
        double value = pool->kl[i];
        for (int64_t k = 0; k < s->f->n; k++)
            value += s->f->goals[k].weight * pool->metric[k * pool->n + i];
        if (value < least) {
            least = value;
            best = i;
        }
    }
    memcpy(x, pool->x + best * m, (size_t)m * sizeof *x);
    return least;
}

/* The best of the pool, or the laws' optimum, if the model has laws and likes it better. */
static void best_of_both(const struct search *s, const struct pool *pool, double *x)
{
    int64_t m = s->p->limits.m;
    double value = pool_best(pool, s, x), other;
    if (s->f->model->kind != &regressor_mean)
        return;
    struct objective laws = objective_of_laws(s->f);
    struct search smooth = *s;
    double *law = xcalloc((size_t)m, sizeof *law);
    smooth.f = &laws;
    search_best(&smooth, law);
    objective_values(s->f, law, 1, &other);
    if (s->kl > 0)
        other += s->kl * kl_divergence(law, s->p->prior, m);
    if (other < value)
        memcpy(x, law, (size_t)m * sizeof *x);
    free(law);
    objective_release(&laws);
}

/* The lattice of weights. */

/* The next way to write a number as a sum of n parts from 0 on, beginning with all of it in the last;
 * false after all of it was in the first. */
static bool next_lattice(int64_t *part, int64_t n)
{
    int64_t k = n - 1;
    while (k > 0 && part[k] == 0)
        k--;
    if (k == 0)
        return false;
    int64_t rest = part[k] - 1;
    part[k] = 0;
    part[k - 1]++;
    part[n - 1] = rest;
    return true;
}

static json_t *goal_weights_json(const struct objective *f)
{
    json_t *o = json_object();
    for (int64_t k = 0; k < f->n; k++)
        json_object_set_new(o, f->model->metrics[f->goals[k].metric].name, json_number(f->goals[k].weight));
    return o;
}

static void add_solved(json_t *all, struct search *s, const struct pool *pool,
                       const struct mixture_report *r, const int64_t *part, int64_t steps, double *x)
{
    for (int64_t k = 0; k < s->f->n; k++)
        r->f->goals[k].weight = (double)part[k] / (double)steps;
    if (pool->n)
        best_of_both(s, pool, x);
    else
        search_best(s, x);
    json_t *o = mixture_json(r, x), *line = json_object();
    json_object_set_new(line, "kind", json_string("solved"));
    json_object_set_new(line, "goal_weights", goal_weights_json(s->f));
    json_object_update(line, o);
    json_array_append_new(all, line);
    json_decref(o);
}

static void add_runs(json_t *all, const struct mix_model *m, const struct objective *f)
{
    for (int64_t i = 0; i < m->n_runs; i++) {
        const double *y = m->measured + i * m->n_metrics;
        if (isnan(objective_measured(f, y)))
            continue;
        json_t *o = json_object(), *weights = json_object(), *measured = json_object();
        for (int64_t d = 0; d < m->n_domains; d++)
            json_object_set_new(weights, m->domains[d], json_number(m->runs[i * m->n_domains + d]));
        for (int64_t k = 0; k < m->n_metrics; k++)
            json_object_set_new(measured, m->metrics[k].name, json_number(y[k]));
        json_object_set_new(o, "kind", json_string("run"));
        json_object_set_new(o, "run", json_string(m->run_ids[i]));
        json_object_set_new(o, "weights", weights);
        json_object_set_new(o, "measured", measured);
        json_array_append_new(all, o);
    }
}

/* Who is on the front. */

static const char *values_member(const json_t *o)
{
    return json_object_get(o, "measured") ? "measured" : "predicted";
}

static double goal_of(const json_t *o, const struct objective *f, int64_t k)
{
    const char *name = f->model->metrics[f->goals[k].metric].name;
    double y = json_number_value(json_object_get(json_object_get(o, values_member(o)), name));
    return f->goals[k].rising ? -y : y;
}

/* a is as good in all goals, and better in one. */
static bool dominates(const json_t *a, const json_t *b, const struct objective *f)
{
    bool better = false;
    for (int64_t k = 0; k < f->n; k++) {
        double x = goal_of(a, f, k), y = goal_of(b, f, k);
        if (x > y)
            return false;
        better |= x < y;
    }
    return better;
}

static void mark_front(json_t *all, const struct objective *f)
{
    size_t n = json_array_size(all);
    for (size_t i = 0; i < n; i++) {
        json_t *o = json_array_get(all, i);
        bool front = true;
        for (size_t k = 0; k < n && front; k++) {
            const json_t *other = json_array_get(all, k);
            front = strcmp(values_member(other), values_member(o)) != 0 || !dominates(other, o, f);
        }
        json_object_set_new(o, "front", json_boolean(front));
    }
}

static int64_t lattice_size(int64_t steps, int64_t n)
{
    double size = 1;
    for (int64_t k = 1; k < n; k++)
        size *= (double)(steps + k) / (double)k;
    return size > 1e9 ? (int64_t)1e9 : (int64_t)(size + 0.5);
}

static json_t *sweep(const struct mix_model *model, const struct solve_options *o,
                     const struct problem *p, struct objective *f, int64_t steps)
{
    struct search s = {.f = f, .p = p, .kl = fmax(o->problem.kl, 0), .candidates = o->candidates,
                       .rounds = SEARCH_ROUNDS, .seed = o->seed};
    struct mixture_report r = {model, f, p, s.kl, o->problem.tokens};
    struct pool pool = {0};
    int64_t *part = xcalloc((size_t)f->n, sizeof *part);
    double *x = xcalloc((size_t)model->n_domains, sizeof *x);
    json_t *all = json_array();
    if (!f->smooth)
        pool_draw(&pool, &s);
    part[f->n - 1] = steps;
    do
        add_solved(all, &s, &pool, &r, part, steps, x);
    while (next_lattice(part, f->n));
    add_runs(all, model, f);
    mark_front(all, f);
    pool_release_all(&pool);
    free(part);
    free(x);
    return all;
}

json_t *mix_pareto(const struct mix_model *model, const struct solve_options *o, int64_t points,
                   struct err *err)
{
    struct problem p;
    struct objective f;
    json_t *all = NULL;
    if (mix_problem_init(&p, model, &o->problem, err) < 0)
        return NULL;
    if (objective_parse(&f, model, o->objective, p.prior, o->force, err) == 0) {
        int64_t size = lattice_size(points - 1, f.n);
        if (f.n < 2)
            err_set(err, "--objective: a front needs at least two metrics");
        else if (size > MAX_POINTS)
            err_set(err, "--points %lld: that is %lld points between %lld metrics, more than %d",
                    (long long)points, (long long)size, (long long)f.n, MAX_POINTS);
        else
            all = sweep(model, o, &p, &f, points - 1);
        objective_release(&f);
    }
    mix_problem_release(&p);
    return all;
}
