/* int8.cu - weights as bytes with a scale a row, for decoding, which is bound by reading them.
 *
 * Bytes become bf16 in registers, which is exact, and go through the tensor cores; the scale multiplies the sum.  Eight warps
 * take every eighth tile of k each, and their sums are added in the order of the warps: the order of an element's sum depends
 * on k alone, whatever the number of rows and however many of them a block takes.
 */
#include "kernels/cuda/int8.h"

enum { PACK_THREADS = 128, INT8_WARPS = 8, INT8_THREADS = INT8_WARPS * 32 };

/* --- packing: a warp a row, a lane 16 of a tile's k --- */

template <class T> static __device__ __forceinline__ float largest(const T *row, int64_t K)
{
    float max = 0.0f;
    for (int64_t k = threadIdx.x & 31; k < K; k += 32)
        max = fmaxf(max, fabsf(to_float(row[k])));
    return warp_max(max);
}

/* Eight bytes of a row from k on: two words. */
template <class T>
static __device__ __forceinline__ void bytes_of(uint32_t words[2], const T *row, int64_t k, int64_t K, float max, bool whole)
{
    float x[8] = {};
    if (whole && k < K)
        read8(x, row + k);
#pragma unroll
    for (int i = 0; i < 8; i++) {
        if (!whole && k + i < K)
            x[i] = to_float(row[k + i]);
        words[i / 4] |= (uint32_t)((int)(max > 0.0f ? rintf(x[i] * 127.0f / max) : 0.0f) + INT8_ZERO) << i % 4 * 8;
    }
}

template <class T>
static __global__ void __launch_bounds__(PACK_THREADS) pack_bytes(void *packed, const T *w, int64_t N, int64_t K, bool whole)
{
    int64_t n = (int64_t)blockIdx.x * (PACK_THREADS / 32) + (threadIdx.x >> 5), all = int8_tiles(N, INT8_ROWS) * INT8_ROWS;
    int lane = threadIdx.x & 31;
    if (n >= all)
        return;
    const T *row = w + (n < N ? n * K : 0);
    float max = n < N ? largest(row, K) : 0.0f;
    uint8_t *bytes = (uint8_t *)packed + all * (int64_t)sizeof(float);
    if (lane == 0)
        ((float *)packed)[n] = max / 127.0f;
    for (int64_t k = lane / 4 * INT8_DEPTH + lane % 4 * 8; k < int8_tiles(K, INT8_DEPTH) * INT8_DEPTH; k += 8 * INT8_DEPTH) {
        uint32_t words[4] = {};
        bytes_of(words, row, k, K, max, whole);
        bytes_of(words + 2, row, k + 32, K, max, whole);
        store16((float *)(bytes + int8_at(n, k, K)), {__uint_as_float(words[0]), __uint_as_float(words[1]),
                                                      __uint_as_float(words[2]), __uint_as_float(words[3])});
    }
}

size_t cuda_packed_bytes(struct dev *dev, int64_t N, int64_t K, enum packing how)
{
    int64_t rows = int8_tiles(N, INT8_ROWS) * INT8_ROWS;
    (void)dev;
    return how == PACK_INT8 ? (size_t)rows * ((size_t)int8_tiles(K, INT8_DEPTH) * INT8_DEPTH + sizeof(float)) : 0;
}

void cuda_pack_weight(struct dev *dev, void *packed, const void *w, int64_t N, int64_t K, enum packing how)
{
    if (how != PACK_INT8 || N <= 0)
        return;
    unsigned blocks = cuda_blocks(int8_tiles(N, INT8_ROWS) * INT8_ROWS, PACK_THREADS / 32);
    bool whole = K % 8 == 0 && (uintptr_t)w % 16 == 0;
    if (dev->dtype == DTYPE_F32)
        LAUNCH(pack_bytes<float>, blocks, PACK_THREADS, 0, cuda_stream(dev), packed, (const float *)w, N, K,
               whole);
    else
        LAUNCH(pack_bytes<bf16>, blocks, PACK_THREADS, 0, cuda_stream(dev), packed, (const bf16 *)w, N, K,
               whole);
}

