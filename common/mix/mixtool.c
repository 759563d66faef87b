/* mixtool.c - the commands of mix-fit. */
#include "mix/mixtool.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/tool.h"
#include "mix/pareto.h"

int mix_write(const char *path, const struct strbuf *text, struct err *err)
{
    if (path && strcmp(path, "-") != 0)
        return file_write_atomic(path, text->buf, text->len, err);
    if (fwrite(text->buf, 1, text->len, stdout) != text->len)
        return err_errno(err, "cannot write standard output");
    return 0;
}

/* fit */

/* score [n_metrics], or NULL: those of cross-validation. */
static void print_scores(const struct mix_model *m, const struct fit_score *score)
{
    int width = 6;
    for (int64_t k = 0; k < m->n_metrics; k++)
        width = (int)fmax(width, (double)strlen(m->metrics[k].name));
    log_info("%-*s %5s %9s %15s %10s %10s", width, "metric", "n", "spearman", "95% interval", "rmse", "mae");
    for (int64_t k = 0; k < m->n_metrics; k++) {
        const struct fit_score *x = score ? &score[k] : &m->metrics[k].cv;
        char rho[32] = "-", interval[64] = "-";
        if (isfinite(x->spearman))
            snprintf(rho, sizeof rho, "%.2f", 100 * x->spearman);
        if (isfinite(x->low))
            snprintf(interval, sizeof interval, "%.2f %.2f", 100 * x->low, 100 * x->high);
        log_info("%-*s %5lld %9s %15s %10.5g %10.5g", width, m->metrics[k].name, (long long)x->n, rho,
                 interval, x->rmse, x->mae);
    }
}

static void warn_noise(const struct mix_model *m)
{
    for (int64_t k = 0; k < m->n_metrics; k++) {
        const struct mix_metric *x = &m->metrics[k];
        if (!isfinite(x->cv.spearman))
            log_warn("metric '%s' cannot be ranked: it, or its prediction, is constant", x->name);
        else if (mix_metric_is_noise(x))
            log_warn("metric '%s' is at chance: its rank correlation may be 0; solve leaves it out", x->name);
    }
}

static int save_report(const struct mix_model *m, const struct fit_score *score, const char *path,
                       struct err *err)
{
    if (!path)
        return 0;
    json_t *doc = mix_scores_json(m, score);
    int rc = json_save_path(path, doc, err);
    json_decref(doc);
    return rc;
}

int mix_fit(const struct mix_options *o, struct err *err)
{
    struct table mixtures = {0}, metrics = {0};
    struct mix_model model;
    struct mix_fit_options fit = o->fit;
    fit.rising = o->rising.items;
    fit.n_rising = o->rising.n;
    int rc = table_read(&mixtures, o->mixtures, err);
    if (rc == 0)
        rc = table_check_mixtures(&mixtures, o->normalize, err);
    if (rc == 0)
        rc = table_read(&metrics, o->metrics, err);
    if (rc == 0)
        rc = mix_model_fit(&model, &fit, &mixtures, &metrics, err);
    if (rc == 0) {
        print_scores(&model, NULL);
        warn_noise(&model);
        tool_counts.in = model.n_runs;
        tool_counts.out = model.n_metrics;
        rc = save_report(&model, NULL, o->report, err);
        if (rc == 0)
            rc = mix_model_save(&model, o->out, err);
        mix_model_release(&model);
    }
    table_release(&mixtures);
    table_release(&metrics);
    return rc;
}

/* predict */

static void predictions_csv(struct strbuf *s, const struct mix_model *m, const struct table *t,
                            const double *y)
{
    csv_add_text(s, t->id_name);
    for (int64_t k = 0; k < m->n_metrics; k++) {
        strbuf_addc(s, ',');
        csv_add_text(s, m->metrics[k].name);
    }
    strbuf_addc(s, '\n');
    for (int64_t i = 0; i < t->n_rows; i++) {
        csv_add_text(s, t->ids[i]);
        for (int64_t k = 0; k < m->n_metrics; k++) {
            strbuf_addc(s, ',');
            csv_add_number(s, y[i * m->n_metrics + k]);
        }
        strbuf_addc(s, '\n');
    }
}

