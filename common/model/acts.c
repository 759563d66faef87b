/* acts.c - the model's device memory: activations, tables, packed weights.
 *
 * Each set is one allocation, cut up by a function that is run twice: once to add
 * up sizes, once to hand out addresses.  Sets only grow, and only before a step.
 */
#include <math.h>
#include <string.h>

#include "base/log.h"
#include "model/config_internal.h"
#include "model/model_internal.h"

struct cutter {
    char *base; /* NULL: only count */
    size_t used;
};

static void *cut(struct cutter *c, int64_t rows, int64_t width, size_t elem_bytes)
{
    size_t at = c->used;

    /* Cache lines; and one more, because rows whose stride is a power of two share cache sets. */
    c->used += ((size_t)(rows * width) * elem_bytes + 63) / 64 * 64 + 64;
    return c->base ? c->base + at : NULL;
}

/* What one layer keeps for itself. */
static void cut_layer(struct cutter *k, const struct model *m, int64_t n, struct layer_acts *l)
{
    const struct model_config *c = &m->cfg;
    const size_t w = dtype_bytes(m->dev.dtype), acc = dtype_bytes(m->dev.acc);
    const bool heads = c->qk_norm == QK_NORM_HEAD;

    l->attn_rstd = cut(k, n, 1, acc);
    l->ffn_rstd = cut(k, n, 1, acc);
    l->qkv = cut(k, n, qkv_width(c), w);
    l->qk = l->qkv;
    if (c->qk_norm != QK_NORM_NONE) {
        l->qk = cut(k, n, qkv_width(c), w);
        l->q_rstd = cut(k, n, heads ? c->n_heads : 1, acc);
        l->k_rstd = cut(k, n, heads ? c->n_kv_heads : 1, acc);
    }
    l->attn_out = cut(k, n, c->n_heads * c->head_dim, w);
    l->lse = cut(k, n, c->n_heads, acc);
    l->gate_up = cut(k, n, 2 * c->hidden_dim, w);
    if (c->norm_place == NORM_AFTER) {
        l->attn_in = cut(k, n, c->dim, w);
        l->ffn_in = cut(k, n, c->dim, w);
        l->attn_y = cut(k, n, c->dim, w);
        l->ffn_y = cut(k, n, c->dim, w);
    }
}

static void cut_layers(struct cutter *k, const struct model *m, struct acts *a)
{
    const struct model_config *c = &m->cfg;
    const size_t w = dtype_bytes(m->dev.dtype), acc = dtype_bytes(m->dev.acc);
    const int64_t n = a->rows;
    const bool own_x = a->kept && (c->norm_place == NORM_BEFORE || a->recompute);
    const bool own_mid = a->kept && c->norm_place == NORM_BEFORE && !a->recompute;
    void *norm_out = c->norm_place == NORM_BEFORE ? cut(k, n, c->dim, w) : NULL;

    a->x_out = cut(k, n, c->dim, acc);
    void *x_mid = own_x && !own_mid ? cut(k, n, c->dim, acc) : a->x_out;
    for (int64_t i = 0; i < c->n_layers; i++) {
        struct layer_acts *l = &a->layers[i];

        if (i > 0 && (!a->kept || a->recompute)) {
            *l = a->layers[0];
            l->x = own_x ? cut(k, n, c->dim, acc) : a->x_out;
            continue;
        }
        l->x = own_x ? cut(k, n, c->dim, acc) : a->x_out;
        l->x_mid = own_mid ? cut(k, n, c->dim, acc) : x_mid;
        l->attn_in = norm_out;
        l->ffn_in = norm_out;
        cut_layer(k, m, n, l);
    }
}

