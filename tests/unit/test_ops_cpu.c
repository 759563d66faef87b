/* test_ops_cpu.c - every CPU operation against the reference, on each instruction set.
 *
 * A case builds its inputs from the seed, runs an op on the given device and hands over the
 * results as doubles.  It runs twice, on the reference and on the CPU, and the results are
 * compared relative to the largest value.  Inputs are exact in bf16, so a result in acc must agree
 * tightly even when W is bf16.
 */
#include "tests/unit/test_ops.h"

struct results {
    int n;
    struct {
        double *x;
        int64_t n;
        bool tight; /* no rounding to W on the way */
    } e[8];
};

typedef void op_case(struct dev *dev, struct results *r, const int *p);

static struct dev ref;

/* Keeps an op's output, and frees the device's copy. */
static void keep(struct dev *dev, struct results *r, void *p, int64_t n, bool acc)
{
    r->e[r->n].x = get(dev, p, acc ? dev->acc : dev->dtype, n);
    r->e[r->n].n = n;
    r->e[r->n++].tight = acc;
    dev->ops->free(dev, p);
}

static void free_all(struct dev *dev, void **p, int n)
{
    for (int i = 0; i < n; i++)
        dev->ops->free(dev, p[i]);
}
#define FREE(...)                                                                                  \
    do {                                                                                           \
        void *free_list[] = {__VA_ARGS__};                                                         \
        free_all(dev, free_list, (int)(sizeof free_list / sizeof *free_list));                     \
    } while (0)

static void compare(struct dev *dev, const char *name, op_case *fn, const int *p)
{
    struct results a = {0}, b = {0};
    const char *only = getenv("OPS_OP");
    if (only && !strstr(name, only))
        return;
    ops_seed(7);
    fn(&ref, &a, p);
    ops_seed(7);
    fn(dev, &b, p);
    CHECK_MSG(!dev_error(dev), "%s: %s", name, dev_error(dev));
    for (int i = 0; i < a.n; i++) {
        double worst = 0, scale = 0;
        bool finite = true;
        for (int64_t k = 0; k < a.e[i].n; k++) {
            worst = fmax(worst, fabs(a.e[i].x[k] - b.e[i].x[k]));
            scale = fmax(scale, fabs(a.e[i].x[k]));
            finite = finite && isfinite(b.e[i].x[k]);
        }
        double limit = dev->dtype == DTYPE_BF16 && !a.e[i].tight ? 1e-2 : 1e-5;
        CHECK_MSG(finite && worst <= limit * scale, "%s %s %s(%d %d %d %d %d) result %d: error %g",
                  dev->name, dev->dtype == DTYPE_BF16 ? "bf16" : "f32", name, p[0], p[1], p[2],
                  p[3], p[4], i, worst / scale);
        free(a.e[i].x);
        free(b.e[i].x);
    }
}

/* -- matrix products: M, N, K, flags -- */

enum { PACKED = 1, BIAS = 2, ACCUMULATE = 4, ACC = 8, INT8 = 16 };

static void case_linear(struct dev *dev, struct results *r, const int *p)
{
    int64_t M = p[0], N = p[1], K = p[2];
    bool acc = p[3] & ACC;
    void *x = put_random(dev, dev->dtype, M * K, 1), *w = put_random(dev, dev->dtype, N * K, 1);
    void *bias = put_random(dev, dev->dtype, N, 1);
    void *y = put_random(dev, acc ? dev->acc : dev->dtype, M * N, 3), *packed = NULL;
    enum packing how = p[3] & INT8 ? PACK_INT8 : PACK_W;
    size_t bytes = dev->ops->packed_bytes(dev, N, K, how);
    if (bytes && (p[3] & (PACKED | INT8))) {
        packed = dev->ops->alloc(dev, bytes);
        dev->ops->pack_weight(dev, packed, w, N, K, how);
    }
    dev->ops->linear(dev, &(struct linear_args){.y = y,
                                                .x = x,
                                                .w = w,
                                                .packed = packed,
                                                .packing = how,
                                                .bias = p[3] & BIAS ? bias : NULL,
                                                .M = M,
                                                .N = N,
                                                .K = K,
                                                .accumulate = p[3] & ACCUMULATE,
                                                .y_acc = acc});
    keep(dev, r, y, M * N, acc);
    FREE(x, w, bias, packed);
}

