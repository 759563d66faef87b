/* corpus_csv.c - CSV (RFC 4180) and TSV: one document a row.
 *
 * The first row names the columns.  CSV fields may be quoted, and then hold
 * separators, line ends and doubled quotes; TSV has no quoting.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/corpus_part.h"
#include "data/jsonl.h"
#include "data/utf8.h"

#define MAX_COLUMNS 10000

struct csv {
    struct stream *stream;
    char separator;
    int64_t line; /* of the next byte */
    /* The current row. */
    struct strbuf text; /* the fields, each with a NUL behind it */
    size_t *starts;     /* [n + 1] */
    int n, cap;
    int64_t row_offset, row_line;
    bool bad_quote, too_long;
};

/* Or STREAM_END, STREAM_FAILED. */
static int next_byte(struct csv *v, struct err *err)
{
    int b = stream_see_byte(v->stream, err);
    if (b >= 0)
        stream_take_byte(v->stream);
    v->line += b == '\n';
    return b;
}

static void begin_field(struct csv *v)
{
    GROW(v->starts, v->n + 1, v->cap);
    v->starts[v->n] = v->text.len;
}

static void end_field(struct csv *v)
{
    strbuf_addc(&v->text, '\0');
    if (v->n < MAX_COLUMNS)
        v->n++;
    begin_field(v);
}

static void add_byte(struct csv *v, int b)
{
    if ((int64_t)v->text.len < jsonl_options.max_line_bytes)
        strbuf_addc(&v->text, (char)b);
    else
        v->too_long = true;
}

static void drop_cr(struct csv *v)
{
    if (v->text.len > v->starts[v->n] && v->text.buf[v->text.len - 1] == '\r')
        v->text.len--;
}

/* A quoted field from behind its first quote; returns the byte behind the closing quote. */
static int read_quoted(struct csv *v, struct err *err)
{
    for (;;) {
        int b = next_byte(v, err);
        if (b == '"') {
            b = next_byte(v, err);
            if (b != '"')
                return b;
        }
        if (b < 0) {
            v->bad_quote = b == STREAM_END;
            return b;
        }
        add_byte(v, b);
    }
}

/* 1 = a row, 0 = end, -1 = error. */
static int next_row(struct csv *v, struct err *err)
{
    strbuf_clear(&v->text);
    v->n = 0;
    v->bad_quote = v->too_long = false;
    v->row_offset = stream_offset(v->stream);
    v->row_line = v->line;
    begin_field(v);
    int b = next_byte(v, err);
    if (b < 0)
        return b == STREAM_END ? 0 : -1;
    for (;;) {
        bool quoted = b == '"' && v->separator == ',';
        if (quoted)
            b = read_quoted(v, err);
        while (b >= 0 && b != '\n' && b != v->separator) {
            v->bad_quote |= quoted && b != '\r';
            if (!quoted)
                add_byte(v, b);
            b = next_byte(v, err);
        }
        if (!quoted && b != v->separator)
            drop_cr(v);
        end_field(v);
        if (b != v->separator)
            return b == STREAM_FAILED ? -1 : 1;
        b = next_byte(v, err);
    }
}

static const char *field(const struct csv *v, int i, size_t *n)
{
    *n = v->starts[i + 1] - v->starts[i] - 1;
    return v->text.buf + v->starts[i];
}

static json_t *repaired_string(const char *text, size_t n)
{
    struct strbuf s = {0};
    utf8_repair(&s, text, n);
    strbuf_reserve(&s, 0);
    json_t *value = json_stringn(s.buf, s.len);
    strbuf_release(&s);
    return value;
}

/* The header row as an array of names; the text's column in *text_column. */
static json_t *read_header(struct corpus *c, struct csv *v, const char *source, int *text_column,
                           struct err *err)
{
    json_t *names = json_array();
    int rc = next_row(v, err);
    *text_column = -1;
    for (int i = 0; rc > 0 && i < v->n; i++) {
        size_t n;
        const char *name = field(v, i, &n);
        if (i == 0 && n >= 3 && memcmp(name, "\xef\xbb\xbf", 3) == 0) {
            name += 3;
            n -= 3;
        }
        if (n == strlen(c->o.text_field) && memcmp(name, c->o.text_field, n) == 0)
            *text_column = i;
        json_array_append_new(names, repaired_string(name, n));
    }
    if (rc > 0 && *text_column < 0)
        rc = err_set(err, "%s: no column '%s' (--text-field)", source, c->o.text_field);
    if (rc >= 0)
        return names;
    json_decref(names);
    return NULL;
}

static int emit_row(struct corpus *c, struct csv *v, const json_t *names, int text_column,
                    const char *source, struct err *err)
{
    int n_names = (int)json_array_size(names);
    if (v->too_long)
        return err_set(err, "the row is longer than %lld bytes",
                       (long long)jsonl_options.max_line_bytes);
    if (v->bad_quote)
        return err_set(err, "a quoted field does not end in a quote and a separator");
    if (v->n != n_names)
        return err_set(err, "the row has %d fields, the header has %d", v->n, n_names);
    json_t *fields = json_object();
    size_t n;
    for (int i = 0; i < v->n; i++) {
        const char *text = field(v, i, &n);
        if (i != text_column)
            json_object_set_new(fields, json_string_value(json_array_get(names, (size_t)i)),
                                repaired_string(text, n));
    }
    struct corpus_text t = {.source = source, .offset = v->row_offset, .fields = fields};
    t.text = field(v, text_column, &t.n);
    int rc = corpus_emit(c, &t, err);
    json_decref(fields);
    return rc;
}

static int read_rows(struct corpus *c, struct csv *v, const json_t *names, int text_column,
                     const char *source, struct err *err)
{
    int rc;
    while ((rc = next_row(v, err)) > 0) {
        struct err why = {0};
        if (v->n == 1 && v->text.len == 1)
            continue; /* a blank line */
        if (emit_row(c, v, names, text_column, source, &why) == 0)
            continue;
        for (size_t i = 0; i < v->text.len; i++) /* about as it stood in the file */
            if (v->text.buf[i] == '\0')
                v->text.buf[i] = v->separator;
        if (corpus_bad(c, source, v->row_line, v->text.buf, v->text.len - 1, &why) < 0) {
            *err = why;
            return -1;
        }
    }
    return rc;
}

int corpus_read_csv(struct corpus *c, struct stream *s, const char *source, char separator,
                    struct err *err)
{
    struct csv v = {.stream = s, .separator = separator, .line = 1};
    int text_column;
    json_t *names = read_header(c, &v, source, &text_column, err);
    int rc = names ? read_rows(c, &v, names, text_column, source, err) : -1;
    json_decref(names);
    strbuf_release(&v.text);
    free(v.starts);
    return rc;
}
