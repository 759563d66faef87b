/* neardup.h - has a text like this been seen before?
 *
 * Exact copies are found by a 128-bit hash, near ones by MinHash with banding
 * (Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", ch. 3): the signature
 * is cut into bands of rows; texts that agree in a whole band are compared, and are
 * duplicates if the estimated Jaccard similarity of their n-grams is at least the
 * threshold.  A pair of similarity J is compared with probability 1 - (1 - J^rows)^bands.
 *
 * Only what was new is kept.  A kept text costs
 *
 *     24 + 2 bands rows bytes    its hash and signature
 *     (bands + 1) x 5.3 to 10.7  its places in the hash tables, which double
 *
 * whatever its length.
 */
#ifndef TP_DATA_NEARDUP_H
#define TP_DATA_NEARDUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "data/minhash.h"
#include "data/words.h"

enum neardup_exact { EXACT_SPACE, EXACT_RAW, EXACT_WORDS };

struct neardup_options {
    int64_t ngram, bands, rows; /* bands 0: exact duplicates only */
    double threshold;
    int exact;       /* enum neardup_exact: runs of white space are one space, as it is, words alone */
    const char *dir; /* where the index lies; NULL: in memory */
    int64_t seed;
};

/* What is known of a text: a block of neardup_sign_bytes(). */
struct neardup_sign {
    uint64_t exact[2];
    uint32_t n_ngrams; /* 0: no words, so nothing is near it */
    uint32_t line;     /* for the caller */
    uint16_t minhash[];
};

struct neardup_signer {
    const struct neardup_options *o;
    struct minhash minhash;
};
/* Working memory of one thread. */
struct neardup_scratch {
    struct words words;
    struct strbuf text;
    uint64_t *ngrams;
    size_t cap;
};

void neardup_signer_init(struct neardup_signer *s, const struct neardup_options *o);
void neardup_signer_release(struct neardup_signer *s);
size_t neardup_sign_bytes(const struct neardup_options *o);
void neardup_sign(const struct neardup_signer *s, struct neardup_scratch *scratch, const char *text,
                  size_t n, struct neardup_sign *out);
void neardup_scratch_release(struct neardup_scratch *scratch);

struct neardup_hit {
    int64_t kept; /* the duplicate that was kept, as it was numbered: 0, 1, ... in the order kept */
    double similarity;
    bool exact;
};

struct neardup;
struct neardup *neardup_open(const struct neardup_options *o);
/* 1 = a duplicate, see *hit; 0 = it is new and was kept; -1 = error. */
int neardup_add(struct neardup *d, const struct neardup_sign *sign, struct neardup_hit *hit,
                struct err *err) WARN_UNUSED;
int64_t neardup_kept(const struct neardup *d);
int64_t neardup_bytes(const struct neardup *d); /* of the index as it stands */
int64_t neardup_unwalked(const struct neardup *d); /* candidates left out in crowded bands */
void neardup_close(struct neardup *d);

#endif
