/* head.c - the vocabulary projection fused with the log-probabilities.
 *
 * Only rows with a nonzero loss_mask are projected: they are gathered, end to end,
 * and go through the head in chunks whose logits fit in 64 MB.  Rows do not depend
 * on each other, so neither gathering nor chunking changes a bit.  Backward
 * computes a chunk's logits again, unless they are still there.
 */
#include <string.h>

#include "model/model_internal.h"

static bool row_trained(const struct batch *b, int64_t i)
{
    return !b->loss_mask || b->loss_mask[i] != 0;
}

/* What is wrong with a batch, or NULL; *row is the position it concerns. */
const char *batch_problem(const struct model *m, const struct batch *b, int64_t *row)
{
    const struct model_config *c = &m->cfg;

    *row = 0;
    if (b->n_tokens < 1 || b->n_seqs < 1)
        return "empty batch";
    if (b->seq_start[0] != 0 || b->seq_start[b->n_seqs] != b->n_tokens)
        return "sequence boundaries do not cover the batch";
    for (int64_t s = 0; s < b->n_seqs; s++) {
        *row = b->seq_start[s];
        if (b->seq_start[s + 1] < b->seq_start[s])
            return "sequence boundaries descend";
        if (b->seq_start[s + 1] - b->seq_start[s] > c->max_seq_len)
            return "sequence longer than the model's max_position_embeddings";
    }
    for (*row = 0; *row < b->n_tokens; ++*row) {
        if (b->tokens[*row] < 0 || b->tokens[*row] >= c->vocab_size)
            return "token id outside the model's vocabulary";
        if (row_trained(b, *row) && (b->targets[*row] < 0 || b->targets[*row] >= c->vocab_size))
            return "target id outside the model's vocabulary";
    }
    return NULL;
}

/* Copies rows list[0, n) of x_out together, run by run, and norms them. */
void head_gather(struct model *m, struct acts *a, const int32_t *list, int64_t n)
{
    struct dev *dev = &m->dev;
    const int64_t dim = m->cfg.dim;
    const size_t row_bytes = (size_t)dim * dtype_bytes(dev->acc);
    int64_t run;

    a->head_src = list ? a->head_x : a->x_out;
    for (int64_t i = 0; list && i < n; i += run) {
        for (run = 1; i + run < n && list[i + run] == list[i] + run;)
            run++;
        if (run == n && list[0] == 0)
            a->head_src = a->x_out;
        else
            dev->ops->copy(dev, (char *)a->head_x + (size_t)i * row_bytes,
                           (char *)a->x_out + (size_t)list[i] * row_bytes, (size_t)run * row_bytes);
    }
    layer_norm_in(m, a->head_in, a->head_src, m->state->off.final_norm, a->head_rstd, n);
}

void head_logits(struct model *m, struct acts *a, int64_t first, int64_t n, void *logits)
{
    const struct model_config *c = &m->cfg;
    struct linear_args project = {.y = logits, .x = row_of(a->head_in, m->dev.dtype, first, c->dim),
                                  .w = weight_at(m, m->state->off.head), .M = n,
                                  .N = c->vocab_size, .K = c->dim, .y_acc = true};

    run_linear(m, &project, m->state->packed_head);
}

/* Gathers host floats by head_rows and uploads them. */
static void upload_head_floats(struct model *m, void *dst, const float *src)
{
    struct model_state *s = m->state;
    float *host = host_buffer(m, (size_t)s->n_head * sizeof(float));

    for (int64_t i = 0; i < s->n_head; i++)
        host[i] = src[s->head_rows[i]];
    upload_acc(m, dst, host, s->n_head);
}

static void upload_targets(struct model *m, struct acts *a, const struct batch *b)
{
    struct model_state *s = m->state;
    int32_t *host = host_buffer(m, (size_t)s->n_head * sizeof(int32_t));

    for (int64_t i = 0; i < s->n_head; i++)
        host[i] = b->targets[s->head_rows[i]];
    m->dev.ops->upload(&m->dev, a->targets, host, (size_t)s->n_head * sizeof(int32_t));
}

