/* forward.c - the layers, for packed sequences and for rows of a cache alike. */
#include <math.h>

#include "model/model_internal.h"

void *as_w(struct model *m, void *to, void *x, int64_t n)
{
    struct dev *dev = &m->dev;

    if (dev->dtype == dev->acc)
        return x;
    dev->ops->convert(dev, to, dev->dtype, x, dev->acc, n * m->cfg.dim);
    return to;
}

void run_linear(struct model *m, struct linear_args *a, const void *packed)
{
    const struct model_state *s = m->state;

    if (!s->exact) {
        a->packed = packed;
        a->packing = s->packing;
    }
    m->dev.ops->linear(&m->dev, a);
}

/* Norm of residual rows, as the input of a matrix product. */
void layer_norm_in(struct model *m, void *y, const void *x, int64_t weight, void *rstd, int64_t n)
{
    const struct model_config *c = &m->cfg;
    struct rmsnorm_args a = {.y = y, .x = x, .w = weight_at(m, weight), .rstd = rstd,
                             .n_rows = n, .dim = c->dim, .heads = 1,
                             .x_stride = c->dim, .y_stride = c->dim, .eps = c->rms_norm_eps,
                             .x_acc = true, .round_first = c->round_first};

    m->dev.ops->rmsnorm(&m->dev, &a);
}

/* Norm of a sublayer's output, added to the residual rows (post-norm). */
static void layer_norm_out(struct model *m, void *x, const void *y, int64_t weight, void *rstd,
                           int64_t n)
{
    const struct model_config *c = &m->cfg;
    struct rmsnorm_args a = {.y = x, .x = y, .w = weight_at(m, weight), .rstd = rstd,
                             .n_rows = n, .dim = c->dim, .heads = 1,
                             .x_stride = c->dim, .y_stride = c->dim, .eps = c->rms_norm_eps,
                             .y_acc = true, .y_accumulate = true, .round_first = c->round_first};

    m->dev.ops->rmsnorm(&m->dev, &a);
}

/* One of q and k, from the projection into the normed copy; a whole row or a head at a time. */
static void qk_norm_part(struct model *m, const struct layer_acts *l, int64_t first, int64_t heads,
                         int64_t weight, void *rstd, int64_t n)
{
    const struct model_config *c = &m->cfg;
    const bool per_head = c->qk_norm == QK_NORM_HEAD;
    const int64_t width = qkv_width(c);
    struct rmsnorm_args a = {.y = row_of(l->qk, m->dev.dtype, first, 1),
                             .x = row_of(l->qkv, m->dev.dtype, first, 1),
                             .w = weight_at(m, weight), .rstd = rstd,
                             .n_rows = per_head ? n * heads : n,
                             .dim = per_head ? c->head_dim : heads * c->head_dim,
                             .heads = per_head ? heads : 1, .x_stride = width, .y_stride = width,
                             .eps = c->rms_norm_eps, .round_first = c->round_first};

    m->dev.ops->rmsnorm(&m->dev, &a);
}

/* q and k lie side by side, so both turn in one call. */
static void rotate_qk(struct model *m, void *qk, const struct acts *a, int64_t layer, int64_t n)
{
    const struct model_config *c = &m->cfg;
    const struct rope_table *t = layer_rope(m, layer);
    struct rope_args args = {.x = qk, .positions = a->positions, .cos = t->cos, .sin = t->sin,
                             .n = n, .heads = c->n_heads + c->n_kv_heads,
                             .head_dim = c->head_dim, .stride = qkv_width(c)};

    m->dev.ops->rope(&m->dev, &args);
}

static void attend_packed(struct model *m, const struct layer_acts *l, const struct rows *r,
                          struct attention_args a)
{
    a.lse = r->keep ? l->lse : NULL;
    a.seq_start = r->seq_start;
    a.n_seqs = r->n_seqs;
    m->dev.ops->attention(&m->dev, &a);
}

