/* corpus-read - files, folders and archives to documents. */
#include "base/log.h"
#include "base/tool.h"
#include "data/corpus.h"
#include "data/jsonl.h"

static const struct tool tool = {
    .name = "corpus-read",
    .purpose = "turn files, folders and archives into documents, one JSON line each",
    .usage = "[options] [file | folder ...]",
    .example = "corpus-read --glob '*.py' --domain code /usr/lib/python3 | head -n 1 | jq .source",
};

static int print(void *self, const char *line, size_t n, struct err *err)
{
    (void)self;
    return jsonl_print_line(line, n, err);
}

static int run(const struct corpus_options *o, const char **paths, int n, struct err *err)
{
    struct corpus *c = corpus_open(o, print, NULL, err);
    if (!c) {
        err->status = EXIT_USAGE;
        return -1;
    }
    int rc = 0;
    for (int i = 0; rc == 0 && i < (n ? n : 1); i++)
        rc = corpus_read(c, n ? paths[i] : "-", err);
    progress_end();
    const struct corpus_counts *k = corpus_counts(c);
    if (k->binary)
        log_info("%lld binary files were passed over", (long long)k->binary);
    if (k->passed_over)
        log_info("%lld links and special files were passed over", (long long)k->passed_over);
    if (k->repaired)
        log_warn("%lld byte sequences were not UTF-8 and became U+FFFD", (long long)k->repaired);
    log_info("files=%lld documents=%lld bytes=%lld short=%lld", (long long)k->files,
             (long long)k->documents, (long long)k->bytes, (long long)k->short_documents);
    tool_counts.in = k->documents + k->short_documents + tool_counts.rejected;
    corpus_close(c);
    return rc;
}

int main(int argc, char **argv)
{
    struct corpus_options o = {
        .split = "file", .text_field = "text", .max_ratio = 1000, .max_bytes = (int64_t)1 << 30};
    struct opt_list globs = {0}, excludes = {0};
    struct opt table[] = {
        OPT_GROUP("Input"),
        OPT_ENUM(0, "format", &o.format, "FORMAT", "format of the files", corpus_format_names),
        OPT_ENUM(0, "archive", &o.archive, "KIND", "kind of archives that the files are",
                 corpus_archive_names),
        OPT_STR(0, "encoding", &o.encoding, "NAME",
                "encoding of the text (default: UTF-8, or UTF-16 with a mark)"),
        OPT_STR(0, "text-field", &o.text_field, "NAME", "field or column that holds the text"),
        OPT_LIST(0, "glob", &globs, "PATTERN", "take only such names from folders and archives"),
        OPT_LIST(0, "exclude", &excludes, "PATTERN", "leave such names out"),
        OPT_GROUP("Documents"),
        OPT_STR(0, "split", &o.split, "HOW",
                "cut text files: file, paragraphs, lines, headings, regex:PATTERN"),
        OPT_INT(0, "max-chars", &o.max_chars, "N",
                "cut longer documents, at paragraph ends (0: never)", 0, 1e12),
        OPT_INT(0, "min-chars", &o.min_chars, "N", "drop shorter documents", 0, 1e12),
        OPT_STR(0, "domain", &o.domain, "NAME", "put this 'domain' into every document"),
        OPT_GROUP("Limits"),
        OPT_INT(0, "max-bytes", &o.max_bytes, "N",
                "most that a text file or archive member may hold", 1, 0x1p40),
        OPT_FLOAT(0, "max-ratio", &o.max_ratio, "X",
                  "most that compressed data may expand (0: any)", 0, 1e9),
        OPT_TABLE(jsonl_option_table),
        OPT_TABLE(tool_common_options),
        OPT_END,
    };
    const char **paths;
    int n = tool_begin(&tool, table, argc, argv, &paths);
    o.globs = globs.items;
    o.n_globs = globs.n;
    o.excludes = excludes.items;
    o.n_excludes = excludes.n;
    struct err err = {0};
    int rc = run(&o, paths, n, &err);
    return tool_finish(rc, &err);
}
