/* eval.c - the tasks of model-eval and the layout of their results. */
#include "gen/eval.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/tool.h"
#include "data/tokenizer.h"
#include "model/vocab.h"

const struct opt_enum eval_task_names[] = {
    {"bpb", EVAL_BPB}, {"choice", EVAL_CHOICE}, {"pass", EVAL_PASS}, {NULL, 0}};

int eval_parse_k(struct eval_options *o, const char *list, struct err *err)
{
    o->n_k = 0;
    for (const char *p = list;; p++) {
        size_t n = strcspn(p, ",");
        char *word = xstrndup(p, n);
        int64_t k;
        int rc = parse_int(word, 1, 1e6, &k, err);
        free(word);
        if (rc < 0)
            return -1;
        if (o->n_k == EVAL_MAX_K)
            return err_set(err, "more than %d values of k", EVAL_MAX_K);
        o->k[o->n_k++] = k;
        p += n;
        if (!*p)
            return 0;
    }
}

/* The object root[section][task], made when it is not there. */
static json_t *section(struct eval *e, const char *name, const char *task)
{
    json_t *all = json_object_get(e->root, name);
    json_t *one = json_object_get(all, task);
    if (!one) {
        one = json_object();
        json_object_set_new(all, task, one);
    }
    return one;
}

static void set_value(json_t *obj, const char *metric, const char *suffix, json_t *value)
{
    char *key = xasprintf("%s%s,none", metric, suffix);
    json_object_set_new(obj, key, value);
    free(key);
}

void eval_metric(struct eval *e, const char *task, const char *metric, double value, double error,
                 bool higher_is_better)
{
    json_t *results = section(e, "results", task);
    if (!json_object_get(results, "alias"))
        json_object_set_new(results, "alias", json_string(task));
    set_value(results, metric, "", json_number(value));
    set_value(results, metric, "_stderr", isfinite(error) ? json_number(error) : json_string("N/A"));
    json_object_set_new(section(e, "higher_is_better", task), metric,
                        json_boolean(higher_is_better));
    if (isfinite(error))
        log_debug("%-24s %-16s %12.6f +- %.6f", task, metric, value, error);
    else
        log_debug("%-24s %-16s %12.6f", task, metric, value);
}

void eval_samples(struct eval *e, const char *task, int64_t n)
{
    eval_count(e, task, "original", n);
    eval_count(e, task, "effective", n);
}

void eval_count(struct eval *e, const char *task, const char *what, int64_t n)
{
    json_object_set_new(section(e, "n-samples", task), what, json_integer(n));
}

/* NAME=FILE, or FILE whose name up to its first dot is the task's. */
static char *task_name(const char *operand, const char **path)
{
    const char *equals = strchr(operand, '=');
    *path = operand;
    if (equals && equals > operand && !memchr(operand, '/', (size_t)(equals - operand))) {
        *path = equals + 1;
        return xstrndup(operand, (size_t)(equals - operand));
    }
    const char *base = strrchr(operand, '/') ? strrchr(operand, '/') + 1 : operand;
    if (strcmp(base, "-") == 0)
        return xstrdup("stdin");
    return xstrndup(base, strcspn(base + 1, ".") + 1);
}

static int run_task(struct eval *e, const char *operand, struct err *err)
{
    const char *path;
    char *name = task_name(operand, &path);
    int rc;
    if (json_object_get(json_object_get(e->root, "results"), name)) {
        err->status = EXIT_USAGE;
        rc = err_set(err, "two tasks have the name '%s': write NAME=FILE", name);
    } else if (e->o->task == EVAL_BPB) {
        rc = eval_bpb(e, name, path, err);
    } else if (e->o->task == EVAL_CHOICE) {
        rc = eval_choice(e, name, path, err);
    } else {
        rc = eval_pass(e, name, path, err);
    }
    json_object_set_new(json_object_get(e->root, "versions"), name, json_integer(1));
    json_object_set_new(json_object_get(e->root, "n-shot"), name, json_integer(0));
    free(name);
    return rc;
}

static int load(struct eval *e, struct err *err)
{
    const struct eval_options *o = e->o;
    struct model_options mo = {.precision = o->precision, .device = o->device,
                               .weights = o->weights};
    int64_t vocab_size;
    if (vocab_load(o->model, &vocab_size, &e->tokenizer, err) == 0)
        e->model = model_load(o->model, &mo, err);
    if (!e->model)
        return -1;
    e->seq_len = o->seq_len > 0 ? o->seq_len : e->model->cfg.max_seq_len;
    if (e->seq_len > e->model->cfg.max_seq_len)
        return err_set(err, "--seq-len is %lld, the model takes %lld", (long long)e->seq_len,
                       (long long)e->model->cfg.max_seq_len);
    if (e->tokenizer) {
        int32_t bos = tokenizer_bos(e->tokenizer);
        e->prefix = bos >= 0 ? bos : tokenizer_eos(e->tokenizer);
    }
    return 0;
}

static json_t *new_results(void)
{
    static const char *const sections[] = {"results", "configs", "versions", "n-shot",
                                           "higher_is_better", "n-samples", "config"};
    json_t *root = json_object();
    for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
        json_object_set_new(root, sections[i], json_object());
    return root;
}

/* No clock and no host name: the same inputs give the same bytes. */
static void describe(const struct eval *e)
{
    const struct eval_options *o = e->o;
    json_t *config = json_object_get(e->root, "config");
    json_object_set_new(config, "task", json_string(eval_task_names[o->task].name));
    json_object_set_new(config, "random_seed", json_integer((json_int_t)o->seed));
    if (!e->model) {
        json_object_set_new(config, "threshold", json_number(o->threshold));
        json_object_set_new(config, "resamples", json_integer(o->resamples));
        return;
    }
    json_object_set_new(config, "model", json_string(o->model));
    json_object_set_new(config, "precision",
                        json_string(e->model->dev.dtype == DTYPE_BF16 ? "bf16" : "fp32"));
    json_object_set_new(config, "seq_len", json_integer(e->seq_len));
    json_object_set_new(e->root, "model_name", json_string(o->model));
    json_object_set_new(e->root, "model_source", json_string("thinkpipe"));
}

static int print_results(const struct eval *e, struct err *err)
{
    struct strbuf out = {0};
    json_write_pretty(&out, e->root);
    strbuf_addc(&out, '\n');
    int rc = 0;
    if (fwrite(out.buf, 1, out.len, stdout) != out.len)
        rc = err_errno(err, "cannot write standard output");
    tool_counts.out++;
    strbuf_release(&out);
    return rc;
}

int eval_run(const struct eval_options *o, const char **operands, int n, struct err *err)
{
    static const char *const standard_input = "-";
    struct eval e = {.o = o, .prefix = -1, .root = new_results()};
    int rc = o->task == EVAL_PASS ? 0 : load(&e, err);
    for (int i = 0; i < (n ? n : 1) && rc == 0; i++)
        rc = run_task(&e, n ? operands[i] : standard_input, err);
    if (rc == 0) {
        describe(&e);
        rc = print_results(&e, err);
    }
    json_decref(e.root);
    tokenizer_free(e.tokenizer);
    model_free(e.model);
    return rc;
}
