/* logprob-recalc - add a model's log-probabilities to records. */
#include "base/tool.h"
#include "data/chat.h"
#include "data/jsonl.h"
#include "gen/recalc.h"
#include "kernels/ops.h"

static const struct tool tool = {
    .name = "logprob-recalc",
    .purpose = "add a model's log-probabilities to rollouts, pairs and conversations",
    .usage = "--model DIR --as NAME [options] [file ...]",
    .example = "logprob-recalc --model REFERENCE --as ref pairs.jsonl | dpo-train ...",
    .backend = dev_cpu_name,
};

int main(int argc, char **argv)
{
    struct recalc_options o = {.batch_tokens = 4096, .fail_above = -1};
    const struct opt table[] = {
        OPT_GROUP("Model"),
        OPT_STR('m', "model", &o.model, "DIR", "the model directory"),
        OPT_ENUM(0, "precision", &o.precision, "P", "fp32, bf16 or auto (the checkpoint's)",
                 precision_names),
        OPT_ENUM(0, "device", &o.device, "D", "auto, cpu or cuda", device_names),
        OPT_ENUM(0, "template", &o.tpl, "NAME", "auto, chatml, chatml-think or plain",
                 chat_template_names),
        OPT_INT(0, "batch-tokens", &o.batch_tokens, "N", "positions in a forward", 1, 1e8),
        OPT_GROUP("Output"),
        OPT_STR(0, "as", &o.as, "NAME",
                "name of the array: ref (ref_logprobs), old (old_logprobs) or any other"),
        OPT_STR(0, "report", &o.report, "FILE", "write the comparison with 'logprobs' as JSON"),
        OPT_FLOAT(0, "fail-above", &o.fail_above, "X",
                  "end with status 3 if a difference exceeds X (-1: never)", -1, 1e9),
        OPT_TABLE(jsonl_option_table),
        OPT_TABLE(tool_common_options),
        OPT_END,
    };
    const char **files;
    int n_files = tool_begin(&tool, table, argc, argv, &files);
    if (!o.model)
        tool_usage_error("--model must be given");
    if (!o.as || !*o.as)
        tool_usage_error("--as must be given");
    struct err err = {0};
    int rc = recalc_run(&o, files, n_files, &err);
    return tool_finish(rc, &err);
}