static void case_linear_backward(struct dev *dev, struct results *r, const int *p)
{
    int64_t M = p[0], N = p[1], K = p[2];
    bool acc = p[3] & ACC;
    void *x = put_random(dev, dev->dtype, M * K, 1), *w = put_random(dev, dev->dtype, N * K, 1);
    void *dy = put_random(dev, dev->dtype, M * N, 1);
    void *dx = put_random(dev, acc ? dev->acc : dev->dtype, M * K, 3);
    void *dw = put_random(dev, dev->acc, N * K, 3), *dbias = put_random(dev, dev->acc, N, 3);
    dev->ops->linear_backward_input(
        dev, &(struct linear_backward_input_args){.dx = dx,
                                                  .dy = dy,
                                                  .w = w,
                                                  .M = M,
                                                  .N = N,
                                                  .K = K,
                                                  .accumulate = p[3] & ACCUMULATE,
                                                  .dx_acc = acc});
    dev->ops->linear_backward_weight(
        dev, &(struct linear_backward_weight_args){.dw = dw,
                                                   .dbias = p[3] & BIAS ? dbias : NULL,
                                                   .dy = dy,
                                                   .x = x,
                                                   .M = M,
                                                   .N = N,
                                                   .K = K});
    keep(dev, r, dx, M * K, acc);
    keep(dev, r, dw, N * K, true);
    keep(dev, r, dbias, N, true);
    FREE(x, w, dy);
}

/* -- rows -- */

/* n, dim, vocab */
static void case_embedding(struct dev *dev, struct results *r, const int *p)
{
    int64_t n = p[0], dim = p[1], vocab = p[2];
    int32_t *tokens = put_random_ints(dev, n, vocab);
    void *table = put_random(dev, dev->dtype, vocab * dim, 1);
    void *x = put_zeros(dev, dev->acc, n * dim),
         *dtable = put_random(dev, dev->acc, vocab * dim, 1);
    dev->ops->embedding(
        dev, &(struct embedding_args){
                 .x = x, .table = table, .tokens = tokens, .n = n, .dim = dim, .vocab = vocab});
    dev->ops->embedding_backward(
        dev, &(struct embedding_backward_args){
                 .dtable = dtable, .dx = x, .tokens = tokens, .n = n, .dim = dim, .vocab = vocab});
    keep(dev, r, x, n * dim, true);
    keep(dev, r, dtable, vocab * dim, true);
    FREE(table, tokens);
}

