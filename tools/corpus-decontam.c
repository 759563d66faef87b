/* corpus-decontam - records without evaluation items. */
#include <string.h>

#include "base/log.h"
#include "base/tool.h"
#include "data/decontam_run.h"

static const struct tool tool = {
    .name = "corpus-decontam",
    .purpose = "drop or mark records that hold items of evaluation sets",
    .usage = "--against FILE [options] [file ...]",
    .example = "corpus-decontam --against gsm8k.jsonl --report found.jsonl web.jsonl >clean.jsonl",
};

static void print_counts(const struct decontam_run_counts *c)
{
    log_info("items=%lld repeated=%lld short=%lld index=%lld bytes", (long long)c->items.items,
             (long long)c->items.repeated, (long long)c->items.too_short,
             (long long)c->items.index_bytes);
    log_info("records=%lld contaminated=%lld items-found=%lld", (long long)c->records,
             (long long)c->contaminated, (long long)c->items_found);
}

int main(int argc, char **argv)
{
    struct decontam_run_options o = {.find = {.min_words = 8}};
    const char *shard = NULL;
    double fail_above = 1;
    struct opt table[] = {
        OPT_GROUP("Evaluation sets"),
        OPT_LIST(0, "against", &o.against, "FILE", "items as JSON lines, FILE or NAME=FILE"),
        OPT_STR(0, "question-field", &o.find.fields[PART_QUESTION], "NAME",
                "field of the question (default: question, problem, prompt, text, ...)"),
        OPT_STR(0, "answer-field", &o.find.fields[PART_ANSWER], "NAME",
                "field of the answer (default: answer, solution, ...)"),
        OPT_STR(0, "passage-field", &o.find.fields[PART_PASSAGE], "NAME",
                "field of the passage (default: passage, context, article)"),
        OPT_GROUP("What is found"),
        OPT_ENUM(0, "rule", &o.find.rule, "RULE",
                 "rare: near words, weighted by rarity; ngram: share of words in n-grams",
                 decontam_rule_names),
        OPT_INT(0, "ngram", &o.find.ngram, "N", "words in an n-gram (0: 5 or, for ngram, 8)", 0,
                64),
        OPT_FLOAT(0, "threshold", &o.find.threshold, "X",
                  "least score of an item that is found (0: 0.6 or, for ngram, 0.5)", 0, 1),
        OPT_INT(0, "min-words", &o.find.min_words, "N",
                "rule rare: shorter questions and answers are not looked for", 1, 1e6),
        OPT_STR(0, "report", &o.report, "FILE", "write a JSON line for each item in each record"),
        OPT_GROUP("Records"),
        OPT_LIST(0, "text-field", &o.text_fields, "NAME",
                 "field of the text (default: text, messages, prompt, ...)"),
        OPT_FLAG(0, "mark", &o.mark, "print all, and mark what would be dropped"),
        OPT_STR(0, "shard", &shard, "I/N", "only every Nth record, from the Ith on"),
        OPT_FLOAT(0, "fail-above", &fail_above, "X",
                  "status 3 if more than this share of the records is contaminated", 0, 1),
        OPT_TABLE(jsonl_option_table),
        OPT_TABLE(tool_common_options),
        OPT_END,
    };
    const char **files;
    int n_files = tool_begin(&tool, table, argc, argv, &files);
    struct err err = {0};
    struct decontam_run_counts counts = {0};
    if (o.against.n == 0)
        tool_usage_error("--against is needed: a file of evaluation items");
    if (jsonl_shard_parse(shard, &o.shard, &err) < 0)
        tool_usage_error("--shard: %s", err.text);
    if (o.report && strcmp(o.report, "-") == 0)
        tool_usage_error("--report needs a file: standard output is for the records");
    int rc = decontam_run(&o, files, n_files, &counts, &err);
    if (rc == 0) {
        print_counts(&counts);
        if ((double)counts.contaminated > fail_above * (double)counts.records) {
            err.status = EXIT_LIMIT;
            rc = err_set(&err, "%lld of %lld records are contaminated (--fail-above)",
                         (long long)counts.contaminated, (long long)counts.records);
        }
    }
    return tool_finish(rc, &err);
}
