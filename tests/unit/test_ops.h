/* test_ops.h - shared by the test_ops*.c programs: random inputs, device buffers, ISAs. */
#ifndef TP_TESTS_TEST_OPS_H
#define TP_TESTS_TEST_OPS_H

#include "base/pool.h"
#include "base/rng.h"
#include "kernels/cpu/state.h"
#include "kernels/ops.h"
#include "kernels/ref/ref.h"
#include "tests/unit/check.h"

static struct rng ops_rng;

static inline void ops_seed(uint64_t seed)
{
    rng_init(&ops_rng, seed, "test-ops", 0, 0);
}

/* Normal numbers rounded to bf16, so that every element type holds them exactly.  The caller
 * frees. */
static inline double *random_values(int64_t n, double scale)
{
    double *x = malloc((size_t)(n + 1) * sizeof *x);
    for (int64_t i = 0; i < n; i++) {
        float f = (float)(rng_normal(&ops_rng) * scale);
        uint32_t u;
        memcpy(&u, &f, 4);
        u = (u + 0x7fff + (u >> 16 & 1)) & 0xffff0000u;
        memcpy(&f, &u, 4);
        x[i] = (double)f;
    }
    return x;
}

static inline double *zeros(int64_t n)
{
    return calloc((size_t)n + 1, sizeof(double));
}

static inline void *put(struct dev *dev, enum dtype t, const double *host, int64_t n)
{
    void *p = dev->ops->alloc(dev, (size_t)n * dtype_bytes(t));
    void *wide = dev->ops->alloc(dev, (size_t)n * sizeof *host);
    dev->ops->upload(dev, wide, host, (size_t)n * sizeof *host);
    dev->ops->convert(dev, p, t, wide, DTYPE_F64, n);
    dev->ops->free(dev, wide);
    return p;
}

/* The same, and frees the host's copy. */
static inline void *put_own(struct dev *dev, enum dtype t, double *host, int64_t n)
{
    void *p = put(dev, t, host, n);
    free(host);
    return p;
}

static inline void *put_random(struct dev *dev, enum dtype t, int64_t n, double scale)
{
    return put_own(dev, t, random_values(n, scale), n);
}

static inline void *put_zeros(struct dev *dev, enum dtype t, int64_t n)
{
    return dev->ops->alloc(dev, (size_t)n * dtype_bytes(t));
}

static inline double *get(struct dev *dev, const void *p, enum dtype t, int64_t n)
{
    double *x = zeros(n);
    void *wide = dev->ops->alloc(dev, (size_t)n * sizeof *x);
    dev->ops->convert(dev, wide, DTYPE_F64, p, t, n);
    dev->ops->download(dev, x, wide, (size_t)n * sizeof *x);
    dev->ops->free(dev, wide);
    return x;
}

/* Bytes as they are. */
static inline void *put_bytes(struct dev *dev, const void *host, size_t bytes)
{
    void *p = dev->ops->alloc(dev, bytes);
    dev->ops->upload(dev, p, host, bytes);
    return p;
}

static inline int32_t *put_random_ints(struct dev *dev, int64_t n, int64_t below)
{
    int32_t *x = malloc((size_t)(n + 1) * sizeof *x);
    for (int64_t i = 0; i < n; i++)
        x[i] = (int32_t)rng_below(&ops_rng, (uint64_t)below);
    int32_t *p = put_bytes(dev, x, (size_t)n * sizeof *x);
    free(x);
    return p;
}

static inline bool same_bytes(struct dev *dev, const void *a, const void *b, size_t bytes)
{
    char *x = malloc(bytes + 1), *y = malloc(bytes + 1);
    dev->ops->download(dev, x, a, bytes);
    dev->ops->download(dev, y, b, bytes);
    bool same = memcmp(x, y, bytes) == 0;
    free(x);
    free(y);
    return same;
}

/* The emulated ones run AVX-512's and AMX's code on AVX2; "cuda-emu" runs the GPU's kernels, "cuda"
 * on a GPU (tests/gpu/run.sh). */
static const char *const isa_names[] = {"base", "avx2", "avx512", "avx512bf16", "amx", "amx-bf16x3", "amx-bf16x6",
                                        "emu512", "emubf16", "emuamx", "emuamx-bf16x3", "emuamx-bf16x6", "cuda-emu", "cuda"};
#define N_ISAS 14
#define FIRST_EMULATED 7
#define CUDA_EMULATED 12

#if defined(__x86_64__)
extern const struct ops ops_cpu_emu512, ops_cpu_emubf16, ops_cpu_emuamx;

static inline bool emulate(struct dev *dev, int isa)
{
    struct cpu_state *s = dev->backend;
    const int n = isa - FIRST_EMULATED;
    dev->ops = n == 0 ? &ops_cpu_emu512 : n == 1 ? &ops_cpu_emubf16 : &ops_cpu_emuamx;
    s->fp32_parts = n > 2 ? n - 1 : 0;
    dev->name = isa_names[isa];
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#else
static inline bool emulate(struct dev *dev, int isa)
{
    (void)dev, (void)isa;
    return false;
}
#endif

/* False where this processor lacks it. */
static inline bool open_isa(struct dev *dev, int isa, enum dtype t, int threads)
{
    const char *error = NULL, *only = getenv("OPS_ONLY");
    if (only && strcmp(only, isa_names[isa]) != 0)
        return false;
    if (isa >= CUDA_EMULATED)
        return dev_open_plugin(dev, isa == CUDA_EMULATED ? "emu" : "cuda", t, 0, &error) == 0;
    setenv("THINKPIPE_CPU", isa < FIRST_EMULATED ? isa_names[isa] : "", 1);
    bool ok = dev_open_cpu(dev, t, threads, pool_for, &error) == 0;
    unsetenv("THINKPIPE_CPU");
    return ok && (isa < FIRST_EMULATED || emulate(dev, isa));
}

#endif
