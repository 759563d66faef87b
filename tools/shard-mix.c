/* shard-mix - blends token shards by weights. */
#include <string.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/tool.h"
#include "data/blend.h"

static const struct tool tool = {
    .name = "shard-mix",
    .purpose = "blend token shards by weights into one",
    .usage = "--tokens N [options] [name=shard ...]",
    .example = "shard-mix --weights mixture.json --sources shards --tokens 10M >train.shard",
};

struct options {
    const char *weights, *sources, *out, *report;
    struct opt_list weight;
    int64_t tokens, blob_tokens;
};

static int check_weights(const json_t *weights, struct err *err)
{
    const char *name;
    json_t *weight;
    if (!json_is_object(weights))
        return err_set(err, "'weights' is %s, expected an object", json_type_name(weights));
    json_object_foreach((json_t *)(uintptr_t)weights, name, weight)
    {
        if (!json_is_number(weight))
            return err_set(err, "the weight of '%s' is %s, expected a number", name,
                           json_type_name(weight));
        if (json_number_value(weight) < 0)
            return err_set(err, "the weight of '%s' is %g, expected at least 0", name,
                           json_number_value(weight));
    }
    return 0;
}

/* name -> weight, from --weights and --weight. */
static json_t *load_weights(const struct options *o, struct err *err)
{
    json_t *weights = json_object();
    if (o->weights) {
        json_t *doc = json_load_path(o->weights, err);
        const json_t *given = json_object_get(doc, "weights");
        if (doc && check_weights(given, err) < 0)
            err_prefix(err, "%s", o->weights);
        else if (doc)
            json_object_update(weights, json_object_get(doc, "weights"));
        json_decref(doc);
    }
    for (int i = 0; !err->set && i < o->weight.n; i++) {
        const char *text = o->weight.items[i], *sign = strrchr(text, '=');
        double w = 0;
        if (!sign || sign == text || parse_float(sign + 1, 0, 1e300, &w, err) < 0)
            tool_usage_error("--weight '%s' is not NAME=NUMBER", text);
        char *name = xstrndup(text, (size_t)(sign - text));
        json_object_set_new(weights, name, json_real(w));
        free(name);
    }
    if (!err->set)
        return weights;
    json_decref(weights);
    return NULL;
}

/* The path of a domain's shard: its operand, else DIR/name.shard or DIR/name.shard.zst.  Owned. */
static char *find_source(const struct options *o, const char *name, const char **operands, int n,
                         struct err *err)
{
    size_t len = strlen(name);
    for (int i = 0; i < n; i++)
        if (strncmp(operands[i], name, len) == 0 && operands[i][len] == '=')
            return xstrdup(operands[i] + len + 1);
    for (int i = 0; o->sources && i < 2; i++) {
        char *path = xasprintf("%s/%s.shard%s", o->sources, name, i ? ".zst" : "");
        if (file_exists(path))
            return path;
        free(path);
    }
    err_set(err, "no shard for '%s': give '%s=PATH'%s%s", name, name,
            o->sources ? " or put it into " : "", o->sources ? o->sources : "");
    return NULL;
}

static int check_operands(const json_t *weights, const char **operands, int n, struct err *err)
{
    for (int i = 0; i < n; i++) {
        const char *sign = strchr(operands[i], '=');
        if (!sign || sign == operands[i])
            tool_usage_error("'%s' is not NAME=SHARD", operands[i]);
        char *name = xstrndup(operands[i], (size_t)(sign - operands[i]));
        if (!json_object_get(weights, name))
            err_set(err, "'%s' has no weight", name);
        free(name);
    }
    return err->set ? -1 : 0;
}

static int add_sources(const struct options *o, struct blend *b, json_t *weights,
                       const char **operands, int n, struct err *err)
{
    const char *name;
    json_t *weight;
    json_object_foreach(weights, name, weight)
    {
        double w = json_number_value(weight);
        char *path = w == 0 ? xstrdup("") : find_source(o, name, operands, n, err);
        int rc = path ? blend_add(b, name, path, w, err) : -1;
        free(path);
        if (rc < 0)
            return -1;
    }
    return 0;
}

static int report(const struct options *o, const struct blend *b, struct err *err)
{
    json_t *all = blend_report(b), *entry;
    const char *name;
    json_object_foreach(json_object_get(all, "domains"), name, entry)
        log_info("%s: %lld tokens, share %.4f of %.4f asked, %.2f epochs", name,
                 (long long)json_integer_value(json_object_get(entry, "tokens")),
                 json_number_value(json_object_get(entry, "share")),
                 json_number_value(json_object_get(entry, "weight")),
                 json_number_value(json_object_get(entry, "epochs")));
    int rc = o->report ? json_save_path(o->report, all, err) : 0;
    json_decref(all);
    return rc;
}

static int write_blend(const struct options *o, struct blend *b, struct err *err)
{
    struct shard_writer *w = shard_writer_open(o->out, o->blob_tokens, err);
    if (!w)
        return -1;
    if (blend_write(b, o->tokens, w, err) < 0) {
        shard_writer_abort(w);
        return -1;
    }
    tool_counts.in = blend_seqs_read(b);
    tool_counts.out = blend_seqs_written(b);
    return shard_writer_close(w, err) < 0 ? -1 : report(o, b, err);
}

static int run(const struct options *o, const char **operands, int n, struct err *err)
{
    json_t *weights = load_weights(o, err);
    if (!weights)
        return -1;
    struct blend *b = blend_new((uint64_t)tool_common.seed);
    int rc = check_operands(weights, operands, n, err);
    if (rc == 0)
        rc = add_sources(o, b, weights, operands, n, err);
    if (rc == 0)
        rc = write_blend(o, b, err);
    blend_free(b);
    json_decref(weights);
    return rc;
}

int main(int argc, char **argv)
{
    struct options o = {.blob_tokens = 1 << 20};
    struct opt table[] = {
        OPT_GROUP("Blend"),
        OPT_STR('w', "weights", &o.weights, "FILE", "JSON file {\"weights\": {name: weight, ...}}"),
        OPT_LIST(0, "weight", &o.weight, "NAME=W", "weight of one source (again for each)"),
        OPT_STR(0, "sources", &o.sources, "DIR", "look for NAME.shard or NAME.shard.zst in DIR"),
        OPT_INT(0, "tokens", &o.tokens, "N", "tokens to write (the last document is kept whole)", 1,
                0x1p53),
        OPT_GROUP("Output"),
        OPT_STR('o', "out", &o.out, "FILE",
                "write to FILE, compressed if it ends in .zst, .gz or .xz"),
        OPT_STR(0, "report", &o.report, "FILE", "write tokens, shares and epochs to FILE as JSON"),
        OPT_INT(0, "blob-tokens", &o.blob_tokens, "N", "tokens after which a new blob begins", 1,
                1e9),
        OPT_TABLE(tool_common_options),
        OPT_END,
    };
    const char **operands;
    int n = tool_begin(&tool, table, argc, argv, &operands);
    if (!opt_given("tokens"))
        tool_usage_error("--tokens is required");
    if (!o.weights && !o.weight.n)
        tool_usage_error("no weights: give --weights FILE or --weight NAME=W");
    struct err err = {0};
    int rc = run(&o, operands, n, &err);
    return tool_finish(rc, &err);
}
