/* engine.c - continuous batching: many sequences through one cached model.
 *
 * A sequence is prompt and completion end to end; `cached` of its positions are
 * in its slot.  Every step feeds the positions that are not, newest last, and the
 * row of the last known token gives the logits of the next.  So decoding, chunked
 * prompts, samples that start from another's cache, and sequences that start
 * again after they gave up their pages or the cache has grown are one case.
 */
#include "gen/engine_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

const char *finish_reason_name(enum finish_reason r)
{
    return r == FINISH_STOP ? "stop" : "length";
}

void gen_result_release(struct gen_result *r)
{
    free(r->prompt);
    free(r->tokens);
    free(r->logprobs);
    free(r->policy_version);
    *r = (struct gen_result){0};
}

/* Sequences. */

void prompt_unref(struct prompt *p)
{
    if (p && --p->refs == 0)
        free(p);
}

static struct prompt *prompt_for(const struct engine *e, const struct gen_request *r)
{
    struct prompt *last = e->tail > e->head ? e->seqs[e->tail - 1]->prompt : NULL;
    size_t bytes = (size_t)r->n_prompt * sizeof(int32_t);
    if (last && last->n == r->n_prompt && memcmp(last->ids, r->prompt, bytes) == 0)
        return prompt_ref(last);
    struct prompt *p = xmalloc(sizeof *p + bytes);
    p->refs = 1;
    p->n = r->n_prompt;
    memcpy(p->ids, r->prompt, bytes);
    return p;
}

static void sequence_free(struct sequence *s)
{
    if (!s)
        return;
    prompt_unref(s->prompt);
    free(s->stop_ids);
    free(s->tokens);
    free(s->versions);
    free(s->logprobs);
    free(s);
}

static int32_t token_at(const struct sequence *s, int64_t pos)
{
    return pos < s->prompt->n ? s->prompt->ids[pos] : s->tokens[pos - s->prompt->n];
}

static void add_token(struct engine *e, struct sequence *s, int32_t token, float logprob)
{
    if (s->n_tokens == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 32;
        size_t cap = (size_t)s->cap;
        s->tokens = xreallocarray(s->tokens, cap, sizeof *s->tokens);
        s->versions = xreallocarray(s->versions, cap, sizeof *s->versions);
        s->logprobs = xreallocarray(s->logprobs, cap, sizeof *s->logprobs);
    }
    s->tokens[s->n_tokens] = token;
    s->versions[s->n_tokens] = e->version;
    s->logprobs[s->n_tokens++] = logprob;
    e->tokens_made++;
}

/* The engine. */

struct engine *engine_new(struct model *m, int64_t n_slots, int64_t max_len, struct err *err)
{
    if (n_slots < 1) {
        err_set(err, "an engine needs at least one slot");
        return NULL;
    }
    struct engine *e = xcalloc(1, sizeof *e);
    e->m = m;
    e->n_slots = n_slots;
    e->max_len = m->cfg.max_seq_len;
    if (max_len > 0 && max_len < e->max_len)
        e->max_len = max_len;
    e->slots = xcalloc((size_t)n_slots, sizeof *e->slots);
    if (model_prepare(m, &(struct model_use){.cached_rows = n_slots + PROMPT_ROWS, .out_rows = n_slots}, err) < 0) {
        engine_free(e);
        return NULL;
    }
    return e;
}

void engine_free(struct engine *e)
{
    if (!e)
        return;
    for (int64_t i = e->head; i < e->tail; i++)
        sequence_free(e->seqs[i]);
    for (int64_t i = 0; i < e->n_slots; i++)
        prompt_unref(e->slots[i].prompt);
    kv_cache_free(e->cache);
    free(e->rows.tokens);
    free(e->rows.slot);
    free(e->rows.pos);
    free(e->rows.out_rows);
    free(e->rows.out_seq);
    free(e->drawn);
    free(e->logprobs);
    free(e->entropy);
    free(e->inv_temp);
    free(e->u);
    cut_lists_release(&e->cuts);
    free(e->slots);
    free(e->seqs);
    free(e);
}

