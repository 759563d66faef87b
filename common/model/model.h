/* model.h - the decoder: parameters, forward, backward, cached forward.
 *
 *     struct model *m = model_load(dir, &opt, &err);
 *     model_forward(m, &batch, logprobs, &err);           // host logprobs[n_tokens]
 *     model_backward(m, &batch, dlogprobs, NULL, &err);   // adds to m->grads
 *
 * The forward stops at the log-probability of each target token; a loss maps
 * those to dL/dlogprob, and backward starts there (style-anchors section 4).
 * Tokens x vocabulary logits never exist whole: both directions work on chunks
 * of rows.  The cached forward calls the same ops row by row, so a sampled
 * token's log-probability has the bits the trainer computes.
 */
#ifndef TP_MODEL_MODEL_H
#define TP_MODEL_MODEL_H

#include "base/batch.h"
#include "base/err.h"
#include "base/opt.h"
#include "kernels/ops.h"
#include "model/config.h"

enum precision { PRECISION_AUTO, PRECISION_FP32, PRECISION_BF16 }; /* auto: as the checkpoint */
enum device_kind { DEVICE_AUTO, DEVICE_CPU, DEVICE_CUDA, DEVICE_EMU }; /* the last for tests */
/* int8: matrix products of the forwards take int8 weights with a scale for each row of W; not for
 * training. */
enum model_weights { WEIGHTS_EXACT, WEIGHTS_INT8 };
extern const struct opt_enum precision_names[], device_names[], weights_names[];

struct model;
struct model_options {
    int precision, device, weights; /* enums above; ints because the option table writes them */
    bool trainable;        /* allocate gradients and keep activations */
    bool recompute;        /* keep only the layers' inputs: the backward runs the layers again */
    /* Called with the outline, before its memory is taken; -1 = there is not enough.  May be NULL. */
    int (*before_alloc)(struct model *m, const void *arg, struct err *err);
    const void *arg;
    bool plan_gpu;         /* of an outline: plan as for a GPU, without scratch, and packed copies but int8's */
    bool tests_ref;        /* use dev_ref below (double), tests only */
    struct dev *dev_ref;
};

/* One tensor of the checkpoint.  All parameters lie in one array, in checkpoint order. */
struct param {
    char name[96];
    int64_t n_rows, n_cols; /* a vector is [1, n] with n_dims 1 */
    int n_dims;
    int64_t offset, numel;  /* in elements */
    bool decay;             /* weight decay applies: matrices but not embeddings */
};

/* Fields below are read by train/ and gen/; see model_internal.h for the rest. */
struct model {
    struct model_config cfg;
    struct dev dev;
    int n_params;
    struct param *params;
    int64_t n_elements;
    void *weights;   /* device [n_elements] W */
    void *grads;     /* device [n_elements] acc, or NULL */
    struct model_state *state; /* activations, tables, packed copies */
};

/* The table that a configuration leads to, malloc'ed; model_load and model_new make their own. */
struct param *model_param_table(const struct model_config *c, int *n_params, int64_t *n_elements);

/* Opens the device and loads DIR's config and weights, checking every tensor's name, shape and
 * that all values are finite. */
struct model *model_load(const char *dir, const struct model_options *opt, struct err *err);
/* A model with given config and weights still to be set (zero). */
struct model *model_new(const struct model_config *cfg, const struct model_options *opt, struct err *err);
/* Random initialisation: normal(0, initializer_range) for matrices, o_proj and down_proj scaled by
 * 1/sqrt(2 n_layers), norms 1, biases 0.  Each tensor has its own random stream. */
void model_init_random(struct model *m, uint64_t seed);
void model_free(struct model *m);
/* Host copies; src/dst are fp32 [n_elements].  Setting rounds to W and refreshes packed copies. */
void model_set_weights(struct model *m, const float *src);
void model_get_weights(struct model *m, float *dst);
/* After m->weights was written on the device (by the optimiser): refresh packed copies. */
void model_weights_changed(struct model *m);
bool model_has_int8(const struct model *m);
/* With int8 weights: the following forwards take the exact ones, or (false) int8 again. */
void model_use_exact(struct model *m, bool exact);
/* Replaces the weights by those of another checkpoint of the same shape (a published policy). */
int model_reload(struct model *m, const char *dir, struct err *err) WARN_UNUSED;

/* A model that has a shape and a device and no memory, to plan with; model_free() it. */
struct model *model_outline(const struct model_config *cfg, const struct model_options *opt,
                            struct err *err);
