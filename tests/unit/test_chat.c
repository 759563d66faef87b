/* test_chat.c - conversations as transformers renders and encodes them: our own templates
 * (tests/golden/make_chat_golden.py), and the templates of real models where ChatML covers them. */
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "check.h"
#include "data/chat.h"
#include "data/jinja.h"
#include "data/stream.h"

typedef void row_fn(void *arg, const json_t *row);

static int each_row(const char *path, row_fn *fn, void *arg)
{
    struct err err = {0};
    struct stream *s = stream_open(path, &err);
    struct strbuf line = {0};
    int n = 0;

    CHECK_MSG(s, "%s", err.text);
    for (; s && stream_line(s, &line, 0, NULL, &err) == 1; n++) {
        json_t *row = json_parse(line.buf, line.len, &err);
        CHECK_MSG(row, "%s: %s", path, err.text);
        fn(arg, row);
        json_decref(row);
    }
    CHECK_MSG(!err.set, "%s", err.text);
    strbuf_release(&line);
    stream_close(s);
    return n;
}

static const char *text_of(const json_t *row, const char *key)
{
    const char *s = json_string_value(json_object_get(row, key));
    return s ? s : "";
}

static bool same_ids(const struct token_list *got, const json_t *row)
{
    const json_t *ids = json_object_get(row, "ids");
    bool same = json_is_array(ids) && (size_t)got->n == json_array_size(ids);
    for (int64_t i = 0; same && i < got->n; i++)
        same = got->ids[i] == json_integer_value(json_array_get(ids, (size_t)i));
    return same;
}

/* --- our templates --------------------------------------------------------------------------- */

static enum chat_template template_named(const char *name)
{
    for (const struct opt_enum *e = chat_template_names; e->name; e++)
        if (strcmp(e->name, name) == 0)
            return (enum chat_template)e->value;
    CHECK_MSG(false, "no template '%s'", name);
    return CHAT_PLAIN;
}

static void check_text(const struct tokenizer *t, const json_t *row)
{
    const char *text = text_of(row, "text");
    struct token_list ids = {0};
    struct err err = {0};

    CHECK(tokenizer_encode(t, text, strlen(text), TOKENIZE_SPECIAL, &ids, &err) == 0);
    CHECK_MSG(same_ids(&ids, row), "'%s': other ids", text);
    token_list_release(&ids);
}

/* The mask is of the assistant's own tokens: some if and only if there is such a turn. */
static bool mask_fits(const struct chat_tokens *c, const json_t *messages)
{
    const json_t *message;
    bool any = false, assistant = false;
    size_t i;

    json_array_foreach(messages, i, message)
        assistant |= strcmp(text_of(message, "role"), "assistant") == 0;
    for (int64_t k = 0; k < c->ids.n; k++)
        any |= c->mask[k];
    return any == assistant;
}

static void check_golden(void *arg, const json_t *row)
{
    const struct tokenizer *t = arg;
    const json_t *messages = json_object_get(row, "messages");
    bool prompt = json_is_true(json_object_get(row, "add_generation_prompt"));
    const char *name = text_of(row, "template");
    struct chat chat = {.messages = messages, .add_generation_prompt = prompt};
    struct chat_tokens tokens = {0};
    struct strbuf text = {0};
    struct err err = {0};

    chat.continue_final = json_is_true(json_object_get(row, "continue_final_message"));
    if (!messages) {
        check_text(t, row);
        return;
    }
    CHECK_MSG(chat_render(t, template_named(name), &chat, &text, &err) == 0, "%s",
              err.text);
    CHECK_STR(text.buf, text_of(row, "rendered"));
    CHECK_MSG(chat_encode(t, template_named(name), &chat, &tokens, &err) == 0, "%s",
              err.text);
    CHECK_MSG(same_ids(&tokens.ids, row), "%s: other ids for '%s'", name, text.buf);
    CHECK_MSG(mask_fits(&tokens, messages), "%s: mask of '%s'", name, text.buf);
    chat_tokens_release(&tokens);
    strbuf_release(&text);
}

