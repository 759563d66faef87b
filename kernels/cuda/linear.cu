/* linear.cu - matrix products C[M, N] = sum over k of A(m, k) B(n, k), and the bias.
 *
 * bf16 by cuBLASLt where blas.cu finds exact algorithms, else on the tensor cores here; fp32 in multiply-adds.  An element
 * of C is one chain over ascending k in one block, however large M is: rows do not depend on the rows beside them.
 */
#include "kernels/cuda/int8.h"

enum { TILE_M = 64, TILE_N = 64, TILE_K = 32, GEMM_THREADS = 128 };

/* --- bf16 --- */

/* A tile in memory order: k along the row (ROWS x TILE_K), or k down (TILE_K x ROWS). */
template <bool K_DOWN> struct shape_of_tile {
    static const int rows = K_DOWN ? TILE_K : TILE_M, cols = K_DOWN ? TILE_M : TILE_K, ld = cols + 8;
};

template <bool K_DOWN>
static __device__ __forceinline__ void load_tile(bf16 *to, const struct operand *x, int64_t at, int64_t k0, int64_t K)
{
    typedef shape_of_tile<K_DOWN> tile;
    int64_t row0 = K_DOWN ? k0 : at, col0 = K_DOWN ? at : k0;
    int64_t n_rows = K_DOWN ? K : x->n, n_cols = K_DOWN ? x->n : K;
#pragma unroll
    for (int i = 0; i < tile::rows * tile::cols / 8 / GEMM_THREADS; i++) {
        int e = i * GEMM_THREADS + threadIdx.x, r = e / (tile::cols / 8), c = e % (tile::cols / 8) * 8;
        int64_t row = row0 + r, col = col0 + c;
        bool there = row < n_rows && col < n_cols;
        const bf16 *from = (const bf16 *)x->p + (there ? row * x->ld + col : 0);
        bf16 *dst = to + r * tile::ld + c;
        if (x->whole) { /* then n_cols is a multiple of 8 */
            cp_async16(dst, from, there);
            continue;
        }
#pragma unroll
        for (int j = 0; j < 8; j++)
            dst[j] = there && col + j < n_cols ? from[j] : f2bf(0.0f);
    }
}

/* 16 rows of A, k step kk. */
template <bool K_DOWN>
static __device__ __forceinline__ void load_a(uint32_t a[4], const bf16 *tile, int m, int kk)
{
    const int ld = shape_of_tile<K_DOWN>::ld, lane = threadIdx.x & 31;
    if (K_DOWN)
        ldmatrix_x4_trans(a, tile + (kk * 16 + (lane & 7) + (lane >> 4) * 8) * ld + m + (lane >> 3 & 1) * 8);
    else
        ldmatrix_x4(a, tile + (m + (lane & 15)) * ld + kk * 16 + (lane >> 4) * 8);
}

/* 16 columns of B, k step kk: b[0], b[1] of the first 8, b[2], b[3] of the others. */
template <bool K_DOWN>
static __device__ __forceinline__ void load_b(uint32_t b[4], const bf16 *tile, int n, int kk)
{
    const int ld = shape_of_tile<K_DOWN>::ld, lane = threadIdx.x & 31;
    if (K_DOWN)
        ldmatrix_x4_trans(b, tile + (kk * 16 + (lane & 15)) * ld + n + (lane >> 4) * 8);
    else
        ldmatrix_x4(b, tile + (n + (lane & 7) + (lane >> 4) * 8) * ld + kk * 16 + (lane >> 3 & 1) * 8);
}

template <class T> static __device__ __forceinline__ void put(const struct product *g, int64_t m, int64_t n, float x)
{
    if (m >= g->M || n >= g->N)
        return;
    T *c = (T *)g->c + m * g->N + n;
    *c = from_float<T>(g->accumulate ? to_float(*c) + x : x);
}

static __device__ __forceinline__ void put4(float *to, float4 x, int accumulate)
{
    if (accumulate) {
        float4 old = load16(to);
        x = {old.x + x.x, old.y + x.y, old.z + x.z, old.w + x.w};
    }
    store16(to, x);
}

