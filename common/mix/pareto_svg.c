/* pareto_svg.c - the picture of a front: two metrics against each other. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "mix/pareto.h"

enum { WIDTH = 640, HEIGHT = 480, MARGIN = 64 };

struct axis {
    const char *metric;
    double low, high;
};

static double number_of(const json_t *point, const char *metric)
{
    const json_t *values = json_object_get(point, "measured");
    if (!values)
        values = json_object_get(point, "predicted");
    const json_t *v = json_object_get(values, metric);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

static void axis_fit(struct axis *a, const json_t *points)
{
    size_t i;
    const json_t *point;
    a->low = INFINITY;
    a->high = -INFINITY;
    json_array_foreach(points, i, point)
    {
        double v = number_of(point, a->metric);
        a->low = fmin(a->low, v);
        a->high = fmax(a->high, v);
    }
    double room = 0.05 * (a->high - a->low);
    if (!(room > 0))
        room = fabs(a->low) > 0 ? 0.05 * fabs(a->low) : 1;
    a->low -= room;
    a->high += room;
}

static double at_x(const struct axis *a, double v)
{
    return MARGIN + (v - a->low) / (a->high - a->low) * (WIDTH - 2 * MARGIN);
}

static double at_y(const struct axis *a, double v)
{
    return HEIGHT - MARGIN - (v - a->low) / (a->high - a->low) * (HEIGHT - 2 * MARGIN);
}

static void add_escaped(struct strbuf *s, const char *text)
{
    for (; *text; text++) {
        if (*text == '<' || *text == '>' || *text == '&' || *text == '"')
            strbuf_addf(s, "&#%d;", *text);
        else if ((unsigned char)*text >= ' ')
            strbuf_addc(s, *text);
    }
}

static void add_text(struct strbuf *s, double x, double y, const char *anchor, const char *text)
{
    strbuf_addf(s, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
    add_escaped(s, text);
    strbuf_adds(s, "</text>\n");
}

static void add_axes(struct strbuf *s, const struct axis *ax, const struct axis *ay)
{
    char label[32];
    strbuf_addf(s, "<path d=\"M%d %dV%dH%d\" fill=\"none\" stroke=\"#888\"/>\n", MARGIN, MARGIN,
                HEIGHT - MARGIN, WIDTH - MARGIN);
    for (int k = 0; k <= 4; k++) {
        double vx = ax->low + (ax->high - ax->low) * k / 4, vy = ay->low + (ay->high - ay->low) * k / 4;
        snprintf(label, sizeof label, "%.4g", vx);
        add_text(s, at_x(ax, vx), HEIGHT - MARGIN + 16, "middle", label);
        snprintf(label, sizeof label, "%.4g", vy);
        add_text(s, MARGIN - 6, at_y(ay, vy) + 4, "end", label);
    }
    add_text(s, WIDTH / 2, HEIGHT - 18, "middle", ax->metric);
    strbuf_addf(s, "<g transform=\"rotate(-90 16 %d)\">", HEIGHT / 2);
    add_text(s, 16, HEIGHT / 2, "middle", ay->metric);
    strbuf_adds(s, "</g>\n");
}

static void add_points(struct strbuf *s, const json_t *points, const struct axis *ax, const struct axis *ay)
{
    size_t i;
    const json_t *point;
    json_array_foreach(points, i, point)
    {
        bool run = json_object_get(point, "measured"), front = json_is_true(json_object_get(point, "front"));
        double x = number_of(point, ax->metric), y = number_of(point, ay->metric);
        if (!isfinite(x) || !isfinite(y) || (!run && !front))
            continue;
        strbuf_addf(s, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%s\" fill=\"%s\"/>\n", at_x(ax, x), at_y(ay, y),
                    run ? "2.5" : "4", run ? (front ? "#d95f02" : "#bbb") : "#1b6ca8");
    }
}

static const char *const legend[][2] = {
    {"#1b6ca8", "solved, predicted"}, {"#d95f02", "runs not beaten, measured"}, {"#bbb", "other runs"}};

int mix_pareto_svg(const struct mix_model *model, const struct solve_options *o, const json_t *points,
                   struct strbuf *svg, struct err *err)
{
    const json_t *goals = json_object_get(json_array_get(points, 0), "goal_weights");
    void *it = json_object_iter((json_t *)(uintptr_t)goals);
    struct axis ax = {.metric = json_object_iter_key(it)}, ay;
    it = json_object_iter_next((json_t *)(uintptr_t)goals, it);
    ay = (struct axis){.metric = json_object_iter_key(it)};
    if (!ax.metric || !ay.metric)
        return err_set(err, "--svg: two metrics of '%s' are needed", o->objective);
    axis_fit(&ax, points);
    axis_fit(&ay, points);
    strbuf_addf(svg,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" "
                "font-size=\"12\">\n<rect width=\"%d\" height=\"%d\" fill=\"white\"/>\n<title>",
                WIDTH, HEIGHT, WIDTH, HEIGHT);
    add_escaped(svg, model->kind->name);
    strbuf_adds(svg, "</title>\n");
    add_axes(svg, &ax, &ay);
    add_points(svg, points, &ax, &ay);
    for (size_t k = 0; k < sizeof legend / sizeof legend[0]; k++) {
        strbuf_addf(svg, "<circle cx=\"%d\" cy=\"%d\" r=\"4\" fill=\"%s\"/>\n", MARGIN + 12, 20 + 14 * (int)k,
                    legend[k][0]);
        add_text(svg, MARGIN + 22, 24 + 14 * (int)k, "start", legend[k][1]);
    }
    strbuf_adds(svg, "</svg>\n");
    return 0;
}
