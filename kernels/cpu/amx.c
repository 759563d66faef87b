/* amx.c - matrix products on the tiles of AMX.
 *
 * An operand is bf16, or fp32 cut into bf16 parts that add up to it: x = x0 + x1 (+ x2), each the
 * rounding of what the earlier ones leave.  A product of parts (i, j) matters while i + j is below
 * the number of parts: 3 products for 2 parts (relative error 4e-6), 6 for 3 (1e-7, better than a
 * chain of fp32 multiply-adds).  A step is 32 elements of k, its products smallest first; an
 * element of C is one chain over ascending steps whatever the rows, blocks and threads.
 *
 * Copies, in bf16, [..][32][32] blocks of 2 KiB, k padded with zeros to whole steps:
 *   A  [32 rows][step][part]    row-major: [row][k]
 *   B  [panel][step][part]      two tiles of 16 columns: [k / 2][column][k % 2]
 */
#include "kernels/cpu/gemm.h"

#ifdef TP_AMX
#include "kernels/cpu/amx.h"

#define BLOCK (2 * AMX_TILE) /* bf16 of a 32 x 32 block */

/* n <= 32 elements from i on, padded with zeros, as parts: dst[part][32]. */
static void split(uint16_t (*dst)[AMX_K], const void *src, enum dtype t, int64_t i, int64_t n,
                  int parts)
{
    if (t == DTYPE_BF16) {
        memset(dst[0], 0, sizeof dst[0]);
        memcpy(dst[0], (const uint16_t *)src + i, (size_t)n * 2);
        return;
    }
    float x[AMX_K] = {0};
    memcpy(x, (const float *)src + i, (size_t)n * 4);
    for (int p = 0; p < parts; p++)
        for (int k = 0; k < AMX_K; k += VW) {
            vstore_bf16(dst[p] + k, vload(x + k));
            vstore(x + k, vload(x + k) - vload_bf16(dst[p] + k));
        }
}

/* Where element (line, along) of a block goes. */
enum placing { PLACE_ROWS, PLACE_COLUMNS, PLACE_PAIRS, PLACE_PAIR_ROWS };

static inline int64_t place(enum placing how, int64_t line, int64_t along)
{
    switch (how) {
    case PLACE_ROWS: /* A, from rows */
        return line * AMX_K + along;
    case PLACE_COLUMNS: /* A, from columns: the line is k */
        return along * AMX_K + line;
    case PLACE_PAIRS: /* B, from weights [n][k]: the line is a column */
        return line / 16 * AMX_TILE + along / 2 * 32 + line % 16 * 2 + along % 2;
    default: /* B, from [k][n]: the line is k */
        return along / 16 * AMX_TILE + line / 2 * 32 + along % 16 * 2 + line % 2;
    }
}

/* One 32 x 32 block of src: lines i0.. (n_lines of them) at stride, elements j0.. (n of them). */
static inline __attribute__((always_inline)) void
pack_block(uint16_t *dst, const struct gemm *g, const void *src, int64_t stride, int64_t i0,
           int64_t n_lines, int64_t j0, int64_t n, enum placing how)
{
    uint16_t part[3][AMX_K];
    memset(part, 0, sizeof part);
    for (int64_t i = 0; i < AMX_K; i++) {
        split(part, src, g->w, i < n_lines ? (i0 + i) * stride + j0 : 0, i < n_lines ? n : 0,
              g->parts);
        for (int p = 0; p < g->parts; p++)
            for (int64_t k = 0; k < AMX_K; k++)
                dst[p * BLOCK + place(how, i, k)] = part[p][k];
    }
}

static int64_t steps_of(int64_t n_k)
{
    return (n_k + AMX_K - 1) / AMX_K;
}

int64_t amx_packed_elems(int64_t N, int64_t K, int parts)
{
    return (N + NR - 1) / NR * steps_of(K) * parts * BLOCK;
}

void amx_pack_a(const struct gemm *g, uint16_t *dst, int64_t m0, int64_t rows, int64_t k0,
                int64_t n_k)
{
    for (int64_t m = 0; m < rows; m += 32)
        for (int64_t k = 0; k < n_k; k += AMX_K, dst += g->parts * BLOCK) {
            int64_t n_m = min_i64(32, rows - m), n = min_i64(AMX_K, n_k - k);
            if (g->a_order == TILE_ROWS)
                pack_block(dst, g, g->a, g->lda, m0 + m, n_m, k0 + k, n, PLACE_ROWS);
            else
                pack_block(dst, g, g->a, g->lda, k0 + k, n, m0 + m, n_m, PLACE_COLUMNS);
        }
}

