/* verifier_judge.h - the verifier `judge`: a language model behind an OpenAI-compatible server.
 *
 * It is shown the prompt, the response, `ground_truth` as a reference (if there is one) and the
 * record's `rubric` (a text, or a list of criteria), and says {"score": 0 to 10, "reason": text};
 * with a list of criteria {"scores": [...]} of the same length.  A criterion is a text, or
 * {"description": text, "weight": w}; the score is sum(w * s) / sum(|w|), not below 0.
 * As in open-instruct's data, ground_truth may be {"query", "rubrics"} for the verifier `rubric`.
 *
 * What the server cannot say is never a score: connections, status, answers without such a JSON
 * object are tried again (http.h) and then there is no verdict.
 */
#ifndef TP_REWARD_VERIFIER_JUDGE_H
#define TP_REWARD_VERIFIER_JUDGE_H

#include "base/opt.h"
#include "reward/verifier.h"

extern const struct opt judge_option_table[];
const char *judge_key_variable(void); /* that holds the key, never NULL */

/* The judge's text: what it thinks before and fences around the object are skipped, the last such
 * object counts.  scores[n] are in [0, 10]; n = 1 without a list of criteria.  *reason is owned. */
int judge_read_reply(const char *text, double *scores, size_t n, bool list, char **reason,
                     struct err *err) WARN_UNUSED;

#endif
