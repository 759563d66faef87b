/* test_ops_exact.c - what must agree bit by bit: a row alone and in any company, packed sequences
 * and single ones, attention and cached attention, one thread and two. */
#include "tests/unit/test_ops.h"

static struct dev dev; /* two threads */
static struct dev solo;

static bool same(const void *a, const void *b, int64_t elems, enum dtype t)
{
    return same_bytes(&dev, a, b, (size_t)elems * dtype_bytes(t));
}

static char *at(void *p, int64_t i)
{
    return (char *)p + i * (int64_t)dtype_bytes(dev.dtype);
}

static void linear(struct dev *d, void *y, const void *x, const void *w, const void *packed,
                   int64_t M, int64_t N, int64_t K)
{
    d->ops->linear(
        d, &(struct linear_args){.y = y, .x = x, .w = w, .packed = packed, .M = M, .N = N, .K = K});
}

/* Rows of int8 products: alone, and in a call of 20. */
static void check_int8(const void *x, const void *w, int64_t N, int64_t K)
{
    enum { M = 20 };
    enum dtype t = dev.dtype;
    void *all = put_zeros(&dev, t, M * N), *one = put_zeros(&dev, t, N);
    void *packed = dev.ops->alloc(&dev, dev.ops->packed_bytes(&dev, N, K, PACK_INT8));
    dev.ops->pack_weight(&dev, packed, w, N, K, PACK_INT8);
    struct linear_args a = {.y = all, .x = x, .w = w, .packed = packed, .packing = PACK_INT8,
                            .M = M, .N = N, .K = K};
    dev.ops->linear(&dev, &a);
    a.y = one, a.M = 1;
    for (int64_t row = 0; row < M; row++) {
        a.x = (const char *)x + row * K * (int64_t)dtype_bytes(t);
        solo.ops->linear(&solo, &a);
        CHECK(same(one, at(all, row * N), N, t));
    }
    dev.ops->free(&dev, all);
    dev.ops->free(&dev, one);
    dev.ops->free(&dev, packed);
}

/* The same with results that are not rounded to bf16, which hides most of what differs. */
static void check_unrounded(const void *x, const void *w, int64_t M, int64_t N, int64_t K)
{
    const int64_t counts[] = {1, 16, 17, 100};
    void *all = put_zeros(&dev, dev.acc, M * N), *part = put_zeros(&dev, dev.acc, M * N);
    struct linear_args a = {.y = all, .x = x, .w = w, .M = M, .N = N, .K = K, .y_acc = true};
    dev.ops->linear(&dev, &a);
    a.y = part;
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        a.M = counts[c];
        dev.ops->linear(&dev, &a);
        CHECK_MSG(same(part, all, a.M * N, dev.acc), "%s: %d rows of %d in acc", dev.name, (int)a.M, (int)M);
    }
    dev.ops->free(&dev, all);
    dev.ops->free(&dev, part);
}

/* Rows of a product of 257 rows, again in smaller calls; and without packing. */
static void check_linear(int64_t N, int64_t K)
{
    const int64_t M = 257, counts[] = {1, 2, 3, 4, 5, 16, 100};
    enum dtype t = dev.dtype;
    void *x = put_random(&dev, t, M * K, 1), *w = put_random(&dev, t, N * K, 1);
    void *all = put_zeros(&dev, t, M * N), *part = put_zeros(&dev, t, M * N);
    void *packed = dev.ops->alloc(&dev, dev.ops->packed_bytes(&dev, N, K, PACK_W));
    if (dev.ops->packed_bytes(&dev, N, K, PACK_W))
        dev.ops->pack_weight(&dev, packed, w, N, K, PACK_W);
    linear(&dev, all, x, w, packed, M, N, K);
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
        for (int64_t row = 0; row + counts[c] <= M; row += 77) {
            linear(&dev, part, at(x, row * K), w, packed, counts[c], N, K);
            CHECK_MSG(same(part, at(all, row * N), counts[c] * N, t), "%s: %d rows at %d", dev.name,
                      (int)counts[c], (int)row);
        }
    check_unrounded(x, w, M, N, K);
    if (dev.ops->packed_bytes(&dev, N, K, PACK_INT8))
        check_int8(x, w, N, K);
    linear(&dev, part, x, w, NULL, M, N, K);
    CHECK(same(part, all, M * N, t));
    linear(&solo, part, x, w, packed, M, N, K);
    CHECK(same(part, all, M * N, t));

    /* the gradient of the input is a product like the others; that of the weight, by threads */
    void *dx = put_zeros(&dev, t, M * K), *dx1 = put_zeros(&dev, t, M * K);
    struct linear_backward_input_args b = {.dx = dx, .dy = all, .w = w, .M = M, .N = N, .K = K};
    dev.ops->linear_backward_input(&dev, &b);
    for (int64_t row = 0; row < M; row += 64) {
        b.dx = dx1, b.dy = at(all, row * N), b.M = 1;
        dev.ops->linear_backward_input(&dev, &b);
        CHECK(same(dx1, at(dx, row * K), K, t));
    }
    void *dw = put_zeros(&dev, DTYPE_F32, N * K), *dw1 = put_zeros(&dev, DTYPE_F32, N * K);
    struct linear_backward_weight_args g = {.dw = dw, .dy = all, .x = x, .M = M, .N = N, .K = K};
    dev.ops->linear_backward_weight(&dev, &g);
    g.dw = dw1;
    solo.ops->linear_backward_weight(&solo, &g);
    CHECK(same(dw, dw1, N * K, DTYPE_F32));
    void *all_p[] = {x, w, all, part, packed, dx, dx1, dw, dw1};
    for (size_t i = 0; i < sizeof all_p / sizeof *all_p; i++)
        dev.ops->free(&dev, all_p[i]);
}

