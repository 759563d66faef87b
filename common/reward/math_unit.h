/* math_unit.h - units of measure by name. */
#ifndef TP_REWARD_MATH_UNIT_H
#define TP_REWARD_MATH_UNIT_H

#include <stdbool.h>
#include <stddef.h>

bool math_unit_known(const char *name, size_t n);
/* Can amounts in a and b be compared?  *factor_a and *factor_b bring both to one unit; NULL if
 * they are the same unit. */
bool math_unit_same(const char *a, const char *b, const char **factor_a, const char **factor_b);

#endif