/* tokens, dim, heads, gap in the stride, flags: 1 = x_acc, 2 = y_acc, 4 = accumulate, 8 = round */
static void case_rmsnorm(struct dev *dev, struct results *r, const int *p)
{
    int64_t n = p[0] * p[2], dim = p[1], xs = dim * p[2] + p[3], ys = dim * p[2] + 2 * p[3];
    bool x_acc = p[4] & 1, y_acc = p[4] & 2, accumulate = p[4] & 4;
    enum dtype xt = x_acc ? dev->acc : dev->dtype, yt = y_acc ? dev->acc : dev->dtype;
    void *x = put_random(dev, xt, p[0] * xs, 2), *w = put_random(dev, dev->dtype, dim, 1);
    void *y = put_random(dev, yt, p[0] * ys, 1), *dy = put_random(dev, yt, p[0] * ys, 1);
    void *dx = put_random(dev, xt, p[0] * xs, 1), *dw = put_random(dev, dev->acc, dim, 1);
    void *rstd = put_zeros(dev, dev->acc, n);
    dev->ops->rmsnorm(dev, &(struct rmsnorm_args){.y = y,
                                                  .x = x,
                                                  .w = w,
                                                  .rstd = rstd,
                                                  .n_rows = n,
                                                  .dim = dim,
                                                  .heads = p[2],
                                                  .x_stride = xs,
                                                  .y_stride = ys,
                                                  .eps = 1e-5,
                                                  .x_acc = x_acc,
                                                  .y_acc = y_acc,
                                                  .y_accumulate = accumulate,
                                                  .round_first = p[4] & 8});
    dev->ops->rmsnorm_backward(dev, &(struct rmsnorm_backward_args){.dx = dx,
                                                                    .dw = dw,
                                                                    .dy = dy,
                                                                    .x = x,
                                                                    .w = w,
                                                                    .rstd = rstd,
                                                                    .n_rows = n,
                                                                    .dim = dim,
                                                                    .heads = p[2],
                                                                    .x_stride = xs,
                                                                    .y_stride = ys,
                                                                    .x_acc = x_acc,
                                                                    .dx_acc = x_acc,
                                                                    .dy_acc = y_acc,
                                                                    .dx_accumulate = accumulate});
    keep(dev, r, y, p[0] * ys, y_acc);
    r->e[0].tight = y_acc && !(p[4] & 8);
    keep(dev, r, dx, p[0] * xs, x_acc);
    keep(dev, r, dw, dim, true);
    keep(dev, r, rstd, n, true);
    FREE(x, w, dy);
}

/* n, heads, head_dim, gap, inverse */
static void case_rope(struct dev *dev, struct results *r, const int *p)
{
    int64_t n = p[0], stride = p[1] * p[2] + p[3], half = p[2] / 2;
    int32_t *positions = put_random_ints(dev, n, 50);
    void *x = put_random(dev, dev->dtype, n * stride, 1);
    void *c = put_random(dev, dev->acc, 50 * half, 1), *s = put_random(dev, dev->acc, 50 * half, 1);
    dev->ops->rope(dev, &(struct rope_args){.x = x,
                                            .positions = positions,
                                            .cos = c,
                                            .sin = s,
                                            .n = n,
                                            .heads = p[1],
                                            .head_dim = p[2],
                                            .stride = stride,
                                            .inverse = p[4]});
    keep(dev, r, x, n * stride, false);
    FREE(c, s, positions);
}

/* n, dim, scale of the inputs */
static void case_swiglu(struct dev *dev, struct results *r, const int *p)
{
    int64_t n = p[0], dim = p[1];
    void *gate_up = put_random(dev, dev->dtype, n * 2 * dim, p[2]);
    void *dh = put_random(dev, dev->dtype, n * dim, 1), *h = put_zeros(dev, dev->dtype, n * dim);
    void *sum = put_random(dev, dev->acc, n * dim, 1);
    dev->ops->add(dev, sum, dh, n * dim);
    dev->ops->swiglu(dev, &(struct swiglu_args){.h = h, .gate_up = gate_up, .n = n, .dim = dim});
    dev->ops->swiglu_backward(
        dev,
        &(struct swiglu_backward_args){
            .dgate_up = gate_up, .dh = dh, .gate_up = gate_up, .n = n, .dim = dim}); /* in place */
    keep(dev, r, h, n * dim, false);
    keep(dev, r, gate_up, n * 2 * dim, false);
    keep(dev, r, sum, n * dim, true);
    FREE(dh);
}

/* -- attention: n_heads, n_kv_heads, head_dim, window, which sequences -- */

static const int32_t starts[][6] = {{0, 1}, {0, 17, 18, 50, 53, 130}, {0, 33}, {0, 0, 300, 300}};
static const int n_seqs[] = {1, 5, 1, 3};

