/* sources.h - the domains there are to mix: sources.jsonl.
 *
 * One object a line: {"name","tokens","max_epochs"?,"min"?,"max"?}; tokens is how
 * many there are, so their shares are the natural mixture (the prior).  Other
 * fields are for other programs.
 */
#ifndef TP_MIX_SOURCES_H
#define TP_MIX_SOURCES_H

#include <stdint.h>

#include "base/err.h"

struct source {
    char *name;
    double tokens, max_epochs, min, max; /* NAN = not given */
};

struct sources {
    int64_t n;
    struct source *items;
};

int sources_read(struct sources *s, const char *path, struct err *err) WARN_UNUSED;
int sources_from_names(struct sources *s, const char *names, struct err *err) WARN_UNUSED; /* a,b,c */
void sources_release(struct sources *s);
int64_t sources_find(const struct sources *s, const char *name); /* -1 = none */
/* out [n] = tokens / sum of tokens; equal shares if no source says its tokens. */
int sources_prior(const struct sources *s, double *out, struct err *err) WARN_UNUSED;

#endif
