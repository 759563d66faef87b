/* gen_cases.h - what the tests of gen/ share: a small model, requests, published policies. */
#ifndef TP_TESTS_GEN_CASES_H
#define TP_TESTS_GEN_CASES_H

#include <unistd.h>

#include "base/file.h"
#include "data/json.h"
#include "gen/engine.h"
#include "model/checkpoint.h"
#include "tests/unit/model_cases.h"

enum { GEN_VOCAB = 61 };

static inline struct model *gen_model(int precision, uint64_t seed)
{
    const struct model_case k = {.name = "gen", .kv_heads = 2, .round_first = true};
    const struct model_options opt = {.precision = precision};
    struct model_config c;
    struct err err = {0};
    case_config(&c, &k, 8, 2, GEN_VOCAB);
    struct model *m = model_new(&c, &opt, &err);
    CHECK_MSG(m != NULL, "%s", err.text);
    float *w = case_weights(m, seed, false);
    model_set_weights(m, w);
    free(w);
    return m;
}

/* What a trainer does: DIR/v%06d, then DIR/latest. */
static inline void gen_publish(const char *dir, int version, struct model *m)
{
    struct err err = {0};
    float *w = xreallocarray(NULL, (size_t)m->n_elements, sizeof(float));
    char *target = xasprintf("%s/v%06d", dir, version), *tmp = path_join(dir, "latest.tmp");
    char *latest = path_join(dir, "latest");
    model_get_weights(m, w);
    struct checkpoint_write cw = {.cfg = &m->cfg, .params = m->params, .n_params = m->n_params,
                                  .weights = w, .dtype = DTYPE_F32};
    CHECK_MSG(checkpoint_write(target, &cw, &err) == 0, "%s", err.text);
    (void)unlink(tmp);
    CHECK(symlink(strrchr(target, '/') + 1, tmp) == 0);
    CHECK(rename(tmp, latest) == 0);
    free(w);
    free(target);
    free(tmp);
    free(latest);
}

static inline void gen_credits(const char *dir, int version, int groups, bool done)
{
    struct err err = {0};
    char *path = path_join(dir, "credits.json");
    json_t *obj = json_pack("{s:i,s:i,s:b}", "version", version, "groups", groups, "done", done);
    CHECK_MSG(json_save_path(path, obj, &err) == 0, "%s", err.text);
    json_decref(obj);
    free(path);
}

#endif
