/* ladder.c - a model of a family in any size. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/config_internal.h"
#include "model/shape.h"

struct rung {
    int64_t dim, layers, heads, kv_heads, head_dim, hidden_dim;
    bool tied;
};

struct family {
    const char *name;
    enum model_arch arch;
    double theta, eps;
    int64_t vocab, positions, window;
    int n;
    struct rung rungs[10];
};

/* Olmo: the ladder in OLMo-core (nn/transformer/config.py: 30M, 60M, 100M, 190M, 370M, 600M, 1B), then
 * the 7B and 32B of arXiv:2512.13961.  Heads are of 64 where those of OLMo-core are of 48 and 84. */
#define OLMO_RUNGS                                                                                 \
    .n = 9, .rungs = {{256, 4, 8, 8, 32, 768, false},                                              \
                      {384, 8, 6, 6, 64, 1536, false},                                             \
                      {512, 12, 8, 8, 64, 2048, false},                                            \
                      {768, 12, 12, 12, 64, 3072, false},                                          \
                      {1024, 16, 16, 16, 64, 4096, false},                                         \
                      {1344, 16, 21, 21, 64, 5376, false},                                         \
                      {2048, 16, 16, 16, 128, 8192, false},                                        \
                      {4096, 32, 32, 32, 128, 11008, false},                                       \
                      {5120, 64, 40, 8, 128, 27648, false}}

/* The others: config.json of Llama-3.2-1B, -3B, Llama-3.1-8B, -70B; SmolLM2-135M, -360M, -1.7B;
 * Qwen3-0.6B, -1.7B, -4B, -8B, -14B. */
static const struct family families[] = {
    {"llama", ARCH_LLAMA, 5e5, 1e-5, 128256, 8192, 0, .n = 4,
     .rungs = {{2048, 16, 32, 8, 64, 8192, true}, {3072, 28, 24, 8, 128, 8192, true},
               {4096, 32, 32, 8, 128, 14336, false}, {8192, 80, 64, 8, 128, 28672, false}}},
    {"smollm2", ARCH_LLAMA, 1e5, 1e-5, 49152, 8192, 0, .n = 3,
     .rungs = {{576, 30, 9, 3, 64, 1536, true}, {960, 32, 15, 5, 64, 2560, true},
               {2048, 24, 32, 32, 64, 8192, true}}},
    {"qwen3", ARCH_QWEN3, 1e6, 1e-6, 151936, 40960, 0, .n = 5,
     .rungs = {{1024, 28, 16, 8, 128, 3072, true}, {2048, 28, 16, 8, 128, 6144, true},
               {2560, 36, 32, 8, 128, 9728, true}, {4096, 36, 32, 8, 128, 12288, false},
               {5120, 40, 40, 8, 128, 17408, false}}},
    {"olmo2", ARCH_OLMO2, 5e5, 1e-6, 100352, 4096, 0, OLMO_RUNGS},
    {"olmo3", ARCH_OLMO3, 5e5, 1e-6, 100352, 8192, 4096, OLMO_RUNGS},
};

static const struct family *find_family(const char *name, struct err *err)
{
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
        if (!strcmp(families[i].name, name))
            return &families[i];
    err->status = EXIT_USAGE;
    err_set(err, "--like '%s' is not one of llama, smollm2, qwen3, olmo2, olmo3", name);
    return NULL;
}

/* "30M", "1.5B", "135000000". */
static int parse_size(const char *text, double *out, struct err *err)
{
    static const struct {
        char letter;
        double by;
    } units[] = {{'K', 1e3}, {'M', 1e6}, {'B', 1e9}, {'G', 1e9}, {'T', 1e12}};
    char *end;

    *out = strtod(text, &end);
    for (size_t i = 0; *end && i < sizeof(units) / sizeof(units[0]); i++)
        if (*end == units[i].letter && !end[1]) {
            *out *= units[i].by;
            end++;
        }
    if (end != text && !*end && *out >= 1e6 && *out <= 1e12)
        return 0;
    err_set(err, "--size '%s' is no number of parameters from 1M to 1T, as 30M or 1.5B", text);
    err->status = EXIT_USAGE;
    return -1;
}

static int64_t to_multiple(double x, int64_t of)
{
    int64_t n = llround(x / (double)of) * of;

    return n > of ? n : of;
}

