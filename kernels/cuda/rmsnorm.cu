/* rmsnorm.cu - root mean square normalisation: a warp a row, the same tree of sums whatever the rows. */
#include "kernels/cuda/backend.h"

enum { NORM_THREADS = 128, NORM_ROWS = NORM_THREADS / 32, CHUNK_ROWS = 256, COLUMNS = 128 };

static __device__ __forceinline__ float read(const void *p, int acc, int64_t i, bf16)
{
    return acc ? ((const float *)p)[i] : bf2f(((const bf16 *)p)[i]);
}

static __device__ __forceinline__ float read(const void *p, int acc, int64_t i, float)
{
    (void)acc;
    return ((const float *)p)[i];
}

static __device__ __forceinline__ int64_t row_start(int64_t r, int64_t heads, int64_t stride, int64_t dim)
{
    return r / heads * stride + r % heads * dim;
}

template <class T> static __global__ void normalise(struct rmsnorm_args a)
{
    int64_t r = (int64_t)blockIdx.x * NORM_ROWS + (threadIdx.x >> 5);
    if (r >= a.n_rows)
        return;
    int64_t x0 = row_start(r, a.heads, a.x_stride, a.dim), y0 = row_start(r, a.heads, a.y_stride, a.dim);
    int lane = threadIdx.x & 31;
    float sum = 0.0f;
    for (int64_t i = lane; i < a.dim; i += 32) {
        float x = read(a.x, a.x_acc, x0 + i, T{});
        sum = fmaf(x, x, sum);
    }
    float rstd = 1.0f / sqrtf(warp_sum(sum) / (float)a.dim + (float)a.eps);
    if (a.rstd && lane == 0)
        ((float *)a.rstd)[r] = rstd;
    for (int64_t i = lane; i < a.dim; i += 32) {
        float y = read(a.x, a.x_acc, x0 + i, T{}) * rstd;
        if (a.round_first)
            y = to_float(from_float<T>(y));
        y *= to_float(((const T *)a.w)[i]);
        if (a.y_acc)
            ((float *)a.y)[y0 + i] = a.y_accumulate ? ((float *)a.y)[y0 + i] + y : y;
        else
            ((T *)a.y)[y0 + i] = from_float<T>(y);
    }
}

void cuda_rmsnorm(struct dev *dev, const struct rmsnorm_args *a)
{
    unsigned blocks = cuda_blocks(a->n_rows, NORM_ROWS);
    if (a->n_rows <= 0)
        return;
    if (dev->dtype == DTYPE_F32)
        LAUNCH(normalise<float>, blocks, NORM_THREADS, 0, cuda_stream(dev), *a);
    else
        LAUNCH(normalise<bf16>, blocks, NORM_THREADS, 0, cuda_stream(dev), *a);
}

/* Columns of dw over CHUNK_ROWS rows, in ascending order.  Chunks are the grid's x: of y there are no more than 65535. */
template <class T> static __global__ void weight_parts(float *parts, struct rmsnorm_backward_args a)
{
    int64_t d = (int64_t)blockIdx.y * COLUMNS + threadIdx.x, first = (int64_t)blockIdx.x * CHUNK_ROWS;
    if (d >= a.dim)
        return;
    float sum = 0.0f;
    for (int64_t r = first; r < a.n_rows && r < first + CHUNK_ROWS; r++)
        sum = fmaf(read(a.dy, a.dy_acc, row_start(r, a.heads, a.y_stride, a.dim) + d, T{}),
                   read(a.x, a.x_acc, row_start(r, a.heads, a.x_stride, a.dim) + d, T{}) * ((const float *)a.rstd)[r], sum);
    parts[(int64_t)blockIdx.x * a.dim + d] = sum;
}

static __global__ void add_parts(float *dw, const float *parts, int64_t n_parts, int64_t dim)
{
    int64_t d = (int64_t)blockIdx.x * COLUMNS + threadIdx.x;
    if (d >= dim)
        return;
    float sum = dw[d];
    for (int64_t p = 0; p < n_parts; p++)
        sum += parts[p * dim + d];
    dw[d] = sum;
}

/* dx may be dy: an element is read before it is written, by the same lane. */
template <class T> static __global__ void input_gradient(struct rmsnorm_backward_args a)
{
    int64_t r = (int64_t)blockIdx.x * NORM_ROWS + (threadIdx.x >> 5);
    if (r >= a.n_rows)
        return;
    int64_t x0 = row_start(r, a.heads, a.x_stride, a.dim), y0 = row_start(r, a.heads, a.y_stride, a.dim);
    int lane = threadIdx.x & 31;
    float rstd = ((const float *)a.rstd)[r], sum = 0.0f;
    for (int64_t i = lane; i < a.dim; i += 32)
        sum = fmaf(read(a.dy, a.dy_acc, y0 + i, T{}) * to_float(((const T *)a.w)[i]), read(a.x, a.x_acc, x0 + i, T{}) * rstd, sum);
    float mean = warp_sum(sum) / (float)a.dim;
    for (int64_t i = lane; i < a.dim; i += 32) {
        float g = rstd * (read(a.dy, a.dy_acc, y0 + i, T{}) * to_float(((const T *)a.w)[i]) -
                          read(a.x, a.x_acc, x0 + i, T{}) * rstd * mean);
        if (a.dx_accumulate)
            g += read(a.dx, a.dx_acc, x0 + i, T{});
        if (a.dx_acc)
            ((float *)a.dx)[x0 + i] = g;
        else
            ((T *)a.dx)[x0 + i] = from_float<T>(g);
    }
}

size_t rmsnorm_scratch(int64_t n_rows, int64_t dim)
{
    return (size_t)cuda_blocks(n_rows, CHUNK_ROWS) * (size_t)dim * sizeof(float);
}

template <class T> static void backward(struct dev *dev, const struct rmsnorm_backward_args *a)
{
    unsigned columns = cuda_blocks(a->dim, COLUMNS), chunks = cuda_blocks(a->n_rows, CHUNK_ROWS);
    float *parts = (float *)cuda_scratch(dev, rmsnorm_scratch(a->n_rows, a->dim));
    if (!parts)
        return;
    LAUNCH(weight_parts<T>, dim3(chunks, columns), COLUMNS, 0, cuda_stream(dev), parts, *a);
    LAUNCH(add_parts, columns, COLUMNS, 0, cuda_stream(dev), (float *)a->dw, parts, chunks, a->dim);
    LAUNCH(input_gradient<T>, cuda_blocks(a->n_rows, NORM_ROWS), NORM_THREADS, 0, cuda_stream(dev), *a);
}

void cuda_rmsnorm_backward(struct dev *dev, const struct rmsnorm_backward_args *a)
{
    if (a->n_rows <= 0)
        return;
    if (dev->dtype == DTYPE_F32)
        backward<float>(dev, a);
    else
        backward<bf16>(dev, a);
}
