/* rows.cu - embedding, rotary positions, gated activation, sum, conversion: an element a thread. */
#include "kernels/cuda/backend.h"

#include <stdlib.h>

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

/* Positions by their tokens: those of one token, ascending, are order[starts[k]] to order[starts[k + 1]]. */
struct by_token {
    const int32_t *order, *starts;
};

/* A block a token and PER_BLOCK columns: rows are added in ascending order. */
static __global__ void embed_backward(struct embedding_backward_args a, struct by_token by)
{
    int64_t d = (int64_t)blockIdx.y * PER_BLOCK + threadIdx.x;
    int first = by.starts[blockIdx.x], end = by.starts[blockIdx.x + 1];
    if (d >= a.dim)
        return;
    float *to = (float *)a.dtable + a.tokens[by.order[first]] * a.dim + d, sum = *to;
    for (int i = first; i < end; i++)
        sum += ((const float *)a.dx)[by.order[i] * a.dim + d];
    *to = sum;
}

struct position {
    int32_t token, at;
};

static int by_token_then_position(const void *x, const void *y)
{
    const struct position *a = (const struct position *)x, *b = (const struct position *)y;
    if (a->token != b->token)
        return a->token < b->token ? -1 : 1;
    return a->at < b->at ? -1 : 1;
}

/* The order in lists[0 .. n), the starts behind it; returns how many tokens there are. */
static int32_t sort_by_token(const int32_t *tokens, struct position *p, int32_t *lists, int32_t n)
{
    int32_t *order = lists, *starts = lists + n, n_tokens = 0;
    for (int32_t i = 0; i < n; i++)
        p[i] = {tokens[i], i};
    qsort(p, (size_t)n, sizeof *p, by_token_then_position);
    for (int32_t i = 0; i < n; i++) {
        order[i] = p[i].at;
        if (i == 0 || p[i].token != p[i - 1].token)
            starts[n_tokens++] = i;
    }
    starts[n_tokens] = n;
    return n_tokens;
}

void cuda_embedding_backward(struct dev *dev, const struct embedding_backward_args *a)
{
    size_t n = (size_t)a->n;
    if (n == 0)
        return;
    int32_t *tokens = (int32_t *)calloc(n, sizeof *tokens), *lists = (int32_t *)calloc(2 * n + 1, sizeof *lists);
    struct position *p = (struct position *)malloc(n * sizeof *p);
    if (tokens && lists && p) {
        cuda_download(dev, tokens, a->tokens, n * sizeof *tokens);
        unsigned n_tokens = (unsigned)sort_by_token(tokens, p, lists, (int32_t)n);
        const int32_t *sent = (const int32_t *)cuda_stage(dev, lists, (2 * n + 1) * sizeof *lists);
        if (sent)
            LAUNCH(embed_backward, dim3(n_tokens, cuda_blocks(a->dim, PER_BLOCK)), PER_BLOCK, 0, cuda_stream(dev), *a,
                   by_token{sent, sent + n});
    } else {
        cuda_fail(dev, "out of memory");
    }
    free(tokens);
    free(lists);
    free(p);
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
