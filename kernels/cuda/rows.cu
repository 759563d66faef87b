/* rows.cu - embedding, rotary positions, gated activation, sum, conversion. */
#include "kernels/cuda/backend.h"

#include <stdlib.h>

enum { PER_BLOCK = 256 };

/* The element of this thread; past the end for some of the last block. */
static __device__ __forceinline__ int64_t my_element(void)
{
    return (int64_t)blockIdx.x * PER_BLOCK + threadIdx.x;
}

/* kernel<float or bf16, as W is> */
#define LAUNCH_W(kernel, grid, threads, ...)                                          \
    do {                                                                              \
        if (dev->dtype == DTYPE_F32)                                                  \
            LAUNCH(kernel<float>, grid, threads, 0, cuda_stream(dev), __VA_ARGS__);   \
        else                                                                          \
            LAUNCH(kernel<bf16>, grid, threads, 0, cuda_stream(dev), __VA_ARGS__);    \
    } while (0)

/* A block a row. */
template <class T> static __global__ void embed(struct embedding_args a)
{
    const T *from = (const T *)a.table + a.tokens[blockIdx.x] * a.dim;
    float *to = (float *)a.x + blockIdx.x * a.dim;
    for (int64_t d = threadIdx.x; d < a.dim; d += PER_BLOCK)
        to[d] = to_float(from[d]);
}

void cuda_embedding(struct dev *dev, const struct embedding_args *a)
{
    if (a->n > 0)
        LAUNCH_W(embed, (unsigned)a->n, PER_BLOCK, *a);
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

/* A block a row: its heads' pairs, in 32 bits (a division of 64 would take longer than the bytes). */
template <class T> static __global__ void rotate(struct rope_args a)
{
    int half = (int)a.head_dim / 2;
    int64_t i = blockIdx.x, at = a.positions[i] * (int64_t)half;
    for (int e = threadIdx.x; e < (int)a.heads * half; e += PER_BLOCK) {
        int h = e / half, d = e % half;
        T *x = (T *)a.x + i * a.stride + h * a.head_dim + d;
        float c = ((const float *)a.cos)[at + d], s = ((const float *)a.sin)[at + d];
        float p = to_float(x[0]), q = to_float(x[half]);
        if (a.inverse)
            s = -s;
        x[0] = from_float<T>(p * c - q * s);
        x[half] = from_float<T>(q * c + p * s);
    }
}

void cuda_rope(struct dev *dev, const struct rope_args *a)
{
    if (a->n > 0)
        LAUNCH_W(rotate, (unsigned)a->n, PER_BLOCK, *a);
}

static __device__ __forceinline__ float sigmoid(float x)
{
    return 1.0f / (1.0f + expf(-x));
}

/* The gated activation takes eight columns of a row a thread, which keeps enough bytes under way. */
enum { GATE_THREADS = 128, GATE_COLUMNS = GATE_THREADS * 8 };

/* n of eight, all at once if whole. */
template <class T> static __device__ __forceinline__ void get8(float x[8], const T *from, int64_t n, bool whole)
{
    if (whole)
        read8(x, from);
#pragma unroll
    for (int i = 0; i < 8; i++)
        if (!whole)
            x[i] = i < n ? to_float(from[i]) : 0.0f;
}

template <class T> static __device__ __forceinline__ void put8(T *to, const float x[8], int64_t n, bool whole)
{
    if (whole)
        write8(to, x);
#pragma unroll
    for (int i = 0; i < 8; i++)
        if (!whole && i < n)
            to[i] = from_float<T>(x[i]);
}

template <class T> static __global__ void __launch_bounds__(GATE_THREADS) gate(struct swiglu_args a, bool whole)
{
    int64_t d = (int64_t)blockIdx.y * GATE_COLUMNS + threadIdx.x * 8, n = a.dim - d;
    const T *row = (const T *)a.gate_up + blockIdx.x * 2 * a.dim + d;
    float g[8], up[8], h[8];
    if (n <= 0)
        return;
    get8(g, row, n, whole);
    get8(up, row + a.dim, n, whole);
#pragma unroll
    for (int i = 0; i < 8; i++)
        h[i] = g[i] * sigmoid(g[i]) * up[i];
    put8((T *)a.h + blockIdx.x * a.dim + d, h, n, whole);
}

/* Whether rows of dim may be read and written eight at a time. */
static bool whole_rows(int64_t dim, const void *x, const void *y, const void *z)
{
    return dim % 8 == 0 && ((uintptr_t)x | (uintptr_t)y | (uintptr_t)z) % 16 == 0;
}

void cuda_swiglu(struct dev *dev, const struct swiglu_args *a)
{
    if (a->n > 0)
        LAUNCH_W(gate, dim3((unsigned)a->n, cuda_blocks(a->dim, GATE_COLUMNS)), GATE_THREADS, *a,
                 whole_rows(a->dim, a->h, a->gate_up, NULL));
}

/* A thread reads all that it then writes: dgate_up may be gate_up. */
template <class T>
static __global__ void __launch_bounds__(GATE_THREADS) gate_backward(struct swiglu_backward_args a, bool whole)
{
    int64_t d = (int64_t)blockIdx.y * GATE_COLUMNS + threadIdx.x * 8, n = a.dim - d, at = blockIdx.x * 2 * a.dim + d;
    float g[8], up[8], dh[8];
    if (n <= 0)
        return;
    get8(g, (const T *)a.gate_up + at, n, whole);
    get8(up, (const T *)a.gate_up + at + a.dim, n, whole);
    get8(dh, (const T *)a.dh + blockIdx.x * a.dim + d, n, whole);
#pragma unroll
    for (int i = 0; i < 8; i++) {
        float s = sigmoid(g[i]), gate = g[i];
        g[i] = dh[i] * up[i] * s * (1.0f + gate * (1.0f - s));
        up[i] = dh[i] * gate * s;
    }
    put8((T *)a.dgate_up + at, g, n, whole);
    put8((T *)a.dgate_up + at + a.dim, up, n, whole);
}

void cuda_swiglu_backward(struct dev *dev, const struct swiglu_backward_args *a)
{
    if (a->n > 0)
        LAUNCH_W(gate_backward, dim3((unsigned)a->n, cuda_blocks(a->dim, GATE_COLUMNS)), GATE_THREADS, *a,
                 whole_rows(a->dim, a->dgate_up, a->gate_up, a->dh));
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
    if (to == DTYPE_BF16 && from == DTYPE_F32) {
        ((bf16 *)dst)[e] = f2bf(((const float *)src)[e]);
        return;
    }
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
