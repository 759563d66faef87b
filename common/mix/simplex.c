/* simplex.c - capped simplex: projection, rounding, entropic mirror descent. */
#include "mix/simplex.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { MAX_STEPS = 50000 };
static const double LOG_ZERO = -690; /* e^-690 is a weight no one can tell from 0 */

static double clamp(double x, double lo, double hi)
{
    return fmin(fmax(x, lo), hi);
}

static double projected_sum(const struct limits *l, const double *log_z, double s)
{
    double sum = 0;
    for (int64_t j = 0; j < l->m; j++)
        sum += clamp(exp(fmin(log_z[j] + s, 1)), l->lo[j], l->hi[j]);
    return sum;
}

/* The sum grows with s from sum lo to sum hi, so bisection finds it; the last rounding error goes to
 * the largest weight that has room. */
void simplex_project(const struct limits *l, const double *log_z, double *x)
{
    double low = INFINITY, high = -INFINITY, sum = 0;
    for (int64_t j = 0; j < l->m; j++) {
        double z = fmax(log_z[j], 2 * LOG_ZERO);
        x[j] = z; /* from here on finite */
        low = fmin(low, -z + LOG_ZERO);
        high = fmax(high, -z + 1);
    }
    double *z = xcalloc((size_t)l->m, sizeof *z);
    memcpy(z, x, (size_t)l->m * sizeof *z);
    for (int it = 0; it < 200 && high - low > 0; it++) {
        double mid = 0.5 * (low + high);
        if (mid <= low || mid >= high)
            break;
        if (projected_sum(l, z, mid) < 1)
            low = mid;
        else
            high = mid;
    }
    for (int64_t j = 0; j < l->m; j++) {
        x[j] = clamp(exp(fmin(z[j] + high, 1)), l->lo[j], l->hi[j]);
        sum += x[j];
    }
    int64_t big = 0;
    for (int64_t j = 1; j < l->m; j++)
        if (fmin(x[j] - l->lo[j], l->hi[j] - x[j]) > fmin(x[big] - l->lo[big], l->hi[big] - x[big]))
            big = j;
    if (fabs(1 - sum) < 1e-9)
        x[big] = clamp(x[big] + 1 - sum, l->lo[big], l->hi[big]);
    free(z);
}

struct priced {
    double cost;
    int64_t j;
};

static int by_cost(const void *a, const void *b)
{
    const struct priced *p = a, *q = b;
    if (p->cost != q->cost)
        return p->cost < q->cost ? -1 : 1;
    return (p->j > q->j) - (p->j < q->j);
}

double simplex_linear_minimum(const struct limits *l, const double *grad, double *x)
{
    struct priced *order = xcalloc((size_t)l->m, sizeof *order);
    double room = 1, value = 0;
    for (int64_t j = 0; j < l->m; j++) {
        order[j] = (struct priced){grad[j], j};
        x[j] = l->lo[j];
        room -= l->lo[j];
    }
    qsort(order, (size_t)l->m, sizeof *order, by_cost);
    for (int64_t k = 0; k < l->m && room > 0; k++) {
        int64_t j = order[k].j;
        double more = fmin(room, l->hi[j] - l->lo[j]);
        x[j] += more;
        room -= more;
    }
    for (int64_t j = 0; j < l->m; j++)
        value += grad[j] * x[j];
    free(order);
    return value;
}

void simplex_round(const double *x, const double *hi, int64_t m, int64_t units, int64_t *out)
{
    struct priced *order = xcalloc((size_t)m, sizeof *order);
    int64_t left = units;
    for (int64_t j = 0; j < m; j++) {
        double exact = x[j] * (double)units;
        out[j] = (int64_t)floor(exact + 1e-9);
        left -= out[j];
        order[j] = (struct priced){(double)out[j] - exact, j};
    }
    qsort(order, (size_t)m, sizeof *order, by_cost);
    /* The second round takes whoever there is: caps that sum to 1 leave no other choice. */
    for (int strict = 1; strict >= 0 && left != 0; strict--)
        for (int64_t k = 0; k < m && left > 0; k++) {
            int64_t j = order[k].j;
            if (x[j] <= 0 || (strict && (double)(out[j] + 1) > hi[j] * (double)units * (1 + 1e-12)))
                continue;
            out[j]++;
            left--;
        }
    for (int64_t k = m - 1; k >= 0 && left < 0; k--)
        if (out[order[k].j] > 0) {
            out[order[k].j]--;
            left++;
        }
    free(order);
}

