/* fuzz_config.c - any text as config.json: refused with a reason, or a model whose shapes multiply without
 * overflow, whose rotary frequencies are numbers, and whose config.json as we write it means the same model.
 * Build and run with tests/fuzz/run.sh. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/config_internal.h"
#include "model/model.h"
#include "tests/fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check_rope(const struct model_config *c)
{
    float *inv_freq = xcalloc((size_t)c->head_dim / 2, sizeof *inv_freq);
    double factor;
    for (int plain = 0; plain < 2; plain++) {
        rope_frequencies(c, plain, inv_freq, &factor);
        require(isfinite(factor));
        for (int64_t i = 0; i < c->head_dim / 2; i++)
            require(isfinite(inv_freq[i]) && inv_freq[i] >= 0);
    }
    free(inv_freq);
}

static void check_params(const struct model_config *c)
{
    int n;
    int64_t n_elements, sum = 0;
    struct param *p = model_param_table(c, &n, &n_elements);
    for (int i = 0; i < n; i++) {
        require(p[i].numel == p[i].n_rows * p[i].n_cols && p[i].numel > 0);
        sum += p[i].numel;
    }
    require(sum > 0 && n_elements >= sum);
    free(p);
}

static void check_written(const struct model_config *c)
{
    struct model_config *again = xcalloc(1, sizeof *again);
    struct err err = {0};
    json_t *first = model_config_json(c), *second;
    require(model_config_parse(again, first, &err) == 0);
    second = model_config_json(again);
    require(json_equal(first, second));
    require(again->sliding_window == c->sliding_window &&
            !memcmp(again->sliding, c->sliding, sizeof c->sliding) && again->rope.theta == c->rope.theta);
    json_decref(first);
    json_decref(second);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct model_config *c = xcalloc(1, sizeof *c);
    struct err err = {0};
    json_t *doc = json_parse((const char *)bytes, n, &err);
    int rc = doc ? model_config_parse(c, doc, &err) : -1;
    require((rc < 0) == err.set);
    if (rc == 0) {
        check_rope(c);
        check_params(c);
        check_written(c);
    }
    json_decref(doc);
    free(c);
    return 0;
}
