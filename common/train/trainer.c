/* trainer.c - the one training loop: step, schedule, metrics, checkpoints, signals. */
#include "train/trainer.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/opt.h"
#include "base/stop.h"
#include "base/tool.h"
#include "model/checkpoint.h"
#include "model/memory.h"
#include "train/optimizer.h"
#include "train/resume.h"

struct train_options train_options = {
    .schedule = {.type = SCHEDULE_COSINE, .lr = 1e-4, .min_lr_ratio = 0.1, .warmup_ratio = 0.03,
                 .decay_ratio = 0.2, .warmup_steps = -1},
    .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .weight_decay = 0.1, .max_grad_norm = 1,
    .micro_tokens = 4096, .keep = 2, .max_bad_steps = 10,
};

static const struct opt_enum schedule_names[] = {{"cosine", SCHEDULE_COSINE},
                                                 {"linear", SCHEDULE_LINEAR},
                                                 {"constant", SCHEDULE_CONSTANT},
                                                 {"wsd", SCHEDULE_WSD},
                                                 {NULL, 0}};
#define T train_options
const struct opt train_option_table[] = {
    OPT_GROUP("Training"),
    OPT_STR(0, "model", &T.model, "DIR", "checkpoint to start from"),
    OPT_STR(0, "out", &T.out, "DIR", "folder of the run and its final checkpoint"),
    OPT_INT(0, "steps", &T.steps, "N", "optimiser steps (0: what the epochs give)", 0, 1e12),
    OPT_FLOAT(0, "lr", &T.schedule.lr, "X", "peak learning rate", 0, 1e3),
    OPT_ENUM(0, "schedule", &T.schedule.type, "NAME", "cosine, linear, constant or wsd", schedule_names),
    OPT_FLOAT(0, "min-lr-ratio", &T.schedule.min_lr_ratio, "X", "last learning rate over the peak", 0, 1),
    OPT_FLOAT(0, "warmup-ratio", &T.schedule.warmup_ratio, "X", "share of the steps that warm up", 0, 1),
    OPT_INT(0, "warmup-steps", &T.schedule.warmup_steps, "N", "steps that warm up (-1: by the ratio)", -1, 1e12),
    OPT_FLOAT(0, "decay-ratio", &T.schedule.decay_ratio, "X", "wsd: share of the steps that decay", 0, 1),
    OPT_FLOAT(0, "beta1", &T.beta1, "X", "AdamW beta1", 0, 1),
    OPT_FLOAT(0, "beta2", &T.beta2, "X", "AdamW beta2", 0, 1),
    OPT_FLOAT(0, "eps", &T.eps, "X", "AdamW epsilon", 0, 1),
    OPT_FLOAT(0, "weight-decay", &T.weight_decay, "X", "decoupled decay of matrices", 0, 100),
    OPT_FLOAT(0, "max-grad-norm", &T.max_grad_norm, "X", "clip gradients to this norm (0: never)", 0, 1e9),
    OPT_FLOAT(0, "z-loss", &T.z_loss, "X", "weight of z-loss, the squared log-sum-exp", 0, 1e3),
    OPT_INT(0, "micro-tokens", &T.micro_tokens, "N", "most positions in a micro-batch", 1, 1e9),
    OPT_FLAG(0, "recompute", &T.recompute, "less memory, more time: backwards run the layers again"),
    OPT_INT(0, "checkpoint-every", &T.checkpoint_every, "N", "steps between checkpoints (0: only the final)", 0, 1e12),
    OPT_INT(0, "keep", &T.keep, "N", "checkpoints kept on the way (0: all)", 0, 1e6),
    OPT_FLAG(0, "resume", &T.resume, "go on from the newest checkpoint in --out"),
    OPT_FLAG(0, "overwrite", &T.overwrite, "replace what --out holds"),
    OPT_INT(0, "max-bad-steps", &T.max_bad_steps, "N", "non-finite steps in a row that end the run", 1, 1e9),
    OPT_ENUM(0, "precision", &T.precision, "P", "fp32, bf16 or auto (the checkpoint's)", precision_names),
    OPT_ENUM(0, "device", &T.device, "D", "auto, cpu or cuda", device_names),
    OPT_END,
};
#undef T

int train_check_options(const struct train_options *o, struct err *err)
{
    if (!o->model || !o->out)
        err_set(err, "--model and --out are needed");
    else if (o->resume && o->overwrite)
        err_set(err, "--resume and --overwrite exclude each other");
    else if (same_directory(o->model, o->out))
        err_set(err, "--model and --out are the same directory");
    if (err->set)
        err->status = EXIT_USAGE;
    return err->set ? -1 : 0;
}

