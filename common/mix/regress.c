/* regress.c - the list of surrogates, and what they share. */
#include "mix/regress.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "mix/forest.h"

static const struct regressor *const regressors[] = {&regressor_linear, &regressor_law, &regressor_gbt,
                                                     &regressor_mean};

const struct regressor *regressor_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(regressors); i++)
        if (strcmp(regressors[i]->name, name) == 0)
            return regressors[i];
    return NULL;
}

double surrogate_value(const struct surrogate *s, const double *x, int64_t m)
{
    return s->kind->value(s, x, m);
}

void surrogate_values(const struct surrogate *s, const double *x, int64_t n, int64_t m, double *y)
{
    if (s->kind->values) {
        s->kind->values(s, x, n, m, y);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        y[i] = s->kind->value(s, x + i * m, m);
}

int surrogate_fit(const struct regressor *kind, const struct fit_data *d, struct surrogate *out,
                  double *held_out, struct err *err)
{
    *out = (struct surrogate){.kind = kind, .rising = d->rising};
    if (d->n < kind->min_runs)
        return err_set(err, "%lld runs, '%s' needs at least %lld", (long long)d->n, kind->name,
                       (long long)kind->min_runs);
    return kind->fit(d, out, held_out, err);
}

void surrogate_release(struct surrogate *s)
{
    for (int i = 0; s->parts && i < 2; i++)
        surrogate_release(&s->parts[i]);
    free(s->parts);
    free(s->coef);
    forest_free(s->forest);
    memset(s, 0, sizeof *s);
}

double dot(const double *a, const double *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

json_t *json_from_doubles(const double *x, int64_t n)
{
    json_t *a = json_array();
    for (int64_t i = 0; i < n; i++)
        json_array_append_new(a, json_number(x[i]));
    return a;
}

double *json_get_doubles(const json_t *obj, const char *key, int64_t n, struct err *err)
{
    const json_t *a = json_object_get(obj, key);
    if (!json_is_array(a) || (int64_t)json_array_size(a) != n) {
        err_set(err, "'%s' is not an array of %lld numbers", key, (long long)n);
        return NULL;
    }
    double *x = xcalloc((size_t)n, sizeof *x);
    for (int64_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(a, (size_t)i);
        x[i] = json_number_value(v);
        if (!json_is_number(v) || !isfinite(x[i])) {
            err_set(err, "'%s' holds %s, expected numbers", key, json_type_name(v));
            free(x);
            return NULL;
        }
    }
    return x;
}
