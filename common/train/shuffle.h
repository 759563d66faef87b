/* shuffle.h - an endless seeded order over n things: each epoch is its own permutation.
 *
 * The place in the order is one number, so that is all a resumed run needs.
 */
#ifndef TP_TRAIN_SHUFFLE_H
#define TP_TRAIN_SHUFFLE_H

#include <stdbool.h>
#include <stdint.h>

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

#endif
