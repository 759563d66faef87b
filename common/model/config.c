/* config.c - config.json to struct model_config. */
#include "model/config.h"

#include <string.h>

#include "model/config_internal.h"

/* What an architecture fixes, before its config.json is read (formats.md section 5). */
const struct arch_spec arch_specs[] = {
    [ARCH_LLAMA] = {"LlamaForCausalLM", "llama", QK_NORM_NONE, NORM_BEFORE, true, false, 1e-6, 1e4},
    [ARCH_QWEN2] = {"Qwen2ForCausalLM", "qwen2", QK_NORM_NONE, NORM_BEFORE, true, true, 1e-6, 1e4},
    [ARCH_QWEN3] = {"Qwen3ForCausalLM", "qwen3", QK_NORM_HEAD, NORM_BEFORE, true, false, 1e-6, 1e4},
    [ARCH_OLMO2] = {"Olmo2ForCausalLM", "olmo2", QK_NORM_FULL, NORM_AFTER, false, false, 1e-5, 1e4},
    [ARCH_OLMO3] = {"Olmo3ForCausalLM", "olmo3", QK_NORM_FULL, NORM_AFTER, false, false, 1e-5, 5e5},
};
enum { N_ARCHS = sizeof(arch_specs) / sizeof(arch_specs[0]) };

const char *model_arch_name(enum model_arch a)
{
    return arch_specs[a].name;
}

/* The integers every decoder needs.  The upper bounds keep every product of two of them inside
 * int64_t, so that no later code has to check. */
static const struct {
    const char *key;
    size_t offset;
    int64_t max;
    bool required;
} int_keys[] = {
    {"hidden_size", offsetof(struct model_config, dim), 1 << 20, true},
    {"intermediate_size", offsetof(struct model_config, hidden_dim), 1 << 22, true},
    {"num_hidden_layers", offsetof(struct model_config, n_layers), MODEL_MAX_LAYERS, true},
    {"num_attention_heads", offsetof(struct model_config, n_heads), 1 << 12, true},
    {"num_key_value_heads", offsetof(struct model_config, n_kv_heads), 1 << 12, false},
    {"head_dim", offsetof(struct model_config, head_dim), 1 << 12, false},
    {"vocab_size", offsetof(struct model_config, vocab_size), 1 << 24, true},
    {"max_position_embeddings", offsetof(struct model_config, max_seq_len), 1 << 28, true},
};

static int64_t *int_field(struct model_config *c, size_t offset)
{
    return (int64_t *)(void *)((char *)c + offset);
}

static int read_dims(struct model_config *c, const json_t *obj, struct err *err)
{
    for (size_t i = 0; i < sizeof(int_keys) / sizeof(int_keys[0]); i++) {
        int64_t *x = int_field(c, int_keys[i].offset);
        int rc = int_keys[i].required ? json_get_int(obj, int_keys[i].key, x, err)
                                      : json_opt_int(obj, int_keys[i].key, x, err);
        if (rc < 0)
            return -1;
        if (*x == 0 && !int_keys[i].required)
            continue;
        if (*x < 1 || *x > int_keys[i].max)
            return err_set(err, "'%s' is %lld, expected 1 to %lld", int_keys[i].key, (long long)*x,
                           (long long)int_keys[i].max);
    }
    if (!c->n_kv_heads)
        c->n_kv_heads = c->n_heads;
    if (!c->head_dim)
        c->head_dim = c->arch == ARCH_QWEN3 ? 128 : c->dim / c->n_heads;
    if (c->n_heads % c->n_kv_heads)
        return err_set(err, "'num_attention_heads' %lld is no multiple of 'num_key_value_heads' %lld",
                       (long long)c->n_heads, (long long)c->n_kv_heads);
    if (c->head_dim < 2 || c->head_dim % 2)
        return err_set(err, "head size %lld is odd or zero; rotary positions need pairs",
                       (long long)c->head_dim);
    return 0;
}

static int read_arch(struct model_config *c, const json_t *obj, struct err *err)
{
    const json_t *list = json_object_get(obj, "architectures");
    const char *name = NULL, *type = NULL;

    if (json_is_array(list) && json_array_size(list) == 1)
        name = json_string_value(json_array_get(list, 0));
    if (!name && list && !json_is_null(list))
        return err_set(err, "'architectures' must be a list of one name");
    if (json_opt_str(obj, "model_type", &type, err) < 0)
        return -1;
    for (int i = 0; i < N_ARCHS; i++) {
        if (name ? !strcmp(name, arch_specs[i].name) : type && !strcmp(type, arch_specs[i].type)) {
            c->arch = (enum model_arch)i;
            return 0;
        }
    }
    if (!name && !type)
        return err_set(err, "'architectures' is missing");
    return err_set(err, "architecture '%s' is not supported (Llama, Qwen2, Qwen3, Olmo2, Olmo3 are)",
                   name ? name : type);
}

