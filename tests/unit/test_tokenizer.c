/* test_tokenizer.c - tokenizer.json: what is read, what is refused, ids of a small vocabulary. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/chat.h"
#include "check.h"

/* 256 is "he", then "ll", "Ġhe", "hell", "lo"; bytes are their own ids; two added tokens. */
static json_t *small_doc(void)
{
    json_t *vocab = json_object(), *merges = json_array();
    int id = 0, other = 256;
    for (int b = 0; b < 256; b++) {
        bool printable = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
        int c = printable ? b : other++;
        char two[2] = {(char)(0xc0 | c >> 6), (char)(0x80 | (c & 63))}, one = (char)c;
        json_object_setn_new(vocab, c < 0x80 ? &one : two, c < 0x80 ? 1 : 2, json_integer(id++));
    }
    static const char *const pieces[] = {"he", "ll", "\xc4\xa0he", "hell", "lo"};
    static const char *const pairs[] = {"h e", "l l", "\xc4\xa0 he", "he ll", "l o"};
    for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
        json_object_set_new(vocab, pieces[i], json_integer(id++));
        json_array_append_new(merges, json_string(pairs[i]));
    }
    return json_pack("{s:[{s:i,s:s,s:b,s:b},{s:i,s:s,s:b,s:b,s:b}],s:{s:s,s:b,s:b},s:{s:s},"
                     "s:{s:s,s:o,s:o}}",
                     "added_tokens", "id", 300, "content", "<|end|>", "special", 1, "normalized", 0,
                     "id", 301, "content", "<mark>", "special", 0, "normalized", 0, "lstrip", 1,
                     "pre_tokenizer", "type", "ByteLevel", "add_prefix_space", 0, "use_regex", 1,
                     "decoder", "type", "ByteLevel", "model", "type", "BPE", "vocab", vocab,
                     "merges", merges);
}

static void check_ids(const struct tokenizer *t, const char *text, unsigned flags, int n,
                      const int32_t *want)
{
    struct token_list out = {0};
    struct err err = {0};
    CHECK(tokenizer_encode(t, text, strlen(text), flags, &out, &err) == 0);
    CHECK_MSG(out.n == n, "'%s': %lld ids, expected %d", text, (long long)out.n, n);
    for (int i = 0; i < n && i < out.n; i++)
        CHECK_MSG(out.ids[i] == want[i], "'%s'[%d]: %d, expected %d", text, i, out.ids[i], want[i]);
    token_list_release(&out);
}

static void check_decode(const struct tokenizer *t, const int32_t *ids, int n, bool skip,
                         const char *want)
{
    struct strbuf out = {0};
    struct err err = {0};
    CHECK(tokenizer_decode(t, ids, n, skip, &out, &err) == 0);
    CHECK_STR(out.buf, want);
    strbuf_release(&out);
}

#define IDS(...) (int)ARRAY_SIZE(((int32_t[]){__VA_ARGS__})), (int32_t[]){__VA_ARGS__}

