/* test_mix.c - tables, ranks, surrogates, the capped simplex and its minimiser, swarms. */
#include <stdbool.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/rng.h"
#include "mix/optimum.h"
#include "mix/stats.h"
#include "mix/swarm.h"

#include "check.h"

static char temp[] = "/tmp/test_mix.XXXXXX";

static const char *write_temp(const char *text)
{
    struct err err = {0};
    CHECK(file_write_atomic(temp, text, strlen(text), &err) == 0);
    return temp;
}

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
    CHECK_CLOSE(root_mean_square(a, b, 4), sqrt(5.0 / 4), 1e-12, 0);
    CHECK_CLOSE(mean_absolute(a, b, 4), 0.75, 1e-12, 0);
}

static void random_mixture(struct rng *r, double *x, int64_t m, double alpha)
{
    double sum = 0;
    for (int64_t j = 0; j < m; j++)
        sum += x[j] = exp(rng_gamma_log(r, alpha));
    for (int64_t j = 0; j < m; j++)
        x[j] /= sum;
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
    CHECK(regressor_linear.fit(&d, &s, held_out, &err) == 0);
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
    CHECK(regressor_linear.fit(&d, &s, held_out, &err) == 0);
    CHECK_CLOSE(surrogate_value(&s, x, M), 4, 1e-9, 0);
    surrogate_release(&s);
    for (int i = 0; i < N * M; i++)
        x[i] = 1.0 / M;
    CHECK(regressor_linear.fit(&d, &s, held_out, &err) == 0);
    CHECK_CLOSE(surrogate_value(&s, x, M), 4, 1e-9, 0);
    surrogate_release(&s);
}

static void test_law(bool rising)
{
    enum { N = 60, M = 4 };
    static const double t[M] = {1.5, -0.5, 0.3, -2};
    struct rng r;
    double x[N * M], y[N], held_out[N];
    rng_init(&r, 2, "test", 0, 0);
    for (int i = 0; i < N; i++) {
        random_mixture(&r, x + i * M, M, 0.6);
        double term = exp(dot(t, x + i * M, M));
        y[i] = rising ? 0.9 - 0.1 * term : 1.7 + term;
    }
    struct surrogate s;
    struct err err = {0};
    struct fit_data d = {.n = N, .m = M, .x = x, .y = y, .rising = rising};
    CHECK(regressor_law.fit(&d, &s, held_out, &err) == 0);
    for (int i = 0; i < N; i++) {
        CHECK_CLOSE(surrogate_value(&s, x + i * M, M), y[i], 2e-3, 0);
        CHECK_CLOSE(held_out[i], y[i], 1e-2, 0);
    }
    /* The gradient against differences. */
    double grad[M];
    s.kind->gradient(&s, x, M, grad);
    for (int j = 0; j < M; j++) {
        double up[M], down[M];
        memcpy(up, x, sizeof up);
        memcpy(down, x, sizeof down);
        up[j] += 1e-6;
        down[j] -= 1e-6;
        CHECK_CLOSE(grad[j], (surrogate_value(&s, up, M) - surrogate_value(&s, down, M)) / 2e-6, 1e-6,
                    1e-6);
    }
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
        struct limits l = {M, lo, hi};
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
    struct limits l = {3, lo, hi};
    simplex_project(&l, z, x);
    for (int j = 0; j < 3; j++)
        CHECK_CLOSE(x[j], hi[j], 1e-9, 0);
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
    struct limits l = {M, lo, hi};
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
    struct limits all = {M, zero, one};
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
    double x[4] = {0.1234567, 0.3333333, 0.2, 0.34321}, hi[4] = {1, 1, 0.2, 1};
    simplex_round(x, hi, 4, 1000, out);
    for (int j = 0; j < 4; j++)
        sum += out[j];
    CHECK(sum == 1000 && out[2] == 200);
    simplex_round((double[]){0.5, 0.5, 0, 0}, hi, 4, 7, out);
    CHECK(out[0] + out[1] == 7 && out[2] == 0 && out[3] == 0);
}

