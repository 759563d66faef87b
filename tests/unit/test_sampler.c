/* Sampling against distributions worked out by hand, and the frequencies of many draws. */
#include "base/mem.h"
#include "base/rng.h"
#include "gen/sampler.h"
#include "kernels/ops.h"
#include "tests/unit/check.h"

/* Probabilities 0.4 0.3 0.15 0.1 0.05 at ids that are not in order. */
enum { N = 5 };
static const double probs[N] = {0.1, 0.4, 0.05, 0.3, 0.15};
static float logits[N];

static struct dev dev;

/* x cut as the distribution is, in a row of its own. */
static float *cut(const struct sampling *how, const float *x, int64_t n)
{
    float *row = xmalloc((size_t)n * sizeof *row), inv_temp = sampling_inv_temp(how);
    struct cut_lists l = {0};
    memcpy(row, x, (size_t)n * sizeof *row);
    cut_lists_resize(&l, 1);
    cut_lists_set(&l, 0, how);
    const struct cuts c = cut_lists_cuts(&l);
    dev.ops->truncate(&dev, &(struct truncate_args){.logits = row, .inv_temp = &inv_temp, .top_k = c.top_k,
                                                    .top_p = c.top_p, .min_p = c.min_p, .n = 1, .vocab = n,
                                                    .stride = n});
    cut_lists_release(&l);
    return row;
}

static float logprob(const struct sampling *how, const float *x, int64_t n, int32_t token)
{
    float *row = cut(how, x, n), inv_temp = sampling_inv_temp(how), lp;
    dev.ops->logprob(&dev, &(struct logprob_args){.logprobs = &lp, .logits = row, .targets = &token,
                                                  .inv_temp = &inv_temp, .n = 1, .vocab = n, .stride = n});
    free(row);
    return lp;
}

/* As the engine draws. */
static int32_t draw(const struct sampling *how, const float *x, int64_t n, double u, float *lp)
{
    int32_t token;
    float *row = cut(how, x, n), inv_temp = sampling_inv_temp(how);
    if (how->temperature <= 0)
        u = -1;
    dev.ops->draw(&dev, &(struct draw_args){.tokens = &token, .logits = row, .inv_temp = &inv_temp,
                                            .u = &u, .n = 1, .vocab = n, .stride = n});
    free(row);
    *lp = logprob(how, x, n, token);
    return token;
}

static void fill_logits(void)
{
    for (int i = 0; i < N; i++)
        logits[i] = (float)(log(probs[i]) + 2.5);
}

/* want[i] = 0: the token must be cut off. */
static void check_distribution(const char *name, struct sampling how, const double *want)
{
    for (int32_t i = 0; i < N; i++) {
        float lp = logprob(&how, logits, N, i);
        if (want[i] == 0)
            CHECK_MSG(isinf(lp) && lp < 0, "%s: token %d has %g", name, i, (double)lp);
        else
            CHECK_MSG(fabs(exp((double)lp) - want[i]) < 1e-6, "%s: token %d has %.9g, expected %.9g",
                      name, i, exp((double)lp), want[i]);
    }
}

static void test_distributions(void)
{
    struct sampling all = SAMPLING_DEFAULT, k2 = all, p = all, m = all, kp = all, kpm = all, cold = all;
    k2.top_k = 2;
    check_distribution("whole", all, probs);
    check_distribution("top_k 2", k2, (double[]){0, 4.0 / 7, 0, 3.0 / 7, 0});
    /* 0.4 + 0.3 < 0.8 <= 0.4 + 0.3 + 0.15 */
    p.top_p = 0.8;
    check_distribution("top_p 0.8", p, (double[]){0, 0.4 / 0.85, 0, 0.3 / 0.85, 0.15 / 0.85});
    p.top_p = 0.3;
    check_distribution("top_p below the best", p, (double[]){0, 1, 0, 0, 0});
    /* 0.15 >= 0.3 * 0.4 > 0.1 */
    m.min_p = 0.3;
    check_distribution("min_p 0.3", m, (double[]){0, 0.4 / 0.85, 0, 0.3 / 0.85, 0.15 / 0.85});
    /* top_p counts what top_k left: 0.4 / 0.85 = 0.47 < 0.5, so two tokens; of all tokens 0.4 < 0.5
     * gives two as well, but 0.75: (0.4 + 0.3) / 0.85 = 0.82 is enough, 0.7 is not. */
    kp.top_k = 3;
    kp.top_p = 0.75;
    check_distribution("top_k then top_p", kp, (double[]){0, 4.0 / 7, 0, 3.0 / 7, 0});
    kpm = kp;
    kpm.min_p = 0.8;
    check_distribution("then min_p", kpm, (double[]){0, 1, 0, 0, 0});
    /* temperature 0.5 squares the probabilities */
    cold.temperature = 0.5;
    cold.top_k = 2;
    check_distribution("temperature first", cold, (double[]){0, 0.16 / 0.25, 0, 0.09 / 0.25, 0});
    k2.top_k = 100;
    check_distribution("top_k beyond the vocabulary", k2, probs);
}

