/* attention.h - blocks of query rows of packed sequences, for forward and backward; private.
 *
 * Queries stand in the lanes: scores are S^T[key][QB], so keys and values are read as the rows they
 * are, and maxima and sums over keys need no step across lanes.  An element of S is one chain over
 * the head's dimensions and an element of the output one chain over ascending keys, as in
 * attention_cached.c, where keys stand in the lanes: the bits are the same.
 */
#ifndef TP_KERNELS_CPU_ATTENTION_H
#define TP_KERNELS_CPU_ATTENTION_H

#include "kernels/cpu/cpu.h"

#define QB NR /* queries of a block */

/* One (sequence, key head): rows of fp32, [blocks * LANES][dim], zero beyond the sequence. */
struct keys {
    float *k, *v;
    int64_t dim, head_dim; /* dim: head_dim rounded up to LANES */
};

/* Keys [first, end) of whole blocks that queries [pos, pos + n) see. */
struct key_span {
    int64_t first, end;
};

static inline struct key_span keys_seen(int64_t pos, int64_t n, int64_t window)
{
    int64_t low = window > 0 ? max_i64(0, pos - window + 1) : 0;
    return (struct key_span){low / LANES * LANES, round_up(pos + n, LANES)};
}

/* n <= QB rows into x[QB][dim], times scale, zeros below. */
static inline void load_queries(float *x, const void *src, enum dtype t, int64_t at, int64_t stride,
                                int64_t n, float scale, const struct keys *kv)
{
    for (int64_t r = 0; r < n; r++, x += kv->dim) {
        load_row(x, src, t, at + r * stride, kv->head_dim);
        for (int64_t d = 0; d < kv->dim; d += VW)
            vstore(x + d, vload(x + d) * scale);
    }
    memset(x, 0, (size_t)((QB - n) * kv->dim) * sizeof(float));
}

/* t[dim][QB] = x[QB][dim]^T */
static inline void transpose_queries(float *t, const float *x, int64_t dim)
{
    for (int64_t q = 0; q < QB; q += VW)
        for (int64_t d = 0; d < dim; d += VW) {
            vf r[VW];
            for (int i = 0; i < VW; i++)
                r[i] = vload(x + (q + i) * dim + d);
            vtranspose(r);
            for (int i = 0; i < VW; i++)
                vstore(t + (d + i) * QB + q, r[i]);
        }
}

/* c[keys][QB] = a[keys][dim] t[dim][QB], for keys [first, end) */
static inline void key_products(const struct keys *kv, const float *a, const float *t,
                                struct key_span s, float *c)
{
    struct tile tile = {.a = a + s.first * kv->dim, .lda = kv->dim, .b = t, .ldb = QB,
                        .K = kv->head_dim, .c = c, .ldc = QB};
    tile_run(&tile, TILE_ROWS, 1, 2, s.end - s.first);
}

/* c[rows][dim] (+)= a b over K: a is fp32 in either order, b[K][dim]. */
static inline void dim_products(struct tile tile, enum tile_order order, int64_t dim, int64_t rows)
{
    const float *b = tile.b;
    float *c = tile.c;
    for (int64_t v = 0; v < dim / VW;) {
        int nv = dim / VW - v >= 2 ? 2 : 1;
        tile.b = b + v * VW;
        tile.c = c + v * VW;
        tile_run(&tile, order, 1, nv, rows);
        v += nv;
    }
}

/* Lanes outside [low, high] of one row of scores become -infinity. */
static inline void mask_lanes(float *s, int64_t low, int64_t high)
{
    for (int i = 0; i < 2; i++) {
        vi lane = vindex(i * VW), keep = (lane >= (int32_t)low) & (lane <= (int32_t)high);
        vi x = (vi)vload(s + i * VW), none = (vi)vset(-INFINITY);
        vstore(s + i * VW, (vf)((keep & x) | (~keep & none)));
    }
}

/* What queries from pos on must not see: later keys, and those before the window. */
static inline void mask_scores(float *s, struct key_span keys, int64_t pos, int64_t window)
{
    if (window > 0)
        for (int64_t j = keys.first; j < min_i64(keys.end, pos + QB - window); j++)
            mask_lanes(s + (j - keys.first) * QB, 0, max_i64(-1, j - pos + window - 1));
    for (int64_t j = max_i64(keys.first, pos + 1); j < keys.end; j++)
        mask_lanes(s + (j - keys.first) * QB, min_i64(QB, j - pos), QB);
}

#endif