double kl_divergence(const double *x, const double *prior, int64_t m)
{
    double sum = 0;
    for (int64_t j = 0; j < m; j++)
        if (x[j] > 0)
            sum += x[j] * (log(x[j]) - log(prior[j]));
    return sum; /* infinite if a prior of 0 is used */
}

static double safe_log(double x)
{
    return x > 0 ? fmax(log(x), LOG_ZERO) : LOG_ZERO;
}

/* argmin <grad, y> + kl KL(y || prior) + KL(y || x) / rate. */
static void mirror_step(const struct convex_problem *p, const double *x, const double *grad,
                        double rate, double *log_z, double *y)
{
    for (int64_t j = 0; j < p->limits->m; j++) {
        log_z[j] = safe_log(x[j]) / rate - grad[j];
        if (p->kl > 0)
            log_z[j] += p->kl * (p->prior[j] > 0 ? safe_log(p->prior[j]) : -INFINITY);
        log_z[j] /= 1 / rate + p->kl;
    }
    simplex_project(p->limits, log_z, y);
}

/* y log(y / x) - y + x, without cancellation where they are close. */
static double distance_term(double y, double x)
{
    double d = (y - x) / x;
    if (fabs(d) < 1e-4)
        return x * d * d * (0.5 - d / 6);
    return (y > 0 ? y * (safe_log(y) - safe_log(x)) : 0) - y + x;
}

/* f may rise by no more than its linear model plus the distance the step was charged for.  Near the
 * minimum that difference drowns in f's rounding errors, so the gradients, which bound it for a
 * convex f, decide, and f itself only keeps the step honest. */
static bool step_fits(double value, double next, const double *grad, const double *next_grad,
                      const double *x, const double *y, int64_t m, double rate)
{
    double model = value, bend = 0, distance = 0;
    if (!isfinite(next))
        return false;
    for (int64_t j = 0; j < m; j++) {
        model += grad[j] * (y[j] - x[j]);
        bend += (next_grad[j] - grad[j]) * (y[j] - x[j]);
        distance += x[j] > 0 ? distance_term(y[j], x[j]) : 0;
    }
    return bend <= distance / rate + 1e-30 &&
           next <= model + distance / rate + 1e-12 * fabs(value);
}

/* <grad of all, x> - min over the set: 0 at the minimum of a convex function. */
static double frank_wolfe_gap(const struct convex_problem *p, const double *x, const double *grad,
                              double *total, double *vertex)
{
    int64_t m = p->limits->m;
    double at = 0;
    for (int64_t j = 0; j < m; j++) {
        total[j] = grad[j];
        if (p->kl > 0)
            /* A domain the prior forbids can only stay at its lower limit. */
            total[j] += p->prior[j] > 0 ? p->kl * (safe_log(x[j]) - safe_log(p->prior[j]) + 1) : 1e9;
        at += total[j] * x[j];
    }
    return at - simplex_linear_minimum(p->limits, total, vertex);
}

struct convex_result simplex_minimize(const struct convex_problem *p, double *x)
{
    int64_t m = p->limits->m;
    size_t bytes = (size_t)m * sizeof(double);
    double *work = xcalloc((size_t)m * 6, sizeof *work);
    double *grad = work, *next_grad = work + m, *y = work + 2 * m, *log_z = work + 3 * m;
    double *total = work + 4 * m, *vertex = work + 5 * m, rate = 1;
    struct convex_result r = {0};
    double value = p->f(p->self, x, grad);
    for (; r.steps < MAX_STEPS; r.steps++) {
        r.gap = frank_wolfe_gap(p, x, grad, total, vertex);
        if (r.gap <= p->tolerance)
            break;
        double next = INFINITY;
        for (rate = fmin(rate * 2, 1e12); rate > 1e-12; rate /= 2) {
            mirror_step(p, x, grad, rate, log_z, y);
            next = p->f(p->self, y, next_grad);
            if (step_fits(value, next, grad, next_grad, x, y, m, rate))
                break;
        }
        if (memcmp(x, y, bytes) == 0 || !isfinite(next))
            break;
        memcpy(x, y, bytes);
        memcpy(grad, next_grad, bytes);
        value = next;
    }
    r.value = value + (p->kl > 0 ? p->kl * kl_divergence(x, p->prior, m) : 0);
    free(work);
    return r;
}
