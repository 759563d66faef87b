/* tokenizer_gguf.c - tokenizer.json into the keys of a GGUF file, and from them. */
#include "data/tokenizer_gguf.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "data/tokenizer_gguf_internal.h"
#include "data/tokenizer_internal.h"

/* The first row of a split and ignore_merges is the name that is written. */
const struct pre_name pre_names[] = {
    {"gpt-2", SPLIT_GPT2, false, false},
    {"smollm", SPLIT_SMOLLM, false, false},
    {"qwen2", SPLIT_CL100K_1DIGIT, false, true},
    {"dbrx", SPLIT_CL100K, false, false},
    {"llama-bpe", SPLIT_CL100K, true, false},
    {"olmo", SPLIT_GPT2, false, true},
    {"phi-2", SPLIT_GPT2, false, false},
    {"starcoder", SPLIT_SMOLLM, false, false},
    {"refact", SPLIT_SMOLLM, false, false},
    {"smaug-bpe", SPLIT_CL100K, false, false},
    {"llama3", SPLIT_CL100K, true, false},
    {"llama-v3", SPLIT_CL100K, true, false},
    {"deepseek-r1-qwen", SPLIT_CL100K_1DIGIT, false, true},
    {"megrez", SPLIT_CL100K_1DIGIT, false, true},
    {NULL, SPLIT_GPT2, false, false},
};

/* --- which split is it? ---------------------------------------------------------------------- */

enum step { STEP_NOTHING, STEP_DIGIT, STEP_GPT2, STEP_CL100K, STEP_CL100K_1DIGIT, STEP_OTHER };

static enum step split_step(const json_t *spec)
{
    const char *regex = json_string_value(json_object_get(json_object_get(spec, "pattern"), "Regex"));
    const char *behavior = json_string_value(json_object_get(spec, "behavior"));
    bool invert = json_is_true(json_object_get(spec, "invert"));

    /* These match every character, so the matches alone are the same as all pieces. */
    if (!regex || !behavior || strcmp(behavior, invert ? "Removed" : "Isolated") != 0)
        return STEP_OTHER;
    return strcmp(regex, byte_level_cl100k_regex) == 0          ? STEP_CL100K
           : strcmp(regex, byte_level_cl100k_1digit_regex) == 0 ? STEP_CL100K_1DIGIT
           : strcmp(regex, byte_level_gpt2_regex) == 0          ? STEP_GPT2
                                                                : STEP_OTHER;
}

static enum step step_of(const json_t *spec)
{
    const char *type = json_string_value(json_object_get(spec, "type"));

    if (type && strcmp(type, "Split") == 0)
        return split_step(spec);
    if (type && strcmp(type, "Digits") == 0)
        return json_is_true(json_object_get(spec, "individual_digits")) ? STEP_DIGIT : STEP_OTHER;
    if (!type || strcmp(type, "ByteLevel") != 0 ||
        !json_is_false(json_object_get(spec, "add_prefix_space")))
        return STEP_OTHER; /* a missing add_prefix_space is true */
    return json_is_false(json_object_get(spec, "use_regex")) ? STEP_NOTHING : STEP_GPT2;
}

static void collect(const json_t *spec, enum step steps[2], int *n)
{
    const json_t *list = json_object_get(spec, "pretokenizers"), *item;
    size_t i;
    if (json_is_array(list)) {
        json_array_foreach (list, i, item)
            collect(item, steps, n);
        return;
    }
    enum step s = step_of(spec);
    if (s == STEP_NOTHING)
        return;
    if (*n < 2)
        steps[*n] = s;
    ++*n;
}

