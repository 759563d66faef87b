/* attention_backward.c - gradients of causal attention.
 *
 * With P = exp(S - lse) recomputed and delta_i = dout_i . out_i:
 *   dS = P * (dout V^T - delta),  dq = scale dS K,  dk = scale dS^T q,  dv = P^T dout
 * A thread owns one (sequence, key head), so nothing is added across threads.  It goes over the
 * query heads, then blocks of QB queries, then chunks of keys, all ascending; dk and dv are fp32
 * until the end.  q carries the scale, so dk needs none.
 */
#include "kernels/cpu/attention.h"

struct backward {
    struct dev *dev;
    const struct attention_backward_args *a;
};

/* One (sequence, key head) in a thread's scratch. */
struct unit {
    const struct attention_backward_args *a;
    enum dtype w;
    int64_t row0, len;
    struct keys kv;
    float *dk, *dv;       /* [position][dim] */
    float *q, *dout, *dq; /* [QB][dim] */
    float *qt, *doutt;    /* [dim][QB] */
    float *p, *ds;        /* [K_BLOCK][QB]: one chunk of keys */
    float lse[QB], delta[QB];
};

static size_t unit_floats(int64_t longest, int64_t head_dim)
{
    int64_t dim = round_up(head_dim, LANES);
    return (size_t)(4 * round_up(longest, LANES) * dim + 5 * QB * dim + 2 * K_BLOCK * QB);
}

static void unit_init(struct unit *u, int64_t kv_head, float *scratch)
{
    const struct attention_backward_args *a = u->a;
    int64_t dim = round_up(a->head_dim, LANES), n = round_up(u->len, LANES) * dim;
    u->kv = (struct keys){scratch, scratch + n, dim, a->head_dim};
    u->dk = u->kv.v + n;
    u->dv = u->dk + n;
    u->q = u->dv + n;
    u->dout = u->q + QB * dim;
    u->dq = u->dout + QB * dim;
    u->qt = u->dq + QB * dim;
    u->doutt = u->qt + QB * dim;
    u->p = u->doutt + QB * dim;
    u->ds = u->p + K_BLOCK * QB;
    memset(u->dk, 0, (size_t)(2 * n) * sizeof(float));
    for (int64_t j = 0; j < u->len; j++) {
        int64_t at = (u->row0 + j) * a->kv_stride + kv_head * a->head_dim;
        load_row(u->kv.k + j * dim, a->k, u->w, at, a->head_dim);
        load_row(u->kv.v + j * dim, a->v, u->w, at, a->head_dim);
    }
    memset(u->kv.k + u->len * dim, 0, (size_t)(n - u->len * dim) * sizeof(float));
    memset(u->kv.v + u->len * dim, 0, (size_t)(n - u->len * dim) * sizeof(float));
}

static float dot(const float *x, const float *y, int64_t dim)
{
    vf sum[LV] = {{0}};
    for (int64_t d = 0; d < dim; d += LANES)
        for (int i = 0; i < LV; i++)
            sum[i] = vfma(vload(x + d + i * VW), vload(y + d + i * VW), sum[i]);
    return lanes_sum(sum);
}

/* q (scaled) and dout in both orders, delta and lse of n queries of one head. */
static void load_block(struct unit *u, int64_t head, int64_t pos, int64_t n)
{
    const struct attention_backward_args *a = u->a;
    int64_t hd = a->head_dim, dim = u->kv.dim, row = u->row0 + pos;
    float out[MAX_HEAD_DIM + LANES];
    load_queries(u->q, a->q, u->w, row * a->q_stride + head * hd, a->q_stride, n, (float)a->scale,
                 &u->kv);
    load_queries(u->dout, a->dout, u->w, (row * a->n_heads + head) * hd, a->n_heads * hd, n, 1,
                 &u->kv);
    transpose_queries(u->qt, u->q, dim);
    transpose_queries(u->doutt, u->dout, dim);
    memset(u->lse, 0, sizeof u->lse);
    memset(u->delta, 0, sizeof u->delta);
    for (int64_t r = 0; r < n; r++) {
        load_row(out, a->out, u->w, ((row + r) * a->n_heads + head) * hd, hd);
        u->delta[r] = dot(u->dout + r * dim, out, dim);
        u->lse[r] = ((const float *)a->lse)[(row + r) * a->n_heads + head];
    }
}