/* How well the predictions agree with what was measured. */
static int compare(const struct mix_options *o, const struct mix_model *m, const struct table *mixtures,
                   const double *y, struct err *err)
{
    struct table metrics;
    if (!o->metrics)
        return 0;
    if (table_read(&metrics, o->metrics, err) < 0)
        return -1;
    struct fit_score *score = xcalloc((size_t)m->n_metrics, sizeof *score);
    mix_model_score(m, mixtures, y, &metrics, score);
    print_scores(m, score);
    int rc = save_report(m, score, o->report, err);
    free(score);
    table_release(&metrics);
    return rc;
}

int mix_predict(const struct mix_options *o, struct err *err)
{
    struct mix_model model;
    struct table t = {0};
    struct strbuf text = {0};
    if (mix_model_load(&model, o->model, err) < 0)
        return -1;
    int rc = table_read(&t, o->mixtures, err);
    if (rc == 0)
        rc = table_check_mixtures(&t, o->normalize, err);
    if (rc == 0) {
        double *y = xcalloc((size_t)(t.n_rows * model.n_metrics), sizeof *y);
        rc = mix_model_predict(&model, &t, y, err);
        if (rc == 0)
            rc = compare(o, &model, &t, y, err);
        if (rc == 0) {
            predictions_csv(&text, &model, &t, y);
            rc = mix_write(o->out, &text, err);
        }
        tool_counts.in = tool_counts.out = t.n_rows;
        free(y);
    }
    strbuf_release(&text);
    table_release(&t);
    mix_model_release(&model);
    return rc;
}

/* solve and pareto */

static int solve_options(const struct mix_options *o, struct solve_options *s, struct err *err)
{
    *s = o->solve;
    s->seed = o->seed;
    if (strcmp(o->kl, "1se") == 0) {
        s->problem.kl = -1;
        return 0;
    }
    if (parse_float(o->kl, 0, 1e6, &s->problem.kl, err) == 0)
        return 0;
    err->status = EXIT_USAGE;
    return err_prefix(err, "--kl %s", o->kl);
}

int mix_solve_print(const struct mix_options *o, struct err *err)
{
    struct mix_model model;
    struct solve_options s;
    if (solve_options(o, &s, err) < 0 || mix_model_load(&model, o->model, err) < 0)
        return -1;
    json_t *answer = mix_solve(&model, &s, err);
    int rc = answer ? 0 : -1;
    if (answer) {
        struct strbuf text = {0};
        mix_solve_table(&model, answer);
        json_write_pretty(&text, answer);
        if (text.len && text.buf[text.len - 1] != '\n')
            strbuf_addc(&text, '\n');
        rc = mix_write(o->out, &text, err);
        strbuf_release(&text);
        json_decref(answer);
        tool_counts.in = model.n_metrics;
        tool_counts.out = 1;
    }
    mix_model_release(&model);
    return rc;
}

int mix_pareto_print(const struct mix_options *o, struct err *err)
{
    struct mix_model model;
    struct solve_options s;
    struct strbuf text = {0}, svg = {0};
    if (solve_options(o, &s, err) < 0 || mix_model_load(&model, o->model, err) < 0)
        return -1;
    json_t *all = mix_pareto(&model, &s, o->points, err), *point;
    int rc = all ? 0 : -1;
    size_t i;
    json_array_foreach(all, i, point)
    {
        json_write(&text, point);
        strbuf_addc(&text, '\n');
    }
    if (rc == 0 && o->svg) {
        rc = mix_pareto_svg(&model, &s, all, &svg, err);
        if (rc == 0)
            rc = mix_write(o->svg, &svg, err);
    }
    if (rc == 0)
        rc = mix_write(o->out, &text, err);
    tool_counts.in = model.n_metrics;
    tool_counts.out = (int64_t)json_array_size(all);
    json_decref(all);
    strbuf_release(&text);
    strbuf_release(&svg);
    mix_model_release(&model);
    return rc;
}
