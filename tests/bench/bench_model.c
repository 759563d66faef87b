/* bench_model.c - tokens a second of whole-model work, on two shapes that peers run too.
 *
 *     bench_model WORK SHAPE PRECISION [BATCH [THREADS [DEVICE]]]
 *
 * WORK: train    forward, backward and AdamW on packed sequences of the shape's context
 *       train-recompute  the same, keeping only the layers' inputs
 *       prefill  the forward with the log-probability of every token
 *       decode   sampling at temperature 1 after a prompt of 32 tokens, log-probabilities included
 * PRECISION: fp32, bf16, or (not to train) int8 for bf16 with int8 weights
 * SHAPE: small (4 layers, width 256, 4.0M parameters), smollm2 (30 layers, width 576, 135M), 1b (16 layers, width 2048,
 *       1.3B) or 7b (32 layers, width 4096, 6.7B); DEVICE: cpu, cuda or emu.
 * Prints one line: the median over the repetitions, and the process's peak memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/pool.h"
#include "gen/engine.h"
#include "train/optimizer.h"
#include "tests/bench/clock.h"

enum { MAX_RUNS = 15, PROMPT = 32, NEW_TOKENS = 64 };
static const double LEAST_SECONDS = 3; /* repetitions go on for at least as long */

struct shape {
    const char *name;
    int64_t layers, dim, heads, kv_heads, hidden, vocab, context;
};

static const struct shape shapes[] = {
    {"small", 4, 256, 8, 4, 704, 4096, 512},
    {"smollm2", 30, 576, 9, 3, 1536, 49152, 1024},
    {"1b", 16, 2048, 16, 16, 8192, 50304, 4096},
    {"7b", 32, 4096, 32, 32, 11008, 50304, 4096},
};

static void die(const char *text)
{
    fprintf(stderr, "bench_model: %s\n", text);
    exit(1);
}

static enum device_kind device_of(const char *name)
{
    for (const struct opt_enum *e = device_names; e->name; e++)
        if (strcmp(e->name, name) == 0)
            return (enum device_kind)e->value;
    die("no such device");
    return DEVICE_CPU;
}

static struct model *new_model(const struct shape *s, const char *precision, const char *device, bool trainable,
                               bool recompute)
{
    struct err err = {0};
    struct model_options opt = {.device = device_of(device), .trainable = trainable, .recompute = recompute};
    opt.precision = strcmp(precision, "fp32") == 0 ? PRECISION_FP32 : PRECISION_BF16;
    if (strcmp(precision, "int8") == 0)
        opt.weights = WEIGHTS_INT8;
    struct model_config c = {.arch = ARCH_LLAMA, .dim = s->dim, .hidden_dim = s->hidden,
                             .n_layers = s->layers, .n_heads = s->heads,
                             .n_kv_heads = s->kv_heads, .head_dim = s->dim / s->heads,
                             .vocab_size = s->vocab, .max_seq_len = s->context,
                             .rms_norm_eps = 1e-5, .initializer_range = 0.02,
                             .norm_place = NORM_BEFORE, .round_first = true,
                             .tied_embeddings = true, .rope = {.theta = 10000}, .bos = -1,
                             .pad = -1, .dtype = "float32"};
    struct model *m = model_new(&c, &opt, &err);
    if (!m)
        die(err.text);
    model_init_random(m, 1);
    return m;
}

struct work {
    struct model *m;
    const struct shape *shape;
    int64_t batch;
    struct batch b;
    float *logprobs, *gradient;
    struct optimizer optimizer;
    struct optimizer_options options;
};

static int32_t some_token(int64_t i, int64_t vocab)
{
    return (int32_t)((uint64_t)(i * 2654435761u >> 7) % (uint64_t)vocab);
}

static void make_batch(struct work *w)
{
    int64_t n = w->batch * w->shape->context;
    int32_t *tokens = calloc((size_t)n, 4), *targets = calloc((size_t)n, 4);
    int32_t *start = calloc((size_t)w->batch + 1, 4);
    w->logprobs = calloc((size_t)n, 4);
    w->gradient = calloc((size_t)n, 4);
    if (!tokens || !targets || !start || !w->logprobs || !w->gradient)
        die("out of memory");
    for (int64_t i = 0; i < n; i++) {
        tokens[i] = some_token(i, w->shape->vocab);
        targets[i] = some_token(i + 1, w->shape->vocab);
        w->gradient[i] = -1.0f / (float)n;
    }
    for (int64_t i = 0; i <= w->batch; i++)
        start[i] = (int32_t)(i * w->shape->context);
    w->b = (struct batch){.n_tokens = n, .n_seqs = w->batch, .tokens = tokens, .targets = targets,
                          .seq_start = start};
}

