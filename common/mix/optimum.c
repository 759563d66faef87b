/* optimum.c - the mixture that the surrogates like best. */
#include "mix/optimum.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

enum { WEIGHT_UNITS = 1000000 };

/* The objective. */

static int64_t find_goal_metric(const struct objective *f, char *text, double *weight, bool *rising,
                                bool *said, struct err *err)
{
    *said = false;
    *weight = 1;
    char *colon = strrchr(text, ':');
    if (colon && (strcmp(colon, ":max") == 0 || strcmp(colon, ":min") == 0)) {
        *said = true;
        *rising = colon[2] == 'a';
        *colon = '\0';
        colon = strrchr(text, ':');
    }
    int64_t metric = mix_model_metric(f->model, text);
    if (metric < 0 && colon) {
        *colon = '\0';
        if (parse_float(colon + 1, 0, 1e300, weight, err) < 0)
            return err_prefix(err, "--objective '%s'", text);
        metric = mix_model_metric(f->model, text);
    }
    if (metric < 0)
        return err_set(err, "--objective: the model has no metric '%s'", text);
    return metric;
}

static int add_goal(struct objective *f, char *text, const double *prior, struct err *err)
{
    bool rising = false, said;
    double weight;
    int64_t metric = find_goal_metric(f, text, &weight, &rising, &said, err);
    if (metric < 0)
        return -1;
    const struct mix_metric *k = &f->model->metrics[metric];
    if (!said)
        rising = k->fit.rising;
    double at_prior = surrogate_value(&k->fit, prior, f->model->n_domains);
    GROW(f->goals, f->n, f->cap);
    f->goals[f->n++] = (struct goal){
        .metric = metric,
        .weight = weight,
        .rising = rising,
        .logarithm = k->fit.kind->convex_log && at_prior > 0,
        .scale = fabs(at_prior) > 1e-9 ? fabs(at_prior) : 1,
    };
    if (k->fit.kind->convex_log && rising != k->fit.rising) {
        log_warn("metric '%s' was fitted as one that %s; fit it with%s --higher-is-better to be sure "
                 "of the best mixture",
                 k->name, rising ? "falls" : "rises", rising ? "" : "out");
        f->convex = false;
    }
    return 0;
}

int objective_parse(struct objective *f, const struct mix_model *model, const char *text,
                    const double *prior, struct err *err)
{
    char *copy = xstrdup(text), *rest = copy, *item;
    double sum = 0;
    int rc = 0;
    *f = (struct objective){.model = model, .convex = true};
    f->grad = xcalloc((size_t)model->n_domains, sizeof *f->grad);
    while (rc == 0 && (item = strsep(&rest, ",")))
        rc = add_goal(f, item, prior, err);
    for (int64_t i = 0; i < f->n; i++)
        sum += f->goals[i].weight;
    if (rc == 0 && !(sum > 0))
        rc = err_set(err, "--objective: all weights are 0");
    for (int64_t i = 0; i < f->n && rc == 0; i++)
        f->goals[i].weight /= sum;
    free(copy);
    if (rc < 0)
        objective_release(f);
    return rc;
}

void objective_release(struct objective *f)
{
    free(f->goals);
    free(f->grad);
    memset(f, 0, sizeof *f);
}

double objective_value(void *objective, const double *x, double *grad)
{
    struct objective *f = objective;
    int64_t m = f->model->n_domains;
    double total = 0;
    memset(grad, 0, (size_t)m * sizeof *grad);
    for (int64_t i = 0; i < f->n; i++) {
        const struct goal *g = &f->goals[i];
        const struct surrogate *s = &f->model->metrics[g->metric].fit;
        double y = surrogate_value(s, x, m), factor = g->weight * (g->rising ? -1 : 1);
        if (g->logarithm && !(y > 0))
            return INFINITY;
        total += factor * (g->logarithm ? log(y) : y / g->scale);
        factor /= g->logarithm ? y : g->scale;
        s->kind->gradient(s, x, m, f->grad);
        for (int64_t j = 0; j < m; j++)
            grad[j] += factor * f->grad[j];
    }
    return total;
}

/* The search. */

/* Start number k: the prior, the uniform mixture, then nearly all of one domain. */
static void start_at(const struct limits *l, const double *prior, int64_t k, double *log_z, double *x)
{
    for (int64_t j = 0; j < l->m; j++) {
        double even = 1.0 / (double)l->m;
        log_z[j] = log(k == 0 ? prior[j] : k == 1 ? even : (j == k - 2 ? 0.9 : 0.1 * even));
    }
    simplex_project(l, log_z, x);
}

static struct convex_result search(const struct convex_problem *p, bool convex, double *best)
{
    int64_t m = p->limits->m;
    double *x = xcalloc((size_t)m, sizeof *x), *log_z = xcalloc((size_t)m, sizeof *log_z);
    struct convex_result best_result = {.value = INFINITY};
    for (int64_t k = 0; k < (convex ? 1 : m + 2); k++) {
        start_at(p->limits, p->prior, k, log_z, x);
        struct convex_result r = simplex_minimize(p, x);
        if (k == 0 || r.value < best_result.value) {
            best_result = r;
            memcpy(best, x, (size_t)m * sizeof *x);
        }
    }
    free(x);
    free(log_z);
    return best_result;
}

