/* sampler.c - which distribution a token is drawn from. */
#include "gen/sampler.h"

#include <stdlib.h>

#include "base/mem.h"

bool sampling_truncates(const struct sampling *s)
{
    return s->temperature > 0 && (s->top_k > 0 || s->top_p < 1 || s->min_p > 0);
}

float sampling_inv_temp(const struct sampling *s)
{
    return s->temperature > 0 ? (float)(1.0 / s->temperature) : 1.0f;
}

void cut_lists_resize(struct cut_lists *l, int64_t n)
{
    l->top_k = xreallocarray(l->top_k, (size_t)n, sizeof *l->top_k);
    l->top_p = xreallocarray(l->top_p, (size_t)n, sizeof *l->top_p);
    l->min_p = xreallocarray(l->min_p, (size_t)n, sizeof *l->min_p);
}

void cut_lists_release(struct cut_lists *l)
{
    free(l->top_k);
    free(l->top_p);
    free(l->min_p);
    *l = (struct cut_lists){0};
}

void cut_lists_set(struct cut_lists *l, int64_t i, const struct sampling *s)
{
    const bool cuts = sampling_truncates(s);
    l->top_k[i] = !cuts ? 0 : s->top_k > INT32_MAX ? INT32_MAX : (int32_t)s->top_k;
    l->top_p[i] = cuts ? s->top_p : 1;
    l->min_p[i] = cuts ? s->min_p : 0;
}

struct cuts cut_lists_cuts(const struct cut_lists *l)
{
    return (struct cuts){l->top_k, l->top_p, l->min_p};
}