/* What a model is going to be used for; 0 = not for that. */
struct model_use {
    int64_t rows, longest;         /* packed: most positions in a call, and in one sequence */
    int64_t slots, cache_len;      /* of a cache */
    int64_t cached_rows, out_rows; /* most rows in a cached call, and those that give logits */
    bool recompute;                /* plan as if with model_options.recompute */
};
/* Bytes of device memory that this leads to (of a trainable model: with backwards), with all packed
 * positions through the head; from the functions that allocate it. */
struct model_memory {
    size_t weights, packed, gradients, activations, logits, kv_cache, tables, scratch, total;
};
size_t model_block_bytes(const struct model *m, size_t bytes); /* that an allocation takes */
size_t model_room(const struct model *m); /* bytes that could be allocated; 0 = it cannot say */
struct model_memory model_memory_plan(struct model *m, const struct model_use *use);
/* Makes room for such calls now, on a device with memory of its own: then none of them allocates. */
int model_prepare(struct model *m, const struct model_use *use, struct err *err) WARN_UNUSED;

/* Optional outputs of a forward, host [n_tokens] each or NULL. */
struct forward_out {
    float *logprobs, *entropy, *lse;
};
int model_forward(struct model *m, const struct batch *b, const struct forward_out *out,
                  struct err *err) WARN_UNUSED;
/* dlogprobs (and dz for z-loss, or NULL) host [n_tokens]; b must be the last forward's batch. Adds to
 * grads. */
int model_backward(struct model *m, const struct batch *b, const float *dlogprobs, const float *dz,
                   struct err *err) WARN_UNUSED;
void model_zero_grads(struct model *m);

/* ---- cached forward, for generation ---- */
/* n_slots sequences of up to max_len positions, in pages of KV_PAGE (kernels/ops.h) that they take as they grow. */
struct kv_cache;
/* n_pages 0: as many as all slots can fill. */
struct kv_cache *kv_cache_new(struct model *m, int64_t n_slots, int64_t max_len, int64_t n_pages, struct err *err);
void kv_cache_free(struct kv_cache *c);
int64_t kv_cache_pages(int64_t len); /* that hold so many positions of a sequence */
size_t kv_cache_page_bytes(const struct model *m); /* of all layers */
int64_t kv_cache_free_pages(const struct kv_cache *c);
/* Gives the slot pages for its first len positions; false if so many are not free, and then none. */
bool kv_cache_extend(struct kv_cache *c, int64_t slot, int64_t len);
/* Takes back the slot's pages after those of its first len positions. */
void kv_cache_cut(struct kv_cache *c, int64_t slot, int64_t len);
/* The first len positions of src become those of dst, which has no page: whole pages are read by both from then
 * on, and what is left is copied.  False if no page is free for that. */
bool kv_cache_share(struct kv_cache *c, int64_t src, int64_t dst, int64_t len);
/* Runs n rows (any mix of prompt chunks and single decode rows; rows of one slot in ascending
 * position) through the model, appending to the cache; a slot gets the pages that it needs, if they are free.  For each of n_out chosen rows the final
 * logits [n_out, vocab] are left in device memory m->...; read them with model_row_logits(). */
struct cached_rows {
    int64_t n;
    const int32_t *tokens, *slot, *pos; /* host [n] */
    int64_t n_out;
    const int32_t *out_rows;            /* host [n_out], indices into rows */
};
int model_forward_cached(struct model *m, struct kv_cache *c, const struct cached_rows *r,
                         struct err *err) WARN_UNUSED;
/* The logits of the last cached forward, copied to host [n_out, vocab] fp32. */
void model_row_logits(struct model *m, float *logits);
/* Log-probabilities of host targets under softmax(logits * inv_temp) for those rows, by the same op
 * that model_forward uses. */
void model_row_logprobs(struct model *m, const int32_t *targets, const float *inv_temp,
                        float *logprobs, float *entropy);
/* Cuts those rows' distributions, under softmax(logits * inv_temp), down to what c leaves [n_out]: of the calls of the
 * two functions around this one that follow, up to the next forward. */
void model_row_truncate(struct model *m, const float *inv_temp, const struct cuts *c);
/* Draws a token for each of those rows: softmax(logits * inv_temp), u in [0, 1); u < 0: the largest. */
void model_row_draw(struct model *m, const float *inv_temp, const double *u, int32_t *tokens);
/* Full logits of a packed batch, a chunk at a time.  rows_fn is
 * called with host logits of rows [first, first + n). */
int model_forward_logits(struct model *m, const struct batch *b,
                         void (*rows_fn)(void *arg, int64_t first, int64_t n, const float *logits),
                         void *arg, struct err *err) WARN_UNUSED;

#endif
