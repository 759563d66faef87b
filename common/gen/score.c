/* score.c - log-probabilities of given tokens, many sequences to a forward. */
#include "gen/score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* One forward's worth of sequences, packed. */
struct pack {
    struct score_seq **seqs;
    int64_t n_seqs, n;
    int32_t *tokens, *targets, *seq_start;
    float *mask, *weight, *inv_temp, *logprobs;
    struct cut_lists cuts;
    bool truncates; /* some distribution is cut */
};

static int64_t first_scored(const struct score_seq *s)
{
    return s->first > 1 ? s->first : 1;
}

int score_check(const struct model *m, const struct score_seq *s, struct err *err)
{
    if (s->n - 1 > m->cfg.max_seq_len)
        return err_set(err, "the sequence has %lld tokens, the model takes %lld", (long long)s->n,
                       (long long)m->cfg.max_seq_len);
    for (int64_t i = 0; i < s->n; i++)
        if (s->tokens[i] < 0 || s->tokens[i] >= m->cfg.vocab_size)
            return err_set(err, "token %lld has id %d, the model's vocabulary has %lld",
                           (long long)i, s->tokens[i], (long long)m->cfg.vocab_size);
    return 0;
}

static void pack_init(struct pack *p, struct score_seq **seqs, int64_t n_seqs)
{
    *p = (struct pack){.seqs = seqs, .n_seqs = n_seqs};
    for (int64_t k = 0; k < n_seqs; k++)
        p->n += seqs[k]->n - 1;
    size_t n = (size_t)p->n;
    p->tokens = xreallocarray(NULL, n, sizeof *p->tokens);
    p->targets = xreallocarray(NULL, n, sizeof *p->targets);
    cut_lists_resize(&p->cuts, p->n);
    p->seq_start = xreallocarray(NULL, (size_t)n_seqs + 1, sizeof *p->seq_start);
    p->mask = xcalloc(n, sizeof *p->mask);
    p->weight = xcalloc((size_t)n_seqs, sizeof *p->weight);
    p->inv_temp = xreallocarray(NULL, n, sizeof *p->inv_temp);
    p->logprobs = xcalloc(n, sizeof *p->logprobs);
}

static void pack_release(struct pack *p)
{
    free(p->tokens);
    free(p->targets);
    cut_lists_release(&p->cuts);
    free(p->seq_start);
    free(p->mask);
    free(p->weight);
    free(p->inv_temp);
    free(p->logprobs);
}

/* Position i of a sequence predicts token i + 1; only what is asked for goes through the head. */
static void pack_fill(struct pack *p)
{
    int32_t at = 0;
    for (int64_t k = 0; k < p->n_seqs; k++) {
        const struct score_seq *s = p->seqs[k];
        p->seq_start[k] = at;
        p->truncates |= sampling_truncates(&s->sampling);
        for (int64_t i = 0; i + 1 < s->n; i++, at++) {
            p->tokens[at] = s->tokens[i];
            p->targets[at] = s->tokens[i + 1];
            cut_lists_set(&p->cuts, at, &s->sampling);
            p->mask[at] = i + 1 >= first_scored(s);
            p->inv_temp[at] = sampling_inv_temp(&s->sampling);
        }
    }
    p->seq_start[p->n_seqs] = at;
}

static void pack_copy_out(const struct pack *p)
{
    for (int64_t k = 0; k < p->n_seqs; k++) {
        struct score_seq *s = p->seqs[k];
        for (int64_t i = 0; i < s->n; i++)
            s->logprobs[i] = i >= first_scored(s) ? p->logprobs[p->seq_start[k] + i - 1] : 0.0f;
    }
}

static int check_logprobs(struct pack *p, struct err *err)
{
    for (int64_t i = 0; i < p->n; i++) {
        if (p->truncates && p->logprobs[i] < SCORE_FLOOR)
            p->logprobs[i] = SCORE_FLOOR;
        if (!isfinite(p->logprobs[i]))
            return err_set(err, "the model's output is not finite");
    }
    return 0;
}

static int run_pack(struct model *m, struct score_seq **seqs, int64_t n_seqs, struct err *err)
{
    struct pack p;
    pack_init(&p, seqs, n_seqs);
    pack_fill(&p);
    const struct cuts cuts = cut_lists_cuts(&p.cuts);
    struct batch b = {.n_tokens = p.n, .n_seqs = n_seqs, .tokens = p.tokens, .targets = p.targets,
                      .seq_start = p.seq_start, .seq_weight = p.weight, .loss_mask = p.mask,
                      .inv_temp = p.inv_temp, .cuts = p.truncates ? &cuts : NULL};
    struct forward_out out = {.logprobs = p.logprobs};
    int rc = model_forward(m, &b, &out, err);
    if (rc == 0)
        rc = check_logprobs(&p, err);
    if (rc == 0)
        pack_copy_out(&p);
    pack_release(&p);
    return rc;
}

static void zero_all(struct score_seq *s)
{
    if (s->n > 0)
        memset(s->logprobs, 0, (size_t)s->n * sizeof *s->logprobs);
}

int score_run(struct model *m, struct score_seq *seqs, int64_t n_seqs, int64_t batch_tokens,
              struct err *err)
{
    struct score_seq **list = xcalloc((size_t)n_seqs + 1, sizeof(struct score_seq *));
    int64_t n = 0, positions = 0;
    int rc = 0;
    for (int64_t i = 0; i < n_seqs && rc == 0; i++) {
        struct score_seq *s = &seqs[i];
        if (s->n < 2) {
            zero_all(s);
            continue;
        }
        if (n > 0 && positions + s->n - 1 > batch_tokens) {
            rc = run_pack(m, list, n, err);
            n = positions = 0;
        }
        list[n++] = s;
        positions += s->n - 1;
    }
    if (rc == 0 && n > 0)
        rc = run_pack(m, list, n, err);
    free(list);
    return rc;
}
