/* mathtext.h - do two mathematical answers mean the same?
 *
 * Numbers (integers, decimals, fractions, mixed numbers, powers of ten, percent)
 * are compared as exact fractions; lists and tuples item by item; everything
 * else as LaTeX text with its spelling variants removed.
 */
#ifndef TP_REWARD_MATHTEXT_H
#define TP_REWARD_MATHTEXT_H

#include <stdbool.h>

bool math_equal(const char *a, const char *b);
/* The text without dollar signs, spacing commands, \left, \text{}, degree signs and so on.  Owned.
 */
char *math_normalize(const char *s);

#endif
