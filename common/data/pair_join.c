/* pair_join.c - a strong model's answers with a weak model's to the same prompts. */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/mem.h"
#include "data/pair_internal.h"

struct rejected {
    struct strbuf text; /* the record as JSON: a parsed one takes many times the memory */
    bool has_id, used, asked;
    enum outcome outcome; /* if not used but asked for */
};

struct bucket { /* the rejected records of one id or prompt */
    int64_t *items;
    int64_t n, cap, n_pairs;
};

struct held {
    struct rejected *all;
    int64_t n, cap;
    struct bucket *buckets;
    int64_t n_buckets, cap_buckets;
    json_t *ids, *prompts; /* key's hash in hex -> number of the bucket */
    bool counted;
};

static struct held *held_of(struct pair_maker *m)
{
    if (!m->held) {
        m->held = xcalloc(1, sizeof *m->held);
        m->held->ids = json_object();
        m->held->prompts = json_object();
    }
    return m->held;
}

void held_free(struct held *h)
{
    if (!h)
        return;
    for (int64_t i = 0; i < h->n; i++)
        strbuf_release(&h->all[i].text);
    for (int64_t i = 0; i < h->n_buckets; i++)
        free(h->buckets[i].items);
    free(h->all);
    free(h->buckets);
    json_decref(h->ids);
    json_decref(h->prompts);
    free(h);
}

/* Keys: prompts may be long, their hashes are not. */

static void hash_name(const struct strbuf *key, char name[40])
{
    XXH128_hash_t hash = XXH3_128bits(key->buf, key->len);
    snprintf(name, 40, "%016llx%016llx", (unsigned long long)hash.high64,
             (unsigned long long)hash.low64);
}

static bool id_name(const json_t *obj, char name[40])
{
    const json_t *id = json_object_get(obj, "id");
    struct strbuf key = {0};
    if (!id || json_is_null(id))
        return false;
    json_write(&key, id);
    hash_name(&key, name);
    strbuf_release(&key);
    return true;
}

static bool prompt_name(const json_t *obj, char name[40])
{
    struct strbuf key = {0};
    bool found = response_prompt_key(obj, &key);
    if (found)
        hash_name(&key, name);
    strbuf_release(&key);
    return found;
}

static struct bucket *find_bucket(struct held *h, const json_t *index, const char *name)
{
    const json_t *at = json_object_get(index, name);
    return at ? &h->buckets[json_integer_value(at)] : NULL;
}

static void put(struct held *h, json_t *index, const char *name, int64_t item)
{
    struct bucket *b = find_bucket(h, index, name);
    if (!b) {
        GROW(h->buckets, h->n_buckets, h->cap_buckets);
        json_object_set_new(index, name, json_integer(h->n_buckets));
        b = &h->buckets[h->n_buckets++];
        *b = (struct bucket){0};
    }
    GROW(b->items, b->n, b->cap);
    b->items[b->n++] = item;
}

static int check_keys(const struct pair_options *o, bool has_id, bool has_prompt, struct err *err)
{
    if (o->join == PAIR_JOIN_ID && !has_id)
        return err_set(err, "'id' is missing");
    if (o->join == PAIR_JOIN_PROMPT && !has_prompt)
        return err_set(err, "no prompt: expected 'messages', 'prompt' or 'prompt_token_ids'");
    if (!has_id && !has_prompt)
        return err_set(err, "nothing to join by: expected 'id', 'messages', 'prompt' or "
                            "'prompt_token_ids'");
    return 0;
}

int pair_add_rejected(struct pair_maker *m, json_t *obj, struct err *err)
{
    struct held *h = held_of(m);
    struct half half;
    char id[40], prompt[40];
    bool has_id = id_name(obj, id), has_prompt = prompt_name(obj, prompt);
    int rc = check_keys(&m->o, has_id, has_prompt, err);
    if (rc == 0)
        rc = half_read(obj, &half, err);
    if (rc < 0)
        return -1;
    enum outcome outcome = half_check(&m->o, &half, false);
    if (outcome != PAIRED) {
        m->rejected.n[outcome]++;
    } else {
        GROW(h->all, h->n, h->cap);
        h->all[h->n] = (struct rejected){.has_id = has_id};
        json_write(&h->all[h->n].text, obj);
        if (has_id && m->o.join != PAIR_JOIN_PROMPT)
            put(h, h->ids, id, h->n);
        if (has_prompt && m->o.join != PAIR_JOIN_ID)
            put(h, h->prompts, prompt, h->n);
        h->n++;
    }
    half_release(&half);
    return 0;
}

