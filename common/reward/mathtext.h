/* mathtext.h - do two mathematical answers, as text, mean the same?
 *
 *     struct math_result r = {0};
 *     if (math_judge(answer, truth, &r)) ...      // r.rule says what decided
 *     math_result_release(&r);
 *
 * Both are parsed (math_node.h) and compared by meaning (math_compare.h).  What is no
 * formula is compared as LaTeX text without its spelling variants.
 */
#ifndef TP_REWARD_MATHTEXT_H
#define TP_REWARD_MATHTEXT_H

#include <stdbool.h>

struct math_result {
    bool equal;
    const char *rule; /* static: "rational", "algebraic", "ball", "points", "text", ... */
    char *parsed;     /* owned: the answer's tree, or NULL if it is no formula */
};
bool math_judge(const char *answer, const char *truth, struct math_result *out);
void math_result_release(struct math_result *r);
bool math_equal(const char *a, const char *b);

#endif
