/* jsonl_run.c - a filter over JSON lines, on all threads, in order.
 *
 * Lines are read into a batch; the pool parses, processes and serialises them,
 * one record a ticket; the results are written in input order.  A batch ends when
 * it is full or when the next line has not arrived yet, so a slow producer's
 * records flow through one by one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/pool.h"
#include "base/tool.h"
#include "data/jsonl.h"
#include "data/jsonl_line.h"

#define BATCH_LINES 1024
#define BATCH_BYTES ((size_t)8 << 20)
#define KEPT_BYTES ((size_t)32 << 10) /* a buffer keeps; long records need more, once */

struct emit {
    struct strbuf bytes, aside;
    int64_t n;
};

struct item {
    struct strbuf text;
    struct strbuf scratch;
    struct record rec;
    struct emit out;
    struct err err;
    int rc;
};

struct run {
    const struct jsonl_filter *filter;
    struct lines lines;
    FILE *aside; /* or NULL */
    struct item *items; /* [BATCH_LINES] */
    int n_items;
};

void emit(struct emit *out, const json_t *obj)
{
    json_write(&out->bytes, obj);
    strbuf_addc(&out->bytes, '\n');
    out->n++;
}

void emit_raw(struct emit *out, const void *bytes, size_t n)
{
    strbuf_add(&out->bytes, bytes, n);
}

void emit_aside(struct emit *out, const json_t *obj)
{
    json_write(&out->aside, obj);
    strbuf_addc(&out->aside, '\n');
}

static int open_aside(struct run *r, struct err *err)
{
    if (!r->filter->aside)
        return 0;
    if (tool_check_output(r->filter->aside, err) < 0)
        return -1;
    r->aside = fopen(r->filter->aside, "we");
    return r->aside ? 0 : err_errno(err, "cannot create '%s'", r->filter->aside);
}

static int close_aside(struct run *r, int rc, struct err *err)
{
    if (r->aside && fclose(r->aside) != 0 && rc == 0)
        return err_errno(err, "cannot write '%s'", r->filter->aside);
    return rc;
}

/* Few and precious: flushed one by one. */
static int print_aside(const struct run *r, const struct strbuf *lines, struct err *err)
{
    if (lines->len == 0)
        return 0;
    if (!r->aside)
        BUG("emit_aside() without a file");
    if (fwrite(lines->buf, 1, lines->len, r->aside) != lines->len || fflush(r->aside) != 0)
        return err_errno(err, "cannot write '%s'", r->filter->aside);
    return 0;
}

void emit_line(struct emit *out, const struct record *rec)
{
    strbuf_add(&out->bytes, rec->text, rec->n);
    strbuf_addc(&out->bytes, '\n');
    out->n++;
}

int jsonl_shard_parse(const char *text, struct jsonl_shard *out, struct err *err)
{
    *out = (struct jsonl_shard){0};
    const char *slash = text ? strchr(text, '/') : NULL;
    if (!text)
        return 0;
    struct err why = {0};
    char *number = slash ? xstrndup(text, (size_t)(slash - text)) : NULL;
    bool ok = slash && parse_int(slash + 1, 1, 1e6, &out->n, &why) == 0 &&
              parse_int(number, 1, (double)out->n, &out->i, &why) == 0;
    free(number);
    out->i--;
    return ok ? 0 : err_set(err, "'%s' is no shard of work, expected one like 2/8", text);
}

static int print_emit(const struct run *r, struct emit *out, struct err *err)
{
    size_t n = out->bytes.len;
    if (print_aside(r, &out->aside, err) < 0)
        return -1;
    if (n && fwrite(out->bytes.buf, 1, n, stdout) != n)
        return err_errno(err, "cannot write standard output");
    tool_counts.out += out->n;
    return 0;
}

static void reset(struct strbuf *s)
{
    if (s->cap > KEPT_BYTES)
        strbuf_release(s);
    strbuf_clear(s);
}

static void reset_item(struct item *it)
{
    json_decref(it->rec.obj);
    it->rec.obj = NULL;
    reset(&it->text);
    reset(&it->scratch);
    reset(&it->out.bytes);
    reset(&it->out.aside);
    it->out.n = 0;
    err_clear(&it->err);
    it->rc = 0;
}

