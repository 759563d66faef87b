/* gguf_model.h - a decoder's configuration and tensors as llama.cpp names them in a GGUF file.
 *
 * Names, keys and the order of rows: formats.md section 10, llama.cpp's llama-arch.cpp and its
 * convert_hf_to_gguf.py.  Architectures llama, qwen2, qwen3 and olmo2 (Olmo2 and Olmo3).
 */
#ifndef TP_MODEL_GGUF_MODEL_H
#define TP_MODEL_GGUF_MODEL_H

#include "data/gguf.h"
#include "model/model.h"

#define GGUF_ROPE_FREQS "rope_freqs.weight" /* divisors of llama3 scaling, F32 [head_dim / 2] */

/* general.architecture: "olmo2" for Olmo3, too. */
const char *gguf_arch(const struct model_config *c);
/* What the configuration has and llama.cpp would not compute is refused by name. */
int gguf_check_config(const struct model_config *c, struct err *err) WARN_UNUSED;
void gguf_put_config(struct gguf_writer *w, const struct model_config *c);
/* llama3 scaling: how much slower each pair turns. */
void gguf_rope_divisors(const struct model_config *c, float *divisors);
int gguf_read_config(const struct gguf_file *f, struct model_config *c, struct err *err) WARN_UNUSED;

/* "blk.3.attn_q.weight" for "model.layers.3.self_attn.q_proj.weight". */
void gguf_tensor_name(const struct model_config *c, const char *param, char out[96]);
/* The architecture llama turns adjacent pairs of a head, so that rows of q and k (and their biases'
 * elements) are in another order: 0, or the head's size for those. */
int64_t gguf_head_rows(const struct model_config *c, const char *param);
/* Which row of a checkpoint is row i of the file, and the reverse, for heads of d rows. */
int64_t gguf_row_to_hf(int64_t row, int64_t d);
int64_t gguf_row_from_hf(int64_t row, int64_t d);

#endif
