/* run-lineage - which programs, data and parents made a checkpoint, and whether they are still there. */
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/tool.h"
#include "data/jsonl.h"
#include "model/lineage_tree.h"

static const struct tool tool = {
    .name = "run-lineage",
    .purpose = "print what made a checkpoint, all the way up, and check it",
    .usage = "[options] DIR|lineage.json ...",
    .example = "run-lineage --check sft",
};

enum format { FORMAT_TREE, FORMAT_JSON };
static const struct opt_enum format_names[] = {{"tree", FORMAT_TREE}, {"json", FORMAT_JSON}, {NULL, 0}};

struct options {
    int format;
    bool check;
    struct opt_list roots;
};

static int print(const struct options *o, const char *name, json_t *lineage, struct err *err)
{
    struct strbuf text = {0};
    int rc = 0;

    if (o->format == FORMAT_JSON) {
        json_object_set_new(lineage, "path", json_string(name));
        return jsonl_print(lineage, err);
    }
    lineage_tree(&text, name, lineage);
    if (fwrite(text.buf, 1, text.len, stdout) != text.len)
        rc = err_errno(err, "cannot write standard output");
    strbuf_release(&text);
    tool_counts.out++;
    return rc;
}

static int run(const struct options *o, const char **paths, int n, struct err *err)
{
    struct lineage_check c = {.roots = &o->roots};
    int rc = 0;

    for (int i = 0; rc == 0 && i < n; i++) {
        json_t *lineage = lineage_load(paths[i], err);
        rc = lineage ? 0 : -1;
        if (rc == 0 && o->check)
            rc = lineage_check(lineage, &c, err);
        if (rc == 0)
            rc = print(o, paths[i], lineage, err);
        json_decref(lineage);
        tool_counts.in++;
    }
    if (rc < 0 || !o->check)
        return rc;
    log_info("%lld as they were, %lld moved, %lld missing, %lld changed", (long long)c.ok,
             (long long)c.moved, (long long)c.missing, (long long)c.changed);
    if (c.changed > 0)
        return err_set(err, "%lld of the files are not what they were", (long long)c.changed);
    return 0;
}

int main(int argc, char **argv)
{
    struct options o = {0};
    const struct opt table[] = {
        OPT_GROUP("Lineage"),
        OPT_FLAG(0, "check", &o.check, "compare the files that are there with their digests"),
        OPT_LIST(0, "root", &o.roots, "DIR", "also look for them here (repeatable)"),
        OPT_ENUM(0, "format", &o.format, "F", "a tree, or json lines", format_names),
        OPT_TABLE(tool_common_options),
        OPT_END,
    };
    struct err err = {0};
    const char **paths;
    int n = tool_begin(&tool, table, argc, argv, &paths);

    if (n == 0)
        tool_usage_error("a checkpoint folder is needed");
    if (o.roots.n && !o.check)
        tool_usage_error("--root needs --check");
    return tool_finish(run(&o, paths, n, &err), &err);
}
