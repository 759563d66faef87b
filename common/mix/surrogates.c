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
    for (int64_t i = 0; i < m->n_runs && m->run_ids; i++)
        free(m->run_ids[i]);
    free(m->run_ids);
    free(m->runs);
    free(m->measured);
    free(m->domains);
    free(m->train_min);
    free(m->train_max);
    free(m->metrics);
    memset(m, 0, sizeof *m);
}

bool mix_metric_is_noise(const struct mix_metric *k)
{
    return k->cv.n > 0 && !(k->cv.low > 0);
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
    int64_t *run; /* [data.n] which of the model's runs */
    struct err err;
    int rc;
};

struct jobs {
    struct mix_model *model;
    struct job *job; /* [n_metrics] */
};

static void job_gather(struct job *j, const struct mix_model *model, int64_t col,
                       const struct fit_options *options)
{
    int64_t m = model->n_domains, n = model->n_runs;
    j->x = xcalloc((size_t)(n * m) + 1, sizeof *j->x);
    j->y = xcalloc((size_t)n + 1, sizeof *j->y);
    j->held_out = xcalloc((size_t)n + 1, sizeof *j->held_out);
    j->run = xcalloc((size_t)n + 1, sizeof *j->run);
    j->data = (struct fit_data){.m = m, .x = j->x, .y = j->y, .options = *options};
    for (int64_t i = 0; i < n; i++) {
        double y = model->measured[i * model->n_metrics + col];
        if (!isfinite(y))
            continue;
        memcpy(j->x + j->data.n * m, model->runs + i * m, (size_t)m * sizeof *j->x);
        j->run[j->data.n] = i;
        j->y[j->data.n++] = y;
    }
}

static struct fit_score score_pairs(const double *guess, const double *y, int64_t n)
{
    struct fit_score s = {
        .n = n,
        .spearman = spearman(guess, y, n),
        .rmse = root_mean_square(guess, y, n),
        .mae = mean_absolute(guess, y, n),
    };
    spearman_interval(s.spearman, n, &s.low, &s.high);
    return s;
}

static void job_run(void *arg, int64_t i, int thread)
{
    struct jobs *jobs = arg;
    struct job *j = &jobs->job[i];
    struct mix_metric *metric = &jobs->model->metrics[i];
    (void)thread;
    j->rc = surrogate_fit(jobs->model->kind, &j->data, &metric->fit, j->held_out, &j->err);
    if (j->rc == 0)
        metric->cv = score_pairs(j->held_out, j->y, j->data.n);
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

void mix_model_describe(struct mix_model *m)
{
    m->train_min = xcalloc((size_t)m->n_domains, sizeof *m->train_min);
    m->train_max = xcalloc((size_t)m->n_domains, sizeof *m->train_max);
    for (int64_t d = 0; d < m->n_domains; d++) {
        m->train_min[d] = 1;
        for (int64_t i = 0; i < m->n_runs; i++) {
            double x = m->runs[i * m->n_domains + d];
            m->train_min[d] = fmin(m->train_min[d], x);
            m->train_max[d] = fmax(m->train_max[d], x);
        }
    }
}

static void keep_runs(struct mix_model *m, const struct table *mixtures,
                      const struct table *metrics, const int64_t *row)
{
    int64_t kept = 0;
    m->n_domains = mixtures->n_cols;
    m->domains = xcalloc((size_t)m->n_domains, sizeof *m->domains);
    for (int64_t d = 0; d < m->n_domains; d++)
        m->domains[d] = xstrdup(mixtures->cols[d]);
    m->run_ids = xcalloc((size_t)m->n_runs + 1, sizeof *m->run_ids);
    m->runs = xcalloc((size_t)(m->n_runs * m->n_domains) + 1, sizeof *m->runs);
    m->measured = xcalloc((size_t)(m->n_runs * m->n_metrics) + 1, sizeof *m->measured);
    for (int64_t i = 0; i < mixtures->n_rows; i++) {
        if (row[i] < 0)
            continue;
        m->run_ids[kept] = xstrdup(mixtures->ids[i]);
        memcpy(m->runs + kept * m->n_domains, mixtures->x + i * m->n_domains,
               (size_t)m->n_domains * sizeof *m->runs);
        memcpy(m->measured + kept * m->n_metrics, metrics->x + row[i] * m->n_metrics,
               (size_t)m->n_metrics * sizeof *m->measured);
        kept++;
    }
    mix_model_describe(m);
}

enum { FEW_RUNS = 10 }; /* of which nobody can say which are the odd ones */

/* Adds 1 to each run whose metric is far from what a fit without it says: further than any error a
 * normal distribution has, its width taken from the median, which bad runs do not move, and further than
 * the metric's standard deviation, which means something. */
static void count_outliers(const struct job *j, int *far)
{
    double *size = xcalloc((size_t)j->data.n + 1, sizeof *size);
    for (int64_t i = 0; i < j->data.n; i++)
        size[i] = fabs(j->y[i] - j->held_out[i]);
    double deviation = median(size, j->data.n) / 0.6745, mean = 0, var = 0;
    for (int64_t i = 0; i < j->data.n; i++)
        mean += j->y[i] / (double)j->data.n;
    for (int64_t i = 0; i < j->data.n; i++)
        var += (j->y[i] - mean) * (j->y[i] - mean) / (double)j->data.n;
    for (int64_t i = 0; i < j->data.n && deviation > 0 && j->data.n >= FEW_RUNS; i++)
        far[j->run[i]] += fabs(j->y[i] - j->held_out[i]) > fmax(12 * deviation, sqrt(var));
    free(size);
}

/* More often a run that went wrong, or a mixture of nearly one domain, than a discovery. */
static void warn_outliers(const struct mix_model *m, const struct jobs *jobs)
{
    int *far = xcalloc((size_t)m->n_runs + 1, sizeof *far);
    struct strbuf names = {0};
    int64_t n = 0;
    for (int64_t k = 0; k < m->n_metrics; k++)
        count_outliers(&jobs->job[k], far);
    for (int64_t i = 0; i < m->n_runs; i++)
        if (far[i] && n++ < 5)
            strbuf_addf(&names, "%s'%s' (%d)", n > 1 ? ", " : "", m->run_ids[i], far[i]);
    if (n)
        log_warn("%lld run%s far from the fit; did they go wrong? Run (metrics): %s%s", (long long)n,
                 n > 1 ? "s are" : " is", names.buf, n > 5 ? ", ..." : "");
    strbuf_release(&names);
    free(far);
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
    }
    if (rc == 0)
        warn_outliers(m, jobs);
    for (int64_t k = 0; k < m->n_metrics; k++) {
        struct job *j = &jobs->job[k];
        free(j->x);
        free(j->y);
        free(j->held_out);
        free(j->run);
    }
    free(jobs->job);
    return rc;
}