/* Scores to probabilities, products with V to gradients of scores. */
static void score_gradients(struct unit *u, int64_t n_keys)
{
    for (int i = 0; i < 2; i++) {
        vf lse = vload(u->lse + i * VW), delta = vload(u->delta + i * VW);
        for (int64_t j = 0; j < n_keys; j++) {
            float *p = u->p + j * QB + i * VW, *ds = u->ds + j * QB + i * VW;
            vf e = vexp(vload(p) - lse);
            vstore(p, e);
            vstore(ds, e * (vload(ds) - delta));
        }
    }
}

/* A chunk of keys against n queries from pos on; first: dq begins with it. */
static void chunk(struct unit *u, struct key_span keys, int64_t pos, int64_t n, bool first)
{
    const struct keys *kv = &u->kv;
    int64_t dim = kv->dim, n_keys = keys.end - keys.first, at = keys.first * dim;
    key_products(kv, kv->k, u->qt, keys, u->p);
    key_products(kv, kv->v, u->doutt, keys, u->ds);
    mask_scores(u->p, keys, pos, u->a->window);
    score_gradients(u, n_keys);
    dim_products((struct tile){.a = u->ds, .lda = QB, .b = kv->k + at, .ldb = dim, .K = n_keys,
                               .c = u->dq, .ldc = dim, .load = !first},
                 TILE_COLS, dim, n);
    struct tile t = {.a = u->p, .lda = QB, .b = u->dout, .ldb = dim, .K = n, .c = u->dv + at,
                     .ldc = dim, .load = true};
    dim_products(t, TILE_ROWS, dim, n_keys);
    t.a = u->ds;
    t.b = u->q;
    t.c = u->dk + at;
    dim_products(t, TILE_ROWS, dim, n_keys);
}

static void query_block(struct unit *u, int64_t head, int64_t pos)
{
    const struct attention_backward_args *a = u->a;
    int64_t n = min_i64(QB, u->len - pos), dim = u->kv.dim;
    struct key_span keys = keys_seen(pos, n, a->window);
    load_block(u, head, pos, n);
    for (int64_t k = keys.first; k < keys.end; k += K_BLOCK) {
        struct key_span part = {k, min_i64(keys.end, k + K_BLOCK)};
        chunk(u, part, pos, n, k == keys.first);
    }
    for (int64_t r = 0; r < n; r++) {
        float *dq = u->dq + r * dim;
        for (int64_t d = 0; d < dim; d += VW)
            vstore(dq + d, vload(dq + d) * (float)a->scale);
        store_row(a->dq, u->w, (u->row0 + pos + r) * a->q_stride + head * a->head_dim, dq,
                  a->head_dim);
    }
}

static void backward_unit(void *arg, int64_t i, int thread)
{
    const struct backward *b = arg;
    const struct attention_backward_args *a = b->a;
    int64_t seq = i / a->n_kv_heads, kv_head = i % a->n_kv_heads;
    int64_t group = a->n_heads / a->n_kv_heads;
    struct unit u = {
        .a = a,
        .w = b->dev->dtype,
        .row0 = a->seq_start[seq],
        .len = a->seq_start[seq + 1] - a->seq_start[seq],
    };
    unit_init(&u, kv_head, thread_scratch(b->dev, thread));
    for (int64_t h = 0; h < group; h++)
        for (int64_t pos = 0; pos < u.len; pos += QB)
            query_block(&u, kv_head * group + h, pos);
    for (int64_t j = 0; j < u.len; j++) {
        int64_t at = (u.row0 + j) * a->kv_stride + kv_head * a->head_dim;
        store_row(a->dk, u.w, at, u.dk + j * u.kv.dim, a->head_dim);
        store_row(a->dv, u.w, at, u.dv + j * u.kv.dim, a->head_dim);
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
