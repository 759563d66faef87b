/* engine_slot.c - which sequence is in which slot of the cache, and who has its pages.
 *
 * Sequences take pages as they grow.  Where all are taken, slots that nobody is in give up the prompts that they
 * keep, and then the youngest sequence gives up its place (vLLM's recomputation, Kwon et al., arXiv:2309.06180):
 * it waits, and when it starts again it fills the cache from the tokens that it has.
 */
#include <stdlib.h>

#include "base/log.h"
#include "gen/engine_internal.h"
#include "kernels/ops.h"

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

/* Pages of a cache of slots of *len positions: all that they can fill, or as many as are allowed and there.  Where
 * these do not hold a sequence so long, *len is as long as they can. */
static int64_t pages_of_cache(const struct engine *e, int64_t *len)
{
    const int64_t all = e->n_slots * kv_cache_pages(*len);
    const size_t page = kv_cache_page_bytes(e->m), room = model_room(e->m);
    size_t most = (size_t)all * page;
    if (e->cache_bytes && most > e->cache_bytes)
        most = e->cache_bytes;
    if (room && most > room) /* the device needs some for itself */
        most = room / 8 * 7;
    int64_t n = (int64_t)(most / page) < all ? (int64_t)(most / page) : all;
    if (n < kv_cache_pages(*len))
        *len = n * KV_PAGE;
    if (n < all)
        log_debug("a key-value cache of %lld pages of %d tokens; %lld sequences could fill %lld", (long long)n,
                  KV_PAGE, (long long)e->n_slots, (long long)all);
    return n;
}

/* A cache of longer slots.  Nothing is moved: running sequences fill it again from their tokens,
 * which gives the same bits (but for tokens that older weights had cached). */
static int grow_cache(struct engine *e, int64_t need, struct err *err)
{
    int64_t len = engine_cache_len(e->cache_len, need, e->max_len);
    kv_cache_free(e->cache);
    e->cache = NULL;
    if (model_prepare(e->m, &(struct model_use){.cache_len = len}, err) < 0)
        return -1;
    int64_t n_pages = pages_of_cache(e, &len);
    if (len < need) {
        err_set(err, "a sequence of %lld tokens needs %.1f MiB of key-value cache, and %.1f are there; shorter "
                "sequences (--max-tokens) or more memory for them (--kv-memory) are needed", (long long)need,
                (double)((size_t)kv_cache_pages(need) * kv_cache_page_bytes(e->m)) / (1 << 20),
                (double)((size_t)n_pages * kv_cache_page_bytes(e->m)) / (1 << 20));
        err->status = EXIT_NO_MEMORY;
        return -1;
    }
    e->cache_len = len;
    e->cache = kv_cache_new(e->m, e->n_slots, len, n_pages, err);
    if (!e->cache)
        return -1;
    for (int64_t i = 0; i < e->n_slots; i++) {
        e->slots[i].prompt_cached = 0;
        e->slots[i].version = e->version;
        if (e->slots[i].seq)
            e->slots[i].seq->cached = 0;
    }
    return 0;
}

/* What the slot holds is needed no longer. */
static void empty_slot(struct engine *e, int64_t i)
{
    struct slot *slot = &e->slots[i];
    kv_cache_cut(e->cache, i, 0);
    prompt_unref(slot->prompt);
    slot->prompt = NULL;
    slot->prompt_cached = 0;
}

/* A slot that nobody is in and that keeps a prompt, another than p if there is one; -1 = none. */
static int64_t idle_slot(const struct engine *e, const struct prompt *p)
{
    int64_t found = -1;
    for (int64_t i = 0; i < e->n_slots; i++) {
        if (e->slots[i].seq || !e->slots[i].prompt)
            continue;
        found = i;
        if (e->slots[i].prompt != p)
            break;
    }
    return found;
}

static struct sequence *youngest(const struct engine *e)
{
    struct sequence *y = NULL;
    for (int64_t i = 0; i < e->n_slots; i++) {
        struct sequence *s = e->slots[i].seq;
        if (s && (!y || s->number > y->number))
            y = s;
    }
    return y;
}