static void case_attention(struct dev *dev, struct results *r, const int *p)
{
    int64_t gap = p[1] % 2 ? 8 : 3; /* rows that are aligned, and rows that are not */
    int64_t hd = p[2], row = (p[0] + 2 * p[1]) * hd + gap, n = starts[p[4]][n_seqs[p[4]]];
    int64_t width = p[0] * hd;
    double scale = 1 / sqrt((double)hd);
    double *host = random_values(n * row, 1), *dout = random_values(n * width, 1);
    double *out0 = zeros(n * width), *lse0 = zeros(n * p[0]);
    struct attention_args a = {.out = out0,
                               .lse = lse0,
                               .q = host,
                               .k = host + width,
                               .v = host + width + p[1] * hd,
                               .seq_start = starts[p[4]],
                               .n = n,
                               .n_seqs = n_seqs[p[4]],
                               .n_heads = p[0],
                               .n_kv_heads = p[1],
                               .head_dim = hd,
                               .q_stride = row,
                               .kv_stride = row,
                               .window = p[3],
                               .scale = scale};
    ref.ops->attention(&ref, &a);
    for (int64_t i = 0; i < n * width; i++) { /* both backward passes read the same output */
        float f = (float)out0[i];
        uint32_t u;
        memcpy(&u, &f, 4);
        u = (u + 0x8000) & 0xffff0000u;
        memcpy(&f, &u, 4);
        out0[i] = (double)f;
    }
    enum dtype t = dev->dtype;
    char *qkv = put(dev, t, host, n * row), *dqkv = put_zeros(dev, t, n * row);
    void *out = put_zeros(dev, t, n * width), *lse = put_zeros(dev, dev->acc, n * p[0]);
    void *saved = put(dev, t, out0, n * width), *stats = put(dev, dev->acc, lse0, n * p[0]);
    void *grad = put(dev, t, dout, n * width);
    size_t k_at = (size_t)width * dtype_bytes(t),
           v_at = k_at + (size_t)(p[1] * hd) * dtype_bytes(t);
    a.out = out, a.lse = lse, a.q = qkv, a.k = qkv + k_at, a.v = qkv + v_at;
    dev->ops->attention(dev, &a);
    dev->ops->attention_backward(dev, &(struct attention_backward_args){.dq = dqkv,
                                                                        .dk = dqkv + k_at,
                                                                        .dv = dqkv + v_at,
                                                                        .dout = grad,
                                                                        .out = saved,
                                                                        .lse = stats,
                                                                        .q = qkv,
                                                                        .k = qkv + k_at,
                                                                        .v = qkv + v_at,
                                                                        .seq_start = starts[p[4]],
                                                                        .n = n,
                                                                        .n_seqs = n_seqs[p[4]],
                                                                        .n_heads = p[0],
                                                                        .n_kv_heads = p[1],
                                                                        .head_dim = hd,
                                                                        .q_stride = row,
                                                                        .kv_stride = row,
                                                                        .window = p[3],
                                                                        .scale = scale});
    keep(dev, r, out, n * width, false);
    keep(dev, r, lse, n * p[0], true);
    keep(dev, r, dqkv, n * row, false);
    FREE(qkv, saved, stats, grad);
    free(host);
    free(dout);
    free(out0);
    free(lse0);
}

/* -- loss and optimiser -- */

