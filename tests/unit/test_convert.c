/* test_convert.c - models to GGUF and back: the same bits, the same configuration, the same tokens;
 * a file written by the gguf package; and what cannot be represented. */
#include <math.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rng.h"
#include "check.h"
#include "data/half.h"
#include "data/tokenizer_gguf.h"
#include "model/convert.h"

static char *scratch; /* a folder, ends up empty */

static char *golden(const char *name)
{
    const char *root = getenv("TESTS");
    return xasprintf("%s/golden/%s", root ? root : "tests", name);
}

static char *in_scratch(const char *name)
{
    return path_join(scratch, name);
}

static void converted(const char *from, const char *to, enum ggml_type type, int64_t shard_bytes)
{
    struct convert_options o = {.type = (int)type, .shard_bytes = shard_bytes};
    struct model_source s;
    struct err err = {0};
    int rc = model_source_open(&s, from, &err);

    CHECK_MSG(rc == 0, "%s", err.text);
    if (rc < 0)
        exit(check_done());
    rc = path_is_gguf(to) ? convert_to_gguf(&s, to, &o, &err) : convert_to_dir(&s, to, &o, &err);
    CHECK_MSG(rc == 0, "%s", err.text);
    model_source_release(&s);
}

static void check_fails(const char *from, const char *to, int type, const char *expected)
{
    struct convert_options o = {.type = type};
    struct model_source s;
    struct err err = {0};
    int rc = model_source_open(&s, from, &err);

    if (rc == 0) {
        rc = path_is_gguf(to) ? convert_to_gguf(&s, to, &o, &err) : convert_to_dir(&s, to, &o, &err);
        model_source_release(&s);
    }
    CHECK_MSG(rc == -1 && strstr(err.text, expected), "'%s' without '%s'", err.text, expected);
    CHECK_MSG(access(to, F_OK) != 0, "%s was left behind", to);
}

/* All numbers of a model as float32, and its configuration as text. */
struct whole {
    struct model_config cfg;
    int64_t n;
    float *weights;
    char *config;
};

static struct whole load(const char *dir)
{
    struct whole w = {0};
    struct err err = {0};
    struct strbuf text = {0};
    int n_params;

    CHECK_MSG(model_config_load(&w.cfg, dir, &err) == 0, "%s", err.text);
    struct param *params = model_param_table(&w.cfg, &n_params, &w.n);
    w.weights = xcalloc((size_t)w.n, sizeof(float));
    CHECK_MSG(checkpoint_read_weights(dir, params, n_params, w.cfg.tied_embeddings, w.weights, &err) ==
                  0, "%s", err.text);
    json_t *obj = model_config_json(&w.cfg);
    json_write(&text, obj);
    w.config = strbuf_detach(&text, NULL);
    json_decref(obj);
    free(params);
    return w;
}

static void release(struct whole *w)
{
    free(w->weights);
    free(w->config);
}

static void check_same(const char *a, const char *b)
{
    struct whole x = load(a), y = load(b);

    CHECK_STR(y.config, x.config);
    CHECK(x.n == y.n && memcmp(x.weights, y.weights, (size_t)x.n * 4) == 0);
    release(&x);
    release(&y);
}

static void remove_dir(const char *dir)
{
    struct err err = {0};
    CHECK_MSG(dir_remove(dir, &err) == 0, "%s", err.text);
}

/* --- our own round trips --------------------------------------------------------------------- */

static void test_round_trips(void)
{
    /* llama: llama3 scaling and all biases; llama-linear: tied; qwen3: yarn, a head size of its own;
     * olmo3: yarn on full layers, a pattern of its own. */
    static const char *const names[] = {"llama", "llama-linear", "qwen3", "olmo2", "olmo3"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        char *sub = path_join("model", names[i]), *from = golden(sub);
        char *file = in_scratch("m.gguf"), *back = in_scratch("back"), *again = in_scratch("again.gguf");
        converted(from, file, GGML_F32, 0);
        converted(file, back, GGML_F32, i % 2 ? 9000 : 0);
        check_same(from, back);
        converted(file, again, GGML_F32, 0); /* GGUF to GGUF: the same but for the name */
        remove_dir(back);
        converted(again, back, GGML_F32, 0);
        check_same(from, back);
        remove_dir(back);
        unlink(file);
        unlink(again);
        free(sub);
        free(from);
        free(file);
        free(back);
        free(again);
    }
}

