/* model-info - shape, parameter counts and lineage of a checkpoint, as JSON. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/tool.h"
#include "data/jsonl.h"
#include "data/tokenizer.h"
#include "model/checkpoint.h"
#include "model/model.h"

static const struct tool tool = {
    .name = "model-info",
    .purpose = "print the shape, parameter counts and lineage of a checkpoint",
    .usage = "[options] DIR",
    .example = "model-info sft | jq .parameters.total",
};

/* Which part of the model a tensor belongs to, by its name in the checkpoint. */
static const char *part_of(const char *name)
{
    return strstr(name, "embed_tokens") ? "embedding"
           : strstr(name, "lm_head")    ? "head"
           : strstr(name, "norm")       ? "norms"
           : strstr(name, "self_attn")  ? "attention"
                                        : "mlp";
}

static json_t *count_parameters(const struct model *m)
{
    json_t *parts = json_object();

    for (int i = 0; i < m->n_params; i++) {
        const char *part = part_of(m->params[i].name);
        json_int_t n = json_integer_value(json_object_get(parts, part));
        json_object_set_new(parts, part, json_integer(n + m->params[i].numel));
    }
    json_object_set_new(parts, "total", json_integer(m->n_elements));
    return parts;
}

static int add_tokenizer(json_t *info, const char *dir, struct err *err)
{
    char *path = path_join(dir, "tokenizer.json");
    int rc = 0;

    if (file_exists(path)) {
        struct tokenizer *t = tokenizer_load(dir, err);
        rc = t ? 0 : -1;
        if (t)
            json_object_set_new(info, "tokenizer", json_pack("{s:i, s:s}", "vocab_size",
                                                             tokenizer_vocab_size(t), "digest",
                                                             tokenizer_digest(t)));
        tokenizer_free(t);
    }
    free(path);
    return rc;
}

static int run(const char *dir, struct err *err)
{
    struct model_options mo = {.precision = PRECISION_AUTO, .device = DEVICE_CPU};
    struct model *m = model_load(dir, &mo, err);
    const struct model_config *c;
    json_t *info, *lineage;
    int rc;

    if (!m)
        return -1;
    c = &m->cfg;
    info = json_pack("{s:s, s:o, s:o, s:s, s:I}", "architecture", model_arch_name(c->arch), "config",
                     model_config_json(c), "parameters", count_parameters(m), "dtype", c->dtype,
                     "kv_bytes_per_token",
                     (json_int_t)(2 * c->n_layers * c->n_kv_heads * c->head_dim *
                                  (int64_t)dtype_bytes(m->dev.dtype)));
    lineage = lineage_read(dir);
    if (lineage)
        json_object_set_new(info, "lineage", lineage);
    rc = add_tokenizer(info, dir, err);
    if (rc == 0)
        rc = jsonl_print(info, err);
    json_decref(info);
    model_free(m);
    return rc;
}

int main(int argc, char **argv)
{
    const struct opt table[] = {OPT_TABLE(tool_common_options), OPT_END};
    struct err err = {0};
    const char **operands;

    if (tool_begin(&tool, table, argc, argv, &operands) != 1)
        tool_usage_error("one checkpoint folder is needed");
    return tool_finish(run(operands[0], &err), &err);
}
