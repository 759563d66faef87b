/* ggml.c - plain numbers and blocks of 32 with one scale. */
#include "data/ggml.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "data/half.h"

static uint16_t load16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static void store16(uint8_t *p, uint16_t x)
{
    p[0] = (uint8_t)x;
    p[1] = (uint8_t)(x >> 8);
}

static float load_scale(const uint8_t *p)
{
    return f16_to_float(load16(p));
}

/* --- plain ---------------------------------------------------------------------------------- */

static void decode_f32(const uint8_t *src, float *dst, int64_t n)
{
    memcpy(dst, src, (size_t)n * 4);
}

static void encode_f32(const float *src, uint8_t *dst, int64_t n)
{
    memcpy(dst, src, (size_t)n * 4);
}

static void decode_f16(const uint8_t *src, float *dst, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        dst[i] = f16_to_float(load16(src + 2 * i));
}

static void encode_f16(const float *src, uint8_t *dst, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        store16(dst + 2 * i, float_to_f16(src[i]));
}

static void decode_bf16(const uint8_t *src, float *dst, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        dst[i] = bf16_to_float(load16(src + 2 * i));
}

static void encode_bf16(const float *src, uint8_t *dst, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        store16(dst + 2 * i, float_to_bf16(src[i]));
}

/* --- blocks of 32 ---------------------------------------------------------------------------- */

/* Q8_0: f16 d, i8 q[32]; x = d q. */
static void decode_q8_0(const uint8_t *src, float *dst, int64_t n_blocks)
{
    for (int64_t b = 0; b < n_blocks; b++, src += 34, dst += 32) {
        float d = load_scale(src);
        for (int i = 0; i < 32; i++)
            dst[i] = (float)(int8_t)src[2 + i] * d;
    }
}

/* Half away from zero, as roundf: the fraction of |x| < 2^22 is exact. */
static int8_t round_q8(float x)
{
    float a = fabsf(x);
    int whole = (int)a;
    int r = whole + (a - (float)whole >= 0.5f);

    return (int8_t)(x < 0 ? -r : r);
}

static void encode_q8_0(const float *src, uint8_t *dst, int64_t n_blocks)
{
    for (int64_t b = 0; b < n_blocks; b++, src += 32, dst += 34) {
        uint32_t largest = 0; /* bits of magnitudes are ordered as they are */
        for (int i = 0; i < 32; i++) {
            uint32_t a = float_bits(src[i]) & 0x7fffffff;
            largest = a > largest ? a : largest;
        }
        const float d = float_of_bits(largest) / 127, inverse = d > 0 ? 1 / d : 0;
        store16(dst, float_to_f16(d));
        for (int i = 0; i < 32; i++)
            dst[2 + i] = (uint8_t)round_q8(src[i] * inverse);
    }
}

/* Q4_0: f16 d, u8 q[16]: byte i holds element i (low) and i + 16; x = d (q - 8). */
static void decode_q4_0(const uint8_t *src, float *dst, int64_t n_blocks)
{
    for (int64_t b = 0; b < n_blocks; b++, src += 18, dst += 32) {
        float d = load_scale(src);
        for (int i = 0; i < 16; i++) {
            dst[i] = (float)((src[2 + i] & 15) - 8) * d;
            dst[i + 16] = (float)((src[2 + i] >> 4) - 8) * d;
        }
    }
}

/* Q4_1: f16 d, f16 m, u8 q[16]; x = d q + m. */
static void decode_q4_1(const uint8_t *src, float *dst, int64_t n_blocks)
{
    for (int64_t b = 0; b < n_blocks; b++, src += 20, dst += 32) {
        float d = load_scale(src), m = load_scale(src + 2);
        for (int i = 0; i < 16; i++) {
            dst[i] = (float)(src[4 + i] & 15) * d + m;
            dst[i + 16] = (float)(src[4 + i] >> 4) * d + m;
        }
    }
}

/* Element i of the 32 five-bit numbers: four bits as in Q4, the fifth is bit i of `high`. */
static int five_bits(const uint8_t *q, uint32_t high, int i)
{
    int low = i < 16 ? q[i] & 15 : q[i - 16] >> 4;
    return low | (int)(high >> i & 1) << 4;
}

static uint32_t load32(const uint8_t *p)
{
    return (uint32_t)load16(p) | (uint32_t)load16(p + 2) << 16;
}

/* Q5_0: f16 d, u32 high bits, u8 q[16]; x = d (q - 16). */
static void decode_q5_0(const uint8_t *src, float *dst, int64_t n_blocks)
{
    for (int64_t b = 0; b < n_blocks; b++, src += 22, dst += 32) {
        float d = load_scale(src);
        uint32_t high = load32(src + 2);
        for (int i = 0; i < 32; i++)
            dst[i] = (float)(five_bits(src + 6, high, i) - 16) * d;
    }
}

/* Q5_1: f16 d, f16 m, u32 high bits, u8 q[16]; x = d q + m. */
static void decode_q5_1(const uint8_t *src, float *dst, int64_t n_blocks)
{
    for (int64_t b = 0; b < n_blocks; b++, src += 24, dst += 32) {
        float d = load_scale(src), m = load_scale(src + 2);
        uint32_t high = load32(src + 4);
        for (int i = 0; i < 32; i++)
            dst[i] = (float)five_bits(src + 8, high, i) * d + m;
    }
}

/* --- the table ------------------------------------------------------------------------------ */

static const struct ggml_format formats[] = {
    [GGML_F32] = {"F32", 1, 4, decode_f32, encode_f32},
    [GGML_F16] = {"F16", 1, 2, decode_f16, encode_f16},
    [GGML_Q4_0] = {"Q4_0", 32, 18, decode_q4_0, NULL},
    [GGML_Q4_1] = {"Q4_1", 32, 20, decode_q4_1, NULL},
    [GGML_Q5_0] = {"Q5_0", 32, 22, decode_q5_0, NULL},
    [GGML_Q5_1] = {"Q5_1", 32, 24, decode_q5_1, NULL},
    [GGML_Q8_0] = {"Q8_0", 32, 34, decode_q8_0, encode_q8_0},
    [GGML_Q2_K] = {"Q2_K", 256, 84, ggml_decode_q2_k, NULL},
    [GGML_Q3_K] = {"Q3_K", 256, 110, ggml_decode_q3_k, NULL},
    [GGML_Q4_K] = {"Q4_K", 256, 144, ggml_decode_q4_k, NULL},
    [GGML_Q5_K] = {"Q5_K", 256, 176, ggml_decode_q5_k, NULL},
    [GGML_Q6_K] = {"Q6_K", 256, 210, ggml_decode_q6_k, NULL},
    [GGML_BF16] = {"BF16", 1, 2, decode_bf16, encode_bf16},
};

const struct ggml_format *ggml_format(uint32_t type)
{
    return type < ARRAY_SIZE(formats) && formats[type].name ? &formats[type] : NULL;
}
