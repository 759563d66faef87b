/* gbt.c - gradient-boosted trees: XGBoost's library grows them, forest.c evaluates them.
 *
 * The settings are those of RegMix's LightGBM (arXiv:2407.01492: leaf-wise, 31 leaves, at least 20 rows
 * in each, no L2 penalty) with a quarter of its 1000 trees at four times its learning rate, and a quarter of
 * its 255 bins: on data this small most of the time goes into looking at empty bins, and both rank
 * equally (tests/bench/mix-fit.md).  Swarms are small, so a leaf needs n / 25 rows, 3 to 20.
 *
 * One thread a fit: with more, XGBoost spends its time in waiting on data of this size.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xgboost/c_api.h>

#include "base/mem.h"
#include "mix/forest.h"
#include "mix/regress.h"

enum { MIN_RUNS = 10, N_XGB_LEAVES = 31 };

static int xgb_failed(struct err *err)
{
    const char *text = XGBGetLastError();
    return err_set(err, "xgboost: %.*s", (int)strcspn(text, "\n"), text);
}

/* Nodes as the library numbers them. */
struct dumped {
    int n;
    struct {
        int feature, yes, no; /* feature -1 = a leaf */
        float value;          /* threshold or leaf */
    } node[2 * N_XGB_LEAVES];
};

/* Lines "7:[f3<0.125] yes=9,no=10,missing=10" and "9:leaf=0.5", indented. */
static int read_dump(struct dumped *d, const char *text, struct err *err)
{
    memset(d, 0, sizeof *d);
    for (; *text; text += strcspn(text, "\n"), text += *text == '\n') {
        int id, feature = -1, yes = 0, no = 0, n = 0;
        float value;
        if (sscanf(text, " %d:leaf=%f%n", &id, &value, &n) != 2 &&
            (sscanf(text, " %d:[f%d<%f] yes=%d,no=%d%n", &id, &feature, &value, &yes, &no, &n) != 5 ||
             feature < 0))
            return err_set(err, "xgboost: cannot read the line '%.*s' of a tree",
                           (int)strcspn(text, "\n"), text);
        if (id < 0 || id >= (int)ARRAY_SIZE(d->node) || yes < 0 || no < 0 ||
            yes >= (int)ARRAY_SIZE(d->node) || no >= (int)ARRAY_SIZE(d->node))
            return err_set(err, "xgboost: a tree of more than %d leaves", N_XGB_LEAVES);
        d->node[id].feature = feature;
        d->node[id].yes = yes;
        d->node[id].no = no;
        d->node[id].value = value;
        d->n++;
    }
    return 0;
}

static int8_t copy_node(struct tree *t, const struct dumped *d, int id, int *n_nodes)
{
    if (d->node[id].feature < 0) {
        t->leaf[t->n_leaves] = d->node[id].value;
        return (int8_t)~t->n_leaves++;
    }
    int node = (*n_nodes)++;
    t->feature[node] = (int16_t)d->node[id].feature;
    t->threshold[node] = d->node[id].value;
    t->left[node] = copy_node(t, d, d->node[id].yes, n_nodes);
    t->right[node] = copy_node(t, d, d->node[id].no, n_nodes);
    return (int8_t)node;
}

static int take_trees(struct forest *f, BoosterHandle booster, struct err *err)
{
    bst_ulong n;
    const char **text;
    struct dumped d;
    if (XGBoosterDumpModelEx(booster, "", 0, "text", &n, &text) != 0)
        return xgb_failed(err);
    for (bst_ulong i = 0; i < n; i++) {
        int n_nodes = 0;
        if (read_dump(&d, text[i], err) < 0)
            return -1;
        copy_node(forest_add(f), &d, 0, &n_nodes);
    }
    return 0;
}

static int set_parameters(BoosterHandle booster, const struct fit_data *d, int64_t min_rows,
                          struct err *err)
{
    char rate[32], rows[32];
    snprintf(rate, sizeof rate, "%.9g", d->options.learning_rate);
    snprintf(rows, sizeof rows, "%lld", (long long)min_rows);
    const char *const parameters[][2] = {
        {"objective", "reg:squarederror"}, {"tree_method", "hist"}, {"grow_policy", "lossguide"},
        {"max_leaves", "31"}, {"max_depth", "0"}, {"max_bin", "64"}, {"lambda", "0"},
        {"base_score", "0"}, {"nthread", "1"}, {"verbosity", "0"}, {"seed", "0"},
        {"eta", rate}, {"min_child_weight", rows},
    };
    for (size_t i = 0; i < ARRAY_SIZE(parameters); i++)
        if (XGBoosterSetParam(booster, parameters[i][0], parameters[i][1]) != 0)
            return xgb_failed(err);
    return 0;
}

static int boost(struct forest *f, const struct fit_data *d, DMatrixHandle data, int64_t min_rows,
                 struct err *err)
{
    BoosterHandle booster;
    if (XGBoosterCreate(&data, 1, &booster) != 0)
        return xgb_failed(err);
    int rc = set_parameters(booster, d, min_rows, err);
    for (int i = 0; i < d->options.trees && rc == 0; i++)
        if (XGBoosterUpdateOneIter(booster, i, data) != 0)
            rc = xgb_failed(err);
    if (rc == 0)
        rc = take_trees(f, booster, err);
    XGBoosterFree(booster);
    return rc;
}

