/* problem.c - prior and limits of the mixture to be found, by the model's domains. */
#include "mix/problem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

void mix_problem_release(struct problem *p)
{
    for (int g = 0; g < p->limits.n_groups; g++)
        free(p->group_name[g]);
    free(p->group_name);
    free(p->group_lo);
    free(p->group_hi);
    free(p->group);
    free(p->prior);
    free(p->limits.lo);
    free(p->limits.hi);
    free(p->source);
    sources_release(&p->sources);
    memset(p, 0, sizeof *p);
}

/* Both name the same domains, in any order. */
static int check_names(const struct mix_model *m, const struct sources *s, const char *file,
                       struct err *err)
{
    for (int64_t d = 0; d < m->n_domains; d++)
        if (sources_find(s, m->domains[d]) < 0)
            return err_set(err, "%s: domain '%s' of the model is %s", file, m->domains[d],
                           sources_part(s, m->domains[d]) ? "a member of another" : "missing");
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

static int read_limits(struct problem *p, const struct mix_model *m, const struct problem_options *o,
                       struct err *err)
{
    const struct sources *s = &p->sources;
    p->source = xcalloc((size_t)m->n_domains, sizeof *p->source);
    for (int64_t d = 0; d < m->n_domains; d++) {
        p->source[d] = sources_find(s, m->domains[d]);
        const struct source *src = &s->items[p->source[d]];
        double *lo = &p->limits.lo[d], *hi = &p->limits.hi[d];
        if (!isnan(src->min))
            *lo = src->min;
        if (!isnan(src->max))
            *hi = fmin(*hi, src->max);
        if (!(o->tokens > 0))
            continue;
        double cap = source_cap(s, src, o->max_epochs, o->tokens);
        if (isnan(cap))
            return err_set(err, "%s: domain '%s' has no 'tokens', which --tokens needs", o->sources,
                           src->name);
        *hi = fmin(*hi, cap);
    }
    return 0;
}

static int apply_files(struct problem *p, const struct mix_model *m, const struct problem_options *o,
                       struct err *err)
{
    struct sources prior = {0};
    int rc = 0;
    if (o->sources && (sources_read(&p->sources, o->sources, err) < 0 ||
                       check_names(m, &p->sources, o->sources, err) < 0 ||
                       read_limits(p, m, o, err) < 0))
        return -1;
    if (!o->prior)
        return o->sources ? read_prior(p, m, &p->sources, o->sources, err) : 0;
    if (sources_read(&prior, o->prior, err) < 0)
        return -1;
    if (check_names(m, &prior, o->prior, err) < 0 || read_prior(p, m, &prior, o->prior, err) < 0)
        rc = -1;
    sources_release(&prior);
    return rc;
}

/* Shares of single domains: DOMAIN=SHARE. */
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

/* A cap cannot give a source more tokens than its epochs allow, so --max and --fix only lower. */
static int apply_shares(struct problem *p, const struct mix_model *m, const struct problem_options *o,
                        struct err *err)
{
    size_t n = (size_t)m->n_domains;
    double *cap = xcalloc(n, sizeof *cap), *fix = xcalloc(n, sizeof *fix);
    for (size_t d = 0; d < n; d++) {
        cap[d] = 1;
        fix[d] = NAN;
    }
    int rc = set_shares(m, &o->min, "--min", p->limits.lo, err);
    if (rc == 0)
        rc = set_shares(m, &o->max, "--max", cap, err);
    if (rc == 0)
        rc = set_shares(m, &o->fix, "--fix", fix, err);
    for (size_t d = 0; d < n; d++) {
        p->limits.hi[d] = fmin(p->limits.hi[d], isnan(fix[d]) ? cap[d] : fix[d]);
        if (!isnan(fix[d]))
            p->limits.lo[d] = fix[d];
    }
    free(cap);
    free(fix);
    return rc;
}

/* Nobody knows what more of a domain does than any run had, and a function that fits well can say
 * anything there.  What was asked for by name is another matter. */
static void stay_in_range(struct problem *p, const struct mix_model *m)
{
    for (int64_t d = 0; d < m->n_domains; d++)
        p->limits.hi[d] = fmin(p->limits.hi[d], fmax(m->train_max[d], p->limits.lo[d]));
}

/* Groups. */

static int join_group(struct problem *p, const struct mix_model *m, int64_t d, int g, struct err *err)
{
    if (p->group[d] >= 0 && p->group[d] != g)
        return err_set(err, "domain '%s' is in the groups '%s' and '%s', one is allowed", m->domains[d],
                       p->group_name[p->group[d]], p->group_name[g]);
    p->group[d] = g;
    return 0;
}

/* Puts the domains that `names` means ("a,b", or the name of a group of sources) into group g. */
static int add_members(struct problem *p, const struct mix_model *m, const char *names, int g,
                       struct err *err)
{
    int64_t n = 0;
    for (int64_t d = 0; d < m->n_domains; d++) {
        const char *group = p->source ? p->sources.items[p->source[d]].group : NULL;
        if (!group || strcmp(group, names) != 0)
            continue;
        n++;
        if (join_group(p, m, d, g, err) < 0)
            return -1;
    }
    char *copy = xstrdup(names), *rest = copy, *name;
    while (n == 0 && !err->set && (name = strsep(&rest, ","))) {
        int64_t d = mix_model_domain(m, name);
        if (d < 0)
            err_set(err, "--group %s: there is no domain and no group '%s'", names, name);
        else if (join_group(p, m, d, g, err) < 0)
            break;
    }
    free(copy);
    return err->set ? -1 : 0;
}

static int find_group(struct problem *p, const char *names)
{
    struct limits *l = &p->limits;
    for (int g = 0; g < l->n_groups; g++)
        if (strcmp(p->group_name[g], names) == 0)
            return g;
    size_t n = (size_t)l->n_groups + 1;
    p->group_name = xreallocarray(p->group_name, n, sizeof *p->group_name);
    p->group_lo = xreallocarray(p->group_lo, n, sizeof *p->group_lo);
    p->group_hi = xreallocarray(p->group_hi, n, sizeof *p->group_hi);
    p->group_name[n - 1] = xstrdup(names);
    p->group_lo[n - 1] = 0;
    p->group_hi[n - 1] = 1;
    return l->n_groups++;
}

/* NAMES<=SHARE or NAMES>=SHARE. */
static int apply_group(struct problem *p, const struct mix_model *m, const char *text, struct err *err)
{
    const char *sign = strrchr(text, '=');
    double share;
    if (!sign || sign - text < 2 || !strchr("<>", sign[-1]))
        return err_set(err, "--group %s: expected DOMAIN,DOMAIN<=SHARE or >=", text);
    if (parse_float(sign + 1, 0, 1, &share, err) < 0)
        return err_prefix(err, "--group %s", text);
    char *names = xstrndup(text, (size_t)(sign - 1 - text));
    int g = find_group(p, names), rc = add_members(p, m, names, g, err);
    if (sign[-1] == '<')
        p->group_hi[g] = fmin(p->group_hi[g], share);
    else
        p->group_lo[g] = fmax(p->group_lo[g], share);
    free(names);
    return rc;
}

static int apply_groups(struct problem *p, const struct mix_model *m, const struct problem_options *o,
                        struct err *err)
{
    p->group = xcalloc((size_t)m->n_domains, sizeof *p->group);
    for (int64_t d = 0; d < m->n_domains; d++)
        p->group[d] = -1;
    for (int i = 0; i < o->group.n; i++)
        if (apply_group(p, m, o->group.items[i], err) < 0)
            return -1;
    p->limits.group = p->group;
    p->limits.group_lo = p->group_lo;
    p->limits.group_hi = p->group_hi;
    return 0;
}

/* A share that never changed in the fit has no known effect: it stays what it is in the prior. */
static void pin_unknown(struct problem *p, const struct mix_model *m)
{
    for (int64_t d = 0; d < m->n_domains && m->n_domains > 1; d++) {
        if (m->train_max[d] - m->train_min[d] > 1e-9)
            continue;
        double share = fmin(fmax(p->prior[d], p->limits.lo[d]), p->limits.hi[d]);
        log_warn("domain '%s' had the same share in all runs of the fit; it is kept at %.4g",
                 m->domains[d], share);
        p->limits.lo[d] = p->limits.hi[d] = share;
    }
}

/* Least and most that the domains of group g (-1: of none) can have; the group's own limits counted. */
static int reach_of(const struct problem *p, int g, double *lo, double *hi, struct err *err)
{
    const struct limits *l = &p->limits;
    *lo = *hi = 0;
    for (int64_t d = 0; d < l->m; d++)
        if (p->group[d] == g) {
            *lo += l->lo[d];
            *hi += l->hi[d];
        }
    if (g < 0)
        return 0;
    if (p->group_lo[g] > p->group_hi[g] || p->group_lo[g] > *hi + 1e-9 || p->group_hi[g] < *lo - 1e-9)
        return err_set(err, "group '%s': between %.6g and %.6g is asked for, its domains allow %.6g to %.6g",
                       p->group_name[g], p->group_lo[g], p->group_hi[g], *lo, *hi);
    *lo = fmax(*lo, p->group_lo[g]);
    *hi = fmin(*hi, p->group_hi[g]);
    return 0;
}

static int check_feasible(struct problem *p, const struct mix_model *m, struct err *err)
{
    double lo = 0, hi = 0;
    for (int64_t d = 0; d < m->n_domains; d++)
        if (p->limits.lo[d] > p->limits.hi[d])
            return err_set(err, "domain '%s': at least %.6g is asked for, at most %.6g allowed",
                           m->domains[d], p->limits.lo[d], p->limits.hi[d]);
    for (int g = -1; g < p->limits.n_groups; g++) {
        double least, most;
        if (reach_of(p, g, &least, &most, err) < 0)
            return -1;
        lo += least;
        hi += most;
    }
    if (lo > 1 + 1e-9)
        return err_set(err, "the lower limits sum to %.6g, %.6g more than a mixture has", lo, lo - 1);
    if (hi < 1 - 1e-9)
        return err_set(err, "the upper limits sum to %.6g, %.6g short of a mixture: "
                            "more epochs, fewer tokens or higher limits are needed",
                       hi, 1 - hi);
    return 0;
}

int mix_problem_init(struct problem *p, const struct mix_model *m, const struct problem_options *o,
                 struct err *err)
{
    size_t n = (size_t)m->n_domains;
    memset(p, 0, sizeof *p);
    p->prior = xcalloc(n, sizeof(double));
    p->limits.m = m->n_domains;
    p->limits.lo = xcalloc(n, sizeof(double));
    p->limits.hi = xcalloc(n, sizeof(double));
    for (size_t d = 0; d < n; d++) {
        p->prior[d] = 1.0 / (double)n;
        p->limits.hi[d] = 1;
    }
    int rc = apply_files(p, m, o, err);
    if (rc == 0)
        rc = apply_shares(p, m, o, err);
    if (rc == 0 && !o->extrapolate)
        stay_in_range(p, m);
    if (rc == 0)
        rc = apply_groups(p, m, o, err);
    for (size_t d = 0; d < n && rc == 0 && o->kl > 0; d++)
        if (p->prior[d] <= 0)
            p->limits.hi[d] = 0; /* infinitely far from the prior */
    if (rc == 0)
        pin_unknown(p, m);
    if (rc == 0)
        rc = check_feasible(p, m, err);
    if (rc < 0)
        mix_problem_release(p);
    return rc;
}
