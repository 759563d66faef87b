/* subjects.c - the charts, grouped by subject; metrics that never change in a table. */
#include <fnmatch.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "report/chart.h"
#include "report/html.h"
#include "report/metric_rules.h"
#include "report/report.h"

/* Without --smooth, curves of this many points are smoothed, over this share of their length. */
#define SMOOTHED_FROM 50
#define SMOOTH_SHARE 25

struct item {
    const char *name;
    const struct metric_rule *rule;
    int metric;
    bool constant; /* in every run that has it */
    bool log;
    const char *unit;     /* or NULL */
    int64_t not_positive; /* left out of a logarithmic axis */
    struct chart_line *lines;
    int n_lines;
};

static bool matches(const struct opt_list *patterns, const char *name)
{
    for (int i = 0; i < patterns->n; i++)
        if (fnmatch(patterns->items[i], name, 0) == 0)
            return true;
    return false;
}

static bool matches_some(const char *pattern, const struct series_set *s)
{
    for (int i = 0; i < s->n_metrics; i++)
        if (fnmatch(pattern, s->metrics[i], 0) == 0)
            return true;
    return false;
}

static void since_first(struct curve *c)
{
    double first = curve_first(c);
    for (int64_t i = 0; i < c->n; i++) {
        double y = c->y[i] - first;
        c->y[i] = isfinite(y) ? y : (double)NAN;
    }
}

/* The curves of the metric, as they are in the records. */
static void collect(struct item *it, const struct series_set *s)
{
    it->lines = xcalloc((size_t)s->n_runs, sizeof *it->lines);
    it->constant = true;
    for (int i = 0; i < s->n_runs; i++) {
        struct chart_line *line = &it->lines[it->n_lines];
        double lo = 0, hi = 0;
        series_curve(&s->runs[i], it->metric, &line->raw);
        if (line->raw.n == 0)
            continue;
        line->run = i;
        it->n_lines++;
        if (curve_range(&line->raw, &lo, &hi) && (lo != hi || curve_n_missing(&line->raw)))
            it->constant = false;
    }
}

static void release(struct item *it)
{
    for (int i = 0; i < it->n_lines; i++) {
        curve_release(&it->lines[i].raw);
        curve_release(&it->lines[i].smooth);
    }
    free(it->lines);
}

static double largest(const struct item *it)
{
    double all = 0, lo = 0, hi = 0;
    for (int i = 0; i < it->n_lines; i++)
        if (curve_range(&it->lines[i].raw, &lo, &hi))
            all = fmax(all, hi);
    return all;
}

/* Clock times become times since the first step, in a unit that people think in. */
static void prepare_clock(struct item *it)
{
    for (int i = 0; i < it->n_lines; i++)
        since_first(&it->lines[i].raw);
    double seconds = largest(it);
    double scale = seconds >= 7200 ? 3600 : seconds >= 300 ? 60 : 1;
    it->unit = seconds >= 7200 ? "hours" : seconds >= 300 ? "minutes" : "s";
    for (int i = 0; i < it->n_lines; i++)
        for (int64_t k = 0; k < it->lines[i].raw.n; k++)
            it->lines[i].raw.y[k] /= scale;
}

static void prepare_log(struct item *it)
{
    if (largest(it) <= 0) { /* nothing that a logarithm could show */
        it->log = false;
        return;
    }
    for (int i = 0; i < it->n_lines; i++)
        for (int64_t k = 0; k < it->lines[i].raw.n; k++)
            if (it->lines[i].raw.y[k] <= 0) {
                it->lines[i].raw.y[k] = (double)NAN;
                it->not_positive++;
            }
}

static void smooth(struct item *it, int64_t window)
{
    for (int i = 0; i < it->n_lines; i++) {
        struct chart_line *line = &it->lines[i];
        int64_t w = window ? window : line->raw.n >= SMOOTHED_FROM ? line->raw.n / SMOOTH_SHARE : 1;
        if (w > 1 && !(it->rule->flags & METRIC_EXACT))
            curve_smooth(&line->raw, w, &line->smooth);
    }
}

