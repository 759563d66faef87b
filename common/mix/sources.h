/* sources.h - the domains there are to mix: sources.jsonl.
 *
 * One object a line: {"name","tokens","max_epochs"?,"min"?,"max"?,"group"?,"members"?};
 * tokens is how many there are, so their shares are the natural mixture (the prior).
 *
 * "members", {"a":0.25,"b":0.75}, makes the line a virtual domain: a mixture found
 * earlier that is used as one domain from now on.  Lines of the same names say how
 * many tokens its members have; they are no domains of their own.  Other fields are
 * for other programs.
 */
#ifndef TP_MIX_SOURCES_H
#define TP_MIX_SOURCES_H

#include <stdint.h>

#include "base/err.h"

struct member {
    char *name;
    double share; /* they sum to 1 */
};

struct source {
    char *name, *group; /* group NULL = none */
    double tokens, max_epochs, min, max; /* NAN = not given; tokens of a virtual domain: its members' */
    int64_t n_members;
    struct member *members;
};

struct sources {
    int64_t n, n_parts;
    struct source *items; /* the domains */
    struct source *parts; /* members of virtual ones that have lines */
};

int sources_read(struct sources *s, const char *path, struct err *err) WARN_UNUSED;
int sources_from_names(struct sources *s, const char *names, struct err *err) WARN_UNUSED; /* a,b,c */
void sources_release(struct sources *s);
int64_t sources_find(const struct sources *s, const char *name); /* -1 = none */
const struct source *sources_part(const struct sources *s, const char *name); /* NULL = none */
/* The largest share of a run of so many tokens that epochs (a source's own win over max_epochs) allow;
 * NAN if the tokens are not known. */
double source_cap(const struct sources *s, const struct source *d, double max_epochs, double run_tokens);
/* out [n] = tokens / sum of tokens; equal shares if no source says its tokens. */
int sources_prior(const struct sources *s, double *out, struct err *err) WARN_UNUSED;

#endif
