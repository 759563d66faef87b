/* model_internal.h - what the files of model/ share: where each weight lies, the
 * activations, and the rows that one call runs.
 *
 * Packed and cached forwards are one function, model_layers(), that differs only
 * in the attention op; rows are independent in every op, so both give the same
 * bits.
 *
 * Notation in comments: n rows, D dim, F hidden_dim, H and K query and key heads, d head_dim,
 * QKV = (H + 2K) d.
 */
#ifndef TP_MODEL_MODEL_INTERNAL_H
#define TP_MODEL_MODEL_INTERNAL_H

#include "base/mem.h"
#include "model/model.h"

/* Element offsets into weights and grads; -1 = the model has none. */
struct layer_offsets {
    int64_t attn_norm, ffn_norm; /* of the sublayer's input (pre-norm) or output (post-norm) */
    int64_t qkv, qkv_bias;       /* [QKV, D]: q, k, v rows end to end */
    int64_t o, o_bias;           /* [D, H d] */
    int64_t q_norm, k_norm;
    int64_t gate_up, gate_up_bias; /* [2F, D] */
    int64_t down, down_bias;       /* [D, F] */
};

struct weight_offsets {
    int64_t embed, final_norm, head; /* head = embed when tied */
    struct layer_offsets layers[MODEL_MAX_LAYERS];
};

/* pack_weight()'s copies; NULL where the backend does not pack. */
struct packed_layer {
    void *qkv, *o, *gate_up, *down;
};

/* Kept from forward to backward, one per layer; all layers share one when nothing is kept, and all but x
 * with recompute. */
struct layer_acts {
    void *x;              /* [n, D] acc: residual stream before attention (pre-norm keeps it) */
    void *x_mid;          /* [n, D] acc: before the feed-forward */
    void *attn_in, *ffn_in; /* [n, D] W: sublayer inputs; pre-norm: recomputed, so shared */
    void *attn_rstd, *ffn_rstd; /* [n] acc */
    void *qkv;            /* [n, QKV] W: the projection; rotated in place without QK-norm */
    void *qk;             /* [n, QKV] W: normed and rotated q and k (v's place is unused); = qkv
                           * without QK-norm */
    void *q_rstd, *k_rstd; /* [n] or [n, heads] acc */
    void *attn_out;       /* [n, H d] W */
    void *lse;            /* [n, H] acc */
    void *gate_up;        /* [n, 2F] W; backward turns it into its gradient */
    void *attn_y, *ffn_y; /* [n, D] W: sublayer outputs before their norm (post-norm only) */
};

/* One set of activations; rows is its capacity.  One allocation, cut up by acts_reserve(). */
struct acts {
    void *memory;
    int64_t rows;
    bool kept;               /* every layer has its own, */
    bool recompute;          /* or its own x only: the rest is the last layer's, and computed again */
    struct layer_acts layers[MODEL_MAX_LAYERS];
    void *x_out;             /* [n, D] acc: after the last layer */
    void *hidden;            /* [n, F] W: swiglu's output, and its gradient */
    int32_t *tokens, *positions, *slots; /* [n] device */
    /* head: only the m <= n rows that need logits, gathered */
    void *head_x;            /* [n, D] acc; unused when all rows are wanted */
    void *head_src;          /* head_x or x_out, as the last head_gather() chose */
    void *head_rstd;         /* [n] acc */
    void *head_in;           /* [n, D] W */
    int32_t *targets;        /* [n]; also what was drawn */
    double *uniform;         /* [n] for draws */
    void *inv_temp, *logprobs, *entropy, *lse; /* [n] acc */
    int32_t *top_k;          /* [n] and these, of struct cuts */
    double *top_p, *min_p;
    /* backward only */
    void *dx;                /* [n, D] acc: gradient of the residual stream */
    void *dnorm;             /* [n, D] acc: gradient of a norm's output */
    void *dy;                /* [n, D] W */
    void *dqkv, *dattn;      /* [n, QKV], [n, H d] W */
    void *dlogprobs, *dz;    /* [n] acc */
};

struct rope_table {
    void *cos, *sin; /* [max_pos, d / 2] acc */
};

struct model_state {
    struct model_options opt;
    struct weight_offsets off;
    void *packed_memory, *packed_head; /* NULL memory: unpacked, as tests compare */
    struct packed_layer packed[MODEL_MAX_LAYERS];
    enum packing packing;
    bool exact; /* leave the packed copies aside */
    struct rope_table rope_full, rope_plain;
    int64_t rope_rows;
    struct acts train, cached;
    void *logits, *dlogits; /* [logits_rows, V] acc and W */
    int64_t logits_rows;    /* rows of a chunk */
    int64_t logits_bytes;   /* most memory for a chunk's logits */
    int64_t logits_first;   /* the head row of the last forward that logits starts with, -1 = none */
    void *row_logits;       /* [row_logits_cap, V] acc: of the cached forward */
    int64_t row_logits_cap, n_row_logits;
    /* the last forward: which of its rows went through the head, on the host */
    int64_t n_rows, n_head, head_cap;
    int32_t *head_rows;
    char *host;             /* staging for small host arrays */
    size_t host_bytes;
};

