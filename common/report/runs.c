/* runs.c - the table of runs at the top of the page. */
#include <math.h>

#include "base/mem.h"
#include "report/html.h"
#include "report/report.h"

#define LAST_STEPS 10

struct column {
    const char *title;
    const char *metric; /* the column is left out when no run has it; NULL = always there */
    void (*cell)(struct strbuf *out, const struct series_run *r, const struct curve *c);
};

static void steps_cell(struct strbuf *out, const struct series_run *r, const struct curve *c)
{
    (void)c;
    html_number_exact(out, r->steps[0]);
    strbuf_adds(out, " – ");
    html_number_exact(out, r->steps[r->n_rows - 1]);
}

static void lines_cell(struct strbuf *out, const struct series_run *r, const struct curve *c)
{
    (void)c;
    strbuf_addf(out, "%lld", (long long)r->n_lines);
    if (r->n_lines > r->n_rows)
        strbuf_addf(out, " (%lld replaced)", (long long)(r->n_lines - r->n_rows));
}

static void last_cell(struct strbuf *out, const struct series_run *r, const struct curve *c)
{
    (void)r;
    html_number(out, curve_tail_mean(c, 1), 4);
}

static void time_cell(struct strbuf *out, const struct series_run *r, const struct curve *c)
{
    (void)r;
    html_duration(out, curve_tail_mean(c, 1) - curve_first(c));
}

static void change_cell(struct strbuf *out, const struct series_run *r, const struct curve *c)
{
    (void)r;
    html_number(out, curve_first(c), 4);
    strbuf_adds(out, " → ");
    html_number(out, curve_tail_mean(c, LAST_STEPS), 4);
}

static void mean_cell(struct strbuf *out, const struct series_run *r, const struct curve *c)
{
    (void)r;
    html_number(out, curve_tail_mean(c, c->n), 3);
}

static void largest_cell(struct strbuf *out, const struct series_run *r, const struct curve *c)
{
    double lo, hi;
    (void)r;
    if (!curve_range(c, &lo, &hi))
        html_number(out, (double)NAN, 0);
    else if (hi == 0)
        strbuf_adds(out, "<span class=\"good\">exactly 0</span>");
    else
        html_number(out, hi, 3);
}

static const struct column columns[] = {
    {"steps", NULL, steps_cell},
    {"tokens", "num_tokens", last_cell},
    {"time", "time", time_cell},
    {"tokens/s", "tokens_per_second", mean_cell},
    {"loss", "loss", change_cell},
    {"reward", "reward", change_cell},
    {"largest mismatch", "sampling/sampling_logp_difference/max", largest_cell},
    {"lines read", NULL, lines_cell},
};

/* The columns that some run has something for. */
static bool is_shown(const struct series_set *s, const struct column *c)
{
    return !c->metric || series_metric(s, c->metric) >= 0;
}

static void write_cell(struct strbuf *out, const struct series_set *s, const struct series_run *r,
                       const struct column *column)
{
    struct curve c = {0};
    if (column->metric)
        series_curve(r, series_metric(s, column->metric), &c);
    strbuf_adds(out, "<td>");
    if (column->metric && c.n == 0)
        html_number(out, (double)NAN, 0);
    else
        column->cell(out, r, &c);
    strbuf_adds(out, "</td>");
    curve_release(&c);
}

void runs_write(struct strbuf *out, const struct series_set *s)
{
    strbuf_adds(out, "<section id=\"runs\">\n<div class=\"scroll\"><table>\n<tr><th>run</th>");
    for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
        if (is_shown(s, &columns[i]))
            strbuf_addf(out, "<th>%s</th>", columns[i].title);
    strbuf_adds(out, "</tr>\n");
    for (int i = 0; i < s->n_runs; i++) {
        strbuf_adds(out, "<tr><td>");
        html_key(out, i);
        html_text(out, s->runs[i].name);
        strbuf_adds(out, "</td>");
        for (size_t k = 0; k < ARRAY_SIZE(columns); k++)
            if (is_shown(s, &columns[k]))
                write_cell(out, s, &s->runs[i], &columns[k]);
        strbuf_adds(out, "</tr>\n");
    }
    strbuf_adds(out, "</table></div>\n");
    strbuf_addf(out,
                "<p class=\"note\">Loss and reward: the first step → the mean of the last %d. "
                "Time: from the first line to the last. Tokens/s: the mean.</p>\n</section>\n",
                LAST_STEPS);
}
