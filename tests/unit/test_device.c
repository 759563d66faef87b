/* test_device.c - what only a device with memory of its own has: records of decoding steps, memory that is taken at
 * once, uploads that are under way.  On the emulated one; with OPS_ONLY=cuda on a GPU. */
#include "tests/unit/model_cases.h"

static const char *kind = "emu";

static struct ops counted; /* the device's, with these counts */
static enum graph_state (*real_begin)(struct dev *dev, uint64_t key);
static int seen[3];

static enum graph_state count_state(struct dev *dev, uint64_t key)
{
    enum graph_state s = real_begin(dev, key);
    seen[s]++;
    return s;
}

static struct model *open_model(const struct model_config *c, int precision, bool graphs)
{
    struct model_options o = {.precision = precision, .device = strcmp(kind, "emu") == 0 ? DEVICE_EMU : DEVICE_CUDA};
    struct err err = {0};
    struct model *m = model_new(c, &o, &err);
    CHECK_MSG(m, "%s", err.text);
    counted = *m->dev.ops;
    real_begin = counted.graph_begin;
    counted.graph_begin = graphs ? count_state : NULL;
    m->dev.ops = &counted;
    memset(seen, 0, sizeof seen);
    return m;
}

enum { SLOTS = 9, PROMPT = KV_PAGE + 3, LEN = KV_PAGE + 32, STEPS = 14, VOCAB = 97 };

/* Sequences decode side by side, some with the prompt's pages of slot 0; some end, one comes later.  Logits of all steps, end to end. */
static float *decode(struct model *m, bool swap_weights, int64_t *n_logits)
{
    struct err err = {0};
    struct kv_cache *cache = kv_cache_new(m, SLOTS, LEN, 0, &err);
    int32_t tokens[SLOTS * PROMPT], slot[SLOTS * PROMPT], pos[SLOTS * PROMPT], out[SLOTS * PROMPT];
    float *logits = xcalloc((size_t)(STEPS * SLOTS) * VOCAB, sizeof *logits);
    struct rng r;

    CHECK_MSG(cache, "%s", err.text);
    rng_init(&r, 3, "test decode", 0, 0);
    *n_logits = 0;
    struct cached_rows prompts = {.tokens = tokens, .slot = slot, .pos = pos};
    for (int32_t i = 0; i < SLOTS * PROMPT; i++) {
        if (i / PROMPT % 2)
            continue;
        tokens[prompts.n] = i % PROMPT * 5 % VOCAB;
        slot[prompts.n] = i / PROMPT;
        pos[prompts.n++] = i % PROMPT;
    }
    CHECK_MSG(model_forward_cached(m, cache, &prompts, &err) == 0, "%s", err.text);
    for (int32_t s = 1; s < SLOTS; s += 2)
        CHECK(kv_cache_share(cache, 0, s, PROMPT));
    for (int step = 0; step < STEPS; step++) {
        int64_t n = 0;
        for (int32_t s = 0; s < SLOTS; s++) {
            if ((s == 2 && step > 8) || (s == 4 && step > 10) || (s == 6 && step < 3))
                continue;
            tokens[n] = (int32_t)rng_below(&r, VOCAB);
            slot[n] = s;
            pos[n] = PROMPT + step - (s == 6 ? 3 : 0);
            out[n] = (int32_t)n;
            n++;
        }
        struct cached_rows c = {.n = n, .tokens = tokens, .slot = slot, .pos = pos, .n_out = n, .out_rows = out};
        CHECK_MSG(model_forward_cached(m, cache, &c, &err) == 0, "%s", err.text);
        model_row_logits(m, logits + *n_logits);
        *n_logits += n * VOCAB;
        if (step == STEPS / 2 && swap_weights) {
            float *w = case_weights(m, 8, false);
            model_set_weights(m, w);
            free(w);
        }
    }
    kv_cache_free(cache);
    return logits;
}

