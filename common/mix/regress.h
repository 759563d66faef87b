/* regress.h - surrogates: a metric as a function of the mixture.
 *
 *   linear  y = bias + coef . x, ridge with an unpenalised intercept; the penalty is the one with
 *           the least leave-one-out error (Hoerl and Kennard 1970; the closed form by Golub, Heath
 *           and Wahba 1979).
 *   law     y = bias +- sum_h exp(coef_h . x): the data mixing law (Ye et al., arXiv:2403.16952) of
 *           one to four terms, least squares by Levenberg and Marquardt.  + for metrics that fall,
 *           - for metrics that rise, so that the good direction is always convex.
 *   gbt     gradient-boosted regression trees, fitted by the XGBoost library (forest.h).
 *   mean    the plain mean of law and gbt: the law holds outside the runs, the trees inside.
 *
 * A further regressor is a file with one `struct regressor` and a row in the list of regress.c.
 */
#ifndef TP_MIX_REGRESS_H
#define TP_MIX_REGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "data/json.h"

struct fit_options {
    int64_t terms; /* of the law; 0 = the number with the least error in cross-validation */
    int64_t trees; /* of gbt */
    double learning_rate;
};

struct fit_data {
    int64_t n, m;    /* runs, domains */
    const double *x; /* [n, m] mixtures */
    const double *y; /* [n] finite */
    bool rising;     /* higher is better */
    struct fit_options options;
};

/* Cross-validation leaves out row i in fold i % N_FOLDS, in every regressor, so that errors compare. */
enum { N_FOLDS = 5, MAX_TERMS = 4 };

struct surrogate {
    const struct regressor *kind;
    bool rising;
    double bias, penalty;    /* linear, law */
    int64_t n_terms;         /* linear: 1 */
    double *coef;            /* [n_terms, m] owned */
    struct forest *forest;   /* gbt: owned */
    struct surrogate *parts; /* mean: [2] owned */
};

struct regressor {
    const char *name;
    bool convex_log; /* log of a falling metric, -log of a rising one, is convex in x */
    bool smooth;     /* has a gradient */
    int64_t min_runs;
    /* Also fills held_out [n]: predictions of each row by a fit that did not see it; NULL: not wanted. */
    int (*fit)(const struct fit_data *d, struct surrogate *out, double *held_out, struct err *err);
    double (*value)(const struct surrogate *s, const double *x, int64_t m);
    /* y [n] of x [n, m]; NULL = value() of each row. */
    void (*values)(const struct surrogate *s, const double *x, int64_t n, int64_t m, double *y);
    void (*gradient)(const struct surrogate *s, const double *x, int64_t m, double *grad);
    /* Members of the JSON object obj; read leaves a surrogate to be released even when it fails. */
    void (*write)(const struct surrogate *s, int64_t m, json_t *obj);
    int (*read)(struct surrogate *s, int64_t m, const json_t *obj, struct err *err);
};

extern const struct regressor regressor_linear, regressor_law, regressor_gbt, regressor_mean;
const struct regressor *regressor_find(const char *name); /* NULL = none */

int surrogate_fit(const struct regressor *kind, const struct fit_data *d, struct surrogate *out,
                  double *held_out, struct err *err) WARN_UNUSED;
double surrogate_value(const struct surrogate *s, const double *x, int64_t m);
void surrogate_values(const struct surrogate *s, const double *x, int64_t n, int64_t m, double *y);
void surrogate_release(struct surrogate *s);

/* For other regressors: coef [m] of ridge on (x, y) without intercept. */
void ridge_through_origin(const double *x, const double *y, int64_t n, int64_t m, double penalty,
                          double *coef);
double dot(const double *a, const double *b, int64_t n);

/* Arrays of JSON: an array of exactly n finite numbers, owned by the caller; NULL with err set. */
json_t *json_from_doubles(const double *x, int64_t n);
double *json_get_doubles(const json_t *obj, const char *key, int64_t n, struct err *err);

#endif
