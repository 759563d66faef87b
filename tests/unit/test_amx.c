/* test_amx.c - fp32 products from bf16 parts: their error against doubles on inputs of full
 * precision, and that real and emulated instructions give the same bits where both are there. */
#include <math.h>

#include "tests/unit/test_ops.h"

enum { M = 37, N = 75, K = 530 };

static double *full_precision(int64_t n)
{
    double *x = zeros(n);
    for (int64_t i = 0; i < n; i++)
        x[i] = (double)(float)rng_normal(&ops_rng);
    return x;
}

struct product {
    double *y, *dx, *dw; /* [M, N], [M, K], [N, K] */
};

static struct product run(struct dev *dev, const double *x, const double *w, const double *dy)
{
    struct product p;
    void *dx_ = put(dev, dev->dtype, x, M * K), *dw_ = put(dev, dev->dtype, w, N * K);
    void *ddy = put(dev, dev->dtype, dy, M * N), *y = put_zeros(dev, dev->acc, M * N);
    void *gx = put_zeros(dev, dev->acc, M * K), *gw = put_zeros(dev, dev->acc, N * K);
    void *packed = dev->ops->alloc(dev, dev->ops->packed_bytes(dev, N, K, PACK_W));
    if (packed)
        dev->ops->pack_weight(dev, packed, dw_, N, K, PACK_W);
    dev->ops->linear(dev, &(struct linear_args){.y = y, .x = dx_, .w = dw_, .packed = packed,
                                                .M = M, .N = N, .K = K, .y_acc = true});
    dev->ops->linear_backward_input(
        dev, &(struct linear_backward_input_args){.dx = gx, .dy = ddy, .w = dw_, .M = M, .N = N,
                                                  .K = K, .dx_acc = true});
    dev->ops->linear_backward_weight(
        dev, &(struct linear_backward_weight_args){.dw = gw, .dy = ddy, .x = dx_, .M = M, .N = N,
                                                   .K = K});
    p.y = get(dev, y, dev->acc, M * N);
    p.dx = get(dev, gx, dev->acc, M * K);
    p.dw = get(dev, gw, dev->acc, N * K);
    void *all[] = {dx_, dw_, ddy, y, gx, gw, packed};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        dev->ops->free(dev, all[i]);
    return p;
}

static void release(struct product *p)
{
    free(p->y);
    free(p->dx);
    free(p->dw);
}

/* Relative root mean square error. */
static double error_of(const double *x, const double *want, int64_t n)
{
    double e = 0, s = 0;
    for (int64_t i = 0; i < n; i++) {
        e += (x[i] - want[i]) * (x[i] - want[i]);
        s += want[i] * want[i];
    }
    return sqrt(e / s);
}

static void check_errors(void)
{
    static const double limits[N_ISAS] = {[0] = 1e-6, 1e-6, 1e-6, 1e-6, 1e-6, 1e-5, 3e-7,
                                          1e-6, 1e-6, 1e-6, 1e-5, 3e-7, 1e-6, 1e-6};
    struct dev ref, dev;
    ops_seed(11);
    double *x = full_precision(M * K), *w = full_precision(N * K), *dy = full_precision(M * N);
    dev_open_ref(&ref);
    struct product want = run(&ref, x, w, dy);
    for (int isa = 0; isa < N_ISAS; isa++) {
        if (!open_isa(&dev, isa, DTYPE_F32, 2)) {
            printf("# no %s here\n", isa_names[isa]);
            continue;
        }
        struct product p = run(&dev, x, w, dy);
        double e[3] = {error_of(p.y, want.y, M * N), error_of(p.dx, want.dx, M * K),
                       error_of(p.dw, want.dw, N * K)};
        printf("# %s: %.1e %.1e %.1e\n", isa_names[isa], e[0], e[1], e[2]);
        for (int i = 0; i < 3; i++)
            CHECK_MSG(e[i] < limits[isa], "%s: relative error %g of product %d", isa_names[isa],
                      e[i], i);
        release(&p);
        dev_close(&dev);
    }
    release(&want);
    dev_close(&ref);
    free(x);
    free(w);
    free(dy);
}

/* The emulation is worth something only if it is what the processor does. */
static void check_emulation(enum dtype t, int isa, int emulated)
{
    struct dev a, b;
    ops_seed(12);
    double *x = random_values(M * K, 1), *w = random_values(N * K, 1), *dy = random_values(M * N, 1);
    for (int64_t i = 0; i < M * K; i += 7)
        x[i] *= 1e-39; /* denormals, which tiles flush */
    if (open_isa(&a, isa, t, 1) && open_isa(&b, emulated, t, 2)) {
        struct product p = run(&a, x, w, dy), q = run(&b, x, w, dy);
        CHECK(memcmp(p.y, q.y, M * N * sizeof(double)) == 0);
        CHECK(memcmp(p.dx, q.dx, M * K * sizeof(double)) == 0);
        CHECK(memcmp(p.dw, q.dw, N * K * sizeof(double)) == 0);
        release(&p);
        release(&q);
        dev_close(&a);
        dev_close(&b);
    }
    free(x);
    free(w);
    free(dy);
}

int main(void)
{
    pool_init(2);
    check_errors();
    for (int isa = 2; isa < FIRST_EMULATED; isa++)
        for (int t = DTYPE_F32; t <= DTYPE_BF16; t++)
            check_emulation((enum dtype)t, isa, isa - 2 + FIRST_EMULATED);
    pool_release();
    return check_done();
}
