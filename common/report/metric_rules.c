/* metric_rules.c - what is known about metrics by name: subject, unit, how to draw them. */
#include "report/metric_rules.h"

#include <fnmatch.h>
#include <stddef.h>

const char *const metric_group_titles[N_METRIC_GROUPS] = {
    [GROUP_LOSS] = "Loss and optimisation",
    [GROUP_REWARD] = "Reward",
    [GROUP_LENGTH] = "Length of completions",
    [GROUP_STALENESS] = "Staleness",
    [GROUP_MISMATCH] = "Mismatch and ratios",
    [GROUP_PREFERENCE] = "Preference",
    [GROUP_EVALUATION] = "Evaluation",
    [GROUP_OTHER] = "Other",
    [GROUP_SPEED] = "Speed",
};

const char *const metric_group_ids[N_METRIC_GROUPS] = {
    [GROUP_LOSS] = "loss",
    [GROUP_REWARD] = "reward",
    [GROUP_LENGTH] = "length",
    [GROUP_STALENESS] = "staleness",
    [GROUP_MISMATCH] = "mismatch",
    [GROUP_PREFERENCE] = "preference",
    [GROUP_EVALUATION] = "evaluation",
    [GROUP_OTHER] = "other",
    [GROUP_SPEED] = "speed",
};

/* The first that matches counts.  Names are those of our trainers, which are TRL's where it has
 * one. */
static const struct metric_rule rules[] = {
    {"loss", GROUP_LOSS, 0, NULL, NULL},
    {"loss/*", GROUP_LOSS, 0, NULL, NULL},
    {"z_loss", GROUP_LOSS, METRIC_WITH_ZERO, NULL, "squared log-sum-exp of the logits, weighted"},
    {"grad_norm", GROUP_LOSS, METRIC_WITH_ZERO, NULL, "norm of the whole gradient before clipping"},
    {"learning_rate", GROUP_LOSS, METRIC_WITH_ZERO | METRIC_EXACT, NULL, NULL},

    /* Before rewards/: with pairs these are the implicit rewards. */
    {"rewards/accuracies", GROUP_PREFERENCE, METRIC_WITH_ZERO | METRIC_WITH_ONE, NULL,
     "share of pairs with the chosen answer ahead"},
    {"rewards/margins", GROUP_PREFERENCE, METRIC_WITH_ZERO, NULL, "chosen minus rejected"},
    {"rewards/chosen", GROUP_PREFERENCE, METRIC_WITH_ZERO, NULL,
     "beta times the log-ratio to the reference"},
    {"rewards/rejected", GROUP_PREFERENCE, METRIC_WITH_ZERO, NULL,
     "beta times the log-ratio to the reference"},
    {"logps/*", GROUP_PREFERENCE, 0, "nats", "log-probability of a whole answer"},

    {"reward", GROUP_REWARD, METRIC_WITH_ZERO, NULL, "mean over the step's rollouts"},
    {"reward_std", GROUP_REWARD, METRIC_WITH_ZERO, NULL, "standard deviation within a group"},
    {"frac_reward_zero_std", GROUP_REWARD, METRIC_WITH_ZERO, NULL,
     "share of groups with nothing to learn from"},
    {"rewards/*", GROUP_REWARD, METRIC_WITH_ZERO, NULL, NULL},
    {"reward*", GROUP_REWARD, METRIC_WITH_ZERO, NULL, NULL},

    {"completions/clipped_ratio", GROUP_LENGTH, METRIC_WITH_ZERO, NULL,
     "share cut at the longest length"},
    {"completions/*", GROUP_LENGTH, METRIC_WITH_ZERO, "tokens", NULL},

    {"staleness/max", GROUP_STALENESS, METRIC_WITH_ZERO | METRIC_EXACT, "versions",
     "the oldest weights that sampled"},
    {"staleness/*", GROUP_STALENESS, METRIC_WITH_ZERO, "versions",
     "how old the weights that sampled were"},
    {"stale_dropped", GROUP_STALENESS, METRIC_WITH_ZERO, "rollouts", "too old to be trained on"},

    {"sampling/importance_sampling_ratio/*", GROUP_MISMATCH, METRIC_WITH_ONE, NULL,
     "trainer's probability over the sampler's; 1 = the same"},
    {"sampling/sampling_logp_difference/*", GROUP_MISMATCH, METRIC_WITH_ZERO, "nats",
     "trainer's log-probability against the sampler's; 0 = the same"},
    {"sampling/*", GROUP_MISMATCH, METRIC_WITH_ZERO, NULL, NULL},
    {"correction/*", GROUP_MISMATCH, METRIC_WITH_ONE, NULL,
     "weight that makes up for the mismatch"},
    {"ratio*", GROUP_MISMATCH, METRIC_WITH_ONE, NULL, NULL},
    {"clip_ratio/*", GROUP_MISMATCH, METRIC_WITH_ZERO, NULL,
     "share of tokens with a clipped ratio"},
    {"kl", GROUP_MISMATCH, METRIC_WITH_ZERO, "nats", "divergence from the reference"},
    {"kl/*", GROUP_MISMATCH, METRIC_WITH_ZERO, "nats", "divergence from the reference"},
    {"entropy", GROUP_MISMATCH, METRIC_WITH_ZERO, "nats", "of the next token, mean"},

    {"eval/*", GROUP_EVALUATION, 0, NULL, NULL},
    {"eval_*", GROUP_EVALUATION, 0, NULL, NULL},

    {"*", GROUP_OTHER, 0, NULL, NULL},
    {"epoch", GROUP_OTHER, METRIC_WITH_ZERO | METRIC_EXACT, NULL, "passes over the data"},
    {"minibatch", GROUP_OTHER, METRIC_WITH_ZERO | METRIC_EXACT, NULL, NULL},

    {"tokens_per_second", GROUP_SPEED, METRIC_WITH_ZERO, "tokens/s", NULL},
    {"num_tokens", GROUP_SPEED, METRIC_WITH_ZERO | METRIC_EXACT, "tokens", "so far"},
    {"time", GROUP_SPEED, METRIC_WITH_ZERO | METRIC_EXACT | METRIC_CLOCK, "s",
     "since the run's first step"},
    {"time/*", GROUP_SPEED, METRIC_WITH_ZERO, "s", NULL},
    {"*_seconds", GROUP_SPEED, METRIC_WITH_ZERO, "s", NULL},
};

const struct metric_rule *metric_rule_find(const char *name)
{
    const struct metric_rule *any = NULL;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (rules[i].pattern[0] == '*' && rules[i].pattern[1] == '\0')
            any = &rules[i]; /* lies where its charts should, but counts last */
        else if (fnmatch(rules[i].pattern, name, 0) == 0)
            return &rules[i];
    }
    return any;
}
