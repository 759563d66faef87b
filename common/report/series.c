/* series.c - the metrics of several runs, as columns over steps. */
#include "report/series.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* JSON cannot hold it, so it marks what a line did not have. */
#define ABSENT ((double)INFINITY)

struct series_run *series_run_find(struct series_set *s, const char *name)
{
    for (int i = 0; i < s->n_runs; i++)
        if (strcmp(s->runs[i].name, name) == 0)
            return &s->runs[i];
    GROW(s->runs, s->n_runs, s->runs_cap);
    s->runs[s->n_runs] = (struct series_run){.name = xstrdup(name)};
    return &s->runs[s->n_runs++];
}

int series_metric(const struct series_set *s, const char *name)
{
    const json_t *number = json_object_get(s->index, name);
    return number ? (int)json_integer_value(number) : -1;
}

static int add_metric(struct series_set *s, const char *name, struct err *err)
{
    if (s->n_metrics == SERIES_MAX_METRICS)
        return err_set(err, "'%s' would be metric %d; more than %d are not taken", name,
                       s->n_metrics + 1, SERIES_MAX_METRICS);
    if (!s->index)
        s->index = json_object();
    GROW(s->metrics, s->n_metrics, s->metrics_cap);
    s->metrics[s->n_metrics] = xstrdup(name);
    json_object_set_new(s->index, name, json_integer(s->n_metrics));
    return s->n_metrics++;
}

static void pad(struct series_column *c, int64_t n)
{
    while (c->n < n) {
        GROW(c->values, c->n, c->cap);
        c->values[c->n++] = ABSENT;
    }
}

static void set_value(struct series_run *r, int metric, double value)
{
    while (r->n_columns <= metric) {
        r->columns = xreallocarray(r->columns, (size_t)r->n_columns + 1, sizeof *r->columns);
        r->columns[r->n_columns++] = (struct series_column){0};
    }
    struct series_column *c = &r->columns[metric];
    pad(c, r->n_rows);
    c->values[r->n_rows - 1] = value;
}

int series_add(struct series_set *s, struct series_run *r, json_t *obj, struct err *err)
{
    const char *key;
    json_t *value;
    double step;
    if (json_get_num(obj, "step", &step, err) < 0)
        return -1;
    GROW(r->steps, r->n_rows, r->cap);
    r->steps[r->n_rows++] = step;
    r->n_lines++;
    json_object_foreach(obj, key, value)
    {
        if ((!json_is_number(value) && !json_is_null(value)) || strcmp(key, "step") == 0)
            continue;
        int metric = series_metric(s, key);
        if (metric < 0)
            metric = add_metric(s, key, err);
        if (metric < 0)
            return -1;
        set_value(r, metric, json_is_null(value) ? (double)NAN : json_number_value(value));
    }
    return 0;
}

/* Order and repeated steps. */

struct place {
    double step;
    int64_t row;
};

static int by_step(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->step != y->step)
        return x->step < y->step ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static bool in_order(const struct series_run *r)
{
    for (int64_t i = 1; i < r->n_rows; i++)
        if (!(r->steps[i - 1] < r->steps[i]))
            return false;
    return true;
}

/* The rows in the order of `places`, those of one step as one row: what a later line has replaces
 * what an earlier one had. */
static int64_t merge_column(const struct place *places, int64_t n, const double *values,
                            double *out)
{
    int64_t n_out = 0;
    for (int64_t i = 0; i < n; i++) {
        double v = values[places[i].row];
        if (i == 0 || places[i].step != places[i - 1].step)
            out[n_out++] = v;
        else if (v != ABSENT)
            out[n_out - 1] = v;
    }
    return n_out;
}

static void replace(double **values, double **spare)
{
    double *old = *values;
    *values = *spare;
    *spare = old;
}

static void sort_rows(struct series_run *r)
{
    int64_t n = r->n_rows;
    struct place *places = xreallocarray(NULL, (size_t)n, sizeof *places);
    double *spare = xreallocarray(NULL, (size_t)n, sizeof *spare);
    for (int64_t i = 0; i < n; i++)
        places[i] = (struct place){r->steps[i], i};
    qsort(places, (size_t)n, sizeof *places, by_step);
    r->n_rows = merge_column(places, n, r->steps, spare);
    replace(&r->steps, &spare);
    free(spare);
    for (int c = 0; c < r->n_columns; c++) {
        if (r->columns[c].n == 0)
            continue;
        spare = xreallocarray(NULL, (size_t)n, sizeof *spare);
        r->columns[c].n = merge_column(places, n, r->columns[c].values, spare);
        replace(&r->columns[c].values, &spare);
        free(spare);
    }
    free(places);
}

void series_finish(struct series_set *s)
{
    for (int i = 0; i < s->n_runs; i++) {
        struct series_run *r = &s->runs[i];
        for (int c = 0; c < r->n_columns; c++)
            if (r->columns[c].n > 0)
                pad(&r->columns[c], r->n_rows);
        if (!in_order(r))
            sort_rows(r);
    }
}

void series_curve(const struct series_run *r, int metric, struct curve *out)
{
    *out = (struct curve){0};
    if (metric < 0 || metric >= r->n_columns)
        return;
    const struct series_column *c = &r->columns[metric];
    for (int64_t i = 0; i < c->n; i++)
        if (c->values[i] != ABSENT)
            curve_add(out, r->steps[i], c->values[i]);
}

void series_release(struct series_set *s)
{
    for (int i = 0; i < s->n_runs; i++) {
        struct series_run *r = &s->runs[i];
        for (int c = 0; c < r->n_columns; c++)
            free(r->columns[c].values);
        free(r->columns);
        free(r->steps);
        free(r->name);
    }
    for (int i = 0; i < s->n_metrics; i++)
        free(s->metrics[i]);
    free(s->runs);
    free(s->metrics);
    json_decref(s->index);
    *s = (struct series_set){0};
}
