/* backward.c - gradients of the layers, in the forward's order reversed.
 *
 * dx is the gradient of the residual stream throughout: each sublayer adds its own
 * contribution to it.  swiglu's output and the pre-norms' outputs are computed
 * again instead of kept; with `recompute` all of a layer but its input is (Chen et
 * al., arXiv:1604.06174): by the same ops from the same input, so with the same bits.
 */
#include <math.h>

#include "model/model_internal.h"

/* y = x w^T + b: gradients of w and b, then of x. */
struct linear_grads {
    void *dx;
    bool dx_acc, accumulate;
    const void *dy, *x;
    int64_t weight, bias, n_out, n_in;
};

static void linear_backward(struct model *m, int64_t n, const struct linear_grads *g)
{
    struct linear_backward_weight_args dw = {.dw = grad_at(m, g->weight),
                                             .dbias = grad_at(m, g->bias), .dy = g->dy, .x = g->x,
                                             .M = n, .N = g->n_out, .K = g->n_in};
    struct linear_backward_input_args dx = {.dx = g->dx, .dy = g->dy, .w = weight_at(m, g->weight),
                                            .M = n, .N = g->n_out, .K = g->n_in,
                                            .accumulate = g->accumulate, .dx_acc = g->dx_acc};

    m->dev.ops->linear_backward_weight(&m->dev, &dw);
    m->dev.ops->linear_backward_input(&m->dev, &dx);
}

/* dx += gradient through the norm in front of a sublayer; a->dnorm is that of its output. */
static void norm_in_backward(struct model *m, struct acts *a, const void *x, const void *rstd,
                             int64_t weight, int64_t n)
{
    const int64_t dim = m->cfg.dim;
    struct rmsnorm_backward_args args = {.dx = a->dx, .dw = grad_at(m, weight), .dy = a->dnorm,
                                         .x = x, .w = weight_at(m, weight), .rstd = rstd,
                                         .n_rows = n, .dim = dim, .heads = 1, .x_stride = dim,
                                         .y_stride = dim, .x_acc = true, .dx_acc = true,
                                         .dy_acc = true, .dx_accumulate = true};

    m->dev.ops->rmsnorm_backward(&m->dev, &args);
}

/* a->dy = gradient of a sublayer's output y, through the norm behind it (post-norm). */
static void norm_out_backward(struct model *m, struct acts *a, const void *y, const void *rstd,
                              int64_t weight, int64_t n)
{
    const int64_t dim = m->cfg.dim;
    struct rmsnorm_backward_args args = {.dx = a->dy, .dw = grad_at(m, weight), .dy = a->dx, .x = y,
                                         .w = weight_at(m, weight), .rstd = rstd, .n_rows = n,
                                         .dim = dim, .heads = 1, .x_stride = dim, .y_stride = dim,
                                         .dy_acc = true};

    m->dev.ops->rmsnorm_backward(&m->dev, &args);
}

/* dy, the gradient of the feed-forward's output, down to that of its input: into a->dnorm for
 * pre-norm, added to dx for post-norm. */
static void feed_forward_backward(struct model *m, struct acts *a, int64_t layer, const void *dy,
                                  int64_t n)
{
    const struct model_config *c = &m->cfg;
    const struct layer_acts *l = &a->layers[layer];
    const struct layer_offsets *o = &m->state->off.layers[layer];
    const bool after = c->norm_place == NORM_AFTER;
    struct linear_grads down = {.dx = a->hidden, .dy = dy, .x = a->hidden, .weight = o->down,
                                .bias = o->down_bias, .n_out = c->dim, .n_in = c->hidden_dim};
    struct swiglu_backward_args act = {.dgate_up = l->gate_up, .dh = a->hidden,
                                       .gate_up = l->gate_up, .n = n, .dim = c->hidden_dim};
    struct linear_grads gate_up = {.dx = after ? a->dx : a->dnorm, .dx_acc = true,
                                   .accumulate = after, .dy = l->gate_up, .x = l->ffn_in,
                                   .weight = o->gate_up, .bias = o->gate_up_bias,
                                   .n_out = 2 * c->hidden_dim, .n_in = c->dim};

    swiglu_rows(m, a, l, n);
    linear_backward(m, n, &down); /* w first, so that dx may overwrite x */
    m->dev.ops->swiglu_backward(&m->dev, &act);
    if (!after)
        layer_norm_in(m, l->ffn_in, l->x_mid, o->ffn_norm, l->ffn_rstd, n);
    linear_backward(m, n, &gate_up);
}

/* In place in dqkv: through the rotation and the norm, from q', k' back to the projection. */
static void qk_norm_backward_part(struct model *m, struct acts *a, const struct layer_acts *l,
                                  int64_t first, int64_t heads, int64_t weight, const void *rstd,
                                  int64_t n)
{
    const struct model_config *c = &m->cfg;
    const bool per_head = c->qk_norm == QK_NORM_HEAD;
    const int64_t width = qkv_width(c);
    void *d = row_of(a->dqkv, m->dev.dtype, first, 1);
    struct rmsnorm_backward_args args = {.dx = d, .dw = grad_at(m, weight), .dy = d,
                                         .x = row_of(l->qkv, m->dev.dtype, first, 1),
                                         .w = weight_at(m, weight), .rstd = rstd,
                                         .n_rows = per_head ? n * heads : n,
                                         .dim = per_head ? c->head_dim : heads * c->head_dim,
                                         .heads = per_head ? heads : 1,
                                         .x_stride = width, .y_stride = width};

    m->dev.ops->rmsnorm_backward(&m->dev, &args);
}

