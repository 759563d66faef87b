/* literal.c - values that Python programs print. */
#include "reward/literal.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/mem.h"
#include "data/utf8.h"

#define MAX_DEPTH 100

struct reader {
    const char *text, *at;
    int depth;
    struct err *err;
};

static json_t *read_value(struct reader *r);

static json_t *fail(struct reader *r, const char *wanted)
{
    err_set(r->err, "not a literal at character %zu, expected %s", (size_t)(r->at - r->text) + 1,
            wanted);
    return NULL;
}

static void skip_space(struct reader *r)
{
    r->at += strspn(r->at, " \t\r\n");
}

static bool take(struct reader *r, char c)
{
    skip_space(r);
    if (*r->at != c)
        return false;
    r->at++;
    return true;
}

static void add_char(struct strbuf *out, uint32_t c)
{
    utf8proc_uint8_t bytes[4];
    if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        c = 0xfffd;
    utf8proc_ssize_t n = utf8proc_encode_char((utf8proc_int32_t)c, bytes);
    strbuf_add(out, bytes, (size_t)n);
}

/* n hexadecimal digits at s, -1 if there are fewer. */
static int64_t hex(const char *s, int n)
{
    int64_t x = 0;
    for (int i = 0; i < n; i++) {
        if (!isxdigit((unsigned char)s[i]))
            return -1;
        x = x * 16 + (isdigit((unsigned char)s[i]) ? s[i] - '0' : tolower(s[i]) - 'a' + 10);
    }
    return x;
}

/* \uD83D\uDE00 is one character. */
static bool read_code(struct reader *r, int digits, struct strbuf *out)
{
    int64_t c = hex(r->at, digits);
    if (c < 0)
        return false;
    r->at += digits;
    if (digits == 4 && c >= 0xd800 && c < 0xdc00 && r->at[0] == '\\' && r->at[1] == 'u') {
        int64_t low = hex(r->at + 2, 4);
        if (low >= 0xdc00 && low < 0xe000) {
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
            r->at += 6;
        }
    }
    add_char(out, (uint32_t)c);
    return true;
}

static bool read_escape(struct reader *r, struct strbuf *out)
{
    static const char from[] = "\\'\"/abfnrtv", to[] = "\\'\"/\a\b\f\n\r\t\v";
    char c = *r->at++;
    if (c == 'x' || c == 'u' || c == 'U')
        return read_code(r, c == 'x' ? 2 : c == 'u' ? 4 : 8, out);
    const char *known = c ? strchr(from, c) : NULL;
    if (c == '\0') {
        r->at--;
        return false;
    }
    if (c == '\n') /* goes on in the next line */
        return true;
    if (c >= '0' && c <= '7') {
        uint32_t x = (uint32_t)(c - '0');
        for (int i = 0; i < 2 && *r->at >= '0' && *r->at <= '7'; i++)
            x = x * 8 + (uint32_t)(*r->at++ - '0');
        add_char(out, x);
        return true;
    }
    if (!known)
        strbuf_addc(out, '\\'); /* Python keeps it */
    strbuf_addc(out, known ? to[known - from] : c);
    return true;
}

static json_t *read_string(struct reader *r)
{
    struct strbuf text = {0}, clean = {0};
    char quote = *r->at++;
    strbuf_adds(&text, "");
    while (*r->at && *r->at != quote) {
        bool ok = true;
        if (*r->at == '\\') {
            r->at++;
            ok = read_escape(r, &text);
        } else {
            strbuf_addc(&text, *r->at++);
        }
        if (!ok) {
            strbuf_release(&text);
            return fail(r, "an escape");
        }
    }
    if (*r->at != quote) {
        strbuf_release(&text);
        return fail(r, "the end of a string");
    }
    r->at++;
    utf8_repair(&clean, text.buf, text.len);
    json_t *s = json_stringn(clean.len ? clean.buf : "", clean.len);
    strbuf_release(&text);
    strbuf_release(&clean);
    return s;
}

static json_t *read_number(struct reader *r)
{
    size_t n = strspn(r->at, "+-0123456789.eE_");
    char *text = xstrndup(r->at, n), *end;
    bool whole = strcspn(text, ".eE") == n;
    char *plain = text + (*text == '+');
    json_t *value = NULL;
    if (strchr(text, '_') == NULL &&
        (isdigit((unsigned char)plain[*plain == '-']) || plain[*plain == '-'] == '.')) {
        double x = strtod(plain, &end);
        if (*end == '\0' && end != plain && isfinite(x))
            value = whole && fabs(x) < 9e15 ? json_integer((json_int_t)x) : json_real(x);
    }
    free(text);
    if (!value)
        return fail(r, "a number");
    r->at += n;
    return value;
}

/* The items of a list or tuple, behind its bracket. */
static json_t *read_items(struct reader *r, char close)
{
    json_t *list = json_array();
    while (!take(r, close)) {
        json_t *item = read_value(r);
        if (!item) {
            json_decref(list);
            return NULL;
        }
        json_array_append_new(list, item);
        if (take(r, ','))
            continue;
        if (!take(r, close)) {
            json_decref(list);
            return fail(r, "',' or the end of a list");
        }
        break;
    }
    return list;
}

static bool read_member(struct reader *r, json_t *object)
{
    skip_space(r);
    if (*r->at != '\'' && *r->at != '"') {
        fail(r, "a key in quotes");
        return false;
    }
    json_t *key = read_string(r), *value = NULL;
    if (key && take(r, ':'))
        value = read_value(r);
    else if (key)
        fail(r, "':'");
    if (value) /* the last of two equal keys counts, as in Python */
        json_object_setn_new(object, json_string_value(key), json_string_length(key), value);
    json_decref(key);
    return value != NULL;
}

static json_t *read_members(struct reader *r)
{
    json_t *object = json_object();
    while (!take(r, '}')) {
        if (!read_member(r, object)) {
            json_decref(object);
            return NULL;
        }
        if (take(r, ','))
            continue;
        if (!take(r, '}')) {
            json_decref(object);
            return fail(r, "',' or '}'");
        }
        break;
    }
    return object;
}

static json_t *read_name(struct reader *r)
{
    static const char *const names[] = {"None", "True", "False", "null", "true", "false"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        size_t n = strlen(names[i]);
        if (strncmp(r->at, names[i], n) == 0 && !isalnum((unsigned char)r->at[n])) {
            r->at += n;
            return i % 3 == 0 ? json_null() : json_boolean(i % 3 == 1);
        }
    }
    return fail(r, "a value");
}

static json_t *read_value(struct reader *r)
{
    json_t *value = NULL;
    skip_space(r);
    if (++r->depth > MAX_DEPTH)
        return fail(r, "less depth");
    if (*r->at == '\'' || *r->at == '"')
        value = read_string(r);
    else if (isdigit((unsigned char)*r->at) || (*r->at && strchr("+-.", *r->at)))
        value = read_number(r);
    else if (take(r, '['))
        value = read_items(r, ']');
    else if (take(r, '('))
        value = read_items(r, ')');
    else if (take(r, '{'))
        value = read_members(r);
    else
        value = read_name(r);
    r->depth--;
    return value;
}

json_t *literal_parse(const char *text, struct err *err)
{
    struct reader r = {text, text, 0, err};
    json_t *value = read_value(&r);
    skip_space(&r);
    if (value && *r.at) {
        json_decref(value);
        return fail(&r, "the end");
    }
    return value;
}
