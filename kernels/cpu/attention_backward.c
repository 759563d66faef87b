/* attention_backward.c - gradients of causal attention.
 *
 * With P = exp(S - lse) recomputed and delta_i = dout_i . out_i:
 *   dS = P * (dout V^T - delta),  dq = scale dS K,  dk = scale dS^T q,  dv = P^T dout
 * A thread owns one (sequence, key head), so nothing is added across threads.  It goes over the
 * query heads, then blocks of QB queries, then chunks of keys, all ascending; dk and dv are fp32
 * until the end.  dk needs the scale that q does not carry.
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
    struct head head;
    float *k, *v;      /* lines */
    float *k_columns;  /* k itself where they are the same */
    float *dk, *dv;    /* [position][dim] */
    float *lines;      /* [QB][width] */
    float *q, *dout;   /* columns */
    float *dq;         /* [QB][dim] */
    float *qt, *doutt; /* [width][QB] */
    float *p, *ds;     /* [K_BLOCK][QB]: one chunk of keys; as pairs of queries, in the first half of each row */
    float *ds_pairs;   /* [K_BLOCK / 2][QB]: pairs of keys; ds itself without pairs */
    float lse[QB], delta[QB];
};

size_t attention_backward_scratch(const struct dev *dev, int64_t longest, int64_t head_dim)
{
    struct head h = head_of(dev, head_dim, 1);
    int64_t n = round_up(longest, LANES);
    int64_t floats = n * (2 * h.width + 3 * h.dim) + 3 * QB * h.width + 3 * QB * h.dim + 3 * K_BLOCK * QB;
    return (size_t)floats * sizeof(float);
}

/* Takes n floats. */
static float *take(float **scratch, int64_t n)
{
    float *p = *scratch;
    *scratch += n;
    return p;
}

static void unit_init(struct unit *u, int64_t kv_head, float *scratch)
{
    const struct attention_backward_args *a = u->a;
    const struct head *h = &u->head;
    int64_t n = round_up(u->len, LANES), at = u->row0 * a->kv_stride + kv_head * a->head_dim;
    struct rows k = {a->k, u->w, at, a->kv_stride}, v = {a->v, u->w, at, a->kv_stride};
    u->dk = take(&scratch, n * h->dim);
    u->dv = take(&scratch, n * h->dim);
    memset(u->dk, 0, (size_t)(2 * n * h->dim) * sizeof(float));
    u->k = take(&scratch, n * h->width);
    u->v = take(&scratch, n * h->width);
    u->lines = take(&scratch, QB * h->width);
    u->qt = take(&scratch, QB * h->width);
    u->doutt = take(&scratch, QB * h->width);
    u->q = take(&scratch, QB * h->dim);
    u->dout = take(&scratch, QB * h->dim);
    u->dq = take(&scratch, QB * h->dim);
    u->p = take(&scratch, K_BLOCK * QB);
    u->ds = take(&scratch, K_BLOCK * QB);
    load_lines(u->k, h, &k, u->len, n, 1);
    load_lines(u->v, h, &v, u->len, n, 1);
    u->k_columns = u->k;
    u->ds_pairs = u->ds;
    if (h->pairs) {
        u->k_columns = take(&scratch, n / 2 * h->dim);
        u->ds_pairs = take(&scratch, K_BLOCK / 2 * QB);
        load_columns(u->k_columns, h, &k, u->len, n, 1);
    }
}

static float dot(const float *x, const float *y, int64_t dim)
{
    vf sum[LV] = {{0}};
    for (int64_t d = 0; d < dim; d += LANES)
        for (int i = 0; i < LV; i++)
            sum[i] = vfma(vload(x + d + i * VW), vload(y + d + i * VW), sum[i]);
    return lanes_sum(sum);
}

/* q and dout for both kinds of products, delta and lse of n queries of one head. */
static void load_block(struct unit *u, int64_t head, int64_t pos, int64_t n)
{
    const struct attention_backward_args *a = u->a;
    const struct head *h = &u->head;
    int64_t hd = a->head_dim, row = u->row0 + pos;
    float out[MAX_HEAD_DIM + LANES], dout[MAX_HEAD_DIM + LANES];
    struct rows q = {a->q, u->w, row * a->q_stride + head * hd, a->q_stride};
    struct rows d = {a->dout, u->w, (row * a->n_heads + head) * hd, a->n_heads * hd};
    load_lines(u->lines, h, &q, n, QB, h->q_scale);
    transpose_queries(u->qt, u->lines, h->width);
    load_columns(u->q, h, &q, n, QB, h->q_scale);
    load_lines(u->lines, h, &d, n, QB, 1);
    transpose_queries(u->doutt, u->lines, h->width);
    load_columns(u->dout, h, &d, n, QB, 1);
    memset(u->lse, 0, sizeof u->lse);
    memset(u->delta, 0, sizeof u->delta);
    for (int64_t r = 0; r < n; r++) {
        load_row(out, a->out, u->w, d.at + r * d.stride, hd);
        load_row(dout, a->dout, u->w, d.at + r * d.stride, hd);
        u->delta[r] = dot(dout, out, h->dim);
        u->lse[r] = ((const float *)a->lse)[(row + r) * a->n_heads + head];
    }
}

