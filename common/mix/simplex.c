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
    return x < lo ? lo : x > hi ? hi : x;
}

/* The domains that share one multiplier. */
struct share {
    const struct limits *l;
    const double *z; /* [m] */
    const int64_t *set;
    int64_t n;
};

static double share_sum(const struct share *s, double factor)
{
    double sum = 0;
    for (int64_t k = 0; k < s->n; k++) {
        int64_t j = s->set[k];
        sum += clamp(s->z[j] * factor, s->l->lo[j], s->l->hi[j]);
    }
    return sum;
}

/* What a bisection over factors looks for: where a growing function passes a total. */
struct growing {
    double (*f)(const void *self, double factor);
    const void *self;
    double total;
};

/* A factor just at or above the one that is sought: a bracket around 1 that grows, then bisection. */
static double find_factor(const struct growing *g)
{
    double low = -1, high = 1;
    for (double step = 2; low > 2 * LOG_ZERO && g->f(g->self, exp(low)) >= g->total; step *= 2) {
        high = low;
        low = fmax(low - step, 2 * LOG_ZERO);
    }
    for (double step = 2; high < 1 - LOG_ZERO && g->f(g->self, exp(high)) < g->total; step *= 2) {
        low = high;
        high = fmin(high + step, 1 - LOG_ZERO);
    }
    for (int it = 0; it < 80 && high - low > 1e-13; it++) {
        double mid = 0.5 * (low + high);
        if (mid <= low || mid >= high)
            break;
        if (g->f(g->self, exp(mid)) < g->total)
            low = mid;
        else
            high = mid;
    }
    return exp(high);
}

static double share_sum_of(const void *self, double factor)
{
    return share_sum(self, factor);
}

/* x_j = clamp(z_j f, lo_j, hi_j) on the set, with the f that makes their sum `total`.  Bisection says
 * which are at a limit; the factor of the others then follows exactly. */
static void share_fill(const struct share *s, double total, double *x)
{
    double factor = find_factor(&(struct growing){share_sum_of, s, total});
    double fixed = 0, open = 0, sum = 0;
    for (int64_t k = 0; k < s->n; k++) {
        int64_t j = s->set[k];
        double at = s->z[j] * factor;
        bool inside = at > s->l->lo[j] && at < s->l->hi[j];
        fixed += inside ? 0 : clamp(at, s->l->lo[j], s->l->hi[j]);
        open += inside ? s->z[j] : 0;
    }
    double exact = open > 0 ? (total - fixed) / open : factor;
    if (!(fabs(exact - factor) < 1e-6 * factor))
        exact = factor;
    int64_t big = s->n ? s->set[0] : 0;
    for (int64_t k = 0; k < s->n; k++) {
        int64_t j = s->set[k];
        x[j] = clamp(s->z[j] * exact, s->l->lo[j], s->l->hi[j]);
        sum += x[j];
        if (fmin(x[j] - s->l->lo[j], s->l->hi[j] - x[j]) > fmin(x[big] - s->l->lo[big], s->l->hi[big] - x[big]))
            big = j;
    }
    /* The last rounding error goes to the weight with the most room. */
    if (s->n && fabs(total - sum) < 1e-9)
        x[big] = clamp(x[big] + total - sum, s->l->lo[big], s->l->hi[big]);
}

/* Members of each group, and of none (the last), one after another in set. */
struct shares {
    struct share *part; /* [n_groups + 1] */
    const struct limits *l;
    int64_t *set;
};

static double groups_sum(const void *self, double factor)
{
    const struct shares *s = self;
    double sum = share_sum(&s->part[s->l->n_groups], factor);
    for (int g = 0; g < s->l->n_groups; g++)
        sum += clamp(share_sum(&s->part[g], factor), s->l->group_lo[g], s->l->group_hi[g]);
    return sum;
}

/* Groups at a limit have a factor of their own; all others share one. */
static void project_groups(const struct limits *l, const double *z, double *x)
{
    struct shares s = {.l = l, .set = xcalloc((size_t)l->m * 2, sizeof *s.set)};
    int64_t at = 0, n_rest = 0, *rest = s.set + l->m;
    double left = 1;
    s.part = xcalloc((size_t)l->n_groups + 1, sizeof *s.part);
    for (int g = 0; g <= l->n_groups; g++) {
        s.part[g] = (struct share){l, z, s.set + at, 0};
        for (int64_t j = 0; j < l->m; j++)
            if (l->group[j] == (g < l->n_groups ? g : -1))
                s.set[at + s.part[g].n++] = j;
        at += s.part[g].n;
    }
    double factor = find_factor(&(struct growing){groups_sum, &s, 1});
    for (int g = 0; g <= l->n_groups; g++) {
        double sum = share_sum(&s.part[g], factor);
        if (g < l->n_groups && (sum <= l->group_lo[g] || sum >= l->group_hi[g])) {
            double limit = sum <= l->group_lo[g] ? l->group_lo[g] : l->group_hi[g];
            share_fill(&s.part[g], limit, x);
            left -= limit;
            continue;
        }
        for (int64_t k = 0; k < s.part[g].n; k++)
            rest[n_rest++] = s.part[g].set[k];
    }
    share_fill(&(struct share){l, z, rest, n_rest}, left, x);
    free(s.part);
    free(s.set);
}

