/* judge_internal.h - shared by judge.c (what to score) and judge_group.c (votes, writing, counts).
 */
#ifndef TP_REWARD_JUDGE_INTERNAL_H
#define TP_REWARD_JUDGE_INTERNAL_H

#include <pthread.h>

#include "reward/judge.h"
#include "reward/verdict_cache.h"
#include "reward/verifier.h"
#include "reward/workers.h"

#define MAX_SCORES 16
#define MAX_TALLIES 64

enum term_kind {
    TERM_VERIFIER,
    TERM_RANDOM,
    TERM_INCORRECT,
    TERM_INVERSE,
    TERM_PYTHON,
    TERM_MAJORITY
};

struct term {
    enum term_kind kind;
    const struct verifier *verifier;
    char *name; /* owned: key in `rewards` */
    double weight, p;
};

struct score {
    const char *name;
    double weight;
    struct verdict verdict;
};

/* A record with its scores; majority waits for the rest of the group. */
struct judged {
    json_t *obj;
    struct score scores[MAX_SCORES];
    int n_scores, majority; /* majority: index in scores, -1 = none */
    const struct verifier *voter;
    struct shaping shaping;
    char *no_verdict; /* owned: why there is none, or NULL; for one that waits */
    const char *file; /* where it stood */
    int64_t line, index;
};

struct tally {
    char *name;
    int64_t n, sum_millionths; /* whole numbers add up the same in any order of threads */
};

struct judge {
    struct judge_options o;
    uint64_t seed;
    struct term terms[MAX_SCORES];
    int n_terms;
    struct workers *workers;
    struct verdict_cache *cache; /* or NULL */
    bool has_majority;
    pthread_mutex_t lock; /* over what is below, while records are processed */
    struct judged *waiting; /* for the rest of their group */
    int n_waiting, cap_waiting;
    int n_open; /* the first of them: in order, and all of the group that may go on */
    struct tally tallies[MAX_TALLIES];
    int n_tallies;
    int64_t n_filtered, n_unverified;
};

/* Writes the fields and emits the record, or drops it by the filter.  Releases the scores. */
void judged_finish(struct judge *j, struct judged *g, struct emit *out);
void judged_release(struct judged *g);
/* Nothing is known about the answer, err says why: the record is kept for another try, and gets no
 * score. */
int judge_set_aside(struct judge *j, const struct judged *g, struct emit *out,
                    struct err *err) WARN_UNUSED;
/* Takes over g until its group is complete.  From any thread, in any order. */
void group_add(struct judge *j, struct judged *g);
/* Lets the groups vote that are complete (at the end all are), and emits them in the order of the
 * input. */
int group_settle(struct judge *j, bool end, struct emit *out, struct err *err) WARN_UNUSED;
void judge_log(const struct judge *j);

#endif
