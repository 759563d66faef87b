/* ridge.c - the linear surrogate: ridge regression with the penalty of least leave-one-out error. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "mix/regress.h"
#include "mix/stats.h"

/* gram [m, m] = x^T x, right [m] = x^T y. */
static void normal_equations(const double *x, const double *y, int64_t n, int64_t m, double *gram,
                             double *right)
{
    memset(gram, 0, (size_t)(m * m) * sizeof *gram);
    memset(right, 0, (size_t)m * sizeof *right);
    for (int64_t i = 0; i < n; i++) {
        const double *row = x + i * m;
        for (int64_t j = 0; j < m; j++) {
            right[j] += row[j] * y[i];
            for (int64_t k = 0; k <= j; k++)
                gram[j * m + k] += row[j] * row[k];
        }
    }
    for (int64_t j = 0; j < m; j++)
        for (int64_t k = 0; k < j; k++)
            gram[k * m + j] = gram[j * m + k];
}

void ridge_through_origin(const double *x, const double *y, int64_t n, int64_t m, double penalty,
                          double *coef)
{
    double *gram = xcalloc((size_t)(m * m), sizeof *gram);
    normal_equations(x, y, n, m, gram, coef);
    for (int64_t j = 0; j < m; j++)
        gram[j * (m + 1)] += penalty;
    if (!cholesky_solve(gram, m, coef))
        memset(coef, 0, (size_t)m * sizeof *coef);
    free(gram);
}

/* Ridge in the basis where the centred x^T x is diagonal, so that all penalties cost one
 * decomposition. */
struct ridge {
    int64_t n, m;
    double mean_y;
    double *mean_x;  /* [m] */
    double *centred; /* [n, m] */
    double *y;       /* [n] centred */
    double *values, *vectors;
    double *scores;  /* [n, m] centred . vectors */
    double *right;   /* [m] scores^T y */
};

static void ridge_init(struct ridge *r, const struct fit_data *d)
{
    size_t n = (size_t)d->n, m = (size_t)d->m;
    double *gram = xcalloc(m * m, sizeof *gram), *unused = xcalloc(m, sizeof *unused);
    *r = (struct ridge){.n = d->n, .m = d->m};
    r->mean_x = xcalloc(m, sizeof(double));
    r->centred = xcalloc(n * m, sizeof(double));
    r->y = xcalloc(n, sizeof(double));
    r->values = xcalloc(m, sizeof(double));
    r->vectors = xcalloc(m * m, sizeof(double));
    r->scores = xcalloc(n * m, sizeof(double));
    r->right = xcalloc(m, sizeof(double));
    for (size_t i = 0; i < n; i++) {
        r->mean_y += d->y[i] / (double)n;
        for (size_t j = 0; j < m; j++)
            r->mean_x[j] += d->x[i * m + j] / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        r->y[i] = d->y[i] - r->mean_y;
        for (size_t j = 0; j < m; j++)
            r->centred[i * m + j] = d->x[i * m + j] - r->mean_x[j];
    }
    normal_equations(r->centred, r->y, r->n, r->m, gram, unused);
    symmetric_eigen(gram, r->m, r->values, r->vectors);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < m; k++) {
            double sum = 0;
            for (size_t j = 0; j < m; j++)
                sum += r->centred[i * m + j] * r->vectors[j * m + k];
            r->scores[i * m + k] = sum;
            r->right[k] += sum * r->y[i];
        }
    free(gram);
    free(unused);
}

static void ridge_release(struct ridge *r)
{
    free(r->mean_x);
    free(r->centred);
    free(r->y);
    free(r->values);
    free(r->vectors);
    free(r->scores);
    free(r->right);
}

/* Leave-one-out predictions: y_i - r_i / (1 - h_i), h_i including the intercept's 1/n.  Returns
 * their squared error. */
static double leave_one_out(const struct ridge *r, double penalty, double *held_out)
{
    double total = 0;
    for (int64_t i = 0; i < r->n; i++) {
        double fitted = 0, leverage = 1.0 / (double)r->n;
        for (int64_t k = 0; k < r->m; k++) {
            double s = r->scores[i * r->m + k], d = fmax(r->values[k], 0) + penalty;
            fitted += s * r->right[k] / d;
            leverage += s * s / d;
        }
        double error = (r->y[i] - fitted) / fmax(1 - leverage, 1e-9);
        held_out[i] = r->mean_y + r->y[i] - error;
        total += error * error;
    }
    return total;
}

static int linear_fit(const struct fit_data *d, struct surrogate *out, double *held_out,
                      struct err *err)
{
    struct ridge r;
    double *scratch = xcalloc((size_t)d->n, sizeof *scratch);
    (void)err; /* any three runs can be fitted */
    ridge_init(&r, d);
    double scale = 0, best = INFINITY;
    for (int64_t k = 0; k < r.m; k++)
        scale += fmax(r.values[k], 0) / (double)r.m;
    if (!(scale > 0))
        scale = 1; /* all mixtures alike: the mean is all there is to fit */
    out->n_terms = 1;
    for (int step = -24; step <= 12; step++) {
        double penalty = scale * pow(10, step / 4.0), error = leave_one_out(&r, penalty, scratch);
        if (error < best) {
            best = error;
            out->penalty = penalty;
        }
    }
    if (held_out)
        leave_one_out(&r, out->penalty, held_out);
    free(scratch);
    out->coef = xcalloc((size_t)r.m, sizeof *out->coef);
    for (int64_t j = 0; j < r.m; j++)
        for (int64_t k = 0; k < r.m; k++)
            out->coef[j] += r.vectors[j * r.m + k] * r.right[k] /
                            (fmax(r.values[k], 0) + out->penalty);
    out->bias = r.mean_y - dot(out->coef, r.mean_x, r.m);
    ridge_release(&r);
    return 0;
}

static double linear_value(const struct surrogate *s, const double *x, int64_t m)
{
    return s->bias + dot(s->coef, x, m);
}

static void linear_gradient(const struct surrogate *s, const double *x, int64_t m, double *grad)
{
    (void)x;
    memcpy(grad, s->coef, (size_t)m * sizeof *grad);
}

static void linear_write(const struct surrogate *s, int64_t m, json_t *obj)
{
    json_object_set_new(obj, "penalty", json_number(s->penalty));
    json_object_set_new(obj, "bias", json_number(s->bias));
    json_object_set_new(obj, "coef", json_from_doubles(s->coef, m));
}

static int linear_read(struct surrogate *s, int64_t m, const json_t *obj, struct err *err)
{
    s->n_terms = 1;
    if (json_get_num(obj, "bias", &s->bias, err) < 0 ||
        json_opt_num(obj, "penalty", &s->penalty, err) < 0)
        return -1;
    s->coef = json_get_doubles(obj, "coef", m, err);
    return s->coef ? 0 : -1;
}

const struct regressor regressor_linear = {
    .name = "linear",
    .smooth = true,
    .min_runs = 3,
    .fit = linear_fit,
    .value = linear_value,
    .gradient = linear_gradient,
    .write = linear_write,
    .read = linear_read,
};
