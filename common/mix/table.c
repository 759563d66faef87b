/* table.c - CSV tables of numbers. */
#include "mix/table.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/stream.h"

enum { MAX_COLUMNS = 10000 };

/* One pass over the bytes; `line` counts for messages. */
struct scan {
    const char *at, *end, *name;
    int64_t line;
    struct strbuf cell;
};

static int scan_quoted(struct scan *s, struct err *err)
{
    int64_t began = s->line;
    for (s->at++; s->at < s->end; s->at++) {
        if (*s->at == '"' && s->at + 1 < s->end && s->at[1] == '"') {
            s->at++;
        } else if (*s->at == '"') {
            s->at++;
            return 0;
        }
        s->line += *s->at == '\n';
        strbuf_addc(&s->cell, *s->at);
    }
    return err_set(err, "%s:%lld: a quoted cell does not end", s->name, (long long)began);
}

/* Reads one cell into s->cell without surrounding blanks; *last = it ended its row. */
static int scan_cell(struct scan *s, bool *last, struct err *err)
{
    strbuf_clear(&s->cell);
    strbuf_reserve(&s->cell, 1);
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t'))
        s->at++;
    if (s->at < s->end && *s->at == '"' && scan_quoted(s, err) < 0)
        return -1;
    for (; s->at < s->end && *s->at != ',' && *s->at != '\n'; s->at++)
        strbuf_addc(&s->cell, *s->at);
    while (s->cell.len && strchr(" \t\r", s->cell.buf[s->cell.len - 1]))
        s->cell.buf[--s->cell.len] = '\0';
    if (memchr(s->cell.buf, '\0', s->cell.len))
        return err_set(err, "%s:%lld: a NUL byte in a cell", s->name, (long long)s->line);
    *last = s->at >= s->end || *s->at == '\n';
    if (s->at < s->end)
        s->at++;
    return 0;
}

static bool skip_blank_lines(struct scan *s)
{
    while (s->at < s->end && strchr("\r\n", *s->at)) {
        s->line += *s->at == '\n';
        s->at++;
    }
    return s->at < s->end;
}

static int scan_header(struct table *t, struct scan *s, struct err *err)
{
    int64_t cap = 0;
    bool last = false;
    if (scan_cell(s, &last, err) < 0)
        return -1;
    t->id_name = xstrdup(s->cell.buf);
    while (!last) {
        if (scan_cell(s, &last, err) < 0)
            return -1;
        if (s->cell.len == 0)
            return err_set(err, "%s:%lld: column %lld has no name", s->name, (long long)s->line,
                           (long long)t->n_cols + 2);
        if (table_column(t, s->cell.buf) >= 0)
            return err_set(err, "%s:%lld: two columns are called '%s'", s->name,
                           (long long)s->line, s->cell.buf);
        if (t->n_cols >= MAX_COLUMNS)
            return err_set(err, "%s: more than %d columns", s->name, MAX_COLUMNS);
        GROW(t->cols, t->n_cols, cap);
        t->cols[t->n_cols++] = xstrdup(s->cell.buf);
    }
    if (t->n_cols == 0)
        return err_set(err, "%s: only one column, expected the run's name and numbers", s->name);
    s->line++;
    return 0;
}

static int parse_cell(const struct table *t, const struct scan *s, int64_t col, double *out,
                      struct err *err)
{
    char *end;
    *out = NAN;
    if (s->cell.len == 0)
        return 0;
    double v = strtod(s->cell.buf, &end);
    /* strtod's hexadecimal is not a number anybody wrote on purpose. */
    if (*end || end == s->cell.buf || strpbrk(s->cell.buf, "xX"))
        return err_set(err, "%s:%lld: column '%s': '%.40s' is not a number", s->name,
                       (long long)s->line, t->cols[col], s->cell.buf);
    if (isfinite(v))
        *out = v;
    return 0;
}

static int scan_row(struct table *t, struct scan *s, struct err *err)
{
    bool last = false;
    int64_t line = s->line;
    double *row = t->x + t->n_rows * t->n_cols;
    if (scan_cell(s, &last, err) < 0)
        return -1;
    t->line[t->n_rows] = line;
    t->ids[t->n_rows++] = xstrdup(s->cell.buf);
    if (s->cell.len == 0)
        return err_set(err, "%s:%lld: the first cell, the run's name, is empty", s->name,
                       (long long)line);
    int64_t n = 0;
    for (; !last; n++) {
        if (scan_cell(s, &last, err) < 0)
            return -1;
        if (n < t->n_cols && parse_cell(t, s, n, row + n, err) < 0)
            return -1;
        if (n == t->n_cols && last && s->cell.len == 0)
            break; /* a trailing comma */
    }
    if (n != t->n_cols)
        return err_set(err, "%s:%lld: %lld cells, expected %lld", s->name, (long long)line,
                       (long long)n + 1, (long long)t->n_cols + 1);
    s->line++;
    return 0;
}

static int scan_rows(struct table *t, struct scan *s, struct err *err)
{
    int64_t cap = 0;
    while (skip_blank_lines(s)) {
        if (t->n_rows == cap) {
            cap = cap ? 2 * cap : 64;
            t->ids = xreallocarray(t->ids, (size_t)cap, sizeof *t->ids);
            t->line = xreallocarray(t->line, (size_t)cap, sizeof *t->line);
            t->x = xreallocarray(t->x, (size_t)cap, (size_t)t->n_cols * sizeof *t->x);
        }
        if (scan_row(t, s, err) < 0)
            return -1;
    }
    return 0;
}