/* -- attention -- */

struct shape {
    int64_t heads, kv_heads, hd, window;
};

static const int32_t starts[] = {0, 40, 41, 300, 316};
enum { N_SEQS = 4, ROWS = 316 };

struct qkv {
    struct shape s;
    int64_t row;
    void *rows;
};

static const void *k_of(const struct qkv *x, int64_t row)
{
    return at(x->rows, row * x->row + x->s.heads * x->s.hd);
}

static const void *v_of(const struct qkv *x, int64_t row)
{
    return at(x->rows, row * x->row + (x->s.heads + x->s.kv_heads) * x->s.hd);
}

static void attention(struct dev *d, const struct qkv *x, void *out, void *lse, int64_t row,
                      const int32_t *start, int64_t n_seqs)
{
    d->ops->attention(d, &(struct attention_args){.out = out,
                                                  .lse = lse,
                                                  .q = at(x->rows, row * x->row),
                                                  .k = k_of(x, row),
                                                  .v = v_of(x, row),
                                                  .seq_start = start,
                                                  .n = start[n_seqs],
                                                  .n_seqs = n_seqs,
                                                  .n_heads = x->s.heads,
                                                  .n_kv_heads = x->s.kv_heads,
                                                  .head_dim = x->s.hd,
                                                  .q_stride = x->row,
                                                  .kv_stride = x->row,
                                                  .window = x->s.window,
                                                  .scale = 0.21});
}

/* A cache whose pages lie in no order. */
enum { SLOTS = 3, SLOT_PAGES = 5, N_PAGES = SLOTS * SLOT_PAGES + 2 };
struct cache {
    void *memory;
    size_t bytes;
    struct kv_shape shape;
    struct kv_table table;
    int32_t pages[SLOTS * SLOT_PAGES]; /* the table on the host */
};

static void upload_table(struct cache *c)
{
    dev.ops->upload(&dev, (void *)(uintptr_t)c->table.pages, c->pages, sizeof c->pages);
}

static void cache_init(struct cache *c, const struct shape *s)
{
    *c = (struct cache){.shape = {N_PAGES, s->kv_heads, s->hd}, .table = {.n_slots = SLOTS, .slot_pages = SLOT_PAGES}};
    c->bytes = dev.ops->kv_cache_bytes(&dev, &c->shape);
    c->memory = dev.ops->alloc(&dev, c->bytes);
    c->table.pages = dev.ops->alloc(&dev, sizeof c->pages);
    for (int i = 0; i < SLOTS * SLOT_PAGES; i++)
        c->pages[i] = (i * 11 + 3) % N_PAGES;
    upload_table(c);
}

static void attend_cached(const struct cache *c, const struct qkv *x, void *out, const void *q, int64_t q_stride,
                          const int32_t *slot, const int32_t *pos, int64_t n)
{
    dev.ops->attention_cached(&dev, &(struct attention_cached_args){.out = out,
                                                                    .q = q,
                                                                    .cache = c->memory,
                                                                    .shape = c->shape,
                                                                    .table = c->table,
                                                                    .slot = slot,
                                                                    .pos = pos,
                                                                    .n = n,
                                                                    .n_heads = x->s.heads,
                                                                    .q_stride = q_stride,
                                                                    .window = x->s.window,
                                                                    .scale = 0.21});
}

