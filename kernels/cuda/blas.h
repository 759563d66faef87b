/* blas.h - the state of the products by cuBLASLt; product.h has the call. */
#ifndef TP_KERNELS_CUDA_BLAS_H
#define TP_KERNELS_CUDA_BLAS_H

#include <stddef.h>

struct dev;
struct blas;
struct scratch_use;

/* NULL where there is no cuBLASLt. */
struct blas *blas_open(struct dev *dev);
void blas_close(struct dev *dev, struct blas *b);
/* Most memory for the search for exact algorithms of the products of such calls: of one shape after the other. */
size_t blas_search_bytes(const struct scratch_use *use);

#endif
