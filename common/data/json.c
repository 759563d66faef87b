/* json.c - what jansson leaves to us: exact writing, typed reading with good messages. */
#include "data/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/stream.h"

/* Writing. */

static const char *escape_of(unsigned char c, char code[8])
{
    switch (c) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\b':
        return "\\b";
    case '\f':
        return "\\f";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        snprintf(code, 8, "\\u%04x", c);
        return code;
    }
}

/* How many bytes from s on need no escape, eight at a time. */
static size_t plain_bytes(const char *s, size_t n)
{
    const uint64_t ones = 0x0101010101010101u;
    size_t i = 0;
    for (uint64_t x; i + 8 <= n; i += 8) {
        memcpy(&x, s + i, 8);
        uint64_t quote = x ^ ones * '"', slash = x ^ ones * '\\', del = x ^ ones * 0x7f;
        uint64_t hit = ((quote - ones) & ~quote) | ((slash - ones) & ~slash) |
                       ((del - ones) & ~del) | ((x - ones * 0x20) & ~x);
        if (hit & ones << 7)
            break;
    }
    return i;
}

void json_write_string(struct strbuf *out, const char *s, size_t n)
{
    strbuf_reserve(out, n + 2);
    strbuf_addc(out, '"');
    size_t start = 0;
    for (size_t i = plain_bytes(s, n); i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
            continue;
        char code[8];
        strbuf_add(out, s + start, i - start);
        strbuf_adds(out, escape_of(c, code));
        start = i + 1;
        i += plain_bytes(s + start, n - start);
    }
    strbuf_add(out, s + start, n - start);
    strbuf_addc(out, '"');
}

static void write_integer(struct strbuf *out, json_int_t x)
{
    char digits[24], *p = digits + sizeof digits;
    uint64_t left = x < 0 ? 0 - (uint64_t)x : (uint64_t)x;
    do
        *--p = (char)('0' + left % 10);
    while ((left /= 10) != 0);
    if (x < 0)
        *--p = '-';
    strbuf_add(out, p, (size_t)(digits + sizeof digits - p));
}

static void write_real(struct strbuf *out, double x)
{
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (strtod(text, NULL) == x)
            break;
    }
    strbuf_adds(out, text);
    if (!strpbrk(text, ".e"))
        strbuf_adds(out, ".0"); /* a real stays a real for the next reader */
}

/* depth < 0: on one line. */
static void new_line(struct strbuf *out, int depth)
{
    if (depth < 0)
        return;
    strbuf_addc(out, '\n');
    for (int i = 0; i < depth; i++)
        strbuf_adds(out, "  ");
}

static void write_value(struct strbuf *out, const json_t *v, int depth);

static void write_array(struct strbuf *out, const json_t *v, int depth)
{
    size_t n = json_array_size(v);
    int inner = depth < 0 ? -1 : depth + 1;
    strbuf_addc(out, '[');
    for (size_t i = 0; i < n; i++) {
        if (i)
            strbuf_addc(out, ',');
        new_line(out, inner);
        write_value(out, json_array_get(v, i), inner);
    }
    if (n)
        new_line(out, depth);
    strbuf_addc(out, ']');
}

static void write_object(struct strbuf *out, const json_t *v, int depth)
{
    /* jansson's iterators take a json_t they do not change. */
    json_t *obj = (json_t *)(uintptr_t)v;
    int inner = depth < 0 ? -1 : depth + 1;
    bool first = true;
    strbuf_addc(out, '{');
    for (void *it = json_object_iter(obj); it; it = json_object_iter_next(obj, it)) {
        if (!first)
            strbuf_addc(out, ',');
        first = false;
        new_line(out, inner);
        const char *key = json_object_iter_key(it);
        json_write_string(out, key, strlen(key));
        strbuf_adds(out, depth < 0 ? ":" : ": ");
        write_value(out, json_object_iter_value(it), inner);
    }
    if (!first)
        new_line(out, depth);
    strbuf_addc(out, '}');
}

