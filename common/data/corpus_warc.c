/* corpus_warc.c - WARC 1.0 and 1.1 (ISO 28500): what was crawled.
 *
 * The bodies of `response` and `resource` records that are text, and the text of
 * `conversion` records (WET files), each under the name ARCHIVE!URI.  HTTP headers are
 * left out, chunked bodies are joined; a body in another content coding and what is no text is
 * passed over.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "data/corpus_part.h"
#include "data/utf8.h"

#define HEADER_BYTES ((size_t)64 << 10) /* of one line */
#define HEADER_LINES 1000

struct warc {
    struct corpus *corpus;
    struct stream *stream;
    const char *path;
    struct strbuf line;
    /* The current record. */
    char *type, *uri;
    bool has_length, is_http, is_text;
    int64_t left, read; /* bytes of it that were not read yet, that were handed out */
    bool chunked;
    int64_t chunk_left; /* of the current chunk; -1: the last one was read */
};

static int bad_warc(const struct warc *w, const char *what, struct err *err)
{
    return err_set(err, "WARC '%s', byte %lld: %s", w->path, (long long)stream_offset(w->stream),
                   what);
}

/* A line of header; counts it off the record once inside. */
static int header_line(struct warc *w, bool inside, struct err *err)
{
    int64_t before = stream_offset(w->stream);
    int rc = stream_line(w->stream, &w->line, HEADER_BYTES, NULL, err);
    if (inside)
        w->left -= stream_offset(w->stream) - before;
    if (inside && rc > 0 && w->left < 0)
        return bad_warc(w, "a header runs over the record's end", err);
    return rc;
}

/* "Name: value": the value if the line has that name. */
static const char *value_of(const char *line, const char *name)
{
    size_t n = strlen(name);
    if (strncasecmp(line, name, n) != 0 || line[n] != ':')
        return NULL;
    return line + n + 1 + strspn(line + n + 1, " \t");
}

static bool is_text_type(const char *type)
{
    return strncasecmp(type, "text/", 5) == 0 || strncasecmp(type, "application/json", 16) == 0 ||
           strncasecmp(type, "application/xhtml", 17) == 0 ||
           strncasecmp(type, "application/xml", 15) == 0;
}

static int warc_field(struct warc *w, const char *line, struct err *err)
{
    const char *value;
    if ((value = value_of(line, "WARC-Type"))) {
        free(w->type);
        w->type = xstrdup(value);
    } else if ((value = value_of(line, "WARC-Target-URI"))) {
        free(w->uri); /* 1.0 has it in <> at times */
        w->uri = *value == '<' ? xstrndup(value + 1, strcspn(value + 1, ">")) : xstrdup(value);
    } else if ((value = value_of(line, "Content-Type"))) {
        w->is_http = strncasecmp(value, "application/http", 16) == 0;
        w->is_text = is_text_type(value);
    } else if ((value = value_of(line, "Content-Length"))) {
        char *end;
        w->left = strtoll(value, &end, 10);
        w->has_length = true;
        if (end == value || *end || w->left < 0)
            return bad_warc(w, "no Content-Length", err);
    }
    return 0;
}

/* 1 = a record begins and its header was read, 0 = end, -1 = error. */
static int next_record(struct warc *w, struct err *err)
{
    int rc;
    while ((rc = header_line(w, false, err)) > 0 && w->line.len == 0)
        ;
    if (rc <= 0)
        return rc;
    if (strncmp(w->line.buf, "WARC/1.", 7) != 0)
        return bad_warc(w, "no record begins here", err);
    free(w->type);
    free(w->uri);
    w->type = w->uri = NULL;
    w->has_length = w->is_http = w->is_text = w->chunked = false;
    for (int i = 0;; i++) {
        rc = header_line(w, false, err);
        if (rc <= 0)
            return rc < 0 ? -1 : bad_warc(w, "a header is cut", err);
        if (w->line.len == 0)
            break;
        if (i == HEADER_LINES)
            return bad_warc(w, "a header has no end", err);
        if (warc_field(w, w->line.buf, err) < 0)
            return -1;
    }
    return w->type && w->has_length ? 1 : bad_warc(w, "a header lacks type or length", err);
}

/* Bodies. */

static ssize_t read_plain(struct warc *w, void *buf, size_t n, struct err *err)
{
    if ((int64_t)n > w->left)
        n = (size_t)w->left;
    ssize_t got = n ? stream_read(w->stream, buf, n, err) : 0;
    if (got > 0)
        w->left -= got;
    return n && got == 0 ? bad_warc(w, "a record is cut", err) : got;
}

