/* cost-plan - memory and compute of training and sampling, by context length. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/tool.h"
#include "data/jsonl.h"
#include "gen/engine.h"
#include "model/flops.h"
#include "model/shape.h"
#include "report/cost_table.h"
#include "train/trainer.h"

static const struct tool tool = {
    .name = "cost-plan",
    .purpose = "plan the memory and compute of a model by context length",
    .usage = "[options] [config.json|DIR ...]",
    .example = "cost-plan --like olmo3 --size 7B --stage rlvr --device gpu --precision bf16 --format table",
    .backend = dev_cpu_name,
};

enum stage { STAGE_PRETRAIN, STAGE_SFT, STAGE_DPO, STAGE_RLVR, STAGE_GENERATE };
static const struct opt_enum stage_names[] = {{"pretrain", STAGE_PRETRAIN}, {"sft", STAGE_SFT},
                                              {"dpo", STAGE_DPO}, {"rlvr", STAGE_RLVR},
                                              {"generate", STAGE_GENERATE}, {NULL, 0}};
static const char *const trainers[] = {"base-train", "sft-train", "dpo-train", "rlvr-train", NULL};
enum format { FORMAT_JSON, FORMAT_TABLE, FORMAT_SVG };
static const struct opt_enum format_names[] = {{"json", FORMAT_JSON}, {"table", FORMAT_TABLE},
                                               {"svg", FORMAT_SVG}, {NULL, 0}};
enum target { TARGET_CPU, TARGET_GPU };
static const struct opt_enum target_names[] = {{"cpu", TARGET_CPU}, {"gpu", TARGET_GPU}, {NULL, 0}};

struct options {
    int stage, format, target, precision, weights;
    struct opt_list contexts, variants;
    int64_t micro_tokens, batch, group, prompt;
    bool recompute;
};

/* One model in one variant at one context. */
struct point {
    const struct options *o;
    const char *model, *variant;
    const struct model_config *cfg;
    int64_t context, prompt;
    json_t *rows;
};

/* --- one row ----------------------------------------------------------------------------------- */

static json_t *flops_json(const struct flops *f)
{
    return json_pack("{s:f, s:f, s:f, s:f}", "products", f->products, "attention", f->attention, "head",
                     f->head, "total", flops_total(f));
}

static void add_row(const struct point *p, const char *program, const struct model *m, json_t *memory,
                    const struct flops *f)
{
    const struct model_config *c = p->cfg;
    int64_t kv = 2 * c->n_layers * c->n_kv_heads * c->head_dim * (int64_t)dtype_bytes(m->dev.dtype);
    json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:I}", "model", p->model, "stage",
                            stage_names[p->o->stage].name, "program", program, "variant", p->variant,
                            "context", (json_int_t)p->context);
    json_t *rest = json_pack("{s:I, s:I, s:I, s:s, s:I, s:o, s:o}", "parameters", (json_int_t)m->n_elements,
                             "n_kv_heads", (json_int_t)c->n_kv_heads, "sliding_window",
                             (json_int_t)c->sliding_window, "precision",
                             m->dev.dtype == DTYPE_BF16 ? "bf16" : "fp32", "kv_bytes_per_token",
                             (json_int_t)kv, "memory", memory, "flops_per_token", flops_json(f));

    json_object_update(row, rest);
    json_decref(rest);
    json_array_append_new(p->rows, row);
}

/* --- programs ---------------------------------------------------------------------------------- */

static struct model *outline(const struct point *p, bool trainable, struct err *err)
{
    const struct options *o = p->o;
    const struct model_options mo = {.precision = o->precision, .device = DEVICE_CPU, .trainable = trainable,
                                     .recompute = o->recompute, .weights = trainable ? WEIGHTS_EXACT : o->weights,
                                     .plan_gpu = o->target == TARGET_GPU};

    return model_outline(p->cfg, &mo, err);
}

