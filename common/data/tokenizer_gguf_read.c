/* tokenizer_gguf_read.c - the keys of a GGUF file to tokenizer.json. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/tokenizer_gguf.h"
#include "data/tokenizer_gguf_internal.h"
#include "data/tokenizer_internal.h"
#include "data/utf8.h"

struct source {
    const struct gguf_file *f;
    const struct gguf_value *tokens, *types, *merges;
    const struct pre_name *pre;
    bool nfc, add_bos;
    int32_t bos, eos, pad; /* -1 = none */
    char *chat_template;
};

/* --- reading keys ---------------------------------------------------------------------------- */

static int need_array(const struct source *s, const char *key, enum gguf_type item,
                      const struct gguf_value **v, struct err *err)
{
    *v = gguf_array(s->f, key, item, err);
    return *v ? 0 : err_set(err, "key '%s' is missing", key);
}

static int read_pre(struct source *s, struct err *err)
{
    char *name = NULL, *normalizer = NULL;
    int rc = gguf_get_str(s->f, "tokenizer.ggml.pre", &name, err);

    if (rc == 0)
        rc = err_set(err, "key 'tokenizer.ggml.pre' is missing: how text is cut is not known");
    for (const struct pre_name *p = pre_names; rc > 0 && p->name; p++)
        if (strcmp(p->name, name) == 0)
            s->pre = p;
    if (rc > 0 && !s->pre)
        rc = err_set(err, "pre-tokenizer '%s' is not supported", name);
    if (rc > 0)
        rc = gguf_get_str(s->f, "thinkpipe.normalizer", &normalizer, err);
    if (rc >= 0)
        s->nfc = normalizer ? strcmp(normalizer, "NFC") == 0 : s->pre->nfc;
    free(name);
    free(normalizer);
    return rc < 0 ? -1 : 0;
}

static int read_id(const struct source *s, const char *key, int32_t *id, struct err *err)
{
    int64_t x = -1;

    if (gguf_get_int(s->f, key, &x, err) < 0)
        return -1;
    if (x < -1 || x >= (int64_t)s->tokens->n)
        return err_set(err, "key '%s' is %lld, the file has %llu tokens", key, (long long)x,
                       (unsigned long long)s->tokens->n);
    *id = (int32_t)x;
    return 0;
}

static int read_keys(struct source *s, struct err *err)
{
    if (need_array(s, "tokenizer.ggml.tokens", GGUF_STRING, &s->tokens, err) < 0 ||
        need_array(s, "tokenizer.ggml.token_type", GGUF_I32, &s->types, err) < 0 ||
        need_array(s, "tokenizer.ggml.merges", GGUF_STRING, &s->merges, err) < 0 ||
        read_pre(s, err) < 0)
        return -1;
    if (s->tokens->n != s->types->n || s->tokens->n > TOKENIZER_MAX_ID)
        return err_set(err, "%llu tokens and %llu types of tokens", (unsigned long long)s->tokens->n,
                       (unsigned long long)s->types->n);
    s->add_bos = s->pre->ignore_merges; /* llama.cpp's default for these */
    if (read_id(s, "tokenizer.ggml.bos_token_id", &s->bos, err) < 0 ||
        read_id(s, "tokenizer.ggml.eos_token_id", &s->eos, err) < 0 ||
        read_id(s, "tokenizer.ggml.padding_token_id", &s->pad, err) < 0 ||
        gguf_get_bool(s->f, "tokenizer.ggml.add_bos_token", &s->add_bos, err) < 0)
        return -1;
    return gguf_get_str(s->f, "tokenizer.chat_template", &s->chat_template, err) < 0 ? -1 : 0;
}

/* --- tokenizer.json -------------------------------------------------------------------------- */

/* The id's text as a JSON string, or NULL for none. */
static json_t *token_text(const struct source *s, int32_t id)
{
    const unsigned char *at = s->tokens->data;
    const char *text = "";
    uint64_t n = 0;

    if (id < 0)
        return NULL;
    for (int32_t i = 0; i <= id; i++)
        text = gguf_next_string(&at, &n);
    return json_stringn(text, n);
}