static const char *find_pre_name(const json_t *doc, struct err *err)
{
    bool ignore_merges = json_is_true(json_object_get(json_object_get(doc, "model"), "ignore_merges"));
    enum step steps[2] = {STEP_OTHER, STEP_OTHER};
    int n = 0, split = -1;

    collect(json_object_get(doc, "pre_tokenizer"), steps, &n);
    if (n == 1)
        split = steps[0] == STEP_GPT2           ? SPLIT_GPT2
                : steps[0] == STEP_CL100K       ? SPLIT_CL100K
                : steps[0] == STEP_CL100K_1DIGIT ? SPLIT_CL100K_1DIGIT
                                                : -1;
    else if (n == 2 && steps[0] == STEP_DIGIT && steps[1] == STEP_GPT2)
        split = SPLIT_SMOLLM;
    for (const struct pre_name *p = pre_names; p->name; p++)
        if ((int)p->split == split && p->ignore_merges == ignore_merges)
            return p->name;
    err_set(err, "llama.cpp has no name for this pre_tokenizer%s",
            ignore_merges ? " with 'ignore_merges'" : "");
    return NULL;
}

/* --- writing --------------------------------------------------------------------------------- */

struct vocab_entry {
    const char *text;
    size_t n;
    int32_t type;
};

static struct vocab_entry *list_tokens(const json_t *doc, int64_t n)
{
    struct vocab_entry *list = xcalloc((size_t)n, sizeof *list);
    json_t *value;
    const char *text;
    size_t len, i;

    json_object_keylen_foreach (json_object_get(json_object_get(doc, "model"), "vocab"), text, len,
                                value)
        list[json_integer_value(value)] = (struct vocab_entry){text, len, TOKEN_NORMAL};
    json_array_foreach (json_object_get(doc, "added_tokens"), i, value) {
        const json_t *content = json_object_get(value, "content");
        bool special = json_is_true(json_object_get(value, "special"));
        list[json_integer_value(json_object_get(value, "id"))] = (struct vocab_entry){
            json_string_value(content), json_string_length(content),
            special ? TOKEN_CONTROL : TOKEN_USER_DEFINED};
    }
    return list;
}

static void put_tokens(struct gguf_writer *w, const json_t *doc, int64_t vocab_size)
{
    struct vocab_entry *list = list_tokens(doc, vocab_size);
    char padding[32];

    gguf_put_array(w, "tokenizer.ggml.tokens", GGUF_STRING, (uint64_t)vocab_size);
    for (int64_t i = 0; i < vocab_size; i++) {
        if (list[i].text) {
            gguf_add_str(w, list[i].text, list[i].n);
            continue;
        }
        list[i].type = TOKEN_UNUSED;
        int n = snprintf(padding, sizeof padding, "[PAD%lld]", (long long)i);
        gguf_add_str(w, padding, (size_t)n);
    }
    gguf_put_array(w, "tokenizer.ggml.token_type", GGUF_I32, (uint64_t)vocab_size);
    for (int64_t i = 0; i < vocab_size; i++)
        gguf_add_u32(w, (uint32_t)list[i].type);
    free(list);
}

static void put_merges(struct gguf_writer *w, const json_t *merges)
{
    struct strbuf text = {0};
    const json_t *merge;
    size_t i;

    gguf_put_array(w, "tokenizer.ggml.merges", GGUF_STRING, json_array_size(merges));
    json_array_foreach (merges, i, merge) {
        if (json_is_string(merge)) {
            gguf_add_str(w, json_string_value(merge), json_string_length(merge));
            continue;
        }
        const json_t *a = json_array_get(merge, 0), *b = json_array_get(merge, 1);
        strbuf_clear(&text);
        strbuf_add(&text, json_string_value(a), json_string_length(a));
        strbuf_addc(&text, ' ');
        strbuf_add(&text, json_string_value(b), json_string_length(b));
        gguf_add_str(w, text.buf, text.len);
    }
    strbuf_release(&text);
}

/* TemplateProcessing that begins a text with a special token. */
static bool template_begins(const json_t *processor)
{
    const json_t *list = json_object_get(processor, "processors"), *item;
    const json_t *first = json_array_get(json_object_get(processor, "single"), 0);
    size_t i;

    json_array_foreach (list, i, item)
        if (template_begins(item))
            return true;
    return json_object_get(first, "SpecialToken") != NULL;
}

