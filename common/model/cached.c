/* cached.c - the forward with a key-value cache, for generation. */
#include <string.h>

#include "model/model_internal.h"

static int check_rows(const struct model *m, struct kv_cache *c, const struct cached_rows *r, struct err *err)
{
    if (r->n < 1)
        return err_set(err, "no rows to run");
    for (int64_t i = 0; i < r->n; i++) {
        if (r->tokens[i] < 0 || r->tokens[i] >= m->cfg.vocab_size)
            return err_set(err, "token id %d is outside the model's vocabulary of %lld",
                           r->tokens[i], (long long)m->cfg.vocab_size);
        if (r->slot[i] < 0 || r->slot[i] >= c->n_slots || r->pos[i] < 0 || r->pos[i] >= c->max_len)
            return err_set(err, "position %d of slot %d is outside the cache (%lld x %lld)",
                           r->pos[i], r->slot[i], (long long)c->n_slots, (long long)c->max_len);
        if (!kv_cache_writes(c, r->slot[i], r->pos[i]))
            return err_set(err, "position %d of slot %d has no page of its own in the cache", r->pos[i], r->slot[i]);
    }
    for (int64_t i = 0; i < r->n_out; i++)
        if (r->out_rows[i] < 0 || r->out_rows[i] >= r->n)
            return err_set(err, "output row %d is not one of %lld rows", r->out_rows[i],
                           (long long)r->n);
    return 0;
}

/* Positions of decoding only: each row gives logits, in order. */
static bool is_decoding(const struct cached_rows *r)
{
    for (int64_t i = 0; i < r->n_out; i++)
        if (r->out_rows[i] != i)
            return false;
    return r->n_out == r->n;
}

/* 1, 2, 4, multiples of 8, from 256 on of 16: the sizes of vLLM's graphs. */
int64_t decoding_rows(const struct model *m, int64_t n)
{
    if (!m->dev.ops->graph_begin || n <= 2)
        return n;
    return n <= 4 ? 4 : n <= 256 ? (n + 7) / 8 * 8 : (n + 15) / 16 * 16;
}

/* Tokens and places of r, and up to n of rows that are none. */
static void upload_rows(struct model *m, struct acts *a, const struct cached_rows *r, int64_t n)
{
    const int32_t *from[] = {r->tokens, r->pos, r->slot};
    const int64_t stride = a->positions - a->tokens;
    const size_t bytes = (size_t)(2 * stride + n) * sizeof(int32_t);
    int32_t *host = host_buffer(m, bytes);

    memset(host, 0, bytes);
    for (int64_t k = 0; k < 3; k++)
        memcpy(host + k * stride, from[k], (size_t)r->n * sizeof(int32_t));
    for (int64_t i = r->n; i < n; i++)
        host[2 * stride + i] = -1;
    m->dev.ops->upload(&m->dev, a->tokens, host, bytes);
}

static void run_rows(struct model *m, struct acts *a, const struct rows *rows, const int32_t *out_rows, int64_t n_out)
{
    model_layers(m, a, rows);
    if (n_out > 0) {
        head_gather(m, a, out_rows, n_out);
        head_logits(m, a, 0, n_out, m->state->row_logits);
    }
}

/* All that differs from one step to the next is in device memory. */
static void run_decoding(struct model *m, struct acts *a, const struct rows *rows)
{
    struct dev *dev = &m->dev;
    const uint64_t key = rows->cache->serial << 32 | (uint64_t)rows->n << 1 | (uint64_t)m->state->exact;
    const enum graph_state state = dev->ops->graph_begin ? dev->ops->graph_begin(dev, key) : GRAPH_PLAIN;

    if (state != GRAPH_RAN)
        run_rows(m, a, rows, NULL, rows->n);
    if (state == GRAPH_RECORDS)
        dev->ops->graph_end(dev);
}

int model_forward_cached(struct model *m, struct kv_cache *c, const struct cached_rows *r,
                         struct err *err)
{
    struct model_state *s = m->state;
    struct acts *a = &s->cached;
    const bool decodes = is_decoding(r);
    const int64_t n = decodes ? decoding_rows(m, r->n) : r->n;
    const struct rows rows = {.n = n, .cache = c};

    s->n_row_logits = 0;
    if (check_rows(m, c, r, err) < 0 || acts_reserve(m, a, n > r->n_out ? n : r->n_out, err) < 0 ||
        row_logits_reserve(m, decodes ? n : r->n_out, err) < 0)
        return -1;
    kv_cache_upload_table(c);
    upload_rows(m, a, r, n);
    if (decodes)
        run_decoding(m, a, &rows);
    else
        run_rows(m, a, &rows, r->out_rows, r->n_out);
    s->n_row_logits = r->n_out;
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

void model_row_truncate(struct model *m, const float *inv_temp, const struct cuts *c)
{
    struct model_state *s = m->state;
    struct acts *a = &s->cached;
    const size_t n = (size_t)s->n_row_logits;
    const struct truncate_args t = {.logits = s->row_logits, .inv_temp = a->inv_temp, .top_k = a->top_k,
                                    .top_p = a->top_p, .min_p = a->min_p, .n = s->n_row_logits,
                                    .vocab = m->cfg.vocab_size, .stride = m->cfg.vocab_size};

    if (n < 1)
        return;
    upload_acc(m, a->inv_temp, inv_temp, s->n_row_logits);
    m->dev.ops->upload(&m->dev, a->top_k, c->top_k, n * sizeof *c->top_k);
    m->dev.ops->upload(&m->dev, a->top_p, c->top_p, n * sizeof *c->top_p);
    m->dev.ops->upload(&m->dev, a->min_p, c->min_p, n * sizeof *c->min_p);
    m->dev.ops->truncate(&m->dev, &t);
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