static void cut_backward(struct cutter *k, const struct model *m, struct acts *a)
{
    const struct model_config *c = &m->cfg;
    const size_t w = dtype_bytes(m->dev.dtype), acc = dtype_bytes(m->dev.acc);

    a->dx = cut(k, a->rows, c->dim, acc);
    a->dnorm = cut(k, a->rows, c->dim, acc);
    a->dy = cut(k, a->rows, c->dim, w);
    a->dqkv = cut(k, a->rows, qkv_width(c), w);
    a->dattn = cut(k, a->rows, c->n_heads * c->head_dim, w);
    a->dlogprobs = cut(k, a->rows, 1, acc);
    a->dz = cut(k, a->rows, 1, acc);
}

static void cut_acts(struct cutter *k, const struct model *m, struct acts *a)
{
    const struct model_config *c = &m->cfg;
    const size_t w = dtype_bytes(m->dev.dtype), acc = dtype_bytes(m->dev.acc);

    cut_layers(k, m, a);
    a->hidden = cut(k, a->rows, c->hidden_dim, w);
    a->tokens = cut(k, a->rows, 1, 4); /* these three end to end: cached.c sends them as one */
    a->positions = cut(k, a->rows, 1, 4);
    a->slots = cut(k, a->rows, 1, 4);
    a->targets = cut(k, a->rows, 1, 4);
    a->uniform = cut(k, a->rows, 1, sizeof(double));
    a->head_x = cut(k, a->rows, c->dim, acc);
    a->head_in = cut(k, a->rows, c->dim, w);
    a->head_rstd = cut(k, a->rows, 1, acc);
    a->inv_temp = cut(k, a->rows, 1, acc);
    a->top_k = cut(k, a->rows, 1, 4);
    a->top_p = cut(k, a->rows, 1, sizeof(double));
    a->min_p = cut(k, a->rows, 1, sizeof(double));
    a->logprobs = cut(k, a->rows, 1, acc);
    a->entropy = cut(k, a->rows, 1, acc);
    a->lse = cut(k, a->rows, 1, acc);
    if (a->kept)
        cut_backward(k, m, a);
}

static void *device_alloc(struct model *m, size_t bytes, const char *what, struct err *err)
{
    void *p = m->dev.ops->alloc(&m->dev, bytes);

    if (!p)
        err_set(err, "no memory on %s for %.1f MiB of %s", m->dev.name,
                (double)bytes / (1 << 20), what);
    else
        log_debug("%s: %.1f MiB", what, (double)bytes / (1 << 20));
    return p;
}

void acts_release(struct model *m, struct acts *a)
{
    if (a->memory)
        m->dev.ops->free(&m->dev, a->memory);
    a->memory = NULL;
    a->rows = 0;
}

int acts_reserve(struct model *m, struct acts *a, int64_t rows, struct err *err)
{
    struct cutter count = {0}, hand_out = {0};

    if (a->memory && rows <= a->rows)
        return 0;
    acts_release(m, a);
    a->rows = (rows + 31) / 32 * 32;
    cut_acts(&count, m, a);
    a->memory = device_alloc(m, count.used, "activations", err);
    if (!a->memory) {
        a->rows = 0;
        return -1;
    }
    hand_out.base = a->memory;
    cut_acts(&hand_out, m, a);
    return 0;
}

size_t acts_bytes(const struct model *m, bool kept, bool recompute, int64_t rows)
{
    struct acts *a = xcalloc(1, sizeof *a);
    struct cutter count = {0};

    a->kept = kept;
    a->recompute = kept && recompute;
    a->rows = (rows + 31) / 32 * 32;
    cut_acts(&count, m, a);
    free(a);
    return count.used;
}

/* ---- rotary tables ---- */

static void fill_rope(struct model *m, struct rope_table *t, bool plain, int64_t rows)
{
    const int64_t half = m->cfg.head_dim / 2;
    float *inv_freq = xreallocarray(NULL, (size_t)half, sizeof(float));
    float *cos_host = xreallocarray(NULL, (size_t)(rows * half), sizeof(float));
    float *sin_host = xreallocarray(NULL, (size_t)(rows * half), sizeof(float));
    double factor;

    rope_frequencies(&m->cfg, plain, inv_freq, &factor);
    for (int64_t p = 0; p < rows; p++) {
        for (int64_t i = 0; i < half; i++) {
            float angle = (float)p * inv_freq[i]; /* float32: see rope.c */
            cos_host[p * half + i] = (float)(cos((double)angle) * factor);
            sin_host[p * half + i] = (float)(sin((double)angle) * factor);
        }
    }
    upload_acc(m, t->cos, cos_host, rows * half);
    upload_acc(m, t->sin, sin_host, rows * half);
    free(inv_freq);
    free(cos_host);
    free(sin_host);
}