static void upload_cuts(struct model *m, struct acts *a, const struct cuts *c)
{
    struct model_state *s = m->state;
    const size_t n = (size_t)s->n_head;
    double *wide = host_buffer(m, n * sizeof(double));
    int32_t *ids;

    for (size_t i = 0; i < n; i++)
        wide[i] = c->top_p[s->head_rows[i]];
    m->dev.ops->upload(&m->dev, a->top_p, wide, n * sizeof(double));
    for (size_t i = 0; i < n; i++)
        wide[i] = c->min_p[s->head_rows[i]];
    m->dev.ops->upload(&m->dev, a->min_p, wide, n * sizeof(double));
    ids = host_buffer(m, n * sizeof *ids);
    for (size_t i = 0; i < n; i++)
        ids[i] = c->top_k[s->head_rows[i]];
    m->dev.ops->upload(&m->dev, a->top_k, ids, n * sizeof *ids);
}

/* n rows of logits, which are those of head rows [first, first + n). */
static void truncate_chunk(struct model *m, struct acts *a, const struct batch *b, int64_t first, int64_t n)
{
    const int64_t vocab = m->cfg.vocab_size;
    const struct truncate_args t = {
        .logits = m->state->logits, .inv_temp = b->inv_temp ? row_of(a->inv_temp, m->dev.acc, first, 1) : NULL,
        .top_k = a->top_k + first, .top_p = a->top_p + first, .min_p = a->min_p + first,
        .n = n, .vocab = vocab, .stride = vocab};

    m->dev.ops->truncate(&m->dev, &t);
}

/* Device [n_head] to host [n_tokens], 0 elsewhere. */
static void download_head_floats(struct model *m, float *dst, const void *src)
{
    struct model_state *s = m->state;
    float *host = host_buffer(m, (size_t)s->n_head * sizeof(float));

    if (!dst)
        return;
    memset(dst, 0, (size_t)s->n_rows * sizeof(float));
    download_acc(m, host, src, s->n_head);
    for (int64_t i = 0; i < s->n_head; i++)
        dst[s->head_rows[i]] = host[i];
}

static void *acc_at(const struct model *m, void *base, int64_t i)
{
    return base ? row_of(base, m->dev.acc, i, 1) : NULL;
}

static int64_t chunk_rows(const struct model_state *s, int64_t first)
{
    return s->n_head - first < s->logits_rows ? s->n_head - first : s->logits_rows;
}

void head_forward(struct model *m, const struct batch *b, const struct forward_out *out)
{
    struct model_state *s = m->state;
    struct acts *a = &s->train;
    int64_t n;

    head_rows_reserve(m, b->n_tokens);
    s->n_rows = b->n_tokens;
    s->n_head = 0;
    for (int64_t i = 0; i < b->n_tokens; i++)
        if (row_trained(b, i))
            s->head_rows[s->n_head++] = (int32_t)i;
    if (s->n_head > 0)
        head_gather(m, a, s->head_rows, s->n_head);
    upload_targets(m, a, b);
    if (b->inv_temp)
        upload_head_floats(m, a->inv_temp, b->inv_temp);
    if (b->cuts)
        upload_cuts(m, a, b->cuts);
    for (int64_t i = 0; i < s->n_head; i += n) {
        n = chunk_rows(s, i);
        struct logprob_args lp = {.logprobs = acc_at(m, a->logprobs, i), .lse = acc_at(m, a->lse, i),
                                  .entropy = out->entropy ? acc_at(m, a->entropy, i) : NULL,
                                  .logits = s->logits, .targets = a->targets + i,
                                  .inv_temp = b->inv_temp ? acc_at(m, a->inv_temp, i) : NULL,
                                  .n = n, .vocab = m->cfg.vocab_size, .stride = m->cfg.vocab_size};
        head_logits(m, a, i, n, s->logits);
        if (b->cuts)
            truncate_chunk(m, a, b, i, n);
        m->dev.ops->logprob(&m->dev, &lp);
        s->logits_first = i;
    }
    download_head_floats(m, out->logprobs, a->logprobs);
    download_head_floats(m, out->entropy, a->entropy);
    download_head_floats(m, out->lse, a->lse);
}

