/* optimum.c - the best mixture and what it is to be compared with. */
#include "mix/optimum.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

enum { WEIGHT_UNITS = 1000000 };

/* The weights that --kl 1se chooses from, the first six of which are shown. */
static const double kl_steps[] = {0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1};
enum { N_KL_SHOWN = 6, PATH_CANDIDATES = 20000, PATH_ROUNDS = 3 };
static const double EXCESS_TOLERANCE = 1e-5; /* what rounding to millionths may do */

/* Millionths: the same digits on every machine, and nobody measures finer. */
static void round_shares(double *x, const struct limits *l)
{
    int64_t *units = xcalloc((size_t)l->m, sizeof *units);
    simplex_round(x, l, WEIGHT_UNITS, units);
    for (int64_t d = 0; d < l->m; d++)
        x[d] = (double)units[d] / WEIGHT_UNITS;
    free(units);
}

static void add_binding(json_t *a, const char *kind, const char *name, const char *limit, double share)
{
    json_array_append_new(a, json_pack("{ss ss so}", kind, name, "limit", limit, "share", json_number(share)));
}

static json_t *binding_json(const struct mix_model *m, const struct problem *p, const double *x)
{
    const struct limits *l = &p->limits;
    json_t *a = json_array();
    for (int64_t d = 0; d < m->n_domains; d++) {
        if (l->lo[d] > 0 && x[d] <= l->lo[d] + 1e-6)
            add_binding(a, "domain", m->domains[d], l->lo[d] == l->hi[d] ? "fix" : "min", l->lo[d]);
        else if (x[d] >= l->hi[d] - 1e-6)
            add_binding(a, "domain", m->domains[d],
                        l->hi[d] == m->train_max[d] && l->hi[d] < 1 ? "runs" : "max", l->hi[d]);
    }
    for (int g = 0; g < l->n_groups; g++) {
        double sum = 0;
        for (int64_t d = 0; d < m->n_domains; d++)
            sum += l->group[d] == g ? x[d] : 0;
        if (l->group_lo[g] > 0 && sum <= l->group_lo[g] + 1e-6)
            add_binding(a, "group", p->group_name[g], "min", l->group_lo[g]);
        else if (sum >= l->group_hi[g] - 1e-6)
            add_binding(a, "group", p->group_name[g], "max", l->group_hi[g]);
    }
    return a;
}

static void warn_far(const struct mix_model *m, const double *x)
{
    for (int64_t d = 0; d < m->n_domains; d++)
        if (x[d] > m->train_max[d] + 0.005)
            log_warn("domain '%s' gets %.3g, more than the %.3g of any run in the fit", m->domains[d],
                     x[d], m->train_max[d]);
}

/* Half the sum of differences: the share of the tokens that would have to change. */
static json_t *nearest_json(const struct mix_model *m, const double *x)
{
    int64_t best = -1;
    double least = INFINITY;
    for (int64_t i = 0; i < m->n_runs; i++) {
        double distance = 0;
        for (int64_t d = 0; d < m->n_domains; d++)
            distance += 0.5 * fabs(x[d] - m->runs[i * m->n_domains + d]);
        if (distance < least) {
            least = distance;
            best = i;
        }
    }
    if (best < 0)
        return json_null();
    return json_pack("{ss so}", "run", m->run_ids[best], "distance", json_number(least));
}

/* The run that was best by what was measured, with that beside the prediction. */
static json_t *best_run_json(const struct mixture_report *r)
{
    const struct mix_model *m = r->model;
    int64_t best = -1;
    double least = INFINITY;
    for (int64_t i = 0; i < m->n_runs; i++) {
        double value = objective_measured(r->f, m->measured + i * m->n_metrics);
        if (value < least) {
            least = value;
            best = i;
        }
    }
    if (best < 0)
        return json_null();
    json_t *o = mixture_json(r, m->runs + best * m->n_domains), *measured = json_object();
    for (int64_t k = 0; k < m->n_metrics; k++)
        json_object_set_new(measured, m->metrics[k].name, json_number(m->measured[best * m->n_metrics + k]));
    json_object_set_new(o, "run", json_string(m->run_ids[best]));
    json_object_set_new(o, "measured", measured);
    json_object_set_new(o, "measured_score", json_number(least));
    return o;
}

/* The path over KL weights. */

static struct search quick_search(const struct search *s, double kl)
{
    struct search q = *s;
    q.kl = kl;
    q.rounds = PATH_ROUNDS;
    q.candidates = s->candidates < PATH_CANDIDATES ? s->candidates : PATH_CANDIDATES;
    return q;
}

