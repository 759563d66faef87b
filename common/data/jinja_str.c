/* jinja_str.c - strings whose bytes know where they came from. */
#include <string.h>

#include "data/jinja_internal.h"

uint32_t utf8_at(const char *s, size_t *bytes)
{
    const unsigned char *u = (const unsigned char *)s;
    *bytes = u[0] < 0x80 ? 1 : u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;
    switch (*bytes) {
    case 1:
        return u[0];
    case 2:
        return (uint32_t)(u[0] & 0x1f) << 6 | (u[1] & 0x3f);
    case 3:
        return (uint32_t)(u[0] & 0x0f) << 12 | (uint32_t)(u[1] & 0x3f) << 6 | (u[2] & 0x3f);
    default:
        return (uint32_t)(u[0] & 0x07) << 18 | (uint32_t)(u[1] & 0x3f) << 12 |
               (uint32_t)(u[2] & 0x3f) << 6 | (u[3] & 0x3f);
    }
}

/* str.isspace() */
bool is_python_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
           c == 0x202f || c == 0x205f || c == 0x3000;
}

/* --- under construction ---------------------------------------------------------------------- */

void jbuf_add(struct jbuf *b, const char *s, size_t n, enum jinja_origin origin)
{
    if (n == 0)
        return;
    strbuf_add(&b->text, s, n);
    strbuf_reserve(&b->origin, n);
    memset(b->origin.buf + b->origin.len, (int)origin, n);
    b->origin.len += n;
}

void jbuf_add_str(struct jbuf *b, const struct jstr *s)
{
    if (!s->origin) {
        jbuf_add(b, s->s, s->n, (enum jinja_origin)s->uniform);
        return;
    }
    strbuf_add(&b->text, s->s, s->n);
    strbuf_add(&b->origin, s->origin, s->n);
}

void jbuf_release(struct jbuf *b)
{
    strbuf_release(&b->text);
    strbuf_release(&b->origin);
}

static bool is_uniform(const uint8_t *origin, size_t n)
{
    return n == 0 || memcmp(origin, origin + 1, n - 1) == 0;
}

static struct jstr *new_str(struct jrun *r, size_t n, char **text)
{
    struct jstr *s = jinja_alloc(r, sizeof *s);
    *text = jinja_alloc(r, n + 1);
    (*text)[n] = '\0';
    *s = (struct jstr){.n = n, .s = *text};
    return s;
}

static void set_origin(struct jrun *r, struct jstr *s, const uint8_t *origin)
{
    if (s->n == 0 || is_uniform(origin, s->n)) {
        s->uniform = s->n ? origin[0] : JINJA_TEMPLATE;
        return;
    }
    uint8_t *copy = jinja_alloc(r, s->n);
    s->origin = memcpy(copy, origin, s->n);
}

const struct jstr *jbuf_freeze(struct jrun *r, struct jbuf *b)
{
    char *text;
    struct jstr *s = new_str(r, b->text.len, &text);
    if (s->n > 0)
        memcpy(text, b->text.buf, s->n);
    set_origin(r, s, (const uint8_t *)b->origin.buf);
    jbuf_release(b);
    *b = (struct jbuf){0};
    return s;
}

struct jval jv_text(struct jrun *r, const char *s, enum jinja_origin origin)
{
    struct jbuf b = {0};
    jbuf_add(&b, s, strlen(s), origin);
    return jv_str(jbuf_freeze(r, &b));
}

/* --- parts ----------------------------------------------------------------------------------- */

const struct jstr *jstr_part(struct jrun *r, const struct jstr *s, size_t begin, size_t end)
{
    char *text;
    if (begin == 0 && end == s->n)
        return s;
    struct jstr *part = new_str(r, end - begin, &text);
    memcpy(text, s->s + begin, end - begin);
    part->uniform = s->uniform;
    part->markup = s->markup;
    if (s->origin)
        set_origin(r, part, s->origin + begin);
    return part;
}

const struct jstr *jstr_escape(struct jrun *r, const struct jstr *s)
{
    static const char *const codes[] = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
    struct jbuf b = {0};
    if (s->markup)
        return s;
    for (size_t i = 0; i < s->n; i++) {
        enum jinja_origin origin = (enum jinja_origin)(s->origin ? s->origin[i] : s->uniform);
        const char *special = s->s[i] ? strchr("&<>'\"", s->s[i]) : NULL;
        if (special) {
            const char *code = codes[special - "&<>'\""];
            jbuf_add(&b, code, strlen(code), origin);
        } else {
            jbuf_add(&b, s->s + i, 1, origin);
        }
    }
    struct jstr *out = (struct jstr *)(uintptr_t)jbuf_freeze(r, &b);
    out->markup = true;
    return out;
}

const struct jstr *jstr_concat(struct jrun *r, const struct jstr *a, const struct jstr *b)
{
    struct jbuf out = {0};
    bool markup = a->markup || b->markup;
    if (markup) {
        a = jstr_escape(r, a);
        b = jstr_escape(r, b);
    }
    jbuf_add_str(&out, a);
    jbuf_add_str(&out, b);
    struct jstr *s = (struct jstr *)(uintptr_t)jbuf_freeze(r, &out);
    s->markup = markup;
    return s;
}

enum jinja_origin jstr_origin(const struct jstr *s)
{
    uint8_t worst = s->uniform;
    for (size_t i = 0; s->origin && i < s->n && worst != JINJA_DATA; i++)
        if (s->origin[i] != JINJA_TEMPLATE)
            worst = s->origin[i];
    return (enum jinja_origin)worst;
}

int64_t jstr_length(const struct jstr *s)
{
    int64_t n = 0;
    for (size_t i = 0; i < s->n; i++)
        n += ((unsigned char)s->s[i] & 0xc0) != 0x80;
    return n;
}

size_t jstr_offset(const struct jstr *s, int64_t chars)
{
    size_t i = 0, bytes;
    for (; chars > 0 && i < s->n; chars--, i += bytes)
        utf8_at(s->s + i, &bytes);
    return i;
}

const char *jstr_find(const struct jstr *s, size_t from, const char *what, size_t n)
{
    return from > s->n ? NULL : memmem(s->s + from, s->n - from, what, n);
}
