/* Continuous batching: a request's tokens are its own, whatever else runs beside it. */
#include "gen/score.h"
#include "tests/unit/gen_cases.h"

enum { N_REQUESTS = 23, MAX_TOKENS = 24, MAX_PROMPT = 90 };

static int32_t prompts[N_REQUESTS][MAX_PROMPT];
static int n_prompt[N_REQUESTS], n_want[N_REQUESTS];

/* Lengths from one token to more than a cache begins with; every third request repeats the prompt
 * of its neighbour. */
static void make_prompts(void)
{
    struct rng r;
    rng_init(&r, 5, "test_engine", 0, 0);
    for (int i = 0; i < N_REQUESTS; i++) {
        n_prompt[i] = i % 3 == 2 ? n_prompt[i - 1] : 1 + (int)rng_below(&r, MAX_PROMPT);
        n_want[i] = 1 + (int)rng_below(&r, MAX_TOKENS);
        for (int j = 0; j < n_prompt[i]; j++)
            prompts[i][j] = i % 3 == 2 ? prompts[i - 1][j] : (int32_t)rng_below(&r, GEN_VOCAB);
    }
    n_prompt[4] = n_prompt[5] = MAX_PROMPT;
    for (int j = 0; j < MAX_PROMPT; j++)
        prompts[4][j] = prompts[5][j] = j % GEN_VOCAB;
}

static struct gen_request request(int i)
{
    static const int32_t stop[] = {3};
    struct gen_request q = {.prompt = prompts[i], .n_prompt = n_prompt[i], .max_tokens = n_want[i],
                            .sampling = SAMPLING_DEFAULT, .seed = 11, .record = (uint64_t)i,
                            .stop_ids = stop, .n_stop_ids = i % 2, .user = &n_prompt[i]};
    if (i % 4 == 1)
        q.sampling = (struct sampling){.temperature = 0.7, .top_p = 0.9, .top_k = 20};
    if (i % 4 == 2)
        q.sampling.temperature = 1.3;
    if (i % 4 == 3)
        q.sampling.temperature = 0;
    return q;
}

/* pages: most that the cache may have, 0 = as many as it can use.  Returns how often a sequence gave up its place. */
static int64_t generate(struct model *m, int64_t slots, int64_t pages, struct gen_result *out)
{
    struct err err = {0};
    struct engine *e = engine_new(m, slots, 0, &err);
    int n = 0;
    engine_limit_cache(e, (size_t)pages * kv_cache_page_bytes(m));
    for (int i = 0; i < N_REQUESTS; i++) {
        struct gen_request q = request(i);
        CHECK_MSG(engine_submit(e, &q, &err) == 0, "%s", err.text);
        if (i % 5 == 0) /* submission in between must not matter either */
            CHECK_MSG(engine_step(e, &err) == 0, "%s", err.text);
    }
    while (engine_busy(e)) {
        CHECK_MSG(engine_step(e, &err) == 0, "%s", err.text);
        while (engine_next(e, &out[n]))
            n++;
        CHECK(engine_running(e) <= slots);
    }
    CHECK(n == N_REQUESTS && engine_waiting(e) == 0);
    int64_t preempted = engine_preempted(e);
    engine_free(e);
    return preempted;
}

static void release(struct gen_result *r)
{
    for (int i = 0; i < N_REQUESTS; i++)
        gen_result_release(&r[i]);
}

static bool same(const struct gen_result *a, const struct gen_result *b)
{
    size_t n = (size_t)a->n_tokens;
    return a->user == b->user && a->record == b->record && a->n_tokens == b->n_tokens &&
           a->finish == b->finish && memcmp(a->tokens, b->tokens, n * sizeof(int32_t)) == 0 &&
           memcmp(a->logprobs, b->logprobs, n * sizeof(float)) == 0;
}

