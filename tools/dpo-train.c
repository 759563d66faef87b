/* dpo-train - preference tuning on pairs. */
#include <stdlib.h>

#include "base/log.h"
#include "base/tool.h"
#include "data/jsonl.h"
#include "kernels/ops.h"
#include "model/vocab.h"
#include "train/source_pairs.h"

static const struct tool tool = {
    .name = "dpo-train",
    .purpose = "tune a model to prefer chosen answers over rejected ones",
    .usage = "--model DIR --out DIR [options] [file ...]",
    .example = "logprob-recalc --model sft --as ref_logprobs < pairs.jsonl |\n"
               "    dpo-train --model sft --out dpo --loss norm --beta 5 --lr 1e-6 > dpo.metrics.jsonl",
    .backend = dev_cpu_name,
};

static const struct opt_enum loss_names[] = {{"sigmoid", DPO_SIGMOID}, {"norm", DPO_NORM}, {"ipo", DPO_IPO},
                                             {"simpo", DPO_SIMPO}, {NULL, 0}};

struct options {
    int64_t epochs, batch_size, max_tokens;
    int template;
    struct dpo_options dpo;
};

static int load(const struct options *o, const char **files, int n, struct example_reader *reader,
                struct source_pairs *s, struct err *err)
{
    reader->tpl = (enum chat_template)o->template;
    reader->max_tokens = o->max_tokens;
    reader->truncate = o->max_tokens > 0;
    s->batch_size = o->batch_size;
    s->epochs = o->epochs;
    s->fields = loss_dpo(&o->dpo).needs;
    s->order.seed = (uint64_t)tool_common.seed;
    s->order.stream = "dpo-train";
    if (source_pairs_load(s, files, n, reader, train_options.micro_tokens, err) < 0)
        return -1;
    if (train_options.steps == 0)
        train_options.steps = source_pairs_steps(s);
    return 0;
}

struct add_refs {
    struct source_pairs *pairs;
    unsigned needs;
};

/* References that the pairs do not bring are the log-probabilities of the model training starts
 * from; a resumed run no longer has it, so it must be given them. */
static int add_refs(void *self, struct model *m, int64_t step, struct err *err)
{
    struct add_refs *a = self;
    int64_t missing = source_pairs_without_refs(a->pairs);

    if (!(a->needs & BATCH_REF_LOGPROBS) || missing == 0)
        return 0;
    if (step > 0)
        return err_set(err, "%lld pairs have no ref_logprobs, and a resumed run cannot make them: run "
                       "logprob-recalc --as ref_logprobs first", (long long)missing);
    log_info("reference log-probabilities of %lld pairs from the initial weights", (long long)missing);
    return source_pairs_add_refs(a->pairs, m, err);
}

static int run(const struct options *o, const char **files, int n, struct err *err)
{
    struct source_pairs s = {0};
    struct example_reader reader = {0};
    struct tokenizer *t = NULL;
    int rc = train_check_options(&train_options, err);

    if (rc == 0)
        rc = vocab_load(train_options.model, &reader.vocab_size, &t, err);
    if (rc == 0)
        rc = context_size_load(train_options.model, &reader.max_positions, err);
    reader.tokenizer = t;
    if (rc == 0)
        rc = load(o, files, n, &reader, &s, err);
    if (rc == 0) {
        struct batch_source src = source_pairs_source(&s);
        json_t *inputs = input_digests(files, n, err);
        json_t *own = json_pack("{s:I, s:I, s:i, s:f, s:f, s:f}", "batch-size", (json_int_t)o->batch_size,
                                "epochs", (json_int_t)o->epochs, "loss", o->dpo.type, "beta", o->dpo.beta,
                                "label-smoothing", o->dpo.label_smoothing, "gamma-beta-ratio",
                                o->dpo.gamma_beta_ratio);
        struct loss_head loss = loss_dpo(&o->dpo);
        struct add_refs refs = {&s, loss.needs};
        struct train_hooks hooks = {.before_first = add_refs, .self = &refs, .lineage_inputs = inputs,
                                    .options = own};
        rc = inputs ? train_run(&train_options, &src, &loss, &hooks, err) : -1;
        json_decref(inputs);
        json_decref(own);
    }
    source_pairs_release(&s);
    tokenizer_free(t);
    return rc;
}

int main(int argc, char **argv)
{
    struct options o = {.epochs = 1, .batch_size = 32,
                        .dpo = {.type = DPO_NORM, .beta = 5, .gamma_beta_ratio = 0.3}};
    const struct opt table[] = {
        OPT_TABLE(train_option_table),
        OPT_GROUP("Loss"),
        OPT_ENUM(0, "loss", &o.dpo.type, "NAME", "sigmoid, norm, ipo or simpo", loss_names),
        OPT_FLOAT(0, "beta", &o.dpo.beta, "X", "strength of the preference", 0, 1e6),
        OPT_FLOAT(0, "label-smoothing", &o.dpo.label_smoothing, "X", "share of pairs taken as swapped", 0, 0.5),
        OPT_FLOAT(0, "gamma-beta-ratio", &o.dpo.gamma_beta_ratio, "X", "simpo: target margin over beta", 0, 1e3),
        OPT_GROUP("Data"),
        OPT_INT(0, "epochs", &o.epochs, "N", "passes over the pairs (0: until --steps)", 0, 1e6),
        OPT_INT(0, "batch-size", &o.batch_size, "N", "pairs in a step", 1, 1e9),
        OPT_INT(0, "max-tokens", &o.max_tokens, "N", "tokens; longer sequences are cut (0: never)", 0, 1e9),
        OPT_ENUM(0, "template", &o.template, "NAME", "auto, chatml, chatml-think or plain", chat_template_names),
        OPT_TABLE(jsonl_option_table),
        OPT_TABLE(tool_common_options),
        OPT_END,
    };
    struct err err = {0};
    const char **files;
    int n = tool_begin(&tool, table, argc, argv, &files);

    if (o.epochs == 0 && train_options.steps == 0)
        tool_usage_error("--epochs 0 needs --steps");
    return tool_finish(run(&o, files, n, &err), &err);
}