/* Settings that change the function the model computes and that we do not have. */
static int refuse_unsupported(const json_t *obj, struct err *err)
{
    const char *act = "silu";
    double partial = 1, tp = 1, dropout = 0;
    static const char *const must_be_null[] = {"quantization_config", "clip_qkv", "logit_scale",
                                               "final_logit_softcapping"};

    for (size_t i = 0; i < sizeof(must_be_null) / sizeof(must_be_null[0]); i++) {
        const json_t *v = json_object_get(obj, must_be_null[i]);
        if (v && !json_is_null(v))
            return err_set(err, "'%s' is not supported", must_be_null[i]);
    }
    if (json_opt_str(obj, "hidden_act", &act, err) < 0 ||
        json_opt_num(obj, "pretraining_tp", &tp, err) < 0 ||
        json_opt_num(obj, "partial_rotary_factor", &partial, err) < 0 ||
        json_opt_num(obj, "attention_dropout", &dropout, err) < 0)
        return -1;
    if (strcmp(act, "silu") != 0)
        return err_set(err, "'hidden_act' is '%s', only 'silu' is supported", act);
    if (tp != 1)
        return err_set(err, "'pretraining_tp' is %g, only 1 is supported", tp);
    if (partial != 1)
        return err_set(err, "'partial_rotary_factor' is %g, only 1 is supported", partial);
    if (dropout != 0)
        return err_set(err, "'attention_dropout' is %g, only 0 is supported", dropout);
    return 0;
}

static int read_layer_types(struct model_config *c, const json_t *list, struct err *err)
{
    if (!json_is_array(list) || (int64_t)json_array_size(list) != c->n_layers)
        return err_set(err, "'layer_types' must be a list with one entry for each of %lld layers",
                       (long long)c->n_layers);
    for (int64_t i = 0; i < c->n_layers; i++) {
        const char *t = json_string_value(json_array_get(list, (size_t)i));
        if (!t || (strcmp(t, "full_attention") != 0 && strcmp(t, "sliding_attention") != 0))
            return err_set(err, "'layer_types'[%lld] is '%s', expected full_attention or "
                                "sliding_attention", (long long)i, t ? t : "no string");
        c->sliding[i] = t[0] == 's';
    }
    return 0;
}

/* Which layers slide: Olmo3 by layer_types (three of four when absent); Qwen2/3 from
 * max_window_layers on, and only if use_sliding_window; Llama and Olmo2 never. */
static int read_windows(struct model_config *c, const json_t *obj, struct err *err)
{
    const json_t *types = json_object_get(obj, "layer_types");
    bool use = c->arch == ARCH_OLMO3;
    int64_t first = 28;

    c->sliding_window = 4096;
    if (json_opt_int(obj, "sliding_window", &c->sliding_window, err) < 0 ||
        json_opt_int(obj, "max_window_layers", &first, err) < 0)
        return -1;
    if ((c->arch == ARCH_QWEN2 || c->arch == ARCH_QWEN3) &&
        json_opt_bool(obj, "use_sliding_window", &use, err) < 0)
        return -1;
    if (use && c->sliding_window < 1)
        return err_set(err, "'sliding_window' is %lld, expected at least 1",
                       (long long)c->sliding_window);
    if (!use) {
        c->sliding_window = 0;
        return 0;
    }
    if (types && !json_is_null(types))
        return read_layer_types(c, types, err);
    for (int64_t i = 0; i < c->n_layers; i++)
        c->sliding[i] = c->arch == ARCH_OLMO3 ? (i + 1) % 4 != 0 : i >= first;
    return 0;
}

static int read_eos(struct model_config *c, const json_t *obj, struct err *err)
{
    const json_t *eos = json_object_get(obj, "eos_token_id");
    size_t n = json_is_array(eos) ? json_array_size(eos) : eos && !json_is_null(eos);

    if (n > MODEL_MAX_EOS)
        return err_set(err, "'eos_token_id' has %zu entries, at most %d are supported", n,
                       MODEL_MAX_EOS);
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_is_array(eos) ? json_array_get(eos, i) : eos;
        if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > INT32_MAX)
            return err_set(err, "'eos_token_id' must be a token id or a list of them");
        c->eos[c->n_eos++] = (int32_t)json_integer_value(v);
    }
    return 0;
}

