/* attention_rows.h - attention without tensor cores, a warp a row: for fp32, and for heads that are too wide for
 * them.  Lanes hold keys for the scores and columns for the weighted sum, tiles of 32 keys at absolute
 * positions in ascending order. */
#ifndef TP_KERNELS_CUDA_ATTENTION_ROWS_H
#define TP_KERNELS_CUDA_ATTENTION_ROWS_H

#include "kernels/cuda/gpu.h"
#include "kernels/ops.h"

enum { MAX_HEAD_DIM = 256 };

/* As struct rows of attention.h. */
template <class T> struct rows_of {
    const T *at;
    const int32_t *pages;
    int64_t stride, page;
};

template <class T> static __device__ __forceinline__ const T *row_of(const struct rows_of<T> *r, int j)
{
    return r->at + (r->pages ? r->pages[j / KV_PAGE] * r->page + j % KV_PAGE * r->stride : j * r->stride);
}

template <class T> static __device__ __forceinline__ float dot(const T *a, const T *b, int n)
{
    float sum = 0.0f;
    for (int d = 0; d < n; d++)
        sum = fmaf(to_float(a[d]), to_float(b[d]), sum);
    return sum;
}

/* One query at position pos over the keys it sees; returns the log-sum-exp. */
template <class T>
static __device__ __forceinline__ float attend_row(T *out, const T *q, const struct rows_of<T> *k,
                                                   const struct rows_of<T> *v, int pos, int head_dim, int window,
                                                   float scale)
{
    int lane = threadIdx.x & 31, first = window > 0 && pos >= window ? pos - window + 1 : 0;
    float acc[MAX_HEAD_DIM / 32] = {0.0f}, max = -INFINITY, sum = 0.0f;
    for (int j0 = first / 32 * 32; j0 <= pos; j0 += 32) {
        int j = j0 + lane;
        bool seen = j >= first && j <= pos;
        float score = seen ? scale * dot(q, row_of(k, j), head_dim) : -INFINITY;
        float now = fmaxf(max, warp_max(score)), shrink = max == -INFINITY ? 0.0f : expf(max - now);
        float p = seen ? expf(score - now) : 0.0f;
        max = now;
        sum = sum * shrink + warp_sum(p);
#pragma unroll
        for (int c = 0; c < MAX_HEAD_DIM / 32; c++)
            acc[c] *= shrink;
        for (int i = 0; i < 32; i++) {
            float weight = __shfl_sync(0xffffffffu, p, i);
            if (j0 + i < first || j0 + i > pos)
                continue; /* what is there may be anything */
            const T *value = row_of(v, j0 + i);
#pragma unroll
            for (int c = 0; c < MAX_HEAD_DIM / 32; c++)
                if (c * 32 + lane < head_dim)
                    acc[c] = fmaf(weight, to_float(value[c * 32 + lane]), acc[c]);
        }
    }
#pragma unroll
    for (int c = 0; c < MAX_HEAD_DIM / 32; c++)
        if (c * 32 + lane < head_dim)
            out[c * 32 + lane] = from_float<T>(acc[c] / sum);
    return max + logf(sum);
}

#endif
