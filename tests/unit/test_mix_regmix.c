/* test_mix_regmix.c - the surrogates on RegMix's published runs, against the figures known for them. */
#include "base/pool.h"
#include "mix/stats.h"
#include "mix/surrogates.h"

#include "check.h"

static char *folder;

static void read_csv(struct table *t, const char *name)
{
    char path[1024];
    struct err err = {0};
    snprintf(path, sizeof path, "%s/%s.csv", folder, name);
    if (table_read(t, path, &err) < 0) {
        printf("%s\n", err.text);
        exit(1);
    }
}

static void fit(struct mix_model *m, const struct regressor *kind, int64_t terms)
{
    struct table mixtures, losses;
    struct err err = {0};
    read_csv(&mixtures, "train_mixture_1m");
    read_csv(&losses, "train_pile_loss_1m");
    CHECK(table_check_mixtures(&mixtures, false, &err) == 0);
    struct mix_fit_options o = {.kind = kind, .fit = {terms, 250, 0.04}};
    CHECK_MSG(mix_model_fit(m, &o, &mixtures, &losses, &err) == 0, "%s", err.text);
    table_release(&mixtures);
    table_release(&losses);
}

/* Spearman times 100 of Pile-CC, and the mean over all metrics, on a held-out split. */
static void score(const struct mix_model *m, const char *split, double *pile_cc, double *mean)
{
    struct table mixtures, losses;
    struct err err = {0};
    char name[64];
    snprintf(name, sizeof name, "test_mixture_%s", split);
    read_csv(&mixtures, name);
    snprintf(name, sizeof name, "test_pile_loss_%s", split);
    read_csv(&losses, name);
    int64_t n = mixtures.n_rows, k = m->n_metrics;
    double *y = calloc((size_t)(n * k), sizeof *y), *a = calloc((size_t)n, sizeof *a);
    double *b = calloc((size_t)n, sizeof *b);
    CHECK(table_check_mixtures(&mixtures, false, &err) == 0);
    CHECK_MSG(mix_model_predict(m, &mixtures, y, &err) == 0, "%s", err.text);
    *mean = 0;
    for (int64_t j = 0; j < k; j++) {
        int64_t col = table_column(&losses, m->metrics[j].name);
        for (int64_t i = 0; i < n; i++) {
            a[i] = y[i * k + j];
            b[i] = losses.x[table_row(&losses, mixtures.ids[i]) * losses.n_cols + col];
        }
        double rho = 100 * spearman(a, b, n);
        *mean += rho / (double)k;
        if (strstr(m->metrics[j].name, "pile_cc"))
            *pile_cc = rho;
    }
    free(y);
    free(a);
    free(b);
    table_release(&mixtures);
    table_release(&losses);
}

static void check_kind(const struct regressor *kind, int64_t terms, const double *want_pile_cc,
                       const double *want_mean)
{
    static const char *const splits[] = {"1m", "60m", "1B"};
    struct mix_model m;
    fit(&m, kind, terms);
    for (int s = 0; s < 3; s++) {
        double pile_cc = 0, mean = 0;
        score(&m, splits[s], &pile_cc, &mean);
        printf("%s (%d terms) %s: Pile-CC %.2f, mean of %d metrics %.2f\n", kind->name, (int)terms, splits[s],
               pile_cc, (int)m.n_metrics, mean);
        CHECK_MSG(pile_cc >= want_pile_cc[s], "%s %s Pile-CC %.2f < %.2f", kind->name, splits[s],
                  pile_cc, want_pile_cc[s]);
        CHECK_MSG(mean >= want_mean[s], "%s %s mean %.2f < %.2f", kind->name, splits[s], mean,
                  want_mean[s]);
    }
    mix_model_release(&m);
}

int main(void)
{
    folder = check_need_data("regmix");
    pool_init(0);
    check_kind(&regressor_linear, 0, (double[]){90.0, 89.1, 87.5}, (double[]){82.9, 82.7, 70.5});
    check_kind(&regressor_law, 1, (double[]){96.4, 95.8, 98.4}, (double[]){97.4, 96.8, 93.4});
    check_kind(&regressor_law, 3, (double[]){97.8, 97.2, 98.0}, (double[]){98.3, 97.7, 94.2});
    if (getenv("LONG")) {
        check_kind(&regressor_gbt, 0, (double[]){98.85, 98.4, 95.5}, (double[]){98.85, 98.3, 94.5});
        check_kind(&regressor_mean, 0, (double[]){99.0, 98.5, 97.5}, (double[]){98.95, 98.38, 95.0});
    }
    pool_release();
    free(folder);
    return check_done();
}
