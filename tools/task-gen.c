/* task-gen - make problems with exact answers, with or without a worked solution. */
#include <stdlib.h>
#include <string.h>

#include "base/tool.h"
#include "data/jsonl.h"
#include "data/task.h"

static const struct tool tool = {
    .name = "task-gen",
    .purpose = "make problems with exact answers, with or without a worked solution",
    .usage = "[options]",
    .example = "task-gen --task arithmetic --n 5000 --trace --seed 1 > sft.jsonl",
};

static const struct opt_enum splits[] = {{"train", TASK_TRAIN}, {"test", TASK_TEST}, {NULL, 0}};
static const struct opt_enum forms[] = {
    {"rlvr", TASK_RLVR}, {"messages", TASK_MESSAGES}, {NULL, 0}};
static const struct opt_enum replies[] = {
    {"sentence", TASK_SENTENCE}, {"boxed", TASK_BOXED}, {NULL, 0}};

/* "3" or "1-3". */
static void parse_difficulty(const char *text, struct task_options *o)
{
    const char *last = strchr(text, '-') ? strchr(text, '-') + 1 : text;
    o->min_difficulty = text[0] - '0';
    o->max_difficulty = last[0] - '0';
    if ((last != text && last != text + 2) || last[0] == '\0' || last[1] != '\0' ||
        o->min_difficulty < 1 || o->max_difficulty > TASK_MAX_DIFFICULTY ||
        o->min_difficulty > o->max_difficulty)
        tool_usage_error(
            "option '--difficulty': '%s' is not a level from 1 to %d or a range like 1-3", text,
            TASK_MAX_DIFFICULTY);
}

static int run(const struct task_options *o, int64_t n, struct err *err)
{
    struct task_source *s = task_source_open(o, (uint64_t)tool_common.seed);
    int rc = 0;
    for (int64_t i = 0; i < n && rc == 0; i++) {
        json_t *obj = task_source_next(s, err);
        rc = obj ? jsonl_print(obj, err) : -1;
        json_decref(obj);
    }
    task_source_close(s);
    return rc;
}

int main(int argc, char **argv)
{
    struct task_options o = {.kind = TASK_ARITHMETIC};
    const char *difficulty = "1";
    int64_t n = 1000;
    struct opt table[] = {
        OPT_GROUP("Problems"),
        OPT_ENUM(0, "task", &o.kind, "NAME", "kind of problem; mix draws all kinds evenly",
                 task_names),
        OPT_STR(0, "difficulty", &difficulty, "D", "1 (easy) to 5, or a range like 1-3"),
        OPT_INT(0, "n", &n, "N", "number of problems", 0, 1e9),
        OPT_ENUM(0, "split", &o.split, "NAME", "the two never share a problem, whatever the seeds",
                 splits),
        OPT_INT(0, "terms", &o.terms, "N",
                "arithmetic: numbers in an expression (0: by difficulty)", 0, 32),
        OPT_INT(0, "digits", &o.digits, "N",
                "arithmetic: most digits of a number (0: by difficulty)", 0, 9),
        OPT_FLAG(0, "allow-duplicates", &o.allow_duplicates, "let a problem come more than once"),
        OPT_GROUP("Output"),
        OPT_FLAG(0, "trace", &o.trace, "append the assistant's worked solution and answer"),
        OPT_ENUM(0, "reply", &o.reply, "FORM",
                 "how the answer is said: 'The answer is X' or \\boxed{X}", replies),
        OPT_ENUM(0, "format", &o.form, "NAME",
                 "rlvr has ground_truth, dataset and answer; messages has not", forms),
        OPT_STR(0, "prompt-suffix", &o.prompt_suffix, "TEXT", "put TEXT behind every question"),
        OPT_TABLE(tool_common_options),
        OPT_END,
    };
    const char **operands;
    struct err err = {0};
    if (tool_begin(&tool, table, argc, argv, &operands) > 0)
        tool_usage_error("'%s' is not an option, and task-gen reads no files", operands[0]);
    if (o.terms == 1)
        tool_usage_error("option '--terms': an expression needs at least 2 numbers");
    parse_difficulty(difficulty, &o);
    int rc = run(&o, n, &err);
    return tool_finish(rc, &err);
}
