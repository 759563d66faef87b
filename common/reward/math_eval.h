/* math_eval.h - the value of an expression: exactly if it is rational, else in a ball.
 *
 * Balls (FLINT's Arb) enclose the true value, so two that do not meet prove that the
 * values differ.  That a difference is zero is proved for algebraic numbers by a
 * separation bound (Burnikel, Fleischer, Mehlhorn, Schirra, "A strong and easily
 * computable separation bound for arithmetic expressions involving radicals",
 * Algorithmica 27, 2000): write E = a / b with a, b algebraic integers of a field of
 * degree <= D, all conjugates of a below u and of b below l; the norm of a is a whole
 * number, so E is 0 or |E| >= 1 / (u^(D-1) l).
 */
#ifndef TP_REWARD_MATH_EVAL_H
#define TP_REWARD_MATH_EVAL_H

#include <acb.h>
#include <flint/fmpq.h>

#include "reward/math_node.h"

#define MATH_MAX_NAMES 16

/* What may still be spent on a verdict, in bits worked on: counted, not timed, so that the same
 * answer always gets the same verdict.  About a nanosecond each. */
struct math_effort {
    double left;
};
#define MATH_EFFORT 3e8
/* False once it is used up. */
bool math_spend(struct math_effort *effort, double bits);

/* The values of the variables, and what \log without a base means. */
struct math_env {
    const char *name[MATH_MAX_NAMES];
    acb_struct value[MATH_MAX_NAMES];
    int n;
    bool log10;
    struct math_effort *effort;
};

enum math_domain {
    MATH_REAL,      /* every part is real */
    MATH_COMPLEX,   /* a value, but a root or logarithm left the reals */
    MATH_UNDEFINED, /* no value, or none that we can compute */
};

/* Once before a thread's first evaluation: what FLINT keeps for it is freed when it ends. */
void math_eval_begin(void);
/* Rational and small enough: out is its value. */
bool math_rational(const struct math_node *m, struct math_effort *effort, fmpq_t out);
/* q as a whole number in [0, max]. */
bool math_small_integer(const fmpq_t q, slong max, slong *out);
enum math_domain math_ball(const struct math_node *m, const struct math_env *env, slong bits,
                           acb_t out);

/* log2 of u and l and the degree D of the note above; false if E is not known to be algebraic. */
struct math_bound {
    double u, l, degree;
};
bool math_bound(const struct math_node *m, struct math_effort *effort, struct math_bound *out);

#endif
