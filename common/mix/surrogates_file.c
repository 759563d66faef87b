/* surrogates_file.c - the JSON file of a fitted model. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/tool.h"
#include "data/json.h"
#include "mix/surrogates.h"

static json_t *score_json(const struct fit_score *s)
{
    json_t *o = json_object();
    json_object_set_new(o, "n", json_integer(s->n));
    json_object_set_new(o, "spearman", json_number(s->spearman));
    json_object_set_new(o, "low", json_number(s->low));
    json_object_set_new(o, "high", json_number(s->high));
    json_object_set_new(o, "rmse", json_number(s->rmse));
    json_object_set_new(o, "mae", json_number(s->mae));
    return o;
}

json_t *mix_scores_json(const struct mix_model *m, const struct fit_score *score)
{
    json_t *all = json_object();
    for (int64_t k = 0; k < m->n_metrics; k++)
        json_object_set_new(all, m->metrics[k].name, score_json(score ? &score[k] : &m->metrics[k].cv));
    return all;
}

/* One line each for what is long, so that the file can be looked at. */
static void add_line(struct strbuf *text, json_t *value, bool last)
{
    json_write(text, value);
    strbuf_adds(text, last ? "\n" : ",\n");
    json_decref(value);
}

static json_t *metric_json(const struct mix_metric *k, int64_t n_domains)
{
    json_t *o = json_object();
    json_object_set_new(o, "name", json_string(k->name));
    json_object_set_new(o, "higher_is_better", json_boolean(k->fit.rising));
    json_object_set_new(o, "cv", score_json(&k->cv));
    k->fit.kind->write(&k->fit, n_domains, o);
    return o;
}

static json_t *run_json(const struct mix_model *m, int64_t i)
{
    json_t *a = json_array();
    json_array_append_new(a, json_string(m->run_ids[i]));
    json_array_append_new(a, json_from_doubles(m->runs + i * m->n_domains, m->n_domains));
    json_array_append_new(a, json_from_doubles(m->measured + i * m->n_metrics, m->n_metrics));
    return a;
}

int mix_model_save(const struct mix_model *m, const char *path, struct err *err)
{
    struct strbuf text = {0};
    json_t *domains = json_array();
    for (int64_t d = 0; d < m->n_domains; d++)
        json_array_append_new(domains, json_string(m->domains[d]));
    strbuf_adds(&text, "{\"format\":\"mix-model\",\"version\":1,\"made_by\":\"thinkpipe " TP_VERSION
                       "\",\n\"regressor\":");
    add_line(&text, json_string(m->kind->name), false);
    strbuf_adds(&text, "\"domains\":");
    add_line(&text, domains, false);
    strbuf_adds(&text, "\"metrics\":[\n");
    for (int64_t k = 0; k < m->n_metrics; k++)
        add_line(&text, metric_json(&m->metrics[k], m->n_domains), k == m->n_metrics - 1);
    strbuf_adds(&text, "],\"runs\":[\n");
    for (int64_t i = 0; i < m->n_runs; i++)
        add_line(&text, run_json(m, i), i == m->n_runs - 1);
    strbuf_adds(&text, "]}\n");
    int rc = file_write_atomic(path, text.buf, text.len, err);
    strbuf_release(&text);
    return rc;
}

static int read_metric(struct mix_model *m, const json_t *o, struct mix_metric *k, struct err *err)
{
    const char *name;
    const json_t *cv = json_object_get(o, "cv");
    k->fit.kind = m->kind;
    k->cv = (struct fit_score){
        .spearman = NAN, .low = NAN, .high = NAN, .rmse = NAN, .mae = NAN};
    if (json_get_str(o, "name", &name, err) < 0)
        return -1;
    k->name = xstrdup(name);
    if (json_opt_bool(o, "higher_is_better", &k->fit.rising, err) < 0)
        return -1;
    if (cv && (json_opt_int(cv, "n", &k->cv.n, err) < 0 ||
               json_opt_num(cv, "spearman", &k->cv.spearman, err) < 0 ||
               json_opt_num(cv, "low", &k->cv.low, err) < 0 ||
               json_opt_num(cv, "high", &k->cv.high, err) < 0 ||
               json_opt_num(cv, "rmse", &k->cv.rmse, err) < 0 ||
               json_opt_num(cv, "mae", &k->cv.mae, err) < 0))
        return -1;
    if (m->kind->read(&k->fit, m->n_domains, o, err) < 0)
        return err_prefix(err, "metric '%s'", name);
    return 0;
}

static int read_domains(struct mix_model *m, const json_t *doc, struct err *err)
{
    const json_t *a = json_object_get(doc, "domains");
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
    return 0;
}

static int read_run(struct mix_model *m, const json_t *run, int64_t i, struct err *err)
{
    const char *id = json_string_value(json_array_get(run, 0));
    const json_t *shares = json_array_get(run, 1), *measured = json_array_get(run, 2);
    if (!id || (int64_t)json_array_size(shares) != m->n_domains ||
        (int64_t)json_array_size(measured) != m->n_metrics)
        return err_set(err, "'runs'[%lld] is not [id, [%lld shares], [%lld metrics]]", (long long)i,
                       (long long)m->n_domains, (long long)m->n_metrics);
    m->run_ids[i] = xstrdup(id);
    for (int64_t d = 0; d < m->n_domains; d++) {
        const json_t *v = json_array_get(shares, (size_t)d);
        if (!json_is_number(v))
            return err_set(err, "'runs'[%lld]: a share is %s", (long long)i, json_type_name(v));
        m->runs[i * m->n_domains + d] = json_number_value(v);
    }
    for (int64_t k = 0; k < m->n_metrics; k++) {
        const json_t *v = json_array_get(measured, (size_t)k);
        m->measured[i * m->n_metrics + k] = json_is_number(v) ? json_number_value(v) : NAN;
    }
    return 0;
}

static int read_runs(struct mix_model *m, const json_t *doc, struct err *err)
{
    const json_t *runs = json_object_get(doc, "runs");
    int64_t n = (int64_t)json_array_size(runs);
    if (n == 0)
        return err_set(err, "'runs' is missing or empty");
    m->run_ids = xcalloc((size_t)n, sizeof *m->run_ids);
    m->runs = xcalloc((size_t)(n * m->n_domains), sizeof *m->runs);
    m->measured = xcalloc((size_t)(n * m->n_metrics), sizeof *m->measured);
    m->n_runs = n;
    for (int64_t i = 0; i < n; i++)
        if (read_run(m, json_array_get(runs, (size_t)i), i, err) < 0)
            return -1;
    mix_model_describe(m);
    return 0;
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
    return read_runs(m, doc, err);
}

int mix_model_read(struct mix_model *m, const json_t *doc, const char *path, struct err *err)
{
    memset(m, 0, sizeof *m);
    if (read_doc(m, doc, err) == 0)
        return 0;
    mix_model_release(m);
    return err_prefix(err, "%s", path);
}

int mix_model_load(struct mix_model *m, const char *path, struct err *err)
{
    memset(m, 0, sizeof *m);
    json_t *doc = json_load_path(path, err);
    if (!doc)
        return -1;
    int rc = mix_model_read(m, doc, path, err);
    json_decref(doc);
    return rc;
}