static bool within(const struct limits *l, const double *x)
{
    for (int64_t j = 0; j < l->m; j++)
        if (x[j] < l->lo[j] || x[j] > l->hi[j])
            return false;
    for (int g = 0; g < l->n_groups; g++) {
        double sum = 0;
        for (int64_t j = 0; j < l->m; j++)
            sum += l->group[j] == g ? x[j] : 0;
        if (sum < l->group_lo[g] || sum > l->group_hi[g])
            return false;
    }
    return true;
}

void simplex_project(const struct limits *l, const double *log_z, double *x)
{
    double top = -INFINITY, sum = 0;
    double *z = xcalloc((size_t)l->m, sizeof *z);
    for (int64_t j = 0; j < l->m; j++)
        top = fmax(top, log_z[j]);
    for (int64_t j = 0; j < l->m; j++)
        sum += z[j] = exp(isfinite(top) ? fmax(log_z[j] - top, LOG_ZERO) : 0);
    for (int64_t j = 0; j < l->m; j++)
        x[j] = z[j] / sum;
    if (!within(l, x) && l->n_groups) {
        project_groups(l, z, x);
    } else if (!within(l, x)) {
        int64_t *all = xcalloc((size_t)l->m, sizeof *all);
        for (int64_t j = 0; j < l->m; j++)
            all[j] = j;
        share_fill(&(struct share){l, z, all, l->m}, 1, x);
        free(all);
    }
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

/* Gives the cheapest domains (of group `only`, or all if it is -1) their fill, in order, up to `room`
 * and what the groups have left. */
static void fill_cheapest(const struct limits *l, const struct priced *order, int only,
                          double *group_room, double room, double *x)
{
    for (int64_t k = 0; k < l->m && room > 0; k++) {
        int64_t j = order[k].j;
        int g = l->n_groups ? l->group[j] : -1;
        double more = fmax(fmin(room, l->hi[j] - x[j]), 0);
        if (only >= 0 && g != only)
            continue;
        if (g >= 0) {
            more = fmax(fmin(more, group_room[g]), 0);
            group_room[g] -= more;
        }
        x[j] += more;
        room -= more;
    }
}

double simplex_linear_minimum(const struct limits *l, const double *grad, double *x)
{
    struct priced *order = xcalloc((size_t)l->m, sizeof *order);
    double *must = xcalloc((size_t)l->n_groups + 1, sizeof *must);
    double *room = xcalloc((size_t)l->n_groups + 1, sizeof *room), left = 1, value = 0;
    for (int g = 0; g < l->n_groups; g++) {
        must[g] = l->group_lo[g];
        room[g] = l->group_hi[g];
    }
    for (int64_t j = 0; j < l->m; j++) {
        order[j] = (struct priced){grad[j], j};
        x[j] = l->lo[j];
        left -= l->lo[j];
        if (l->n_groups && l->group[j] >= 0) {
            must[l->group[j]] -= l->lo[j];
            room[l->group[j]] -= l->lo[j];
        }
    }
    qsort(order, (size_t)l->m, sizeof *order, by_cost);
    /* What a group must have comes first, and would be its cheapest members anyway. */
    for (int g = 0; g < l->n_groups; g++) {
        double need = fmax(must[g], 0);
        fill_cheapest(l, order, g, room, need, x);
        left -= need;
    }
    fill_cheapest(l, order, -1, room, left, x);
    for (int64_t j = 0; j < l->m; j++)
        value += grad[j] * x[j];
    free(order);
    free(must);
    free(room);
    return value;
}

/* Would one more unit of domain j cross its limit or its group's? */
static bool crosses(const struct limits *l, const int64_t *out, int64_t j, int64_t units)
{
    double group = 1, most = (double)units * (1 + 1e-12);
    if ((double)(out[j] + 1) > l->hi[j] * most)
        return true;
    if (!l->n_groups || l->group[j] < 0)
        return false;
    for (int64_t k = 0; k < l->m; k++)
        group += l->group[k] == l->group[j] ? (double)out[k] : 0;
    return group > l->group_hi[l->group[j]] * most;
}

void simplex_round(const double *x, const struct limits *l, int64_t units, int64_t *out)
{
    int64_t m = l->m, left = units;
    struct priced *order = xcalloc((size_t)m, sizeof *order);
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
            if (x[j] <= 0 || (strict && crosses(l, out, j, units)))
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
