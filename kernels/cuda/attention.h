/* attention.h - what the attention kernels share: tiles in shared memory, and the softmax of 16
 * queries over tiles of keys.
 *
 * A warp holds 16 queries.  Keys come in tiles of KEYS at absolute positions of their sequence, and
 * every query walks the tiles it can see in ascending order; a tile that is masked for a query leaves
 * its bits alone.  So a row's result is the same whichever rows share its block, and the same from a
 * packed batch and from the cache (FlashAttention's scheme, Dao, arXiv:2307.08691, with a fixed split).
 *
 * head_dim is padded with zeros to HD, 64 or 128.
 */
#ifndef TP_KERNELS_CUDA_ATTENTION_H
#define TP_KERNELS_CUDA_ATTENTION_H

#include "kernels/cuda/gpu.h"
#include "kernels/ops.h"

enum { KEYS = 64, THREADS = 128, WARPS = 4 };
#define LOG2E 1.44269504088896341f
#define LN2 0.693147180559945309f

/* A row of a tile is padded: ldmatrix then touches every bank once. */
#define ROW(HD) ((HD) + 8)

/* Rows of one head; row j begins at at + j * stride, or with pages of a cache at
 * at + pages[j / KV_PAGE] * page + j % KV_PAGE * stride. */
struct rows {
    const bf16 *at;
    const int32_t *pages; /* or NULL */
    int64_t stride, page;
    int n, head_dim; /* rows from n on are zeros */
    int whole;       /* rows may be read 16 bytes at a time */
};
static_assert(KEYS == KV_PAGE, "a tile of keys is a page of the cache");

static __device__ __forceinline__ const bf16 *row_at(const struct rows *r, int first)
{
    return r->at + (r->pages ? r->pages[first / KV_PAGE] * r->page : first * r->stride);
}

/* Rows [first, first + COUNT) to shared memory, zeros where there are none; of pages, one.  Every thread of the
 * block takes part; the caller commits and waits. */
template <int HD, int COUNT>
static __device__ __forceinline__ void load_rows(bf16 *to, const struct rows *r, int first)
{
    const bf16 *tile = row_at(r, first);
#pragma unroll
    for (int e = threadIdx.x; e < COUNT * (HD / 8); e += THREADS) {
        int row = e / (HD / 8), col = e % (HD / 8) * 8;
        bool there = first + row < r->n && col < r->head_dim;
        const bf16 *from = there ? tile + row * r->stride + col : r->at;
        bf16 *at = to + row * ROW(HD) + col;
        if (r->whole) {
            cp_async16(at, from, there);
            continue;
        }
#pragma unroll
        for (int i = 0; i < 8; i++)
            at[i] = there && col + i < r->head_dim ? from[i] : f2bf(0.0f);
    }
}

/* The 16 rows from `row` on as operand A, columns [16 i, 16 i + 16). */
template <int HD>
static __device__ __forceinline__ void load_a(uint32_t a[4], const bf16 *tile, int row, int i)
{
    int lane = threadIdx.x & 31;
    ldmatrix_x4(a, tile + (row + (lane & 15)) * ROW(HD) + i * 16 + (lane >> 4) * 8);
}

/* out[N / 8][4] = a tile of 16 rows times the first N rows of `other`, transposed; A from shared memory. */
template <int HD, int N>
static __device__ __forceinline__ void rows_times_rows(float out[][4], const bf16 *tile, int row,
                                                       const bf16 *other)
{
    int lane = threadIdx.x & 31;
#pragma unroll
    for (int n = 0; n < N / 8; n++)
        out[n][0] = out[n][1] = out[n][2] = out[n][3] = 0.0f;
#pragma unroll
    for (int i = 0; i < HD / 16; i += 2) {
        uint32_t a[2][4];
        load_a<HD>(a[0], tile, row, i);
        load_a<HD>(a[1], tile, row, i + 1);
#pragma unroll
        for (int n = 0; n < N / 8; n++) {
            uint32_t b[4];
            ldmatrix_x4(b, other + (n * 8 + (lane & 7)) * ROW(HD) + i * 16 + (lane >> 3) * 8);
            mma_m16n8k16_bf16(out[n], a[0], b[0], b[1]);
            mma_m16n8k16_bf16(out[n], a[1], b[2], b[3]);
        }
    }
}

/* acc[C / 8][4] += p (16 x N, as accumulators hold it, rounded to bf16) times columns [c0, c0 + C) of
 * the N rows of `tile`. */
template <int HD, int N, int C>
static __device__ __forceinline__ void weights_times_rows(float acc[][4], const float p[][4],
                                                          const bf16 *tile, int c0)
{
    int lane = threadIdx.x & 31;
#pragma unroll
    for (int k = 0; k < N / 16; k++) {
        uint32_t a[4] = {pack_bf16(p[2 * k][0], p[2 * k][1]), pack_bf16(p[2 * k][2], p[2 * k][3]),
                         pack_bf16(p[2 * k + 1][0], p[2 * k + 1][1]),
                         pack_bf16(p[2 * k + 1][2], p[2 * k + 1][3])};
#pragma unroll
        for (int i = 0; i < C / 8; i += 2) {
            uint32_t b[4];
            ldmatrix_x4_trans(b, tile + (k * 16 + (lane & 15)) * ROW(HD) + c0 + i * 8 + (lane >> 4) * 8);
            mma_m16n8k16_bf16(acc[i], a, b[0], b[1]);
            mma_m16n8k16_bf16(acc[i + 1], a, b[2], b[3]);
        }
    }
}