static double prefill(struct work *w)
{
    struct err err = {0};
    struct forward_out out = {.logprobs = w->logprobs};
    if (model_forward(w->m, &w->b, &out, &err) < 0)
        die(err.text);
    return (double)w->b.n_tokens;
}

static double train(struct work *w)
{
    struct err err = {0};
    double n = prefill(w);
    model_zero_grads(w->m);
    if (model_backward(w->m, &w->b, w->gradient, NULL, &err) < 0)
        die(err.text);
    optimizer_step(&w->optimizer, &w->options, 1e-4, optimizer_grad_norm(&w->optimizer));
    return n;
}

/* Counts from the second step on: the first runs the prompts. */
static double decode(struct work *w, double *seconds)
{
    struct err err = {0};
    struct engine *e = engine_new(w->m, w->batch, PROMPT + NEW_TOKENS, &err);
    int32_t prompt[PROMPT];
    for (int64_t i = 0; e && i < w->batch; i++) {
        for (int k = 0; k < PROMPT; k++)
            prompt[k] = some_token(i * PROMPT + k, w->shape->vocab);
        struct gen_request r = {.prompt = prompt, .n_prompt = PROMPT, .max_tokens = NEW_TOKENS,
                                .sampling = SAMPLING_DEFAULT, .seed = 1, .record = (uint64_t)i};
        if (engine_submit(e, &r, &err) < 0)
            die(err.text);
    }
    int64_t before = 0;
    double start = 0;
    while (e && engine_busy(e)) {
        if (engine_step(e, &err) < 0)
            die(err.text);
        if (before == 0 && engine_tokens(e) >= w->batch) {
            before = engine_tokens(e);
            start = now();
        }
    }
    if (!e)
        die(err.text);
    *seconds = now() - start;
    double made = (double)(engine_tokens(e) - before);
    engine_free(e);
    return made;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
    struct work w = {.options = {0.9, 0.95, 1e-8, 0.1, 1.0}};
    struct err err = {0};
    if (argc < 4)
        die("usage: bench_model train|train-recompute|prefill|decode small|smollm2|1b|7b fp32|bf16|int8 [BATCH [THREADS [DEVICE]]]");
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (strcmp(argv[2], shapes[i].name) == 0)
            w.shape = &shapes[i];
    bool recompute = strcmp(argv[1], "train-recompute") == 0;
    bool training = recompute || strcmp(argv[1], "train") == 0, decoding = strcmp(argv[1], "decode") == 0;
    if (!w.shape || (!training && !decoding && strcmp(argv[1], "prefill") != 0))
        die("no such work or shape");
    w.batch = argc > 4 ? atoll(argv[4]) : 1;
    pool_init(argc > 5 ? atoi(argv[5]) : 0);
    w.m = new_model(w.shape, argv[3], argc > 6 ? argv[6] : "cpu", training, recompute);
    if (training && optimizer_init(&w.optimizer, w.m, NULL, &err) < 0)
        die(err.text);
    make_batch(&w);
    double rate[MAX_RUNS], total = 0;
    int runs = 0;
    for (int i = 0; runs < MAX_RUNS && (runs < 3 || total < LEAST_SECONDS); i++) {
        double start = now(), seconds, n;
        if (decoding) {
            n = decode(&w, &seconds);
        } else {
            n = training ? train(&w) : prefill(&w);
            seconds = now() - start;
        }
        if (i == 0) /* warm up */
            continue;
        rate[runs++] = n / seconds;
        total += seconds;
    }
    qsort(rate, (size_t)runs, sizeof *rate, ascending);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("thinkpipe %s %s %s %s batch %lld: %.1f tokens/s, peak %.0f MiB\n", w.m->dev.name,
           argv[1], argv[2], argv[3], (long long)w.batch, rate[runs / 2],
           (double)usage.ru_maxrss / 1024);
    return 0;
}