static void rope_free(struct model *m, struct rope_table *t)
{
    if (t->cos)
        m->dev.ops->free(&m->dev, t->cos);
    *t = (struct rope_table){0};
}

/* Of a table's cosines, and of its sines. */
static size_t rope_half_bytes(const struct model *m, int64_t rows)
{
    size_t bytes = (size_t)(rows * (m->cfg.head_dim / 2)) * dtype_bytes(m->dev.acc);

    return (bytes + 63) / 64 * 64;
}

/* Tables grow by doubling: a config that allows 131072 positions is mostly used with 4096. */
static int64_t rope_table_rows(int64_t have, int64_t positions)
{
    int64_t rows = have ? have : 1024;

    while (rows < positions)
        rows *= 2;
    return rows;
}

static int rope_make(struct model *m, struct rope_table *t, bool plain, int64_t rows,
                     struct err *err)
{
    const size_t half_bytes = rope_half_bytes(m, rows);

    rope_free(m, t);
    t->cos = device_alloc(m, 2 * half_bytes, "rotary tables", err);
    if (!t->cos)
        return -1;
    t->sin = (char *)t->cos + half_bytes;
    fill_rope(m, t, plain, rows);
    return 0;
}

int rope_reserve(struct model *m, int64_t positions, struct err *err)
{
    struct model_state *s = m->state;
    const struct model_config *c = &m->cfg;
    const int64_t rows = rope_table_rows(s->rope_rows, positions);

    if (positions == 0) { /* free */
        rope_free(m, &s->rope_full);
        rope_free(m, &s->rope_plain);
        return 0;
    }
    if (positions <= s->rope_rows)
        return 0;
    s->rope_rows = 0;
    if (rope_make(m, &s->rope_full, false, rows, err) < 0)
        return -1;
    if (c->rope_full_only && rope_make(m, &s->rope_plain, true, rows, err) < 0)
        return -1;
    s->rope_rows = rows;
    return 0;
}

/* ---- logits of a chunk of rows ---- */

/* Rows of a chunk, when `rows` want logits. */
static int64_t chunk_of(const struct model *m, int64_t rows)
{
    int64_t row_bytes = m->cfg.vocab_size * (int64_t)dtype_bytes(m->dev.acc);
    int64_t most = m->state->logits_bytes / row_bytes;

    most = most > 64 ? most / 32 * 32 : most < 32 ? 32 : most;
    return rows < most ? (rows + 31) / 32 * 32 : most;
}

static size_t chunk_bytes(const struct model *m, int64_t rows, size_t *logits_bytes)
{
    const size_t elems = (size_t)(rows * m->cfg.vocab_size);

    *logits_bytes = (elems * dtype_bytes(m->dev.acc) + 63) / 64 * 64;
    return *logits_bytes + (m->state->opt.trainable ? elems * dtype_bytes(m->dev.dtype) : 0);
}

int logits_reserve(struct model *m, int64_t rows, struct err *err)
{
    struct model_state *s = m->state;
    size_t logits_bytes;

    rows = chunk_of(m, rows);
    if (rows <= s->logits_rows)
        return 0;
    if (s->logits)
        m->dev.ops->free(&m->dev, s->logits);
    s->logits_rows = 0;
    size_t bytes = chunk_bytes(m, rows, &logits_bytes);
    s->logits = device_alloc(m, bytes, "logits", err);
    if (!s->logits)
        return -1;
    s->dlogits = m->grads ? (char *)s->logits + logits_bytes : NULL;
    s->logits_rows = rows;
    return 0;
}

