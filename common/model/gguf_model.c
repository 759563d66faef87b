/* gguf_model.c - names, order of rows, and the configuration's way into a GGUF file. */
#include "model/gguf_model.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "model/config_internal.h"

const char *gguf_arch(const struct model_config *c)
{
    return c->arch == ARCH_OLMO3 ? "olmo2" : arch_specs[c->arch].type;
}

/* --- tensors --------------------------------------------------------------------------------- */

static const struct {
    const char *ours, *theirs;
} global_names[] = {
    {"model.embed_tokens", "token_embd"}, {"model.norm", "output_norm"}, {"lm_head", "output"}};

static const struct {
    const char *ours, *before, *after; /* by norm_place */
} layer_names[] = {
    {"input_layernorm", "attn_norm", NULL},
    {"self_attn.q_proj", "attn_q", "attn_q"},
    {"self_attn.k_proj", "attn_k", "attn_k"},
    {"self_attn.v_proj", "attn_v", "attn_v"},
    {"self_attn.o_proj", "attn_output", "attn_output"},
    {"self_attn.q_norm", "attn_q_norm", "attn_q_norm"},
    {"self_attn.k_norm", "attn_k_norm", "attn_k_norm"},
    {"post_attention_layernorm", "ffn_norm", "post_attention_norm"},
    {"mlp.gate_proj", "ffn_gate", "ffn_gate"},
    {"mlp.up_proj", "ffn_up", "ffn_up"},
    {"mlp.down_proj", "ffn_down", "ffn_down"},
    {"post_feedforward_layernorm", NULL, "post_ffw_norm"},
};

static const char *layer_name(const struct model_config *c, const char *part, size_t n)
{
    for (size_t i = 0; i < ARRAY_SIZE(layer_names); i++)
        if (strlen(layer_names[i].ours) == n && !strncmp(layer_names[i].ours, part, n))
            return c->norm_place == NORM_AFTER ? layer_names[i].after : layer_names[i].before;
    BUG("no name in GGUF for '%s'", part);
}

void gguf_tensor_name(const struct model_config *c, const char *param, char out[96])
{
    const char *kind = strrchr(param, '.');
    int layer, used = 0;

    if (sscanf(param, "model.layers.%d.%n", &layer, &used) == 1 && used) {
        const char *part = param + used;
        snprintf(out, 96, "blk.%d.%s%s", layer, layer_name(c, part, (size_t)(kind - part)), kind);
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(global_names); i++)
        if (!strncmp(global_names[i].ours, param, (size_t)(kind - param))) {
            snprintf(out, 96, "%s%s", global_names[i].theirs, kind);
            return;
        }
    BUG("no name in GGUF for '%s'", param);
}

int64_t gguf_head_rows(const struct model_config *c, const char *param)
{
    return c->arch == ARCH_LLAMA && (strstr(param, "self_attn.q_proj") ||
                                     strstr(param, "self_attn.k_proj")) ? c->head_dim : 0;
}

/* The pair (i, i + d/2) of a head lies in rows 2i and 2i + 1. */
int64_t gguf_row_to_hf(int64_t row, int64_t d)
{
    int64_t in_head = row % d;
    return row - in_head + in_head % 2 * (d / 2) + in_head / 2;
}

int64_t gguf_row_from_hf(int64_t row, int64_t d)
{
    int64_t in_head = row % d;
    return row - in_head + in_head % (d / 2) * 2 + in_head / (d / 2);
}

/* --- the configuration ----------------------------------------------------------------------- */

static int check_switches(const struct model_config *c, struct err *err)
{
    const struct arch_spec *spec = &arch_specs[c->arch];
    const bool llama = c->arch == ARCH_LLAMA;

    if (c->qk_norm != spec->qk_norm || c->norm_place != spec->norm_place)
        return err_set(err, "GGUF has no place for 'thinkpipe.qk_norm' and 'thinkpipe.norm_place' that "
                            "differ from %s", spec->name);
    if (!llama && (c->qkv_bias != spec->qkv_bias || c->o_bias))
        return err_set(err, "llama.cpp has no 'attention_bias' for %s but the architecture's own",
                       spec->name);
    if ((c->arch == ARCH_QWEN2 || c->norm_place == NORM_AFTER) && c->n_heads * c->head_dim != c->dim)
        return err_set(err, "llama.cpp needs 'head_dim' to be 'hidden_size' / 'num_attention_heads' in "
                            "%s", spec->name);
    if (c->arch != ARCH_OLMO3 && c->sliding_window)
        return err_set(err, "llama.cpp has no 'sliding_window' for %s", spec->name);
    return 0;
}

int gguf_check_config(const struct model_config *c, struct err *err)
{
    const struct rope_config *r = &c->rope;

    if (check_switches(c, err) < 0)
        return -1;
    if (r->type == ROPE_LLAMA3 && c->arch != ARCH_LLAMA)
        return err_set(err, "llama.cpp has no rope scaling 'llama3' for %s",
                       arch_specs[c->arch].name);
    if (r->type == ROPE_YARN && !r->truncate)
        return err_set(err, "llama.cpp has no rope scaling 'yarn' with 'truncate' false");
    return 0;
}

