/* Tiny models of the five architectures against numbers from transformers
 * (tests/golden/make_model_golden.py). */
#include "data/safetensors.h"
#include "model/checkpoint.h"
#include "tests/unit/model_cases.h"

enum { N = 24, TAIL = 4, VOCAB = 64 };

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

static double norm(const double *g, int64_t n)
{
    double s = 0;

    for (int64_t i = 0; i < n; i++)
        s += g[i] * g[i];
    return sqrt(s);
}

/* Norms of all gradients, and whole gradients where the file has them. */
static double check_grads(const char *name, const struct model *m, const struct st_file *f)
{
    double *g = case_grads(m), worst = 0;

    for (int i = 0; i < m->n_params; i++) {
        const struct param *p = &m->params[i];
        char key[128];
        double diff = 0, got = norm(g + p->offset, p->numel), want;

        snprintf(key, sizeof(key), "grad.%s", p->name);
        want = (double)floats(f, key)[0];
        worst = check_larger(worst, fabs(got - want) / want);
        CHECK_MSG(fabs(got - want) < 1e-4 * want, "%s: %s: gradient norm %.7g, expected %.7g", name,
                  p->name, got, want);
        snprintf(key, sizeof(key), "full.%s", p->name);
        if (!st_find(f, key))
            continue;
        for (int64_t j = 0; j < p->numel; j++) {
            double d = g[p->offset + j] - (double)floats(f, key)[j];
            diff += d * d;
        }
        CHECK_MSG(sqrt(diff) < 1e-4 * want, "%s: %s: gradient off by %g of %g", name, p->name,
                  sqrt(diff), want);
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

static void test_model(const char *root, const char *name)
{
    struct model_options o = {.precision = PRECISION_FP32, .trainable = true};
    struct err err = {0};
    char *dir = xasprintf("%s/golden/model/%s", root, name);
    char *path = xasprintf("%s/expected.safetensors", dir);
    struct st_file f = {0};
    struct model *m = model_load(dir, &o, &err);
    int32_t tokens[2 * N], targets[2 * N], start[3];
    float lp[2 * N], dlogprobs[2 * N];
    struct logits l;
    struct batch b;

    CHECK_MSG(m && st_open(&f, path, &err) == 0, "%s", err.text);
    if (!m || err.set)
        exit(check_done());
    make_batch(&b, tokens, targets, start, &f);
    CHECK_MSG(model_forward_logits(m, &b, take, &l, &err) == 0, "%s", err.text);
    check_logits(name, &l, floats(&f, "logits"));
    check_decoder(name, m, &b, &l);
    struct forward_out out = {.logprobs = lp};
    CHECK_MSG(model_forward(m, &b, &out, &err) == 0, "%s", err.text);
    double loss = 0;
    for (int i = 0; i < 2 * N; i++) {
        CHECK_CLOSE(lp[i], floats(&f, "logprobs")[i], 5e-5, 1e-5);
        loss -= (double)lp[i] / (2 * N);
        dlogprobs[i] = -1.0f / (2 * N);
    }
    CHECK_CLOSE(loss, floats(&f, "loss")[0], 0, 1e-5);
    CHECK_MSG(model_backward(m, &b, dlogprobs, NULL, &err) == 0, "%s", err.text);
    printf("  gradient norms %.1e\n", check_grads(name, m, &f));
    st_release(&f);
    model_free(m);
    free(dir);
    free(path);
}

int main(void)
{
    static const char *const names[] = {"llama", "llama-linear", "qwen2",
                                        "qwen3", "olmo2",        "olmo3"};
    const char *root = getenv("TESTS");

    pool_init(2);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        test_model(root ? root : "tests", names[i]);
    pool_release();
    return check_done();
}
