/* verifier.h - functions that say how right an answer is.
 *
 * One table names them all; the record's `dataset` field or --verifier chooses.
 * A verifier sees one accepted truth at a time; a list of truths is tried item by
 * item by its caller.
 *
 *     const struct verifier *v = verifier_find("math");
 *     struct verdict verdict = {0};
 *     if (v->judge(&answer, truth, &verdict, err) < 0)    // the truth is unusable
 *         return -1;
 *     ... verdict.score ...
 *     verdict_release(&verdict);
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

struct verdict {
    double score;     /* in [0, 1] */
    char *extracted;  /* owned: the answer as found in the text, or NULL */
    const char *rule; /* how it was found, or why there is none; static text */
    char *parsed;     /* owned: its tree, where a verifier reads formulas, else NULL */
    const char *compared; /* what decided, where there are several ways; static, or NULL */
};
void verdict_release(struct verdict *v);

struct verifier {
    const char *name;
    bool needs_truth; /* truth is NULL otherwise */
    int (*judge)(const struct answer *answer, const json_t *truth, struct verdict *out,
                 struct err *err);
    /* Do two extracted answers say the same?  For votes. */
    bool (*same)(const char *a, const char *b);
};

/* NULL if there is none of that name. */
const struct verifier *verifier_find(const char *name);
/* "math, gsm8k, ..." for messages. */
const char *verifier_names(void);

/* SQuAD's normalisation: lower case, no ASCII punctuation, no articles, single blanks.  Owned.
 * (Rajpurkar et al., arXiv:1606.05250) */
char *squad_normalize(const char *s);

#endif
