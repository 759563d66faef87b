/* pairs.h - bf16 operands of products of pairs; private.
 *
 * A pair is 32 bits: element k in the lower half, k + 1 in the upper; what has no partner gets a zero.
 */
#ifndef TP_KERNELS_CPU_PAIRS_H
#define TP_KERNELS_CPU_PAIRS_H

#include "kernels/cpu/cpu.h"

/* Whether this device's products are of pairs. */
static inline bool dev_pairs(const struct dev *dev)
{
    return DOTS && dev->dtype == DTYPE_BF16;
}

/* Rows of int8 weights that a panel keeps for K: whole pairs, where products are of these. */
static inline int64_t int8_rows(const struct dev *dev, int64_t K)
{
    return dev_pairs(dev) ? round_up(K, 2) : K;
}

/* n elements of a row as (n + 1) / 2 pairs */
static inline void pairs_along(uint32_t *dst, const uint16_t *src, int64_t n)
{
    if (n % 2)
        dst[n / 2] = src[n - 1];
    memcpy(dst, src, (size_t)(n / 2) * 4);
}

/* n columns of two rows; high may be NULL */
static inline void pairs_down(uint32_t *dst, const uint16_t *low, const uint16_t *high, int64_t n)
{
    if (!high) {
        for (int64_t i = 0; i < n; i++)
            dst[i] = low[i];
        return;
    }
    for (int64_t i = 0; i < n; i++)
        dst[i] = low[i] | (uint32_t)high[i] << 16;
}

#endif
