/* chart.c - curves of one metric over steps as an SVG picture. */
#include "report/chart.h"

#include <math.h>
#include <string.h>

#include "report/axis.h"
#include "report/html.h"

/* In units of the view box, which a phone shows at about 0.8 pixels each. */
#define WIDTH 420.0
#define HEIGHT 214.0
#define RIGHT (WIDTH - 10)
#define TOP 8.0
#define BOTTOM (HEIGHT - 34)
#define MARGIN 0.04 /* of the values' range, kept free above and below */
#define DIGIT_WIDTH 6.8
#define N_PARTS 300   /* two points each: the lowest and the highest */
#define FEW_POINTS 25 /* are drawn as dots too */

struct frame {
    struct axis x, y;
    double left;
};

static double place_x(const struct frame *f, double x)
{
    return f->left + axis_place(&f->x, x) * (RIGHT - f->left);
}

static double place_y(const struct frame *f, double y)
{
    return BOTTOM + axis_place(&f->y, y) * (TOP - BOTTOM);
}

static void range_of(const struct chart *c, double *lo, double *hi)
{
    bool any = false;
    for (int i = 0; i < c->n_lines; i++) {
        double l, h;
        if (!curve_range(&c->lines[i].raw, &l, &h))
            continue;
        *lo = any ? fmin(*lo, l) : l;
        *hi = any ? fmax(*hi, h) : h;
        any = true;
    }
}

static void lay_out(const struct chart *c, struct frame *f)
{
    char label[AXIS_LABEL];
    double lo = 0, hi = 0;
    size_t longest = 0;
    range_of(c, &lo, &hi);
    if (c->with_zero && !c->log) {
        lo = fmin(lo, 0);
        hi = fmax(hi, 0);
    }
    if (c->with_one) {
        lo = fmin(lo, 1);
        hi = fmax(hi, 1);
    }
    if (c->log)
        axis_log(&f->y, lo, hi, 6);
    else
        axis_linear(&f->y, lo - (lo == 0 ? 0 : MARGIN * (hi - lo)), hi + MARGIN * (hi - lo), 5,
                    false);
    axis_linear(&f->x, c->x0, c->x1, (int)fmax(1, fmin(6, c->x1 - c->x0)), false); /* whole steps */
    for (int i = 0; i < f->y.n_ticks; i++) {
        axis_label(&f->y, i, label);
        longest = strlen(label) > longest ? strlen(label) : longest;
    }
    f->left = (double)longest * DIGIT_WIDTH + 10;
}

static void write_text(struct strbuf *out, double x, double y, const char *anchor, const char *text)
{
    strbuf_adds(out, "<text x=\"");
    html_coord(out, x);
    strbuf_adds(out, "\" y=\"");
    html_coord(out, y);
    strbuf_addf(out, "\" text-anchor=\"%s\">%s</text>", anchor, text);
}

static void write_h_line(struct strbuf *out, const char *class, double left, double y)
{
    strbuf_addf(out, "<path class=\"%s\" d=\"M", class);
    html_coord(out, left);
    strbuf_addc(out, ' ');
    html_coord(out, y);
    strbuf_adds(out, "H");
    html_coord(out, RIGHT);
    strbuf_adds(out, "\"/>");
}

static void write_axes(struct strbuf *out, const struct chart *c, const struct frame *f)
{
    char label[AXIS_LABEL];
    for (int i = 0; i < f->y.n_ticks; i++) {
        double y = place_y(f, f->y.ticks[i]);
        axis_label(&f->y, i, label);
        write_h_line(out, "g", f->left, y);
        write_text(out, f->left - 6, y + 4, "end", label);
    }
    strbuf_addc(out, '\n');
    write_h_line(out, "ax", f->left, BOTTOM);
    for (int i = 0; i < f->x.n_ticks; i++) {
        double x = place_x(f, f->x.ticks[i]);
        axis_label(&f->x, i, label);
        strbuf_adds(out, "<path class=\"ax\" d=\"M");
        html_coord(out, x);
        strbuf_addc(out, ' ');
        html_coord(out, BOTTOM);
        strbuf_adds(out, "v4\"/>");
        write_text(out, x, BOTTOM + 17, RIGHT - x < 12 ? "end" : "middle", label);
    }
    write_text(out, RIGHT, HEIGHT - 3, "end", "step");
    if (c->with_one)
        write_h_line(out, "ref", f->left, place_y(f, 1));
    strbuf_addc(out, '\n');
}

