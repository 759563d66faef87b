/* model.c - opening, closing and running a decoder. */
#include "model/model.h"

#include <string.h>

#include "base/log.h"
#include "base/pool.h"
#include "model/checkpoint.h"
#include "model/model_internal.h"

const struct opt_enum precision_names[] = {
    {"auto", PRECISION_AUTO}, {"fp32", PRECISION_FP32}, {"bf16", PRECISION_BF16}, {NULL, 0}};
const struct opt_enum weights_names[] = {
    {"exact", WEIGHTS_EXACT}, {"int8", WEIGHTS_INT8}, {NULL, 0}};
const struct opt_enum device_names[] = {
    {"auto", DEVICE_AUTO}, {"cpu", DEVICE_CPU}, {"cuda", DEVICE_CUDA}, {"emu", DEVICE_EMU},
    {NULL, 0}};

enum { LOGITS_BYTES = 64 << 20 }; /* of a chunk: enough rows to keep the matrix product busy */

/* 1 = opened, 0 = --device auto and there is none, which is said once, -1. */
static int open_gpu(struct model *m, enum device_kind kind, enum dtype dtype, struct err *err)
{
    static bool told;
    const char *error = NULL;

    if (kind == DEVICE_CPU || (kind == DEVICE_AUTO && !dev_has_plugin("cuda")))
        return 0;
    if (dev_open_plugin(&m->dev, kind == DEVICE_EMU ? "emu" : "cuda", dtype, 0, &error) == 0)
        return 1;
    if (kind != DEVICE_AUTO)
        return err_set(err, "cannot open the GPU: %s", error);
    if (!told)
        log_info("gpu: %s; using the CPU, %d thread%s", error, pool_threads(), pool_threads() == 1 ? "" : "s");
    told = true;
    return 0;
}

static int open_device(struct model *m, const struct model_options *opt, struct err *err)
{
    const char *error = NULL;
    bool bf16 = opt->precision == PRECISION_BF16;

    if (opt->tests_ref) {
        m->dev = *opt->dev_ref;
        return 0;
    }
    /* float16 has more digits than bfloat16, so it is not rounded unless asked for. */
    if (opt->precision == PRECISION_AUTO)
        bf16 = !strcmp(m->cfg.dtype, "bfloat16");
    enum dtype dtype = bf16 ? DTYPE_BF16 : DTYPE_F32;
    int rc = open_gpu(m, opt->device, dtype, err);
    if (rc != 0)
        return rc < 0 ? -1 : 0;
    if (dev_open_cpu(&m->dev, dtype, pool_threads(), pool_for, &error) < 0)
        return err_set(err, "cannot open the CPU backend: %s", error ? error : "unknown error");
    return 0;
}

static int alloc_weights(struct model *m, bool trainable, struct err *err)
{
    struct dev *dev = &m->dev;
    size_t w = (size_t)m->n_elements * dtype_bytes(dev->dtype);
    size_t acc = (size_t)m->n_elements * dtype_bytes(dev->acc);

    m->weights = dev->ops->alloc(dev, w);
    if (!m->weights)
        return err_set(err, "no memory on %s for %.1f MiB of weights", dev->name,
                       (double)w / (1 << 20));
    if (trainable && !(m->grads = dev->ops->alloc(dev, acc)))
        return err_set(err, "no memory on %s for %.1f MiB of gradients", dev->name,
                       (double)acc / (1 << 20));
    log_debug("%s: %lld parameters, weights %.1f MiB, gradients %.1f MiB", dev->name,
              (long long)m->n_elements, (double)w / (1 << 20),
              trainable ? (double)acc / (1 << 20) : 0.0);
    return packed_alloc(m, err);
}

struct model *model_outline(const struct model_config *cfg, const struct model_options *opt,
                            struct err *err)
{
    struct model *m = xcalloc(1, sizeof(*m));

