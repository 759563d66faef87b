/* rng.h - counter-based random numbers.
 *
 * Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
 * SC 2011).  A number is a pure function of (seed, stream, record, position,
 * draw), so results do not depend on threads, batching or order, and a resumed
 * run needs no generator state.  The stream is named by the program, so that two
 * stages given the same --seed do not repeat each other.
 *
 *     struct rng r;
 *     rng_init(&r, seed, "rollout-gen", record, sample);
 *     double u = rng_uniform_at(&r, position);      // random access
 *     double g = rng_normal(&r);                    // or in sequence
 *
 * Random access and sequence read disjoint halves of the counter, so one rng may
 * serve both; positions are below 2^63.
 */
#ifndef TP_BASE_RNG_H
#define TP_BASE_RNG_H

#include <stdint.h>

struct rng {
    uint32_t key[2];
    uint32_t hi[2];   /* upper half of the counter: which record */
    uint64_t counter; /* lower half: position */
    uint32_t block[4];
    int n_left;
};

void rng_init(struct rng *r, uint64_t seed, const char *stream, uint64_t record, uint64_t sub);
uint64_t rng_u64_at(const struct rng *r, uint64_t position); /* random access, no state */
double rng_uniform_at(const struct rng *r, uint64_t position); /* in [0, 1), 53 bits */
uint32_t rng_u32(struct rng *r);
uint64_t rng_below(struct rng *r, uint64_t n); /* unbiased, in [0, n) */
double rng_uniform(struct rng *r);             /* in [0, 1) */
double rng_normal(struct rng *r);              /* Box-Muller, both halves drawn each call */
double rng_gamma_log(struct rng *r, double alpha); /* log of a Gamma(alpha, 1) draw, safe for tiny alpha */
/* Fisher-Yates; order[i] = i on entry is not needed, it is filled. */
void rng_permutation(struct rng *r, int64_t *order, int64_t n);

#endif
