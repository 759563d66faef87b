/* test_chat_mask.c - the spans found in public templates without {% generation %}, against those that
 * their training variants mark: X.jinja and X_training.jinja of $THINKPIPE_DATA/chat-templates
 * (tests/golden/make_jinja_golden.py --corpus). */
#include <glob.h>
#include <string.h>

#include "base/file.h"
#include "check.h"
#include "data/chat_internal.h"

/* Markers of the families, to be added tokens here; what they are in a real vocabulary is no matter. */
static const char *const markers[] = {
    "<|eot_id|>", "<|eom_id|>", "<|start_header_id|>", "<|end_header_id|>", "<s>", "</s>",
    "<end_of_turn>", "<start_of_turn>", "<turn|>", "<|turn>", "<|end|>", "<|assistant|>", "<|user|>",
    "<|return|>", "<|start|>", "<|message|>", "<|call|>", "<|channel|>", "<|END_OF_TURN_TOKEN|>",
    "<|START_OF_TURN_TOKEN|>", "<|CHATBOT_TOKEN|>", "<end_of_utterance>", "<|END_RESPONSE|>",
    "<|START_RESPONSE|>", "<|eot|>",
    "<\xef\xbd\x9c" "end\xe2\x96\x81of\xe2\x96\x81sentence\xef\xbd\x9c>",
    "<\xef\xbd\x9c" "Assistant\xef\xbd\x9c>",
};

/* What these mark is no assistant's turn: the next turn's marker, an eos behind the conversation,
 * a turn in two pieces. */
static const char *const others[] = {"glm4moe", "phi3", "diffusion_gemma"};

static struct tokenizer *make_tokenizer(void)
{
    const char *root = getenv("TESTS");
    char *path = path_join(root ? root : "tests", "golden/chat/tokenizer.json");
    struct err err = {0};
    json_t *doc = json_load_path(path, &err), *added = json_object_get(doc, "added_tokens");
    for (size_t i = 0; i < ARRAY_SIZE(markers); i++) {
        json_t *token = json_deep_copy(json_array_get(added, 0));
        json_object_set_new(token, "id", json_integer(1000 + (json_int_t)i));
        json_object_set_new(token, "content", json_string(markers[i]));
        json_array_append_new(added, token);
    }
    struct tokenizer *t = tokenizer_from_json(doc, path, &err);
    CHECK_MSG(t, "%s", err.text);
    json_decref(doc);
    free(path);
    return t;
}

static struct jinja *load(const char *path)
{
    struct strbuf text = {0};
    struct err err = {0};
    struct jinja *j = NULL;
    if (file_read(path, &text, &err) == 0)
        j = jinja_compile(text.buf, text.len, path, &err);
    CHECK_MSG(j, "%s", err.text);
    strbuf_release(&text);
    return j;
}

static bool only_newlines(const char *s, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++)
        if (s[i] != '\n')
            return false;
    return true;
}

/* Theirs may begin with the head, which they show to be the assistant's as well, and end behind the
 * line break that follows the turn; nothing else may differ. */
static bool same_words(const char *text, const struct jinja_spans *ours,
                       const struct jinja_spans *theirs)
{
    if (ours->n != theirs->n)
        return false;
    for (size_t i = 0; i < ours->n; i++) {
        const struct jinja_span *a = &ours->spans[i], *b = &theirs->spans[i];
        size_t head = a->begin - b->begin;
        if (a->begin < b->begin || head > 60 || a->end > b->end ||
            !only_newlines(text, a->end, b->end))
            return false;
    }
    return true;
}

struct counts {
    int same, other, refused, elsewhere; /* the training variant renders something else */
};

static void compare(struct chat_view *v, const struct jinja *training, const char *name,
                    struct counts *n)
{
    struct jinja_output marked = {0};
    struct jinja_spans spans = {0};
    struct err err = {0};
    if (jinja_render(training, &v->input, &marked, &err) < 0 ||
        jinja_render(v->template, &v->input, &v->out, &err) < 0 ||
        strcmp(marked.text.buf, v->out.text.buf) != 0) {
        n->elsewhere++;
    } else if (chat_find_spans(v, &spans, &err) < 0) {
        n->refused++;
    } else if (same_words(v->out.text.buf, &spans, &marked.generation)) {
        n->same++;
    } else {
        n->other++;
        CHECK_MSG(false, "%s: other spans in '%s'", name, v->out.text.buf);
    }
    free(spans.spans);
    jinja_output_release(&marked);
    jinja_output_release(&v->out);
}

static void check_pair(const struct tokenizer *t, const char *path, const json_t *inputs,
                       struct counts *n)
{
    char *plain = xasprintf("%.*s.jinja", (int)(strlen(path) - strlen("_training.jinja")), path);
    struct jinja *training = load(path), *template = load(plain);
    json_t *tokens = json_pack("{ss ss}", "bos_token", "<s>", "eos_token", "</s>"), *messages, *how;
    size_t i, k;
    json_array_foreach(json_object_get(inputs, "conversations"), i, messages)
    {
        json_array_foreach(json_object_get(inputs, "variants"), k, how)
        {
            struct chat chat = {.messages = messages};
            bool prompt = json_is_true(json_object_get(how, "add_generation_prompt"));
            struct chat_view v = {.t = t,
                                  .chat = &chat,
                                  .template = template,
                                  .input = {.messages = messages,
                                            .tools = json_object_get(how, "tools"),
                                            .variables = json_object_get(how, "variables"),
                                            .tokens = tokens,
                                            .add_generation_prompt = prompt,
                                            .now = 1}};
            if (template && training)
                compare(&v, training, plain, n);
        }
    }
    jinja_free(training);
    jinja_free(template);
    json_decref(tokens);
    free(plain);
}

int main(void)
{
    mem_init();
    char *data = check_need_data("chat-templates");
    char *pattern = xasprintf("%s/templates/trl-*_training.jinja", data);
    char *path = path_join(data, "inputs.json");
    struct err err = {0};
    struct counts n = {0};
    glob_t found;
    json_t *inputs = json_load_path(path, &err);
    struct tokenizer *t = make_tokenizer();

    CHECK_MSG(inputs, "%s", err.text);
    CHECK(glob(pattern, 0, NULL, &found) == 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        bool other = false;
        for (size_t k = 0; k < ARRAY_SIZE(others); k++)
            other |= strstr(found.gl_pathv[i], others[k]) != NULL;
        if (!other)
            check_pair(t, found.gl_pathv[i], inputs, &n);
    }
    CHECK_MSG(n.same > 1000 && n.refused < 10, "%d spans are the same, %d refused, %d elsewhere",
              n.same, n.refused, n.elsewhere);
    globfree(&found);
    json_decref(inputs);
    tokenizer_free(t);
    free(path);
    free(pattern);
    free(data);
    return check_done();
}
