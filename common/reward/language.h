/* language.h - the language a text is written in, by its script and its most common words.
 *
 * Languages of one script are told apart by how many words of the text are among some forty of
 * each language's most common ones, and by letters that only one of them uses.
 */
#ifndef TP_REWARD_LANGUAGE_H
#define TP_REWARD_LANGUAGE_H

#include "reward/pieces.h"

/* ISO 639-1 code, "und" when it has letters of no language we know, NULL when it has no letters.
 * Latin text without accents and without any word we know counts as English. */
const char *text_language(struct span text);

#endif
