/* chat.c - conversations to token ids and loss mask.
 *
 * A conversation is written turn by turn, each turn as segments: markers, which are
 * added tokens, and text, which is encoded on its own.  So the tokens of the first
 * k turns never depend on what follows, and an assistant's turn is cut from its
 * header just where a generator stops reading the prompt and begins to write.
 */
#include "data/chat.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

const struct opt_enum chat_template_names[] = {
    {"auto", CHAT_AUTO},
    {"chatml", CHAT_CHATML},
    {"chatml-think", CHAT_CHATML_THINK},
    {"plain", CHAT_PLAIN},
    {NULL, 0},
};

#define JINJA_REASONING                                                                            \
    "        {%- set reasoning = message.reasoning_content or message.reasoning or "               \
    "message.thinking %}\n"                                                                        \
    "        {%- if reasoning %}\n"                                                                \
    "            {{- '<think>\\n' + reasoning + '\\n</think>\\n' }}\n"                             \
    "        {%- endif %}\n"
#define JINJA_CONTENT                                                                              \
    "    {%- if message.content is string %}\n"                                                    \
    "        {{- message.content }}\n"                                                             \
    "    {%- elif message.content %}\n"                                                            \
    "        {%- for part in message.content %}\n"                                                 \
    "            {{- part.text }}\n"                                                               \
    "        {%- endfor %}\n"                                                                      \
    "    {%- endif %}\n"
#define JINJA_CHATML(opening)                                                                      \
    "{%- for message in messages %}\n"                                                             \
    "    {%- set role = 'system' if message.role == 'developer' else ('tool' if message.role == "  \
    "'environment' else message.role) %}\n"                                                        \
    "    {{- '<|im_start|>' + role + '\\n' }}\n"                                                   \
    "    {%- if role == 'assistant' %}\n" JINJA_REASONING "    {%- endif %}\n" JINJA_CONTENT       \
    "    {{- '<|im_end|>\\n' }}\n"                                                                 \
    "{%- endfor %}\n"                                                                              \
    "{%- if add_generation_prompt %}\n"                                                            \
    "    {{- '<|im_start|>assistant\\n" opening "' }}\n"                                           \
    "{%- endif %}\n"

const char *chat_template_jinja(enum chat_template t)
{
    switch (t) {
    case CHAT_CHATML:
        return JINJA_CHATML("");
    case CHAT_CHATML_THINK:
        return JINJA_CHATML("<think>\\n");
    case CHAT_PLAIN:
        return "{%- for message in messages %}\n"
               "    {%- if message.role == 'assistant' %}\n" JINJA_REASONING
               "    {%- endif %}\n" JINJA_CONTENT
               "    {%- if message.role == 'assistant' %}\n"
               "        {{- eos_token }}\n"
               "    {%- endif %}\n"
               "{%- endfor %}\n";
    case CHAT_AUTO:
        break;
    }
    BUG("no Jinja text for template %d", (int)t);
}

/* Editors and writers differ in the newline at the end of a file. */
static bool same_text(const char *a, const char *b)
{
    size_t na = strlen(a), nb = strlen(b);
    while (na > 0 && a[na - 1] == '\n')
        na--;
    while (nb > 0 && b[nb - 1] == '\n')
        nb--;
    return na == nb && memcmp(a, b, na) == 0;
}

int chat_resolve(const struct tokenizer *t, enum chat_template wanted, enum chat_template *out,
                 struct err *err)
{
    const char *own = tokenizer_chat_template(t);
    *out = wanted;
    if (wanted != CHAT_AUTO)
        return 0;
    if (!own)
        return err_set(err, "the tokenizer has no chat template: choose one with --template");
    for (int i = CHAT_CHATML; i <= CHAT_PLAIN; i++)
        if (same_text(own, chat_template_jinja((enum chat_template)i))) {
            *out = (enum chat_template)i;
            return 0;
        }
    return err_set(err, "the tokenizer's chat template is not one of ours: choose chatml, "
                        "chatml-think or plain with --template");
}

