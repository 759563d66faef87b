/* attention_backward.cu - the gradient of packed causal attention, without atomics: one kernel walks
 * queries for a tile of keys (dK, dV), one walks keys for a tile of queries (dQ).  Both compute the
 * weights again from the log-sum-exp; delta is the row sum of dout * out (FlashAttention-2, appendix). */
#include "kernels/cuda/attention.h"
#include "kernels/cuda/attention_rows.h"
#include "kernels/cuda/attention_host.h"

enum { TILE = KEYS, STEP = 32 }; /* rows a block keeps, rows it walks over at a time */

struct backward {
    void *dq, *dk, *dv;
    const void *dout, *out, *q, *k, *v;
    const float *lse;
    float *delta; /* [n, n_heads] */
    int n_heads, n_kv_heads, head_dim, window, whole;
    int64_t q_stride, kv_stride;
    float scale;
};

/* A warp a row and head. */
template <class T>
static __global__ void __launch_bounds__(THREADS) row_deltas(struct backward a, int64_t n)
{
    int64_t i = (int64_t)blockIdx.x * WARPS + (threadIdx.x >> 5);
    if (i >= n)
        return;
    float sum = 0.0f;
    for (int d = threadIdx.x & 31; d < a.head_dim; d += 32)
        sum = fmaf(to_float(((const T *)a.dout)[i * a.head_dim + d]),
                   to_float(((const T *)a.out)[i * a.head_dim + d]), sum);
    sum = warp_sum(sum);
    if ((threadIdx.x & 31) == 0)
        a.delta[i] = sum;
}

/* Rows of one head in a sequence that begins at row `start` of the batch. */
static __device__ __forceinline__ struct rows head_rows(const void *x, int64_t stride, int head, int start,
                                                        int len, const struct backward *a)
{
    struct rows r = {(const bf16 *)x + start * stride + (int64_t)head * a->head_dim, NULL, stride, 0, len,
                     a->head_dim, a->whole};
    return r;
}

/* Scores and dP of 16 kept rows x STEP walked rows become weights (in p) and dS (in ds).  Of the
 * element (kept, walked) one is the query: stat[] belongs to the queries. */
struct stats {
    float lse, delta;
};

static __device__ __forceinline__ void weigh(float *p, float *ds, int query, int key, int len, int window,
                                             struct stats s, float scale)
{
    bool seen = query < len && key < len && sees(query, key, window);
    *p = seen ? ex2_approx(*p * scale - s.lse * LOG2E) : 0.0f;
    *ds = seen ? *p * (*ds - s.delta) : 0.0f;
}

template <int HD>
static __global__ void __launch_bounds__(THREADS, 2) key_gradients(struct backward a, const struct tile_task *tasks)
{
    DYN_SMEM(smem);
    bf16 *sk = (bf16 *)smem, *sv = sk + TILE * ROW(HD), *sq = sv + TILE * ROW(HD), *sdo = sq + STEP * ROW(HD);
    struct stats *stats = (struct stats *)(sdo + STEP * ROW(HD));
    struct tile_task task = tasks[blockIdx.x];
    int kv_head = blockIdx.y, group = a.n_heads / a.n_kv_heads, len = task.end - task.start;
    int lane = threadIdx.x & 31, row = (threadIdx.x >> 5) * 16, t = (lane & 3) * 2;
    int last_key = min(len, task.first + TILE) - 1;
    int end = a.window > 0 ? min(len, last_key + a.window) : len; /* of the queries that see a key */
    struct rows k = head_rows(a.k, a.kv_stride, kv_head, task.start, len, &a);
    struct rows v = head_rows(a.v, a.kv_stride, kv_head, task.start, len, &a);
    float dk[HD / 8][4] = {}, dv[HD / 8][4] = {};
    load_rows<HD, TILE>(sk, &k, task.first);
    load_rows<HD, TILE>(sv, &v, task.first);
    for (int h = kv_head * group; h < (kv_head + 1) * group; h++) {
        struct rows q = head_rows(a.q, a.q_stride, h, task.start, len, &a);
        struct rows dout = head_rows(a.dout, (int64_t)a.n_heads * a.head_dim, h, task.start, len, &a);
        for (int q0 = task.first / STEP * STEP; q0 < end; q0 += STEP) {
            load_rows<HD, STEP>(sq, &q, q0);
            load_rows<HD, STEP>(sdo, &dout, q0);
            cp_async_commit();
            if (threadIdx.x < STEP && q0 + (int)threadIdx.x < len) {
                int64_t at = (int64_t)(task.start + q0 + threadIdx.x) * a.n_heads + h;
                stats[threadIdx.x].lse = a.lse[at];
                stats[threadIdx.x].delta = a.delta[at];
            }
            cp_async_wait(0);
            __syncthreads();
            float p[STEP / 8][4], ds[STEP / 8][4];
            rows_times_rows<HD, STEP>(p, sk, row, sq);
            rows_times_rows<HD, STEP>(ds, sv, row, sdo);
#pragma unroll
            for (int n = 0; n < STEP / 8; n++)
#pragma unroll
                for (int e = 0; e < 4; e++) {
                    int i = n * 8 + t + (e & 1);
                    weigh(&p[n][e], &ds[n][e], q0 + i, task.first + row + (lane >> 2) + (e >> 1) * 8, len,
                          a.window, stats[i], a.scale * LOG2E);
                }
            weights_times_rows<HD, STEP, HD>(dv, p, sdo, 0);
            weights_times_rows<HD, STEP, HD>(dk, ds, sq, 0);
            __syncthreads();
        }
    }
    int64_t at = (task.start + task.first + row) * a.kv_stride + (int64_t)kv_head * a.head_dim;
    int n_rows = len - task.first - row, own = row * ROW(HD); /* of sk and sv, nobody reads them any more */
    store_rows<HD>((bf16 *)a.dk + at, a.kv_stride, dk, sk + own, n_rows, a.head_dim, a.scale);
    store_rows<HD>((bf16 *)a.dv + at, a.kv_stride, dv, sv + own, n_rows, a.head_dim, 1.0f);
}

