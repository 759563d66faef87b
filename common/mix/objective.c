/* objective.c - several metrics as one number to be made small. */
#include "mix/objective.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/opt.h"

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

/* Weight per unit of g above a ceiling: more than any multiplier that is worth having. */
static const double EXCESS_COST = 100;
static const double FIRST_PENALTY = 4, MOST_PENALTY = 1e6, CEILING_TOLERANCE = 1e-7;

/* Logarithms where they make sense. */
static void set_scale(struct goal *g, const struct mix_metric *k, const double *prior, int64_t m)
{
    double at_prior = surrogate_value(&k->fit, prior, m);
    g->scale = fabs(at_prior) > 1e-9 ? fabs(at_prior) : 1;
    g->logarithm = k->fit.kind != &regressor_linear && at_prior > 0;
    if (k->fit.kind != &regressor_linear && !g->logarithm)
        log_warn("metric '%s' is predicted as %.4g at the prior, which has no logarithm; it counts as it "
                 "is, divided by %.4g",
                 k->name, at_prior, g->scale);
}

static int add_goal(struct objective *f, char *text, const double *prior, bool force, struct err *err)
{
    bool rising = false, said;
    double weight;
    int64_t metric = find_goal_metric(f, text, &weight, &rising, &said, err);
    if (metric < 0)
        return -1;
    const struct mix_metric *k = &f->model->metrics[metric];
    for (int64_t i = 0; i < f->n; i++)
        if (f->goals[i].metric == metric)
            return err_set(err, "--objective: metric '%s' is there twice", k->name);
    if (!said)
        rising = k->fit.rising;
    if (mix_metric_is_noise(k)) {
        log_warn("metric '%s' ranks no better than chance%s", k->name,
                 force ? "" : "; it is left out (--force keeps it)");
        if (!force)
            return 0;
    }
    GROW(f->goals, f->n, f->cap);
    struct goal *g = &f->goals[f->n++];
    *g = (struct goal){.metric = metric, .fit = &k->fit, .weight = weight, .rising = rising, .ceiling = INFINITY};
    set_scale(g, k, prior, f->model->n_domains);
    if (k->fit.kind != &regressor_linear && rising != k->fit.rising) {
        log_warn("metric '%s' was fitted as one that %s; fit it with%s --higher-is-better to be sure "
                 "of the best mixture",
                 k->name, rising ? "falls" : "rises", rising ? "" : "out");
        f->convex = false;
    }
    return 0;
}

