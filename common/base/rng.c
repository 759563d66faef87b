/* rng.c - counter-based random numbers. */
#include "base/rng.h"

#include <math.h>

#include "base/err.h"

#define PHILOX_ROUNDS 10
#define SEQUENCE_START ((uint64_t)1 << 63) /* random access has the counters below */

static inline void philox_round(uint32_t c[4], const uint32_t key[2])
{
    uint64_t p0 = (uint64_t)0xD2511F53u * c[0];
    uint64_t p1 = (uint64_t)0xCD9E8D57u * c[2];
    uint32_t c1 = c[1], c3 = c[3];
    c[0] = (uint32_t)(p1 >> 32) ^ c1 ^ key[0];
    c[1] = (uint32_t)p1;
    c[2] = (uint32_t)(p0 >> 32) ^ c3 ^ key[1];
    c[3] = (uint32_t)p0;
}

static void philox_block(const struct rng *r, uint64_t counter, uint32_t out[4])
{
    uint32_t key[2] = {r->key[0], r->key[1]};
    out[0] = (uint32_t)counter;
    out[1] = (uint32_t)(counter >> 32);
    out[2] = r->hi[0];
    out[3] = r->hi[1];
    for (int i = 0; i < PHILOX_ROUNDS; i++) {
        philox_round(out, key);
        key[0] += 0x9E3779B9u;
        key[1] += 0xBB67AE85u;
    }
}

/* The finaliser of splitmix64: a bijection, so distinct inputs stay distinct. */
static uint64_t mix64(uint64_t x)
{
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

static uint64_t fnv1a64(const char *s)
{
    uint64_t h = 0xCBF29CE484222325u;
    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * 0x100000001B3u;
    return h;
}

void rng_init(struct rng *r, uint64_t seed, const char *stream, uint64_t record, uint64_t sub)
{
    /* For one seed and stream the key is a bijection of sub, and the counter's upper half is the
     * record itself, so no two (record, sub) share a stream. */
    uint64_t key = mix64(mix64(mix64(fnv1a64(stream)) ^ seed) + sub);
    *r = (struct rng){
        .key = {(uint32_t)key, (uint32_t)(key >> 32)},
        .hi = {(uint32_t)record, (uint32_t)(record >> 32)},
        .counter = SEQUENCE_START,
    };
}

static double to_uniform(uint64_t bits)
{
    return (double)(bits >> 11) * 0x1p-53;
}

uint64_t rng_u64_at(const struct rng *r, uint64_t position)
{
    uint32_t block[4];
    philox_block(r, position, block);
    return (uint64_t)block[1] << 32 | block[0];
}

double rng_uniform_at(const struct rng *r, uint64_t position)
{
    return to_uniform(rng_u64_at(r, position));
}

uint32_t rng_u32(struct rng *r)
{
    if (r->n_left == 0) {
        philox_block(r, r->counter++, r->block);
        r->n_left = 4;
    }
    return r->block[4 - r->n_left--];
}

static uint64_t next_u64(struct rng *r)
{
    uint64_t low = rng_u32(r);
    return (uint64_t)rng_u32(r) << 32 | low;
}

/* Lemire, "Fast random integer generation in an interval", arXiv:1805.10941. */
uint64_t rng_below(struct rng *r, uint64_t n)
{
    if (n == 0)
        BUG("rng_below(0)");
    unsigned __int128 product = (unsigned __int128)next_u64(r) * n;
    if ((uint64_t)product < n) {
        uint64_t threshold = -n % n;
        while ((uint64_t)product < threshold)
            product = (unsigned __int128)next_u64(r) * n;
    }
    return (uint64_t)(product >> 64);
}

double rng_uniform(struct rng *r)
{
    return to_uniform(next_u64(r));
}

double rng_normal(struct rng *r)
{
    /* 1 - u is in (0, 1], so the logarithm is finite. */
    double radius = sqrt(-2.0 * log(1.0 - rng_uniform(r)));
    return radius * cos(6.283185307179586477 * rng_uniform(r));
}

/* Marsaglia and Tsang, "A simple method for generating gamma variables", 2000; alpha >= 1. */
static double gamma_log_big(struct rng *r, double alpha)
{
    double d = alpha - 1.0 / 3.0, c = 1.0 / sqrt(9.0 * d);
    for (;;) {
        double x = rng_normal(r), v = 1.0 + c * x;
        double u = 1.0 - rng_uniform(r);
        if (v <= 0)
            continue;
        v = v * v * v;
        if (u < 1.0 - 0.0331 * x * x * x * x || log(u) < 0.5 * x * x + d * (1.0 - v + log(v)))
            return log(d * v);
    }
}

/* Liu, Martin and Syring, "Simulating from a gamma distribution with small shape parameter",
 * arXiv:1302.1884; alpha < 1, fewer than half are rejected below 1/2.  The logarithm t has the density
 * e^(alpha t - e^t): below that of an exponential of rate alpha to the left of 0, and of another,
 * e^-1 as high and of rate 1 - alpha, to its right. */
static double gamma_log_small(struct rng *r, double alpha)
{
    double right = alpha / (2.718281828459045235 * (1.0 - alpha)), split = 1.0 / (1.0 + right);
    for (;;) {
        double u = 1.0 - rng_uniform(r), v = rng_uniform(r);
        if (u <= split) {
            double t = log(u / split) / alpha, x = exp(t);
            if (v < 1.0 - x || log(v) < -x)
                return t;
        } else {
            double t = -log((1.0 - u) / (right * split)) / (1.0 - alpha);
            if (log(v) < 1.0 + t - exp(t))
                return t;
        }
    }
}

double rng_gamma_log(struct rng *r, double alpha)
{
    if (!(alpha > 0))
        BUG("rng_gamma_log(%g)", alpha);
    if (alpha >= 1)
        return gamma_log_big(r, alpha);
    if (alpha < 0.5)
        return gamma_log_small(r, alpha);
    /* Gamma(a) = Gamma(a + 1) U^(1/a), which underflows for tiny a unless kept as a logarithm. */
    double boosted = gamma_log_big(r, alpha + 1.0);
    return boosted + log(1.0 - rng_uniform(r)) / alpha;
}

void rng_permutation(struct rng *r, int64_t *order, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        order[i] = i;
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t j = (int64_t)rng_below(r, (uint64_t)i + 1);
        int64_t kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
}
