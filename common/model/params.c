/* params.c - the table of a decoder's tensors.
 *
 * The order is the checkpoint's, layers ascending, with one liberty: biases follow
 * the weights of their group (q, k, v weights, then q, k, v biases), so that q, k
 * and v, and gate and up, are single matrices with single biases to the kernels.
 */
#include <stdio.h>

#include "model/model_internal.h"

struct builder {
    struct param *params;
    int n, cap;
    int64_t n_elements;
};

static int64_t add_tensor(struct builder *b, int n_dims, int64_t n_rows, int64_t n_cols, bool decay,
                          const char *name)
{
    GROW(b->params, b->n, b->cap);
    struct param *p = &b->params[b->n++];

    *p = (struct param){.n_rows = n_rows, .n_cols = n_cols, .n_dims = n_dims,
                        .offset = b->n_elements, .numel = n_rows * n_cols, .decay = decay};
    snprintf(p->name, sizeof(p->name), "%s", name);
    b->n_elements += p->numel;
    return p->offset;
}

/* "model.layers.<layer>.<part>.<kind>" */
static int64_t add_layer_tensor(struct builder *b, int64_t layer, const char *part,
                                const char *kind, int64_t n_rows, int64_t n_cols)
{
    char name[96];
    bool matrix = n_cols > 0;

    snprintf(name, sizeof(name), "model.layers.%lld.%s.%s", (long long)layer, part, kind);
    return matrix ? add_tensor(b, 2, n_rows, n_cols, true, name)
                  : add_tensor(b, 1, 1, n_rows, false, name);
}

static int64_t add_vector(struct builder *b, int64_t layer, const char *part, const char *kind,
                          int64_t n)
{
    return add_layer_tensor(b, layer, part, kind, n, 0);
}

static void add_attention(struct builder *b, const struct model_config *c, int64_t i,
                          struct layer_offsets *o)
{
    int64_t q = c->n_heads * c->head_dim, kv = c->n_kv_heads * c->head_dim;

    o->qkv = add_layer_tensor(b, i, "self_attn.q_proj", "weight", q, c->dim);
    add_layer_tensor(b, i, "self_attn.k_proj", "weight", kv, c->dim);
    add_layer_tensor(b, i, "self_attn.v_proj", "weight", kv, c->dim);
    if (c->qkv_bias) {
        o->qkv_bias = add_vector(b, i, "self_attn.q_proj", "bias", q);
        add_vector(b, i, "self_attn.k_proj", "bias", kv);
        add_vector(b, i, "self_attn.v_proj", "bias", kv);
    }
    o->o = add_layer_tensor(b, i, "self_attn.o_proj", "weight", c->dim, q);
    if (c->o_bias)
        o->o_bias = add_vector(b, i, "self_attn.o_proj", "bias", c->dim);
    if (c->qk_norm != QK_NORM_NONE) {
        bool head = c->qk_norm == QK_NORM_HEAD;
        o->q_norm = add_vector(b, i, "self_attn.q_norm", "weight", head ? c->head_dim : q);
        o->k_norm = add_vector(b, i, "self_attn.k_norm", "weight", head ? c->head_dim : kv);
    }
}

static void add_feed_forward(struct builder *b, const struct model_config *c, int64_t i,
                             struct layer_offsets *o)
{
    o->gate_up = add_layer_tensor(b, i, "mlp.gate_proj", "weight", c->hidden_dim, c->dim);
    add_layer_tensor(b, i, "mlp.up_proj", "weight", c->hidden_dim, c->dim);
    if (c->mlp_bias) {
        o->gate_up_bias = add_vector(b, i, "mlp.gate_proj", "bias", c->hidden_dim);
        add_vector(b, i, "mlp.up_proj", "bias", c->hidden_dim);
    }
    o->down = add_layer_tensor(b, i, "mlp.down_proj", "weight", c->dim, c->hidden_dim);
    if (c->mlp_bias)
        o->down_bias = add_vector(b, i, "mlp.down_proj", "bias", c->dim);
}

static void add_layer(struct builder *b, const struct model_config *c, int64_t i,
                      struct layer_offsets *o)
{
    const bool after = c->norm_place == NORM_AFTER;

    *o = (struct layer_offsets){-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    if (!after)
        o->attn_norm = add_vector(b, i, "input_layernorm", "weight", c->dim);
    add_attention(b, c, i, o);
    if (after)
        o->attn_norm = add_vector(b, i, "post_attention_layernorm", "weight", c->dim);
    else
        o->ffn_norm = add_vector(b, i, "post_attention_layernorm", "weight", c->dim);
    add_feed_forward(b, c, i, o);
    if (after)
        o->ffn_norm = add_vector(b, i, "post_feedforward_layernorm", "weight", c->dim);
}

struct param *params_build(const struct model_config *c, struct weight_offsets *off, int *n_params,
                           int64_t *n_elements)
{
    struct builder b = {0};

    off->embed = add_tensor(&b, 2, c->vocab_size, c->dim, false, "model.embed_tokens.weight");
    for (int64_t i = 0; i < c->n_layers; i++)
        add_layer(&b, c, i, &off->layers[i]);
    off->final_norm = add_tensor(&b, 1, 1, c->dim, false, "model.norm.weight");
    off->head = off->embed;
    if (!c->tied_embeddings)
        off->head = add_tensor(&b, 2, c->vocab_size, c->dim, true, "lm_head.weight");
    *n_params = b.n;
    *n_elements = b.n_elements;
    return b.params;
}

struct param *model_param_table(const struct model_config *c, int *n_params, int64_t *n_elements)
{
    struct weight_offsets *off = xcalloc(1, sizeof(*off));
    struct param *params = params_build(c, off, n_params, n_elements);

    free(off);
    return params;
}
