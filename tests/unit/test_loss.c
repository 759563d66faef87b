/* test_loss.c - every loss head's gradient against central differences of the loss it reports. */
#include "train/loss.h"

#include "base/rng.h"
#include "check.h"

enum { N = 24, SEQS = 4 };

static float lp[N], ref[N], old[N], adv[N], mask[N], weight[SEQS];
static const int32_t seq_start[SEQS + 1] = {0, 5, 12, 17, 24};

static struct batch make_batch(uint64_t seed)
{
    struct rng r;

    rng_init(&r, seed, "test-loss", 0, 0);
    for (int i = 0; i < N; i++) {
        lp[i] = (float)(-3 * rng_uniform(&r) - 0.1);
        ref[i] = lp[i] + (float)(0.5 * rng_normal(&r));
        old[i] = lp[i] + (float)(0.15 * rng_normal(&r));
        mask[i] = rng_uniform(&r) < 0.75;
    }
    for (int q = 0; q < SEQS; q++) {
        weight[q] = 0.25F;
        float a = (float)rng_normal(&r);
        mask[seq_start[q]] = 1; /* no sequence without a trained token */
        for (int i = seq_start[q]; i < seq_start[q + 1]; i++)
            adv[i] = a;
    }
    return (struct batch){.n_tokens = N, .n_seqs = SEQS, .seq_start = seq_start, .seq_weight = weight,
                          .loss_mask = mask, .ref_logprobs = ref, .old_logprobs = old,
                          .sampler_logprobs = old, .advantages = adv};
}

static double loss_at(const struct loss_head *h, const struct batch *b)
{
    static struct metrics m;
    float d[N];

    metrics_clear(&m);
    h->eval(h->opt, b, lp, d, &m);
    return metrics_get(&m, "loss");
}

static void check_head(const char *name, const struct loss_head *h, uint64_t seed)
{
    struct batch b = make_batch(seed);
    static struct metrics m;
    float d[N];
    const float step = 1.0F / 4096;

    metrics_clear(&m);
    h->eval(h->opt, &b, lp, d, &m);
    double sum = 0;
    for (int i = 0; i < N; i++) {
        float keep = lp[i];
        lp[i] = keep + step;
        double up = loss_at(h, &b), x = (double)lp[i];
        lp[i] = keep - step;
        double down = loss_at(h, &b), numeric = (up - down) / (x - (double)lp[i]);
        lp[i] = keep;
        sum += fabs((double)d[i]);
        CHECK_MSG(fabs(numeric - (double)d[i]) <= 2e-3 * (fabs(numeric) + 0.01), "%s, token %d: %g, differences say %g",
                  name, i, (double)d[i], numeric);
        if (mask[i] == 0)
            CHECK(d[i] == 0);
    }
    CHECK(sum > 0);
}

int main(void)
{
    static const char *const dpo_names[] = {"sigmoid", "norm", "ipo", "simpo"};

    check_head("nll", &loss_nll, 1);
    for (int t = DPO_SIGMOID; t <= DPO_SIMPO; t++) {
        struct dpo_options o = {.type = t, .beta = 0.5, .label_smoothing = t <= DPO_NORM ? 0.1 : 0,
                                .gamma_beta_ratio = 0.3};
        struct loss_head h = loss_dpo(&o);
        check_head(dpo_names[t], &h, 10 + (uint64_t)t);
    }
    for (int k = KL_K1; k <= KL_K3; k++) {
        struct rl_options o = {.type = RL_CLIP, .kl_type = k, .clip_low = 0.1, .clip_high = 0.15, .kl_coef = 0.3};
        struct loss_head h = loss_rl(&o);
        check_head("clip", &h, 20 + (uint64_t)k);
    }
    return check_done();
}
