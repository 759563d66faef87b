/* mean.c - the mean of the law and the trees. */
#include <stdlib.h>

#include "base/mem.h"
#include "mix/regress.h"

static const struct regressor *const kinds[] = {&regressor_law, &regressor_gbt};

static int mean_fit(const struct fit_data *d, struct surrogate *out, double *held_out,
                    struct err *err)
{
    double *part = xcalloc((size_t)d->n, sizeof *part);
    int rc = 0;
    out->parts = xcalloc(ARRAY_SIZE(kinds), sizeof *out->parts);
    for (int64_t i = 0; i < d->n && held_out; i++)
        held_out[i] = 0;
    for (size_t k = 0; k < ARRAY_SIZE(kinds) && rc == 0; k++) {
        rc = surrogate_fit(kinds[k], d, &out->parts[k], held_out ? part : NULL, err);
        for (int64_t i = 0; i < d->n && rc == 0 && held_out; i++)
            held_out[i] += part[i] / 2;
    }
    free(part);
    return rc;
}

static double mean_value(const struct surrogate *s, const double *x, int64_t m)
{
    return (surrogate_value(&s->parts[0], x, m) + surrogate_value(&s->parts[1], x, m)) / 2;
}

static void mean_values(const struct surrogate *s, const double *x, int64_t n, int64_t m, double *y)
{
    double *part = xcalloc((size_t)n + 1, sizeof *part);
    surrogate_values(&s->parts[0], x, n, m, part);
    surrogate_values(&s->parts[1], x, n, m, y);
    for (int64_t i = 0; i < n; i++)
        y[i] = (part[i] + y[i]) / 2;
    free(part);
}

static void mean_write(const struct surrogate *s, int64_t m, json_t *obj)
{
    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
        json_t *part = json_object();
        kinds[k]->write(&s->parts[k], m, part);
        json_object_set_new(obj, kinds[k]->name, part);
    }
}

static int mean_read(struct surrogate *s, int64_t m, const json_t *obj, struct err *err)
{
    s->parts = xcalloc(ARRAY_SIZE(kinds), sizeof *s->parts);
    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
        const json_t *part = json_object_get(obj, kinds[k]->name);
        s->parts[k].kind = kinds[k];
        s->parts[k].rising = s->rising;
        if (!json_is_object(part))
            return err_set(err, "'%s' is missing", kinds[k]->name);
        if (kinds[k]->read(&s->parts[k], m, part, err) < 0)
            return -1;
    }
    return 0;
}

const struct regressor regressor_mean = {
    .name = "mean",
    .min_runs = 10, /* the trees' */
    .fit = mean_fit,
    .value = mean_value,
    .values = mean_values,
    .write = mean_write,
    .read = mean_read,
};
