/* workers.h - verifiers at work in processes of their own.
 *
 * A verifier that crashes takes its worker along and nothing else; one that
 * does not come back is killed.  Both mean NO_VERDICT, after a second try in a
 * fresh worker where it died.  Workers are forked by a process that has one
 * thread and no files (the nursery), so that no lock or descriptor is caught
 * in the fork.  When the parent dies, by whatever signal, all of them die, and whatever they have
 * started; when the nursery dies, too, and there is no verdict from then on.
 *
 *     struct workers *w = workers_open(2, 600, err);
 *     int rc = workers_judge(w, verifier, &answer, truth, &verdict, err);   // from any thread
 *     workers_close(w);
 */
#ifndef TP_REWARD_WORKERS_H
#define TP_REWARD_WORKERS_H

#include "reward/verifier.h"

struct workers;
/* n processes at most, started when they are needed; seconds of wall time for one judgement. */
struct workers *workers_open(int n, double seconds, struct err *err);
/* 0, -1 = the truth is unusable, NO_VERDICT.  A list of truths is tried item by item, unless the
 * verifier takes it as one. */
int workers_judge(struct workers *w, const struct verifier *v, const struct answer *a,
                  const json_t *truth, struct verdict *out, struct err *err);
void workers_close(struct workers *w);

/* Answers of a group, each different text once. */
struct ballot {
    const struct verifier *voter; /* whose same() compares it with others of the same voter */
    const char *text;             /* borrowed */
    int64_t n, first;             /* how many gave it, and the first of them */
    bool won;                     /* out: it says the same as the most common one */
};
/* Counts for each what says the same; the most common one is the first to be given on a tie.  0 or
 * NO_VERDICT. */
int workers_vote(struct workers *w, struct ballot *ballots, size_t n, struct err *err);

/* What the verifiers do not look at, in a copy of the record: token ids and the like.  New
 * reference. */
json_t *workers_record(const json_t *record);

#endif
