/* shuffle.h - an endless seeded order over n things: each epoch is its own permutation.
 *
 * The place in the order is one number, so that is all a resumed run needs.
 */
#ifndef TP_TRAIN_SHUFFLE_H
#define TP_TRAIN_SHUFFLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct shuffle {
    uint64_t seed;
    const char *stream; /* the program's name: stages with the same seed differ */
    int64_t n;
    bool in_order;      /* do not shuffle */
    int64_t epoch;      /* of `order`; valid when order is not NULL */
    int64_t *order;
};

int64_t shuffle_at(struct shuffle *s, int64_t i); /* index of the i-th thing, i >= 0 */
void shuffle_release(struct shuffle *s);

/* The place, and the digest of what is ordered, as a checkpoint keeps them; new reference. */
json_t *shuffle_place_save(int64_t next, const char *digest);
/* Fails if the things (what: "examples") have another digest. */
int shuffle_place_load(const json_t *state, const char *what, const char *digest, int64_t *next,
                       struct err *err) WARN_UNUSED;

#endif
