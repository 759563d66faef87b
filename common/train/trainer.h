/* trainer.h - the one training loop.
 *
 * base-train, sft-train, dpo-train and rlvr-train differ in their source of
 * batches and their loss head; everything else is here: the step, schedules,
 * clipping, AdamW, metrics, checkpoints, resume, signals.
 *
 *     zero grads; for each micro-batch: forward, loss head, backward; clip; AdamW
 *
 * Checkpoints are DIR/step-000100/ (whole or absent); the final one is DIR
 * itself.  --resume continues from the newest and ends in the same bytes as an
 * unbroken run.
 */
#ifndef TP_TRAIN_TRAINER_H
#define TP_TRAIN_TRAINER_H

#include "base/batch.h"
#include "base/strbuf.h"
#include "model/memory.h"
#include "train/loss.h"
#include "train/metrics.h"

/* A data reader: micro-batches out. */
struct batch_source {
    /* Plans optimiser step number `step`: how many micro-batches it has; 0 = no more data, -1.  A
     * step whose only micro-batch is empty leaves the weights alone. */
    int (*plan_step)(void *self, int64_t step, struct metrics *m, struct err *err);
    int (*micro_batch)(void *self, int i, struct batch *out, struct err *err);
    /* Position after the last step that was planned to its end, and everything else needed to go on,
     * as JSON (new reference); a member "digest" of what was consumed goes into the lineage of a run
     * that reads a pipe.  load() is called before the first plan. */
    json_t *(*save)(void *self);
    int (*load)(void *self, const json_t *state, struct err *err);
    void *self;
    unsigned fields; /* enum batch_field bits it fills */
};

enum schedule_type { SCHEDULE_COSINE, SCHEDULE_LINEAR, SCHEDULE_CONSTANT, SCHEDULE_WSD };
struct schedule_options {
    int type;
    double lr, min_lr_ratio, warmup_ratio, decay_ratio; /* decay_ratio: WSD's share of decay */
    int64_t warmup_steps;                               /* -1 = warmup_ratio * steps */
};
/* Learning rate of step s in [0, n_steps): linear warm-up from lr/warmup, then the shape down to
 * min_lr_ratio * lr. */
double schedule_lr(const struct schedule_options *o, int64_t step, int64_t n_steps);

struct train_options {
    const char *model, *out;
    int64_t steps;           /* 0 = as many as the data gives */
    struct schedule_options schedule;
    double beta1, beta2, eps, weight_decay, max_grad_norm; /* max_grad_norm 0 = no clipping */
    double z_loss;
    int64_t micro_tokens;    /* most positions in a micro-batch */
    bool recompute;          /* see model_options */
    int64_t checkpoint_every, keep;
    bool resume, overwrite;
    int precision, device;
    int64_t max_bad_steps;   /* non-finite steps in a row before stopping */
};
extern struct train_options train_options; /* set defaults per program before parsing */
extern const struct opt train_option_table[];
/* Refuses combinations that make no sense, naming the options. */
int train_check_options(const struct train_options *o, struct err *err) WARN_UNUSED;

/* Hooks that only some programs need; any may be NULL. */
struct train_hooks {
    /* Before the first step of this process; `step` steps are done (0 unless resumed). */
    int (*before_first)(void *self, struct model *m, int64_t step, struct err *err);
    /* Validation after `step` steps, `last` if there are no more: adds to the step's metrics. */
    int (*evaluate)(void *self, struct model *m, int64_t step, bool last, struct metrics *out,
                    struct err *err);
    /* After `step` steps are done (publishing). */
    int (*after_step)(void *self, struct model *m, int64_t step, struct err *err);
    /* After a checkpoint on the way of `step` steps; source: what the source's save() gave. */
    int (*after_checkpoint)(void *self, int64_t step, const json_t *source, struct err *err);
    void *self;
    /* The input is made while it is read: if it ends before train_options.steps, its maker broke off,
     * and --resume goes on. */
    bool live;
    const json_t *lineage_inputs; /* array of {"path", "digest"}: the files read; or NULL */
    /* {"batch-tokens": 8192, ...}: the program's own options that decide the result, by their long
     * names.  --resume refuses to go on when one of them, or of train_options, has changed. */
    const json_t *options;
};

/* Runs to the end (or to a stop signal: returns with err->status EXIT_RESUMABLE).  The model comes
 * from train_options.model, or from the newest checkpoint with --resume. */
int train_run(const struct train_options *o, struct batch_source *src, const struct loss_head *loss,
              const struct train_hooks *hooks, struct err *err) WARN_UNUSED;

/* What train_run() needs for a model opened for training (or its outline), with micro-batches of up to
 * `rows` positions in sequences of up to `longest`. */
struct memory_plan train_memory_plan(struct model *m, int64_t rows, int64_t longest, bool publishes);

/* How a step's loss is averaged; the planner turns it into seq_weight. */
enum reduction { REDUCE_TOKEN_MEAN, REDUCE_SEQ_MEAN_TOKEN_MEAN, REDUCE_SEQ_MEAN_TOKEN_SUM,
                 REDUCE_SEQ_SUM_CONST, REDUCE_PAIR_MEAN };

#endif
