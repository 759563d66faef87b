/* surrogates.h - fitted models of all metrics of a swarm, and their file.
 *
 * The file is JSON: {"format":"mix-model","version":1,"regressor":...,"domains":[...],
 * "train":{"runs","min","max"},"metrics":[{"name","bias","coef",...,"cv":{...}}]}.
 */
#ifndef TP_MIX_SURROGATES_H
#define TP_MIX_SURROGATES_H

#include "mix/regress.h"
#include "mix/table.h"

struct fit_score {
    int64_t n; /* runs with this metric */
    double spearman, rmse, mae; /* of predictions for runs that were left out; NAN = undefined */
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
    double *train_min, *train_max; /* [n_domains] shares seen in the fit */
    struct mix_metric *metrics;
};

/* Joins the tables on their first columns.  Runs in only one of them are left out with a warning;
 * a metric that is missing or infinite for a run is left out for that metric only.  rising names
 * the metrics where higher is better. */
int mix_model_fit(struct mix_model *m, const struct regressor *kind, const struct table *mixtures,
                  const struct table *metrics, const char *const *rising, int n_rising,
                  struct err *err) WARN_UNUSED;
int mix_model_save(const struct mix_model *m, const char *path, struct err *err) WARN_UNUSED;
int mix_model_load(struct mix_model *m, const char *path, struct err *err) WARN_UNUSED;
void mix_model_release(struct mix_model *m);

int64_t mix_model_domain(const struct mix_model *m, const char *name); /* -1 = none */
int64_t mix_model_metric(const struct mix_model *m, const char *name); /* -1 = none */
/* out [n_rows, n_metrics]; the table's columns are matched by name and must be the domains. */
int mix_model_predict(const struct mix_model *m, const struct table *mixtures, double *out,
                      struct err *err) WARN_UNUSED;

#endif