/* What transformers rendered is what chat_template_jinja() says today. */
static void check_templates(const char *dir)
{
    char *path = xasprintf("%s/templates.json", dir);
    struct err err = {0};
    json_t *templates = json_load_path(path, &err);

    CHECK_MSG(json_object_size(templates) == 3, "%s", err.text);
    for (int i = CHAT_CHATML; i <= CHAT_PLAIN; i++)
        CHECK_STR(chat_template_jinja((enum chat_template)i),
                  text_of(templates, chat_template_names[i].name));
    json_decref(templates);
    free(path);
}

static void test_golden(void)
{
    const char *root = getenv("TESTS");
    char *dir = xasprintf("%s/golden/chat", root ? root : "tests");
    char *rows = xasprintf("%s/expected.jsonl", dir);
    struct err err = {0};
    struct tokenizer *t = tokenizer_load(dir, &err);

    CHECK_MSG(t, "%s", err.text);
    check_templates(dir);
    if (t)
        CHECK(each_row(rows, check_golden, t) == 106);
    tokenizer_free(t);
    free(rows);
    free(dir);
}

/* --- templates of others --------------------------------------------------------------------- */

/* How many of the nine conversations of each template are ChatML once the system text that the
 * template puts in by itself is made a turn.  Qwen3's adds an empty <think> block to a last answer
 * without one; Olmo's end a last answer in the end-of-text token, and its thinker opens <think>
 * without our line break; Tulu's and RL-Zero's are other formats. */
static struct foreign {
    const char *name;
    int want, chatml;
} foreigns[] = {{"qwen2_5", 9, 0},      {"qwen3", 7, 0}, {"olmo", 6, 0},
                {"olmo_thinker", 1, 0}, {"tulu", 0, 0},  {"olmo_thinker_rlzero", 0, 0}};

#define SYSTEM "<|im_start|>system\n"

/* The row's messages, with the system text that was rendered; a new reference. */
static json_t *with_system(const json_t *row)
{
    const char *rendered = text_of(row, "rendered"), *end = strstr(rendered, "<|im_end|>");
    json_t *messages = json_deep_copy(json_object_get(row, "messages"));
    size_t skip = strlen(SYSTEM);

    if (strncmp(rendered, SYSTEM, skip) != 0 || !end)
        return messages;
    if (strcmp(text_of(json_array_get(messages, 0), "role"), "system") == 0)
        json_array_remove(messages, 0);
    json_array_insert_new(messages, 0,
                          json_pack("{ss ss%}", "role", "system", "content", rendered + skip,
                                    (size_t)(end - rendered) - skip));
    return messages;
}

/* The rendered text as ids is what chat_encode() gives, but for a marker inside a message, which is
 * text to us. */
static void check_ids_of_text(const struct tokenizer *t, const json_t *messages, bool prompt,
                              const char *text)
{
    struct chat_tokens tokens = {0};
    struct token_list ids = {0};
    struct err err = {0};
    bool marker = strstr(text, "<|im_end|> x") != NULL;

    CHECK(chat_encode(t, CHAT_CHATML, &(struct chat){.messages = messages, .add_generation_prompt = prompt}, &tokens, &err) == 0);
    CHECK(tokenizer_encode(t, text, strlen(text), TOKENIZE_SPECIAL, &ids, &err) == 0);
    bool same = ids.n == tokens.ids.n &&
                memcmp(ids.ids, tokens.ids.ids, (size_t)ids.n * sizeof *ids.ids) == 0;
    CHECK_MSG(same == !marker, "ids of '%s'", text);
    token_list_release(&ids);
    chat_tokens_release(&tokens);
}

static void check_foreign(void *arg, const json_t *row)
{
    const struct tokenizer *t = arg;
    json_t *messages = with_system(row);
    bool prompt = json_is_true(json_object_get(row, "add_generation_prompt"));
    struct strbuf text = {0};
    struct err err = {0};

    CHECK_MSG(chat_render(t, CHAT_CHATML, &(struct chat){.messages = messages, .add_generation_prompt = prompt}, &text, &err) == 0, "%s", err.text);
    if (strcmp(text.buf, text_of(row, "rendered")) == 0) {
        for (size_t i = 0; i < ARRAY_SIZE(foreigns); i++)
            foreigns[i].chatml += strcmp(foreigns[i].name, text_of(row, "template")) == 0;
        check_ids_of_text(t, messages, prompt, text.buf);
    }
    strbuf_release(&text);
    json_decref(messages);
}

