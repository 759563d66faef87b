/* distill-gen - ask a teacher model, on this machine or behind an endpoint. */
#include "base/tool.h"
#include "data/jsonl.h"
#include "gen/distill.h"
#include "kernels/ops.h"

static const struct tool tool = {
    .name = "distill-gen",
    .purpose = "ask a teacher model and add its answers to prompts",
    .usage = "--model DIR | --endpoint URL [options] [file ...]",
    .example = "distill-gen --endpoint http://localhost:8000 --endpoint-model teacher \\\n"
               "    --out answers.jsonl prompts.jsonl",
    .backend = dev_cpu_name,
};

static void check_options(const struct distill_options *o)
{
    static const char *const local_only[] = {"batch", "kv-memory", "max-length", "template", "device",
                                             "precision", "weights"};
    static const char *const remote_only[] = {
        "endpoint-model", "concurrency",  "api-key-env",     "api-key-file",  "retries",
        "retry-wait",     "connect-timeout", "timeout",      "stall-timeout", "max-response-bytes",
        "old-max-tokens"};
    if (!o->model == !o->endpoint)
        tool_usage_error("give one of --model and --endpoint");
    for (size_t i = 0; i < sizeof local_only / sizeof local_only[0]; i++)
        if (o->endpoint && opt_given(local_only[i]))
            tool_usage_error("--%s is for --model", local_only[i]);
    for (size_t i = 0; i < sizeof remote_only / sizeof remote_only[0]; i++)
        if (o->model && opt_given(remote_only[i]))
            tool_usage_error("--%s is for --endpoint", remote_only[i]);
    if (opt_given("api-key-env") && o->key_file)
        tool_usage_error("give one of --api-key-env and --api-key-file");
}

int main(int argc, char **argv)
{
    int64_t retries = 7;
    struct distill_options o = {.key_env = "OPENAI_API_KEY",
                                .http = HTTP_OPTIONS_DEFAULT,
                                .batch = 16,
                                .sampling = SAMPLING_DEFAULT,
                                .max_tokens = 1024,
                                .samples = 1};
    const struct opt table[] = {
        OPT_GROUP("Teacher"),
        OPT_STR(0, "model", &o.model, "DIR", "a model on this machine"),
        OPT_STR(0, "endpoint", &o.endpoint, "URL", "an OpenAI-compatible server (chat completions)"),
        OPT_STR(0, "endpoint-model", &o.endpoint_model, "NAME", "what the server calls the model"),
        OPT_GROUP("Answers"),
        OPT_INT('n', "samples", &o.samples, "N", "answers to each prompt", 1, 1e6),
        OPT_INT(0, "max-tokens", &o.max_tokens, "N", "most tokens of an answer", 1, 1e9),
        OPT_FLOAT(0, "temperature", &o.sampling.temperature, "T", "0: greedy", 0,
                  100),
        OPT_INT(0, "top-k", &o.sampling.top_k, "K", "keep the K likeliest tokens (0: all)", 0, 1e9),
        OPT_FLOAT(0, "top-p", &o.sampling.top_p, "P", "then the fewest with this probability", 0, 1),
        OPT_FLOAT(0, "min-p", &o.sampling.min_p, "P", "then those above P times the likeliest", 0,
                  1),
        OPT_GROUP("Output"),
        OPT_STR(0, "out", &o.out, "FILE", "append here; go on where an earlier run stopped"),
        OPT_FLAG(0, "unordered", &o.unordered, "write answers as they come"),
        OPT_GROUP("With --model"),
        OPT_INT(0, "batch", &o.batch, "N", "sequences at once", 1, 65536),
        OPT_INT(0, "kv-memory", &o.kv_mib, "MIB", "most memory for keys and values (0: all that they can use)", 0,
                1e9),
        OPT_INT(0, "max-length", &o.max_length, "N", "tokens of prompt and answer (0: the model's)", 0, 1e9),
        OPT_ENUM(0, "template", &o.tpl, "NAME", "auto, chatml, chatml-think or plain",
                 chat_template_names),
        OPT_ENUM(0, "device", &o.device.device, "D", "auto, cpu or cuda", device_names),
        OPT_ENUM(0, "weights", &o.device.weights, "W", "exact, or int8: faster, rounded",
                 weights_names),
        OPT_ENUM(0, "precision", &o.device.precision, "P",
                 "fp32, bf16 or auto (the checkpoint's)", precision_names),
        OPT_GROUP("With --endpoint"),
        OPT_INT(0, "concurrency", &o.http.concurrency, "N", "requests in flight", 1, 10000),
        OPT_STR(0, "api-key-env", &o.key_env, "NAME", "environment variable of the key"),
        OPT_STR(0, "api-key-file", &o.key_file, "FILE", "file that holds the key (mode 600)"),
        OPT_INT(0, "retries", &retries, "N", "of a request, after temporary failures", 0, 1000),
        OPT_FLOAT(0, "retry-wait", &o.http.retry_wait_s, "S", "seconds; first wait at most, then doubled", 0, 3600),
        OPT_FLOAT(0, "connect-timeout", &o.http.connect_timeout_s, "S", "seconds to connect", 0.001, 1e6),
        OPT_FLOAT(0, "timeout", &o.http.total_timeout_s, "S", "seconds for a whole answer", 0.001, 1e6),
        OPT_FLOAT(0, "stall-timeout", &o.http.stall_timeout_s, "S",
                  "seconds without a byte inside an answer", 0.001, 1e6),
        OPT_INT(0, "max-response-bytes", &o.http.max_response_bytes, "N", "bytes; a longer answer is bad", 1,
                1e10),
        OPT_FLAG(0, "old-max-tokens", &o.old_max_tokens,
                 "send max_tokens, not max_completion_tokens"),
        OPT_TABLE(jsonl_option_table),
        OPT_TABLE(tool_common_options),
        OPT_END,
    };
    const char **files;
    int n_files = tool_begin(&tool, table, argc, argv, &files);
    check_options(&o);
    o.http.attempts = retries + 1;
    o.key_required = opt_given("api-key-env");
    o.seed = (uint64_t)tool_common.seed;
    o.send_seed = opt_given("seed");
    struct err err = {0};
    return tool_finish(distill_run(&o, files, n_files, &err), &err);
}