static __device__ __forceinline__ void put4(bf16 *to, float4 x, int accumulate)
{
    if (accumulate)
        x = {bf2f(to[0]) + x.x, bf2f(to[1]) + x.y, bf2f(to[2]) + x.z, bf2f(to[3]) + x.w};
    store8(to, {pack_bf16(x.x, x.y), pack_bf16(x.z, x.w)});
}

enum { TILE_LD = TILE_N + 8 }; /* of C in shared memory, floats */

/* C goes out by way of shared memory, so that a warp stores whole rows. */
template <class OUT>
static __device__ __forceinline__ void store_tile(const struct product *g, const float *tile, int64_t m0, int64_t n0)
{
#pragma unroll
    for (int i = 0; i < TILE_M * TILE_N / 4 / GEMM_THREADS; i++) {
        int e = i * GEMM_THREADS + threadIdx.x, r = e / (TILE_N / 4), c = e % (TILE_N / 4) * 4;
        float4 x = load16(tile + r * TILE_LD + c);
        int64_t m = m0 + r, n = n0 + c;
        if (g->bias) {
            const bf16 *bias = (const bf16 *)g->bias;
            x.x += n < g->N ? bf2f(bias[n]) : 0.0f;
            x.y += n + 1 < g->N ? bf2f(bias[n + 1]) : 0.0f;
            x.z += n + 2 < g->N ? bf2f(bias[n + 2]) : 0.0f;
            x.w += n + 3 < g->N ? bf2f(bias[n + 3]) : 0.0f;
        }
        if (!g->whole) {
            put<OUT>(g, m, n, x.x);
            put<OUT>(g, m, n + 1, x.y);
            put<OUT>(g, m, n + 2, x.z);
            put<OUT>(g, m, n + 3, x.w);
        } else if (m < g->M && n < g->N) {
            put4((OUT *)g->c + m * g->N + n, x, g->accumulate);
        }
    }
}

/* Four warps, a quarter of the tile each; operands two steps of k ahead. */
template <class OUT, bool A_DOWN, bool B_DOWN>
static __global__ void __launch_bounds__(GEMM_THREADS, 2) gemm_bf16(struct product g)
{
    DYN_SMEM(smem);
    const int a_size = shape_of_tile<A_DOWN>::rows * shape_of_tile<A_DOWN>::ld;
    const int b_size = shape_of_tile<B_DOWN>::rows * shape_of_tile<B_DOWN>::ld;
    bf16 *sa = (bf16 *)smem, *sb = sa + 2 * a_size;
    int64_t m0 = (int64_t)blockIdx.x * TILE_M, n0 = (int64_t)blockIdx.y * TILE_N;
    int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, wm = (warp & 1) * 32, wn = (warp >> 1) * 32;
    int64_t steps = (g.K + TILE_K - 1) / TILE_K;
    float acc[2][4][4] = {};
    load_tile<A_DOWN>(sa, &g.a, m0, 0, g.K);
    load_tile<B_DOWN>(sb, &g.b, n0, 0, g.K);
    cp_async_commit();
    for (int64_t s = 0; s < steps; s++) {
        const bf16 *ta = sa + (s & 1) * a_size, *tb = sb + (s & 1) * b_size;
        cp_async_wait(0);
        __syncthreads(); /* this step's tiles are here, the last one's are free */
        if (s + 1 < steps) {
            load_tile<A_DOWN>(sa + (~s & 1) * a_size, &g.a, m0, (s + 1) * TILE_K, g.K);
            load_tile<B_DOWN>(sb + (~s & 1) * b_size, &g.b, n0, (s + 1) * TILE_K, g.K);
        }
        cp_async_commit();
#pragma unroll
        for (int kk = 0; kk < TILE_K / 16; kk++) {
            uint32_t a[2][4], b[2][4];
#pragma unroll
            for (int i = 0; i < 2; i++) {
                load_a<A_DOWN>(a[i], ta, wm + i * 16, kk);
                load_b<B_DOWN>(b[i], tb, wn + i * 16, kk);
            }
#pragma unroll
            for (int i = 0; i < 2; i++)
#pragma unroll
                for (int j = 0; j < 4; j++)
                    mma_m16n8k16_bf16(acc[i][j], a[i], b[j >> 1][(j & 1) * 2], b[j >> 1][(j & 1) * 2 + 1]);
        }
    }
    cp_async_wait(0);
    __syncthreads(); /* the operands are not needed any more */
    float *tile = (float *)smem;
#pragma unroll
    for (int i = 0; i < 2; i++)
#pragma unroll
        for (int j = 0; j < 4; j++)
#pragma unroll
            for (int r = 0; r < 2; r++)
                store8(tile + (wm + i * 16 + (lane >> 2) + r * 8) * TILE_LD + wn + j * 8 + (lane & 3) * 2,
                       {__float_as_uint(acc[i][j][2 * r]), __float_as_uint(acc[i][j][2 * r + 1])});
    __syncthreads();
    store_tile<OUT>(&g, tile, m0, n0);
}