/* 1 = the batch has records, 0 = end, -1 = reading failed (the batch has the records before). */
static int fill_batch(struct run *r, struct err *err)
{
    size_t bytes = 0;
    int rc = 1;
    r->n_items = 0;
    while (rc > 0 && r->n_items < BATCH_LINES && bytes < BATCH_BYTES) {
        if (r->n_items > 0 && !lines_ready(&r->lines))
            break;
        struct item *it = &r->items[r->n_items];
        reset_item(it);
        bool cut = false;
        rc = lines_next(&r->lines, &it->text, &cut, &it->err, err);
        if (rc <= 0)
            break;
        it->rec = (struct record){.file = r->lines.file,
                                  .line = r->lines.line,
                                  .index = r->lines.index - 1,
                                  .text = it->text.buf,
                                  .n = it->text.len,
                                  .cut = cut,
                                  .scratch = &it->scratch};
        const struct jsonl_shard *shard = &r->filter->shard;
        if (shard->n > 1 && it->rec.index % shard->n != shard->i) {
            tool_counts.in--; /* another process's */
            continue;
        }
        bytes += it->text.len;
        r->n_items++;
    }
    return rc < 0 ? -1 : r->n_items > 0;
}

static void process_item(struct run *r, struct item *it)
{
    if ((it->rec.obj || r->filter->unparsed) && it->rc == 0)
        it->rc = r->filter->process(r->filter->self, &it->rec, &it->out, &it->err);
}

static void work(void *arg, int64_t i, int thread)
{
    struct run *r = arg;
    struct item *it = &r->items[i];
    (void)thread;
    if (!it->err.set && !r->filter->unparsed)
        it->rec.obj = line_parse(it->rec.text, it->rec.n, it->rec.cut, &it->err);
    if (it->err.set)
        it->rc = -1;
    if (r->filter->serial)
        return;
    process_item(r, it);
    json_decref(it->rec.obj); /* the tree is many times the text; it need not wait its turn */
    it->rec.obj = NULL;
}

/* Takes a worked item to the output or to the rejects. */
static int settle_item(struct run *r, struct item *it, struct err *err)
{
    if (r->filter->serial)
        process_item(r, it);
    if (it->rc == 0 && r->filter->decide)
        it->rc = r->filter->decide(r->filter->self, &it->rec, &it->out, &it->err);
    if (it->rc == 0)
        return print_emit(r, &it->out, err);
    if (!it->err.set)
        err_set(&it->err, "failed without saying why");
    if (it->rc == JSONL_STOP ||
        jsonl_bad_record(it->rec.file, it->rec.line, it->text.buf, it->text.len, &it->err) < 0) {
        *err = it->err;
        return -1;
    }
    return 0;
}

/* batch() or finish() */
static int run_hook(const struct run *r, int (*hook)(void *, struct emit *, struct err *),
                    struct err *err)
{
    struct emit out = {0};
    int rc = hook(r->filter->self, &out, err);
    if (print_emit(r, &out, err) < 0)
        rc = -1;
    strbuf_release(&out.bytes);
    strbuf_release(&out.aside);
    return rc < 0 ? -1 : 0;
}

static int run_batch(struct run *r, struct err *err)
{
    pool_for(r->n_items, work, r);
    for (int i = 0; i < r->n_items; i++)
        if (settle_item(r, &r->items[i], err) < 0)
            return -1;
    if (r->filter->batch && run_hook(r, r->filter->batch, err) < 0)
        return -1;
    /* About to wait for input: somebody may be waiting for these. */
    if (!lines_ready(&r->lines) && fflush(stdout) != 0)
        return err_errno(err, "cannot write standard output");
    return 0;
}

static int run_all(struct run *r, struct err *err)
{
    int more;
    do {
        struct err read_err = {0};
        more = fill_batch(r, &read_err);
        if (run_batch(r, err) < 0)
            return -1;
        if (more < 0) {
            *err = read_err;
            return -1;
        }
    } while (more > 0);
    return r->filter->finish ? run_hook(r, r->filter->finish, err) : 0;
}

int jsonl_run(const struct jsonl_filter *f, const char **files, int n_files, struct err *err)
{
    struct run r = {.filter = f};
    if (lines_open(&r.lines, files, n_files, err) < 0)
        return -1;
    if (open_aside(&r, err) < 0) {
        lines_close(&r.lines);
        return -1;
    }
    r.items = xcalloc(BATCH_LINES, sizeof *r.items);
    int rc = close_aside(&r, run_all(&r, err), err);
    for (int i = 0; i < BATCH_LINES; i++) {
        json_decref(r.items[i].rec.obj);
        strbuf_release(&r.items[i].text);
        strbuf_release(&r.items[i].scratch);
        strbuf_release(&r.items[i].out.bytes);
        strbuf_release(&r.items[i].out.aside);
    }
    free(r.items);
    lines_close(&r.lines);
    return rc;
}
