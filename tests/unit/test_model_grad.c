/* Whole-model gradients: in double against central differences, then fp32 and bf16 against double. */
#include "kernels/ref/ref.h"
#include "tests/unit/model_cases.h"

static const int lengths[] = {1, 7, 4, 9};
enum { N_SEQS = 4, SAMPLES = 5 };

static double loss_f64(struct model *m, const struct case_batch *cb, bool z)
{
    double lp[64], lse[64], loss = 0;
    struct forward_out out = {0};
    struct err err = {0};

    if (model_forward(m, &cb->b, &out, &err) < 0) {
        printf("%s\n", err.text);
        exit(1);
    }
    model_logprobs_f64(m, lp, lse);
    for (int64_t i = 0; i < cb->b.n_tokens; i++) {
        loss += (double)cb->dlogprobs[i] * lp[i];
        if (z)
            loss += (double)cb->dz[i] * lse[i] * lse[i];
    }
    return loss;
}

static double central_difference(struct model *m, const struct case_batch *cb, bool z, int64_t at)
{
    double *w = m->weights, saved = w[at], h = 2e-5 * fmax(1, fabs(saved)), up, down, up2, down2;

    w[at] = saved + h;
    up = loss_f64(m, cb, z);
    w[at] = saved - h;
    down = loss_f64(m, cb, z);
    w[at] = saved + 2 * h;
    up2 = loss_f64(m, cb, z);
    w[at] = saved - 2 * h;
    down2 = loss_f64(m, cb, z);
    w[at] = saved;
    return (8 * (up - down) - (up2 - down2)) / (12 * h); /* error O(h^4) */
}

static void backward(struct model *m, const struct case_batch *cb, bool z)
{
    struct err err = {0};

    CHECK_MSG(model_backward(m, &cb->b, cb->dlogprobs, z ? cb->dz : NULL, &err) == 0, "%s",
              err.text);
}

static double rms(const double *g, int64_t n)
{
    double s = 0;

    for (int64_t i = 0; i < n; i++)
        s += g[i] * g[i];
    return sqrt(s / (double)n);
}

static double worst;

/* A random subset of every tensor, and for the embedding the rows that occur. */
static void check_tensor(struct model *m, const struct case_batch *cb, const struct model_case *k,
                         const struct param *p, const double *g, struct rng *r)
{
    double scale = rms(g + p->offset, p->numel);

    CHECK_MSG(scale > 0, "%s: %s has no gradient", k->name, p->name);
    for (int i = 0; i < SAMPLES; i++) {
        int64_t at = (int64_t)rng_below(r, (uint64_t)p->numel);
        double fd, error;

        if (strstr(p->name, "embed") && i > 0)
            at = cb->tokens[rng_below(r, (uint64_t)cb->b.n_tokens)] * p->n_cols + at % p->n_cols;
        at += p->offset;
        fd = central_difference(m, cb, k->z_loss, at);
        error = fabs(fd - g[at]) / (fabs(g[at]) + scale);
        worst = check_larger(worst, error);
        CHECK_MSG(error < 1e-6, "%s: %s[%lld]: gradient %.12g, difference %.12g", k->name, p->name,
                  (long long)(at - p->offset), g[at], fd);
    }
}

static void test_differences(const struct model_case *k, struct dev *ref)
{
    struct model_config c;
    struct case_batch cb;
    struct rng r;

    case_config(&c, k, 6, 3, 23);
    case_batch_init(&cb, k, c.vocab_size, lengths, N_SEQS, 1);
    struct model *m = case_model(&c, DTYPE_F64, ref, true);
    float *w = case_weights(m, 2, false);
    model_set_weights(m, w);
    loss_f64(m, &cb, k->z_loss);
    backward(m, &cb, k->z_loss);
    double *g = case_grads(m);
    rng_init(&r, 3, "test", 0, 0);
    for (int i = 0; i < m->n_params; i++)
        check_tensor(m, &cb, k, &m->params[i], g, &r);
    CHECK(!dev_error(&m->dev));
    free(g);
    free(w);
    model_free(m);
    case_batch_release(&cb);
}

static double *gradients(const struct model_config *c, const struct model_case *k,
                         const struct case_batch *cb, enum dtype dtype, struct dev *ref, bool bf16)
{
    struct model *m = case_model(c, dtype, ref, true);
    float *w = case_weights(m, 2, bf16);
    struct forward_out out = {0};
    struct err err = {0};
    double *g;

    model_set_weights(m, w);
    CHECK_MSG(model_forward(m, &cb->b, &out, &err) == 0, "%s", err.text);
    backward(m, cb, k->z_loss);
    g = case_grads(m);
    free(w);
    model_free(m);
    return g;
}

/* Largest |g - ref| over |ref| of a tensor, as norms; *total the same of all tensors together. */
static double compare(const struct param *params, int n, const double *g, const double *ref,
                      double *total)
{
    double most = 0, all_diff = 0, all_ref = 0;

    for (int i = 0; i < n; i++) {
        double diff = 0, norm = 0;
        for (int64_t j = params[i].offset; j < params[i].offset + params[i].numel; j++) {
            diff += (g[j] - ref[j]) * (g[j] - ref[j]);
            norm += ref[j] * ref[j];
        }
        most = check_larger(most, sqrt(diff / norm));
        all_diff += diff;
        all_ref += norm;
    }
    *total = sqrt(all_diff / all_ref);
    return most;
}

