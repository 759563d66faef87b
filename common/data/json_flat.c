/* json_flat.c - the members of a flat JSON object, without building a tree. */
#include "data/json_flat.h"

#include <stdint.h>
#include <string.h>

#include "data/utf8.h"

#define MAX_DIGITS 15 /* exact in a double, and no integer overflows */

struct cursor {
    const char *p, *end;
};

static void skip_space(struct cursor *c)
{
    while (c->p < c->end && (*c->p == ' ' || *c->p == '\t'))
        c->p++;
}

static bool take(struct cursor *c, char wanted)
{
    skip_space(c);
    if (c->p == c->end || *c->p != wanted)
        return false;
    c->p++;
    return true;
}

/* Strings. */

#define ONES 0x0101010101010101u
#define HIGHS 0x8080808080808080u

/* Nonzero if one of eight bytes is a quote, a backslash, a control character or DEL, or no ASCII.
 */
static uint64_t unusual(uint64_t x)
{
    uint64_t quote = x ^ ONES * '"', slash = x ^ ONES * '\\', del = x ^ ONES * 0x7f;
    uint64_t hit = ((quote - ONES) & ~quote) | ((slash - ONES) & ~slash) | ((del - ONES) & ~del);
    return (hit | (x - ONES * 0x20) | x) & HIGHS;
}

static int hex4(const char *s, const char *end)
{
    int value = 0;
    if (end - s < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        const char *digits = "0123456789abcdef", *at = strchr(digits, s[i] | 0x20);
        if (!at || !s[i] || (s[i] < '0') || (s[i] > '9' && s[i] < 'A'))
            return -1;
        value = value << 4 | (int)(at - digits);
    }
    return value;
}

/* Behind the backslash; returns the escape's code point and moves on, -1 = declined. */
static int32_t read_escape(const char **p, const char *end)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *at = *p < end && **p ? strchr(from, **p) : NULL;
    if (at) {
        ++*p;
        return to[at - from];
    }
    if (*p == end || **p != 'u')
        return -1;
    int32_t c = hex4(*p + 1, end);
    *p += 5;
    if (c < 0xd800 || c > 0xdfff)
        return c;
    if (c > 0xdbff || end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u')
        return -1;
    int32_t low = hex4(*p + 2, end);
    *p += 6;
    return low < 0xdc00 || low > 0xdfff ? -1 : 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
}

/* From behind the opening quote; leaves c behind the closing one. */
static bool read_string(struct cursor *c, const char **value, size_t *n, struct json_member *m)
{
    const char *p = c->p;
    bool wide = false;
    *value = p;
    m->escaped = false;
    m->canonical = true;
    for (;;) {
        uint64_t word;
        while (c->end - p >= 8 && (memcpy(&word, p, 8), !unusual(word)))
            p += 8;
        if (p == c->end)
            return false;
        unsigned char b = (unsigned char)*p++;
        if (b == '"')
            break;
        if (b < 0x20)
            return false;
        wide |= b >= 0x80;
        m->canonical &= b != 0x7f;
        if (b != '\\')
            continue;
        m->escaped = true;
        m->canonical &= p < c->end && *p != '/' && *p != 'u';
        if (read_escape(&p, c->end) < 0)
            return false;
    }
    *n = (size_t)(p - 1 - *value);
    c->p = p;
    return !wide || utf8_valid_prefix(*value, *n) == *n;
}

