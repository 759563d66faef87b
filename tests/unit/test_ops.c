/* test_ops.c - gradients of the reference operations against central differences. */
#include "tests/unit/test_ops.h"

static struct dev ref;

/* A scalar function of x: the sum of an op's outputs times fixed weights. */
struct probe {
    int64_t n; /* inputs */
    int64_t n_out;
    const double *weights; /* [n_out] */
    /* fills out from x */
    void (*forward)(const double *x, double *out);
    /* fills g = d(sum weights * out)/dx */
    void (*backward)(const double *x, const double *weights, double *g);
};

static double loss(const struct probe *p, const double *x, double *out)
{
    double sum = 0;
    p->forward(x, out);
    for (int64_t i = 0; i < p->n_out; i++)
        sum += p->weights[i] * out[i];
    return sum;
}

static void check_gradient(const char *name, struct probe p)
{
    const double h = 1e-4;
    double *x = random_values(p.n, 1), *w = random_values(p.n_out, 1), *out = zeros(p.n_out);
    double *g = zeros(p.n), worst = 0, scale = 0;
    p.weights = w;
    p.backward(x, w, g);
    for (int64_t i = 0; i < p.n; i++) {
        double keep = x[i];
        x[i] = keep + h;
        double up = loss(&p, x, out);
        x[i] = keep - h;
        double down = loss(&p, x, out);
        x[i] = keep;
        double numeric = (up - down) / (2 * h);
        worst = check_larger(worst, fabs(numeric - g[i]));
        scale = check_larger(scale, fabs(numeric));
    }
    CHECK_MSG(scale > 0 && worst / scale < 1e-6, "%s: relative error %g", name, worst / scale);
    free(x);
    free(w);
    free(out);
    free(g);
}

/* -- linear: x, w, bias -- */

enum { LM = 3, LN = 5, LK = 7 };

static void linear_forward(const double *x, double *out)
{
    ref.ops->linear(&ref, &(struct linear_args){.y = out,
                                                .x = x,
                                                .w = x + LM * LK,
                                                .bias = x + LM * LK + LN * LK,
                                                .M = LM,
                                                .N = LN,
                                                .K = LK});
}

static void linear_backward(const double *x, const double *weights, double *g)
{
    ref.ops->linear_backward_input(
        &ref, &(struct linear_backward_input_args){
                  .dx = g, .dy = weights, .w = x + LM * LK, .M = LM, .N = LN, .K = LK});
    ref.ops->linear_backward_weight(
        &ref, &(struct linear_backward_weight_args){.dw = g + LM * LK,
                                                    .dbias = g + LM * LK + LN * LK,
                                                    .dy = weights,
                                                    .x = x,
                                                    .M = LM,
                                                    .N = LN,
                                                    .K = LK});
}

/* -- embedding -- */

static const int32_t tokens[6] = {2, 0, 2, 4, 2, 1};

static void embedding_forward(const double *x, double *out)
{
    ref.ops->embedding(&ref,
                       &(struct embedding_args){
                           .x = out, .table = x, .tokens = tokens, .n = 6, .dim = 3, .vocab = 5});
}

static void embedding_backward(const double *x, const double *weights, double *g)
{
    (void)x;
    ref.ops->embedding_backward(
        &ref, &(struct embedding_backward_args){
                  .dtable = g, .dx = weights, .tokens = tokens, .n = 6, .dim = 3, .vocab = 5});
}

/* -- rmsnorm: 4 rows of 2 heads, stride with a gap; then w -- */

enum { RDIM = 5, RHEADS = 2, RROWS = 8, RSTRIDE = 13, RX = RROWS / RHEADS * RSTRIDE };

static struct rmsnorm_args norm_args(const double *x, double *out, double *rstd)
{
    return (struct rmsnorm_args){.y = out,
                                 .x = x,
                                 .w = x + RX,
                                 .rstd = rstd,
                                 .n_rows = RROWS,
                                 .dim = RDIM,
                                 .heads = RHEADS,
                                 .x_stride = RSTRIDE,
                                 .y_stride = RDIM * RHEADS,
                                 .eps = 1e-3};
}

static void norm_forward(const double *x, double *out)
{
    struct rmsnorm_args a = norm_args(x, out, NULL);
    ref.ops->rmsnorm(&ref, &a);
}

static void norm_backward(const double *x, const double *weights, double *g)
{
    double out[RROWS * RDIM], rstd[RROWS];
    struct rmsnorm_args a = norm_args(x, out, rstd);
    ref.ops->rmsnorm(&ref, &a);
    ref.ops->rmsnorm_backward(&ref, &(struct rmsnorm_backward_args){.dx = g,
                                                                    .dw = g + RX,
                                                                    .dy = weights,
                                                                    .x = x,
                                                                    .w = x + RX,
                                                                    .rstd = rstd,
                                                                    .n_rows = RROWS,
                                                                    .dim = RDIM,
                                                                    .heads = RHEADS,
                                                                    .x_stride = RSTRIDE,
                                                                    .y_stride = RDIM * RHEADS});
}

