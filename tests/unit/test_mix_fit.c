/* test_mix_fit.c - surrogates: the law, trees, their mean, and the file of a fit. */
#include <stdbool.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/rng.h"
#include "mix/forest.h"
#include "mix/stats.h"
#include "mix/surrogates.h"

#include "mix_cases.h"

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
    struct fit_data d = {.n = N, .m = M, .x = x, .y = y, .rising = rising, .options = {.terms = 1}};
    CHECK(surrogate_fit(&regressor_law, &d, &s, held_out, &err) == 0);
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

/* Two terms: what one term cannot follow. */
static void test_two_terms(void)
{
    enum { N = 120, M = 3 };
    struct rng r;
    double x[N * M], y[N], held_out[N], one[N];
    rng_init(&r, 3, "test", 0, 0);
    for (int i = 0; i < N; i++) {
        random_mixture(&r, x + i * M, M, 0.5);
        y[i] = 1 + exp(2 - 5 * x[i * M]) + exp(1.5 - 4 * x[i * M + 1]);
    }
    struct surrogate s;
    struct err err = {0};
    struct fit_data d = {.n = N, .m = M, .x = x, .y = y, .options = {.terms = 1}};
    CHECK(surrogate_fit(&regressor_law, &d, &s, one, &err) == 0);
    surrogate_release(&s);
    d.options.terms = 0;
    CHECK(surrogate_fit(&regressor_law, &d, &s, held_out, &err) == 0);
    CHECK_MSG(s.n_terms >= 2, "%d terms", (int)s.n_terms);
    double error = root_mean_square(held_out, y, N), before = root_mean_square(one, y, N);
    CHECK_MSG(error < before / 5, "rmse %g with %d terms, %g with one", error, (int)s.n_terms, before);
    double grad[M];
    s.kind->gradient(&s, x, M, grad);
    for (int j = 0; j < M; j++) {
        double up[M], down[M];
        memcpy(up, x, sizeof up);
        memcpy(down, x, sizeof down);
        up[j] += 1e-6;
        down[j] -= 1e-6;
        CHECK_CLOSE(grad[j], (surrogate_value(&s, up, M) - surrogate_value(&s, down, M)) / 2e-6, 1e-5, 1e-5);
    }
    surrogate_release(&s);
}

/* A tree of n_leaves grown by splitting random leaves of its text. */
static void random_tree(struct tree *t, struct rng *r, int n_leaves, int m)
{
    char text[4096] = "0", next[8192];
    struct err err = {0};
    for (int k = 1; k < n_leaves; k++) {
        /* The last leaf alone, or the first, becomes a node: deep trees. */
        float cut = (float)rng_uniform(r), a = (float)rng_normal(r);
        int f = (int)rng_below(r, (uint64_t)m);
        if (k % 2)
            snprintf(next, sizeof next, "%d<%.9g(%s,%.9g)", f, (double)cut, text, (double)a);
        else
            snprintf(next, sizeof next, "%d<%.9g(%.9g,%s)", f, (double)cut, (double)a, text);
        next[sizeof text - 1] = '\0';
        memcpy(text, next, sizeof text);
    }
    CHECK_MSG(tree_parse(t, text, m, &err) == 0, "%s: %s", text, err.text);
}

