/* attention.h - blocks of query rows of packed sequences, for forward and backward; private.
 *
 * Queries stand in the lanes: scores are S^T[key][QB], so keys and values are read as the rows they
 * are, and maxima and sums over keys need no step across lanes.  An element of S is one chain over
 * the head's dimensions and an element of the output one chain over ascending keys, as in
 * attention_cached.c, where keys stand in the lanes: the bits are the same.
 */
#ifndef TP_KERNELS_CPU_ATTENTION_H
#define TP_KERNELS_CPU_ATTENTION_H

#include "kernels/cpu/pairs.h"

#define QB NR /* queries of a block */

/* How the rows of a head lie.  With pairs an element of an operand is a pair of bf16: of neighbours in a row where the
 * product goes along rows ("lines"), of two rows where it goes down ("columns"); probabilities are rounded to bf16 then. */
struct head {
    int64_t head_dim, dim; /* dim: rounded up to LANES */
    bool pairs;
    int64_t per;         /* 2 with pairs, else 1 */
    int64_t steps;       /* of the product along a line */
    int64_t width;       /* steps, rounded up to LANES */
    float q_scale;       /* of a query when it is loaded: with pairs it stays as it is, */
    float score_scale;   /* and its scores are scaled */
    enum b_type b_type;
};

static inline struct head head_of(const struct dev *dev, int64_t head_dim, float scale)
{
    struct head h = {head_dim, round_up(head_dim, LANES), dev_pairs(dev), 1, head_dim, 0, scale, 1, B_F32};
    if (h.pairs) {
        h.per = 2;
        h.steps = (head_dim + 1) / 2;
        h.q_scale = 1;
        h.score_scale = scale;
        h.b_type = B_PAIRS;
    }
    h.width = round_up(h.steps, LANES);
    return h;
}

/* Keys [first, end) of whole blocks that queries [pos, pos + n) see. */
struct key_span {
    int64_t first, end;
};

static inline struct key_span keys_seen(int64_t pos, int64_t n, int64_t window)
{
    int64_t low = window > 0 ? max_i64(0, pos - window + 1) : 0;
    return (struct key_span){low / LANES * LANES, round_up(pos + n, LANES)};
}

/* Rows of W at `at`, `stride` elements apart. */
struct rows {
    const void *p;
    enum dtype dtype;
    int64_t at, stride;
};

/* x[n_padded][width]: n rows, times scale, and rows of zeros. */
static inline void load_lines(float *x, const struct head *h, const struct rows *from, int64_t n,
                              int64_t n_padded, float scale)
{
    memset(x, 0, (size_t)(n_padded * h->width) * sizeof(float));
    for (int64_t r = 0; r < n; r++, x += h->width) {
        int64_t at = from->at + r * from->stride;
        if (h->pairs) {
            pairs_along((uint32_t *)(void *)x, (const uint16_t *)from->p + at, h->head_dim);
            continue;
        }
        load_row(x, from->p, from->dtype, at, h->head_dim);
        for (int64_t d = 0; d < h->width; d += VW)
            vstore(x + d, vload(x + d) * scale);
    }
}

/* x[n_padded / per][dim]: the same rows for products that go down them. */
static inline void load_columns(float *x, const struct head *h, const struct rows *from, int64_t n,
                                int64_t n_padded, float scale)
{
    if (!h->pairs) {
        load_lines(x, h, from, n, n_padded, scale);
        return;
    }
    memset(x, 0, (size_t)(n_padded / 2 * h->dim) * sizeof(float));
    for (int64_t r = 0; r < n; r += 2, x += h->dim) {
        const uint16_t *row = (const uint16_t *)from->p + from->at + r * from->stride;
        pairs_down((uint32_t *)(void *)x, row, r + 1 < n ? row + from->stride : NULL, h->head_dim);
    }
}

/* t[width][QB] = x[QB][width]^T */
static inline void transpose_queries(float *t, const float *x, int64_t width)
{
    for (int64_t q = 0; q < QB; q += VW)
        for (int64_t d = 0; d < width; d += VW) {
            vf r[VW];
            for (int i = 0; i < VW; i++)
                r[i] = vload(x + (q + i) * width + d);
            vtranspose(r);
            for (int i = 0; i < VW; i++)
                vstore(t + (d + i) * QB + q, r[i]);
        }
}

/* c[keys][QB] = a[keys][width] t[width][QB], for keys [first, end) */
static inline void key_products(const struct head *h, const float *a, const float *t,
                                struct key_span s, float *c)
{
    struct tile tile = {.a = a + s.first * h->width, .lda = h->width, .b = t, .ldb = QB,
                        .K = h->steps, .b_type = h->b_type, .c = c, .ldc = QB};
    tile_run(&tile, TILE_ROWS, 1, 2, s.end - s.first);
}

/* c[rows][dim] (+)= a b over K: a in either order, b[K][dim]. */
static inline void dim_products(struct tile tile, const struct head *h, enum tile_order order,
                                int64_t rows)
{
    const float *b = tile.b;
    float *c = tile.c;
    tile.ldb = tile.ldc = h->dim;
    tile.b_type = h->b_type;
    for (int64_t v = 0; v < h->dim / VW;) {
        int nv = h->dim / VW - v >= 2 ? 2 : 1;
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