static void head_backward_chunk(struct model *m, const struct batch *b, bool dz, int64_t first,
                                int64_t n)
{
    struct model_state *s = m->state;
    struct acts *a = &s->train;
    const int64_t vocab = m->cfg.vocab_size, dim = m->cfg.dim;
    struct logprob_backward_args lp = {
        .dlogits = s->dlogits, .logits = s->logits, .lse = acc_at(m, a->lse, first),
        .dlogprobs = acc_at(m, a->dlogprobs, first), .dz = dz ? acc_at(m, a->dz, first) : NULL,
        .targets = a->targets + first,
        .inv_temp = b->inv_temp ? acc_at(m, a->inv_temp, first) : NULL,
        .n = n, .vocab = vocab, .stride = vocab};
    struct linear_backward_weight_args dw = {.dw = grad_at(m, s->off.head), .dy = s->dlogits,
                                             .x = row_of(a->head_in, m->dev.dtype, first, dim),
                                             .M = n, .N = vocab, .K = dim};
    struct linear_backward_input_args dx = {.dx = row_of(a->dnorm, m->dev.acc, first, dim),
                                            .dy = s->dlogits, .w = weight_at(m, s->off.head),
                                            .M = n, .N = vocab, .K = dim, .dx_acc = true};

    if (s->logits_first != first)
        head_logits(m, a, first, n, s->logits);
    s->logits_first = first;
    m->dev.ops->logprob_backward(&m->dev, &lp);
    m->dev.ops->linear_backward_weight(&m->dev, &dw);
    m->dev.ops->linear_backward_input(&m->dev, &dx);
}

/* The other rows of dx get zero. */
static void scatter_rows(struct model *m, void *dx, const void *compact)
{
    struct model_state *s = m->state;
    struct dev *dev = &m->dev;
    const size_t row_bytes = (size_t)m->cfg.dim * dtype_bytes(dev->acc);
    int64_t run;

    dev->ops->zero(dev, dx, (size_t)s->n_rows * row_bytes);
    for (int64_t i = 0; i < s->n_head; i += run) {
        for (run = 1; i + run < s->n_head && s->head_rows[i + run] == s->head_rows[i] + run;)
            run++;
        dev->ops->copy(dev, (char *)dx + (size_t)s->head_rows[i] * row_bytes,
                       (const char *)compact + (size_t)i * row_bytes, (size_t)run * row_bytes);
    }
}

/* Down to a->dx, the gradient of the residual stream after the last layer. */
void head_backward(struct model *m, const struct batch *b, const float *dlogprobs, const float *dz)
{
    struct model_state *s = m->state;
    struct acts *a = &s->train;
    const bool all = s->n_head == s->n_rows;
    struct rmsnorm_backward_args norm = {
        .dx = all ? a->dx : a->dnorm, .dw = grad_at(m, s->off.final_norm), .dy = a->dnorm,
        .x = a->head_src, .w = weight_at(m, s->off.final_norm), .rstd = a->head_rstd,
        .n_rows = s->n_head, .dim = m->cfg.dim, .heads = 1, .x_stride = m->cfg.dim,
        .y_stride = m->cfg.dim, .x_acc = true, .dx_acc = true, .dy_acc = true};
    int64_t n;

    upload_head_floats(m, a->dlogprobs, dlogprobs);
    if (dz)
        upload_head_floats(m, a->dz, dz);
    for (int64_t i = 0; i < s->n_head; i += n) {
        n = chunk_rows(s, i);
        head_backward_chunk(m, b, dz != NULL, i, n);
    }
    m->dev.ops->rmsnorm_backward(&m->dev, &norm);
    if (!all)
        scatter_rows(m, a->dx, a->dnorm);
}

void model_logprobs_f64(struct model *m, double *logprobs, double *lse)
{
    struct model_state *s = m->state;
    double *host = xreallocarray(NULL, (size_t)s->n_head + 1, sizeof(double));

    for (int which = 0; which < 2; which++) {
        double *dst = which ? lse : logprobs;
        memset(dst, 0, (size_t)s->n_rows * sizeof(double));
        m->dev.ops->download(&m->dev, host, which ? s->train.lse : s->train.logprobs,
                             (size_t)s->n_head * sizeof(double));
        for (int64_t i = 0; i < s->n_head; i++)
            dst[s->head_rows[i]] = host[i];
    }
    free(host);
}
