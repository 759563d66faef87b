/* report.h - metrics of runs as one HTML page of curves and tables. */
#ifndef TP_REPORT_REPORT_H
#define TP_REPORT_REPORT_H

#include <stdint.h>

#include "base/err.h"
#include "base/opt.h"
#include "base/strbuf.h"
#include "report/series.h"

struct report_options {
    const char *title;
    const char *summary;          /* a file of results by stage, or NULL */
    const char *out;              /* NULL = standard output */
    struct opt_list metrics, log; /* patterns */
    int64_t smooth;               /* points in the mean; 0 = by the curve's length */
};

/* Reads [NAME=]FILE operands (none = standard input) and writes the page. */
int report_run(const struct report_options *o, const char **operands, int n,
               struct err *err) WARN_UNUSED;

/* The parts of the page, for report.c. */
int summary_write(struct strbuf *out, const char *path, struct err *err) WARN_UNUSED;
void runs_write(struct strbuf *out, const struct series_set *s);
/* All charts by subject; -1: a pattern of o->metrics matches no metric. */
int subjects_write(struct strbuf *out, const struct report_options *o, const struct series_set *s,
                   struct err *err) WARN_UNUSED;

#endif
