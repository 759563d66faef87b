/* gguf_config.c - the configuration that a GGUF file describes.
 *
 * Its keys are put into the words of a config.json, and that is parsed: so what is
 * refused there is refused here.
 */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "model/config_internal.h"
#include "model/gguf_model.h"

struct reading {
    const struct gguf_file *f;
    char arch[32];
    json_t *out; /* the config.json */
};

static const char *key_of(const struct reading *r, const char *name, char key[128])
{
    snprintf(key, 128, "%s.%s", r->arch, name);
    return key;
}

static void put(json_t *obj, const char *key, json_t *value)
{
    json_object_set_new(obj, key, value);
}

/* --- keys that are in both ------------------------------------------------------------------- */

static int get_int(const struct reading *r, const char *name, bool required, int64_t *x,
                   struct err *err)
{
    char key[128];
    int rc = gguf_get_int(r->f, key_of(r, name, key), x, err);

    return rc == 0 && required ? err_set(err, "key '%s' is missing", key) : rc;
}

static int copy_sizes(const struct reading *r, struct err *err)
{
    static const struct {
        const char *theirs, *ours;
        bool required;
    } keys[] = {
        {"block_count", "num_hidden_layers", true},
        {"context_length", "max_position_embeddings", true},
        {"embedding_length", "hidden_size", true},
        {"feed_forward_length", "intermediate_size", true},
        {"attention.head_count", "num_attention_heads", true},
        {"attention.head_count_kv", "num_key_value_heads", false},
    };

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        int64_t x;
        int rc = get_int(r, keys[i].theirs, keys[i].required, &x, err);
        if (rc < 0)
            return -1;
        if (rc > 0)
            put(r->out, keys[i].ours, json_integer(x));
    }
    return 0;
}

/* Heads of one size, turned as a whole. */
static int copy_head_size(const struct reading *r, struct err *err)
{
    int64_t dim = json_integer_value(json_object_get(r->out, "hidden_size"));
    int64_t heads = json_integer_value(json_object_get(r->out, "num_attention_heads"));
    int64_t size = heads > 0 ? dim / heads : 0, value, turned;

    if (get_int(r, "attention.key_length", false, &size, err) < 0)
        return -1;
    value = turned = size;
    if (get_int(r, "attention.value_length", false, &value, err) < 0 ||
        get_int(r, "rope.dimension_count", false, &turned, err) < 0)
        return -1;
    if (value != size || turned != size)
        return err_set(err, "heads of %lld for keys, %lld for values and %lld for positions: only equal "
                            "ones are supported", (long long)size, (long long)value,
                       (long long)turned);
    put(r->out, "head_dim", json_integer(size));
    return 0;
}

/* A float32's shortest decimal, as the config.json it came from had it. */
static int copy_num(const struct reading *r, const char *theirs, json_t *obj, const char *ours,
                    bool required, struct err *err)
{
    char key[128];
    double x;
    int rc = gguf_get_num(r->f, key_of(r, theirs, key), &x, err);

    if (rc > 0)
        put(obj, ours, json_float((float)x));
    return rc == 0 && required ? err_set(err, "key '%s' is missing", key) : rc;
}

static int refuse_unsupported(const struct reading *r, struct err *err)
{
    static const char *const names[] = {
        "expert_count",          "attention.scale",         "attention.clamp_kqv", "logit_scale",
        "attn_logit_softcapping", "final_logit_softcapping", "residual_scale",      "embedding_scale"};
    char key[128];

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        double x = 0;
        if (gguf_get_num(r->f, key_of(r, names[i], key), &x, err) < 0)
            return -1;
        if (x != 0)
            return err_set(err, "'%s' is not supported", key);
    }
    return 0;
}

/* --- positions ------------------------------------------------------------------------------- */

static int copy_yarn(const struct reading *r, json_t *scaling, struct err *err)
{
    char key[128];
    double attention, factor = json_number_value(json_object_get(scaling, "factor"));
    int64_t original = 0;
    int rc = get_int(r, "rope.scaling.original_context_length", false, &original, err);

    if (rc < 0 || copy_num(r, "rope.scaling.yarn_beta_fast", scaling, "beta_fast", false, err) < 0 ||
        copy_num(r, "rope.scaling.yarn_beta_slow", scaling, "beta_slow", false, err) < 0)
        return -1;
    if (rc > 0)
        put(scaling, "original_max_position_embeddings", json_integer(original));
    rc = gguf_get_num(r->f, key_of(r, "rope.scaling.attn_factor", key), &attention, err);
    if (rc > 0) /* see put_yarn() */
        put(scaling, "attention_factor",
            json_float((float)(attention * (factor <= 1 ? 1 : 0.1 * log(factor) + 1))));
    return rc;
}