/* The points' path; a point alone between gaps becomes a dot through the round ends of lines. */
static void write_path(struct strbuf *out, const struct frame *f, const struct curve *c)
{
    int64_t length = 0; /* points since the last break */
    for (int64_t i = 0; i < c->n; i++) {
        bool missing = isnan(c->y[i]);
        if (missing && length == 1)
            strbuf_adds(out, "h0");
        if (missing) {
            length = 0;
            continue;
        }
        strbuf_addc(out, length++ ? ' ' : 'M');
        html_coord(out, place_x(f, c->x[i]));
        strbuf_addc(out, ' ');
        html_coord(out, place_y(f, c->y[i]));
    }
    if (length == 1)
        strbuf_adds(out, "h0");
}

static void write_curve(struct strbuf *out, const struct frame *f, const struct curve *c,
                        const char *class, int line, int run)
{
    struct curve shown;
    strbuf_addf(out, "<path class=\"%s ", class);
    html_colors(out, run);
    strbuf_addf(out, "\" data-run=\"%d\" d=\"", line);
    curve_reduce(c, f->x.lo, f->x.hi, N_PARTS, &shown);
    write_path(out, f, &shown);
    strbuf_adds(out, "\"/>\n");
    curve_release(&shown);
}

static void write_dots(struct strbuf *out, const struct frame *f, const struct curve *c, int run)
{
    strbuf_addf(out, "<path class=\"p c%d\" d=\"", run % 7);
    for (int64_t i = 0; i < c->n; i++) {
        if (isnan(c->y[i]))
            continue;
        strbuf_addc(out, 'M');
        html_coord(out, place_x(f, c->x[i]));
        strbuf_addc(out, ' ');
        html_coord(out, place_y(f, c->y[i]));
        strbuf_adds(out, "h0");
    }
    strbuf_adds(out, "\"/>\n");
}

static void write_line(struct strbuf *out, const struct frame *f, const struct chart *c, int i)
{
    const struct chart_line *line = &c->lines[i];
    if (line->smooth.n > 0) {
        write_curve(out, f, &line->raw, "w", i, line->run);
        write_curve(out, f, &line->smooth, "l", i, line->run);
        return;
    }
    write_curve(out, f, &line->raw, "l", i, line->run);
    if (line->raw.n <= FEW_POINTS)
        write_dots(out, f, &line->raw, line->run);
}

void chart_write(struct strbuf *out, const struct chart *c)
{
    struct frame f;
    lay_out(c, &f);
    strbuf_addf(out, "<svg viewBox=\"0 0 %g %g\" role=\"img\" aria-label=\"", WIDTH, HEIGHT);
    html_text(out, c->name);
    strbuf_addf(out, " by step\" data-axes=\"%.10g %g %.17g %.17g %g %g %.17g %.17g %d\">\n",
                f.left, RIGHT, f.x.lo, f.x.hi, BOTTOM, TOP, f.y.lo, f.y.hi, c->log);
    write_axes(out, c, &f);
    for (int i = 0; i < c->n_lines; i++)
        write_line(out, &f, c, i);
    strbuf_addf(out, "<line class=\"cursor\" x1=\"0\" x2=\"0\" y1=\"%g\" y2=\"%g\"/>\n</svg>\n",
                TOP, BOTTOM);
}