static void standardise(struct forest *f, const double *y, int64_t n, float *label)
{
    double var = 0;
    f->bias = 0;
    for (int64_t i = 0; i < n; i++)
        f->bias += y[i] / (double)n;
    for (int64_t i = 0; i < n; i++)
        var += (y[i] - f->bias) * (y[i] - f->bias) / (double)n;
    f->scale = var > 0 ? sqrt(var) : 1;
    for (int64_t i = 0; i < n; i++)
        label[i] = (float)((y[i] - f->bias) / f->scale);
}

/* Trees on the rows with i % N_FOLDS != fold; fold -1 leaves none out. */
static struct forest *grow(const struct fit_data *d, int fold, int64_t min_rows, struct err *err)
{
    float *x = xcalloc((size_t)(d->n * d->m), sizeof *x), *label = xcalloc((size_t)d->n, sizeof *label);
    double *y = xcalloc((size_t)d->n, sizeof *y);
    int64_t n = 0;
    for (int64_t i = 0; i < d->n; i++) {
        if (fold >= 0 && i % N_FOLDS == fold)
            continue;
        for (int64_t j = 0; j < d->m; j++)
            x[n * d->m + j] = (float)d->x[i * d->m + j];
        y[n++] = d->y[i];
    }
    struct forest *f = forest_new();
    standardise(f, y, n, label);
    DMatrixHandle data = NULL;
    int rc = 0;
    if (XGDMatrixCreateFromMat_omp(x, (bst_ulong)n, (bst_ulong)d->m, NAN, &data, 1) != 0 ||
        XGDMatrixSetFloatInfo(data, "label", label, (bst_ulong)n) != 0)
        rc = xgb_failed(err);
    if (rc == 0)
        rc = boost(f, d, data, min_rows, err);
    if (data)
        XGDMatrixFree(data);
    free(x);
    free(label);
    free(y);
    if (rc == 0)
        return f;
    forest_free(f);
    return NULL;
}

static int gbt_fit(const struct fit_data *d, struct surrogate *out, double *held_out,
                   struct err *err)
{
    int64_t min_rows = d->n / 25 < 3 ? 3 : d->n / 25 > 20 ? 20 : d->n / 25;
    if (d->m > MAX_FEATURES)
        return err_set(err, "%lld domains, trees take up to %d", (long long)d->m, MAX_FEATURES);
    for (int fold = 0; fold < N_FOLDS && held_out; fold++) {
        struct forest *f = grow(d, fold, min_rows, err);
        if (!f)
            return -1;
        for (int64_t i = fold; i < d->n; i += N_FOLDS)
            held_out[i] = forest_value(f, d->x + i * d->m);
        forest_free(f);
    }
    out->forest = grow(d, -1, min_rows, err);
    return out->forest ? 0 : -1;
}

static double gbt_value(const struct surrogate *s, const double *x, int64_t m)
{
    (void)m;
    return forest_value(s->forest, x);
}

static void gbt_values(const struct surrogate *s, const double *x, int64_t n, int64_t m, double *y)
{
    forest_values(s->forest, x, n, m, y);
}

static void gbt_write(const struct surrogate *s, int64_t m, json_t *obj)
{
    json_t *trees = json_array();
    struct strbuf text = {0};
    (void)m;
    for (int64_t i = 0; i < s->forest->n_trees; i++) {
        strbuf_clear(&text);
        tree_print(&text, &s->forest->trees[i]);
        json_array_append_new(trees, json_string(text.buf));
    }
    strbuf_release(&text);
    json_object_set_new(obj, "bias", json_number(s->forest->bias));
    json_object_set_new(obj, "scale", json_number(s->forest->scale));
    json_object_set_new(obj, "trees", trees);
}

static int gbt_read(struct surrogate *s, int64_t m, const json_t *obj, struct err *err)
{
    const json_t *trees = json_object_get(obj, "trees");
    s->forest = forest_new();
    if (json_get_num(obj, "bias", &s->forest->bias, err) < 0 ||
        json_get_num(obj, "scale", &s->forest->scale, err) < 0)
        return -1;
    if (!json_is_array(trees) || m > MAX_FEATURES)
        return err_set(err, "'trees' is %s, expected an array", json_type_name(trees));
    for (size_t i = 0; i < json_array_size(trees); i++) {
        const char *text = json_string_value(json_array_get(trees, i));
        if (!text)
            return err_set(err, "'trees' holds %s, expected strings",
                           json_type_name(json_array_get(trees, i)));
        if (tree_parse(forest_add(s->forest), text, m, err) < 0)
            return err_prefix(err, "'trees'[%zu]", i);
    }
    return 0;
}

const struct regressor regressor_gbt = {
    .name = "gbt",
    .min_runs = MIN_RUNS,
    .fit = gbt_fit,
    .value = gbt_value,
    .values = gbt_values,
    .write = gbt_write,
    .read = gbt_read,
};
