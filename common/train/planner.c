/* planner.c - the sequences of one optimiser step, cut into packed micro-batches. */
#include "train/planner.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void planner_clear(struct planner *p)
{
    p->n_seqs = 0;
    p->n_micro = 0;
}

void planner_add(struct planner *p, const struct plan_seq *s)
{
    GROW(p->seqs, p->n_seqs, p->cap);
    p->seqs[p->n_seqs++] = *s;
}

static int64_t positions(const struct plan_seq *s)
{
    return s->n_tokens > 0 ? s->n_tokens - 1 : 0;
}

/* Positions that are trained on. */
static int64_t plan_seq_trained(const struct plan_seq *s)
{
    if (!s->loss_mask)
        return positions(s);
    int64_t n = 0;
    for (int64_t i = 1; i < s->n_tokens; i++)
        n += s->loss_mask[i] != 0;
    return n;
}

static void count(struct planner *p)
{
    p->n_positions = p->n_trained = p->n_trained_seqs = 0;
    for (int64_t i = 0; i < p->n_seqs; i++) {
        int64_t n = plan_seq_trained(&p->seqs[i]);
        p->n_positions += positions(&p->seqs[i]);
        p->n_trained += n;
        p->n_trained_seqs += n > 0;
    }
}

static void start_micro(struct planner *p, int64_t first)
{
    if (p->n_micro + 1 >= p->micro_cap) {
        p->micro_cap = p->micro_cap ? 2 * p->micro_cap : 16;
        p->micro_first = xreallocarray(p->micro_first, (size_t)p->micro_cap, sizeof *p->micro_first);
    }
    p->micro_first[p->n_micro++] = first;
}

int planner_finish(struct planner *p)
{
    int64_t step = p->pairs ? 2 : 1, used = 0;
    count(p);
    p->n_micro = 0;
    start_micro(p, 0);
    for (int64_t i = 0; i < p->n_seqs; i += step) {
        int64_t n = positions(&p->seqs[i]);
        if (p->pairs)
            n += positions(&p->seqs[i + 1]);
        if (used && used + n > p->micro_tokens) {
            start_micro(p, i);
            used = 0;
        }
        used += n;
    }
    p->micro_first[p->n_micro] = p->n_seqs;
    return p->n_micro;
}

/* Weight of each trained token of the sequence in the step's loss. */
static double weight(const struct planner *p, const struct plan_seq *s)
{
    double seqs = (double)p->n_trained_seqs;
    int64_t n = plan_seq_trained(s);
    if (n == 0)
        return 0;
    switch (p->reduction) {
    case REDUCE_TOKEN_MEAN:
        return 1 / (double)p->n_trained;
    case REDUCE_SEQ_MEAN_TOKEN_MEAN:
        return 1 / (seqs * (double)n);
    case REDUCE_SEQ_MEAN_TOKEN_SUM:
        return 1 / seqs;
    case REDUCE_SEQ_SUM_CONST:
        return 1 / (seqs * p->const_tokens);
    case REDUCE_PAIR_MEAN:
        return 2 / (double)p->n_seqs;
    }
    BUG("reduction %d", (int)p->reduction);
}

#define RESIZE(array, n) ((array) = xreallocarray((array), (size_t)(n), sizeof *(array)))

static void reserve(struct planner *p, int64_t n_tokens, int64_t n_seqs)
{
    if (n_seqs > p->seqs_cap || !p->seq_start) {
        p->seqs_cap = n_seqs;
        RESIZE(p->seq_start, n_seqs + 1);
        RESIZE(p->seq_weight, n_seqs + 1);
    }
    if (n_tokens <= p->tokens_cap)
        return;
    p->tokens_cap = n_tokens;
    RESIZE(p->tokens, n_tokens);
    RESIZE(p->targets, n_tokens);
    RESIZE(p->loss_mask, n_tokens);
    RESIZE(p->inv_temp, n_tokens);
    RESIZE(p->sampler, n_tokens);
    RESIZE(p->old, n_tokens);
    RESIZE(p->ref, n_tokens);
    RESIZE(p->advantages, n_tokens);
}

static void copy_floats(float *dst, const float *src, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        dst[i] = src ? src[i + 1] : 0;
}

/* Writes the positions of s at `at`; returns whether any has a temperature. */
static bool pack(struct planner *p, const struct plan_seq *s, int64_t at)
{
    int64_t n = positions(s);
    for (int64_t i = 0; i < n; i++) {
        p->tokens[at + i] = s->tokens[i];
        p->targets[at + i] = s->tokens[i + 1];
        p->loss_mask[at + i] = !s->loss_mask || s->loss_mask[i + 1] ? 1 : 0;
        p->inv_temp[at + i] = s->inv_temp;
        p->advantages[at + i] = s->advantage;
    }
    copy_floats(p->sampler + at, s->sampler_logprobs, n);
    copy_floats(p->old + at, s->old_logprobs, n);
    copy_floats(p->ref + at, s->ref_logprobs, n);
    return s->inv_temp != 1;
}

void planner_batch(struct planner *p, int micro, struct batch *out)
{
    int64_t first = p->micro_first[micro], end = p->micro_first[micro + 1], n = 0;
    bool temperature = false;
    for (int64_t i = first; i < end; i++)
        n += positions(&p->seqs[i]);
    if (n > INT32_MAX)
        BUG("a micro-batch of %lld positions", (long long)n);
    reserve(p, n, end - first);
    n = 0;
    for (int64_t i = first; i < end; i++) {
        const struct plan_seq *s = &p->seqs[i];
        p->seq_start[i - first] = (int32_t)n;
        p->seq_weight[i - first] = (float)weight(p, s);
        temperature |= pack(p, s, n);
        n += positions(s);
    }
    p->seq_start[end - first] = (int32_t)n;
    *out = (struct batch){
        .n_tokens = n,
        .n_seqs = end - first,
        .tokens = p->tokens,
        .targets = p->targets,
        .seq_start = p->seq_start,
        .seq_weight = p->seq_weight,
        .loss_mask = p->loss_mask,
        .inv_temp = temperature ? p->inv_temp : NULL,
        .sampler_logprobs = p->fields & BATCH_SAMPLER_LOGPROBS ? p->sampler : NULL,
        .old_logprobs = p->fields & BATCH_OLD_LOGPROBS ? p->old : NULL,
        .ref_logprobs = p->fields & BATCH_REF_LOGPROBS ? p->ref : NULL,
        .advantages = p->fields & BATCH_ADVANTAGES ? p->advantages : NULL,
    };
}

void planner_release(struct planner *p)
{
    free(p->seqs);
    free(p->micro_first);
    free(p->tokens);
    free(p->targets);
    free(p->seq_start);
    free(p->seq_weight);
    free(p->loss_mask);
    free(p->inv_temp);
    free(p->sampler);
    free(p->old);
    free(p->ref);
    free(p->advantages);
    *p = (struct planner){0};
}
