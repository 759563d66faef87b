/* config.h - a decoder's shape, from a Hugging Face config.json.
 *
 * One decoder covers Llama (SmolLM2), Qwen2, Qwen3, Olmo2 and Olmo3; each
 * architecture is a setting of these switches (formats.md section 5).  Fields a
 * config.json has and we cannot honour are refused by name.
 */
#ifndef TP_MODEL_CONFIG_H
#define TP_MODEL_CONFIG_H

#include "data/json.h"

enum model_arch { ARCH_LLAMA, ARCH_QWEN2, ARCH_QWEN3, ARCH_OLMO2, ARCH_OLMO3 };
enum qk_norm { QK_NORM_NONE, QK_NORM_HEAD, QK_NORM_FULL };
enum norm_place { NORM_BEFORE, NORM_AFTER }; /* of each sublayer */
enum rope_scaling { ROPE_DEFAULT, ROPE_LINEAR, ROPE_LLAMA3, ROPE_YARN };

enum { MODEL_MAX_LAYERS = 256, MODEL_MAX_EOS = 8 };

struct rope_config {
    enum rope_scaling type;
    double theta, factor, low_freq_factor, high_freq_factor;
    double beta_fast, beta_slow, attention_factor, mscale, mscale_all_dim;
    bool truncate;
    int64_t original_max_pos;
};

struct model_config {
    enum model_arch arch;
    int64_t dim, hidden_dim, n_layers, n_heads, n_kv_heads, head_dim, vocab_size, max_seq_len;
    double rms_norm_eps, initializer_range;
    enum qk_norm qk_norm;
    enum norm_place norm_place;
    bool round_first;              /* RMSNorm rounds before the weight (Llama, Qwen) */
    bool qkv_bias, o_bias, mlp_bias, tied_embeddings;
    int64_t sliding_window;        /* 0 = none anywhere */
    bool sliding[MODEL_MAX_LAYERS]; /* layer i slides */
    struct rope_config rope;       /* sliding layers of Olmo3 use plain theta */
    bool rope_full_only;           /* scaling applies to full-attention layers only */
    int n_eos;
    int32_t eos[MODEL_MAX_EOS], bos, pad; /* -1 = none */
    char dtype[16];                /* "float32", "bfloat16", "float16": what the file says */
};

/* Architecture overrides for our own models: a config.json may also carry "thinkpipe": {"qk_norm":
 * "none|head|full", "norm_place": "before|after", "qkv_bias": b, "o_bias": b}; transformers ignores
 * them, so model-init writes them only when the architecture's own setting differs. */
int model_config_parse(struct model_config *c, const json_t *obj, struct err *err) WARN_UNUSED;
int model_config_load(struct model_config *c, const char *dir, struct err *err) WARN_UNUSED;
/* config.json for a checkpoint we write, loadable by transformers; dtype as config's torch_dtype. */
json_t *model_config_json(const struct model_config *c);
const char *model_arch_name(enum model_arch a); /* "Olmo3ForCausalLM" */

#endif
