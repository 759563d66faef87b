/* mem.h - allocation that cannot fail, and arenas.
 *
 * A trainer cannot go on without host memory, so x*() print the size asked for
 * and _exit(EXIT_NO_MEMORY) when there is none.  Products of sizes are checked
 * for overflow.  mem_init() routes jansson's allocations here too (jansson
 * reports a failed malloc as a syntax error, which would drop good records).
 */
#ifndef TP_BASE_MEM_H
#define TP_BASE_MEM_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

void mem_init(void); /* called by tool_begin() */
void *xmalloc(size_t bytes);
void *xcalloc(size_t n, size_t bytes); /* zeroed */
void *xrealloc(void *p, size_t bytes);
void *xreallocarray(void *p, size_t n, size_t bytes);
/* Owned by the caller, 64-byte aligned, huge pages asked for above 4 MiB; free with free(). */
void *xaligned(size_t bytes);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);
char *xvasprintf(const char *fmt, va_list ap) PRINTF_LIKE(1, 0);

/* Makes room for one more element in a growing array: GROW(a, n, cap). */
#define GROW(array, n, cap)                                                                        \
    do {                                                                                           \
        if ((n) >= (cap)) {                                                                        \
            (cap) = (cap) ? (cap) * 2 : 16;                                                        \
            (array) = xreallocarray((array), (size_t)(cap), sizeof *(array));                      \
        }                                                                                          \
    } while (0)

/* An arena hands out memory of one lifetime; arena_release() takes all of it back at once. */
struct arena_block;
struct arena {
    struct arena_block *first, *current;
};
void *arena_alloc(struct arena *a, size_t bytes); /* 16-byte aligned, not zeroed */
char *arena_strdup(struct arena *a, const char *s);
void arena_release(struct arena *a);

#endif
