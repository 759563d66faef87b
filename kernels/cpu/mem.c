/* mem.c - memory, scratch and sharing out work. */
#include <stdlib.h>
#include <sys/mman.h>

#include "kernels/cpu/cpu.h"

#define HUGE_PAGE ((size_t)2 << 20)

/* Large blocks sit on huge pages where the system has them: page faults and TLB misses of weights
 * and activations would otherwise cost as much as the arithmetic. */
static size_t alignment(size_t bytes)
{
    return bytes >= 2 * HUGE_PAGE ? HUGE_PAGE : 64;
}

size_t cpu_block_bytes(struct dev *dev, size_t bytes)
{
    size_t align = alignment(bytes);
    (void)dev;
    return bytes ? (bytes + align - 1) / align * align : align;
}

static void *block(size_t bytes)
{
    size_t align = alignment(bytes);
    if (bytes > SIZE_MAX - align)
        return NULL;
    size_t size = cpu_block_bytes(NULL, bytes);
    void *p = aligned_alloc(align, size);
#ifdef MADV_HUGEPAGE
    if (p && align == HUGE_PAGE)
        (void)madvise(p, size, MADV_HUGEPAGE);
#endif
    return p;
}

void *cpu_alloc(struct dev *dev, size_t bytes)
{
    (void)dev;
    void *p = block(bytes);
    if (p)
        memset(p, 0, bytes);
    return p;
}

void cpu_free(struct dev *dev, void *p)
{
    (void)dev;
    free(p);
}

void cpu_copy(struct dev *dev, void *dst, const void *src, size_t bytes)
{
    (void)dev;
    if (bytes)
        memmove(dst, src, bytes);
}

void cpu_zero(struct dev *dev, void *dst, size_t bytes)
{
    (void)dev;
    if (bytes)
        memset(dst, 0, bytes);
}

const float *cpu_host_view(struct dev *dev, const void *acc)
{
    (void)dev;
    return acc;
}

/* Threads' blocks start on different cache sets. */
size_t scratch_size(size_t bytes)
{
    return (bytes + 4095) / 4096 * 4096 + 64;
}

bool cpu_scratch(struct dev *dev, size_t bytes)
{
    if (bytes <= dev->scratch_bytes)
        return true;
    size_t threads = dev->n_threads > 1 ? (size_t)dev->n_threads : 1;
    bytes = scratch_size(bytes);
    free(dev->scratch);
    dev->scratch = block(bytes * threads);
    dev->scratch_bytes = dev->scratch ? bytes : 0;
    if (!dev->scratch)
        fail(dev, "out of memory for scratch space");
    return dev->scratch;
}

void *cpu_shared(struct dev *dev, size_t bytes)
{
    struct cpu_state *s = dev->backend;
    if (bytes > s->shared_bytes) {
        free(s->shared);
        s->shared = block(bytes);
        s->shared_bytes = s->shared ? bytes : 0;
        if (!s->shared)
            fail(dev, "out of memory for scratch space");
    }
    return s->shared;
}

void cpu_for(struct dev *dev, int64_t n, void (*fn)(void *arg, int64_t i, int thread), void *arg)
{
    if (n > 1 && dev->n_threads > 1 && dev->parallel_for) {
        dev->parallel_for(n, fn, arg);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        fn(arg, i, 0);
}

struct rows_job {
    int64_t n, chunk;
    void (*fn)(void *arg, int64_t first, int64_t last, int thread);
    void *arg;
};

static void rows_chunk(void *arg, int64_t i, int thread)
{
    const struct rows_job *j = arg;
    j->fn(j->arg, i * j->chunk, min_i64(j->n, (i + 1) * j->chunk), thread);
}

void cpu_rows(struct dev *dev, int64_t n, int64_t row_elems,
              void (*fn)(void *arg, int64_t first, int64_t last, int thread), void *arg)
{
    struct rows_job j = {n, max_i64(1, 16384 / max_i64(1, row_elems)), fn, arg};
    cpu_for(dev, (n + j.chunk - 1) / j.chunk, rows_chunk, &j);
}

struct convert_job {
    void *dst;
    const void *src;
    enum dtype to, from;
};

static void convert_range(void *arg, int64_t first, int64_t last, int thread)
{
    const struct convert_job *j = arg;
    (void)thread;
    float buf[256];
    for (int64_t i = first; i < last; i += 256) {
        int64_t n = min_i64(256, last - i);
        if (j->from == DTYPE_F64)
            for (int64_t k = 0; k < n; k++)
                buf[k] = (float)((const double *)j->src)[i + k];
        else
            load_floats(buf, j->src, j->from, i, n);
        if (j->to == DTYPE_F64)
            for (int64_t k = 0; k < n; k++)
                ((double *)j->dst)[i + k] = buf[k];
        else
            store_row(j->dst, j->to, i, buf, n);
    }
}

void cpu_convert(struct dev *dev, void *dst, enum dtype to, const void *src, enum dtype from,
                 int64_t n)
{
    struct convert_job j = {dst, src, to, from};
    if (to == from)
        cpu_copy(dev, dst, src, (size_t)n * dtype_bytes(to));
    else
        cpu_rows(dev, n, 1, convert_range, &j);
}
