/* attention.cu - causal attention, forward: packed sequences, and rows over the cache.
 *
 * bf16 runs on the tensor cores (attention.h); fp32, and heads over 128, a warp a row (attention_rows.h).  Packed: a block
 * takes 64 queries of one head.  Cached: a block takes the heads that share keys, up to 16, as the rows
 * of its tile; its four warps hold the same scores and a quarter of the columns each.
 */
#include "kernels/cuda/attention.h"
#include "kernels/cuda/attention_rows.h"
#include "kernels/cuda/attention_host.h"
#include "kernels/cuda/kv.h"

struct attend {
    void *out, *lse;
    const void *q, *k, *v;
    int n_heads, n_kv_heads, head_dim, window, whole;
    int64_t q_stride, kv_stride;
    float scale;
    /* of the cache */
    struct kv_shape shape;
    struct kv_table table;
    const int32_t *slot, *pos;
};

/* The walk over key tiles, K one tile ahead of V.  Queries are the 16 rows from `row` on of sq. */
template <int HD, int C>
static __device__ __forceinline__ void walk(struct softmax<C> *s, bf16 *smem, int n_query_rows, int row,
                                            int c0, const struct rows *k, const struct rows *v,
                                            int first, int end, int window, float scale)
{
    const int tile = KEYS * ROW(HD);
    bf16 *sq = smem, *sk = sq + n_query_rows * ROW(HD), *sv = sk + 2 * tile;
    if (first < end)
        load_rows<HD, KEYS>(sk, k, first * KEYS);
    cp_async_commit(); /* the queries too */
    for (int j = first; j < end; j++) {
        const bf16 *keys = sk + ((j - first) & 1) * tile;
        float p[KEYS / 8][4];
        load_rows<HD, KEYS>(sv, v, j * KEYS);
        cp_async_commit();
        cp_async_wait(1); /* keys j */
        __syncthreads();
        if (j + 1 < end)
            load_rows<HD, KEYS>(sk + ((j + 1 - first) & 1) * tile, k, (j + 1) * KEYS);
        cp_async_commit();
        rows_times_rows<HD, KEYS>(p, sq, row, keys);
        softmax_tile<C>(s, p, j * KEYS, window, scale);
        cp_async_wait(1); /* values j; keys j + 1 may be under way */
        __syncthreads();
        weights_times_rows<HD, KEYS, C>(s->acc, p, sv, c0);
        __syncthreads(); /* sv and the older keys are free again */
    }
    cp_async_wait(0);
    softmax_end<C>(s);
}

static __device__ __forceinline__ int first_tile(int query, int window)
{
    return window > 0 && query - window + 1 > 0 ? (query - window + 1) / KEYS : 0;
}

template <int HD>
static __global__ void __launch_bounds__(THREADS) attend_packed(struct attend a,
                                                                const struct tile_task *tasks)
{
    DYN_SMEM(smem);
    struct tile_task task = tasks[blockIdx.x];
    int head = blockIdx.y, kv_head = head / (a.n_heads / a.n_kv_heads), hd = a.head_dim;
    int len = task.end - task.start, lane = threadIdx.x & 31, row = (threadIdx.x >> 5) * 16;
    int64_t kv_at = task.start * a.kv_stride + (int64_t)kv_head * hd;
    struct rows q = {(const bf16 *)a.q + task.start * a.q_stride + (int64_t)head * hd, NULL, a.q_stride,
                     0, len, hd, a.whole};
    struct rows k = {(const bf16 *)a.k + kv_at, NULL, a.kv_stride, 0, len, hd, a.whole};
    struct rows v = k;
    v.at = (const bf16 *)a.v + kv_at;
    struct softmax<HD> s;
    softmax_begin<HD>(&s);
    s.pos[0] = task.first + row + (lane >> 2);
    s.pos[1] = s.pos[0] + 8;
    load_rows<HD, 64>((bf16 *)smem, &q, task.first);
    walk<HD, HD>(&s, (bf16 *)smem, 64, row, 0, &k, &v, first_tile(task.first, a.window),
                 (min(len, task.first + 64) + KEYS - 1) / KEYS, a.window, a.scale * LOG2E);
    bf16 *out = (bf16 *)a.out + ((int64_t)(task.start + task.first + row) * a.n_heads + head) * hd;
    store_rows<HD>(out, (int64_t)a.n_heads * hd, s.acc, (bf16 *)smem + row * ROW(HD), len - task.first - row, hd, 1.0f);
#pragma unroll
    for (int r = 0; r < 2; r++)
        if (a.lse && (lane & 3) == 0 && s.pos[r] < len)
            ((float *)a.lse)[(int64_t)(task.start + s.pos[r]) * a.n_heads + head] = s.max[r] * LN2 + logf(s.sum[r]);
}