/* What the sampler recorded is, bit for bit, what the trainer's forward gives. */
static void check_scores(struct model *m, const struct gen_result *r)
{
    struct score_seq seqs[N_REQUESTS];
    struct err err = {0};
    for (int i = 0; i < N_REQUESTS; i++) {
        int64_t n = r[i].n_prompt + r[i].n_tokens;
        int32_t *ids = xreallocarray(NULL, (size_t)n, sizeof *ids);
        memcpy(ids, prompts[i], (size_t)n_prompt[i] * sizeof *ids);
        memcpy(ids + n_prompt[i], r[i].tokens, (size_t)r[i].n_tokens * sizeof *ids);
        seqs[i] = (struct score_seq){.tokens = ids, .n = n, .first = n_prompt[i],
                                     .sampling = request(i).sampling,
                                     .logprobs = xcalloc((size_t)n, sizeof(float))};
    }
    CHECK_MSG(score_run(m, seqs, N_REQUESTS, 100, &err) == 0, "%s", err.text);
    for (int i = 0; i < N_REQUESTS; i++) {
        CHECK_MSG(memcmp(seqs[i].logprobs + n_prompt[i], r[i].logprobs,
                         (size_t)r[i].n_tokens * sizeof(float)) == 0, "request %d", i);
        free(seqs[i].logprobs);
        free((void *)(uintptr_t)seqs[i].tokens);
    }
}

static void test_invariance(int precision)
{
    struct gen_result want[N_REQUESTS], got[N_REQUESTS];
    struct model *m = gen_model(precision, 9);
    generate(m, 1, 0, want);
    check_scores(m, want);
    for (int i = 0; i < N_REQUESTS; i++) {
        CHECK(want[i].n_prompt == n_prompt[i] && want[i].n_tokens <= n_want[i]);
        CHECK((want[i].finish == FINISH_LENGTH) == (want[i].n_tokens == n_want[i] &&
              !(i % 2 && want[i].tokens[want[i].n_tokens - 1] == 3)));
    }
    model_free(m);
    for (int threads = 1; threads <= 3; threads++) {
        pool_init(threads);
        m = gen_model(precision, 9);
        for (int slots = 1; slots <= 32; slots += threads == 1 ? 5 : 13) {
            CHECK(generate(m, slots, 0, got) == 0);
            for (int i = 0; i < N_REQUESTS; i++)
                CHECK_MSG(same(&want[i], &got[i]), "%d threads, %d slots, request %d", threads,
                          slots, i);
            release(got);
        }
        model_free(m);
    }
    pool_init(1);
    release(want);
}

/* With fewer pages than the sequences want they wait and start again, and nothing else is different. */
static void test_few_pages(int precision)
{
    struct gen_result want[N_REQUESTS], got[N_REQUESTS];
    struct model *m = gen_model(precision, 9);
    int64_t preempted = 0;
    generate(m, 1, 0, want);
    for (int64_t pages = 2; pages <= 20; pages += pages < 6 ? 1 : 7)
        for (int slots = 2; slots <= 17; slots += 5) {
            preempted += generate(m, slots, pages, got);
            for (int i = 0; i < N_REQUESTS; i++)
                CHECK_MSG(same(&want[i], &got[i]), "%lld pages, %d slots, request %d", (long long)pages, slots, i);
            release(got);
        }
    CHECK(preempted > 20);
    release(want);
    model_free(m);
}

/* Samples of a group differ, and sharing the prompt changes none of them. */
static void test_group(void)
{
    struct model *m = gen_model(PRECISION_FP32, 2);
    struct err err = {0};
    struct engine *e = engine_new(m, 6, 0, &err);
    struct gen_result alone, r[8];
    struct gen_request q = request(4);
    int n = 0;
    q.max_tokens = 12;
    for (q.sample = 0; q.sample < 8; q.sample++)
        CHECK(engine_submit(e, &q, &err) == 0);
    while (n < 8) {
        CHECK_MSG(engine_step(e, &err) == 0, "%s", err.text);
        while (engine_next(e, &r[n]))
            n++;
    }
    CHECK(memcmp(r[0].tokens, r[1].tokens, 12 * sizeof(int32_t)) != 0);
    CHECK(engine_tokens(e) == 8 * 12);
    engine_free(e);
    for (q.sample = 0; q.sample < 8; q.sample++) {
        e = engine_new(m, 1, 0, &err);
        CHECK(engine_submit(e, &q, &err) == 0);
        while (!engine_next(e, &alone))
            CHECK(engine_step(e, &err) == 0);
        CHECK(r[q.sample].sample == q.sample);
        CHECK(memcmp(alone.tokens, r[q.sample].tokens, 12 * sizeof(int32_t)) == 0);
        gen_result_release(&alone);
        gen_result_release(&r[q.sample]);
        engine_free(e);
    }
    model_free(m);
}

