/* attention_backward.c - gradients of causal attention.
 *
 * With P = exp(S - lse) recomputed and delta_i = dout_i . out_i:
 *   dS = P * (dout V^T - delta),  dq = scale dS K,  dk = scale dS^T q,  dv = P^T dout
 * A thread owns one (sequence, key head), so nothing is added across threads.  It goes over the
 * query heads, then blocks of rows, then chunks of keys, all ascending; dk and dv are fp32 until
 * the end.  q carries the scale, so dk needs none.
 */
#include "kernels/cpu/cpu.h"

#define Q_BLOCK 64

struct backward {
    struct dev *dev;
    const struct attention_backward_args *a;
};

/* One (sequence, key head) in a thread's scratch. */
struct unit {
    const struct attention_backward_args *a;
    enum dtype w;
    int64_t row0, len, v_dim, kv_head;
    float *kt, *vt;       /* [block][head_dim][LANES] */
    float *k, *dk, *dv;   /* [position][v_dim] */
    float *q, *dout, *dq; /* [Q_BLOCK][A_STRIDE] */
    float *p, *ds;        /* [Q_BLOCK][A_STRIDE]: one chunk of K_BLOCK keys */
    float lse[Q_BLOCK], delta[Q_BLOCK];
};

static size_t unit_floats(int64_t len, int64_t head_dim)
{
    int64_t n = kv_blocks(len) * LANES;
    return (size_t)(n * (2 * head_dim + 3 * round_up(head_dim, LANES)) + 5 * Q_BLOCK * A_STRIDE);
}

static void unit_init(struct unit *u, float *scratch)
{
    int64_t n = kv_blocks(u->len) * LANES, hd = u->a->head_dim;
    u->v_dim = round_up(hd, LANES);
    u->kt = scratch;
    u->vt = u->kt + n * hd;
    u->k = u->vt + n * hd;
    u->dk = u->k + n * u->v_dim;
    u->dv = u->dk + n * u->v_dim;
    u->q = u->dv + n * u->v_dim;
    u->dout = u->q + Q_BLOCK * A_STRIDE;
    u->dq = u->dout + Q_BLOCK * A_STRIDE;
    u->p = u->dq + Q_BLOCK * A_STRIDE;
    u->ds = u->p + Q_BLOCK * A_STRIDE;
    memset(u->dk, 0, (size_t)(2 * n * u->v_dim) * sizeof(float));
    memset(u->kt, 0, (size_t)(2 * n * hd) * sizeof(float));
    memset(u->k, 0, (size_t)(n * u->v_dim) * sizeof(float));
    float v[MAX_HEAD_DIM + LANES];
    for (int64_t j = 0; j < u->len; j++) {
        int64_t at = (u->row0 + j) * u->a->kv_stride + u->kv_head * hd;
        float *row = u->k + j * u->v_dim;
        int64_t lane = j / LANES * LANES * hd + j % LANES;
        load_row(row, u->a->k, u->w, at, hd);
        load_row(v, u->a->v, u->w, at, hd);
        for (int64_t d = 0; d < hd; d++) {
            u->kt[lane + d * LANES] = row[d];
            u->vt[lane + d * LANES] = v[d];
        }
    }
}

/* q (scaled), dout, delta and lse of rows [i0, i0 + rows) of one query head. */
static void load_queries(struct unit *u, int64_t head, int64_t i0, int64_t rows)
{
    const struct attention_backward_args *a = u->a;
    int64_t hd = a->head_dim;
    float o[MAX_HEAD_DIM + LANES];
    for (int64_t r = 0; r < rows; r++) {
        int64_t row = u->row0 + i0 + r, at = (row * a->n_heads + head) * hd;
        float *q = u->q + r * A_STRIDE, *g = u->dout + r * A_STRIDE;
        load_row(q, a->q, u->w, row * a->q_stride + head * hd, hd);
        for (int64_t d = 0; d < hd; d++)
            q[d] *= (float)a->scale;
        load_row(g, a->dout, u->w, at, hd);
        load_row(o, a->out, u->w, at, hd);
        vf sum[LV] = {{0}};
        for (int64_t d = 0; d < hd; d += LANES)
            for (int i = 0; i < LV; i++)
                sum[i] = vfma(vload(g + d + i * VW), vload(o + d + i * VW), sum[i]);
        u->delta[r] = lanes_sum(sum);
        u->lse[r] = ((const float *)a->lse)[row * a->n_heads + head];
    }
    memset(u->dq, 0, Q_BLOCK * A_STRIDE * sizeof(float));
}

