/* summary.c - results by stage: a picture of pass@1 and a table of everything there is. */
#include <math.h>
#include <string.h>

#include "report/axis.h"
#include "report/html.h"
#include "report/report.h"

#define WIDTH 460.0
#define LEFT 116.0
#define RIGHT (WIDTH - 52)
#define ROW 27.0
#define TOP 14.0
#define LONGEST_NAME 15 /* characters that fit beside the picture */

/* Rows of the table: every member, those of nested objects as NAME/MEMBER. */

static void add_member(json_t *row, const char *prefix, const char *key, json_t *value)
{
    struct strbuf name = {0};
    const char *inner;
    json_t *member;
    strbuf_addf(&name, "%s%s%s", prefix, *prefix ? "/" : "", key);
    if (json_is_object(value)) {
        json_object_foreach(value, inner, member) add_member(row, name.buf, inner, member);
    } else {
        json_object_set(row, name.buf, value);
    }
    strbuf_release(&name);
}

static json_t *flatten(json_t *obj)
{
    json_t *row = json_object(), *value;
    const char *key;
    json_object_foreach(obj, key, value) add_member(row, "", key, value);
    return row;
}

static void write_value(struct strbuf *out, const json_t *value)
{
    if (!value || json_is_null(value)) {
        strbuf_adds(out, "–");
    } else if (json_is_number(value)) {
        html_number(out, json_number_value(value), 4);
    } else if (json_is_string(value)) {
        html_text(out, json_string_value(value));
    } else if (json_array_size(value) == 2 && json_is_number(json_array_get(value, 0)) &&
               json_is_number(json_array_get(value, 1))) {
        write_value(out, json_array_get(value, 0));
        strbuf_adds(out, " – ");
        write_value(out, json_array_get(value, 1));
    } else {
        struct strbuf text = {0};
        json_write(&text, value);
        html_text(out, text.buf);
        strbuf_release(&text);
    }
}

static void write_table(struct strbuf *out, json_t *rows)
{
    json_t *columns = json_object(), *row, *unused;
    const char *key;
    size_t i;
    json_object_set_new(columns, "stage", json_null()); /* first, wherever it stands */
    json_array_foreach(rows, i, row) json_object_update_missing(columns, row);
    strbuf_adds(out, "<div class=\"scroll\"><table>\n<tr>");
    json_object_foreach(columns, key, unused)
    {
        strbuf_adds(out, "<th>");
        html_text(out, key);
        strbuf_adds(out, "</th>");
    }
    strbuf_adds(out, "</tr>\n");
    json_array_foreach(rows, i, row)
    {
        strbuf_adds(out, "<tr>");
        json_object_foreach(columns, key, unused)
        {
            strbuf_adds(out, "<td>");
            write_value(out, json_object_get(row, key));
            strbuf_adds(out, "</td>");
        }
        strbuf_adds(out, "</tr>\n");
    }
    strbuf_adds(out, "</table></div>\n");
    json_decref(columns);
}

/* The picture: one dot a stage, with its interval. */

struct dot {
    const char *name;
    double value, lo, hi; /* lo and hi NaN: no interval */
};

static bool dot_of(const json_t *row, struct dot *d)
{
    const json_t *value = json_object_get(row, "pass@1"), *ci = json_object_get(row, "ci");
    const json_t *lo = json_array_get(ci, 0), *hi = json_array_get(ci, 1);
    const char *name = json_string_value(json_object_get(row, "stage"));
    bool has_ci = json_is_number(lo) && json_is_number(hi);
    if (!json_is_number(value))
        return false;
    *d = (struct dot){.name = name ? name : "?",
                      .value = json_number_value(value),
                      .lo = has_ci ? json_number_value(lo) : (double)NAN,
                      .hi = has_ci ? json_number_value(hi) : (double)NAN};
    return true;
}

static double place(const struct axis *a, double x)
{
    return LEFT + axis_place(a, x) * (RIGHT - LEFT);
}

/* A long name is cut, at a whole character. */
static void write_name(struct strbuf *out, const char *name)
{
    struct strbuf cut = {0};
    int n = 0;
    for (const char *c = name; *c; c++) {
        n += ((unsigned char)*c & 0xc0) != 0x80;
        if (n > LONGEST_NAME)
            break;
        strbuf_addc(&cut, *c);
    }
    html_text(out, cut.buf ? cut.buf : "");
    strbuf_adds(out, n > LONGEST_NAME ? "…" : "");
    strbuf_release(&cut);
}

