/* rlvr-train - reinforcement learning on rewarded rollouts, publishing what it learns. */
#include <stdlib.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/tool.h"
#include "data/jsonl.h"
#include "kernels/ops.h"
#include "model/vocab.h"
#include "train/publish.h"
#include "train/source_rollouts.h"

static const struct tool tool = {
    .name = "rlvr-train",
    .purpose = "reinforcement learning on rewarded rollouts",
    .usage = "--model DIR --out DIR [options] [file ...]",
    .example = "rollout-gen --follow policy --group 8 prompts.jsonl | reward-verify |\n"
               "    rlvr-train --model sft --publish policy --out rl --steps 100 > rl.metrics.jsonl",
    .backend = dev_cpu_name,
};

static const struct opt_enum loss_names[] = {{"clip", RL_CLIP}, {"cispo", RL_CISPO}, {"gspo", RL_GSPO}, {NULL, 0}};
static const struct opt_enum correction_names[] = {{"none", RL_CORRECT_NONE}, {"tis", RL_CORRECT_TIS},
                                                   {"icepop", RL_CORRECT_ICEPOP}, {NULL, 0}};
static const struct opt_enum kl_names[] = {{"k1", KL_K1}, {"k2", KL_K2}, {"k3", KL_K3}, {NULL, 0}};
static const struct opt_enum advantage_names[] = {{"centered", ADVANTAGE_CENTERED},
                                                  {"standard", ADVANTAGE_STANDARD},
                                                  {"rloo", ADVANTAGE_RLOO}, {NULL, 0}};
static const struct opt_enum reduction_names[] = {{"token-mean", REDUCE_TOKEN_MEAN},
                                                  {"seq-mean-token-mean", REDUCE_SEQ_MEAN_TOKEN_MEAN},
                                                  {"seq-mean-token-sum", REDUCE_SEQ_MEAN_TOKEN_SUM},
                                                  {"dr-grpo", REDUCE_SEQ_SUM_CONST}, {NULL, 0}};
static const struct opt_enum stale_names[] = {{"drop", 0}, {"fail", 1}, {NULL, 0}};

struct options {
    struct rl_options rl;
    int advantage, reduction, stale;
    int64_t group, prompts_per_step, minibatches, max_staleness, max_tokens;
    double advantage_eps;
    bool active_sampling, mask_truncated, fresh_input;
    const char *publish;
};

struct publishing {
    struct publisher publisher;
    int64_t minibatches, step; /* steps done; 0 = the run had ended before */
    float *weights;
};

/* Version v is the policy after v batches. */
static int32_t version_after(const struct publishing *p, int64_t step)
{
    return (int32_t)(step / p->minibatches);
}

/* Also within a batch, when a resumed run needs that batch once more. */
static int publish(void *self, struct model *m, int64_t step, struct err *err)
{
    struct publishing *p = self;

    if (!p->weights)
        p->weights = xaligned((size_t)m->n_elements * sizeof *p->weights);
    model_get_weights(m, p->weights);
    p->step = step;
    struct checkpoint_write w = {.cfg = &m->cfg, .params = m->params, .n_params = m->n_params,
                                 .weights = p->weights, .dtype = m->dev.dtype,
                                 .tokenizer_from = train_options.model};
    if (publisher_weights(&p->publisher, version_after(p, step), &w, err) < 0)
        return -1;
    return publisher_credits(&p->publisher, version_after(p, step), PUBLISHER_RUNNING, err);
}

static int publish_batch(void *self, struct model *m, int64_t step, struct err *err)
{
    struct publishing *p = self;

    p->step = step;
    return step % p->minibatches == 0 ? publish(self, m, step, err) : 0;
}

/* What the checkpoint has seen need not be generated again. */
static int publish_place(void *self, int64_t step, const json_t *source, struct err *err)
{
    struct publishing *p = self;

    if (json_get_int(source, "next_group", &p->publisher.next_group, err) < 0)
        return -1;
    return publisher_credits(&p->publisher, version_after(p, step), PUBLISHER_RUNNING, err);
}