static void add_code_point(struct strbuf *out, int32_t c)
{
    if (c < 0x80) {
        strbuf_addc(out, (char)c);
    } else if (c < 0x800) {
        strbuf_addc(out, (char)(0xc0 | c >> 6));
        strbuf_addc(out, (char)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        strbuf_addc(out, (char)(0xe0 | c >> 12));
        strbuf_addc(out, (char)(0x80 | (c >> 6 & 0x3f)));
        strbuf_addc(out, (char)(0x80 | (c & 0x3f)));
    } else {
        strbuf_addc(out, (char)(0xf0 | c >> 18));
        strbuf_addc(out, (char)(0x80 | (c >> 12 & 0x3f)));
        strbuf_addc(out, (char)(0x80 | (c >> 6 & 0x3f)));
        strbuf_addc(out, (char)(0x80 | (c & 0x3f)));
    }
}

void json_flat_string(const struct json_member *m, struct strbuf *out)
{
    const char *p = m->value, *end = p + m->value_bytes;
    strbuf_reserve(out, m->value_bytes);
    while (p < end) {
        const char *slash = m->escaped ? memchr(p, '\\', (size_t)(end - p)) : NULL;
        const char *stop = slash ? slash : end;
        strbuf_add(out, p, (size_t)(stop - p));
        p = stop;
        if (slash) {
            p++;
            add_code_point(out, read_escape(&p, end));
        }
    }
}

/* Other values. */

static size_t digits(const char *p, const char *end)
{
    const char *from = p;
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return (size_t)(p - from);
}

/* A plain decimal; -0 and exponents are declined, for they are written otherwise. */
static bool read_number(struct cursor *c, struct json_member *m)
{
    const char *p = c->p;
    m->value = p;
    bool minus = *p == '-';
    p += minus;
    size_t whole = digits(p, c->end);
    if (whole == 0 || whole > MAX_DIGITS || (*p == '0' && (whole > 1 || minus)))
        return false;
    p += whole;
    m->canonical = true;
    if (p < c->end && *p == '.') {
        size_t part = digits(p + 1, c->end);
        if (part == 0 || whole + part > MAX_DIGITS)
            return false;
        p += part + 1;
        m->canonical = false; /* 1.50 is written 1.5 */
    }
    if (p < c->end && (*p == 'e' || *p == 'E'))
        return false;
    m->value_bytes = (size_t)(p - m->value);
    c->p = p;
    return true;
}

static bool read_literal(struct cursor *c, struct json_member *m)
{
    static const char *const names[] = {"true", "false", "null"};
    for (int i = 0; i < 3; i++) {
        size_t n = strlen(names[i]);
        if ((size_t)(c->end - c->p) >= n && memcmp(c->p, names[i], n) == 0) {
            m->value = c->p;
            m->value_bytes = n;
            m->canonical = true;
            c->p += n;
            return true;
        }
    }
    return false;
}

static bool read_value(struct cursor *c, struct json_member *m)
{
    skip_space(c);
    if (c->p == c->end)
        return false;
    m->string = *c->p == '"';
    if (m->string) {
        c->p++;
        return read_string(c, &m->value, &m->value_bytes, m);
    }
    m->escaped = false;
    return *c->p == '-' || (*c->p >= '0' && *c->p <= '9') ? read_number(c, m) : read_literal(c, m);
}

static bool read_member(struct cursor *c, struct json_member *members, int n)
{
    struct json_member *m = &members[n];
    if (!take(c, '"') || !read_string(c, &m->key, &m->key_bytes, m))
        return false;
    if (m->escaped || !m->canonical)
        return false;
    for (int i = 0; i < n; i++)
        if (members[i].key_bytes == m->key_bytes &&
            memcmp(members[i].key, m->key, m->key_bytes) == 0)
            return false;
    return take(c, ':') && read_value(c, m);
}

int json_flat(const char *text, size_t n, struct json_member members[JSON_FLAT_MEMBERS])
{
    struct cursor c = {text, text + n};
    int count = 0;
    if (!take(&c, '{'))
        return -1;
    if (!take(&c, '}')) {
        do {
            if (count == JSON_FLAT_MEMBERS || !read_member(&c, members, count))
                return -1;
            count++;
        } while (take(&c, ','));
        if (!take(&c, '}'))
            return -1;
    }
    skip_space(&c);
    return c.p == c.end ? count : -1;
}

const struct json_member *json_flat_find(const struct json_member *members, int n, const char *key)
{
    size_t key_bytes = strlen(key);
    for (int i = 0; i < n; i++)
        if (members[i].key_bytes == key_bytes && memcmp(members[i].key, key, key_bytes) == 0)
            return &members[i];
    return NULL;
}
