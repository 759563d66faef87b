/* surrogates.h - fitted models of all metrics of a swarm, and their file.
 *
 * The file is JSON: {"format":"mix-model","version":1,"regressor":...,"domains":[...],
 * "metrics":[{"name","cv":{...},...}],"runs":[[id,[shares],[measured]],...]}.  A metric's other members
 * are its regressor's.
 */
#ifndef TP_MIX_SURROGATES_H
#define TP_MIX_SURROGATES_H

#include "data/json.h"
#include "mix/regress.h"
#include "mix/table.h"

struct fit_score {
    int64_t n; /* runs with this metric */
    /* Of predictions for runs that were left out; NAN = undefined.  low, high: the 95% interval of
     * spearman. */
    double spearman, low, high, rmse, mae;
};

struct mix_metric {
    char *name;
    struct surrogate fit;
    struct fit_score cv;
};

struct mix_model {
    const struct regressor *kind;
    int64_t n_domains, n_metrics, n_runs;
    char **domains;
    struct mix_metric *metrics;
    /* The runs of the fit. */
    char **run_ids;
    double *runs;                  /* [n_runs, n_domains] */
    double *measured;              /* [n_runs, n_metrics] NAN = missing */
    double *train_min, *train_max; /* [n_domains] least and largest share */
};

/* Joins the tables on their first columns.  Runs in only one of them are left out with a warning;
 * a metric that is missing or infinite for a run is left out for that metric only.  rising names
 * the metrics where higher is better. */
struct mix_fit_options {
    const struct regressor *kind;
    struct fit_options fit;
    int n_rising;
    const char *const *rising;
};
int mix_model_fit(struct mix_model *m, const struct mix_fit_options *o, const struct table *mixtures,
                  const struct table *metrics, struct err *err) WARN_UNUSED;
/* True if the metric's ranking is no better than chance, as far as the runs can tell. */
bool mix_metric_is_noise(const struct mix_metric *k);
int mix_model_save(const struct mix_model *m, const char *path, struct err *err) WARN_UNUSED;
/* {metric: {"n","spearman","low","high","rmse","mae"}}, new reference; score NULL = cross-validation's. */
json_t *mix_scores_json(const struct mix_model *m, const struct fit_score *score);
int mix_model_load(struct mix_model *m, const char *path, struct err *err) WARN_UNUSED;
/* The same of a document that was read already, from path. */
int mix_model_read(struct mix_model *m, const json_t *doc, const char *path, struct err *err) WARN_UNUSED;
void mix_model_release(struct mix_model *m);

/* Fills train_min and train_max from the runs. */
void mix_model_describe(struct mix_model *m);
int64_t mix_model_domain(const struct mix_model *m, const char *name); /* -1 = none */
int64_t mix_model_metric(const struct mix_model *m, const char *name); /* -1 = none */
/* pairs [n_rows, n_metrics] against a table of the same runs: score [n_metrics]; a metric that the
 * table does not have gets n = 0. */
void mix_model_score(const struct mix_model *m, const struct table *mixtures, const double *predicted,
                     const struct table *metrics, struct fit_score *score);
/* out [n_rows, n_metrics]; the table's columns are matched by name and must be the domains. */
int mix_model_predict(const struct mix_model *m, const struct table *mixtures, double *out,
                      struct err *err) WARN_UNUSED;

#endif