/* --- products --- */

struct bytes_product {
    void *y;
    const bf16 *x, *bias;
    const float *scales;
    const uint8_t *bytes;
    int64_t M, N, K, depth; /* tiles of k */
    int accumulate, y_acc;
    int whole; /* x may be read 16 bytes at a time */
};

/* Bytes first and first + 1 of four, as two bf16: 2^23 + byte as a float, less 2^23 + 128, has no more bits than bf16. */
static __device__ __forceinline__ uint32_t two_bf16(uint32_t bytes, int first)
{
    const uint32_t high = 0x4b000000u;
    float low = __uint_as_float(__byte_perm(bytes, high, 0x7440 + first)) - 8388736.0f;
    float next = __uint_as_float(__byte_perm(bytes, high, 0x7441 + first)) - 8388736.0f;
    return __byte_perm(__float_as_uint(low), __float_as_uint(next), 0x7632);
}

/* Eight of row m of x from k on, zeros where there is nothing. */
static __device__ __forceinline__ void load_x(uint32_t to[4], const struct bytes_product *g, int64_t m, int64_t k)
{
    const bf16 *row = g->x + m * g->K;
    if (m < g->M && g->whole && k < g->K) { /* then K is a multiple of 8 */
        float4 v = load16((const float *)(row + k));
        to[0] = __float_as_uint(v.x), to[1] = __float_as_uint(v.y);
        to[2] = __float_as_uint(v.z), to[3] = __float_as_uint(v.w);
        return;
    }
#pragma unroll
    for (int i = 0; i < 4; i++) {
        int64_t at = k + i * 2;
        bool there = m < g->M && !g->whole;
        to[i] = pack_bf16(there && at < g->K ? bf2f(row[at]) : 0.0f, there && at + 1 < g->K ? bf2f(row[at + 1]) : 0.0f);
    }
}

/* The operands of COLS tiles of 16 rows of w, of one tile of k. */
template <int COLS> struct weights {
    float4 half[COLS][2];
};

template <int COLS>
static __device__ __forceinline__ void load_weights(struct weights<COLS> *w, const struct bytes_product *g, int64_t n0,
                                                    int64_t tile)
{
    int lane = threadIdx.x & 31;
#pragma unroll
    for (int i = 0; i < COLS; i++) {
        if (n0 + i * INT8_ROWS >= g->N)
            return;
        const uint8_t *from = g->bytes + (n0 / INT8_ROWS + i) * g->depth * INT8_TILE + tile * INT8_TILE + lane * 16;
        w->half[i][0] = load16((const float *)from);
        w->half[i][1] = load16((const float *)(from + INT8_TILE / 2));
    }
}

static __device__ __forceinline__ uint32_t word(float4 x, int i)
{
    return __float_as_uint(i == 0 ? x.x : i == 1 ? x.y : i == 2 ? x.z : x.w);
}

/* acc[COLS][ROWS] += a tile of k; of x rows m0 + 8 j of this lane's operand. */
template <int COLS, int ROWS>
static __device__ __forceinline__ void multiply_tile(float acc[COLS][ROWS][4], const struct weights<COLS> *w,
                                                     const struct bytes_product *g, int64_t m0, int64_t k0)
{
    int lane = threadIdx.x & 31;
#pragma unroll
    for (int half = 0; half < 2; half++) {
        uint32_t x[ROWS][4];
#pragma unroll
        for (int j = 0; j < ROWS; j++)
            load_x(x[j], g, m0 + j * 8 + (lane >> 2), k0 + half * 32 + (lane & 3) * 8);
#pragma unroll
        for (int s = 0; s < 2; s++)
#pragma unroll
            for (int i = 0; i < COLS; i++) {
                uint32_t upper = word(w->half[i][0], half * 2 + s), lower = word(w->half[i][1], half * 2 + s);
                uint32_t a[4] = {two_bf16(upper, 0), two_bf16(lower, 0), two_bf16(upper, 2), two_bf16(lower, 2)};
#pragma unroll
                for (int j = 0; j < ROWS; j++)
                    mma_m16n8k16_bf16(acc[i][j], a, x[j][2 * s], x[j][2 * s + 1]);
            }
    }
}