/* With records, rows that are none, and other data each time: the bits of single launches. */
static void test_graphs(const struct model_case *k, int precision, bool swap_weights)
{
    struct model_config c;
    float *by[2] = {NULL, NULL};
    int64_t n[2] = {0, 0};

    case_config(&c, k, 16, 2, VOCAB);
    for (int graphs = 0; graphs < 2; graphs++) {
        struct model *m = open_model(&c, precision, graphs);
        float *w = case_weights(m, 2, false);
        model_set_weights(m, w);
        free(w);
        by[graphs] = decode(m, swap_weights, &n[graphs]);
        CHECK(!dev_error(&m->dev));
        if (graphs) {
            CHECK_MSG(seen[GRAPH_RAN] >= STEPS / 3 && seen[GRAPH_RECORDS] >= 2 && seen[GRAPH_PLAIN] >= 2,
                      "%d plain, %d recorded, %d run again", seen[GRAPH_PLAIN], seen[GRAPH_RECORDS], seen[GRAPH_RAN]);
            CHECK(seen[GRAPH_RAN] + seen[GRAPH_RECORDS] + seen[GRAPH_PLAIN] == STEPS);
        }
        model_free(m);
    }
    CHECK_MSG(n[0] == n[1] && memcmp(by[0], by[1], (size_t)n[0] * sizeof(float)) == 0,
              "%s: a recorded step gives other logits", k->name);
    free(by[0]);
    free(by[1]);
}

/* Freed memory ends the records that may use it. */
static void test_free_ends_graphs(void)
{
    struct dev dev;
    const char *error = NULL;
    CHECK(dev_open_plugin(&dev, kind, DTYPE_F32, 0, &error) == 0);
    float one[4] = {1, 2, 3, 4}, got[4];
    float *acc = dev.ops->alloc(&dev, sizeof one), *x = dev.ops->alloc(&dev, sizeof one);
    dev.ops->upload(&dev, x, one, sizeof one);
    for (int i = 0; i < 6; i++) {
        enum graph_state want = i == 0 || i == 4 ? GRAPH_PLAIN : i == 1 || i == 5 ? GRAPH_RECORDS : GRAPH_RAN;
        enum graph_state s = dev.ops->graph_begin(&dev, 77);
        CHECK(s == want);
        if (s != GRAPH_RAN)
            dev.ops->add(&dev, acc, x, 4);
        if (s == GRAPH_RECORDS)
            dev.ops->graph_end(&dev);
        if (i == 2) { /* what it reads is read when it runs */
            one[0] = 10;
            dev.ops->upload(&dev, x, one, sizeof one);
        }
        if (i == 3)
            dev.ops->free(&dev, dev.ops->alloc(&dev, 100));
    }
    dev.ops->download(&dev, got, acc, sizeof got);
    CHECK(got[0] == 3 + 30 && got[1] == 12 && got[3] == 24);
    CHECK(!dev_error(&dev));
    dev.ops->free(&dev, acc);
    dev.ops->free(&dev, x);
    dev_close(&dev);
}

/* Small uploads, more than may be under way at once, from an array that changes after each. */
static void test_uploads(void)
{
    enum { N = 90, EACH = 12345 };
    struct dev dev;
    const char *error = NULL;
    CHECK(dev_open_plugin(&dev, kind, DTYPE_F32, 0, &error) == 0);
    int32_t *host = xcalloc(EACH, sizeof *host), *got = xcalloc(EACH, sizeof *got), *at[N];
    for (int i = 0; i < N; i++)
        at[i] = dev.ops->alloc(&dev, EACH * sizeof *host);
    for (int32_t i = 0; i < N; i++) {
        for (int32_t j = 0; j < EACH; j++)
            host[j] = i * EACH + j;
        dev.ops->upload(&dev, at[i], host, EACH * sizeof *host);
    }
    for (int32_t i = 0; i < N; i++) {
        int wrong = 0;
        dev.ops->download(&dev, got, at[i], EACH * sizeof *got);
        for (int32_t j = 0; j < EACH; j++)
            wrong += got[j] != i * EACH + j;
        CHECK_MSG(wrong == 0, "upload %d: %d of %d are others", (int)i, wrong, (int)EACH);
        dev.ops->free(&dev, at[i]);
    }
    CHECK(!dev_error(&dev));
    free(host);
    free(got);
    dev_close(&dev);
}