template <int HD>
static __global__ void __launch_bounds__(THREADS) query_gradients(struct backward a, const struct tile_task *tasks)
{
    DYN_SMEM(smem);
    bf16 *sq = (bf16 *)smem, *sdo = sq + TILE * ROW(HD), *sk = sdo + TILE * ROW(HD), *sv = sk + STEP * ROW(HD);
    struct tile_task task = tasks[blockIdx.x];
    int head = blockIdx.y, kv_head = head / (a.n_heads / a.n_kv_heads), len = task.end - task.start;
    int lane = threadIdx.x & 31, row = (threadIdx.x >> 5) * 16, t = (lane & 3) * 2;
    int first = a.window > 0 ? max(0, task.first - a.window + 1) : 0, end = min(len, task.first + TILE);
    struct rows q = head_rows(a.q, a.q_stride, head, task.start, len, &a);
    struct rows dout = head_rows(a.dout, (int64_t)a.n_heads * a.head_dim, head, task.start, len, &a);
    struct rows k = head_rows(a.k, a.kv_stride, kv_head, task.start, len, &a);
    struct rows v = head_rows(a.v, a.kv_stride, kv_head, task.start, len, &a);
    float dq[HD / 8][4] = {};
    struct stats stats[2] = {};
#pragma unroll
    for (int r = 0; r < 2; r++) {
        int i = task.first + row + (lane >> 2) + r * 8;
        int64_t at = (int64_t)(task.start + i) * a.n_heads + head;
        if (i < len)
            stats[r].lse = a.lse[at], stats[r].delta = a.delta[at];
    }
    load_rows<HD, TILE>(sq, &q, task.first);
    load_rows<HD, TILE>(sdo, &dout, task.first);
    for (int k0 = first / STEP * STEP; k0 < end; k0 += STEP) {
        load_rows<HD, STEP>(sk, &k, k0);
        load_rows<HD, STEP>(sv, &v, k0);
        cp_async_commit();
        cp_async_wait(0);
        __syncthreads();
        float p[STEP / 8][4], ds[STEP / 8][4];
        rows_times_rows<HD, STEP>(p, sq, row, sk);
        rows_times_rows<HD, STEP>(ds, sdo, row, sv);
#pragma unroll
        for (int n = 0; n < STEP / 8; n++)
#pragma unroll
            for (int e = 0; e < 4; e++)
                weigh(&p[n][e], &ds[n][e], task.first + row + (lane >> 2) + (e >> 1) * 8,
                      k0 + n * 8 + t + (e & 1), len, a.window, stats[e >> 1], a.scale * LOG2E);
        weights_times_rows<HD, STEP, HD>(dq, ds, sk, 0);
        __syncthreads();
    }
    bf16 *to = (bf16 *)a.dq + (task.start + task.first + row) * a.q_stride + (int64_t)head * a.head_dim;
    store_rows<HD>(to, a.q_stride, dq, sq + row * ROW(HD), len - task.first - row, a.head_dim, a.scale);
}

