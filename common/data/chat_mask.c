/* chat_mask.c - which part of a rendered conversation the assistant wrote.
 *
 * Where the template has {% generation %}, it says so itself.  Elsewhere a turn is what
 * one pass of the template's loop over the messages wrote for an assistant's message.
 * Its head is what a generation prompt ends in, for that is given to a model, not
 * written by it; its tail is the white space behind the token that ends the turn.
 */
#include <stdlib.h>
#include <string.h>

#include "data/chat_internal.h"

static bool is_assistant(const struct chat_view *v, int64_t message)
{
    const json_t *m = json_array_get(v->input.messages, (size_t)message);
    const char *role = json_string_value(json_object_get(m, "role"));
    return role && strcmp(role, "assistant") == 0;
}

static bool has_assistant(const struct chat_view *v)
{
    for (size_t i = 0; i < json_array_size(v->input.messages); i++)
        if (is_assistant(v, (int64_t)i))
            return true;
    return false;
}

static void add(struct jinja_spans *s, size_t begin, size_t end, int64_t message)
{
    GROW(s->spans, s->n, s->cap);
    s->spans[s->n++] = (struct jinja_span){begin, end, message};
}

/* --- marked by the template -------------------------------------------------------------------- */

static int64_t message_at(const struct jinja_spans *turns, size_t at)
{
    for (size_t i = 0; i < turns->n; i++)
        if (at >= turns->spans[i].begin && at < turns->spans[i].end)
            return turns->spans[i].message;
    return -1;
}

static int marked_spans(const struct chat_view *v, struct jinja_spans *out, struct err *err)
{
    for (size_t i = 0; i < v->out.generation.n; i++) {
        const struct jinja_span *s = &v->out.generation.spans[i];
        int64_t message = message_at(&v->out.turns, s->begin);
        if (message < 0 && v->chat->n_context > 0)
            return err_set(err, "the chat template marks {%% generation %%} outside of a loop over "
                                "the messages: prompt and completion cannot be told apart");
        add(out, s->begin, s->end, message < 0 ? 0 : message);
    }
    return 0;
}

/* --- found by the generation prompt ------------------------------------------------------------ */

/* What add_generation_prompt appends.  The two renderings must not differ elsewhere. */
static int generation_prompt(const struct chat_view *v, struct strbuf *out, struct err *err)
{
    struct jinja_input in = v->input;
    struct jinja_output other = {0};
    in.add_generation_prompt = !in.add_generation_prompt;
    if (jinja_render(v->template, &in, &other, err) < 0) {
        jinja_output_release(&other);
        return -1;
    }
    const struct strbuf *with = in.add_generation_prompt ? &other.text : &v->out.text;
    const struct strbuf *without = in.add_generation_prompt ? &v->out.text : &other.text;
    int rc = 0;
    if (with->len >= without->len && memcmp(with->buf, without->buf, without->len) == 0)
        strbuf_add(out, with->buf + without->len, with->len - without->len);
    else
        rc = err_set(err, "the chat template's generation prompt does not follow the conversation, "
                          "so the loss mask is not known: the template needs {%% generation %%}");
    jinja_output_release(&other);
    return rc;
}

/* The end of the last added token that the template itself wrote in [begin, end); 0 = none. */
static size_t last_marker(const struct chat_view *v, size_t begin, size_t end)
{
    size_t at = begin, last = 0, token_begin, token_end;
    while (tokenizer_find_marked(v->t, v->out.text.buf, v->out.origin.buf, end, at, &token_begin,
                                 &token_end)) {
        last = token_end;
        at = token_end;
    }
    return last;
}

/* How many bytes of the turn the generation prompt gave.  If they part inside of it, the head ends
 * at the last line or marker before, so that no word is cut. */
static size_t head_of(const struct chat_view *v, const struct jinja_span *turn,
                      const struct strbuf *prompt)
{
    const char *text = v->out.text.buf + turn->begin, *origin = v->out.origin.buf + turn->begin;
    size_t n = turn->end - turn->begin, same = 0;
    if (prompt->len <= n && memcmp(text, prompt->buf, prompt->len) == 0)
        return prompt->len;
    while (same < n && same < prompt->len && text[same] == prompt->buf[same] &&
           origin[same] == JINJA_TEMPLATE)
        same++;
    size_t marker = last_marker(v, turn->begin, turn->begin + same);
    size_t head = marker > 0 ? marker - turn->begin : 0;
    for (size_t i = head; i < same; i++)
        if (text[i] == '\n')
            head = i + 1;
    return head;
}

static bool all_space(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strchr(" \t\r\n", s[i]) || !s[i])
            return false;
    return true;
}

static size_t tail_of(const struct chat_view *v, size_t begin, size_t end)
{
    size_t marker = last_marker(v, begin, end);
    return marker > 0 && all_space(v->out.text.buf + marker, end - marker) ? marker : end;
}

static int found_spans(const struct chat_view *v, struct jinja_spans *out, struct err *err)
{
    struct strbuf prompt = {0};
    int64_t done = -1;
    int rc = generation_prompt(v, &prompt, err);
    strbuf_reserve(&prompt, 1);
    for (size_t i = 0; i < v->out.turns.n && rc == 0; i++) {
        const struct jinja_span *turn = &v->out.turns.spans[i];
        if (!is_assistant(v, turn->message))
            continue;
        size_t head = head_of(v, turn, &prompt);
        size_t end = tail_of(v, turn->begin + head, turn->end);
        if (turn->message <= done)
            rc = err_set(err, "the chat template writes message %lld twice: its loss mask is not "
                              "known", (long long)turn->message);
        else if (head == 0 && !all_space(prompt.buf, prompt.len))
            rc = err_set(err, "the chat template begins message %lld otherwise than its generation "
                              "prompt: its loss mask is not known", (long long)turn->message);
        else
            add(out, turn->begin + head, end, turn->message);
        done = turn->message;
    }
    if (rc == 0 && out->n == 0)
        rc = err_set(err, "the chat template does not loop over the messages, so the loss mask is "
                          "not known: the template needs {%% generation %%}");
    strbuf_release(&prompt);
    return rc;
}

int chat_find_spans(const struct chat_view *v, struct jinja_spans *out, struct err *err)
{
    if (jinja_marks_generation(v->template))
        return marked_spans(v, out, err);
    return has_assistant(v) ? found_spans(v, out, err) : 0;
}
