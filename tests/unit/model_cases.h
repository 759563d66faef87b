/* model_cases.h - small models and batches that the model tests share. */
#ifndef TP_TESTS_MODEL_CASES_H
#define TP_TESTS_MODEL_CASES_H

#include <stdlib.h>
#include <string.h>

#include "base/pool.h"
#include "base/rng.h"
#include "model/model_internal.h"
#include "tests/unit/check.h"

struct model_case {
    const char *name;
    int kv_heads;
    enum qk_norm qk_norm;
    enum norm_place norm_place;
    bool qkv_bias, o_bias, mlp_bias, tied, round_first;
    int window;     /* of the even layers, 0 = none */
    enum rope_scaling rope;
    bool full_only; /* scaled tables for layers that do not slide */
    bool z_loss, inv_temp;
};

static const struct model_case model_cases[] = {
    {.name = "mha", .kv_heads = 4, .round_first = true},
    {.name = "gqa", .kv_heads = 2, .round_first = true},
    {.name = "mqa", .kv_heads = 1, .round_first = true},
    {.name = "qk-norm head", .kv_heads = 2, .qk_norm = QK_NORM_HEAD, .round_first = true},
    {.name = "qk-norm full", .kv_heads = 2, .qk_norm = QK_NORM_FULL},
    {.name = "norm after", .kv_heads = 4, .norm_place = NORM_AFTER},
    {.name = "norm after, qk-norm full", .kv_heads = 2, .qk_norm = QK_NORM_FULL,
     .norm_place = NORM_AFTER},
    {.name = "window", .kv_heads = 2, .window = 3},
    {.name = "yarn", .kv_heads = 2, .rope = ROPE_YARN},
    {.name = "llama3", .kv_heads = 2, .rope = ROPE_LLAMA3},
    {.name = "linear", .kv_heads = 2, .rope = ROPE_LINEAR},
    {.name = "tied", .kv_heads = 2, .tied = true},
    {.name = "biases", .kv_heads = 2, .qkv_bias = true, .o_bias = true, .mlp_bias = true},
    {.name = "z-loss", .kv_heads = 2, .z_loss = true},
    {.name = "inv_temp", .kv_heads = 2, .inv_temp = true},
    {.name = "olmo3", .kv_heads = 2, .qk_norm = QK_NORM_FULL, .norm_place = NORM_AFTER,
     .window = 4, .rope = ROPE_YARN, .full_only = true},
    {.name = "everything", .kv_heads = 2, .qk_norm = QK_NORM_HEAD, .norm_place = NORM_AFTER,
     .qkv_bias = true, .o_bias = true, .mlp_bias = true, .tied = true, .window = 5,
     .rope = ROPE_YARN, .full_only = true, .z_loss = true, .inv_temp = true},
};

static inline void case_config(struct model_config *c, const struct model_case *k, int64_t head_dim,
                               int64_t n_layers, int64_t vocab)
{
    memset(c, 0, sizeof(*c));
    c->arch = ARCH_LLAMA;
    c->n_heads = 4;
    c->n_kv_heads = k->kv_heads;
    c->head_dim = head_dim;
    c->dim = 4 * head_dim - 2; /* so that [H d] and D cannot be confused */
    c->hidden_dim = 5 * head_dim + 1;
    c->n_layers = n_layers;
    c->vocab_size = vocab;
    c->max_seq_len = 256;
    c->rms_norm_eps = 1e-5;
    c->initializer_range = 0.02;
    c->qk_norm = k->qk_norm;
    c->norm_place = k->norm_place;
    c->round_first = k->round_first;
    c->qkv_bias = k->qkv_bias;
    c->o_bias = k->o_bias;
    c->mlp_bias = k->mlp_bias;
    c->tied_embeddings = k->tied;
    c->sliding_window = k->window;
    for (int64_t i = 0; i < n_layers; i++)
        c->sliding[i] = k->window && i % 2 == 0;
    c->rope = (struct rope_config){.type = k->rope, .theta = 100, .factor = 4,
                                   .low_freq_factor = 1, .high_freq_factor = 4, .beta_fast = 32,
                                   .beta_slow = 1, .truncate = true, .original_max_pos = 16};
    c->rope_full_only = k->full_only;
    c->bos = c->pad = -1;
    strcpy(c->dtype, "float32");
}

/* Weights large enough that every gradient is well above rounding. */
static inline float *case_weights(const struct model *m, uint64_t seed, bool as_bf16)
{
    float *w = xreallocarray(NULL, (size_t)m->n_elements, sizeof(float));
    struct rng r;

    rng_init(&r, seed, "test weights", 0, 0);
    for (int i = 0; i < m->n_params; i++) {
        const struct param *p = &m->params[i];
        double mean = p->n_dims == 1 && !strstr(p->name, ".bias") ? 1 : 0;
        double std = p->n_dims == 1 ? 0.2 : 1 / sqrt((double)p->n_cols);
        if (strstr(p->name, "embed"))
            std = 0.5;
        for (int64_t j = 0; j < p->numel; j++) {
            float x = (float)(mean + std * rng_normal(&r));
            uint32_t bits;
            memcpy(&bits, &x, 4);
            if (as_bf16)
                bits &= 0xffff0000u;
            memcpy(&w[p->offset + j], &bits, 4);
        }
    }
    return w;
}

