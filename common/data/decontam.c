/* decontam.c - is an evaluation item in this text? */
#include "data/decontam.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/decontam_internal.h"

/* N-grams that hundreds of items have say where none of them is; each has others. */
#define MOST_POSTINGS 256
#define SURE_WORDS 30     /* a part this long needs no more than the threshold */
#define ANSWER_WORDS 20   /* a shorter answer says nothing without its question */
#define SUPPORT 0.2       /* of what a question lacks, for its answer, and for its passage */
#define SLACK 8           /* words */
#define ANSWER_BEHIND 200 /* a short answer is looked for so many words behind its question */

/* Where the n-grams of the items are in the text. */

static void note_hits(const struct decontam *d, struct decontam_scratch *s, size_t length)
{
    if (s->words.n < length)
        return;
    size_t n = words_ngrams(&s->words, length, s->ngrams);
    for (size_t i = 0; i < n; i++) {
        const struct posting *p;
        size_t n_postings = decontam_look_up(d, ngram_hash(s->ngrams[i], length), &p);
        if (n_postings > MOST_POSTINGS)
            continue;
        for (size_t k = 0; k < n_postings; k++) {
            GROW(s->hits, s->n_hits, s->cap_hits);
            s->hits[s->n_hits++] = (struct decontam_hit){p[k].part, p[k].at, i};
        }
    }
}

static int by_part(const void *a, const void *b)
{
    const struct decontam_hit *x = a, *y = b;
    if (x->part != y->part)
        return (x->part > y->part) - (x->part < y->part);
    if (x->doc != y->doc)
        return (x->doc > y->doc) - (x->doc < y->doc);
    return (x->at > y->at) - (x->at < y->at);
}

static void find_hits(const struct decontam *d, struct decontam_scratch *s)
{
    s->n_hits = 0;
    if (s->words.n > s->cap_ngrams) {
        s->cap_ngrams = s->words.cap;
        s->ngrams = xreallocarray(s->ngrams, s->cap_ngrams, sizeof *s->ngrams);
    }
    for (size_t length = 1; length <= (size_t)d->o.ngram; length++)
        if (d->lengths[length])
            note_hits(d, s, length);
    if (s->n_hits > 1)
        qsort(s->hits, s->n_hits, sizeof *s->hits, by_part);
}

/* How much of a part is there. */

/* A stretch of the text in words, and the hits in it. */
struct place {
    size_t begin, end;            /* looked at */
    size_t first_word, last_word; /* of the hits */
};

/* The stretch with most of the hits of one part. */
static struct place densest(const struct decontam_scratch *s, const struct eval_part *p,
                            const struct decontam_hit *hits, size_t n, size_t length)
{
    size_t span = p->n + p->n / 4 + SLACK, best_first = 0, best_last = 0;
    for (size_t first = 0, last = 0; last < n; last++) {
        while (hits[last].doc - hits[first].doc > span)
            first++;
        if (last - first > best_last - best_first) {
            best_first = first;
            best_last = last;
        }
    }
    const struct decontam_hit *a = &hits[best_first], *b = &hits[best_last];
    size_t before = a->at + SLACK, behind = p->n - b->at + SLACK;
    return (struct place){
        .begin = a->doc > before ? a->doc - before : 0,
        .end = b->doc + behind < s->words.n ? b->doc + behind : s->words.n,
        .first_word = a->doc,
        .last_word = b->doc + length - 1,
    };
}

static uint64_t pair_hash(uint64_t a, uint64_t b)
{
    return words_mix(a * 0x9e3779b97f4a7c15u + b) | 1;
}

/* Fills s->pairs with the pairs of neighbours in the place: a set, open addressing.  Returns its
 * mask. */
static size_t collect_pairs(struct decontam_scratch *s, const struct place *at)
{
    size_t size = 64;
    while (size < (at->end - at->begin) * 2)
        size *= 2;
    if (size > s->cap_pairs) {
        free(s->pairs);
        s->pairs = xcalloc(size, sizeof *s->pairs);
        s->cap_pairs = size;
    }
    memset(s->pairs, 0, size * sizeof *s->pairs);
    for (size_t i = at->begin; i + 1 < at->end; i++) {
        uint64_t hash = pair_hash(s->words.hash[i], s->words.hash[i + 1]);
        size_t slot = hash >> 1 & (size - 1);
        while (s->pairs[slot] && s->pairs[slot] != hash)
            slot = (slot + 1) & (size - 1);
        s->pairs[slot] = hash;
    }
    return size - 1;
}

static void clear_found(struct decontam_scratch *s, size_t n)
{
    if (n > s->cap_found) {
        s->found = xrealloc(s->found, n);
        s->cap_found = n;
    }
    memset(s->found, 0, n);
}

static float share_found(const struct decontam *d, const struct decontam_scratch *s,
                         const struct eval_part *p)
{
    double sum = 0;
    if (!memchr(s->found, 0, p->n))
        return 1; /* and not nearly, as sums have it */
    for (uint32_t i = 0; i < p->n; i++)
        sum += s->found[i] * (d->o.rule == RULE_RARE ? (double)d->weights[p->first + i] : 1);
    return (float)(sum / (d->o.rule == RULE_RARE ? (double)p->weight : p->n));
}

/* Words beside their neighbours, weighted. */
static float share_of_pairs(const struct decontam *d, struct decontam_scratch *s,
                            const struct eval_part *p, const struct place *at)
{
    const uint64_t *words = part_words(d, p);
    size_t mask = collect_pairs(s, at);
    clear_found(s, p->n);
    for (uint32_t i = 0; i + 1 < p->n; i++) {
        uint64_t hash = pair_hash(words[i], words[i + 1]);
        size_t slot = hash >> 1 & mask;
        while (s->pairs[slot] && s->pairs[slot] != hash)
            slot = (slot + 1) & mask;
        if (s->pairs[slot])
            s->found[i] = s->found[i + 1] = 1;
    }
    return share_found(d, s, p);
}

