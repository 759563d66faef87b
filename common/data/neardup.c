/* neardup.c - has a text like this been seen before? */
#include "data/neardup.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/bigarray.h"
#include "base/mem.h"
#include "base/strbuf.h"

#define FIRST_SLOTS 4096
#define MOST_KEPT ((int64_t)UINT32_MAX - 1) /* a slot holds a number + 1 in four bytes */
/* Bands that thousands of kept texts share (a common preamble) are not walked to their end: what is
 * similar agrees in other bands, too. */
#define MOST_WALKED 1024

/* Open addressing; a slot is the number of a kept text + 1.  Equal keys have a slot each. */
struct table {
    struct bigarray slots;
    size_t mask;
};

struct neardup {
    struct neardup_options o;
    size_t sign_bytes;
    int64_t n_kept, unwalked;
    struct bigarray signs; /* [n_kept] of sign_bytes */
    struct table exact, *bands;
    uint32_t *candidates; /* of one text */
    int n_candidates, cap_candidates;
};

/* Signing. */

void neardup_signer_init(struct neardup_signer *s, const struct neardup_options *o)
{
    s->o = o;
    minhash_init(&s->minhash, (int)(o->bands * o->rows), (uint64_t)o->seed);
}

void neardup_signer_release(struct neardup_signer *s)
{
    minhash_release(&s->minhash);
}

size_t neardup_sign_bytes(const struct neardup_options *o)
{
    size_t bytes = sizeof(struct neardup_sign) + (size_t)(o->bands * o->rows) * sizeof(uint16_t);
    return (bytes + 7) / 8 * 8;
}

static const unsigned char spaces[256] = {
    [' '] = 1, ['\t'] = 1, ['\n'] = 1, ['\v'] = 1, ['\f'] = 1, ['\r'] = 1,
};

/* Runs of white space become one space, those at both ends nothing.  Without a branch a byte. */
static void squeeze(struct strbuf *out, const char *text, size_t n)
{
    strbuf_clear(out);
    strbuf_reserve(out, n);
    char *to = out->buf;
    bool after_space = true;
    for (size_t i = 0; i < n; i++) {
        bool space = spaces[(unsigned char)text[i]];
        *to = space ? ' ' : text[i];
        to += !(space && after_space);
        after_space = space;
    }
    if (to > out->buf && to[-1] == ' ')
        to--;
    out->len = (size_t)(to - out->buf);
    *to = '\0';
}

static XXH128_hash_t exact_hash(enum neardup_exact how, struct neardup_scratch *scratch,
                                const char *text, size_t n)
{
    if (how == EXACT_RAW)
        return XXH3_128bits(text, n);
    if (how == EXACT_WORDS)
        return XXH3_128bits(scratch->words.hash, scratch->words.n * sizeof *scratch->words.hash);
    squeeze(&scratch->text, text, n);
    return XXH3_128bits(scratch->text.buf, scratch->text.len);
}

void neardup_sign(const struct neardup_signer *s, struct neardup_scratch *scratch, const char *text,
                  size_t n, struct neardup_sign *out)
{
    const struct neardup_options *o = s->o;
    memset(out, 0, neardup_sign_bytes(o));
    if (o->bands > 0 || o->exact == EXACT_WORDS)
        words_of(&scratch->words, text, n);
    XXH128_hash_t hash = exact_hash((enum neardup_exact)o->exact, scratch, text, n);
    out->exact[0] = hash.low64;
    out->exact[1] = hash.high64;
    if (o->bands == 0 || scratch->words.n == 0)
        return;
    if (scratch->words.n > scratch->cap) {
        scratch->cap = scratch->words.cap;
        scratch->ngrams = xreallocarray(scratch->ngrams, scratch->cap, sizeof *scratch->ngrams);
    }
    size_t n_ngrams = words_ngrams(&scratch->words, (size_t)o->ngram, scratch->ngrams);
    out->n_ngrams = n_ngrams < UINT32_MAX ? (uint32_t)n_ngrams : UINT32_MAX;
    minhash_sign(&s->minhash, scratch->ngrams, n_ngrams, out->minhash);
}