/* Pages. */

static void write_legend(struct strbuf *out, const struct item *it, const struct series_set *s)
{
    strbuf_adds(out, "<ul class=\"legend\">");
    for (int i = 0; i < it->n_lines; i++) {
        strbuf_adds(out, "<li>");
        html_key(out, it->lines[i].run);
        html_text(out, s->runs[it->lines[i].run].name);
        strbuf_adds(out, " <b>");
        html_number(out, curve_tail_mean(&it->lines[i].raw, 1), 4);
        strbuf_adds(out, "</b></li>");
    }
    strbuf_adds(out, "<li class=\"at\">last</li></ul>\n");
}

/* Adds one note, after a separator if there are others. */
static void PRINTF_LIKE(2, 3) add_note(struct strbuf *notes, const char *fmt, ...)
{
    va_list ap;
    strbuf_adds(notes, notes->len ? "; " : "");
    va_start(ap, fmt);
    strbuf_vaddf(notes, fmt, ap);
    va_end(ap);
}

static void write_notes(struct strbuf *out, const struct item *it)
{
    struct strbuf notes = {0};
    int64_t missing = -it->not_positive;
    for (int i = 0; i < it->n_lines; i++)
        missing += curve_n_missing(&it->lines[i].raw);
    if (it->unit)
        add_note(&notes, "%s", it->unit);
    if (it->rule->note)
        add_note(&notes, "%s", it->rule->note);
    if (it->log)
        add_note(&notes, "logarithmic");
    if (it->not_positive)
        add_note(&notes, "%lld values ≤ 0 not shown", (long long)it->not_positive);
    if (missing)
        add_note(&notes, "%lld missing (null)", (long long)missing);
    if (notes.len)
        strbuf_addf(out, "<p class=\"note\">%s</p>\n", notes.buf);
    strbuf_release(&notes);
}

static void write_chart(struct strbuf *out, const struct item *it, const struct series_set *s)
{
    struct chart c = {.name = it->name,
                      .lines = it->lines,
                      .n_lines = it->n_lines,
                      .log = it->log,
                      .with_zero = (it->rule->flags & METRIC_WITH_ZERO) != 0,
                      .with_one = (it->rule->flags & METRIC_WITH_ONE) != 0};
    /* The whole of the runs, so that charts of the same runs have the same axis. */
    for (int i = 0; i < it->n_lines; i++) {
        const struct series_run *r = &s->runs[it->lines[i].run];
        double first = r->steps[0], last = r->steps[r->n_rows - 1];
        c.x0 = i == 0 ? first : fmin(c.x0, first);
        c.x1 = i == 0 ? last : fmax(c.x1, last);
    }
    strbuf_adds(out, "<figure>\n<h3>");
    html_name(out, it->name);
    strbuf_adds(out, "</h3>\n");
    write_notes(out, it);
    write_legend(out, it, s);
    chart_write(out, &c);
    strbuf_adds(out, "</figure>\n");
}

static void write_constant(struct strbuf *out, const struct item *it, const struct series_set *s)
{
    for (int i = 0; i < it->n_lines; i++) {
        const struct curve *c = &it->lines[i].raw;
        double value = curve_first(c);
        bool good = it->rule->group == GROUP_MISMATCH && (value == 0 || value == 1);
        strbuf_adds(out, "<tr><td class=\"wide\">");
        html_name(out, it->name);
        strbuf_adds(out, "</td><td class=\"text\">");
        html_text(out, s->runs[it->lines[i].run].name);
        strbuf_adds(out, good ? "</td><td class=\"good\">exactly " : "</td><td>");
        if (isnan(value))
            strbuf_adds(out, "null");
        else
            html_number_exact(out, value);
        strbuf_addf(out, "</td><td>%lld</td></tr>\n", (long long)c->n);
    }
}

