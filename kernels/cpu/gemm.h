/* gemm.h - one driver for the three matrix products of a linear layer; private. */
#ifndef TP_KERNELS_CPU_GEMM_H
#define TP_KERNELS_CPU_GEMM_H

#include "kernels/cpu/cpu.h"

enum b_layout {
    B_PANELS,     /* pack_weight()'s: [panel][K][NR] of W or int8 */
    B_ROWS,       /* b[k * ldb + n] */
    B_TRANSPOSED, /* b[n * ldb + k] */
};

/* C[M,N] = A[M,K] B[K,N] + bias, or += with accumulate.  A[m,k] is at a[m * lda + k] with
 * TILE_ROWS, at a[k * lda + m] with TILE_COLS.  A, B and bias have dtype W. */
struct gemm {
    int64_t M, N, K;
    const void *a, *b, *bias;
    const float *scales; /* [N] of columns, B is int8; or NULL */
    int64_t lda, ldb;
    enum tile_order a_order;
    enum b_layout b_layout;
    enum dtype w, c_type;
    void *c; /* [M, N] */
    bool accumulate;
    /* set by gemm_run(): bf16 parts of an operand on matrix tiles, 0 = fused multiply-adds, or dot
     * products of pairs of bf16; and the blocks that threads take */
    int parts;
    bool pairs;
    struct dev *dev;
    int64_t block_rows, block_panels, n_col_blocks;
};

void gemm_run(struct dev *dev, struct gemm *g);
/* Bytes that gemm_run() asks for each thread; decides on the blocks. */
size_t gemm_scratch(struct dev *dev, struct gemm *g);
/* One panel of w[N, ldb]^T: dst[k][NR] = w[n0 + n][k0 + k], zero beyond N. */
void gemm_pack_transposed(void *dst, const void *w, enum dtype t, int64_t N, int64_t ldb,
                          int64_t n0, int64_t k0, int64_t n_k);

/* -- amx.c; where the instruction set has no matrix tiles, gemm_parts() is 0 and none is called -- */
#define AMX_MAX_PARTS 3
int64_t amx_packed_elems(int64_t N, int64_t K, int parts); /* bf16, of all panels */
void amx_pack_a(const struct gemm *g, uint16_t *dst, int64_t m0, int64_t rows, int64_t k0,
                int64_t n_k);
void amx_pack_b(const struct gemm *g, uint16_t *dst, int64_t panel, int64_t k0, int64_t n_k);
/* C[rows, NR] (+)= A B over one block of k, from copies that the two above made; C's rows are ldc
 * floats apart.  *configured is 0 before a thread's first call; amx_done() follows its last. */
void amx_panel(const uint16_t *a, const uint16_t *b, int64_t n_k, int parts, float *c, int64_t ldc,
               int64_t rows, bool load, int64_t *configured);
void amx_done(void);

/* -- pairs.c -- */
void pairs_pack_a(const struct gemm *g, uint32_t *dst, int64_t m0, int64_t rows, int64_t k0,
                  int64_t n_k);
void pairs_pack_b(const struct gemm *g, uint32_t *dst, int64_t panel, int64_t k0, int64_t n_k);

/* How many bf16 parts this device cuts an operand into. */
static inline int gemm_parts(const struct dev *dev)
{
#ifdef TP_AMX
    const struct cpu_state *s = dev->backend;
    return dev->dtype == DTYPE_BF16 ? 1 : s->fp32_parts;
#else
    (void)dev;
    return 0;
#endif
}

#endif
