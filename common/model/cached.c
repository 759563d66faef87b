/* cached.c - the forward with a key-value cache, for generation. */
#include <string.h>

#include "model/model_internal.h"

void kv_cache_free(struct kv_cache *c)
{
    if (!c)
        return;
    for (int64_t i = 0; i < c->m->cfg.n_layers; i++)
        if (c->layers[i])
            c->m->dev.ops->free(&c->m->dev, c->layers[i]);
    free(c);
}

size_t kv_layer_bytes(const struct model *m, const struct kv_shape *shape)
{
    struct dev dev = m->dev;

    return dev.ops->kv_cache_bytes(&dev, shape);
}

struct kv_cache *kv_cache_new(struct model *m, int64_t n_slots, int64_t max_len, struct err *err)
{
    struct kv_cache *c = xcalloc(1, sizeof(*c));
    size_t bytes;

    c->m = m;
    c->shape = (struct kv_shape){n_slots, max_len, m->cfg.n_kv_heads, m->cfg.head_dim};
    bytes = kv_layer_bytes(m, &c->shape);
    if (max_len > m->cfg.max_seq_len) {
        err_set(err, "a cache of %lld positions: the model has max_position_embeddings %lld",
                (long long)max_len, (long long)m->cfg.max_seq_len);
        goto fail;
    }
    for (int64_t i = 0; i < m->cfg.n_layers; i++) {
        c->layers[i] = m->dev.ops->alloc(&m->dev, bytes);
        if (!c->layers[i]) {
            err_set(err, "no memory on %s for a key-value cache of %lld sequences of %lld tokens "
                         "(%.1f MiB)", m->dev.name, (long long)n_slots, (long long)max_len,
                    (double)bytes * (double)m->cfg.n_layers / (1 << 20));
            goto fail;
        }
    }
    if (rope_reserve(m, max_len, err) < 0)
        goto fail;
    return c;
fail:
    kv_cache_free(c);
    return NULL;
}

void kv_cache_copy(struct kv_cache *c, int32_t src, int32_t dst, int64_t first, int64_t len)
{
    for (int64_t i = 0; i < c->m->cfg.n_layers; i++) {
        struct kv_copy_args a = {.cache = c->layers[i], .shape = c->shape, .src = src, .dst = dst,
                                 .first = first, .len = len};
        c->m->dev.ops->kv_copy(&c->m->dev, &a);
    }
}

static int check_rows(const struct model *m, const struct kv_cache *c, const struct cached_rows *r,
                      struct err *err)
{
    if (r->n < 1)
        return err_set(err, "no rows to run");
    for (int64_t i = 0; i < r->n; i++) {
        if (r->tokens[i] < 0 || r->tokens[i] >= m->cfg.vocab_size)
            return err_set(err, "token id %d is outside the model's vocabulary of %lld",
                           r->tokens[i], (long long)m->cfg.vocab_size);
        if (r->slot[i] < 0 || r->slot[i] >= c->shape.n_slots || r->pos[i] < 0 ||
            r->pos[i] >= c->shape.max_len)
            return err_set(err, "position %d of slot %d is outside the cache (%lld x %lld)",
                           r->pos[i], r->slot[i], (long long)c->shape.n_slots,
                           (long long)c->shape.max_len);
    }
    for (int64_t i = 0; r->prefix_slot && i < r->n; i++)
        if (r->prefix_slot[i] < 0 || r->prefix_slot[i] >= c->shape.n_slots || r->prefix_len[i] < 0 ||
            r->prefix_len[i] > r->pos[i] || r->prefix_len[i] % KV_BLOCK != 0)
            return err_set(err, "row %lld cannot have a prefix of %d positions in slot %d",
                           (long long)i, r->prefix_len[i], r->prefix_slot[i]);
    for (int64_t i = 0; i < r->n_out; i++)
        if (r->out_rows[i] < 0 || r->out_rows[i] >= r->n)
            return err_set(err, "output row %d is not one of %lld rows", r->out_rows[i],
                           (long long)r->n);
    return 0;
}