void neardup_scratch_release(struct neardup_scratch *scratch)
{
    words_release(&scratch->words);
    strbuf_release(&scratch->text);
    free(scratch->ngrams);
    *scratch = (struct neardup_scratch){0};
}

/* Tables.  band -1 is the table of exact hashes. */

static const struct neardup_sign *sign_at(const struct neardup *d, int64_t kept)
{
    return (const void *)(d->signs.bytes + (size_t)kept * d->sign_bytes);
}

static uint64_t key_of(const struct neardup *d, const struct neardup_sign *s, int64_t band)
{
    if (band < 0)
        return s->exact[0] ^ s->exact[1];
    const uint16_t *rows = s->minhash + band * d->o.rows;
    uint64_t h = 0x9e3779b97f4a7c15u;
    for (int64_t i = 0; i < d->o.rows; i++)
        h = (h ^ rows[i]) * 0x100000001b3u;
    return words_mix(h);
}

static bool same_key(const struct neardup *d, const struct neardup_sign *a,
                     const struct neardup_sign *b, int64_t band)
{
    if (band < 0)
        return memcmp(a->exact, b->exact, sizeof a->exact) == 0;
    size_t rows = (size_t)d->o.rows;
    return memcmp(a->minhash + (size_t)band * rows, b->minhash + (size_t)band * rows,
                  rows * sizeof *a->minhash) == 0;
}

static void put(const struct neardup *d, struct table *t, const struct neardup_sign *s,
                int64_t band, int64_t number)
{
    uint32_t *slots = (uint32_t *)(void *)t->slots.bytes;
    size_t at = key_of(d, s, band) & t->mask;
    while (slots[at])
        at = (at + 1) & t->mask;
    slots[at] = (uint32_t)number + 1;
}

/* A table is at most three quarters full. */
static int make_room(struct neardup *d, struct table *t, int64_t band, struct err *err)
{
    size_t slots = t->mask + 1, n = (size_t)d->n_kept;
    if (t->slots.bytes && (n + 1) * 4 <= slots * 3)
        return 0;
    slots = t->slots.bytes ? slots * 2 : FIRST_SLOTS;
    bigarray_release(&t->slots); /* it is made anew from the signatures */
    bigarray_init(&t->slots, d->o.dir);
    if (bigarray_reserve(&t->slots, slots * sizeof(uint32_t), err) < 0)
        return -1;
    t->mask = slots - 1;
    for (size_t i = 0; i < n; i++)
        if (band < 0 || sign_at(d, (int64_t)i)->n_ngrams)
            put(d, t, sign_at(d, (int64_t)i), band, (int64_t)i);
    return 0;
}

/* Looking. */

static bool find_exact(const struct neardup *d, const struct neardup_sign *s,
                       struct neardup_hit *hit)
{
    const uint32_t *slots = (const void *)d->exact.slots.bytes;
    for (size_t at = key_of(d, s, -1) & d->exact.mask; slots[at]; at = (at + 1) & d->exact.mask) {
        if (!same_key(d, s, sign_at(d, slots[at] - 1), -1))
            continue;
        *hit = (struct neardup_hit){slots[at] - 1, 1, true};
        return true;
    }
    return false;
}