struct run {
    const struct train_options *o;
    struct batch_source *src;
    const struct loss_head *loss;
    const struct train_hooks *hooks;
    struct model *model;
    struct optimizer opt;
    struct train_state state;
    json_t *lineage;
    struct metrics metrics;
    float *logprobs, *entropy, *lse, *dlogprobs, *dz;
    int64_t cap, positions, bad_steps;
    double started;
    bool metrics_gone;
    struct memory_report memory;
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* What decides the result: the shared options and the program's own. */
static json_t *result_options(const struct train_options *o, const struct train_hooks *hooks)
{
    json_t *j = json_pack("{s:I, s:I, s:f, s:i, s:f, s:f, s:I, s:f}", "seed", (json_int_t)tool_common.seed,
                          "steps", (json_int_t)o->steps, "lr", o->schedule.lr, "schedule",
                          o->schedule.type, "min-lr-ratio", o->schedule.min_lr_ratio, "warmup-ratio",
                          o->schedule.warmup_ratio, "warmup-steps",
                          (json_int_t)o->schedule.warmup_steps, "decay-ratio", o->schedule.decay_ratio);
    json_t *rest = json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:i}", "beta1", o->beta1, "beta2",
                             o->beta2, "eps", o->eps, "weight-decay", o->weight_decay, "max-grad-norm",
                             o->max_grad_norm, "z-loss", o->z_loss, "micro-tokens",
                             (json_int_t)o->micro_tokens, "precision", o->precision);

    json_object_update(j, rest);
    json_decref(rest);
    if (hooks && hooks->options) {
        json_t *own = json_deep_copy(hooks->options);
        json_object_update(j, own);
        json_decref(own);
    }
    return j;
}

static struct memory_plan plan_use(struct model *m, const struct model_use *use, bool publishes)
{
    const size_t n = (size_t)m->n_elements;
    /* A checkpoint of bfloat16 is written from a rounded copy; who publishes keeps one of the masters. */
    size_t copies = (m->dev.dtype == DTYPE_BF16 ? 2 * n : 0) + (publishes ? n * sizeof(float) : 0);

    return memory_plan(m, use, optimizer_bytes(m), copies);
}

struct memory_plan train_memory_plan(struct model *m, int64_t rows, int64_t longest, bool publishes)
{
    return plan_use(m, &(struct model_use){.rows = rows, .longest = longest}, publishes);
}

/* Of a run of r with micro-batches of up to `rows`. */
static struct memory_plan plan_of(const struct run *r, struct model *m, int64_t rows, bool recompute,
                                  struct model_use *use)
{
    const int64_t most = m->cfg.max_seq_len;

    *use = (struct model_use){.rows = rows, .longest = rows < most ? rows : most, .recompute = recompute};
    return plan_use(m, use, r->hooks && r->hooks->live);
}

/* Adds the run with half of the micro-batch, a quarter and so on. */
static int add_smaller(const struct run *r, struct model *m, bool recompute, struct memory_way *ways)
{
    enum { LEAST_ROWS = 256 };
    struct model_use use;
    int n = 0;

    for (int64_t k = r->o->micro_tokens / 2; k >= LEAST_ROWS; k /= 2) {
        struct memory_way *w = &ways[n++];
        w->peak = plan_of(r, m, k, recompute, &use).peak;
        snprintf(w->options, sizeof w->options, "%s--micro-tokens %lld",
                 recompute && !r->o->recompute ? "--recompute " : "", (long long)k);
    }
    return n;
}

/* A GPU's memory, all that the run needs; or which options would fit into what there is. */
static int take_memory(struct model *m, const void *arg, struct err *err)
{
    const struct run *r = arg;
    const bool again = r->o->recompute;
    struct memory_way ways[64]; /* micro_tokens has 30 bits */
    struct model_use use, unused;
    int n = 0;
    const struct memory_plan plan = plan_of(r, m, r->o->micro_tokens, again, &use);

    if (!again)
        ways[n++] = (struct memory_way){"--recompute", plan_of(r, m, r->o->micro_tokens, true, &unused).peak};
    n += add_smaller(r, m, again, ways + n);
    if (!again)
        n += add_smaller(r, m, true, ways + n);
    return memory_take(m, &use, &plan, ways, n, err);
}

