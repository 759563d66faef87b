/* recalc.h - logprob-recalc's work: records in, the same with a model's log-probabilities.
 *
 * A record with `token_ids` gets an array as long as they are; one with `tokens`
 * as long as those; a pair gets one for each side.  Records that came as text get
 * their token ids as well, since a log-probability without its token means
 * nothing.
 */
#ifndef TP_GEN_RECALC_H
#define TP_GEN_RECALC_H

#include "gen/mismatch.h"
#include "model/model.h"

struct recalc_options {
    const char *model, *as, *report;
    int precision, device, tpl;
    int64_t batch_tokens;
    double fail_above; /* negative: never */
};

/* Returns 0, -1, or EXIT_LIMIT when fail_above was exceeded. */
int recalc_run(const struct recalc_options *o, const char **files, int n_files,
               struct err *err) WARN_UNUSED;

#endif