/* Positions of a micro-batch of whole sequences (pairs of them for dpo-train), one more than fits never. */
static int64_t micro_rows(const struct point *p)
{
    int64_t unit = p->o->stage == STAGE_DPO ? 2 * p->context : p->context;

    if (p->o->stage == STAGE_PRETRAIN) /* a batch is cut where it is full, within a sequence */
        return p->o->micro_tokens;
    return p->o->micro_tokens > unit ? p->o->micro_tokens / unit * unit : unit;
}

static int64_t longest(const struct point *p)
{
    int64_t rows = micro_rows(p);

    return p->context < rows ? p->context : rows;
}

/* Forward and backward of a position; in RL what a generated token costs, with its share of the prompt. */
static struct flops trainer_flops(const struct point *p)
{
    struct flops all = flops_training(p->cfg, 0, p->context, p->o->recompute), f = {0};
    bool rl = p->o->stage == STAGE_RLVR;
    double tokens = (double)(rl ? p->context - p->prompt : p->context);

    if (rl) /* prompts are not trained on and do not go through the head */
        all.head *= tokens / (double)p->context;
    flops_add(&f, &all, 1 / tokens);
    return f;
}

/* A generated token, with its share of a prompt that the group reads once. */
static struct flops generator_flops(const struct point *p)
{
    struct flops prompt = flops_forward(p->cfg, 0, p->prompt), own = flops_forward(p->cfg, p->prompt, p->context);
    struct flops f = {0};
    double tokens = (double)(p->context - p->prompt);

    prompt.head = 0;
    flops_add(&f, &own, 1 / tokens);
    flops_add(&f, &prompt, 1 / tokens / (double)p->o->group);
    return f;
}

static int plan_trainer(const struct point *p, json_t **memory, struct err *err)
{
    struct model *m = outline(p, true, err);

    if (!m)
        return -1;
    struct memory_plan plan = train_memory_plan(m, micro_rows(p), longest(p), p->o->stage == STAGE_RLVR);
    struct flops f = trainer_flops(p);
    *memory = memory_plan_json(&plan);
    add_row(p, trainers[p->o->stage], m, json_incref(*memory), &f);
    model_free(m);
    return 0;
}

/* The two programs of RL run at once: the sum, member by member. */
static void add_both(const struct point *p, const struct model *m, const json_t *trainer, const json_t *generator)
{
    json_t *both = json_deep_copy(trainer), *value;
    struct flops f = trainer_flops(p), g = generator_flops(p);
    const char *key;

    json_object_foreach(both, key, value)
        json_integer_set(value, json_integer_value(value) + json_integer_value(json_object_get(generator, key)));
    flops_add(&f, &g, 1);
    add_row(p, "all", m, both, &f);
}

static int plan_generator(const struct point *p, const json_t *trainer, struct err *err)
{
    const struct options *o = p->o;
    struct model *m = outline(p, false, err);
    struct engine_load load = {.slots = o->batch, .group = o->group, .prompt = p->prompt,
                               .max_tokens = p->context - p->prompt, .follows = o->stage == STAGE_RLVR};

    if (!m)
        return -1;
    struct memory_plan plan = engine_memory_plan(m, &load);
    struct flops f = generator_flops(p);
    json_t *memory = memory_plan_json(&plan);
    add_row(p, "rollout-gen", m, json_incref(memory), &f);
    if (trainer)
        add_both(p, m, trainer, memory);
    json_decref(memory);
    model_free(m);
    return 0;
}

static int plan_point(struct point *p, struct err *err)
{
    json_t *trainer = NULL;
    int rc = 0;

    if (p->o->stage != STAGE_GENERATE)
        rc = plan_trainer(p, &trainer, err);
    if (rc == 0 && p->o->stage >= STAGE_RLVR)
        rc = plan_generator(p, trainer, err);
    json_decref(trainer);
    return rc;
}

/* --- variants ---------------------------------------------------------------------------------- */

/* The number after "gqa:" or "swa:", or the default without one. */
static int variant_number(const char *part, int64_t fallback, int64_t *out, struct err *err)
{
    *out = fallback;
    if (!part[3])
        return 0;
    return parse_int(part + 4, 1, 1 << 28, out, err);
}