static int read_token_id(const json_t *obj, const char *key, int32_t *id, struct err *err)
{
    int64_t x = -1;

    if (json_opt_int(obj, key, &x, err) < 0)
        return -1;
    if (x < -1 || x > INT32_MAX)
        return err_set(err, "'%s' is %lld, no token id", key, (long long)x);
    *id = (int32_t)x;
    return 0;
}

static int read_switches(struct model_config *c, const json_t *obj, struct err *err)
{
    const struct arch_spec *spec = &arch_specs[c->arch];
    bool attention_bias = false;

    c->qk_norm = spec->qk_norm;
    c->norm_place = spec->norm_place;
    c->round_first = spec->round_first;
    c->rope_full_only = c->arch == ARCH_OLMO3;
    c->rms_norm_eps = spec->eps;
    c->initializer_range = 0.02;
    if (json_opt_num(obj, "rms_norm_eps", &c->rms_norm_eps, err) < 0 ||
        json_opt_num(obj, "initializer_range", &c->initializer_range, err) < 0 ||
        json_opt_bool(obj, "tie_word_embeddings", &c->tied_embeddings, err) < 0)
        return -1;
    if (!(c->rms_norm_eps > 0) || !(c->initializer_range >= 0))
        return err_set(err, "'rms_norm_eps' and 'initializer_range' must be positive");
    if (!spec->qkv_bias && json_opt_bool(obj, "attention_bias", &attention_bias, err) < 0)
        return -1;
    c->qkv_bias = spec->qkv_bias || attention_bias;
    c->o_bias = attention_bias;
    if (c->arch == ARCH_LLAMA && json_opt_bool(obj, "mlp_bias", &c->mlp_bias, err) < 0)
        return -1;
    return 0;
}

static int read_overrides(struct model_config *c, const json_t *obj, struct err *err)
{
    const json_t *own = json_object_get(obj, "thinkpipe");
    const char *qk = NULL, *place = NULL;

    if (!own)
        return 0;
    if (!json_is_object(own))
        return err_set(err, "'thinkpipe' is %s, expected an object", json_type_name(own));
    if (json_opt_str(own, "qk_norm", &qk, err) < 0 ||
        json_opt_str(own, "norm_place", &place, err) < 0 ||
        json_opt_bool(own, "qkv_bias", &c->qkv_bias, err) < 0 ||
        json_opt_bool(own, "o_bias", &c->o_bias, err) < 0)
        return -1;
    if (qk) {
        if (strcmp(qk, "none") && strcmp(qk, "head") && strcmp(qk, "full"))
            return err_set(err, "'thinkpipe.qk_norm' is '%s', expected none, head or full", qk);
        c->qk_norm = qk[0] == 'n' ? QK_NORM_NONE : qk[0] == 'h' ? QK_NORM_HEAD : QK_NORM_FULL;
    }
    if (place) {
        if (strcmp(place, "before") && strcmp(place, "after"))
            return err_set(err, "'thinkpipe.norm_place' is '%s', expected before or after", place);
        c->norm_place = place[0] == 'b' ? NORM_BEFORE : NORM_AFTER;
    }
    return 0;
}

static int read_dtype(struct model_config *c, const json_t *obj, struct err *err)
{
    const char *t = "float32";

    if (json_opt_str(obj, "dtype", &t, err) < 0 || json_opt_str(obj, "torch_dtype", &t, err) < 0)
        return -1;
    if (strcmp(t, "float32") && strcmp(t, "bfloat16") && strcmp(t, "float16"))
        return err_set(err, "dtype '%s' is not supported (float32, bfloat16, float16 are)", t);
    snprintf(c->dtype, sizeof(c->dtype), "%s", t);
    return 0;
}

int model_config_parse(struct model_config *c, const json_t *obj, struct err *err)
{
    memset(c, 0, sizeof(*c));
    if (!json_is_object(obj))
        return err_set(err, "the configuration is %s, expected an object", json_type_name(obj));
    if (read_arch(c, obj, err) < 0 || refuse_unsupported(obj, err) < 0 ||
        read_dims(c, obj, err) < 0 || read_switches(c, obj, err) < 0 ||
        read_windows(c, obj, err) < 0 || rope_config_parse(c, obj, err) < 0 ||
        read_eos(c, obj, err) < 0 || read_token_id(obj, "bos_token_id", &c->bos, err) < 0 ||
        read_token_id(obj, "pad_token_id", &c->pad, err) < 0 || read_dtype(c, obj, err) < 0)
        return -1;
    return read_overrides(c, obj, err);
}