static json_t *added_token(const char *text, size_t n, int64_t id, bool special)
{
    return json_pack("{sI ss% sb sb sb sb sb}", "id", (json_int_t)id, "content", text, n, "single_word",
                     0, "lstrip", 0, "rstrip", 0, "normalized", 0, "special", special);
}

static int64_t last_normal(const struct source *s)
{
    int64_t i = (int64_t)s->types->n - 1;
    while (i >= 0 && gguf_i32_at(s->types, (uint64_t)i) != TOKEN_NORMAL)
        i--;
    return i;
}

/* An added token among the others is one of the vocabulary, too: its ids have no holes. */
static int add_tokens(const struct source *s, json_t *vocab, json_t *added, struct err *err)
{
    const unsigned char *at = s->tokens->data;
    const int64_t last = last_normal(s);

    for (uint64_t i = 0; i < s->tokens->n; i++) {
        uint64_t n;
        const char *text = gguf_next_string(&at, &n);
        int32_t type = gguf_i32_at(s->types, i);
        if (type == TOKEN_UNUSED)
            continue;
        if (utf8_valid_prefix(text, n) != n)
            return err_set(err, "token %llu is not UTF-8", (unsigned long long)i);
        if (type == TOKEN_CONTROL || type == TOKEN_UNKNOWN || type == TOKEN_USER_DEFINED)
            json_array_append_new(added, added_token(text, n, (int64_t)i, type != TOKEN_USER_DEFINED));
        else if (type != TOKEN_NORMAL)
            return err_set(err, "token %llu is of type %d, which byte-level BPE does not have",
                           (unsigned long long)i, type);
        if (type != TOKEN_NORMAL && (int64_t)i > last)
            continue;
        if (json_object_getn(vocab, text, n))
            return err_set(err, "token %llu, '%.*s', occurs twice", (unsigned long long)i, (int)n, text);
        json_object_setn_new(vocab, text, n, json_integer((json_int_t)i));
    }
    return 0;
}

static int add_merges(const struct source *s, json_t *merges, struct err *err)
{
    const unsigned char *at = s->merges->data;

    for (uint64_t i = 0; i < s->merges->n; i++) {
        uint64_t n;
        const char *text = gguf_next_string(&at, &n);
        if (utf8_valid_prefix(text, n) != n)
            return err_set(err, "merge %llu is not UTF-8", (unsigned long long)i);
        json_array_append_new(merges, json_stringn(text, n));
    }
    return 0;
}

static json_t *byte_level(bool use_regex)
{
    return json_pack("{ss sb sb sb}", "type", "ByteLevel", "add_prefix_space", 0, "trim_offsets", 0,
                     "use_regex", use_regex);
}

static json_t *sequence(json_t *first, json_t *second)
{
    return json_pack("{ss s[o o]}", "type", "Sequence", "pretokenizers", first, second);
}

static json_t *pre_tokenizer(enum split split)
{
    const char *regex =
        split == SPLIT_CL100K ? byte_level_cl100k_regex : byte_level_cl100k_1digit_regex;

    if (split == SPLIT_GPT2)
        return byte_level(true);
    if (split == SPLIT_SMOLLM)
        return sequence(json_pack("{ss sb}", "type", "Digits", "individual_digits", 1),
                        byte_level(true));
    return sequence(json_pack("{ss s{ss} ss sb}", "type", "Split", "pattern", "Regex", regex,
                              "behavior", "Isolated", "invert", 0),
                    byte_level(false));
}

/* A text begins with bos where special tokens are asked for. */
static json_t *post_processor(const struct source *s)
{
    json_t *bos = s->add_bos ? token_text(s, s->bos) : NULL;
    json_t *ids = json_object(), *all;

    if (!bos) {
        json_decref(ids);
        return byte_level(true);
    }
    json_object_set_new(ids, json_string_value(bos),
                        json_pack("{sO s[i] s[O]}", "id", bos, "ids", s->bos, "tokens", bos));
    all = json_pack("{ss s[{s{sO si}} {s{ss si}}] s[{s{sO si}} {s{ss si}} {s{ss si}}] so}", "type",
                    "TemplateProcessing", "single", "SpecialToken", "id", bos, "type_id", 0,
                    "Sequence", "id", "A", "type_id", 0, "pair", "SpecialToken", "id", bos, "type_id",
                    0, "Sequence", "id", "A", "type_id", 0, "Sequence", "id", "B", "type_id", 1,
                    "special_tokens", ids);
    json_decref(bos);
    return all;
}