/* A lane's part of 16 queries: of the two rows lane / 4 and lane / 4 + 8 their maximum and sum (the
 * sum of this lane's keys only), and columns of the weighted sum of values.  Exponents are in base 2. */
template <int C> struct softmax {
    float acc[C / 8][4], max[2], sum[2];
    int pos[2]; /* of the two queries */
};

template <int C> static __device__ __forceinline__ void softmax_begin(struct softmax<C> *s)
{
#pragma unroll
    for (int i = 0; i < C / 8; i++)
        s->acc[i][0] = s->acc[i][1] = s->acc[i][2] = s->acc[i][3] = 0.0f;
    s->max[0] = s->max[1] = -INFINITY;
    s->sum[0] = s->sum[1] = 0.0f;
}

static __device__ __forceinline__ bool sees(int query, int key, int window)
{
    return key <= query && (window <= 0 || key > query - window);
}

/* Scores of the tile that begins at key j0 become weights, and what came before is rescaled. */
template <int C>
static __device__ __forceinline__ void softmax_tile(struct softmax<C> *s, float p[][4], int j0,
                                                    int window, float scale)
{
    int t = (threadIdx.x & 3) * 2;
    float max[2] = {s->max[0], s->max[1]};
#pragma unroll
    for (int n = 0; n < KEYS / 8; n++)
#pragma unroll
        for (int e = 0; e < 4; e++) {
            int r = e >> 1;
            p[n][e] = sees(s->pos[r], j0 + n * 8 + t + (e & 1), window) ? p[n][e] * scale : -INFINITY;
            max[r] = fmaxf(max[r], p[n][e]);
        }
#pragma unroll
    for (int r = 0; r < 2; r++) {
        max[r] = fmaxf(max[r], __shfl_xor_sync(0xffffffffu, max[r], 1));
        max[r] = fmaxf(max[r], __shfl_xor_sync(0xffffffffu, max[r], 2));
        float shrink = max[r] == -INFINITY ? 1.0f : ex2_approx(s->max[r] - max[r]);
        s->max[r] = max[r];
        s->sum[r] *= shrink;
#pragma unroll
        for (int i = 0; i < C / 8; i++) {
            s->acc[i][2 * r] *= shrink;
            s->acc[i][2 * r + 1] *= shrink;
        }
    }
#pragma unroll
    for (int n = 0; n < KEYS / 8; n++)
#pragma unroll
        for (int e = 0; e < 4; e++) {
            p[n][e] = p[n][e] == -INFINITY ? 0.0f : ex2_approx(p[n][e] - s->max[e >> 1]);
            s->sum[e >> 1] += p[n][e];
        }
}

/* The four lanes of a row add up. */
template <int C> static __device__ __forceinline__ void softmax_end(struct softmax<C> *s)
{
#pragma unroll
    for (int r = 0; r < 2; r++) {
        s->sum[r] += __shfl_xor_sync(0xffffffffu, s->sum[r], 1);
        s->sum[r] += __shfl_xor_sync(0xffffffffu, s->sum[r], 2);
        float inverse = s->sum[r] > 0.0f ? 1.0f / s->sum[r] : 0.0f;
#pragma unroll
        for (int i = 0; i < C / 8; i++) {
            s->acc[i][2 * r] *= inverse;
            s->acc[i][2 * r + 1] *= inverse;
        }
    }
}

/* Two neighbouring columns of a row, as bf16; col + 1 may be past an odd end, and an odd stride leaves rows
 * that are not aligned to 4 bytes. */
static __device__ __forceinline__ void store_pair(bf16 *row, int col, int head_dim, float x, float y)
{
    if (col + 1 < head_dim && ((uintptr_t)(row + col) & 3) == 0) {
        *(uint32_t *)(row + col) = pack_bf16(x, y);
        return;
    }
    if (col < head_dim)
        row[col] = f2bf(x);
    if (col + 1 < head_dim)
        row[col + 1] = f2bf(y);
}

/* The 16 rows of a warp times `scale`, columns [0, head_dim), to the first n_rows at `to`, by way of 16 rows of shared memory
 * that are this warp's alone: eight lanes then store 128 bytes of a row, where accumulators hold halves of sectors. */
template <int HD>
static __device__ __forceinline__ void store_rows(bf16 *to, int64_t stride, const float acc[][4], bf16 *room, int n_rows,
                                                  int head_dim, float scale)
{
    int lane = threadIdx.x & 31;
#pragma unroll
    for (int r = 0; r < 2; r++)
#pragma unroll
        for (int i = 0; i < HD / 8; i++)
            *(uint32_t *)(room + ((lane >> 2) + r * 8) * ROW(HD) + i * 8 + (lane & 3) * 2) =
                pack_bf16(acc[i][2 * r] * scale, acc[i][2 * r + 1] * scale);
    __syncwarp();
#pragma unroll
    for (int e = lane; e < 16 * (HD / 8); e += 32) {
        int row = e / (HD / 8), col = e % (HD / 8) * 8;
        const bf16 *from = room + row * ROW(HD) + col;
        bf16 *at = to + row * stride + col;
        if (row >= n_rows)
            continue;
        if (col + 8 <= head_dim && ((uintptr_t)at & 15) == 0) {
            store16((float *)at, load16((const float *)from));
            continue;
        }
        for (int c = 0; c < 8 && col + c < head_dim; c++)
            at[c] = from[c];
    }
}

/* A block's tile of a packed batch: rows [start, end) are its sequence, the tile begins at `first`,
 * counted from start. */
struct tile_task {
    int start, end, first;
};

#endif
