/* sft-train - supervised fine-tuning on conversations, completions or masked shards. */
#include <stdlib.h>

#include "base/tool.h"
#include "data/jsonl.h"
#include "kernels/ops.h"
#include "model/vocab.h"
#include "train/source_examples.h"

static const struct tool tool = {
    .name = "sft-train",
    .purpose = "fine-tune a model on the answers in conversations",
    .usage = "--model DIR --out DIR [options] [file ...]",
    .example = "sft-train --model base --out sft --epochs 2 --lr 1e-4 worked.jsonl > sft.metrics.jsonl",
    .backend = dev_cpu_name,
};

struct options {
    int64_t epochs, batch_tokens, batch_size, max_tokens;
    int template;
};

static int load(const struct options *o, const char **files, int n, struct example_reader *reader,
                struct source_examples *s, struct err *err)
{
    reader->tpl = (enum chat_template)o->template;
    reader->max_tokens = o->max_tokens;
    reader->truncate = o->max_tokens > 0;
    s->batch_tokens = o->batch_size ? 0 : o->batch_tokens;
    s->batch_size = o->batch_size;
    s->epochs = o->epochs;
    s->order.seed = (uint64_t)tool_common.seed;
    s->order.stream = "sft-train";
    if (source_examples_load(s, files, n, reader, train_options.micro_tokens, err) < 0)
        return -1;
    if (train_options.steps == 0)
        train_options.steps = source_examples_steps(s);
    return 0;
}

static int run(const struct options *o, const char **files, int n, struct err *err)
{
    struct source_examples s = {0};
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
        struct batch_source src = source_examples_source(&s);
        json_t *inputs = input_digests(files, n, err);
        json_t *own = json_pack("{s:I, s:I, s:I}", "batch-tokens", (json_int_t)o->batch_tokens,
                                "batch-size", (json_int_t)o->batch_size, "epochs", (json_int_t)o->epochs);
        struct train_hooks hooks = {.lineage_inputs = inputs, .options = own};
        rc = inputs ? train_run(&train_options, &src, &loss_nll, &hooks, err) : -1;
        json_decref(inputs);
        json_decref(own);
    }
    source_examples_release(&s);
    tokenizer_free(t);
    return rc;
}

int main(int argc, char **argv)
{
    struct options o = {.epochs = 1, .batch_tokens = 8192};
    const struct opt table[] = {
        OPT_TABLE(train_option_table),
        OPT_GROUP("Data"),
        OPT_INT(0, "epochs", &o.epochs, "N", "passes over the examples (0: until --steps)", 0, 1e6),
        OPT_INT(0, "batch-tokens", &o.batch_tokens, "N", "positions in a step", 1, 1e12),
        OPT_INT(0, "batch-size", &o.batch_size, "N", "examples in a step (0: --batch-tokens decides)", 0, 1e9),
        OPT_INT(0, "max-tokens", &o.max_tokens, "N", "tokens; longer examples are cut (0: never)", 0, 1e9),
        OPT_ENUM(0, "template", &o.template, "NAME", "auto, chatml, chatml-think or plain", chat_template_names),
        OPT_TABLE(jsonl_option_table),
        OPT_TABLE(tool_common_options),
        OPT_END,
    };
    struct err err = {0};
    const char **files;
    int n = tool_begin(&tool, table, argc, argv, &files);

    if (opt_given("batch-size") && opt_given("batch-tokens"))
        tool_usage_error("--batch-size and --batch-tokens exclude each other");
    if (o.epochs == 0 && train_options.steps == 0)
        tool_usage_error("--epochs 0 needs --steps");
    return tool_finish(run(&o, files, n, &err), &err);
}
