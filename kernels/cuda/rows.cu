/* rows.cu - embedding, rotary positions, gated activation, sum, conversion: an element a thread. */
#include "kernels/cuda/backend.h"

enum { PER_BLOCK = 256 };

/* The element of this thread; past the end for some of the last block. */
static __device__ __forceinline__ int64_t my_element(void)
{
    return (int64_t)blockIdx.x * PER_BLOCK + threadIdx.x;
}

/* kernel<float or bf16, as W is>, an element a thread. */
#define LAUNCH_W(kernel, n, ...)                                                                             \
    do {                                                                                                     \
        if ((n) <= 0)                                                                                        \
            break;                                                                                           \
        if (dev->dtype == DTYPE_F32)                                                                         \
            LAUNCH(kernel<float>, cuda_blocks(n, PER_BLOCK), PER_BLOCK, 0, cuda_stream(dev), __VA_ARGS__);   \
        else                                                                                                 \
            LAUNCH(kernel<bf16>, cuda_blocks(n, PER_BLOCK), PER_BLOCK, 0, cuda_stream(dev), __VA_ARGS__);    \
    } while (0)

template <class T> static __global__ void embed(struct embedding_args a)
{
    int64_t e = my_element();
    if (e < a.n * a.dim)
        ((float *)a.x)[e] = to_float(((const T *)a.table)[a.tokens[e / a.dim] * a.dim + e % a.dim]);
}

void cuda_embedding(struct dev *dev, const struct embedding_args *a)
{
    LAUNCH_W(embed, a->n * a->dim, *a);
}

/* A block a token and PER_BLOCK columns: the first of its kind adds up all of them, in ascending order. */
static __global__ void embed_backward(struct embedding_backward_args a)
{
    int64_t i = blockIdx.x, d = (int64_t)blockIdx.y * PER_BLOCK + threadIdx.x;
    int32_t token = a.tokens[i];
    for (int64_t j = 0; j < i; j++)
        if (a.tokens[j] == token)
            return;
    if (d >= a.dim)
        return;
    float *to = (float *)a.dtable + token * a.dim + d, sum = *to;
    for (int64_t j = i; j < a.n; j++)
        if (a.tokens[j] == token)
            sum += ((const float *)a.dx)[j * a.dim + d];
    *to = sum;
}

void cuda_embedding_backward(struct dev *dev, const struct embedding_backward_args *a)
{
    if (a->n > 0)
        LAUNCH(embed_backward, dim3((unsigned)a->n, cuda_blocks(a->dim, PER_BLOCK)), PER_BLOCK, 0, cuda_stream(dev), *a);
}

template <class T> static __global__ void rotate(struct rope_args a)
{
    int64_t half = a.head_dim / 2, e = my_element(), i = e / (a.heads * half), h = e / half % a.heads, d = e % half;
    if (i >= a.n)
        return;
    T *x = (T *)a.x + i * a.stride + h * a.head_dim + d;
    float c = ((const float *)a.cos)[a.positions[i] * half + d], s = ((const float *)a.sin)[a.positions[i] * half + d];
    float p = to_float(x[0]), q = to_float(x[half]);
    if (a.inverse)
        s = -s;
    x[0] = from_float<T>(p * c - q * s);
    x[half] = from_float<T>(q * c + p * s);
}

void cuda_rope(struct dev *dev, const struct rope_args *a)
{
    LAUNCH_W(rotate, a->n * a->heads * (a->head_dim / 2), *a);
}

static __device__ __forceinline__ float sigmoid(float x)
{
    return 1.0f / (1.0f + expf(-x));
}

template <class T> static __global__ void gate(struct swiglu_args a)
{
    int64_t e = my_element(), at = e / a.dim * 2 * a.dim + e % a.dim;
    if (e >= a.n * a.dim)
        return;
    float g = to_float(((const T *)a.gate_up)[at]), up = to_float(((const T *)a.gate_up)[at + a.dim]);
    ((T *)a.h)[e] = from_float<T>(g * sigmoid(g) * up);
}

void cuda_swiglu(struct dev *dev, const struct swiglu_args *a)
{
    LAUNCH_W(gate, a->n * a->dim, *a);
}

template <class T> static __global__ void gate_backward(struct swiglu_backward_args a)
{
    int64_t e = my_element(), at = e / a.dim * 2 * a.dim + e % a.dim;
    if (e >= a.n * a.dim)
        return;
    float g = to_float(((const T *)a.gate_up)[at]), up = to_float(((const T *)a.gate_up)[at + a.dim]);
    float dh = to_float(((const T *)a.dh)[e]), s = sigmoid(g);
    ((T *)a.dgate_up)[at] = from_float<T>(dh * up * s * (1.0f + g * (1.0f - s)));
    ((T *)a.dgate_up)[at + a.dim] = from_float<T>(dh * g * s);
}

void cuda_swiglu_backward(struct dev *dev, const struct swiglu_backward_args *a)
{
    LAUNCH_W(gate_backward, a->n * a->dim, *a);
}

template <class T> static __global__ void add_to(float *acc, const T *x, int64_t n)
{
    int64_t e = my_element();
    if (e < n)
        acc[e] += to_float(x[e]);
}

void cuda_add(struct dev *dev, void *acc, const void *x, int64_t n)
{
    if (n <= 0)
        return;
    if (dev->dtype == DTYPE_F32)
        LAUNCH(add_to<float>, cuda_blocks(n, PER_BLOCK), PER_BLOCK, 0, cuda_stream(dev), (float *)acc, (const float *)x, n);
    else
        LAUNCH(add_to<bf16>, cuda_blocks(n, PER_BLOCK), PER_BLOCK, 0, cuda_stream(dev), (float *)acc, (const bf16 *)x, n);
}

static __device__ __forceinline__ double to_double(const void *p, enum dtype t, int64_t i)
{
    return t == DTYPE_F64 ? ((const double *)p)[i] : t == DTYPE_F32 ? (double)((const float *)p)[i] : (double)bf2f(((const bf16 *)p)[i]);
}

static __global__ void convert(void *dst, enum dtype to, const void *src, enum dtype from, int64_t n)
{
    int64_t e = my_element();
    if (e >= n)
        return;
    double x = to_double(src, from, e);
    if (to == DTYPE_F64)
        ((double *)dst)[e] = x;
    else if (to == DTYPE_F32)
        ((float *)dst)[e] = (float)x;
    else
        ((bf16 *)dst)[e] = f2bf((float)x);
}

void cuda_convert(struct dev *dev, void *dst, enum dtype to, const void *src, enum dtype from, int64_t n)
{
    if (n > 0)
        LAUNCH(convert, cuda_blocks(n, PER_BLOCK), PER_BLOCK, 0, cuda_stream(dev), dst, to, src, from, n);
}
