/* bench_ops.c - speed of the CPU operations, as Markdown tables.
 *
 * Matrix products are given as a share of what a loop of independent fused multiply-adds (or dot
 * products of pairs, where these are used) reaches in the same process, and a few rows' of what
 * reading alone reaches, since the machine's clock and neighbours change from run to run.
 *
 *     bench_ops [f32|bf16] [threads]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pool.h"
#include "kernels/ops.h"
#include "tests/bench/clock.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static struct dev dev;

/* Seconds per call: the best of several batches of at least 30 ms. */
static double best_time(void (*fn)(void *arg), void *arg)
{
    double best = 1e30;
    fn(arg);
    for (int i = 0; i < 5; i++) {
        double t0 = now(), t;
        int n = 0;
        do {
            fn(arg);
            n++;
            t = now() - t0;
        } while (t < 0.03);
        best = t / n < best ? t / n : best;
    }
    return best;
}

/* -- the peak: 16 chains of multiply-adds, nothing from memory -- */

#define PEAK_LOOPS 100000
#define PEAK_CHAINS 16

#if defined(__x86_64__)
__attribute__((target("avx512f"))) static float peak_avx512(void)
{
    __m512 c[PEAK_CHAINS], x = _mm512_set1_ps(0.999f), sum = _mm512_setzero_ps();
    for (int k = 0; k < PEAK_CHAINS; k++)
        c[k] = _mm512_set1_ps((float)k);
    for (int i = 0; i < PEAK_LOOPS; i++)
#pragma GCC unroll 16
        for (int k = 0; k < PEAK_CHAINS; k++)
            c[k] = _mm512_fmadd_ps(c[k], x, x);
    for (int k = 0; k < PEAK_CHAINS; k++)
        sum = _mm512_add_ps(sum, c[k]);
    return _mm512_reduce_add_ps(sum);
}

__attribute__((target("avx2,fma"))) static float peak_avx2(void)
{
    __m256 c[12], x = _mm256_set1_ps(0.999f), sum = _mm256_setzero_ps();
    float out[8];
    for (int k = 0; k < 12; k++)
        c[k] = _mm256_set1_ps((float)k);
    for (int i = 0; i < PEAK_LOOPS; i++)
#pragma GCC unroll 16
        for (int k = 0; k < 12; k++)
            c[k] = _mm256_fmadd_ps(c[k], x, x);
    for (int k = 0; k < 12; k++)
        sum = _mm256_add_ps(sum, c[k]);
    _mm256_storeu_ps(out, sum);
    return out[0];
}
#endif

#if defined(__x86_64__)
__attribute__((target("avx512f,avx512bf16"))) static float peak_pairs(void)
{
    __m512 c[PEAK_CHAINS];
    __m512bh x = (__m512bh)_mm512_set1_epi32(0x3f803f80);
    __m512 sum = _mm512_setzero_ps();
    for (int k = 0; k < PEAK_CHAINS; k++)
        c[k] = _mm512_set1_ps((float)k);
    for (int i = 0; i < PEAK_LOOPS; i++)
#pragma GCC unroll 16
        for (int k = 0; k < PEAK_CHAINS; k++)
            c[k] = _mm512_dpbf16_ps(c[k], x, x);
    for (int k = 0; k < PEAK_CHAINS; k++)
        sum = _mm512_add_ps(sum, c[k]);
    return _mm512_reduce_add_ps(sum);
}
#endif

static double peak_flops; /* of one call */

static void peak_one(void *arg, int64_t i, int thread)
{
    volatile float sink = 0;
    (void)arg, (void)i, (void)thread;
#if defined(__x86_64__)
    if (strcmp(dev.name, "cpu/avx512bf16") == 0 && dev.dtype == DTYPE_BF16) {
        sink = peak_pairs();
        peak_flops = 2.0 * 32 * PEAK_CHAINS * PEAK_LOOPS;
        return;
    }
    if (strncmp(dev.name, "cpu/avx512", 10) == 0) {
        sink = peak_avx512();
        peak_flops = 2.0 * 16 * PEAK_CHAINS * PEAK_LOOPS;
        return;
    }
    if (__builtin_cpu_supports("fma")) {
        sink = peak_avx2();
        peak_flops = 2.0 * 8 * 12 * PEAK_LOOPS;
        return;
    }
#endif
    (void)sink;
    peak_flops = 0;
}

static void peak_all(void *arg)
{
    (void)arg;
    pool_for(pool_threads(), peak_one, NULL);
}

/* -- reading from memory: every thread four streams, summed so that nothing is left out -- */

#define READ_BYTES ((int64_t)256 << 20)
#define READ_STREAMS 4

static uint64_t *read_from;