static void test_foreign(void)
{
    char *data = check_data("tokenizers");
    if (!data)
        return;
    char *rows = path_join(data, "chat-templates/rendered.jsonl");
    char *dir = path_join(data, "qwen3");
    struct err err = {0};
    struct tokenizer *t = tokenizer_load(dir, &err);

    CHECK_MSG(t, "%s", err.text);
    if (t)
        CHECK(each_row(rows, check_foreign, t) == 54);
    for (size_t i = 0; i < ARRAY_SIZE(foreigns); i++)
        CHECK_MSG(foreigns[i].chatml == foreigns[i].want, "%s: %d of 9 are ChatML, expected %d",
                  foreigns[i].name, foreigns[i].chatml, foreigns[i].want);
    tokenizer_free(t);
    free(data);
    free(dir);
    free(rows);
}

/* Their templates themselves, for the three that lie there as files, and ours in the shape of Olmo 3's. */
static void check_own(void *arg, const json_t *row)
{
    const char *root = getenv("TESTS"), *name = text_of(row, "template");
    char *path = strcmp(name, "olmo") ? xasprintf("%s/%s.jinja", (const char *)arg, name)
                                      : path_join(root ? root : "tests", "golden/jinja/olmo.jinja");
    struct strbuf text = {0};
    struct jinja_output out = {0};
    struct err err = {0};
    json_t *tokens = json_pack("{ss}", "eos_token", text_of(row, "eos_token"));
    bool prompt = json_is_true(json_object_get(row, "add_generation_prompt"));
    struct jinja_input in = {.messages = json_object_get(row, "messages"),
                             .tokens = tokens,
                             .add_generation_prompt = prompt};

    if (file_exists(path) && file_read(path, &text, &err) == 0) {
        struct jinja *j = jinja_compile(text.buf, text.len, path, &err);
        CHECK_MSG(j && jinja_render(j, &in, &out, &err) == 0, "%s", err.text);
        CHECK_STR(out.text.buf, text_of(row, "rendered"));
        jinja_free(j);
    }
    jinja_output_release(&out);
    strbuf_release(&text);
    json_decref(tokens);
    free(path);
}

/* Qwen3's tokenizer and template: the ids of transformers, but where a message has a marker in it,
 * which is text to us, or the assistant begins with a line break, which the reference merges with
 * the one of the prompt. */
static void check_qwen3(void *arg, const json_t *row)
{
    const struct tokenizer *t = arg;
    const json_t *messages = json_object_get(row, "messages");
    struct chat chat;
    struct chat_tokens tokens = {0};
    struct err err = {0};
    struct strbuf text = {0};

    json_write(&text, messages);
    CHECK(chat_read(&chat, row, &err) == 0);
    chat.messages = messages;
    chat.add_generation_prompt = json_is_true(json_object_get(row, "add_generation_prompt"));
    CHECK_MSG(chat_encode(t, CHAT_AUTO, &chat, &tokens, &err) == 0, "%s: %s", text.buf, err.text);
    bool differs = strstr(text.buf, "<|im_end|>") || strstr(text.buf, "\"\\n  the answer");
    CHECK_MSG(same_ids(&tokens.ids, row) == !differs, "ids of %s", text.buf);
    CHECK_MSG(mask_fits(&tokens, messages), "mask of %s", text.buf);
    chat_release(&chat);
    chat_tokens_release(&tokens);
    strbuf_release(&text);
}

static void test_qwen3(void)
{
    const char *root = getenv("TESTS");
    char *data = check_data("tokenizers");
    if (!data)
        return;
    char *dir = path_join(data, "qwen3"), *templates = path_join(data, "chat-templates");
    char *rows = path_join(templates, "rendered.jsonl");
    char *golden = path_join(root ? root : "tests", "golden/chat/qwen3.jsonl");
    struct err err = {0};
    struct tokenizer *t = tokenizer_load(dir, &err);

    CHECK_MSG(t, "%s", err.text);
    CHECK(each_row(rows, check_own, templates) == 54);
    if (t)
        CHECK(each_row(golden, check_qwen3, t) == 36);
    tokenizer_free(t);
    free(golden);
    free(rows);
    free(templates);
    free(dir);
    free(data);
}

int main(void)
{
    mem_init();
    test_golden();
    test_foreign();
    test_qwen3();
    return check_done();
}