static void test_ties(void)
{
    const float same[4] = {1, 1, 1, 1};
    struct sampling k2 = SAMPLING_DEFAULT, greedy = SAMPLING_DEFAULT;
    k2.top_k = 2;
    greedy.temperature = 0;
    greedy.top_k = 3; /* no effect */
    CHECK_CLOSE(logprob(&k2, same, 4, 0), log(0.5), 1e-6, 0);
    CHECK_CLOSE(logprob(&k2, same, 4, 1), log(0.5), 1e-6, 0);
    CHECK(isinf(logprob(&k2, same, 4, 2)));
    float lp = 1;
    CHECK(draw(&greedy, same, 4, 0.9, &lp) == 0);
    CHECK_CLOSE(lp, log(0.25), 1e-6, 0); /* recorded untempered */
    CHECK(!sampling_truncates(&greedy) && sampling_inv_temp(&greedy) == 1.0f);
}

/* Pearson's statistic of many draws; 0.1% of fair samplers exceed the limit. */
static void check_frequencies(struct sampling how, double limit)
{
    enum { DRAWS = 20000 };
    int64_t count[N] = {0};
    double chi2 = 0;
    struct rng r;
    rng_init(&r, 1, "test_sampler", 0, 0);
    for (int i = 0; i < DRAWS; i++) {
        float lp = 0;
        int32_t token = draw(&how, logits, N, rng_uniform_at(&r, (uint64_t)i), &lp);
        CHECK(token >= 0 && token < N && lp == logprob(&how, logits, N, token));
        count[token]++;
    }
    for (int32_t i = 0; i < N; i++) {
        double want = DRAWS * exp((double)logprob(&how, logits, N, i));
        if (want > 0)
            chi2 += ((double)count[i] - want) * ((double)count[i] - want) / want;
        else
            CHECK(count[i] == 0);
    }
    CHECK_MSG(chi2 < limit, "chi-square %g, limit %g", chi2, limit);
}

static void test_frequencies(void)
{
    struct sampling how = SAMPLING_DEFAULT;
    check_frequencies(how, 18.5); /* 4 degrees of freedom */
    how.temperature = 2;
    check_frequencies(how, 18.5);
    how.top_k = 4;
    how.top_p = 0.95;
    check_frequencies(how, 16.3); /* at most 3 */
}

/* Both ends of u draw a token that can be drawn, also when most have no chance at all. */
static void test_ends(void)
{
    float wide[300], lp;
    struct sampling how = SAMPLING_DEFAULT;
    for (int i = 0; i < 300; i++)
        wide[i] = i == 7 || i == 200 ? 50 : -1000;
    CHECK(draw(&how, wide, 300, 0, &lp) == 7);
    CHECK(draw(&how, wide, 300, 1 - 0x1p-53, &lp) == 200);
    how.top_p = 0.99;
    CHECK(draw(&how, wide, 300, 0, &lp) == 7);
    CHECK(draw(&how, wide, 300, 1 - 0x1p-53, &lp) == 200);
}

static int by_logit(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return x > y ? -1 : x < y;
}

/* What the op finds without sorting is what sorting everything keeps. */
static void test_large(void)
{
    enum { V = 5000 };
    float *z = xmalloc(V * sizeof *z), *sorted = xmalloc(V * sizeof *z);
    struct rng r;
    for (uint64_t round = 0; round < 20; round++) {
        struct sampling how = SAMPLING_DEFAULT;
        rng_init(&r, 3, "test_sampler large", round, 0);
        double total = 0, mass = 0;
        for (int i = 0; i < V; i++)
            sorted[i] = z[i] = (float)(3 * rng_normal(&r));
        qsort(sorted, V, sizeof *sorted, by_logit);
        int64_t k = (round % 2) ? 1 + (int64_t)rng_below(&r, V) : V, kept = 0;
        how.top_k = round % 2 ? k : 0;
        how.top_p = 0.2 + 0.04 * (double)round;
        for (int64_t i = 0; i < k; i++)
            total += exp((double)sorted[i]);
        while (kept < k && mass < how.top_p * total)
            mass += exp((double)sorted[kept++]);
        int64_t found = 0;
        float *row = cut(&how, z, V);
        for (int32_t i = 0; i < V; i++)
            found += isfinite(row[i]) != (z[i] >= sorted[kept - 1]);
        free(row);
        CHECK_MSG(found == 0, "round %d: %lld tokens differ", (int)round, (long long)found);
    }
    free(z);
    free(sorted);
}

int main(void)
{
    const char *error = NULL;
    if (dev_open_cpu(&dev, DTYPE_F32, 1, NULL, &error) < 0) {
        fprintf(stderr, "test_sampler: %s\n", error);
        return 1;
    }
    fill_logits();
    test_distributions();
    test_ties();
    test_frequencies();
    test_ends();
    test_large();
    dev_close(&dev);
    return check_done();
}
