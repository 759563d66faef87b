/* verdict_cache.h - verdicts that were reached before, by the content they are about.
 *
 * DIR/verdicts has a line for each: the key in 32 hex digits, a blank, the
 * verdict as JSON.  Lines are appended whole under a lock, so any number of
 * programs may share the file, and see each other's verdicts while they run.  A
 * line that was cut by a crash is not read, and the next one begins afresh.
 * Memory: 32 bytes a verdict.
 *
 * The key covers all that a verifier sees - the response, the truth, the record
 * without its bookkeeping (id, group, sample, ...) -, its name and settings, and
 * the version of the rules.
 */
#ifndef TP_REWARD_VERDICT_CACHE_H
#define TP_REWARD_VERDICT_CACHE_H

#include "reward/verifier.h"

struct verdict_key {
    uint64_t high, low; /* XXH3, 128 bits */
};
struct verdict_key verdict_key(const struct verifier *v, const struct answer *a,
                               const json_t *truth);

struct verdict_cache;
struct verdict_cache *verdict_cache_open(const char *dir, struct err *err);
void verdict_cache_close(struct verdict_cache *c); /* logs what it was good for */
/* From any thread. */
bool verdict_cache_get(struct verdict_cache *c, struct verdict_key key, struct verdict *out);
int verdict_cache_put(struct verdict_cache *c, struct verdict_key key, const struct verdict *v,
                      struct err *err) WARN_UNUSED;

#endif
