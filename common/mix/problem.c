/* problem.c - prior and limits of the mixture to be found, by the model's domains. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "mix/optimum.h"

void problem_release(struct problem *p)
{
    free(p->prior);
    free(p->lo);
    free(p->hi);
    free(p->available);
    memset(p, 0, sizeof *p);
}

/* Both name the same domains, in any order. */
static int check_names(const struct mix_model *m, const struct sources *s, const char *file,
                       struct err *err)
{
    for (int64_t d = 0; d < m->n_domains; d++)
        if (sources_find(s, m->domains[d]) < 0)
            return err_set(err, "%s: domain '%s' of the model is missing", file, m->domains[d]);
    for (int64_t i = 0; i < s->n; i++)
        if (mix_model_domain(m, s->items[i].name) < 0)
            return err_set(err, "%s: domain '%s' was in no run of the fit, so nothing is known of it",
                           file, s->items[i].name);
    return 0;
}

static int read_prior(struct problem *p, const struct mix_model *m, const struct sources *s,
                      const char *file, struct err *err)
{
    double *share = xcalloc((size_t)s->n, sizeof *share);
    int rc = sources_prior(s, share, err);
    if (rc < 0)
        err_prefix(err, "%s", file);
    for (int64_t d = 0; d < m->n_domains && rc == 0; d++)
        p->prior[d] = share[sources_find(s, m->domains[d])];
    free(share);
    return rc;
}

static int read_limits(struct problem *p, const struct mix_model *m, const struct sources *s,
                       const struct solve_options *o, struct err *err)
{
    for (int64_t d = 0; d < m->n_domains; d++) {
        const struct source *src = &s->items[sources_find(s, m->domains[d])];
        double epochs = isnan(src->max_epochs) ? o->max_epochs : src->max_epochs;
        p->available[d] = src->tokens;
        if (!isnan(src->min))
            p->lo[d] = src->min;
        if (!isnan(src->max))
            p->hi[d] = fmin(p->hi[d], src->max);
        if (o->tokens > 0 && isnan(src->tokens))
            return err_set(err, "%s: domain '%s' has no 'tokens', which --tokens needs", o->sources,
                           src->name);
        if (o->tokens > 0)
            p->hi[d] = fmin(p->hi[d], epochs * src->tokens / o->tokens);
    }
    return 0;
}

static int set_shares(const struct mix_model *m, const struct opt_list *list, const char *option,
                      double *limit, struct err *err)
{
    for (int i = 0; i < list->n; i++) {
        const char *equals = strrchr(list->items[i], '=');
        double share;
        if (!equals)
            return err_set(err, "%s %s: expected DOMAIN=SHARE", option, list->items[i]);
        char *name = xstrndup(list->items[i], (size_t)(equals - list->items[i]));
        int64_t d = mix_model_domain(m, name);
        free(name);
        if (d < 0)
            return err_set(err, "%s %s: the model knows no such domain", option, list->items[i]);
        if (parse_float(equals + 1, 0, 1, &share, err) < 0)
            return err_prefix(err, "%s %s", option, list->items[i]);
        limit[d] = share;
    }
    return 0;
}

/* A share that never changed in the fit has no known effect: it stays what it is in the prior. */
static void pin_unknown(struct problem *p, const struct mix_model *m)
{
    for (int64_t d = 0; d < m->n_domains && m->n_domains > 1; d++) {
        if (m->train_max[d] - m->train_min[d] > 1e-9)
            continue;
        double share = fmin(fmax(p->prior[d], p->lo[d]), p->hi[d]);
        log_warn("domain '%s' had the same share in all runs of the fit; it is kept at %.4g",
                 m->domains[d], share);
        p->lo[d] = p->hi[d] = share;
    }
}

static int check_feasible(const struct problem *p, const struct mix_model *m, struct err *err)
{
    double lo = 0, hi = 0;
    for (int64_t d = 0; d < m->n_domains; d++) {
        if (p->lo[d] > p->hi[d])
            return err_set(err, "domain '%s': at least %.6g is asked for, at most %.6g allowed",
                           m->domains[d], p->lo[d], p->hi[d]);
        lo += p->lo[d];
        hi += p->hi[d];
    }
    if (lo > 1 + 1e-9)
        return err_set(err, "the lower limits sum to %.6g, %.6g more than a mixture has", lo, lo - 1);
    if (hi < 1 - 1e-9)
        return err_set(err, "the upper limits sum to %.6g, %.6g short of a mixture: "
                            "more epochs, fewer tokens or higher limits are needed",
                       hi, 1 - hi);
    return 0;
}

static int apply_file(struct problem *p, const struct mix_model *m, const struct solve_options *o,
                      const char *path, bool limits, struct err *err)
{
    struct sources s;
    if (sources_read(&s, path, err) < 0)
        return -1;
    int rc = check_names(m, &s, path, err);
    if (rc == 0 && (!limits || !o->prior))
        rc = read_prior(p, m, &s, path, err);
    if (rc == 0 && limits)
        rc = read_limits(p, m, &s, o, err);
    sources_release(&s);
    return rc;
}

int problem_init(struct problem *p, const struct mix_model *m, const struct solve_options *o,
                 struct err *err)
{
    size_t n = (size_t)m->n_domains;
    p->prior = xcalloc(n, sizeof(double));
    p->lo = xcalloc(n, sizeof(double));
    p->hi = xcalloc(n, sizeof(double));
    p->available = xcalloc(n, sizeof(double));
    for (size_t d = 0; d < n; d++) {
        p->prior[d] = 1.0 / (double)n;
        p->hi[d] = 1;
        p->available[d] = NAN;
    }
    int rc = 0;
    if (o->prior)
        rc = apply_file(p, m, o, o->prior, false, err);
    if (rc == 0 && o->sources)
        rc = apply_file(p, m, o, o->sources, true, err);
    if (rc == 0)
        rc = set_shares(m, &o->min, "--min", p->lo, err);
    /* A cap cannot give a source more tokens than its epochs allow. */
    double *cap = xcalloc(n, sizeof *cap);
    for (size_t d = 0; d < n; d++)
        cap[d] = 1;
    if (rc == 0)
        rc = set_shares(m, &o->max, "--max", cap, err);
    for (size_t d = 0; d < n; d++)
        p->hi[d] = fmin(p->hi[d], cap[d]);
    free(cap);
    for (size_t d = 0; d < n && rc == 0 && o->kl > 0; d++)
        if (p->prior[d] <= 0) {
            p->hi[d] = 0; /* infinitely far from the prior */
        }
    if (rc == 0)
        pin_unknown(p, m);
    if (rc == 0)
        rc = check_feasible(p, m, err);
    if (rc < 0)
        problem_release(p);
    return rc;
}