void amx_pack_b(const struct gemm *g, uint16_t *dst, int64_t panel, int64_t k0, int64_t n_k)
{
    int64_t n0 = panel * NR, n_n = min_i64(NR, g->N - n0);
    for (int64_t k = 0; k < n_k; k += AMX_K, dst += g->parts * BLOCK) {
        int64_t n = min_i64(AMX_K, n_k - k);
        if (g->b_layout == B_ROWS)
            pack_block(dst, g, g->b, g->ldb, k0 + k, n, n0, n_n, PLACE_PAIR_ROWS);
        else
            pack_block(dst, g, g->b, g->ldb, n0, n_n, k0 + k, n, PLACE_PAIRS);
    }
}

/* Pairs (part of A, part of B), smallest products first. */
static const int pairs_1[][2] = {{0, 0}};
static const int pairs_2[][2] = {{1, 0}, {0, 1}, {0, 0}};
static const int pairs_3[][2] = {{2, 0}, {1, 1}, {0, 2}, {1, 0}, {0, 1}, {0, 0}};

#define PREFETCH 4096 /* bytes ahead in B, where few rows leave the product waiting for it */

static inline __attribute__((always_inline)) void
multiply(const uint16_t *a, const uint16_t *b, int64_t steps, int parts, const int (*pairs)[2],
         int n_pairs, bool two)
{
    for (int64_t s = 0; s < steps; s++, a += parts * BLOCK, b += parts * BLOCK) {
        if (!two)
            for (int64_t i = 0; i < parts * BLOCK; i += 32)
                __builtin_prefetch((const char *)(b + i) + PREFETCH);
        for (int p = 0; p < n_pairs; p++) {
            const uint16_t *x = a + pairs[p][0] * BLOCK, *y = b + pairs[p][1] * BLOCK;
            amx_load(4, x, 64);
            amx_load(6, y, 64);
            amx_multiply(0, 4, 6);
            amx_load(7, y + AMX_TILE, 64);
            amx_multiply(1, 4, 7);
            if (!two)
                continue;
            amx_load(5, x + AMX_TILE, 64);
            amx_multiply(2, 5, 6);
            amx_multiply(3, 5, 7);
        }
    }
}

static void multiply_parts(const uint16_t *a, const uint16_t *b, int64_t steps, int parts, bool two)
{
    if (parts == 1)
        multiply(a, b, steps, 1, pairs_1, 1, two);
    else if (parts == 2)
        multiply(a, b, steps, 2, pairs_2, 3, two);
    else
        multiply(a, b, steps, 3, pairs_3, 6, two);
}

static void configure(int64_t rows)
{
    struct amx_config c = {.palette = 1};
    int first = (int)min_i64(rows, AMX_ROWS), second = (int)max_i64(1, rows - AMX_ROWS);
    for (int t = 0; t < 8; t++) {
        c.row_bytes[t] = 64;
        c.rows[t] = AMX_ROWS;
    }
    c.rows[0] = c.rows[1] = c.rows[4] = (uint8_t)first;
    c.rows[2] = c.rows[3] = c.rows[5] = (uint8_t)second;
    amx_configure(&c);
}

void amx_panel(const uint16_t *a, const uint16_t *b, int64_t n_k, int parts, float *c, int64_t ldc,
               int64_t rows, bool load, int64_t *configured)
{
    int64_t steps = steps_of(n_k);
    for (int64_t m = 0; m < rows; m += 32, a += steps * parts * BLOCK, c += 32 * ldc) {
        int64_t n = min_i64(32, rows - m);
        bool two = n > AMX_ROWS;
        if (n != *configured)
            configure(*configured = n);
        if (load) {
            amx_load(0, c, ldc * 4);
            amx_load(1, c + 16, ldc * 4);
        } else {
            amx_zero(0);
            amx_zero(1);
        }
        if (two && load) {
            amx_load(2, c + AMX_ROWS * ldc, ldc * 4);
            amx_load(3, c + AMX_ROWS * ldc + 16, ldc * 4);
        } else if (two) {
            amx_zero(2);
            amx_zero(3);
        }
        multiply_parts(a, b, steps, parts, two);
        amx_store(0, c, ldc * 4);
        amx_store(1, c + 16, ldc * 4);
        if (two) {
            amx_store(2, c + AMX_ROWS * ldc, ldc * 4);
            amx_store(3, c + AMX_ROWS * ldc + 16, ldc * 4);
        }
    }
}

void amx_done(void)
{
    amx_leave();
}

#else
typedef int amx_not_here;
#endif
