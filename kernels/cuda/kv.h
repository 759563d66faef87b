/* kv.h - the KV cache of one layer: [page][key head][k or v][position][head_dim] of W. */
#ifndef TP_KERNELS_CUDA_KV_H
#define TP_KERNELS_CUDA_KV_H

#include "kernels/cuda/gpu.h"
#include "kernels/ops.h"

/* Elements from one (page, head)'s keys to its values. */
static __host__ __device__ __forceinline__ int64_t kv_plane(const struct kv_shape *s)
{
    return KV_PAGE * s->head_dim;
}

static __host__ __device__ __forceinline__ int64_t kv_at(const struct kv_shape *s, int64_t page, int64_t head)
{
    return (page * s->n_kv_heads + head) * 2 * kv_plane(s);
}

/* The keys and values of a slot's head. */
template <class R, class T>
static __device__ __forceinline__ void kv_rows(R *k, R *v, const struct kv_shape *s, const struct kv_table *t,
                                               const T *cache, int slot, int head)
{
    *k = R{};
    k->at = cache + kv_at(s, 0, head);
    k->pages = t->pages + slot * t->slot_pages;
    k->stride = s->head_dim;
    k->page = kv_at(s, 1, 0);
    *v = *k;
    v->at += kv_plane(s);
}

#endif
