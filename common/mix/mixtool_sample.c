/* mixtool_sample.c - mix-fit sample: mixtures for the next round of small runs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/tool.h"
#include "mix/mixtool.h"
#include "mix/swarm.h"

/* With --around MODEL this many mixtures are drawn for each one that is kept. */
enum { DRAWN_PER_KEPT = 32, MAX_DRAWN = 8192 };

static int parse_strength(const char *text, struct swarm_options *s, struct err *err)
{
    const char *colon = strchr(text, ':');
    char *low = xstrndup(text, colon ? (size_t)(colon - text) : strlen(text));
    int rc = parse_float(low, 1e-6, 1e9, &s->strength_low, err);
    if (rc == 0)
        rc = parse_float(colon ? colon + 1 : low, 1e-6, 1e9, &s->strength_high, err);
    if (rc == 0 && s->strength_low > s->strength_high)
        rc = err_set(err, "the first number is the larger one");
    if (rc < 0) {
        err_prefix(err, "--strength %s", text);
        err->status = EXIT_USAGE;
    }
    free(low);
    return rc;
}

static void swarm_csv(struct strbuf *s, const struct sources *src, const int64_t *rows, int64_t n)
{
    strbuf_adds(s, "run");
    for (int64_t j = 0; j < src->n; j++) {
        strbuf_addc(s, ',');
        csv_add_text(s, src->items[j].name);
    }
    for (int64_t i = 0; i < n; i++) {
        strbuf_addf(s, "\n%lld", (long long)i);
        for (int64_t j = 0; j < src->n; j++) {
            strbuf_addc(s, ',');
            csv_add_number(s, (double)rows[i * src->n + j] / SWARM_UNITS);
        }
    }
    strbuf_addc(s, '\n');
}

/* Shares to the power of the temperature: 0 is uniform, 1 natural. */
static void temper(double *prior, int64_t m, double temperature)
{
    double sum = 0;
    for (int64_t j = 0; j < m; j++)
        sum += prior[j] = prior[j] > 0 ? pow(prior[j], temperature) : 0;
    for (int64_t j = 0; j < m; j++)
        prior[j] /= sum;
}

/* Where the draws are centred, and what holds for them. */
struct plan {
    struct sources src;
    double *prior;  /* [n] */
    double *centre; /* [n] */
    double *lo, *hi;
    struct limits limits;
    struct mix_model model; /* n_domains 0 = none */
};

static void plan_release(struct plan *p)
{
    sources_release(&p->src);
    free(p->prior);
    free(p->centre);
    free(p->lo);
    free(p->hi);
    mix_model_release(&p->model);
}

static int64_t find_source(const void *self, const char *name)
{
    return sources_find(self, name);
}

/* A little of the prior is in it, so that no domain is out for good. */
static int read_centre(struct plan *p, const json_t *doc, const char *path, struct err *err)
{
    const struct mixture_names names = {find_source, &p->src, p->src.n};
    if (mixture_read(doc, path, &names, p->centre, err) < 0)
        return -1;
    for (int64_t j = 0; j < p->src.n; j++)
        p->centre[j] = 0.97 * p->centre[j] + 0.03 * p->prior[j];
    return 0;
}

static int check_domains(const struct plan *p, const char *path, struct err *err)
{
    for (int64_t d = 0; d < p->model.n_domains; d++)
        if (sources_find(&p->src, p->model.domains[d]) != d)
            return err_set(err, "%s: its domains are not those of this swarm, in the same order", path);
    return p->model.n_domains == p->src.n ? 0 : err_set(err, "%s: it has %lld domains, this swarm %lld", path,
                                                        (long long)p->model.n_domains, (long long)p->src.n);
}

static int read_around(struct plan *p, const char *path, struct err *err)
{
    json_t *doc = json_load_path(path, err);
    if (!doc)
        return -1;
    int rc;
    if (json_object_get(doc, "format"))
        rc = mix_model_read(&p->model, doc, path, err) < 0 ? -1 : check_domains(p, path, err);
    else if (json_object_get(doc, "weights") || json_object_get(doc, "domains"))
        rc = read_centre(p, doc, path, err);
    else
        rc = err_set(err, "%s: neither a model nor a mixture: it has no 'format' and no 'weights'", path);
    json_decref(doc);
    return rc;
}

