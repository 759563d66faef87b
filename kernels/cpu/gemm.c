/* gemm.c - matrix products in blocks.
 *
 * A thread takes a block of rows times a block of column panels.  For every block of K it copies its
 * rows of A once (widened to fp32, or as pairs), then runs the tile over each panel.  Partial sums of
 * a block are stored and loaded back as fp32, which is exact: however the work is cut, an element of C is
 * one chain of multiply-adds over ascending k.
 */
#include "kernels/cpu/gemm.h"

#include "kernels/cpu/pairs.h"

#define BLOCK_ROWS 192
#define BLOCK_ROWS_COLS 264 /* TILE_COLS: a row of A's copy is A_STRIDE long */
#define BLOCK_COLUMNS 512
#define WIDE 4 /* panels side by side for a few rows: enough chains to hide latency */

static void pack_a(const struct gemm *g, float *dst, int64_t m0, int64_t rows, int64_t k0,
                   int64_t n_k)
{
    if (TILES && g->parts) {
        amx_pack_a(g, (uint16_t *)(void *)dst, m0, rows, k0, n_k);
        return;
    }
    if (DOTS && g->pairs) {
        pairs_pack_a(g, (uint32_t *)(void *)dst, m0, rows, k0, n_k);
        return;
    }
    if (g->a_order == TILE_ROWS)
        for (int64_t r = 0; r < rows; r++)
            load_floats(dst + r * A_STRIDE, g->a, g->w, (m0 + r) * g->lda + k0, n_k);
    else
        for (int64_t k = 0; k < n_k; k++)
            load_floats(dst + k * A_STRIDE, g->a, g->w, (k0 + k) * g->lda + m0, rows);
}

static void pack_b_rows(const struct gemm *g, float *dst, int64_t n0, int64_t k0, int64_t n_k)
{
    int64_t n = min_i64(NR, g->N - n0);
    for (int64_t k = 0; k < n_k; k++, dst += NR) {
        load_floats(dst, g->b, g->w, (k0 + k) * g->ldb + n0, n);
        for (int64_t i = n; i < NR; i++)
            dst[i] = 0;
    }
}

/* 16 columns of w at a time: the lines read and the lines written both stay in L1. */
#define PACK_TRANSPOSED(name, type)                                                                \
    static void name(type *dst, const type *w, int64_t n, int64_t ldb, int64_t n_k)                \
    {                                                                                              \
        for (int64_t k0 = 0; k0 < n_k; k0 += 16) {                                                 \
            int64_t k1 = min_i64(n_k, k0 + 16);                                                    \
            for (int64_t i = 0; i < n; i++)                                                        \
                for (int64_t k = k0; k < k1; k++)                                                  \
                    dst[k * NR + i] = w[i * ldb + k];                                              \
            for (int64_t i = n; i < NR; i++)                                                       \
                for (int64_t k = k0; k < k1; k++)                                                  \
                    dst[k * NR + i] = 0;                                                           \
        }                                                                                          \
    }
PACK_TRANSPOSED(pack_u32, uint32_t)
PACK_TRANSPOSED(pack_u16, uint16_t)

void gemm_pack_transposed(void *dst, const void *w, enum dtype t, int64_t N, int64_t ldb,
                          int64_t n0, int64_t k0, int64_t n_k)
{
    int64_t n = min_i64(NR, N - n0);
    const void *from = elem(w, t, n0 * ldb + k0);
    if (t == DTYPE_F32)
        pack_u32(dst, from, n, ldb, n_k);
    else
        pack_u16(dst, from, n, ldb, n_k);
}

/* The end of the chain: scale, bias, what C held, and the rounding to C's type. */
static void store_panel(const struct gemm *g, const float *c, int64_t m0, int64_t rows, int64_t n0,
                        int np)
{
    float bias[WIDE * NR], line[WIDE * NR], old[WIDE * NR];
    /* np is at most WIDE, which the compiler has to be told */
    const int64_t width = min_i64(np, WIDE) * NR, n = min_i64(width, g->N - n0);
    if (g->bias)
        load_floats(bias, g->bias, g->w, n0, n);
    for (int64_t r = 0; r < rows; r++, c += width) {
        int64_t at = (m0 + r) * g->N + n0;
        const float *from = c;
        if (g->scales) {
            for (int64_t i = 0; i < n; i++)
                line[i] = c[i] * g->scales[n0 + i];
            from = line;
        }
        if (g->bias) {
            for (int64_t i = 0; i < n; i++)
                line[i] = from[i] + bias[i];
            from = line;
        }
        if (g->accumulate) {
            load_floats(old, g->c, g->c_type, at, n);
            for (int64_t i = 0; i < n; i++)
                line[i] = from[i] + old[i];
            from = line;
        }
        store_row(g->c, g->c_type, at, from, n);
    }
}

/* How many panels to run side by side. */
static int panels_at_once(const struct gemm *g, int64_t rows, int64_t left)
{
    if (g->b_layout != B_PANELS || (TILES && g->parts))
        return 1;
    if (left >= 4 && rows * 8 <= TILE_ACC && rows <= 2)
        return 4;
    if (left >= 2 && rows * 4 <= TILE_ACC && rows <= 4)
        return 2;
    return 1;
}

