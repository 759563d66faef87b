/* arena.cu - see arena.h. */
#include "kernels/cuda/arena.h"

#include <map>

struct arena {
    char *base;
    std::map<size_t, size_t> free, used; /* first byte, bytes */
};

struct arena *arena_new(void *base, size_t bytes)
{
    struct arena *a = new struct arena();
    a->base = (char *)base;
    a->free[0] = bytes / ARENA_GRAIN * ARENA_GRAIN;
    return a;
}

void *arena_base(const struct arena *a)
{
    return a->base;
}

void arena_delete(struct arena *a)
{
    delete a;
}

void *arena_cut(struct arena *a, size_t bytes)
{
    bytes = bytes ? (bytes + ARENA_GRAIN - 1) / ARENA_GRAIN * ARENA_GRAIN : (size_t)ARENA_GRAIN;
    for (auto span = a->free.begin(); span != a->free.end(); ++span) {
        size_t at = span->first, left = span->second - bytes;
        if (span->second < bytes)
            continue;
        a->free.erase(span);
        if (left)
            a->free[at + bytes] = left;
        a->used[at] = bytes;
        return a->base + at;
    }
    return NULL;
}

bool arena_return(struct arena *a, void *p)
{
    auto found = a->used.find((size_t)((char *)p - a->base));
    if ((char *)p < a->base || found == a->used.end())
        return false;
    size_t at = found->first, bytes = found->second;
    a->used.erase(found);
    auto next = a->free.lower_bound(at);
    if (next != a->free.end() && next->first == at + bytes) {
        bytes += next->second;
        next = a->free.erase(next);
    }
    if (next != a->free.begin()) {
        auto before = std::prev(next);
        if (before->first + before->second == at) {
            before->second += bytes;
            return true;
        }
    }
    a->free[at] = bytes;
    return true;
}

size_t arena_free_bytes(const struct arena *a)
{
    size_t sum = 0;
    for (const auto &span : a->free)
        sum += span.second;
    return sum;
}