/* n, vocab, padding, scale, flags: 1 = inv_temp, 2 = dz */
static void case_logprob(struct dev *dev, struct results *r, const int *p)
{
    int64_t n = p[0], vocab = p[1], stride = p[1] + p[2];
    int32_t *targets = put_random_ints(dev, n, vocab);
    double *t = random_values(n, 1);
    for (int64_t i = 0; i < n; i++)
        t[i] = fabs(t[i]) + 0.5;
    void *logits = put_random(dev, dev->acc, n * stride, p[3]);
    void *temp = put_own(dev, dev->acc, t, n), *inv_temp = p[4] & 1 ? temp : NULL;
    void *dlp = put_random(dev, dev->acc, n, 1), *z = put_random(dev, dev->acc, n, 0.1);
    void *logprobs = put_zeros(dev, dev->acc, n), *lse = put_zeros(dev, dev->acc, n);
    void *entropy = put_zeros(dev, dev->acc, n), *d = put_random(dev, dev->dtype, n * stride, 1);
    dev->ops->logprob(dev, &(struct logprob_args){.logprobs = logprobs,
                                                  .lse = lse,
                                                  .entropy = entropy,
                                                  .logits = logits,
                                                  .targets = targets,
                                                  .inv_temp = inv_temp,
                                                  .n = n,
                                                  .vocab = vocab,
                                                  .stride = stride});
    dev->ops->logprob_backward(dev, &(struct logprob_backward_args){.dlogits = d,
                                                                    .logits = logits,
                                                                    .lse = lse,
                                                                    .dlogprobs = dlp,
                                                                    .dz = p[4] & 2 ? z : NULL,
                                                                    .targets = targets,
                                                                    .inv_temp = inv_temp,
                                                                    .n = n,
                                                                    .vocab = vocab,
                                                                    .stride = stride});
    keep(dev, r, logprobs, n, true);
    keep(dev, r, lse, n, true);
    keep(dev, r, entropy, n, true);
    keep(dev, r, d, n * stride, false);
    FREE(logits, temp, dlp, z, targets);
}

/* Appends rows [row, row + n) of kv, which are n positions of one slot from pos on. */
static void append_rows(struct dev *dev, struct kv_append_args a, char *kv, int64_t row, int32_t slot, int32_t pos, int64_t n)
{
    int32_t *slots = malloc((size_t)n * sizeof *slots), *positions = malloc((size_t)n * sizeof *positions);
    for (int64_t i = 0; i < n; i++) {
        slots[i] = slot;
        positions[i] = pos + (int32_t)i;
    }
    void *lists[2] = {put_bytes(dev, slots, (size_t)n * sizeof *slots), put_bytes(dev, positions, (size_t)n * sizeof *positions)};
    a.slot = lists[0], a.pos = lists[1], a.n = n;
    a.k = kv + (size_t)(row * a.kv_stride) * dtype_bytes(dev->dtype);
    a.v = (const char *)a.k + (size_t)(a.shape.n_kv_heads * a.shape.head_dim) * dtype_bytes(dev->dtype);
    dev->ops->kv_append(dev, &a);
    FREE(lists[0], lists[1]);
    free(slots);
    free(positions);
}

/* n_heads, n_kv_heads, head_dim, window: slots of 150, 70 and 69 positions; the second begins with the first page of
 * the first, the third with a copy of it. */
static void case_attention_cached(struct dev *dev, struct results *r, const int *p)
{
    enum { SLOTS = 3, SLOT_PAGES = 3, N = 9 };
    static const int32_t pages[SLOTS * SLOT_PAGES] = {5, 2, 7, 5, 0, 1, 6, 4, 3};
    static const int32_t slot[N] = {0, 1, 2, 0, 0, 1, 0, 2, 1}, pos[N] = {149, 69, 68, 63, 64, 64, 100, 63, 5};
    int64_t width = p[0] * p[2], row = 2 * p[1] * p[2], rows = 150 + 6 + 5;
    struct kv_shape shape = {9, p[1], p[2]};
    void *table = put_bytes(dev, pages, sizeof pages), *cache = dev->ops->alloc(dev, dev->ops->kv_cache_bytes(dev, &shape));
    char *kv = put_random(dev, dev->dtype, rows * row, 1);
    void *q = put_random(dev, dev->dtype, N * width, 1), *out = put_zeros(dev, dev->dtype, N * width);
    void *lists[2] = {put_bytes(dev, slot, sizeof slot), put_bytes(dev, pos, sizeof pos)};
    const struct kv_append_args a = {.cache = cache, .shape = shape, .table = {table, SLOTS, SLOT_PAGES}, .kv_stride = row};
    append_rows(dev, a, kv, 0, 0, 0, 150);
    append_rows(dev, a, kv, 150, 1, 64, 6);
    dev->ops->kv_copy(dev, &(struct kv_copy_args){cache, shape, 5, 6});
    append_rows(dev, a, kv, 156, 2, 64, 5);
    dev->ops->attention_cached(dev, &(struct attention_cached_args){.out = out,
                                                                    .q = q,
                                                                    .cache = cache,
                                                                    .shape = shape,
                                                                    .table = a.table,
                                                                    .slot = lists[0],
                                                                    .pos = lists[1],
                                                                    .n = N,
                                                                    .n_heads = p[0],
                                                                    .q_stride = width,
                                                                    .window = p[3],
                                                                    .scale = 1 / sqrt((double)p[2])});
    keep(dev, r, out, N * width, false);
    FREE(table, cache, kv, q, lists[0], lists[1]);
}