template <int HD>
static __global__ void __launch_bounds__(THREADS) attend_cached(struct attend a)
{
    DYN_SMEM(smem);
    const int C = HD / WARPS;
    int i = blockIdx.x, kv_head = blockIdx.y, group = a.n_heads / a.n_kv_heads, hd = a.head_dim;
    if (a.slot[i] < 0)
        return;
    int first_head = kv_head * group + blockIdx.z * 16;
    int n_heads = min(16, group - (int)blockIdx.z * 16), pos = a.pos[i];
    int lane = threadIdx.x & 31, c0 = (threadIdx.x >> 5) * C;
    struct rows q = {(const bf16 *)a.q + i * a.q_stride + (int64_t)first_head * hd, NULL, hd, 0, n_heads,
                     hd, a.whole};
    struct rows k, v;
    kv_rows(&k, &v, &a.shape, &a.table, (const bf16 *)a.k, a.slot[i], kv_head);
    k.n = v.n = pos + 1;
    k.head_dim = v.head_dim = hd;
    k.whole = v.whole = a.whole;
    struct softmax<C> s;
    softmax_begin<C>(&s);
    s.pos[0] = s.pos[1] = pos;
    load_rows<HD, 16>((bf16 *)smem, &q, 0);
    walk<HD, C>(&s, (bf16 *)smem, 16, 0, c0, &k, &v, first_tile(pos, a.window), pos / KEYS + 1, a.window,
                a.scale * LOG2E);
#pragma unroll
    for (int r = 0; r < 2; r++) {
        int head = (lane >> 2) + r * 8;
        if (head >= n_heads)
            continue;
        bf16 *out = (bf16 *)a.out + ((int64_t)i * a.n_heads + first_head + head) * hd;
#pragma unroll
        for (int c = 0; c < C / 8; c++)
            store_pair(out, c0 + c * 8 + (lane & 3) * 2, hd, s.acc[c][2 * r], s.acc[c][2 * r + 1]);
    }
}

/* --- a warp a row --- */

template <class T>
static __global__ void __launch_bounds__(THREADS) attend_packed_rows(struct attend a, int64_t n, const int32_t *starts)
{
    int64_t i = (int64_t)blockIdx.x * WARPS + (threadIdx.x >> 5);
    int head = blockIdx.y, hd = a.head_dim;
    if (i >= n)
        return;
    int start = starts[i];
    int64_t kv_at = start * a.kv_stride + (int64_t)(head / (a.n_heads / a.n_kv_heads)) * hd;
    struct rows_of<T> k = {(const T *)a.k + kv_at, NULL, a.kv_stride, 0}, v = k;
    v.at = (const T *)a.v + kv_at;
    int64_t at = i * a.n_heads + head;
    float lse = attend_row((T *)a.out + at * hd, (const T *)a.q + i * a.q_stride + (int64_t)head * hd, &k, &v,
                           (int)i - start, hd, a.window, a.scale);
    if (a.lse && (threadIdx.x & 31) == 0)
        ((float *)a.lse)[at] = lse;
}

template <class T>
static __global__ void __launch_bounds__(THREADS) attend_cached_rows(struct attend a, int64_t n)
{
    int64_t i = (int64_t)blockIdx.x * WARPS + (threadIdx.x >> 5);
    int head = blockIdx.y, hd = a.head_dim, kv_head = head / (a.n_heads / a.n_kv_heads);
    if (i >= n || a.slot[i] < 0)
        return;
    struct rows_of<T> k, v;
    kv_rows(&k, &v, &a.shape, &a.table, (const T *)a.k, a.slot[i], kv_head);
    attend_row((T *)a.out + (i * a.n_heads + head) * hd, (const T *)a.q + i * a.q_stride + (int64_t)head * hd, &k, &v,
               a.pos[i], hd, a.window, a.scale);
}