static void read_part(void *arg, int64_t i, int thread)
{
    int64_t n = READ_BYTES / 8 / pool_threads() / READ_STREAMS;
    const uint64_t *x = read_from + i * n * READ_STREAMS;
    volatile uint64_t sink;
    uint64_t sum[8] = {0};
    (void)arg, (void)thread;
    for (int64_t k = 0; k < n; k += 8)
        for (int s = 0; s < READ_STREAMS; s++) {
            __builtin_prefetch(x + s * n + k + 64);
            for (int l = 0; l < 8; l++)
                sum[l] ^= x[s * n + k + l];
        }
    sink = sum[0] ^ sum[1] ^ sum[2] ^ sum[3] ^ sum[4] ^ sum[5] ^ sum[6] ^ sum[7];
    (void)sink;
}

static void read_all(void *arg)
{
    (void)arg;
    pool_for(pool_threads(), read_part, NULL);
}

static double read_rate(void)
{
    read_from = dev.ops->alloc(&dev, (size_t)READ_BYTES);
    if (!read_from)
        exit(1);
    double rate = 1e-9 * (double)READ_BYTES / best_time(read_all, NULL);
    dev.ops->free(&dev, read_from);
    return rate;
}

/* -- matrix products -- */

static void fill(void *p, enum dtype t, int64_t n)
{
    float *x = malloc((size_t)n * sizeof *x);
    if (!x)
        exit(1);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)((i * 2654435761u >> 7) % 1024) / 512 - 1;
    dev.ops->convert(&dev, p, t, x, DTYPE_F32, n);
    free(x);
}

static void *filled(enum dtype t, int64_t n)
{
    void *p = dev.ops->alloc(&dev, (size_t)n * dtype_bytes(t));
    fill(p, t, n);
    return p;
}

static void run_linear(void *arg)
{
    dev.ops->linear(&dev, arg);
}

static void run_input(void *arg)
{
    dev.ops->linear_backward_input(&dev, arg);
}

static void run_weight(void *arg)
{
    dev.ops->linear_backward_weight(&dev, arg);
}

static void run_pack(void *arg)
{
    struct linear_args *a = arg;
    void *packed;
    memcpy(&packed, &a->packed, sizeof packed);
    dev.ops->pack_weight(&dev, packed, a->w, a->N, a->K, PACK_W);
}

static void bench_product(int64_t M, int64_t N, int64_t K, double peak, double reading)
{
    enum dtype t = dev.dtype;
    void *x = filled(t, M * K), *w = filled(t, N * K), *y = filled(t, M * N);
    void *dw = filled(DTYPE_F32, N * K);
    void *packed = dev.ops->alloc(&dev, dev.ops->packed_bytes(&dev, N, K, PACK_W));
    struct linear_args f = {.y = y, .x = x, .w = w, .packed = packed, .M = M, .N = N, .K = K};
    struct linear_backward_input_args i = {.dx = x, .dy = y, .w = w, .M = M, .N = N, .K = K};
    struct linear_backward_weight_args g = {.dw = dw, .dy = y, .x = x, .M = M, .N = N, .K = K};
    double pack = best_time(run_pack, &f);
    double flops = 2e-9 * (double)M * (double)N * (double)K;
    double forward = flops / best_time(run_linear, &f);
    double bytes = 1e-9 * (double)(N * K) * (double)dtype_bytes(t) * forward / flops;
    fill(y, t, M * N);
    double input = flops / best_time(run_input, &i);
    fill(x, t, M * K);
    double weight = flops / best_time(run_weight, &g);
    printf("| %d | %d | %d | %.0f (%.0f%%) | %.1f (%.0f%%) | %.0f (%.0f%%) | %.0f (%.0f%%) | %.0f |\n",
           (int)M, (int)N, (int)K, forward, 100 * forward / peak, bytes, 100 * bytes / reading, input,
           100 * input / peak, weight, 100 * weight / peak, pack * 1e6);
    fflush(stdout);
    void *all[] = {x, w, y, dw, packed};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        dev.ops->free(&dev, all[k]);
}

/* -- attention -- */

static void run_attention(void *arg)
{
    dev.ops->attention(&dev, arg);
}

static void run_attention_backward(void *arg)
{
    dev.ops->attention_backward(&dev, arg);
}

