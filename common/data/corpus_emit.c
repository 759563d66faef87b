/* corpus_emit.c - a text becomes documents, and documents become lines. */
#include <string.h>
#include <xxhash.h>

#include "data/corpus_part.h"
#include "data/json_flat.h"
#include "data/utf8.h"

static void document_id(char id[20], const char *source, int64_t offset, const char *text, size_t n)
{
    uint64_t seed = XXH3_64bits(source, strlen(source)) + (uint64_t)offset;
    snprintf(id, 20, "%016llx", (unsigned long long)XXH3_64bits_withSeed(text, n, seed));
}

static void set_default(json_t *doc, const char *key, json_t *value)
{
    if (json_object_get(doc, key))
        json_decref(value);
    else
        json_object_set_new(doc, key, value);
}

/* Hands out the line in c->out, a document of n bytes of text. */
static int print_document(struct corpus *c, size_t n, struct err *err)
{
    strbuf_addc(&c->out, '\n');
    int rc = c->sink(c->self, c->out.buf, c->out.len, err);
    c->stopped = rc < 0;
    c->counts.documents++;
    c->counts.bytes += (int64_t)n;
    return rc;
}

static int emit_piece(struct corpus *c, const struct corpus_text *t, const char *text, size_t n,
                      bool whole, struct err *err)
{
    char id[20];
    int64_t offset = t->offset + (int64_t)(text - c->repaired.buf);
    json_t *doc = json_object();
    document_id(id, t->source, offset, text, n);
    /* Its own id, unless it was cut: ids must be unique. */
    const json_t *own = whole ? json_object_get(t->fields, "id") : NULL;
    json_object_set_new(doc, "id", own ? json_copy((json_t *)(uintptr_t)own) : json_string(id));
    json_object_set_new(doc, "text", json_stringn(text, n));
    const char *key;
    json_t *value;
    json_t *fields = (json_t *)(uintptr_t)t->fields; /* the iterators of jansson change nothing */
    json_object_foreach(fields, key, value) if (strcmp(key, c->o.text_field) != 0)
        set_default(doc, key, json_incref(value));
    set_default(doc, "source", json_string(t->source));
    if (c->o.domain)
        json_object_set_new(doc, "domain", json_string(c->o.domain));
    json_object_set_new(doc, "offset", json_integer(offset));
    strbuf_clear(&c->out);
    json_write(&c->out, doc);
    json_decref(doc);
    return print_document(c, n, err);
}

static bool shorter_than(const char *text, size_t n, int64_t chars)
{
    return chars > 1 && (int64_t)n < chars * 4 && corpus_cut(text, n, chars - 1) == n;
}

bool corpus_is_blank(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strchr(" \t\r\n\f\v", text[i]) || !text[i])
            return false;
    return true;
}

int corpus_emit(struct corpus *c, const struct corpus_text *t, struct err *err)
{
    strbuf_clear(&c->repaired);
    c->counts.repaired += utf8_repair(&c->repaired, t->text, t->n);
    const char *text = c->repaired.buf;
    size_t left = c->repaired.len;
    bool whole = true;
    c->counts.short_documents += left == 0;
    while (left > 0) {
        size_t n = c->o.max_chars ? corpus_cut(text, left, c->o.max_chars) : left;
        whole = whole && n == left;
        if (corpus_is_blank(text, n) || shorter_than(text, n, c->o.min_chars))
            c->counts.short_documents++;
        else if (emit_piece(c, t, text, n, whole, err) < 0)
            return -1;
        text += n;
        left -= n;
    }
    return 0;
}

/* A flat record of JSON lines, without a tree: its members are copied as they stand.  Gives the
 * same bytes as corpus_emit(). */

static bool key_is(const struct json_member *m, const char *key)
{
    return m->key_bytes == strlen(key) && memcmp(m->key, key, m->key_bytes) == 0;
}

static void write_key(struct strbuf *out, const struct json_member *m)
{
    strbuf_adds(out, ",\"");
    strbuf_add(out, m->key, m->key_bytes);
    strbuf_adds(out, "\":");
}

static void write_string_value(struct corpus *c, const struct json_member *m)
{
    strbuf_clear(&c->piece);
    json_flat_string(m, &c->piece);
    json_write_string(&c->out, c->piece.buf, c->piece.len);
}

static void write_value(struct corpus *c, const struct json_member *m)
{
    if (m->string && !m->canonical) {
        write_string_value(c, m);
        return;
    }
    if (m->string)
        strbuf_addc(&c->out, '"');
    strbuf_add(&c->out, m->value, m->value_bytes);
    if (m->string)
        strbuf_addc(&c->out, '"');
}

static void write_string_member(struct strbuf *out, const char *key, const char *value)
{
    strbuf_addf(out, ",\"%s\":", key);
    json_write_string(out, value, strlen(value));
}

static void write_members(struct corpus *c, const char *source, int64_t offset,
                          const struct json_member *members, int n)
{
    bool has_source = false, has_domain = false, has_offset = false;
    for (int i = 0; i < n; i++) {
        const struct json_member *m = &members[i];
        if (key_is(m, "id") || key_is(m, "text") || key_is(m, c->o.text_field))
            continue;
        has_source |= key_is(m, "source");
        if (c->o.domain && key_is(m, "domain")) {
            write_string_member(&c->out, "domain", c->o.domain);
            has_domain = true;
        } else if (key_is(m, "offset")) {
            strbuf_addf(&c->out, ",\"offset\":%lld", (long long)offset);
            has_offset = true;
        } else {
            write_key(&c->out, m);
            write_value(c, m);
        }
    }
    if (!has_source)
        write_string_member(&c->out, "source", source);
    if (c->o.domain && !has_domain)
        write_string_member(&c->out, "domain", c->o.domain);
    if (!has_offset)
        strbuf_addf(&c->out, ",\"offset\":%lld", (long long)offset);
}

/* Numbers with a point may be written otherwise than they stand. */
static bool writable(const struct json_member *members, int n)
{
    for (int i = 0; i < n; i++)
        if (!members[i].string && !members[i].canonical)
            return false;
    return true;
}

int corpus_emit_flat(struct corpus *c, const char *source, int64_t offset, const char *line,
                     size_t n_line, struct err *err)
{
    struct json_member members[JSON_FLAT_MEMBERS];
    int n = c->o.max_chars ? -1 : json_flat(line, n_line, members);
    const struct json_member *text = n < 0 ? NULL : json_flat_find(members, n, c->o.text_field);
    if (!text || !text->string || !writable(members, n))
        return 0;
    strbuf_clear(&c->repaired);
    json_flat_string(text, &c->repaired);
    const char *bytes = c->repaired.buf;
    size_t n_bytes = c->repaired.len;
    if (corpus_is_blank(bytes, n_bytes) || shorter_than(bytes, n_bytes, c->o.min_chars)) {
        c->counts.short_documents++;
        return 1;
    }
    const struct json_member *id = json_flat_find(members, n, "id");
    strbuf_clear(&c->out);
    strbuf_adds(&c->out, "{\"id\":");
    if (id) {
        write_value(c, id);
    } else {
        char hash[20];
        document_id(hash, source, offset, bytes, n_bytes);
        strbuf_addf(&c->out, "\"%s\"", hash);
    }
    strbuf_adds(&c->out, ",\"text\":");
    write_value(c, text);
    write_members(c, source, offset, members, n);
    strbuf_addc(&c->out, '}');
    return print_document(c, n_bytes, err) < 0 ? -1 : 1;
}
