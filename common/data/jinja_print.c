/* jinja_print.c - values as text: str() and repr() of Python, and JSON as json.dumps writes it. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "data/jinja_internal.h"

#define MAX_NESTING 200

/* repr(f): the shortest digits that read back, 1e16 and up and below 1e-4 with an exponent. */
static void python_float(double f, char out[40])
{
    char digits[40];
    int precision = 1;
    if (isnan(f) || isinf(f)) {
        strcpy(out, isnan(f) ? "nan" : f > 0 ? "inf" : "-inf");
        return;
    }
    do
        snprintf(digits, sizeof digits, "%.*e", precision - 1, f);
    while (strtod(digits, NULL) != f && ++precision <= 17);
    int exponent = atoi(strchr(digits, 'e') + 1);
    if (exponent < -4 || exponent >= 16) {
        snprintf(out, 40, "%.*e", precision - 1, f);
        return;
    }
    int decimals = precision - 1 - exponent;
    snprintf(out, 40, "%.*f", decimals > 0 ? decimals : 1, f);
}

/* --- repr ------------------------------------------------------------------------------------ */

static bool is_printable(uint32_t c)
{
    if (c == ' ')
        return true;
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS:
        return false;
    default:
        return true;
    }
}

static void repr_char(struct strbuf *out, const char *s, size_t bytes, uint32_t c, char quote)
{
    static const char from[] = "\n\r\t\\", to[] = "nrt\\";
    const char *known = c > 0 && c < 0x80 ? strchr(from, (int)c) : NULL;
    if (known)
        strbuf_addf(out, "\\%c", to[known - from]);
    else if (c == (uint32_t)(unsigned char)quote)
        strbuf_addf(out, "\\%c", quote);
    else if (is_printable(c))
        strbuf_add(out, s, bytes);
    else
        strbuf_addf(out, c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x", c);
}

static void repr_string(const struct jstr *s, struct jbuf *out)
{
    char quote = memchr(s->s, '\'', s->n) && !memchr(s->s, '"', s->n) ? '"' : '\'';
    struct strbuf text = {0};
    size_t bytes;
    strbuf_adds(&text, s->markup ? "Markup(" : "");
    strbuf_addc(&text, quote);
    for (size_t i = 0; i < s->n; i += bytes) {
        uint32_t c = utf8_at(s->s + i, &bytes);
        repr_char(&text, s->s + i, bytes, c, quote);
    }
    strbuf_addc(&text, quote);
    strbuf_adds(&text, s->markup ? ")" : "");
    jbuf_add(out, text.buf, text.len, jstr_origin(s));
    strbuf_release(&text);
}

static void add(struct jbuf *out, const char *text)
{
    jbuf_add(out, text, strlen(text), JINJA_DATA);
}

static int repr_list(struct jrun *r, const struct jlist *l, struct jbuf *out)
{
    bool tuple = l->kind == JL_TUPLE;
    if (l->kind > JL_TUPLE)
        return jinja_fail(r, "a %s cannot be printed: make it a list",
                          l->kind == JL_VIEW ? "view of a dictionary" : "generator");
    add(out, tuple ? "(" : "[");
    for (size_t i = 0; i < l->n; i++) {
        if (i > 0)
            add(out, ", ");
        if (jv_repr(r, l->v[i], out) < 0)
            return -1;
    }
    add(out, tuple ? (l->n == 1 ? ",)" : ")") : "]");
    return 0;
}

static int repr_dict(struct jrun *r, const struct jdict *d, struct jbuf *out)
{
    add(out, "{");
    for (size_t i = 0; i < d->n; i++) {
        if (i > 0)
            add(out, ", ");
        if (jv_repr(r, d->p[i].key, out) < 0)
            return -1;
        add(out, ": ");
        if (jv_repr(r, d->p[i].value, out) < 0)
            return -1;
    }
    add(out, "}");
    return 0;
}

static int repr_nested(struct jrun *r, struct jval v, struct jbuf *out)
{
    if (++r->depth > MAX_NESTING)
        return jinja_fail(r, "values are nested too deeply to be printed");
    int rc = v.type == J_LIST ? repr_list(r, v.u.l, out) : repr_dict(r, v.u.d, out);
    r->depth--;
    return rc;
}

int jv_repr(struct jrun *r, struct jval v, struct jbuf *out)
{
    if (v.type == J_STR) {
        repr_string(v.u.s, out);
        return jinja_work(r, v.u.s->n);
    }
    if (v.type == J_UNDEFINED) {
        add(out, "Undefined");
        return 0;
    }
    return jv_print(r, v, out);
}

int jv_print(struct jrun *r, struct jval v, struct jbuf *out)
{
    char text[40];
    if (jinja_work(r, 0) < 0)
        return -1;
    switch (v.type) {
    case J_UNDEFINED:
        return 0;
    case J_NONE:
        add(out, "None");
        return 0;
    case J_BOOL:
        add(out, v.u.b ? "True" : "False");
        return 0;
    case J_INT:
        snprintf(text, sizeof text, "%" PRId64, v.u.i);
        add(out, text);
        return 0;
    case J_FLOAT:
        python_float(v.u.f, text);
        add(out, text);
        return 0;
    case J_STR:
        jbuf_add_str(out, v.u.s);
        return jinja_work(r, v.u.s->n);
    case J_LIST:
    case J_DICT:
        return repr_nested(r, v, out);
    default:
        return jinja_fail(r, "a %s cannot be printed", jv_type(v));
    }
}

int jv_string(struct jrun *r, struct jval v, const struct jstr **out)
{
    struct jbuf b = {0};
    if (v.type == J_STR) {
        *out = v.u.s;
        return 0;
    }
    if (jv_print(r, v, &b) < 0) {
        jbuf_release(&b);
        return -1;
    }
    *out = jbuf_freeze(r, &b);
    return 0;
}

/* --- JSON ------------------------------------------------------------------------------------ */

static void json_char(const struct json_style *style, const char *s, size_t bytes, uint32_t c,
                      struct strbuf *out)
{
    static const char from[] = "\n\r\t\f\b\\\"", to[] = "nrtfb\\\"";
    const char *known = c > 0 && c < 0x80 ? strchr(from, (int)c) : NULL;
    if (known)
        strbuf_addf(out, "\\%c", to[known - from]);
    else if (c < 0x20 || (style->ascii && c >= 0x7f && c < 0x10000 && c != 0x7f))
        strbuf_addf(out, "\\u%04x", c);
    else if (style->ascii && c >= 0x10000)
        strbuf_addf(out, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10),
                    0xdc00 + ((c - 0x10000) & 0x3ff));
    else
        strbuf_add(out, s, bytes);
}