static int read_caps(struct plan *p, const struct mix_options *o, struct err *err)
{
    double sum = 0;
    p->lo = xcalloc((size_t)p->src.n, sizeof *p->lo);
    p->hi = xcalloc((size_t)p->src.n, sizeof *p->hi);
    p->limits = (struct limits){.m = p->src.n, .lo = p->lo, .hi = p->hi};
    for (int64_t j = 0; j < p->src.n; j++) {
        const struct source *s = &p->src.items[j];
        double cap = source_cap(&p->src, s, o->solve.problem.max_epochs, o->solve.problem.tokens);
        if (isnan(cap))
            return err_set(err, "%s: domain '%s' has no 'tokens', which --tokens needs",
                           o->solve.problem.prior, s->name);
        sum += p->hi[j] = fmin(cap, 1);
    }
    if (sum < 1 - 1e-9)
        return err_set(err, "the upper limits sum to %.6g, %.6g short of a mixture: "
                            "more epochs or fewer tokens are needed", sum, 1 - sum);
    return 0;
}

static int plan_init(struct plan *p, const struct mix_options *o, struct err *err)
{
    const char *prior = o->solve.problem.prior;
    memset(p, 0, sizeof *p);
    if ((prior ? sources_read(&p->src, prior, err) : sources_from_names(&p->src, o->domains, err)) < 0)
        return -1;
    p->prior = xcalloc((size_t)p->src.n, sizeof *p->prior);
    p->centre = xcalloc((size_t)p->src.n, sizeof *p->centre);
    if (sources_prior(&p->src, p->prior, err) < 0)
        return -1;
    temper(p->prior, p->src.n, o->temperature);
    memcpy(p->centre, p->prior, (size_t)p->src.n * sizeof *p->centre);
    if (o->around && read_around(p, o->around, err) < 0)
        return -1;
    return o->solve.problem.tokens > 0 ? read_caps(p, o, err) : 0;
}

struct kept {
    double value;
    int64_t i;
};

static int by_value_then_row(const void *a, const void *b)
{
    const struct kept *p = a, *q = b;
    if (p->value != q->value)
        return p->value < q->value ? -1 : 1;
    return (p->i > q->i) - (p->i < q->i);
}

/* Draws many and keeps those that the model likes best, in the order they came; the first two stay. */
static int draw_and_choose(struct plan *p, const struct mix_options *o, struct swarm_options *s,
                           int64_t *rows, struct err *err)
{
    struct objective f;
    int64_t m = p->src.n, n = s->n, more = n * DRAWN_PER_KEPT;
    if (!o->solve.objective)
        return err_set(err, "--around %s: a model needs --objective to say which mixtures are good", o->around);
    if (more > MAX_DRAWN)
        more = n * 4 > MAX_DRAWN ? n * 4 : MAX_DRAWN;
    if (objective_parse(&f, &p->model, o->solve.objective, p->prior, o->solve.force, err) < 0)
        return -1;
    int64_t *drawn = xreallocarray(NULL, (size_t)(more * m), sizeof *drawn);
    double *x = xreallocarray(NULL, (size_t)(more * m), sizeof *x);
    double *value = xreallocarray(NULL, (size_t)more, sizeof *value);
    struct kept *order = xcalloc((size_t)more, sizeof *order);
    s->n = more;
    int rc = swarm_draw(s, p->centre, m, drawn, err);
    s->n = n;
    for (int64_t i = 0; i < more * m && rc == 0; i++)
        x[i] = (double)drawn[i] / SWARM_UNITS;
    if (rc == 0)
        objective_values(&f, x, more, value);
    for (int64_t i = 0; i < more && rc == 0; i++)
        order[i] = (struct kept){i < 2 ? -INFINITY : value[i], i};
    qsort(order, (size_t)more, sizeof *order, by_value_then_row);
    for (int64_t k = 0; k < n && rc == 0; k++)
        memcpy(rows + k * m, drawn + order[k].i * m, (size_t)m * sizeof *rows);
    objective_release(&f);
    free(drawn);
    free(x);
    free(value);
    free(order);
    return rc;
}

int mix_sample(const struct mix_options *o, struct err *err)
{
    struct plan p;
    struct strbuf text = {0};
    struct swarm_options s = {.n = o->n, .min_weight = o->min_weight, .seed = o->seed};
    if (parse_strength(o->strength, &s, err) < 0)
        return -1;
    int rc = plan_init(&p, o, err);
    int64_t *rows = xreallocarray(NULL, (size_t)(s.n * (p.src.n + 1)), sizeof *rows);
    s.limits = o->solve.problem.tokens > 0 ? &p.limits : NULL;
    s.second = o->around && !p.model.n_domains ? p.prior : NULL;
    if (rc == 0)
        rc = p.model.n_domains ? draw_and_choose(&p, o, &s, rows, err)
                               : swarm_draw(&s, p.centre, p.src.n, rows, err);
    if (rc == 0) {
        swarm_csv(&text, &p.src, rows, s.n);
        rc = mix_write(o->out, &text, err);
        tool_counts.in = p.src.n;
        tool_counts.out = s.n;
    }
    strbuf_release(&text);
    plan_release(&p);
    free(rows);
    return rc;
}