/* Appends and attends rows [row, row + n) of one sequence, at positions from pos. */
static void decode(const struct qkv *x, const struct cache *c, void *out, int64_t row, int32_t slot, int32_t pos,
                   int64_t n)
{
    int32_t slots[ROWS], positions[ROWS];
    for (int64_t i = 0; i < n; i++) {
        slots[i] = slot;
        positions[i] = pos + (int32_t)i;
    }
    int32_t *slot_ = put_bytes(&dev, slots, (size_t)n * sizeof *slots);
    int32_t *pos_ = put_bytes(&dev, positions, (size_t)n * sizeof *positions);
    dev.ops->kv_append(&dev, &(struct kv_append_args){.cache = c->memory,
                                                      .shape = c->shape,
                                                      .table = c->table,
                                                      .k = k_of(x, row),
                                                      .v = v_of(x, row),
                                                      .slot = slot_,
                                                      .pos = pos_,
                                                      .n = n,
                                                      .kv_stride = x->row});
    attend_cached(c, x, out, at(x->rows, row * x->row), x->row, slot_, pos_, n);
    dev.ops->free(&dev, slot_);
    dev.ops->free(&dev, pos_);
}

/* NaN, which nothing may read. */
static void spoil(void *cache, size_t bytes)
{
    void *nan = malloc(bytes);
    memset(nan, 0xff, bytes);
    dev.ops->upload(&dev, cache, nan, bytes);
    free(nan);
}

/* Slot `to` begins with so many pages of slot 0, and has copies of the others. */
static void begin_as_first(struct cache *c, int to, int shared)
{
    for (int p = 0; p < SLOT_PAGES; p++)
        if (p < shared)
            c->pages[to * SLOT_PAGES + p] = c->pages[p];
        else
            dev.ops->kv_copy(&dev, &(struct kv_copy_args){c->memory, c->shape, c->pages[p], c->pages[to * SLOT_PAGES + p]});
}

/* The last rows of the longest sequence from three slots at once, which have pages in common. */
static void check_shared(const struct qkv *x, struct cache *c, void *all)
{
    enum { N = 5, LEN = 259 };
    int64_t width = x->s.heads * x->s.hd, last = starts[2] + LEN - 1;
    void *out = put_zeros(&dev, dev.dtype, N * width), *q = put_zeros(&dev, dev.dtype, N * width);
    spoil(c->memory, c->bytes);
    void *unused = put_zeros(&dev, dev.dtype, LEN * width);
    decode(x, c, unused, starts[2], 0, 0, LEN);
    begin_as_first(c, 1, 4);
    begin_as_first(c, 2, 1);
    upload_table(c);
    int32_t slot[N] = {1, 0, 2, 1, 2}, pos[N] = {LEN - 1, LEN - 1, LEN - 1, LEN - 2, LEN - 1};
    void *lists[2] = {put_bytes(&dev, slot, sizeof slot), put_bytes(&dev, pos, sizeof pos)};
    for (int i = 0; i < N; i++)
        dev.ops->copy(&dev, at(q, i * width), at(x->rows, (last - (i == 3)) * x->row), (size_t)width * dtype_bytes(dev.dtype));
    attend_cached(c, x, out, q, width, lists[0], lists[1], N);
    for (int i = 0; i < N; i++)
        CHECK_MSG(same(at(out, i * width), at(all, (last - (i == 3)) * width), width, dev.dtype),
                  "%s: row %d of slot %d, which begins with pages of the first", dev.name, i, slot[i]);
    dev.ops->free(&dev, out);
    dev.ops->free(&dev, q);
    dev.ops->free(&dev, unused);
    for (int i = 0; i < 2; i++)
        dev.ops->free(&dev, lists[i]);
}

