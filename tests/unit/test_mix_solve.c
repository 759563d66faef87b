/* test_mix_solve.c - the optimum of a fit under limits. */
#include <stdbool.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/rng.h"
#include "mix/pareto.h"

#include "mix_cases.h"

/* A model with known laws, and the optimum against brute force on a grid. */
static void test_solve(void)
{
    char *domains[] = {"a", "b", "c"};
    double t1[] = {-1, 0.5, 0.2}, t2[] = {0.8, -1.5, 0.1}, least[3] = {0}, most[3] = {1, 1, 1};
    struct mix_metric metrics[] = {
        {.name = "m1", .fit = {.kind = &regressor_law, .bias = 1, .n_terms = 1, .coef = t1}},
        {.name = "m2", .fit = {.kind = &regressor_law, .bias = 0.5, .n_terms = 1, .coef = t2}},
    };
    struct mix_model m = {.kind = &regressor_law, .n_domains = 3, .n_metrics = 2, 
                          .domains = domains, .train_min = least, .train_max = most,
                          .metrics = metrics};
    const char *max[] = {"a=0.4"};
    struct solve_options o = {.objective = "m1:2,m2:1",
                              .no_worse = -1,
                              .problem = {.kl = 0.05, .max_epochs = 4, .max = {.n = 1, .items = max}}};
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
        o.problem.min = (struct opt_list){.n = bad[i].min != NULL, .items = (const char *[]){bad[i].min}};
        CHECK(mix_solve(&m, &o, &err) == NULL);
        CHECK_MSG(strstr(err.text, bad[i].want) != NULL, "'%s' has no '%s'", err.text, bad[i].want);
    }
}

/* The best for m1 that leaves m2 where it is or at most a part worse, against a fine grid. */
static void test_no_worse(void)
{
    char *domains[] = {"a", "b", "c"};
    double t1[] = {-1, 0.5, 0.2}, t2[] = {0.8, -1.5, 0.1}, least[3] = {0}, most[3] = {1, 1, 1};
    double prior[3] = {1 / 3.0, 1 / 3.0, 1 / 3.0};
    struct mix_metric metrics[] = {
        {.name = "m1", .fit = {.kind = &regressor_law, .bias = 1, .n_terms = 1, .coef = t1}},
        {.name = "m2", .fit = {.kind = &regressor_law, .bias = 0.5, .n_terms = 1, .coef = t2}},
    };
    struct mix_model m = {.kind = &regressor_law, .n_domains = 3, .n_metrics = 2, .domains = domains,
                          .train_min = least, .train_max = most, .metrics = metrics};
    double there = surrogate_value(&metrics[1].fit, prior, 3);
    static const double margins[] = {0, 0.02, 0.2, 10};
    for (size_t k = 0; k < sizeof margins / sizeof margins[0]; k++) {
        struct solve_options o = {.objective = "m1,m2:0", .no_worse = margins[k]};
        struct err err = {0};
        json_t *answer = mix_solve(&m, &o, &err);
        CHECK_MSG(answer != NULL, "%s", err.text);
        double best = INFINITY;
        for (int i = 0; i <= 2000; i++)
            for (int j = 0; j <= 2000 - i; j++) {
                double x[3] = {i / 2000.0, j / 2000.0, (2000 - i - j) / 2000.0};
                if (surrogate_value(&metrics[1].fit, x, 3) <= there * (1 + margins[k]))
                    best = fmin(best, log(surrogate_value(&metrics[0].fit, x, 3)));
            }
        double found = json_number_value(json_object_get(answer, "score"));
        CHECK_MSG(found <= best + 2e-6 && found > best - 1e-3, "margin %g: found %.9g, grid %.9g", margins[k], found,
                  best);
        CHECK(json_number_value(json_object_get(answer, "gap")) <= 1e-5);
        double worse = json_number_value(
            json_object_get(json_object_get(json_object_get(answer, "no_worse"), "worse"), "m2"));
        CHECK_MSG(worse <= margins[k] + 2e-5 && (margins[k] > 1 || worse > margins[k] - 1e-4), "m2 is %g worse", worse);
        json_decref(answer);
    }
    /* Nothing is better than the reference in both where the limits leave no way to it. */
    const char *min[] = {"a=0.9"};
    struct solve_options o = {.objective = "m1,m2", .problem.min = {.n = 1, .items = min}};
    struct err err = {0};
    CHECK(mix_solve(&m, &o, &err) == NULL && strstr(err.text, "'m2' would be"));
}

static void test_limits_from_sources(void)
{
    char *domains[] = {"a", "b"};
    double t[] = {-1, 1}, least[2] = {0}, most[2] = {1, 1};
    struct mix_metric metric = {.name = "m", .fit = {.kind = &regressor_linear, .bias = 3, .n_terms = 1, .coef = t}};
    struct mix_model m = {.kind = &regressor_linear, .n_domains = 2, .n_metrics = 1, 
                          .domains = domains, .train_min = least, .train_max = most,
                          .metrics = &metric};
    struct solve_options o = {.objective = "m",
                              .no_worse = -1,
                              .problem = {.sources = temp, .tokens = 1001, .max_epochs = 2}};
    struct err err = {0};
    write_temp("{\"name\":\"b\",\"tokens\":900}\n{\"name\":\"a\",\"tokens\":100}\n");
    json_t *answer = mix_solve(&m, &o, &err);
    CHECK_MSG(answer != NULL, "%s", err.text);
    json_t *tokens = json_object_get(answer, "tokens");
    CHECK(json_integer_value(json_object_get(tokens, "a")) == 200);
    CHECK(json_integer_value(json_object_get(tokens, "b")) == 801);
    CHECK(json_array_size(json_object_get(answer, "binding")) == 1);
    json_decref(answer);

    o.problem.tokens = 3000;
    CHECK(mix_solve(&m, &o, &err) == NULL);
    CHECK_MSG(strstr(err.text, "upper limits sum to 0.666667") != NULL, "%s", err.text);
    err_clear(&err);
    write_temp("{\"name\":\"a\",\"tokens\":100}\n");
    CHECK(mix_solve(&m, &o, &err) == NULL && strstr(err.text, "'b' of the model is missing"));
    err_clear(&err);
    write_temp("{\"name\":\"a\",\"tokens\":1}\n{\"name\":\"b\",\"tokens\":1}\n{\"name\":\"c\",\"tokens\":1}\n");
    CHECK(mix_solve(&m, &o, &err) == NULL && strstr(err.text, "'c' was in no run"));
}

int main(void)
{
    log_init("test_mix_solve", LOG_WARN);
    pool_init(2);
    int fd = mkstemp(temp);
    if (fd >= 0)
        close(fd);
    test_solve();
    test_no_worse();
    test_limits_from_sources();
    unlink(temp);
    pool_release();
    return check_done();
}