static void write_value(struct strbuf *out, const json_t *v, int depth)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        write_object(out, v, depth);
        break;
    case JSON_ARRAY:
        write_array(out, v, depth);
        break;
    case JSON_STRING:
        json_write_string(out, json_string_value(v), json_string_length(v));
        break;
    case JSON_INTEGER:
        write_integer(out, json_integer_value(v));
        break;
    case JSON_REAL:
        write_real(out, json_real_value(v));
        break;
    case JSON_TRUE:
        strbuf_adds(out, "true");
        break;
    case JSON_FALSE:
        strbuf_adds(out, "false");
        break;
    case JSON_NULL:
        strbuf_adds(out, "null");
        break;
    }
}

void json_write(struct strbuf *out, const json_t *value)
{
    write_value(out, value, -1);
}

void json_write_pretty(struct strbuf *out, const json_t *value)
{
    write_value(out, value, 0);
}

json_t *json_number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

json_t *json_float(float x)
{
    if (!isfinite(x))
        return json_null();
    char text[32];
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)x);
        if (strtof(text, NULL) == x)
            break;
    }
    /* The double nearest to the short decimal: write_real() finds the same decimal again. */
    return json_real(strtod(text, NULL));
}

/* Reading. */

/* The four hex digits at s as a number, -1 if they are not. */
static int hex4(const char *s, const char *end)
{
    int value = 0;
    if (end - s < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = s[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

/* The next \uXXXX from p on that is half of no pair; NULL = none. */
static const char *lone_surrogate(const char *p, const char *end)
{
    while ((p = memchr(p, '\\', (size_t)(end - p))) && end - p >= 6) {
        int code = p[1] == 'u' ? hex4(p + 2, end) : -1;
        if (code < 0xd800 || code > 0xdfff) {
            p += 2;
            continue;
        }
        bool paired = code < 0xdc00 && end - p >= 12 && p[6] == '\\' && p[7] == 'u';
        int low = paired ? hex4(p + 8, end) : -1;
        if (low < 0xdc00 || low > 0xdfff)
            return p;
        p += 12;
    }
    return NULL;
}

/* A copy of text with every lone surrogate replaced (same length), or NULL if it has none. */
static char *repaired_copy(const char *text, size_t n)
{
    const char *end = text + n, *p = lone_surrogate(text, end);
    if (!p)
        return NULL;
    char *copy = xmalloc(n + 1);
    memcpy(copy, text, n);
    copy[n] = '\0';
    for (; p; p = lone_surrogate(p + 6, end))
        memcpy(copy + (p - text), "\\ufffd", 6);
    return copy;
}

json_t *json_parse(const char *text, size_t n, struct err *err)
{
    json_error_t why;
    char *copy = repaired_copy(text, n);
    json_t *value = json_loadb(copy ? copy : text, n,
                               JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
    free(copy);
    if (!value && n == 0)
        err_set(err, "not JSON: it is empty");
    else if (!value)
        err_set(err, "not JSON: %s (byte %d)", why.text, why.position);
    return value;
}

json_t *json_load_path(const char *path, struct err *err)
{
    struct stream *s = stream_open(path, err);
    if (!s)
        return NULL;
    struct strbuf text = {0};
    json_t *value = NULL;
    if (stream_read_all(s, &text, err) == 0) {
        size_t bom = text.len >= 3 && memcmp(text.buf, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
        value = json_parse(text.buf + bom, text.len - bom, err);
        if (!value)
            err_prefix(err, "%s", stream_name(s));
    }
    strbuf_release(&text);
    stream_close(s);
    return value;
}

int json_save_path(const char *path, const json_t *value, struct err *err)
{
    struct strbuf text = {0};
    json_write_pretty(&text, value);
    strbuf_addc(&text, '\n');
    int rc = file_write_atomic(path, text.buf, text.len, err);
    strbuf_release(&text);
    return rc;
}
