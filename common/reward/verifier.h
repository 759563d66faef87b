/* verifier.h - functions that say how right an answer is.
 *
 * One table names them all; the record's `dataset` field or --verifier chooses.
 * A verifier sees one accepted truth at a time; a list of truths is tried item by
 * item by its caller.
 *
 *     const struct verifier *v = verifier_find("math");
 *     struct verdict verdict = {0};
 *     int rc = v->judge(&answer, truth, &verdict, err);
 *     if (rc < 0)             // -1: the truth is unusable; NO_VERDICT: the verifier is
 *         return rc;
 *     ... verdict.score ...
 *     verdict_release(&verdict);
 *
 * Verifiers run in worker processes (workers.h), several at a time, never on several threads of
 * one process: they may keep state in static variables.
 */
#ifndef TP_REWARD_VERIFIER_H
#define TP_REWARD_VERIFIER_H

#include <stdbool.h>

#include "data/json.h"

struct answer {
    const char *text;  /* the part that is judged */
    const char *whole; /* everything generated, thinking included */
    bool think_opened; /* by the prompt: `whole` begins inside the thinking */
    const json_t *record;
};

/* From judge(): the verifier could not do its work, err says why.  Nothing is known about the
 * answer, so nothing is scored. */
#define NO_VERDICT (-3)

struct verdict {
    double score;     /* in [0, 1] */
    char *extracted;  /* owned: the answer as found in the text, or NULL */
    const char *rule; /* how it was found, or why there is none; static text */
    char *parsed;     /* owned: its tree, where a verifier reads formulas, else NULL */
    const char *compared; /* what decided, where there are several ways; static, or NULL */
    char *detail;   /* owned: what failed, for people, or NULL */
    double seconds; /* of CPU, used by the programs that were run; 0 = none were */
};
void verdict_release(struct verdict *v);
/* As `verdict` in a record, in the cache and from a worker.  New reference. */
json_t *verdict_to_json(const struct verdict *v);
int verdict_from_json(const json_t *obj, struct verdict *out, struct err *err) WARN_UNUSED;

struct verifier {
    const char *name;
    bool needs_truth; /* truth is NULL otherwise */
    int (*judge)(const struct answer *answer, const json_t *truth, struct verdict *out,
                 struct err *err);
    /* Do two extracted answers say the same?  For votes. */
    bool (*same)(const char *a, const char *b);
    bool whole_truth; /* a list is one truth (tests), not several of which any will do */
    void (*settings)(struct strbuf *out); /* adds the options that verdicts depend on; or NULL */
};

/* Tables of verifier.c: each ends with a NULL name. */
extern const struct verifier instruct_verifiers[], text_verifiers[], exec_verifiers[],
    judge_verifiers[];

/* NULL if there is none of that name. */
const struct verifier *verifier_find(const char *name);
/* "math, gsm8k, ..." for messages. */
const char *verifier_names(void);

/* SQuAD's normalisation: lower case, no ASCII punctuation, no articles, single blanks.  Owned.
 * (Rajpurkar et al., arXiv:1606.05250) */
char *squad_normalize(const char *s);

#endif
