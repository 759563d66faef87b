/* rational.h - exact fractions with 128-bit terms.
 *
 * For sums of small numbers (countdown) and the spelling of decimals (gsm8k).  Every
 * operation that would not fit returns false.
 */
#ifndef TP_REWARD_RATIONAL_H
#define TP_REWARD_RATIONAL_H

#include <stdbool.h>
#include <stddef.h>

struct rational {
    __int128 num, den; /* lowest terms, den > 0 */
};

bool rational_make(struct rational *r, __int128 num, __int128 den);
/* op is one of + - * /.  out may be a or b. */
bool rational_apply(char op, const struct rational *a, const struct rational *b,
                    struct rational *out);
bool rational_equal(const struct rational *a, const struct rational *b);

/* Length of the unsigned decimal at s ("12", "1,234.50", ".5"), 0 if there is none.  A comma
 * belongs to it only where three digits follow and one to three go before. */
size_t decimal_length(const char *s);
/* A signed decimal in one spelling: no commas, plus, needless zeros or point.  out has room for n
 * + 2. */
void decimal_canonical(const char *s, size_t n, char *out);

#endif
