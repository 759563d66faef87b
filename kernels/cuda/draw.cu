/* draw.cu - a token from each row of logits, by inverting the cumulative distribution: a block a row,
 * sums of CHUNK entries by a warp each, then one thread walks the sums and the entries of its chunk. */
#include "kernels/cuda/backend.h"
#include "kernels/cuda/gpu.h"

enum { DRAW_THREADS = 256, DRAW_WARPS = DRAW_THREADS / 32, CHUNK = 256 };

struct best {
    float value;
    int at;
};

static __device__ __forceinline__ struct best better(struct best a, struct best b)
{
    return b.value > a.value || (b.value == a.value && b.at < a.at) ? b : a;
}

static __device__ __forceinline__ struct best warp_best(struct best x)
{
#pragma unroll
    for (int o = 16; o; o >>= 1) {
        struct best y = {__shfl_xor_sync(0xffffffffu, x.value, o), __shfl_xor_sync(0xffffffffu, x.at, o)};
        x = better(x, y);
    }
    return x;
}

/* The lowest id of the largest logit, in every thread. */
static __device__ __forceinline__ struct best row_best(const float *z, int vocab, struct best *of_warps)
{
    struct best x = {-INFINITY, 0};
    for (int c = threadIdx.x; c < vocab; c += DRAW_THREADS)
        x = better(x, best{z[c], c});
    x = warp_best(x);
    if ((threadIdx.x & 31) == 0)
        of_warps[threadIdx.x >> 5] = x;
    __syncthreads();
    return warp_best(of_warps[threadIdx.x & (DRAW_WARPS - 1)]);
}

/* The token whose share of the cumulative sum holds `target`: one thread. */
static __device__ int walk(const float *z, const float *sums, int n_chunks, int vocab, float inv_temp, float max,
                           double u)
{
    double total = 0, below = 0;
    int c = 0, token = 0;
    for (int i = 0; i < n_chunks; i++)
        total += (double)sums[i];
    double target = u * total;
    while (c + 1 < n_chunks && !(below + (double)sums[c] > target))
        below += (double)sums[c++];
    while (c > 0 && sums[c] == 0.0f) /* rounding left the end without a chance */
        below -= (double)sums[--c];
    for (int i = c * CHUNK; i < min(vocab, (c + 1) * CHUNK); i++) {
        float e = expf(z[i] * inv_temp - max);
        if (!(e > 0.0f))
            continue;
        token = i;
        below += (double)e;
        if (below > target)
            break;
    }
    return token;
}

static __global__ void __launch_bounds__(DRAW_THREADS) draw_rows(struct draw_args a, int n_chunks)
{
    DYN_SMEM(smem);
    __shared__ struct best of_warps[DRAW_WARPS];
    float *sums = (float *)smem;
    int64_t i = blockIdx.x;
    int vocab = (int)a.vocab, lane = threadIdx.x & 31;
    const float *z = (const float *)a.logits + i * a.stride;
    float inv_temp = a.inv_temp ? ((const float *)a.inv_temp)[i] : 1.0f;
    struct best top = row_best(z, vocab, of_warps);
    if (a.u[i] < 0) {
        if (threadIdx.x == 0)
            a.tokens[i] = top.at;
        return;
    }
    float max = top.value * inv_temp;
    for (int c = threadIdx.x >> 5; c < n_chunks; c += DRAW_WARPS) {
        float sum = 0.0f;
        for (int k = c * CHUNK + lane; k < min(vocab, (c + 1) * CHUNK); k += 32)
            sum += expf(z[k] * inv_temp - max);
        sum = warp_sum(sum);
        if (lane == 0)
            sums[c] = sum;
    }
    __syncthreads();
    if (threadIdx.x == 0)
        a.tokens[i] = walk(z, sums, n_chunks, vocab, inv_temp, max, a.u[i]);
}

void cuda_draw(struct dev *dev, const struct draw_args *a)
{
    int n_chunks = (int)((a->vocab + CHUNK - 1) / CHUNK);
    if (a->n > 0)
        LAUNCH(draw_rows, (unsigned)a->n, DRAW_THREADS, (size_t)n_chunks * sizeof(float), cuda_stream(dev), *a,
               n_chunks);
}
