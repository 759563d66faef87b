/* mixtool.h - what the commands of mix-fit do. */
#ifndef TP_MIX_MIXTOOL_H
#define TP_MIX_MIXTOOL_H

#include "mix/optimum.h"

struct mix_options {
    int64_t n;
    const char *domains, *strength, *around; /* sample */
    double min_weight, temperature;
    const char *mixtures, *metrics, *report; /* fit and predict */
    struct mix_fit_options fit;
    struct opt_list rising;
    bool normalize;
    const char *model; /* predict, solve, pareto */
    const char *kl;    /* a number or 1se */
    struct solve_options solve;
    int64_t points; /* pareto */
    const char *svg;
    const char *out; /* or NULL: stdout */
    uint64_t seed;
};

int mix_sample(const struct mix_options *o, struct err *err) WARN_UNUSED;
int mix_fit(const struct mix_options *o, struct err *err) WARN_UNUSED;
int mix_predict(const struct mix_options *o, struct err *err) WARN_UNUSED;
int mix_solve_print(const struct mix_options *o, struct err *err) WARN_UNUSED;
int mix_pareto_print(const struct mix_options *o, struct err *err) WARN_UNUSED;

/* To the file, which appears whole, or to standard output if path is NULL or "-". */
int mix_write(const char *path, const struct strbuf *text, struct err *err) WARN_UNUSED;

#endif
