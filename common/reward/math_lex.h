/* math_lex.h - the tokens of a mathematical text; used by math_parse.c alone. */
#ifndef TP_REWARD_MATH_LEX_H
#define TP_REWARD_MATH_LEX_H

#include "reward/math_node.h"

/* Operators and brackets are their own character; these are the rest. */
enum math_token_kind {
    TOK_END = 0,
    TOK_NUMBER = 128, /* text: digits and at most one point */
    TOK_NAME,         /* a letter or a command without a meaning of its own */
    TOK_WORD,         /* a word of natural language, or a letter in \text{} */
    TOK_FUNCTION,     /* value: enum math_function */
    TOK_CONSTANT,     /* value: enum math_kind */
    TOK_SQRT,
    TOK_FRAC,
    TOK_BINOM,
    TOK_CHOOSE, /* between its two */
    TOK_OVERLINE,
    TOK_DEGREE,
    TOK_PRIME,
    TOK_PLUSMINUS,
    TOK_MINUSPLUS,
    TOK_RELATION, /* value: the op of MATH_CHAIN */
    TOK_SETOP,    /* value: the op of MATH_SETOP */
    TOK_EMPTY,    /* the empty set */
    TOK_REALS,
    TOK_OPEN, /* value: '{' braces of a set, 'a' angle, 'f' floor, 'c' ceiling, '|' */
    TOK_CLOSE,
    TOK_ROW,   /* \\ */
    TOK_BEGIN, /* text: the environment */
    TOK_FINISH,
};

struct math_token {
    int kind, value;
    const char *text;
    size_t n;
    bool blank; /* white space before it */
    bool plain; /* in \text{} */
};

/* Owned by the arena; ends in TOK_END.  NULL and *fault if there are too many.  commas_part: no
 * comma is a thousands separator. */
struct math_token *math_lex(const char *text, size_t n, bool commas_part, struct arena *arena,
                            const char **fault);

#endif
