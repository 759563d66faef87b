/* pass@k against its definition, intervals, the mismatch figures, scoring by hand. */
#include "gen/eval.h"
#include "gen/mismatch.h"
#include "gen/score.h"
#include "tests/unit/gen_cases.h"

/* Share of the k-subsets of n samples, the first c of them right, that hold a right one. */
static double count_subsets(int n, int c, int k)
{
    int all = 0, hit = 0;
    for (unsigned set = 0; set < 1u << n; set++) {
        if (__builtin_popcount(set) != k)
            continue;
        all++;
        hit += (set & ((1u << c) - 1)) != 0;
    }
    return (double)hit / all;
}

static void test_pass_at_k(void)
{
    for (int n = 1; n <= 9; n++)
        for (int c = 0; c <= n; c++)
            for (int k = 1; k <= n; k++)
                CHECK_CLOSE(pass_at_k(n, c, k), count_subsets(n, c, k), 1e-12, 0);
    CHECK_CLOSE(pass_at_k(1000, 1, 100), 0.1, 1e-12, 0);
}

static void test_wilson(void)
{
    double low, high;
    wilson_interval(8, 10, &low, &high); /* statsmodels proportion_confint(8, 10, method="wilson") */
    CHECK_CLOSE(low, 0.4901625, 1e-6, 0);
    CHECK_CLOSE(high, 0.9433178, 1e-6, 0);
    wilson_interval(0, 5, &low, &high);
    CHECK(low == 0 && high > 0.4 && high < 0.45);
    wilson_interval(5, 5, &low, &high);
    CHECK(high == 1);
}

static void test_k_list(void)
{
    struct eval_options o = {0};
    struct err err = {0};
    CHECK(eval_parse_k(&o, "1,4,16", &err) == 0 && o.n_k == 3 && o.k[0] == 1 && o.k[2] == 16);
    CHECK(eval_parse_k(&o, "4", &err) == 0 && o.n_k == 1 && o.k[0] == 4);
    CHECK(eval_parse_k(&o, "1,,2", &err) < 0);
    err_clear(&err);
    CHECK(eval_parse_k(&o, "0", &err) < 0);
}

static void test_mismatch(void)
{
    const float q[] = {-1, -2, -0.5f, -3}, p[] = {-1, -2.5f, -0.25f, -3};
    struct mismatch m = {0};
    mismatch_add(&m, q, p, 2);
    mismatch_add(&m, q + 2, p + 2, 2);
    json_t *obj = mismatch_json(&m);
    double w1 = exp(-0.5), w2 = exp(0.25), w = 2 + w1 + w2, ww = 2 + w1 * w1 + w2 * w2;
    CHECK(json_integer_value(json_object_get(obj, "tokens")) == 4);
    CHECK(json_integer_value(json_object_get(obj, "records")) == 2);
    CHECK_CLOSE(json_real_value(json_object_get(obj, "mean_abs_difference")), 0.75 / 4, 1e-12, 0);
    CHECK_CLOSE(json_real_value(json_object_get(obj, "max_abs_difference")), 0.5, 1e-12, 0);
    CHECK_CLOSE(json_real_value(json_object_get(obj, "k1")), (0.5 - 0.25) / 4, 1e-12, 0);
    CHECK_CLOSE(json_real_value(json_object_get(obj, "k3")), (w1 - 1 + 0.5 + w2 - 1 - 0.25) / 4,
                1e-12, 0);
    CHECK_CLOSE(json_real_value(json_object_get(obj, "effective_sample_size")), w * w / (4 * ww),
                1e-12, 0);
    CHECK_CLOSE(json_real_value(json_object_get(obj, "bitwise_equal")), 0.5, 0, 0);
    json_decref(obj);
}

/* Packed or alone, whole or in part, a sequence has the same numbers. */
static void test_score(void)
{
    enum { N = 6, LEN = 30 };
    struct model *m = gen_model(PRECISION_FP32, 4);
    int32_t ids[N][LEN];
    float packed[N][LEN], alone[LEN];
    struct score_seq seqs[N];
    struct err err = {0};
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < LEN; j++)
            ids[i][j] = (i * 17 + j * j) % GEN_VOCAB;
        seqs[i] = (struct score_seq){.tokens = ids[i], .n = LEN - 5 * i, .first = i,
                                     .sampling = SAMPLING_DEFAULT, .logprobs = packed[i]};
    }
    seqs[2].sampling.top_k = 10;
    seqs[3].sampling.temperature = 2;
    seqs[5].n = 1; /* nothing to score */
    CHECK_MSG(score_run(m, seqs, N, 40, &err) == 0, "%s", err.text);
    for (int i = 0; i < N; i++) {
        struct score_seq s = seqs[i];
        s.logprobs = alone;
        s.first = 0;
        CHECK(score_run(m, &s, 1, 1, &err) == 0);
        for (int64_t j = 0; j < s.n; j++)
            CHECK(packed[i][j] == (j >= i && j > 0 ? alone[j] : 0));
    }
    CHECK(packed[2][5] <= 0 && packed[2][5] >= SCORE_FLOOR);
    ids[0][3] = GEN_VOCAB;
    CHECK(score_check(m, &seqs[0], &err) < 0);
    CHECK_STR(err.text, "token 3 has id 61, the model's vocabulary has 61");
    model_free(m);
}

int main(void)
{
    test_pass_at_k();
    test_wilson();
    test_k_list();
    test_mismatch();
    test_score();
    return check_done();
}
