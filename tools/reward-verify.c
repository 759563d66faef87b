/* reward-verify - add a reward to every response by checking its answer. */
#include "base/tool.h"
#include "data/jsonl.h"
#include "reward/code.h"
#include "reward/judge.h"
#include "reward/verifier_exec.h"
#include "reward/verifier_judge.h"
#include "reward/verifier_text.h"

static const struct tool tool = {
    .name = "reward-verify",
    .purpose = "add a reward to every response by checking its answer",
    .usage = "[options] [file ...]",
    .example = "reward-verify --filter 1 generations.jsonl > right.jsonl",
};

static int run(const struct judge_options *o, const char **files, int n_files, struct err *err)
{
    struct judge *j = judge_open(o, (uint64_t)tool_common.seed, err);
    if (!j)
        return -1;
    struct jsonl_filter filter = judge_filter(j);
    int rc = jsonl_run(&filter, files, n_files, err);
    judge_close(j);
    return rc;
}

int main(int argc, char **argv)
{
    struct judge_options o = {.scale = 1, .shaping = SHAPING_DEFAULT, .verifier_seconds = 600};
    struct opt table[] = {
        OPT_GROUP("Verifiers"),
        OPT_LIST(
            0, "verifier", &o.verifiers, "NAME[:WEIGHT]",
            "use this verifier instead of the record's 'dataset'; may be repeated; math, code, "
            "ifeval, judge, exec, random:P and many more: see the manual page"),
        OPT_FLAG(0, "whole-text", &o.whole_text,
                 "judge the thinking, too, not only what follows </think>"),
        OPT_INT(0, "workers", &o.workers, "N",
                "processes that judge; 0: one a thread", 0, 1024),
        OPT_FLOAT(0, "verifier-seconds", &o.verifier_seconds, "S",
                  "wall time of one judgement; after that there is no verdict", 0.1, 1e6),
        OPT_STR(0, "unverified", &o.unverified, "FILE",
                "set records aside on which there is no verdict, instead of stopping"),
        OPT_STR(0, "cache", &o.cache, "DIR", "keep verdicts there, and use those that are there"),
        OPT_TABLE(text_option_table),
        OPT_TABLE(exec_option_table),
        OPT_TABLE(judge_option_table),
        OPT_TABLE(code_option_table),
        OPT_GROUP("Reward"),
        OPT_FLOAT(0, "scale", &o.scale, "X", "multiply the weighted sum of the scores by X", -1e9,
                  1e9),
        OPT_FLOAT(0, "non-stop-penalty", &o.shaping.non_stop, "P",
                  "take P off when finish_reason is \"length\"", 0, 1e9),
        OPT_INT(0, "overlong-length", &o.shaping.overlong_length, "N",
                "take something off long responses, all of it from N tokens on; 0: do not", 0, 1e9),
        OPT_INT(0, "overlong-buffer", &o.shaping.overlong_buffer, "N",
                "so many tokens before that it begins, rising evenly; 0: a fifth", 0, 1e9),
        OPT_FLOAT(0, "overlong-penalty", &o.shaping.overlong, "P", "all that is taken off then", 0,
                  1e9),
        OPT_FLOAT(0, "repetition-penalty", &o.shaping.repetition, "P",
                  "take P times the share of repeated n-grams off", 0, 1e9),
        OPT_INT(0, "repetition-ngram", &o.shaping.repetition_ngram, "N", "words of an n-gram", 1, 1000),
        OPT_GROUP("Output"),
        OPT_FLOAT(0, "filter", &o.filter_min, "MIN", "drop records with a reward below MIN", -1e18,
                  1e18),
        OPT_FLAG(0, "explain", &o.explain,
                 "add 'verdict': score, extracted answer, what decided, for programs the time"),
        OPT_TABLE(jsonl_option_table),
        OPT_TABLE(tool_common_options),
        OPT_END,
    };
    const char **files;
    int n_files = tool_begin(&tool, table, argc, argv, &files);
    o.filtering = opt_given("filter");
    struct err err = {0};
    int rc = run(&o, files, n_files, &err);
    return tool_finish(rc, &err);
}
