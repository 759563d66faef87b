/* Tiny models of the five architectures against numbers from transformers
 * (tests/golden/make_model_golden.py). */
#include "data/safetensors.h"
#include "gen/engine.h"
#include "model/checkpoint.h"
#include "tests/unit/model_cases.h"
#include "train/optimizer.h"

enum { N = 24, TAIL = 4, VOCAB = 64, STEPS = 5 };

struct logits {
    float rows[2 * N][VOCAB];
};

static void take(void *arg, int64_t first, int64_t n, const float *logits)
{
    struct logits *l = arg;

    memcpy(l->rows[first], logits, (size_t)(n * VOCAB) * sizeof(float));
}

static const float *floats(const struct st_file *f, const char *name)
{
    const struct st_tensor *t = st_find(f, name);

    CHECK_MSG(t && t->dtype == ST_F32, "%s: no float tensor %s", f->path, name);
    return t ? t->data : NULL;
}

/* The cached decoder gives the logits of the packed forward, which check_logits() compares. */
static void check_decoder(const char *name, struct model *m, const struct batch *b,
                          const struct logits *l)
{
    for (int s = 0; s < 2; s++) {
        float *got = case_decode(m, b->tokens + s * N, N);
        CHECK_MSG(memcmp(got, l->rows[s * N], N * VOCAB * sizeof(float)) == 0,
                  "%s: the cached decoder's logits of sequence %d have other bits", name, s);
        free(got);
    }
}

static void check_logits(const char *name, const struct logits *l, const float *expected)
{
    double largest = 0, worst = 0;

    for (int s = 0; s < 2; s++) {
        for (int i = 0; i < TAIL * VOCAB; i++) {
            double want = expected[s * TAIL * VOCAB + i];
            double got = l->rows[s * N + N - TAIL + i / VOCAB][i % VOCAB];
            largest = check_larger(largest, fabs(want));
            worst = check_larger(worst, fabs(got - want));
        }
    }
    CHECK_MSG(worst < 1e-5 * largest, "%s: logits off by %g of %g", name, worst, largest);
    printf("%-13s logits %.1e of the largest", name, worst / largest);
}

/* Every parameter's gradient, relative to its norm. */
static double check_grads(const char *name, const struct model *m, const struct st_file *f)
{
    double *g = case_grads(m), worst = 0;

    for (int i = 0; i < m->n_params; i++) {
        const struct param *p = &m->params[i];
        char key[128];
        double diff = 0, size = 0;

        snprintf(key, sizeof(key), "grad.%s", p->name);
        const float *want = floats(f, key);
        for (int64_t j = 0; want && j < p->numel; j++) {
            double d = g[p->offset + j] - (double)want[j];
            diff += d * d;
            size += (double)want[j] * (double)want[j];
        }
        CHECK_MSG(size > 0 && sqrt(diff) < 1e-4 * sqrt(size), "%s: %s: gradient off by %g of %g", name, p->name,
                  sqrt(diff), sqrt(size));
        worst = check_larger(worst, sqrt(diff / size));
    }
    free(g);
    return worst;
}

static void make_batch(struct batch *b, int32_t *tokens, int32_t *targets, int32_t *start,
                       const struct st_file *f)
{
    const int32_t *t = st_find(f, "tokens")->data;

    for (int i = 0; i < 2 * N; i++) {
        tokens[i] = t[i / N * (N + 1) + i % N];
        targets[i] = t[i / N * (N + 1) + i % N + 1];
    }
    for (int i = 0; i < 3; i++)
        start[i] = i * N;
    *b = (struct batch){.n_tokens = 2 * N, .n_seqs = 2, .tokens = tokens, .targets = targets,
                        .seq_start = start};
}

/* Greedy text through the engine's cache. */
static void check_greedy(const char *name, struct model *m, const struct st_file *f)
{
    const struct st_tensor *prompt = st_find(f, "prompt"), *want = st_find(f, "greedy");
    struct err err = {0};
    struct engine *e = engine_new(m, 1, 0, &err);
    struct gen_request q = {.prompt = prompt->data, .n_prompt = prompt->shape[0],
                            .max_tokens = want->shape[0]};
    struct gen_result r;

    CHECK_MSG(e && engine_submit(e, &q, &err) == 0, "%s", err.text);
    while (!engine_next(e, &r))
        CHECK_MSG(engine_step(e, &err) == 0, "%s", err.text);
    CHECK_MSG(r.n_tokens == want->shape[0] && r.n_tokens == 32 &&
                  memcmp(r.tokens, want->data, (size_t)r.n_tokens * sizeof(int32_t)) == 0,
              "%s: another greedy continuation", name);
    gen_result_release(&r);
    engine_free(e);
}