static void attend_cached(struct model *m, const struct acts *acts, const struct rows *r,
                          int64_t layer, const struct attention_args *a)
{
    void *cache = r->cache->layers[layer];
    struct kv_append_args append = {.cache = cache, .shape = r->cache->shape, .table = r->cache->table,
                                    .k = a->k, .v = a->v,
                                    .slot = acts->slots, .pos = acts->positions, .n = r->n,
                                    .kv_stride = a->kv_stride};
    struct attention_cached_args attend = {.out = a->out, .q = a->q, .cache = cache,
                                           .shape = r->cache->shape, .table = r->cache->table,
                                           .slot = acts->slots, .pos = acts->positions, .n = r->n,
                                           .n_heads = a->n_heads, .q_stride = a->q_stride,
                                           .window = a->window, .scale = a->scale};

    m->dev.ops->kv_append(&m->dev, &append);
    m->dev.ops->attention_cached(&m->dev, &attend);
}

/* attn_in to attn_out. */
static void attention_rows(struct model *m, struct acts *acts, const struct rows *r, int64_t layer)
{
    const struct model_config *c = &m->cfg;
    const struct layer_acts *l = &acts->layers[layer];
    const struct layer_offsets *o = &m->state->off.layers[layer];
    const enum dtype w = m->dev.dtype;
    const int64_t k_first = c->n_heads * c->head_dim;
    const int64_t v_first = k_first + c->n_kv_heads * c->head_dim;
    struct linear_args project = {.y = l->qkv, .x = l->attn_in, .w = weight_at(m, o->qkv),
                                  .bias = weight_at(m, o->qkv_bias), .M = r->n,
                                  .N = qkv_width(c), .K = c->dim};
    struct attention_args a = {.out = l->attn_out, .q = l->qk, .k = row_of(l->qk, w, k_first, 1),
                               .v = row_of(l->qkv, w, v_first, 1), .n = r->n,
                               .n_heads = c->n_heads, .n_kv_heads = c->n_kv_heads,
                               .head_dim = c->head_dim, .q_stride = qkv_width(c),
                               .kv_stride = qkv_width(c), .window = layer_window(c, layer),
                               .scale = 1 / sqrt((double)c->head_dim)};

    run_linear(m, &project, m->state->packed[layer].qkv);
    if (c->qk_norm != QK_NORM_NONE) {
        qk_norm_part(m, l, 0, c->n_heads, o->q_norm, l->q_rstd, r->n);
        qk_norm_part(m, l, k_first, c->n_kv_heads, o->k_norm, l->k_rstd, r->n);
    }
    rotate_qk(m, l->qk, acts, layer, r->n);
    if (r->cache)
        attend_cached(m, acts, r, layer, &a);
    else
        attend_packed(m, l, r, a);
}

void swiglu_rows(struct model *m, struct acts *a, const struct layer_acts *l, int64_t n)
{
    struct swiglu_args args = {.h = a->hidden, .gate_up = l->gate_up, .n = n,
                               .dim = m->cfg.hidden_dim};

    m->dev.ops->swiglu(&m->dev, &args);
}

/* ffn_in to gate_up. */
static void gate_up_rows(struct model *m, const struct layer_acts *l, int64_t layer, int64_t n)
{
    const struct model_config *c = &m->cfg;
    const struct layer_offsets *o = &m->state->off.layers[layer];
    struct linear_args project = {.y = l->gate_up, .x = l->ffn_in, .w = weight_at(m, o->gate_up),
                                  .bias = weight_at(m, o->gate_up_bias), .M = n,
                                  .N = 2 * c->hidden_dim, .K = c->dim};

    run_linear(m, &project, m->state->packed[layer].gate_up);
}

/* The residual stream before a sublayer is kept for its norm's backward: go on in a copy. */
static void continue_in(struct model *m, void *next, const void *x, int64_t n)
{
    if (next != x)
        m->dev.ops->copy(&m->dev, next, x, (size_t)(n * m->cfg.dim) * dtype_bytes(m->dev.acc));
}

/* x_mid = x + attention(norm(x)), and the feed-forward up to gate_up. */
static void pre_norm_to_gate_up(struct model *m, struct acts *acts, const struct rows *r, int64_t layer)
{
    const struct model_config *c = &m->cfg;
    const struct layer_acts *l = &acts->layers[layer];
    const struct layer_offsets *o = &m->state->off.layers[layer];
    struct linear_args out = {.y = l->x_mid, .x = l->attn_out, .w = weight_at(m, o->o),
                              .bias = weight_at(m, o->o_bias), .M = r->n,
                              .N = c->dim, .K = c->n_heads * c->head_dim,
                              .accumulate = true, .y_acc = true};

    layer_norm_in(m, l->attn_in, l->x, o->attn_norm, l->attn_rstd, r->n);
    attention_rows(m, acts, r, layer);
    continue_in(m, l->x_mid, l->x, r->n);
    run_linear(m, &out, m->state->packed[layer].o);
    layer_norm_in(m, l->ffn_in, l->x_mid, o->ffn_norm, l->ffn_rstd, r->n);
    gate_up_rows(m, l, layer, r->n);
}

