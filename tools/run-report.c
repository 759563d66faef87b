/* run-report - metrics of training runs as one page of curves. */
#include "base/tool.h"
#include "data/jsonl.h"
#include "report/report.h"

static const struct tool tool = {
    .name = "run-report",
    .purpose = "draw the metrics of training runs on one HTML page",
    .usage = "[options] [[name=]file ...]",
    .example = "run-report --title 'beta' 0.1=a.metrics.jsonl 0.3=b.metrics.jsonl > report.html",
};

int main(int argc, char **argv)
{
    struct report_options o = {.title = "Training report"};
    const struct opt table[] = {
        OPT_GROUP("Page"),
        OPT_STR(0, "title", &o.title, "TEXT", "heading of the page"),
        OPT_STR(0, "summary", &o.summary, "FILE",
                "JSON object of results by stage, shown above the curves"),
        OPT_STR('o', "out", &o.out, "FILE", "write FILE, whole or not at all, instead of stdout"),
        OPT_GROUP("Curves"),
        OPT_LIST(0, "metric", &o.metrics, "PATTERN",
                 "only metrics whose name matches, as in 'reward*' (repeatable)"),
        OPT_LIST(0, "log", &o.log, "PATTERN", "logarithmic axis for these metrics (repeatable)"),
        OPT_INT(0, "smooth", &o.smooth, "N",
                "draw the mean of N steps over the curve (1: no; 0: by the curve's length)", 0,
                1e9),
        OPT_TABLE(jsonl_option_table),
        OPT_TABLE(tool_common_options),
        OPT_END,
    };
    const char **files;
    struct err err = {0};
    int n_files = tool_begin(&tool, table, argc, argv, &files);
    return tool_finish(report_run(&o, files, n_files, &err), &err);
}
