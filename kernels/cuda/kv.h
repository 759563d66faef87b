/* kv.h - the KV cache of one layer: [slot][key head][k or v][position][head_dim] of W. */
#ifndef TP_KERNELS_CUDA_KV_H
#define TP_KERNELS_CUDA_KV_H

#include "kernels/cuda/gpu.h"
#include "kernels/ops.h"

/* Elements from one (slot, head)'s keys to its values. */
static __host__ __device__ __forceinline__ int64_t kv_plane(const struct kv_shape *s)
{
    return s->max_len * s->head_dim;
}

static __host__ __device__ __forceinline__ int64_t kv_at(const struct kv_shape *s, int64_t slot, int64_t head)
{
    return (slot * s->n_kv_heads + head) * 2 * kv_plane(s);
}

/* The keys and values of a slot's head. */
template <class R, class T>
static __device__ __forceinline__ void kv_rows(R *k, R *v, const struct kv_shape *s, const T *cache,
                                               int slot, int head)
{
    *k = R{};
    k->own = cache + kv_at(s, slot, head);
    k->stride = s->head_dim;
    *v = *k;
    v->own += kv_plane(s);
}

#endif
