/* loss_dpo.c - preference losses over pairs of completions. */
#include <math.h>

#include "train/loss.h"

/* -log sigmoid(z) and sigmoid(-z), both without overflow. */
static double neg_log_sigmoid(double z)
{
    return z > 0 ? log1p(exp(-z)) : -z + log1p(exp(z));
}

static double sigmoid(double z)
{
    return z >= 0 ? 1 / (1 + exp(-z)) : exp(z) / (1 + exp(z));
}

struct member {
    double logps, score; /* sum of logprobs; what the reward is beta times of */
    double per_token;    /* dscore / dlogprob of each trained token */
};

static bool averages(int type)
{
    return type != DPO_SIGMOID;
}

static struct member look_at(const struct dpo_options *o, const struct batch *b,
                             const float *logprobs, int64_t s)
{
    struct member r = {0};
    double gap = 0, n = 0;
    for (int32_t i = b->seq_start[s]; i < b->seq_start[s + 1]; i++) {
        if (b->loss_mask[i] == 0)
            continue;
        n++;
        r.logps += (double)logprobs[i];
        gap += (double)logprobs[i] - (o->type == DPO_SIMPO ? 0 : (double)b->ref_logprobs[i]);
    }
    r.per_token = averages(o->type) && n > 0 ? 1 / n : 1;
    r.score = gap * r.per_token;
    return r;
}

/* The pair's loss as a function of d = score of chosen - score of rejected, and its derivative. */
static double pair_loss(const struct dpo_options *o, double d, double *slope)
{
    if (o->type == DPO_IPO) {
        double x = d - 1 / (2 * o->beta);
        *slope = 2 * x;
        return x * x;
    }
    double e = o->label_smoothing;
    double z = o->beta * (o->type == DPO_SIMPO ? d - o->gamma_beta_ratio : d);
    *slope = o->beta * (-(1 - e) * sigmoid(-z) + e * sigmoid(z));
    return (1 - e) * neg_log_sigmoid(z) + e * neg_log_sigmoid(-z);
}

static void set_gradient(const struct batch *b, int64_t s, double g, float *dlogprobs)
{
    for (int32_t i = b->seq_start[s]; i < b->seq_start[s + 1]; i++)
        dlogprobs[i] = b->loss_mask[i] != 0 ? (float)g : 0;
}

static void dpo_eval(const void *opt, const struct batch *b, const float *logprobs, float *dlogprobs,
                     struct metrics *m)
{
    const struct dpo_options *o = opt;
    for (int64_t c = 0; c + 1 < b->n_seqs; c += 2) {
        struct member chosen = look_at(o, b, logprobs, c);
        struct member rejected = look_at(o, b, logprobs, c + 1);
        double slope, margin = chosen.score - rejected.score;
        double loss = pair_loss(o, margin, &slope);
        double w = (double)b->seq_weight[c];
        set_gradient(b, c, w * slope * chosen.per_token, dlogprobs);
        set_gradient(b, c + 1, -w * slope * rejected.per_token, dlogprobs);

        metrics_sum(m, "loss", w * loss);
        metrics_add(m, "rewards/chosen", o->beta * chosen.score, 1);
        metrics_add(m, "rewards/rejected", o->beta * rejected.score, 1);
        metrics_add(m, "rewards/margins", o->beta * margin, 1);
        metrics_add(m, "rewards/accuracies", margin > 0, 1);
        metrics_add(m, "logps/chosen", chosen.logps, 1);
        metrics_add(m, "logps/rejected", rejected.logps, 1);
    }
}

struct loss_head loss_dpo(const struct dpo_options *o)
{
    return (struct loss_head){
        .name = "dpo",
        .needs = o->type == DPO_SIMPO ? 0 : BATCH_REF_LOGPROBS,
        .eval = dpo_eval,
        .opt = o,
        .pairs = true,
    };
}
