/* ggml_k.c - the K formats: 256 numbers a block, in parts of 16 or 32 with scales of 4 to 8 bits,
 * which one or two f16 numbers scale again. */
#include "data/ggml.h"
#include "data/half.h"

static float load_scale(const uint8_t *p)
{
    return f16_to_float((uint16_t)(p[0] | p[1] << 8));
}

/* u8 scales[16] (low: scale, high: minimum), u8 q[64], f16 d, f16 dmin.  128 numbers take 32 bytes
 * of q: the lowest two bits of each, then the next two, ... */
void ggml_decode_q2_k(const uint8_t *src, float *dst, int64_t n_blocks)
{
    for (int64_t b = 0; b < n_blocks; b++, src += 84, dst += 256) {
        const uint8_t *q = src + 16;
        float d = load_scale(src + 80), dmin = load_scale(src + 82);
        for (int part = 0; part < 16; part++) {
            int half = part / 8, shift = part % 8 / 2 * 2, first = half * 32 + part % 2 * 16;
            float scale = d * (float)(src[part] & 15), min = dmin * (float)(src[part] >> 4);
            for (int i = 0; i < 16; i++)
                dst[part * 16 + i] = scale * (float)(q[first + i] >> shift & 3) - min;
        }
    }
}

/* u8 high[32], u8 q[64], u8 scales[12], f16 d.  A number is two bits of q less 4 where its bit of
 * high is 0; scale i of 16 is 4 low bits and 2 high ones, less 32. */
void ggml_decode_q3_k(const uint8_t *src, float *dst, int64_t n_blocks)
{
    for (int64_t b = 0; b < n_blocks; b++, src += 110, dst += 256) {
        const uint8_t *q = src + 32, *s = src + 96;
        float d = load_scale(src + 108);
        for (int part = 0; part < 16; part++) {
            int group = part / 2, first = part % 2 * 16;
            int low = part < 8 ? s[part] & 15 : s[part - 8] >> 4;
            int high = s[8 + part % 4] >> (part / 4 * 2) & 3;
            float scale = d * (float)((low | high << 4) - 32);
            for (int i = 0; i < 16; i++) {
                int bits = q[group / 4 * 32 + first + i] >> (group % 4 * 2) & 3;
                int has_high = src[first + i] >> group & 1;
                dst[part * 16 + i] = scale * (float)(bits - (has_high ? 0 : 4));
            }
        }
    }
}

/* Scale and minimum of part i of 8, six bits each in 12 bytes: 0-3 scales, 4-7 minima of the first
 * four, whose top two bits belong to the last four; 8-11 their low four bits. */
static void scale_min(const uint8_t *s, int i, int *scale, int *min)
{
    if (i < 4) {
        *scale = s[i] & 63;
        *min = s[i + 4] & 63;
    } else {
        *scale = (s[i + 4] & 15) | (s[i - 4] >> 6) << 4;
        *min = s[i + 4] >> 4 | (s[i] >> 6) << 4;
    }
}

/* f16 d, f16 dmin, u8 scales[12], u8 q[128]: 64 numbers in 32 bytes, low halves first. */
void ggml_decode_q4_k(const uint8_t *src, float *dst, int64_t n_blocks)
{
    for (int64_t b = 0; b < n_blocks; b++, src += 144, dst += 256) {
        float d = load_scale(src), dmin = load_scale(src + 2);
        for (int part = 0; part < 8; part++) {
            const uint8_t *q = src + 16 + part / 2 * 32;
            int shift = part % 2 * 4, sc, m;
            scale_min(src + 4, part, &sc, &m);
            float scale = d * (float)sc, min = dmin * (float)m;
            for (int i = 0; i < 32; i++)
                dst[part * 32 + i] = scale * (float)(q[i] >> shift & 15) - min;
        }
    }
}

/* The same with u8 high[32] before q: bit p of byte i is the fifth of number i of part p. */
void ggml_decode_q5_k(const uint8_t *src, float *dst, int64_t n_blocks)
{
    for (int64_t b = 0; b < n_blocks; b++, src += 176, dst += 256) {
        const uint8_t *high = src + 16;
        float d = load_scale(src), dmin = load_scale(src + 2);
        for (int part = 0; part < 8; part++) {
            const uint8_t *q = src + 48 + part / 2 * 32;
            int shift = part % 2 * 4, sc, m;
            scale_min(src + 4, part, &sc, &m);
            float scale = d * (float)sc, min = dmin * (float)m;
            for (int i = 0; i < 32; i++) {
                int x = (q[i] >> shift & 15) | (high[i] >> part & 1) << 4;
                dst[part * 32 + i] = scale * (float)x - min;
            }
        }
    }
}

/* u8 low[128], u8 high[64], i8 scales[16], f16 d.  128 numbers: four groups of 32 with low bits in
 * the low and then the high halves of 64 bytes, and two high bits each in 32 bytes. */
void ggml_decode_q6_k(const uint8_t *src, float *dst, int64_t n_blocks)
{
    for (int64_t b = 0; b < n_blocks; b++, src += 210, dst += 256) {
        float d = load_scale(src + 208);
        for (int part = 0; part < 16; part++) {
            int half = part / 8, group = part % 8 / 2, first = part % 2 * 16;
            const uint8_t *low = src + half * 64 + group % 2 * 32 + first;
            const uint8_t *high = src + 128 + half * 32 + first;
            float scale = d * (float)(int8_t)src[192 + part];
            for (int i = 0; i < 16; i++) {
                int x = (low[i] >> (group / 2 * 4) & 15) | (high[i] >> (group * 2) & 3) << 4;
                dst[part * 16 + i] = scale * (float)(x - 32);
            }
        }
    }
}
