/* bench_mix.c - speed of mix-fit's parts on one core, on RegMix's runs.
 *
 *   bench_mix REGMIX-FOLDER [predict]       predict: no fits
 *
 * Medians of three of processor seconds; JSON lines, one a step.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/pool.h"
#include "mix/forest.h"
#include "mix/search.h"

enum { ROUNDS = 3, MANY_ROWS = 200000 };

static double cpu_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double middle(double *seconds)
{
    qsort(seconds, ROUNDS, sizeof *seconds, by_double);
    return seconds[ROUNDS / 2];
}

static void read_csv(struct table *t, const char *folder, const char *name)
{
    char *path = xasprintf("%s/%s.csv", folder, name);
    struct err err = {0};
    if (table_read(t, path, &err) < 0) {
        fprintf(stderr, "bench_mix: %s\n", err.text);
        exit(1);
    }
    free(path);
}

/* All metrics, without cross-validation unless cv. */
static void bench_fit(const char *name, const struct regressor *kind, struct fit_options o, bool cv,
                      const struct table *x, const struct table *y)
{
    double seconds[ROUNDS];
    double *target = xcalloc((size_t)x->n_rows, sizeof *target);
    double *held_out = xcalloc((size_t)x->n_rows, sizeof *held_out);
    for (int r = 0; r < ROUNDS; r++) {
        seconds[r] = cpu_now();
        for (int64_t k = 0; k < y->n_cols; k++) {
            struct surrogate s;
            struct err err = {0};
            for (int64_t i = 0; i < x->n_rows; i++)
                target[i] = y->x[i * y->n_cols + k];
            struct fit_data d = {.n = x->n_rows, .m = x->n_cols, .x = x->x, .y = target, .options = o};
            if (surrogate_fit(kind, &d, &s, cv ? held_out : NULL, &err) < 0) {
                fprintf(stderr, "bench_mix: %s\n", err.text);
                exit(1);
            }
            surrogate_release(&s);
        }
        seconds[r] = cpu_now() - seconds[r];
    }
    printf("{\"step\":\"%s, %lld targets\",\"seconds\":%.3f}\n", name, (long long)y->n_cols, middle(seconds));
    fflush(stdout);
    free(target);
    free(held_out);
}

static struct surrogate fit_one(const struct regressor *kind, struct fit_options o, const struct table *x,
                                const struct table *y)
{
    double *target = xcalloc((size_t)x->n_rows, sizeof *target);
    struct surrogate s;
    struct err err = {0};
    for (int64_t i = 0; i < x->n_rows; i++)
        target[i] = y->x[i * y->n_cols + 8];
    struct fit_data d = {.n = x->n_rows, .m = x->n_cols, .x = x->x, .y = target, .options = o};
    if (surrogate_fit(kind, &d, &s, NULL, &err) < 0)
        exit(1);
    free(target);
    return s;
}

static void bench_predict(const char *name, const struct surrogate *s, const double *x, int64_t n, int64_t m)
{
    double seconds[ROUNDS], *y = xcalloc((size_t)n, sizeof *y);
    for (int r = 0; r < ROUNDS; r++) {
        seconds[r] = cpu_now();
        surrogate_values(s, x, n, m, y);
        seconds[r] = cpu_now() - seconds[r];
    }
    printf("{\"step\":\"%s\",\"rows_per_second\":%.0f}\n", name, (double)n / middle(seconds));
    fflush(stdout);
    free(y);
}

static double *bench_draws(int64_t m)
{
    double seconds[ROUNDS], *x = xreallocarray(NULL, (size_t)(MANY_ROWS * m), sizeof *x);
    double *prior = xcalloc((size_t)m * 3, sizeof *prior), *hi = prior + m, *lo = prior + 2 * m;
    struct limits l = {.m = m, .lo = lo, .hi = hi};
    for (int64_t j = 0; j < m; j++) {
        prior[j] = 1.0 / (double)m;
        hi[j] = 1;
    }
    for (int capped = 1; capped >= 0; capped--) {
        for (int64_t j = 0; j < m; j++)
            hi[j] = capped ? 1.5 / (double)m : 1;
        for (int r = 0; r < ROUNDS; r++) {
            struct draw d = {&l, prior, 1, 1, 1, (uint64_t)r, 0};
            seconds[r] = cpu_now();
            draw_mixtures(&d, MANY_ROWS, x);
            seconds[r] = cpu_now() - seconds[r];
        }
        printf("{\"step\":\"draw mixtures of %lld domains%s\",\"rows_per_second\":%.0f}\n", (long long)m,
               capped ? ", all projected on tight caps" : "", MANY_ROWS / middle(seconds));
    }
    free(prior);
    return x;
}

static void bench_fits(const struct table *x, const struct table *y)
{
    bench_fit("ridge with leave-one-out", &regressor_linear, (struct fit_options){0}, true, x, y);
    bench_fit("law of one term", &regressor_law, (struct fit_options){.terms = 1}, false, x, y);
    bench_fit("law of three terms", &regressor_law, (struct fit_options){.terms = 3}, false, x, y);
    bench_fit("law, terms by cross-validation", &regressor_law, (struct fit_options){0}, true, x, y);
    bench_fit("250 trees", &regressor_gbt, (struct fit_options){0, 250, 0.04}, false, x, y);
    bench_fit("250 trees with cross-validation", &regressor_gbt, (struct fit_options){0, 250, 0.04}, true, x, y);
    bench_fit("1000 trees", &regressor_gbt, (struct fit_options){0, 1000, 0.01}, false, x, y);
}

int main(int argc, char **argv)
{
    struct table x, y;
    if (argc != 2 && (argc != 3 || strcmp(argv[2], "predict") != 0)) {
        fprintf(stderr, "bench_mix REGMIX-FOLDER [predict]\n");
        return 2;
    }
    pool_init(1);
    read_csv(&x, argv[1], "train_mixture_1m");
    read_csv(&y, argv[1], "train_pile_loss_1m");
    if (argc == 2)
        bench_fits(&x, &y);
    double *rows = bench_draws(x.n_cols);
    struct surrogate few = fit_one(&regressor_gbt, (struct fit_options){0, 250, 0.04}, &x, &y);
    struct surrogate many = fit_one(&regressor_gbt, (struct fit_options){0, 1000, 0.01}, &x, &y);
    struct surrogate law = fit_one(&regressor_law, (struct fit_options){.terms = 3}, &x, &y);
    bench_predict("predict, 250 trees", &few, rows, MANY_ROWS, x.n_cols);
    bench_predict("predict, 1000 trees", &many, rows, MANY_ROWS, x.n_cols);
    bench_predict("predict, law of three terms", &law, rows, MANY_ROWS, x.n_cols);
    surrogate_release(&few);
    surrogate_release(&many);
    surrogate_release(&law);
    free(rows);
    table_release(&x);
    table_release(&y);
    pool_release();
    return 0;
}