struct kv_cache {
    struct model *m;
    struct kv_shape shape;
    struct kv_table table;
    uint64_t serial; /* no two of a process have the same */
    int64_t n_slots, max_len;
    int32_t *pages;      /* the table on the host */
    int64_t *held;       /* [n_slots] pages that a slot has */
    int32_t *readers;    /* [n_pages] slots that have the page */
    int32_t *free_pages; /* [n_free], a stack */
    int64_t n_free;
    int64_t dirty_from, dirty_to; /* slots whose pages the device does not know */
    void *memory;                 /* one allocation: the layers, and the table */
    void *layers[MODEL_MAX_LAYERS];
};

/* The rows of one call. */
struct rows {
    int64_t n;
    bool keep; /* for a backward */
    /* packed sequences, */
    const int32_t *seq_start; /* host */
    int64_t n_seqs;
    /* or rows of a cache */
    struct kv_cache *cache;
};

/* -- params.c -- */
/* Fills table and offsets; returns malloc'ed params. */
struct param *params_build(const struct model_config *c, struct weight_offsets *off, int *n_params,
                           int64_t *n_elements);

/* -- acts.c: memory -- */
int acts_reserve(struct model *m, struct acts *a, int64_t rows, struct err *err) WARN_UNUSED;
size_t acts_bytes(const struct model *m, bool kept, bool recompute, int64_t rows); /* what acts_reserve allocates */
void acts_release(struct model *m, struct acts *a);
/* ops.reserve() with what the backend needs for such calls. */
bool model_reserve(struct model *m, const struct model_use *use, size_t bytes);
int rope_reserve(struct model *m, int64_t positions, struct err *err) WARN_UNUSED;
/* -- kv_cache.c -- */
size_t kv_cache_bytes(const struct model *m, int64_t n_slots, int64_t max_len, int64_t n_pages);
/* Has the slot a page of its own for the position, or can it get one? */
bool kv_cache_writes(struct kv_cache *c, int64_t slot, int64_t pos);
void kv_cache_upload_table(struct kv_cache *c);
/* Rows of a decoding call of n: on a device with graphs a few more, so that few calls differ (cached.c). */
int64_t decoding_rows(const struct model *m, int64_t n);
int logits_reserve(struct model *m, int64_t rows, struct err *err) WARN_UNUSED;
void head_rows_reserve(struct model *m, int64_t n);
int row_logits_reserve(struct model *m, int64_t n, struct err *err) WARN_UNUSED;
int packed_alloc(struct model *m, struct err *err) WARN_UNUSED;
void packed_refresh(struct model *m);
void *host_buffer(struct model *m, size_t bytes); /* contents last until the next call */
/* Host floats to an acc buffer and back. */
void upload_acc(struct model *m, void *dst, const float *src, int64_t n);
void download_acc(struct model *m, float *dst, const void *src, int64_t n);
int device_check(struct model *m, const char *what, struct err *err) WARN_UNUSED;

static inline void *weight_at(const struct model *m, int64_t offset)
{
    return offset < 0 ? NULL : (char *)m->weights + (size_t)offset * dtype_bytes(m->dev.dtype);
}

static inline void *grad_at(const struct model *m, int64_t offset)
{
    return offset < 0 ? NULL : (char *)m->grads + (size_t)offset * dtype_bytes(m->dev.acc);
}

/* Row i of a [n, width] matrix. */
static inline void *row_of(void *base, enum dtype t, int64_t i, int64_t width)
{
    return (char *)base + (size_t)(i * width) * dtype_bytes(t);
}

static inline int64_t qkv_width(const struct model_config *c)
{
    return (c->n_heads + 2 * c->n_kv_heads) * c->head_dim;
}

static inline int64_t layer_window(const struct model_config *c, int64_t layer)
{
    return c->sliding[layer] ? c->sliding_window : 0;
}

static inline const struct rope_table *layer_rope(const struct model *m, int64_t layer)
{
    const struct model_config *c = &m->cfg;
    return c->rope_full_only && c->sliding[layer] ? &m->state->rope_plain : &m->state->rope_full;
}

/* -- forward.c -- */
/* Residual stream from a->tokens through all layers into a->x_out. */
void model_layers(struct model *m, struct acts *a, const struct rows *r);
/* What the layer's backward reads, again from the layer's x. */
void model_layer_again(struct model *m, struct acts *a, const struct rows *r, int64_t layer);
/* With the weight's packed copy, if the model uses them. */
void run_linear(struct model *m, struct linear_args *a, const void *packed);
void layer_norm_in(struct model *m, void *y, const void *x, int64_t weight, void *rstd, int64_t n);
void swiglu_rows(struct model *m, struct acts *a, const struct layer_acts *l, int64_t n);
/* acc rows as W: converts into `to`, or returns x itself when the types agree. */
void *as_w(struct model *m, void *to, void *x, int64_t n);

/* -- head.c -- */
/* Final norm and gather of the rows in list (NULL: the first n); then logits of gathered rows
 * [first, first + n). */
void head_gather(struct model *m, struct acts *a, const int32_t *list, int64_t n);
void head_logits(struct model *m, struct acts *a, int64_t first, int64_t n, void *logits);
void head_forward(struct model *m, const struct batch *b, const struct forward_out *out);
void head_backward(struct model *m, const struct batch *b, const float *dlogprobs, const float *dz);
const char *batch_problem(const struct model *m, const struct batch *b, int64_t *row);

/* -- backward.c -- */
void model_layers_backward(struct model *m, struct acts *a, const struct rows *r);

/* -- for tests: the last forward's rows as doubles, 0 for rows that had no head -- */
void model_logprobs_f64(struct model *m, double *logprobs, double *lse);

#endif
