/* test_loss.c - every loss head's gradient against central differences of the loss it reports. */
#include "train/loss.h"

#include "base/rng.h"
#include "check.h"

enum { N = 24, SEQS = 4 };

static float lp[N], ref[N], old[N], sampler[N], adv[N], mask[N], weight[SEQS];
static const int32_t seq_start[SEQS + 1] = {0, 5, 12, 17, 24};

static struct batch make_batch(uint64_t seed)
{
    struct rng r;

    rng_init(&r, seed, "test-loss", 0, 0);
    for (int i = 0; i < N; i++) {
        lp[i] = (float)(-3 * rng_uniform(&r) - 0.1);
        ref[i] = lp[i] + (float)(0.5 * rng_normal(&r));
        old[i] = lp[i] + (float)(0.15 * rng_normal(&r));
        sampler[i] = old[i] + (float)(0.4 * rng_normal(&r));
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
                          .sampler_logprobs = sampler, .advantages = adv};
}

static int trained(void)
{
    int n = 0;

    for (int i = 0; i < N; i++)
        n += mask[i] != 0;
    return n;
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

/* CISPO's clipped ratio is a constant in its gradient, -w c min(r, 1 + clip_high) A, so clipped tokens
 * still learn (arXiv:2506.13585, equation 4). */
static void check_cispo(void)
{
    struct rl_options o = {.type = RL_CISPO, .clip_high = 0.1};
    struct loss_head h = loss_rl(&o);
    struct batch b = make_batch(31);
    static struct metrics m;
    float d[N];
    int n_clipped = 0;

    metrics_clear(&m);
    h.eval(h.opt, &b, lp, d, &m);
    for (int i = 0; i < N; i++) {
        double r = exp((double)lp[i] - (double)old[i]);
        n_clipped += mask[i] != 0 && r > 1.1;
        CHECK_CLOSE(d[i], mask[i] == 0 ? 0 : -0.25 * fmin(r, 1.1) * (double)adv[i], 1e-7, 1e-5);
    }
    CHECK(n_clipped > 0);
    CHECK_CLOSE(metrics_get(&m, "clip_ratio/high_mean"), n_clipped / (double)trained(), 1e-9, 0);
}

/* CISPO's objective in double, w sg(min(r, 1 + clip_high)) A lp: the factor that the gradient takes for
 * a constant is held at the log-probabilities `held`. */
static double cispo_surrogate(const struct batch *b, const double *x, const float *held,
                              double clip_high)
{
    double loss = 0;

    for (int q = 0; q < SEQS; q++)
        for (int i = seq_start[q]; i < seq_start[q + 1]; i++) {
            double r = exp((double)held[i] - (double)b->old_logprobs[i]);
            if (mask[i] != 0)
                loss -= (double)weight[q] * fmin(r, 1 + clip_high) * (double)adv[i] * x[i];
        }
    return loss;
}

/* GSPO: min(s A, clamp(s) A) of the sequence's ratio, nothing held. */
static double gspo_surrogate(const struct batch *b, const double *x, double low, double high)
{
    double loss = 0;

    for (int q = 0; q < SEQS; q++) {
        double sum = 0, n = 0;
        for (int i = seq_start[q]; i < seq_start[q + 1]; i++) {
            sum += mask[i] != 0 ? x[i] - (double)b->old_logprobs[i] : 0;
            n += mask[i] != 0;
        }
        double s = exp(sum / n), a = (double)adv[seq_start[q]];
        loss -= n * (double)weight[q] * fmin(s * a, fmin(fmax(s, 1 - low), 1 + high) * a);
    }
    return loss;
}

static void check_surrogate(int type)
{
    struct rl_options o = {.type = type, .clip_low = 0.02, .clip_high = 0.03};
    struct loss_head h = loss_rl(&o);
    struct batch b = make_batch(33);
    static struct metrics m;
    double x[N], at[2];
    float d[N];
    int n_zero = 0;

    metrics_clear(&m);
    h.eval(h.opt, &b, lp, d, &m);
    for (int i = 0; i < N; i++)
        x[i] = (double)lp[i];
    for (int i = 0; i < N; i++) {
        for (int side = 0; side < 2; side++) {
            x[i] = (double)lp[i] + (side ? 1e-5 : -1e-5);
            at[side] = type == RL_CISPO ? cispo_surrogate(&b, x, lp, o.clip_high)
                                        : gspo_surrogate(&b, x, o.clip_low, o.clip_high);
        }
        x[i] = (double)lp[i];
        CHECK_CLOSE(d[i], (at[1] - at[0]) / 2e-5, 1e-7, 1e-5);
        n_zero += mask[i] != 0 && d[i] == 0;
    }
    /* GSPO clips whole answers, CISPO stops no token. */
    CHECK(type == RL_GSPO ? n_zero > 0 && n_zero < trained() : n_zero == 0);
}

/* What lies on a bound is within it; the next float is not. */
static void check_bounds(void)
{
    static const int32_t start[] = {0, 3};
    static const float one[] = {1}, ones[] = {1, 1, 1}, base[] = {-1, -1, -1}, minus[] = {-1, -1, -1};
    const float near[] = {-1, nextafterf(-1, 0), nextafterf(-1, -2)}; /* rho = 1, below, above */
    struct batch b = {.n_tokens = 3, .n_seqs = 1, .seq_start = start, .seq_weight = one,
                      .loss_mask = ones, .old_logprobs = base, .sampler_logprobs = near,
                      .advantages = ones};
    struct rl_options o = {.type = RL_CLIP, .clip_low = 1, .clip_high = 1e6,
                           .correction = RL_CORRECT_ICEPOP, .icepop_low = 1, .icepop_high = 2};
    static struct metrics m;
    struct loss_head h = loss_rl(&o);
    float d[3];

    metrics_clear(&m);
    h.eval(h.opt, &b, base, d, &m);
    CHECK(d[0] == -1 && d[1] == 0 && d[2] < -1 + 1e-6F);
    o.icepop_low = 0;
    o.icepop_high = 1;
    h.eval(h.opt, &b, base, d, &m);
    CHECK(d[0] == -1 && d[1] < 0 && d[2] == 0);
    o.correction = RL_CORRECT_TIS;
    o.tis_cap = 1;
    h.eval(h.opt, &b, base, d, &m);
    CHECK(d[0] == -1 && d[1] > -1 && d[1] < 0 && d[2] == -1);
    /* The clip: r = 1, above, below, with both bounds at 1. */
    const float moved[] = {-1, nextafterf(-1, 0), nextafterf(-1, -2)};
    o = (struct rl_options){.type = RL_CLIP};
    h.eval(h.opt, &b, moved, d, &m);
    CHECK(d[0] == -1 && d[1] == 0 && d[2] < 0);
    b.advantages = minus;
    h.eval(h.opt, &b, moved, d, &m);
    CHECK(d[0] == 1 && d[1] > 0 && d[2] == 0);
}

/* The weight of rho = exp(old - sampler) on each token, against the uncorrected gradient. */
static void check_correction(int type)
{
    struct rl_options plain = {.type = RL_CLIP, .clip_low = 1, .clip_high = 1e6}, o = plain;
    static struct metrics m;
    struct batch b = make_batch(32);
    float base[N], d[N];
    int n_bound = 0;

    o.correction = type;
    o.tis_cap = 1.2;
    o.icepop_low = 0.8;
    o.icepop_high = 1.2;
    struct loss_head h0 = loss_rl(&plain), h = loss_rl(&o);
    metrics_clear(&m);
    h0.eval(h0.opt, &b, lp, base, &m);
    h.eval(h.opt, &b, lp, d, &m);
    for (int i = 0; i < N; i++) {
        double rho = exp((double)old[i] - (double)sampler[i]);
        bool outside = type == RL_CORRECT_TIS ? rho > 1.2 : rho < 0.8 || rho > 1.2;
        double w = !outside ? rho : type == RL_CORRECT_TIS ? 1.2 : 0;
        n_bound += outside && mask[i] != 0;
        CHECK_CLOSE(d[i], w * (double)base[i], 1e-7, 1e-5);
    }
    CHECK(n_bound > 0 && n_bound < trained());
    CHECK(h.needs & BATCH_SAMPLER_LOGPROBS && !(h0.needs & BATCH_SAMPLER_LOGPROBS));
}

/* Beyond the clip a token has no gradient where moving on would pay, and all of it where it would not. */
static void check_clip_sides(void)
{
    static const int32_t start[] = {0, 4};
    static const float one[] = {1}, ones[] = {1, 1, 1, 1}, lps[] = {-1, -1, -1, -1};
    static const float before[] = {-1.5F, -0.5F, -1.5F, -0.5F}; /* r = 1.65, 0.61, 1.65, 0.61 */
    static const float a[] = {1, 1, -1, -1};
    struct batch b = {.n_tokens = 4, .n_seqs = 1, .seq_start = start, .seq_weight = one, .loss_mask = ones,
                      .old_logprobs = before, .advantages = a};
    struct rl_options o = {.type = RL_CLIP, .clip_low = 0.2, .clip_high = 0.272};
    struct loss_head h = loss_rl(&o);
    static struct metrics m;
    float d[4];

    metrics_clear(&m);
    h.eval(h.opt, &b, lps, d, &m);
    CHECK(d[0] == 0 && d[3] == 0);
    CHECK_CLOSE(d[1], -exp(-0.5), 1e-6, 0);
    CHECK_CLOSE(d[2], exp(0.5), 1e-6, 0);
    CHECK_CLOSE(metrics_get(&m, "clip_ratio/high_mean"), 0.25, 1e-9, 0);
    CHECK_CLOSE(metrics_get(&m, "clip_ratio/low_mean"), 0.25, 1e-9, 0);
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
    for (int c = RL_CORRECT_NONE; c <= RL_CORRECT_ICEPOP; c++) {
        struct rl_options o = {.type = RL_GSPO, .correction = c, .clip_low = 0.05, .clip_high = 0.05,
                               .tis_cap = 1.2, .icepop_low = 0.8, .icepop_high = 1.2};
        struct loss_head h = loss_rl(&o);
        check_head("gspo", &h, 40 + (uint64_t)c);
    }
    check_cispo();
    check_surrogate(RL_CISPO);
    check_surrogate(RL_GSPO);
    check_bounds();
    check_correction(RL_CORRECT_TIS);
    check_correction(RL_CORRECT_ICEPOP);
    check_clip_sides();
    return check_done();
}
