/* chat.c - conversations to token ids and loss mask, through the chat template.
 *
 * The rendered text is cut where an assistant's span begins and ends, and each piece
 * is encoded on its own: just where a generator stops reading the prompt and begins
 * to write, so both sides have the same tokens.
 */
#include "data/chat_internal.h"

#include <pthread.h>
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

/* --- which template -------------------------------------------------------------------------- */

static struct jinja *known[CHAT_PLAIN + 1];

static void compile_known(void)
{
    struct err err = {0};
    for (int i = CHAT_CHATML; i <= CHAT_PLAIN; i++) {
        const char *text = chat_template_jinja((enum chat_template)i);
        known[i] = jinja_compile(text, strlen(text), chat_template_names[i].name, &err);
        if (!known[i])
            BUG("template %d: %s", i, err.text);
    }
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
    for (int i = CHAT_CHATML; i <= CHAT_PLAIN && !tokenizer_has_tool_template(t); i++)
        if (same_text(own, chat_template_jinja((enum chat_template)i))) {
            *out = (enum chat_template)i;
            return 0;
        }
    return tokenizer_jinja(t, false, err) ? 0 : -1;
}

static const struct jinja *template_of(const struct tokenizer *t, enum chat_template tpl, bool tools,
                                       struct err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, compile_known);
    return tpl == CHAT_AUTO ? tokenizer_jinja(t, tools, err) : known[tpl];
}

/* --- what comes with the messages -------------------------------------------------------------- */

int chat_read(struct chat *c, const json_t *record, struct err *err)
{
    json_t *tools = json_object_get(record, "tools");
    json_t *variables = json_object_get(record, "chat_template_kwargs");
    *c = (struct chat){.documents = json_object_get(record, "documents")};
    if (json_opt_bool(record, "continue_final_message", &c->continue_final, err) < 0)
        return -1;
    if (json_is_string(tools) && json_string_length(tools) == 0)
        tools = NULL;
    if (json_is_string(tools)) { /* older data sets hold the list as its JSON */
        c->tools = json_parse(json_string_value(tools), json_string_length(tools), err);
        if (!c->tools)
            return err_prefix(err, "'tools'");
    } else {
        c->tools = json_incref(tools);
    }
    c->variables = variables;
    bool list = !c->tools || json_is_null(c->tools) || json_is_array(c->tools);
    if (list && (!variables || json_is_null(variables) || json_is_object(variables)))
        return 0;
    if (list)
        err_set(err, "'chat_template_kwargs' is %s, expected an object", json_type_name(variables));
    else
        err_set(err, "'tools' is %s, expected an array", json_type_name(c->tools));
    chat_release(c);
    return -1;
}

void chat_release(struct chat *c)
{
    json_decref(c->tools);
    *c = (struct chat){0};
}

/* --- checks ------------------------------------------------------------------------------------ */

/* Our own templates take text only. */
static int check_content(const json_t *message, struct err *err)
{
    const json_t *content = json_object_get(message, "content"), *part;
    size_t i;
    if (!content || json_is_null(content) || json_is_string(content))
        return 0;
    if (!json_is_array(content))
        return err_set(err, "'content' is %s, expected a string", json_type_name(content));
    json_array_foreach (content, i, part) {
        const char *type = json_string_value(json_object_get(part, "type"));
        const json_t *text = json_object_get(part, "text");
        if ((type && strcmp(type, "text") != 0) || !json_is_string(text))
            return err_set(err, "content[%zu] is of type '%s', only text can be used", i,
                           type ? type : "?");
    }
    return 0;
}

