/* Public checkpoints against numbers computed elsewhere in float64. */
#include "base/file.h"
#include "data/json.h"
#include "tests/unit/model_cases.h"
#include "train/optimizer.h"

static char *checkpoints; /* the folder */

struct loaded {
    struct model *m;
    char *dir;
    json_t *expected;
};

static struct loaded load(const char *name, const char *file, int precision, bool trainable)
{
    struct model_options o = {.precision = precision, .trainable = trainable};
    struct err err = {0};
    struct loaded l = {.dir = path_join(checkpoints, name)};
    char *path = path_join(l.dir, file);

    l.m = model_load(l.dir, &o, &err);
    if (l.m)
        l.expected = json_load_path(path, &err);
    CHECK_MSG(l.m && l.expected, "%s", err.text);
    if (!l.expected)
        exit(check_done());
    free(path);
    return l;
}

static void release(struct loaded *l)
{
    model_free(l->m);
    json_decref(l->expected);
    free(l->dir);
}

static int64_t ids_of(const json_t *obj, const char *key, int32_t **ids)
{
    struct err err = {0};
    int64_t n = json_get_i32s(obj, key, true, ids, &err);

    CHECK_MSG(n >= 1, "%s", err.text);
    return n;
}

struct all_rows {
    float *logits;
    int64_t vocab;
};

static void take_rows(void *arg, int64_t first, int64_t n, const float *logits)
{
    struct all_rows *all = arg;

    memcpy(all->logits + first * all->vocab, logits, (size_t)(n * all->vocab) * sizeof(float));
}

static struct batch one_sequence(const int32_t *ids, int32_t *targets, int32_t *start, int64_t n)
{
    start[0] = 0;
    start[1] = (int32_t)n;
    memcpy(targets, ids + 1, (size_t)(n - 1) * sizeof(int32_t));
    return (struct batch){.n_tokens = n, .n_seqs = 1, .tokens = ids, .targets = targets,
                          .seq_start = start};
}

/* Logits after position `row` of ids, and the negative log-probability of every next token. */
static void check_sequence(struct model *m, const char *what, const int32_t *ids, int64_t n,
                           const float *nll, int64_t row, const float *logits, double tolerance)
{
    const int64_t vocab = m->cfg.vocab_size;
    struct err err = {0};
    int32_t start[2], *targets = xcalloc((size_t)n, sizeof(int32_t));
    float *lp = xcalloc((size_t)n, sizeof(float)), *cached = case_decode(m, ids, n);
    struct all_rows all = {xcalloc((size_t)(n * vocab), sizeof(float)), vocab};
    struct batch b = one_sequence(ids, targets, start, n);
    struct forward_out out = {.logprobs = lp};
    double nll_off = 0, logits_off = 0;

    CHECK_MSG(model_forward(m, &b, &out, &err) == 0, "%s", err.text);
    CHECK_MSG(model_forward_logits(m, &b, take_rows, &all, &err) == 0, "%s", err.text);
    for (int64_t i = 0; i + 1 < n; i++)
        nll_off = check_larger(nll_off, fabs((double)lp[i] + (double)nll[i]));
    for (int64_t i = 0; i < vocab; i++)
        logits_off = check_larger(logits_off,
                                  fabs((double)all.logits[row * vocab + i] - (double)logits[i]));
    printf("%s: nll %.1e, logits %.1e\n", what, nll_off, logits_off);
    CHECK_MSG(nll_off < tolerance, "%s: nll off by %g", what, nll_off);
    CHECK_MSG(logits_off < tolerance, "%s: logits off by %g", what, logits_off);
    CHECK_MSG(memcmp(cached, all.logits, (size_t)(n * vocab) * sizeof(float)) == 0,
              "%s: the cached decoder's logits have other bits", what);
    free(targets);
    free(lp);
    free(cached);
    free(all.logits);
}

static float *floats_of(const json_t *obj, const char *key, int64_t want)
{
    struct err err = {0};
    float *x = NULL;

    CHECK_MSG(json_get_f32s(obj, key, true, &x, &err) == want, "%s: %s", key, err.text);
    return x;
}