static void test_shards(void)
{
    char *from = golden("model/qwen3"), *to = in_scratch("shards");
    struct err err = {0};
    char **names;

    converted(from, to, GGML_BF16, 6000);
    int n = checkpoint_files(to, &names, &err);
    CHECK_MSG(n > 3, "%d", n);
    for (int i = 0; i < n; i++) {
        char *path = path_join(to, names[i]);
        struct st_file f;
        CHECK_MSG(st_open(&f, path, &err) == 0, "%s", err.text);
        CHECK(f.n_tensors == 1 || f.tensors[f.n_tensors - 1].end <= 6000);
        st_release(&f);
        free(path);
    }
    checkpoint_files_free(names, n);
    struct whole x = load(from), y = load(to);
    for (int64_t i = 0; i < x.n; i++)
        x.weights[i] = bf16_to_float(float_to_bf16(x.weights[i]));
    CHECK(x.n == y.n && memcmp(x.weights, y.weights, (size_t)x.n * 4) == 0);
    CHECK_STR(y.cfg.dtype, "bfloat16");
    release(&x);
    release(&y);
    remove_dir(to);
    free(from);
    free(to);
}

/* Rows of 20 are no multiple of 32: they stay F16, the others are Q8_0, vectors F32. */
static void test_quantised(void)
{
    char *from = golden("model/qwen3"), *to = in_scratch("q.gguf");
    struct gguf_file f;
    struct err err = {0};

    converted(from, to, GGML_Q8_0, 0);
    CHECK_MSG(gguf_open(&f, to, &err) == 0, "%s", err.text);
    CHECK(gguf_find_tensor(&f, "token_embd.weight")->type == GGML_Q8_0);
    CHECK(gguf_find_tensor(&f, "blk.1.ffn_down.weight")->type == GGML_F16);
    CHECK(gguf_find_tensor(&f, "blk.1.attn_norm.weight")->type == GGML_F32);
    gguf_release(&f);
    unlink(to);
    free(from);
    free(to);
}

static void test_rows(void)
{
    static const int64_t eight[] = {0, 4, 1, 5, 2, 6, 3, 7, 8, 12};
    for (int64_t i = 0; i < 10; i++)
        CHECK(gguf_row_to_hf(i, 8) == eight[i]);
    for (int64_t d = 2; d < 200; d += 2)
        for (int64_t i = 0; i < 3 * d; i++)
            CHECK(gguf_row_from_hf(gguf_row_to_hf(i, d), d) == i);
}

/* --- a file of the gguf package -------------------------------------------------------------- */

static void check_tiny_tokens(const char *dir)
{
    struct err err = {0};
    struct token_list ids = {0};
    struct tokenizer *t = tokenizer_load(dir, &err);
    static const int32_t expected[] = {265, 259, 262, 263, 267, 49, 50, 266};

    CHECK_MSG(t, "%s", err.text);
    if (!t)
        return;
    const char *text = "<|im_start|>hello world<think>12<|im_end|>";
    CHECK(tokenizer_encode(t, text, strlen(text), TOKENIZE_SPECIAL, &ids, &err) == 0);
    CHECK(ids.n == ARRAY_SIZE(expected) && !memcmp(ids.ids, expected, sizeof(expected)));
    CHECK(tokenizer_vocab_size(t) == 268 && tokenizer_bos(t) == 265 && tokenizer_eos(t) == 266 &&
          tokenizer_pad(t) == 264);
    CHECK(tokenizer_is_special(t, 264) && !tokenizer_is_special(t, 267));
    CHECK(tokenizer_chat_template(t) && strstr(tokenizer_chat_template(t), "{{ m.content }}"));
    token_list_release(&ids);
    tokenizer_free(t);
}

/* A damaged file is taken or refused in one line that names it; ASan watches. */
static void test_damage(void)
{
    char *from = golden("ggml/tiny.gguf"), *file = in_scratch("bad.gguf"), *to = in_scratch("bad");
    struct strbuf bytes = {0};
    struct rng r;
    struct err err = {0};
    int refused = 0, taken = 0;

    rng_init(&r, 2, "test_convert", 0, 0);
    CHECK(file_read(from, &bytes, &err) == 0);
    for (int i = 0; i < 200; i++) {
        struct convert_options o = {.type = GGML_F16};
        struct model_source s;
        /* Keys and entries are the first 13 kB; a small number may be damaged into another one. */
        uint64_t at = rng_below(&r, i % 4 ? 13000 : bytes.len);
        char old = bytes.buf[at];
        bytes.buf[at] = (char)rng_u32(&r);
        CHECK(file_write_atomic(file, bytes.buf, bytes.len, &err) == 0);
        bytes.buf[at] = old;
        err_clear(&err);
        int rc = model_source_open(&s, file, &err);
        if (rc == 0) {
            rc = convert_to_dir(&s, to, &o, &err);
            model_source_release(&s);
        }
        taken += rc == 0;
        refused += rc < 0;
        CHECK_MSG(rc == 0 || strstr(err.text, "bad.gguf: "), "byte %llu: '%s'", (unsigned long long)at,
                  err.text);
        err_clear(&err);
        if (dir_exists(to))
            remove_dir(to);
    }
    CHECK_MSG(refused > 40 && taken > 20, "%d refused, %d taken", refused, taken);
    unlink(file);
    strbuf_release(&bytes);
    free(from);
    free(file);
    free(to);
}

