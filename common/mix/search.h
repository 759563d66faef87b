/* search.h - the mixture that an objective likes best, within limits.
 *
 * Minimises f(x) + kl * KL(x || prior).  A convex f has one minimum, found by mirror descent
 * (simplex.h).  Trees are piecewise constant, so there mixtures are drawn around the best ones known
 * (the prior, the law's optimum, the best runs), projected on the limits, never rejected, in rounds
 * that close in; the answer is the mean of the last round's best, which the trees' steps blur less
 * than any single one.
 */
#ifndef TP_MIX_SEARCH_H
#define TP_MIX_SEARCH_H

#include "mix/objective.h"
#include "mix/problem.h"

enum { SEARCH_TOP = 128, SEARCH_ROUNDS = 5 };

struct search {
    const struct objective *f;
    const struct problem *p;
    double kl;
    int64_t candidates; /* of each round */
    int64_t rounds;
    bool regmix; /* RegMix's own search instead: one round of Dirichlet(prior) */
    uint64_t seed;
};

struct found {
    double value; /* with the KL term; INFINITY = nothing found */
    double gap;   /* how far from the minimum at most; NAN = not known */
};

/* x [n_domains] */
struct found search_best(const struct search *s, double *x);

/* n mixtures: row i is drawn around centres [n_centres, m] number i % n_centres, with a strength
 * log-uniform in [low, high], and projected on the limits. */
struct draw {
    const struct limits *limits;
    const double *centres;
    int64_t n_centres;
    double low, high;
    uint64_t seed, round;
};
void draw_mixtures(const struct draw *d, int64_t n, double *x);

#endif