static struct model_options model_options_of(const struct run *r)
{
    return (struct model_options){.precision = r->o->precision, .device = r->o->device, .trainable = true,
                                  .recompute = r->o->recompute, .before_alloc = take_memory, .arg = r};
}

static int start_fresh(struct run *r, struct err *err)
{
    const struct model_options mo = model_options_of(r);
    float *w;
    int rc;

    r->model = model_load(r->o->model, &mo, err);
    if (!r->model)
        return -1;
    w = xaligned((size_t)r->model->n_elements * sizeof *w);
    rc = checkpoint_read_weights(r->o->model, r->model->params, r->model->n_params,
                                 r->model->cfg.tied_embeddings, w, err);
    if (rc == 0)
        rc = optimizer_init(&r->opt, r->model, w, err);
    free(w);
    return rc;
}

static int start_from(struct run *r, const char *dir, const json_t *options, struct err *err)
{
    const struct model_options mo = model_options_of(r);

    r->model = model_load(dir, &mo, err);
    if (!r->model || optimizer_init(&r->opt, r->model, NULL, err) < 0 ||
        train_state_load(dir, &r->state, &r->opt, err) < 0 ||
        train_state_check(&r->state, dir, options, err) < 0 ||
        r->src->load(r->src->self, r->state.source, err) < 0)
        return -1;
    log_info("resuming after step %lld from %s", (long long)r->state.step, dir);
    return 0;
}

static int start(struct run *r, struct err *err)
{
    json_t *options = result_options(r->o, r->hooks);
    char *dir = NULL;
    int rc = 0;

    if (r->o->resume) {
        rc = resume_clean(r->o->out, err);
        dir = rc == 0 ? resume_find(r->o->out) : NULL;
    } else if (resume_has_run(r->o->out)) {
        rc = r->o->overwrite ? resume_remove_run(r->o->out, err)
                             : err_set(err, "%s already holds a run: --resume goes on with it, --overwrite replaces it",
                                       r->o->out);
    }
    /* Only a damaged disk leaves a run without a whole checkpoint: not for us to replace. */
    if (rc == 0 && r->o->resume && !dir && resume_has_checkpoints(r->o->out))
        rc = err_set(err, "%s holds no whole checkpoint to resume from; --overwrite starts anew",
                     r->o->out);
    if (rc == 0)
        rc = dir ? start_from(r, dir, options, err) : start_fresh(r, err);
    json_decref(r->state.options);
    r->state.options = options;
    free(dir);
    return rc;
}

static int make_lineage(struct run *r, struct err *err)
{
    size_t i;
    json_t *in;

    r->lineage = lineage_new(r->o->model, err);
    if (!r->lineage)
        return -1;
    if (r->hooks && r->hooks->lineage_inputs)
        json_array_foreach(r->hooks->lineage_inputs, i, in)
            lineage_add_input(r->lineage, json_string_value(json_object_get(in, "path")),
                              json_string_value(json_object_get(in, "digest")));
    return 0;
}

static void note_position(struct run *r)
{
    json_decref(r->state.source);
    r->state.source = r->src->save(r->src->self);
}

/* What was read from a pipe has no name but a digest, which the source's position holds. */
static json_t *lineage_so_far(const struct run *r)
{
    json_t *lineage = json_deep_copy(r->lineage);
    const char *digest = json_string_value(json_object_get(r->state.source, "digest"));

    if (digest && json_array_size(json_object_get(lineage, "inputs")) == 0)
        lineage_add_input(lineage, "-", digest);
    return lineage;
}

/* As after the last step: state.source is the position noted then. */
static int save(struct run *r, bool done, struct err *err)
{
    json_t *lineage = lineage_so_far(r);
    struct checkpoint_save c = {.out = r->o->out, .optimizer = &r->opt, .state = &r->state,
                                .tokenizer_from = r->o->model, .lineage = lineage,
                                .keep = r->o->keep};
    int rc;

    r->state.done = done;
    rc = checkpoint_save(&c, err);
    json_decref(lineage);
    if (rc < 0)
        return -1;
    if (done || !r->hooks || !r->hooks->after_checkpoint)
        return 0;
    return r->hooks->after_checkpoint(r->hooks->self, r->state.step, r->state.source, err);
}

