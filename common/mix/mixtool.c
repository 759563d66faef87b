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
#include "mix/swarm.h"

static int write_text(const char *path, const struct strbuf *text, struct err *err)
{
    if (path && strcmp(path, "-") != 0)
        return file_write_atomic(path, text->buf, text->len, err);
    if (fwrite(text->buf, 1, text->len, stdout) != text->len)
        return err_errno(err, "cannot write standard output");
    return 0;
}

/* sample */

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

int mix_sample(const struct mix_options *o, struct err *err)
{
    struct sources src = {0};
    struct strbuf text = {0};
    struct swarm_options s = {.n = o->n, .min_weight = o->min_weight, .seed = o->seed};
    if (parse_strength(o->strength, &s, err) < 0)
        return -1;
    if ((o->prior ? sources_read(&src, o->prior, err) : sources_from_names(&src, o->domains, err)) < 0)
        return -1;
    double *prior = xcalloc((size_t)src.n, sizeof *prior);
    int64_t *rows = xreallocarray(NULL, (size_t)(s.n * src.n), sizeof *rows);
    int rc = sources_prior(&src, prior, err);
    if (rc == 0)
        rc = swarm_draw(&s, prior, src.n, rows, err);
    if (rc == 0) {
        swarm_csv(&text, &src, rows, s.n);
        rc = write_text(o->out, &text, err);
        tool_counts.in = src.n;
        tool_counts.out = s.n;
    }
    strbuf_release(&text);
    sources_release(&src);
    free(prior);
    free(rows);
    return rc;
}

/* fit */

static void print_scores(const struct mix_model *m)
{
    int width = 6;
    for (int64_t k = 0; k < m->n_metrics; k++)
        width = (int)fmax(width, (double)strlen(m->metrics[k].name));
    log_info("%-*s %5s %9s %10s %10s %10s", width, "metric", "n", "spearman", "rmse", "mae",
             "penalty");
    for (int64_t k = 0; k < m->n_metrics; k++) {
        const struct mix_metric *x = &m->metrics[k];
        char rho[32] = "-";
        if (isfinite(x->cv.spearman))
            snprintf(rho, sizeof rho, "%.2f", 100 * x->cv.spearman);
        log_info("%-*s %5lld %9s %10.5g %10.5g %10.3g", width, x->name, (long long)x->cv.n, rho,
                 x->cv.rmse, x->cv.mae, x->fit.penalty);
        if (!isfinite(x->cv.spearman))
            log_warn("metric '%s' cannot be ranked: it, or its prediction, is constant", x->name);
    }
}

int mix_fit(const struct mix_options *o, struct err *err)
{
    struct table mixtures = {0}, metrics = {0};
    struct mix_model model;
    int rc = table_read(&mixtures, o->mixtures, err);
    if (rc == 0)
        rc = table_check_mixtures(&mixtures, o->normalize, err);
    if (rc == 0)
        rc = table_read(&metrics, o->metrics, err);
    if (rc == 0)
        rc = mix_model_fit(&model, o->regressor, &mixtures, &metrics, o->rising.items, o->rising.n,
                           err);
    if (rc == 0) {
        print_scores(&model);
        tool_counts.in = model.n_runs;
        tool_counts.out = model.n_metrics;
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
        if (rc == 0) {
            predictions_csv(&text, &model, &t, y);
            rc = write_text(o->out, &text, err);
        }
        tool_counts.in = tool_counts.out = t.n_rows;
        free(y);
    }
    strbuf_release(&text);
    table_release(&t);
    mix_model_release(&model);
    return rc;
}

/* solve */

int mix_solve_print(const struct mix_options *o, struct err *err)
{
    struct mix_model model;
    if (mix_model_load(&model, o->model, err) < 0)
        return -1;
    json_t *answer = mix_solve(&model, &o->solve, err);
    int rc = answer ? 0 : -1;
    if (answer) {
        struct strbuf text = {0};
        json_write_pretty(&text, answer);
        if (text.len && text.buf[text.len - 1] != '\n')
            strbuf_addc(&text, '\n');
        rc = write_text(o->out, &text, err);
        strbuf_release(&text);
        json_decref(answer);
        tool_counts.in = model.n_metrics;
        tool_counts.out = 1;
    }
    mix_model_release(&model);
    return rc;
}
