/* source_pairs.c - preference tuning: pairs in memory, shuffled every epoch. */
#include "train/source_pairs.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

static void pair_release(struct pair *p)
{
    example_release(&p->chosen);
    example_release(&p->rejected);
}

static void add_to_digest(struct source_pairs *s, const struct example *e)
{
    size_t n = (size_t)e->n_tokens;
    chain_digest(s->digest, e->tokens, n * sizeof *e->tokens);
    chain_digest(s->digest, e->loss_mask, n);
    if (e->ref_logprobs)
        chain_digest(s->digest, e->ref_logprobs, n * sizeof *e->ref_logprobs);
}

static void keep(struct source_pairs *s, const struct pair *p)
{
    GROW(s->pairs, s->n, s->cap);
    s->pairs[s->n++] = *p;
    add_to_digest(s, &p->chosen);
    add_to_digest(s, &p->rejected);
}

static int parse(const struct example_reader *reader, const json_t *obj, struct pair *p,
                 struct err *why)
{
    *p = (struct pair){0};
    if (example_parse_pair(reader, obj, &p->chosen, &p->rejected, why) < 0)
        return -1;
    if (example_trains(&p->chosen) && example_trains(&p->rejected))
        return 0;
    err_set(why, "'%s' has no tokens of its own (within --max-tokens)",
            example_trains(&p->chosen) ? "rejected" : "chosen");
    pair_release(p);
    return -1;
}

int source_pairs_load(struct source_pairs *s, const char **files, int n_files,
                      const struct example_reader *reader, int64_t micro_tokens, struct err *err)
{
    struct input in;
    json_t *obj;
    int64_t n_cut = 0;
    int rc;
    s->planner = (struct planner){.reduction = REDUCE_PAIR_MEAN, .micro_tokens = micro_tokens,
                                  .pairs = true, .fields = s->fields};
    input_open(&in, files, n_files, reader);
    while ((rc = input_next_object(&in, &obj, err)) > 0) {
        struct err why = {0};
        struct pair p;
        if (parse(reader, obj, &p, &why) == 0) {
            n_cut += p.chosen.cut || p.rejected.cut;
            keep(s, &p);
        } else {
            rc = input_reject(&in, &why, err);
        }
        json_decref(obj);
        if (rc < 0)
            break;
    }
    input_close(&in);
    if (rc < 0)
        return -1;
    if (n_cut)
        log_warn("%lld pairs were cut to %lld tokens a side (--max-tokens)", (long long)n_cut,
                 (long long)reader->max_tokens);
    if (s->n == 0)
        return err_set(err, "the input has no pairs to train on");
    s->order.n = s->n;
    log_info("%lld pairs", (long long)s->n);
    return 0;
}

void source_pairs_release(struct source_pairs *s)
{
    for (int64_t i = 0; i < s->n; i++)
        pair_release(&s->pairs[i]);
    free(s->pairs);
    planner_release(&s->planner);
    shuffle_release(&s->order);
    *s = (struct source_pairs){0};
}

static int64_t order_end(const struct source_pairs *s)
{
    return s->epochs ? s->epochs * s->n : INT64_MAX;
}

int64_t source_pairs_steps(struct source_pairs *s)
{
    return (order_end(s) + s->batch_size - 1) / s->batch_size;
}

static struct plan_seq seq_of(const struct example *e)
{
    return (struct plan_seq){.n_tokens = e->n_tokens, .tokens = e->tokens, .loss_mask = e->loss_mask,
                             .ref_logprobs = e->ref_logprobs, .inv_temp = 1};
}

static void add_pair(struct planner *p, const struct pair *pair)
{
    struct plan_seq chosen = seq_of(&pair->chosen), rejected = seq_of(&pair->rejected);
    planner_add(p, &chosen);
    planner_add(p, &rejected);
}

/* --- reference log-probabilities ------------------------------------------------------------- */

static bool lacks_refs(const struct pair *p)
{
    return !p->chosen.ref_logprobs || !p->rejected.ref_logprobs;
}

