/* math_compare.h - do two parsed answers mean the same?
 *
 * Numbers and expressions by value; bare lists in any order; sets as sets; tuples and
 * intervals with their brackets; "x = 5" answers 5; "x >= 3" is [3, infinity); equations
 * and inequalities up to a constant factor; a unit or a percent sign may be left out, but
 * two units must agree (5 cm is 0.05 m).
 */
#ifndef TP_REWARD_MATH_COMPARE_H
#define TP_REWARD_MATH_COMPARE_H

#include "reward/math_node.h"

/* *rule: what decided, static text. */
bool math_compare(const struct math_node *a, const struct math_node *b, struct arena *arena,
                  const char **rule);

#endif
