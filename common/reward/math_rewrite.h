/* math_rewrite.h - answers in another form; shared by math_compare.c and math_rewrite.c. */
#ifndef TP_REWARD_MATH_REWRITE_H
#define TP_REWARD_MATH_REWRITE_H

#include "reward/math_eval.h"
#include "reward/math_value.h"

/* One comparison: what new trees are made in, what decided, what may still be spent. */
struct compare {
    struct arena *arena;
    const char *rule;
    int pairs;
    struct math_effort effort;
};

typedef const struct math_node *node;

struct math_node *rewrite_node(struct compare *c, enum math_kind kind, int n);
bool rewrite_has_kind(node m, enum math_kind kind);
/* "1 \pm \sqrt 2" as a list of two; one inside a list makes one longer. */
node rewrite_spread_signs(struct compare *c, node m);
/* "x = 5", "x \in (0, 1)", "2 + 3 = 5": what is claimed; NULL if it is no answer to that form. */
node rewrite_claimed(struct compare *c, node m);
/* "x = 1 or x = 2", "x = 1, 2": each claim on its own. */
node rewrite_claims(struct compare *c, node m);
/* "a > b" as "b < a", chains turned around. */
node rewrite_upward(struct compare *c, node m);
/* "x >= 3" as [3, infinity), "1 < x <= 2" as (1, 2]; NULL if it bounds no single variable. */
node rewrite_interval(struct compare *c, node chain);
/* "x < 1 or x > 2" as a list of intervals, and so the reals without some numbers; NULL if it is
 * something else. */
node rewrite_union(struct compare *c, node m);
/* "k \pi, k \in \mathbb{Z}": is there an item that only says what another's name stands for? */
bool rewrite_has_condition(node m);
/* Without such items; what is left of a list of one is its item. */
node rewrite_without_conditions(struct compare *c, node m);
/* "x = 1, y = 2" as (1, 2): names in the order of the alphabet; NULL if it is something else. */
node rewrite_named_tuple(struct compare *c, node m);

#endif
