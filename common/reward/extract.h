/* extract.h - where in a response the answer stands.
 *
 * Each function finds the last place of its kind: a model that changes its mind
 * means what it said last.  Spans point into the text.
 */
#ifndef TP_REWARD_EXTRACT_H
#define TP_REWARD_EXTRACT_H

#include <stdbool.h>
#include <stddef.h>

struct span {
    const char *start;
    size_t n;
};

/* \boxed{..}, \fbox{..} with balanced braces, or "\boxed 5". */
bool extract_boxed(const char *text, struct span *out);
/* "\boxed{1} and \boxed{2}", "\boxed{1}, \boxed{2}": several that are one answer, as "1, 2".  Owned;
 * NULL if the last one stands alone. */
char *extract_boxes(const char *text);
/* "The final answer is X. I hope it is correct." (Lewkowycz et al., arXiv:2206.14858) */
bool extract_minerva(const char *text, struct span *out);
/* <name>..</name> */
bool extract_tag(const char *text, const char *name, struct span *out);
/* "answer is X", "answer: X" to the end of the sentence or line, or of a formula on its own line.
 */
bool extract_answer_is(const char *text, struct span *out);
/* $..$, $$..$$, \(..\) or \[..\]; prices are told from formulas by the blanks inside the signs. */
bool extract_formula(const char *text, struct span *out);
/* The last number with its sign; with fractions also "3/4" and \frac{3}{4}, percent sign included.
 */
bool extract_number(const char *text, bool fractions, struct span *out);
/* The whole text, trimmed; false if nothing is left. */
bool extract_whole(const char *text, struct span *out);

void span_trim(struct span *s);
char *span_dup(const struct span *s); /* owned */

#endif
