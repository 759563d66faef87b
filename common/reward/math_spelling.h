/* math_spelling.h - what commands, words and signs mean; used by math_lex.c alone. */
#ifndef TP_REWARD_MATH_SPELLING_H
#define TP_REWARD_MATH_SPELLING_H

#include "reward/math_lex.h"

/* kind: a token's, or one of these. */
enum math_spelling_kind {
    SPELLING_SKIP = -1,  /* says nothing; value: it is a blank */
    SPELLING_STYLE = -2, /* \\text{..}: words inside */
    SPELLING_FAIL = -3,  /* a notation that we do not read */
    SPELLING_HIDE = -4,  /* says nothing, nor does its argument: \phantom{-} */
};

struct math_spelling {
    const char *from;
    int kind, value; /* value: the token's */
};

/* NULL if unknown.  A command's p is behind its backslash. */
const struct math_spelling *math_word(const char *p, size_t n);
const struct math_spelling *math_command(const char *p, size_t n);
/* The sign that p begins with; left: the bytes there are. */
const struct math_spelling *math_symbol(const char *p, size_t left);
/* The command that a Greek letter stands for. */
const char *math_greek(const char *p, size_t left);
/* Two- and three-letter words that are no products of variables. */
bool math_short_word(const char *p, size_t n);

#endif