/* Output. */

static json_t *shares_json(const struct mix_model *m, const double *x)
{
    json_t *o = json_object();
    for (int64_t d = 0; d < m->n_domains; d++)
        json_object_set_new(o, m->domains[d], json_number(x[d]));
    return o;
}

static json_t *predicted_json(const struct mix_model *m, const double *x)
{
    json_t *o = json_object();
    for (int64_t k = 0; k < m->n_metrics; k++)
        json_object_set_new(o, m->metrics[k].name,
                            json_number(surrogate_value(&m->metrics[k].fit, x, m->n_domains)));
    return o;
}

/* A mixture to compare with. */
static json_t *other_json(struct objective *f, const struct problem *p, const double *x, double kl)
{
    json_t *o = json_object();
    double *grad = xcalloc((size_t)f->model->n_domains, sizeof *grad);
    double value = objective_value(f, x, grad);
    if (kl > 0)
        value += kl * kl_divergence(x, p->prior, f->model->n_domains);
    json_object_set_new(o, "weights", shares_json(f->model, x));
    json_object_set_new(o, "predicted", predicted_json(f->model, x));
    json_object_set_new(o, "objective", json_number(value));
    free(grad);
    return o;
}

static void add_tokens(json_t *out, const struct mix_model *m, const struct problem *p,
                       const double *x, double tokens)
{
    size_t n = (size_t)m->n_domains;
    int64_t *count = xcalloc(n, sizeof *count);
    json_t *each = json_object(), *epochs = json_object();
    simplex_round(x, p->hi, m->n_domains, (int64_t)tokens, count);
    for (size_t d = 0; d < n; d++) {
        json_object_set_new(each, m->domains[d], json_integer(count[d]));
        /* 0 of 0 tokens is no repetition. */
        double e = count[d] ? (double)count[d] / p->available[d] : 0;
        json_object_set_new(epochs, m->domains[d], json_number(e));
    }
    json_object_set_new(out, "tokens", each);
    json_object_set_new(out, "epochs", epochs);
    free(count);
}

static json_t *binding_json(const struct mix_model *m, const struct problem *p, const double *x)
{
    json_t *a = json_array();
    for (int64_t d = 0; d < m->n_domains; d++) {
        bool low = p->lo[d] > 0 && x[d] <= p->lo[d] + 1e-6, high = x[d] >= p->hi[d] - 1e-6;
        if (!low && !high)
            continue;
        json_t *o = json_object();
        json_object_set_new(o, "domain", json_string(m->domains[d]));
        json_object_set_new(o, "limit", json_string(low ? "min" : "max"));
        json_object_set_new(o, "share", json_number(low ? p->lo[d] : p->hi[d]));
        json_array_append_new(a, o);
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

static json_t *answer_json(struct objective *f, const struct problem *p,
                           const struct solve_options *o, double *x, struct convex_result r)
{
    const struct mix_model *m = f->model;
    size_t n = (size_t)m->n_domains;
    int64_t *units = xcalloc(n, sizeof *units);
    double *even = xcalloc(n, sizeof *even);
    json_t *out = json_object();
    /* Millionths: the same digits on every machine, and nobody measures finer. */
    simplex_round(x, p->hi, m->n_domains, WEIGHT_UNITS, units);
    for (size_t d = 0; d < n; d++) {
        x[d] = (double)units[d] / WEIGHT_UNITS;
        even[d] = 1.0 / (double)n;
    }
    json_object_set_new(out, "weights", shares_json(m, x));
    if (o->tokens > 0)
        add_tokens(out, m, p, x, o->tokens);
    json_object_set_new(out, "predicted", predicted_json(m, x));
    json_object_set_new(out, "objective", json_number(r.value));
    json_object_set_new(out, "gap", json_number(r.gap));
    json_object_set_new(out, "kl", json_number(kl_divergence(x, p->prior, m->n_domains)));
    json_object_set_new(out, "kl_weight", json_number(o->kl));
    json_object_set_new(out, "binding", binding_json(m, p, x));
    json_object_set_new(out, "prior", other_json(f, p, p->prior, o->kl));
    json_object_set_new(out, "uniform", other_json(f, p, even, o->kl));
    warn_far(m, x);
    free(units);
    free(even);
    return out;
}

json_t *mix_solve(const struct mix_model *model, const struct solve_options *o, struct err *err)
{
    struct problem p;
    struct objective f;
    json_t *out = NULL;
    if (problem_init(&p, model, o, err) < 0)
        return NULL;
    double *x = xcalloc((size_t)model->n_domains, sizeof *x);
    if (objective_parse(&f, model, o->objective, p.prior, err) == 0) {
        struct limits limits = {model->n_domains, p.lo, p.hi};
        struct convex_problem problem = {.limits = &limits,
                                         .self = &f,
                                         .f = objective_value,
                                         .kl = o->kl,
                                         .prior = p.prior,
                                         .tolerance = 1e-9};
        struct convex_result r = search(&problem, f.convex, x);
        if (!isfinite(r.value))
            err_set(err, "the objective is not finite anywhere near the prior");
        else
            out = answer_json(&f, &p, o, x, r);
        objective_release(&f);
    }
    problem_release(&p);
    free(x);
    return out;
}