static void test_precisions(const struct model_case *k, struct dev *ref)
{
    static const int longer[] = {33, 1, 70, 19};
    struct model_config c;
    struct case_batch cb;
    int n_params;
    int64_t n;
    double total, most, total16, most16;

    case_config(&c, k, 12, 3, 97);
    case_batch_init(&cb, k, c.vocab_size, longer, N_SEQS, 4);
    struct param *params = model_param_table(&c, &n_params, &n);
    double *g64 = gradients(&c, k, &cb, DTYPE_F64, ref, false);
    double *g32 = gradients(&c, k, &cb, DTYPE_F32, NULL, false);
    double *h64 = gradients(&c, k, &cb, DTYPE_F64, ref, true);
    double *h16 = gradients(&c, k, &cb, DTYPE_BF16, NULL, true);
    most = compare(params, n_params, g32, g64, &total);
    most16 = compare(params, n_params, h16, h64, &total16);
    printf("%-26s fp32 %.1e (worst tensor %.1e)  bf16 %.1e (%.1e)\n", k->name, total, most, total16,
           most16);
    CHECK_MSG(most < 1e-5, "%s: fp32 gradients off by %g", k->name, most);
    CHECK_MSG(total16 < 3e-2, "%s: bf16 gradients off by %g", k->name, total16);
    free(g64);
    free(g32);
    free(h64);
    free(h16);
    free(params);
    case_batch_release(&cb);
}

/* Two micro-batches add up; masked rows and a batch without trained rows change nothing. */
static void test_accumulation(void)
{
    struct model_config c;
    struct case_batch cb;
    struct forward_out out = {0};
    struct err err = {0};
    const struct model_case *k = &model_cases[1];

    case_config(&c, k, 6, 2, 23);
    case_batch_init(&cb, k, c.vocab_size, lengths, N_SEQS, 5);
    struct model *m = case_model(&c, DTYPE_F32, NULL, true);
    float *w = case_weights(m, 6, false);
    double *once, *twice, *none;

    model_set_weights(m, w);
    CHECK(model_forward(m, &cb.b, &out, &err) == 0);
    backward(m, &cb, false);
    once = case_grads(m);
    CHECK(model_forward(m, &cb.b, &out, &err) == 0);
    backward(m, &cb, false);
    twice = case_grads(m);
    for (int64_t i = 0; i < m->n_elements; i++)
        CHECK_CLOSE(twice[i], 2 * once[i], 1e-6, 1e-5);
    model_zero_grads(m);
    memset(cb.loss_mask, 0, (size_t)cb.b.n_tokens * sizeof(float));
    CHECK(model_forward(m, &cb.b, &out, &err) == 0);
    backward(m, &cb, false);
    none = case_grads(m);
    for (int64_t i = 0; i < m->n_elements; i++)
        CHECK(none[i] == 0);
    free(once);
    free(twice);
    free(none);
    free(w);
    model_free(m);
    case_batch_release(&cb);
}

/* Gradients of two micro-batches, the second shorter; NULL without such a device. */
static double *gradients_by(const struct model_config *c, const struct case_batch *first, const struct case_batch *second,
                            struct model_options o, size_t *bytes)
{
    struct err err = {0};
    struct model *m = model_new(c, &o, &err);
    struct forward_out out = {0};
    const struct case_batch *both[] = {first, second};

    if (!m) {
        CHECK_MSG(o.device != DEVICE_CPU, "%s", err.text);
        return NULL;
    }
    float *w = case_weights(m, 2, o.precision == PRECISION_BF16);
    model_set_weights(m, w);
    for (int i = 0; i < 2; i++) {
        CHECK_MSG(model_forward(m, &both[i]->b, &out, &err) == 0, "%s", err.text);
        backward(m, both[i], true);
    }
    CHECK(!dev_error(&m->dev));
    *bytes = acts_bytes(m, true, o.recompute, first->b.n_tokens);
    double *g = case_grads(m);
    free(w);
    model_free(m);
    return g;
}

/* With recompute: the same bits from less memory. */
static void test_recompute(const struct model_case *k, int device)
{
    static const int longer[] = {33, 1, 70, 19};
    struct model_config c;
    struct case_batch first, second;

    case_config(&c, k, 12, 3, 97);
    case_batch_init(&first, k, c.vocab_size, longer, N_SEQS, 4);
    case_batch_init(&second, k, c.vocab_size, lengths, N_SEQS, 5);
    for (int p = PRECISION_FP32; p <= PRECISION_BF16; p++) {
        struct model_options o = {.precision = p, .device = device, .trainable = true};
        size_t kept, again;
        double *want = gradients_by(&c, &first, &second, o, &kept);
        o.recompute = true;
        double *got = gradients_by(&c, &first, &second, o, &again);
        if (!want || !got) {
            CHECK(!want && !got && device == DEVICE_EMU);
            printf("skip: no emulator here\n");
            break;
        }
        int64_t n;
        int n_params;
        free(model_param_table(&c, &n_params, &n));
        CHECK_MSG(memcmp(want, got, (size_t)n * sizeof *want) == 0, "%s: recompute gives other gradients", k->name);
        CHECK_MSG(again < kept, "%s: recompute keeps %zu bytes of %zu", k->name, again, kept);
        free(want);
        free(got);
    }
    case_batch_release(&first);
    case_batch_release(&second);
}

int main(void)
{
    struct dev ref;

    pool_init(2);
    for (size_t i = 0; i < ARRAY_SIZE(model_cases); i++) {
        dev_open_ref(&ref);
        test_differences(&model_cases[i], &ref);
        test_precisions(&model_cases[i], &ref);
        test_recompute(&model_cases[i], DEVICE_CPU);
    }
    test_recompute(&model_cases[3], DEVICE_EMU); /* norm before, */
    test_recompute(&model_cases[ARRAY_SIZE(model_cases) - 1], DEVICE_EMU); /* and after, with everything else */
    printf("worst relative error against central differences %.1e\n", worst);
    test_accumulation();
    pool_release();
    return check_done();
}
