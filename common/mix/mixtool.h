/* mixtool.h - what the commands of mix-fit do. */
#ifndef TP_MIX_MIXTOOL_H
#define TP_MIX_MIXTOOL_H

#include "mix/optimum.h"

struct mix_options {
    int64_t n;
    const char *prior, *domains, *strength; /* sample */
    double min_weight;
    const char *mixtures, *metrics; /* fit and predict */
    const struct regressor *regressor;
    struct opt_list rising;
    bool normalize;
    const char *model; /* predict and solve */
    struct solve_options solve;
    const char *out; /* or NULL: stdout */
    uint64_t seed;
};

int mix_sample(const struct mix_options *o, struct err *err) WARN_UNUSED;
int mix_fit(const struct mix_options *o, struct err *err) WARN_UNUSED;
int mix_predict(const struct mix_options *o, struct err *err) WARN_UNUSED;
int mix_solve_print(const struct mix_options *o, struct err *err) WARN_UNUSED;

#endif