struct case_batch {
    struct batch b;
    int32_t *tokens, *targets, *seq_start;
    float *loss_mask, *inv_temp, *dlogprobs, *dz;
};

/* n_seqs sequences of the given lengths; about a quarter of the positions are masked. */
static inline void case_batch_init(struct case_batch *cb, const struct model_case *k, int64_t vocab,
                                   const int *lengths, int n_seqs, uint64_t seed)
{
    struct rng r;
    int64_t n = 0;

    memset(cb, 0, sizeof(*cb));
    cb->seq_start = xcalloc((size_t)n_seqs + 1, sizeof(int32_t));
    for (int i = 0; i < n_seqs; i++)
        cb->seq_start[i + 1] = (int32_t)(n += lengths[i]);
    cb->tokens = xcalloc((size_t)n, sizeof(int32_t));
    cb->targets = xcalloc((size_t)n, sizeof(int32_t));
    cb->loss_mask = xcalloc((size_t)n, sizeof(float));
    cb->inv_temp = xcalloc((size_t)n, sizeof(float));
    cb->dlogprobs = xcalloc((size_t)n, sizeof(float));
    cb->dz = xcalloc((size_t)n, sizeof(float));
    rng_init(&r, seed, "test batch", 0, 0);
    for (int64_t i = 0; i < n; i++) {
        cb->tokens[i] = (int32_t)rng_below(&r, (uint64_t)vocab);
        cb->targets[i] = (int32_t)rng_below(&r, (uint64_t)vocab);
        cb->loss_mask[i] = rng_below(&r, 4) != 0;
        cb->inv_temp[i] = 0.5f + (float)rng_below(&r, 8) / 8;
        cb->dlogprobs[i] = cb->loss_mask[i] * (float)(rng_normal(&r) / 4);
        cb->dz[i] = cb->loss_mask[i] * (float)(rng_uniform(&r) / 16);
    }
    cb->b = (struct batch){.n_tokens = n, .n_seqs = n_seqs, .tokens = cb->tokens,
                           .targets = cb->targets, .seq_start = cb->seq_start,
                           .loss_mask = cb->loss_mask,
                           .inv_temp = k->inv_temp ? cb->inv_temp : NULL};
}

static inline void case_batch_release(struct case_batch *cb)
{
    free(cb->seq_start);
    free(cb->tokens);
    free(cb->targets);
    free(cb->loss_mask);
    free(cb->inv_temp);
    free(cb->dlogprobs);
    free(cb->dz);
}

static inline struct model *case_model(const struct model_config *c, enum dtype dtype,
                                       struct dev *ref, bool trainable)
{
    struct err err = {0};
    struct model_options o = {.precision = dtype == DTYPE_BF16 ? PRECISION_BF16 : PRECISION_FP32,
                              .trainable = trainable, .tests_ref = dtype == DTYPE_F64,
                              .dev_ref = ref};
    struct model *m = model_new(c, &o, &err);

    if (!m) {
        printf("%s\n", err.text);
        exit(1);
    }
    return m;
}

/* Logits [n, vocab] after each of n tokens, fed one at a time through a cache; owned. */
static inline float *case_decode(struct model *m, const int32_t *tokens, int64_t n)
{
    struct err err = {0};
    float *logits = xcalloc((size_t)(n * m->cfg.vocab_size), sizeof(float));
    struct kv_cache *cache = kv_cache_new(m, 1, n, 0, &err);
    int32_t slot = 0, row = 0;

    CHECK_MSG(cache, "%s", err.text);
    for (int32_t pos = 0; cache && pos < n; pos++) {
        struct cached_rows r = {.n = 1, .tokens = &tokens[pos], .slot = &slot, .pos = &pos,
                                .n_out = 1, .out_rows = &row};
        CHECK_MSG(model_forward_cached(m, cache, &r, &err) == 0, "%s", err.text);
        model_row_logits(m, logits + pos * m->cfg.vocab_size);
    }
    kv_cache_free(cache);
    return logits;
}

/* acc gradients as doubles; owned. */
static inline double *case_grads(const struct model *m)
{
    double *g = xreallocarray(NULL, (size_t)m->n_elements, sizeof(double));

    for (int64_t i = 0; i < m->n_elements; i++)
        g[i] = m->dev.acc == DTYPE_F64 ? ((const double *)m->grads)[i]
                                       : (double)((const float *)m->grads)[i];
    return g;
}

#endif
