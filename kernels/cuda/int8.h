/* int8.h - weights as bytes: w[n][k] ~ (byte - 128) * scale[n], scale[n] = max|row n| / 127.
 *
 * Scales come first, one float a row, N rounded up to INT8_ROWS.  Then tiles of INT8_ROWS rows and INT8_DEPTH of k, all k of the
 * first rows, then of the next.  In a tile lane l of a warp finds 16 bytes of row l / 4 at 16 l, of k from l % 4 * 8 on and from
 * 32 + l % 4 * 8 on, eight each, and those of row l / 4 + 8 half a tile behind: a warp reads 512 bytes in one go, and they are
 * its operands of four mma (int8.cu); of x, in the same order of k, four lanes read 64 bytes.  Bytes of rows and k that are not
 * there are 128.
 */
#ifndef TP_KERNELS_CUDA_INT8_H
#define TP_KERNELS_CUDA_INT8_H

#include "kernels/cuda/product.h"

enum { INT8_ROWS = 16, INT8_DEPTH = 64, INT8_TILE = INT8_ROWS * INT8_DEPTH, INT8_ZERO = 128 };

static __host__ __device__ __forceinline__ int64_t int8_tiles(int64_t n, int64_t per_tile)
{
    return (n + per_tile - 1) / per_tile;
}

/* Where the tiles begin: behind the scales. */
static __host__ __device__ __forceinline__ const uint8_t *int8_bytes(const void *packed, int64_t N)
{
    return (const uint8_t *)packed + int8_tiles(N, INT8_ROWS) * INT8_ROWS * (int64_t)sizeof(float);
}

/* Of row n, k. */
static __host__ __device__ __forceinline__ int64_t int8_at(int64_t n, int64_t k, int64_t K)
{
    int64_t tile = n / INT8_ROWS * int8_tiles(K, INT8_DEPTH) + k / INT8_DEPTH;
    int64_t lane = n % 8 * 4 + k % 32 / 8;
    return tile * INT8_TILE + n % INT8_ROWS / 8 * (INT8_TILE / 2) + lane * 16 + k % INT8_DEPTH / 32 * 8 + k % 8;
}

size_t cuda_packed_bytes(struct dev *dev, int64_t N, int64_t K, enum packing how);
void cuda_pack_weight(struct dev *dev, void *packed, const void *w, int64_t N, int64_t K, enum packing how);
/* y = x w' as linear_args say, of bf16 x. */
void cuda_int8_linear(struct dev *dev, const struct linear_args *a);

#endif
