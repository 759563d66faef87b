/* math_value.h - are two expressions the same number, or the same function? */
#ifndef TP_REWARD_MATH_VALUE_H
#define TP_REWARD_MATH_VALUE_H

#include "reward/math_node.h"

struct math_effort;

enum math_relation {
    MATH_DIFFERENT,
    MATH_SAME,
    MATH_UNDECIDED,
};

/* *rule says how it was decided: "rational", "algebraic" (by a separation bound), "ball" (proved
 * different, or the same to 150 digits), "points" (variables at random points).
 * The second: is a[0] - a[1] a constant (positive unless any_sign) times b[0] - b[1]? */
enum math_relation math_value_compare(const struct math_node *a, const struct math_node *b,
                                      struct math_effort *effort, const char **rule);
enum math_relation math_ratio_compare(const struct math_node *const a[2],
                                      const struct math_node *const b[2], bool any_sign,
                                      struct math_effort *effort, const char **rule);
/* For putting real numbers in order: false if it has no real value. */
bool math_approximate(const struct math_node *m, struct math_effort *effort, double *out);

#endif