static int check_request(const struct engine *e, const struct gen_request *r, struct err *err)
{
    if (r->n_prompt < 1)
        return err_set(err, "the prompt has no tokens");
    if (r->max_tokens < 1)
        return err_set(err, "nothing to generate: max_tokens is %lld", (long long)r->max_tokens);
    if (r->n_prompt >= e->max_len)
        return err_set(err, "the prompt has %lld tokens, the context holds %lld with the completion",
                       (long long)r->n_prompt, (long long)e->max_len);
    for (int64_t i = 0; i < r->n_prompt; i++)
        if (r->prompt[i] < 0 || r->prompt[i] >= e->m->cfg.vocab_size)
            return err_set(err, "prompt token %lld is %d, the vocabulary has %lld", (long long)i,
                           r->prompt[i], (long long)e->m->cfg.vocab_size);
    return 0;
}

/* Room at the end of seqs; what engine_next() has taken away at the front is reused first. */
static void make_room(struct engine *e)
{
    if (e->tail < e->cap)
        return;
    if (e->head > e->cap / 2) {
        memmove(e->seqs, e->seqs + e->head, (size_t)(e->tail - e->head) * sizeof(struct sequence *));
        e->tail -= e->head;
        e->start -= e->head;
        e->head = 0;
        return;
    }
    e->cap = e->cap ? 2 * e->cap : 64;
    e->seqs = xreallocarray(e->seqs, (size_t)e->cap, sizeof(struct sequence *));
}

int engine_submit(struct engine *e, const struct gen_request *r, struct err *err)
{
    if (check_request(e, r, err) < 0)
        return -1;
    struct sequence *s = xcalloc(1, sizeof *s);
    s->req = *r;
    s->prompt = prompt_for(e, r);
    s->req.prompt = s->prompt->ids;
    if (r->n_stop_ids > 0) {
        size_t bytes = (size_t)r->n_stop_ids * sizeof *s->stop_ids;
        s->stop_ids = xmalloc(bytes);
        memcpy(s->stop_ids, r->stop_ids, bytes);
    }
    s->req.stop_ids = s->stop_ids;
    if (s->req.max_tokens > e->max_len - r->n_prompt)
        s->req.max_tokens = e->max_len - r->n_prompt;
    make_room(e);
    s->number = e->submitted++;
    e->seqs[e->tail++] = s;
    e->waiting++;
    return 0;
}

bool engine_busy(const struct engine *e)
{
    return e->running > 0 || e->waiting > 0;
}

int64_t engine_waiting(const struct engine *e)
{
    return e->waiting;
}

int64_t engine_running(const struct engine *e)
{
    return e->running;
}

int64_t engine_tokens(const struct engine *e)
{
    return e->tokens_made;
}

int64_t engine_preempted(const struct engine *e)
{
    return e->preempted;
}

void engine_limit_cache(struct engine *e, size_t bytes)
{
    e->cache_bytes = bytes;
}

void engine_set_version(struct engine *e, int32_t version)
{
    e->version = version;
}

static int32_t *copy_ids(const int32_t *ids, int64_t n)
{
    int32_t *copy = xreallocarray(NULL, (size_t)n, sizeof *copy);
    memcpy(copy, ids, (size_t)n * sizeof *copy);
    return copy;
}

bool engine_next(struct engine *e, struct gen_result *out)
{
    if (e->head == e->tail || e->seqs[e->head]->state != SEQ_DONE)
        return false;
    struct sequence *s = e->seqs[e->head++];
    *out = (struct gen_result){
        .user = s->req.user, .record = s->req.record, .sample = s->req.sample,
        .n_prompt = s->prompt->n, .prompt = copy_ids(s->prompt->ids, s->prompt->n),
        .n_tokens = s->n_tokens, .tokens = s->tokens,
        .logprobs = s->logprobs, .policy_version = s->versions,
        .mean_entropy = s->n_tokens ? s->entropy / (double)s->n_tokens : 0, .finish = s->finish,
    };
    s->tokens = s->versions = NULL;
    s->logprobs = NULL;
    sequence_free(s);
    return true;
}

