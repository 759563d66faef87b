/* cost_table.c - rows of cost-plan as an aligned table. */
#include "report/cost_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

double cost_number(const json_t *row, const char *group, const char *name)
{
    const json_t *from = group ? json_object_get(row, group) : row;

    return json_number_value(json_object_get(from, name));
}

const char *cost_text(const json_t *row, const char *name)
{
    const char *text = json_string_value(json_object_get(row, name));

    return text ? text : "";
}

enum kind { TEXT, WHOLE, BYTES, FLOPS };

/* A column: the sum of up to three members of a group. */
static const struct column {
    const char *title;
    enum kind kind;
    const char *group, *names[3];
} columns[] = {
    {"model", TEXT, NULL, {"model"}},
    {"stage", TEXT, NULL, {"stage"}},
    {"program", TEXT, NULL, {"program"}},
    {"variant", TEXT, NULL, {"variant"}},
    {"context", WHOLE, NULL, {"context"}},
    {"weights", BYTES, "memory", {"weights", "packed"}},
    {"gradients", BYTES, "memory", {"gradients"}},
    {"optimiser", BYTES, "memory", {"optimizer"}},
    {"activations", BYTES, "memory", {"activations", "logits"}},
    {"kv-cache", BYTES, "memory", {"kv_cache"}},
    {"scratch", BYTES, "memory", {"scratch", "tables"}},
    {"copies", BYTES, "memory", {"copies"}},
    {"peak", BYTES, "memory", {"peak"}},
    {"products", FLOPS, "flops_per_token", {"products"}},
    {"attention", FLOPS, "flops_per_token", {"attention"}},
    {"head", FLOPS, "flops_per_token", {"head"}},
};
enum { N_COLUMNS = sizeof columns / sizeof columns[0] };

/* Units in which the largest number of the table has at most five digits before the point. */
struct units {
    double bytes, flops;
    const char *bytes_name, *flops_name;
};

static struct units units_of(const json_t *rows)
{
    double bytes = 0, flops = 0;
    const json_t *row;
    size_t i;

    json_array_foreach(rows, i, row) {
        double b = cost_number(row, "memory", "peak"), f = cost_number(row, "flops_per_token", "products");
        bytes = b > bytes ? b : bytes;
        flops = f > flops ? f : flops;
    }
    struct units u = {1 << 20, 1e6, "MiB", "MFLOP"};
    if (bytes >= 0x1p34) {
        u.bytes = 1 << 30;
        u.bytes_name = "GiB";
    }
    if (flops >= 1e10) {
        u.flops = 1e9;
        u.flops_name = "GFLOP";
    }
    return u;
}

static char *cell(const struct column *c, const json_t *row, const struct units *u)
{
    double sum = 0;

    if (c->kind == TEXT)
        return xstrdup(cost_text(row, c->names[0]));
    for (int i = 0; i < 3 && c->names[i]; i++)
        sum += cost_number(row, c->group, c->names[i]);
    if (c->kind == WHOLE)
        return xasprintf("%.0f", sum);
    return xasprintf("%.1f", sum / (c->kind == BYTES ? u->bytes : u->flops));
}

static void put_cell(struct strbuf *out, const char *text, size_t width, bool left, bool last)
{
    size_t n = strlen(text), space = width > n ? width - n : 0;

    if (!left)
        for (size_t i = 0; i < space; i++)
            strbuf_addc(out, ' ');
    strbuf_adds(out, text);
    for (size_t i = 0; left && i < space; i++)
        strbuf_addc(out, ' ');
    strbuf_adds(out, last ? "\n" : "  ");
}

void cost_table(struct strbuf *out, const json_t *rows)
{
    const struct units u = units_of(rows);
    const size_t n = json_array_size(rows);
    char **cells = xcalloc((n + 1) * N_COLUMNS, sizeof *cells);
    size_t width[N_COLUMNS] = {0};

    for (size_t r = 0; r <= n; r++)
        for (int c = 0; c < N_COLUMNS; c++) {
            char *text = r ? cell(&columns[c], json_array_get(rows, r - 1), &u) : xstrdup(columns[c].title);
            cells[r * N_COLUMNS + (size_t)c] = text;
            width[c] = strlen(text) > width[c] ? strlen(text) : width[c];
        }
    strbuf_addf(out, "# memory in %s; products, attention and head in %s a token\n", u.bytes_name, u.flops_name);
    for (size_t r = 0; r <= n; r++)
        for (int c = 0; c < N_COLUMNS; c++)
            put_cell(out, cells[r * N_COLUMNS + (size_t)c], width[c], columns[c].kind == TEXT,
                     c == N_COLUMNS - 1);
    for (size_t i = 0; i < (n + 1) * N_COLUMNS; i++)
        free(cells[i]);
    free(cells);
}