/* --- a warp a row --- */


/* The weight and dS of one (query, key). */
template <class T>
static __device__ __forceinline__ void weigh_rows(float *p, float *ds, const T *q, const T *k, const T *dout, const T *v,
                                                  struct stats s, int head_dim, float scale)
{
    *p = expf(scale * dot(q, k, head_dim) - s.lse);
    *ds = scale * *p * (dot(dout, v, head_dim) - s.delta);
}

/* acc[c] += weight * x[column of this lane] */
template <class T> static __device__ __forceinline__ void add_row(float *acc, float weight, const T *x, int head_dim)
{
    int lane = threadIdx.x & 31;
#pragma unroll
    for (int c = 0; c < MAX_HEAD_DIM / 32; c++)
        if (c * 32 + lane < head_dim)
            acc[c] = fmaf(weight, to_float(x[c * 32 + lane]), acc[c]);
}

template <class T> static __device__ __forceinline__ void store_row(T *to, const float *acc, int head_dim)
{
    int lane = threadIdx.x & 31;
#pragma unroll
    for (int c = 0; c < MAX_HEAD_DIM / 32; c++)
        if (c * 32 + lane < head_dim)
            to[c * 32 + lane] = from_float<T>(acc[c]);
}

template <class T>
static __global__ void __launch_bounds__(THREADS) query_gradients_rows(struct backward a, int64_t n,
                                                                       const int32_t *starts)
{
    int64_t i = (int64_t)blockIdx.x * WARPS + (threadIdx.x >> 5);
    int head = blockIdx.y, hd = a.head_dim, lane = threadIdx.x & 31;
    if (i >= n)
        return;
    int64_t at = i * a.n_heads + head, kv = (int64_t)(head / (a.n_heads / a.n_kv_heads)) * hd;
    int64_t first = a.window > 0 ? i - a.window + 1 : 0;
    struct stats s = {a.lse[at], a.delta[at]};
    const T *q = (const T *)a.q + i * a.q_stride + (int64_t)head * hd, *dout = (const T *)a.dout + at * hd;
    const T *k = (const T *)a.k + kv, *v = (const T *)a.v + kv;
    float acc[MAX_HEAD_DIM / 32] = {};
    first = first > starts[i] ? first : starts[i];
    for (int64_t j0 = first; j0 <= i; j0 += 32) {
        int64_t j = j0 + lane;
        float p, ds = 0.0f;
        if (j <= i)
            weigh_rows(&p, &ds, q, k + j * a.kv_stride, dout, v + j * a.kv_stride, s, hd, a.scale);
        for (int m = 0; m < 32; m++) {
            float w = __shfl_sync(0xffffffffu, ds, m);
            if (j0 + m <= i)
                add_row(acc, w, k + (j0 + m) * a.kv_stride, hd);
        }
    }
    store_row((T *)a.dq + i * a.q_stride + (int64_t)head * hd, acc, hd);
}

template <class T>
static __global__ void __launch_bounds__(THREADS) key_gradients_rows(struct backward a, int64_t n, const int32_t *ends)
{
    int64_t j = (int64_t)blockIdx.x * WARPS + (threadIdx.x >> 5);
    int kv_head = blockIdx.y, hd = a.head_dim, lane = threadIdx.x & 31, group = a.n_heads / a.n_kv_heads;
    if (j >= n)
        return;
    int64_t kv = j * a.kv_stride + (int64_t)kv_head * hd, end = ends[j];
    const T *k = (const T *)a.k + kv, *v = (const T *)a.v + kv;
    float dk[MAX_HEAD_DIM / 32] = {}, dv[MAX_HEAD_DIM / 32] = {};
    if (a.window > 0 && j + a.window < end)
        end = j + a.window;
    for (int h = kv_head * group; h < (kv_head + 1) * group; h++) {
        const T *q = (const T *)a.q + (int64_t)h * hd, *dout = (const T *)a.dout + (int64_t)h * hd;
        int64_t out_stride = (int64_t)a.n_heads * hd;
        for (int64_t i0 = j; i0 < end; i0 += 32) {
            int64_t i = i0 + lane, at = i * a.n_heads + h;
            float p = 0.0f, ds = 0.0f;
            if (i < end)
                weigh_rows(&p, &ds, q + i * a.q_stride, k, dout + i * out_stride, v, stats{a.lse[at], a.delta[at]}, hd,
                           a.scale);
            for (int m = 0; m < 32; m++) {
                float wp = __shfl_sync(0xffffffffu, p, m), ws = __shfl_sync(0xffffffffu, ds, m);
                if (i0 + m >= end)
                    continue;
                add_row(dv, wp, dout + (i0 + m) * out_stride, hd);
                add_row(dk, ws, q + (i0 + m) * a.q_stride, hd);
            }
        }
    }
    store_row((T *)a.dk + kv, dk, hd);
    store_row((T *)a.dv + kv, dv, hd);
}