/* One step. */

static void add_row(struct rows *r, int32_t token, int64_t slot, int64_t pos)
{
    if (r->n == r->cap) {
        r->cap = r->cap ? 2 * r->cap : 256;
        size_t cap = (size_t)r->cap;
        r->tokens = xreallocarray(r->tokens, cap, sizeof *r->tokens);
        r->slot = xreallocarray(r->slot, cap, sizeof *r->slot);
        r->pos = xreallocarray(r->pos, cap, sizeof *r->pos);
    }
    r->tokens[r->n] = token;
    r->slot[r->n] = (int32_t)slot;
    r->pos[r->n++] = (int32_t)pos;
}

static void add_out_row(struct rows *r, struct sequence *s)
{
    if (r->n_out == r->out_cap) {
        r->out_cap = r->out_cap ? 2 * r->out_cap : 64;
        r->out_rows = xreallocarray(r->out_rows, (size_t)r->out_cap, sizeof *r->out_rows);
        r->out_seq = xreallocarray(r->out_seq, (size_t)r->out_cap, sizeof(struct sequence *));
    }
    r->out_rows[r->n_out] = (int32_t)(r->n - 1);
    r->out_seq[r->n_out++] = s;
}

static int64_t uncached(const struct sequence *s)
{
    return s->prompt->n + s->n_tokens - s->cached;
}

/* A sequence's uncached positions, at most *prompt_rows of them beyond the last. */
static int64_t rows_now(const struct sequence *s, int64_t *prompt_rows)
{
    int64_t n = uncached(s);
    if (n > 1) {
        n = n < *prompt_rows ? n : *prompt_rows;
        *prompt_rows -= n;
    }
    return n;
}

static void add_sequence_rows(struct engine *e, struct sequence *s)
{
    const bool all = s->planned == uncached(s);
    struct slot *slot = &e->slots[s->slot];
    for (int64_t i = 0; i < s->planned; i++)
        add_row(&e->rows, token_at(s, s->cached + i), s->slot, s->cached + i);
    s->cached += s->planned;
    int64_t prompt_part = s->cached < s->prompt->n ? s->cached : s->prompt->n;
    if (slot->prompt_cached < prompt_part)
        slot->prompt_cached = prompt_part;
    if (all)
        add_out_row(&e->rows, s);
}

/* Prompts only advance after every copy is made: a copy must not see rows of this step, which are
 * not in the cache yet.  And rows are only made when all have their pages: who gets some last may have them
 * from one who had been planned. */
static void plan_rows(struct engine *e, bool *ready)
{
    int64_t prompt_rows = PROMPT_ROWS;
    e->rows.n = e->rows.n_out = 0;
    for (int64_t i = 0; i < e->n_slots; i++)
        ready[i] = e->slots[i].seq && share_prompt(e, e->slots[i].seq);
    for (int64_t i = 0; i < e->n_slots; i++) {
        struct sequence *s = e->slots[i].seq;
        if (!s || !ready[i])
            continue;
        s->planned = rows_now(s, &prompt_rows);
        get_pages(e, s, s->cached + s->planned);
    }
    for (int64_t i = 0; i < e->n_slots; i++)
        if (e->slots[i].seq && ready[i])
            add_sequence_rows(e, e->slots[i].seq);
}

static void reserve_draws(struct engine *e, int64_t n)
{
    if (n <= e->drawn_cap)
        return;
    e->drawn_cap = n > 2 * e->drawn_cap ? n : 2 * e->drawn_cap;
    if (e->drawn_cap > e->n_slots)
        e->drawn_cap = e->n_slots;
    size_t cap = (size_t)e->drawn_cap;
    e->drawn = xreallocarray(e->drawn, cap, sizeof *e->drawn);
    e->logprobs = xreallocarray(e->logprobs, cap, sizeof(float));
    e->entropy = xreallocarray(e->entropy, cap, sizeof(float));
    e->inv_temp = xreallocarray(e->inv_temp, cap, sizeof(float));
    e->u = xreallocarray(e->u, cap, sizeof *e->u);
    cut_lists_resize(&e->cuts, e->drawn_cap);
}

