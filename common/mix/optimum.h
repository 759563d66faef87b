/* optimum.h - the best mixture and what it is to be compared with, as JSON and as a table. */
#ifndef TP_MIX_OPTIMUM_H
#define TP_MIX_OPTIMUM_H

#include "mix/search.h"

struct solve_options {
    struct problem_options problem; /* its kl too: negative = the largest that costs less than one
                                       standard error of the objective */
    const char *objective;          /* objective.h */
    const char *reference;          /* a mixture that no metric may be much worse than; NULL: the prior */
    double no_worse;                /* by which part of itself a metric may; negative = any */
    bool force, regmix;
    int64_t candidates;
    uint64_t seed;
};

/* The answer (new reference): weights, tokens and epochs, predicted metrics with intervals, the same
 * for the prior, the uniform mixture and the best run; binding limits, the path over KL weights. */
json_t *mix_solve(const struct mix_model *model, const struct solve_options *o, struct err *err);
/* Prints it side by side on standard error. */
void mix_solve_table(const struct mix_model *model, const json_t *answer);

/* One mixture (new reference): {"weights","domains"?,"tokens"?,"epochs"?,"predicted","interval","score",
 * "objective","kl"}; weights have virtual domains replaced by their members. */
struct mixture_report {
    const struct mix_model *model;
    const struct objective *f;
    const struct problem *p;
    double kl, tokens;
};
json_t *mixture_json(const struct mixture_report *r, const double *x);
/* The shares of a mixture that solve wrote, or any {"weights": {name: share}}: out [n], of the domain that find()
 * gives for a name (-1 = none), summing to 1. */
struct mixture_names {
    int64_t (*find)(const void *self, const char *name);
    const void *self;
    int64_t n;
};
int mixture_read(const json_t *doc, const char *path, const struct mixture_names *names, double *out,
                 struct err *err) WARN_UNUSED;

#endif