/* What the family's rules say for a width; layers and hidden_dim before rounding. */
struct rule {
    double layers, hidden_dim, group; /* queries to a key head */
    int64_t dim, heads, kv_heads, head_dim;
    bool tied, usable;
};

/* The divisor of heads next to heads / group. */
static int64_t kv_heads(int64_t heads, double group)
{
    double want = (double)heads / group;
    int64_t best = 1;

    for (int64_t k = 1; k <= heads; k++)
        if (heads % k == 0 && fabs(log((double)k / want)) < fabs(log((double)best / want)))
            best = k;
    return best;
}

static struct rule rule_for(const struct family *f, int64_t dim)
{
    const struct rung *low = &f->rungs[0], *high = low, *last = &f->rungs[f->n - 1];
    const double d = (double)dim;

    for (int i = 1; i < f->n && low->dim < dim; i++)
        if (f->rungs[i].dim <= dim)
            low = &f->rungs[i];
    for (high = low; high < last && high->dim < dim;)
        high++;
    double t = high->dim > low->dim ? (d - (double)low->dim) / (double)(high->dim - low->dim) : 0;
    double q_low = (double)(low->heads * low->head_dim) / (double)low->dim;
    double q_high = (double)(high->heads * high->head_dim) / (double)high->dim;
    double ratio_low = (double)low->hidden_dim / (double)low->dim;
    double ratio_high = (double)high->hidden_dim / (double)high->dim;
    struct rule r = {.dim = dim, .tied = low->tied};

    r.layers = (double)low->layers + t * (double)(high->layers - low->layers);
    if (dim < f->rungs[0].dim || dim > last->dim)
        r.layers = (double)low->layers * d / (double)low->dim;
    r.hidden_dim = d * (ratio_low + t * (ratio_high - ratio_low));
    r.head_dim = dim < 128 ? 16 : dim < 256 ? 32 : low->head_dim;
    r.heads = llround(d * (q_low + t * (q_high - q_low)) / (double)r.head_dim);
    /* Other programs take the head's size to be width over heads where queries are as wide as that. */
    r.usable = r.heads > 0 && (q_low != 1 || q_high != 1 || r.heads * r.head_dim == dim);
    r.group = (double)low->heads / (double)low->kv_heads;
    r.kv_heads = r.usable ? kv_heads(r.heads, r.group) : 1;
    return r;
}

static json_t *config_of(const struct family *f, const struct rule *r, int64_t layers, int64_t hidden_dim,
                         int64_t vocab)
{
    const struct arch_spec *spec = &arch_specs[f->arch];
    json_t *c = json_pack("{s:[s], s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "architectures", spec->name,
                          "model_type", spec->type, "hidden_size", (json_int_t)r->dim, "intermediate_size",
                          (json_int_t)hidden_dim, "num_hidden_layers", (json_int_t)layers,
                          "num_attention_heads", (json_int_t)r->heads, "num_key_value_heads",
                          (json_int_t)r->kv_heads, "head_dim", (json_int_t)r->head_dim, "vocab_size",
                          (json_int_t)vocab, "max_position_embeddings", (json_int_t)f->positions);
    json_t *rest = json_pack("{s:s, s:f, s:f, s:f, s:b, s:s}", "hidden_act", "silu", "rms_norm_eps", f->eps,
                             "rope_theta", f->theta, "initializer_range", 0.02, "tie_word_embeddings",
                             r->tied, "torch_dtype", "float32");

    json_object_update(c, rest);
    json_decref(rest);
    if (f->window > 0)
        json_object_set_new(c, "sliding_window", json_integer(f->window));
    return c;
}

struct search {
    const struct family *family;
    double size, best; /* best: the cost of what follows */
    int64_t vocab, layers, hidden_dim;
    struct rule rule;
    bool found;
};

/* Parameters of a width: fixed + layers * (layer + k * unit), the feed-forward being first + k * step. */
struct sizes {
    double fixed, layer, unit;
    int64_t first, step;
};

static double count(struct model_config *c, int64_t layers, int64_t hidden_dim)
{
    c->n_layers = layers;
    c->hidden_dim = hidden_dim;
    return (double)shape_parameters(c, shape_options.with_embeddings);
}

