/* regex.h - Perl-compatible patterns with a bound on the work, whatever the pattern and the text.
 *
 * PCRE2's own match limit counts anew from each place where a match may start and does not count
 * the characters a loop runs over, so that ten megabytes of blanks can keep a harmless pattern busy
 * for days.  Here every step of a search costs one and every character it moves over costs one, and
 * a search that would cost more than REGEX_MAX_WORK ends: the same everywhere, by no clock.
 */
#ifndef TP_REWARD_REGEX_H
#define TP_REWARD_REGEX_H

#include "reward/pieces.h"

#define REGEX_MAX_WORK 50000000 /* less than two seconds */
#define REGEX_MAX_PATTERN 10000 /* bytes */

enum regex_flags { REGEX_ANY_CASE = 1, REGEX_LITERAL = 2, REGEX_LINES = 4 /* ^ and $ at lines */ };

/* Number of matches without overlaps, at most max (0 = all of them); the last one goes to *last
 * unless NULL.  -1 if the pattern is none (err), -2 if the search was too much work. */
long regex_count(const char *pattern, unsigned flags, struct span text, long max, struct span *last,
                 struct err *err);

#endif