void chat_tokens_release(struct chat_tokens *c)
{
    token_list_release(&c->ids);
    free(c->mask);
    *c = (struct chat_tokens){0};
}

/* --- segments ------------------------------------------------------------------------------- */

/* Writes to out or to text, whichever is there: one walk makes the ids and what people read. */
struct writer {
    const struct tokenizer *t;
    enum chat_template tpl;
    struct chat_tokens *out;
    struct strbuf *text;
    struct err *err;
};

static void extend_mask(struct chat_tokens *c, int64_t from, bool trained)
{
    if (c->ids.n > c->mask_cap) {
        c->mask_cap = c->ids.cap;
        c->mask = xrealloc(c->mask, (size_t)c->mask_cap);
    }
    if (c->ids.n > from)
        memset(c->mask + from, trained, (size_t)(c->ids.n - from));
}

static int put_text(struct writer *w, const char *s, size_t n, bool trained)
{
    if (n == 0)
        return 0;
    if (w->text) {
        strbuf_add(w->text, s, n);
        return 0;
    }
    int64_t from = w->out->ids.n;
    if (tokenizer_encode(w->t, s, n, TOKENIZE_PLAIN, &w->out->ids, w->err) < 0)
        return -1;
    extend_mask(w->out, from, trained);
    return 0;
}

static void put_id(struct writer *w, int32_t id, bool trained)
{
    int64_t from = w->out->ids.n;
    token_list_add(&w->out->ids, id);
    extend_mask(w->out, from, trained);
}

static int put_marker(struct writer *w, const char *name, bool trained)
{
    if (w->text) {
        strbuf_adds(w->text, name);
        return 0;
    }
    int32_t id = tokenizer_token_id(w->t, name);
    if (id < 0)
        return err_set(w->err, "the tokenizer has no '%s' token, which template '%s' needs", name,
                       chat_template_names[w->tpl].name);
    put_id(w, id, trained);
    return 0;
}

static int put_eos(struct writer *w)
{
    int32_t eos = tokenizer_eos(w->t);
    if (eos < 0)
        return err_set(w->err, "the tokenizer has no eos token, which template 'plain' needs");
    if (w->text)
        return tokenizer_decode(w->t, &eos, 1, false, w->text, w->err);
    put_id(w, eos, true);
    return 0;
}

#define THINK_OPEN "<think>"
#define THINK_CLOSE "</think>"

/* Text in which <think> and </think> become their tokens, where the tokenizer has such. */
static int put_thoughts(struct writer *w, const char *s, size_t n)
{
    int32_t open = tokenizer_token_id(w->t, THINK_OPEN);
    int32_t close = tokenizer_token_id(w->t, THINK_CLOSE);
    size_t done = 0;
    for (size_t i = 0; i < n && !w->text; i++) {
        size_t len = 0;
        int32_t id = -1;
        if (n - i >= strlen(THINK_OPEN) && memcmp(s + i, THINK_OPEN, strlen(THINK_OPEN)) == 0)
            id = open, len = strlen(THINK_OPEN);
        else if (n - i >= strlen(THINK_CLOSE) &&
                 memcmp(s + i, THINK_CLOSE, strlen(THINK_CLOSE)) == 0)
            id = close, len = strlen(THINK_CLOSE);
        if (id < 0)
            continue;
        if (put_text(w, s + done, i - done, true) < 0)
            return -1;
        put_id(w, id, true);
        done = i + len;
        i = done - 1;
    }
    return put_text(w, s + done, n - done, true);
}

static int put_think_opening(struct writer *w)
{
    if (w->text || tokenizer_token_id(w->t, THINK_OPEN) >= 0)
        return put_marker(w, THINK_OPEN, false) < 0 ? -1 : put_text(w, "\n", 1, false);
    return put_text(w, THINK_OPEN "\n", strlen(THINK_OPEN "\n"), false);
}

