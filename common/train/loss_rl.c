/* loss_rl.c - policy-gradient losses on rewarded rollouts. */
#include <math.h>

#include "train/loss.h"

/* exp(20) is far outside every clip range; the clamp only keeps a pathological token (vLLM floors
 * logprobs at -9999) from turning the whole step into infinities. */
static double clamp_log(double x)
{
    return x > 20 ? 20 : x < -20 ? -20 : x;
}

static double correction(const struct rl_options *o, const struct batch *b, int32_t i)
{
    if (o->correction == RL_CORRECT_NONE)
        return 1;
    double rho = exp(clamp_log((double)b->old_logprobs[i] - (double)b->sampler_logprobs[i]));
    if (o->correction == RL_CORRECT_TIS)
        return rho < o->tis_cap ? rho : o->tis_cap;
    return rho >= o->icepop_low && rho <= o->icepop_high ? rho : 0;
}

/* +1: clipped from above, -1: from below, 0: the gradient passes. */
static int clipped(const struct rl_options *o, double r, double a)
{
    if (a > 0 && r > 1 + o->clip_high)
        return 1;
    return a < 0 && r < 1 - o->clip_low ? -1 : 0;
}

static double clip_objective(const struct rl_options *o, double r, double a)
{
    int side = clipped(o, r, a);
    return a * (side > 0 ? 1 + o->clip_high : side < 0 ? 1 - o->clip_low : r);
}

/* The estimator of KL(policy, reference) and its derivative, d = logprob - ref_logprob
 * (Schulman, "Approximating KL divergence", 2020). */
static double kl_term(int type, double d, double *slope)
{
    if (type == KL_K1) {
        *slope = 1;
        return d;
    }
    if (type == KL_K2) {
        *slope = d;
        return d * d / 2;
    }
    double e = exp(clamp_log(-d));
    *slope = 1 - e;
    return e - 1 + d;
}

struct sums {
    double loss, kl, n_tokens, clip_low, clip_high, correction;
};

static void count_clip(struct sums *t, int side)
{
    t->clip_high += side > 0;
    t->clip_low += side < 0;
}

/* Each token's ratio stands alone: PPO's clip and CISPO. */
static void token_terms(const struct rl_options *o, const struct batch *b, int64_t s,
                        const float *logprobs, float *dlogprobs, struct sums *t)
{
    double w = (double)b->seq_weight[s];
    for (int32_t i = b->seq_start[s]; i < b->seq_start[s + 1]; i++) {
        if (b->loss_mask[i] == 0)
            continue;
        double lp = (double)logprobs[i], a = (double)b->advantages[i];
        double r = exp(clamp_log(lp - (double)b->old_logprobs[i]));
        double c = w * correction(o, b, i);
        int side = clipped(o, r, a);
        if (o->type == RL_CISPO) {
            /* The clipped ratio is only a weight here, so clipped tokens keep their gradient. */
            double weight = r > 1 + o->clip_high ? 1 + o->clip_high : r;
            t->loss += -c * weight * a * lp;
            dlogprobs[i] = (float)(-c * weight * a);
            side = r > 1 + o->clip_high;
        } else {
            t->loss += -c * clip_objective(o, r, a);
            dlogprobs[i] = (float)(side ? 0 : -c * r * a);
        }
        count_clip(t, side);
    }
}

/* One ratio for the sequence, s = exp(mean log r): every token's objective depends on every token. */
static void sequence_terms(const struct rl_options *o, const struct batch *b, int64_t s,
                           const float *logprobs, float *dlogprobs, struct sums *t)
{
    double w = (double)b->seq_weight[s], log_r = 0, n = 0, slope = 0;
    for (int32_t i = b->seq_start[s]; i < b->seq_start[s + 1]; i++) {
        if (b->loss_mask[i] == 0)
            continue;
        log_r += (double)logprobs[i] - (double)b->old_logprobs[i];
        n++;
    }
    if (n == 0)
        return;
    double ratio = exp(clamp_log(log_r / n));
    for (int32_t i = b->seq_start[s]; i < b->seq_start[s + 1]; i++) {
        if (b->loss_mask[i] == 0)
            continue;
        double a = (double)b->advantages[i], c = w * correction(o, b, i);
        int side = clipped(o, ratio, a);
        t->loss += -c * clip_objective(o, ratio, a);
        slope += side ? 0 : -c * ratio * a; /* d(objective)/d(mean log r) */
        count_clip(t, side);
    }
    for (int32_t i = b->seq_start[s]; i < b->seq_start[s + 1]; i++)
        if (b->loss_mask[i] != 0)
            dlogprobs[i] = (float)(slope / n);
}

