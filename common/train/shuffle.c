/* shuffle.c - an endless seeded order over n things. */
#include "train/shuffle.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "data/json.h"

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

json_t *shuffle_place_save(int64_t next, const char *digest)
{
    json_t *o = json_object();
    json_object_set_new(o, "next", json_integer(next));
    json_object_set_new(o, "digest", json_string(digest));
    return o;
}

int shuffle_place_load(const json_t *state, const char *what, const char *digest, int64_t *next,
                       struct err *err)
{
    const char *saved;
    if (json_get_int(state, "next", next, err) < 0 || json_get_str(state, "digest", &saved, err) < 0)
        return -1;
    if (*next < 0)
        return err_set(err, "'next' is negative");
    if (strcmp(saved, digest) != 0)
        return err_set(err, "the %s are not those that the checkpoint was trained on", what);
    return 0;
}