/* --- fp32 --- */

enum { SQUARE = 32, SQUARE_THREADS = 256 };

/* Element (i, k) of an operand, 0 outside. */
template <bool K_DOWN>
static __device__ __forceinline__ float element(const struct operand *x, int64_t i, int64_t k, int64_t K)
{
    if (i >= x->n || k >= K)
        return 0.0f;
    return ((const float *)x->p)[K_DOWN ? k * x->ld + i : i * x->ld + k];
}

/* The same of B's bytes, without the scale. */
static __device__ __forceinline__ float byte_element(const struct product *g, int64_t n, int64_t k)
{
    if (n >= g->N || k >= g->K)
        return 0.0f;
    return (float)((int)int8_bytes(g->packed, g->N)[int8_at(n, k, g->K)] - INT8_ZERO);
}

template <bool A_DOWN, bool B_DOWN>
static __global__ void __launch_bounds__(SQUARE_THREADS) gemm_f32(struct product g)
{
    DYN_SMEM(smem);
    float(*sa)[SQUARE + 1] = (float(*)[SQUARE + 1])smem, (*sb)[SQUARE + 1] = sa + SQUARE;
    int64_t m0 = (int64_t)blockIdx.x * SQUARE, n0 = (int64_t)blockIdx.y * SQUARE;
    int x = threadIdx.x & 31, y = threadIdx.x >> 5; /* a warp holds four rows, a lane a column of C */
    float acc[4] = {};
    for (int64_t k0 = 0; k0 < g.K; k0 += SQUARE) {
#pragma unroll
        for (int r = y; r < SQUARE; r += 8) { /* neighbouring lanes read neighbours in memory */
            if (A_DOWN)
                sa[x][r] = element<true>(&g.a, m0 + x, k0 + r, g.K);
            else
                sa[r][x] = element<false>(&g.a, m0 + r, k0 + x, g.K);
            if (B_DOWN)
                sb[x][r] = element<true>(&g.b, n0 + x, k0 + r, g.K);
            else
                sb[r][x] = g.packed ? byte_element(&g, n0 + r, k0 + x) : element<false>(&g.b, n0 + r, k0 + x, g.K);
        }
        __syncthreads();
        for (int k = 0; k < SQUARE; k++)
#pragma unroll
            for (int i = 0; i < 4; i++)
                acc[i] = fmaf(sa[y + i * 8][k], sb[x][k], acc[i]);
        __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < 4; i++) {
        float bias = g.bias && n0 + x < g.N ? ((const float *)g.bias)[n0 + x] : 0.0f;
        float scale = g.packed && n0 + x < g.N ? ((const float *)g.packed)[n0 + x] : 1.0f;
        put<float>(&g, m0 + y + i * 8, n0 + x, acc[i] * scale + bias);
    }
}

/* --- launchers --- */

static struct operand operand(const void *p, int64_t ld, int64_t n, bool k_down, int64_t K)
{
    int64_t cols = k_down ? n : K;
    struct operand x = {p, ld, n, cols % 8 == 0 && ld % 8 == 0 && (uintptr_t)p % 16 == 0};
    return x;
}

