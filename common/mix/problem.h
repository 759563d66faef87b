/* problem.h - prior and limits of the mixture to be found, by the model's domains. */
#ifndef TP_MIX_PROBLEM_H
#define TP_MIX_PROBLEM_H

#include "base/opt.h"
#include "mix/simplex.h"
#include "mix/sources.h"
#include "mix/surrogates.h"

struct problem_options {
    const char *prior;   /* sources.jsonl or NULL: that of sources, else uniform */
    const char *sources; /* or NULL */
    double kl;           /* > 0: what the prior does not have stays out */
    double tokens;       /* of the run to come; 0 = unknown */
    double max_epochs;   /* most often a source's tokens may be repeated in it */
    bool extrapolate;    /* shares may be larger than in any run of the fit */
    struct opt_list min, max, fix; /* name=share */
    struct opt_list group;         /* names<=share, names>=share: domains "a,b", or a group of sources */
};

struct problem {
    double *prior;         /* [n_domains] */
    struct limits limits;  /* of the model's domains; arrays owned here */
    int64_t *source;       /* [n_domains] which line of sources, or NULL */
    struct sources sources;
    int *group;
    double *group_lo, *group_hi;
    char **group_name;     /* as it was asked for */
};

int mix_problem_init(struct problem *p, const struct mix_model *model, const struct problem_options *o,
                 struct err *err) WARN_UNUSED;
void mix_problem_release(struct problem *p);

#endif