/* c[rows, blocks] = a kt, for key blocks [first, last) of the chunk at c0. */
static void products(const struct unit *u, const float *a, const float *kt, float *c, int64_t c0,
                     int64_t first, int64_t last, int64_t rows)
{
    int64_t hd = u->a->head_dim;
    for (int64_t b = first; b < last;) {
        int np = VW == 16 && last - b >= 2 ? 2 : 1;
        struct tile t = {
            .a = a,
            .b = kt + b * LANES * hd,
            .ldb = LANES,
            .panel = LANES * hd,
            .K = hd,
            .c = c + b * LANES - c0,
            .ldc = A_STRIDE,
        };
        tile_run(&t, TILE_ROWS, np, LV, rows);
        b += np;
    }
}

/* One row over keys [j0, j1): scores to probabilities, products with V to gradients of scores. */
static void score_gradients(const struct unit *u, int64_t r, int64_t i, int64_t c0, int64_t j0,
                            int64_t j1)
{
    float *p = u->p + r * A_STRIDE - c0, *ds = u->ds + r * A_STRIDE - c0;
    if (u->a->window > 0)
        for (int64_t j = j0; j <= min_i64(i - u->a->window, j1 - 1); j++)
            p[j] = -INFINITY;
    for (int64_t j = max_i64(j0, i + 1); j < j1; j++)
        p[j] = -INFINITY;
    vf lse = vset(u->lse[r]), delta = vset(u->delta[r]);
    for (int64_t j = j0; j < j1; j += VW) {
        vf e = vexp(vload(p + j) - lse);
        vstore(p + j, e);
        vstore(ds + j, e * (vload(ds + j) - delta));
    }
}

/* c[rows, v_dim] += a[rows, K] b[K, v_dim] */
static void add_product(const struct unit *u, struct tile t, enum tile_order order, int64_t rows)
{
    const float *b = t.b;
    float *c = t.c;
    t.load = true;
    for (int64_t v = 0; v < u->v_dim / VW;) {
        int nv = u->v_dim / VW - v >= 2 ? 2 : 1;
        t.b = b + v * VW;
        t.c = c + v * VW;
        tile_run(&t, order, 1, nv, rows);
        v += nv;
    }
}

/* LANES query rows from r0 against the chunk [c0, c1): P, dS and dq. */
static void chunk_rows(const struct unit *u, int64_t i0, int64_t r0, int64_t rows, int64_t c0,
                       int64_t c1)
{
    int64_t window = u->a->window, i = i0 + r0;
    int64_t low = window > 0 ? max_i64(0, i - window + 1) : 0;
    int64_t first = max_i64(c0, low) / LANES;
    int64_t last = min_i64(c1 / LANES, (i + rows - 1) / LANES + 1);
    if (first >= last)
        return;
    products(u, u->q + r0 * A_STRIDE, u->kt, u->p + r0 * A_STRIDE, c0, first, last, rows);
    products(u, u->dout + r0 * A_STRIDE, u->vt, u->ds + r0 * A_STRIDE, c0, first, last, rows);
    for (int64_t r = r0; r < r0 + rows; r++)
        score_gradients(u, r, i0 + r, c0, first * LANES, last * LANES);
    struct tile dq = {
        .a = u->ds + r0 * A_STRIDE + first * LANES - c0,
        .b = u->k + first * LANES * u->v_dim,
        .ldb = u->v_dim,
        .K = (last - first) * LANES,
        .c = u->dq + r0 * A_STRIDE,
        .ldc = A_STRIDE,
    };
    add_product(u, dq, TILE_ROWS, rows);
}