static void add_candidates(struct neardup *d, const struct neardup_sign *s, int64_t band)
{
    const struct table *t = &d->bands[band];
    const uint32_t *slots = (const void *)t->slots.bytes;
    int walked = 0;
    for (size_t at = key_of(d, s, band) & t->mask; slots[at]; at = (at + 1) & t->mask) {
        if (!same_key(d, s, sign_at(d, slots[at] - 1), band))
            continue;
        if (++walked > MOST_WALKED) {
            d->unwalked++;
            return;
        }
        GROW(d->candidates, d->n_candidates, d->cap_candidates);
        d->candidates[d->n_candidates++] = slots[at] - 1;
    }
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* The most similar kept text, of several the first. */
static bool find_near(struct neardup *d, const struct neardup_sign *s, struct neardup_hit *hit)
{
    int k = (int)(d->o.bands * d->o.rows);
    d->n_candidates = 0;
    for (int64_t b = 0; b < d->o.bands; b++)
        add_candidates(d, s, b);
    if (d->n_candidates > 1)
        qsort(d->candidates, (size_t)d->n_candidates, sizeof *d->candidates, by_number);
    *hit = (struct neardup_hit){-1, 0, false};
    for (int i = 0; i < d->n_candidates; i++) {
        if (i > 0 && d->candidates[i] == d->candidates[i - 1])
            continue;
        double j = minhash_similarity(s->minhash, sign_at(d, d->candidates[i])->minhash, k);
        if (j >= d->o.threshold && j > hit->similarity)
            *hit = (struct neardup_hit){d->candidates[i], j, false};
    }
    return hit->kept >= 0;
}

/* The index. */

struct neardup *neardup_open(const struct neardup_options *o)
{
    struct neardup *d = xcalloc(1, sizeof *d);
    d->o = *o;
    d->sign_bytes = neardup_sign_bytes(o);
    d->bands = xcalloc((size_t)o->bands, sizeof *d->bands);
    bigarray_init(&d->signs, o->dir);
    bigarray_init(&d->exact.slots, o->dir);
    for (int64_t b = 0; b < o->bands; b++)
        bigarray_init(&d->bands[b].slots, o->dir);
    return d;
}

static int keep(struct neardup *d, const struct neardup_sign *s, struct err *err)
{
    if (d->n_kept == MOST_KEPT)
        return err_set(err, "more than %lld different documents", (long long)MOST_KEPT);
    if (bigarray_reserve(&d->signs, (size_t)(d->n_kept + 1) * d->sign_bytes, err) < 0)
        return -1;
    memcpy(d->signs.bytes + (size_t)d->n_kept * d->sign_bytes, s, d->sign_bytes);
    put(d, &d->exact, s, -1, d->n_kept);
    for (int64_t b = 0; b < d->o.bands && s->n_ngrams; b++)
        put(d, &d->bands[b], s, b, d->n_kept);
    d->n_kept++;
    return 0;
}

int neardup_add(struct neardup *d, const struct neardup_sign *s, struct neardup_hit *hit,
                struct err *err)
{
    if (make_room(d, &d->exact, -1, err) < 0)
        return -1;
    for (int64_t b = 0; b < d->o.bands; b++)
        if (make_room(d, &d->bands[b], b, err) < 0)
            return -1;
    if (find_exact(d, s, hit) || (s->n_ngrams && d->o.bands && find_near(d, s, hit)))
        return 1;
    return keep(d, s, err);
}

int64_t neardup_kept(const struct neardup *d)
{
    return d->n_kept;
}

int64_t neardup_bytes(const struct neardup *d)
{
    int64_t bytes = d->n_kept * (int64_t)d->sign_bytes;
    bytes += (int64_t)((d->exact.mask + 1) * sizeof(uint32_t));
    for (int64_t b = 0; b < d->o.bands; b++)
        bytes += (int64_t)((d->bands[b].mask + 1) * sizeof(uint32_t));
    return bytes;
}

int64_t neardup_unwalked(const struct neardup *d)
{
    return d->unwalked;
}

void neardup_close(struct neardup *d)
{
    if (!d)
        return;
    bigarray_release(&d->signs);
    bigarray_release(&d->exact.slots);
    for (int64_t b = 0; b < d->o.bands; b++)
        bigarray_release(&d->bands[b].slots);
    free(d->bands);
    free(d->candidates);
    free(d);
}