static bool holds(const uint32_t *p, size_t n, uint32_t value)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != value)
            return false;
    return true;
}

/* Blocks of reserved memory do not meet, freed ones come again, and what does not fit is had elsewhere. */
static void test_reserve(void)
{
    enum { BLOCKS = 24, ROUNDS = 400, ALL = 64 << 10 };
    const struct scratch_use none = {0};
    struct dev dev;
    const char *error = NULL;
    struct {
        uint32_t *p;
        size_t n;
    } b[BLOCKS] = {{0}};
    struct rng r;

    setenv("EMU_MEMORY", "200000", 1);
    CHECK(dev_open_plugin(&dev, "emu", DTYPE_F32, 0, &error) == 0);
    CHECK(dev.ops->room(&dev) == 200000);
    CHECK(!dev.ops->reserve(&dev, 200001, &none) && !dev_error(&dev));
    CHECK(dev.ops->reserve(&dev, ALL, &none) && dev.ops->room(&dev) == 200000);
    rng_init(&r, 1, "test reserve", 0, 0);
    int refused = 0, came = 0;
    for (int i = 0; i < ROUNDS; i++) {
        int k = (int)rng_below(&r, BLOCKS);
        if (b[k].p) {
            CHECK(holds(b[k].p, b[k].n, (uint32_t)k));
            dev.ops->free(&dev, b[k].p);
        }
        b[k].n = 1 + rng_below(&r, 5000);
        b[k].p = dev.ops->alloc(&dev, b[k].n * sizeof(uint32_t));
        refused += !b[k].p;
        came += b[k].p != NULL;
        CHECK(!b[k].p || holds(b[k].p, b[k].n, 0));
        for (size_t j = 0; b[k].p && j < b[k].n; j++)
            b[k].p[j] = (uint32_t)k;
    }
    CHECK(refused > 10 && came > 100);
    for (int k = 0; k < BLOCKS; k++)
        dev.ops->free(&dev, b[k].p);
    CHECK(dev.ops->room(&dev) == 200000);
    void *whole = dev.ops->alloc(&dev, ALL); /* the spans have joined */
    CHECK(whole && dev.ops->room(&dev) == 200000 - ALL);
    void *beside = dev.ops->alloc(&dev, 1000);
    CHECK(beside && dev.ops->room(&dev) == 200000 - ALL - 1000);
    CHECK(!dev.ops->alloc(&dev, 200000) && !dev_error(&dev));
    dev.ops->free(&dev, whole);
    dev.ops->free(&dev, beside);
    dev_close(&dev);
    unsetenv("EMU_MEMORY");
}

static bool have_device(void)
{
    struct dev dev;
    const char *error = NULL;
    if (dev_open_plugin(&dev, kind, DTYPE_F32, 0, &error) < 0)
        return false;
    dev_close(&dev);
    return true;
}

int main(void)
{
    const size_t last = ARRAY_SIZE(model_cases) - 1;

    if (getenv("OPS_ONLY") && strcmp(getenv("OPS_ONLY"), "cuda") == 0)
        kind = "cuda";
    if (!have_device()) {
        printf("no such device here: %s\n", kind);
        return 77;
    }
    test_free_ends_graphs();
    test_uploads();
    if (strcmp(kind, "emu") == 0)
        test_reserve();
    if (check_failed)
        return check_done();
    pool_init(2);
    test_graphs(&model_cases[1], PRECISION_BF16, false);
    test_graphs(&model_cases[1], PRECISION_FP32, true);
    test_graphs(&model_cases[last], PRECISION_BF16, true);
    pool_release();
    return check_done();
}