static bool stop_at_five(void *arg, const int32_t *tokens, int64_t n)
{
    (void)tokens;
    ++*(int *)arg;
    return n == 5;
}

static void test_limits(void)
{
    struct model *m = gen_model(PRECISION_FP32, 2);
    struct err err = {0};
    struct engine *e = engine_new(m, 2, 100, &err);
    struct gen_request q = request(4);
    struct gen_result r;
    int calls = 0;

    q.max_tokens = 1000; /* cut to the context: 100 - 90 */
    CHECK(engine_submit(e, &q, &err) == 0);
    q.stop_text = stop_at_five;
    q.stop_arg = &calls;
    CHECK(engine_submit(e, &q, &err) == 0);
    while (engine_busy(e))
        CHECK_MSG(engine_step(e, &err) == 0, "%s", err.text);
    CHECK(engine_next(e, &r) && r.n_tokens == 10 && r.finish == FINISH_LENGTH);
    CHECK(r.mean_entropy > 0 && r.mean_entropy < log(GEN_VOCAB));
    gen_result_release(&r);
    CHECK(engine_next(e, &r) && r.n_tokens == 5 && r.finish == FINISH_STOP && calls == 5);
    gen_result_release(&r);
    CHECK(!engine_next(e, &r) && engine_step(e, &err) == 0);

    q.n_prompt = 0;
    CHECK(engine_submit(e, &q, &err) < 0);
    CHECK_STR(err.text, "the prompt has no tokens");
    err_clear(&err);
    int32_t bad[] = {1, GEN_VOCAB};
    q.prompt = bad;
    q.n_prompt = 2;
    CHECK(engine_submit(e, &q, &err) < 0);
    CHECK_STR(err.text, "prompt token 1 is 61, the vocabulary has 61");
    engine_free(e);

    e = engine_new(m, 2, 0, &err);
    err_clear(&err);
    q = request(4);
    engine_limit_cache(e, 2 * kv_cache_page_bytes(m) - 1);
    CHECK(engine_submit(e, &q, &err) == 0 && engine_step(e, &err) < 0 && err.status == EXIT_NO_MEMORY);
    CHECK_MSG(strstr(err.text, "MiB of key-value cache") && strstr(err.text, "--kv-memory"), "%s", err.text);
    engine_free(e);
    model_free(m);
}

/* Weights that change between steps: earlier tokens stay, later ones carry the new version. */
static void test_versions(void)
{
    struct model *m = gen_model(PRECISION_FP32, 2), *other = gen_model(PRECISION_FP32, 3);
    float *w = xreallocarray(NULL, (size_t)m->n_elements, sizeof(float));
    struct err err = {0};
    struct engine *e = engine_new(m, 2, 0, &err);
    struct gen_request q = request(4);
    struct gen_result a, b;
    q.max_tokens = 8;
    model_get_weights(other, w);
    engine_set_version(e, 7);
    CHECK(engine_submit(e, &q, &err) == 0);
    for (int i = 0; i < 3; i++)
        CHECK(engine_step(e, &err) == 0);
    model_set_weights(m, w);
    engine_set_version(e, 8);
    CHECK(engine_submit(e, &q, &err) == 0); /* same prompt, but not the old weights' cache */
    while (engine_busy(e))
        CHECK(engine_step(e, &err) == 0);
    CHECK(engine_next(e, &a) && engine_next(e, &b));
    for (int i = 0; i < 8; i++) {
        CHECK(a.policy_version[i] == (i < 3 ? 7 : 8));
        CHECK(b.policy_version[i] == 8);
    }
    engine_free(e);
    e = engine_new(other, 1, 0, &err);
    CHECK(engine_submit(e, &q, &err) == 0);
    gen_result_release(&a);
    while (!engine_next(e, &a))
        CHECK(engine_step(e, &err) == 0);
    CHECK(memcmp(a.tokens, b.tokens, 8 * sizeof(int32_t)) == 0);
    CHECK(memcmp(a.logprobs, b.logprobs, 8 * sizeof(float)) == 0);
    gen_result_release(&a);
    engine_free(e);

    /* nor is what an ended sequence has left in its slot */
    struct model *third = gen_model(PRECISION_FP32, 2);
    e = engine_new(third, 1, 0, &err);
    CHECK(engine_submit(e, &q, &err) == 0 && engine_submit(e, &q, &err) == 0);
    for (int version = 7; version <= 8; version++) {
        engine_set_version(e, version);
        while (!engine_next(e, &a))
            CHECK(engine_step(e, &err) == 0);
        CHECK((memcmp(a.logprobs, b.logprobs, 8 * sizeof(float)) == 0) == (version == 8));
        gen_result_release(&a);
        model_set_weights(third, w);
    }
    gen_result_release(&b);
    engine_free(e);
    model_free(m);
    model_free(third);
    model_free(other);
    free(w);
}

