/* countdown.h - does an expression reach a target with the given numbers?
 *
 * The truth is {"target": 24, "numbers": [3, 5, 8]}, as an object or as its JSON
 * text, or a bare target with the numbers in the record's `numbers` or `nums`.
 * Every number must be used exactly once; with "use": "any" some may be left out.
 */
#ifndef TP_REWARD_COUNTDOWN_H
#define TP_REWARD_COUNTDOWN_H

#include "reward/verifier.h"

int judge_countdown(const struct answer *answer, const json_t *truth, struct verdict *out,
                    struct err *err) WARN_UNUSED;
bool countdown_same(const char *a, const char *b);

#endif
