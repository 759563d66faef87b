/* decontam.h - is an evaluation item in this text?
 *
 * An item has a question, and may have an answer and a passage.  Texts are compared
 * as words (words.h), so case and punctuation make no difference.  Two rules:
 *
 * RULE_NGRAM, that of Olmo 3's data: an item is found if the n-grams (8) that its
 * question or its answer shares with the text cover at least half of the part's words.
 *
 * RULE_RARE, in the manner of allenai/decon: shared n-grams (5) only say where to look.
 * In the stretch of text where most of them lie, as long as the part and a quarter, a
 * word of the part counts as found if it stands there beside its neighbour, and weighs
 * log(1 + items / items with the word): a phrase that all items have says little.  The
 * score is the weight found of the weight of all.  What a question lacks is made up to
 * a fifth each by an answer and by a passage that are there.  Parts of fewer than 30 words
 * need more than the threshold, those of --min-words all of their words.  A passage alone
 * is no contamination, nor is an answer of fewer than 20 words.
 */
#ifndef TP_DATA_DECONTAM_H
#define TP_DATA_DECONTAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/opt.h"
#include "data/words.h"

enum decontam_rule { RULE_RARE, RULE_NGRAM };
extern const struct opt_enum decontam_rule_names[];
enum eval_part_kind { PART_QUESTION, PART_ANSWER, PART_PASSAGE, N_PARTS };

struct decontam_options {
    int rule;                    /* enum decontam_rule */
    int64_t ngram;               /* 0: 5 or 8, as the rule has it */
    double threshold;            /* 0: 0.6 or 0.5 */
    int64_t min_words;           /* parts with fewer are not looked for by themselves */
    const char *fields[N_PARTS]; /* NULL: the usual names, see decontam_items.c */
};

struct eval_part {
    size_t first; /* its words in the index */
    uint32_t n;   /* 0: there is none */
    float weight; /* of all its words */
};

struct eval_item {
    const char *set; /* its name */
    char *id;        /* its own, or NULL */
    int64_t line;
    struct eval_part parts[N_PARTS];
};

struct decontam_match {
    int64_t item;
    float score;          /* what was compared with the threshold */
    float parts[N_PARTS]; /* share of each that was found */
    int kind;             /* the part that decided: question or answer */
    size_t begin, end;    /* where in the text, in bytes */
};

struct decontam_counts {
    int64_t items, repeated, too_short; /* taken; equal to one before; without a part long enough */
    int64_t index_bytes;
};

struct decontam;
struct decontam *decontam_open(const struct decontam_options *o);
/* All items of a file of JSON lines under a name. */
int decontam_add_set(struct decontam *d, const char *name, const char *path,
                     struct err *err) WARN_UNUSED;
void decontam_index(struct decontam *d); /* after the last set, before the first text */
const struct decontam_counts *decontam_counts(const struct decontam *d);
const struct eval_item *decontam_item(const struct decontam *d, int64_t i);
void decontam_close(struct decontam *d);

/* Working memory of one thread. */
struct decontam_hit {
    uint32_t part, at; /* number of the part; the n-gram's place in it */
    size_t doc;        /* and in the text, in words */
};
struct decontam_scratch {
    struct words words;
    uint64_t *ngrams, *pairs;
    unsigned char *found;
    struct decontam_hit *hits;
    struct decontam_match *matches;
    size_t cap_ngrams, cap_pairs, cap_found, n_hits, cap_hits, n_matches, cap_matches;
};
/* Fills scratch->matches, the highest score first. */
void decontam_find(const struct decontam *d, struct decontam_scratch *s, const char *text,
                   size_t n);
void decontam_scratch_release(struct decontam_scratch *s);

#endif