static void qk_backward(struct model *m, struct acts *a, int64_t layer, int64_t n)
{
    const struct model_config *c = &m->cfg;
    const struct layer_acts *l = &a->layers[layer];
    const struct layer_offsets *o = &m->state->off.layers[layer];
    const struct rope_table *t = layer_rope(m, layer);
    struct rope_args rotate = {.x = a->dqkv, .positions = a->positions, .cos = t->cos,
                               .sin = t->sin, .n = n, .heads = c->n_heads + c->n_kv_heads,
                               .head_dim = c->head_dim, .stride = qkv_width(c), .inverse = true};

    m->dev.ops->rope(&m->dev, &rotate);
    if (c->qk_norm == QK_NORM_NONE)
        return;
    qk_norm_backward_part(m, a, l, 0, c->n_heads, o->q_norm, l->q_rstd, n);
    qk_norm_backward_part(m, a, l, c->n_heads * c->head_dim, c->n_kv_heads, o->k_norm, l->k_rstd,
                          n);
}

/* Like feed_forward_backward(). */
static void attention_sublayer_backward(struct model *m, struct acts *a, const struct rows *r,
                                        int64_t layer, const void *dy)
{
    const struct model_config *c = &m->cfg;
    const struct layer_acts *l = &a->layers[layer];
    const struct layer_offsets *o = &m->state->off.layers[layer];
    const enum dtype w = m->dev.dtype;
    const bool after = c->norm_place == NORM_AFTER;
    const int64_t k_first = c->n_heads * c->head_dim;
    const int64_t v_first = k_first + c->n_kv_heads * c->head_dim;
    struct linear_grads out = {.dx = a->dattn, .dy = dy, .x = l->attn_out, .weight = o->o,
                               .bias = o->o_bias, .n_out = c->dim, .n_in = k_first};
    struct attention_backward_args attend = {
        .dq = a->dqkv, .dk = row_of(a->dqkv, w, k_first, 1), .dv = row_of(a->dqkv, w, v_first, 1),
        .dout = a->dattn, .out = l->attn_out, .lse = l->lse, .q = l->qk,
        .k = row_of(l->qk, w, k_first, 1), .v = row_of(l->qkv, w, v_first, 1),
        .seq_start = r->seq_start, .n = r->n, .n_seqs = r->n_seqs, .n_heads = c->n_heads,
        .n_kv_heads = c->n_kv_heads, .head_dim = c->head_dim, .q_stride = qkv_width(c),
        .kv_stride = qkv_width(c), .window = layer_window(c, layer),
        .scale = 1 / sqrt((double)c->head_dim)};
    struct linear_grads qkv = {.dx = after ? a->dx : a->dnorm, .dx_acc = true, .accumulate = after,
                               .dy = a->dqkv, .x = l->attn_in, .weight = o->qkv,
                               .bias = o->qkv_bias, .n_out = qkv_width(c), .n_in = c->dim};

    linear_backward(m, r->n, &out);
    m->dev.ops->attention_backward(&m->dev, &attend);
    qk_backward(m, a, layer, r->n);
    if (!after)
        layer_norm_in(m, l->attn_in, l->x, o->attn_norm, l->attn_rstd, r->n);
    linear_backward(m, r->n, &qkv);
}

static void layer_backward(struct model *m, struct acts *a, const struct rows *r, int64_t layer)
{
    const struct layer_acts *l = &a->layers[layer];
    const struct layer_offsets *o = &m->state->off.layers[layer];

    if (m->cfg.norm_place == NORM_AFTER) {
        norm_out_backward(m, a, l->ffn_y, l->ffn_rstd, o->ffn_norm, r->n);
        feed_forward_backward(m, a, layer, a->dy, r->n);
        norm_out_backward(m, a, l->attn_y, l->attn_rstd, o->attn_norm, r->n);
        attention_sublayer_backward(m, a, r, layer, a->dy);
        return;
    }
    feed_forward_backward(m, a, layer, as_w(m, a->dy, a->dx, r->n), r->n);
    norm_in_backward(m, a, l->x_mid, l->ffn_rstd, o->ffn_norm, r->n);
    attention_sublayer_backward(m, a, r, layer, as_w(m, a->dy, a->dx, r->n));
    norm_in_backward(m, a, l->x, l->attn_rstd, o->attn_norm, r->n);
}

void model_layers_backward(struct model *m, struct acts *a, const struct rows *r)
{
    const struct model_config *c = &m->cfg;
    struct embedding_backward_args embed = {.dtable = grad_at(m, m->state->off.embed), .dx = a->dx,
                                            .tokens = a->tokens, .n = r->n, .dim = c->dim,
                                            .vocab = c->vocab_size};

    for (int64_t i = c->n_layers - 1; i >= 0; i--) {
        if (a->recompute && i + 1 < c->n_layers) /* the last layer's are still there */
            model_layer_again(m, a, r, i);
        layer_backward(m, a, r, i);
    }
    m->dev.ops->embedding_backward(&m->dev, &embed);
}