int mix_model_fit(struct mix_model *m, const struct mix_fit_options *o, const struct table *mixtures,
                  const struct table *metrics, struct err *err)
{
    int64_t *row = xcalloc((size_t)mixtures->n_rows, sizeof *row);
    *m = (struct mix_model){.kind = o->kind, .n_metrics = metrics->n_cols};
    m->n_runs = join(mixtures, metrics, row);
    m->metrics = xcalloc((size_t)m->n_metrics, sizeof *m->metrics);
    keep_runs(m, mixtures, metrics, row);
    struct jobs jobs = {m, xcalloc((size_t)m->n_metrics, sizeof *jobs.job)};
    for (int64_t k = 0; k < m->n_metrics; k++) {
        m->metrics[k].name = xstrdup(metrics->cols[k]);
        job_gather(&jobs.job[k], m, k, &o->fit);
    }
    int rc = m->n_runs ? 0
                       : err_set(err, "%s and %s have no run in common", mixtures->name,
                                 metrics->name);
    if (rc == 0)
        rc = mark_rising(m, &jobs, o->rising, o->n_rising, err);
    if (rc == 0)
        pool_for(m->n_metrics, job_run, &jobs);
    rc = finish_jobs(m, &jobs, rc, err);
    free(row);
    if (rc < 0)
        mix_model_release(m);
    return rc;
}

void mix_model_score(const struct mix_model *m, const struct table *mixtures, const double *predicted,
                     const struct table *metrics, struct fit_score *score)
{
    double *guess = xcalloc((size_t)mixtures->n_rows, sizeof *guess);
    double *y = xcalloc((size_t)mixtures->n_rows, sizeof *y);
    int64_t *row = xcalloc((size_t)mixtures->n_rows, sizeof *row);
    join(mixtures, metrics, row);
    for (int64_t k = 0; k < m->n_metrics; k++) {
        int64_t col = table_column(metrics, m->metrics[k].name), n = 0;
        for (int64_t i = 0; i < mixtures->n_rows && col >= 0; i++) {
            y[n] = row[i] < 0 ? NAN : metrics->x[row[i] * metrics->n_cols + col];
            guess[n] = predicted[i * m->n_metrics + k];
            n += isfinite(y[n]);
        }
        score[k] = score_pairs(guess, y, n);
    }
    free(guess);
    free(y);
    free(row);
}

int mix_model_predict(const struct mix_model *m, const struct table *mixtures, double *out,
                      struct err *err)
{
    int64_t *col = xcalloc((size_t)m->n_domains, sizeof *col);
    int64_t n = mixtures->n_rows;
    double *x = xcalloc((size_t)(n * m->n_domains), sizeof *x), *y = xcalloc((size_t)n, sizeof *y);
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
    for (int64_t i = 0; i < n && rc == 0; i++)
        for (int64_t d = 0; d < m->n_domains; d++)
            x[i * m->n_domains + d] = mixtures->x[i * mixtures->n_cols + col[d]];
    for (int64_t k = 0; k < m->n_metrics && rc == 0; k++) {
        surrogate_values(&m->metrics[k].fit, x, n, m->n_domains, y);
        for (int64_t i = 0; i < n; i++)
            out[i * m->n_metrics + k] = y[i];
    }
    free(y);
    free(col);
    free(x);
    return rc;
}