/* A model with known laws, and the optimum against brute force on a grid. */
static void test_solve(void)
{
    char *domains[] = {"a", "b", "c"};
    double t1[] = {-1, 0.5, 0.2}, t2[] = {0.8, -1.5, 0.1}, least[3] = {0}, most[3] = {1, 1, 1};
    struct mix_metric metrics[] = {
        {.name = "m1", .fit = {.kind = &regressor_law, .bias = 1, .coef = t1}},
        {.name = "m2", .fit = {.kind = &regressor_law, .bias = 0.5, .coef = t2}},
    };
    struct mix_model m = {.kind = &regressor_law, .n_domains = 3, .n_metrics = 2, .n_runs = 9,
                          .domains = domains, .train_min = least, .train_max = most,
                          .metrics = metrics};
    const char *max[] = {"a=0.4"};
    struct solve_options o = {.objective = "m1:2,m2:1", .kl = 0.05, .max_epochs = 4,
                              .max = {.n = 1, .items = max}};
    struct err err = {0};
    json_t *answer = mix_solve(&m, &o, &err);
    CHECK_MSG(answer != NULL, "%s", err.text);
    if (!answer)
        return;
    double best = INFINITY, prior[3] = {1 / 3.0, 1 / 3.0, 1 / 3.0};
    for (int i = 0; i <= 400; i++)
        for (int j = 0; j <= 1000 - i; j++) {
            double x[3] = {i / 1000.0, j / 1000.0, (1000 - i - j) / 1000.0};
            double v = 2 / 3.0 * log(surrogate_value(&metrics[0].fit, x, 3)) +
                       1 / 3.0 * log(surrogate_value(&metrics[1].fit, x, 3)) +
                       0.05 * kl_divergence(x, prior, 3);
            best = fmin(best, v);
        }
    double found = json_number_value(json_object_get(answer, "objective"));
    CHECK_MSG(found <= best + 1e-9 && found > best - 1e-5, "found %.9g, grid %.9g", found, best);
    CHECK(json_number_value(json_object_get(answer, "gap")) <= 1e-9);
    double sum = 0;
    for (int d = 0; d < 3; d++)
        sum += json_number_value(json_object_get(json_object_get(answer, "weights"), domains[d]));
    CHECK_CLOSE(sum, 1, 1e-12, 0);
    json_decref(answer);

    static const struct {
        const char *objective, *min, *want;
    } bad[] = {
        {"m3:1", NULL, "no metric 'm3'"},
        {"m1:0", NULL, "all weights are 0"},
        {"m1:x", NULL, "not a number"},
        {"m1", "a=0.5", "at least 0.5 is asked for, at most 0.4"},
        {"m1", "z=0.5", "no such domain"},
        {"m1", "b", "expected DOMAIN=SHARE"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        err_clear(&err);
        o.objective = bad[i].objective;
        o.min = (struct opt_list){.n = bad[i].min != NULL, .items = (const char *[]){bad[i].min}};
        CHECK(mix_solve(&m, &o, &err) == NULL);
        CHECK_MSG(strstr(err.text, bad[i].want) != NULL, "'%s' has no '%s'", err.text, bad[i].want);
    }
}

static void test_limits_from_sources(void)
{
    char *domains[] = {"a", "b"};
    double t[] = {-1, 1}, least[2] = {0}, most[2] = {1, 1};
    struct mix_metric metric = {.name = "m", .fit = {.kind = &regressor_linear, .bias = 3, .coef = t}};
    struct mix_model m = {.kind = &regressor_linear, .n_domains = 2, .n_metrics = 1, .n_runs = 9,
                          .domains = domains, .train_min = least, .train_max = most,
                          .metrics = &metric};
    struct solve_options o = {.objective = "m", .sources = temp, .tokens = 1001, .max_epochs = 2};
    struct err err = {0};
    write_temp("{\"name\":\"b\",\"tokens\":900}\n{\"name\":\"a\",\"tokens\":100}\n");
    json_t *answer = mix_solve(&m, &o, &err);
    CHECK_MSG(answer != NULL, "%s", err.text);
    json_t *tokens = json_object_get(answer, "tokens");
    CHECK(json_integer_value(json_object_get(tokens, "a")) == 200);
    CHECK(json_integer_value(json_object_get(tokens, "b")) == 801);
    CHECK(json_array_size(json_object_get(answer, "binding")) == 1);
    json_decref(answer);

    o.tokens = 3000;
    CHECK(mix_solve(&m, &o, &err) == NULL);
    CHECK_MSG(strstr(err.text, "upper limits sum to 0.666667") != NULL, "%s", err.text);
    err_clear(&err);
    write_temp("{\"name\":\"a\",\"tokens\":100}\n");
    CHECK(mix_solve(&m, &o, &err) == NULL && strstr(err.text, "'b' of the model is missing"));
    err_clear(&err);
    write_temp("{\"name\":\"a\",\"tokens\":1}\n{\"name\":\"b\",\"tokens\":1}\n{\"name\":\"c\",\"tokens\":1}\n");
    CHECK(mix_solve(&m, &o, &err) == NULL && strstr(err.text, "'c' was in no run"));
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
    o.n = 3;
    CHECK(swarm_draw(&o, (double[]){1}, 1, rows, &err) < 0);
}

static void test_fit_and_file(void)
{
    struct table mixtures, metrics;
    struct mix_model m, back;
    struct err err = {0};
    CHECK(read_text(&mixtures, "run,a,b\nr1,1,0\nr2,0.5,0.5\nr3,0,1\nr4,0.25,0.75\nr5,0.75,0.25\n",
                    &err) == 0);
    /* Another order, a run too many, one missing value. */
    CHECK(read_text(&metrics,
                    "run,loss,acc\nr5,3.25,0.1\nr4,3.75,0.3\nr3,4,0.4\nr2,3.5,inf\nr1,3,0\nr9,1,1\n",
                    &err) == 0);
    const char *rising[] = {"acc"};
    CHECK_MSG(mix_model_fit(&m, &regressor_linear, &mixtures, &metrics, rising, 1, &err) == 0, "%s",
              err.text);
    CHECK(m.n_runs == 5 && m.metrics[0].cv.n == 5 && m.metrics[1].cv.n == 4);
    CHECK(m.metrics[1].fit.rising && !m.metrics[0].fit.rising);
    CHECK_CLOSE(surrogate_value(&m.metrics[0].fit, (double[]){0.4, 0.6}, 2), 3.6, 1e-4, 0);
    CHECK_CLOSE(surrogate_value(&m.metrics[1].fit, (double[]){0.4, 0.6}, 2), 0.24, 1e-4, 0);
    CHECK(mix_model_save(&m, temp, &err) == 0);
    CHECK_MSG(mix_model_load(&back, temp, &err) == 0, "%s", err.text);
    double before[10], after[10];
    CHECK(mix_model_predict(&m, &mixtures, before, &err) == 0);
    CHECK(mix_model_predict(&back, &mixtures, after, &err) == 0);
    CHECK(memcmp(before, after, sizeof before) == 0);
    mix_model_release(&back);
    rising[0] = "nope";
    mix_model_release(&m);
    CHECK(mix_model_fit(&m, &regressor_linear, &mixtures, &metrics, rising, 1, &err) < 0);
    table_release(&mixtures);
    table_release(&metrics);

    static const char *const broken[] = {
        "[]", "{}", "{\"format\":\"mix-model\",\"version\":2,\"regressor\":\"linear\"}",
        "{\"format\":\"mix-model\",\"version\":1,\"regressor\":\"x\"}",
        "{\"format\":\"mix-model\",\"version\":1,\"regressor\":\"law\",\"domains\":[\"a\"],"
        "\"train\":{\"runs\":1,\"min\":[0],\"max\":[1]},\"metrics\":[{\"name\":\"k\",\"bias\":1,"
        "\"coef\":[1,2]}]}",
        "{\"format\":\"mix-model\",\"version\":1,\"regressor\":\"law\",\"domains\":[\"a\",\"a\"]}",
    };
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        err_clear(&err);
        CHECK(mix_model_load(&back, write_temp(broken[i]), &err) < 0 && err.set);
    }
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
    test_law(false);
    test_law(true);
    test_projection();
    test_minimize();
    test_rounding();
    test_solve();
    test_limits_from_sources();
    test_swarm();
    test_fit_and_file();
    unlink(temp);
    pool_release();
    return check_done();
}
