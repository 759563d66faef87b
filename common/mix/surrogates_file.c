/* surrogates_file.c - the JSON file of a fitted model. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/tool.h"
#include "data/json.h"
#include "mix/surrogates.h"

static json_t *from_doubles(const double *x, int64_t n)
{
    json_t *a = json_array();
    for (int64_t i = 0; i < n; i++)
        json_array_append_new(a, json_number(x[i]));
    return a;
}

static json_t *metric_json(const struct mix_metric *k, int64_t n_domains)
{
    json_t *o = json_object(), *cv = json_object();
    json_object_set_new(cv, "n", json_integer(k->cv.n));
    json_object_set_new(cv, "spearman", json_number(k->cv.spearman));
    json_object_set_new(cv, "rmse", json_number(k->cv.rmse));
    json_object_set_new(cv, "mae", json_number(k->cv.mae));
    json_object_set_new(o, "name", json_string(k->name));
    json_object_set_new(o, "higher_is_better", json_boolean(k->fit.rising));
    json_object_set_new(o, "penalty", json_number(k->fit.penalty));
    json_object_set_new(o, "bias", json_number(k->fit.bias));
    json_object_set_new(o, "coef", from_doubles(k->fit.coef, n_domains));
    json_object_set_new(o, "cv", cv);
    return o;
}

int mix_model_save(const struct mix_model *m, const char *path, struct err *err)
{
    json_t *doc = json_object(), *train = json_object(), *domains = json_array();
    json_t *metrics = json_array();
    for (int64_t d = 0; d < m->n_domains; d++)
        json_array_append_new(domains, json_string(m->domains[d]));
    for (int64_t k = 0; k < m->n_metrics; k++)
        json_array_append_new(metrics, metric_json(&m->metrics[k], m->n_domains));
    json_object_set_new(train, "runs", json_integer(m->n_runs));
    json_object_set_new(train, "min", from_doubles(m->train_min, m->n_domains));
    json_object_set_new(train, "max", from_doubles(m->train_max, m->n_domains));
    json_object_set_new(doc, "format", json_string("mix-model"));
    json_object_set_new(doc, "version", json_integer(1));
    json_object_set_new(doc, "made_by", json_string("thinkpipe " TP_VERSION));
    json_object_set_new(doc, "regressor", json_string(m->kind->name));
    json_object_set_new(doc, "domains", domains);
    json_object_set_new(doc, "train", train);
    json_object_set_new(doc, "metrics", metrics);
    int rc = json_save_path(path, doc, err);
    json_decref(doc);
    return rc;
}

/* An array of exactly n finite numbers. */
static double *to_doubles(const json_t *obj, const char *key, int64_t n, struct err *err)
{
    const json_t *a = json_object_get(obj, key);
    if (!json_is_array(a) || (int64_t)json_array_size(a) != n) {
        err_set(err, "'%s' is not an array of %lld numbers", key, (long long)n);
        return NULL;
    }
    double *x = xcalloc((size_t)n, sizeof *x);
    for (int64_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(a, (size_t)i);
        x[i] = json_number_value(v);
        if (!json_is_number(v) || !isfinite(x[i])) {
            err_set(err, "'%s' holds %s, expected numbers", key, json_type_name(v));
            free(x);
            return NULL;
        }
    }
    return x;
}

static int read_metric(struct mix_model *m, const json_t *o, struct mix_metric *k, struct err *err)
{
    const char *name;
    const json_t *cv = json_object_get(o, "cv");
    k->fit.kind = m->kind;
    k->cv = (struct fit_score){.spearman = NAN, .rmse = NAN, .mae = NAN};
    if (json_get_str(o, "name", &name, err) < 0)
        return -1;
    k->name = xstrdup(name);
    if (json_get_num(o, "bias", &k->fit.bias, err) < 0 ||
        json_opt_num(o, "penalty", &k->fit.penalty, err) < 0 ||
        json_opt_bool(o, "higher_is_better", &k->fit.rising, err) < 0)
        return -1;
    if (cv && (json_opt_int(cv, "n", &k->cv.n, err) < 0 ||
               json_opt_num(cv, "spearman", &k->cv.spearman, err) < 0 ||
               json_opt_num(cv, "rmse", &k->cv.rmse, err) < 0 ||
               json_opt_num(cv, "mae", &k->cv.mae, err) < 0))
        return -1;
    k->fit.coef = to_doubles(o, "coef", m->n_domains, err);
    return k->fit.coef ? 0 : err_prefix(err, "metric '%s'", name);
}

static int read_domains(struct mix_model *m, const json_t *doc, struct err *err)
{
    const json_t *a = json_object_get(doc, "domains"), *train = json_object_get(doc, "train");
    int64_t n = (int64_t)json_array_size(a);
    if (n == 0)
        return err_set(err, "'domains' is missing or empty");
    m->domains = xcalloc((size_t)n, sizeof *m->domains);
    for (; m->n_domains < n; m->n_domains++) {
        const char *name = json_string_value(json_array_get(a, (size_t)m->n_domains));
        if (!name || mix_model_domain(m, name) >= 0)
            return err_set(err, "'domains' is not a list of different names");
        m->domains[m->n_domains] = xstrdup(name);
    }
    if (json_get_int(train, "runs", &m->n_runs, err) < 0)
        return -1;
    m->train_min = to_doubles(train, "min", n, err);
    m->train_max = to_doubles(train, "max", n, err);
    return m->train_min && m->train_max ? 0 : -1;
}

static int read_doc(struct mix_model *m, const json_t *doc, struct err *err)
{
    const char *format, *kind;
    int64_t version;
    if (json_get_str(doc, "format", &format, err) < 0 ||
        json_get_int(doc, "version", &version, err) < 0 ||
        json_get_str(doc, "regressor", &kind, err) < 0)
        return -1;
    if (strcmp(format, "mix-model") != 0 || version != 1)
        return err_set(err, "format '%s' version %lld, expected mix-model version 1", format,
                       (long long)version);
    m->kind = regressor_find(kind);
    if (!m->kind)
        return err_set(err, "unknown regressor '%s'", kind);
    if (read_domains(m, doc, err) < 0)
        return -1;
    const json_t *a = json_object_get(doc, "metrics");
    int64_t n = (int64_t)json_array_size(a);
    if (n == 0)
        return err_set(err, "'metrics' is missing or empty");
    m->metrics = xcalloc((size_t)n, sizeof *m->metrics);
    for (; m->n_metrics < n; m->n_metrics++)
        if (read_metric(m, json_array_get(a, (size_t)m->n_metrics), &m->metrics[m->n_metrics],
                        err) < 0) {
            m->n_metrics++; /* the half-read one must be released too */
            return -1;
        }
    return 0;
}

int mix_model_load(struct mix_model *m, const char *path, struct err *err)
{
    memset(m, 0, sizeof *m);
    json_t *doc = json_load_path(path, err);
    if (!doc)
        return -1;
    int rc = read_doc(m, doc, err);
    if (rc < 0) {
        err_prefix(err, "%s", path);
        mix_model_release(m);
    }
    json_decref(doc);
    return rc;
}
