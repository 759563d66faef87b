/* vec.h - vectors of floats, as wide as the instruction set this file is compiled for.
 *
 * GNU vector extensions do the arithmetic.  Intrinsics stand only where the extensions have no
 * word for it (fused multiply-add at a fixed place, bf16 widening, max) and where every ISA must
 * do the same thing in every copy of the code: a compiler that is free to contract a*b+c could
 * fuse one copy and not the other, and rows would no longer agree bit by bit.
 *
 * TP_EMULATE gives AVX-512's width to AVX2, two registers a vector: tests only.
 */
#ifndef TP_KERNELS_CPU_VEC_H
#define TP_KERNELS_CPU_VEC_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX2__) || defined(__AVX512F__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__) || defined(TP_EMULATE)
#define VW 16
#elif defined(__AVX2__)
#define VW 8
#else
#define VW 4
#endif

#define LANES 16        /* every reduction over a row has this many lanes */
#define LV (LANES / VW) /* vectors per LANES */

typedef float vf __attribute__((vector_size(VW * 4)));
typedef int32_t vi __attribute__((vector_size(VW * 4)));
typedef uint32_t vu __attribute__((vector_size(VW * 4)));
typedef float vf_mem __attribute__((vector_size(VW * 4), aligned(4), may_alias));

static inline vf vload(const float *p)
{
    return *(const vf_mem *)p;
}

static inline void vstore(float *p, vf v)
{
    *(vf_mem *)p = v;
}

static inline vf vset(float x)
{
    return x - (vf){0}; /* x - 0 keeps the sign of zero */
}

#if defined(__AVX512F__)

static inline vf vfma(vf a, vf b, vf c)
{
    return _mm512_fmadd_ps(a, b, c);
}

/* b where either is NaN */
static inline vf vmax(vf a, vf b)
{
    return _mm512_max_ps(a, b);
}

static inline vf vload_bf16(const uint16_t *p)
{
    __m256i h = _mm256_loadu_si256((const void *)p);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16));
}

static inline vf vload_int8(const int8_t *p)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const void *)p)));
}

static inline void vnarrow(uint16_t *p, vu v)
{
    _mm256_storeu_si256((void *)p, _mm512_cvtepi32_epi16((__m512i)v));
}

static inline vf vzero_below(vf value, vf x, float limit)
{
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, _mm512_set1_ps(limit), _CMP_NLT_UQ), value);
}

#elif defined(__AVX2__) && !defined(TP_EMULATE)

static inline vf vfma(vf a, vf b, vf c)
{
    return _mm256_fmadd_ps(a, b, c);
}

static inline vf vmax(vf a, vf b)
{
    return _mm256_max_ps(a, b);
}

static inline vf vload_bf16(const uint16_t *p)
{
    __m128i h = _mm_loadu_si128((const void *)p);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16));
}

static inline vf vload_int8(const int8_t *p)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const void *)p)));
}

static inline void vnarrow(uint16_t *p, vu v)
{
    __m256i w = (__m256i)v;
    __m128i lo = _mm256_castsi256_si128(w), hi = _mm256_extracti128_si256(w, 1);
    _mm_storeu_si128((void *)p, _mm_packus_epi32(lo, hi));
}

static inline vf vzero_below(vf value, vf x, float limit)
{
    return _mm256_and_ps(value, _mm256_cmp_ps(x, _mm256_set1_ps(limit), _CMP_NLT_UQ));
}

#else

#ifdef TP_EMULATE
static inline vf vfma(vf a, vf b, vf c)
{
    union halves {
        vf v;
        __m256 h[2];
    } x = {a}, y = {b}, z = {c};
    for (int i = 0; i < 2; i++)
        z.h[i] = _mm256_fmadd_ps(x.h[i], y.h[i], z.h[i]);
    return z.v;
}
#else
static inline vf vfma(vf a, vf b, vf c)
{
    return a * b + c;
}
#endif

static inline vf vmax(vf a, vf b)
{
    vi m = a > b;
    return (vf)((m & (vi)a) | (~m & (vi)b));
}

static inline vf vload_bf16(const uint16_t *p)
{
    vu u;
    for (int i = 0; i < VW; i++)
        u[i] = p[i];
    return (vf)(u << 16);
}

static inline vf vload_int8(const int8_t *p)
{
    vf v;
    for (int i = 0; i < VW; i++)
        v[i] = (float)p[i];
    return v;
}

static inline void vnarrow(uint16_t *p, vu v)
{
    for (int i = 0; i < VW; i++)
        p[i] = (uint16_t)v[i];
}

static inline vf vzero_below(vf value, vf x, float limit)
{
    return (vf)((vi)value & ~(x < vset(limit)));
}

#endif

#ifdef TP_DOT
/* c + a.b of pairs of bf16: the upper halves are multiplied and added first (VDPBF16PS as Intel describes it; AMD's
 * gives the same bits).  It flushes denormals, inputs and results. */
static inline vf vdot(vf a, vf b, vf c)
{
#ifdef __AVX512BF16__
    return _mm512_dpbf16_ps(c, (__m512bh)a, (__m512bh)b);
#else /* within vdot_begin() and vdot_end() */
    vu x = (vu)a, y = (vu)b;
    c = vfma((vf)(x & 0xffff0000u), (vf)(y & 0xffff0000u), c);
    return vfma((vf)(x << 16), (vf)(y << 16), c);
#endif
}