static void test_peer_file(void)
{
    char *from = golden("ggml/tiny.gguf"), *expected = golden("ggml/tiny.safetensors");
    char *to = in_scratch("tiny"), *weights = path_join(to, "model.safetensors");
    char *again = in_scratch("again.gguf"), *back = in_scratch("back");
    struct strbuf a = {0}, b = {0};
    struct st_file x, y;
    struct err err = {0};

    converted(from, to, GGML_F32, 0);
    CHECK_MSG(st_open(&x, expected, &err) == 0 && st_open(&y, weights, &err) == 0, "%s", err.text);
    CHECK(x.n_tensors == y.n_tensors && x.n_tensors == 11);
    for (int i = 0; i < x.n_tensors; i++) {
        const struct st_tensor *t = st_find(&y, x.tensors[i].name);
        CHECK_MSG(t && t->numel == x.tensors[i].numel &&
                      !memcmp(t->data, x.tensors[i].data, (size_t)t->numel * 4), "%s",
                  x.tensors[i].name);
    }
    st_release(&x);
    st_release(&y);
    check_tiny_tokens(to);
    /* Through a file of ours, and what that says of the tokenizer. */
    converted(to, again, GGML_F32, 0);
    converted(again, back, GGML_F32, 0);
    check_same(to, back);
    check_tiny_tokens(back);
    char *p = path_join(to, "tokenizer.json"), *q = path_join(back, "tokenizer.json");
    CHECK(file_read(p, &a, &err) == 0 && file_read(q, &b, &err) == 0 && a.len == b.len &&
          !memcmp(a.buf, b.buf, a.len));
    strbuf_release(&a);
    strbuf_release(&b);
    remove_dir(to);
    remove_dir(back);
    unlink(again);
    char *owned[] = {from, expected, to, weights, again, back, p, q};
    for (size_t i = 0; i < ARRAY_SIZE(owned); i++)
        free(owned[i]);
}

/* --- Llama 3's scaling, of which others' files have the result only --------------------------- */

static int write_llama3(void *arg, int i, FILE *fp, struct err *err)
{
    const struct model_config *c = arg;
    size_t n = i ? (size_t)c->head_dim / 2 : 4 * (size_t)c->dim;
    float *x = xcalloc(n, sizeof(*x));

    if (i)
        gguf_rope_divisors(c, x);
    int rc = file_put(fp, x, n * sizeof(*x), "llama3", err);
    free(x);
    return rc;
}

static void read_llama3(const struct model_config *from, struct model_config *to, struct err *err)
{
    const int64_t embed[] = {4, from->dim}, half[] = {from->head_dim / 2};
    struct gguf_writer w = {0}, theirs = {0};
    struct gguf_writer *both[] = {&w, &theirs};
    char *path = in_scratch("llama3.gguf");
    struct gguf_file f;

    gguf_put_str(&w, "general.architecture", "llama", 5);
    gguf_put_config(&w, from);
    for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
        gguf_add_tensor(both[i], "token_embd.weight", GGML_F32, 2, embed);
        gguf_add_tensor(both[i], GGUF_ROPE_FREQS, GGML_F32, 1, half);
    }
    CHECK_MSG(gguf_save(&w, path, write_llama3, (void *)(uintptr_t)from, err) == 0 &&
                  gguf_open(&f, path, err) == 0, "%s", err->text);
    gguf_copy_values(&theirs, &f, "general.");
    gguf_copy_values(&theirs, &f, "llama.");
    gguf_release(&f);
    CHECK_MSG(gguf_save(&theirs, path, write_llama3, (void *)(uintptr_t)from, err) == 0 &&
                  gguf_open(&f, path, err) == 0, "%s", err->text);
    if (gguf_read_config(&f, to, err) == 0)
        CHECK(to->vocab_size == 4);
    gguf_release(&f);
    gguf_writer_release(&w);
    gguf_writer_release(&theirs);
    unlink(path);
    free(path);
}

