/* base-train - pretraining on token shards. */
#include <stdlib.h>

#include "base/tool.h"
#include "data/jsonl.h"
#include "kernels/ops.h"
#include "model/vocab.h"
#include "train/evaluate.h"
#include "train/source_tokens.h"

static const struct tool tool = {
    .name = "base-train",
    .purpose = "pretrain a model on token shards",
    .usage = "--model DIR --out DIR [options] [shard ...]",
    .example = "shard-mix --weights mixture.json --tokens 1M --sources shards |\n"
               "    base-train --model init --out base --steps 100 --batch-tokens 8192 > base.metrics.jsonl",
    .backend = dev_cpu_name,
};

struct options {
    int64_t batch_tokens, seq_len, epochs, eval_every;
    struct opt_list eval_shards;
};

static int evaluate(void *self, struct model *m, int64_t step, bool last, struct metrics *out,
                    struct err *err)
{
    return evaluation_run(self, m, step, last, out, err);
}

static int run(const struct options *o, const char **files, int n, struct err *err)
{
    struct source_tokens s = {.batch_tokens = o->batch_tokens, .seq_len = o->seq_len, .epochs = o->epochs};
    struct example_reader reader = {.tpl = CHAT_CHATML};
    struct evaluation eval = {.every = o->eval_every};
    struct batch_source src;
    json_t *inputs, *own;
    int rc;

    if (train_check_options(&train_options, err) < 0)
        return -1;
    if (train_options.steps == 0)
        tool_usage_error("--steps is needed");
    if (vocab_size_load(train_options.model, &reader.vocab_size, err) < 0)
        return -1;
    if (evaluation_load(&eval, &o->eval_shards, o->seq_len, train_options.micro_tokens, &reader, err) < 0) {
        evaluation_release(&eval);
        return -1;
    }
    source_tokens_open(&s, files, n, &reader, train_options.micro_tokens);
    src = source_tokens_source(&s);
    inputs = input_digests(files, n, err);
    own = json_pack("{s:I, s:I, s:I}", "batch-tokens", (json_int_t)o->batch_tokens, "seq-len",
                    (json_int_t)o->seq_len, "epochs", (json_int_t)o->epochs);
    struct train_hooks hooks = {.lineage_inputs = inputs, .options = own, .self = &eval,
                                .evaluate = eval.n_sets ? evaluate : NULL};
    rc = inputs ? train_run(&train_options, &src, &loss_nll, &hooks, err) : -1;
    json_decref(inputs);
    json_decref(own);
    source_tokens_release(&s);
    evaluation_release(&eval);
    return rc;
}

int main(int argc, char **argv)
{
    struct options o = {.batch_tokens = 8192, .seq_len = 512};
    const struct opt table[] = {
        OPT_TABLE(train_option_table),
        OPT_GROUP("Data"),
        OPT_INT(0, "batch-tokens", &o.batch_tokens, "N", "positions in a step, exactly", 1, 1e12),
        OPT_INT(0, "seq-len", &o.seq_len, "N", "longer documents are cut to pieces of this many positions", 1, 1e9),
        OPT_INT(0, "epochs", &o.epochs, "N", "most passes over the input (0: as many as it takes)", 0, 1e9),
        OPT_GROUP("Validation"),
        OPT_LIST(0, "eval-shard", &o.eval_shards, "NAME=FILE",
                 "held-out shard to measure (repeatable)"),
        OPT_INT(0, "eval-every", &o.eval_every, "N", "steps between measurements (0: only the last)", 0, 1e12),
        OPT_TABLE(jsonl_option_table),
        OPT_TABLE(tool_common_options),
        OPT_END,
    };
    struct err err = {0};
    const char **files;
    int n = tool_begin(&tool, table, argc, argv, &files);

    return tool_finish(run(&o, files, n, &err), &err);
}
