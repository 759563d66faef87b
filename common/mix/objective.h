/* objective.h - several metrics as one number to be made small.
 *
 * sum_k w_k g_k(x), w normalised to sum 1:
 *   law     g = log(prediction) for metrics that should fall, -log for those that should rise; both
 *           convex, so the one minimum can be found (Olmix, arXiv:2602.12237, solves the same problem).
 *   gbt, mean  the same, not convex.
 *   linear  g = +-prediction / |prediction at the prior|: the log to first order.  Its log would be
 *           concave, with an optimum in every corner.
 * Where the prediction at the prior is not positive: as linear, with a warning.
 *
 * With objective_no_worse() each g_k has a ceiling, too: what it is at another mixture and a margin.
 * objective_value() then is the augmented Lagrangian (Hestenes 1969, Powell 1969), convex as before,
 * whose multipliers objective_tighten() moves until the ceilings hold.
 */
#ifndef TP_MIX_OBJECTIVE_H
#define TP_MIX_OBJECTIVE_H

#include "mix/surrogates.h"

struct goal {
    int64_t metric;
    const struct surrogate *fit; /* the metric's, or its law */
    double weight, scale;
    bool rising, logarithm;
    double ceiling, multiplier; /* of g; INFINITY = none */
};
struct objective {
    const struct mix_model *model;
    int64_t n, cap;
    struct goal *goals;
    bool smooth, convex;
    double *grad; /* scratch */
    const double *reference; /* [n_domains] of the ceilings, not owned; NULL = none */
    double margin, penalty, off; /* off: how far from fulfilled at the last tightening */
};

/* text: metric:weight[:max|:min],...  A metric that ranks no better than chance is left out with a
 * warning, unless force is set; one of them has to stay. */
int objective_parse(struct objective *f, const struct mix_model *model, const char *text,
                    const double *prior, bool force, struct err *err) WARN_UNUSED;
void objective_release(struct objective *f);
/* The same goals by their laws alone, where the model is a mean; to be released. */
struct objective objective_of_laws(const struct objective *f);
/* Each metric may be worse than at the reference by so large a part of itself. */
void objective_no_worse(struct objective *f, const double *reference, double margin);
/* By how much g is above its ceiling, at the metric where that is the most: > 0 is too bad.  Its number
 * among the goals in *goal, if not NULL.  -INFINITY without ceilings. */
double objective_excess(const struct objective *f, const double *x, int64_t *goal);
/* Begins with no multipliers; moves them after a minimisation, true = x fulfils what is to be fulfilled. */
void objective_relax(struct objective *f);
bool objective_tighten(struct objective *f, const double *x);
/* Adds to value [n] what makes a mixture above a ceiling worse than any below. */
void objective_add_excess(const struct objective *f, const double *x, int64_t n, double *value);
/* INFINITY where a logarithm is not defined.  objective is a struct objective; needs it smooth. */
double objective_value(void *objective, const double *x, double *grad);
void objective_values(const struct objective *f, const double *x, int64_t n, double *out);
/* Of measured values [n_metrics] instead of predictions; NAN if one is missing. */
double objective_measured(const struct objective *f, const double *measured);
/* Standard error of the value at x, as far as the metrics' errors in cross-validation tell. */
double objective_error(const struct objective *f, const double *x);

#endif
