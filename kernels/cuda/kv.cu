/* kv.cu - writing the KV cache. */
#include "kernels/cuda/backend.h"
#include "kernels/cuda/kv.h"

/* A block a row and key head. */
template <class T>
static __global__ void append(struct kv_append_args a)
{
    int64_t i = blockIdx.x, hd = a.shape.head_dim, from = i * a.kv_stride + blockIdx.y * hd;
    if (a.slot[i] < 0)
        return;
    int64_t page = a.table.pages[a.slot[i] * a.table.slot_pages + a.pos[i] / KV_PAGE];
    T *to = (T *)a.cache + kv_at(&a.shape, page, blockIdx.y) + a.pos[i] % KV_PAGE * hd;
    for (int64_t d = threadIdx.x; d < hd; d += blockDim.x) {
        to[d] = ((const T *)a.k)[from + d];
        to[kv_plane(&a.shape) + d] = ((const T *)a.v)[from + d];
    }
}

size_t cuda_kv_cache_bytes(struct dev *dev, const struct kv_shape *s)
{
    return (size_t)kv_at(s, s->n_pages, 0) * dtype_bytes(dev->dtype);
}

void cuda_kv_append(struct dev *dev, const struct kv_append_args *a)
{
    dim3 grid((unsigned)a->n, (unsigned)a->shape.n_kv_heads);
    if (a->n <= 0)
        return;
    if (dev->dtype == DTYPE_F32)
        LAUNCH(append<float>, grid, 64, 0, cuda_stream(dev), *a);
    else
        LAUNCH(append<bf16>, grid, 64, 0, cuda_stream(dev), *a);
}

void cuda_kv_copy(struct dev *dev, const struct kv_copy_args *a)
{
    size_t bytes = (size_t)kv_at(&a->shape, 1, 0) * dtype_bytes(dev->dtype);
    char *cache = (char *)a->cache;
    if (a->src != a->dst)
        dev->ops->copy(dev, cache + (size_t)a->dst * bytes, cache + (size_t)a->src * bytes, bytes);
}