/* n, vocab, padding, scale, flags: 1 = inv_temp, 2 = logits of which many are equal; a row in six is left whole */
static void case_truncate(struct dev *dev, struct results *r, const int *p)
{
    int64_t n = p[0], vocab = p[1], stride = p[1] + p[2];
    double *x = random_values(n * stride, p[3]), *t = random_values(n, 1), *top_p = zeros(n), *min_p = zeros(n);
    int32_t *top_k = calloc((size_t)n, sizeof *top_k);
    float *left = malloc((size_t)(n * stride) * sizeof *left);
    for (int64_t i = 0; i < n * stride; i++)
        x[i] = p[4] & 2 ? floor(x[i] * 2) / 2 : x[i];
    for (int64_t i = 0; i < n; i++) {
        t[i] = fabs(t[i]) + 0.5;
        top_k[i] = i % 2 ? 1 + (int32_t)rng_below(&ops_rng, (uint64_t)vocab + 3) : 0;
        top_p[i] = i % 3 ? rng_uniform(&ops_rng) * 1.1 : 1;
        min_p[i] = i % 6 >= 4 ? rng_uniform(&ops_rng) : 0;
    }
    void *logits = put_own(dev, dev->acc, x, n * stride), *temp = put_own(dev, dev->acc, t, n);
    void *lists[3] = {put_bytes(dev, top_k, (size_t)n * sizeof *top_k), put_bytes(dev, top_p, (size_t)n * sizeof *top_p),
                      put_bytes(dev, min_p, (size_t)n * sizeof *min_p)};
    dev->ops->truncate(dev, &(struct truncate_args){.logits = logits,
                                                    .inv_temp = p[4] & 1 ? temp : NULL,
                                                    .top_k = lists[0],
                                                    .top_p = lists[1],
                                                    .min_p = lists[2],
                                                    .n = n,
                                                    .vocab = vocab,
                                                    .stride = stride});
    void *plain = put_zeros(dev, DTYPE_F32, n * stride);
    dev->ops->convert(dev, plain, DTYPE_F32, logits, dev->acc, n * stride);
    dev->ops->download(dev, left, plain, (size_t)(n * stride) * sizeof *left);
    double *found = zeros(n * stride);
    for (int64_t i = 0; i < n * stride; i++)
        found[i] = isinf(left[i]) ? -1e6 : (double)left[i]; /* one token off is too much for any tolerance */
    keep(dev, r, put_own(dev, dev->acc, found, n * stride), n * stride, true);
    FREE(logits, temp, lists[0], lists[1], lists[2], plain);
    free(left);
    free(top_k);
    free(top_p);
    free(min_p);
}