    m->cfg = *cfg;
    m->state = xcalloc(1, sizeof(*m->state));
    m->state->opt = *opt;
    m->state->packing = opt->weights == WEIGHTS_INT8 ? PACK_INT8 : PACK_W;
    if (opt->trainable && opt->weights != WEIGHTS_EXACT)
        BUG("a model with int8 weights cannot be trained");
    m->state->logits_first = -1;
    m->state->logits_bytes = LOGITS_BYTES;
    m->state->train.kept = opt->trainable;
    m->state->train.recompute = opt->trainable && opt->recompute;
    m->params = params_build(cfg, &m->state->off, &m->n_params, &m->n_elements);
    if (open_device(m, opt, err) < 0) {
        model_free(m);
        return NULL;
    }
    return m;
}

struct model *model_new(const struct model_config *cfg, const struct model_options *opt,
                        struct err *err)
{
    struct model *m = model_outline(cfg, opt, err);

    if (m && ((opt->before_alloc && opt->before_alloc(m, opt->arg, err) < 0) ||
              alloc_weights(m, opt->trainable, err) < 0)) {
        model_free(m);
        return NULL;
    }
    return m;
}

static void free_device_memory(struct model *m)
{
    struct model_state *s = m->state;
    void *blocks[] = {m->weights, m->grads, s->packed_memory, s->logits, s->row_logits};
    struct err ignored = {0};

    if (!m->dev.ops)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
        if (blocks[i])
            m->dev.ops->free(&m->dev, blocks[i]);
    acts_release(m, &s->train);
    acts_release(m, &s->cached);
    if (rope_reserve(m, 0, &ignored) < 0)
        BUG("freeing failed");
    if (!s->opt.tests_ref)
        dev_close(&m->dev);
}

void model_free(struct model *m)
{
    if (!m)
        return;
    free_device_memory(m);
    free(m->state->head_rows);
    free(m->state->host);
    free(m->state);
    free(m->params);
    free(m);
}

void model_weights_changed(struct model *m)
{
    m->state->logits_first = -1;
    packed_refresh(m);
}

bool model_has_int8(const struct model *m)
{
    return m->state->packing == PACK_INT8;
}

void model_use_exact(struct model *m, bool exact)
{
    m->state->exact = exact;
    m->state->logits_first = -1;
}

void model_zero_grads(struct model *m)
{
    m->dev.ops->zero(&m->dev, m->grads, (size_t)m->n_elements * dtype_bytes(m->dev.acc));
}

static int read_weights(struct model *m, const char *dir, struct err *err)
{
    float *w = xreallocarray(NULL, (size_t)m->n_elements, sizeof(float));
    int rc = checkpoint_read_weights(dir, m->params, m->n_params, m->cfg.tied_embeddings, w, err);

    if (rc == 0) {
        model_set_weights(m, w);
        rc = device_check(m, "loading weights", err);
    }
    free(w);
    return rc;
}

struct model *model_load(const char *dir, const struct model_options *opt, struct err *err)
{
    struct model_config *cfg = xcalloc(1, sizeof(*cfg));
    struct model *m = NULL;

    if (model_config_load(cfg, dir, err) == 0)
        m = model_new(cfg, opt, err);
    if (m && read_weights(m, dir, err) < 0) {
        model_free(m);
        m = NULL;
    }
    free(cfg);
    return m;
}

static bool same_shape(const struct model_config *a, const struct model_config *b)
{
    return a->arch == b->arch && a->dim == b->dim && a->hidden_dim == b->hidden_dim &&
           a->n_layers == b->n_layers && a->n_heads == b->n_heads &&
           a->n_kv_heads == b->n_kv_heads && a->head_dim == b->head_dim &&
           a->vocab_size == b->vocab_size && a->tied_embeddings == b->tied_embeddings;
}

int model_reload(struct model *m, const char *dir, struct err *err)
{
    struct model_config *cfg = xcalloc(1, sizeof(*cfg));
    int rc = model_config_load(cfg, dir, err);

    if (rc == 0 && !same_shape(cfg, &m->cfg))
        rc = err_set(err, "%s: the model has another shape than the one it replaces", dir);
    free(cfg);
    return rc < 0 ? rc : read_weights(m, dir, err);
}

