/* loss.h - loss heads: log-probabilities in, dL/dlogprob out.
 *
 * A head is a pure host function over a micro-batch: no device, no allocation, no
 * I/O.  It writes dlogprobs[n_tokens] (0 where loss_mask is 0) and adds sums to
 * the step's metrics.  Normalisation is the planner's: seq_weight is each trained
 * token's weight in the whole step's loss, so heads never divide by a count.
 */
#ifndef TP_TRAIN_LOSS_H
#define TP_TRAIN_LOSS_H

#include "base/batch.h"
#include "base/opt.h"
#include "train/metrics.h"

struct loss_head {
    const char *name;
    unsigned needs; /* enum batch_field bits, checked once before step 0 */
    void (*eval)(const void *opt, const struct batch *b, const float *logprobs, float *dlogprobs,
                 struct metrics *m);
    const void *opt;
    bool pairs; /* sequences 2k, 2k+1 are chosen, rejected: never split over micro-batches */
};

/* -logprob of each trained token: pretraining and SFT. */
extern const struct loss_head loss_nll;

/* Preference losses over pairs (methods.md 2.2).  gap_c = sum over trained tokens of
 * (logprob - ref_logprob) of the chosen, gap_r of the rejected:
 *   sigmoid   -(1-e) log sigmoid(beta D) - e log sigmoid(-beta D), D = gap_c - gap_r   (arXiv:2305.18290)
 *   norm      the same on per-token means (dpo_norm: Olmo 3, beta 5)
 *   ipo       (mean gap_c - mean gap_r - 1/(2 beta))^2                                (arXiv:2310.12036)
 *   simpo     -log sigmoid(beta (mean lp_c - mean lp_r) - gamma), no reference         (arXiv:2405.14734)
 * seq_weight of both members is 1 / n_pairs of the step. */
enum dpo_type { DPO_SIGMOID, DPO_NORM, DPO_IPO, DPO_SIMPO };
struct dpo_options {
    int type;
    double beta, label_smoothing, gamma_beta_ratio; /* simpo's gamma = ratio * beta */
};
struct loss_head loss_dpo(const struct dpo_options *o); /* `needs` depends on the type */

/* Policy-gradient losses (methods.md 2.3, 2.5, 2.6).  r = exp(lp - old), A = advantage:
 *   clip   -min(r A, clip(r, 1 - clip_low, 1 + clip_high) A)      PPO, GRPO, DAPO, Dr.GRPO
 *   cispo  -sg(min(r, 1 + clip_high)) A lp                        (arXiv:2506.13585)
 *   gspo   sequence ratio s = exp(mean log r), clipped             (arXiv:2507.18071)
 * times the correction weight of rho = exp(old - sampler): none, tis (min(rho, cap)), icepop (0
 * outside [low, high]), on the policy term only; plus kl_coef * KL(ref) by k1, k2 or k3. */
enum rl_loss_type { RL_CLIP, RL_CISPO, RL_GSPO };
enum rl_correction { RL_CORRECT_NONE, RL_CORRECT_TIS, RL_CORRECT_ICEPOP };
enum kl_type { KL_K1, KL_K2, KL_K3 };
struct rl_options {
    int type, correction, kl_type;
    double clip_low, clip_high, kl_coef, tis_cap, icepop_low, icepop_high;
};
struct loss_head loss_rl(const struct rl_options *o);

#endif