static void write_group(struct strbuf *out, const struct item *items, int n, enum metric_group g,
                        const struct series_set *s)
{
    int n_charts = 0, n_constant = 0;
    for (int i = 0; i < n; i++)
        if (items[i].rule->group == g)
            *(items[i].constant ? &n_constant : &n_charts) += 1;
    if (n_charts + n_constant == 0)
        return;
    strbuf_addf(out, "<section id=\"%s\">\n<h2>%s</h2>\n", metric_group_ids[g],
                metric_group_titles[g]);
    if (n_charts) {
        strbuf_adds(out, "<div class=\"grid\">\n");
        for (int i = 0; i < n; i++)
            if (items[i].rule->group == g && !items[i].constant)
                write_chart(out, &items[i], s);
        strbuf_adds(out, "</div>\n");
    }
    if (n_constant) {
        strbuf_adds(out, "<div class=\"scroll\"><table>\n<tr><th>never changes</th>"
                         "<th class=\"text\">run</th><th>value</th><th>steps</th></tr>\n");
        for (int i = 0; i < n; i++)
            if (items[i].rule->group == g && items[i].constant)
                write_constant(out, &items[i], s);
        strbuf_adds(out, "</table></div>\n");
    }
    strbuf_adds(out, "</section>\n");
}

static void write_nav(struct strbuf *out, const struct item *items, int n)
{
    strbuf_adds(out, "<nav>");
    for (int g = 0; g < N_METRIC_GROUPS; g++)
        for (int i = 0; i < n; i++)
            if ((int)items[i].rule->group == g) {
                strbuf_addf(out, "<a href=\"#%s\">%s</a>", metric_group_ids[g],
                            metric_group_titles[g]);
                break;
            }
    strbuf_adds(out, "</nav>\n");
}

/* Rules lie in the order of their charts; metrics of one rule keep the order of the records. */
static int by_rule(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    if (x->rule != y->rule)
        return x->rule < y->rule ? -1 : 1;
    return x->metric - y->metric;
}

static int choose(struct item *items, const struct report_options *o, const struct series_set *s)
{
    int n = 0;
    for (int i = 0; i < s->n_metrics; i++) {
        const char *name = s->metrics[i];
        if (o->metrics.n > 0 && !matches(&o->metrics, name))
            continue;
        const struct metric_rule *rule = metric_rule_find(name);
        items[n++] = (struct item){.name = name,
                                   .metric = i,
                                   .rule = rule,
                                   .unit = rule->unit,
                                   .log = matches(&o->log, name)};
    }
    qsort(items, (size_t)n, sizeof *items, by_rule);
    return n;
}

int subjects_write(struct strbuf *out, const struct report_options *o, const struct series_set *s,
                   struct err *err)
{
    for (int i = 0; i < o->metrics.n; i++)
        if (!matches_some(o->metrics.items[i], s))
            return err_set(err, "--metric '%s' matches no metric", o->metrics.items[i]);
    for (int i = 0; i < o->log.n; i++)
        if (!matches_some(o->log.items[i], s))
            log_warn("--log '%s' matches no metric", o->log.items[i]);
    struct item *items = xcalloc((size_t)s->n_metrics + 1, sizeof *items);
    int n = choose(items, o, s);
    for (int i = 0; i < n; i++) {
        collect(&items[i], s);
        if (items[i].rule->flags & METRIC_CLOCK)
            prepare_clock(&items[i]);
        if (items[i].log)
            prepare_log(&items[i]);
        if (!items[i].constant)
            smooth(&items[i], o->smooth);
    }
    write_nav(out, items, n);
    for (int g = 0; g < N_METRIC_GROUPS; g++)
        write_group(out, items, n, (enum metric_group)g, s);
    for (int i = 0; i < n; i++)
        release(&items[i]);
    free(items);
    return 0;
}