static void write_dot(struct strbuf *out, const struct axis *a, const struct dot *d, double y)
{
    strbuf_addf(out, "<text class=\"name\" x=\"%g\" y=\"%g\" text-anchor=\"end\">", LEFT - 10,
                y + 4);
    write_name(out, d->name);
    strbuf_adds(out, "</text>");
    double end = d->value;
    if (!isnan(d->lo)) {
        double from = place(a, d->lo), to = place(a, d->hi);
        strbuf_addf(out, "<path class=\"l c0\" d=\"M%.2f %gH%.2fM%.2f %gv8M%.2f %gv8\"/>", from, y,
                    to, from, y - 4, to, y - 4);
        end = d->hi;
    }
    strbuf_addf(out, "<circle cx=\"%.2f\" cy=\"%g\" r=\"4.5\" fill=\"currentColor\" class=\"c0\"/>",
                place(a, d->value), y);
    strbuf_addf(out, "<text class=\"name\" x=\"%.2f\" y=\"%g\">", place(a, fmax(end, d->value)) + 9,
                y + 4);
    html_number(out, d->value, 3);
    strbuf_adds(out, "</text>\n");
}

static void write_ticks(struct strbuf *out, const struct axis *a, double bottom)
{
    char label[AXIS_LABEL];
    for (int i = 0; i < a->n_ticks; i++) {
        double x = place(a, a->ticks[i]);
        axis_label(a, i, label);
        strbuf_addf(out, "<path class=\"g\" d=\"M%.2f %gV%g\"/>", x, TOP - 6, bottom);
        strbuf_addf(out, "<text x=\"%.2f\" y=\"%g\" text-anchor=\"middle\">%s</text>", x,
                    bottom + 18, label);
    }
    strbuf_addc(out, '\n');
}

static void write_picture(struct strbuf *out, json_t *rows)
{
    struct axis a;
    struct dot d;
    double lo = 0, hi = 0;
    int n = 0;
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        if (!dot_of(row, &d))
            continue;
        lo = fmin(fmin(lo, d.value), d.lo); /* fmin and fmax pass over NaN */
        hi = fmax(fmax(hi, d.value), d.hi);
        n++;
    }
    if (n == 0)
        return;
    double bottom = TOP + n * ROW;
    axis_linear(&a, lo, hi > 0 ? hi : 1, 6, true);
    strbuf_addf(
        out,
        "<figure class=\"bars\"><h3>pass@1 by stage</h3>\n<svg viewBox=\"0 0 %g %g\" role=\"img\" "
        "aria-label=\"pass@1 by stage\">\n",
        WIDTH, bottom + 26);
    write_ticks(out, &a, bottom);
    n = 0;
    json_array_foreach(rows, i, row) if (dot_of(row, &d))
        write_dot(out, &a, &d, TOP + (n++ + 0.5) * ROW);
    strbuf_adds(out, "</svg>\n</figure>\n");
}

static void write_facts(struct strbuf *out, json_t *summary)
{
    json_t *facts = flatten(summary), *value;
    const char *key;
    json_object_del(facts, "stages");
    if (json_object_size(facts) > 0) {
        strbuf_adds(out, "<div class=\"scroll\"><table>\n");
        json_object_foreach(facts, key, value)
        {
            strbuf_adds(out, "<tr><td>");
            html_text(out, key);
            strbuf_adds(out, "</td><td>");
            if (strcmp(key, "seconds") == 0 && json_is_number(value))
                html_duration(out, json_number_value(value));
            else if (json_is_number(value) && json_number_value(value) == 0)
                strbuf_adds(out, "exactly 0");
            else
                write_value(out, value);
            strbuf_adds(out, "</td></tr>\n");
        }
        strbuf_adds(out, "</table></div>\n");
    }
    json_decref(facts);
}

static json_t *read_stages(const json_t *summary, struct err *err)
{
    json_t *stages = json_object_get(summary, "stages"), *rows = json_array(), *stage;
    size_t i;
    if (stages && !json_is_array(stages))
        err_set(err, "'stages' is %s, expected an array", json_type_name(stages));
    json_array_foreach(stages, i, stage)
    {
        if (json_is_object(stage))
            json_array_append_new(rows, flatten(stage));
        else
            err_set(err, "stage %d is %s, expected an object", (int)i + 1, json_type_name(stage));
    }
    if (!err->set)
        return rows;
    json_decref(rows);
    return NULL;
}

int summary_write(struct strbuf *out, const char *path, struct err *err)
{
    json_t *summary = json_load_path(path, err);
    if (!summary)
        return -1;
    json_t *rows = NULL;
    if (!json_is_object(summary))
        err_set(err, "%s: the summary is %s, expected an object", path, json_type_name(summary));
    else if (!(rows = read_stages(summary, err)))
        err_prefix(err, "%s", path);
    if (rows) {
        strbuf_adds(out, "<section id=\"summary\">\n");
        if (json_array_size(rows) > 0) {
            write_picture(out, rows);
            write_table(out, rows);
        }
        write_facts(out, summary);
        strbuf_adds(out, "</section>\n");
    }
    json_decref(rows);
    json_decref(summary);
    return rows ? 0 : -1;
}