/* n, vocab, padding, scale, flags: 1 = inv_temp; every seventh row takes the largest */
static void case_draw(struct dev *dev, struct results *r, const int *p)
{
    int64_t n = p[0], vocab = p[1], stride = p[1] + p[2];
    int32_t *tokens = put_random_ints(dev, n, 1), *drawn = malloc((size_t)n * sizeof *drawn);
    double *t = random_values(n, 1), *u = zeros(n), *found = zeros(n);
    for (int64_t i = 0; i < n; i++) {
        t[i] = fabs(t[i]) + 0.5;
        u[i] = i % 7 == 6 ? -1 : rng_uniform(&ops_rng);
    }
    void *logits = put_random(dev, dev->acc, n * stride, p[3]);
    void *temp = put_own(dev, dev->acc, t, n), *uniform = put_bytes(dev, u, (size_t)n * sizeof *u);
    dev->ops->draw(dev, &(struct draw_args){.tokens = tokens,
                                            .logits = logits,
                                            .inv_temp = p[4] & 1 ? temp : NULL,
                                            .u = uniform,
                                            .n = n,
                                            .vocab = vocab,
                                            .stride = stride});
    dev->ops->download(dev, drawn, tokens, (size_t)n * sizeof *drawn);
    for (int64_t i = 0; i < n; i++)
        found[i] = 1e6 * (double)drawn[i]; /* one token off is too much for any tolerance */
    keep(dev, r, put_own(dev, dev->acc, found, n), n, true);
    FREE(logits, temp, uniform, tokens);
    free(drawn);
    free(u);
}

static void case_adamw(struct dev *dev, struct results *r, const int *p)
{
    int64_t n = p[0];
    double *positive = random_values(n, 1);
    for (int64_t i = 0; i < n; i++)
        positive[i] = fabs(positive[i]);
    void *master = put_random(dev, dev->acc, n, 1), *m = put_random(dev, dev->acc, n, 1);
    void *v = put_own(dev, dev->acc, positive, n), *grad = put_random(dev, dev->acc, n, 1);
    void *weights = put_zeros(dev, dev->dtype, n);
    double sum = dev->ops->sum_squares(dev, grad, n);
    dev->ops->adamw(dev, &(struct adamw_args){.master = master,
                                              .m = m,
                                              .v = v,
                                              .grad = grad,
                                              .weights = weights,
                                              .n = n,
                                              .lr = 1e-2,
                                              .beta1 = 0.9,
                                              .beta2 = 0.95,
                                              .eps = 1e-8,
                                              .weight_decay = 0.1,
                                              .bias1 = 0.1,
                                              .bias2 = 0.05,
                                              .grad_scale = 0.3});
    keep(dev, r, put(dev, dev->acc, &sum, 1), 1, true);
    keep(dev, r, master, n, true);
    keep(dev, r, m, n, true);
    keep(dev, r, v, n, true);
    keep(dev, r, weights, n, false);
    FREE(grad);
}