/* Words in whole n-grams, anywhere in the text. */
static float share_of_ngrams(const struct decontam *d, struct decontam_scratch *s,
                             const struct eval_part *p, const struct decontam_hit *hits, size_t n)
{
    clear_found(s, p->n);
    for (size_t i = 0; i < n; i++)
        memset(s->found + hits[i].at, 1, (size_t)d->o.ngram);
    return share_found(d, s, p);
}

/* Is a part too short for n-grams there, word by word? */
static bool stands_near(const struct decontam *d, const struct decontam_scratch *s,
                        const struct eval_part *p, const struct place *at)
{
    size_t end = at->end + ANSWER_BEHIND < s->words.n ? at->end + ANSWER_BEHIND : s->words.n;
    for (size_t i = at->begin; p->n && i + p->n <= end; i++)
        if (memcmp(s->words.hash + i, part_words(d, p), p->n * sizeof *s->words.hash) == 0)
            return true;
    return false;
}

/* Items. */

struct finding {
    struct place at;
    float share;
    bool any;
};

static double needed(const struct decontam *d, const struct eval_part *p)
{
    double least = (double)d->o.min_words, sure = SURE_WORDS > least ? SURE_WORDS : least + 1;
    if (d->o.rule == RULE_NGRAM || p->n >= sure)
        return d->o.threshold;
    return d->o.threshold + (1 - d->o.threshold) * (sure - p->n) / (sure - least);
}

static void add_match(const struct decontam *d, struct decontam_scratch *s, int64_t item,
                      const struct finding found[N_PARTS])
{
    const struct eval_item *it = &d->items[item];
    struct decontam_match m = {.item = item, .kind = -1};
    float support = 1;
    for (int k = 0; k < N_PARTS; k++) {
        m.parts[k] = found[k].share;
        if (d->o.rule == RULE_RARE && k != PART_QUESTION && found[PART_QUESTION].any)
            support *= 1 - (float)SUPPORT * m.parts[k];
    }
    float question = 1 - (1 - m.parts[PART_QUESTION]) * support;
    float answer = m.parts[PART_ANSWER];
    const float slip = 1e-6f; /* of sums in another order */
    if (found[PART_QUESTION].any &&
        question + slip >= (float)needed(d, &it->parts[PART_QUESTION])) {
        m.kind = PART_QUESTION;
        m.score = question;
    } else if (found[PART_ANSWER].any &&
               (d->o.rule == RULE_NGRAM || it->parts[PART_ANSWER].n >= ANSWER_WORDS) &&
               answer + slip >= (float)needed(d, &it->parts[PART_ANSWER])) {
        m.kind = PART_ANSWER;
        m.score = answer;
    }
    if (m.kind < 0)
        return;
    const struct place *at = &found[m.kind].at;
    m.begin = s->words.begin[at->first_word];
    m.end = s->words.end[at->last_word];
    GROW(s->matches, s->n_matches, s->cap_matches);
    s->matches[s->n_matches++] = m;
}

/* All hits of one item, sorted by part. */
static void weigh_item(const struct decontam *d, struct decontam_scratch *s,
                       const struct decontam_hit *hits, size_t n)
{
    int64_t item = hits[0].part / N_PARTS;
    const struct eval_item *it = &d->items[item];
    struct finding found[N_PARTS] = {0};
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && hits[end].part == hits[i].part; end++)
            ;
        int k = (int)(hits[i].part % N_PARTS);
        const struct eval_part *p = &it->parts[k];
        size_t length = p->n < (uint64_t)d->o.ngram ? p->n : (size_t)d->o.ngram;
        struct finding *f = &found[k];
        f->any = true;
        f->at = densest(s, p, hits + i, end - i, length);
        if (p->n <= length)
            f->share = 1; /* the n-gram is all of it */
        else if (d->o.rule == RULE_RARE)
            f->share = share_of_pairs(d, s, p, &f->at);
        else
            f->share = share_of_ngrams(d, s, p, hits + i, end - i);
    }
    for (int k = PART_ANSWER; k < N_PARTS; k++)
        if (!found[k].any && found[PART_QUESTION].any && d->o.rule == RULE_RARE &&
            it->parts[k].n < d->o.min_words)
            found[k].share = stands_near(d, s, &it->parts[k], &found[PART_QUESTION].at);
    add_match(d, s, item, found);
}

static int by_score(const void *a, const void *b)
{
    const struct decontam_match *x = a, *y = b;
    if (x->score != y->score)
        return (x->score < y->score) - (x->score > y->score);
    return (x->item > y->item) - (x->item < y->item);
}

void decontam_find(const struct decontam *d, struct decontam_scratch *s, const char *text, size_t n)
{
    words_of(&s->words, text, n);
    find_hits(d, s);
    s->n_matches = 0;
    for (size_t i = 0, end; i < s->n_hits; i = end) {
        uint32_t item = s->hits[i].part / N_PARTS;
        for (end = i; end < s->n_hits && s->hits[end].part / N_PARTS == item; end++)
            ;
        weigh_item(d, s, s->hits + i, end - i);
    }
    if (s->n_matches > 1)
        qsort(s->matches, s->n_matches, sizeof *s->matches, by_score);
}

void decontam_scratch_release(struct decontam_scratch *s)
{
    words_release(&s->words);
    free(s->ngrams);
    free(s->pairs);
    free(s->found);
    free(s->hits);
    free(s->matches);
    *s = (struct decontam_scratch){0};
}
