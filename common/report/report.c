/* report.c - metrics of runs as one HTML page of curves and tables. */
#include "report/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/tool.h"
#include "data/jsonl.h"
#include "report/html.h"

struct reader {
    struct series_set set;
    const char **paths; /* [n] */
    char **names;
    int n;
};

static bool ends_in(const char *s, size_t n, const char *suffix)
{
    size_t k = strlen(suffix);
    return n > k && memcmp(s + n - k, suffix, k) == 0;
}

/* The file's name without its folder and what every metrics file ends in. */
static char *run_name(const char *path)
{
    static const char *const suffixes[] = {".zst",   ".gz",   ".xz",     ".bz2",
                                           ".jsonl", ".json", ".metrics"};
    const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    size_t n = strlen(base);
    if (strcmp(path, "-") == 0)
        return xstrdup("stdin");
    for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
        if (ends_in(base, n, suffixes[i]))
            n -= strlen(suffixes[i]);
    return xstrndup(base, n);
}

static void name_operand(struct reader *r, const char *operand)
{
    const char *equals = strchr(operand, '=');
    bool named = equals && equals > operand && !memchr(operand, '/', (size_t)(equals - operand));
    r->paths[r->n] = named ? equals + 1 : operand;
    r->names[r->n] = named ? xstrndup(operand, (size_t)(equals - operand)) : run_name(operand);
    r->n++;
}

/* The runner hands out the path pointers it was given, and "stdin" for "-". */
static const char *name_of(const struct reader *r, const char *file)
{
    for (int i = 0; i < r->n; i++)
        if (r->paths[i] == file || (strcmp(r->paths[i], "-") == 0 && strcmp(file, "stdin") == 0))
            return r->names[i];
    BUG("records of '%s', which was not asked for", file);
}

static int take(void *self, struct record *rec, struct emit *out, struct err *err)
{
    struct reader *r = self;
    (void)out;
    return series_add(&r->set, series_run_find(&r->set, name_of(r, rec->file)), rec->obj, err);
}

static bool has_run(const struct series_set *s, const char *name)
{
    for (int i = 0; i < s->n_runs; i++)
        if (strcmp(s->runs[i].name, name) == 0)
            return true;
    return false;
}

static int read_all(struct reader *r, struct err *err)
{
    const struct jsonl_filter filter = {.self = r, .process = take, .serial = true};
    if (jsonl_run(&filter, r->paths, r->n, err) < 0)
        return -1;
    if (r->set.n_runs == 0)
        return err_set(err, "the input has no metrics: not one line was read");
    for (int i = 0; i < r->n; i++)
        if (!has_run(&r->set, r->names[i]))
            log_warn("run '%s' has no metrics yet", r->names[i]);
    series_finish(&r->set);
    return 0;
}

static int write_page(const struct strbuf *page, const char *path, struct err *err)
{
    if (path && strcmp(path, "-") != 0) {
        if (file_write_atomic(path, page->buf, page->len, err) < 0)
            return -1;
    } else if (fwrite(page->buf, 1, page->len, stdout) != page->len) {
        return err_errno(err, "cannot write standard output");
    }
    tool_counts.out = 1;
    return 0;
}

static int make_page(const struct report_options *o, const struct series_set *s, struct err *err)
{
    struct strbuf page = {0};
    int rc = 0;
    html_begin(&page, o->title);
    if (o->summary)
        rc = summary_write(&page, o->summary, err);
    if (rc == 0) {
        runs_write(&page, s);
        rc = subjects_write(&page, o, s, err);
    }
    html_end(&page);
    if (rc == 0)
        rc = write_page(&page, o->out, err);
    strbuf_release(&page);
    return rc;
}

int report_run(const struct report_options *o, const char **operands, int n, struct err *err)
{
    struct reader r = {.paths = xcalloc((size_t)n + 1, sizeof *r.paths),
                       .names = xcalloc((size_t)n + 1, sizeof *r.names)};
    for (int i = 0; i < n; i++)
        name_operand(&r, operands[i]);
    if (n == 0)
        name_operand(&r, "-");
    int rc = read_all(&r, err);
    if (rc == 0)
        rc = make_page(o, &r.set, err);
    for (int i = 0; i < r.n; i++)
        free(r.names[i]);
    free(r.names);
    free(r.paths);
    series_release(&r.set);
    return rc;
}