/* --- launchers --- */

template <int HD> static void packed(struct dev *dev, const struct attend *a, int64_t n_tasks, const struct tile_task *tasks)
{
    size_t smem = (size_t)(64 + 3 * KEYS) * ROW(HD) * sizeof(bf16);
    if (cuda_allow_smem(dev, (const void *)attend_packed<HD>, smem))
        LAUNCH(attend_packed<HD>, dim3((unsigned)n_tasks, (unsigned)a->n_heads), THREADS, smem,
               cuda_stream(dev), *a, tasks);
}

template <int HD> static void cached(struct dev *dev, const struct attend *a, int64_t n)
{
    size_t smem = (size_t)(16 + 3 * KEYS) * ROW(HD) * sizeof(bf16);
    int group = a->n_heads / a->n_kv_heads;
    if (cuda_allow_smem(dev, (const void *)attend_cached<HD>, smem))
        LAUNCH(attend_cached<HD>, dim3((unsigned)n, (unsigned)a->n_kv_heads, (unsigned)(group + 15) / 16),
               THREADS, smem, cuda_stream(dev), *a);
}

void cuda_attention(struct dev *dev, const struct attention_args *in)
{
    struct attend a = {};
    a.out = in->out, a.lse = in->lse, a.q = in->q, a.k = in->k, a.v = in->v;
    a.n_heads = (int)in->n_heads, a.n_kv_heads = (int)in->n_kv_heads, a.head_dim = (int)in->head_dim;
    a.window = (int)in->window, a.scale = (float)in->scale;
    a.q_stride = in->q_stride, a.kv_stride = in->kv_stride;
    if (in->n <= 0 || !attention_fits(dev, in->head_dim))
        return;
    if (!attention_by_tiles(dev, in->head_dim)) {
        const int32_t *starts = attention_bounds(dev, in->seq_start, in->n_seqs);
        dim3 grid(cuda_blocks(in->n, WARPS), (unsigned)a.n_heads);
        if (starts && dev->dtype == DTYPE_F32)
            LAUNCH(attend_packed_rows<float>, grid, THREADS, 0, cuda_stream(dev), a, in->n, starts);
        else if (starts)
            LAUNCH(attend_packed_rows<bf16>, grid, THREADS, 0, cuda_stream(dev), a, in->n, starts);
        return;
    }
    a.whole = attention_whole(in->head_dim, in->q_stride, in->kv_stride, in->q, in->k, in->v);
    int64_t n_tasks;
    const struct tile_task *tasks = attention_tasks(dev, in->seq_start, in->n_seqs, &n_tasks);
    if (!tasks)
        return;
    if (a.head_dim <= 64)
        packed<64>(dev, &a, n_tasks, tasks);
    else
        packed<128>(dev, &a, n_tasks, tasks);
}

void cuda_attention_cached(struct dev *dev, const struct attention_cached_args *in)
{
    struct attend a = {};
    a.out = in->out, a.q = in->q, a.k = in->cache, a.shape = in->shape, a.table = in->table;
    a.n_heads = (int)in->n_heads, a.n_kv_heads = (int)in->shape.n_kv_heads;
    a.head_dim = (int)in->shape.head_dim, a.window = (int)in->window, a.scale = (float)in->scale;
    a.q_stride = in->q_stride, a.slot = in->slot, a.pos = in->pos;
    if (in->n <= 0 || !attention_fits(dev, in->shape.head_dim))
        return;
    if (!attention_by_tiles(dev, in->shape.head_dim)) {
        dim3 grid(cuda_blocks(in->n, WARPS), (unsigned)a.n_heads);
        if (dev->dtype == DTYPE_F32)
            LAUNCH(attend_cached_rows<float>, grid, THREADS, 0, cuda_stream(dev), a, in->n);
        else
            LAUNCH(attend_cached_rows<bf16>, grid, THREADS, 0, cuda_stream(dev), a, in->n);
        return;
    }
    a.whole = attention_whole(a.head_dim, in->q_stride, a.head_dim, in->q, in->cache, in->cache);
    if (a.head_dim <= 64)
        cached<64>(dev, &a, in->n);
    else
        cached<128>(dev, &a, in->n);
}
