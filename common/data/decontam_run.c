/* decontam_run.c - records without those that hold evaluation items. */
#include "data/decontam_run.h"

#include <stdlib.h>
#include <string.h>

#include "base/freelist.h"
#include "base/log.h"
#include "base/mem.h"
#include "data/jsonl_line.h"
#include "data/record_text.h"
#include "data/stream.h"
#include "data/utf8.h"

#define EXCERPT_BYTES 200

struct scratch {
    struct decontam_scratch find;
    struct strbuf text;
};

struct run {
    const struct decontam_run_options *o;
    struct decontam *index;
    struct freelist scratch;
    struct stream_out *report;
    struct strbuf line;
    struct decontam_run_counts *counts;
    int64_t *found_in; /* [items] records that hold it */
};

static void round_up_to_char(const char *text, size_t n, size_t *end)
{
    while (*end < n && ((unsigned char)text[*end] & 0xc0) == 0x80)
        ++*end;
}

/* Into rec->scratch: matches, each with the beginning of what was found. */
struct noted {
    struct decontam_match match;
    size_t n; /* of the excerpt behind this */
};

static void note_matches(const struct scratch *t, struct strbuf *out)
{
    strbuf_clear(out);
    for (size_t i = 0; i < t->find.n_matches; i++) {
        const struct decontam_match *m = &t->find.matches[i];
        size_t end = m->end - m->begin > EXCERPT_BYTES ? m->begin + EXCERPT_BYTES : m->end;
        round_up_to_char(t->text.buf, t->text.len, &end);
        struct noted noted = {*m, end - m->begin};
        strbuf_add(out, &noted, sizeof noted);
        strbuf_add(out, t->text.buf + m->begin, noted.n);
    }
}

static int process(void *self, struct record *rec, struct emit *out, struct err *err)
{
    struct run *r = self;
    struct scratch *t = freelist_take(&r->scratch);
    (void)out;
    if (!t)
        t = xcalloc(1, sizeof *t);
    int rc = record_text(rec, &r->o->text_fields, &t->text, err);
    if (rc == 0) {
        decontam_find(r->index, &t->find, t->text.buf, t->text.len);
        note_matches(t, rec->scratch);
    }
    freelist_give(&r->scratch, t);
    return rc;
}

static void add_item(json_t *obj, const struct eval_item *it)
{
    json_object_set_new(obj, "eval", json_string(it->set));
    json_object_set_new(obj, "line", json_integer(it->line));
    if (it->id)
        json_object_set_new(obj, "item", json_string(it->id));
}

static void add_share(json_t *obj, const char *name, const struct eval_item *it,
                      const struct decontam_match *m, int kind)
{
    if (it->parts[kind].n)
        json_object_set_new(obj, name, json_float(m->parts[kind]));
}

static json_t *match_object(const struct run *r, const struct decontam_match *m)
{
    const struct eval_item *it = decontam_item(r->index, m->item);
    json_t *obj = json_object();
    add_item(obj, it);
    json_object_set_new(obj, "part", json_string(m->kind == PART_QUESTION ? "question" : "answer"));
    json_object_set_new(obj, "score", json_float(m->score));
    add_share(obj, "question", it, m, PART_QUESTION);
    add_share(obj, "answer", it, m, PART_ANSWER);
    add_share(obj, "passage", it, m, PART_PASSAGE);
    json_object_set_new(obj, "begin", json_integer((json_int_t)m->begin));
    json_object_set_new(obj, "end", json_integer((json_int_t)m->end));
    return obj;
}

static int report_match(struct run *r, const struct record *rec, const struct noted *noted,
                        const char *excerpt, struct err *err)
{
    struct strbuf text = {0};
    json_t *obj = json_object(), *match = match_object(r, &noted->match);
    record_id(rec, &text);
    json_object_set_new(obj, "id", json_stringn(text.buf, text.len));
    json_object_update(obj, match);
    strbuf_clear(&text);
    utf8_repair(&text, excerpt, noted->n);
    json_object_set_new(obj, "found", json_stringn(text.buf, text.len));
    json_object_set_new(obj, "record_line", json_integer(rec->line));
    json_object_set_new(obj, "file", json_string(rec->file));
    strbuf_clear(&r->line);
    json_write(&r->line, obj);
    strbuf_addc(&r->line, '\n');
    json_decref(match);
    json_decref(obj);
    strbuf_release(&text);
    return stream_out_write(r->report, r->line.buf, r->line.len, err);
}