#define CASES(name, ...)                                                                           \
    do {                                                                                           \
        static const int table[][5] = {__VA_ARGS__};                                               \
        for (size_t c = 0; c < sizeof table / sizeof *table; c++)                                  \
            compare(dev, #name, case_##name, table[c]);                                            \
    } while (0)

static void check_rows(struct dev *dev)
{
    CASES(embedding, {1, 1, 3}, {33, 65, 7}, {300, 128, 1000});
    CASES(rmsnorm, {1, 3, 1, 0, 0}, {3, 17, 1, 0, 3}, {5, 33, 3, 4, 0}, {70, 65, 2, 0, 15},
          {7, 40, 1, 5, 11}, {200, 64, 4, 8, 0}, {9, 16, 1, 0, 6}, {4, 100, 1, 0, 14});
    CASES(rope, {1, 1, 2, 0, 0}, {17, 3, 8, 5, 1}, {5, 2, 40, 0, 0}, {33, 4, 64, 7, 1});
    CASES(swiglu, {1, 1, 1}, {3, 17, 1}, {33, 300, 3}, {2, 65, 60});
    CASES(logprob, {1, 1, 0, 1, 0}, {3, 17, 0, 1, 1}, {17, 600, 40, 5, 3}, {5, 1025, 7, 40, 3},
          {33, 512, 0, 2, 2});
    CASES(attention_cached, {1, 1, 8, 0}, {4, 2, 64, 0}, {6, 2, 33, 70}, {3, 3, 128, 5}, {20, 1, 16, 64}, {2, 1, 160, 0});
    CASES(truncate, {6, 1, 0, 1, 0}, {60, 17, 0, 1, 3}, {60, 600, 40, 3, 1}, {60, 1025, 7, 6, 0},
          {60, 512, 0, 2, 3}, {120, 256, 3, 1, 2});
    CASES(draw, {1, 1, 0, 1, 0}, {30, 17, 0, 1, 1}, {40, 600, 40, 3, 1}, {50, 1025, 7, 20, 0},
          {60, 512, 0, 2, 1}, {200, 256, 3, 1, 0});
    CASES(adamw, {1}, {17}, {5000}, {40000});
}

static void check_products(struct dev *dev)
{
    CASES(linear, {1, 1, 1, 0}, {1, 1, 0, BIAS}, {1, 33, 17, PACKED}, {1, 257, 65, PACKED | ACC},
          {2, 200, 300, PACKED | BIAS}, {3, 130, 257, PACKED | BIAS | ACCUMULATE | ACC},
          {4, 65, 33, PACKED | ACCUMULATE}, {5, 3, 17, 0}, {13, 65, 600, BIAS | ACC},
          {33, 17, 3, PACKED}, {65, 129, 511, PACKED | ACC | BIAS}, {257, 70, 128, PACKED},
          {17, 1000, 20, PACKED | ACC}, {200, 600, 520, PACKED | ACC});
    if (dev->ops->packed_bytes(dev, 1, 1, PACK_INT8))
        CASES(linear, {1, 70, 300, INT8}, {2, 33, 17, INT8 | BIAS | ACC},
              {5, 130, 600, INT8 | ACC | ACCUMULATE}, {40, 17, 1, INT8}, {33, 100, 1104, INT8 | BIAS},
              {9, 17, 65, INT8 | ACC});
    CASES(linear_backward, {1, 1, 1, BIAS}, {3, 17, 33, ACC}, {65, 33, 17, BIAS | ACCUMULATE | ACC},
          {257, 130, 65, ACCUMULATE | BIAS}, {600, 65, 129, BIAS | ACC}, {33, 300, 70, 0},
          {17, 280, 600, ACC | BIAS});
}

static void check_attention(struct dev *dev)
{
    CASES(attention, {1, 1, 8, 0, 0}, {2, 2, 8, 0, 1}, {4, 2, 32, 0, 1}, {4, 1, 40, 0, 2},
          {3, 3, 64, 0, 1}, {4, 2, 16, 1, 1}, {4, 2, 32, 5, 1}, {2, 1, 40, 16, 1},
          {9, 3, 64, 33, 1}, {6, 2, 24, 0, 3}, {2, 1, 80, 70, 3}, {12, 1, 128, 0, 2},
          {2, 1, 32, 17, 3}, {1, 1, 256, 0, 2});
}

int main(void)
{
    pool_init(2);
    dev_open_ref(&ref);
    for (int isa = 0; isa < N_ISAS; isa++)
        for (int t = DTYPE_F32; t <= DTYPE_BF16; t++) {
            struct dev dev;
            if (!open_isa(&dev, isa, (enum dtype)t, 2)) {
                printf("# no %s here\n", isa_names[isa]);
                continue;
            }
            check_rows(&dev);
            check_products(&dev);
            check_attention(&dev);
            CHECK(!dev_error(&dev));
            dev_close(&dev);
        }
    dev_close(&ref);
    pool_release();
    return check_done();
}