int model_forward_cached(struct model *m, struct kv_cache *c, const struct cached_rows *r,
                         struct err *err)
{
    struct model_state *s = m->state;
    struct acts *a = &s->cached;
    const struct rows rows = {.n = r->n, .cache = c, .prefixes = r->prefix_slot != NULL};
    const int64_t most = r->n > r->n_out ? r->n : r->n_out;
    struct dev *dev = &m->dev;

    s->n_row_logits = 0;
    if (check_rows(m, c, r, err) < 0 || acts_reserve(m, a, most, err) < 0 ||
        row_logits_reserve(m, r->n_out, err) < 0)
        return -1;
    dev->ops->upload(dev, a->tokens, r->tokens, (size_t)r->n * sizeof(int32_t));
    dev->ops->upload(dev, a->slots, r->slot, (size_t)r->n * sizeof(int32_t));
    dev->ops->upload(dev, a->positions, r->pos, (size_t)r->n * sizeof(int32_t));
    if (r->prefix_slot) {
        dev->ops->upload(dev, a->prefix_slot, r->prefix_slot, (size_t)r->n * sizeof(int32_t));
        dev->ops->upload(dev, a->prefix_len, r->prefix_len, (size_t)r->n * sizeof(int32_t));
    }
    model_layers(m, a, &rows);
    if (r->n_out > 0) {
        head_gather(m, a, r->out_rows, r->n_out);
        head_logits(m, a, 0, r->n_out, s->row_logits);
        s->n_row_logits = r->n_out;
    }
    return device_check(m, "cached forward", err);
}

void model_row_logits(struct model *m, float *logits)
{
    download_acc(m, logits, m->state->row_logits, m->state->n_row_logits * m->cfg.vocab_size);
}

void model_row_logprobs(struct model *m, const int32_t *targets, const float *inv_temp,
                        float *logprobs, float *entropy)
{
    struct model_state *s = m->state;
    struct acts *a = &s->cached;
    const int64_t n = s->n_row_logits;
    struct logprob_args lp = {.logprobs = a->logprobs, .lse = a->lse,
                              .entropy = entropy ? a->entropy : NULL, .logits = s->row_logits,
                              .targets = a->targets, .inv_temp = inv_temp ? a->inv_temp : NULL,
                              .n = n, .vocab = m->cfg.vocab_size, .stride = m->cfg.vocab_size};

    if (n < 1)
        return;
    for (int64_t i = 0; i < n; i++)
        if (targets[i] < 0 || targets[i] >= m->cfg.vocab_size)
            BUG("target %d of row %lld is outside the vocabulary", targets[i], (long long)i);
    m->dev.ops->upload(&m->dev, a->targets, targets, (size_t)n * sizeof(int32_t));
    if (inv_temp)
        upload_acc(m, a->inv_temp, inv_temp, n);
    m->dev.ops->logprob(&m->dev, &lp);
    download_acc(m, logprobs, a->logprobs, n);
    if (entropy)
        download_acc(m, entropy, a->entropy, n);
}

void model_row_draw(struct model *m, const float *inv_temp, const double *u, int32_t *tokens)
{
    struct model_state *s = m->state;
    const int64_t n = s->n_row_logits;
    struct draw_args a = {.tokens = s->cached.targets, .logits = s->row_logits,
                          .inv_temp = s->cached.inv_temp, .u = s->cached.uniform, .n = n,
                          .vocab = m->cfg.vocab_size, .stride = m->cfg.vocab_size};

    if (n < 1)
        return;
    upload_acc(m, s->cached.inv_temp, inv_temp, n);
    m->dev.ops->upload(&m->dev, s->cached.uniform, u, (size_t)n * sizeof *u);
    m->dev.ops->draw(&m->dev, &a);
    m->dev.ops->download(&m->dev, tokens, s->cached.targets, (size_t)n * sizeof *tokens);
}