static void json_string_out(const struct json_style *style, const struct jstr *s,
                            struct strbuf *out)
{
    size_t bytes;
    strbuf_addc(out, '"');
    for (size_t i = 0; i < s->n; i += bytes) {
        uint32_t c = utf8_at(s->s + i, &bytes);
        json_char(style, s->s + i, bytes, c, out);
    }
    strbuf_addc(out, '"');
}

static void new_line(const struct json_style *style, int level, struct strbuf *out)
{
    if (style->indent < 0)
        return;
    strbuf_addc(out, '\n');
    for (int i = 0; i < style->indent * level; i++)
        strbuf_addc(out, ' ');
}

static int json_list(struct jrun *r, const struct jlist *l, const struct json_style *style,
                     int level, struct strbuf *out)
{
    if (l->kind > JL_TUPLE)
        return jinja_fail(r, "a %s is not JSON", l->kind == JL_VIEW ? "view" : "generator");
    strbuf_addc(out, '[');
    for (size_t i = 0; i < l->n; i++) {
        strbuf_adds(out, i > 0 ? style->item : "");
        new_line(style, level + 1, out);
        if (jv_tojson(r, l->v[i], style, level + 1, out) < 0)
            return -1;
    }
    if (l->n > 0)
        new_line(style, level, out);
    strbuf_addc(out, ']');
    return 0;
}

