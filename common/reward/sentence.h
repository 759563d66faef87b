/* sentence.h - where sentences end, and the words and marks in them.
 *
 * Sentences end as in Kiss and Strunk's "Unsupervised multilingual sentence boundary detection"
 * (Computational Linguistics 32(4), 2006), with a list of English abbreviations and of words that
 * are written small within a sentence in place of their trained tables:
 *   ? and !  end one, and so does a full stop, unless what it follows is
 *   an abbreviation or an ellipsis, before anything but a common word with a capital;
 *   an initial, before anything but such a word;
 *   a number, before a small letter.
 * Closing quotes and brackets stay with the sentence they close.
 *
 * Tokens are those of the Penn Treebank (https://catalog.ldc.upenn.edu/LDC99T42): punctuation
 * stands apart, so do 's and n't; a full stop does at the end of the sentence only.
 */
#ifndef TP_REWARD_SENTENCE_H
#define TP_REWARD_SENTENCE_H

#include "reward/pieces.h"

void split_sentences(struct span text, struct spans *out);
size_t count_sentences(struct span text);
void split_tokens(struct span text, struct spans *out);

#endif
