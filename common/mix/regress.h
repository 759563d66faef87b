/* regress.h - surrogates: a metric as a function of the mixture.
 *
 *   linear  y = bias + coef . x, ridge with an unpenalised intercept; the penalty is the one with
 *           the least leave-one-out error (Hoerl and Kennard 1970; the closed form by Golub, Heath
 *           and Wahba 1979).
 *   law     y = bias +- exp(coef . x): one term of the data mixing law (Ye et al., arXiv:2403.16952),
 *           least squares by Levenberg and Marquardt.  + for metrics that fall, - for metrics that
 *           rise, so that the good direction is always convex.
 *
 * A further regressor is a file with one `struct regressor` and a row in the list of regress.c.
 */
#ifndef TP_MIX_REGRESS_H
#define TP_MIX_REGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct fit_data {
    int64_t n, m;    /* runs, domains */
    const double *x; /* [n, m] mixtures */
    const double *y; /* [n] finite */
    bool rising;     /* higher is better */
};

struct surrogate {
    const struct regressor *kind;
    double bias, penalty;
    bool rising;
    double *coef; /* [m] owned */
};

struct regressor {
    const char *name;
    bool convex_log; /* log of a falling metric, -log of a rising one, is convex in x */
    /* Also fills held_out [n]: predictions of each row by a fit that did not see it. */
    int (*fit)(const struct fit_data *d, struct surrogate *out, double *held_out, struct err *err);
    double (*value)(const struct surrogate *s, const double *x, int64_t m);
    void (*gradient)(const struct surrogate *s, const double *x, int64_t m, double *grad);
};

extern const struct regressor regressor_linear, regressor_law;
const struct regressor *regressor_find(const char *name); /* NULL = none */

double surrogate_value(const struct surrogate *s, const double *x, int64_t m);
void surrogate_release(struct surrogate *s);

/* For other regressors: coef [m] of ridge on (x, y) without intercept. */
void ridge_through_origin(const double *x, const double *y, int64_t n, int64_t m, double penalty,
                          double *coef);
double dot(const double *a, const double *b, int64_t n);

#endif
