/* strbuf.c - a growing byte string. */
#include "base/strbuf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void strbuf_reserve(struct strbuf *s, size_t extra)
{
    size_t need;
    if (__builtin_add_overflow(s->len + 1, extra, &need))
        need = SIZE_MAX; /* xrealloc reports it */
    if (need > s->cap) {
        size_t cap = s->cap < SIZE_MAX / 2 ? s->cap * 2 : SIZE_MAX;
        if (cap < 64)
            cap = 64;
        if (cap < need)
            cap = need;
        s->buf = xrealloc(s->buf, cap);
        s->cap = cap;
    }
    s->buf[s->len] = '\0';
}

void strbuf_add(struct strbuf *s, const void *bytes, size_t n)
{
    strbuf_reserve(s, n);
    if (n)
        memcpy(s->buf + s->len, bytes, n);
    s->len += n;
    s->buf[s->len] = '\0';
}

void strbuf_adds(struct strbuf *s, const char *text)
{
    strbuf_add(s, text, strlen(text));
}

void strbuf_addc(struct strbuf *s, char c)
{
    if (s->len + 1 >= s->cap)
        strbuf_reserve(s, 1);
    s->buf[s->len++] = c;
    s->buf[s->len] = '\0';
}

void strbuf_vaddf(struct strbuf *s, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (n < 0)
        BUG("format '%s' failed", fmt);
    strbuf_reserve(s, (size_t)n);
    vsnprintf(s->buf + s->len, (size_t)n + 1, fmt, ap);
    s->len += (size_t)n;
}

void strbuf_addf(struct strbuf *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    strbuf_vaddf(s, fmt, ap);
    va_end(ap);
}

void strbuf_clear(struct strbuf *s)
{
    s->len = 0;
    strbuf_reserve(s, 0);
}

char *strbuf_detach(struct strbuf *s, size_t *len)
{
    strbuf_reserve(s, 0);
    char *bytes = s->buf;
    if (len)
        *len = s->len;
    *s = (struct strbuf){0};
    return bytes;
}

void strbuf_release(struct strbuf *s)
{
    free(s->buf);
    *s = (struct strbuf){0};
}
