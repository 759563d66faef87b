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

struct swarm_options {
    int64_t n;
    double strength_low, strength_high, min_weight;
    uint64_t seed;
};
enum { SWARM_UNITS = 1000000 };

/* Rows of different mixtures in units of 1/SWARM_UNITS: out [n, sources]. */
int swarm_draw(const struct swarm_options *o, const double *prior, int64_t m, int64_t *out,
               struct err *err) WARN_UNUSED;

#endif
