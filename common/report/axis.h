/* axis.h - a chart's axis: round ticks and where a value lies.
 *
 * Ticks are 1, 2 or 5 times a power of ten apart (on a logarithmic axis: at 1, 2, 5 of every decade
 * while there is room, else at decades).
 */
#ifndef TP_REPORT_AXIS_H
#define TP_REPORT_AXIS_H

#include <stdbool.h>

enum { AXIS_MAX_TICKS = 12, AXIS_LABEL = 32 };

struct axis {
    double lo, hi; /* the ends, lo < hi */
    bool log;
    double ticks[AXIS_MAX_TICKS]; /* rising, within [lo, hi] */
    int n_ticks;
};

/* An axis that holds [lo, hi] with at most about n_ticks ticks; `widen` moves its ends out to
 * ticks. */
void axis_linear(struct axis *a, double lo, double hi, int n_ticks, bool widen);
/* The same, logarithmic; 0 < lo <= hi. */
void axis_log(struct axis *a, double lo, double hi, int n_ticks);
double axis_place(const struct axis *a, double value); /* 0 at lo, 1 at hi */
/* A tick's label, in short form: 0.25, 1.5k, 20M, 2e-5. */
void axis_label(const struct axis *a, int tick, char out[AXIS_LABEL]);
/* Any number in short form, with about `digits` significant digits. */
void number_short(double x, int digits, char out[AXIS_LABEL]);
/* The shortest decimal that reads back to x. */
void number_exact(double x, char out[AXIS_LABEL]);

#endif