static json_t *own_options(const struct options *o)
{
    return json_pack("{s:i, s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:i, s:f, s:i, s:I, s:I, s:I, s:b, s:b}",
                     "loss", o->rl.type, "correction", o->rl.correction, "kl-type", o->rl.kl_type,
                     "clip-low", o->rl.clip_low, "clip-high", o->rl.clip_high, "kl-coef", o->rl.kl_coef,
                     "tis-cap", o->rl.tis_cap, "icepop-low", o->rl.icepop_low, "icepop-high", o->rl.icepop_high,
                     "advantage", o->advantage, "advantage-eps", o->advantage_eps, "reduction", o->reduction,
                     "group", (json_int_t)o->group, "prompts-per-step", (json_int_t)o->prompts_per_step,
                     "minibatches", (json_int_t)o->minibatches, "active-sampling", o->active_sampling,
                     "mask-truncated", o->mask_truncated);
}

static struct source_rollouts make_source(const struct options *o, struct publisher *publisher)
{
    return (struct source_rollouts){
        .group_size = o->group,
        .prompts_per_step = o->prompts_per_step,
        .minibatches = o->minibatches,
        .advantage = (enum advantage_type)o->advantage,
        .advantage_eps = o->advantage_eps,
        .active_sampling = o->active_sampling,
        .mask_truncated = o->mask_truncated,
        .fresh_input = o->fresh_input,
        .max_staleness = o->max_staleness,
        .stale_fail = o->stale == 1,
        .publisher = o->publish ? publisher : NULL,
    };
}

/* However the run ended, the generator must not wait for more. */
static void end_publishing(struct publishing *p, bool failed)
{
    struct err late = {0};
    bool unfinished = failed || (p->step > 0 && p->step < train_options.steps);

    if (publisher_credits(&p->publisher, version_after(p, p->step),
                          unfinished ? PUBLISHER_STOPPED : PUBLISHER_DONE, &late) < 0)
        log_warn("%s", late.text);
    publisher_release(&p->publisher);
    free(p->weights);
}

static int run(const struct options *o, const char **files, int n, struct err *err)
{
    struct publishing p = {.minibatches = o->minibatches};
    struct source_rollouts s = make_source(o, &p.publisher);
    struct example_reader reader = {.tpl = CHAT_CHATML};
    struct planner plan = {.reduction = (enum reduction)o->reduction, .const_tokens = (double)o->max_tokens,
                           .micro_tokens = train_options.micro_tokens};
    struct loss_head loss = loss_rl(&o->rl);
    struct train_hooks hooks = {0};
    int rc;

    if (train_check_options(&train_options, err) < 0)
        return -1;
    if (train_options.steps == 0)
        tool_usage_error("--steps is needed");
    if (vocab_size_load(train_options.model, &reader.vocab_size, err) < 0 ||
        context_size_load(train_options.model, &reader.max_positions, err) < 0)
        return -1;
    if (o->publish && publisher_init(&p.publisher, o->publish, o->prompts_per_step,
                                     o->max_staleness > 0 ? o->max_staleness : 0, err) < 0)
        return -1;
    s.fields = loss.needs;
    source_rollouts_open(&s, files, n, &reader, &plan);
    struct batch_source src = source_rollouts_source(&s);
    json_t *inputs = input_digests(files, n, err), *own = own_options(o);
    hooks.lineage_inputs = inputs;
    hooks.options = own;
    if (o->publish) {
        hooks.live = true;
        hooks.before_first = publish;
        hooks.after_step = publish_batch;
        hooks.after_checkpoint = publish_place;
        hooks.self = &p;
    }
    rc = inputs ? train_run(&train_options, &src, &loss, &hooks, err) : -1;
    if (o->publish)
        end_publishing(&p, rc < 0);
    json_decref(inputs);
    json_decref(own);
    source_rollouts_release(&s);
    return rc;
}