/* The sequences through the cache: in chunks of any size, over a page's stale contents. */
static void check_cached(const struct qkv *x, void *all)
{
    struct cache c;
    int64_t width = x->s.heads * x->s.hd;
    cache_init(&c, &x->s);
    void *out = put_zeros(&dev, dev.dtype, ROWS * width);
    spoil(c.memory, c.bytes);
    const int64_t chunks[] = {1, 7, 16, 33, 1000};
    for (int s = 0; s < N_SEQS; s++)
        for (int k = 0; k < 5; k++) {
            int64_t len = starts[s + 1] - starts[s];
            for (int64_t i = 0; i < len; i += chunks[k]) {
                int64_t n = len - i < chunks[k] ? len - i : chunks[k];
                decode(x, &c, at(out, i * width), starts[s] + i, 1, (int32_t)i, n);
            }
            CHECK_MSG(same(out, at(all, starts[s] * width), len * width, dev.dtype),
                      "%s: %d/%d heads of %d, window %d: sequence %d, cached in steps of %d", dev.name,
                      (int)x->s.heads, (int)x->s.kv_heads, (int)x->s.hd, (int)x->s.window, s, (int)chunks[k]);
        }
    /* the last row of the longest, after a copy to another slot, beside another sequence's row */
    decode(x, &c, out, starts[2], 0, 0, 259);
    begin_as_first(&c, 2, 0);
    decode(x, &c, out, 0, 0, 0, 40);
    int32_t slots[2] = {0, 2}, pos[2] = {39, 258};
    void *slots_ = put_bytes(&dev, slots, sizeof slots), *pos_ = put_bytes(&dev, pos, sizeof pos);
    char *q = put_zeros(&dev, dev.dtype, 2 * width);
    dev.ops->copy(&dev, q, at(x->rows, 39 * x->row), (size_t)width * dtype_bytes(dev.dtype));
    dev.ops->copy(&dev, at(q, width), at(x->rows, 299 * x->row), (size_t)width * dtype_bytes(dev.dtype));
    attend_cached(&c, x, out, q, width, slots_, pos_, 2);
    CHECK(same(out, at(all, 39 * width), width, dev.dtype));
    CHECK(same(at(out, width), at(all, 299 * width), width, dev.dtype));
    check_shared(x, &c, all);
    dev.ops->free(&dev, slots_);
    dev.ops->free(&dev, pos_);
    dev.ops->free(&dev, c.memory);
    dev.ops->free(&dev, (void *)(uintptr_t)c.table.pages);
    dev.ops->free(&dev, out);
    dev.ops->free(&dev, q);
}

static void check_attention(struct shape s)
{
    struct qkv x = {s, (s.heads + 2 * s.kv_heads) * s.hd + 5, NULL};
    int64_t width = s.heads * s.hd;
    enum dtype t = dev.dtype;
    x.rows = put_random(&dev, t, ROWS * x.row, 1);
    void *all = put_zeros(&dev, t, ROWS * width), *out = put_zeros(&dev, t, ROWS * width);
    void *lse = put_zeros(&dev, DTYPE_F32, ROWS * s.heads);
    void *lse1 = put_zeros(&dev, DTYPE_F32, ROWS * s.heads);
    attention(&dev, &x, all, lse, 0, starts, N_SEQS);
    attention(&solo, &x, out, lse1, 0, starts, N_SEQS);
    CHECK(same(out, all, ROWS * width, t) && same(lse, lse1, ROWS * s.heads, DTYPE_F32));
    for (int i = 0; i < N_SEQS; i++) {
        int32_t alone[2] = {0, starts[i + 1] - starts[i]};
        attention(&dev, &x, out, NULL, starts[i], alone, 1);
        CHECK(same(out, at(all, starts[i] * width), alone[1] * width, t));
    }
    check_cached(&x, all);

    void *dqkv = put_zeros(&dev, t, ROWS * x.row), *dqkv1 = put_zeros(&dev, t, ROWS * x.row);
    struct attention_backward_args b = {.dq = dqkv,
                                        .dk = at(dqkv, width),
                                        .dv = at(dqkv, width + s.kv_heads * s.hd),
                                        .dout = all,
                                        .out = all,
                                        .lse = lse,
                                        .q = x.rows,
                                        .k = k_of(&x, 0),
                                        .v = v_of(&x, 0),
                                        .seq_start = starts,
                                        .n = ROWS,
                                        .n_seqs = N_SEQS,
                                        .n_heads = s.heads,
                                        .n_kv_heads = s.kv_heads,
                                        .head_dim = s.hd,
                                        .q_stride = x.row,
                                        .kv_stride = x.row,
                                        .window = s.window,
                                        .scale = 0.21};
    dev.ops->attention_backward(&dev, &b);
    b.dq = dqkv1, b.dk = at(dqkv1, width), b.dv = at(dqkv1, width + s.kv_heads * s.hd);
    solo.ops->attention_backward(&solo, &b);
    CHECK(same(dqkv, dqkv1, ROWS * x.row, t));
    void *all_p[] = {x.rows, all, out, lse, lse1, dqkv, dqkv1};
    for (size_t i = 0; i < sizeof all_p / sizeof *all_p; i++)
        dev.ops->free(&dev, all_p[i]);
}

/* -- reductions over rows -- */

