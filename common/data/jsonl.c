/* jsonl.c - JSON-lines: the bad-record policy, the reader and the writer of single records. */
#include "data/jsonl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/tool.h"
#include "data/jsonl_line.h"
#include "data/utf8.h"

#define BAD_LINES_SHOWN 10

struct jsonl_options jsonl_options = {
    .max_rejects = -1,
    /* jansson takes some twenty times the text's size in the worst case ("[0,0,..."). */
    .max_line_bytes = (int64_t)64 << 20,
};

static int check_options(struct err *err)
{
    if (jsonl_options.skip_bad)
        return 0;
    if (opt_given("rejects"))
        return err_set(err, "--rejects needs --skip-bad");
    if (opt_given("max-rejects"))
        return err_set(err, "--max-rejects needs --skip-bad");
    return 0;
}

const struct opt jsonl_option_table[] = {
    OPT_GROUP("Bad records"),
    OPT_FLAG(0, "skip-bad", &jsonl_options.skip_bad, "set bad records aside and go on"),
    OPT_STR(0, "rejects", &jsonl_options.rejects, "FILE",
            "where --skip-bad writes them, as JSON lines"),
    OPT_INT(0, "max-rejects", &jsonl_options.max_rejects, "N",
            "status 3 after more than N (-1: no limit)", -1, 0x1p53),
    OPT_INT(0, "max-line-bytes", &jsonl_options.max_line_bytes, "N",
            "bytes; a longer line is a bad record", 1, 0x1p33),
    OPT_CHECK(check_options),
    OPT_END,
};

/* Bad records. */

static FILE *rejects_file; /* opened by the first reader, so that it exists even if empty */

static int open_rejects(struct err *err)
{
    if (!jsonl_options.rejects || rejects_file)
        return 0;
    if (tool_check_output(jsonl_options.rejects, err) < 0)
        return -1;
    rejects_file = fopen(jsonl_options.rejects, "we");
    return rejects_file ? 0 : err_errno(err, "cannot create '%s'", jsonl_options.rejects);
}

/* One line, flushed: bad records are few, and a later crash must not lose the account of them. */
static int write_reject(const char *file, int64_t line, const char *raw, size_t n, const char *why,
                        struct err *err)
{
    struct strbuf text = {0}, out = {0};
    utf8_repair(&text, raw, n);
    strbuf_reserve(&text, 0);
    json_t *obj = json_object();
    json_object_set_new(obj, "file", json_string(file));
    json_object_set_new(obj, "line", json_integer(line));
    json_object_set_new(obj, "error", json_string(why));
    json_object_set_new(obj, "raw", json_stringn(text.buf, text.len));
    json_write(&out, obj);
    strbuf_addc(&out, '\n');
    int rc = 0;
    if (fwrite(out.buf, 1, out.len, rejects_file) != out.len || fflush(rejects_file) != 0)
        rc = err_errno(err, "cannot write '%s'", jsonl_options.rejects);
    json_decref(obj);
    strbuf_release(&text);
    strbuf_release(&out);
    return rc;
}

static int name_place(const char *file, int64_t line, struct err *why)
{
    return line ? err_prefix(why, "%s:%lld", file, (long long)line) : err_prefix(why, "%s", file);
}

int jsonl_bad_record(const char *file, int64_t line, const char *raw, size_t n, struct err *why)
{
    struct err failure = {0};
    if (!jsonl_options.skip_bad)
        return name_place(file, line, why);
    int rc = open_rejects(&failure);
    tool_counts.rejected++;
    if (rc == 0 && rejects_file)
        rc = write_reject(file, line, raw, n, why->text, &failure);
    name_place(file, line, why);
    if (rc < 0) {
        *why = failure;
        return -1;
    }
    if (jsonl_options.max_rejects >= 0 && tool_counts.rejected > jsonl_options.max_rejects) {
        why->status = EXIT_LIMIT;
        return err_prefix(why, "more than %lld bad records (--max-rejects), the last is",
                          (long long)jsonl_options.max_rejects);
    }
    if (tool_counts.rejected <= BAD_LINES_SHOWN)
        log_warn("skipped %s", why->text);
    else if (tool_counts.rejected == BAD_LINES_SHOWN + 1)
        log_warn("more bad records are skipped without a message");
    err_clear(why);
    return 0;
}

/* Lines of several files. */

int lines_open(struct lines *l, const char **files, int n_files, struct err *err)
{
    *l = (struct lines){.files = files, .n_files = n_files, .next_file = 0};
    return open_rejects(err);
}

void lines_close(struct lines *l)
{
    stream_close(l->stream);
    l->stream = NULL;
}

