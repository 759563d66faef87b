/* bench_gpu.c - speed of the GPU's operations, as Markdown tables.
 *
 *     bench_gpu [DEVICE [QUICK]]
 *
 * DEVICE: cuda, or emu for a rehearsal (QUICK=1: tiny shapes; what it prints then is no speed of anything).
 * Products: TFLOP/s over M, and whether each row has the bits it has in the largest product.  Attention: TFLOP/s over the
 * length, causal, counted as half of the square.  Operations bound by memory: GB/s of what they must read and write, and
 * the share of what a copy reaches.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pool.h"
#include "kernels/ops.h"
#include "tests/bench/clock.h"

static struct dev dev;
static bool quick;

static void die(const char *text)
{
    fprintf(stderr, "bench_gpu: %s\n", text);
    exit(1);
}

/* Waits for all work: a download does. */
static void finish(void *some)
{
    char byte;
    dev.ops->download(&dev, &byte, some, 1);
    if (dev_error(&dev))
        die(dev_error(&dev));
}

static void *room(size_t bytes)
{
    void *p = dev.ops->alloc(&dev, bytes);
    if (!p)
        die("no memory on the device");
    return p;
}

/* bf16 values between -1 and 1, the same for the same seed. */
static void *random_bf16(int64_t n, uint32_t seed)
{
    enum { PERIOD = 1 << 16 };
    void *p = room((size_t)n * 2);
    uint16_t *x = malloc(PERIOD * sizeof *x);
    if (!x)
        die("out of memory");
    for (int i = 0; i < PERIOD; i++) {
        seed = seed * 1664525 + 1013904223;
        float f = (float)(int32_t)seed / 2147483648.0f;
        uint32_t u;
        memcpy(&u, &f, 4);
        x[i] = (uint16_t)(u >> 16);
    }
    for (int64_t i = 0; i < n; i += PERIOD)
        dev.ops->upload(&dev, (char *)p + 2 * i, x, (size_t)(n - i < PERIOD ? n - i : PERIOD) * 2);
    free(x);
    return p;
}

/* Seconds a call: the best of three batches of at least 50 ms. */
static double best_time(void (*fn)(void *arg), void *arg, void *some)
{
    double best = 1e30, least = quick ? 0 : 0.05;
    fn(arg);
    finish(some);
    for (int i = 0; i < (quick ? 1 : 3); i++) {
        double t0 = now(), t = 0;
        int n = 0, batch = 1;
        do {
            for (int k = 0; k < batch; k++)
                fn(arg);
            finish(some);
            n += batch;
            batch *= 2;
            t = now() - t0;
        } while (t < least);
        best = t / n < best ? t / n : best;
    }
    return best;
}

/* --- products --- */

static void run_linear(void *arg)
{
    dev.ops->linear(&dev, arg);
}

static bool same_rows(const void *all, const void *some, int64_t bytes)
{
    char *a = malloc((size_t)bytes), *b = malloc((size_t)bytes);
    if (!a || !b)
        die("out of memory");
    dev.ops->download(&dev, a, all, (size_t)bytes);
    dev.ops->download(&dev, b, some, (size_t)bytes);
    bool same = memcmp(a, b, (size_t)bytes) == 0;
    free(a);
    free(b);
    return same;
}

