/* shape.c - changes to a config.json from the command line, and numbers of parameters. */
#include "model/shape.h"

#include <stdlib.h>
#include <string.h>

#include "model/config_internal.h"
#include "model/model.h"

enum { AS_IS = -1 };

struct shape_options shape_options = {.window = AS_IS, .qk_norm = AS_IS, .tied = AS_IS, .dtype = AS_IS};

static const struct opt_enum qk_names[] = {{"none", QK_NORM_NONE}, {"head", QK_NORM_HEAD},
                                           {"full", QK_NORM_FULL}, {NULL, 0}};
static const struct opt_enum yes_names[] = {{"no", 0}, {"yes", 1}, {NULL, 0}};
static const struct opt_enum dtype_names[] = {{"float32", 0}, {"bfloat16", 1}, {NULL, 0}};
#define S shape_options
const struct opt shape_option_table[] = {
    OPT_GROUP("Shape"),
    OPT_STR(0, "like", &S.like, "FAMILY", "llama, smollm2, qwen3, olmo2 or olmo3"),
    OPT_STR(0, "size", &S.size, "N", "parameters without embedding and head, as 30M or 1.5B"),
    OPT_FLAG(0, "with-embeddings", &S.with_embeddings, "--size counts embedding and head, too"),
    OPT_INT(0, "n-layers", &S.layers, "N", "layers", 1, MODEL_MAX_LAYERS),
    OPT_INT(0, "hidden-size", &S.dim, "N", "width of the model", 1, 1 << 20),
    OPT_INT(0, "intermediate-size", &S.hidden_dim, "N", "width of the feed-forward", 1, 1 << 22),
    OPT_INT(0, "n-heads", &S.heads, "N", "query heads", 1, 1 << 12),
    OPT_INT(0, "n-kv-heads", &S.kv_heads, "N", "key and value heads", 1, 1 << 12),
    OPT_INT(0, "head-dim", &S.head_dim, "N", "size of a head", 2, 1 << 12),
    OPT_ENUM(0, "qk-norm", &S.qk_norm, "NORM", "of queries and keys: none, head or full", qk_names),
    OPT_INT(0, "sliding-window", &S.window, "N", "positions that three of four layers see (0: all)", 0, 1 << 28),
    OPT_INT(0, "vocab-size", &S.vocab, "N", "tokens", 1, 1 << 24),
    OPT_INT(0, "max-positions", &S.positions, "N", "longest sequence", 1, 1 << 28),
    OPT_FLOAT(0, "rope-theta", &S.theta, "X", "base of the rotary positions", 1, 1e12),
    OPT_ENUM(0, "tie-embeddings", &S.tied, "yes|no", "whether the head is the embedding", yes_names),
    OPT_ENUM(0, "dtype", &S.dtype, "T", "of the weights: float32 or bfloat16", dtype_names),
    OPT_END,
};

static void put(json_t *config, const char *key, json_t *value)
{
    json_object_set_new(config, key, value);
}

static void put_qk_norm(json_t *config)
{
    json_t *own = json_object_get(config, "thinkpipe");

    if (!json_is_object(own)) {
        own = json_object();
        put(config, "thinkpipe", own);
    }
    put(own, "qk_norm", json_string(qk_names[S.qk_norm].name));
}

/* Three of four layers, the last of four is full, as in Olmo 3. */
static void put_layer_types(json_t *config, bool slide)
{
    json_int_t n = json_integer_value(json_object_get(config, "num_hidden_layers"));
    json_t *types = json_array();

    for (json_int_t i = 0; i < n; i++)
        json_array_append_new(types, json_string(slide && (i + 1) % 4 ? "sliding_attention" : "full_attention"));
    put(config, "layer_types", types);
}

static int put_window(json_t *config, struct err *err)
{
    struct model_config c;
    bool slides = S.window > 0;

    if (model_config_parse(&c, config, err) < 0)
        return -1;
    if (c.arch == ARCH_LLAMA || c.arch == ARCH_OLMO2)
        return slides ? err_set(err, "--sliding-window: %s has no sliding layers (Qwen and Olmo3 have)",
                                model_arch_name(c.arch)) : 0;
    if (c.arch != ARCH_OLMO3)
        put(config, "use_sliding_window", json_boolean(slides));
    if (slides)
        put(config, "sliding_window", json_integer(S.window));
    put_layer_types(config, slides);
    return 0;
}

static void put_theta(json_t *config)
{
    json_t *rope = json_object_get(config, "rope_parameters");

    put(json_is_object(rope) ? rope : config, "rope_theta", json_real(S.theta));
}

int shape_change(json_t *config, struct err *err)
{
    const struct {
        const char *key;
        int64_t value;
    } ints[] = {{"num_hidden_layers", S.layers}, {"hidden_size", S.dim}, {"intermediate_size", S.hidden_dim},
                {"num_attention_heads", S.heads}, {"num_key_value_heads", S.kv_heads},
                {"head_dim", S.head_dim}, {"vocab_size", S.vocab}, {"max_position_embeddings", S.positions}};

    for (size_t i = 0; i < sizeof(ints) / sizeof(ints[0]); i++)
        if (ints[i].value > 0)
            put(config, ints[i].key, json_integer(ints[i].value));
    if (S.layers > 0) /* a list for another number of layers */
        json_object_del(config, "layer_types");
    if (S.theta > 0)
        put_theta(config);
    if (S.tied != AS_IS)
        put(config, "tie_word_embeddings", json_boolean(S.tied));
    if (S.dtype != AS_IS) {
        put(config, "torch_dtype", json_string(dtype_names[S.dtype].name));
        json_object_del(config, "dtype");
    }
    if (S.qk_norm != AS_IS)
        put_qk_norm(config);
    return S.window != AS_IS ? put_window(config, err) : 0;
}

int64_t shape_parameters(const struct model_config *c, bool with_embeddings)
{
    int n_params;
    int64_t n;

    free(model_param_table(c, &n_params, &n));
    return with_embeddings ? n : n - c->vocab_size * c->dim * (c->tied_embeddings ? 1 : 2);
}