/* Row numbers sorted by id, so that duplicates are neighbours. */
static char **sort_ids;
static int by_id(const void *a, const void *b)
{
    int64_t i = *(const int64_t *)a, j = *(const int64_t *)b;
    int order = strcmp(sort_ids[i], sort_ids[j]);
    return order ? order : (i > j) - (i < j);
}

static int check_ids(const struct table *t, struct err *err)
{
    int64_t *order = xcalloc((size_t)t->n_rows + 1, sizeof *order);
    int rc = 0;
    for (int64_t i = 0; i < t->n_rows; i++)
        order[i] = i;
    sort_ids = t->ids;
    qsort(order, (size_t)t->n_rows, sizeof *order, by_id);
    for (int64_t i = 1; i < t->n_rows && rc == 0; i++)
        if (strcmp(t->ids[order[i - 1]], t->ids[order[i]]) == 0)
            rc = err_set(err, "%s:%lld: run '%s' was on line %lld already", t->name,
                         (long long)t->line[order[i]], t->ids[order[i]],
                         (long long)t->line[order[i - 1]]);
    free(order);
    return rc;
}

static int read_bytes(const char *path, struct strbuf *bytes, char **name, struct err *err)
{
    struct stream *in = stream_open(path, err);
    if (!in)
        return -1;
    *name = xstrdup(stream_name(in));
    int rc = stream_read_all(in, bytes, err);
    stream_close(in);
    return rc;
}

int table_read(struct table *t, const char *path, struct err *err)
{
    struct strbuf bytes = {0};
    memset(t, 0, sizeof *t);
    int rc = read_bytes(path, &bytes, &t->name, err);
    struct scan s = {.at = bytes.buf, .end = bytes.buf + bytes.len, .name = t->name, .line = 1};
    if (rc == 0 && bytes.len >= 3 && memcmp(bytes.buf, "\xef\xbb\xbf", 3) == 0)
        s.at += 3;
    if (rc == 0 && !skip_blank_lines(&s))
        rc = err_set(err, "%s: empty, expected a line of column names", t->name);
    if (rc == 0)
        rc = scan_header(t, &s, err);
    if (rc == 0)
        rc = scan_rows(t, &s, err);
    if (rc == 0 && t->n_rows == 0)
        rc = err_set(err, "%s: no rows", t->name);
    if (rc == 0)
        rc = check_ids(t, err);
    strbuf_release(&s.cell);
    strbuf_release(&bytes);
    if (rc < 0)
        table_release(t);
    return rc;
}

void table_release(struct table *t)
{
    for (int64_t i = 0; i < t->n_cols; i++)
        free(t->cols[i]);
    for (int64_t i = 0; i < t->n_rows; i++)
        free(t->ids[i]);
    free(t->cols);
    free(t->ids);
    free(t->line);
    free(t->x);
    free(t->name);
    free(t->id_name);
    memset(t, 0, sizeof *t);
}

int64_t table_column(const struct table *t, const char *name)
{
    for (int64_t i = 0; i < t->n_cols; i++)
        if (strcmp(t->cols[i], name) == 0)
            return i;
    return -1;
}

int64_t table_row(const struct table *t, const char *id)
{
    for (int64_t i = 0; i < t->n_rows; i++)
        if (strcmp(t->ids[i], id) == 0)
            return i;
    return -1;
}

int table_check_mixtures(struct table *t, bool normalize, struct err *err)
{
    for (int64_t i = 0; i < t->n_rows; i++) {
        double *row = t->x + i * t->n_cols, sum = 0;
        for (int64_t j = 0; j < t->n_cols; j++) {
            if (!(row[j] >= 0))
                return err_set(err, "%s:%lld: run '%s': the weight of '%s' is %s", t->name,
                               (long long)t->line[i], t->ids[i], t->cols[j],
                               isnan(row[j]) ? "missing" : "negative");
            sum += row[j];
        }
        if (normalize ? !(sum > 0) : fabs(sum - 1) > 0.01)
            return err_set(err, "%s:%lld: run '%s': the weights sum to %.6g, expected 1%s",
                           t->name, (long long)t->line[i], t->ids[i], sum,
                           normalize ? "" : " within 1% (or --normalize)");
        for (int64_t j = 0; normalize && j < t->n_cols; j++)
            row[j] /= sum;
    }
    return 0;
}

void csv_add_text(struct strbuf *s, const char *text)
{
    if (*text && !strpbrk(text, ",\"\r\n") && !isspace((unsigned char)*text) &&
        !isspace((unsigned char)text[strlen(text) - 1])) {
        strbuf_adds(s, text);
        return;
    }
    strbuf_addc(s, '"');
    for (; *text; text++) {
        if (*text == '"')
            strbuf_addc(s, '"');
        strbuf_addc(s, *text);
    }
    strbuf_addc(s, '"');
}

void csv_add_number(struct strbuf *s, double x)
{
    char buf[32];
    if (!isfinite(x))
        return;
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(buf, sizeof buf, "%.*g", digits, x);
        if (strtod(buf, NULL) == x)
            break;
    }
    strbuf_adds(s, buf);
}