static void check_norm_and_embedding(void)
{
    enum { N = 400, DIM = 130 };
    enum dtype t = dev.dtype;
    struct dev *devs[2] = {&dev, &solo};
    void *x = put_random(&dev, t, N * DIM, 1), *w = put_random(&dev, t, DIM, 1);
    void *dy = put_random(&dev, t, N * DIM, 1), *rows = put_random(&dev, DTYPE_F32, N * DIM, 1);
    int32_t *tokens = put_random_ints(&dev, N, 20);
    void *dx[2], *dw[2], *rstd[2], *y[2], *dtable[2];
    double sum[2];
    for (int i = 0; i < 2; i++) {
        struct dev *d = devs[i];
        dx[i] = put_zeros(d, t, N * DIM), y[i] = put_zeros(d, t, N * DIM);
        dw[i] = put_zeros(d, DTYPE_F32, DIM), rstd[i] = put_zeros(d, DTYPE_F32, N);
        dtable[i] = put_zeros(d, DTYPE_F32, 20 * DIM);
        d->ops->rmsnorm(d, &(struct rmsnorm_args){.y = y[i],
                                                  .x = x,
                                                  .w = w,
                                                  .rstd = rstd[i],
                                                  .n_rows = N,
                                                  .dim = DIM,
                                                  .heads = 1,
                                                  .x_stride = DIM,
                                                  .y_stride = DIM,
                                                  .eps = 1e-6});
        d->ops->rmsnorm_backward(d, &(struct rmsnorm_backward_args){.dx = dx[i],
                                                                    .dw = dw[i],
                                                                    .dy = dy,
                                                                    .x = x,
                                                                    .w = w,
                                                                    .rstd = rstd[i],
                                                                    .n_rows = N,
                                                                    .dim = DIM,
                                                                    .heads = 1,
                                                                    .x_stride = DIM,
                                                                    .y_stride = DIM});
        d->ops->embedding_backward(d, &(struct embedding_backward_args){.dtable = dtable[i],
                                                                        .dx = rows,
                                                                        .tokens = tokens,
                                                                        .n = N,
                                                                        .dim = DIM,
                                                                        .vocab = 20});
        sum[i] = d->ops->sum_squares(d, rows, N * DIM);
    }
    CHECK(same(y[0], y[1], N * DIM, t) && same(dx[0], dx[1], N * DIM, t));
    CHECK(same(dw[0], dw[1], DIM, DTYPE_F32) && sum[0] == sum[1]);
    CHECK(same(dtable[0], dtable[1], 20 * DIM, DTYPE_F32));
    void *all_p[] = {x,     w,       dy,      rows, dx[0], dx[1],     dw[0],
                     dw[1], rstd[0], rstd[1], y[0], y[1],  dtable[0], dtable[1]};
    for (size_t i = 0; i < sizeof all_p / sizeof *all_p; i++)
        dev.ops->free(&dev, all_p[i]);
    dev.ops->free(&dev, tokens);
}

static int64_t between(int64_t low, int64_t high)
{
    return low + (int64_t)rng_below(&ops_rng, (uint64_t)(high - low + 1));
}

static void check_random_shapes(int n)
{
    for (int i = 0; i < n; i++) {
        int64_t kv_heads = between(1, 3), heads = kv_heads * between(1, 4);
        int64_t window = between(0, 1) ? between(1, 120) : 0;
        check_linear(between(1, 300), between(1, 600));
        check_attention((struct shape){heads, kv_heads, 2 * between(1, 40), window});
    }
}

/* Some of the shapes are left out where a product takes a thousand times as long. */
static void check_all(bool slow)
{
    bool all = getenv("LONG") || !slow;
    const char *only = getenv("OPS_OP");
    ops_seed(3);
    check_linear(65, 33);
    check_linear(200, 700);
    check_linear(64, 320); /* aligned, as models are: cuBLASLt's, on a GPU */
    if (only && strcmp(only, "linear") == 0)
        return;
    check_attention((struct shape){1, 1, 64, 0});
    check_attention((struct shape){6, 2, 8, 5});
    check_attention((struct shape){9, 1, 40, 0});
    check_norm_and_embedding();
    if (!all)
        return;
    check_linear(520, 300);
    check_attention((struct shape){4, 2, 32, 0});
    check_attention((struct shape){4, 4, 64, 70});
    check_random_shapes(getenv("LONG") ? 30 : 2);
}

int main(void)
{
    pool_init(2);
    for (int isa = 0; isa < N_ISAS; isa++)
        for (int t = DTYPE_F32; t <= DTYPE_BF16; t++) {
            if (!open_isa(&dev, isa, (enum dtype)t, 2))
                continue;
            (void)open_isa(&solo, isa, (enum dtype)t, 1);
            check_all(isa == CUDA_EMULATED);
            CHECK_MSG(!dev_error(&dev) && !dev_error(&solo), "%s: %s", dev.name, dev_error(&dev));
            dev_close(&dev);
            dev_close(&solo);
        }
    pool_release();
    return check_done();
}
