/* expression.h - arithmetic in plain or LaTeX-like notation, evaluated exactly.
 *
 * + - * / ( ) and their usual spellings (x between numbers is not one of them:
 * it is a letter).  Numbers are whole.
 */
#ifndef TP_REWARD_EXPRESSION_H
#define TP_REWARD_EXPRESSION_H

#include <stdint.h>

#include "reward/rational.h"

#define EXPRESSION_MAX_NUMBERS 64

struct expression {
    struct rational value;
    int n_numbers;
    int64_t numbers[EXPRESSION_MAX_NUMBERS]; /* as written, left to right */
};

/* NULL, or why the text is no expression that has a value. */
const char *expression_evaluate(const char *text, size_t n, struct expression *out);

#endif
