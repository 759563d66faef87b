/* model-init - a checkpoint with random weights, from a config.json or a family's ladder of sizes. */
#include <stdlib.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/tool.h"
#include "data/jsonl.h"
#include "data/tokenizer.h"
#include "model/checkpoint.h"
#include "model/model.h"
#include "model/shape.h"

static const struct tool tool = {
    .name = "model-init",
    .purpose = "make a checkpoint with random weights",
    .usage = "--config FILE | --like FAMILY --size N [options]",
    .example = "model-init --like olmo3 --size 30M --tokenizer tok --seed 1 --out model",
};

struct options {
    const char *config, *tokenizer, *out;
    bool print;
};

/* The vocabulary is the tokenizer's where the config does not say. */
static int fit_vocab(json_t *config, const struct tokenizer *t, struct err *err)
{
    int64_t vocab = 0;

    if (json_opt_int(config, "vocab_size", &vocab, err) < 0)
        return -1;
    if (vocab == 0)
        json_object_set_new(config, "vocab_size", json_integer(tokenizer_vocab_size(t)));
    else if (vocab < tokenizer_vocab_size(t))
        return err_set(err, "'vocab_size' is %lld, the tokenizer has %d tokens", (long long)vocab,
                       tokenizer_vocab_size(t));
    if (!json_object_get(config, "eos_token_id") && tokenizer_eos(t) >= 0)
        json_object_set_new(config, "eos_token_id", json_integer(tokenizer_eos(t)));
    return 0;
}

/* --config or the ladder's, with the changes of the command line. */
static json_t *start_config(const struct options *o, const struct tokenizer *t, struct err *err)
{
    json_t *config = o->config ? json_load_path(o->config, err)
                               : shape_from_ladder(t ? tokenizer_vocab_size(t) : 0, err);

    if (config && shape_change(config, err) < 0) {
        json_decref(config);
        err_prefix(err, "%s", o->config ? o->config : "the shape");
        return NULL;
    }
    return config;
}

/* The shape that the options describe. */
static int read_config(const struct options *o, struct model_config *cfg, struct err *err)
{
    struct tokenizer *t = NULL;
    json_t *config = NULL;
    int rc = 0;

    if (o->tokenizer && !(t = tokenizer_load(o->tokenizer, err)))
        rc = -1;
    if (rc == 0 && !(config = start_config(o, t, err)))
        rc = -1;
    if (rc == 0 &&
        ((t && fit_vocab(config, t, err) < 0) || model_config_parse(cfg, config, err) < 0))
        rc = err_prefix(err, "%s", o->config ? o->config : "the shape");
    tokenizer_free(t);
    json_decref(config);
    return rc;
}

static int print_config(const struct model_config *cfg, struct err *err)
{
    struct strbuf text = {0};
    json_t *config = model_config_json(cfg);

    json_write_pretty(&text, config);
    strbuf_addc(&text, '\n');
    int rc = fwrite(text.buf, 1, text.len, stdout) == text.len ? 0 : err_errno(err, "cannot write standard output");
    tool_counts.out++;
    strbuf_release(&text);
    json_decref(config);
    return rc;
}

static int write_model(const struct options *o, struct model *m, struct err *err)
{
    float *w = xaligned((size_t)m->n_elements * sizeof *w);
    json_t *lineage = lineage_new(NULL, err);
    struct checkpoint_write c = {.cfg = &m->cfg, .params = m->params, .n_params = m->n_params,
                                 .weights = w, .dtype = m->dev.dtype,
                                 .tokenizer_from = o->tokenizer, .lineage = lineage};
    struct atomic_dir d;
    int rc = -1;

    model_init_random(m, (uint64_t)tool_common.seed);
    model_get_weights(m, w);
    if (lineage && atomic_dir_open(&d, o->out, err) == 0) {
        rc = checkpoint_write(d.tmp, &c, err);
        if (rc == 0)
            rc = atomic_dir_commit(&d, CHECKPOINT_WEIGHTS, err);
        else
            atomic_dir_abort(&d);
    }
    if (rc == 0)
        log_info("%lld parameters in %s, %lld without embedding and head", (long long)m->n_elements, o->out,
                 (long long)shape_parameters(&m->cfg, false));
    json_decref(lineage);
    free(w);
    return rc;
}

static int run(const struct options *o, struct err *err)
{
    struct model_options mo = {.precision = PRECISION_AUTO, .device = DEVICE_CPU};
    struct model_config cfg;
    struct model *m = NULL;
    int rc = -1;

    if (!o->print && checkpoint_exists(o->out))
        return err_set(err, "%s already holds a checkpoint", o->out);
    if (read_config(o, &cfg, err) < 0)
        return -1;
    if (o->print)
        return print_config(&cfg, err);
    m = model_new(&cfg, &mo, err);
    if (m)
        rc = write_model(o, m, err);
    model_free(m);
    return rc;
}

int main(int argc, char **argv)
{
    struct options o = {0};
    const struct opt table[] = {
        OPT_GROUP("Model"),
        OPT_STR(0, "config", &o.config, "FILE", "config.json of the model"),
        OPT_STR(0, "tokenizer", &o.tokenizer, "DIR", "copy this tokenizer; its size is the vocabulary"),
        OPT_STR(0, "out", &o.out, "DIR", "folder of the new checkpoint"),
        OPT_FLAG(0, "print", &o.print, "print the config.json instead of making weights"),
        OPT_TABLE(shape_option_table),
        OPT_TABLE(tool_common_options),
        OPT_END,
    };
    struct err err = {0};
    const char **operands;

    if (tool_begin(&tool, table, argc, argv, &operands) > 0)
        tool_usage_error("unexpected operand '%s'", operands[0]);
    if (!shape_options.like != !shape_options.size)
        tool_usage_error("--like and --size go together");
    if (!o.config == !shape_options.like)
        tool_usage_error("one of --config and --like is needed");
    if (!o.out == !o.print)
        tool_usage_error("one of --out and --print is needed");
    return tool_finish(run(&o, &err), &err);
}
