/* pref-pair - make preference pairs of strong and weak answers, or of a rewarded pool. */
#include "base/tool.h"
#include "data/jsonl.h"
#include "data/pair.h"

static const struct tool tool = {
    .name = "pref-pair",
    .purpose = "make preference pairs of strong and weak answers, or of a rewarded pool",
    .usage = "--chosen FILE --rejected FILE [options]\n"
             "       pref-pair [options] [file ...]",
    .example = "pref-pair --chosen strong.jsonl --rejected weak.jsonl --drop-equal > pairs.jsonl",
};

static const struct opt_enum joins[] = {
    {"auto", PAIR_JOIN_AUTO}, {"id", PAIR_JOIN_ID}, {"prompt", PAIR_JOIN_PROMPT}, {NULL, 0}};

/* Calls fn for every good record; fn's errors make the record a bad one. */
static int for_each(const char **files, int n_files, struct pair_maker *m,
                    int (*fn)(struct pair_maker *m, json_t *obj, json_t *pairs, struct err *err),
                    struct err *err)
{
    struct jsonl_reader *r = jsonl_reader_open(files, n_files, err);
    struct record rec;
    int rc = r ? 1 : -1;
    while (rc > 0 && (rc = jsonl_reader_next(r, &rec, err)) > 0) {
        struct err why = {0};
        json_t *pairs = json_array(), *pair;
        size_t i;
        if (fn(m, rec.obj, pairs, &why) < 0 && jsonl_reader_reject(r, &rec, &why) < 0) {
            *err = why;
            rc = -1;
        }
        json_array_foreach(pairs, i, pair)
        {
            if (rc > 0 && jsonl_print(pair, err) < 0)
                rc = -1;
        }
        json_decref(pairs);
        json_decref(rec.obj);
    }
    if (r)
        jsonl_reader_close(r);
    return rc;
}

static int hold(struct pair_maker *m, json_t *obj, json_t *pairs, struct err *err)
{
    (void)pairs;
    return pair_add_rejected(m, obj, err);
}

static int match(struct pair_maker *m, json_t *obj, json_t *pairs, struct err *err)
{
    json_t *pair = NULL;
    int rc = pair_match(m, obj, &pair, err);
    if (pair)
        json_array_append_new(pairs, pair);
    return rc;
}

static int join(struct pair_maker *m, const char *chosen, const char *rejected, struct err *err)
{
    if (for_each(&rejected, 1, m, hold, err) < 0)
        return -1;
    return for_each(&chosen, 1, m, match, err);
}

static int pool(struct pair_maker *m, const char **files, int n_files, struct err *err)
{
    json_t *pairs = json_array(), *pair;
    size_t i;
    int rc = for_each(files, n_files, m, pair_pool, err);
    if (rc == 0)
        rc = pair_pool(m, NULL, pairs, err);
    json_array_foreach(pairs, i, pair)
    {
        if (rc == 0)
            rc = jsonl_print(pair, err);
    }
    json_decref(pairs);
    return rc;
}

static int report(struct pair_maker *m, const char *path, struct err *err)
{
    pair_log(m);
    if (!path)
        return 0;
    json_t *obj = pair_report(m);
    int rc = json_save_path(path, obj, err);
    json_decref(obj);
    return rc;
}

int main(int argc, char **argv)
{
    struct pair_options o = {.pairs_per_prompt = 1};
    const char *chosen = NULL, *rejected = NULL, *report_path = NULL, **files;
    struct opt table[] = {
        OPT_GROUP("Two files"),
        OPT_STR(0, "chosen", &chosen, "FILE",
                "answers of the stronger model (- is standard input)"),
        OPT_STR(0, "rejected", &rejected, "FILE", "answers of the weaker model, held in memory"),
        OPT_ENUM(0, "join", &o.join, "HOW", "auto: by id where both have one, else by prompt",
                 joins),
        OPT_GROUP("Pairs"),
        OPT_INT(0, "pairs-per-prompt", &o.pairs_per_prompt, "N", "most pairs of one prompt", 1,
                1e9),
        OPT_FLOAT(0, "min-gap", &o.min_gap, "X", "drop pairs whose rewards differ by less than X",
                  0, 1e18),
        OPT_FLOAT(0, "require-chosen-reward", &o.min_chosen, "X",
                  "drop chosen answers with a reward below X", -1e18, 1e18),
        OPT_FLAG(0, "drop-equal", &o.drop_equal, "drop pairs of the same text"),
        OPT_FLAG(0, "drop-truncated", &o.drop_truncated,
                 "drop answers whose finish_reason is \"length\""),
        OPT_INT(
            0, "max-length", &o.max_length, "N",
            "drop answers longer than N tokens, or characters where there are no ids (0: no limit)",
            0, 0x1p53),
        OPT_GROUP("Output"),
        OPT_FLAG(0, "drop-token-ids", &o.drop_token_ids,
                 "write text only; needed if the model to train has another tokenizer"),
        OPT_STR(0, "report", &report_path, "FILE", "write the counts and means to FILE as JSON"),
        OPT_TABLE(jsonl_option_table),
        OPT_TABLE(tool_common_options),
        OPT_END,
    };
    int n_files = tool_begin(&tool, table, argc, argv, &files);
    struct err err = {0};
    o.has_min_gap = opt_given("min-gap");
    o.has_min_chosen = opt_given("require-chosen-reward");
    if (!chosen != !rejected)
        tool_usage_error("--chosen and --rejected go together");
    if (chosen && n_files > 0)
        tool_usage_error(
            "'%s' is not an option; with --chosen and --rejected no other file is read", files[0]);
    struct pair_maker *m = pair_open(&o);
    int rc = chosen ? join(m, chosen, rejected, &err) : pool(m, files, n_files, &err);
    if (rc == 0)
        rc = report(m, report_path, &err);
    pair_close(m);
    return tool_finish(rc, &err);
}
