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
    bool info;
};

struct info {
    int64_t n_blobs, n_seqs, n_tokens, min, max;
    json_t *fields; /* array of names */
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

static void add_info(struct info *info, const struct shard_batch *b)
{
    for (int64_t i = 0; i < b->n_seqs; i++) {
        int64_t n = b->offsets[i + 1] - b->offsets[i];
        info->min = info->n_seqs == 0 || n < info->min ? n : info->min;
        info->max = n > info->max ? n : info->max;
        info->n_seqs++;
    }
    info->n_blobs++;
    info->n_tokens += b->n_tokens;
    shard_batch_add_fields(b, info->fields);
}

static int read_shard(const struct options *o, const char *path, struct info *info, struct err *err)
{
    struct shard_reader *r = shard_reader_open(path, err);
    struct shard_batch b;
    int rc = r ? 1 : -1;
    while (rc > 0 && (o->info || tool_counts.out != o->head)) {
        rc = shard_reader_next(r, &b, err);
        if (rc <= 0)
            break;
        tool_counts.in += b.n_seqs;
        if (o->info)
            add_info(info, &b);
        else if (print_batch(o, &b, err) < 0)
            rc = -1;
        shard_batch_release(&b);
    }
    shard_reader_close(r);
    return rc < 0 ? -1 : 0;
}

static int run(const struct options *o, const char **files, int n_files, struct err *err)
{
    struct info info = {.fields = json_array()};
    int rc = 0;
    for (int i = 0; rc == 0 && i < (n_files ? n_files : 1); i++)
        rc = read_shard(o, n_files ? files[i] : NULL, &info, err);
    if (rc == 0 && o->info) {
        json_t *obj = json_pack("{sI sI sI sO sI sI}", "n_blobs", info.n_blobs, "n_seqs",
                                info.n_seqs, "n_tokens", info.n_tokens, "fields", info.fields,
                                "min_length", info.min, "max_length", info.max);
        rc = jsonl_print(obj, err);
        json_decref(obj);
    }
    json_decref(info.fields);
    return rc;
}

int main(int argc, char **argv)
{
    struct options o = {.head = -1};
    struct opt table[] = {
        OPT_GROUP("Output"),
        OPT_INT('n', "head", &o.head, "N", "print the first N sequences only (-1: all)", -1,
                0x1p53),
        OPT_FLAG(0, "info", &o.info, "check everything and print one object of counts instead"),
        OPT_TABLE(tool_common_options),
        OPT_END,
    };
    const char **files;
    int n_files = tool_begin(&tool, table, argc, argv, &files);
    struct err err = {0};
    int rc = run(&o, files, n_files, &err);
    return tool_finish(rc, &err);
}