static void store_halves(float *row, int i, vf x)
{
    vstore_bf16((uint16_t *)(void *)row + i * VW, x);
}

/* Scores to probabilities, products with V to gradients of scores. */
static void score_gradients(struct unit *u, int64_t n_keys)
{
    const vf scale = vset(u->head.score_scale);
    for (int i = 0; i < 2; i++) {
        vf lse = vload(u->lse + i * VW), delta = vload(u->delta + i * VW);
        for (int64_t j = 0; j < n_keys; j += 2) {
            vf e[2], g[2];
            for (int r = 0; r < 2; r++) {
                float *p = u->p + (j + r) * QB, *ds = u->ds + (j + r) * QB;
                e[r] = vexp(vfma(vload(p + i * VW), scale, -lse));
                g[r] = e[r] * (vload(ds + i * VW) - delta);
                if (u->head.pairs) {
                    store_halves(p, i, e[r]);
                    store_halves(ds, i, g[r]);
                } else {
                    vstore(p + i * VW, e[r]);
                    vstore(ds + i * VW, g[r]);
                }
            }
            if (u->head.pairs)
                vstore(u->ds_pairs + j / 2 * QB + i * VW, vpair(g[0], g[1]));
        }
    }
}

/* A chunk of keys against n queries from pos on; first: dq begins with it. */
static void chunk(struct unit *u, struct key_span keys, int64_t pos, int64_t n, bool first)
{
    const struct head *h = &u->head;
    int64_t n_keys = keys.end - keys.first;
    key_products(h, u->k, u->qt, keys, u->p);
    key_products(h, u->v, u->doutt, keys, u->ds);
    mask_scores(u->p, keys, pos, u->a->window);
    score_gradients(u, n_keys);
    dim_products((struct tile){.a = u->ds_pairs, .lda = QB, .b = u->k_columns + keys.first / h->per * h->dim,
                               .K = n_keys / h->per, .c = u->dq, .load = !first},
                 h, TILE_COLS, n);
    struct tile t = {.a = u->p, .lda = QB, .b = u->dout, .K = (n + h->per - 1) / h->per,
                     .c = u->dv + keys.first * h->dim, .load = true};
    dim_products(t, h, TILE_ROWS, n_keys);
    t.a = u->ds;
    t.b = u->q;
    t.c = u->dk + keys.first * h->dim;
    dim_products(t, h, TILE_ROWS, n_keys);
}

static void store_scaled(const struct unit *u, void *to, int64_t at, float *x, float scale)
{
    for (int64_t d = 0; d < u->head.dim; d += VW)
        vstore(x + d, vload(x + d) * scale);
    store_row(to, u->w, at, x, u->head.head_dim);
}

static void query_block(struct unit *u, int64_t head, int64_t pos)
{
    const struct attention_backward_args *a = u->a;
    int64_t n = min_i64(QB, u->len - pos);
    struct key_span keys = keys_seen(pos, n, a->window);
    load_block(u, head, pos, n);
    for (int64_t k = keys.first; k < keys.end; k += K_BLOCK) {
        struct key_span part = {k, min_i64(keys.end, k + K_BLOCK)};
        chunk(u, part, pos, n, k == keys.first);
    }
    for (int64_t r = 0; r < n; r++)
        store_scaled(u, a->dq, (u->row0 + pos + r) * a->q_stride + head * a->head_dim,
                     u->dq + r * u->head.dim, (float)a->scale);
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
        .head = head_of(b->dev, a->head_dim, (float)a->scale),
        .row0 = a->seq_start[seq],
        .len = a->seq_start[seq + 1] - a->seq_start[seq],
    };
    unit_init(&u, kv_head, thread_scratch(b->dev, thread));
    for (int64_t h = 0; h < group; h++)
        for (int64_t pos = 0; pos < u.len; pos += QB)
            query_block(&u, kv_head * group + h, pos);
    for (int64_t j = 0; j < u.len; j++) {
        int64_t at = (u.row0 + j) * a->kv_stride + kv_head * a->head_dim;
        store_scaled(&u, a->dk, at, u.dk + j * u.head.dim, u.head.score_scale);
        store_row(a->dv, u.w, at, u.dv + j * u.head.dim, a->head_dim);
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
    if (cpu_scratch(dev, attention_backward_scratch(dev, longest, a->head_dim)))
        cpu_for(dev, a->n_seqs * a->n_kv_heads, backward_unit, &b);
}