static void bench_product(int64_t N, int64_t K)
{
    static const int64_t full[] = {1, 8, 64, 256, 512, 2048, 8192}, tiny[] = {1, 8, 70};
    const int64_t *counts = quick ? tiny : full, most = counts[quick ? 2 : 6];
    int n_counts = quick ? 3 : 7;
    void *x = random_bf16(most * K, 1), *w = random_bf16(N * K, 2);
    void *all = room((size_t)(most * N) * 2), *some = room((size_t)(most * N) * 2);
    struct linear_args a = {.y = all, .x = x, .w = w, .M = most, .N = N, .K = K};
    run_linear(&a);
    a.y = some;
    for (int i = 0; i < n_counts; i++) {
        a.M = counts[i];
        double t = best_time(run_linear, &a, some), flop = 2.0 * (double)a.M * (double)N * (double)K;
        double bytes = 2.0 * ((double)N * (double)K + (double)a.M * (double)(N + K));
        printf("| %lld | %lld | %lld | %.1f | %.1f | %.0f | %s |\n", (long long)a.M, (long long)N, (long long)K, t * 1e6,
               flop / t * 1e-12, bytes / t * 1e-9, same_rows(all, some, counts[i] * N * 2) ? "yes" : "NO");
    }
    dev.ops->free(&dev, x);
    dev.ops->free(&dev, w);
    dev.ops->free(&dev, all);
    dev.ops->free(&dev, some);
}

/* --- attention --- */

struct attention_work {
    struct attention_args forward;
    struct attention_backward_args backward;
};

static void run_attention(void *arg)
{
    dev.ops->attention(&dev, &((struct attention_work *)arg)->forward);
}

static void run_attention_backward(void *arg)
{
    dev.ops->attention_backward(&dev, &((struct attention_work *)arg)->backward);
}

static void bench_attention(int64_t n)
{
    const int64_t heads = quick ? 2 : 16, kv_heads = quick ? 1 : 8, hd = quick ? 64 : 128;
    const int64_t stride = (heads + 2 * kv_heads) * hd;
    const int32_t start[2] = {0, (int32_t)n};
    char *qkv = random_bf16(n * stride, 3), *grad = room((size_t)(n * stride) * 2);
    void *out = room((size_t)(n * heads * hd) * 2), *lse = room((size_t)(n * heads) * 4);
    struct attention_work w = {
        .forward = {.out = out, .lse = lse, .q = qkv, .k = qkv + heads * hd * 2, .v = qkv + (heads + kv_heads) * hd * 2,
                    .seq_start = start, .n = n, .n_seqs = 1, .n_heads = heads, .n_kv_heads = kv_heads, .head_dim = hd,
                    .q_stride = stride, .kv_stride = stride, .scale = 1 / sqrt((double)hd)},
        .backward = {.dq = grad, .dk = grad + heads * hd * 2, .dv = grad + (heads + kv_heads) * hd * 2, .dout = out,
                     .out = out, .lse = lse, .q = qkv, .k = qkv + heads * hd * 2, .v = qkv + (heads + kv_heads) * hd * 2,
                     .seq_start = start, .n = n, .n_seqs = 1, .n_heads = heads, .n_kv_heads = kv_heads, .head_dim = hd,
                     .q_stride = stride, .kv_stride = stride, .scale = 1 / sqrt((double)hd)}};
    double forward = best_time(run_attention, &w, out), backward = best_time(run_attention_backward, &w, grad);
    double flop = 2.0 * (double)n * (double)n * (double)(heads * hd); /* two products, half of the square */
    printf("| %lld | %lld / %lld of %lld | %.1f | %.1f |\n", (long long)n, (long long)heads, (long long)kv_heads,
           (long long)hd, flop / forward * 1e-12, 2.5 * flop / backward * 1e-12);
    dev.ops->free(&dev, qkv);
    dev.ops->free(&dev, grad);
    dev.ops->free(&dev, out);
    dev.ops->free(&dev, lse);
}

/* --- bound by memory --- */

struct copy_work {
    void *to, *from;
    size_t bytes;
};

static void run_copy(void *arg)
{
    struct copy_work *c = arg;
    dev.ops->copy(&dev, c->to, c->from, c->bytes);
}

static void run_rmsnorm(void *arg)
{
    dev.ops->rmsnorm(&dev, arg);
}

static void run_swiglu(void *arg)
{
    dev.ops->swiglu(&dev, arg);
}

static void run_logprob(void *arg)
{
    dev.ops->logprob(&dev, arg);
}

static void run_adamw(void *arg)
{
    dev.ops->adamw(&dev, arg);
}

static double copy_rate;

