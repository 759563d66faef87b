/* pairs.c - copies of bf16 operands for products of pairs.
 *
 * A pair is 32 bits: element k in the lower half, k + 1 in the upper.  Where K is odd the last upper
 * half is zero.
 */
#include "kernels/cpu/gemm.h"

#ifdef TP_DOT

/* n elements of a row as (n + 1) / 2 pairs */
static void along_row(uint32_t *dst, const uint16_t *src, int64_t n)
{
    if (n % 2)
        dst[n / 2] = src[n - 1];
    memcpy(dst, src, (size_t)(n / 2) * 4);
}

/* n columns of the rows k and k + 1 */
static void down_rows(uint32_t *dst, const uint16_t *low, const uint16_t *high, int64_t n)
{
    if (!high) {
        for (int64_t i = 0; i < n; i++)
            dst[i] = low[i];
        return;
    }
    for (int64_t i = 0; i < n; i++)
        dst[i] = low[i] | (uint32_t)high[i] << 16;
}

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
            along_row(dst + r * A_STRIDE, a + (m0 + r) * g->lda + k0, n_k);
    else
        for (int64_t k = 0; k < n_k; k += 2, dst += A_STRIDE) {
            const uint16_t *row = a + (k0 + k) * g->lda + m0;
            down_rows(dst, row, next_row(row, g->lda, n_k - k), rows);
        }
}

/* b[k][n] */
static void pack_rows(const struct gemm *g, uint32_t *dst, int64_t n0, int64_t k0, int64_t n_k)
{
    int64_t n = min_i64(NR, g->N - n0);
    for (int64_t k = 0; k < n_k; k += 2, dst += NR) {
        const uint16_t *row = (const uint16_t *)g->b + (k0 + k) * g->ldb + n0;
        down_rows(dst, row, next_row(row, g->ldb, n_k - k), n);
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
            along_row(line, (const uint16_t *)g->b + (n0 + i) * g->ldb + k0 + k, left);
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