static int copy_scaling(const struct reading *r, const char *type, struct err *err)
{
    json_t *scaling = json_object();
    int rc = copy_num(r, "rope.scaling.factor", scaling, "factor", false, err);

    if (rc == 0)
        rc = copy_num(r, "rope.scale_linear", scaling, "factor", false, err); /* its older name */
    if (rc > 0) {
        put(scaling, "rope_type", json_string(type));
        if (!strcmp(type, "yarn"))
            rc = copy_yarn(r, scaling, err);
        json_object_set(r->out, "rope_scaling", scaling);
    }
    json_decref(scaling);
    return rc < 0 ? -1 : 0;
}

static bool divisors_agree(const struct reading *r, json_t *scaling, const struct gguf_tensor *t)
{
    struct model_config *c = xcalloc(1, sizeof(*c));
    struct err ignored = {0};
    bool same = false;

    json_object_set(r->out, "rope_scaling", scaling);
    if (model_config_parse(c, r->out, &ignored) == 0 && t->numel == c->head_dim / 2) {
        float *expected = xcalloc((size_t)t->numel, sizeof(float));
        float *found = xcalloc((size_t)t->numel, sizeof(float));
        gguf_rope_divisors(c, expected);
        ggml_format(t->type)->decode(t->data, found, t->numel);
        same = true;
        for (int64_t i = 0; i < t->numel; i++)
            same = same && fabsf(found[i] - expected[i]) <= 1e-4f * expected[i];
        free(expected);
        free(found);
    }
    free(c);
    return same;
}

/* llama3 scaling is in the file as its result; Llama 3.1 to 3.3 differ in nothing but the factor, and
 * our own files say how it came about. */
static int copy_llama3(const struct reading *r, const struct gguf_tensor *t, struct err *err)
{
    const struct gguf_value *own = gguf_array(r->f, "thinkpipe.rope_llama3", GGUF_F32, err);
    double parts[4] = {0, 1, 4, 8192};
    float last = 0;
    int rc = 0;

    if (err->set)
        return -1;
    if (t->type != GGML_F32 || t->n_dims != 1)
        return err_set(err, "tensor '%s' is not a list of F32", t->name);
    ggml_format(t->type)->decode(t->data + (t->numel - 1) * 4, &last, 1);
    parts[0] = (double)last;
    for (uint64_t i = 0; own && own->n == 4 && i < 4; i++) {
        int32_t bits = gguf_i32_at(own, i);
        float x;
        memcpy(&x, &bits, 4);
        parts[i] = (double)x;
    }
    json_t *scaling = json_pack("{ss so so so sI}", "rope_type", "llama3", "factor",
                                json_float((float)parts[0]), "low_freq_factor",
                                json_float((float)parts[1]), "high_freq_factor",
                                json_float((float)parts[2]), "original_max_position_embeddings",
                                isfinite(parts[3]) && fabs(parts[3]) < 1e9 ? (json_int_t)parts[3] : 0);
    if (!divisors_agree(r, scaling, t))
        rc = err_set(err, "tensor '%s' is not the rope scaling of Llama 3.1 to 3.3", t->name);
    json_decref(scaling);
    return rc;
}

static int copy_rope(const struct reading *r, struct err *err)
{
    const struct gguf_tensor *divisors = gguf_find_tensor(r->f, GGUF_ROPE_FREQS);
    char key[128], *type = NULL;
    int rc = copy_num(r, "rope.freq_base", r->out, "rope_theta", false, err);

    if (rc == 0)
        put(r->out, "rope_theta", json_integer(10000)); /* llama.cpp's default, whatever ours */
    if (rc >= 0)
        rc = gguf_get_str(r->f, key_of(r, "rope.scaling.type", key), &type, err);
    if (rc < 0)
        return -1;
    if (divisors)
        rc = copy_llama3(r, divisors, err);
    else if (!type || !strcmp(type, "linear") || !strcmp(type, "yarn"))
        rc = copy_scaling(r, type ? type : "linear", err);
    else if (strcmp(type, "none") != 0)
        rc = err_set(err, "rope scaling '%s' is not supported (linear, yarn, llama3 are)", type);
    free(type);
    return rc < 0 ? -1 : 0;
}

/* Three of four layers slide when the file does not say which. */
static int copy_windows(const struct reading *r, struct err *err)
{
    char key[128];
    int64_t window = 0, period = 4;
    int64_t n_layers = json_integer_value(json_object_get(r->out, "num_hidden_layers"));
    const struct gguf_value *v;
    int rc = get_int(r, "attention.sliding_window", false, &window, err);

    if (rc <= 0)
        return rc;
    v = gguf_find(r->f, key_of(r, "attention.sliding_window_pattern", key));
    if (v && v->type != GGUF_ARRAY && gguf_get_int(r->f, key, &period, err) < 0)
        return -1;
    if (v && v->type == GGUF_ARRAY && (v->item != GGUF_BOOL || (int64_t)v->n != n_layers))
        return err_set(err, "key '%s' is not a list of one bool for each layer", key);
    if (n_layers > MODEL_MAX_LAYERS || period < 1)
        return 0; /* the configuration will be refused */
    json_t *types = json_array();
    for (int64_t i = 0; i < n_layers; i++) {
        bool slides = v && v->type == GGUF_ARRAY ? v->data[i] != 0 : i % period < period - 1;
        json_array_append_new(types, json_string(slides && window > 0 ? "sliding_attention"
                                                                      : "full_attention"));
    }
    put(r->out, "sliding_window", json_integer(window > 0 ? window : 4096)); /* of no layer */
    put(r->out, "layer_types", types);
    return 0;
}