static void reserve(struct run *r, int64_t n)
{
    if (n <= r->cap)
        return;
    float **all[] = {&r->logprobs, &r->entropy, &r->lse, &r->dlogprobs, &r->dz};
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        *all[i] = xreallocarray(*all[i], (size_t)n, sizeof **all[i]);
    r->cap = n;
}

/* z-loss: z * weight * lse^2 of each trained token; backward wants the factor of lse^2. */
static void z_loss(struct run *r, const struct batch *b)
{
    for (int64_t q = 0; q < b->n_seqs; q++) {
        for (int64_t i = b->seq_start[q]; i < b->seq_start[q + 1]; i++) {
            double w = r->o->z_loss * (double)b->seq_weight[q] * (double)b->loss_mask[i];
            r->dz[i] = (float)w;
            metrics_sum(&r->metrics, "z_loss", w * (double)r->lse[i] * (double)r->lse[i]);
        }
    }
}

static int micro_step(struct run *r, int i, struct err *err)
{
    struct batch b;

    if (r->src->micro_batch(r->src->self, i, &b, err) < 0)
        return -1;
    if (b.n_tokens == 0)
        return 0;
    reserve(r, b.n_tokens);
    if (model_forward(r->model, &b, &(struct forward_out){r->logprobs, r->entropy, r->lse}, err) < 0)
        return -1;
    r->loss->eval(r->loss->opt, &b, r->logprobs, r->dlogprobs, &r->metrics);
    if (r->o->z_loss > 0)
        z_loss(r, &b);
    for (int64_t t = 0; t < b.n_tokens; t++)
        if (b.loss_mask[t] != 0)
            metrics_add(&r->metrics, "entropy", (double)r->entropy[t], 1);
    r->positions += b.n_tokens;
    return model_backward(r->model, &b, r->dlogprobs, r->o->z_loss > 0 ? r->dz : NULL, err);
}

/* A step with a non-finite gradient is left out; several in a row mean that the run is lost. */
static int update(struct run *r, struct err *err)
{
    const struct train_options *o = r->o;
    struct optimizer_options oo = {o->beta1, o->beta2, o->eps, o->weight_decay, o->max_grad_norm};
    double norm = optimizer_grad_norm(&r->opt), lr = schedule_lr(&o->schedule, r->state.step, o->steps);

    metrics_add(&r->metrics, "learning_rate", lr, 1);
    metrics_add(&r->metrics, "grad_norm", norm, 1);
    if (isfinite(norm)) {
        r->bad_steps = 0;
        optimizer_step(&r->opt, &oo, lr, norm);
        return 0;
    }
    r->state.skipped_steps++;
    log_warn("step %lld: the gradient is not finite; step skipped", (long long)r->state.step + 1);
    if (++r->bad_steps >= o->max_bad_steps)
        return err_set(err, "%lld non-finite steps in a row; the last checkpoint is kept", (long long)r->bad_steps);
    return 0;
}

/* seconds: that the step took; negative for what is no step. */
static void print_metrics(struct run *r, double seconds)
{
    json_t *j = json_object();
    struct strbuf line = {0};

    json_object_set_new(j, "step", json_integer(r->state.step));
    json_object_set_new(j, "time", json_number(now()));
    metrics_json(&r->metrics, j);
    if (seconds >= 0) {
        json_object_set_new(j, "num_tokens", json_integer(r->state.num_tokens));
        json_object_set_new(j, "tokens_per_second",
                            json_number(round((double)r->positions / seconds)));
    }
    json_write(&line, j);
    strbuf_addc(&line, '\n');
    if (!r->metrics_gone && (fwrite(line.buf, 1, line.len, stdout) != line.len || fflush(stdout) != 0)) {
        r->metrics_gone = true;
        tool_abandon_stdout();
        log_warn("the reader of the metrics went away; training goes on");
    }
    if (seconds >= 0)
        progress("step", r->state.step, r->o->steps, "loss %.4f", metrics_get(&r->metrics, "loss"));
    strbuf_release(&line);
    json_decref(j);
}