/* With the changes of the command line, but for layers and feed-forward. */
static int measure(const struct search *s, const struct rule *r, struct sizes *z, struct err *err)
{
    struct model_config c;
    json_t *config;

    z->step = r->dim < 1024 ? 16 : 128;
    z->first = shape_options.hidden_dim ? shape_options.hidden_dim : to_multiple(r->hidden_dim, z->step);
    config = config_of(s->family, r, 2, z->first, s->vocab);
    int rc = shape_change(config, err) == 0 ? model_config_parse(&c, config, err) : -1;
    json_decref(config);
    if (rc < 0)
        return -1;
    double one = count(&c, 1, z->first);
    z->layer = count(&c, 2, z->first) - one;
    z->fixed = one - z->layer;
    z->unit = shape_options.hidden_dim ? 0 : count(&c, 1, z->first + z->step) - one;
    return 0;
}

/* The feed-forward is moved by whole steps towards the size; keeps the shape if it is the best. */
static void try_shape(struct search *s, const struct rule *r, const struct sizes *z, int64_t layers)
{
    double most = floor(0.25 * (double)z->first / (double)z->step), l = (double)layers;
    double short_of = s->size - z->fixed - l * z->layer;
    double k = z->unit > 0 ? fmax(-most, fmin(most, round(short_of / (l * z->unit)))) : 0;
    double off = fabs((z->fixed + l * (z->layer + k * z->unit)) / s->size - 1);
    int64_t hidden_dim = z->first + (int64_t)k * z->step;
    double cost = 20 * off + (off > SHAPE_TOLERANCE ? 10 : 0) + fabs(log(l / r->layers)) +
                  fabs(log((double)hidden_dim / r->hidden_dim)) +
                  fabs(log((double)r->heads / (double)r->kv_heads / r->group));

    if (s->found && cost >= s->best)
        return;
    s->found = true;
    s->best = cost;
    s->rule = *r;
    s->layers = layers;
    s->hidden_dim = hidden_dim;
}

/* Depths near the rule's for one width. */
static int try_width(struct search *s, int64_t dim, struct err *err)
{
    struct rule r = rule_for(s->family, dim);
    int64_t middle = llround(r.layers), around = middle / 4 > 2 ? middle / 4 : 2;
    int64_t first = middle - around > 2 ? middle - around : 2, last = middle + around;
    struct sizes z;

    if (!r.usable)
        return 0;
    if (measure(s, &r, &z, err) < 0)
        return -1;
    if (shape_options.layers > 0)
        first = last = shape_options.layers;
    for (int64_t layers = first; layers <= last && layers <= MODEL_MAX_LAYERS; layers++)
        try_shape(s, &r, &z, layers);
    return 0;
}

/* The config of the best shape, if that is near enough. */
static json_t *result(const struct search *s, struct err *err)
{
    json_t *config = config_of(s->family, &s->rule, s->layers, s->hidden_dim, s->vocab);
    struct model_config c;
    double n = -1;

    if (shape_change(config, err) == 0 && model_config_parse(&c, config, err) == 0)
        n = (double)shape_parameters(&c, shape_options.with_embeddings);
    if (n >= 0 && fabs(n / s->size - 1) <= SHAPE_TOLERANCE)
        return config;
    if (n >= 0)
        err_set(err, "no %s shape has %.0f parameters%s; the nearest has %.0f", s->family->name, s->size,
                shape_options.with_embeddings ? "" : " without embedding and head", n);
    json_decref(config);
    return NULL;
}

json_t *shape_from_ladder(int64_t vocab, struct err *err)
{
    const struct family *f = find_family(shape_options.like, err);
    struct search s = {.family = f};
    int rc = f ? parse_size(shape_options.size, &s.size, err) : -1;

    if (f)
        s.vocab = vocab ? vocab : f->vocab;
    /* A layer of width d has about 12 d^2 parameters, and there are d / 128 or more. */
    int64_t widest = rc == 0 ? (int64_t)(8 * cbrt(s.size)) + 512 : 0;
    for (int64_t dim = 32; rc == 0 && dim <= widest; dim += dim < 1024 ? 16 : 64)
        rc = try_width(&s, dim, err);
    return rc == 0 ? result(&s, err) : NULL;
}
