/* shard-info - what is in token shards, as JSON. */
#include <string.h>

#include "base/tool.h"
#include "data/jsonl.h"
#include "data/shard_info.h"
#include "data/utf8.h"

static const struct tool tool = {
    .name = "shard-info",
    .purpose = "check token shards and print their counts, lengths, domains and digest",
    .usage = "[options] [file ...]",
    .example = "shard-info shards/*.shard | jq -r '[.file, .n_tokens] | @tsv'",
};

static int print_info(const char *path, const struct shard_info *info, struct err *err)
{
    json_t *obj = json_object(), *counts = shard_info_json(info);
    const char *name = path && strcmp(path, "-") != 0 ? path : "stdin";
    struct strbuf file = {0};
    utf8_repair(&file, name, strlen(name));
    json_object_set_new(obj, "file", json_string(file.buf));
    strbuf_release(&file);
    json_object_update(obj, counts);
    int rc = jsonl_print(obj, err);
    json_decref(counts);
    json_decref(obj);
    return rc;
}

static int read_shard(const char *path, struct err *err)
{
    struct shard_reader *r = shard_reader_open(path, err);
    struct shard_info info;
    struct shard_batch b;
    int rc = r ? 1 : -1;
    shard_info_init(&info);
    while (rc > 0 && (rc = shard_reader_next(r, &b, err)) > 0) {
        tool_counts.in += b.n_seqs;
        shard_info_add(&info, &b);
        shard_batch_release(&b);
    }
    if (rc == 0)
        rc = print_info(path, &info, err);
    shard_info_release(&info);
    shard_reader_close(r);
    return rc;
}

static int run(const char **files, int n_files, struct err *err)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < (n_files ? n_files : 1); i++)
        rc = read_shard(n_files ? files[i] : NULL, err);
    return rc;
}

int main(int argc, char **argv)
{
    const struct opt table[] = {OPT_TABLE(tool_common_options), OPT_END};
    const char **files;
    int n_files = tool_begin(&tool, table, argc, argv, &files);
    struct err err = {0};
    return tool_finish(run(files, n_files, &err), &err);
}