static void preempt(struct engine *e, struct sequence *s)
{
    int64_t at = e->head + (s->number - e->seqs[e->head]->number);
    e->slots[s->slot].seq = NULL;
    empty_slot(e, s->slot);
    s->state = SEQ_WAITING;
    e->running--;
    e->waiting++;
    e->preempted++;
    if (e->start > at)
        e->start = at;
}

/* Frees some pages for s; false if only s itself could give any. */
static bool give_up_some(struct engine *e, const struct sequence *s)
{
    int64_t idle = idle_slot(e, s->prompt);
    struct sequence *y = idle < 0 ? youngest(e) : NULL;
    if (idle >= 0)
        empty_slot(e, idle);
    else if (y != s)
        preempt(e, y);
    return idle >= 0 || y != s;
}

bool get_pages(struct engine *e, struct sequence *s, int64_t len)
{
    while (!kv_cache_extend(e->cache, s->slot, len)) {
        if (give_up_some(e, s))
            continue;
        preempt(e, s);
        return false;
    }
    return true;
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
        if (found < 0 || (e->slots[found].prompt && !e->slots[i].prompt))
            found = i;
    }
    return found;
}

static void take_slot(struct engine *e, struct sequence *s, int64_t i)
{
    struct slot *slot = &e->slots[i];
    if (slot->prompt != s->prompt || slot->version != e->version)
        empty_slot(e, i);
    if (!slot->prompt)
        slot->prompt = prompt_ref(s->prompt);
    slot->version = e->version;
    slot->seq = s;
    s->slot = i;
    s->state = SEQ_RUNNING;
    /* The last position runs again: its logits are what the first token is drawn from. */
    s->cached = slot->prompt_cached < s->prompt->n ? slot->prompt_cached : s->prompt->n - 1;
    e->running++;
    e->waiting--;
}

/* Pages that s needs for what it knows and a token more, but for those that it may read elsewhere. */
static int64_t pages_to_start(const struct engine *e, const struct sequence *s)
{
    int64_t n = kv_cache_pages(s->prompt->n + s->n_tokens + 1);
    for (int64_t i = 0; i < e->n_slots; i++)
        if (e->slots[i].prompt == s->prompt && e->slots[i].version == e->version)
            return n - (s->prompt->n - 1) / KV_PAGE;
    return n;
}

/* Whether s may start: always if nothing runs, else if nobody has to make way for it. */
static bool may_start(struct engine *e, const struct sequence *s)
{
    int64_t n = pages_to_start(e, s);
    while (e->running > 0 && kv_cache_free_pages(e->cache) < n) {
        int64_t idle = idle_slot(e, s->prompt);
        if (idle < 0 || e->slots[idle].prompt == s->prompt)
            return false;
        empty_slot(e, idle);
    }
    return true;
}

int start_sequences(struct engine *e, struct err *err)
{
    for (; e->start < e->tail && e->running < e->n_slots; e->start++) {
        struct sequence *s = e->seqs[e->start];
        int64_t need = positions_needed(s);
        if (s->state != SEQ_WAITING)
            continue;
        if ((!e->cache || need > e->cache_len) && grow_cache(e, need, err) < 0)
            return -1;
        if (!may_start(e, s))
            break;
        take_slot(e, s, free_slot(e, s->prompt));
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

/* The prompt as the other slot has it, without its last position. */
static bool borrow_prompt(struct engine *e, struct sequence *s, int64_t from)
{
    int64_t len = s->prompt->n - 1;
    kv_cache_cut(e->cache, s->slot, 0);
    s->cached = e->slots[s->slot].prompt_cached = 0;
    if (!kv_cache_share(e->cache, from, s->slot, len))
        return false;
    s->cached = e->slots[s->slot].prompt_cached = len;
    return true;
}

bool share_prompt(struct engine *e, struct sequence *s)
{
    while (s->cached < s->prompt->n - 1) {
        bool pending;
        int64_t from = slot_with_prompt(e, s, &pending);
        if (from < 0)
            return !pending;
        if (!borrow_prompt(e, s, from) && !give_up_some(e, s))
            return false;
    }
    return true;
}

void leave_slot(struct engine *e, struct sequence *s)
{
    struct slot *slot = &e->slots[s->slot];
    kv_cache_cut(e->cache, s->slot, slot->prompt_cached);
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