/* The KL penalty, added to what the policy term left, and the sums over tokens that both share. */
static void other_terms(const struct rl_options *o, const struct batch *b, int64_t s,
                        const float *logprobs, float *dlogprobs, struct sums *t)
{
    for (int32_t i = b->seq_start[s]; i < b->seq_start[s + 1]; i++) {
        if (b->loss_mask[i] == 0)
            continue;
        t->n_tokens++;
        t->correction += correction(o, b, i);
        if (!b->ref_logprobs)
            continue;
        double slope, w = (double)b->seq_weight[s] * o->kl_coef;
        double kl = kl_term(o->kl_type, (double)logprobs[i] - (double)b->ref_logprobs[i], &slope);
        t->kl += kl;
        if (o->kl_coef != 0) {
            t->loss += w * kl;
            dlogprobs[i] += (float)(w * slope);
        }
    }
}

/* How far the weights of now are from what the sampler said: the engine's mismatch and staleness
 * together.  Only the first update of a batch can tell. */
static void sampler_metrics(const struct batch *b, const float *logprobs, struct metrics *m)
{
    if (!b->sampler_logprobs || metrics_get(m, "minibatch") > 0)
        return;
    for (int64_t i = 0; i < b->n_tokens; i++) {
        if (b->loss_mask[i] == 0)
            continue;
        double d = (double)logprobs[i] - (double)b->sampler_logprobs[i];
        double rho = exp(clamp_log(d));
        metrics_add(m, "sampling/sampling_logp_difference/mean", fabs(d), 1);
        metrics_max(m, "sampling/sampling_logp_difference/max", fabs(d));
        metrics_min(m, "sampling/importance_sampling_ratio/min", rho);
        metrics_add(m, "sampling/importance_sampling_ratio/mean", rho, 1);
        metrics_max(m, "sampling/importance_sampling_ratio/max", rho);
        metrics_add(m, "sampling/mismatch_k3", rho - 1 - clamp_log(d), 1);
    }
}

static void rl_eval(const void *opt, const struct batch *b, const float *logprobs, float *dlogprobs,
                    struct metrics *m)
{
    const struct rl_options *o = opt;
    struct sums t = {0};
    for (int64_t i = 0; i < b->n_tokens; i++)
        dlogprobs[i] = 0;
    for (int64_t s = 0; s < b->n_seqs; s++) {
        if (o->type == RL_GSPO)
            sequence_terms(o, b, s, logprobs, dlogprobs, &t);
        else
            token_terms(o, b, s, logprobs, dlogprobs, &t);
        other_terms(o, b, s, logprobs, dlogprobs, &t);
    }
    metrics_sum(m, "loss", t.loss);
    if (t.n_tokens == 0)
        return;
    if (b->ref_logprobs)
        metrics_add(m, "kl", t.kl, t.n_tokens);
    metrics_add(m, "clip_ratio/low_mean", t.clip_low, t.n_tokens);
    metrics_add(m, "clip_ratio/high_mean", t.clip_high, t.n_tokens);
    metrics_add(m, "clip_ratio/region_mean", t.clip_low + t.clip_high, t.n_tokens);
    if (o->correction != RL_CORRECT_NONE)
        metrics_add(m, "correction/mean", t.correction, t.n_tokens);
    sampler_metrics(b, logprobs, m);
}

struct loss_head loss_rl(const struct rl_options *o)
{
    unsigned needs = BATCH_OLD_LOGPROBS | BATCH_ADVANTAGES;
    if (o->kl_coef != 0)
        needs |= BATCH_REF_LOGPROBS;
    if (o->correction != RL_CORRECT_NONE)
        needs |= BATCH_SAMPLER_LOGPROBS;
    return (struct loss_head){.name = "rl", .needs = needs, .eval = rl_eval, .opt = o};
}
