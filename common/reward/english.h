/* english.h - lists and rules about English words that checked instructions need.
 *
 * All words are given in small letters.  What a tagger or a pronouncing dictionary would know is a
 * list of common words and a few rules here; tests/bench/instruct-agree.md measures what that costs.
 */
#ifndef TP_REWARD_ENGLISH_H
#define TP_REWARD_ENGLISH_H

#include <stdbool.h>
#include <stddef.h>

/* "dr" of "Dr.", "e.g" of "e.g." */
bool english_abbreviation(const char *word);
/* Small inside a sentence and common at its start: articles, pronouns, conjunctions. */
bool english_small_word(const char *word);
/* Stop words of the NLTK corpus "stopwords" (Porter and others), without the contracted ones. */
bool english_stop_word(const char *word);
/* Pronouns of IFBench's count:pronouns (Pyatkin et al., arXiv:2507.02833). */
bool english_pronoun(const char *word);
/* Some form of a verb: in a list of common ones, or by its ending. */
bool english_verb(const char *word);
/* Syllables by groups of vowels; at least 1 for a word with letters. */
int english_syllables(const char *word);

#endif