static void test_small(void)
{
    struct err err = {0};
    json_t *doc = small_doc();
    struct tokenizer *t = tokenizer_from_json(doc, "small", &err);
    CHECK_MSG(t, "%s", err.text);
    if (!t)
        return;
    CHECK(tokenizer_vocab_size(t) == 302);
    CHECK(tokenizer_token_id(t, "<|end|>") == 300 && tokenizer_token_id(t, "hell") == 259);
    CHECK(tokenizer_token_id(t, "\xc4\xa0he") == 258 && tokenizer_token_id(t, "nothing") == -1);
    CHECK(tokenizer_is_special(t, 300) && !tokenizer_is_special(t, 301));
    CHECK(tokenizer_eos(t) == -1 && strlen(tokenizer_digest(t)) == 37);
    check_ids(t, "hello", TOKENIZE_PLAIN, IDS(259, 'o'));
    check_ids(t, " hello", TOKENIZE_PLAIN, IDS(258, 257, 'o'));
    check_ids(t, "lllo", TOKENIZE_PLAIN, IDS(257, 260));
    check_ids(t, "he\xff", TOKENIZE_PLAIN, IDS(256, 0xef, 0xbf, 0xbd));
    check_ids(t, "a \n <mark>b<|end|>", TOKENIZE_SPECIAL, IDS('a', 301, 'b', 300));
    check_ids(t, "<m>", TOKENIZE_SPECIAL, IDS('<', 'm', '>'));
    struct token_list plain = {0};
    CHECK(tokenizer_encode(t, "<|end|>", 7, TOKENIZE_PLAIN, &plain, &err) == 0 && plain.n == 7);
    token_list_release(&plain);
    check_decode(t, (int32_t[]){258, 257, 'o', 300, 301}, 5, false, " hello<|end|><mark>");
    check_decode(t, (int32_t[]){258, 257, 'o', 300, 301}, 5, true, " hello<mark>");
    check_decode(t, (int32_t[]){0xe2, 0x82}, 2, true, "\xef\xbf\xbd");
    check_decode(t, NULL, 0, true, "");
    struct strbuf s = {0};
    CHECK(tokenizer_decode(t, (int32_t[]){302}, 1, false, &s, &err) < 0);
    CHECK_STR(err.text, "token id 302 is not between 0 and 301");
    strbuf_release(&s);
    tokenizer_free(t);
    json_decref(doc);
}

static void set_in(json_t *doc, const char *part, const char *json)
{
    struct err err = {0};
    json_object_set_new(doc, part, json_parse(json, strlen(json), &err));
}

static void check_refused(const char *part, const char *json, const char *why)
{
    struct err err = {0};
    json_t *doc = small_doc();
    set_in(doc, part, json);
    struct tokenizer *t = tokenizer_from_json(doc, "x", &err);
    CHECK_MSG(!t && strstr(err.text, why), "%s: '%s', expected '%s'", json, err.text, why);
    tokenizer_free(t);
    json_decref(doc);
}

static void test_refusals(void)
{
    check_refused("model", "{\"type\":\"Unigram\",\"vocab\":[]}", "model 'Unigram'");
    check_refused("model", "{\"type\":\"WordPiece\",\"vocab\":{}}", "model 'WordPiece'");
    check_refused("model", "{\"type\":\"BPE\",\"byte_fallback\":true}", "byte_fallback");
    check_refused("model", "{\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]}", "id 0 twice");
    check_refused("model", "{\"vocab\":{\"a\":-1},\"merges\":[]}", "no id between");
    check_refused("model", "{\"vocab\":{\"a\":99999999},\"merges\":[]}", "no id between");
    check_refused("model", "{\"vocab\":{\"a\":0},\"merges\":[\"a b\"]}", "merges[0]: 'a' + 'b'");
    check_refused("model", "{\"vocab\":{\"a\":0},\"merges\":[\"ab\"]}", "merges[0] is not a pair");
    check_refused("normalizer", "{\"type\":\"NFKC\"}", "normalizer 'NFKC'");
    check_refused("decoder", "{\"type\":\"Metaspace\"}", "decoder 'Metaspace'");
    check_refused("pre_tokenizer", "null", "only byte-level");
    check_refused("pre_tokenizer", "{\"type\":\"Metaspace\"}", "pre_tokenizer 'Metaspace'");
    check_refused("pre_tokenizer", "{\"type\":\"Digits\"}", "no pre_tokenizer is 'ByteLevel'");
    check_refused("pre_tokenizer",
                  "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\"},\"behavior\":\"Contiguous\"}",
                  "behavior 'Contiguous'");
    check_refused("pre_tokenizer",
                  "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(a\"},\"behavior\":\"Isolated\"}",
                  "cannot compile");
    check_refused("added_tokens", "[{\"id\":-5,\"content\":\"x\"}]", "added_tokens[0]");
}