static void test_llama3(void)
{
    struct model_config *a = xcalloc(1, sizeof(*a)), *b = xcalloc(1, sizeof(*b));
    struct err err = {0};
    static const char text[] =
        "{\"architectures\": [\"LlamaForCausalLM\"], \"hidden_size\": 128, \"intermediate_size\": 64,"
        " \"num_hidden_layers\": 1, \"num_attention_heads\": 2, \"vocab_size\": 4,"
        " \"max_position_embeddings\": 131072, \"rope_theta\": 500000, \"rope_scaling\": {"
        "\"rope_type\": \"llama3\", \"factor\": 32, \"low_freq_factor\": 1, \"high_freq_factor\": 4,"
        " \"original_max_position_embeddings\": 8192}}";
    json_t *obj = json_parse(text, strlen(text), &err);

    CHECK_MSG(model_config_parse(a, obj, &err) == 0, "%s", err.text);
    read_llama3(a, b, &err);
    CHECK_MSG(!err.set && b->rope.type == ROPE_LLAMA3 && b->rope.factor == 32 &&
                  b->rope.low_freq_factor == 1 && b->rope.high_freq_factor == 4 &&
                  b->rope.original_max_pos == 8192 && b->rope.theta == 500000, "%s", err.text);
    a->rope.original_max_pos = 4096;
    read_llama3(a, b, &err);
    CHECK_MSG(strstr(err.text, "is not the rope scaling of Llama 3.1 to 3.3"), "%s", err.text);
    json_decref(obj);
    free(a);
    free(b);
}

/* --- public tokenizers ----------------------------------------------------------------------- */

static int write_nothing(void *arg, int i, FILE *fp, struct err *err)
{
    (void)arg, (void)i, (void)fp, (void)err;
    return 0;
}

/* Every vector of the reference, after a way through a GGUF file. */
static void check_vectors(const struct tokenizer *t, const char *path)
{
    FILE *f = fopen(path, "r");
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    int rows = 0, wrong = 0;

    while (f && (n = getline(&line, &cap, f)) > 0) {
        struct err err = {0};
        struct token_list ids = {0};
        json_t *row = json_parse(line, (size_t)n, &err);
        const json_t *text = json_object_get(row, "text");
        int32_t *expected = NULL;
        int64_t n_expected = row ? json_get_i32s(row, "ids", true, &expected, &err) : -1;
        int rc = tokenizer_encode(t, json_string_value(text), json_string_length(text),
                                  TOKENIZE_SPECIAL, &ids, &err);
        rows++;
        wrong += rc < 0 || ids.n != n_expected ||
                 (ids.n > 0 && memcmp(ids.ids, expected, (size_t)ids.n * sizeof(int32_t)) != 0);
        free(expected);
        token_list_release(&ids);
        json_decref(row);
    }
    CHECK_MSG(rows == 243 && wrong == 0, "%s: %d of %d rows differ", path, wrong, rows);
    free(line);
    if (f)
        fclose(f);
}

static void check_tokenizer(const char *name, const char *pre)
{
    char *root = check_data("tokenizers");
    struct gguf_writer w = {0};
    struct gguf_file f;
    struct err err = {0};
    struct tokenizer_ids ids = {.bos = -1, .pad = -1};

    if (!root)
        return;
    char *dir = path_join(root, name), *to = in_scratch("t.gguf"), *back = in_scratch("tok");
    char *vectors = xasprintf("%s/vectors/%s.jsonl", root, name), *found = NULL;
    int64_t vocab = 151936;
    CHECK_MSG(tokenizer_put_gguf(&w, dir, vocab, &ids, &err) == 0, "%s", err.text);
    CHECK_MSG(gguf_save(&w, to, write_nothing, NULL, &err) == 0 && gguf_open(&f, to, &err) == 0, "%s",
              err.text);
    CHECK(gguf_get_str(&f, "tokenizer.ggml.pre", &found, &err) == 1);
    CHECK_STR(found, pre);
    CHECK((int64_t)gguf_find(&f, "tokenizer.ggml.tokens")->n == vocab);
    CHECK(dir_make(back, &err) == 0);
    CHECK_MSG(tokenizer_from_gguf(&f, back, &err) == 1, "%s", err.text);
    struct tokenizer *t = tokenizer_load(back, &err);
    CHECK_MSG(t, "%s", err.text);
    if (t)
        check_vectors(t, vectors);
    tokenizer_free(t);
    gguf_release(&f);
    gguf_writer_release(&w);
    remove_dir(back);
    unlink(to);
    char *owned[] = {root, dir, to, back, vectors, found};
    for (size_t i = 0; i < ARRAY_SIZE(owned); i++)
        free(owned[i]);
}