/* Moves to the next chunk of RFC 9112, 7.1. */
static int next_chunk(struct warc *w, struct err *err)
{
    do
        if (w->left <= 0 || header_line(w, true, err) <= 0)
            return err->set ? -1 : bad_warc(w, "a chunk is cut", err);
    while (w->line.len == 0);
    char *end;
    long long size = strtoll(w->line.buf, &end, 16);
    if (end == w->line.buf || size < 0 || size > w->left)
        return bad_warc(w, "a chunk has no length", err);
    w->chunk_left = size ? size : -1;
    return 0;
}

static ssize_t read_chunked(struct warc *w, void *buf, size_t n, struct err *err)
{
    if (w->chunk_left == 0 && next_chunk(w, err) < 0)
        return -1;
    if (w->chunk_left < 0)
        return 0;
    ssize_t got = read_plain(w, buf, (int64_t)n < w->chunk_left ? n : (size_t)w->chunk_left, err);
    if (got > 0)
        w->chunk_left -= got;
    return got;
}

static ssize_t read_body(void *self, void *buf, size_t n, struct err *err)
{
    struct warc *w = self;
    ssize_t got = w->chunked ? read_chunked(w, buf, n, err) : read_plain(w, buf, n, err);
    w->read += got > 0 ? got : 0;
    if (w->read > w->corpus->o.max_bytes)
        return err_set(err, "'%s!%s' holds more than %lld bytes (--max-bytes)", w->path,
                       w->uri ? w->uri : "", (long long)w->corpus->o.max_bytes);
    return got;
}

/* Reads the header of HTTP; true in *wanted for a body of text that can be read as it stands. */
static int http_header(struct warc *w, bool *wanted, struct err *err)
{
    bool text = false, coded = false, ok = false;
    for (int i = 0; w->left > 0; i++) {
        if (header_line(w, true, err) < 0)
            return -1;
        if (i == 0)
            ok = strncmp(w->line.buf, "HTTP/", 5) == 0 && strstr(w->line.buf, " 200");
        if (w->line.len == 0)
            break;
        const char *value = value_of(w->line.buf, "Content-Type");
        text |= value && is_text_type(value);
        value = value_of(w->line.buf, "Content-Encoding");
        coded |= value && strncasecmp(value, "identity", 8) != 0;
        value = value_of(w->line.buf, "Transfer-Encoding");
        w->chunked |= value && strcasestr(value, "chunked");
        if (i == HEADER_LINES)
            return bad_warc(w, "a header of HTTP has no end", err);
    }
    *wanted = ok && text && !coded;
    w->chunk_left = 0;
    return 0;
}

static int skip_rest(struct warc *w, struct err *err)
{
    char waste[16384];
    while (w->left > 0)
        if (read_plain(w, waste, sizeof waste, err) < 0)
            return -1;
    return 0;
}

static int use_record(struct warc *w, struct err *err)
{
    struct strbuf name = {0};
    bool wanted = w->is_text;
    bool body = w->uri && (strcmp(w->type, "response") == 0 || strcmp(w->type, "resource") == 0 ||
                           strcmp(w->type, "conversion") == 0);
    if (!body)
        return 0;
    if (w->is_http && http_header(w, &wanted, err) < 0)
        return -1;
    if (!wanted) {
        w->corpus->counts.passed_over++;
        return 0;
    }
    strbuf_addf(&name, "%s!", w->path);
    utf8_repair(&name, w->uri, strlen(w->uri));
    int rc = 0;
    if (corpus_wants(w->corpus, w->uri)) {
        struct stream *s = stream_from(name.buf, (struct stream_source){w, read_body});
        w->read = 0;
        rc = corpus_read_stream(w->corpus, s, name.buf, err);
        stream_close(s);
    }
    strbuf_release(&name);
    return rc;
}

int corpus_read_warc(struct corpus *c, struct stream *s, struct err *err)
{
    struct warc w = {.corpus = c, .stream = s, .path = stream_name(s)};
    int64_t n = 0;
    int rc;
    while ((rc = next_record(&w, err)) > 0) {
        progress("records", ++n, 0, "%s", w.path);
        if ((rc = use_record(&w, err)) < 0 || (rc = skip_rest(&w, err)) < 0)
            break;
    }
    if (rc == 0 && n == 0)
        rc = err_set(err, "'%s' holds no WARC record", w.path);
    strbuf_release(&w.line);
    free(w.type);
    free(w.uri);
    return rc;
}