int objective_parse(struct objective *f, const struct mix_model *model, const char *text,
                    const double *prior, bool force, struct err *err)
{
    char *copy = xstrdup(text), *rest = copy, *item;
    double sum = 0;
    int rc = 0;
    *f = (struct objective){.model = model, .smooth = model->kind->smooth, .convex = model->kind->smooth};
    f->grad = xcalloc((size_t)model->n_domains, sizeof *f->grad);
    while (rc == 0 && (item = strsep(&rest, ",")))
        rc = add_goal(f, item, prior, force, err);
    for (int64_t i = 0; i < f->n; i++)
        sum += f->goals[i].weight;
    if (rc == 0 && f->n == 0)
        rc = err_set(err, "--objective: no metric ranks better than chance (--force takes them all the same)");
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

struct objective objective_of_laws(const struct objective *f)
{
    struct objective law = *f;
    law.smooth = true;
    law.convex = true;
    law.goals = xcalloc((size_t)f->n, sizeof *law.goals);
    law.grad = xcalloc((size_t)f->model->n_domains, sizeof *law.grad);
    for (int64_t i = 0; i < f->n; i++) {
        law.goals[i] = f->goals[i];
        law.goals[i].fit = &f->goals[i].fit->parts[0];
        law.convex &= f->goals[i].rising == f->goals[i].fit->rising;
    }
    if (f->reference)
        objective_no_worse(&law, f->reference, f->margin);
    return law;
}

/* g of a metric's value y. */
static double goal_of(const struct goal *g, double y)
{
    double sign = g->rising ? -1 : 1;
    if (!g->logarithm)
        return sign * y / g->scale;
    return y > 0 ? sign * log(y) : INFINITY;
}

static double goal_value(const struct goal *g, double y)
{
    return g->weight > 0 ? g->weight * goal_of(g, y) : 0;
}

/* Ceilings. */

static double goal_at(const struct objective *f, const struct goal *g, const double *x)
{
    return goal_of(g, surrogate_value(g->fit, x, f->model->n_domains));
}

void objective_no_worse(struct objective *f, const double *reference, double margin)
{
    f->reference = reference;
    f->margin = margin;
    for (int64_t i = 0; i < f->n; i++) {
        struct goal *g = &f->goals[i];
        double there = goal_at(f, g, reference);
        g->ceiling = there + (g->logarithm ? log1p(margin) : margin * fabs(there));
    }
    objective_relax(f);
}

void objective_relax(struct objective *f)
{
    f->penalty = FIRST_PENALTY;
    f->off = INFINITY;
    for (int64_t i = 0; i < f->n; i++)
        f->goals[i].multiplier = 0;
}

double objective_excess(const struct objective *f, const double *x, int64_t *goal)
{
    double most = -INFINITY;
    for (int64_t i = 0; i < f->n && f->reference; i++) {
        double excess = goal_at(f, &f->goals[i], x) - f->goals[i].ceiling;
        if (excess > most && goal)
            *goal = i;
        most = fmax(most, excess);
    }
    return most;
}

bool objective_tighten(struct objective *f, const double *x)
{
    double off = 0;
    for (int64_t i = 0; i < f->n; i++) {
        struct goal *g = &f->goals[i];
        double excess = goal_at(f, g, x) - g->ceiling;
        /* A goal below its ceiling has no multiplier in the end. */
        off = fmax(off, fabs(fmax(excess, -g->multiplier / f->penalty)));
        g->multiplier = fmax(0, g->multiplier + f->penalty * excess);
    }
    if (off > f->off / 4)
        f->penalty = fmin(4 * f->penalty, MOST_PENALTY);
    f->off = off;
    return off <= CEILING_TOLERANCE;
}

void objective_add_excess(const struct objective *f, const double *x, int64_t n, double *value)
{
    double *y = xcalloc((size_t)n + 1, sizeof *y);
    for (int64_t i = 0; i < f->n && f->reference; i++) {
        surrogate_values(f->goals[i].fit, x, n, f->model->n_domains, y);
        for (int64_t k = 0; k < n; k++)
            value[k] += EXCESS_COST * fmax(0, goal_of(&f->goals[i], y[k]) - f->goals[i].ceiling);
    }
    free(y);
}

/* What the ceiling adds to the Lagrangian at g = value, and to the weight in its gradient. */
static double ceiling_term(const struct objective *f, const struct goal *g, double value, double *weight)
{
    if (!f->reference)
        return 0;
    double pull = fmax(0, g->multiplier + f->penalty * (value - g->ceiling));
    *weight += pull;
    return (pull * pull - g->multiplier * g->multiplier) / (2 * f->penalty);
}

double objective_value(void *objective, const double *x, double *grad)
{
    struct objective *f = objective;
    int64_t m = f->model->n_domains;
    double total = 0;
    memset(grad, 0, (size_t)m * sizeof *grad);
    for (int64_t i = 0; i < f->n; i++) {
        const struct goal *g = &f->goals[i];
        double y = surrogate_value(g->fit, x, m), weight = g->weight;
        total += goal_value(g, y) + ceiling_term(f, g, goal_of(g, y), &weight);
        if (!isfinite(total))
            return INFINITY;
        double factor = weight == 0 ? 0 : weight * (g->rising ? -1 : 1) / (g->logarithm ? y : g->scale);
        g->fit->kind->gradient(g->fit, x, m, f->grad);
        for (int64_t j = 0; j < m; j++)
            grad[j] += factor * f->grad[j];
    }
    return total;
}

void objective_values(const struct objective *f, const double *x, int64_t n, double *out)
{
    double *y = xcalloc((size_t)n + 1, sizeof *y);
    memset(out, 0, (size_t)n * sizeof *out);
    for (int64_t i = 0; i < f->n; i++) {
        surrogate_values(f->goals[i].fit, x, n, f->model->n_domains, y);
        for (int64_t k = 0; k < n; k++)
            out[k] += goal_value(&f->goals[i], y[k]);
    }
    free(y);
}

double objective_measured(const struct objective *f, const double *measured)
{
    double total = 0;
    for (int64_t i = 0; i < f->n; i++)
        total += goal_value(&f->goals[i], measured[f->goals[i].metric]);
    for (int64_t i = 0; i < f->n; i++)
        if (isnan(measured[f->goals[i].metric]))
            return NAN;
    return total;
}

double objective_error(const struct objective *f, const double *x)
{
    double sum = 0;
    for (int64_t i = 0; i < f->n; i++) {
        const struct goal *g = &f->goals[i];
        double y = surrogate_value(g->fit, x, f->model->n_domains);
        double error = g->weight * f->model->metrics[g->metric].cv.rmse / (g->logarithm ? y : g->scale);
        sum += isfinite(error) ? error * error : 0;
    }
    return sqrt(sum);
}
