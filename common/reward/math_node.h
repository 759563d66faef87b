/* math_node.h - a mathematical answer as a tree, and how text becomes one.
 *
 *     struct arena arena = {0};
 *     const char *fault = NULL;
 *     const struct math_node *n = math_parse("\\frac{1}{2}", 11, &arena, &fault);
 *     if (!n) ...                 // fault says why: no formula, too long, too deep
 *     arena_release(&arena);
 *
 * Reads LaTeX and plain notation alike: fractions, roots, powers, mixed numbers,
 * percent, degrees, units, thousands separators, numbers in other bases, repeating
 * decimals, intervals, sets, tuples, matrices, chains of equations and
 * inequalities, infinity, i, words.  Bounded: MATH_MAX_BYTES of text,
 * MATH_MAX_TOKENS tokens, MATH_MAX_DEPTH levels.
 */
#ifndef TP_REWARD_MATH_NODE_H
#define TP_REWARD_MATH_NODE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"
#include "base/strbuf.h"

#define MATH_MAX_BYTES 65536
#define MATH_MAX_TOKENS 20000
#define MATH_MAX_DEPTH 200

enum math_kind {
    MATH_NUMBER, /* text: digits, perhaps a point; op 'r': the last `op_n` digits repeat */
    MATH_BASED,  /* text: digits, n = 0, base */
    MATH_NAME,   /* text: a variable, with its subscript */
    MATH_PI,
    MATH_E,
    MATH_I,
    MATH_INFINITY,
    MATH_ADD, /* args summed */
    MATH_MUL, /* args multiplied */
    MATH_NEG,
    MATH_DIV, /* arg 0 by arg 1 */
    MATH_POW,
    MATH_ROOT, /* radicand, index */
    MATH_FACTORIAL,
    MATH_BINOMIAL,
    MATH_FUNCTION,  /* func of args */
    MATH_PLUSMINUS, /* arg 0 and arg 1, op '+' for plus-minus and '-' for minus-plus */
    MATH_PERCENT,
    MATH_DEGREE,
    MATH_UNIT,     /* arg 0 with the unit text */
    MATH_TEXT,     /* words, lower case, single blanks */
    MATH_LIST,     /* items without brackets */
    MATH_SEQUENCE, /* items in brackets open, close: a tuple, an interval */
    MATH_SET,
    MATH_MATRIX, /* rows x (n / rows), row by row */
    MATH_CHAIN,  /* args parted by ops text[0..n-2]: = < > l(<=) g(>=) n(!=) i(in) ~ : */
    MATH_SETOP,  /* op u(nion), i(ntersection), d(ifference) */
};

enum math_function {
    MATH_SIN,
    MATH_COS,
    MATH_TAN,
    MATH_COT,
    MATH_SEC,
    MATH_CSC,
    MATH_ASIN,
    MATH_ACOS,
    MATH_ATAN,
    MATH_ACOT,
    MATH_SINH,
    MATH_COSH,
    MATH_TANH,
    MATH_EXP,
    MATH_LN,
    MATH_LOG, /* args: x and, if written, the base */
    MATH_ABS,
    MATH_FLOOR,
    MATH_CEIL,
    MATH_MAX,
    MATH_MIN,
    MATH_GCD,
    MATH_LCM,
};

struct math_node {
    enum math_kind kind;
    enum math_function func;
    char op, open, close;
    int n, rows, base, repeat;    /* repeat: digits at the end of a number that repeat for ever */
    const struct math_node **arg; /* [n] */
    const char *text;
};

/* NULL if the text is no formula; *fault says why.  The tree lives in the arena. */
const struct math_node *math_parse(const char *text, size_t n, struct arena *arena,
                                   const char **fault);
/* Same, but every comma parts two items: "100,200" is a list of two. */
const struct math_node *math_parse_list(const char *text, size_t n, struct arena *arena,
                                        const char **fault);
/* Prefix form, for people: "(/ 1 2)". */
void math_print(const struct math_node *node, struct strbuf *out);
/* The same tree?  (The same value may have many trees.) */
bool math_same_tree(const struct math_node *a, const struct math_node *b);

#endif
