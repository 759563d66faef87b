/* decontam_internal.h - inside of decontam*.c: the index of the items' n-grams. */
#ifndef TP_DATA_DECONTAM_INTERNAL_H
#define TP_DATA_DECONTAM_INTERNAL_H

#include "base/mem.h"
#include "data/decontam.h"

#define NGRAM_MOST 64

struct posting {
    uint64_t hash;
    uint32_t part, at; /* part = item * N_PARTS + kind */
};

struct decontam {
    struct decontam_options o;
    struct arena names;
    struct eval_item *items;
    int64_t n_items, cap_items;
    uint64_t *words; /* of all parts, end to end */
    float *weights;  /* [n_words] */
    size_t n_words, cap_words;
    bool lengths[NGRAM_MOST + 1]; /* n-grams of these lengths are in the index */

    struct posting *postings; /* sorted by hash */
    size_t n_postings, cap_postings;
    uint32_t *table; /* open addressing: first posting of a hash + 1 */
    uint64_t table_mask;
    uint64_t *filter; /* bits: without one, the hash is not there; small enough for the cache */
    uint64_t filter_mask;
    uint64_t *seen; /* hashes of items, to find repeated ones */
    size_t cap_seen;
    struct decontam_counts counts;
};

/* decontam_items.c */
const uint64_t *part_words(const struct decontam *d, const struct eval_part *p);
/* Calls for the postings of a hash: how many there are, *first of them. */
size_t decontam_look_up(const struct decontam *d, uint64_t hash, const struct posting **first);
/* Short n-grams hash as such. */
static inline uint64_t ngram_hash(uint64_t hash, size_t length)
{
    return hash ^ (uint64_t)length << 56;
}

#endif