/* next = x_mid + feed_forward(norm(x_mid)). */
static void layer_pre_norm(struct model *m, struct acts *acts, const struct rows *r, int64_t layer,
                           void *next)
{
    const struct model_config *c = &m->cfg;
    const struct layer_acts *l = &acts->layers[layer];
    const struct layer_offsets *o = &m->state->off.layers[layer];
    struct linear_args down = {.y = next, .x = acts->hidden, .w = weight_at(m, o->down),
                               .bias = weight_at(m, o->down_bias),
                               .M = r->n, .N = c->dim, .K = c->hidden_dim,
                               .accumulate = true, .y_acc = true};

    pre_norm_to_gate_up(m, acts, r, layer);
    swiglu_rows(m, acts, l, r->n);
    continue_in(m, next, l->x_mid, r->n);
    run_linear(m, &down, m->state->packed[layer].down);
}

/* next = x + norm(attention(x)), and the same for the feed-forward (Olmo 2).  The norms' inputs are the
 * sublayers' outputs, so the residual stream itself need not be kept. */
static void layer_post_norm(struct model *m, struct acts *acts, const struct rows *r, int64_t layer,
                            void *next)
{
    const struct model_config *c = &m->cfg;
    const struct layer_acts *l = &acts->layers[layer];
    const struct layer_offsets *o = &m->state->off.layers[layer];
    const struct packed_layer *packed = &m->state->packed[layer];
    struct dev *dev = &m->dev;
    struct linear_args out = {.y = l->attn_y, .x = l->attn_out, .w = weight_at(m, o->o),
                              .bias = weight_at(m, o->o_bias), .M = r->n,
                              .N = c->dim, .K = c->n_heads * c->head_dim};
    struct linear_args down = {.y = l->ffn_y, .x = acts->hidden, .w = weight_at(m, o->down),
                               .bias = weight_at(m, o->down_bias),
                               .M = r->n, .N = c->dim, .K = c->hidden_dim};

    dev->ops->convert(dev, l->attn_in, dev->dtype, l->x, dev->acc, r->n * c->dim);
    attention_rows(m, acts, r, layer);
    run_linear(m, &out, packed->o);
    continue_in(m, l->x_mid, l->x, r->n);
    layer_norm_out(m, l->x_mid, l->attn_y, o->attn_norm, l->attn_rstd, r->n);
    dev->ops->convert(dev, l->ffn_in, dev->dtype, l->x_mid, dev->acc, r->n * c->dim);
    gate_up_rows(m, l, layer, r->n);
    swiglu_rows(m, acts, l, r->n);
    run_linear(m, &down, packed->down);
    continue_in(m, next, l->x_mid, r->n);
    layer_norm_out(m, next, l->ffn_y, o->ffn_norm, l->ffn_rstd, r->n);
}

static void *layer_next(const struct model *m, struct acts *a, int64_t layer)
{
    return layer + 1 < m->cfg.n_layers ? a->layers[layer + 1].x : a->x_out;
}

void model_layer_again(struct model *m, struct acts *a, const struct rows *r, int64_t layer)
{
    if (m->cfg.norm_place == NORM_BEFORE)
        pre_norm_to_gate_up(m, a, r, layer);
    else /* the next layer's input gets the bits that it had */
        layer_post_norm(m, a, r, layer, layer_next(m, a, layer));
}

void model_layers(struct model *m, struct acts *a, const struct rows *r)
{
    const struct model_config *c = &m->cfg;
    struct embedding_args embed = {.x = a->layers[0].x, .table = weight_at(m, m->state->off.embed),
                                   .tokens = a->tokens, .n = r->n, .dim = c->dim,
                                   .vocab = c->vocab_size};

    m->dev.ops->embedding(&m->dev, &embed);
    for (int64_t i = 0; i < c->n_layers; i++) {
        if (c->norm_place == NORM_BEFORE)
            layer_pre_norm(m, a, r, i, layer_next(m, a, i));
        else
            layer_post_norm(m, a, r, i, layer_next(m, a, i));
    }
}
