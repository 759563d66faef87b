/* shard-dump - token shards to JSON lines. */
#include "base/tool.h"
#include "data/jsonl.h"
#include "data/shard.h"
#include "data/shard_record.h"

static const struct tool tool = {
    .name = "shard-dump",
    .purpose = "print token shards as JSON lines",
    .usage = "[options] [file ...]",
    .example = "shard-dump --head 3 train.shard | jq '.tokens | length'",
};

struct options {
    int64_t head;
};

static int print_batch(const struct options *o, const struct shard_batch *b, struct err *err)
{
    for (int64_t i = 0; i < b->n_seqs && tool_counts.out != o->head; i++) {
        struct shard_seq s = shard_batch_seq(b, i);
        json_t *obj = shard_seq_to_json(&s);
        int rc = jsonl_print(obj, err);
        json_decref(obj);
        if (rc < 0)
            return -1;
    }
    return 0;
}

static int read_shard(const struct options *o, const char *path, struct err *err)
{
    struct shard_reader *r = shard_reader_open(path, err);
    struct shard_batch b;
    int rc = r ? 1 : -1;
    while (rc > 0 && tool_counts.out != o->head && (rc = shard_reader_next(r, &b, err)) > 0) {
        tool_counts.in += b.n_seqs;
        if (print_batch(o, &b, err) < 0)
            rc = -1;
        shard_batch_release(&b);
    }
    shard_reader_close(r);
    return rc < 0 ? -1 : 0;
}

static int run(const struct options *o, const char **files, int n_files, struct err *err)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < (n_files ? n_files : 1); i++)
        rc = read_shard(o, n_files ? files[i] : NULL, err);
    return rc;
}

int main(int argc, char **argv)
{
    struct options o = {.head = -1};
    struct opt table[] = {
        OPT_GROUP("Output"),
        OPT_INT('n', "head", &o.head, "N", "print the first N sequences only (-1: all)", -1,
                0x1p53),
        OPT_TABLE(tool_common_options),
        OPT_END,
    };
    const char **files;
    int n_files = tool_begin(&tool, table, argc, argv, &files);
    struct err err = {0};
    int rc = run(&o, files, n_files, &err);
    return tool_finish(rc, &err);
}
