/* test_ops_values.c - values of CPU operations that are known exactly: rounding to bf16, where a
 * normalisation rounds, the exponential's accuracy and its ends. */
#include "tests/unit/test_ops.h"

static double *through_bf16(struct dev *dev, const float *x, int64_t n)
{
    void *in = put_bytes(dev, x, (size_t)n * sizeof *x), *half = put_zeros(dev, DTYPE_BF16, n);
    dev->ops->convert(dev, half, DTYPE_BF16, in, DTYPE_F32, n);
    double *back = get(dev, half, DTYPE_BF16, n);
    dev->ops->free(dev, in);
    dev->ops->free(dev, half);
    return back;
}

/* bf16 rounds to nearest even, and converting keeps what it cannot round. */
static void check_convert(struct dev *dev)
{
    const float in[20] = {0,        -0.0f,     1,      1.00390625f, 1.01171875f, 3.4e38f,
                          INFINITY, -INFINITY, 1e-40f, -2.5f,       1.00390637f};
    const double want[20] = {
        0,    0,        1, 1, 1.015625, INFINITY, INFINITY, -INFINITY, 9.1835496157991212e-41,
        -2.5, 1.0078125};
    double *back = through_bf16(dev, in, 20);
    for (int i = 0; i < 20; i++)
        CHECK_MSG(want[i] == back[i] || fabs(want[i] - back[i]) < 1e-3 * fabs(want[i]),
                  "%g is not %g", back[i], want[i]);
    free(back);
    float nan[16];
    for (int i = 0; i < 16; i++) {
        uint32_t u = 0x7f800001; /* its upper half alone would be infinity */
        memcpy(nan + i, &u, 4);
    }
    back = through_bf16(dev, nan, 16);
    CHECK(isnan(back[0]) && isnan(back[15]));
    free(back);
}

/* round_first: the normalised value is rounded to bf16 before the product with w. */
static void check_round_first(struct dev *dev)
{
    enum { DIM = 40 };
    double *x = random_values(DIM, 1), *w = random_values(DIM, 1), *rstd, *y, *rounded;
    void *dx = put(dev, dev->dtype, x, DIM), *dw = put(dev, dev->dtype, w, DIM);
    void *dy = put_zeros(dev, dev->acc, DIM), *dr = put_zeros(dev, dev->acc, 1);
    dev->ops->rmsnorm(dev, &(struct rmsnorm_args){.y = dy,
                                                  .x = dx,
                                                  .w = dw,
                                                  .rstd = dr,
                                                  .n_rows = 1,
                                                  .dim = DIM,
                                                  .heads = 1,
                                                  .x_stride = DIM,
                                                  .y_stride = DIM,
                                                  .eps = 1e-5,
                                                  .y_acc = true,
                                                  .round_first = true});
    y = get(dev, dy, dev->acc, DIM);
    rstd = get(dev, dr, dev->acc, 1);
    for (int i = 0; i < DIM; i++)
        x[i] = (double)((float)x[i] * (float)rstd[0]);
    void *tmp = put(dev, dev->dtype, x, DIM);
    rounded = get(dev, tmp, dev->dtype, DIM);
    for (int i = 0; i < DIM; i++)
        CHECK((float)y[i] == (float)rounded[i] * (float)w[i]);
    dev->ops->free(dev, dx);
    dev->ops->free(dev, dw);
    dev->ops->free(dev, dy);
    dev->ops->free(dev, dr);
    dev->ops->free(dev, tmp);
    free(x), free(w), free(rstd), free(y), free(rounded);
}

/* The vectorised exponential, bare: with lse 0 and a weight of 1 the gradient of a logit is e^x. */
static void check_exponential(struct dev *dev)
{
    enum { N = 20000 };
    double *x = zeros(N), zero = 0, one = -1;
    int32_t target = N - 1, *on_dev = put_bytes(dev, &target, sizeof target);
    for (int i = 0; i < N; i++)
        x[i] = (double)(float)(-87.3 + 176.0 * i / N);
    x[0] = -INFINITY, x[1] = -1000, x[2] = 88.8, x[3] = 1000, x[4] = NAN, x[5] = 0, x[6] = 88.7;
    void *logits = put(dev, dev->acc, x, N), *d = put_zeros(dev, dev->dtype, N);
    void *lse = put(dev, dev->acc, &zero, 1), *dlp = put(dev, dev->acc, &one, 1);
    dev->ops->logprob_backward(dev, &(struct logprob_backward_args){.dlogits = d,
                                                                    .logits = logits,
                                                                    .lse = lse,
                                                                    .dlogprobs = dlp,
                                                                    .targets = on_dev,
                                                                    .n = 1,
                                                                    .vocab = N,
                                                                    .stride = N});
    double *e = get(dev, d, dev->dtype, N), worst = 0;
    CHECK(e[0] == 0 && e[1] == 0 && isinf(e[2]) && isinf(e[3]) && isnan(e[4]) && e[5] == 1);
    for (int i = 5; i < N - 1; i++) {
        double exact = exp((double)(float)x[i]);
        if (exact < 3.4e38)
            worst = check_larger(worst, fabs(e[i] - exact) / exact);
    }
    CHECK_MSG(worst < (dev->dtype == DTYPE_F32 ? 2e-7 : 4e-3), "error %g", worst);
    dev->ops->free(dev, on_dev);
    dev->ops->free(dev, logits);
    dev->ops->free(dev, d);
    dev->ops->free(dev, lse);
    dev->ops->free(dev, dlp);
    free(x), free(e);
}

int main(void)
{
    pool_init(1);
    for (int isa = 0; isa < N_ISAS; isa++)
        for (int t = DTYPE_F32; t <= DTYPE_BF16; t++) {
            struct dev dev;
            if (!open_isa(&dev, isa, (enum dtype)t, 1))
                continue;
            ops_seed(5);
            check_convert(&dev);
            check_round_first(&dev);
            check_exponential(&dev);
            CHECK(!dev_error(&dev));
            dev_close(&dev);
        }
    pool_release();
    return check_done();
}
