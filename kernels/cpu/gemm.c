/* gemm.c - matrix products in blocks.
 *
 * A thread takes a block of rows times a block of column panels.  For every K_BLOCK it copies its
 * rows of A once (widened to fp32), then runs the tile over each panel.  Partial sums of a K block
 * are stored and loaded back as fp32, which is exact: however the work is cut, an element of C is
 * one chain of multiply-adds over ascending k.
 */
#include "kernels/cpu/gemm.h"

#define BLOCK_ROWS 192
#define BLOCK_ROWS_COLS 264 /* TILE_COLS: a row of A's copy is A_STRIDE long */
#define BLOCK_COLUMNS 512
#define WIDE 4 /* panels side by side for a few rows: enough chains to hide latency */

static void pack_a(const struct gemm *g, float *dst, int64_t m0, int64_t rows, int64_t k0,
                   int64_t n_k)
{
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

/* The end of the chain: bias, then what C held, then the rounding to C's type. */
static void store_panel(const struct gemm *g, const float *c, int64_t m0, int64_t rows, int64_t n0,
                        int64_t width)
{
    float bias[WIDE * NR], line[WIDE * NR], old[WIDE * NR];
    int64_t n = min_i64(width, g->N - n0);
    if (g->bias)
        load_floats(bias, g->bias, g->w, n0, n);
    for (int64_t r = 0; r < rows; r++, c += width) {
        int64_t at = (m0 + r) * g->N + n0;
        const float *from = c;
        if (g->bias) {
            for (int64_t i = 0; i < n; i++)
                line[i] = c[i] + bias[i];
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
    if (g->b_layout != B_PANELS)
        return 1;
    if (left >= 4 && rows * 8 <= TILE_ACC && rows <= 2)
        return 4;
    if (left >= 2 && rows * 4 <= TILE_ACC && rows <= 4)
        return 2;
    return 1;
}

struct buffers {
    float *a, *b, *c;
};

static struct buffers thread_buffers(const struct gemm *g, int thread)
{
    struct buffers f;
    f.a = thread_scratch(g->dev, thread);
    f.b = f.a + A_STRIDE * A_STRIDE;
    f.c = f.b + K_BLOCK * NR;
    return f;
}

static struct tile panel_tile(const struct gemm *g, const struct buffers *f, int64_t panel,
                              int64_t k0, int64_t n_k)
{
    struct tile t = {
        .a = f->a, .b = f->b, .ldb = NR, .K = n_k, .load = k0 > 0, .b_bf16 = g->w == DTYPE_BF16};
    if (g->b_layout == B_PANELS) {
        t.b = elem(g->b, g->w, (panel * g->K + k0) * NR);
        t.panel = g->K * NR;
    } else if (g->b_layout == B_TRANSPOSED) {
        gemm_pack_transposed(f->b, g->b, g->w, g->N, g->ldb, panel * NR, k0, n_k);
    } else {
        pack_b_rows(g, f->b, panel * NR, k0, n_k);
        t.b_bf16 = false;
    }
    return t;
}

static void gemm_block(void *arg, int64_t i, int thread)
{
    const struct gemm *g = arg;
    struct buffers f = thread_buffers(g, thread);
    int64_t m0 = i / g->n_col_blocks * g->block_rows;
    int64_t rows = min_i64(g->block_rows, g->M - m0);
    int64_t first = i % g->n_col_blocks * g->block_panels;
    int64_t last = min_i64((g->N + NR - 1) / NR, first + g->block_panels);
    bool single = g->K <= K_BLOCK; /* then one panel's C at a time is enough */
    int64_t k0 = 0;
    do {
        int64_t n_k = min_i64(K_BLOCK, g->K - k0);
        bool done = k0 + n_k >= g->K;
        pack_a(g, f.a, m0, rows, k0, n_k);
        for (int64_t p = first; p < last;) {
            int np = panels_at_once(g, rows, last - p);
            struct tile t = panel_tile(g, &f, p, k0, n_k);
            t.c = single ? f.c : f.c + (p - first) * rows * NR;
            t.ldc = np * NR;
            tile_run(&t, g->a_order, np, 2, rows);
            if (done)
                store_panel(g, t.c, m0, rows, p * NR, t.ldc);
            p += np;
        }
        k0 += n_k;
    } while (k0 < g->K);
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

void gemm_run(struct dev *dev, struct gemm *g)
{
    if (g->M <= 0 || g->N <= 0)
        return;
    g->dev = dev;
    choose_blocks(g, dev->n_threads);
    int64_t c = g->block_rows * max_i64(WIDE, g->K <= K_BLOCK ? 0 : g->block_panels) * NR;
    if (!cpu_scratch(dev, (size_t)(A_STRIDE * A_STRIDE + K_BLOCK * NR + c) * sizeof(float)))
        return;
    cpu_for(dev, (g->M + g->block_rows - 1) / g->block_rows * g->n_col_blocks, gemm_block, g);
}
