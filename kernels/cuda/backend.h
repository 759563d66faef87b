/* backend.h - the host side, between the sources of this folder. */
#ifndef TP_KERNELS_CUDA_BACKEND_H
#define TP_KERNELS_CUDA_BACKEND_H

#include "kernels/cuda/gpu.h"
#include "kernels/cuda/plugin.h"
#include "kernels/ops.h"

/* A device buffer that grows; nothing in it outlives the op that asked for it. */
struct cuda_buffer {
    void *p;
    size_t bytes;
};

struct blas;
struct arena;
struct graphs;

struct cuda_state {
    cudaStream_t stream;
    struct arena *arena;               /* what cuda_reserve() took, or NULL */
    struct graphs *graphs;
    struct blas *blas;                 /* NULL: all products by our own kernels */
    char *pinned;                      /* small uploads on their way, from its beginning; NULL: there is none */
    size_t pinned_used;
    struct cuda_buffer scratch;
    struct cuda_buffer stage;          /* the device's copy of staged */
    void *staged;                      /* what cuda_stage() sent last */
    size_t staged_bytes, staged_room;
};

static inline struct cuda_state *cuda_state(struct dev *dev)
{
    return (struct cuda_state *)dev->backend;
}

static inline cudaStream_t cuda_stream(struct dev *dev)
{
    return cuda_state(dev)->stream;
}

/* Keeps the first error. */
void cuda_fail(struct dev *dev, const char *what);
/* False after an error, which is kept. */
bool cuda_check(struct dev *dev, cudaError_t error);
/* Of at least so many bytes, for the running op; NULL after an error. */
void *cuda_scratch(struct dev *dev, size_t bytes);
/* A small host array on the device, for the running op; NULL after an error. */
const void *cuda_stage(struct dev *dev, const void *host, size_t bytes);
/* Lets a kernel have more than 48 KiB of dynamic shared memory; false after an error. */
bool cuda_allow_smem(struct dev *dev, const void *kernel, size_t bytes);

/* --- what the ops of these files ask cuda_scratch() and cuda_stage() for, at most --- */

size_t rmsnorm_scratch(int64_t n_rows, int64_t dim);
size_t squares_scratch(int64_t n);

static inline unsigned cuda_blocks(int64_t n, int64_t per_block)
{
    return (unsigned)((n + per_block - 1) / per_block);
}

/* --- the operations, as ops.h says --- */

size_t cuda_scratch_bytes(struct dev *dev, const struct scratch_use *use);
bool cuda_reserve(struct dev *dev, size_t bytes, const struct scratch_use *use);
size_t cuda_room(struct dev *dev);
void *cuda_alloc(struct dev *dev, size_t bytes);
void cuda_free(struct dev *dev, void *p);
void cuda_upload(struct dev *dev, void *dst, const void *host, size_t bytes);
void cuda_download(struct dev *dev, void *host, const void *src, size_t bytes);
void cuda_copy(struct dev *dev, void *dst, const void *src, size_t bytes);
void cuda_zero(struct dev *dev, void *dst, size_t bytes);
void cuda_convert(struct dev *dev, void *dst, enum dtype to, const void *src, enum dtype from, int64_t n);
void cuda_linear(struct dev *dev, const struct linear_args *a);
void cuda_linear_backward_input(struct dev *dev, const struct linear_backward_input_args *a);
void cuda_linear_backward_weight(struct dev *dev, const struct linear_backward_weight_args *a);
void cuda_embedding(struct dev *dev, const struct embedding_args *a);
void cuda_embedding_backward(struct dev *dev, const struct embedding_backward_args *a);
void cuda_rmsnorm(struct dev *dev, const struct rmsnorm_args *a);
void cuda_rmsnorm_backward(struct dev *dev, const struct rmsnorm_backward_args *a);
void cuda_rope(struct dev *dev, const struct rope_args *a);
void cuda_swiglu(struct dev *dev, const struct swiglu_args *a);
void cuda_swiglu_backward(struct dev *dev, const struct swiglu_backward_args *a);
void cuda_add(struct dev *dev, void *acc, const void *x, int64_t n);
void cuda_attention(struct dev *dev, const struct attention_args *a);
void cuda_attention_backward(struct dev *dev, const struct attention_backward_args *a);
size_t cuda_kv_cache_bytes(struct dev *dev, const struct kv_shape *shape);
void cuda_kv_append(struct dev *dev, const struct kv_append_args *a);
void cuda_kv_copy(struct dev *dev, const struct kv_copy_args *a);
void cuda_attention_cached(struct dev *dev, const struct attention_cached_args *a);
void cuda_logprob(struct dev *dev, const struct logprob_args *a);
void cuda_logprob_backward(struct dev *dev, const struct logprob_backward_args *a);
void cuda_truncate(struct dev *dev, const struct truncate_args *a);
void cuda_draw(struct dev *dev, const struct draw_args *a);
void cuda_adamw(struct dev *dev, const struct adamw_args *a);
double cuda_sum_squares(struct dev *dev, const void *x, int64_t n);

#endif