void head_rows_reserve(struct model *m, int64_t n)
{
    struct model_state *s = m->state;

    if (n > s->head_cap) {
        s->head_rows = xreallocarray(s->head_rows, (size_t)n, sizeof(*s->head_rows));
        s->head_cap = n;
    }
}

static size_t row_logits_bytes(const struct model *m, int64_t n)
{
    return (size_t)(n * m->cfg.vocab_size) * dtype_bytes(m->dev.acc);
}

int row_logits_reserve(struct model *m, int64_t n, struct err *err)
{
    struct model_state *s = m->state;

    if (n <= s->row_logits_cap)
        return 0;
    if (s->row_logits)
        m->dev.ops->free(&m->dev, s->row_logits);
    s->row_logits_cap = 0;
    s->row_logits = device_alloc(m, row_logits_bytes(m, n), "logits of generated rows", err);
    if (!s->row_logits)
        return -1;
    s->row_logits_cap = n;
    return 0;
}

/* ---- packed weights ---- */

/* Calls fn for each matrix product's weight: its packed copy's address, offset and shape. */
static void each_matrix(struct model *m, void *arg,
                        void (*fn)(struct model *m, void *arg, void **packed, int64_t offset,
                                   int64_t n_rows, int64_t n_cols))
{
    const struct model_config *c = &m->cfg;
    struct model_state *s = m->state;

    for (int64_t i = 0; i < c->n_layers; i++) {
        const struct layer_offsets *o = &s->off.layers[i];
        struct packed_layer *p = &s->packed[i];
        fn(m, arg, &p->qkv, o->qkv, qkv_width(c), c->dim);
        fn(m, arg, &p->o, o->o, c->dim, c->n_heads * c->head_dim);
        fn(m, arg, &p->gate_up, o->gate_up, 2 * c->hidden_dim, c->dim);
        fn(m, arg, &p->down, o->down, c->dim, c->hidden_dim);
    }
    fn(m, arg, &s->packed_head, s->off.head, c->vocab_size, c->dim);
}

static void place_matrix(struct model *m, void *arg, void **packed, int64_t offset, int64_t n_rows,
                         int64_t n_cols)
{
    struct cutter *k = arg;
    size_t bytes = m->state->opt.plan_gpu && m->state->packing != PACK_INT8
                       ? 0
                       : m->dev.ops->packed_bytes(&m->dev, n_rows, n_cols, m->state->packing);

    (void)offset;
    *packed = bytes ? cut(k, 1, (int64_t)bytes, 1) : NULL;
}

static void place_matrix_size(struct model *m, void *arg, void **packed, int64_t offset,
                              int64_t n_rows, int64_t n_cols)
{
    void *unused;

    (void)packed;
    place_matrix(m, arg, &unused, offset, n_rows, n_cols);
}

static void pack_matrix(struct model *m, void *arg, void **packed, int64_t offset, int64_t n_rows,
                        int64_t n_cols)
{
    (void)arg;
    if (*packed)
        m->dev.ops->pack_weight(&m->dev, *packed, weight_at(m, offset), n_rows, n_cols,
                                 m->state->packing);
}

int packed_alloc(struct model *m, struct err *err)
{
    struct cutter count = {0}, hand_out = {0};

    each_matrix(m, &count, place_matrix);
    if (!count.used && m->state->packing == PACK_INT8)
        return err_set(err, "%s has no int8 weights; use --weights exact", m->dev.name);
    if (!count.used)
        return 0;
    m->state->packed_memory = device_alloc(m, count.used, "packed weights", err);
    if (!m->state->packed_memory)
        return -1;
    hand_out.base = m->state->packed_memory;
    each_matrix(m, &hand_out, place_matrix);
    return 0;
}

void packed_refresh(struct model *m)
{
    each_matrix(m, NULL, pack_matrix);
}

static struct scratch_use scratch_use(const struct model *m, const struct model_use *use)
{
    const struct model_config *c = &m->cfg;