static int emit_marked(struct run *r, struct record *rec, const struct noted *best, size_t n,
                       struct emit *out, struct err *err)
{
    json_t *obj = line_parse(rec->text, rec->n, rec->cut, err);
    if (!obj)
        return JSONL_STOP; /* it was parsed before */
    json_t *mark = match_object(r, &best->match);
    json_object_set_new(mark, "items", json_integer((json_int_t)n));
    json_object_set_new(obj, "contamination", mark);
    emit(out, obj);
    json_decref(obj);
    return 0;
}

static int decide(void *self, struct record *rec, struct emit *out, struct err *err)
{
    struct run *r = self;
    const char *p = rec->scratch->buf, *end = p + rec->scratch->len;
    struct noted noted, best = {.n = 0};
    size_t n = 0;
    r->counts->records++;
    if (rec->scratch->len == 0) {
        emit_line(out, rec);
        return 0;
    }
    for (; p < end; p += sizeof noted + noted.n, n++) {
        memcpy(&noted, p, sizeof noted);
        if (n == 0)
            best = noted;
        r->counts->items_found += r->found_in[noted.match.item]++ == 0;
        if (r->report && report_match(r, rec, &noted, p + sizeof noted, err) < 0)
            return JSONL_STOP;
    }
    r->counts->contaminated++;
    return r->o->mark ? emit_marked(r, rec, &best, n, out, err) : 0;
}

/* "gsm8k=data/test.jsonl" has a name, "data/a=b.jsonl" has none. */
static int add_set(struct run *r, const char *arg, struct err *err)
{
    const char *equals = strchr(arg, '=');
    bool named = equals && equals > arg && !memchr(arg, '/', (size_t)(equals - arg));
    struct strbuf name = {0};
    utf8_repair(&name, arg, named ? (size_t)(equals - arg) : strlen(arg));
    int rc = decontam_add_set(r->index, name.buf, named ? equals + 1 : arg, err);
    strbuf_release(&name);
    return rc;
}

static int add_sets(struct run *r, struct err *err)
{
    for (int i = 0; i < r->o->against.n; i++)
        if (add_set(r, r->o->against.items[i], err) < 0)
            return -1;
    decontam_index(r->index);
    r->counts->items = *decontam_counts(r->index);
    if (r->counts->items.items == 0)
        return err_set(err, "the evaluation sets have no items");
    if (r->counts->items.too_short)
        log_warn("%lld evaluation items have no part long enough to look for (--min-words)",
                 (long long)r->counts->items.too_short);
    return 0;
}

static void release(struct run *r)
{
    for (struct scratch *t; (t = freelist_take(&r->scratch)) != NULL; free(t)) {
        decontam_scratch_release(&t->find);
        strbuf_release(&t->text);
    }
    freelist_release(&r->scratch);
    strbuf_release(&r->line);
    decontam_close(r->index);
    free(r->found_in);
}

static int run_filter(struct run *r, const char **files, int n_files, struct err *err)
{
    struct jsonl_filter f = {
        .self = r, .process = process, .decide = decide, .unparsed = true, .shard = r->o->shard};
    if (r->o->report && !(r->report = stream_out_open(r->o->report, err)))
        return -1;
    int rc = jsonl_run(&f, files, n_files, err);
    if (r->report && rc == 0)
        rc = stream_out_commit(r->report, err);
    else
        stream_out_abort(r->report);
    return rc;
}

int decontam_run(const struct decontam_run_options *o, const char **files, int n_files,
                 struct decontam_run_counts *counts, struct err *err)
{
    struct run r = {.o = o, .scratch = FREELIST_INIT, .counts = counts};
    *counts = (struct decontam_run_counts){0};
    r.index = decontam_open(&o->find);
    int rc = add_sets(&r, err);
    if (rc == 0) {
        r.found_in = xcalloc((size_t)counts->items.items, sizeof *r.found_in);
        rc = run_filter(&r, files, n_files, err);
    }
    release(&r);
    return rc;
}