/* -- rope: the backward pass rotates back -- */

enum { PN = 4, PHEADS = 2, PDIM = 6, PSTRIDE = 14 };

static double rope_cos[16 * PDIM / 2], rope_sin[16 * PDIM / 2];
static const int32_t positions[PN] = {0, 3, 7, 15};

static void rope(double *x, bool inverse)
{
    ref.ops->rope(&ref, &(struct rope_args){.x = x,
                                            .positions = positions,
                                            .cos = rope_cos,
                                            .sin = rope_sin,
                                            .n = PN,
                                            .heads = PHEADS,
                                            .head_dim = PDIM,
                                            .stride = PSTRIDE,
                                            .inverse = inverse});
}

static void rope_forward(const double *x, double *out)
{
    memcpy(out, x, PN * PSTRIDE * sizeof *out);
    rope(out, false);
}

static void rope_backward(const double *x, const double *weights, double *g)
{
    (void)x;
    memcpy(g, weights, PN * PSTRIDE * sizeof *g);
    rope(g, true);
}

/* -- swiglu -- */

enum { SN = 3, SDIM = 7 };

static void swiglu_forward(const double *x, double *out)
{
    ref.ops->swiglu(&ref, &(struct swiglu_args){.h = out, .gate_up = x, .n = SN, .dim = SDIM});
}

static void swiglu_backward(const double *x, const double *weights, double *g)
{
    ref.ops->swiglu_backward(&ref,
                             &(struct swiglu_backward_args){
                                 .dgate_up = g, .dh = weights, .gate_up = x, .n = SN, .dim = SDIM});
}

/* -- attention: rows of q, k, v in one array with a shared stride -- */

enum { AN = 11, AHEADS = 4, AKV = 2, AHD = 5, ASTRIDE = (AHEADS + 2 * AKV) * AHD + 1 };

static const int32_t seq_start[] = {0, 4, 5, AN};
static int64_t window;

static struct attention_args attention_args(const double *x, double *out, double *lse)
{
    return (struct attention_args){.out = out,
                                   .lse = lse,
                                   .q = x,
                                   .k = x + AHEADS * AHD,
                                   .v = x + (AHEADS + AKV) * AHD,
                                   .seq_start = seq_start,
                                   .n = AN,
                                   .n_seqs = 3,
                                   .n_heads = AHEADS,
                                   .n_kv_heads = AKV,
                                   .head_dim = AHD,
                                   .q_stride = ASTRIDE,
                                   .kv_stride = ASTRIDE,
                                   .window = window,
                                   .scale = 0.4};
}

static void attention_forward(const double *x, double *out)
{
    struct attention_args a = attention_args(x, out, NULL);
    ref.ops->attention(&ref, &a);
}

static void attention_backward(const double *x, const double *weights, double *g)
{
    double out[AN * AHEADS * AHD], lse[AN * AHEADS];
    struct attention_args a = attention_args(x, out, lse);
    ref.ops->attention(&ref, &a);
    ref.ops->attention_backward(&ref,
                                &(struct attention_backward_args){.dq = g,
                                                                  .dk = g + AHEADS * AHD,
                                                                  .dv = g + (AHEADS + AKV) * AHD,
                                                                  .dout = weights,
                                                                  .out = out,
                                                                  .lse = lse,
                                                                  .q = a.q,
                                                                  .k = a.k,
                                                                  .v = a.v,
                                                                  .seq_start = seq_start,
                                                                  .n = AN,
                                                                  .n_seqs = 3,
                                                                  .n_heads = AHEADS,
                                                                  .n_kv_heads = AKV,
                                                                  .head_dim = AHD,
                                                                  .q_stride = ASTRIDE,
                                                                  .kv_stride = ASTRIDE,
                                                                  .window = window,
                                                                  .scale = 0.4});
}

/* -- logprob, with the z-loss term -- */

enum { VN = 3, VOCAB = 9, VSTRIDE = 11 };

static const int32_t targets[VN] = {0, 8, 4};
static const double inv_temp[VN] = {1, 0.5, 2};

/* Outputs: log-probabilities, then squares of the log-sum-exp. */
static void logprob_forward(const double *x, double *out)
{
    ref.ops->logprob(&ref, &(struct logprob_args){.logprobs = out,
                                                  .lse = out + VN,
                                                  .logits = x,
                                                  .targets = targets,
                                                  .inv_temp = inv_temp,
                                                  .n = VN,
                                                  .vocab = VOCAB,
                                                  .stride = VSTRIDE});
    for (int i = VN; i < 2 * VN; i++)
        out[i] *= out[i];
}

