/* ref_ops.h - the reference table's functions; private to this folder. */
#ifndef TP_KERNELS_REF_REF_OPS_H
#define TP_KERNELS_REF_REF_OPS_H

#include "kernels/ref/ref.h"

size_t ref_packed_bytes(struct dev *dev, int64_t N, int64_t K, enum packing how);
void ref_pack_weight(struct dev *dev, void *packed, const void *w, int64_t N, int64_t K,
                     enum packing how);
void ref_linear(struct dev *dev, const struct linear_args *a);
void ref_linear_backward_input(struct dev *dev, const struct linear_backward_input_args *a);
void ref_linear_backward_weight(struct dev *dev, const struct linear_backward_weight_args *a);
void ref_embedding(struct dev *dev, const struct embedding_args *a);
void ref_embedding_backward(struct dev *dev, const struct embedding_backward_args *a);
void ref_rmsnorm(struct dev *dev, const struct rmsnorm_args *a);
void ref_rmsnorm_backward(struct dev *dev, const struct rmsnorm_backward_args *a);
void ref_rope(struct dev *dev, const struct rope_args *a);
void ref_swiglu(struct dev *dev, const struct swiglu_args *a);
void ref_swiglu_backward(struct dev *dev, const struct swiglu_backward_args *a);
void ref_add(struct dev *dev, void *acc, const void *x, int64_t n);
void ref_attention(struct dev *dev, const struct attention_args *a);
void ref_attention_backward(struct dev *dev, const struct attention_backward_args *a);
size_t ref_kv_cache_bytes(struct dev *dev, const struct kv_shape *shape);
void ref_kv_append(struct dev *dev, const struct kv_append_args *a);
void ref_kv_copy(struct dev *dev, const struct kv_copy_args *a);
void ref_attention_cached(struct dev *dev, const struct attention_cached_args *a);
void ref_logprob(struct dev *dev, const struct logprob_args *a);
void ref_logprob_backward(struct dev *dev, const struct logprob_backward_args *a);
void ref_truncate(struct dev *dev, const struct truncate_args *a);
void ref_draw(struct dev *dev, const struct draw_args *a);
void ref_adamw(struct dev *dev, const struct adamw_args *a);
double ref_sum_squares(struct dev *dev, const void *x, int64_t n);

#endif