static void test_pre_tokenizers(void)
{
    static const struct {
        const char *pre, *text;
        int n;
    } cases[] = {
        /* hello cut by its l's cannot merge "ll" or "hell" */
        {"{\"type\":\"Split\",\"pattern\":{\"String\":\"l\"},\"behavior\":\"Isolated\"}", "hello", 4},
        {"{\"type\":\"Split\",\"pattern\":{\"Regex\":\"l\"},\"behavior\":\"Removed\"}", "hello", 2},
        {"{\"type\":\"Split\",\"pattern\":{\"Regex\":\"l\"},\"behavior\":\"Removed\",\"invert\":true}",
         "hello", 2},
        {"{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(?=l)\"},\"behavior\":\"Isolated\"}", "hello", 3},
        {"{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\s\"},\"behavior\":\"Removed\"}",
         "l\xe1\xa0\x8el", 5}, /* U+180E is no space */
        {"{\"type\":\"Split\",\"pattern\":{\"Regex\":\"[^\\\\s]\"},\"behavior\":\"Removed\"}",
         "he\xc2\x85", 2},
        {"{\"type\":\"Digits\",\"individual_digits\":true}", "ll", 1},
        /* U+31A63 is a letter since Unicode 15, U+11BF0 a digit since 16 */
        {"{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\p{L}\"},\"behavior\":\"Removed\"}",
         "\xf0\xb1\xa9\xa3-he", 1},
        {"{\"type\":\"Split\",\"pattern\":{\"Regex\":\"[^\\\\p{L}]\"},\"behavior\":\"Removed\"}",
         "\xf0\xb1\xa9\xa3-", 4},
        {"{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\p{N}|\\\\p{Lu}\"},\"behavior\":\"Removed\"}",
         "A\xf0\x91\xaf\xb0he", 1},
        {"{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\d\"},\"behavior\":\"Removed\"}",
         "1\xf0\x91\xaf\xb0he", 1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct err err = {0};
        struct token_list out = {0};
        json_t *doc = small_doc();
        char *json = xasprintf("{\"type\":\"Sequence\",\"pretokenizers\":[%s,{\"type\":\"ByteLevel\","
                               "\"add_prefix_space\":false,\"use_regex\":false}]}",
                               cases[i].pre);
        set_in(doc, "pre_tokenizer", json);
        struct tokenizer *t = tokenizer_from_json(doc, "x", &err);
        CHECK_MSG(t, "%s: %s", cases[i].pre, err.text);
        if (t) {
            CHECK(tokenizer_encode(t, cases[i].text, strlen(cases[i].text), 0, &out, &err) == 0);
            CHECK_MSG(out.n == cases[i].n, "case %zu: %lld tokens", i, (long long)out.n);
        }
        token_list_release(&out);
        tokenizer_free(t);
        json_decref(doc);
        free(json);
    }
}

/* Normalised by the reference's Unicode: U+0EBA was no mark then, and U+11935 U+11930 did not compose. */
static void test_normal(void)
{
    struct err err = {0};
    json_t *doc = small_doc();
    set_in(doc, "normalizer", "{\"type\":\"NFC\"}");
    struct tokenizer *t = tokenizer_from_json(doc, "x", &err);
    check_ids(t, "e\xcc\x81", 0, IDS(0xc3, 0xa9));
    check_ids(t, "e\xcc\x81\xe0\xba\xba\xcc\xb4", 0, IDS(0xc3, 0xa9, 0xe0, 0xba, 0xba, 0xcc, 0xb4));
    check_ids(t, "\xcc\xb4\xe0\xba\xba" "e\xcc\x81", 0, IDS(0xcc, 0xb4, 0xe0, 0xba, 0xba, 0xc3, 0xa9));
    check_ids(t, "\xf0\x91\xa4\xb5\xf0\x91\xa4\xb0", 0,
              IDS(0xf0, 0x91, 0xa4, 0xb5, 0xf0, 0x91, 0xa4, 0xb0));
    check_ids(t, "\xec\x9e\x90\xe1\x86\xa7", 0, IDS(0xec, 0x9e, 0x90, 0xe1, 0x86, 0xa7)); /* U+C790 U+11A7 */
    check_ids(t, "\xec\x9e\x90\xe1\x86\xa8", 0, IDS(0xec, 0x9e, 0x91));
    tokenizer_free(t);
    json_decref(doc);
}

static void test_prefix_space_and_ignore_merges(void)
{
    struct err err = {0};
    json_t *doc = small_doc();
    set_in(doc, "pre_tokenizer", "{\"type\":\"ByteLevel\",\"add_prefix_space\":true}");
    struct tokenizer *t = tokenizer_from_json(doc, "x", &err);
    check_ids(t, "hello", 0, IDS(258, 257, 'o'));
    check_ids(t, " hello", 0, IDS(258, 257, 'o'));
    tokenizer_free(t);
    json_decref(doc);

    doc = small_doc(); /* a piece that no merges lead to */
    json_t *model = json_object_get(doc, "model");
    json_object_set_new(json_object_get(model, "vocab"), "xyz", json_integer(270));
    t = tokenizer_from_json(doc, "x", &err);
    check_ids(t, "xyz", 0, IDS('x', 'y', 'z'));
    check_ids(t, "xyz", 0, IDS('x', 'y', 'z'));
    tokenizer_free(t);
    json_object_set_new(model, "ignore_merges", json_true());
    t = tokenizer_from_json(doc, "x", &err);
    check_ids(t, "xyz", 0, IDS(270));
    tokenizer_free(t);
    json_decref(doc);
}

static void test_added_flags(void)
{
    struct err err = {0};
    json_t *doc = small_doc();
    set_in(doc, "added_tokens",
           "[{\"id\":300,\"content\":\"cat\",\"single_word\":true,\"normalized\":false},"
           "{\"id\":301,\"content\":\"<a>\",\"rstrip\":true,\"lstrip\":true,\"normalized\":true},"
           "{\"id\":302,\"content\":\"<a>b\",\"normalized\":true},"
           "{\"id\":303,\"content\":\"  \",\"normalized\":true},"
           "{\"id\":304,\"content\":\"e\xcc\x81\",\"normalized\":true}]");
    set_in(doc, "normalizer", "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"}]}");
    struct tokenizer *t = tokenizer_from_json(doc, "x", &err);
    CHECK_MSG(t, "%s", err.text);
    check_ids(t, "cat", TOKENIZE_SPECIAL, IDS(300));
    check_ids(t, "cat,cats", TOKENIZE_SPECIAL, IDS(300, ',', 'c', 'a', 't', 's'));
    check_ids(t, "x <a> <a> y", TOKENIZE_SPECIAL, IDS('x', 301, 301, 'y'));
    check_ids(t, "<a>b", TOKENIZE_SPECIAL, IDS(302));
    check_ids(t, "x  x", TOKENIZE_PLAIN, IDS('x', 303, 'x')); /* spaces are no markers */
    check_ids(t, "\xc3\xa9", TOKENIZE_SPECIAL, IDS(304));     /* matched as normalized */
    check_ids(t, "e\xcc\x81", TOKENIZE_PLAIN, IDS(0xc3, 0xa9));
    tokenizer_free(t);
    json_decref(doc);
}