int model_config_load(struct model_config *c, const char *dir, struct err *err)
{
    char *path = path_join(dir, "config.json");
    json_t *obj = json_load_path(path, err);
    int rc = -1;

    if (obj) {
        rc = model_config_parse(c, obj, err);
        if (rc < 0)
            err_prefix(err, "%s", path);
    }
    json_decref(obj);
    free(path);
    return rc;
}

/* ---- writing ---- */

static void put(json_t *obj, const char *key, json_t *value)
{
    json_object_set_new(obj, key, value);
}

static json_t *token_or_null(int32_t id)
{
    return id < 0 ? json_null() : json_integer(id);
}

json_t *model_config_eos_json(const struct model_config *c)
{
    json_t *list;

    if (c->n_eos < 2)
        return c->n_eos ? json_integer(c->eos[0]) : json_null();
    list = json_array();
    for (int i = 0; i < c->n_eos; i++)
        json_array_append_new(list, json_integer(c->eos[i]));
    return list;
}

static void put_windows(json_t *obj, const struct model_config *c)
{
    json_t *types;

    if (c->arch == ARCH_QWEN2 || c->arch == ARCH_QWEN3)
        put(obj, "use_sliding_window", json_boolean(c->sliding_window > 0));
    if (c->sliding_window < 1) {
        if (c->arch == ARCH_OLMO3 || c->arch == ARCH_QWEN2 || c->arch == ARCH_QWEN3) {
            types = json_array();
            for (int64_t i = 0; i < c->n_layers; i++)
                json_array_append_new(types, json_string("full_attention"));
            put(obj, "layer_types", types);
        }
        return;
    }
    types = json_array();
    for (int64_t i = 0; i < c->n_layers; i++)
        json_array_append_new(types, json_string(c->sliding[i] ? "sliding_attention"
                                                               : "full_attention"));
    put(obj, "sliding_window", json_integer(c->sliding_window));
    put(obj, "layer_types", types);
}

static void put_overrides(json_t *obj, const struct model_config *c)
{
    static const char *const qk_names[] = {"none", "head", "full"};
    const struct arch_spec *spec = &arch_specs[c->arch];
    bool bias_key = !spec->qkv_bias; /* attention_bias sets both, so unequal ones need a word */
    json_t *own = json_object();

    if (c->qk_norm != spec->qk_norm)
        put(own, "qk_norm", json_string(qk_names[c->qk_norm]));
    if (c->norm_place != spec->norm_place)
        put(own, "norm_place", json_string(c->norm_place == NORM_BEFORE ? "before" : "after"));
    if (bias_key ? c->qkv_bias != c->o_bias : !c->qkv_bias)
        put(own, "qkv_bias", json_boolean(c->qkv_bias));
    if (!bias_key && c->o_bias)
        put(own, "o_bias", json_true());
    if (json_object_size(own))
        json_object_set(obj, "thinkpipe", own);
    json_decref(own);
}

json_t *model_config_json(const struct model_config *c)
{
    const struct arch_spec *spec = &arch_specs[c->arch];
    json_t *obj = json_object(), *archs = json_array();

    json_array_append_new(archs, json_string(spec->name));
    put(obj, "architectures", archs);
    put(obj, "model_type", json_string(spec->type));
    for (size_t i = 0; i < sizeof(int_keys) / sizeof(int_keys[0]); i++)
        put(obj, int_keys[i].key,
            json_integer(*(const int64_t *)(const void *)((const char *)c + int_keys[i].offset)));
    put(obj, "hidden_act", json_string("silu"));
    put(obj, "rms_norm_eps", json_number(c->rms_norm_eps));
    put(obj, "initializer_range", json_number(c->initializer_range));
    put(obj, "tie_word_embeddings", json_boolean(c->tied_embeddings));
    put(obj, "attention_dropout", json_real(0));
    if (!spec->qkv_bias)
        put(obj, "attention_bias", json_boolean(c->o_bias));
    if (c->arch == ARCH_LLAMA)
        put(obj, "mlp_bias", json_boolean(c->mlp_bias));
    put_windows(obj, c);
    rope_config_put(obj, c);
    put(obj, "bos_token_id", token_or_null(c->bos));
    put(obj, "eos_token_id", model_config_eos_json(c));
    put(obj, "pad_token_id", token_or_null(c->pad));
    put(obj, "torch_dtype", json_string(c->dtype));
    put(obj, "dtype", json_string(c->dtype));
    put(obj, "use_cache", json_true());
    put_overrides(obj, c);
    return obj;
}
