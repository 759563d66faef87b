/* response.c - the two halves of a generation record: what was asked and what was answered. */
#include "data/response.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define OPEN_TAG "<think>"
#define CLOSE_TAG "</think>"

static bool has_role(const json_t *message, const char *role)
{
    const char *value = json_string_value(json_object_get(message, "role"));
    return value && strcmp(value, role) == 0;
}

static const json_t *trailing_assistant(const json_t *messages)
{
    size_t n = json_array_size(messages);
    const json_t *last = n ? json_array_get(messages, n - 1) : NULL;
    return last && has_role(last, "assistant") ? last : NULL;
}

/* C strings end at a NUL; a judge must not be blind to what comes after one. */
static void add_string(struct strbuf *out, const json_t *string)
{
    size_t start = out->len, n = json_string_length(string);
    strbuf_add(out, json_string_value(string), n);
    for (size_t i = start; i < start + n; i++) {
        if (out->buf[i] == '\0')
            out->buf[i] = ' ';
    }
}

void response_add_content(struct strbuf *out, const json_t *content)
{
    size_t i;
    json_t *part;
    if (json_is_string(content))
        add_string(out, content);
    json_array_foreach(content, i, part)
    {
        const json_t *text = json_object_get(part, "text");
        if (json_is_string(text))
            add_string(out, text);
    }
}

static const json_t *reasoning_of(const json_t *message)
{
    static const char *const names[] = {"reasoning_content", "reasoning", "thinking"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const json_t *text = json_object_get(message, names[i]);
        if (json_is_string(text) && json_string_length(text) > 0)
            return text;
    }
    return NULL;
}

static void add_message(struct strbuf *out, const json_t *message)
{
    const json_t *reasoning = reasoning_of(message);
    if (reasoning) {
        strbuf_adds(out, OPEN_TAG "\n");
        add_string(out, reasoning);
        strbuf_adds(out, "\n" CLOSE_TAG "\n");
    }
    response_add_content(out, json_object_get(message, "content"));
}

static bool ends_with(const char *text, size_t n, const char *tail)
{
    size_t m = strlen(tail);
    return n >= m && memcmp(text + n - m, tail, m) == 0;
}

/* The chat template chatml-think ends its generation prompt in an open <think>. */
static bool prompt_opens_think(const json_t *record)
{
    const char *tpl = json_string_value(json_object_get(record, "template"));
    const char *prompt = json_string_value(json_object_get(record, "prompt"));
    if (json_is_true(json_object_get(record, "think_opened")))
        return true;
    if (tpl && strcmp(tpl, "chatml-think") == 0)
        return true;
    if (!prompt)
        return false;
    size_t n = strlen(prompt);
    while (n > 0 && prompt[n - 1] == '\n')
        n--;
    return ends_with(prompt, n, OPEN_TAG);
}

static const char *skip_blank(const char *s)
{
    return s + strspn(s, " \t\r\n");
}

static const char *last_of(const char *text, const char *what)
{
    const char *found = NULL;
    for (const char *p = strstr(text, what); p; p = strstr(p + 1, what))
        found = p;
    return found;
}

static const char *find_answer(const char *text, bool opened)
{
    const char *close = last_of(text, CLOSE_TAG);
    if (close)
        return skip_blank(close + strlen(CLOSE_TAG));
    bool opens = strncmp(skip_blank(text), OPEN_TAG, strlen(OPEN_TAG)) == 0;
    return opened || opens ? text + strlen(text) : text;
}

/* Absent, messages or, if that may be, a string. */
static int check_form(const json_t *record, const char *key, bool may_be_text, struct err *err)
{
    const json_t *value = json_object_get(record, key), *message;
    const char *role;
    size_t i;
    if (!value || json_is_null(value) || (may_be_text && json_is_string(value)))
        return 0;
    if (!json_is_array(value))
        return err_set(err, "'%s' is %s, expected %s", key, json_type_name(value),
                       may_be_text ? "a string or messages" : "an array");
    json_array_foreach(value, i, message)
    {
        if (!json_is_object(message))
            return err_set(err, "message %zu of '%s' is %s, expected an object", i, key, json_type_name(message));
        if (json_get_str(message, "role", &role, err) < 0)
            return err_prefix(err, "message %zu of '%s'", i, key);
    }
    return 0;
}

int response_check_prompt(const json_t *record, struct err *err)
{
    return check_form(record, "prompt", true, err);
}