/* One block of keys from all rows that see it: r in [low, high). */
static void chunk_keys(const struct unit *u, int64_t i0, int64_t rows, int64_t c0, int64_t key)
{
    int64_t low = max_i64(0, key - i0), high = rows;
    if (u->a->window > 0)
        high = min_i64(high, key + LANES - 1 + u->a->window - i0);
    if (low >= high)
        return;
    struct tile t = {
        .a = u->p + low * A_STRIDE + key - c0,
        .b = u->dout + low * A_STRIDE,
        .ldb = A_STRIDE,
        .K = high - low,
        .c = u->dv + key * u->v_dim,
        .ldc = u->v_dim,
    };
    add_product(u, t, TILE_COLS, LANES);
    t.a = u->ds + low * A_STRIDE + key - c0;
    t.b = u->q + low * A_STRIDE;
    t.c = u->dk + key * u->v_dim;
    add_product(u, t, TILE_COLS, LANES);
}

static void query_block(struct unit *u, int64_t head, int64_t i0)
{
    const struct attention_backward_args *a = u->a;
    int64_t rows = min_i64(Q_BLOCK, u->len - i0), hd = a->head_dim;
    int64_t low = a->window > 0 ? max_i64(0, i0 - a->window + 1) / LANES * LANES : 0;
    int64_t end = round_up(i0 + rows, LANES);
    load_queries(u, head, i0, rows);
    for (int64_t c0 = low; c0 < end; c0 += K_BLOCK) {
        int64_t c1 = min_i64(end, c0 + K_BLOCK);
        for (int64_t r = 0; r < rows; r += LANES)
            chunk_rows(u, i0, r, min_i64(LANES, rows - r), c0, c1);
        for (int64_t key = c0; key < c1; key += LANES)
            chunk_keys(u, i0, rows, c0, key);
    }
    for (int64_t r = 0; r < rows; r++) {
        float *dq = u->dq + r * A_STRIDE;
        for (int64_t d = 0; d < hd; d++)
            dq[d] *= (float)a->scale;
        store_row(a->dq, u->w, (u->row0 + i0 + r) * a->q_stride + head * hd, dq, hd);
    }
}

static void backward_unit(void *arg, int64_t i, int thread)
{
    const struct backward *b = arg;
    const struct attention_backward_args *a = b->a;
    int64_t seq = i / a->n_kv_heads, group = a->n_heads / a->n_kv_heads;
    struct unit u = {
        .a = a,
        .w = b->dev->dtype,
        .row0 = a->seq_start[seq],
        .len = a->seq_start[seq + 1] - a->seq_start[seq],
        .kv_head = i % a->n_kv_heads,
    };
    unit_init(&u, thread_scratch(b->dev, thread));
    for (int64_t h = 0; h < group; h++)
        for (int64_t i0 = 0; i0 < u.len; i0 += Q_BLOCK)
            query_block(&u, u.kv_head * group + h, i0);
    for (int64_t j = 0; j < u.len; j++) {
        int64_t at = (u.row0 + j) * a->kv_stride + u.kv_head * a->head_dim;
        store_row(a->dk, u.w, at, u.dk + j * u.v_dim, a->head_dim);
        store_row(a->dv, u.w, at, u.dv + j * u.v_dim, a->head_dim);
    }
}

void cpu_attention_backward(struct dev *dev, const struct attention_backward_args *a)
{
    struct backward b = {dev, a};
    int64_t longest = 0;
    if (a->head_dim > MAX_HEAD_DIM) {
        fail(dev, "head_dim above 256 is not supported");
        return;
    }
    for (int64_t s = 0; s < a->n_seqs; s++)
        longest = max_i64(longest, a->seq_start[s + 1] - a->seq_start[s]);
    if (cpu_scratch(dev, unit_floats(longest, a->head_dim) * sizeof(float)))
        cpu_for(dev, a->n_seqs * a->n_kv_heads, backward_unit, &b);
}
