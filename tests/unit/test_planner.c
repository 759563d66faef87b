/* test_planner.c - a step's weights and cuts, and that neither depends on the other. */
#include "train/planner.h"

#include "tests/unit/model_cases.h"

enum { N_SEQS = 8 };
static int32_t tokens[N_SEQS][12];
static uint8_t masks[N_SEQS][12];
static const int lengths[N_SEQS] = {12, 3, 7, 9, 2, 11, 5, 8}; /* in tokens: one more than positions */

static void add_all(struct planner *p)
{
    planner_clear(p);
    for (int i = 0; i < N_SEQS; i++)
        planner_add(p, &(struct plan_seq){.n_tokens = lengths[i], .tokens = tokens[i], .loss_mask = masks[i],
                                          .inv_temp = 1});
}

static void fill(void)
{
    struct rng r;

    rng_init(&r, 5, "test planner", 0, 0);
    for (int i = 0; i < N_SEQS; i++)
        for (int k = 0; k < lengths[i]; k++) {
            tokens[i][k] = (int32_t)rng_below(&r, 13);
            masks[i][k] = k == 1 || rng_below(&r, 3) != 0;
        }
}

static int64_t n_trained(int i)
{
    int64_t n = 0;

    for (int k = 1; k < lengths[i]; k++)
        n += masks[i][k];
    return n;
}

/* Every reduction's weights, by hand. */
static void test_weights(void)
{
    struct planner p = {.micro_tokens = 1000, .const_tokens = 50};
    struct batch b;
    int64_t total = 0;

    for (int i = 0; i < N_SEQS; i++)
        total += n_trained(i);
    for (int r = REDUCE_TOKEN_MEAN; r <= REDUCE_PAIR_MEAN; r++) {
        p.reduction = (enum reduction)r;
        add_all(&p);
        CHECK(planner_finish(&p) == 1);
        CHECK(p.n_trained == total && p.n_trained_seqs == N_SEQS);
        planner_batch(&p, 0, &b);
        for (int i = 0; i < N_SEQS; i++) {
            double want = r == REDUCE_TOKEN_MEAN            ? 1 / (double)total
                          : r == REDUCE_SEQ_MEAN_TOKEN_MEAN ? 1 / (8 * (double)n_trained(i))
                          : r == REDUCE_SEQ_MEAN_TOKEN_SUM  ? 1 / 8.0
                          : r == REDUCE_SEQ_SUM_CONST       ? 1 / 400.0
                                                            : 1 / 4.0; /* four pairs */
            CHECK_CLOSE(b.seq_weight[i], want, 0, 1e-6);
        }
    }
    planner_release(&p);
}

/* The reader shifts: position i has token i, target i + 1 and that target's mask. */
static void test_packing(void)
{
    struct planner p = {.micro_tokens = 1000};
    struct batch b;

    add_all(&p);
    planner_finish(&p);
    planner_batch(&p, 0, &b);
    CHECK(b.n_seqs == N_SEQS && b.seq_start[0] == 0);
    for (int i = 0; i < N_SEQS; i++) {
        CHECK(b.seq_start[i + 1] - b.seq_start[i] == lengths[i] - 1);
        for (int k = 0; k + 1 < lengths[i]; k++) {
            int at = b.seq_start[i] + k;
            CHECK(b.tokens[at] == tokens[i][k] && b.targets[at] == tokens[i][k + 1]);
            CHECK((b.loss_mask[at] != 0) == (masks[i][k + 1] != 0));
        }
    }
    planner_release(&p);
}

static void test_cuts(void)
{
    struct planner p = {.micro_tokens = 15};
    struct batch b;
    int64_t seen = 0;

    for (int pairs = 0; pairs < 2; pairs++, seen = 0) {
        p.pairs = pairs;
        add_all(&p);
        int n = planner_finish(&p);
        CHECK(n > 2);
        for (int i = 0; i < n; i++) {
            planner_batch(&p, i, &b);
            seen += b.n_seqs;
            CHECK(b.n_tokens <= 15 || b.n_seqs == (pairs ? 2 : 1)); /* what is longer is alone */
            CHECK(!pairs || b.n_seqs % 2 == 0);
        }
        CHECK(seen == N_SEQS);
    }
    p.micro_tokens = 4; /* every sequence is longer or fills it */
    p.pairs = false;
    add_all(&p);
    CHECK(planner_finish(&p) >= 6);
    planner_clear(&p);
    CHECK(planner_finish(&p) == 1); /* an empty step is one empty micro-batch */
    planner_batch(&p, 0, &b);
    CHECK(b.n_tokens == 0 && b.n_seqs == 0);
    planner_release(&p);
}

/* dL/dlogprob = -weight: the nll head. */
static void nll(const struct batch *b, float *d)
{
    for (int64_t s = 0; s < b->n_seqs; s++)
        for (int32_t i = b->seq_start[s]; i < b->seq_start[s + 1]; i++)
            d[i] = b->loss_mask[i] != 0 ? -b->seq_weight[s] : 0;
}

static float *step_gradient(struct model *m, int64_t micro_tokens, int *n_micro)
{
    struct planner p = {.micro_tokens = micro_tokens, .reduction = REDUCE_TOKEN_MEAN};
    struct err err = {0};
    float logprobs[80], d[80], *grads = xreallocarray(NULL, (size_t)m->n_elements, sizeof *grads);

    add_all(&p);
    *n_micro = planner_finish(&p);
    model_zero_grads(m);
    for (int i = 0; i < *n_micro; i++) {
        struct batch b;
        planner_batch(&p, i, &b);
        nll(&b, d);
        CHECK_MSG(model_forward(m, &b, &(struct forward_out){.logprobs = logprobs}, &err) == 0 &&
                      model_backward(m, &b, d, NULL, &err) == 0,
                  "%s", err.text);
    }
    m->dev.ops->download(&m->dev, grads, m->grads, (size_t)m->n_elements * sizeof *grads);
    planner_release(&p);
    return grads;
}

/* One micro-batch of eight sequences, or one of each: the same gradient within rounding. */
static void test_accumulation(void)
{
    struct model_config c;
    struct err err = {0};
    struct model_options o = {.precision = PRECISION_FP32, .trainable = true};
    int n_whole, n_cut, n_single;

    case_config(&c, &model_cases[1], 8, 2, 13);
    struct model *m = model_new(&c, &o, &err);
    CHECK_MSG(m, "%s", err.text);
    float *w = case_weights(m, 3, false);
    model_set_weights(m, w);
    float *whole = step_gradient(m, 1000, &n_whole), *cut = step_gradient(m, 15, &n_cut),
          *single = step_gradient(m, 1, &n_single);
    CHECK(n_whole == 1 && n_cut == 4 && n_single == N_SEQS);
    double largest = 0, sum = 0;
    for (int64_t i = 0; i < m->n_elements; i++) {
        largest = check_larger(largest, fabs((double)whole[i] - (double)cut[i]));
        largest = check_larger(largest, fabs((double)whole[i] - (double)single[i]));
        sum += fabs((double)whole[i]);
    }
    CHECK(sum > 1);
    CHECK_MSG(largest < 1e-6, "gradients differ by %g", largest);
    free(whole);
    free(cut);
    free(single);
    free(w);
    model_free(m);
}

int main(void)
{
    pool_init(2);
    fill();
    test_weights();
    test_packing();
    test_cuts();
    test_accumulation();
    return check_done();
}
