/* pieces.h - text in pieces: characters, words, lines, paragraphs.
 *
 * Text is UTF-8.  White space, letters and case are Unicode's; punctuation, where this header
 * says so, is that of ASCII, as in Python's string.punctuation, which the definitions of the
 * checked instructions use.  Spans point into the text they were made of.
 */
#ifndef TP_REWARD_PIECES_H
#define TP_REWARD_PIECES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "reward/extract.h"

struct spans {
    struct span *at;
    size_t n, cap;
};
void spans_add(struct spans *list, const char *start, size_t n);
void spans_release(struct spans *list);

struct span span_of(const char *text);
/* The character at the front, 0 of an empty span; drops it.  Bytes that are no UTF-8 are U+FFFD. */
int32_t span_char(struct span *s);
int32_t span_first(struct span s);
int32_t span_last(struct span s);
size_t span_length(struct span s); /* in characters */

bool char_is_space(int32_t c);
bool char_is_word(int32_t c); /* a letter, a number or an underscore */
bool char_is_letter(int32_t c);
bool char_is_upper(int32_t c);
bool char_is_lower(int32_t c);
bool char_is_punctuation(int32_t c); /* of ASCII */

struct span span_strip(struct span s);       /* white space off both ends */
struct span span_strip_marks(struct span s); /* ASCII punctuation and blanks off both ends */
bool span_is(struct span s, const char *text);
bool span_same(struct span a, struct span b);
bool span_same_any_case(struct span a, struct span b);
bool span_starts(struct span s, const char *text);
bool span_ends(struct span s, const char *text);
/* Where `what` stands first, or NULL. */
const char *span_find(struct span s, const char *what);
/* How often `what` stands in it, without overlaps. */
size_t span_count(struct span s, const char *what);
/* Does it stand there with no word character beside it?  Case counts unless told. */
bool span_has_word(struct span s, const char *word, bool any_case);

/* Parted by white space; none is empty. */
void split_words(struct span text, struct spans *out);
/* Parted by a string; pieces may be empty, there is always one. */
void split_by(struct span text, const char *separator, struct spans *out);
/* Runs of word characters. */
size_t count_words(struct span text);

/* How often it stands there, whatever the case of either. */
long text_count(struct span text, struct span what);

/* Owned copies. */
char *text_lower(struct span text);
char *text_without_marks(struct span text);             /* ASCII punctuation left out */
char *text_without(struct span text, const char *what); /* every occurrence left out */
char *text_plain(struct span text);                     /* NFKD, ASCII only: Tome for Tomé */
bool text_is_upper(struct span text); /* some letter has case, and every one that has is upper */
bool text_is_lower(struct span text);

/* Are all different?  Else how often the most frequent one stands there, and how many differ. */
struct frequency {
    size_t distinct, most;
};
struct frequency spans_frequency(const struct spans *list);

#endif