int main(int argc, char **argv)
{
    struct options o = {.rl = {.clip_low = 0.2, .clip_high = 0.272, .tis_cap = 2, .icepop_low = 0.5,
                               .icepop_high = 5, .kl_type = KL_K3},
                        .prompts_per_step = 32, .minibatches = 1, .max_staleness = 1, .max_tokens = 1024,
                        .advantage_eps = 1e-6};
    const struct opt table[] = {
        OPT_TABLE(train_option_table),
        OPT_GROUP("Policy"),
        OPT_INT(0, "group", &o.group, "N", "records in a group (0: what they say themselves)", 0, 1e6),
        OPT_INT(0, "prompts-per-step", &o.prompts_per_step, "N", "groups in a batch", 1, 1e9),
        OPT_INT(0, "minibatches", &o.minibatches, "N", "optimiser steps a batch is cut into", 1, 1e6),
        OPT_ENUM(0, "loss", &o.rl.type, "NAME", "clip, cispo or gspo", loss_names),
        OPT_FLOAT(0, "clip-low", &o.rl.clip_low, "X", "lower clip of the ratio: 1 - X", 0, 1),
        OPT_FLOAT(0, "clip-high", &o.rl.clip_high, "X", "upper clip of the ratio: 1 + X", 0, 1e6),
        OPT_ENUM(0, "advantage", &o.advantage, "NAME", "centered, standard or rloo", advantage_names),
        OPT_FLOAT(0, "advantage-eps", &o.advantage_eps, "X", "standard: added to the standard deviation", 0, 1),
        OPT_FLAG(0, "active-sampling", &o.active_sampling, "do not count groups of equal rewards"),
        OPT_FLAG(0, "mask-truncated", &o.mask_truncated, "do not train on completions that were cut"),
        OPT_ENUM(0, "reduction", &o.reduction, "NAME", "how the step's loss is averaged", reduction_names),
        OPT_INT(0, "max-tokens", &o.max_tokens, "N", "dr-grpo: the constant length it divides by", 1, 1e9),
        OPT_ENUM(0, "correction", &o.rl.correction, "NAME", "other engine's rollouts: none, tis or icepop", correction_names),
        OPT_FLOAT(0, "tis-cap", &o.rl.tis_cap, "X", "tis: cap of exp(old - sampler)", 0, 1e6),
        OPT_FLOAT(0, "icepop-low", &o.rl.icepop_low, "X", "icepop: smallest ratio trained on", 0, 1e6),
        OPT_FLOAT(0, "icepop-high", &o.rl.icepop_high, "X", "icepop: largest ratio trained on", 0, 1e6),
        OPT_FLOAT(0, "kl-coef", &o.rl.kl_coef, "X", "weight of the divergence from ref_logprobs", 0, 1e6),
        OPT_ENUM(0, "kl-type", &o.rl.kl_type, "NAME", "k1, k2 or k3", kl_names),
        OPT_GROUP("Asynchrony"),
        OPT_STR(0, "publish", &o.publish, "DIR", "where weights and credits are published"),
        OPT_INT(0, "max-staleness", &o.max_staleness, "K", "versions; oldest rollouts trained on (-1: any)", -1, 1e9),
        OPT_ENUM(0, "stale", &o.stale, "NAME", "what to do with older ones: drop or fail", stale_names),
        OPT_FLAG(0, "fresh-input", &o.fresh_input, "with --resume: the input is another one"),
        OPT_TABLE(jsonl_option_table),
        OPT_TABLE(tool_common_options),
        OPT_END,
    };
    struct err err = {0};
    const char **files;
    int n = tool_begin(&tool, table, argc, argv, &files);

    return tool_finish(run(&o, files, n, &err), &err);
}