/* Another id that ends a text, for a turn. */
static int32_t other_eos(const struct tokenizer_ids *ids, int32_t eos)
{
    int32_t other = -1;
    int n = 0;

    for (int i = 0; i < ids->n_eos; i++)
        if (ids->eos[i] != eos && n++ == 0)
            other = ids->eos[i];
    if (n > 1)
        log_warn("a GGUF file has room for two ids that end a text: %d of config.json's 'eos_token_id' "
                 "are left out", n - 1);
    return other;
}

static void put_ids(struct gguf_writer *w, const struct tokenizer_ids *ids, int32_t bos, int32_t eos,
                    int32_t pad)
{
    const struct {
        const char *key;
        int32_t id;
    } list[] = {{"tokenizer.ggml.bos_token_id", bos},
                {"tokenizer.ggml.eos_token_id", eos},
                {"tokenizer.ggml.eot_token_id", other_eos(ids, eos)},
                {"tokenizer.ggml.padding_token_id", pad}};

    for (size_t i = 0; i < ARRAY_SIZE(list); i++)
        if (list[i].id >= 0)
            gguf_put_u32(w, list[i].key, (uint32_t)list[i].id);
}

static int32_t first_eos(const struct tokenizer_ids *ids)
{
    return ids->n_eos ? ids->eos[0] : -1;
}

static void put_tokenizer_ids(struct gguf_writer *w, const struct tokenizer *t,
                              const struct tokenizer_ids *ids, const json_t *doc)
{
    int32_t bos = t->bos >= 0 ? t->bos : ids->bos;
    bool add_bos = t->add_bos || template_begins(json_object_get(doc, "post_processor"));

    put_ids(w, ids, bos, t->eos >= 0 ? t->eos : first_eos(ids), t->pad >= 0 ? t->pad : ids->pad);
    gguf_put_bool(w, "tokenizer.ggml.add_bos_token", bos >= 0 && add_bos);
}

static int put_document(struct gguf_writer *w, const json_t *doc, const struct tokenizer *t,
                        int64_t vocab_size, const struct tokenizer_ids *ids, struct err *err)
{
    const char *pre = find_pre_name(doc, err);

    if (!pre)
        return -1;
    if (tokenizer_vocab_size(t) > vocab_size)
        return err_set(err, "the tokenizer has %d tokens, the model's vocabulary has %lld",
                       tokenizer_vocab_size(t), (long long)vocab_size);
    if (t->nfc)
        log_warn("llama.cpp does not normalize text to NFC, as this tokenizer does: text that is not "
                 "NFC becomes other tokens there");
    gguf_put_str(w, "tokenizer.ggml.model", "gpt2", 4);
    gguf_put_str(w, "tokenizer.ggml.pre", pre, strlen(pre));
    gguf_put_str(w, "thinkpipe.normalizer", t->nfc ? "NFC" : "none", t->nfc ? 3 : 4);
    put_tokens(w, doc, vocab_size);
    put_merges(w, json_object_get(json_object_get(doc, "model"), "merges"));
    put_tokenizer_ids(w, t, ids, doc);
    if (t->chat_template)
        gguf_put_str(w, "tokenizer.chat_template", t->chat_template, strlen(t->chat_template));
    return 0;
}

int tokenizer_put_gguf(struct gguf_writer *w, const char *dir, int64_t vocab_size,
                       const struct tokenizer_ids *ids, struct err *err)
{
    json_t *doc = NULL;
    struct tokenizer *t = tokenizer_load_doc(dir, &doc, err);
    int rc = t ? put_document(w, doc, t, vocab_size, ids, err) : -1;

    if (t && rc < 0)
        err_prefix(err, "%s", dir);
    tokenizer_free(t);
    json_decref(doc);
    return rc;
}

void tokenizer_put_none(struct gguf_writer *w, const struct tokenizer_ids *ids)
{
    gguf_put_str(w, "tokenizer.ggml.model", "no_vocab", 8);
    put_ids(w, ids, ids->bos, first_eos(ids), ids->pad);
}