static json_t *document(const struct source *s, struct err *err)
{
    json_t *vocab = json_object(), *merges = json_array(), *added = json_array();
    int rc = add_tokens(s, vocab, added, err);

    if (rc == 0)
        rc = add_merges(s, merges, err);
    if (rc < 0) {
        json_decref(vocab);
        json_decref(merges);
        json_decref(added);
        return NULL;
    }
    json_t *model = json_pack("{ss sn sn sn sn sb sb sb so so}", "type", "BPE", "dropout", "unk_token",
                              "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", 0,
                              "byte_fallback", 0, "ignore_merges", s->pre->ignore_merges, "vocab",
                              vocab, "merges", merges);
    return json_pack("{ss sn sn so so so so so so}", "version", "1.0", "truncation", "padding",
                     "added_tokens", added, "normalizer",
                     s->nfc ? json_pack("{ss}", "type", "NFC") : json_null(), "pre_tokenizer",
                     pre_tokenizer(s->pre->split), "post_processor", post_processor(s), "decoder",
                     byte_level(true), "model", model);
}

static json_t *config(const struct source *s)
{
    json_t *obj = json_pack("{sb sb ss}", "add_bos_token", s->add_bos && s->bos >= 0,
                            "clean_up_tokenization_spaces", 0, "tokenizer_class",
                            "PreTrainedTokenizerFast");
    const struct {
        const char *key;
        int32_t id;
    } tokens[] = {{"bos_token", s->bos}, {"eos_token", s->eos}, {"pad_token", s->pad}};

    for (size_t i = 0; i < ARRAY_SIZE(tokens); i++) {
        json_t *text = token_text(s, tokens[i].id);
        if (text)
            json_object_set_new(obj, tokens[i].key, text);
    }
    if (s->chat_template)
        json_object_set_new(obj, "chat_template", json_string(s->chat_template));
    return obj;
}

/* --- files ----------------------------------------------------------------------------------- */

static int save(const char *dir, const char *name, const json_t *doc, struct err *err)
{
    char *path = path_join(dir, name);
    int rc = json_save_path(path, doc, err);
    free(path);
    return rc;
}

/* A tokenizer that this house cannot load is not written. */
static int write_files(const struct source *s, const char *dir, struct err *err)
{
    json_t *doc = document(s, err), *beside;
    struct tokenizer *t;
    int rc;

    if (!doc)
        return -1;
    t = tokenizer_from_json(doc, "its tokenizer", err);
    rc = t ? save(dir, "tokenizer.json", doc, err) : -1;
    if (rc == 0) {
        beside = config(s);
        rc = save(dir, "tokenizer_config.json", beside, err);
        json_decref(beside);
    }
    tokenizer_free(t);
    json_decref(doc);
    return rc < 0 ? -1 : 1;
}

int tokenizer_from_gguf(const struct gguf_file *f, const char *dir, struct err *err)
{
    struct source s = {.f = f, .bos = -1, .eos = -1, .pad = -1};
    char *model = NULL;
    int rc = gguf_get_str(f, "tokenizer.ggml.model", &model, err);

    if (rc > 0 && (strcmp(model, "no_vocab") == 0 || strcmp(model, "none") == 0))
        rc = 0;
    if (rc > 0 && strcmp(model, "gpt2") != 0)
        rc = err_set(err, "tokenizer '%s' is not supported, only 'gpt2', which is byte-level BPE",
                     model);
    if (rc > 0)
        rc = read_keys(&s, err) == 0 ? write_files(&s, dir, err) : -1;
    free(s.chat_template);
    free(model);
    return rc < 0 ? err_prefix(err, "%s", f->path) : rc;
}
