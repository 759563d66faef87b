/* mem.c - allocation that cannot fail, and arenas. */
#include "base/mem.h"

#include <jansson.h>
#include <malloc.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISON 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ARENA_POISON 1
#endif

#ifdef ARENA_POISON
#include <sanitizer/asan_interface.h>
#define ARENA_GAP 16 /* between allocations, so that running off one of them is seen */
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ARENA_GAP 0
#endif

#define HUGE_PAGE ((size_t)2 << 20)
#define HUGE_FROM ((size_t)4 << 20)

static noreturn void no_memory(size_t bytes)
{
    /* No stdio: its buffers might want memory too.  _exit: atexit handlers might as well. */
    char line[256];
    int n = snprintf(line, sizeof line, "%s: out of memory (asked for %zu bytes)\n", log_program(),
                     bytes);
    if (n > (int)sizeof line - 1)
        n = (int)sizeof line - 1;
    if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0)
        _exit(EXIT_NO_MEMORY);
    _exit(EXIT_NO_MEMORY);
}

static size_t product(size_t n, size_t bytes)
{
    size_t total;
    if (__builtin_mul_overflow(n, bytes, &total))
        no_memory(SIZE_MAX);
    return total;
}

void mem_init(void)
{
    json_set_alloc_funcs(xmalloc, free);
    /* Large blocks go back to the system when they are freed.  By default glibc raises the limit to what
     * was freed last, and a few sets of weights and activations then leave holes in the heap. */
    mallopt(M_MMAP_THRESHOLD, (int)HUGE_FROM);
    mallopt(M_TRIM_THRESHOLD, 2 * (int)HUGE_FROM);
}

void *xmalloc(size_t bytes)
{
    void *p = malloc(bytes ? bytes : 1);
    if (!p)
        no_memory(bytes);
    return p;
}

void *xcalloc(size_t n, size_t bytes)
{
    size_t total = product(n, bytes);
    void *p = calloc(1, total ? total : 1);
    if (!p)
        no_memory(total);
    return p;
}

void *xrealloc(void *p, size_t bytes)
{
    /* realloc(p, 0) may free p; one byte keeps the result a valid pointer. */
    void *q = realloc(p, bytes ? bytes : 1);
    if (!q)
        no_memory(bytes);
    return q;
}

void *xreallocarray(void *p, size_t n, size_t bytes)
{
    return xrealloc(p, product(n, bytes));
}

void *xaligned(size_t bytes)
{
    void *p = NULL;
    bool huge = bytes > HUGE_FROM;
    if (posix_memalign(&p, huge ? HUGE_PAGE : 64, bytes ? bytes : 1) != 0 || !p)
        no_memory(bytes);
    if (huge)
        (void)madvise(p, bytes, MADV_HUGEPAGE); /* advice: a kernel without them is fine */
    return p;
}

char *xstrdup(const char *s)
{
    return xstrndup(s, strlen(s));
}

char *xstrndup(const char *s, size_t n)
{
    size_t len = strnlen(s, n);
    char *copy = xmalloc(len + 1);
    memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}

char *xvasprintf(const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (n < 0)
        BUG("format '%s' failed", fmt);
    char *text = xmalloc((size_t)n + 1);
    vsnprintf(text, (size_t)n + 1, fmt, ap);
    return text;
}

char *xasprintf(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *text = xvasprintf(fmt, ap);
    va_end(ap);
    return text;
}

#define ARENA_BLOCK_BYTES ((size_t)64 << 10)
#define ARENA_ALIGN ((size_t)16)

struct arena_block {
    struct arena_block *next;
    size_t size, used;
    alignas(16) char data[];
};

static struct arena_block *new_block(size_t bytes)
{
    size_t size = bytes > ARENA_BLOCK_BYTES ? bytes : ARENA_BLOCK_BYTES;
    size_t total;
    if (__builtin_add_overflow(size, sizeof(struct arena_block), &total))
        no_memory(bytes);
    struct arena_block *b = xmalloc(total);
    b->next = NULL;
    b->size = size;
    b->used = 0;
    ASAN_POISON_MEMORY_REGION(b->data, size);
    return b;
}

/* Makes a->current a block with room for `bytes`: this one, a kept one after it, or a new one. */
static void find_room(struct arena *a, size_t bytes)
{
    while (a->current && a->current->size - a->current->used < bytes) {
        struct arena_block *next = a->current->next;
        if (!next || next->size < bytes)
            break;
        a->current = next;
    }
    if (a->current && a->current->size - a->current->used >= bytes)
        return;
    struct arena_block *b = new_block(bytes);
    if (a->current) {
        b->next = a->current->next;
        a->current->next = b;
    } else {
        a->first = b;
    }
    a->current = b;
}

void *arena_alloc(struct arena *a, size_t bytes)
{
    size_t padded;
    if (__builtin_add_overflow(bytes, ARENA_ALIGN - 1 + ARENA_GAP, &padded))
        no_memory(bytes);
    padded &= ~(ARENA_ALIGN - 1);
    find_room(a, padded);
    void *p = a->current->data + a->current->used;
    a->current->used += padded;
    ASAN_UNPOISON_MEMORY_REGION(p, bytes);
    return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
    size_t n = strlen(s) + 1;
    return memcpy(arena_alloc(a, n), s, n);
}

void arena_release(struct arena *a)
{
    for (struct arena_block *b = a->first, *next; b; b = next) {
        next = b->next;
        ASAN_UNPOISON_MEMORY_REGION(b->data, b->size);
        free(b);
    }
    a->first = a->current = NULL;
}