/* A pre-token longer than the scan handles goes through the heap; both must agree. */
static void test_long_pieces(void)
{
    struct err err = {0};
    json_t *doc = small_doc();
    struct tokenizer *t = tokenizer_from_json(doc, "x", &err);
    size_t n = 300000;
    char *text = xmalloc(n);
    struct token_list out = {0};
    for (size_t i = 0; i < n; i++)
        text[i] = "hel"[i * i % 7 % 3];
    CHECK(tokenizer_encode(t, text, n, 0, &out, &err) == 0);
    struct strbuf back = {0};
    CHECK(tokenizer_decode_bytes(t, out.ids, out.n, false, &back, &err) == 0);
    CHECK(back.len == n && memcmp(back.buf, text, n) == 0);
    for (int64_t i = 0; i + 1 < out.n; i++) /* nothing left to merge */
        CHECK(!(out.ids[i] == 'h' && out.ids[i + 1] == 'e') &&
              !(out.ids[i] == 'l' && out.ids[i + 1] == 'l') &&
              !(out.ids[i] == 256 && out.ids[i + 1] == 257));
    token_list_release(&out);
    memset(text, 'l', 101);
    CHECK(tokenizer_encode(t, text, 101, 0, &out, &err) == 0);
    CHECK(out.n == 51 && out.ids[0] == 257 && out.ids[50] == 'l'); /* leftmost first */
    token_list_release(&out);
    strbuf_release(&back);
    free(text);
    tokenizer_free(t);
    json_decref(doc);
}

