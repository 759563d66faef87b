/* optimum.h - the mixture that the surrogates like best, within limits.
 *
 * Minimises sum_k w_k g_k(x) + kl * KL(x || prior), w normalised to sum 1:
 *   law     g = log(prediction) for metrics that should fall, -log for those that should rise;
 *           both convex, so the one minimum is found (Olmix, arXiv:2602.12237, solves the same
 *           problem).  Where the prediction at the prior is not positive: as linear.
 *   linear  g = +-prediction / |prediction at the prior|: the log to first order.  Its log would be
 *           concave, with an optimum in every corner.
 */
#ifndef TP_MIX_OPTIMUM_H
#define TP_MIX_OPTIMUM_H

#include "base/opt.h"
#include "data/json.h"
#include "mix/simplex.h"
#include "mix/sources.h"
#include "mix/surrogates.h"

struct solve_options {
    const char *objective; /* metric:weight[:max|:min],... */
    const char *prior;     /* sources.jsonl or NULL: that of sources, else uniform */
    const char *sources;   /* or NULL */
    double kl;
    double tokens;     /* of the run to come; 0 = unknown */
    double max_epochs; /* most often a source's tokens may be repeated in it */
    struct opt_list min, max; /* name=share */
};

/* The answer as JSON (new reference): weights, tokens and epochs, predicted metrics, the same for
 * the prior and the uniform mixture, limits that bind. */
json_t *mix_solve(const struct mix_model *model, const struct solve_options *o, struct err *err);

/* ---- parts, for tests ---- */

/* Prior and limits in the order of the model's domains; arrays [n_domains] owned by the caller. */
struct problem {
    double *prior, *lo, *hi;
    double *available; /* tokens of each source; NAN = unknown */
};
int problem_init(struct problem *p, const struct mix_model *model, const struct solve_options *o,
                 struct err *err) WARN_UNUSED;
void problem_release(struct problem *p);

struct goal {
    int64_t metric;
    double weight;
    bool rising, logarithm;
    double scale;
};
struct objective {
    const struct mix_model *model;
    int64_t n, cap;
    struct goal *goals;
    bool convex;
    double *grad; /* scratch */
};
int objective_parse(struct objective *f, const struct mix_model *model, const char *text,
                    const double *prior, struct err *err) WARN_UNUSED;
double objective_value(void *objective, const double *x, double *grad);
void objective_release(struct objective *f);

#endif