static double mean_loss(struct model *m, const struct batch *b)
{
    struct err err = {0};
    float lp[2 * N];
    struct forward_out out = {.logprobs = lp};
    double loss = 0;

    CHECK_MSG(model_forward(m, b, &out, &err) == 0, "%s", err.text);
    for (int i = 0; i < 2 * N; i++)
        loss -= (double)lp[i] / (2 * N);
    return loss;
}

static void backward(struct model *m, const struct batch *b)
{
    struct err err = {0};
    float dlogprobs[2 * N];

    for (int i = 0; i < 2 * N; i++)
        dlogprobs[i] = -1.0f / (2 * N);
    model_zero_grads(m);
    CHECK_MSG(model_backward(m, b, dlogprobs, NULL, &err) == 0, "%s", err.text);
}

/* How far each parameter moved, and whole ones where the file has them; relative to the way. */
static double check_moved(const char *name, const struct model *m, const float *before,
                          const float *after, const struct st_file *f)
{
    double worst = 0;

    for (int i = 0; i < m->n_params; i++) {
        const struct param *p = &m->params[i];
        char moved_key[128], after_key[128];
        double way = 0, off = 0;

        snprintf(moved_key, sizeof(moved_key), "moved.%s", p->name);
        snprintf(after_key, sizeof(after_key), "after.%s", p->name);
        const float *want = st_find(f, after_key) ? floats(f, after_key) : NULL;
        for (int64_t j = 0; j < p->numel; j++) {
            double x = (double)after[p->offset + j], d = x - (double)before[p->offset + j];
            double e = want ? x - (double)want[j] : 0;
            way += d * d;
            off += e * e;
        }
        double want_way = (double)floats(f, moved_key)[0];
        double error = (fabs(sqrt(way) - want_way) + sqrt(off)) / want_way;
        CHECK_MSG(error < 1e-3, "%s: %s: moved by %.7g, expected %.7g; off by %g", name, p->name,
                  sqrt(way), want_way, sqrt(off));
        worst = check_larger(worst, error);
    }
    return worst;
}

/* AdamW as torch does it, with the options of the script. */
static double check_training(const char *name, struct model *m, const struct batch *b,
                             const struct st_file *f)
{
    const struct optimizer_options o = {.beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8,
                                        .weight_decay = 0.1, .max_grad_norm = 1};
    size_t bytes = (size_t)m->n_elements * sizeof(float);
    float *before = xmalloc(bytes), *after = xmalloc(bytes);
    struct optimizer opt;
    struct err err = {0};

    model_get_weights(m, before);
    CHECK_MSG(optimizer_init(&opt, m, NULL, &err) == 0, "%s", err.text);
    for (int step = 0; step < STEPS; step++) {
        CHECK_CLOSE(mean_loss(m, b), floats(f, "train.loss")[step], 0, 1e-5);
        backward(m, b);
        double norm = optimizer_grad_norm(&opt);
        CHECK_CLOSE(norm, floats(f, "train.norm")[step], 0, 1e-4);
        optimizer_step(&opt, &o, 3e-3, norm);
    }
    CHECK_CLOSE(mean_loss(m, b), floats(f, "train.loss")[STEPS], 0, 1e-5);
    model_get_weights(m, after);
    double worst = check_moved(name, m, before, after, f);
    optimizer_release(&opt);
    free(before);
    free(after);
    return worst;
}

static struct model *load(const char *dir, int precision)
{
    struct model_options o = {.precision = precision, .trainable = precision == PRECISION_FP32};
    struct err err = {0};
    struct model *m = model_load(dir, &o, &err);

    CHECK_MSG(m, "%s", err.text);
    if (!m)
        exit(check_done());
    return m;
}