/* --- what the tensors say -------------------------------------------------------------------- */

static bool has(const struct reading *r, const char *tensor)
{
    return gguf_find_tensor(r->f, tensor) != NULL;
}

static int copy_switches(const struct reading *r, struct err *err)
{
    const struct gguf_tensor *embed = gguf_find_tensor(r->f, "token_embd.weight");
    bool qkv = has(r, "blk.0.attn_q.bias"), o = has(r, "blk.0.attn_output.bias");

    if (!embed || embed->n_dims != 2)
        return err_set(err, "tensor 'token_embd.weight' is missing, or no matrix");
    put(r->out, "vocab_size", json_integer(embed->shape[0]));
    put(r->out, "dtype", json_string(embed->type == GGML_BF16  ? "bfloat16"
                                     : embed->type == GGML_F16 ? "float16"
                                                               : "float32"));
    put(r->out, "tie_word_embeddings", json_boolean(!has(r, "output.weight")));
    put(r->out, "mlp_bias", json_boolean(has(r, "blk.0.ffn_gate.bias")));
    if (!strcmp(r->arch, "llama")) {
        put(r->out, "attention_bias", json_boolean(o));
        if (qkv != o)
            put(r->out, "thinkpipe", json_pack("{sb}", "qkv_bias", qkv));
    }
    return 0;
}

static int copy_token_ids(const struct reading *r, struct err *err)
{
    static const struct {
        const char *theirs, *ours;
    } ids[] = {{"tokenizer.ggml.bos_token_id", "bos_token_id"},
               {"tokenizer.ggml.padding_token_id", "pad_token_id"}};
    int64_t eos = -1, eot = -1;

    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        int64_t id = -1;
        if (gguf_get_int(r->f, ids[i].theirs, &id, err) < 0)
            return -1;
        put(r->out, ids[i].ours, id < 0 ? json_null() : json_integer(id));
    }
    if (gguf_get_int(r->f, "tokenizer.ggml.eos_token_id", &eos, err) < 0 ||
        gguf_get_int(r->f, "tokenizer.ggml.eot_token_id", &eot, err) < 0)
        return -1;
    if (eot >= 0 && eot != eos && eos >= 0)
        put(r->out, "eos_token_id", json_pack("[I, I]", (json_int_t)eos, (json_int_t)eot));
    else if (eos >= 0)
        put(r->out, "eos_token_id", json_integer(eos));
    return 0;
}

static int read_arch(struct reading *r, struct err *err)
{
    static const struct {
        const char *name;
        enum model_arch arch;
    } archs[] = {{"llama", ARCH_LLAMA}, {"qwen2", ARCH_QWEN2}, {"qwen3", ARCH_QWEN3},
                 {"olmo2", ARCH_OLMO2}};
    char *name = NULL;
    int rc = gguf_get_str(r->f, "general.architecture", &name, err);

    if (rc <= 0)
        return rc < 0 ? -1 : err_set(err, "key 'general.architecture' is missing");
    for (size_t i = 0; i < ARRAY_SIZE(archs); i++)
        if (!strcmp(name, archs[i].name)) {
            enum model_arch arch = archs[i].arch;
            snprintf(r->arch, sizeof(r->arch), "%s", name);
            if (arch == ARCH_OLMO2 && gguf_find(r->f, "olmo2.attention.sliding_window"))
                arch = ARCH_OLMO3;
            put(r->out, "architectures", json_pack("[s]", model_arch_name(arch)));
            rc = 0;
        }
    if (rc > 0)
        rc = err_set(err, "architecture '%s' is not supported (llama, qwen2, qwen3, olmo2 are)", name);
    free(name);
    return rc;
}

int gguf_read_config(const struct gguf_file *f, struct model_config *c, struct err *err)
{
    struct reading r = {.f = f, .out = json_object()};
    int rc = -1;

    if (read_arch(&r, err) == 0 && refuse_unsupported(&r, err) == 0 && copy_sizes(&r, err) == 0 &&
        copy_head_size(&r, err) == 0 &&
        copy_num(&r, "attention.layer_norm_rms_epsilon", r.out, "rms_norm_eps", true, err) > 0 &&
        copy_windows(&r, err) == 0 && copy_switches(&r, err) == 0 && copy_token_ids(&r, err) == 0 &&
        copy_rope(&r, err) == 0)
        rc = model_config_parse(c, r.out, err);
    json_decref(r.out);
    return rc < 0 ? err_prefix(err, "%s", f->path) : 0;
}