/* The config's own where it has groups, else the most that leave four heads or more to each. */
static int64_t usual_kv_heads(const struct model_config *c)
{
    int64_t n = c->n_heads >= 4 ? c->n_heads / 4 : 1;

    while (c->n_heads % n)
        n--;
    return c->n_kv_heads < c->n_heads ? c->n_kv_heads : n;
}

static int change_part(struct model_config *c, const char *part, struct err *err)
{
    int64_t n;

    if (!strcmp(part, "config"))
        return 0;
    if (!strcmp(part, "mha") || !strcmp(part, "mqa")) {
        c->n_kv_heads = part[1] == 'h' ? c->n_heads : 1;
        return 0;
    }
    bool gqa = !strncmp(part, "gqa", 3), swa = !strncmp(part, "swa", 3);
    if ((!gqa && !swa) || (part[3] && part[3] != ':'))
        return err_set(err, "--variant '%s' is not config, mha, mqa, gqa[:N] or swa[:N]", part);
    if (variant_number(part, swa ? 4096 : usual_kv_heads(c), &n, err) < 0)
        return err_prefix(err, "--variant '%s'", part);
    if (swa) {
        c->sliding_window = n;
        for (int64_t i = 0; i < c->n_layers; i++)
            c->sliding[i] = (i + 1) % 4 != 0;
        return 0;
    }
    if (c->n_heads % n)
        return err_set(err, "--variant '%s': %lld heads cannot share %lld key-value heads", part,
                       (long long)c->n_heads, (long long)n);
    c->n_kv_heads = n;
    return 0;
}

/* Parts joined by '+', as in gqa:8+swa:4096. */
static int change_variant(struct model_config *c, const char *variant, struct err *err)
{
    char *copy = xstrdup(variant), *rest = copy, *part;
    int rc = 0;

    while (rc == 0 && (part = strsep(&rest, "+")))
        rc = change_part(c, part, err);
    free(copy);
    if (rc < 0)
        err->status = EXIT_USAGE;
    return rc;
}

static bool same_attention(const struct model_config *a, const struct model_config *b)
{
    return a->n_kv_heads == b->n_kv_heads && a->sliding_window == b->sliding_window;
}

static int plan_variant(const struct options *o, const char *model, const char *variant,
                        const struct model_config *cfg, json_t *rows, struct err *err)
{
    struct model_config c = *cfg;
    int rc = change_variant(&c, variant, err);

    if (rc == 0 && !opt_given("variant") && strcmp(variant, "config") != 0 && same_attention(&c, cfg))
        return 0;
    for (int i = 0; rc == 0 && i < o->contexts.n; i++) {
        struct point p = {.o = o, .model = model, .variant = variant, .cfg = &c, .rows = rows};
        if (parse_int(o->contexts.items[i], 2, 1 << 28, &p.context, err) < 0) {
            err_prefix(err, "--context");
            err->status = EXIT_USAGE;
            return -1;
        }
        c.max_seq_len = p.context > c.max_seq_len ? p.context : c.max_seq_len;
        p.prompt = o->prompt < p.context ? o->prompt : p.context / 2;
        rc = plan_point(&p, err);
    }
    return rc;
}

/* --- models ------------------------------------------------------------------------------------ */

static int read_operand(const char *path, struct model_config *c, struct err *err)
{
    char *file = dir_exists(path) ? path_join(path, "config.json") : xstrdup(path);
    json_t *config = json_load_path(file, err);
    int rc = config ? 0 : -1;

    if (rc == 0 && (shape_change(config, err) < 0 || model_config_parse(c, config, err) < 0))
        rc = err_prefix(err, "%s", file);
    json_decref(config);
    free(file);
    return rc;
}

static int plan_model(const struct options *o, const char *path, json_t *rows, struct err *err)
{
    struct model_config c;
    char *name = path ? xstrdup(path) : xasprintf("%s-%s", shape_options.like, shape_options.size);
    json_t *config = path ? NULL : shape_from_ladder(0, err);
    int rc = path ? read_operand(path, &c, err) : config ? model_config_parse(&c, config, err) : -1;

    for (int i = 0; rc == 0 && i < o->variants.n; i++)
        rc = plan_variant(o, name, o->variants.items[i], &c, rows, err);
    json_decref(config);
    free(name);
    return rc;
}