/* --- launchers --- */

template <int HD>
static void gradients(struct dev *dev, const struct backward *a, int64_t n_tasks, const struct tile_task *tasks)
{
    size_t smem = (size_t)(2 * TILE + 2 * STEP) * ROW(HD) * sizeof(bf16) + STEP * sizeof(struct stats);
    unsigned n = (unsigned)n_tasks;
    if (!cuda_allow_smem(dev, (const void *)key_gradients<HD>, smem) ||
        !cuda_allow_smem(dev, (const void *)query_gradients<HD>, smem))
        return;
    LAUNCH(key_gradients<HD>, dim3(n, (unsigned)a->n_kv_heads), THREADS, smem, cuda_stream(dev), *a, tasks);
    LAUNCH(query_gradients<HD>, dim3(n, (unsigned)a->n_heads), THREADS, smem, cuda_stream(dev), *a, tasks);
}

template <class T> static void gradients_rows(struct dev *dev, const struct backward *a, const struct attention_backward_args *in)
{
    const int32_t *bounds = attention_bounds(dev, in->seq_start, in->n_seqs);
    unsigned blocks = cuda_blocks(in->n, WARPS);
    if (!bounds)
        return;
    LAUNCH(query_gradients_rows<T>, dim3(blocks, (unsigned)a->n_heads), THREADS, 0, cuda_stream(dev), *a, in->n, bounds);
    LAUNCH(key_gradients_rows<T>, dim3(blocks, (unsigned)a->n_kv_heads), THREADS, 0, cuda_stream(dev), *a, in->n,
           bounds + in->n);
}

void cuda_attention_backward(struct dev *dev, const struct attention_backward_args *in)
{
    struct backward a = {};
    a.dq = in->dq, a.dk = in->dk, a.dv = in->dv, a.dout = in->dout, a.out = in->out;
    a.q = in->q, a.k = in->k, a.v = in->v, a.lse = (const float *)in->lse;
    a.n_heads = (int)in->n_heads, a.n_kv_heads = (int)in->n_kv_heads, a.head_dim = (int)in->head_dim;
    a.window = (int)in->window, a.scale = (float)in->scale;
    a.q_stride = in->q_stride, a.kv_stride = in->kv_stride;
    int64_t rows = in->n * in->n_heads, n_tasks;
    if (in->n <= 0 || !attention_fits(dev, in->head_dim))
        return;
    a.delta = (float *)cuda_scratch(dev, (size_t)rows * sizeof(float));
    if (!a.delta)
        return;
    if (dev->dtype == DTYPE_F32)
        LAUNCH(row_deltas<float>, cuda_blocks(rows, WARPS), THREADS, 0, cuda_stream(dev), a, rows);
    else
        LAUNCH(row_deltas<bf16>, cuda_blocks(rows, WARPS), THREADS, 0, cuda_stream(dev), a, rows);
    if (!attention_by_tiles(dev, in->head_dim)) {
        if (dev->dtype == DTYPE_F32)
            gradients_rows<float>(dev, &a, in);
        else
            gradients_rows<bf16>(dev, &a, in);
        return;
    }
    a.whole = attention_whole(in->head_dim, in->q_stride, in->kv_stride, in->q, in->k, in->v);
    const struct tile_task *tasks = attention_tasks(dev, in->seq_start, in->n_seqs, &n_tasks);
    if (!tasks)
        return;
    if (a.head_dim <= 64)
        gradients<64>(dev, &a, n_tasks, tasks);
    else
        gradients<128>(dev, &a, n_tasks, tasks);
}
