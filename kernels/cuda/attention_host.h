/* attention_host.h - what the launchers of attention share: the work as arrays on the device. */
#ifndef TP_KERNELS_CUDA_ATTENTION_HOST_H
#define TP_KERNELS_CUDA_ATTENTION_HOST_H

#include "kernels/cuda/attention.h"
#include "kernels/cuda/backend.h"

/* False, with the error kept, if the backend has no kernel for heads of this size. */
bool attention_fits(struct dev *dev, int64_t head_dim);
/* Whether the tensor cores have a kernel for them. */
bool attention_by_tiles(const struct dev *dev, int64_t head_dim);
/* Whether all rows may be read 16 bytes at a time. */
int attention_whole(int64_t head_dim, int64_t q_stride, int64_t kv_stride, const void *q, const void *k,
                    const void *v);
/* Tiles of KEYS rows of every sequence, the longest walks first; NULL after an error. */
const struct tile_task *attention_tasks(struct dev *dev, const int32_t *seq_start, int64_t n_seqs, int64_t *n_tasks);
/* For each row where its sequence starts, [n], then where it ends, [n]; NULL after an error. */
const int32_t *attention_bounds(struct dev *dev, const int32_t *seq_start, int64_t n_seqs);

#endif