/* --- turns ---------------------------------------------------------------------------------- */

/* The content's text, joined from its parts if it is a list. */
static int add_content(struct strbuf *out, const json_t *message, struct err *err)
{
    const json_t *content = json_object_get(message, "content"), *part;
    size_t i;
    if (!content || json_is_null(content))
        return 0;
    if (json_is_string(content)) {
        strbuf_add(out, json_string_value(content), json_string_length(content));
        return 0;
    }
    if (!json_is_array(content))
        return err_set(err, "'content' is %s, expected a string", json_type_name(content));
    json_array_foreach (content, i, part) {
        const char *type = json_string_value(json_object_get(part, "type"));
        const json_t *text = json_object_get(part, "text");
        if ((type && strcmp(type, "text") != 0) || !json_is_string(text))
            return err_set(err, "content[%zu] is of type '%s', only text can be used", i,
                           type ? type : "?");
        strbuf_add(out, json_string_value(text), json_string_length(text));
    }
    return 0;
}

static const json_t *reasoning_of(const json_t *message)
{
    static const char *const names[] = {"reasoning_content", "reasoning", "thinking"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const json_t *s = json_object_get(message, names[i]);
        if (json_string_length(s) > 0)
            return s;
    }
    return NULL;
}

static int add_assistant_body(struct strbuf *out, const json_t *message, struct err *err)
{
    const json_t *reasoning = reasoning_of(message);
    if (reasoning) {
        strbuf_adds(out, THINK_OPEN "\n");
        strbuf_add(out, json_string_value(reasoning), json_string_length(reasoning));
        strbuf_adds(out, "\n" THINK_CLOSE "\n");
    }
    return add_content(out, message, err);
}

/* The canonical role, NULL if it is none. */
static const char *role_of(const json_t *message, struct err *err)
{
    static const char *const roles[][2] = {{"system", "system"}, {"developer", "system"},
                                           {"user", "user"},     {"assistant", "assistant"},
                                           {"tool", "tool"},     {"environment", "tool"}};
    const char *role;
    if (!json_is_object(message)) {
        err_set(err, "%s, expected an object", message ? json_type_name(message) : "nothing");
        return NULL;
    }
    if (json_get_str(message, "role", &role, err) < 0)
        return NULL;
    for (size_t i = 0; i < ARRAY_SIZE(roles); i++)
        if (strcmp(role, roles[i][0]) == 0)
            return roles[i][1];
    err_set(err, "role '%s' is not system, user, assistant or tool", role);
    return NULL;
}

/* Leaving these out without a word would train on half a conversation. */
static int refuse_tools(const json_t *message, struct err *err)
{
    static const char *const names[] = {"tool_calls", "function_calls", "functions"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const json_t *value = json_object_get(message, names[i]);
        if (json_array_size(value) > 0 || json_string_length(value) > 0)
            return err_set(err, "has '%s', which our templates cannot render", names[i]);
    }
    return 0;
}

static int put_assistant_body(struct writer *w, const json_t *message)
{
    struct strbuf body = {0};
    size_t skip = strlen(THINK_OPEN "\n");
    int rc = add_assistant_body(&body, message, w->err);
    /* What the generation prompt holds already, the model need not learn to write. */
    bool opened = rc == 0 && w->tpl == CHAT_CHATML_THINK && body.len >= skip &&
                  memcmp(body.buf, THINK_OPEN "\n", skip) == 0;
    if (opened)
        rc = put_think_opening(w);
    if (rc == 0)
        rc = put_thoughts(w, opened ? body.buf + skip : body.buf, body.len - (opened ? skip : 0));
    strbuf_release(&body);
    return rc;
}