static int read_text(const json_t *record, struct strbuf *text, const json_t **message,
                     struct err *err)
{
    const json_t *completion = json_object_get(record, "completion");
    const json_t *response = json_object_get(record, "response");
    if (json_is_string(completion)) {
        add_string(text, completion);
        return 0;
    }
    *message = trailing_assistant(completion);
    if (!*message)
        *message = trailing_assistant(json_object_get(record, "messages"));
    if (*message) {
        add_message(text, *message);
        return 0;
    }
    if (!json_is_string(response))
        return err_set(err, "no response: expected 'completion', an assistant turn at the end of "
                            "'messages', or 'response'");
    add_string(text, response);
    return 0;
}

int response_read(const json_t *record, struct response *out, struct err *err)
{
    struct strbuf text = {0};
    const char *reason = NULL;
    *out = (struct response){0};
    if (check_form(record, "completion", true, err) < 0 || check_form(record, "messages", false, err) < 0 ||
        json_opt_str(record, "finish_reason", &reason, err) < 0 ||
        read_text(record, &text, &out->message, err) < 0) {
        strbuf_release(&text);
        return -1;
    }
    out->truncated = reason && strcmp(reason, "length") == 0;
    /* A message shows its own beginning; only bare text may start inside the thinking. */
    out->think_opened = !out->message && prompt_opens_think(record);
    out->text = strbuf_detach(&text, NULL);
    out->answer = find_answer(out->text, out->think_opened);
    return 0;
}

void response_release(struct response *r)
{
    free(r->text);
    *r = (struct response){0};
}

static json_t *string_of(const char *text, size_t n)
{
    json_t *s = json_stringn(text, n);
    return s ? s : json_stringn_nocheck(text, n);
}

/* Splits at the first </think>, as the chat templates do. */
json_t *response_message(const struct response *r)
{
    if (r->message)
        return json_deep_copy(r->message);
    json_t *m = json_pack("{s:s}", "role", "assistant");
    const char *text = skip_blank(r->text), *close = strstr(text, CLOSE_TAG);
    bool opens = strncmp(text, OPEN_TAG, strlen(OPEN_TAG)) == 0;
    if (!close || !(opens || r->think_opened || !strstr(text, OPEN_TAG))) {
        json_object_set_new(m, "content", string_of(r->text, strlen(r->text)));
        return m;
    }
    const char *from = skip_blank(opens ? text + strlen(OPEN_TAG) : text), *to = close;
    while (to > from && strchr(" \t\r\n", to[-1]))
        to--;
    const char *content = skip_blank(close + strlen(CLOSE_TAG));
    json_object_set_new(m, "reasoning_content",
                        string_of(from, to > from ? (size_t)(to - from) : 0));
    json_object_set_new(m, "content", string_of(content, strlen(content)));
    return m;
}

json_t *response_prompt(const json_t *record)
{
    const json_t *messages = json_object_get(record, "messages");
    const json_t *prompt = json_object_get(record, "prompt");
    if (!json_is_array(messages) && json_is_array(prompt))
        messages = prompt;
    if (!json_is_array(messages))
        return json_is_string(prompt) ? json_deep_copy(prompt) : NULL;
    json_t *copy = json_deep_copy(messages);
    if (messages != prompt && json_array_size(copy) > 1 && trailing_assistant(copy))
        json_array_remove(copy, json_array_size(copy) - 1);
    return copy;
}

static void add_message_key(struct strbuf *out, const json_t *message)
{
    const char *role = json_string_value(json_object_get(message, "role"));
    struct strbuf text = {0};
    response_add_content(&text, json_object_get(message, "content"));
    /* Lengths in front, so that no content can look like the next message. */
    strbuf_addf(out, "%s:%zu:", role ? role : "", text.len);
    strbuf_add(out, text.len ? text.buf : "", text.len);
    strbuf_release(&text);
}

bool response_prompt_key(const json_t *record, struct strbuf *out)
{
    json_t *prompt = response_prompt(record), *message;
    const json_t *ids = json_object_get(record, "prompt_token_ids");
    size_t i;
    if (json_is_string(prompt)) {
        strbuf_adds(out, "text:");
        strbuf_add(out, json_string_value(prompt), json_string_length(prompt));
    } else if (prompt) {
        strbuf_adds(out, "messages:");
        json_array_foreach(prompt, i, message) add_message_key(out, message);
    } else if (json_is_array(ids)) {
        strbuf_adds(out, "ids:");
        json_write(out, ids);
    }
    bool found = prompt || json_is_array(ids);
    json_decref(prompt);
    return found;
}