static int32_t largest(const float *x, int64_t n)
{
    int64_t best = 0;

    for (int64_t i = 1; i < n; i++)
        if (x[i] > x[best])
            best = i;
    return (int32_t)best;
}

/* Where every token is the likeliest after those before it, greedy decoding gives this text. */
static void test_greedy(struct model *m, const int32_t *ids, int64_t n)
{
    float *logits = case_decode(m, ids, n);
    int64_t same = 0;

    for (int64_t i = 0; i + 1 < n; i++)
        same += largest(logits + i * m->cfg.vocab_size, m->cfg.vocab_size) == ids[i + 1];
    CHECK_MSG(n == 257 && same == n - 1, "%lld of %lld greedy tokens agree", (long long)same,
              (long long)n - 1);
    free(logits);
}

static void test_stories(void)
{
    struct loaded l = load("stories260K", "expected.json", PRECISION_AUTO, false);
    const json_t *scoring = json_object_get(l.expected, "scoring");
    const json_t *greedy = json_object_get(l.expected, "greedy");
    int32_t *ids;
    int64_t n = ids_of(scoring, "ids", &ids);
    float *nll = floats_of(scoring, "nll", n - 1);
    float *logits = floats_of(l.expected, "logits_last_scoring", 512);
    float *first = floats_of(l.expected, "logits_after_bos", 512), *greedy_nll;

    CHECK(l.m->dev.dtype == DTYPE_F32 && l.m->cfg.tied_embeddings);
    check_sequence(l.m, "stories260K, scoring", ids, n, nll, n - 1, logits, 1e-4);
    free(ids);
    n = ids_of(greedy, "ids", &ids);
    greedy_nll = floats_of(greedy, "nll", n - 1);
    check_sequence(l.m, "stories260K, greedy", ids, n, greedy_nll, 0, first, 1e-4);
    test_greedy(l.m, ids, n);
    free(ids);
    free(nll);
    free(greedy_nll);
    free(logits);
    free(first);
    release(&l);
}

static void test_tiny_llama(int precision, double tolerance)
{
    struct loaded l = load("tiny-llama-bf16", "expected.json", precision, false);
    const json_t *cases = json_object_get(l.expected, "cases"), *c;
    size_t i;

    CHECK(l.m->dev.dtype == (precision == PRECISION_FP32 ? DTYPE_F32 : DTYPE_BF16));
    json_array_foreach(cases, i, c) {
        int32_t *ids;
        int64_t n = ids_of(c, "ids", &ids);
        float *nll = floats_of(c, "nll", n - 1), *logits = floats_of(c, "logits_last", 16);

        check_sequence(l.m, precision == PRECISION_FP32 ? "tiny-llama, fp32" : "tiny-llama, bf16",
                       ids, n, nll, n - 1, logits, tolerance);
        free(ids);
        free(nll);
        free(logits);
    }
    release(&l);
}

/* ---- ten AdamW steps ---- */

struct training {
    struct model *m;
    struct batch b;
    int32_t tokens[1024], targets[1024], start[3];
    float lp[1024], dlogprobs[1024];
    struct optimizer optimizer;
};

static void make_training(struct training *t, const json_t *expected)
{
    const json_t *ids = json_object_get(expected, "batch_ids");
    struct err err = {0};
    int64_t n = 0;

    for (size_t s = 0; s < 2; s++) {
        const json_t *seq = json_array_get(ids, s);
        for (size_t i = 0; i + 1 < json_array_size(seq); i++, n++) {
            t->tokens[n] = (int32_t)json_integer_value(json_array_get(seq, i));
            t->targets[n] = (int32_t)json_integer_value(json_array_get(seq, i + 1));
        }
        t->start[s + 1] = (int32_t)n;
    }
    for (int64_t i = 0; i < n; i++)
        t->dlogprobs[i] = -1.0f / (float)n;
    t->b = (struct batch){.n_tokens = n, .n_seqs = 2, .tokens = t->tokens, .targets = t->targets,
                          .seq_start = t->start};
    CHECK_MSG(optimizer_init(&t->optimizer, t->m, NULL, &err) == 0, "%s", err.text);
}