/* --- refused --------------------------------------------------------------------------------- */

/* The golden model in float32, with another config.json or another number in lm_head. */
static char *changed_model(const char *key, json_t *value, float first_weight)
{
    char *from = golden("model/olmo2"), *dir = in_scratch("changed");
    char *config = path_join(dir, "config.json"), *weights = path_join(dir, "model.safetensors");
    struct strbuf bytes = {0};
    struct err err = {0};

    if (dir_exists(dir))
        remove_dir(dir);
    converted(from, dir, GGML_F32, 0);
    json_t *obj = json_load_path(config, &err);
    if (key)
        json_object_set(obj, key, value);
    json_decref(value);
    CHECK(obj && json_save_path(config, obj, &err) == 0);
    CHECK(file_read(weights, &bytes, &err) == 0);
    if (!key) {
        uint64_t header = 0;
        memcpy(&header, bytes.buf, 8);
        memcpy(bytes.buf + 8 + header + 40, &first_weight, 4);
    }
    CHECK(file_write_atomic(weights, bytes.buf, bytes.len, &err) == 0);
    json_decref(obj);
    strbuf_release(&bytes);
    char *owned[] = {from, config, weights};
    for (size_t i = 0; i < ARRAY_SIZE(owned); i++)
        free(owned[i]);
    return dir;
}

static void test_bad_numbers(void)
{
    char *file = in_scratch("bad.gguf"), *to = in_scratch("bad");
    char *dir = changed_model(NULL, NULL, NAN);

    check_fails(dir, file, GGML_F16, "tensor 'lm_head.weight' holds NaN at element 10");
    check_fails(dir, to, GGML_F32, "holds NaN at element 10");
    free(changed_model(NULL, NULL, -INFINITY));
    check_fails(dir, file, -1, "holds infinity at element 10");
    free(changed_model(NULL, NULL, 70000));
    check_fails(dir, to, GGML_F16, "holds 70000 at element 10, which is too large for F16");
    free(changed_model(NULL, NULL, -9e6f));
    check_fails(dir, file, GGML_Q8_0, "holds -9e+06 at element 10, which is too large for Q8_0");
    converted(dir, file, GGML_BF16, 0);
    unlink(file);
    remove_dir(dir);
    free(file);
    free(to);
    free(dir);
}

static void test_unrepresentable(void)
{
    char *file = in_scratch("bad.gguf"), *qwen2 = golden("model/qwen2");
    char *dir = changed_model("thinkpipe", json_pack("{ss}", "qk_norm", "full"), 0);

    converted(dir, file, GGML_F32, 0); /* what Olmo2 has anyway */
    unlink(file);
    check_fails(qwen2, file, -1, "llama.cpp has no 'sliding_window' for Qwen2ForCausalLM");
    free(changed_model("rope_scaling", json_pack("{ss sf sf sf si}", "rope_type", "llama3", "factor", 8.0,
                                                 "low_freq_factor", 1.0, "high_freq_factor", 4.0,
                                                 "original_max_position_embeddings", 64), 0));
    check_fails(dir, file, -1, "no rope scaling 'llama3' for Olmo2ForCausalLM");
    free(changed_model("rope_scaling", json_pack("{ss sf sb}", "rope_type", "yarn", "factor", 8.0,
                                                 "truncate", 0), 0));
    check_fails(dir, file, -1, "'yarn' with 'truncate' false");
    remove_dir(dir);
    free(file);
    free(qwen2);
    free(dir);
}

int main(void)
{
    char template[] = "/tmp/test_convert.XXXXXX";

    scratch = mkdtemp(template);
    test_rows();
    test_round_trips();
    test_shards();
    test_quantised();
    test_peer_file();
    test_damage();
    test_llama3();
    check_tokenizer("gpt2", "gpt-2");
    check_tokenizer("gpt-neox-olmo", "gpt-2");
    check_tokenizer("dolma2", "dbrx");
    check_tokenizer("qwen3", "qwen2");
    test_bad_numbers();
    test_unrepresentable();
    CHECK_MSG(rmdir(scratch) == 0, "%s is not empty", scratch);
    return check_done();
}