/* 1 = a step was made, 0 = the data ended, -1. */
static int step(struct run *r, struct err *err)
{
    double began = now();
    int n_micro;

    metrics_clear(&r->metrics);
    r->positions = 0;
    n_micro = r->src->plan_step(r->src->self, r->state.step, &r->metrics, err);
    if (n_micro <= 0)
        return n_micro;
    model_zero_grads(r->model);
    for (int i = 0; i < n_micro; i++)
        if (micro_step(r, i, err) < 0)
            return -1;
    if (r->positions > 0 && update(r, err) < 0)
        return -1;
    r->state.step++;
    r->state.updates = r->opt.updates;
    r->state.num_tokens += r->positions;
    tool_counts.out++;
    if (r->hooks && r->hooks->evaluate &&
        r->hooks->evaluate(r->hooks->self, r->model, r->state.step, r->state.step == r->o->steps,
                           &r->metrics, err) < 0)
        return -1;
    print_metrics(r, now() - began);
    if (r->hooks && r->hooks->after_step &&
        r->hooks->after_step(r->hooks->self, r->model, r->state.step, err) < 0)
        return -1;
    return 1;
}

/* Between two steps, or while the source waited for its input: that step has not begun. */
static int stop_here(struct run *r, int64_t first, struct err *err)
{
    err_clear(err);
    if (r->state.step > first && save(r, false, err) < 0)
        return -1;
    err_set(err, "stopped after step %lld; --resume goes on", (long long)r->state.step);
    err->status = EXIT_RESUMABLE;
    return -1;
}

/* The data ended before the last step that was asked for: what that one would have measured. */
static int measure_end(struct run *r, struct err *err)
{
    metrics_clear(&r->metrics);
    if (!r->hooks || !r->hooks->evaluate)
        return 0;
    if (r->hooks->evaluate(r->hooks->self, r->model, r->state.step, true, &r->metrics, err) < 0)
        return -1;
    if (r->metrics.n > 0)
        print_metrics(r, -1);
    return 0;
}

static int check_end(const struct run *r, struct err *err)
{
    if (r->state.step == 0)
        return err_set(err, "the input ended before there was enough for one step");
    log_warn("the input ended after step %lld of %lld", (long long)r->state.step,
             (long long)r->o->steps);
    return 0;
}

static int loop(struct run *r, struct err *err)
{
    const struct train_options *o = r->o;
    const int64_t first = r->state.step;
    int rc = 1;

    while (rc > 0 && (o->steps == 0 || r->state.step < o->steps)) {
        rc = step(r, err);
        if (rc < 0 && err->status != EXIT_RESUMABLE)
            return -1;
        if (rc >= 0)
            note_position(r);
        if (rc < 0 || stop_requested())
            return stop_here(r, first, err);
        if (rc == 0 && (check_end(r, err) < 0 || measure_end(r, err) < 0))
            return -1;
        if (rc == 0 && r->hooks && r->hooks->live && r->state.step > first && save(r, false, err) < 0)
            return -1;
        bool due = o->checkpoint_every > 0 && r->state.step % o->checkpoint_every == 0 &&
                   r->state.step != o->steps;
        if (rc > 0 && (stop_checkpoint_requested() || due) && save(r, false, err) < 0)
            return -1;
    }
    progress_end();
    return save(r, true, err);
}

static void release(struct run *r)
{
    free(r->logprobs);
    free(r->entropy);
    free(r->lse);
    free(r->dlogprobs);
    free(r->dz);
    json_decref(r->lineage);
    train_state_release(&r->state);
    if (r->model)
        optimizer_release(&r->opt);
    model_free(r->model);
}

static int begin(struct run *r, struct err *err)
{
    const struct train_hooks *h = r->hooks;
    struct model_use use;

    r->memory = memory_report_begin();
    if (start(r, err) < 0 || make_lineage(r, err) < 0)
        return -1;
    const struct memory_plan plan = plan_of(r, r->model, r->o->micro_tokens, r->o->recompute, &use);
    memory_report_plan(&r->memory, &plan);
    if (model_prepare(r->model, &use, err) < 0)
        return -1;
    return h && h->before_first ? h->before_first(h->self, r->model, r->state.step, err) : 0;
}

int train_run(const struct train_options *o, struct batch_source *src, const struct loss_head *loss,
              const struct train_hooks *hooks, struct err *err)
{
    struct run r = {.o = o, .src = src, .loss = loss, .hooks = hooks};
    int rc;

    if ((loss->needs & src->fields) != loss->needs)
        BUG("the source does not give what loss %s needs", loss->name);
    if (o->resume && resume_is_done(o->out, hooks && hooks->live ? o->steps : 0)) {
        log_info("%s is complete; nothing to do", o->out);
        return 0;
    }
    stop_install();
    signal(SIGPIPE, SIG_IGN);
    rc = begin(&r, err);
    if (rc == 0)
        rc = loop(&r, err);
    memory_report_end(&r.memory);
    release(&r);
    return rc;
}
