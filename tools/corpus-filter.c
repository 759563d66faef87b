/* corpus-filter - records that are fit to learn from. */
#include <string.h>

#include "base/log.h"
#include "base/tool.h"
#include "data/filter.h"

static const struct tool tool = {
    .name = "corpus-filter",
    .purpose = "drop records that break rules: repetition, script, cut answers, length",
    .usage = "--rule RULE [options] [file ...]",
    .example = "corpus-filter --rule olmo3 --rule max-words=20000 answers.jsonl >fit.jsonl",
};

static void print_counts(const struct filter *f)
{
    const char *name;
    for (int i = 0;; i++) {
        int64_t n = filter_count(f, i, &name);
        if (!name)
            return;
        if (n)
            log_info("dropped %lld: %s", (long long)n, name);
    }
}

int main(int argc, char **argv)
{
    struct filter_options o = {.mark = false};
    const char *shard = NULL;
    struct opt table[] = {
        OPT_GROUP("Rules"),
        OPT_LIST(0, "rule", &o.rules, "RULE",
                 "incomplete, repeated-sentences=N, repeated-phrases=N, script=S:X, "
                 "script-least=S:X, ending, identity, keywords=FILE, min-words=N, max-words=N, "
                 "min-chars=N, max-chars=N, olmo3"),
        OPT_LIST(0, "text-field", &o.text_fields, "NAME",
                 "field to look at (default: text, or what the assistant says)"),
        OPT_GROUP("Records"),
        OPT_FLAG(0, "mark", &o.mark, "print all, and mark what would be dropped"),
        OPT_STR(0, "dropped", &o.dropped, "FILE", "write what is dropped there, with the reason"),
        OPT_STR(0, "shard", &shard, "I/N", "only every Nth record, from the Ith on"),
        OPT_TABLE(jsonl_option_table),
        OPT_TABLE(tool_common_options),
        OPT_END,
    };
    const char **files;
    int n_files = tool_begin(&tool, table, argc, argv, &files);
    struct err err = {0};
    if (jsonl_shard_parse(shard, &o.shard, &err) < 0)
        tool_usage_error("--shard: %s", err.text);
    if (o.dropped && strcmp(o.dropped, "-") == 0)
        tool_usage_error("--dropped needs a file: standard output is for the records");
    struct filter *f = filter_open(&o, &err);
    if (!f && err.status)
        return tool_finish(-1, &err);
    if (!f)
        tool_usage_error("--rule: %s", err.text);
    int rc = filter_run(f, files, n_files, &err);
    print_counts(f);
    filter_close(f);
    return tool_finish(rc, &err);
}
