/* blas.h - the state of the products by cuBLASLt; product.h has the call. */
#ifndef TP_KERNELS_CUDA_BLAS_H
#define TP_KERNELS_CUDA_BLAS_H

struct dev;
struct blas;

/* NULL where there is no cuBLASLt. */
struct blas *blas_open(struct dev *dev);
void blas_close(struct dev *dev, struct blas *b);

#endif
