/* attention_host.cu - the work of attention as arrays on the device. */
#include "kernels/cuda/attention_host.h"

#include <stdlib.h>

#include "kernels/cuda/attention_rows.h"

bool attention_fits(struct dev *dev, int64_t head_dim)
{
    if (head_dim <= MAX_HEAD_DIM)
        return true;
    cuda_fail(dev, "head_dim above 256 is not supported");
    return false;
}

bool attention_by_tiles(const struct dev *dev, int64_t head_dim)
{
    return dev->dtype == DTYPE_BF16 && head_dim <= 128;
}

int attention_whole(int64_t head_dim, int64_t q_stride, int64_t kv_stride, const void *q, const void *k,
                    const void *v)
{
    uintptr_t at = (uintptr_t)q | (uintptr_t)k | (uintptr_t)v;
    return head_dim % 8 == 0 && q_stride % 8 == 0 && kv_stride % 8 == 0 && at % 16 == 0;
}

static const void *stage_and_free(struct dev *dev, void *host, size_t bytes)
{
    const void *p = host ? cuda_stage(dev, host, bytes) : NULL;
    if (!host)
        cuda_fail(dev, "out of memory");
    free(host);
    return p;
}

static int by_walk(const void *a, const void *b)
{
    const struct tile_task *x = (const struct tile_task *)a, *y = (const struct tile_task *)b;
    if (x->first != y->first)
        return x->first < y->first ? 1 : -1;
    return x->start < y->start ? -1 : x->start > y->start;
}

const struct tile_task *attention_tasks(struct dev *dev, const int32_t *seq_start, int64_t n_seqs, int64_t *n_tasks)
{
    int64_t n = 0;
    for (int64_t s = 0; s < n_seqs; s++)
        n += (seq_start[s + 1] - seq_start[s] + KEYS - 1) / KEYS;
    struct tile_task *tasks = (struct tile_task *)calloc((size_t)n + 1, sizeof *tasks), *t = tasks;
    for (int64_t s = 0; tasks && s < n_seqs; s++)
        for (int first = 0; first < seq_start[s + 1] - seq_start[s]; first += KEYS)
            *t++ = {seq_start[s], seq_start[s + 1], first};
    if (tasks)
        qsort(tasks, (size_t)n, sizeof *tasks, by_walk);
    *n_tasks = n;
    return (const struct tile_task *)stage_and_free(dev, tasks, (size_t)n * sizeof *tasks);
}

const int32_t *attention_bounds(struct dev *dev, const int32_t *seq_start, int64_t n_seqs)
{
    int64_t n = seq_start[n_seqs];
    int32_t *bounds = (int32_t *)calloc((size_t)(2 * n) + 1, sizeof *bounds);
    for (int64_t s = 0; bounds && s < n_seqs; s++)
        for (int64_t i = seq_start[s]; i < seq_start[s + 1]; i++) {
            bounds[i] = seq_start[s];
            bounds[n + i] = seq_start[s + 1];
        }
    return (const int32_t *)stage_and_free(dev, bounds, (size_t)(2 * n) * sizeof *bounds);
}