/* Many rows by tables and one row by walking give the same bits; text comes back as it was. */
static void test_forest(void)
{
    enum { M = 5, N = 300 };
    struct rng r;
    struct err err = {0};
    struct forest *f = forest_new();
    double *x = calloc(N * M, sizeof *x), *y = calloc(N, sizeof *y);
    rng_init(&r, 5, "test", 0, 0);
    f->bias = 0.25;
    f->scale = 1.5;
    for (int k = 0; k < 100; k++)
        random_tree(forest_add(f), &r, 1 + k % MAX_LEAVES, M);
    for (int i = 0; i < N * M; i++)
        x[i] = rng_uniform(&r);
    /* On a threshold exactly, and beyond all. */
    for (int k = 0; k < 40; k++)
        if (f->trees[k].n_leaves > 1)
            x[k * M + f->trees[k].feature[0]] = (double)f->trees[k].threshold[0];
    x[0] = -INFINITY;
    x[1] = INFINITY;
    forest_values(f, x, N, M, y);
    for (int i = 0; i < N; i++)
        CHECK_MSG(y[i] == forest_value(f, x + i * M), "row %d: %.17g, walked %.17g", i, y[i],
                  forest_value(f, x + i * M));
    for (int64_t k = 0; k < f->n_trees; k++) {
        struct strbuf text = {0};
        struct tree back;
        tree_print(&text, &f->trees[k]);
        CHECK_MSG(tree_parse(&back, text.buf, M, &err) == 0, "%s", err.text);
        CHECK(memcmp(&back, &f->trees[k], sizeof back) == 0);
        strbuf_release(&text);
    }
    forest_free(f);
    free(x);
    free(y);
    static const char *const broken[] = {"", "x", "1", "0<", "0<1", "0<1(2", "0<1(2,", "0<1(2,3", "0<1(2,3)x",
                                         "5<1(2,3)", "99999<1(2,3)", "<1(2,3)", "0<nan(1,2)", "0<1(inf,2)",
                                         "-1<1(2,3)"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct tree t;
        err_clear(&err);
        CHECK_MSG((tree_parse(&t, broken[i], M, &err) == 0) == (i == 2), "'%s': %s", broken[i], err.text);
    }
    /* One leaf too many. */
    char deep[2048] = "";
    for (int k = 0; k < MAX_LEAVES; k++)
        strcat(deep, "0<1(0,");
    strcat(deep, "0");
    for (int k = 0; k < MAX_LEAVES; k++)
        strcat(deep, ")");
    struct tree t;
    err_clear(&err);
    CHECK(tree_parse(&t, deep, M, &err) < 0 && strstr(err.text, "more than 32 leaves"));
}

/* Small swarms: the trees must rank, not repeat one value; the mean is the mean. */
static void test_trees(void)
{
    enum { N = 32, M = 3 };
    struct rng r;
    double x[N * M], y[N], held_out[N], distinct = 0;
    rng_init(&r, 6, "test", 0, 0);
    for (int i = 0; i < N; i++) {
        random_mixture(&r, x + i * M, M, 1);
        y[i] = 3 - x[i * M] + 0.5 * x[i * M + 1];
    }
    struct surrogate s, again;
    struct err err = {0};
    struct fit_data d = {.n = N, .m = M, .x = x, .y = y,
                         .options = {.trees = 100, .learning_rate = 0.1}};
    CHECK_MSG(surrogate_fit(&regressor_gbt, &d, &s, held_out, &err) == 0, "%s", err.text);
    for (int i = 1; i < N; i++)
        distinct += surrogate_value(&s, x + i * M, M) != surrogate_value(&s, x, M);
    CHECK(distinct > N / 2);
    CHECK_MSG(spearman(held_out, y, N) > 0.8, "rho %g", spearman(held_out, y, N));
    CHECK(surrogate_fit(&regressor_gbt, &d, &again, held_out, &err) == 0);
    for (int i = 0; i < N; i++)
        CHECK(surrogate_value(&s, x + i * M, M) == surrogate_value(&again, x + i * M, M));
    surrogate_release(&again);
    struct surrogate mean;
    CHECK(surrogate_fit(&regressor_mean, &d, &mean, held_out, &err) == 0);
    double want = (surrogate_value(&mean.parts[0], x, M) + surrogate_value(&s, x, M)) / 2;
    CHECK_CLOSE(surrogate_value(&mean, x, M), want, 1e-12, 0);
    surrogate_release(&mean);
    surrogate_release(&s);
    /* A metric that never changes is predicted as it is; too few runs are refused. */
    for (int i = 0; i < N; i++)
        y[i] = 4;
    CHECK(surrogate_fit(&regressor_gbt, &d, &s, held_out, &err) == 0);
    CHECK_CLOSE(surrogate_value(&s, x, M), 4, 1e-9, 0);
    surrogate_release(&s);
    d.n = 9;
    CHECK(surrogate_fit(&regressor_gbt, &d, &s, held_out, &err) < 0 && strstr(err.text, "needs at least 10"));
    surrogate_release(&s);
    err_clear(&err);
    d.n = 4;
    CHECK(surrogate_fit(&regressor_law, &d, &s, held_out, &err) < 0 && strstr(err.text, "needs at least 5"));
    surrogate_release(&s);
}

