/* surrogates.c - fitted models of all metrics of a swarm. */
#include "mix/surrogates.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/pool.h"
#include "mix/stats.h"

int64_t mix_model_domain(const struct mix_model *m, const char *name)
{
    for (int64_t i = 0; i < m->n_domains; i++)
        if (strcmp(m->domains[i], name) == 0)
            return i;
    return -1;
}

int64_t mix_model_metric(const struct mix_model *m, const char *name)
{
    for (int64_t i = 0; i < m->n_metrics; i++)
        if (strcmp(m->metrics[i].name, name) == 0)
            return i;
    return -1;
}

void mix_model_release(struct mix_model *m)
{
    for (int64_t i = 0; i < m->n_domains; i++)
        free(m->domains[i]);
    for (int64_t i = 0; i < m->n_metrics; i++) {
        free(m->metrics[i].name);
        surrogate_release(&m->metrics[i].fit);
    }
    free(m->domains);
    free(m->train_min);
    free(m->train_max);
    free(m->metrics);
    memset(m, 0, sizeof *m);
}

/* Rows of metrics for rows of mixtures, -1 where a run has none.  Returns how many have one. */
static int64_t join(const struct table *mixtures, const struct table *metrics, int64_t *row)
{
    int64_t n = 0;
    for (int64_t i = 0; i < mixtures->n_rows; i++) {
        bool same = i < metrics->n_rows && strcmp(mixtures->ids[i], metrics->ids[i]) == 0;
        row[i] = same ? i : table_row(metrics, mixtures->ids[i]);
        n += row[i] >= 0;
    }
    if (n < mixtures->n_rows)
        log_warn("%lld runs of %s are not in %s", (long long)(mixtures->n_rows - n),
                 mixtures->name, metrics->name);
    if (n < metrics->n_rows)
        log_warn("%lld runs of %s are not in %s", (long long)(metrics->n_rows - n), metrics->name,
                 mixtures->name);
    return n;
}

/* One metric's rows, gathered. */
struct job {
    struct fit_data data;
    double *x, *y, *held_out;
    struct err err;
    int rc;
};

struct jobs {
    struct mix_model *model;
    struct job *job; /* [n_metrics] */
};

static void job_gather(struct job *j, const struct table *mixtures, const struct table *metrics,
                       int64_t col, const int64_t *row)
{
    int64_t m = mixtures->n_cols;
    j->x = xcalloc((size_t)(mixtures->n_rows * m), sizeof *j->x);
    j->y = xcalloc((size_t)mixtures->n_rows, sizeof *j->y);
    j->held_out = xcalloc((size_t)mixtures->n_rows, sizeof *j->held_out);
    j->data = (struct fit_data){.m = m, .x = j->x, .y = j->y};
    for (int64_t i = 0; i < mixtures->n_rows; i++) {
        double y = row[i] < 0 ? NAN : metrics->x[row[i] * metrics->n_cols + col];
        if (!isfinite(y))
            continue;
        memcpy(j->x + j->data.n * m, mixtures->x + i * m, (size_t)m * sizeof *j->x);
        j->y[j->data.n++] = y;
    }
}

static void job_run(void *arg, int64_t i, int thread)
{
    struct jobs *jobs = arg;
    struct job *j = &jobs->job[i];
    struct mix_metric *metric = &jobs->model->metrics[i];
    (void)thread;
    j->rc = jobs->model->kind->fit(&j->data, &metric->fit, j->held_out, &j->err);
    if (j->rc < 0)
        return;
    metric->cv = (struct fit_score){
        .n = j->data.n,
        .spearman = spearman(j->held_out, j->y, j->data.n),
        .rmse = root_mean_square(j->held_out, j->y, j->data.n),
        .mae = mean_absolute(j->held_out, j->y, j->data.n),
    };
}

static int mark_rising(struct mix_model *m, struct jobs *jobs, const char *const *names, int n,
                       struct err *err)
{
    for (int i = 0; i < n; i++) {
        int64_t k = mix_model_metric(m, names[i]);
        if (k < 0)
            return err_set(err, "--higher-is-better: there is no metric '%s'", names[i]);
        jobs->job[k].data.rising = true;
    }
    return 0;
}

