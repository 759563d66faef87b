/* series.h - the metrics of several runs, as columns over steps.
 *
 *     struct series_set set = {0};
 *     struct series_run *run = series_run_find(&set, "base");
 *     series_add(run, &set, record, &err);          // once a line
 *     series_finish(&set);                          // sorts, merges repeated steps
 *     series_curve(run, metric, &curve);            // the points of one metric
 *
 * A trainer that resumes repeats steps, and one run may come from several files, in any order: of
 * several lines of one step the last one counts, metric by metric.
 */
#ifndef TP_REPORT_SERIES_H
#define TP_REPORT_SERIES_H

#include "data/json.h"
#include "report/curve.h"

enum { SERIES_MAX_METRICS = 4096 };

struct series_column {
    double *values; /* [n] by row; NaN = the line had null, infinity = the line had nothing */
    int64_t n, cap;
};

struct series_run {
    char *name;
    int64_t n_lines;
    double *steps; /* [n_rows] */
    int64_t n_rows, cap;
    struct series_column *columns; /* by metric; fewer than the set has when later ones are new */
    int n_columns;
};

struct series_set {
    struct series_run *runs; /* in order of first use */
    int n_runs, runs_cap;
    char **metrics; /* names, in order of first use */
    int n_metrics, metrics_cap;
    json_t *index; /* name -> number */
};

/* The run of that name, made when it is new; the pointer holds until the next call. */
struct series_run *series_run_find(struct series_set *s, const char *name);
/* Takes the record's 'step' and everything in it that is a number or null.  -1: there is no step.
 */
int series_add(struct series_set *s, struct series_run *r, json_t *obj,
               struct err *err) WARN_UNUSED;
void series_finish(struct series_set *s);
int series_metric(const struct series_set *s, const char *name); /* its number, or -1 */
/* Where the run has the metric, in order of steps; y is NaN where it was null.  curve_release(). */
void series_curve(const struct series_run *r, int metric, struct curve *out);
void series_release(struct series_set *s);

#endif
