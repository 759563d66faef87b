/* judge.h - verifiers applied to records: `reward` and `rewards` from response and truth.
 *
 * Which verifiers: those named in the options, else those of the record's
 * `dataset`.  Beside the verifiers of verifier.h there are five controls, for
 * telling a reward's signal from its mere presence (Shao et al., "Spurious
 * rewards", arXiv:2506.10947):
 *   random:P    1 with probability P, whatever the answer
 *   incorrect   1 where the record's own verifier says 0
 *   inverse     1 minus the mean of what the record's own verifiers say
 *   python-only 1 if the response mentions Python
 *   majority    1 if the answer is its group's most common one (the first on a tie)
 *
 * Verifiers work in processes of their own (workers.h).  A record on which one of
 * them has no verdict is set aside to the file `unverified`, with the reason in
 * `no_verdict`; without that file it stops the program.  It never gets a score.
 *
 *     struct judge *j = judge_open(&options, seed, err);
 *     struct jsonl_filter filter = judge_filter(j);
 *     int rc = jsonl_run(&filter, files, n_files, err);
 *     judge_close(j);                                    // logs the means, too
 */
#ifndef TP_REWARD_JUDGE_H
#define TP_REWARD_JUDGE_H

#include <stdint.h>

#include "base/opt.h"
#include "data/jsonl.h"
#include "reward/shaping.h"

struct judge_options {
    struct opt_list verifiers; /* NAME[:WEIGHT], random:P[:WEIGHT]; empty = the record's own */
    bool whole_text;           /* judge the thinking, too */
    bool explain;              /* add `verdict` */
    double scale;              /* of the weighted sum */
    struct shaping_options shaping; /* taken off after that */
    bool filtering;
    double filter_min; /* with filtering: records below are dropped */
    int64_t workers;   /* processes; 0 = as many as there are threads */
    double verifier_seconds; /* wall time of one judgement, then no verdict */
    const char *unverified;  /* path or NULL */
    const char *cache;       /* directory of verdicts (cache.h), or NULL */
};

struct judge;
struct judge *judge_open(const struct judge_options *o, uint64_t seed, struct err *err);
struct jsonl_filter judge_filter(struct judge *j);
void judge_close(struct judge *j);

#endif