static double mean_loss(struct training *t)
{
    struct forward_out out = {.logprobs = t->lp};
    struct err err = {0};
    double loss = 0;

    CHECK_MSG(model_forward(t->m, &t->b, &out, &err) == 0, "%s", err.text);
    for (int64_t i = 0; i < t->b.n_tokens; i++)
        loss -= (double)t->lp[i] / (double)t->b.n_tokens;
    return loss;
}

static double gradient_norm(struct training *t)
{
    struct err err = {0};

    model_zero_grads(t->m);
    CHECK_MSG(model_backward(t->m, &t->b, t->dlogprobs, NULL, &err) == 0, "%s", err.text);
    return optimizer_grad_norm(&t->optimizer);
}

static double number(const json_t *obj, const char *key)
{
    return json_number_value(json_object_get(obj, key));
}

/* The reference decays every parameter; our trainers leave vectors and embeddings alone. */
static void adamw_step(struct training *t, const json_t *adamw, double norm)
{
    struct optimizer_options o = {.beta1 = number(adamw, "beta1"), .beta2 = number(adamw, "beta2"),
                                  .eps = number(adamw, "eps"),
                                  .weight_decay = number(adamw, "weight_decay")};

    for (int i = 0; i < t->m->n_params; i++)
        t->m->params[i].decay = true;
    optimizer_step(&t->optimizer, &o, number(adamw, "lr"), norm);
}

static void check_tensor_norms(const struct model *m, const json_t *expected)
{
    double *g = case_grads(m);

    for (int i = 0; i < m->n_params; i++) {
        const struct param *p = &m->params[i];
        double s = 0;
        for (int64_t j = p->offset; j < p->offset + p->numel; j++)
            s += g[j] * g[j];
        CHECK_CLOSE(sqrt(s), number(expected, p->name), 0, 1e-5);
    }
    free(g);
}

static double at(const json_t *obj, const char *key, int i)
{
    return json_number_value(json_array_get(json_object_get(obj, key), (size_t)i));
}

static void test_training(void)
{
    const char *losses = "loss_before_each_step_and_at_end";
    struct loaded l = load("stories260K", "train_expected.json", PRECISION_FP32, true);
    const json_t *adamw = json_object_get(l.expected, "adamw");
    struct training *t = xcalloc(1, sizeof(*t));
    double worst = 0;

    t->m = l.m;
    make_training(t, l.expected);
    for (int step = 0; step < 10; step++) {
        double loss = mean_loss(t), want = at(l.expected, losses, step);
        double norm = gradient_norm(t);
        double want_norm = at(l.expected, "grad_norm_before_each_step", step);

        worst = check_larger(worst, fabs(loss - want) / want);
        worst = check_larger(worst, fabs(norm - want_norm) / want_norm);
        CHECK_CLOSE(loss, want, 0, 1e-4);
        CHECK_CLOSE(norm, want_norm, 0, 1e-4);
        if (step == 0)
            check_tensor_norms(l.m, json_object_get(l.expected, "grad_norm_per_tensor_first_step"));
        adamw_step(t, adamw, norm);
    }
    CHECK_CLOSE(mean_loss(t), at(l.expected, losses, 10), 0, 1e-4);
    printf("ten steps: losses and gradient norms within %.1e\n", worst);
    optimizer_release(&t->optimizer);
    free(t);
    release(&l);
}

int main(void)
{
    checkpoints = check_need_data("checkpoints");
    pool_init(2);
    test_stories();
    test_training();
    test_tiny_llama(PRECISION_FP32, 1e-5);
    test_tiny_llama(PRECISION_AUTO, 1e-2);
    pool_release();
    free(checkpoints);
    return check_done();
}