static int check_role(const char *role, struct err *err)
{
    static const char *const roles[] = {"system", "developer", "user",
                                        "assistant", "tool", "environment"};
    for (size_t i = 0; i < ARRAY_SIZE(roles); i++)
        if (strcmp(role, roles[i]) == 0)
            return 0;
    return err_set(err, "role '%s' is not system, user, assistant or tool", role);
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

static int check_message(const json_t *message, enum chat_template tpl, struct err *err)
{
    const char *role;
    if (!json_is_object(message))
        return err_set(err, "%s, expected an object", message ? json_type_name(message) : "nothing");
    if (json_get_str(message, "role", &role, err) < 0)
        return -1;
    if (tpl == CHAT_AUTO) /* the template's own affair */
        return 0;
    return check_role(role, err) < 0 || refuse_tools(message, err) < 0 ? -1
                                                                       : check_content(message, err);
}

static int check_tokens(const struct tokenizer *t, enum chat_template tpl, struct err *err)
{
    static const char *const markers[] = {"<|im_start|>", "<|im_end|>"};
    if (tpl == CHAT_PLAIN && tokenizer_eos(t) < 0)
        return err_set(err, "the tokenizer has no eos token, which template 'plain' needs");
    for (size_t i = 0; (tpl == CHAT_CHATML || tpl == CHAT_CHATML_THINK) && i < ARRAY_SIZE(markers);
         i++)
        if (tokenizer_token_id(t, markers[i]) < 0)
            return err_set(err, "the tokenizer has no '%s' token, which template '%s' needs",
                           markers[i], chat_template_names[tpl].name);
    return 0;
}

static int check_chat(const struct chat *c, enum chat_template tpl, struct err *err)
{
    const json_t *message;
    size_t i;
    if (!json_is_array(c->messages))
        return err_set(err, "the messages are %s, expected an array",
                       c->messages ? json_type_name(c->messages) : "missing");
    json_array_foreach (c->messages, i, message)
        if (check_message(message, tpl, err) < 0)
            return err_prefix(err, "message %zu", i < c->n_context ? i : i - c->n_context);
    return 0;
}

/* --- a last message to go on with ---------------------------------------------------------------- */

/* As transformers does it: a mark behind the last message shows where its text ends in the rendering. */
#define END_MARK "CONTINUE_FINAL_MESSAGE_TAG "

/* The messages with the mark behind the text of the last one; a new reference, or NULL. */
static json_t *mark_last(const json_t *messages, struct err *err)
{
    json_t *all = json_deep_copy(messages), *last = json_array_get(all, json_array_size(all) - 1);
    json_t *content = json_object_get(last, "content");
    for (size_t i = json_array_size(content); i-- > 0;)
        if (json_is_string(json_object_get(json_array_get(content, i), "text"))) {
            last = json_array_get(content, i);
            break;
        }
    const char *key = json_is_array(content) ? "text" : "content";
    const json_t *text = json_object_get(last, key);
    if (json_is_string(text)) {
        struct strbuf marked = {0};
        strbuf_add(&marked, json_string_value(text), json_string_length(text));
        strbuf_adds(&marked, END_MARK);
        json_object_set_new(last, key, json_stringn(marked.buf, marked.len));
        strbuf_release(&marked);
        return all;
    }
    json_decref(all);
    err_set(err, "'continue_final_message': the last message has no text to go on with");
    return NULL;
}

static void cut_spans(struct jinja_spans *s, size_t end)
{
    while (s->n > 0 && s->spans[s->n - 1].begin >= end)
        s->n--;
    for (size_t i = 0; i < s->n; i++)
        if (s->spans[i].end > end)
            s->spans[i].end = end;
}

static int cut_at_mark(struct jinja_output *out, struct err *err)
{
    const size_t n = strlen(END_MARK) - 1; /* a template may trim the space at its end */
    char *text = out->text.buf, *mark = NULL;
    for (char *p = text; p && (p = memmem(p, out->text.len - (size_t)(p - text), END_MARK, n)); p += n)
        mark = p;
    if (!mark)
        return err_set(err, "'continue_final_message': the chat template does not write the last message as it is");
    size_t end = (size_t)(mark - text);
    if (mark[n] != ' ') /* it trims messages, so it would have trimmed this one */
        while (end > 0 && strchr(" \t\r\n", text[end - 1]))
            end--;
    text[end] = '\0';
    out->text.len = out->origin.len = end;
    cut_spans(&out->turns, end);
    cut_spans(&out->generation, end);
    return 0;
}

static int render_open(struct chat_view *v, struct err *err)
{
    json_t *marked = mark_last(v->chat->messages, err);
    if (!marked)
        return -1;
    v->input.messages = marked;
    int rc = jinja_render(v->template, &v->input, &v->out, err);
    if (rc == 0)
        rc = cut_at_mark(&v->out, err);
    v->input.messages = v->chat->messages;
    json_decref(marked);
    return rc;
}

/* --- rendering and encoding -------------------------------------------------------------------- */

static int render(const struct tokenizer *t, enum chat_template wanted, const struct chat *c,
                  struct chat_view *v, struct err *err)
{
    enum chat_template tpl;
    if (chat_resolve(t, wanted, &tpl, err) < 0 || check_chat(c, tpl, err) < 0)
        return -1;
    *v = (struct chat_view){
        .t = t,
        .chat = c,
        .input = {.messages = c->messages,
                  .tools = c->tools,
                  .documents = c->documents,
                  .variables = c->variables,
                  .tokens = tokenizer_special_tokens(t),
                  .add_generation_prompt = c->add_generation_prompt},
        .template = template_of(t, tpl, json_array_size(c->tools) > 0, err),
    };
    if (!v->template || check_tokens(t, tpl, err) < 0)
        return -1;
    return c->continue_final ? render_open(v, err) : jinja_render(v->template, &v->input, &v->out, err);
}

static void extend_mask(struct chat_tokens *c, int64_t from, bool trained)
{
    if (c->ids.n > c->mask_cap) {
        c->mask_cap = c->ids.cap;
        c->mask = xrealloc(c->mask, (size_t)c->mask_cap);
    }
    if (c->ids.n > from)
        memset(c->mask + from, trained, (size_t)(c->ids.n - from));
}

static int encode_piece(const struct chat_view *v, size_t begin, size_t end, bool trained,
                        struct chat_tokens *out, struct err *err)
{
    int64_t from = out->ids.n;
    if (tokenizer_encode_marked(v->t, v->out.text.buf + begin, v->out.origin.buf + begin,
                                end - begin, &out->ids, err) < 0)
        return -1;
    extend_mask(out, from, trained);
    return 0;
}

static int encode_view(const struct chat_view *v, const struct jinja_spans *spans,
                       struct chat_tokens *out, struct err *err)
{
    size_t done = 0;
    for (size_t i = 0; i < spans->n; i++) {
        const struct jinja_span *s = &spans->spans[i];
        bool trained = s->message >= (int64_t)v->chat->n_context;
        if (encode_piece(v, done, s->begin, false, out, err) < 0 ||
            encode_piece(v, s->begin, s->end, trained, out, err) < 0)
            return -1;
        done = s->end;
    }
    return encode_piece(v, done, v->out.text.len, false, out, err);
}

int chat_encode(const struct tokenizer *t, enum chat_template tpl, const struct chat *c,
                struct chat_tokens *out, struct err *err)
{
    struct chat_view v = {0};
    struct jinja_spans spans = {0};
    int rc = render(t, tpl, c, &v, err);
    if (rc == 0)
        rc = chat_find_spans(&v, &spans, err);
    if (rc == 0)
        rc = encode_view(&v, &spans, out, err);
    free(spans.spans);
    jinja_output_release(&v.out);
    return rc;
}

int chat_render(const struct tokenizer *t, enum chat_template tpl, const struct chat *c,
                struct strbuf *out, struct err *err)
{
    struct chat_view v = {0};
    int rc = render(t, tpl, c, &v, err);
    if (rc == 0)
        strbuf_add(out, v.out.text.buf, v.out.text.len);
    jinja_output_release(&v.out);
    return rc;
}

void chat_tokens_release(struct chat_tokens *c)
{
    token_list_release(&c->ids);
    free(c->mask);
    *c = (struct chat_tokens){0};
}

#define THINK_OPEN "<think>"
#define THINK_CLOSE "</think>"

bool chat_opens_think(const char *prompt, size_t n)
{
    size_t open = strlen(THINK_OPEN);
    while (n > 0 && strchr(" \t\r\n", prompt[n - 1]))
        n--;
    return n >= open && memcmp(prompt + n - open, THINK_OPEN, open) == 0;
}

bool chat_ids_open_think(const struct tokenizer *t, const int32_t *ids, int64_t n)
{
    struct strbuf text = {0};
    struct err err = {0};
    int64_t last = n < 16 ? n : 16;
    bool opens = tokenizer_decode(t, ids + n - last, last, false, &text, &err) == 0 &&
                 chat_opens_think(text.buf, text.len);
    strbuf_release(&text);
    return opens;
}

/* --- completions ---------------------------------------------------------------------------- */

/* The inverse of the rendering: one newline beside each marker belongs to the marker. */
json_t *chat_parse_completion(bool think_opened, const char *text)
{
    const char *body = text + strspn(text, " \t\r\n");
    bool opened = strncmp(body, THINK_OPEN, strlen(THINK_OPEN)) == 0;
    if (opened)
        body += strlen(THINK_OPEN);
    else
        body = text;
    if (!opened && !think_opened)
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