static json_t *path_json(const struct search *s, const struct mix_model *m)
{
    json_t *a = json_array();
    double *x = xcalloc((size_t)m->n_domains, sizeof *x), score;
    for (int k = 0; k < N_KL_SHOWN; k++) {
        struct search q = quick_search(s, kl_steps[k]);
        json_t *weights = json_object();
        search_best(&q, x);
        round_shares(x, &s->p->limits);
        objective_values(s->f, x, 1, &score);
        for (int64_t d = 0; d < m->n_domains; d++)
            json_object_set_new(weights, m->domains[d], json_number(x[d]));
        json_array_append_new(a, json_pack("{so so so so}", "kl_weight", json_number(kl_steps[k]), "score",
                                           json_number(score), "kl",
                                           json_number(kl_divergence(x, s->p->prior, m->n_domains)),
                                           "domains", weights));
    }
    free(x);
    return a;
}

/* The largest weight whose optimum is within one standard error of the one without KL. */
static double one_standard_error(const struct search *s, const struct mix_model *m)
{
    double *x = xcalloc((size_t)m->n_domains, sizeof *x), score, limit = 0, best = 0;
    for (size_t k = 0; k < ARRAY_SIZE(kl_steps); k++) {
        struct search q = quick_search(s, kl_steps[k]);
        search_best(&q, x);
        objective_values(s->f, x, 1, &score);
        if (k == 0)
            limit = score + objective_error(s->f, x);
        if (score <= limit)
            best = kl_steps[k];
    }
    free(x);
    log_info("--kl 1se: %g", best);
    return best;
}

/* What no metric may be much worse than. */

static int64_t find_domain(const void *self, const char *name)
{
    return mix_model_domain(self, name);
}

static int read_reference(const struct mix_model *m, const struct solve_options *o, const struct problem *p,
                          double *x, struct err *err)
{
    memcpy(x, p->prior, (size_t)m->n_domains * sizeof *x);
    if (!o->reference)
        return 0;
    json_t *doc = json_load_path(o->reference, err);
    const struct mixture_names names = {find_domain, m, m->n_domains};
    int rc = doc ? mixture_read(doc, o->reference, &names, x, err) : -1;
    json_decref(doc);
    return rc;
}

/* A mean of mixtures, and rounding, can be a little too bad: back towards the reference until it is not. */
static int pull_back(const struct search *s, double *x, struct err *err)
{
    enum { STEPS = 1000 };
    const struct mix_model *m = s->f->model;
    size_t n = (size_t)m->n_domains;
    double *from = xcalloc(2 * n, sizeof *from), *log_z = from + n, excess = INFINITY;
    int64_t goal = 0;
    memcpy(from, x, n * sizeof *from);
    for (int k = 0; k <= STEPS; k++) {
        for (size_t d = 0; d < n && k > 0; d++)
            log_z[d] = log(from[d] + (s->f->reference[d] - from[d]) * k / STEPS);
        if (k > 0)
            simplex_project(&s->p->limits, log_z, x);
        round_shares(x, &s->p->limits);
        excess = objective_excess(s->f, x, &goal);
        if (excess <= EXCESS_TOLERANCE)
            break;
    }
    free(from);
    if (excess <= EXCESS_TOLERANCE)
        return 0;
    return err_set(err, "no mixture was found within the limits that is nowhere more than %g worse than the "
                        "reference: '%s' would be %.4g worse",
                   s->f->margin, m->metrics[s->f->goals[goal].metric].name, excess + s->f->margin);
}

static json_t *no_worse_json(const struct objective *f, const double *x)
{
    json_t *metrics = json_object();
    for (int64_t i = 0; i < f->n; i++) {
        const struct mix_metric *k = &f->model->metrics[f->goals[i].metric];
        double y = surrogate_value(&k->fit, x, f->model->n_domains);
        double there = surrogate_value(&k->fit, f->reference, f->model->n_domains);
        double worse = (f->goals[i].rising ? there - y : y - there) / fabs(there);
        json_object_set_new(metrics, k->name, json_number(worse));
    }
    return json_pack("{so so}", "margin", json_number(f->margin), "worse", metrics);
}

static json_t *answer_json(const struct search *s, const struct mixture_report *r, double *x,
                           struct found found)
{
    const struct mix_model *m = r->model;
    double *even = xcalloc((size_t)m->n_domains, sizeof *even);
    round_shares(x, &r->p->limits);
    for (int64_t d = 0; d < m->n_domains; d++)
        even[d] = 1.0 / (double)m->n_domains;
    json_t *out = mixture_json(r, x);
    json_object_set_new(out, "gap", json_number(found.gap));
    json_object_set_new(out, "kl_weight", json_number(r->kl));
    json_object_set_new(out, "binding", binding_json(m, r->p, x));
    json_object_set_new(out, "nearest_run", nearest_json(m, x));
    json_object_set_new(out, "path", path_json(s, m));
    json_object_set_new(out, "prior", mixture_json(r, r->p->prior));
    json_object_set_new(out, "uniform", mixture_json(r, even));
    json_object_set_new(out, "best_run", best_run_json(r));
    if (r->f->reference) {
        json_object_set_new(out, "reference", mixture_json(r, r->f->reference));
        json_object_set_new(out, "no_worse", no_worse_json(r->f, x));
    }
    warn_far(m, x);
    free(even);
    return out;
}

