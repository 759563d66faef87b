/* model-convert - a model into another format or number type. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/tool.h"
#include "model/convert.h"

static const struct tool tool = {
    .name = "model-convert",
    .purpose = "convert a model between a Hugging Face folder and a GGUF file, or change its dtype",
    .usage = "[options] --out DIR|FILE.gguf DIR|FILE.gguf",
    .example = "model-convert --dtype q8_0 --out sft.gguf sft",
};

static const struct opt_enum types[] = {{"auto", -1},        {"f32", GGML_F32},   {"f16", GGML_F16},
                                        {"bf16", GGML_BF16}, {"q8_0", GGML_Q8_0}, {NULL, 0}};

/* Of a split file, the parts behind the first are inputs. */
static int add_parts(json_t *lineage, const struct gguf_file *f, struct err *err)
{
    char digest[40];

    for (int i = 1; i < f->n_parts; i++) {
        if (file_digest(f->part_paths[i], digest, err) < 0)
            return -1;
        lineage_add_input(lineage, f->part_paths[i], digest);
    }
    return 0;
}

/* The parent is named by the path and the digest of its weights, with what it knows of its own. */
static json_t *make_lineage(const struct model_source *s, struct err *err)
{
    char digest[40], *text = NULL;
    json_t *lineage, *own = NULL;

    if (!s->is_gguf)
        return lineage_new(s->path, err);
    if (file_digest(s->path, digest, err) < 0)
        return NULL;
    if (gguf_get_str(&s->gguf, "thinkpipe.lineage", &text, err) < 0) {
        err_prefix(err, "%s", s->path);
        return NULL;
    }
    lineage = lineage_new(NULL, err);
    if (lineage) {
        struct err ignored = {0};
        own = text ? json_parse(text, strlen(text), &ignored) : NULL;
        if (ignored.set)
            log_warn("%s: its lineage is not JSON: ignored", s->path);
        lineage_add_parent(lineage, s->path, digest, own);
    }
    if (lineage && add_parts(lineage, &s->gguf, err) < 0) {
        json_decref(lineage);
        lineage = NULL;
    }
    json_decref(own);
    free(text);
    return lineage;
}

static int run(const char *from, const char *out, struct convert_options *o, struct err *err)
{
    struct model_source s;
    int rc = -1;

    if (!path_is_gguf(out) && checkpoint_exists(out))
        return err_set(err, "%s already holds a checkpoint", out);
    if (model_source_open(&s, from, err) < 0)
        return -1;
    o->lineage = make_lineage(&s, err);
    if (o->lineage)
        rc = path_is_gguf(out) ? convert_to_gguf(&s, out, o, err) : convert_to_dir(&s, out, o, err);
    if (rc == 0)
        log_info("%s of %d tensors in %s", model_arch_name(s.cfg.arch), s.n_params, out);
    json_decref(o->lineage);
    model_source_release(&s);
    return rc;
}

int main(int argc, char **argv)
{
    struct convert_options o = {.type = -1};
    const char *out = NULL, **operands;
    const struct opt table[] = {
        OPT_GROUP("Result"),
        OPT_STR(0, "out", &out, "DIR|FILE", "a new model folder, or a file if it ends in .gguf"),
        OPT_ENUM(0, "dtype", &o.type, "TYPE", "numbers of the matrices; auto: as they are", types),
        OPT_INT(0, "shard-size", &o.shard_bytes, "BYTES",
                "most bytes of weights in a file; 0: one file", 0, 1e15),
        OPT_STR(0, "name", &o.name, "TEXT", "the model's name in a GGUF file; its file name if not given"),
        OPT_FLAG(0, "no-tokenizer", &o.no_tokenizer, "leave the tokenizer out"),
        OPT_TABLE(tool_common_options),
        OPT_END,
    };
    struct err err = {0};

    if (tool_begin(&tool, table, argc, argv, &operands) != 1)
        tool_usage_error("one model to convert is needed");
    if (!out)
        tool_usage_error("--out is needed");
    if (!path_is_gguf(out) && o.type == GGML_Q8_0)
        tool_usage_error("--dtype q8_0 needs --out FILE.gguf: a folder cannot hold it");
    if (!path_is_gguf(out) && o.name)
        tool_usage_error("--name is for a GGUF file, not for a folder");
    return tool_finish(run(operands[0], out, &o, &err), &err);
}