/* A thread's copies of A and B, as the tile wants them, and its part of C. */
struct buffers {
    float *a, *b, *c;
    int64_t configured; /* amx_panel()'s */
};

/* Floats of a block's A and B. */
static int64_t a_floats(const struct gemm *g)
{
    if (TILES && g->parts)
        return round_up(g->block_rows, 32) * K_BLOCK * g->parts / 2;
    return A_STRIDE * A_STRIDE;
}

static int64_t b_floats(const struct gemm *g)
{
    return TILES && g->parts ? K_BLOCK * NR * g->parts / 2 : K_BLOCK * NR;
}

static struct buffers thread_buffers(const struct gemm *g, int thread)
{
    struct buffers f = {.a = thread_scratch(g->dev, thread)};
    f.b = f.a + a_floats(g);
    f.c = f.b + b_floats(g);
    return f;
}

/* fp32 rows are read where they are; those of pairs, if each of them starts with a pair. */
static bool direct_a(const struct gemm *g)
{
    if (DOTS && g->pairs)
        return g->a_order == TILE_ROWS && g->K % 2 == 0 && g->lda % 2 == 0 && (uintptr_t)g->a % 4 == 0;
    return g->w == DTYPE_F32 && g->a_order == TILE_ROWS && !(TILES && g->parts);
}

/* The chain of multiply-adds ends in C itself, and starts there with accumulate. */
static bool direct_c(const struct gemm *g)
{
    return g->c_type == DTYPE_F32 && !g->bias && !g->scales;
}

/* Elements of k that a block takes: at most K_BLOCK of the tile's, and all blocks about as many: a short
 * one would load and store C for little. */
static int64_t block_k(const struct gemm *g)
{
    int64_t most = DOTS && g->pairs ? 2 * K_BLOCK : K_BLOCK;
    int64_t blocks = max_i64(1, (g->K + most - 1) / most);
    return round_up((g->K + blocks - 1) / blocks, 32); /* 32: a matrix tile's */
}

static struct tile pairs_tile(const struct gemm *g, const struct buffers *f, int64_t panel,
                              int64_t m0, int64_t k0, int64_t n_k)
{
    struct tile t = {.a = f->a, .lda = A_STRIDE, .b = f->b, .ldb = NR, .K = (n_k + 1) / 2, .b_type = B_PAIRS};
    if (direct_a(g)) {
        t.a = elem(g->a, DTYPE_BF16, m0 * g->lda + k0);
        t.lda = g->lda / 2;
    }
    if (g->scales) {
        t.b_type = B_INT8_PAIRS;
        t.ldb = 2 * NR;
        t.panel = int8_rows(g->dev, g->K) * NR;
        t.b = (const int8_t *)g->b + panel * t.panel + k0 * NR;
    } else if (g->b_layout == B_PANELS) {
        t.panel = (g->K + 1) / 2 * NR;
        t.b = (const uint32_t *)g->b + panel * t.panel + k0 / 2 * NR;
    } else {
        pairs_pack_b(g, (uint32_t *)(void *)f->b, panel, k0, n_k);
    }
    return t;
}

static struct tile panel_tile(const struct gemm *g, const struct buffers *f, int64_t panel,
                              int64_t m0, int64_t k0, int64_t n_k)
{
    if (DOTS && g->pairs)
        return pairs_tile(g, f, panel, m0, k0, n_k);
    struct tile t = {
        .a = direct_a(g) ? (const float *)g->a + m0 * g->lda + k0 : f->a,
        .lda = direct_a(g) ? g->lda : A_STRIDE, .b = f->b, .ldb = NR, .K = n_k, .b_type = g->w == DTYPE_BF16 ? B_BF16 : B_F32};
    if (g->scales) {
        t.b = (const int8_t *)g->b + (panel * g->K + k0) * NR;
        t.b_type = B_INT8;
        t.panel = g->K * NR;
    } else if (g->b_layout == B_PANELS) {
        t.b = elem(g->b, g->w, (panel * g->K + k0) * NR);
        t.panel = g->K * NR;
    } else if (g->b_layout == B_TRANSPOSED) {
        gemm_pack_transposed(f->b, g->b, g->w, g->N, g->ldb, panel * NR, k0, n_k);
    } else {
        pack_b_rows(g, f->b, panel * NR, k0, n_k);
        t.b_type = B_F32;
    }
    return t;
}

/* Where a block stands. */
struct place {
    int64_t m0, rows, k0, n_k;
};