/* The warps' sums of an element, in their order, to y. */
static __device__ __forceinline__ void store_sum(const struct bytes_product *g, const float *of_warps, int64_t stride, int64_t m,
                                                 int64_t n)
{
    float sum = 0.0f;
#pragma unroll
    for (int w = 0; w < INT8_WARPS; w++)
        sum += of_warps[w * stride];
    sum = sum * g->scales[n] + (g->bias ? bf2f(g->bias[n]) : 0.0f);
    if (g->y_acc) {
        float *y = (float *)g->y + m * g->N + n;
        *y = g->accumulate ? *y + sum : sum;
    } else {
        bf16 *y = (bf16 *)g->y + m * g->N + n;
        *y = f2bf(g->accumulate ? bf2f(*y) + sum : sum);
    }
}

/* A block 16 COLS columns of y and 8 ROWS of its rows. */
template <int COLS, int ROWS>
static __global__ void __launch_bounds__(INT8_THREADS, 2) multiply_bytes(struct bytes_product g)
{
    DYN_SMEM(smem);
    const int n_cols = COLS * INT8_ROWS, n_rows = ROWS * 8, ld = n_cols + 4;
    int64_t n0 = (int64_t)blockIdx.y * n_cols, m0 = (int64_t)blockIdx.x * n_rows;
    int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
    float acc[COLS][ROWS][4] = {};
    struct weights<COLS> now = {}, next = {};
    if (warp < g.depth)
        load_weights<COLS>(&now, &g, n0, warp);
    for (int64_t t = warp; t < g.depth; t += INT8_WARPS) {
        if (t + INT8_WARPS < g.depth)
            load_weights<COLS>(&next, &g, n0, t + INT8_WARPS);
        multiply_tile<COLS, ROWS>(acc, &now, &g, m0, t * INT8_DEPTH);
        now = next;
    }
    float *sums = (float *)smem, *own = sums + warp * n_rows * ld;
#pragma unroll
    for (int i = 0; i < COLS; i++)
#pragma unroll
        for (int j = 0; j < ROWS; j++)
#pragma unroll
            for (int e = 0; e < 4; e++)
                own[(j * 8 + (lane & 3) * 2 + (e & 1)) * ld + i * INT8_ROWS + (lane >> 2) + (e >> 1) * 8] = acc[i][j][e];
    __syncthreads();
    for (int e = threadIdx.x; e < n_cols * n_rows; e += INT8_THREADS) {
        int m = e / n_cols, n = e % n_cols;
        if (m0 + m < g.M && n0 + n < g.N)
            store_sum(&g, sums + m * ld + n, n_rows * ld, m0 + m, n0 + n);
    }
}

template <int COLS, int ROWS> static void multiply(struct dev *dev, const struct bytes_product *g)
{
    dim3 grid(cuda_blocks(g->M, ROWS * 8), cuda_blocks(g->N, COLS * INT8_ROWS)); /* the rows of a weight together */
    size_t smem = (size_t)INT8_WARPS * ROWS * 8 * (COLS * INT8_ROWS + 4) * sizeof(float);
    LAUNCH((multiply_bytes<COLS, ROWS>), grid, INT8_THREADS, smem, cuda_stream(dev), *g);
}

void cuda_int8_linear(struct dev *dev, const struct linear_args *a)
{
    struct bytes_product g = {a->y, (const bf16 *)a->x, (const bf16 *)a->bias, (const float *)a->packed,
                              int8_bytes(a->packed, a->N), a->M, a->N, a->K, int8_tiles(a->K, INT8_DEPTH),
                              a->accumulate, a->y_acc, a->K % 8 == 0 && (uintptr_t)a->x % 16 == 0};
    if (a->M <= 0 || a->N <= 0)
        return;
    if (a->M <= 8) /* more blocks, so that all processors read */
        multiply<1, 1>(dev, &g);
    else
        multiply<2, 4>(dev, &g);
}
