/* journal.h - an output file that remembers what is done.
 *
 * Records are appended to FILE, a line each; a run that was stopped is started
 * again with the same FILE and leaves out what is there.  A last line without
 * its end is cut off.  FILE.meta says with which parameters the records were
 * made: others are refused, so that one file never mixes two teachers.  One
 * process at a time: the file is locked.
 */
#ifndef TP_GEN_JOURNAL_H
#define TP_GEN_JOURNAL_H

#include <stdbool.h>

#include "data/json.h"

struct journal;

/* key(record) names a record (malloc'ed; NULL: the line does not belong here). */
struct journal *journal_open(const char *path, const json_t *parameters,
                             char *(*key)(const json_t *record), struct err *err);
bool journal_has(const struct journal *j, const char *key);
int64_t journal_count(const struct journal *j); /* records found at the start */
int journal_append(struct journal *j, const json_t *record, struct err *err) WARN_UNUSED;
int journal_close(struct journal *j, struct err *err) WARN_UNUSED; /* syncs; frees j in any case */

/* A set of strings. */
struct name_set {
    int64_t n, cap; /* cap slots, a power of two or 0 */
    char **slots;
};
bool name_set_add(struct name_set *s, const char *name); /* false: was there */
void name_set_release(struct name_set *s);

#endif