/* What each row's token is drawn from, and with; true if some distribution is cut. */
static bool plan_draws(struct engine *e)
{
    const struct rows *r = &e->rows;
    bool truncates = false;
    for (int64_t i = 0; i < r->n_out; i++) {
        const struct sequence *s = r->out_seq[i];
        const struct gen_request *q = &s->req;
        struct rng rng;
        rng_init(&rng, q->seed, "rollout-gen", q->record, q->sample);
        e->u[i] = rng_uniform_at(&rng, (uint64_t)s->n_tokens);
        if (q->sampling.temperature <= 0)
            e->u[i] = -1;
        e->inv_temp[i] = sampling_inv_temp(&q->sampling);
        cut_lists_set(&e->cuts, i, &q->sampling);
        truncates |= sampling_truncates(&q->sampling);
    }
    return truncates;
}

/* Entropies are of whole distributions, log-probabilities of what the tokens were drawn from. */
static void draw_rows(struct engine *e)
{
    const bool truncates = plan_draws(e);
    const struct cuts cuts = cut_lists_cuts(&e->cuts);
    if (truncates) {
        memset(e->drawn, 0, (size_t)e->rows.n_out * sizeof *e->drawn);
        model_row_logprobs(e->m, e->drawn, e->inv_temp, e->logprobs, e->entropy);
        model_row_truncate(e->m, e->inv_temp, &cuts);
    }
    model_row_draw(e->m, e->inv_temp, e->u, e->drawn);
    model_row_logprobs(e->m, e->drawn, e->inv_temp, e->logprobs, truncates ? NULL : e->entropy);
}

static bool stops(const struct sequence *s, int32_t token)
{
    for (int i = 0; i < s->req.n_stop_ids; i++)
        if (s->stop_ids[i] == token)
            return true;
    return s->req.stop_text && s->req.stop_text(s->req.stop_arg, s->tokens, s->n_tokens);
}

static void finish_sequence(struct engine *e, struct sequence *s, enum finish_reason why)
{
    s->finish = why;
    s->state = SEQ_DONE;
    leave_slot(e, s);
}

static int accept_token(struct engine *e, int64_t i, struct err *err)
{
    struct sequence *s = e->rows.out_seq[i];
    if (!isfinite(e->logprobs[i]))
        return err_set(err, "the model's output is not finite (record %llu, token %lld)",
                       (unsigned long long)s->req.record, (long long)s->n_tokens);
    add_token(e, s, e->drawn[i], e->logprobs[i]);
    s->entropy += (double)e->entropy[i];
    if (stops(s, e->drawn[i]))
        finish_sequence(e, s, FINISH_STOP);
    else if (s->n_tokens >= s->req.max_tokens)
        finish_sequence(e, s, FINISH_LENGTH);
    return 0;
}

int engine_step(struct engine *e, struct err *err)
{
    if (start_sequences(e, err) < 0)
        return -1;
    if (e->running == 0)
        return 0;
    bool *ready = xcalloc((size_t)e->n_slots, sizeof *ready);
    plan_rows(e, ready);
    free(ready);
    struct rows *r = &e->rows;
    struct cached_rows call = {.n = r->n, .tokens = r->tokens, .slot = r->slot, .pos = r->pos,
                               .n_out = r->n_out, .out_rows = r->out_rows};
    if (model_forward_cached(e->m, e->cache, &call, err) < 0)
        return -1;
    if (r->n_out == 0)
        return 0;
    reserve_draws(e, r->n_out);
    draw_rows(e);
    for (int64_t i = 0; i < r->n_out; i++)
        if (accept_token(e, i, err) < 0)
            return -1;
    return 0;
}
