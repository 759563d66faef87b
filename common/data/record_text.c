/* record_text.c - all the text of a record, whatever its kind. */
#include "data/record_text.h"

#include <string.h>

#include "base/mem.h"
#include "data/json_flat.h"
#include "data/jsonl_line.h"

static const char *const fields[] = {"text",       "messages", "prompt",
                                     "completion", "chosen",   "rejected"};

static void begin_string(struct strbuf *out, int *n_found)
{
    if (++*n_found > 1)
        strbuf_adds(out, "\n\n");
}

/* A string, a list of messages, or a message's list of parts. */
static void add_said(const json_t *value, struct strbuf *out, int *n_found)
{
    static const char *const keys[] = {"text", "reasoning_content", "reasoning", "thinking",
                                       "content"};
    size_t i;
    const json_t *item;
    if (json_is_string(value)) {
        begin_string(out, n_found);
        strbuf_add(out, json_string_value(value), json_string_length(value));
    }
    json_array_foreach(value, i, item)
    {
        if (json_is_string(item))
            add_said(item, out, n_found);
        for (size_t k = 0; k < ARRAY_SIZE(keys); k++)
            add_said(json_object_get(item, keys[k]), out, n_found);
    }
}

void object_text(const json_t *obj, const char *field, struct strbuf *out, int *n_found)
{
    *n_found = 0;
    for (size_t i = 0; i < ARRAY_SIZE(fields) && !field; i++)
        add_said(json_object_get(obj, fields[i]), out, n_found);
    if (field)
        add_said(json_object_get(obj, field), out, n_found);
}

static int no_text(const char *field, struct err *err)
{
    if (field)
        return err_set(err, "the record has no text in '%s'", field);
    return err_set(err, "the record has no text in 'text', 'messages', 'prompt', 'completion', "
                        "'chosen' or 'rejected'");
}

static void add_member(const struct json_member *m, struct strbuf *out, int *n_found)
{
    if (!m || !m->string)
        return;
    begin_string(out, n_found);
    json_flat_string(m, out);
}

int record_text(const struct record *rec, const char *field, struct strbuf *out, struct err *err)
{
    struct json_member members[JSON_FLAT_MEMBERS];
    int n_found = 0, n = -1;
    strbuf_clear(out);
    if (rec->obj) {
        object_text(rec->obj, field, out, &n_found);
    } else if ((n = json_flat(rec->text, rec->n, members)) >= 0) {
        for (size_t i = 0; i < ARRAY_SIZE(fields) && !field; i++)
            add_member(json_flat_find(members, n, fields[i]), out, &n_found);
        if (field)
            add_member(json_flat_find(members, n, field), out, &n_found);
    } else {
        json_t *obj = line_parse(rec->text, rec->n, rec->cut, err);
        if (!obj)
            return -1;
        object_text(obj, field, out, &n_found);
        json_decref(obj);
    }
    return n_found ? 0 : no_text(field, err);
}

void record_id(const struct record *rec, struct strbuf *out)
{
    struct json_member members[JSON_FLAT_MEMBERS];
    strbuf_clear(out);
    int n = rec->obj ? -1 : json_flat(rec->text, rec->n, members);
    const struct json_member *m = n >= 0 ? json_flat_find(members, n, "id") : NULL;
    if (m && m->string) {
        json_flat_string(m, out);
    } else if (m) {
        strbuf_add(out, m->value, m->value_bytes);
    } else if (n < 0) {
        struct err unused = {0};
        json_t *obj =
            rec->obj ? json_incref(rec->obj) : line_parse(rec->text, rec->n, rec->cut, &unused);
        const json_t *id = json_object_get(obj, "id");
        if (json_is_string(id))
            strbuf_add(out, json_string_value(id), json_string_length(id));
        else if (id)
            json_write(out, id);
        json_decref(obj);
    }
    if (out->len == 0)
        strbuf_addf(out, "%s:%lld", rec->file, (long long)rec->line);
}