/* A conversation with tools is rendered by the template named tool_use. */
static void check_tool_template(const struct tokenizer *t)
{
    json_t *messages = json_pack("[{ss ss}]", "role", "user", "content", "hi");
    CHECK(tokenizer_has_tool_template(t));
    for (int tools = 0; tools < 2; tools++) {
        struct chat chat = {.messages = messages, .tools = tools ? messages : NULL};
        struct strbuf text = {0};
        struct err err = {0};
        CHECK_MSG(chat_render(t, CHAT_AUTO, &chat, &text, &err) == 0, "%s", err.text);
        CHECK_STR(text.buf, tools ? "T" : "D");
        strbuf_release(&text);
    }
    json_decref(messages);
}

static void test_config(void)
{
    struct err err = {0};
    char dir[] = "/tmp/test_tokenizer.XXXXXX";
    CHECK(mkdtemp(dir) != NULL);
    json_t *doc = small_doc();
    char *path = path_join(dir, "tokenizer.json"), *config = path_join(dir, "tokenizer_config.json");
    char *generation = path_join(dir, "generation_config.json"), *copy = path_join(dir, "copy");
    CHECK(json_save_path(path, doc, &err) == 0);
    static const char c[] = "{\"eos_token\":{\"content\":\"<|end|>\"},\"bos_token\":null,"
                            "\"pad_token\":\"<mark>\",\"chat_template\":[{\"name\":\"x\",\"template\":"
                            "\"X\"},{\"name\":\"default\",\"template\":\"D\"},"
                            "{\"name\":\"tool_use\",\"template\":\"T\"}]}";
    static const char g[] = "{\"eos_token_id\":[301,300,999],\"bos_token_id\":5}";
    CHECK(file_write_atomic(config, c, strlen(c), &err) == 0);
    CHECK(file_write_atomic(generation, g, strlen(g), &err) == 0);
    CHECK(dir_make(copy, &err) == 0 && tokenizer_copy_files(dir, copy, &err) == 0);
    struct tokenizer *t = tokenizer_load(copy, &err);
    CHECK_MSG(t, "%s", err.text);
    const int32_t *stop;
    CHECK(tokenizer_eos(t) == 300 && tokenizer_pad(t) == 301 && tokenizer_bos(t) == 5);
    CHECK(tokenizer_stop_ids(t, &stop) == 2 && stop[0] == 301 && stop[1] == 300);
    CHECK_STR(tokenizer_chat_template(t), "D");
    check_tool_template(t);
    tokenizer_free(t);
    CHECK(!tokenizer_load("/nonexistent", &err) && strstr(err.text, "/nonexistent"));
    err_clear(&err);
    CHECK(dir_remove(dir, &err) == 0);
    json_decref(doc);
    free(path);
    free(config);
    free(generation);
    free(copy);
}

int main(void)
{
    mem_init();
    test_small();
    test_refusals();
    test_pre_tokenizers();
    test_normal();
    test_prefix_space_and_ignore_merges();
    test_added_flags();
    test_long_pieces();
    test_config();
    return check_done();
}