    return (struct scratch_use){.n = use->rows, .longest = use->longest, .cached_rows = use->cached_rows,
                                .cached_len = use->cache_len, .dim = c->dim, .hidden_dim = c->hidden_dim,
                                .n_heads = c->n_heads, .n_kv_heads = c->n_kv_heads,
                                .head_dim = c->head_dim, .vocab = c->vocab_size,
                                .logits_rows = use->rows ? chunk_of(m, use->rows) : use->out_rows,
                                .backward = m->state->opt.trainable};
}

static size_t scratch_bytes(struct model *m, const struct model_use *use)
{
    const struct scratch_use s = scratch_use(m, use);

    return m->dev.ops->scratch_bytes && !m->state->opt.plan_gpu ? m->dev.ops->scratch_bytes(&m->dev, &s) : 0;
}

bool model_reserve(struct model *m, const struct model_use *use, size_t bytes)
{
    const struct scratch_use s = scratch_use(m, use);

    return m->dev.ops->reserve(&m->dev, bytes, &s);
}

int model_prepare(struct model *m, const struct model_use *use, struct err *err)
{
    struct model_state *s = m->state;
    const int64_t positions = use->longest > use->cache_len ? use->longest : use->cache_len;

    if (!m->dev.ops->reserve)
        return 0;
    if (use->rows > 0 && (acts_reserve(m, &s->train, use->rows, err) < 0 || logits_reserve(m, use->rows, err) < 0))
        return -1;
    if (use->cached_rows > 0 && (acts_reserve(m, &s->cached, use->cached_rows, err) < 0 ||
                                 row_logits_reserve(m, decoding_rows(m, use->out_rows), err) < 0))
        return -1;
    return positions > 0 ? rope_reserve(m, positions, err) : 0;
}

size_t model_block_bytes(const struct model *m, size_t bytes)
{
    struct dev dev = m->dev;

    return dev.ops->block_bytes && bytes > 0 && !m->state->opt.plan_gpu ? dev.ops->block_bytes(&dev, bytes) : bytes;
}

size_t model_room(const struct model *m)
{
    struct dev dev = m->dev;

    return dev.ops->room ? dev.ops->room(&dev) : 0;
}

struct model_memory model_memory_plan(struct model *m, const struct model_use *use)
{
    const struct model_config *c = &m->cfg;
    const size_t n = (size_t)m->n_elements;
    const bool trains = m->state->opt.trainable;
    const bool again = m->state->opt.recompute || use->recompute;
    const int64_t positions = use->longest > use->cache_len ? use->longest : use->cache_len;
    struct cutter packed = {0};
    struct model_memory p = {.weights = model_block_bytes(m, n * dtype_bytes(m->dev.dtype))};
    size_t unused;

    each_matrix(m, &packed, place_matrix_size);
    p.packed = model_block_bytes(m, packed.used);
    if (trains)
        p.gradients = model_block_bytes(m, n * dtype_bytes(m->dev.acc));
    if (use->rows > 0) {
        p.activations = model_block_bytes(m, acts_bytes(m, trains, again, use->rows));
        p.logits = model_block_bytes(m, chunk_bytes(m, chunk_of(m, use->rows), &unused));
    }
    if (use->slots > 0)
        p.kv_cache = model_block_bytes(m, kv_cache_bytes(m, use->slots, use->cache_len,
                                                         use->slots * kv_cache_pages(use->cache_len)));
    if (use->cached_rows > 0) {
        p.activations += model_block_bytes(m, acts_bytes(m, false, false, use->cached_rows));
        p.logits += model_block_bytes(m, row_logits_bytes(m, decoding_rows(m, use->out_rows)));
    }
    p.tables = model_block_bytes(m, 2 * rope_half_bytes(m, rope_table_rows(0, positions))) *
               (c->rope_full_only ? 2 : 1);
    p.scratch = scratch_bytes(m, use);
    p.total = p.weights + p.packed + p.gradients + p.activations + p.logits + p.kv_cache + p.tables +
              p.scratch;
    return p;
}
