/* shard-convert - token shards to and from the files of other trainers. */
#include <string.h>

#include "base/tool.h"
#include "data/flat.h"

static const struct tool tool = {
    .name = "shard-convert",
    .purpose = "convert token shards to and from OLMo-core, Megatron and llm.c",
    .usage = "[options] [file ...]",
    .example = "shard-convert --to megatron --eos 2 --out data/train train.shard",
};

struct options {
    int from, to, dtype;
    int64_t eos, bos, blob_tokens;
    const char *out;
};

/* Where documents go: a shard or another trainer's file. */
struct sink {
    struct shard_writer *shard;
    struct flat_writer *flat;
};

static int sink_open(struct sink *s, const struct options *o, struct err *err)
{
    struct flat_options f = {(enum flat_format)o->to, (enum flat_dtype)o->dtype, o->eos, o->bos};
    if (o->to == FLAT_NONE)
        s->shard = shard_writer_open(o->out, o->blob_tokens, err);
    else
        s->flat = flat_writer_open(o->out, &f, err);
    return s->shard || s->flat ? 0 : -1;
}

static int sink_add(struct sink *s, const struct shard_seq *seq, struct err *err)
{
    tool_counts.in++;
    int rc = s->shard ? shard_writer_add(s->shard, seq, err) : flat_writer_add(s->flat, seq, err);
    tool_counts.out += rc == 0;
    return rc < 0 ? -1 : 0;
}

static int sink_close(struct sink *s, int rc, struct err *err)
{
    if (rc == 0)
        return s->shard ? shard_writer_close(s->shard, err) : flat_writer_close(s->flat, err);
    if (s->shard)
        shard_writer_abort(s->shard);
    if (s->flat)
        flat_writer_abort(s->flat);
    return -1;
}

static int copy_shard(struct sink *s, const char *path, struct err *err)
{
    struct shard_reader *r = shard_reader_open(path, err);
    struct shard_batch b;
    int rc = r ? 1 : -1;
    while (rc > 0 && (rc = shard_reader_next(r, &b, err)) > 0) {
        for (int64_t i = 0; i < b.n_seqs && rc > 0; i++) {
            struct shard_seq seq = shard_batch_seq(&b, i);
            if (sink_add(s, &seq, err) < 0)
                rc = err_prefix(err, "%s", path ? path : "stdin");
        }
        shard_batch_release(&b);
    }
    shard_reader_close(r);
    return rc;
}

static int copy_flat(struct sink *s, const struct options *o, enum flat_format from, const char *path,
                     struct err *err)
{
    /* --dtype is that of the side that cannot know it. */
    enum flat_dtype dtype = o->to == FLAT_NONE ? (enum flat_dtype)o->dtype : FLAT_UNKNOWN;
    struct flat_options f = {from, dtype, o->eos, o->bos};
    struct flat_reader *r = flat_reader_open(path, &f, err);
    struct shard_seq seq;
    int rc = r ? 1 : -1;
    while (rc > 0 && (rc = flat_reader_next(r, &seq, err)) > 0)
        if (sink_add(s, &seq, err) < 0)
            rc = err_prefix(err, "%s", path);
    flat_reader_close(r);
    return rc;
}

static int run(const struct options *o, const char **files, int n_files, struct err *err)
{
    struct sink s = {0};
    if (sink_open(&s, o, err) < 0)
        return -1;
    int rc = 0;
    for (int i = 0; rc == 0 && i < (n_files ? n_files : 1); i++) {
        const char *path = n_files ? files[i] : NULL;
        enum flat_format from = o->from >= 0 ? (enum flat_format)o->from : flat_guess(path);
        rc = from == FLAT_NONE ? copy_shard(&s, path, err) : copy_flat(&s, o, from, path, err);
    }
    return sink_close(&s, rc, err);
}

static void check_options(struct options *o, int n_files)
{
    if (o->to < 0)
        o->to = o->out && strlen(o->out) > 4 && strcmp(o->out + strlen(o->out) - 4, ".npy") == 0 ? FLAT_NPY
                                                                                                 : FLAT_NONE;
    if (o->to != FLAT_NONE && (!o->out || strcmp(o->out, "-") == 0))
        tool_usage_error("--to %s needs --out: it is more than one file", flat_format_names[o->to]);
    if (o->to != FLAT_NONE && o->dtype == FLAT_UNKNOWN)
        o->dtype = FLAT_U16;
    if (o->from > FLAT_NONE && n_files == 0)
        tool_usage_error("--from %s needs a file", flat_format_names[o->from]);
    if (o->to == FLAT_NPY && o->eos < 0)
        tool_usage_error("--to npy needs --eos, which ends each document there");
    if (o->to == FLAT_LLMC && o->eos < 0 && o->bos < 0)
        tool_usage_error("--to llmc needs --eos or --bos, or nobody could find the documents");
}

int main(int argc, char **argv)
{
    struct options o = {.from = -1, .to = -1, .eos = -1, .bos = -1, .blob_tokens = 1 << 20};
    static const struct opt_enum formats[] = {{"auto", -1}, {"shard", FLAT_NONE}, {"npy", FLAT_NPY},
                                              {"megatron", FLAT_MEGATRON}, {"llmc", FLAT_LLMC}, {NULL, 0}};
    static const struct opt_enum dtypes[] = {{"auto", FLAT_UNKNOWN}, {"u8", FLAT_U8},
                                             {"u16", FLAT_U16},      {"i32", FLAT_I32},
                                             {"u32", FLAT_U32},      {"u64", FLAT_U64},
                                             {NULL, 0}};
    struct opt table[] = {
        OPT_GROUP("Formats"),
        OPT_ENUM(0, "from", &o.from, "FORMAT", "auto, shard, npy (OLMo-core), megatron or llmc", formats),
        OPT_ENUM(0, "to", &o.to, "FORMAT", "the same; auto: npy if --out ends in .npy, else shard", formats),
        OPT_ENUM(0, "dtype", &o.dtype, "TYPE", "of the ids in the other file: u8, u16, i32, u32, u64", dtypes),
        OPT_INT(0, "eos", &o.eos, "ID", "token that ends a document there (-1: none)", -1, 0x7fffffff),
        OPT_INT(0, "bos", &o.bos, "ID", "token that begins one (-1: none)", -1, 0x7fffffff),
        OPT_GROUP("Output"),
        OPT_STR('o', "out", &o.out, "FILE", "write to FILE, for megatron to FILE.bin and FILE.idx"),
        OPT_INT(0, "blob-tokens", &o.blob_tokens, "N", "tokens after which a new blob of a shard begins", 1, 1e9),
        OPT_TABLE(tool_common_options),
        OPT_END,
    };
    const char **files;
    int n_files = tool_begin(&tool, table, argc, argv, &files);
    check_options(&o, n_files);
    struct err err = {0};
    int rc = run(&o, files, n_files, &err);
    return tool_finish(rc, &err);
}