static void test_fp32(const char *name, const char *dir, const struct st_file *f,
                      const struct batch *b)
{
    struct model *m = load(dir, PRECISION_FP32);
    struct err err = {0};
    float lp[2 * N];
    struct forward_out out = {.logprobs = lp};
    struct logits l;

    CHECK_MSG(model_forward_logits(m, b, take, &l, &err) == 0, "%s", err.text);
    check_logits(name, &l, floats(f, "logits"));
    check_decoder(name, m, b, &l);
    CHECK_MSG(model_forward(m, b, &out, &err) == 0, "%s", err.text);
    for (int i = 0; i < 2 * N; i++)
        CHECK_CLOSE(lp[i], floats(f, "logprobs")[i], 5e-5, 1e-5);
    CHECK_CLOSE(mean_loss(m, b), floats(f, "loss")[0], 0, 1e-5);
    backward(m, b);
    printf(", gradients %.1e", check_grads(name, m, f));
    check_greedy(name, m, f);
    printf(", %d AdamW steps %.1e", STEPS, check_training(name, m, b, f));
    model_free(m);
}

/* Root mean square of a - b, and of b, over the rows that the file has. */
static double rms_tail(const struct logits *l, const float *a, const float *b)
{
    double s = 0;

    for (int i = 0; i < 2 * TAIL * VOCAB; i++) {
        int seq = i / (TAIL * VOCAB), row = seq * N + N - TAIL + i / VOCAB % TAIL;
        double x = l ? (double)l->rows[row][i % VOCAB] : (double)a[i];
        s += (x - (double)b[i]) * (x - (double)b[i]);
    }
    return sqrt(s / (2 * TAIL * VOCAB));
}

/* Two bf16 forwards round in different places, so neither is the truth: ours may be no further from
 * the float32 logits than transformers' is, with some room, and not further from it than both
 * errors together allow. */
static void test_bf16(const char *name, const char *dir, const struct st_file *f,
                      const struct batch *b)
{
    struct model *m = load(dir, PRECISION_BF16);
    struct err err = {0};
    float lp[2 * N];
    struct forward_out out = {.logprobs = lp};
    const float *exact = floats(f, "logits"), *theirs = floats(f, "bf16.logits");
    struct logits l;

    CHECK_MSG(model_forward_logits(m, b, take, &l, &err) == 0, "%s", err.text);
    double their_error = rms_tail(NULL, theirs, exact);
    double our_error = rms_tail(&l, NULL, exact), apart = rms_tail(&l, NULL, theirs);
    printf(", bf16 logits %.1e (transformers %.1e, apart %.1e)", our_error, their_error, apart);
    CHECK_MSG(our_error < 1.3 * their_error, "%s: bf16 logits off by %g, transformers' by %g", name,
              our_error, their_error);
    CHECK_MSG(apart < 1.5 * their_error, "%s: bf16 logits %g apart", name, apart);
    CHECK_MSG(model_forward(m, b, &out, &err) == 0, "%s", err.text);
    double worst = 0;
    for (int i = 0; i < 2 * N; i++) {
        double d = fabs((double)lp[i] - (double)floats(f, "bf16.logprobs")[i]);
        CHECK_MSG(d < 0.1, "%s: bf16 logprob %d: %g, transformers' %g", name, i, (double)lp[i],
                  (double)floats(f, "bf16.logprobs")[i]);
        worst = check_larger(worst, d);
    }
    printf(", logprobs %.1e apart\n", worst);
    model_free(m);
}

static void test_model(const char *root, const char *name)
{
    struct err err = {0};
    char *dir = xasprintf("%s/golden/model/%s", root, name);
    char *path = xasprintf("%s/expected.safetensors", dir);
    struct st_file f = {0};
    int32_t tokens[2 * N], targets[2 * N], start[3];
    struct batch b;

    CHECK_MSG(st_open(&f, path, &err) == 0, "%s", err.text);
    if (err.set)
        exit(check_done());
    make_batch(&b, tokens, targets, start, &f);
    test_fp32(name, dir, &f, &b);
    test_bf16(name, dir, &f, &b);
    st_release(&f);
    free(dir);
    free(path);
}

int main(void)
{
    static const char *const names[] = {"llama",        "llama-linear", "llama-yarn", "qwen2", "qwen3",
                                        "qwen3-window", "olmo2",        "olmo2-yarn", "olmo3", "olmo3-default"};
    const char *root = getenv("TESTS");

    pool_init(2);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        test_model(root ? root : "tests", names[i]);
    pool_release();
    return check_done();
}