static void print_rate(const char *name, double bytes, double t)
{
    double rate = bytes / t * 1e-9;
    if (copy_rate == 0)
        copy_rate = rate;
    printf("| %s | %.1f | %.0f | %.2f |\n", name, t * 1e6, rate, rate / copy_rate);
}

static void bench_rows(int64_t n, int64_t dim)
{
    size_t cells = (size_t)(n * dim);
    void *x = random_bf16(2 * n * dim, 4), *y = room(cells * 4), *w = random_bf16(dim, 5), *rstd = room((size_t)n * 4);
    struct copy_work copy = {y, x, cells * 4};
    print_rate("copy", (double)cells * 8, best_time(run_copy, &copy, y));
    struct rmsnorm_args norm = {.y = y, .x = x, .w = w, .rstd = rstd, .n_rows = n, .dim = dim, .heads = 1,
                                .x_stride = dim, .y_stride = dim, .eps = 1e-6};
    print_rate("rmsnorm", (double)cells * 4, best_time(run_rmsnorm, &norm, y));
    struct swiglu_args gate = {.h = y, .gate_up = x, .n = n, .dim = dim};
    print_rate("swiglu", (double)cells * 6, best_time(run_swiglu, &gate, y));
    dev.ops->free(&dev, x);
    dev.ops->free(&dev, y);
    dev.ops->free(&dev, w);
    dev.ops->free(&dev, rstd);
}

static void bench_loss_and_step(int64_t rows, int64_t vocab, int64_t params)
{
    void *logits = room((size_t)(rows * vocab) * 4), *out = room((size_t)rows * 4), *lse = room((size_t)rows * 4);
    int32_t *targets = room((size_t)rows * 4);
    struct logprob_args a = {.logprobs = out, .lse = lse, .logits = logits, .targets = targets, .n = rows, .vocab = vocab,
                             .stride = vocab};
    print_rate("logprob", (double)(rows * vocab) * 4, best_time(run_logprob, &a, out));
    dev.ops->free(&dev, logits);
    char *state = room((size_t)params * 18);
    struct adamw_args s = {.master = state, .m = state + params * 4, .v = state + params * 8, .grad = state + params * 12,
                           .weights = state + params * 16, .n = params, .lr = 1e-3, .beta1 = 0.9, .beta2 = 0.95,
                           .eps = 1e-8, .bias1 = 0.1, .bias2 = 0.05, .grad_scale = 1};
    print_rate("adamw", (double)params * 30, best_time(run_adamw, &s, state));
    dev.ops->free(&dev, state);
    dev.ops->free(&dev, out);
    dev.ops->free(&dev, lse);
    dev.ops->free(&dev, targets);
}

int main(int argc, char **argv)
{
    const char *error = NULL;
    quick = argc > 2;
    setvbuf(stdout, NULL, _IOLBF, 0); /* whoever stops it has what was measured */
    pool_init(1);
    if (dev_open_plugin(&dev, argc > 1 ? argv[1] : "cuda", DTYPE_BF16, 0, &error) < 0)
        die(error);
    puts("| M | N | K | us | TFLOP/s | GB/s | the rows' bits as in the largest |\n|---|---|---|---|---|---|---|");
    bench_product(quick ? 96 : 4096, quick ? 64 : 4096);
    if (!quick) {
        bench_product(11008, 4096);
        bench_product(4096, 11008);
        bench_product(49152, 576);
    }
    puts("\n| length | heads | attention, TFLOP/s | its backward |\n|---|---|---|---|");
    for (int64_t n = quick ? 64 : 1024; n <= (quick ? 128 : 32768); n *= 2)
        bench_attention(n);
    puts("\n| operation | us | GB/s | of a copy |\n|---|---|---|---|");
    bench_rows(quick ? 20 : 16384, quick ? 256 : 4096);
    bench_loss_and_step(quick ? 4 : 2048, quick ? 300 : 151936, quick ? 3000 : 134000000);
    dev_close(&dev);
    return 0;
}
