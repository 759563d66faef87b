/* shuffle.c - an endless seeded order over n things. */
#include "train/shuffle.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"

int64_t shuffle_at(struct shuffle *s, int64_t i)
{
    int64_t epoch = i / s->n;
    if (s->in_order)
        return i % s->n;
    if (!s->order)
        s->order = xreallocarray(NULL, (size_t)s->n, sizeof *s->order);
    else if (s->epoch == epoch)
        return s->order[i % s->n];
    struct rng r;
    rng_init(&r, s->seed, s->stream, (uint64_t)epoch, 0);
    rng_permutation(&r, s->order, s->n);
    s->epoch = epoch;
    return s->order[i % s->n];
}

void shuffle_release(struct shuffle *s)
{
    free(s->order);
    s->order = NULL;
}
