/* shard-pack - JSON lines with token ids to a token shard. */
#include "base/tool.h"
#include "data/jsonl.h"
#include "data/shard.h"
#include "data/shard_record.h"

static const struct tool tool = {
    .name = "shard-pack",
    .purpose = "write JSON lines with token ids as a token shard",
    .usage = "[options] [file ...]",
    .example = "echo '{\"id\":\"a\",\"tokens\":[1,2,3]}' | shard-pack | shard-dump",
};

struct options {
    const char *out;
    int64_t blob_tokens;
};

static int process(void *self, struct record *rec, struct emit *out, struct err *err)
{
    struct shard_writer *w = self;
    struct shard_record r;
    (void)out; /* the writer has its own way to standard output */
    if (shard_record_parse(rec->obj, &r, err) < 0)
        return -1;
    int rc = shard_writer_add(w, &r.seq, err);
    shard_record_release(&r);
    if (rc == 0)
        tool_counts.out++;
    return rc == SHARD_WRITE_FAILED ? JSONL_STOP : rc;
}

static int run(const struct options *o, const char **files, int n_files, struct err *err)
{
    struct shard_writer *w = shard_writer_open(o->out, o->blob_tokens, err);
    if (!w)
        return -1;
    struct jsonl_filter filter = {.self = w, .process = process, .serial = true};
    if (jsonl_run(&filter, files, n_files, err) < 0) {
        shard_writer_abort(w);
        return -1;
    }
    return shard_writer_close(w, err);
}

int main(int argc, char **argv)
{
    struct options o = {.blob_tokens = 1 << 20};
    struct opt table[] = {
        OPT_GROUP("Output"),
        OPT_STR('o', "out", &o.out, "FILE",
                "write to FILE, compressed if it ends in .zst, .gz or .xz"),
        OPT_INT(0, "blob-tokens", &o.blob_tokens, "N", "tokens after which a new blob begins", 1,
                1e9),
        OPT_TABLE(jsonl_option_table),
        OPT_TABLE(tool_common_options),
        OPT_END,
    };
    const char **files;
    int n_files = tool_begin(&tool, table, argc, argv, &files);
    struct err err = {0};
    int rc = run(&o, files, n_files, &err);
    return tool_finish(rc, &err);
}