int64_t source_pairs_without_refs(const struct source_pairs *s)
{
    int64_t n = 0;
    for (int64_t i = 0; i < s->n; i++)
        n += lacks_refs(&s->pairs[i]);
    return n;
}

static void set_refs(struct example *e, const float *logprobs)
{
    free(e->ref_logprobs);
    e->ref_logprobs = xcalloc((size_t)e->n_tokens, sizeof *e->ref_logprobs);
    for (int64_t i = 1; i < e->n_tokens; i++)
        if (e->loss_mask[i])
            e->ref_logprobs[i] = logprobs[i - 1];
}

/* Scores pairs [first, end), which fit one micro-batch or are a single pair. */
static int score(struct planner *p, struct source_pairs *s, struct model *m, int64_t first,
                 int64_t end, struct err *err)
{
    struct batch b;
    planner_clear(p);
    for (int64_t i = first; i < end; i++)
        add_pair(p, &s->pairs[i]);
    planner_finish(p);
    planner_batch(p, 0, &b);
    float *logprobs = xmalloc((size_t)b.n_tokens * sizeof *logprobs);
    int rc = model_forward(m, &b, &(struct forward_out){.logprobs = logprobs}, err);
    for (int64_t i = first; rc == 0 && i < end; i++) {
        int64_t k = 2 * (i - first);
        set_refs(&s->pairs[i].chosen, logprobs + b.seq_start[k]);
        set_refs(&s->pairs[i].rejected, logprobs + b.seq_start[k + 1]);
    }
    free(logprobs);
    return rc;
}

static int64_t pair_positions(const struct pair *p)
{
    return p->chosen.n_tokens + p->rejected.n_tokens - 2;
}

int source_pairs_add_refs(struct source_pairs *s, struct model *m, struct err *err)
{
    struct planner p = {.reduction = REDUCE_PAIR_MEAN, .pairs = true, .micro_tokens = INT32_MAX};
    int rc = 0;
    for (int64_t i = 0, end; rc == 0 && i < s->n; i = end) {
        int64_t used = pair_positions(&s->pairs[i]);
        for (end = i + 1; end < s->n; end++) {
            used += pair_positions(&s->pairs[end]);
            if (used > s->planner.micro_tokens || !lacks_refs(&s->pairs[end]))
                break;
        }
        if (lacks_refs(&s->pairs[i]))
            rc = score(&p, s, m, i, end, err);
        progress("reference pairs", end, s->n, "%s", "");
    }
    planner_release(&p);
    return rc;
}

/* --- the source ------------------------------------------------------------------------------ */

static int plan_step(void *self, int64_t step, struct metrics *m, struct err *err)
{
    struct source_pairs *s = self;
    int64_t end = s->next + s->batch_size;
    (void)step;
    (void)err;
    if (end > order_end(s))
        end = order_end(s);
    if (end == s->next)
        return 0;
    planner_clear(&s->planner);
    for (; s->next < end; s->next++)
        add_pair(&s->planner, &s->pairs[shuffle_at(&s->order, s->next)]);
    metrics_sum(m, "epoch", (double)end / (double)s->n);
    return planner_finish(&s->planner);
}

static int micro_batch(void *self, int i, struct batch *out, struct err *err)
{
    (void)err;
    planner_batch(&((struct source_pairs *)self)->planner, i, out);
    return 0;
}

static json_t *save(void *self)
{
    const struct source_pairs *s = self;
    return shuffle_place_save(s->next, s->digest);
}

static int load(void *self, const json_t *state, struct err *err)
{
    struct source_pairs *s = self;
    return shuffle_place_load(state, "pairs", s->digest, &s->next, err);
}

struct batch_source source_pairs_source(struct source_pairs *s)
{
    return (struct batch_source){.plan_step = plan_step, .micro_batch = micro_batch, .save = save,
                                 .load = load, .self = s, .fields = s->fields};
}
