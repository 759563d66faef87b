/* words.h - a text as the words that it is compared by.
 *
 * A word is a run of letters, digits and marks, in lower case; a Han character or
 * a kana is a word of its own.  Everything else only separates, so that case,
 * punctuation and white space make no difference.
 */
#ifndef TP_DATA_WORDS_H
#define TP_DATA_WORDS_H

#include <stddef.h>
#include <stdint.h>

struct words {
    uint64_t *hash; /* [n] of the word's lower-case code points */
    size_t *begin;  /* [n] where it begins in the text, in bytes */
    size_t *end;    /* [n] */
    size_t n, cap;
};

/* Replaces what w held by the words of the text (UTF-8; other bytes separate). */
void words_of(struct words *w, const char *text, size_t n);
void words_release(struct words *w);
/* hashes[i] is of the words i to i + ngram - 1.  Returns how many: n - ngram + 1, or, for a text that
 * is shorter and has words, one of all its words.  hashes has room for max(n, 1). */
size_t words_ngrams(const struct words *w, size_t ngram, uint64_t *hashes);
/* A 64-bit number whose bits all depend on all of x. */
static inline uint64_t words_mix(uint64_t x)
{
    x ^= x >> 32; /* the finalizer of D. Stafford, "Better bit mixing", variant 13 */
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

#endif
