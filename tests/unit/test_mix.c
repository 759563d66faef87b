/* test_mix.c - tables, ranks, ridge, the capped simplex and its minimiser, swarms. */
#include <stdbool.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/rng.h"
#include "mix/surrogates.h"
#include "mix/stats.h"
#include "mix/swarm.h"

#include "mix_cases.h"

static int read_text(struct table *t, const char *text, struct err *err)
{
    return table_read(t, write_temp(text), err);
}

static void test_table(void)
{
    struct table t;
    struct err err = {0};
    /* Byte order mark, CR LF, quotes, blanks, blank lines, a trailing comma, no final newline. */
    CHECK_MSG(read_text(&t, "\xef\xbb\xbfrun,\"a,\"\"b\"\"\", c\r\n\"x 1\",0.25 ,nan,\r\n\r\n7,,1e3", &err) == 0,
              "%s", err.text);
    CHECK(t.n_rows == 2 && t.n_cols == 2);
    CHECK_STR(t.id_name, "run");
    CHECK_STR(t.cols[0], "a,\"b\"");
    CHECK_STR(t.cols[1], "c");
    CHECK_STR(t.ids[0], "x 1");
    CHECK(t.x[0] == 0.25 && isnan(t.x[1]) && isnan(t.x[2]) && t.x[3] == 1000);
    CHECK(table_row(&t, "7") == 1 && table_row(&t, "8") == -1);
    table_release(&t);

    static const struct {
        const char *text, *want;
    } bad[] = {
        {"", "empty"},
        {"run\n1\n", "only one column"},
        {"run,a\n", "no rows"},
        {"run,a,a\n1,2,3\n", "two columns are called 'a'"},
        {"run,a\n1,2,3\n", ":2: 3 cells, expected 2"},
        {"run,a,b\n1,2\n", ":2: 2 cells, expected 3"},
        {"run,a\n1,0x10\n", "'0x10' is not a number"},
        {"run,a\n1,2 3\n", "'2 3' is not a number"},
        {"run,a\n1,2\n2,3\n1,4\n", ":4: run '1' was on line 2 already"},
        {"run,a\n,2\n", "is empty"},
        {"run,a\n1,\"2\n", "does not end"},
        {"run,\n1,2\n", "has no name"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        err_clear(&err);
        CHECK_MSG(read_text(&t, bad[i].text, &err) < 0, "case %zu", i);
        CHECK_MSG(strstr(err.text, bad[i].want) != NULL, "'%s' has no '%s'", err.text, bad[i].want);
    }
    err_clear(&err);
    CHECK(read_text(&t, "run,a,b\n1,0.5,0.6\n", &err) == 0);
    CHECK(table_check_mixtures(&t, false, &err) < 0);
    err_clear(&err);
    CHECK(table_check_mixtures(&t, true, &err) == 0);
    CHECK_CLOSE(t.x[0] + t.x[1], 1, 1e-15, 0);
    table_release(&t);
}

static void test_ranks(void)
{
    double r[6];
    mid_ranks((double[]){3, 1, 3, 2, 3, 0}, 6, r);
    static const double want[] = {5, 2, 5, 3, 5, 1};
    CHECK(memcmp(r, want, sizeof want) == 0);
    /* Ranks 1 2.5 2.5 4 and 1 4 2.5 2.5: 2.25 / 4.5. */
    double a[] = {1, 2, 2, 4}, b[] = {1, 3, 2, 2}, flat[] = {5, 5, 5, 5};
    CHECK_CLOSE(spearman(a, b, 4), 0.5, 1e-12, 0);
    CHECK(isnan(spearman(a, flat, 4)));
    /* As many equal values as make the mean of their ranks inexact. */
    double many[20], other[20];
    for (int i = 0; i < 20; i++) {
        many[i] = 4;
        other[i] = i;
    }
    CHECK(isnan(spearman(many, other, 20)) && isnan(spearman(other, many, 20)));
    double low, high;
    spearman_interval(0.965, 64, &low, &high); /* by hand: atanh 2.0139 +- 1.96 sqrt(1.4656 / 61) */
    CHECK_CLOSE(low, 0.9368, 5e-4, 0);
    CHECK_CLOSE(high, 0.9808, 5e-4, 0);
    spearman_interval(0.3, 12, &low, &high);
    CHECK(low < 0 && high > 0.3);
    spearman_interval(NAN, 64, &low, &high);
    CHECK(isnan(low));
    CHECK_CLOSE(median((double[]){3, 1, 2, 10}, 4), 2.5, 1e-12, 0);
    CHECK_CLOSE(root_mean_square(a, b, 4), sqrt(5.0 / 4), 1e-12, 0);
    CHECK_CLOSE(mean_absolute(a, b, 4), 0.75, 1e-12, 0);
}

/* Leave-one-out by the closed form equals leaving each run out and fitting again (the penalty is the
 * same, the data are what differs). */
static void test_linear(void)
{
    enum { N = 12, M = 3 };
    struct rng r;
    double x[N * M], y[N], held_out[N];
    rng_init(&r, 1, "test", 0, 0);
    for (int i = 0; i < N; i++) {
        random_mixture(&r, x + i * M, M, 1);
        y[i] = 2 + x[i * M] - 3 * x[i * M + 1] + 0.3 * rng_normal(&r);
    }
    struct surrogate s;
    struct err err = {0};
    struct fit_data d = {.n = N, .m = M, .x = x, .y = y};
    CHECK(surrogate_fit(&regressor_linear, &d, &s, held_out, &err) == 0);
    for (int out = 0; out < N; out++) {
        /* Ridge with an unpenalised intercept, without row `out`: centre, then through the origin. */
        double cx[N * M], cy[N], mean[M + 1] = {0}, coef[M];
        int n = 0;
        for (int i = 0; i < N; i++)
            for (int j = 0; j <= M && i != out; j++)
                mean[j] += (j < M ? x[i * M + j] : y[i]) / (N - 1);
        for (int i = 0; i < N; i++) {
            if (i == out)
                continue;
            for (int j = 0; j < M; j++)
                cx[n * M + j] = x[i * M + j] - mean[j];
            cy[n++] = y[i] - mean[M];
        }
        ridge_through_origin(cx, cy, n, M, s.penalty, coef);
        double p = mean[M];
        for (int j = 0; j < M; j++)
            p += coef[j] * (x[out * M + j] - mean[j]);
        CHECK_CLOSE(held_out[out], p, 1e-9, 0);
    }
    surrogate_release(&s);

    /* A constant metric and constant mixtures are no trouble. */
    for (int i = 0; i < N; i++)
        y[i] = 4;
    CHECK(surrogate_fit(&regressor_linear, &d, &s, held_out, &err) == 0);
    CHECK_CLOSE(surrogate_value(&s, x, M), 4, 1e-9, 0);
    surrogate_release(&s);
    for (int i = 0; i < N * M; i++)
        x[i] = 1.0 / M;
    CHECK(surrogate_fit(&regressor_linear, &d, &s, held_out, &err) == 0);
    CHECK_CLOSE(surrogate_value(&s, x, M), 4, 1e-9, 0);
    surrogate_release(&s);
}

static void test_projection(void)
{
    enum { M = 6 };
    struct rng r;
    rng_init(&r, 3, "test", 0, 0);
    for (int c = 0; c < 200; c++) {
        double lo[M], hi[M], z[M], x[M], sum = 0, part[M];
        random_mixture(&r, part, M, 1);
        for (int j = 0; j < M; j++) {
            lo[j] = rng_uniform(&r) < 0.3 ? 0.5 * part[j] : 0;
            hi[j] = fmin(1, part[j] * (1 + rng_uniform(&r)));
            z[j] = 20 * rng_normal(&r);
        }
        struct limits l = {.m = M, .lo = lo, .hi = hi};
        simplex_project(&l, z, x);
        /* Optimal: one factor s for all weights strictly inside, larger for none at the upper limit
         * and smaller for none at the lower. */
        double s = NAN;
        for (int j = 0; j < M; j++) {
            sum += x[j];
            CHECK(x[j] >= lo[j] && x[j] <= hi[j]);
            if (x[j] > lo[j] * (1 + 1e-9) && x[j] < hi[j] * (1 - 1e-9) && x[j] > 1e-12)
                s = log(x[j]) - z[j];
        }
        CHECK_CLOSE(sum, 1, 1e-12, 0);
        for (int j = 0; j < M && !isnan(s); j++) {
            if (x[j] >= hi[j] * (1 - 1e-9))
                CHECK(z[j] + s >= log(x[j]) - 1e-6);
            else if (x[j] <= lo[j] * (1 + 1e-9))
                CHECK(x[j] == 0 || z[j] + s <= log(x[j]) + 1e-6);
            else if (x[j] > 1e-12)
                CHECK_CLOSE(log(x[j]) - z[j], s, 1e-6, 0);
        }
    }
    /* Caps that sum to 1 are the answer. */
    double lo[3] = {0}, hi[3] = {0.2, 0.3, 0.5}, z[3] = {100, -INFINITY, -400}, x[3];
    struct limits l = {.m = 3, .lo = lo, .hi = hi};
    simplex_project(&l, z, x);
    for (int j = 0; j < 3; j++)
        CHECK_CLOSE(x[j], hi[j], 1e-9, 0);
}

/* Groups: three domains at most 0.3, two at least 0.5. */
struct grouped {
    double lo[6], hi[6], least[2], most[2];
    int group[6];
    struct limits l;
};

static void grouped_init(struct grouped *g, struct rng *r)
{
    double part[6];
    random_mixture(r, part, 6, 1);
    for (int j = 0; j < 6; j++) {
        g->lo[j] = 0;
        g->hi[j] = 0.4 + 0.6 * rng_uniform(r);
        g->group[j] = j < 3 ? 0 : j < 5 ? 1 : -1;
    }
    g->least[0] = 0;
    g->most[0] = 0.3;
    g->least[1] = 0.5;
    g->most[1] = 0.8;
    g->l = (struct limits){6, g->lo, g->hi, 2, g->group, g->least, g->most};
}

static double group_sum(const double *x, int from, int to)
{
    double sum = 0;
    for (int j = from; j < to; j++)
        sum += x[j];
    return sum;
}

static bool grouped_allows(const struct grouped *g, const double *x)
{
    for (int j = 0; j < 6; j++)
        if (x[j] < -1e-12 || x[j] > g->hi[j] + 1e-12)
            return false;
    return fabs(group_sum(x, 0, 6) - 1) < 1e-9 && group_sum(x, 0, 3) <= 0.3 + 1e-9 &&
           group_sum(x, 3, 5) >= 0.5 - 1e-9 && group_sum(x, 3, 5) <= 0.8 + 1e-9;
}

/* The projection is the mixture of least KL(x || z): none of many allowed mixtures near it or anywhere is
 * closer, and the linear minimum costs least of them. */
static void test_groups(void)
{
    struct rng r;
    rng_init(&r, 4, "test", 0, 0);
    for (int c = 0; c < 100; c++) {
        struct grouped g;
        double z[6], log_z[6], x[6], vertex[6], cost[6];
        grouped_init(&g, &r);
        random_mixture(&r, z, 6, 0.5);
        for (int j = 0; j < 6; j++) {
            log_z[j] = log(z[j]);
            cost[j] = rng_normal(&r);
        }
        simplex_project(&g.l, log_z, x);
        CHECK(grouped_allows(&g, x));
        double least = simplex_linear_minimum(&g.l, cost, vertex), nearest = kl_divergence(x, z, 6);
        CHECK(grouped_allows(&g, vertex));
        for (int k = 0; k < 200; k++) {
            double other[6], step = k % 2 ? 1 : 0.01;
            random_mixture(&r, other, 6, 0.5);
            for (int j = 0; j < 6; j++)
                other[j] = x[j] + step * (other[j] - x[j]);
            if (!grouped_allows(&g, other))
                continue;
            CHECK_MSG(kl_divergence(other, z, 6) >= nearest - 1e-9, "case %d: %g < %g", c,
                      kl_divergence(other, z, 6), nearest);
            CHECK(dot(cost, other, 6) >= least - 1e-9);
        }
    }
}

struct quadratic {
    const double *centre, *slope;
    int64_t m;
};

static double quadratic(void *self, const double *x, double *grad)
{
    const struct quadratic *q = self;
    double sum = 0;
    for (int64_t j = 0; j < q->m; j++) {
        double d = x[j] - q->centre[j];
        sum += d * d + q->slope[j] * x[j];
        grad[j] = 2 * d + q->slope[j];
    }
    return sum;
}

static double slope_only(void *self, const double *x, double *grad)
{
    memcpy(grad, self, 5 * sizeof *grad);
    return dot(self, x, 5);
}

static void test_minimize(void)
{
    enum { M = 5 };
    double lo[M] = {0.05, 0, 0, 0, 0}, hi[M] = {1, 0.3, 1, 0.4, 1};
    double centre[M] = {0, 0.6, 0.1, 0.25, 0.05}, slope[M] = {0}, prior[M] = {0.2, 0.2, 0.2, 0.2, 0.2};
    struct quadratic q = {centre, slope, M};
    struct limits l = {.m = M, .lo = lo, .hi = hi};
    struct convex_problem p = {
        .limits = &l, .self = &q, .f = quadratic, .prior = prior, .tolerance = 1e-10};
    double x[M] = {0.2, 0.2, 0.2, 0.2, 0.2};
    struct convex_result r = simplex_minimize(&p, x);
    /* Euclidean projection of centre: x = clamp(centre + s), here s = 0.075 for the free ones. */
    static const double want[M] = {0.075, 0.3, 0.175, 0.325, 0.125};
    CHECK_MSG(r.gap <= 1e-10, "gap %g after %lld steps", r.gap, (long long)r.steps);
    for (int j = 0; j < M; j++)
        CHECK_CLOSE(x[j], want[j], 1e-5, 0);

    /* A linear function and KL: the prior tilted by e^(-slope / kl). */
    double tilt[M] = {0.3, -0.2, 0.1, 0, 0.5}, zero[M] = {0}, one[M] = {1, 1, 1, 1, 1}, sum = 0;
    struct limits all = {.m = M, .lo = zero, .hi = one};
    p = (struct convex_problem){.limits = &all, .self = tilt, .f = slope_only, .kl = 0.1,
                                .prior = prior, .tolerance = 1e-10};
    for (int j = 0; j < M; j++) {
        x[j] = 0.2;
        sum += 0.2 * exp(-tilt[j] / 0.1);
    }
    r = simplex_minimize(&p, x);
    CHECK_MSG(r.gap <= 1e-10, "gap %g", r.gap);
    for (int j = 0; j < M; j++)
        CHECK_CLOSE(x[j], 0.2 * exp(-tilt[j] / 0.1) / sum, 1e-6, 0);
    /* Without KL: the vertex. */
    p.kl = 0;
    r = simplex_minimize(&p, x);
    CHECK_CLOSE(x[1], 1, 1e-9, 0);
}

static void test_rounding(void)
{
    int64_t out[4], sum = 0;
    double x[4] = {0.1234567, 0.3333333, 0.2, 0.34321}, hi[4] = {1, 1, 0.2, 1}, lo[4] = {0};
    struct limits l = {.m = 4, .lo = lo, .hi = hi};
    simplex_round(x, &l, 1000, out);
    for (int j = 0; j < 4; j++)
        sum += out[j];
    CHECK(sum == 1000 && out[2] == 200);
    simplex_round((double[]){0.5, 0.5, 0, 0}, &l, 7, out);
    CHECK(out[0] + out[1] == 7 && out[2] == 0 && out[3] == 0);
    /* A group's limit holds in units, too: the remainder goes to whoever is not in it. */
    int group[4] = {0, 0, -1, -1};
    double least = 0, most = 0.5;
    l = (struct limits){4, lo, (double[]){1, 1, 1, 1}, 1, group, &least, &most};
    simplex_round((double[]){0.249, 0.251, 0.2496, 0.2504}, &l, 10, out);
    CHECK(out[0] + out[1] <= 5 && out[0] + out[1] + out[2] + out[3] == 10);
}

static void test_swarm(void)
{
    enum { N = 200, M = 7 };
    static int64_t rows[N * M], again[N * M];
    double prior[M] = {0.3, 0.3, 0.2, 0.1, 0.05, 0.05, 0};
    struct swarm_options o = {
        .n = N, .strength_low = 0.1, .strength_high = 5, .min_weight = 0.002, .seed = 5};
    struct err err = {0};
    CHECK(swarm_draw(&o, prior, M, rows, &err) == 0);
    CHECK(swarm_draw(&o, prior, M, again, &err) == 0);
    CHECK(memcmp(rows, again, sizeof rows) == 0);
    double mean[M] = {0};
    for (int i = 0; i < N; i++) {
        int64_t sum = 0;
        for (int j = 0; j < M; j++) {
            sum += rows[i * M + j];
            mean[j] += (double)rows[i * M + j] / SWARM_UNITS / N;
            CHECK(rows[i * M + j] == 0 || rows[i * M + j] >= 1999);
        }
        CHECK(sum == SWARM_UNITS);
    }
    CHECK(rows[0] == 300000 && rows[6] == 0);
    CHECK_CLOSE(mean[0], 0.3, 0.09, 0);
    CHECK_CLOSE(mean[3], 0.1, 0.06, 0);
    /* Strengths so small that a plain Gamma draw is 0: still mixtures, of one domain. */
    o.strength_low = o.strength_high = 1e-4;
    o.n = 8;
    CHECK(swarm_draw(&o, prior, M, rows, &err) == 0);
    for (int j = 0, one = 0; j < M; j++) {
        one += rows[2 * M + j] == SWARM_UNITS;
        CHECK(j < M - 1 || one == 1);
    }
    o.strength_low = 0.1;
    o.strength_high = 5;
    /* Caps that hardly any draw meets hold for all. */
    double lo[M] = {0}, hi[M] = {0.35, 0.35, 0.25, 0.12, 0.06, 0.06, 0};
    struct limits caps = {.m = M, .lo = lo, .hi = hi};
    o.limits = &caps;
    o.n = 50;
    CHECK(swarm_draw(&o, prior, M, rows, &err) == 0);
    for (int i = 0; i < 50 * M; i++)
        CHECK((double)rows[i] <= hi[i % M] * SWARM_UNITS + 1e-6);
    o.limits = NULL;
    o.n = 3;
    CHECK(swarm_draw(&o, (double[]){1}, 1, rows, &err) < 0);
}

int main(void)
{
    log_init("test_mix", LOG_WARN);
    pool_init(2);
    int fd = mkstemp(temp);
    if (fd >= 0)
        close(fd);
    test_table();
    test_ranks();
    test_linear();
    test_projection();
    test_groups();
    test_minimize();
    test_rounding();
    test_swarm();
    unlink(temp);
    pool_release();
    return check_done();
}
