/* record_text.c - all the text of a record, whatever its kind. */
#include "data/record_text.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/json_flat.h"
#include "data/jsonl_line.h"

static const char *const usual[] = {"text",       "messages", "conversations", "prompt",
                                    "question",   "problem",  "instruction",   "input",
                                    "completion", "response", "responses",     "output",
                                    "answer",     "solution", "chosen",        "rejected"};

static void begin_string(struct strbuf *out, int *n_found)
{
    if (++*n_found > 1)
        strbuf_adds(out, "\n\n");
}

/* A string, a list of messages or strings, or a message's list of parts. */
void value_text(const json_t *value, struct strbuf *out, int *n_found)
{
    static const char *const keys[] = {"text",     "reasoning_content", "reasoning",
                                       "thinking", "content",           "value"};
    size_t i;
    const json_t *item;
    if (json_is_string(value)) {
        begin_string(out, n_found);
        strbuf_add(out, json_string_value(value), json_string_length(value));
    }
    json_array_foreach(value, i, item)
    {
        if (json_is_string(item))
            value_text(item, out, n_found);
        for (size_t k = 0; k < ARRAY_SIZE(keys); k++)
            value_text(json_object_get(item, keys[k]), out, n_found);
    }
}

const json_t *value_at(const json_t *obj, const char *path)
{
    const json_t *value = json_object_get(obj, path);
    const char *dot = value ? NULL : strchr(path, '.');
    while (dot && !value) {
        char *head = xstrndup(path, (size_t)(dot - path));
        const json_t *inner = json_object_get(obj, head);
        free(head);
        value = inner ? value_at(inner, dot + 1) : NULL;
        dot = strchr(dot + 1, '.');
    }
    return value;
}

static void object_text(const json_t *obj, const struct opt_list *fields, struct strbuf *out,
                        int *n_found)
{
    for (int i = 0; i < fields->n; i++)
        value_text(value_at(obj, fields->items[i]), out, n_found);
    for (size_t i = 0; i < ARRAY_SIZE(usual) && fields->n == 0; i++) {
        value_text(json_object_get(obj, usual[i]), out, n_found);
        if (i == 0 && *n_found)
            break;
    }
}

static int no_text(const struct opt_list *fields, struct err *err)
{
    if (fields->n == 1)
        return err_set(err, "the record has no text in '%s'", fields->items[0]);
    if (fields->n > 1)
        return err_set(err, "the record has no text in '%s' or the other fields", fields->items[0]);
    return err_set(err, "the record has no text in 'text', 'messages', 'prompt' or their like "
                        "(--text-field)");
}

static void add_member(const struct json_member *m, struct strbuf *out, int *n_found)
{
    if (!m || !m->string)
        return;
    begin_string(out, n_found);
    json_flat_string(m, out);
}

static void flat_text(const struct json_member *members, int n, const struct opt_list *fields,
                      struct strbuf *out, int *n_found)
{
    for (int i = 0; i < fields->n; i++)
        add_member(json_flat_find(members, n, fields->items[i]), out, n_found);
    for (size_t i = 0; i < ARRAY_SIZE(usual) && fields->n == 0; i++) {
        add_member(json_flat_find(members, n, usual[i]), out, n_found);
        if (i == 0 && *n_found)
            break;
    }
}

int record_text(const struct record *rec, const struct opt_list *fields, struct strbuf *out,
                struct err *err)
{
    struct json_member members[JSON_FLAT_MEMBERS];
    int n_found = 0, n = -1;
    strbuf_clear(out);
    if (rec->obj) {
        object_text(rec->obj, fields, out, &n_found);
    } else if ((n = json_flat(rec->text, rec->n, members)) >= 0) {
        flat_text(members, n, fields, out, &n_found);
    } else {
        json_t *obj = line_parse(rec->text, rec->n, rec->cut, err);
        if (!obj)
            return -1;
        object_text(obj, fields, out, &n_found);
        json_decref(obj);
    }
    return n_found ? 0 : no_text(fields, err);
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