/* Greedy text of a trained model, as another implementation gives it. */
static void test_stories(void)
{
    char *dir = check_data("checkpoints/stories260K");
    if (dir) {
        char *file = path_join(dir, "expected.json");
        struct err err = {0};
        const struct model_options opt = {0};
        struct model *m = model_load(dir, &opt, &err);
        json_t *expected = json_load_path(file, &err);
        const json_t *greedy = json_object_get(expected, "greedy");
        int32_t *ids = NULL, *prompt = NULL;
        CHECK_MSG(m && greedy, "%s", err.text);
        int64_t n_p = json_get_i32s(greedy, "prompt_ids", true, &prompt, &err);
        int64_t n = json_get_i32s(greedy, "ids", true, &ids, &err) - n_p;
        struct engine *e = engine_new(m, 4, 0, &err);
        struct gen_request q = {.prompt = prompt, .n_prompt = n_p, .max_tokens = n};
        struct gen_result r;
        CHECK(engine_submit(e, &q, &err) == 0);
        while (!engine_next(e, &r))
            CHECK(engine_step(e, &err) == 0);
        CHECK(r.n_tokens == n && n > 200);
        CHECK(memcmp(r.tokens, ids + n_p, (size_t)n * sizeof *ids) == 0);
        gen_result_release(&r);
        engine_free(e);
        model_free(m);
        json_decref(expected);
        free(ids);
        free(prompt);
        free(file);
    }
    free(dir);
}

/* Groups whose samples end at different times, so that a slot whose prompt others read is needed for
 * another prompt, and then with few pages: nothing shows in the results. */
static void test_lending(int precision)
{
    enum { GROUPS = 9, SIZE = 7, N = GROUPS * SIZE };
    static struct gen_result want[N], got;
    struct model *m = gen_model(precision, 4);
    struct err err = {0};
    for (int run = 1; run <= 18; run++) {
        int64_t slots = 1 + (run - 1) % 9, pages = run <= 9 ? 0 : 1 + slots;
        struct engine *e = engine_new(m, slots, 0, &err);
        int n = 0;
        engine_limit_cache(e, (size_t)pages * kv_cache_page_bytes(m));
        for (int i = 0; i < N; i++) {
            int g = i / SIZE % 3 == 2 ? 4 : 3 * (i / SIZE % 4); /* prompts come back */
            struct gen_request q = request(g);
            q.n_stop_ids = 0;
            q.record = (uint64_t)(i / SIZE);
            q.sample = (uint64_t)(i % SIZE);
            q.max_tokens = 1 + i * 7 % 23;
            CHECK(engine_submit(e, &q, &err) == 0);
        }
        while (engine_busy(e)) {
            CHECK_MSG(engine_step(e, &err) == 0, "%s", err.text);
            while (engine_next(e, run == 1 ? &want[n] : &got)) {
                if (run > 1) {
                    CHECK_MSG(same(&want[n], &got), "%lld slots, %lld pages, request %d", (long long)slots,
                              (long long)pages, n);
                    gen_result_release(&got);
                }
                n++;
            }
        }
        CHECK(n == N);
        engine_free(e);
    }
    for (int i = 0; i < N; i++)
        gen_result_release(&want[i]);
    model_free(m);
}

int main(void)
{
    make_prompts();
    test_invariance(PRECISION_FP32);
    test_invariance(PRECISION_BF16);
    test_few_pages(PRECISION_FP32);
    test_few_pages(PRECISION_BF16);
    test_group();
    test_lending(PRECISION_FP32);
    test_lending(PRECISION_BF16);
    test_limits();
    test_versions();
    test_stories();
    return check_done();
}
