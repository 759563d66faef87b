/* simplex.h - the set of mixtures {x >= 0, sum x = 1, lo <= x <= hi, and the same for sums over groups
 * of domains}, and convex minimisation on it.
 */
#ifndef TP_MIX_SIMPLEX_H
#define TP_MIX_SIMPLEX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct limits {
    int64_t m;
    double *lo, *hi; /* [m], 0 <= lo <= hi <= 1, sum lo <= 1 <= sum hi */
    int n_groups;    /* no domain is in two */
    const int *group; /* [m] or -1; may be NULL if there are no groups */
    const double *group_lo, *group_hi; /* [n_groups] that the members' own limits allow */
};

/* The exact KL projection of z = exp(log_z) on the set: x_j = clamp(z_j e^s, lo_j, hi_j) with the s
 * that makes the sum 1; a group at a limit has an s of its own.  log_z may be -INFINITY (x_j is lo_j
 * then, unless the others' caps leave no choice). */
void simplex_project(const struct limits *l, const double *log_z, double *x);
/* The vertex that minimises grad . x, by filling the cheapest first; also min of a linear function. */
double simplex_linear_minimum(const struct limits *l, const double *grad, double *x);
/* Rounds x to multiples of 1/units that sum to 1, keeping the upper limits where rounding down allows:
 * largest remainders go up. */
void simplex_round(const double *x, const struct limits *l, int64_t units, int64_t *out);

/* Minimises f(x) + kl * KL(x || prior) by entropic mirror descent (Beck and Teboulle 2003) with
 * backtracking; the KL term is in the proximal step, exactly.  Starts at x, which is replaced.
 * gap: the Frank-Wolfe bound on how far the result is from the minimum, for convex f. */
struct convex_problem {
    const struct limits *limits;
    void *self;
    /* Returns f and fills grad [m]; INFINITY outside f's domain. */
    double (*f)(void *self, const double *x, double *grad);
    double kl;
    const double *prior; /* [m]; may hold zeros, which stay zero when kl > 0 */
    double tolerance;    /* on the gap */
};
struct convex_result {
    double value, gap; /* with the KL term */
    int64_t steps;
};
struct convex_result simplex_minimize(const struct convex_problem *p, double *x);
double kl_divergence(const double *x, const double *prior, int64_t m);

#endif