static void test_fit_and_file(void)
{
    struct table mixtures, metrics;
    struct mix_model m, back;
    struct err err = {0};
    CHECK(table_read(&mixtures, write_temp("run,a,b\nr1,1,0\nr2,0.5,0.5\nr3,0,1\nr4,0.25,0.75\nr5,0.75,0.25\n"),
                     &err) == 0);
    /* Another order, a run too many, one missing value. */
    CHECK(table_read(&metrics,
                     write_temp("run,loss,acc\nr5,3.25,0.1\nr4,3.75,0.3\nr3,4,0.4\nr2,3.5,inf\nr1,3,0\nr9,1,1\n"), &err) == 0);
    const char *rising[] = {"acc"};
    struct mix_fit_options o = {.kind = &regressor_linear, .n_rising = 1, .rising = rising};
    CHECK_MSG(mix_model_fit(&m, &o, &mixtures, &metrics, &err) == 0, "%s",
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
    CHECK(mix_model_fit(&m, &o, &mixtures, &metrics, &err) < 0);
    table_release(&mixtures);
    table_release(&metrics);

    static const char *const broken[] = {
        "[]", "{}", "{\"format\":\"mix-model\",\"version\":2,\"regressor\":\"linear\"}",
        "{\"format\":\"mix-model\",\"version\":1,\"regressor\":\"x\"}",
        "{\"format\":\"mix-model\",\"version\":1,\"regressor\":\"law\",\"domains\":[\"a\"],"
        "\"metrics\":[{\"name\":\"k\",\"bias\":1,\"terms\":[[1,2]]}],\"runs\":[[\"r\",[1],[1]]]}",
        "{\"format\":\"mix-model\",\"version\":1,\"regressor\":\"linear\",\"domains\":[\"a\"],"
        "\"metrics\":[{\"name\":\"k\",\"bias\":1,\"coef\":[1]}],\"runs\":[[\"r\",[1,1],[1]]]}",
        "{\"format\":\"mix-model\",\"version\":1,\"regressor\":\"linear\",\"domains\":[\"a\"],"
        "\"metrics\":[{\"name\":\"k\",\"bias\":1,\"coef\":[1]}]}",
        "{\"format\":\"mix-model\",\"version\":1,\"regressor\":\"gbt\",\"domains\":[\"a\"],"
        "\"metrics\":[{\"name\":\"k\",\"bias\":1,\"scale\":1,\"trees\":[\"1<0.5(1,2)\"]}],\"runs\":[[\"r\",[1],[1]]]}",
        "{\"format\":\"mix-model\",\"version\":1,\"regressor\":\"mean\",\"domains\":[\"a\"],"
        "\"metrics\":[{\"name\":\"k\",\"law\":{\"bias\":1,\"terms\":[[1]]}}],\"runs\":[[\"r\",[1],[1]]]}",
        "{\"format\":\"mix-model\",\"version\":1,\"regressor\":\"law\",\"domains\":[\"a\",\"a\"]}",
    };
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        err_clear(&err);
        CHECK(mix_model_load(&back, write_temp(broken[i]), &err) < 0 && err.set);
    }
}

int main(void)
{
    log_init("test_mix_fit", LOG_WARN);
    pool_init(2);
    int fd = mkstemp(temp);
    if (fd >= 0)
        close(fd);
    test_law(false);
    test_law(true);
    test_two_terms();
    test_forest();
    test_trees();
    test_fit_and_file();
    unlink(temp);
    pool_release();
    return check_done();
}
