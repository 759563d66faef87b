/* half.h - float32 to and from the two 16-bit formats, rounding to nearest even.
 *
 * Without branches that a compiler cannot turn into selections, so that loops
 * over them become vector code.
 */
#ifndef TP_DATA_HALF_H
#define TP_DATA_HALF_H

#include <stdint.h>
#include <string.h>

static inline uint32_t float_bits(float x)
{
    uint32_t u;
    memcpy(&u, &x, 4);
    return u;
}

static inline float float_of_bits(uint32_t u)
{
    float x;
    memcpy(&x, &u, 4);
    return x;
}

/* bfloat16: the upper half of a float32. */
static inline float bf16_to_float(uint16_t h)
{
    return float_of_bits((uint32_t)h << 16);
}

static inline uint16_t float_to_bf16(float x)
{
    uint32_t u = float_bits(x), nan = (u & 0x7fffffff) > 0x7f800000;
    return (uint16_t)(nan ? u >> 16 | 0x40 : (u + 0x7fff + (u >> 16 & 1)) >> 16);
}

/* float16: 1 sign, 5 exponent (bias 15), 10 mantissa bits.  Adding or taking off the bias in the
 * float's own exponent field moves normal numbers; subnormal ones are multiples of 2^-24, which the
 * float unit aligns when 2^-14 (their exponent, read as normal) is taken off. */
static inline float f16_to_float(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, m = (uint32_t)(h & 0x7fff) << 13;
    uint32_t normal = m + (112u << 23), special = m + (224u << 23);
    uint32_t subnormal = float_bits(float_of_bits(m + (113u << 23)) - 0x1p-14f);
    uint32_t u = m < (1u << 23) ? subnormal : m >= (31u << 23) ? special : normal;
    return float_of_bits(sign | u);
}

/* Beyond 65504 by half a step or more: infinity.  Below 2^-14 the sum with 0.5, whose last bit is
 * 2^-24, rounds to a multiple of that. */
static inline uint16_t float_to_f16(float x)
{
    uint32_t u = float_bits(x), sign = u >> 16 & 0x8000, a = u & 0x7fffffff;
    uint32_t normal = (a + 0xfff + (a >> 13 & 1) - (112u << 23)) >> 13;
    uint32_t subnormal = float_bits(float_of_bits(a) + 0.5f) - float_bits(0.5f);
    uint32_t special = a > 0x7f800000 ? 0x7e00 : 0x7c00;
    uint32_t h = a < (113u << 23) ? subnormal : a >= (143u << 23) ? special : normal;
    return (uint16_t)(sign | h);
}

#endif
