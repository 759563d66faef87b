/* chart.h - curves of one metric over steps as an SVG picture. */
#ifndef TP_REPORT_CHART_H
#define TP_REPORT_CHART_H

#include <stdbool.h>

#include "base/strbuf.h"
#include "report/curve.h"

struct chart_line {
    struct curve raw, smooth; /* smooth.n = 0: not smoothed */
    int run;                  /* its colour */
};

struct chart {
    const char *name; /* of the metric, for those who hear the page */
    struct chart_line *lines;
    int n_lines;
    double x0, x1;  /* the steps shown */
    bool log;       /* values of 0 and below must be missing then */
    bool with_zero; /* the axis shows 0 */
    bool with_one;  /* the axis shows 1, with a line there */
};

/* Needs one value that is not missing. */
void chart_write(struct strbuf *out, const struct chart *c);

#endif
