/* pairs.c - copies of the operands of linear layers for products of pairs. */
#include "kernels/cpu/pairs.h"

#include "kernels/cpu/gemm.h"

#ifdef TP_DOT

static const uint16_t *next_row(const uint16_t *row, int64_t ld, int64_t left)
{
    return left > 1 ? row + ld : NULL;
}

void pairs_pack_a(const struct gemm *g, uint32_t *dst, int64_t m0, int64_t rows, int64_t k0,
                  int64_t n_k)
{
    const uint16_t *a = g->a;
    if (g->a_order == TILE_ROWS)
        for (int64_t r = 0; r < rows; r++)
            pairs_along(dst + r * A_STRIDE, a + (m0 + r) * g->lda + k0, n_k);
    else
        for (int64_t k = 0; k < n_k; k += 2, dst += A_STRIDE) {
            const uint16_t *row = a + (k0 + k) * g->lda + m0;
            pairs_down(dst, row, next_row(row, g->lda, n_k - k), rows);
        }
}

/* b[k][n] */
static void pack_rows(const struct gemm *g, uint32_t *dst, int64_t n0, int64_t k0, int64_t n_k)
{
    int64_t n = min_i64(NR, g->N - n0);
    for (int64_t k = 0; k < n_k; k += 2, dst += NR) {
        const uint16_t *row = (const uint16_t *)g->b + (k0 + k) * g->ldb + n0;
        pairs_down(dst, row, next_row(row, g->ldb, n_k - k), n);
        for (int64_t i = n; i < NR; i++)
            dst[i] = 0;
    }
}

/* b[n][k], 16 pairs of every column at a time: the lines read and written stay in L1 */
static void pack_columns(const struct gemm *g, uint32_t *dst, int64_t n0, int64_t k0, int64_t n_k)
{
    int64_t n = min_i64(NR, g->N - n0);
    uint32_t line[16];
    for (int64_t k = 0; k < n_k; k += 32, dst += 16 * NR) {
        int64_t left = min_i64(32, n_k - k), pairs = (left + 1) / 2;
        for (int64_t i = 0; i < n; i++) {
            pairs_along(line, (const uint16_t *)g->b + (n0 + i) * g->ldb + k0 + k, left);
            for (int64_t j = 0; j < pairs; j++)
                dst[j * NR + i] = line[j];
        }
        for (int64_t i = n; i < NR; i++)
            for (int64_t j = 0; j < pairs; j++)
                dst[j * NR + i] = 0;
    }
}

void pairs_pack_b(const struct gemm *g, uint32_t *dst, int64_t panel, int64_t k0, int64_t n_k)
{
    (g->b_layout == B_ROWS ? pack_rows : pack_columns)(g, dst, panel * NR, k0, n_k);
}

#else
typedef int pairs_not_here;
#endif