/* Positions restart at each sequence. */
static void upload_batch(struct model *m, struct acts *a, const struct batch *b)
{
    int32_t *positions = host_buffer(m, (size_t)b->n_tokens * sizeof(int32_t));

    for (int64_t s = 0; s < b->n_seqs; s++)
        for (int32_t i = b->seq_start[s]; i < b->seq_start[s + 1]; i++)
            positions[i] = i - b->seq_start[s];
    m->dev.ops->upload(&m->dev, a->positions, positions, (size_t)b->n_tokens * sizeof(int32_t));
    m->dev.ops->upload(&m->dev, a->tokens, b->tokens, (size_t)b->n_tokens * sizeof(int32_t));
}

static int64_t longest_sequence(const struct batch *b)
{
    int64_t longest = 1;

    for (int64_t s = 0; s < b->n_seqs; s++)
        if (b->seq_start[s + 1] - b->seq_start[s] > longest)
            longest = b->seq_start[s + 1] - b->seq_start[s];
    return longest;
}

/* Checks the batch, makes room for it and runs the layers. */
static int forward_layers(struct model *m, const struct batch *b, struct err *err)
{
    struct acts *a = &m->state->train;
    const struct rows rows = {.n = b->n_tokens, .keep = a->kept, .seq_start = b->seq_start,
                              .n_seqs = b->n_seqs};
    int64_t row;
    const char *problem = batch_problem(m, b, &row);

    m->state->n_rows = 0;
    m->state->logits_first = -1;
    if (problem)
        return err_set(err, "position %lld of the batch: %s", (long long)row, problem);
    if (acts_reserve(m, a, b->n_tokens, err) < 0 ||
        rope_reserve(m, longest_sequence(b), err) < 0 || logits_reserve(m, b->n_tokens, err) < 0)
        return -1;
    upload_batch(m, a, b);
    model_layers(m, a, &rows);
    return 0;
}

int model_forward(struct model *m, const struct batch *b, const struct forward_out *out,
                  struct err *err)
{
    if (forward_layers(m, b, err) < 0)
        return -1;
    head_forward(m, b, out);
    return device_check(m, "forward", err);
}

int model_backward(struct model *m, const struct batch *b, const float *dlogprobs, const float *dz,
                   struct err *err)
{
    struct model_state *s = m->state;
    struct acts *a = &s->train;
    const struct rows rows = {.n = b->n_tokens, .keep = true, .seq_start = b->seq_start,
                              .n_seqs = b->n_seqs};

    if (!m->grads || b->cuts)
        BUG("backward of a model that was not opened for training, or of distributions that were cut");
    if (s->n_rows != b->n_tokens)
        BUG("backward without the forward of the same batch");
    if (s->n_head == 0)
        return 0;
    head_backward(m, b, dlogprobs, dz);
    model_layers_backward(m, a, &rows);
    s->n_rows = 0; /* gate_up has become its gradient: once only */
    return device_check(m, "backward", err);
}

int model_forward_logits(struct model *m, const struct batch *b,
                         void (*rows_fn)(void *arg, int64_t first, int64_t n, const float *logits),
                         void *arg, struct err *err)
{
    struct model_state *s = m->state;
    struct acts *a = &s->train;
    float *host;

    if (forward_layers(m, b, err) < 0)
        return -1;
    head_rows_reserve(m, b->n_tokens);
    for (int64_t i = 0; i < b->n_tokens; i++)
        s->head_rows[i] = (int32_t)i;
    head_gather(m, a, s->head_rows, b->n_tokens);
    host = xreallocarray(NULL, (size_t)(s->logits_rows * m->cfg.vocab_size), sizeof(float));
    for (int64_t i = 0; i < b->n_tokens; i += s->logits_rows) {
        int64_t n = b->n_tokens - i < s->logits_rows ? b->n_tokens - i : s->logits_rows;
        head_logits(m, a, i, n, s->logits);
        download_acc(m, host, s->logits, n * m->cfg.vocab_size);
        rows_fn(arg, i, n, host);
    }
    free(host);
    return device_check(m, "forward", err);
}
