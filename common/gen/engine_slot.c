/* engine_slot.c - which sequence is in which slot of the cache, and who reads whose prompt. */
#include <stdlib.h>

#include "gen/engine_internal.h"

enum { FIRST_LEN = 128 }; /* positions a slot begins with */

/* Positions a sequence may come to fill in the cache; its last token need not be there. */
static int64_t positions_needed(const struct sequence *s)
{
    return s->prompt->n + s->req.max_tokens - 1;
}

int64_t engine_cache_len(int64_t have, int64_t need, int64_t max_len)
{
    int64_t len = have ? have : FIRST_LEN;
    while (len < need)
        len *= 2;
    return len < max_len ? len : max_len;
}

/* A cache of longer slots.  Nothing is moved: running sequences fill it again from their tokens,
 * which gives the same bits (but for tokens that older weights had cached). */
static int grow_cache(struct engine *e, int64_t need, struct err *err)
{
    int64_t len = engine_cache_len(e->cache_len, need, e->max_len);
    if (e->cache)
        kv_cache_free(e->cache);
    e->cache_len = len;
    e->cache = kv_cache_new(e->m, e->n_slots, len, err);
    if (!e->cache)
        return -1;
    for (int64_t i = 0; i < e->n_slots; i++) {
        e->slots[i].prompt_cached = 0;
        e->slots[i].version = e->version;
        e->slots[i].prefix_len = e->slots[i].lent = 0;
        if (e->slots[i].seq)
            e->slots[i].seq->cached = 0;
    }
    return 0;
}

/* How much is lost when a free slot gets another prompt: nothing, its prompt, or one that others read. */
static int cost_of(const struct slot *s)
{
    return s->lent > 0 ? 2 : s->prompt ? 1 : 0;
}

/* A free slot, the one that already holds the prompt if there is such. */
static int64_t free_slot(const struct engine *e, const struct prompt *p)
{
    int64_t found = -1;
    for (int64_t i = 0; i < e->n_slots; i++) {
        if (e->slots[i].seq)
            continue;
        if (e->slots[i].prompt == p)
            return i;
        if (found < 0 || cost_of(&e->slots[i]) < cost_of(&e->slots[found]))
            found = i;
    }
    return found;
}

/* A slot is about to be overwritten: those who read its prompt get copies. */
static void return_loans(struct engine *e, int64_t from)
{
    for (int64_t i = 0; e->slots[from].lent > 0 && i < e->n_slots; i++) {
        struct slot *s = &e->slots[i];
        if (s->prefix_len == 0 || s->prefix_slot != from)
            continue;
        kv_cache_copy(e->cache, (int32_t)from, (int32_t)i, 0, s->prefix_len);
        s->prefix_len = 0;
        e->slots[from].lent--;
    }
}

static void take_slot(struct engine *e, struct sequence *s, int64_t i)
{
    struct slot *slot = &e->slots[i];
    bool same = slot->prompt == s->prompt && slot->version == e->version;
    if (!same)
        return_loans(e, i);
    if (slot->prompt != s->prompt) {
        prompt_unref(slot->prompt);
        slot->prompt = prompt_ref(s->prompt);
    }
    if (!same)
        slot->prompt_cached = 0;
    slot->version = e->version;
    slot->seq = s;
    s->slot = i;
    s->state = SEQ_RUNNING;
    /* The last position runs again: its logits are what the first token is drawn from. */
    s->cached = slot->prompt_cached < s->prompt->n ? slot->prompt_cached : s->prompt->n - 1;
    e->running++;
}

int start_sequences(struct engine *e, struct err *err)
{
    while (e->start < e->tail && e->running < e->n_slots) {
        struct sequence *s = e->seqs[e->start];
        int64_t need = positions_needed(s);
        if ((!e->cache || need > e->cache_len) && grow_cache(e, need, err) < 0)
            return -1;
        take_slot(e, s, free_slot(e, s->prompt));
        e->start++;
    }
    return 0;
}

/* Another slot that has the whole prompt, or is getting it before s does: *pending. */
static int64_t slot_with_prompt(const struct engine *e, const struct sequence *s, bool *pending)
{
    *pending = false;
    for (int64_t i = 0; i < e->n_slots; i++) {
        const struct slot *o = &e->slots[i];
        if (i == s->slot || o->prompt != s->prompt || o->version != e->slots[s->slot].version)
            continue;
        if (o->prompt_cached >= s->prompt->n - 1)
            return i;
        if (o->seq && (o->prompt_cached > s->cached || (o->prompt_cached == s->cached && i < s->slot)))
            *pending = true;
    }
    return -1;
}

/* Reads the whole blocks of the prompt where they are; the rest, which goes on in s's own slot, is
 * copied. */
static void borrow_prompt(struct engine *e, struct sequence *s, int64_t from)
{
    struct slot *slot = &e->slots[s->slot], *lender = &e->slots[from];
    s->cached = s->prompt->n - 1;
    slot->prompt_cached = s->cached;
    slot->prefix_len = s->cached / KV_BLOCK * KV_BLOCK;
    slot->prefix_slot = lender->prefix_len > 0 ? lender->prefix_slot : from;
    if (slot->prefix_len > 0)
        e->slots[slot->prefix_slot].lent++;
    kv_cache_copy(e->cache, (int32_t)from, (int32_t)s->slot, slot->prefix_len, s->cached);
}

bool share_prompt(struct engine *e, struct sequence *s)
{
    bool pending;
    if (s->cached >= s->prompt->n - 1)
        return true;
    int64_t from = slot_with_prompt(e, s, &pending);
    if (from >= 0)
        borrow_prompt(e, s, from);
    return from >= 0 || !pending;
}

void leave_slot(struct engine *e, struct sequence *s)
{
    struct slot *slot = &e->slots[s->slot];
    if (slot->prefix_len > 0) { /* then the prompt was never all here */
        e->slots[slot->prefix_slot].lent--;
        slot->prefix_len = slot->prompt_cached = 0;
    }
    slot->seq = NULL;
    e->running--;
}

struct memory_plan engine_memory_plan(struct model *m, const struct engine_load *l)
{
    int64_t prompts = (l->slots + l->group - 1) / l->group * l->prompt;
    int64_t rows = l->slots + (prompts < PROMPT_ROWS ? prompts : PROMPT_ROWS);
    int64_t need = l->prompt + l->max_tokens - 1;
    const struct model_use use = {.slots = l->slots, .cached_rows = rows, .out_rows = l->slots,
                                  .cache_len = engine_cache_len(0, need, m->cfg.max_seq_len)};
    return memory_plan(m, &use, 0, l->follows ? memory_of_replacing(m) : 0);
}
