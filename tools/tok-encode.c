/* tok-encode - documents, messages and completions to token ids. */
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/tool.h"
#include "data/example_pack.h"
#include "data/jsonl.h"

static const struct tool tool = {
    .name = "tok-encode",
    .purpose = "encode documents and conversations as token ids",
    .usage = "--tokenizer DIR [options] [file ...]",
    .example = "tok-encode --tokenizer tokenizer documents.jsonl > documents.shard",
};

enum format { FORMAT_AUTO, FORMAT_SHARD, FORMAT_JSONL };
static const struct opt_enum formats[] = {
    {"auto", FORMAT_AUTO}, {"shard", FORMAT_SHARD}, {"jsonl", FORMAT_JSONL}, {NULL, 0}};

struct options {
    const char *tokenizer, *out;
    int format, tpl;
    int64_t blob_tokens, max_tokens;
    bool truncate, no_eos, show_mask, color;
};

struct encoder {
    const struct options *o;
    struct example_reader reader;
};

static int add_tokens(void *self, struct record *rec, struct emit *out, struct err *err)
{
    const struct encoder *enc = self;
    struct example e;
    if (example_parse(&enc->reader, rec->obj, &e, err) < 0)
        return -1;
    json_t *mask = json_array();
    for (int64_t i = 0; i < e.n_tokens; i++)
        json_array_append_new(mask, json_integer(e.loss_mask[i]));
    json_object_set_new(rec->obj, "tokens", json_from_i32s(e.tokens, e.n_tokens));
    json_object_set_new(rec->obj, "loss_mask", mask);
    emit(out, rec->obj);
    example_release(&e);
    return 0;
}

/* The tokens of [begin, end) are all trained or all not. */
static int show_run(const struct encoder *enc, const struct example *e, int64_t begin, int64_t end,
                    struct emit *out, struct err *err)
{
    struct strbuf text = {0};
    bool trained = e->loss_mask[begin];
    if (trained)
        strbuf_adds(&text, enc->o->color ? "\033[32m" : "[");
    int rc = tokenizer_decode(enc->reader.tokenizer, e->tokens + begin, end - begin, false, &text,
                              err);
    if (trained)
        strbuf_adds(&text, enc->o->color ? "\033[0m" : "]");
    if (rc == 0)
        emit_raw(out, text.buf, text.len);
    strbuf_release(&text);
    return rc;
}

static int show_mask(void *self, struct record *rec, struct emit *out, struct err *err)
{
    const struct encoder *enc = self;
    struct example e;
    int rc = 0;
    if (example_parse(&enc->reader, rec->obj, &e, err) < 0)
        return -1;
    for (int64_t begin = 0, end; begin < e.n_tokens && rc == 0; begin = end) {
        end = begin + 1;
        while (end < e.n_tokens && e.loss_mask[end] == e.loss_mask[begin])
            end++;
        rc = show_run(enc, &e, begin, end, out, err);
    }
    emit_raw(out, "\n", 1);
    example_release(&e);
    return rc;
}

static int write_shard(const struct encoder *enc, const char **files, int n_files, struct err *err)
{
    struct shard_writer *w = shard_writer_open(enc->o->out, enc->o->blob_tokens, err);
    if (!w)
        return -1;
    if (example_pack(&enc->reader, files, n_files, w, err) < 0) {
        shard_writer_abort(w);
        return -1;
    }
    return shard_writer_close(w, err);
}

static int run(const struct options *o, const char **files, int n_files, struct err *err)
{
    struct tokenizer *t = tokenizer_load(o->tokenizer, err);
    if (!t)
        return -1;
    struct encoder enc = {.o = o,
                          .reader = {.tokenizer = t,
                                     .tpl = (enum chat_template)o->tpl,
                                     .max_tokens = o->max_tokens,
                                     .truncate = o->truncate,
                                     .no_eos = o->no_eos}};
    struct jsonl_filter filter = {.self = &enc, .process = o->show_mask ? show_mask : add_tokens};
    int rc = o->format == FORMAT_SHARD && !o->show_mask
                 ? write_shard(&enc, files, n_files, err)
                 : jsonl_run(&filter, files, n_files, err);
    tokenizer_free(t);
    return rc;
}

static void check_options(struct options *o)
{
    if (!o->tokenizer)
        tool_usage_error("--tokenizer is missing: the folder of tokenizer.json");
    if (o->truncate && o->max_tokens == 0)
        tool_usage_error("--truncate needs --max-tokens");
    if (o->format == FORMAT_AUTO) /* a shard is never for the eye */
        o->format = !o->out && isatty(STDOUT_FILENO) ? FORMAT_JSONL : FORMAT_SHARD;
    if (o->out && (o->format != FORMAT_SHARD || o->show_mask))
        tool_usage_error("--out is for --format shard; JSON lines and --show-mask go to standard "
                         "output");
    o->color = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
}

int main(int argc, char **argv)
{
    struct options o = {.blob_tokens = 1 << 20};
    struct opt table[] = {
        OPT_GROUP("Encoding"),
        OPT_STR('t', "tokenizer", &o.tokenizer, "DIR", "folder with tokenizer.json, or that file"),
        OPT_ENUM(0, "template", &o.tpl, "NAME", "auto, chatml, chatml-think or plain",
                 chat_template_names),
        OPT_FLAG(0, "no-eos", &o.no_eos, "do not end texts and string completions in eos"),
        OPT_INT(0, "max-tokens", &o.max_tokens, "N", "longer records are bad (0: no limit)", 0, 1e9),
        OPT_FLAG(0, "truncate", &o.truncate, "cut longer records at --max-tokens instead"),
        OPT_GROUP("Output"),
        OPT_ENUM(0, "format", &o.format, "NAME", "shard, jsonl or auto (jsonl on a terminal)",
                 formats),
        OPT_STR('o', "out", &o.out, "FILE", "write the shard to FILE, compressed by its suffix"),
        OPT_INT(0, "blob-tokens", &o.blob_tokens, "N", "tokens after which a new blob begins", 1, 1e9),
        OPT_FLAG(0, "show-mask", &o.show_mask, "print the text, trained parts in [brackets]"),
        OPT_TABLE(jsonl_option_table),
        OPT_TABLE(tool_common_options),
        OPT_END,
    };
    const char **files;
    int n_files = tool_begin(&tool, table, argc, argv, &files);
    check_options(&o);
    struct err err = {0};
    int rc = run(&o, files, n_files, &err);
    return tool_finish(rc, &err);
}