/* A key of the architecture: "llama.block_count" */
struct arch_key {
    char text[96];
};

static const char *key_of(struct arch_key *k, const struct model_config *c, const char *name)
{
    snprintf(k->text, sizeof(k->text), "%s.%s", gguf_arch(c), name);
    return k->text;
}

static void put_int(struct gguf_writer *w, const struct model_config *c, const char *name, int64_t x)
{
    struct arch_key k;
    gguf_put_u32(w, key_of(&k, c, name), (uint32_t)x);
}

static void put_num(struct gguf_writer *w, const struct model_config *c, const char *name, double x)
{
    struct arch_key k;
    gguf_put_f32(w, key_of(&k, c, name), (float)x);
}

static void put_str(struct gguf_writer *w, const struct model_config *c, const char *name,
                    const char *text)
{
    struct arch_key k;
    gguf_put_str(w, key_of(&k, c, name), text, strlen(text));
}

/* llama.cpp multiplies yarn's own default into attn_factor, so that 1 is the usual case. */
static double yarn_default(double factor)
{
    return factor <= 1 ? 1 : 0.1 * log(factor) + 1;
}

static void put_yarn(struct gguf_writer *w, const struct model_config *c)
{
    float *inv_freq = xcalloc((size_t)c->head_dim / 2, sizeof(*inv_freq));
    double attention;

    rope_frequencies(c, false, inv_freq, &attention);
    free(inv_freq);
    put_int(w, c, "rope.scaling.original_context_length", c->rope.original_max_pos);
    put_num(w, c, "rope.scaling.yarn_beta_fast", c->rope.beta_fast);
    put_num(w, c, "rope.scaling.yarn_beta_slow", c->rope.beta_slow);
    attention /= yarn_default(c->rope.factor);
    if (fabs(attention - 1) > 1e-6)
        put_num(w, c, "rope.scaling.attn_factor", attention);
}

static void put_rope(struct gguf_writer *w, const struct model_config *c)
{
    put_int(w, c, "rope.dimension_count", c->head_dim);
    put_num(w, c, "rope.freq_base", c->rope.theta);
    if (c->rope.type == ROPE_LINEAR || c->rope.type == ROPE_YARN) {
        put_str(w, c, "rope.scaling.type", c->rope.type == ROPE_YARN ? "yarn" : "linear");
        put_num(w, c, "rope.scaling.factor", c->rope.factor);
    }
    if (c->rope.type == ROPE_YARN)
        put_yarn(w, c);
    if (c->rope.type == ROPE_LLAMA3) { /* llama.cpp reads the divisors; we read how they came about */
        gguf_put_array(w, "thinkpipe.rope_llama3", GGUF_F32, 4);
        const double parts[] = {c->rope.factor, c->rope.low_freq_factor, c->rope.high_freq_factor,
                                (double)c->rope.original_max_pos};
        for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
            float x = (float)parts[i];
            uint32_t bits;
            memcpy(&bits, &x, 4);
            gguf_add_u32(w, bits);
        }
    }
}

void gguf_rope_divisors(const struct model_config *c, float *divisors)
{
    const int64_t half = c->head_dim / 2;
    float *plain = xcalloc((size_t)half, sizeof(*plain));
    double ignored;

    rope_frequencies(c, true, plain, &ignored);
    rope_frequencies(c, false, divisors, &ignored);
    for (int64_t i = 0; i < half; i++)
        divisors[i] = plain[i] / divisors[i];
    free(plain);
}

void gguf_put_config(struct gguf_writer *w, const struct model_config *c)
{
    struct arch_key k;

    put_int(w, c, "block_count", c->n_layers);
    put_int(w, c, "context_length", c->max_seq_len);
    put_int(w, c, "embedding_length", c->dim);
    put_int(w, c, "feed_forward_length", c->hidden_dim);
    put_int(w, c, "attention.head_count", c->n_heads);
    put_int(w, c, "attention.head_count_kv", c->n_kv_heads);
    put_int(w, c, "attention.key_length", c->head_dim);
    put_int(w, c, "attention.value_length", c->head_dim);
    put_num(w, c, "attention.layer_norm_rms_epsilon", c->rms_norm_eps);
    put_int(w, c, "vocab_size", c->vocab_size);
    put_rope(w, c);
    if (c->arch != ARCH_OLMO3)
        return;
    put_int(w, c, "attention.sliding_window", c->sliding_window); /* 0 = none */
    gguf_put_array(w, key_of(&k, c, "attention.sliding_window_pattern"), GGUF_BOOL,
                   (uint64_t)c->n_layers);
    for (int64_t i = 0; i < c->n_layers; i++)
        gguf_add_bool(w, c->sliding_window > 0 && c->sliding[i]);
}