static int json_key(struct jrun *r, struct jval key, const struct json_style *style,
                    struct strbuf *out)
{
    if (key.type == J_STR) {
        json_string_out(style, key.u.s, out);
        return 0;
    }
    if (key.type != J_NONE && !jv_is_number(key))
        return jinja_fail(r, "a %s cannot be a key in JSON", jv_type(key));
    strbuf_addc(out, '"');
    int rc = jv_tojson(r, key, style, 0, out);
    strbuf_addc(out, '"');
    return rc;
}

static int by_key(const void *a, const void *b)
{
    const struct jstr *x = ((const struct jpair *)a)->key.u.s, *y = ((const struct jpair *)b)->key.u.s;
    int c = memcmp(x->s, y->s, x->n < y->n ? x->n : y->n);
    return c ? c : (x->n > y->n) - (x->n < y->n);
}

/* The pairs in the order to write them in. */
static int json_order(struct jrun *r, const struct jdict *d, bool sort, const struct jpair **out)
{
    *out = d->p;
    if (!sort || d->n == 0)
        return 0;
    struct jpair *copy = jinja_alloc(r, d->n * sizeof *copy);
    memcpy(copy, d->p, d->n * sizeof *copy);
    for (size_t i = 0; i < d->n; i++)
        if (copy[i].key.type != J_STR)
            return jinja_fail(r, "only keys that are strings can be sorted");
    qsort(copy, d->n, sizeof *copy, by_key);
    *out = copy;
    return 0;
}

static int json_dict(struct jrun *r, const struct jdict *d, const struct json_style *style,
                     int level, struct strbuf *out)
{
    const struct jpair *pairs;
    if (json_order(r, d, style->sort_keys, &pairs) < 0)
        return -1;
    strbuf_addc(out, '{');
    for (size_t i = 0; i < d->n; i++) {
        strbuf_adds(out, i > 0 ? style->item : "");
        new_line(style, level + 1, out);
        if (json_key(r, pairs[i].key, style, out) < 0)
            return -1;
        strbuf_adds(out, style->key);
        if (jv_tojson(r, pairs[i].value, style, level + 1, out) < 0)
            return -1;
    }
    if (d->n > 0)
        new_line(style, level, out);
    strbuf_addc(out, '}');
    return 0;
}

static void json_real_out(double f, struct strbuf *out)
{
    char text[40];
    if (isnan(f) || isinf(f))
        strcpy(text, isnan(f) ? "NaN" : f > 0 ? "Infinity" : "-Infinity");
    else
        python_float(f, text);
    strbuf_adds(out, text);
}

int jv_tojson(struct jrun *r, struct jval v, const struct json_style *style, int level,
              struct strbuf *out)
{
    int rc;
    if (jinja_work(r, style->indent > 0 ? (size_t)(style->indent * level) : 0) < 0)
        return -1;
    switch (v.type) {
    case J_NONE:
        strbuf_adds(out, "null");
        return 0;
    case J_BOOL:
        strbuf_adds(out, v.u.b ? "true" : "false");
        return 0;
    case J_INT:
        strbuf_addf(out, "%" PRId64, v.u.i);
        return 0;
    case J_FLOAT:
        json_real_out(v.u.f, out);
        return 0;
    case J_STR:
        json_string_out(style, v.u.s, out);
        return jinja_work(r, v.u.s->n);
    case J_LIST:
    case J_DICT:
        if (++r->depth > MAX_NESTING)
            return jinja_fail(r, "values are nested too deeply to be JSON");
        rc = v.type == J_LIST ? json_list(r, v.u.l, style, level, out)
                              : json_dict(r, v.u.d, style, level, out);
        r->depth--;
        return rc;
    case J_UNDEFINED:
        return jinja_fail(r, "'%s' is undefined and cannot be JSON", v.u.name ? v.u.name : "it");
    default:
        return jinja_fail(r, "a %s is not JSON", jv_type(v));
    }
}