static int print(const struct options *o, const json_t *rows, struct err *err)
{
    struct strbuf out = {0};
    json_t *row;
    size_t i;

    if (o->format == FORMAT_JSON) {
        json_array_foreach(rows, i, row)
            if (jsonl_print(row, err) < 0)
                return -1;
        return 0;
    }
    if (o->format == FORMAT_TABLE)
        cost_table(&out, rows);
    else
        cost_chart(&out, rows);
    int rc = fwrite(out.buf, 1, out.len, stdout) == out.len ? 0 : err_errno(err, "cannot write standard output");
    tool_counts.out = (int64_t)json_array_size(rows);
    strbuf_release(&out);
    return rc;
}

static int run(struct options *o, const char **paths, int n, struct err *err)
{
    static const char *default_contexts[] = {"1024", "4096", "16384", "65536"};
    static const char *default_variants[] = {"config", "mha", "gqa", "gqa+swa"};
    json_t *rows = json_array();
    int rc = 0;

    if (o->contexts.n == 0)
        o->contexts = (struct opt_list){.n = ARRAY_SIZE(default_contexts), .items = default_contexts};
    if (o->variants.n == 0)
        o->variants = (struct opt_list){.n = ARRAY_SIZE(default_variants), .items = default_variants};
    if (n == 0)
        rc = plan_model(o, NULL, rows, err);
    for (int i = 0; rc == 0 && i < n; i++) {
        rc = plan_model(o, paths[i], rows, err);
        tool_counts.in++;
    }
    if (rc == 0)
        rc = print(o, rows, err);
    json_decref(rows);
    return rc;
}

int main(int argc, char **argv)
{
    struct options o = {.micro_tokens = 4096, .batch = 64, .group = 8, .prompt = 512};
    const struct opt table[] = {
        OPT_GROUP("Plan"),
        OPT_ENUM(0, "stage", &o.stage, "NAME", "pretrain, sft, dpo, rlvr or generate", stage_names),
        OPT_LIST(0, "context", &o.contexts, "N", "tokens of a sequence (repeatable; 1024 to 65536)"),
        OPT_LIST(0, "variant", &o.variants, "NAME",
                 "config, mha, mqa, gqa[:N], swa[:N], joined by + (repeatable)"),
        OPT_ENUM(0, "format", &o.format, "F", "json lines, an aligned table, or an svg picture", format_names),
        OPT_ENUM(0, "precision", &o.precision, "P", "fp32, bf16 or auto (the config's)", precision_names),
        OPT_ENUM(0, "device", &o.target, "D", "cpu, with packed copies of the weights, or gpu", target_names),
        OPT_ENUM(0, "weights", &o.weights, "W", "of the generator: exact or int8", weights_names),
        OPT_INT(0, "micro-tokens", &o.micro_tokens, "N", "most positions in a micro-batch", 1, 1e9),
        OPT_FLAG(0, "recompute", &o.recompute, "trainers run the layers again in the backward, to save memory"),
        OPT_INT(0, "batch", &o.batch, "N", "sequences that are generated at once", 1, 65536),
        OPT_INT('n', "group", &o.group, "G", "completions of each prompt", 1, 1e6),
        OPT_INT(0, "prompt-tokens", &o.prompt, "N", "tokens of a prompt; half of a context that is not longer", 1, 1e9),
        OPT_TABLE(shape_option_table),
        OPT_TABLE(tool_common_options),
        OPT_END,
    };
    struct err err = {0};
    const char **paths;
    int n = tool_begin(&tool, table, argc, argv, &paths);

    if (!shape_options.like != !shape_options.size)
        tool_usage_error("--like and --size go together");
    if (shape_options.like ? n > 0 : n == 0)
        tool_usage_error("config.json files or folders are needed, or --like and --size");
    return tool_finish(run(&o, paths, n, &err), &err);
}