template <bool A_DOWN, bool B_DOWN> static void run(struct dev *dev, const struct product *g, bool out_acc)
{
    if (g->M <= 0 || g->N <= 0)
        return;
    if (dev->dtype == DTYPE_F32) {
        LAUNCH((gemm_f32<A_DOWN, B_DOWN>), dim3(cuda_blocks(g->M, SQUARE), cuda_blocks(g->N, SQUARE)), SQUARE_THREADS,
               2 * SQUARE * (SQUARE + 1) * sizeof(float), cuda_stream(dev), *g);
        return;
    }
    static_assert(TILE_M * TILE_LD * sizeof(float) <= 2 * sizeof(bf16) * (2 * TILE_K * (TILE_N + 8)), "C has its room");
    struct product whole = *g;
    whole.whole = g->N % 4 == 0 && (uintptr_t)g->c % 16 == 0;
    if (cuda_blas(dev, g, {A_DOWN, B_DOWN, out_acc}))
        return;
    dim3 grid(cuda_blocks(g->M, TILE_M), cuda_blocks(g->N, TILE_N));
    size_t smem = 2 * sizeof(bf16) * (size_t)(shape_of_tile<A_DOWN>::rows * shape_of_tile<A_DOWN>::ld +
                                              shape_of_tile<B_DOWN>::rows * shape_of_tile<B_DOWN>::ld);
    if (out_acc)
        LAUNCH((gemm_bf16<float, A_DOWN, B_DOWN>), grid, GEMM_THREADS, smem, cuda_stream(dev), whole);
    else
        LAUNCH((gemm_bf16<bf16, A_DOWN, B_DOWN>), grid, GEMM_THREADS, smem, cuda_stream(dev), whole);
}

void cuda_linear(struct dev *dev, const struct linear_args *a)
{
    const void *bytes = a->packing == PACK_INT8 ? a->packed : NULL;
    struct product g = {operand(a->x, a->K, a->M, false, a->K), operand(a->w, a->K, a->N, false, a->K),
                        a->y, a->bias, bytes, a->M, a->N, a->K, a->accumulate};
    if (bytes && dev->dtype == DTYPE_BF16)
        cuda_int8_linear(dev, a);
    else
        run<false, false>(dev, &g, a->y_acc);
}

void cuda_linear_backward_input(struct dev *dev, const struct linear_backward_input_args *a)
{
    struct product g = {operand(a->dy, a->N, a->M, false, a->N), operand(a->w, a->K, a->K, true, a->N),
                        a->dx, NULL, NULL, a->M, a->K, a->N, a->accumulate};
    run<false, true>(dev, &g, a->dx_acc);
}

/* A column of dy a thread, rows in ascending order. */
template <class T> static __global__ void bias_gradient(float *dbias, const T *dy, int64_t M, int64_t N)
{
    int64_t n = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (n >= N)
        return;
    float sum = 0.0f;
    for (int64_t m = 0; m < M; m++)
        sum += to_float(dy[m * N + n]);
    dbias[n] += sum;
}

void cuda_linear_backward_weight(struct dev *dev, const struct linear_backward_weight_args *a)
{
    struct product g = {operand(a->dy, a->N, a->N, true, a->M), operand(a->x, a->K, a->K, true, a->M),
                        a->dw, NULL, NULL, a->N, a->K, a->M, 1};
    run<true, true>(dev, &g, true);
    if (!a->dbias || a->N <= 0)
        return;
    if (dev->dtype == DTYPE_F32)
        LAUNCH(bias_gradient<float>, cuda_blocks(a->N, 64), 64, 0, cuda_stream(dev), (float *)a->dbias,
               (const float *)a->dy, a->M, a->N);
    else
        LAUNCH(bias_gradient<bf16>, cuda_blocks(a->N, 64), 64, 0, cuda_stream(dev), (float *)a->dbias,
               (const bf16 *)a->dy, a->M, a->N);
}
