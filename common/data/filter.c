/* filter.c - records that pass the rules. */
#include "data/filter.h"

#include <stdlib.h>
#include <string.h>

#include "base/freelist.h"
#include "base/mem.h"
#include "data/filter_internal.h"
#include "data/json_flat.h"
#include "data/jsonl_line.h"
#include "data/record_text.h"
#include "data/response.h"
#include "data/stream.h"

struct scratch {
    struct filtered t;
    struct strbuf text, why;
};

struct filter {
    struct filter_options o;
    struct rule *rules;
    int n_rules, cap_rules;
    struct freelist scratch;
    struct stream_out *dropped;
    struct strbuf line;
};

struct filter *filter_open(const struct filter_options *o, struct err *err)
{
    struct filter *f = xcalloc(1, sizeof *f);
    f->o = *o;
    f->scratch = (struct freelist)FREELIST_INIT;
    int rc = o->rules.n ? 0 : err_set(err, "no rule is given");
    for (int i = 0; i < o->rules.n && rc == 0; i++)
        rc = rules_add(&f->rules, &f->n_rules, &f->cap_rules, o->rules.items[i], err);
    if (rc == 0)
        return f;
    filter_close(f);
    return NULL;
}

int64_t filter_count(const struct filter *f, int i, const char **name)
{
    *name = i < f->n_rules ? f->rules[i].name : NULL;
    return *name ? f->rules[i].dropped : 0;
}

void filter_close(struct filter *f)
{
    for (struct scratch *s; (s = freelist_take(&f->scratch)) != NULL; free(s)) {
        words_release(&s->t.words);
        free(s->t.seen);
        free(s->t.count);
        strbuf_release(&s->text);
        strbuf_release(&s->why);
    }
    freelist_release(&f->scratch);
    rules_release(f->rules, f->n_rules);
    strbuf_release(&f->line);
    free(f);
}

/* The text that is looked at. */

static bool is_conversation(const json_t *obj)
{
    return json_object_get(obj, "messages") || json_object_get(obj, "completion") ||
           json_object_get(obj, "response");
}

/* What the assistant said before its last turn. */
static void add_earlier_turns(const json_t *messages, const json_t *last, struct strbuf *out,
                              int *n_found)
{
    size_t i;
    json_t *m;
    json_array_foreach(messages, i, m)
    {
        const char *role = json_string_value(json_object_get(m, "role"));
        if (m == last || !role || strcmp(role, "assistant") != 0)
            continue;
        json_t *one = json_pack("[O]", m);
        value_text(one, out, n_found);
        json_decref(one);
    }
}

static int conversation_text(const json_t *obj, struct scratch *s, struct err *err)
{
    struct response r = {0};
    struct err none = {0};
    const json_t *messages = json_object_get(obj, "messages");
    int n_found = 0;
    bool answered = response_read(obj, &r, &none) == 0;
    if (!answered && !json_is_array(messages))
        return err_set(err, "%s", none.text);
    add_earlier_turns(messages, r.message, &s->text, &n_found);
    if (answered) {
        if (n_found)
            strbuf_adds(&s->text, "\n\n");
        size_t answer_at = s->text.len + (size_t)(r.answer - r.text);
        strbuf_adds(&s->text, r.text);
        s->t.answer = s->text.buf + answer_at;
        if (json_array_size(json_object_get(r.message, "tool_calls")))
            s->t.answer = "a call of a tool";
    }
    s->t.not_done = !answered     ? "the last turn is not the assistant's"
                    : r.truncated ? "it was cut at the limit of tokens"
                                  : NULL;
    response_release(&r);
    return 0;
}

/* Flat documents are not parsed. */
static int read_text(const struct filter *f, struct record *rec, struct scratch *s, struct err *err)
{
    struct json_member members[JSON_FLAT_MEMBERS];
    strbuf_clear(&s->text);
    s->t.answer = s->t.not_done = NULL;
    if (f->o.text_fields.n)
        return record_text(rec, &f->o.text_fields, &s->text, err);
    int n = json_flat(rec->text, rec->n, members);
    if (n >= 0 && json_flat_find(members, n, "text"))
        return record_text(rec, &f->o.text_fields, &s->text, err);
    json_t *obj = line_parse(rec->text, rec->n, rec->cut, err);
    if (!obj)
        return -1;
    int rc;
    if (is_conversation(obj)) {
        rc = conversation_text(obj, s, err);
    } else {
        rec->obj = obj;
        rc = record_text(rec, &f->o.text_fields, &s->text, err);
        rec->obj = NULL;
    }
    json_decref(obj);
    return rc;
}

/* Into rec->scratch, for unfit records: the number of the rule, then why. */
static int process(void *self, struct record *rec, struct emit *out, struct err *err)
{
    struct filter *f = self;
    struct scratch *s = freelist_take(&f->scratch);
    (void)out;
    if (!s)
        s = xcalloc(1, sizeof *s);
    strbuf_clear(rec->scratch);
    int rc = read_text(f, rec, s, err);
    if (rc == 0) {
        s->t.text = s->text.buf;
        s->t.n = s->text.len;
        words_of(&s->t.words, s->t.text, s->t.n);
    }
    for (int i = 0; rc == 0 && i < f->n_rules; i++) {
        strbuf_clear(&s->why);
        if (!f->rules[i].unfit(&f->rules[i], &s->t, &s->why))
            continue;
        strbuf_add(rec->scratch, &i, sizeof i);
        strbuf_add(rec->scratch, s->why.buf, s->why.len);
        break;
    }
    freelist_give(&f->scratch, s);
    return rc;
}

static json_t *marked(const struct filter *f, const struct record *rec, int rule, struct err *err)
{
    json_t *obj = line_parse(rec->text, rec->n, rec->cut, err);
    if (!obj)
        return NULL;
    json_t *mark = json_object();
    json_object_set_new(mark, "rule", json_string(f->rules[rule].name));
    json_object_set_new(
        mark, "why",
        json_stringn(rec->scratch->buf + sizeof rule, rec->scratch->len - sizeof rule));
    json_object_set_new(obj, "filter", mark);
    return obj;
}

static int decide(void *self, struct record *rec, struct emit *out, struct err *err)
{
    struct filter *f = self;
    int rule, rc = 0;
    if (rec->scratch->len == 0) {
        emit_line(out, rec);
        return 0;
    }
    memcpy(&rule, rec->scratch->buf, sizeof rule);
    f->rules[rule].dropped++;
    if (!f->o.mark && !f->dropped)
        return 0;
    json_t *obj = marked(f, rec, rule, err);
    if (obj && f->o.mark)
        emit(out, obj);
    if (obj && f->dropped) {
        strbuf_clear(&f->line);
        json_write(&f->line, obj);
        strbuf_addc(&f->line, '\n');
        rc = stream_out_write(f->dropped, f->line.buf, f->line.len, err);
    }
    json_decref(obj);
    return obj && rc == 0 ? 0 : JSONL_STOP;
}

int filter_run(struct filter *f, const char **files, int n_files, struct err *err)
{
    struct jsonl_filter jsonl = {
        .self = f, .process = process, .decide = decide, .unparsed = true, .shard = f->o.shard};
    if (f->o.dropped && !(f->dropped = stream_out_open(f->o.dropped, err)))
        return -1;
    int rc = jsonl_run(&jsonl, files, n_files, err);
    if (f->dropped && rc == 0)
        rc = stream_out_commit(f->dropped, err);
    else
        stream_out_abort(f->dropped);
    return rc;
}
