/* gemm.h - one driver for the three matrix products of a linear layer; private. */
#ifndef TP_KERNELS_CPU_GEMM_H
#define TP_KERNELS_CPU_GEMM_H

#include "kernels/cpu/cpu.h"

enum b_layout {
    B_PANELS,     /* pack_weight()'s: [panel][K][NR] */
    B_ROWS,       /* b[k * ldb + n] */
    B_TRANSPOSED, /* b[n * ldb + k] */
};

/* C[M,N] = A[M,K] B[K,N] + bias, or += with accumulate.  A[m,k] is at a[m * lda + k] with
 * TILE_ROWS, at a[k * lda + m] with TILE_COLS.  A, B and bias have dtype W. */
struct gemm {
    int64_t M, N, K;
    const void *a, *b, *bias;
    int64_t lda, ldb;
    enum tile_order a_order;
    enum b_layout b_layout;
    enum dtype w, c_type;
    void *c; /* [M, N] */
    bool accumulate;
    /* set by gemm_run(): the blocks that threads take */
    struct dev *dev;
    int64_t block_rows, block_panels, n_col_blocks;
};

void gemm_run(struct dev *dev, struct gemm *g);
/* One panel of w[N, ldb]^T: dst[k][NR] = w[n0 + n][k0 + k], zero beyond N. */
void gemm_pack_transposed(void *dst, const void *w, enum dtype t, int64_t N, int64_t ldb,
                          int64_t n0, int64_t k0, int64_t n_k);

#endif
