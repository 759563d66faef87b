/* fuzz_mix.c - any text as the files of mix-fit: a model, a table, sources, one tree.  A model that is read can be
 * evaluated, one row or many with the same bits, and a tree that is read prints as what reads back to it.  Build and
 * run with tests/fuzz/run.sh.
 *
 * The first byte says which file.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/pool.h"
#include "mix/forest.h"
#include "mix/sources.h"
#include "mix/surrogates.h"
#include "tests/fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/fuzz_mix.XXXXXX";

static void read_tree(const char *text)
{
    struct err err = {0};
    struct tree t, again;
    struct strbuf s = {0}, second = {0};
    if (tree_parse(&t, text, 20, &err) < 0) {
        require(err.set);
        return;
    }
    tree_print(&s, &t);
    require(tree_parse(&again, s.buf, 20, &err) == 0);
    tree_print(&second, &again);
    require(strcmp(s.buf, second.buf) == 0);
    strbuf_release(&s);
    strbuf_release(&second);
}

/* The same number by itself and among others. */
static void evaluate(const struct mix_model *m)
{
    enum { ROWS = 33 };
    double *x = xcalloc((size_t)(ROWS * m->n_domains), sizeof *x), y[ROWS];
    for (int64_t i = 0; i < ROWS; i++)
        for (int64_t d = 0; d < m->n_domains; d++)
            x[i * m->n_domains + d] = (double)((i * 7 + d * 3) % 11) / 10;
    for (int64_t k = 0; k < m->n_metrics; k++) {
        surrogate_values(&m->metrics[k].fit, x, ROWS, m->n_domains, y);
        for (int64_t i = 0; i < ROWS && m->kind == &regressor_gbt; i++) {
            double one = surrogate_value(&m->metrics[k].fit, x + i * m->n_domains, m->n_domains);
            require(one == y[i] || (isnan(one) && isnan(y[i])));
        }
    }
    free(x);
}

static void read_model(const char *path)
{
    struct err err = {0};
    struct mix_model m;
    if (mix_model_load(&m, path, &err) < 0) {
        require(err.set);
        return;
    }
    if (m.n_domains < 1000)
        evaluate(&m);
    char *copy = path_join(dir, "copy");
    require(mix_model_save(&m, copy, &err) == 0 || err.set);
    free(copy);
    mix_model_release(&m);
}

static void read_table(const char *path, bool normalize)
{
    struct err err = {0};
    struct table t;
    if (table_read(&t, path, &err) < 0) {
        require(err.set);
        return;
    }
    require(table_check_mixtures(&t, normalize, &err) == 0 || err.set);
    table_release(&t);
}

static void read_sources(const char *path)
{
    struct err err = {0};
    struct sources s;
    if (sources_read(&s, path, &err) < 0) {
        require(err.set);
        return;
    }
    double *prior = xcalloc((size_t)s.n + 1, sizeof *prior);
    require(sources_prior(&s, prior, &err) == 0 || err.set);
    for (int64_t i = 0; i < s.n; i++)
        source_cap(&s, &s.items[i], 4, 1e9);
    free(prior);
    sources_release(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool made;
    if (!made && !mkdtemp(dir))
        abort();
    if (!made) {
        log_init("fuzz", LOG_WARN);
        pool_init(1);
    }
    made = true;
    if (size < 1)
        return 0;
    char *path = path_join(dir, "a"), *text = xstrndup((const char *)data + 1, size - 1);
    FILE *f = fopen(path, "w");
    require(f && fwrite(data + 1, 1, size - 1, f) == size - 1 && fclose(f) == 0);
    switch (data[0] % 4) {
    case 0: read_model(path); break;
    case 1: read_table(path, data[0] & 4); break;
    case 2: read_sources(path); break;
    default: read_tree(text);
    }
    free(path);
    free(text);
    return 0;
}