static void bench_attention(int64_t len, int64_t n_seqs, int64_t heads, int64_t kv_heads,
                            int64_t hd, double peak)
{
    int64_t n = len * n_seqs, row = (heads + 2 * kv_heads) * hd;
    enum dtype t = dev.dtype;
    char *qkv = filled(t, n * row), *d = filled(t, n * row);
    void *out = filled(t, n * heads * hd), *dout = filled(t, n * heads * hd);
    void *lse = filled(DTYPE_F32, n * heads);
    int32_t *start = malloc((size_t)(n_seqs + 1) * sizeof *start);
    if (!start)
        exit(1);
    for (int64_t i = 0; i <= n_seqs; i++)
        start[i] = (int32_t)(i * len);
    int64_t k = heads * hd * (int64_t)dtype_bytes(t);
    int64_t v = k + kv_heads * hd * (int64_t)dtype_bytes(t);
    struct attention_args f = {.out = out,
                               .lse = lse,
                               .q = qkv,
                               .k = qkv + k,
                               .v = qkv + v,
                               .seq_start = start,
                               .n = n,
                               .n_seqs = n_seqs,
                               .n_heads = heads,
                               .n_kv_heads = kv_heads,
                               .head_dim = hd,
                               .q_stride = row,
                               .kv_stride = row,
                               .scale = 0.125};
    struct attention_backward_args b = {.dq = d,
                                        .dk = d + k,
                                        .dv = d + v,
                                        .dout = dout,
                                        .out = out,
                                        .lse = lse,
                                        .q = f.q,
                                        .k = f.k,
                                        .v = f.v,
                                        .seq_start = start,
                                        .n = n,
                                        .n_seqs = n_seqs,
                                        .n_heads = heads,
                                        .n_kv_heads = kv_heads,
                                        .head_dim = hd,
                                        .q_stride = row,
                                        .kv_stride = row,
                                        .scale = 0.125};
    double forward = best_time(run_attention, &f), backward = best_time(run_attention_backward, &b);
    double flops = 2e-9 * (double)(n * len * heads * hd); /* the causal half of QK and of PV */
    printf("| %d x %d | %d/%d | %d | %.0f | %.0f (%.0f%%) | %.0f | %.0f (%.0f%%) |\n", (int)n_seqs,
           (int)len, (int)heads, (int)kv_heads, (int)hd, 1e-3 * (double)n / forward,
           flops / forward, 100 * flops / forward / peak, 1e-3 * (double)n / backward,
           2.5 * flops / backward, 250 * flops / backward / peak);
    fflush(stdout);
    void *all[] = {qkv, d, out, dout, lse};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        dev.ops->free(&dev, all[i]);
    free(start);
}

int main(int argc, char **argv)
{
    enum dtype t = argc > 1 && strcmp(argv[1], "bf16") == 0 ? DTYPE_BF16 : DTYPE_F32;
    const char *error = NULL;
    pool_init(argc > 2 ? atoi(argv[2]) : 0);
    if (dev_open_cpu(&dev, t, pool_threads(), pool_for, &error) != 0) {
        fprintf(stderr, "bench_ops: %s\n", error);
        return 1;
    }
    double time = best_time(peak_all, NULL), peak = 1e-9 * peak_flops * pool_threads() / time;
    double reading = read_rate();
    printf("%s %s, %d threads; multiply-add loop: %.0f GFLOP/s, reading %.1f GB/s\n\n", dev.name,
           t == DTYPE_BF16 ? "bf16" : "f32", pool_threads(), peak, reading);
    printf(
        "| M | N | K | forward GFLOP/s | weights GB/s | input gradient | weight gradient | pack, "
        "us |\n|---|---|---|---|---|---|---|---|\n");
    static const int64_t products[][3] = {{1, 256, 256},     {1, 1024, 256},   {1, 1024, 1024},
                                          {1, 4096, 1024},   {4, 1024, 256},   {16, 256, 256},
                                          {16, 1024, 1024},  {256, 128, 128},
                                          {1024, 192, 96},  {1024, 96, 96},   {1024, 512, 96},
                                          {1024, 96, 256},  {1024, 1024, 96},
                                           {256, 1024, 256},
                                          {256, 1024, 1024}, {2048, 256, 256}, {2048, 1024, 256},
                                          {2048, 256, 1024}, {2048, 512, 512}, {2048, 1024, 1024},
                                          /* SmolLM2-135M's */
                                          {2048, 960, 576},  {2048, 576, 576},  {2048, 3072, 576},
                                          {2048, 576, 1536}, {672, 49152, 576},
                                          /* weights of 216 MiB in bf16: from memory */
                                          {1, 196608, 576},  {4, 196608, 576},  {16, 196608, 576},
                                          {32, 196608, 576}};
    for (size_t i = 0; i < sizeof products / sizeof *products; i++)
        bench_product(products[i][0], products[i][1], products[i][2], peak, reading);
    printf(
        "\n| sequences | heads | head_dim | forward ktok/s | GFLOP/s | backward ktok/s | GFLOP/s "
        "|\n|---|---|---|---|---|---|---|\n");
    bench_attention(128, 16, 8, 4, 32, peak);
    bench_attention(512, 4, 8, 4, 32, peak);
    bench_attention(1024, 2, 9, 3, 64, peak);
    bench_attention(4096, 1, 4, 2, 128, peak);
    dev_close(&dev);
    pool_release();
    return 0;
}
