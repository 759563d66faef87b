/* init.c - random initial weights.
 *
 * normal(0, initializer_range), with o_proj and down_proj, which write to the
 * residual stream, scaled by 1/sqrt(2 n_layers) (GPT-2).  Each block of a tensor
 * has its own random stream, keyed by the tensor's name, so that threads do not
 * matter and two shapes that share a tensor share its values.
 */
#include <math.h>
#include <string.h>

#include "base/pool.h"
#include "base/rng.h"
#include "model/model_internal.h"

enum { INIT_BLOCK = 1 << 14 };

struct fill {
    float *dst;
    int64_t n;
    double std;
    uint64_t seed, name_key;
};

/* FNV-1a, to turn a name into a record number. */
static uint64_t name_key(const char *name)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 0x100000001b3u;
    return h;
}

static void fill_block(void *arg, int64_t i, int thread)
{
    const struct fill *f = arg;
    int64_t first = i * INIT_BLOCK;
    int64_t last = first + INIT_BLOCK < f->n ? first + INIT_BLOCK : f->n;
    struct rng r;

    (void)thread;
    rng_init(&r, f->seed, "model-init", f->name_key, (uint64_t)i);
    for (int64_t j = first; j < last; j++)
        f->dst[j] = (float)(f->std * rng_normal(&r));
}

static void fill_constant(float *dst, int64_t n, float x)
{
    for (int64_t i = 0; i < n; i++)
        dst[i] = x;
}

static bool writes_residual(const char *name)
{
    return strstr(name, ".o_proj.") || strstr(name, ".down_proj.");
}

static void params_init_random(const struct model_config *c, const struct param *params,
                               int n_params, uint64_t seed, float *dst)
{
    for (int i = 0; i < n_params; i++) {
        const struct param *p = &params[i];
        struct fill f = {dst + p->offset, p->numel, c->initializer_range, seed, name_key(p->name)};

        if (p->n_dims == 1) {
            fill_constant(f.dst, f.n, strstr(p->name, ".bias") ? 0.0f : 1.0f);
            continue;
        }
        if (writes_residual(p->name))
            f.std /= sqrt(2.0 * (double)c->n_layers);
        pool_for((f.n + INIT_BLOCK - 1) / INIT_BLOCK, fill_block, &f);
    }
}

void model_init_random(struct model *m, uint64_t seed)
{
    float *w = xreallocarray(NULL, (size_t)m->n_elements, sizeof(float));

    params_init_random(&m->cfg, m->params, m->n_params, seed, w);
    model_set_weights(m, w);
    free(w);
}
