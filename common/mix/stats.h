/* stats.h - how well predictions rank and hit, and small dense linear algebra. */
#ifndef TP_MIX_STATS_H
#define TP_MIX_STATS_H

#include <stdbool.h>
#include <stdint.h>

/* Ranks from 1, equal values sharing the mean of theirs (mid-ranks). */
void mid_ranks(const double *x, int64_t n, double *ranks);
/* Spearman's rank correlation in [-1, 1] by mid-ranks; NAN if either side is constant or n < 2. */
double spearman(const double *a, const double *b, int64_t n);
/* The 95% interval of a rank correlation rho of n pairs: Fisher's transform with the variance of Bonett
 * and Wright (Psychometrika 65, 2000); NAN for n < 4 or an undefined rho. */
void spearman_interval(double rho, int64_t n, double *low, double *high);
double median(double *x, int64_t n); /* sorts x; NAN if n is 0 */
double root_mean_square(const double *a, const double *b, int64_t n); /* of a - b */
double mean_absolute(const double *a, const double *b, int64_t n);

/* Eigenvalues and vectors of a symmetric matrix by cyclic Jacobi rotations.  a [n, n] is destroyed;
 * column k of vectors [n, n] belongs to values[k]. */
void symmetric_eigen(double *a, int64_t n, double *values, double *vectors);
/* Solves a x = b for a symmetric positive definite a [n, n], which is destroyed; b becomes x.
 * false if a is not positive definite. */
bool cholesky_solve(double *a, int64_t n, double *b);

#endif
