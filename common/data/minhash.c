/* minhash.c - small signatures whose agreement estimates how much two texts share. */
#include "data/minhash.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

/* The loop below is compiled for several instruction sets, the program takes the best one it may.
 */
#if defined(__x86_64__) && defined(__gnu_linux__)
#define VECTOR_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define VECTOR_CLONES
#endif
#define LANES 16 /* functions worked on at once: their minima stay in registers */

void minhash_init(struct minhash *m, int k, uint64_t seed)
{
    struct rng r;
    size_t padded = ((size_t)k + LANES - 1) / LANES * LANES;
    rng_init(&r, seed, "minhash", 0, 0);
    m->k = k;
    m->add = xcalloc(padded, sizeof *m->add);
    m->mul = xcalloc(padded, sizeof *m->mul);
    for (size_t i = 0; i < padded; i++) {
        m->add[i] = rng_u32(&r);
        m->mul[i] = rng_u32(&r) | 1;
    }
}

void minhash_release(struct minhash *m)
{
    free(m->add);
    free(m->mul);
    *m = (struct minhash){0};
}

VECTOR_CLONES
static void least_of_lanes(const uint64_t *ngrams, size_t n, const uint32_t *add,
                           const uint32_t *mul, uint32_t *least)
{
    uint32_t low[LANES];
    for (int j = 0; j < LANES; j++)
        low[j] = UINT32_MAX;
    for (size_t i = 0; i < n; i++) {
        uint32_t x = (uint32_t)ngrams[i];
        for (int j = 0; j < LANES; j++) {
            uint32_t h = (x ^ add[j]) * mul[j];
            h ^= h >> 15; /* the high bits of a product know the low bits of x, not the other way */
            h *= 0x2c1b3c6du;
            low[j] = h < low[j] ? h : low[j];
        }
    }
    memcpy(least, low, sizeof low);
}

void minhash_sign(const struct minhash *m, const uint64_t *ngrams, size_t n, uint16_t *signature)
{
    for (int from = 0; from < m->k; from += LANES) {
        uint32_t least[LANES];
        int left = m->k - from < LANES ? m->k - from : LANES;
        least_of_lanes(ngrams, n, m->add + from, m->mul + from, least);
        for (int j = 0; j < left; j++) /* a minimum's high bits are zero for long texts */
            signature[from + j] = (uint16_t)(least[j] * 0x9e3779b1u >> 16);
    }
}

double minhash_similarity(const uint16_t *a, const uint16_t *b, int k)
{
    int agree = 0;
    for (int i = 0; i < k; i++)
        agree += a[i] == b[i];
    double chance = 1.0 / 65536, j = ((double)agree / k - chance) / (1 - chance);
    return j > 0 ? j : 0;
}