/* by_id: the records found have the same id; else the same prompt. */
static struct bucket *bucket_for(struct pair_maker *m, const json_t *obj, bool *by_id,
                                 struct err *err)
{
    struct held *h = held_of(m);
    char id[40], prompt[40];
    bool has_id = id_name(obj, id), has_prompt = prompt_name(obj, prompt);
    struct bucket *b = NULL;
    if (check_keys(&m->o, has_id, has_prompt, err) < 0)
        return NULL;
    if (has_id && m->o.join != PAIR_JOIN_PROMPT)
        b = find_bucket(h, h->ids, id);
    *by_id = b != NULL;
    if (!b && has_prompt && m->o.join != PAIR_JOIN_ID)
        b = find_bucket(h, h->prompts, prompt);
    return b;
}

/* Files numbered apart share ids by accident; their pairs would teach nonsense. */
static int check_same_prompt(const struct half *a, const struct half *b, struct err *err)
{
    struct strbuf ka = {0}, kb = {0};
    int rc = 0;
    bool comparable = response_prompt_key(a->obj, &ka) && response_prompt_key(b->obj, &kb) &&
                      ka.buf[0] == kb.buf[0] && ka.buf[0] != 'i';
    if (comparable && (ka.len != kb.len || memcmp(ka.buf, kb.buf, ka.len) != 0))
        rc = err_set(err, "the two records with this 'id' have different prompts (--join prompt?)");
    strbuf_release(&ka);
    strbuf_release(&kb);
    return rc;
}

/* 1 = paired, 0 = does not fit (r->outcome), -1 = error. */
static int try_pair(struct pair_maker *m, const struct half *chosen, struct rejected *r, bool by_id,
                    json_t **pair, struct err *err)
{
    struct half half;
    json_t *obj = json_parse(r->text.buf, r->text.len, err);
    int rc = obj ? half_read(obj, &half, err) : -1;
    json_decref(obj);
    if (rc < 0)
        return -1;
    if (by_id)
        rc = check_same_prompt(chosen, &half, err);
    if (rc == 0) {
        r->asked = true;
        r->outcome = pair_check(&m->o, chosen, &half);
    }
    if (rc == 0 && r->outcome == PAIRED) {
        *pair = pair_make(m, chosen, &half);
        r->used = true;
        strbuf_release(&r->text);
        rc = 1;
    }
    half_release(&half);
    return rc;
}

/* The first rejected answer that is free and fits; `outcome` says why there is none. */
static int match_in(struct pair_maker *m, const struct half *chosen, struct bucket *b, bool by_id,
                    enum outcome *outcome, json_t **pair, struct err *err)
{
    struct held *h = m->held;
    bool has_id = json_object_get(chosen->obj, "id") != NULL, any = false, failed = false;
    *outcome = SURPLUS;
    for (int64_t i = 0; i < b->n; i++) {
        struct rejected *r = &h->all[b->items[i]];
        /* Both have ids, and they differ: not the same problem. */
        if (!by_id && has_id && r->has_id && m->o.join == PAIR_JOIN_AUTO)
            continue;
        any = true;
        if (r->used)
            continue;
        if (b->n_pairs >= m->o.pairs_per_prompt) {
            if (!r->asked)
                r->outcome = SURPLUS;
            r->asked = true;
            continue;
        }
        int rc = try_pair(m, chosen, r, by_id, pair, err);
        if (rc < 0)
            return -1;
        if (rc > 0) {
            b->n_pairs++;
            *outcome = PAIRED;
            return 0;
        }
        if (!failed)
            *outcome = r->outcome;
        failed = true;
    }
    if (!any)
        *outcome = UNMATCHED;
    return 0;
}

int pair_match(struct pair_maker *m, json_t *obj, json_t **pair, struct err *err)
{
    struct half chosen;
    bool by_id = false;
    *pair = NULL;
    if (half_read(obj, &chosen, err) < 0)
        return -1;
    struct bucket *b = bucket_for(m, obj, &by_id, err);
    enum outcome outcome = half_check(&m->o, &chosen, true);
    int rc = err->set ? -1 : 0;
    if (rc == 0 && outcome == PAIRED) {
        outcome = UNMATCHED;
        if (b)
            rc = match_in(m, &chosen, b, by_id, &outcome, pair, err);
    }
    if (rc == 0)
        m->chosen.n[outcome]++;
    half_release(&chosen);
    return rc;
}

/* A bucket that made a pair was asked for, so its unused records are surplus. */
static void mark_surplus(struct held *h)
{
    for (int64_t i = 0; i < h->n_buckets; i++) {
        const struct bucket *b = &h->buckets[i];
        for (int64_t k = 0; b->n_pairs && k < b->n; k++) {
            struct rejected *r = &h->all[b->items[k]];
            if (!r->used && !r->asked) {
                r->asked = true;
                r->outcome = SURPLUS;
            }
        }
    }
}

void held_count(struct pair_maker *m)
{
    struct held *h = held_of(m);
    if (h->counted)
        return;
    h->counted = true;
    mark_surplus(h);
    for (int64_t i = 0; i < h->n; i++) {
        const struct rejected *r = &h->all[i];
        m->rejected.n[r->used ? PAIRED : r->asked ? r->outcome : UNMATCHED]++;
    }
}
