/* curve.h - points of one curve: smoothing, and reduction to what a picture can show.
 *
 * x rises; y is NaN where the value is missing, which breaks the line.
 */
#ifndef TP_REPORT_CURVE_H
#define TP_REPORT_CURVE_H

#include <stdbool.h>
#include <stdint.h>

struct curve {
    double *x, *y;
    int64_t n, cap;
};

void curve_add(struct curve *c, double x, double y);
void curve_release(struct curve *c);
/* The mean of the `window` points around each (an even window counts as the next odd one), fewer at
 * the ends; missing ones are left out of the mean and stay missing. */
void curve_smooth(const struct curve *c, int64_t window, struct curve *out);
/* Keeps the lowest and the highest point of each of n_parts equal parts of [x0, x1], in order, and
 * a break where a part had one; a curve of at most 2 * n_parts points is copied as it is. */
void curve_reduce(const struct curve *c, double x0, double x1, int64_t n_parts, struct curve *out);
/* Lowest and highest y that is not missing; false if there is none. */
bool curve_range(const struct curve *c, double *lo, double *hi);
/* Mean of the last n points that are not missing, NaN if there is none. */
double curve_tail_mean(const struct curve *c, int64_t n);
double curve_first(const struct curve *c); /* the first that is not missing, or NaN */
int64_t curve_n_missing(const struct curve *c);

#endif
