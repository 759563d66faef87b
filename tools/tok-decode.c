/* tok-decode - token ids, in shards or JSON lines, to text. */
#include <stdlib.h>
#include <string.h>

#include "base/tool.h"
#include "data/jsonl.h"
#include "data/shard.h"
#include "data/tokenizer.h"

static const struct tool tool = {
    .name = "tok-decode",
    .purpose = "turn token ids back into text",
    .usage = "--tokenizer DIR [options] [file ...]",
    .example = "tok-decode --tokenizer tokenizer documents.shard | jq -r .text",
};

struct options {
    const char *tokenizer;
    bool skip_special;
};

struct decoder {
    const struct options *o;
    struct tokenizer *t;
};

/* Sets obj's `text`. */
static int set_text(const struct decoder *d, json_t *obj, const int32_t *ids, int64_t n,
                    struct err *err)
{
    struct strbuf text = {0};
    int rc = tokenizer_decode(d->t, ids, n, d->o->skip_special, &text, err);
    if (rc == 0)
        json_object_set_new(obj, "text", json_stringn(text.buf, text.len));
    strbuf_release(&text);
    return rc;
}

/* --- shards --------------------------------------------------------------------------------- */

static int print_sequence(const struct decoder *d, const struct shard_seq *s, const char *file,
                          struct err *err)
{
    json_t *obj = json_object();
    if (s->id)
        json_object_set_new(obj, "id", json_string(s->id));
    int rc = set_text(d, obj, s->tokens, s->n_tokens, err);
    if (rc < 0)
        err_prefix(err, "%s: sequence %lld", file, (long long)tool_counts.in);
    else
        rc = jsonl_print(obj, err);
    json_decref(obj);
    return rc;
}

static int decode_shard(const struct decoder *d, struct stream *in, struct err *err)
{
    struct shard_reader *r = shard_reader_from(in);
    struct shard_batch b;
    int rc;
    while ((rc = shard_reader_next(r, &b, err)) > 0) {
        for (int64_t i = 0; i < b.n_seqs && rc > 0; i++) {
            struct shard_seq s = shard_batch_seq(&b, i);
            tool_counts.in++;
            if (print_sequence(d, &s, stream_name(in), err) < 0)
                rc = -1;
        }
        shard_batch_release(&b);
        if (rc < 0)
            break;
    }
    shard_reader_close(r);
    return rc;
}

/* --- JSON lines ----------------------------------------------------------------------------- */

static int decode_record(const struct decoder *d, json_t *obj, struct err *err)
{
    int32_t *ids;
    const char *key = json_object_get(obj, "tokens") ? "tokens" : "token_ids";
    if (!json_object_get(obj, key))
        return err_set(err, "the record has no 'tokens' or 'token_ids'");
    int64_t n = json_get_i32s(obj, key, true, &ids, err);
    if (n < 0)
        return -1;
    int rc = set_text(d, obj, ids, n, err);
    free(ids);
    return rc;
}

static int print_record(const struct decoder *d, struct jsonl_reader *r, const struct record *rec,
                        struct err *err)
{
    struct err why = {0};
    if (decode_record(d, rec->obj, &why) == 0)
        return jsonl_print(rec->obj, err);
    if (jsonl_reader_reject(r, rec, &why) == 0)
        return 0;
    *err = why;
    return -1;
}

static int decode_lines(const struct decoder *d, struct stream *in, struct err *err)
{
    struct jsonl_reader *r = jsonl_reader_from(in, err);
    struct record rec;
    int rc = r ? 1 : -1;
    while (rc > 0 && (rc = jsonl_reader_next(r, &rec, err)) > 0) {
        if (print_record(d, r, &rec, err) < 0)
            rc = -1;
        json_decref(rec.obj);
    }
    jsonl_reader_close(r);
    return rc;
}

static int run(const struct options *o, const char **files, int n_files, struct err *err)
{
    struct decoder d = {.o = o, .t = tokenizer_load(o->tokenizer, err)};
    int rc = d.t ? 0 : -1;
    for (int i = 0; rc == 0 && i < (n_files ? n_files : 1); i++) {
        struct stream *in = stream_open(n_files ? files[i] : NULL, err);
        if (!in)
            rc = -1;
        else
            rc = shard_sniff(in) ? decode_shard(&d, in, err) : decode_lines(&d, in, err);
    }
    tokenizer_free(d.t);
    return rc;
}

int main(int argc, char **argv)
{
    struct options o = {0};
    struct opt table[] = {
        OPT_GROUP("Decoding"),
        OPT_STR('t', "tokenizer", &o.tokenizer, "DIR", "folder with tokenizer.json, or that file"),
        OPT_FLAG(0, "skip-special", &o.skip_special, "leave special tokens out of the text"),
        OPT_TABLE(jsonl_option_table),
        OPT_TABLE(tool_common_options),
        OPT_END,
    };
    const char **files;
    int n_files = tool_begin(&tool, table, argc, argv, &files);
    if (!o.tokenizer)
        tool_usage_error("--tokenizer is missing: the folder of tokenizer.json");
    struct err err = {0};
    int rc = run(&o, files, n_files, &err);
    return tool_finish(rc, &err);
}