static int next_stream(struct lines *l, struct err *err)
{
    int n = l->n_files ? l->n_files : 1;
    if (l->next_file >= n)
        return 0;
    const char *path = l->n_files ? l->files[l->next_file] : "-";
    l->next_file++;
    l->stream = stream_open(path, err);
    if (!l->stream)
        return -1;
    /* The name outlives the stream: records of one batch may come from several files. */
    l->file = strcmp(path, "-") == 0 ? "stdin" : path;
    l->line = 0;
    return 1;
}

static bool is_blank(const struct strbuf *s)
{
    for (size_t i = 0; i < s->len; i++)
        if (s->buf[i] != ' ' && s->buf[i] != '\t' && s->buf[i] != '\r')
            return false;
    return true;
}

static void drop_bom(struct strbuf *s)
{
    if (s->len >= 3 && memcmp(s->buf, "\xef\xbb\xbf", 3) == 0) {
        s->len -= 3;
        memmove(s->buf, s->buf + 3, s->len + 1);
    }
}

int lines_next(struct lines *l, struct strbuf *text, bool *cut, struct err *bad, struct err *err)
{
    for (;;) {
        int rc = l->stream ? 1 : next_stream(l, err);
        if (rc <= 0)
            return rc;
        struct err why = {0};
        rc = stream_line(l->stream, text, (size_t)jsonl_options.max_line_bytes, cut, &why);
        if (rc == 0) {
            lines_close(l);
            continue;
        }
        l->line++;
        if (rc < 0 && !stream_line_too_long(l->stream)) {
            *err = why;
            return -1;
        }
        if (l->line == 1)
            drop_bom(text);
        if (rc > 0 && is_blank(text))
            continue;
        *bad = why;
        tool_counts.in++;
        l->index++;
        return 1;
    }
}

bool lines_ready(const struct lines *l)
{
    return !l->stream || stream_ready(l->stream);
}

json_t *line_parse(const char *text, size_t n, bool cut, struct err *err)
{
    json_t *obj = json_parse(text, n, err);
    if (!obj && cut)
        err_prefix(err, "the line is cut (no newline at its end)");
    if (obj && !json_is_object(obj)) {
        err_set(err, "the record is %s, expected an object", json_type_name(obj));
        json_decref(obj);
        obj = NULL;
    }
    return obj;
}

/* The reader. */

struct jsonl_reader {
    struct lines lines;
    struct strbuf text;
};

struct jsonl_reader *jsonl_reader_open(const char **files, int n_files, struct err *err)
{
    struct jsonl_reader *r = xcalloc(1, sizeof *r);
    if (lines_open(&r->lines, files, n_files, err) < 0) {
        free(r);
        return NULL;
    }
    return r;
}

struct jsonl_reader *jsonl_reader_from(struct stream *stream, struct err *err)
{
    struct jsonl_reader *r = jsonl_reader_open(NULL, 0, err);
    if (!r) {
        stream_close(stream);
        return NULL;
    }
    r->lines.stream = stream;
    r->lines.file = stream_name(stream);
    r->lines.next_file = 1; /* there is no other */
    return r;
}

int jsonl_reader_next(struct jsonl_reader *r, struct record *rec, struct err *err)
{
    for (;;) {
        struct err bad = {0};
        bool cut = false;
        int rc = lines_next(&r->lines, &r->text, &cut, &bad, err);
        if (rc <= 0)
            return rc;
        *rec = (struct record){
            .file = r->lines.file, .line = r->lines.line, .index = r->lines.index - 1};
        if (!bad.set)
            rec->obj = line_parse(r->text.buf, r->text.len, cut, &bad);
        if (rec->obj)
            return 1;
        if (jsonl_reader_reject(r, rec, &bad) < 0) {
            *err = bad;
            return -1;
        }
    }
}

bool jsonl_reader_ready(const struct jsonl_reader *r)
{
    return lines_ready(&r->lines);
}

int jsonl_reader_reject(struct jsonl_reader *r, const struct record *rec, struct err *why)
{
    return jsonl_bad_record(rec->file, rec->line, r->text.buf, r->text.len, why);
}

void jsonl_reader_close(struct jsonl_reader *r)
{
    if (!r)
        return;
    lines_close(&r->lines);
    strbuf_release(&r->text);
    free(r);
}

int jsonl_print_line(const char *line, size_t n, struct err *err)
{
    if (fwrite(line, 1, n, stdout) != n)
        return err_errno(err, "cannot write standard output");
    tool_counts.out++;
    return 0;
}

int jsonl_print(const json_t *obj, struct err *err)
{
    static struct strbuf line; /* kept: this is called once a record */
    strbuf_clear(&line);
    json_write(&line, obj);
    strbuf_addc(&line, '\n');
    return jsonl_print_line(line.buf, line.len, err);
}
