/* mixture.c - what is to be said of one mixture, as JSON. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "mix/optimum.h"

/* A name's number, added to what is there. */
static void add_number(json_t *o, const char *name, double x)
{
    const json_t *there = json_object_get(o, name);
    /* Products of short decimals, shown as such. */
    double sum = x + (there ? json_number_value(there) : 0);
    json_object_set_new(o, name, json_number(round(sum * 1e12) / 1e12));
}

static const struct source *source_of(const struct problem *p, int64_t d)
{
    return p->source ? &p->sources.items[p->source[d]] : NULL;
}

/* A share lies in the members of a virtual domain. */
static json_t *weights_json(const struct mixture_report *r, const double *x, bool *any_virtual)
{
    json_t *o = json_object();
    *any_virtual = false;
    for (int64_t d = 0; d < r->model->n_domains; d++) {
        const struct source *s = source_of(r->p, d);
        if (!s || !s->n_members)
            add_number(o, r->model->domains[d], x[d]);
        for (int64_t k = 0; s && k < s->n_members; k++) {
            add_number(o, s->members[k].name, x[d] * s->members[k].share);
            *any_virtual = true;
        }
    }
    return o;
}

static json_t *shares_json(const struct mixture_report *r, const double *x)
{
    json_t *o = json_object();
    for (int64_t d = 0; d < r->model->n_domains; d++)
        json_object_set_new(o, r->model->domains[d], json_number(x[d]));
    return o;
}

static void put_tokens(json_t *tokens, json_t *epochs, const char *name, int64_t n, double available)
{
    json_object_set_new(tokens, name, json_integer(n));
    /* 0 of 0 tokens is no repetition. */
    json_object_set_new(epochs, name, json_number(n ? (double)n / available : 0));
}

/* Splits a virtual domain's tokens by largest remainders. */
static void put_members(json_t *tokens, json_t *epochs, const struct sources *all,
                        const struct source *s, int64_t n)
{
    size_t m = (size_t)s->n_members;
    double *x = xcalloc(3 * m, sizeof *x);
    int64_t *count = xcalloc(m, sizeof *count);
    struct limits open = {.m = s->n_members, .lo = x + m, .hi = x + 2 * m};
    for (size_t k = 0; k < m; k++) {
        x[k] = s->members[k].share;
        open.hi[k] = 1;
    }
    simplex_round(x, &open, n, count);
    for (size_t k = 0; k < m; k++) {
        const struct source *part = sources_part(all, s->members[k].name);
        put_tokens(tokens, epochs, s->members[k].name, count[k], part ? part->tokens : NAN);
    }
    free(x);
    free(count);
}

static void add_tokens(json_t *out, const struct mixture_report *r, const double *x)
{
    int64_t *count = xcalloc((size_t)r->model->n_domains, sizeof *count);
    json_t *tokens = json_object(), *epochs = json_object();
    simplex_round(x, &r->p->limits, (int64_t)r->tokens, count);
    for (int64_t d = 0; d < r->model->n_domains; d++) {
        const struct source *s = source_of(r->p, d);
        if (s && s->n_members)
            put_members(tokens, epochs, &r->p->sources, s, count[d]);
        else
            put_tokens(tokens, epochs, r->model->domains[d], count[d], s ? s->tokens : NAN);
    }
    json_object_set_new(out, "tokens", tokens);
    json_object_set_new(out, "epochs", epochs);
    free(count);
}

/* The 95% interval of a prediction, from the errors for runs that were left out. */
static void add_predicted(json_t *out, const struct mix_model *m, const double *x)
{
    json_t *predicted = json_object(), *interval = json_object();
    for (int64_t k = 0; k < m->n_metrics; k++) {
        double y = surrogate_value(&m->metrics[k].fit, x, m->n_domains);
        double half = 1.96 * m->metrics[k].cv.rmse;
        json_object_set_new(predicted, m->metrics[k].name, json_number(y));
        json_object_set_new(interval, m->metrics[k].name,
                            json_pack("[o,o]", json_number(y - half), json_number(y + half)));
    }
    json_object_set_new(out, "predicted", predicted);
    json_object_set_new(out, "interval", interval);
}

json_t *mixture_json(const struct mixture_report *r, const double *x)
{
    json_t *o = json_object();
    bool any_virtual;
    double score, kl = kl_divergence(x, r->p->prior, r->model->n_domains);
    objective_values(r->f, x, 1, &score);
    json_object_set_new(o, "weights", weights_json(r, x, &any_virtual));
    if (any_virtual)
        json_object_set_new(o, "domains", shares_json(r, x));
    if (r->tokens > 0)
        add_tokens(o, r, x);
    add_predicted(o, r->model, x);
    json_object_set_new(o, "score", json_number(score));
    json_object_set_new(o, "objective", json_number(r->kl > 0 ? score + r->kl * kl : score));
    json_object_set_new(o, "kl", json_number(kl));
    return o;
}

int mixture_read(const json_t *doc, const char *path, const struct mixture_names *names, double *out,
                 struct err *err)
{
    const json_t *weights = json_object_get(doc, "domains"); /* with virtual domains, if there are */
    double sum = 0;
    if (!weights)
        weights = json_object_get(doc, "weights");
    if (!json_is_object(weights))
        return err_set(err, "%s: not a mixture: it has no 'weights'", path);
    const char *name;
    json_t *v;
    memset(out, 0, (size_t)names->n * sizeof *out);
    json_object_foreach((json_t *)(uintptr_t)weights, name, v)
    {
        int64_t j = names->find(names->self, name);
        if (j < 0 || !json_is_number(v) || !(json_number_value(v) >= 0))
            return err_set(err, "%s: the weight of '%s' is %s", path, name,
                           j < 0 ? "of no domain that is known here" : "not a number from 0 on");
        out[j] = json_number_value(v);
        sum += out[j];
    }
    if (!(sum > 0))
        return err_set(err, "%s: all weights are 0", path);
    for (int64_t j = 0; j < names->n; j++)
        out[j] /= sum;
    return 0;
}
