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

/* What follows the last turn. */
static const char *behind_turns(const struct jinja_output *out)
{
    return out->text.buf + (out->turns.n ? out->turns.spans[out->turns.n - 1].end : 0);
}

/* What add_generation_prompt appends: a template may write something else in its place. */
static int generation_prompt(const struct chat_view *v, struct strbuf *out, struct err *err)
{
    struct jinja_input in = v->input;
    struct jinja_output other = {0};
    in.add_generation_prompt = !in.add_generation_prompt;
    int rc = jinja_render(v->template, &in, &other, err);
    if (rc == 0 && v->out.turns.n != other.turns.n)
        rc = err_set(err, "the chat template's generation prompt changes the turns before it, so the "
                          "loss mask is not known: the template needs {%% generation %%}");
    if (rc == 0 && other.turns.n > 0) {
        const char *with = behind_turns(in.add_generation_prompt ? &other : &v->out);
        const char *without = behind_turns(in.add_generation_prompt ? &v->out : &other);
        size_t n = strlen(without);
        strbuf_adds(out, strncmp(with, without, n) == 0 ? with + n : with);
    }
    jinja_output_release(&other);
    return rc;
}

static bool all_space(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strchr(" \t\r\n", s[i]) || !s[i])
            return false;
    return true;
}

/* Where the template's own words stop and the assistant's begin; the end if it has none. */
static size_t first_word(const struct chat_view *v, const struct jinja_span *turn)
{
    const char *p = memchr(v->out.origin.buf + turn->begin, JINJA_ASSISTANT,
                           turn->end - turn->begin);
    return p ? (size_t)(p - v->out.origin.buf) : turn->end;
}

/* The end of the last place in the turn, not behind its first word, that reads prompt[0, n). */
static size_t end_of_head(const struct chat_view *v, const struct jinja_span *turn,
                          const struct strbuf *prompt, size_t n)
{
    size_t limit = first_word(v, turn);
    for (size_t at = limit + 1; at-- > turn->begin;) {
        if (turn->end - at < n || memcmp(v->out.text.buf + at, prompt->buf, n) != 0)
            continue;
        /* A part of the prompt must be the template's; all of it may be quoted by the assistant. */
        if (n == prompt->len || at + n <= limit)
            return at + n;
    }
    return 0;
}

/* May the head end behind prompt[0, n)?  At a line's or a marker's end, but not at a marker with a
 * word behind it: that word is the role. */
static bool may_part(const struct strbuf *prompt, size_t n)
{
    char last = prompt->buf[n - 1], next = prompt->buf[n];
    bool word = (next >= 'a' && next <= 'z') || (next >= 'A' && next <= 'Z');
    return last == '\n' || (last == '>' && !word);
}

/* A head that no generation prompt gives; <think> is no head. */
static bool has_marked_head(const struct chat_view *v, const struct jinja_span *turn)
{
    const char *text = v->out.text.buf + turn->begin, *origin = v->out.origin.buf + turn->begin;
    size_t n = first_word(v, turn) - turn->begin;
    if (turn->begin + n == turn->end || strncmp(text, "<think>", strlen("<think>")) == 0)
        return false;
    return tokenizer_last_marked(v->t, text, origin, n) > 0;
}

/* Where the assistant's words begin: behind what a generation prompt gives, or behind the longest
 * part of it that the turn has; 0 = it has none. */
static size_t after_head(const struct chat_view *v, const struct jinja_span *turn,
                         const struct strbuf *prompt)
{
    for (size_t n = prompt->len; n > 0; n--) {
        size_t end = n == prompt->len || may_part(prompt, n)
                         ? end_of_head(v, turn, prompt, n)
                         : 0;
        if (end > 0)
            return end;
    }
    if (v->out.origin.buf[turn->begin] == JINJA_ASSISTANT)
        return turn->begin;
    return all_space(prompt->buf, prompt->len) && !has_marked_head(v, turn) ? turn->begin : 0;
}

/* Without the white space behind the token that ends the turn. */
static size_t tail_of(const struct chat_view *v, size_t begin, size_t end)
{
    const char *text = v->out.text.buf + begin;
    size_t marker = tokenizer_last_marked(v->t, text, v->out.origin.buf + begin, end - begin);
    return marker > 0 && all_space(text + marker, end - begin - marker) ? begin + marker : end;
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
        size_t begin = after_head(v, turn, &prompt);
        if (turn->message <= done)
            rc = err_set(err, "the chat template writes message %lld twice: its loss mask is not "
                              "known", (long long)turn->message);
        else if (begin < turn->begin)
            rc = err_set(err, "the chat template begins message %lld otherwise than its generation "
                              "prompt: its loss mask is not known", (long long)turn->message);
        else
            add(out, begin, tail_of(v, begin, turn->end), turn->message);
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
