/* product.h - C[M, N] = sum over k of A(m, k) B(n, k): what linear.cu asks of its own kernel and of cuBLASLt.
 *
 * The order of an operand in memory: k along a row (weights and activations of a forward), or k down the columns.
 */
#ifndef TP_KERNELS_CUDA_PRODUCT_H
#define TP_KERNELS_CUDA_PRODUCT_H

#include "kernels/cuda/backend.h"

struct operand {
    const void *p;
    int64_t ld;  /* elements from one row in memory to the next */
    int64_t n;   /* of its m or n */
    int whole;   /* may be read 16 bytes at a time */
};

struct product {
    struct operand a, b;
    void *c;
    const void *bias; /* [N] W or NULL */
    const void *packed; /* fp32: B as bytes with scales (int8.h), or NULL */
    int64_t M, N, K;
    int accumulate;
    int whole; /* four elements of a row of C may be stored at a time */
};

struct order {
    bool a_down, b_down, out_acc; /* out_acc: C is float, else bf16 */
};

/* A bf16 product by cuBLASLt; false if it must be done by our own kernel: there is no such library, the operands are not
 * aligned, or no algorithms were found that give a row the same bits in every number of rows. */
bool cuda_blas(struct dev *dev, const struct product *g, struct order order);

#endif