static int put_header_and_content(struct writer *w, const char *role, const json_t *message)
{
    struct strbuf text = {0};
    if (w->tpl != CHAT_PLAIN)
        strbuf_addf(&text, "%s\n", role);
    int rc = add_content(&text, message, w->err);
    if (rc == 0)
        rc = put_text(w, text.buf, text.len, false);
    strbuf_release(&text);
    return rc;
}

static int put_turn(struct writer *w, const json_t *message)
{
    const char *role = role_of(message, w->err);
    if (!role || refuse_tools(message, w->err) < 0)
        return -1;
    bool assistant = strcmp(role, "assistant") == 0;
    if (w->tpl == CHAT_PLAIN) {
        if (!assistant)
            return put_header_and_content(w, role, message);
        return put_assistant_body(w, message) < 0 ? -1 : put_eos(w);
    }
    if (put_marker(w, "<|im_start|>", false) < 0)
        return -1;
    if (!assistant && put_header_and_content(w, role, message) < 0)
        return -1;
    if (assistant && (put_text(w, "assistant\n", strlen("assistant\n"), false) < 0 ||
                      put_assistant_body(w, message) < 0))
        return -1;
    if (put_marker(w, "<|im_end|>", assistant) < 0)
        return -1;
    return put_text(w, "\n", 1, false);
}

static int put_generation_prompt(struct writer *w)
{
    if (w->tpl == CHAT_PLAIN)
        return 0;
    if (put_marker(w, "<|im_start|>", false) < 0 ||
        put_text(w, "assistant\n", strlen("assistant\n"), false) < 0)
        return -1;
    return w->tpl == CHAT_CHATML_THINK ? put_think_opening(w) : 0;
}

static int write_chat(struct writer *w, enum chat_template tpl, const json_t *messages,
                      bool add_generation_prompt)
{
    const json_t *message;
    size_t i;
    if (chat_resolve(w->t, tpl, &w->tpl, w->err) < 0)
        return -1;
    if (!json_is_array(messages))
        return err_set(w->err, "the messages are %s, expected an array",
                       messages ? json_type_name(messages) : "missing");
    json_array_foreach (messages, i, message)
        if (put_turn(w, message) < 0)
            return err_prefix(w->err, "message %zu", i);
    return add_generation_prompt ? put_generation_prompt(w) : 0;
}

int chat_encode(const struct tokenizer *t, enum chat_template tpl, const json_t *messages,
                bool add_generation_prompt, struct chat_tokens *out, struct err *err)
{
    struct writer w = {.t = t, .out = out, .err = err};
    return write_chat(&w, tpl, messages, add_generation_prompt);
}

int chat_render(const struct tokenizer *t, enum chat_template tpl, const json_t *messages,
                bool add_generation_prompt, struct strbuf *out, struct err *err)
{
    struct writer w = {.t = t, .text = out, .err = err};
    return write_chat(&w, tpl, messages, add_generation_prompt);
}

/* --- completions ---------------------------------------------------------------------------- */

/* The inverse of the rendering: one newline beside each marker belongs to the marker. */
json_t *chat_parse_completion(enum chat_template tpl, const char *text)
{
    const char *body = text + strspn(text, " \t\r\n");
    bool opened = strncmp(body, THINK_OPEN, strlen(THINK_OPEN)) == 0;
    if (opened)
        body += strlen(THINK_OPEN);
    else
        body = text;
    if (!opened && tpl != CHAT_CHATML_THINK)
        return json_pack("{ss ss}", "role", "assistant", "content", text);
    if (opened && *body == '\n')
        body++;
    const char *close = strstr(body, THINK_CLOSE);
    size_t n = close ? (size_t)(close - body) : strlen(body);
    const char *content = close ? close + strlen(THINK_CLOSE) : "";
    if (close && n > 0 && body[n - 1] == '\n')
        n--;
    if (*content == '\n')
        content++;
    return json_pack("{ss ss% ss}", "role", "assistant", "reasoning_content", body, n, "content",
                     content);
}
