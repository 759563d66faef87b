/* table.h - CSV tables of numbers: swarms of mixtures, and what was measured on them.
 *
 * The first column names the run, the first line names the columns.  A byte
 * order mark, CR LF, quotes and a missing final newline are accepted; ids are
 * text.  An empty cell, "nan" and "inf" are a missing number (NAN): the reader
 * cannot know whether that matters, its caller does.
 */
#ifndef TP_MIX_TABLE_H
#define TP_MIX_TABLE_H

#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"

struct table {
    char *name;    /* the file, for messages */
    char *id_name; /* title of the first column */
    int64_t n_rows, n_cols; /* n_cols without the first */
    char **cols;   /* [n_cols] */
    char **ids;    /* [n_rows] */
    int64_t *line; /* [n_rows] where the row began */
    double *x;     /* [n_rows, n_cols] */
};

/* path NULL or "-" is standard input.  Ids and column names are unique, every row is full. */
int table_read(struct table *t, const char *path, struct err *err) WARN_UNUSED;
void table_release(struct table *t);
int64_t table_column(const struct table *t, const char *name); /* -1 = none */
int64_t table_row(const struct table *t, const char *id);      /* -1 = none */

/* Every row a mixture: finite, not negative, summing to 1 within 1%.  With normalize the rows are
 * divided by their sums (and may then sum to anything positive). */
int table_check_mixtures(struct table *t, bool normalize, struct err *err) WARN_UNUSED;

/* Cells of output, without the separator; quoted where needed. */
void csv_add_text(struct strbuf *s, const char *text);
void csv_add_number(struct strbuf *s, double x); /* shortest that reads back; NAN is empty */

#endif
