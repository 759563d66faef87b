/* cost_chart.c - peak memory by context as an SVG file. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/axis.h"
#include "report/cost_table.h"
#include "report/html.h"

#define WIDTH 640.0
#define LEFT 62.0
#define RIGHT (WIDTH - 12)
#define TOP 34.0
#define BOTTOM 330.0
#define KEY_LINE 18.0 /* of the legend, below the picture */
#define GIB 0x1p30

enum { MAX_LINES = 64 };

struct picture {
    struct axis x, y;
    const json_t *first[MAX_LINES]; /* a line's first row: its model and variant */
    int n_lines;
};

/* Of several programs the last is the sum of them. */
static bool drawn(const json_t *rows, const json_t *row)
{
    const json_t *last = json_array_get(rows, json_array_size(rows) - 1);

    return strcmp(cost_text(row, "program"), cost_text(last, "program")) == 0;
}

static bool same_line(const json_t *a, const json_t *b)
{
    return strcmp(cost_text(a, "model"), cost_text(b, "model")) == 0 &&
           strcmp(cost_text(a, "variant"), cost_text(b, "variant")) == 0;
}

static double peak(const json_t *row)
{
    return cost_number(row, "memory", "peak") / GIB;
}

static void look(struct picture *p, const json_t *rows)
{
    double x0 = INFINITY, x1 = 0, y0 = INFINITY, y1 = 0;
    const json_t *row;
    size_t i;

    json_array_foreach(rows, i, row) {
        int line = 0;
        if (!drawn(rows, row))
            continue;
        x0 = fmin(x0, cost_number(row, NULL, "context"));
        x1 = fmax(x1, cost_number(row, NULL, "context"));
        y0 = fmin(y0, peak(row));
        y1 = fmax(y1, peak(row));
        while (line < p->n_lines && !same_line(p->first[line], row))
            line++;
        if (line == p->n_lines && line < MAX_LINES)
            p->first[p->n_lines++] = row;
    }
    axis_log(&p->x, x0, x1, 8);
    axis_log(&p->y, y0, y1, 8);
}

static double place_x(const struct picture *p, double x)
{
    return LEFT + axis_place(&p->x, x) * (RIGHT - LEFT);
}

static double place_y(const struct picture *p, double y)
{
    return BOTTOM + axis_place(&p->y, y) * (TOP - BOTTOM);
}

static void text_at(struct strbuf *out, double x, double y, const char *anchor, const char *text)
{
    strbuf_adds(out, "<text x=\"");
    html_coord(out, x);
    strbuf_adds(out, "\" y=\"");
    html_coord(out, y);
    strbuf_addf(out, "\" text-anchor=\"%s\">", anchor);
    html_text(out, text);
    strbuf_adds(out, "</text>\n");
}

static void grid_line(struct strbuf *out, double x0, double y0, double x1, double y1)
{
    strbuf_adds(out, "<path class=\"g\" d=\"M");
    html_coord(out, x0);
    strbuf_addc(out, ' ');
    html_coord(out, y0);
    strbuf_addc(out, 'L');
    html_coord(out, x1);
    strbuf_addc(out, ' ');
    html_coord(out, y1);
    strbuf_adds(out, "\"/>\n");
}

static void write_axes(struct strbuf *out, const struct picture *p)
{
    char label[AXIS_LABEL];

    for (int i = 0; i < p->y.n_ticks; i++) {
        double y = place_y(p, p->y.ticks[i]);
        axis_label(&p->y, i, label);
        grid_line(out, LEFT, y, RIGHT, y);
        text_at(out, LEFT - 6, y + 4, "end", label);
    }
    for (int i = 0; i < p->x.n_ticks; i++) {
        double x = place_x(p, p->x.ticks[i]);
        axis_label(&p->x, i, label);
        grid_line(out, x, BOTTOM, x, BOTTOM + 4);
        text_at(out, x, BOTTOM + 18, "middle", label);
    }
    text_at(out, RIGHT, BOTTOM + 34, "end", "context, tokens");
}

static const char *const colors[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#666"};

static void write_line(struct strbuf *out, const struct picture *p, const json_t *rows, int line)
{
    const char *color = colors[line % (int)(sizeof colors / sizeof colors[0])];
    double y = BOTTOM + 34 + KEY_LINE * (line + 1);
    const json_t *row;
    size_t i;
    bool first = true;

    strbuf_addf(out, "<path class=\"l\" stroke=\"%s\" d=\"", color);
    json_array_foreach(rows, i, row) {
        if (!drawn(rows, row) || !same_line(row, p->first[line]))
            continue;
        strbuf_addc(out, first ? 'M' : 'L');
        html_coord(out, place_x(p, cost_number(row, NULL, "context")));
        strbuf_addc(out, ' ');
        html_coord(out, place_y(p, peak(row)));
        first = false;
    }
    strbuf_addf(out, "h0\"/>\n<path class=\"l\" stroke=\"%s\" d=\"M%g %gh24\"/>\n", color, LEFT, y - 4);
    struct strbuf name = {0};
    strbuf_addf(&name, "%s, %s", cost_text(p->first[line], "model"), cost_text(p->first[line], "variant"));
    text_at(out, LEFT + 32, y, "start", name.buf);
    strbuf_release(&name);
}

void cost_chart(struct strbuf *out, const json_t *rows)
{
    const json_t *last = json_array_get(rows, json_array_size(rows) - 1);
    struct picture p = {0};
    struct strbuf title = {0};

    look(&p, rows);
    strbuf_addf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %g %g\" role=\"img\">\n", WIDTH,
                BOTTOM + 46 + KEY_LINE * p.n_lines);
    strbuf_adds(out, "<style>text{font:12px sans-serif}.g{stroke:#ccc}.l{fill:none;stroke-width:2;"
                     "stroke-linecap:round}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n");
    strbuf_addf(&title, "%s: peak memory, GiB (%s)", cost_text(last, "stage"), cost_text(last, "program"));
    text_at(out, LEFT, 20, "start", title.buf);
    write_axes(out, &p);
    for (int i = 0; i < p.n_lines; i++)
        write_line(out, &p, rows, i);
    strbuf_adds(out, "</svg>\n");
    strbuf_release(&title);
}
