/* optimizer.cu - AdamW, and the sum of squares for clipping by the norm. */
#include "kernels/cuda/backend.h"

#include <stdlib.h>

enum { STEP_THREADS = 256, SUM_THREADS = 256, SUM_SPAN = 65536 };

template <class T> static __global__ void step(struct adamw_args a)
{
    int64_t i = (int64_t)blockIdx.x * STEP_THREADS + threadIdx.x;
    if (i >= a.n)
        return;
    float *master = (float *)a.master, *m = (float *)a.m, *v = (float *)a.v;
    float g = ((const float *)a.grad)[i] * (float)a.grad_scale;
    m[i] = (float)a.beta1 * m[i] + (float)(1 - a.beta1) * g;
    v[i] = (float)a.beta2 * v[i] + (float)(1 - a.beta2) * g * g;
    float update = m[i] * (float)(1 / a.bias1) / (sqrtf(v[i] * (float)(1 / a.bias2)) + (float)a.eps);
    master[i] -= (float)a.lr * (update + (float)a.weight_decay * master[i]);
    if (a.weights != a.master)
        ((T *)a.weights)[i] = from_float<T>(master[i]);
}

void cuda_adamw(struct dev *dev, const struct adamw_args *a)
{
    if (a->n <= 0)
        return;
    if (dev->dtype == DTYPE_F32)
        LAUNCH(step<float>, cuda_blocks(a->n, STEP_THREADS), STEP_THREADS, 0, cuda_stream(dev), *a);
    else
        LAUNCH(step<bf16>, cuda_blocks(a->n, STEP_THREADS), STEP_THREADS, 0, cuda_stream(dev), *a);
}

/* A block SUM_SPAN elements, in double, by a tree of fixed shape. */
static __global__ void __launch_bounds__(SUM_THREADS) squares(double *sums, const float *x, int64_t n)
{
    __shared__ double of_warps[SUM_THREADS / 32];
    int64_t first = (int64_t)blockIdx.x * SUM_SPAN;
    double sum = 0;
    for (int64_t i = first + threadIdx.x; i < n && i < first + SUM_SPAN; i += SUM_THREADS)
        sum += (double)x[i] * (double)x[i];
    sum = warp_sum(sum);
    if ((threadIdx.x & 31) == 0)
        of_warps[threadIdx.x >> 5] = sum;
    __syncthreads();
    if (threadIdx.x > 0)
        return;
    for (int w = 1; w < SUM_THREADS / 32; w++)
        sum += of_warps[w];
    sums[blockIdx.x] = sum;
}

size_t squares_scratch(int64_t n)
{
    return cuda_blocks(n, SUM_SPAN) * sizeof(double);
}

double cuda_sum_squares(struct dev *dev, const void *x, int64_t n)
{
    if (n <= 0)
        return 0;
    unsigned blocks = cuda_blocks(n, SUM_SPAN);
    double total = 0, *on_device = (double *)cuda_scratch(dev, squares_scratch(n));
    double *sums = (double *)malloc(blocks * sizeof *sums);
    if (!on_device || !sums) {
        cuda_fail(dev, "out of memory");
        free(sums);
        return NAN;
    }
    LAUNCH(squares, blocks, SUM_THREADS, 0, cuda_stream(dev), on_device, (const float *)x, n);
    cuda_download(dev, sums, on_device, blocks * sizeof *sums);
    for (unsigned b = 0; b < blocks; b++)
        total += sums[b];
    free(sums);
    return dev->error ? NAN : total;
}
