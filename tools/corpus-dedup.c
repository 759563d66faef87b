/* corpus-dedup - records without exact and near duplicates. */
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/tool.h"
#include "data/dedup.h"

static const struct tool tool = {
    .name = "corpus-dedup",
    .purpose = "drop records that are exact or near duplicates of another",
    .usage = "[options] [file ...]",
    .example = "corpus-read books | corpus-dedup --report clusters.jsonl >unique.jsonl",
};

static bool known_order(const char *keep)
{
    static const char *const names[] = {"first", "last", "longest", "shortest"};
    for (int i = 0; i < 4; i++)
        if (strcmp(keep, names[i]) == 0)
            return true;
    return (strncmp(keep, "max:", 4) == 0 || strncmp(keep, "min:", 4) == 0) && keep[4];
}

static void check_options(const struct dedup_options *o, int n_files)
{
    if (!known_order(o->keep))
        tool_usage_error("--keep: '%s' is not first, last, longest, shortest, max:FIELD or "
                         "min:FIELD",
                         o->keep);
    if (o->near.bands * o->near.rows > MINHASH_MOST)
        tool_usage_error("--bands times --rows is %lld, at most %d",
                         (long long)(o->near.bands * o->near.rows), MINHASH_MOST);
    if (o->stage != DEDUP_ALL && !o->index)
        tool_usage_error("--stage needs --index, the folder that the stages share");
    if (o->shard.n && (o->stage == DEDUP_ALL || o->stage == DEDUP_MATCH))
        tool_usage_error("--shard is for --stage sign and --stage drop: duplicates lie in "
                         "different shards");
    if (o->stage == DEDUP_MATCH && n_files)
        tool_usage_error("--stage match reads the signatures in --index, and no files");
    if (o->report && strcmp(o->report, "-") == 0)
        tool_usage_error("--report needs a file: standard output is for the records");
}

static void print_counts(const struct dedup_counts *c)
{
    int64_t n = c->kept + c->exact + c->near;
    if (n == 0)
        return;
    if (c->unwalked)
        log_info("%lld times a crowded band was not walked to its end", (long long)c->unwalked);
    log_info("documents=%lld kept=%lld exact=%lld near=%lld index=%lld bytes (%.0f a kept one)",
             (long long)n, (long long)c->kept, (long long)c->exact, (long long)c->near,
             (long long)c->index_bytes, (double)c->index_bytes / (double)c->kept);
}

int main(int argc, char **argv)
{
    struct dedup_options o = {.near = {.ngram = 5, .bands = 32, .rows = 4, .threshold = 0.5},
                              .keep = "first"};
    const char *shard = NULL;
    struct opt table[] = {
        OPT_GROUP("What is compared"),
        OPT_LIST(0, "text-field", &o.text_fields, "NAME",
                 "field of the text (default: text, messages, prompt, ...)"),
        OPT_ENUM(0, "exact", &o.near.exact, "HOW",
                 "what exact copies agree in: all but white space, each byte, or the words",
                 dedup_exact_names),
        OPT_INT(0, "ngram", &o.near.ngram, "N", "words in an n-gram", 1, 100),
        OPT_INT(0, "bands", &o.near.bands, "N", "bands of the signature (0: exact copies only)", 0,
                MINHASH_MOST),
        OPT_INT(0, "rows", &o.near.rows, "N", "hashes in a band", 1, 64),
        OPT_FLOAT(0, "threshold", &o.near.threshold, "X",
                  "least similarity of near duplicates, shared n-grams of all", 0, 1),
        OPT_GROUP("What is kept"),
        OPT_STR(0, "keep", &o.keep, "WHICH",
                "of duplicates: first, last, longest, shortest, max:FIELD, min:FIELD"),
        OPT_STR(0, "report", &o.report, "FILE", "write the clusters, one JSON line each"),
        OPT_GROUP("Large corpora"),
        OPT_STR(0, "index", &o.index, "DIR", "keep the index there instead of in memory"),
        OPT_ENUM(0, "stage", &o.stage, "STAGE", "do one stage of the work, with files in --index",
                 dedup_stage_names),
        OPT_STR(0, "shard", &shard, "I/N", "sign or drop only every Nth record, from the Ith on"),
        OPT_TABLE(jsonl_option_table),
        OPT_TABLE(tool_common_options),
        OPT_END,
    };
    const char **files;
    int n_files = tool_begin(&tool, table, argc, argv, &files);
    struct err err = {0};
    struct dedup_counts counts = {0};
    if (jsonl_shard_parse(shard, &o.shard, &err) < 0)
        tool_usage_error("--shard: %s", err.text);
    check_options(&o, n_files);
    o.near.seed = tool_common.seed;
    o.near.dir = o.index;
    int rc = o.index ? dir_make(o.index, &err) : 0;
    if (rc == 0)
        rc = dedup_run(&o, files, n_files, &counts, &err);
    print_counts(&counts);
    return tool_finish(rc, &err);
}