static void describe_domains(struct mix_model *m, const struct table *mixtures, const int64_t *row)
{
    m->n_domains = mixtures->n_cols;
    m->domains = xcalloc((size_t)m->n_domains, sizeof *m->domains);
    m->train_min = xcalloc((size_t)m->n_domains, sizeof *m->train_min);
    m->train_max = xcalloc((size_t)m->n_domains, sizeof *m->train_max);
    for (int64_t d = 0; d < m->n_domains; d++) {
        m->domains[d] = xstrdup(mixtures->cols[d]);
        m->train_min[d] = 1;
        for (int64_t i = 0; i < mixtures->n_rows; i++) {
            double x = mixtures->x[i * m->n_domains + d];
            if (row[i] < 0)
                continue;
            m->train_min[d] = fmin(m->train_min[d], x);
            m->train_max[d] = fmax(m->train_max[d], x);
        }
    }
}

static int finish_jobs(struct mix_model *m, struct jobs *jobs, int rc, struct err *err)
{
    for (int64_t k = 0; k < m->n_metrics; k++) {
        struct job *j = &jobs->job[k];
        if (rc == 0 && j->rc < 0)
            rc = err_set(err, "metric '%s': %s", m->metrics[k].name, j->err.text);
        if (rc == 0 && j->data.n < m->n_runs)
            log_warn("metric '%s' is missing for %lld of %lld runs", m->metrics[k].name,
                     (long long)(m->n_runs - j->data.n), (long long)m->n_runs);
        free(j->x);
        free(j->y);
        free(j->held_out);
    }
    free(jobs->job);
    return rc;
}

int mix_model_fit(struct mix_model *m, const struct regressor *kind, const struct table *mixtures,
                  const struct table *metrics, const char *const *rising, int n_rising,
                  struct err *err)
{
    int64_t *row = xcalloc((size_t)mixtures->n_rows, sizeof *row);
    *m = (struct mix_model){.kind = kind, .n_metrics = metrics->n_cols};
    m->n_runs = join(mixtures, metrics, row);
    m->metrics = xcalloc((size_t)m->n_metrics, sizeof *m->metrics);
    struct jobs jobs = {m, xcalloc((size_t)m->n_metrics, sizeof *jobs.job)};
    for (int64_t k = 0; k < m->n_metrics; k++) {
        m->metrics[k].name = xstrdup(metrics->cols[k]);
        job_gather(&jobs.job[k], mixtures, metrics, k, row);
    }
    describe_domains(m, mixtures, row);
    int rc = m->n_runs ? 0
                       : err_set(err, "%s and %s have no run in common", mixtures->name,
                                 metrics->name);
    if (rc == 0)
        rc = mark_rising(m, &jobs, rising, n_rising, err);
    if (rc == 0)
        pool_for(m->n_metrics, job_run, &jobs);
    rc = finish_jobs(m, &jobs, rc, err);
    free(row);
    if (rc < 0)
        mix_model_release(m);
    return rc;
}

int mix_model_predict(const struct mix_model *m, const struct table *mixtures, double *out,
                      struct err *err)
{
    int64_t *col = xcalloc((size_t)m->n_domains, sizeof *col);
    double *x = xcalloc((size_t)m->n_domains, sizeof *x);
    int rc = 0;
    for (int64_t d = 0; d < m->n_domains && rc == 0; d++) {
        col[d] = table_column(mixtures, m->domains[d]);
        if (col[d] < 0)
            rc = err_set(err, "%s has no column '%s', a domain of the model", mixtures->name,
                         m->domains[d]);
    }
    for (int64_t c = 0; c < mixtures->n_cols && rc == 0; c++)
        if (mix_model_domain(m, mixtures->cols[c]) < 0)
            rc = err_set(err, "%s: the model knows no domain '%s'", mixtures->name,
                         mixtures->cols[c]);
    for (int64_t i = 0; i < mixtures->n_rows && rc == 0; i++) {
        for (int64_t d = 0; d < m->n_domains; d++)
            x[d] = mixtures->x[i * mixtures->n_cols + col[d]];
        for (int64_t k = 0; k < m->n_metrics; k++)
            out[i * m->n_metrics + k] = surrogate_value(&m->metrics[k].fit, x, m->n_domains);
    }
    free(col);
    free(x);
    return rc;
}
