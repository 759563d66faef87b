/* rollout-gen - sample completions from a model, or from a policy while it trains. */
#include "base/tool.h"
#include "data/chat.h"
#include "data/jsonl.h"
#include "gen/rollout.h"
#include "model/model.h"

static const struct tool tool = {
    .name = "rollout-gen",
    .purpose = "sample completions of prompts, with token ids and log-probabilities",
    .usage = "--model DIR | --follow DIR [options] [file ...]",
    .example = "rollout-gen --model MODEL --group 8 --max-tokens 256 prompts.jsonl | reward-verify",
    .backend = dev_cpu_name,
};

static void check_options(const struct rollout_options *o)
{
    if (!o->model && !o->follow)
        tool_usage_error("--model or --follow must be given");
    if (o->model && o->follow)
        tool_usage_error("--model and --follow exclude each other");
    if (o->prompts.repeat == 0 && !o->follow)
        tool_usage_error("--repeat 0 (without end) needs --follow");
    for (int i = 0; i < o->stop.n; i++)
        if (!o->stop.items[i][0])
            tool_usage_error("--stop needs a string that is not empty");
    if (!o->follow && (opt_given("swap") || opt_given("follow-timeout")))
        tool_usage_error("--swap and --follow-timeout need --follow");
}

int main(int argc, char **argv)
{
    struct rollout_options o = {
        .group = 1, .max_tokens = 256, .batch = 64, .sampling = SAMPLING_DEFAULT,
        .prompts = {.repeat = 1}, .follow_timeout = 600,
    };
    const struct opt table[] = {
        OPT_GROUP("Model"),
        OPT_STR('m', "model", &o.model, "DIR", "the model directory"),
        OPT_ENUM(0, "precision", &o.precision, "P", "fp32, bf16 or auto (the checkpoint's)",
                 precision_names),
        OPT_ENUM(0, "device", &o.device, "D", "auto, cpu or cuda", device_names),
        OPT_ENUM(0, "weights", &o.weights, "W", "exact, or int8 where bits need not agree",
                 weights_names),
        OPT_ENUM(0, "template", &o.tpl, "NAME", "auto, chatml, chatml-think or plain",
                 chat_template_names),
        OPT_INT(0, "batch", &o.batch, "N", "most sequences that run at once", 1, 65536),
        OPT_INT(0, "kv-memory", &o.kv_mib, "MIB", "most memory for keys and values (0: all that they can use)", 0,
                1e9),
        OPT_GROUP("Sampling"),
        OPT_INT('n', "group", &o.group, "G", "completions of each prompt", 1, 1e6),
        OPT_INT(0, "max-tokens", &o.max_tokens, "N", "most tokens of a completion", 1, 1e9),
        OPT_FLOAT('t', "temperature", &o.sampling.temperature, "T", "0: greedy", 0, 100),
        OPT_INT(0, "top-k", &o.sampling.top_k, "K", "keep the K likeliest tokens (0: all)", 0, 1e9),
        OPT_FLOAT(0, "top-p", &o.sampling.top_p, "P", "then the fewest with this probability",
                  1e-9, 1),
        OPT_FLOAT(0, "min-p", &o.sampling.min_p, "P",
                  "then those with at least P times the likeliest one's probability", 0, 1),
        OPT_LIST(0, "stop", &o.stop, "TEXT", "also end after this text (may be repeated)"),
        OPT_FLAG(0, "ignore-eos", &o.ignore_eos, "do not end at end-of-sequence tokens"),
        OPT_GROUP("Prompts"),
        OPT_INT(0, "max-prompt-tokens", &o.max_prompt_tokens, "N",
                "a longer prompt is a bad record (0: what the context can hold)", 0, 1e9),
        OPT_INT(0, "repeat", &o.prompts.repeat, "N", "passes over the prompts (0: without end)", 0,
                1e9),
        OPT_FLAG(0, "shuffle", &o.prompts.shuffle, "another order in each pass"),
        OPT_INT(0, "first-group", &o.first_group, "N", "skip the groups before number N", 0, 0x1p53),
        OPT_GROUP("Reinforcement learning"),
        OPT_STR(0, "follow", &o.follow, "DIR", "use the weights a trainer publishes here"),
        OPT_ENUM(0, "swap", &o.swap, "WHEN", "change weights within sequences or between them",
                 swap_mode_names),
        OPT_FLOAT(0, "follow-timeout", &o.follow_timeout, "S", "seconds; longest wait for the trainer",
                  0, 1e9),
        OPT_TABLE(jsonl_option_table),
        OPT_TABLE(tool_common_options),
        OPT_END,
    };
    const char **files;
    int n_files = tool_begin(&tool, table, argc, argv, &files);
    check_options(&o);
    if (!opt_given("first-group"))
        o.first_group = -1;
    o.prompts.seed = (uint64_t)tool_common.seed;
    struct err err = {0};
    int rc = rollout_run(&o, files, n_files, &err);
    return tool_finish(rc, &err);
}