static void logprob_backward(const double *x, const double *weights, double *g)
{
    double logprobs[VN], lse[VN];
    ref.ops->logprob(&ref, &(struct logprob_args){.logprobs = logprobs,
                                                  .lse = lse,
                                                  .logits = x,
                                                  .targets = targets,
                                                  .inv_temp = inv_temp,
                                                  .n = VN,
                                                  .vocab = VOCAB,
                                                  .stride = VSTRIDE});
    ref.ops->logprob_backward(&ref, &(struct logprob_backward_args){.dlogits = g,
                                                                    .logits = x,
                                                                    .lse = lse,
                                                                    .dlogprobs = weights,
                                                                    .dz = weights + VN,
                                                                    .targets = targets,
                                                                    .inv_temp = inv_temp,
                                                                    .n = VN,
                                                                    .vocab = VOCAB,
                                                                    .stride = VSTRIDE});
}

/* Values worked out by hand. */
static void check_values(void)
{
    double logits[4] = {0, 0, 0, 0}, logprob, lse, entropy;
    int32_t target = 2;
    ref.ops->logprob(&ref, &(struct logprob_args){.logprobs = &logprob,
                                                  .lse = &lse,
                                                  .entropy = &entropy,
                                                  .logits = logits,
                                                  .targets = &target,
                                                  .n = 1,
                                                  .vocab = 4,
                                                  .stride = 4});
    CHECK_CLOSE(logprob, -log(4), 1e-12, 0);
    CHECK_CLOSE(lse, log(4), 1e-12, 0);
    CHECK_CLOSE(entropy, log(4), 1e-12, 0);

    double master = 1, m = 0, v = 0, grad = 2, weight = 0;
    ref.ops->adamw(&ref, &(struct adamw_args){.master = &master,
                                              .m = &m,
                                              .v = &v,
                                              .grad = &grad,
                                              .weights = &weight,
                                              .n = 1,
                                              .lr = 0.1,
                                              .beta1 = 0.9,
                                              .beta2 = 0.99,
                                              .eps = 0,
                                              .weight_decay = 0.5,
                                              .bias1 = 0.1,
                                              .bias2 = 0.01,
                                              .grad_scale = 0.5});
    CHECK_CLOSE(master, 1 - 0.1 * (1 + 0.5), 1e-12, 0); /* the first step has size lr */
    CHECK_CLOSE(weight, master, 0, 0);

    double x[3] = {1, 2, 3}, y[2] = {0, 0}, w[6] = {1, 0, 0, 1, 1, 1}, bias[2] = {10, 20};
    ref.ops->linear(
        &ref, &(struct linear_args){.y = y, .x = x, .w = w, .bias = bias, .M = 1, .N = 2, .K = 3});
    CHECK(y[0] == 11 && y[1] == 26);
}

static void check_open(void)
{
    struct dev dev;
    const char *error = NULL;
    setenv("THINKPIPE_CPU", "cray", 1);
    CHECK(dev_open_cpu(&dev, DTYPE_F32, 1, NULL, &error) == -1 && error);
    unsetenv("THINKPIPE_CPU");
    CHECK(dev_open_cpu(&dev, DTYPE_F64, 1, NULL, &error) == -1);
    CHECK(dev_open_cpu(&dev, DTYPE_F32, 1, NULL, &error) == 0 && !dev_error(&dev));
    CHECK(dev.ops->abi == OPS_ABI);
    dev_close(&dev);
}

int main(void)
{
    dev_open_ref(&ref);
    ops_seed(1);
    for (int i = 0; i < 16; i++)
        for (int d = 0; d < PDIM / 2; d++) {
            /* the factor stands for a scaled table: backward is the transpose, not the inverse */
            rope_cos[i * PDIM / 2 + d] = 1.3 * cos(i / pow(100, d));
            rope_sin[i * PDIM / 2 + d] = 1.3 * sin(i / pow(100, d));
        }
    check_gradient("linear", (struct probe){LM * LK + LN * LK + LN, LM * LN, NULL, linear_forward,
                                            linear_backward});
    check_gradient("embedding",
                   (struct probe){15, 18, NULL, embedding_forward, embedding_backward});
    check_gradient("rmsnorm",
                   (struct probe){RX + RDIM, RROWS * RDIM, NULL, norm_forward, norm_backward});
    check_gradient("rope",
                   (struct probe){PN * PSTRIDE, PN * PSTRIDE, NULL, rope_forward, rope_backward});
    check_gradient("swiglu",
                   (struct probe){SN * 2 * SDIM, SN * SDIM, NULL, swiglu_forward, swiglu_backward});
    for (window = 0; window < 6; window += 3)
        check_gradient("attention", (struct probe){AN * ASTRIDE, AN * AHEADS * AHD, NULL,
                                                   attention_forward, attention_backward});
    check_gradient("logprob",
                   (struct probe){VN * VSTRIDE, 2 * VN, NULL, logprob_forward, logprob_backward});
    check_values();
    check_open();
    dev_close(&ref);
    return check_done();
}