#endif

#if defined(TP_DOT) && defined(TP_EMULATE)
static inline unsigned vdot_begin(void)
{
    unsigned mode = _mm_getcsr();
    _mm_setcsr(mode | 0x8040);
    return mode;
}
#define vdot_end(mode) _mm_setcsr(mode)
#else
#define vdot_begin() 0u
#define vdot_end(mode) ((void)(mode))
#endif

/* Rounded to nearest even in the upper half, the lower is left over; a NaN stays a NaN. */
static inline vu vround_bf16(vf v)
{
    vu u = (vu)v, nan = (vu)(v != v);
    return (nan & (u | 0x400000u)) | (~nan & (u + 0x7fffu + ((u >> 16) & 1u)));
}

static inline void vstore_bf16(uint16_t *p, vf v)
{
    vnarrow(p, vround_bf16(v) >> 16);
}

static inline float bf16_to_f32(uint16_t h)
{
    uint32_t u = (uint32_t)h << 16;
    float f;
    memcpy(&f, &u, 4);
    return f;
}

static inline uint16_t f32_to_bf16(float f)
{
    uint32_t u;
    memcpy(&u, &f, 4);
    if (f != f)
        return (uint16_t)(u >> 16 | 0x40u);
    return (uint16_t)((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}

/* The lanes' pairs of bf16, low in the lower half. */
static inline vf vpair(vf low, vf high)
{
    return (vf)(vround_bf16(low) >> 16 | (vround_bf16(high) & 0xffff0000u));
}

/* e^x to about 1 ulp.  Below -87.33 the result is 0 (subnormals are flushed), above 88.72 inf.
 * x = n ln2 + r, Cephes' polynomial for e^r; 2^n in two factors, since n may be 128. */
static inline vf vexp(vf x)
{
    const float low = -87.336544f;
    vf t = vmax(vset(low), x);
    t = -vmax(vset(-89.0f), -t);
    vf shifted = vfma(t, vset(1.44269504088896341f), vset(12582912.0f)); /* 1.5 * 2^23: rounds */
    vf n = shifted - 12582912.0f;
    vf r = vfma(n, vset(-0.693359375f), t);
    r = vfma(n, vset(2.12194440e-4f), r);
    vf p = vset(1.9875691500e-4f);
    p = vfma(p, r, vset(1.3981999507e-3f));
    p = vfma(p, r, vset(8.3334519073e-3f));
    p = vfma(p, r, vset(4.1665795894e-2f));
    p = vfma(p, r, vset(1.6666665459e-1f));
    p = vfma(p, r, vset(5.0000001201e-1f));
    p = vfma(p, r * r, r) + 1.0f;
    vi k = (vi)shifted - 0x4b400000; /* the integer n, from the low mantissa bits */
    vi half = k >> 1;
    p = p * (vf)((half + 127) << 23) * (vf)((k - half + 127) << 23);
    return vzero_below(p, x, low);
}

/* The lanes' numbers from `first` on. */
static inline vi vindex(int32_t first)
{
    vi v;
    for (int i = 0; i < VW; i++)
        v[i] = first + i;
    return v;
}

/* r[i][j] and r[j][i] change places: for each bit of the index, halves of pairs do. */
#define VLOW(s, l) (((l) & (s)) ? VW + (l) - (s) : (l))
#define VHIGH(s, l) (((l) & (s)) ? VW + (l) : (l) + (s))
#define VLANES4(F, s) F(s, 0), F(s, 1), F(s, 2), F(s, 3)
#define VLANES8(F, s) VLANES4(F, s), F(s, 4), F(s, 5), F(s, 6), F(s, 7)
#if VW == 16
#define VLANES(F, s)                                                                               \
    VLANES8(F, s), F(s, 8), F(s, 9), F(s, 10), F(s, 11), F(s, 12), F(s, 13), F(s, 14), F(s, 15)
#elif VW == 8
#define VLANES VLANES8
#else
#define VLANES VLANES4
#endif
#define VSTAGE(r, s)                                                                               \
    for (int i = 0; i < VW; i++)                                                                   \
        if (!(i & (s))) {                                                                          \
            vf low = (r)[i], high = (r)[i + (s)];                                                  \
            (r)[i] = __builtin_shufflevector(low, high, VLANES(VLOW, s));                          \
            (r)[i + (s)] = __builtin_shufflevector(low, high, VLANES(VHIGH, s));                   \
        }

static inline __attribute__((always_inline)) void vtranspose(vf r[VW])
{
    VSTAGE(r, 1)
    VSTAGE(r, 2)
#if VW > 4
    VSTAGE(r, 4)
#endif
#if VW > 8
    VSTAGE(r, 8)
#endif
}

/* Sum and maximum of LANES partial results, in one fixed tree. */
static inline float lanes_sum(const vf s[LV])
{
    float l[LANES];
    for (int i = 0; i < LV; i++)
        vstore(l + i * VW, s[i]);
    for (int step = LANES / 2; step; step /= 2)
        for (int i = 0; i < step; i++)
            l[i] += l[i + step];
    return l[0];
}

static inline float lanes_max(vf m)
{
    float best = m[0];
    for (int i = 1; i < VW; i++)
        best = m[i] > best ? m[i] : best;
    return best;
}

#endif
