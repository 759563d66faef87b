/* model-eval - bits per byte, multiple choice, pass@k. */
#include "base/log.h"
#include "base/tool.h"
#include "data/chat.h"
#include "data/jsonl.h"
#include "gen/eval.h"
#include "kernels/ops.h"

static const struct tool tool = {
    .name = "model-eval",
    .purpose = "measure a model: bits per byte, multiple choice, pass@k",
    .usage = "--task bpb|choice --model DIR [options] [[name=]file ...]\n"
             "       model-eval --task pass [options] [[name=]file ...]",
    .example = "model-eval --task bpb --model MODEL wiki=wiki.jsonl code=code.shard | jq .results",
    .backend = dev_cpu_name,
};

int main(int argc, char **argv)
{
    struct eval_options o = {.batch_tokens = 4096, .delimiter = " ", .threshold = 0.5,
                             .resamples = 2000};
    const char *k = "1";
    const struct opt table[] = {
        OPT_ENUM(0, "task", &o.task, "TASK", "what to measure", eval_task_names),
        OPT_GROUP("Model (bpb, choice)"),
        OPT_STR('m', "model", &o.model, "DIR", "the model directory"),
        OPT_ENUM(0, "precision", &o.precision, "P", "fp32, bf16 or auto (the checkpoint's)",
                 precision_names),
        OPT_ENUM(0, "device", &o.device, "D", "auto, cpu or cuda", device_names),
        OPT_ENUM(0, "weights", &o.weights, "W", "exact, or int8 to see what it costs",
                 weights_names),
        OPT_ENUM(0, "template", &o.tpl, "NAME", "auto, chatml, chatml-think or plain",
                 chat_template_names),
        OPT_INT(0, "seq-len", &o.seq_len, "N", "tokens of context (0: what the model takes)", 0, 1e9),
        OPT_INT(0, "batch-tokens", &o.batch_tokens, "N", "positions in a forward", 1, 1e8),
        OPT_STR(0, "delimiter", &o.delimiter, "TEXT", "put between context and choice"),
        OPT_GROUP("Samples (pass)"),
        OPT_STR('k', "pass-k", &k, "LIST", "values of k, as in 1,4,16"),
        OPT_FLOAT(0, "threshold", &o.threshold, "X", "a reward of at least X is a success", -1e9,
                  1e9),
        OPT_INT(0, "resamples", &o.resamples, "N", "draws of the bootstrap", 10, 1e7),
        OPT_TABLE(jsonl_option_table),
        OPT_TABLE(tool_common_options),
        OPT_END,
    };
    const char **files;
    struct err err = {0};
    int n_files = tool_begin(&tool, table, argc, argv, &files);
    if (!opt_given("task"))
        tool_usage_error("--task must be given");
    if (o.task != EVAL_PASS && !o.model)
        tool_usage_error("--model must be given");
    if (eval_parse_k(&o, k, &err) < 0)
        tool_usage_error("--pass-k: %s", err.text);
    o.seed = (uint64_t)tool_common.seed;
    int rc = eval_run(&o, files, n_files, &err);
    return tool_finish(rc, &err);
}