static json_t *solve_problem(const struct mix_model *model, const struct solve_options *o,
                             const struct problem *p, const struct objective *f, struct err *err)
{
    struct search s = {.f = f, .p = p, .kl = o->problem.kl, .candidates = o->candidates,
                       .rounds = SEARCH_ROUNDS, .regmix = o->regmix, .seed = o->seed};
    double *x = xcalloc((size_t)model->n_domains, sizeof *x);
    json_t *out = NULL;
    if (s.kl < 0)
        s.kl = one_standard_error(&s, model);
    struct found found = search_best(&s, x);
    struct mixture_report r = {model, f, p, s.kl, o->problem.tokens};
    if (!isfinite(found.value))
        err_set(err, "the objective is not finite anywhere near the prior");
    else if (!f->reference || pull_back(&s, x, err) == 0)
        out = answer_json(&s, &r, x, found);
    free(x);
    return out;
}

json_t *mix_solve(const struct mix_model *model, const struct solve_options *o, struct err *err)
{
    struct problem p;
    struct objective f;
    json_t *out = NULL;
    if (mix_problem_init(&p, model, &o->problem, err) < 0)
        return NULL;
    double *reference = xcalloc((size_t)model->n_domains, sizeof *reference);
    if (objective_parse(&f, model, o->objective, p.prior, o->force, err) == 0) {
        if (o->no_worse < 0) {
            out = solve_problem(model, o, &p, &f, err);
        } else if (read_reference(model, o, &p, reference, err) == 0) {
            objective_no_worse(&f, reference, o->no_worse);
            out = solve_problem(model, o, &p, &f, err);
        }
        objective_release(&f);
    }
    free(reference);
    mix_problem_release(&p);
    return out;
}

/* The table. */

static const char *const columns[] = {NULL, "prior", "uniform", "best_run", "reference"};
static const char *const titles[] = {"optimum", "prior", "uniform", "best run", "reference"};

/* The last one only if there is one. */
static size_t n_columns(const json_t *answer)
{
    return ARRAY_SIZE(columns) - (json_object_get(answer, "reference") ? 0 : 1);
}

static const json_t *column(const json_t *answer, size_t c)
{
    return columns[c] ? json_object_get(answer, columns[c]) : answer;
}

static void print_row(const json_t *answer, int width, const char *name, const char *member, bool epochs)
{
    char line[256];
    int at = 0;
    for (size_t c = 0; c < n_columns(answer); c++) {
        const json_t *of = column(answer, c);
        const json_t *v = json_object_get(json_object_get(of, member), name);
        const json_t *e = json_object_get(json_object_get(of, "epochs"), name);
        char cell[32] = "-";
        if (json_is_number(v) && epochs && json_is_number(e))
            snprintf(cell, sizeof cell, "%.4f %6.2fx", json_number_value(v), json_number_value(e));
        else if (json_is_number(v))
            snprintf(cell, sizeof cell, epochs ? "%.4f" : "%.5g", json_number_value(v));
        at += snprintf(line + at, sizeof line - (size_t)at, " %15s", cell);
    }
    log_info("%-*s%s", width, name, line);
}

static void print_half_widths(const struct mix_model *m)
{
    for (int64_t k = 0; k < m->n_metrics; k++)
        if (isfinite(m->metrics[k].cv.rmse))
            log_info("predictions of '%s' are within +-%.3g of the truth in 95 of 100 mixtures like the "
                     "runs'", m->metrics[k].name, 1.96 * m->metrics[k].cv.rmse);
}

void mix_solve_table(const struct mix_model *m, const json_t *answer)
{
    int width = 9;
    const char *name;
    json_t *value;
    json_t *weights = json_object_get(answer, "weights");
    json_object_foreach(weights, name, value) width = (int)fmax(width, (double)strlen(name));
    for (int64_t k = 0; k < m->n_metrics; k++)
        width = (int)fmax(width, (double)strlen(m->metrics[k].name));
    char line[256];
    int at = 0;
    for (size_t c = 0; c < n_columns(answer); c++)
        at += snprintf(line + at, sizeof line - (size_t)at, " %15s", titles[c]);
    log_info("%-*s%s", width, "", line);
    json_object_foreach(weights, name, value) print_row(answer, width, name, "weights", true);
    for (int64_t k = 0; k < m->n_metrics; k++)
        print_row(answer, width, m->metrics[k].name, "predicted", false);
    print_half_widths(m);
    const json_t *nearest = json_object_get(answer, "nearest_run");
    log_info("%.1f%% of the optimum's tokens differ from the nearest run's, '%s'",
             100 * json_number_value(json_object_get(nearest, "distance")),
             json_string_value(json_object_get(nearest, "run")));
    size_t i;
    json_array_foreach(json_object_get(answer, "path"), i, value)
        log_info("kl weight %-6g score %.6g, divergence %.4g",
                 json_number_value(json_object_get(value, "kl_weight")),
                 json_number_value(json_object_get(value, "score")),
                 json_number_value(json_object_get(value, "kl")));
    log_info("repetition is not in the fit, whose runs saw fresh data: caps on epochs are yours to set");
}
