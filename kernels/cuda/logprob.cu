/* logprob.cu - the log-probability of a target under softmax(inv_temp * logits), the entropy, and the
 * gradient.  A block a row, online log-sum-exp, a reduction tree of fixed shape. */
#include "kernels/cuda/backend.h"
#include "kernels/cuda/gpu.h"

enum { ROW_THREADS = 512, ROW_WARPS = ROW_THREADS / 32 };

/* max, sum of exp(z - max), sum of (z - max) exp(z - max) */
struct moments {
    float max, sum, weighted;
};

/* The same by a larger maximum. */
static __device__ __forceinline__ struct moments rebased(struct moments m, float max)
{
    if (m.max == -INFINITY)
        return moments{max, 0.0f, 0.0f};
    float shrink = expf(m.max - max);
    return moments{max, m.sum * shrink, (m.weighted + (m.max - max) * m.sum) * shrink};
}

static __device__ __forceinline__ struct moments joined(struct moments a, struct moments b)
{
    float max = fmaxf(a.max, b.max);
    if (max == -INFINITY)
        return a;
    a = rebased(a, max);
    b = rebased(b, max);
    return moments{max, a.sum + b.sum, a.weighted + b.weighted};
}

static __device__ __forceinline__ struct moments warp_joined(struct moments v)
{
#pragma unroll
    for (int o = 16; o; o >>= 1) {
        struct moments u;
        u.max = __shfl_xor_sync(0xffffffffu, v.max, o);
        u.sum = __shfl_xor_sync(0xffffffffu, v.sum, o);
        u.weighted = __shfl_xor_sync(0xffffffffu, v.weighted, o);
        v = threadIdx.x & o ? joined(u, v) : joined(v, u); /* the same in both lanes */
    }
    return v;
}

static __device__ __forceinline__ void take(struct moments *m, float z)
{
    if (z == -INFINITY)
        return;
    if (z > m->max)
        *m = rebased(*m, z);
    float e = expf(z - m->max);
    m->sum += e;
    m->weighted = fmaf(z - m->max, e, m->weighted);
}

static __global__ void __launch_bounds__(ROW_THREADS) logprob_rows(struct logprob_args a)
{
    __shared__ struct moments of_warps[ROW_WARPS];
    int64_t i = blockIdx.x;
    const float *z = (const float *)a.logits + i * a.stride;
    float inv_temp = a.inv_temp ? ((const float *)a.inv_temp)[i] : 1.0f;
    const struct moments none = {-INFINITY, 0.0f, 0.0f};
    struct moments m = none;
    for (int64_t c = threadIdx.x; c < a.vocab; c += ROW_THREADS)
        take(&m, z[c] * inv_temp);
    m = warp_joined(m);
    if ((threadIdx.x & 31) == 0)
        of_warps[threadIdx.x >> 5] = m;
    __syncthreads();
    if (threadIdx.x >= 32)
        return;
    m = warp_joined(threadIdx.x < ROW_WARPS ? of_warps[threadIdx.x] : none);
    if (threadIdx.x > 0)
        return;
    float log_sum = logf(m.sum), lse = m.max + log_sum;
    ((float *)a.logprobs)[i] = z[a.targets[i]] * inv_temp - lse;
    if (a.lse)
        ((float *)a.lse)[i] = lse;
    if (a.entropy)
        ((float *)a.entropy)[i] = log_sum - m.weighted / m.sum;
}

template <class T>
static __global__ void __launch_bounds__(ROW_THREADS) logprob_gradients(struct logprob_backward_args a)
{
    int64_t i = blockIdx.x;
    const float *z = (const float *)a.logits + i * a.stride;
    T *out = (T *)a.dlogits + i * a.stride;
    float inv_temp = a.inv_temp ? ((const float *)a.inv_temp)[i] : 1.0f;
    float lse = ((const float *)a.lse)[i], d = ((const float *)a.dlogprobs)[i];
    float extra = a.dz ? 2.0f * ((const float *)a.dz)[i] * lse : 0.0f;
    int target = a.targets[i];
    for (int64_t c = threadIdx.x; c < a.stride; c += ROW_THREADS) {
        float p = c < a.vocab ? expf(z[c] * inv_temp - lse) : 0.0f;
        float g = d * ((c == target ? 1.0f : 0.0f) - p);
        if (a.dz)
            g = fmaf(extra, p, g);
        out[c] = from_float<T>(c < a.vocab ? inv_temp * g : 0.0f);
    }
}

void cuda_logprob(struct dev *dev, const struct logprob_args *a)
{
    if (a->n > 0)
        LAUNCH(logprob_rows, (unsigned)a->n, ROW_THREADS, 0, cuda_stream(dev), *a);
}

void cuda_logprob_backward(struct dev *dev, const struct logprob_backward_args *a)
{
    if (a->n <= 0)
        return;
    if (dev->dtype == DTYPE_F32)
        LAUNCH(logprob_gradients<float>, (unsigned)a->n, ROW_THREADS, 0, cuda_stream(dev), *a);
    else
        LAUNCH(logprob_gradients<bf16>, (unsigned)a->n, ROW_THREADS, 0, cuda_stream(dev), *a);
}