/* np panels of C, from zero or (load) from what c holds. */
static void run_panels(const struct gemm *g, struct buffers *f, const struct place *at,
                       int64_t panel, int np, float *c, int64_t ldc, bool load)
{
    if (TILES && g->parts) {
        const uint16_t *b = (const uint16_t *)(const void *)f->b;
        if (g->b_layout == B_PANELS)
            b = (const uint16_t *)g->b + panel * amx_packed_elems(NR, g->K, g->parts) +
                amx_packed_elems(NR, at->k0, g->parts);
        else
            amx_pack_b(g, (uint16_t *)(void *)f->b, panel, at->k0, at->n_k);
        amx_panel((const uint16_t *)(const void *)f->a, b, at->n_k, g->parts, c, ldc, at->rows,
                  load, &f->configured);
        return;
    }
    struct tile t = panel_tile(g, f, panel, at->m0, at->k0, at->n_k);
    t.c = c;
    t.ldc = ldc;
    t.load = load;
    if (t.panel && panel + 2 * np <= (g->N + NR - 1) / NR)
        t.ahead = (const char *)t.b + np * t.panel * b_bytes(t.b_type);
    tile_run(&t, g->a_order, np, 2, at->rows);
}

/* In C itself; the last panel, if it is not whole, through a copy. */
static void run_direct(const struct gemm *g, struct buffers *f, const struct place *at,
                       int64_t panel, int np)
{
    bool load = g->accumulate || at->k0 > 0;
    float *c = (float *)g->c + at->m0 * g->N + panel * NR;
    int64_t n = g->N - panel * NR, width = np * NR;
    if (n >= width) {
        run_panels(g, f, at, panel, np, c, g->N, load);
        return;
    }
    for (int64_t r = 0; r < at->rows; r++)
        for (int64_t i = 0; i < width; i++)
            f->c[r * width + i] = load && i < n ? c[r * g->N + i] : 0;
    run_panels(g, f, at, panel, np, f->c, width, load);
    for (int64_t r = 0; r < at->rows; r++)
        memcpy(c + r * g->N, f->c + r * width, (size_t)n * sizeof(float));
}

static void gemm_block(void *arg, int64_t i, int thread)
{
    const struct gemm *g = arg;
    struct buffers f = thread_buffers(g, thread);
    struct place at = {.m0 = i / g->n_col_blocks * g->block_rows};
    at.rows = min_i64(g->block_rows, g->M - at.m0);
    int64_t first = i % g->n_col_blocks * g->block_panels;
    int64_t last = min_i64((g->N + NR - 1) / NR, first + g->block_panels);
    bool single = g->K <= block_k(g); /* then one panel's C at a time is enough */
    do {
        at.n_k = min_i64(block_k(g), g->K - at.k0);
        if (!direct_a(g))
            pack_a(g, f.a, at.m0, at.rows, at.k0, at.n_k);
        for (int64_t p = first; p < last;) {
            int np = panels_at_once(g, at.rows, last - p);
            if (direct_c(g)) {
                run_direct(g, &f, &at, p, np);
            } else {
                float *c = single ? f.c : f.c + (p - first) * at.rows * NR;
                run_panels(g, &f, &at, p, np, c, np * NR, at.k0 > 0);
                if (at.k0 + at.n_k >= g->K)
                    store_panel(g, c, at.m0, at.rows, p * NR, np);
            }
            p += np;
        }
        at.k0 += at.n_k;
    } while (at.k0 < g->K);
    if (TILES && f.configured)
        amx_done();
}

/* Blocks as large as the caches like, but several per thread and none below a few microseconds. */
static void choose_blocks(struct gemm *g, int64_t threads)
{
    int64_t panels = (g->N + NR - 1) / NR;
    int64_t mb = min_i64(g->M, g->a_order == TILE_COLS ? BLOCK_ROWS_COLS : BLOCK_ROWS);
    int64_t nb = min_i64(panels, BLOCK_COLUMNS / NR);
    for (;;) {
        int64_t n_blocks = (g->M + mb - 1) / mb * ((panels + nb - 1) / nb);
        int64_t cost = nb * NR * g->K * max_i64(1, mb / 8);
        if (threads < 2 || n_blocks >= 4 * threads || cost < 65536)
            break;
        if (nb > WIDE && (nb * NR >= mb || mb <= 2 * MR))
            nb = round_up(nb / 2, WIDE);
        else if (mb > 2 * MR)
            mb = round_up(mb / 2, MR);
        else
            break;
    }
    g->block_rows = mb;
    g->block_panels = nb;
    g->n_col_blocks = (panels + nb - 1) / nb;
}

size_t gemm_scratch(struct dev *dev, struct gemm *g)
{
    g->dev = dev;
    g->parts = g->scales ? 0 : gemm_parts(dev); /* int8 goes through multiply-adds, or pairs */
    g->pairs = dev_pairs(dev);
    choose_blocks(g, dev->n_threads);
    int64_t c = g->block_rows * max_i64(WIDE, g->K <= block_k(g) || direct_c(g) ? 0 : g->block_panels) * NR;
    return (size_t)(a_floats(g) + b_floats(g) + c) * sizeof(float);
}

void gemm_run(struct dev *dev, struct gemm *g)
{
    if (g->M <= 0 || g->N <= 0 || !cpu_scratch(dev, gemm_scratch(dev, g)))
        return;
    cpu_for(dev, (g->M + g->block_rows - 1) / g->block_rows * g->n_col_blocks, gemm_block, g);
}
