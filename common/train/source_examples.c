/* source_examples.c - supervised fine-tuning: examples in memory, shuffled every epoch. */
#include "train/source_examples.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

static void reserve(struct source_examples *s, int64_t n)
{
    if (s->n + 2 > s->cap) {
        s->cap = s->cap ? 2 * s->cap : 64;
        s->starts = xreallocarray(s->starts, (size_t)s->cap, sizeof *s->starts);
    }
    if (s->n_tokens + n > s->tokens_cap) {
        s->tokens_cap = 2 * (s->n_tokens + n);
        s->tokens = xreallocarray(s->tokens, (size_t)s->tokens_cap, sizeof *s->tokens);
        s->loss_mask = xreallocarray(s->loss_mask, (size_t)s->tokens_cap, 1);
    }
}

static void keep(struct source_examples *s, const struct example *e)
{
    size_t n = (size_t)e->n_tokens;
    reserve(s, e->n_tokens);
    memcpy(s->tokens + s->n_tokens, e->tokens, n * sizeof *e->tokens);
    memcpy(s->loss_mask + s->n_tokens, e->loss_mask, n);
    s->starts[s->n++] = s->n_tokens;
    s->n_tokens += e->n_tokens;
    s->starts[s->n] = s->n_tokens;
    chain_digest(s->digest, e->tokens, n * sizeof *e->tokens);
    chain_digest(s->digest, e->loss_mask, n);
}

int source_examples_load(struct source_examples *s, const char **files, int n_files,
                         const struct example_reader *reader, int64_t micro_tokens, struct err *err)
{
    struct input in;
    struct example e;
    int64_t empty = 0, n_cut = 0;
    int rc;
    s->planner = (struct planner){.reduction = REDUCE_TOKEN_MEAN, .micro_tokens = micro_tokens};
    input_open(&in, files, n_files, reader);
    while ((rc = input_next(&in, &e, err)) > 0) {
        n_cut += e.cut;
        if (example_trains(&e))
            keep(s, &e);
        else
            empty++;
        example_release(&e);
    }
    input_close(&in);
    if (rc < 0)
        return -1;
    if (n_cut)
        log_warn("%lld examples were cut to %lld tokens (--max-tokens)", (long long)n_cut,
                 (long long)reader->max_tokens);
    if (empty)
        log_warn("%lld examples have nothing to train on and are left out", (long long)empty);
    if (s->n == 0)
        return err_set(err, "the input has no examples to train on");
    s->order.n = s->n;
    log_info("%lld examples, %lld tokens", (long long)s->n, (long long)s->n_tokens);
    return 0;
}

void source_examples_release(struct source_examples *s)
{
    planner_release(&s->planner);
    shuffle_release(&s->order);
    free(s->starts);
    free(s->tokens);
    free(s->loss_mask);
    *s = (struct source_examples){0};
}

/* The first place after the step that starts at `first`; adds its examples to the plan if told to. */
static int64_t take_step(struct source_examples *s, int64_t first, bool plan)
{
    int64_t end = s->epochs ? s->epochs * s->n : INT64_MAX, used = 0, i = first;
    for (; i < end && (!s->batch_size || i - first < s->batch_size); i++) {
        int64_t e = shuffle_at(&s->order, i);
        int64_t n = s->starts[e + 1] - s->starts[e];
        if (s->batch_tokens && i > first && used + n - 1 > s->batch_tokens)
            break;
        used += n - 1;
        if (plan)
            planner_add(&s->planner, &(struct plan_seq){.n_tokens = n,
                                                        .tokens = s->tokens + s->starts[e],
                                                        .loss_mask = s->loss_mask + s->starts[e],
                                                        .inv_temp = 1});
    }
    return i;
}

int64_t source_examples_steps(struct source_examples *s)
{
    int64_t steps = 0, end = s->epochs * s->n;
    for (int64_t i = 0; i < end; i = take_step(s, i, false))
        steps++;
    return steps;
}

static int plan_step(void *self, int64_t step, struct metrics *m, struct err *err)
{
    struct source_examples *s = self;
    (void)step;
    (void)err;
    planner_clear(&s->planner);
    int64_t end = take_step(s, s->next, true);
    if (end == s->next)
        return 0;
    s->next = end;
    metrics_sum(m, "epoch", (double)end / (double)s->n);
    return planner_finish(&s->planner);
}

static int micro_batch(void *self, int i, struct batch *out, struct err *err)
{
    (void)err;
    planner_batch(&((struct source_examples *)self)->planner, i, out);
    return 0;
}

static json_t *save(void *self)
{
    const struct source_examples *s = self;
    return shuffle_place_save(s->next, s->digest);
}

static int load(void *self, const json_t *state, struct err *err)
{
    struct source_examples *s = self;
    return shuffle_place_load(state, "examples", s->digest, &s->next, err);
}

struct batch_source source_examples_source(struct source_examples *s)
{
    return (struct batch_source){.plan_step = plan_step, .micro_batch = micro_batch, .save = save,
                                 .load = load, .self = s};
}
