/* swarm.h - mixtures for many small training runs.
 *
 * Dirichlet(strength * prior) draws, as RegMix (arXiv:2407.01492): the strength
 * comes from 15 points, even in the logarithm, between two bounds; weights below
 * a minimum become 0; everything is rounded to a millionth and sums to 1
 * exactly.  Run 0 is the prior and run 1 the uniform mixture.
 */
#ifndef TP_MIX_SWARM_H
#define TP_MIX_SWARM_H

#include <stdint.h>

#include "base/err.h"
#include "base/rng.h"
#include "mix/simplex.h"

struct swarm_options {
    int64_t n;
    double strength_low, strength_high, min_weight;
    const struct limits *limits; /* NULL = none; else all runs are projected on them */
    const double *second;        /* run 1 instead of the uniform mixture; or NULL */
    uint64_t seed;
};
enum { SWARM_UNITS = 1000000 };

/* Rows of different mixtures in units of 1/SWARM_UNITS: out [n, sources]. */
int swarm_draw(const struct swarm_options *o, const double *prior, int64_t m, int64_t *out,
               struct err *err) WARN_UNUSED;

/* log_x [m]: logarithms of a draw from Dirichlet(strength * centre), up to a common constant. */
void dirichlet_log(struct rng *r, const double *centre, int64_t m, double strength, double *log_x);

#endif
