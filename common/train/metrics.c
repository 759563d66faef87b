/* metrics.c - named sums of one step, printed as one JSON object. */
#include "train/metrics.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void metrics_clear(struct metrics *m)
{
    m->n = 0;
}

static struct metric *find(struct metrics *m, const char *name)
{
    for (int i = 0; i < m->n; i++)
        if (strcmp(m->items[i].name, name) == 0)
            return &m->items[i];
    return NULL;
}

/* The entry of that name, made with `start` if it is new.  A full table drops what is new: a metric
 * is never worth a run. */
static struct metric *entry(struct metrics *m, const char *name, enum metric_kind kind, double start)
{
    struct metric *e = find(m, name);
    if (e || m->n == METRICS_MAX)
        return e;
    e = &m->items[m->n++];
    *e = (struct metric){.kind = kind, .sum = start};
    snprintf(e->name, sizeof e->name, "%s", name);
    return e;
}

void metrics_add(struct metrics *m, const char *name, double value, double weight)
{
    struct metric *e = entry(m, name, METRIC_MEAN, 0);
    if (!e)
        return;
    e->sum += value;
    e->weight += weight;
}

void metrics_sum(struct metrics *m, const char *name, double value)
{
    struct metric *e = entry(m, name, METRIC_SUM, 0);
    if (e)
        e->sum += value;
}

void metrics_max(struct metrics *m, const char *name, double value)
{
    struct metric *e = entry(m, name, METRIC_MAX, value);
    if (e && !(value <= e->sum)) /* a NaN stays visible */
        e->sum = value;
}

void metrics_min(struct metrics *m, const char *name, double value)
{
    struct metric *e = entry(m, name, METRIC_MIN, value);
    if (e && !(value >= e->sum))
        e->sum = value;
}

static double value_of(const struct metric *e)
{
    return e->kind == METRIC_MEAN ? e->sum / e->weight : e->sum;
}

double metrics_get(const struct metrics *m, const char *name)
{
    for (int i = 0; i < m->n; i++)
        if (strcmp(m->items[i].name, name) == 0)
            return value_of(&m->items[i]);
    return NAN;
}

void metrics_json(const struct metrics *m, json_t *obj)
{
    for (int i = 0; i < m->n; i++)
        json_object_set_new(obj, m->items[i].name, json_number(value_of(&m->items[i])));
}
