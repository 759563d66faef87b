/* jinja_filters.c - filters on strings, numbers and JSON; those on lists are in jinja_lists.c. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "data/jinja_internal.h"

#define FILTER(name) static int name(struct jrun *r, struct jval v, const struct jbind *b, struct jval *out)

static int to_string(struct jrun *r, struct jval v, struct jval *out)
{
    const struct jstr *s;
    if (jv_string(r, v, &s) < 0)
        return -1;
    *out = jv_str(s);
    return jinja_work(r, s->n);
}

/* The method of the same name, on the value as a string. */
static int by_method(struct jrun *r, struct jval v, const char *name, const struct jargs *args,
                     struct jval *out)
{
    struct jbind bind;
    struct jval s;
    if (to_string(r, v, &s) < 0)
        return -1;
    const struct jmethod *m = jinja_method_find(s, name);
    return jinja_bind(r, name, &m->params, args, &bind) < 0 ? -1 : m->fn(r, s, &bind, out);
}

FILTER(f_trim)
{
    struct jargs args = {.n = b->has[0] && b->v[0].type != J_NONE, .v = (struct jval[]){b->v[0]}};
    return by_method(r, v, "strip", &args, out);
}

FILTER(f_upper)
{
    return by_method(r, v, "upper", b->raw, out);
}

FILTER(f_lower)
{
    return by_method(r, v, "lower", b->raw, out);
}

FILTER(f_capitalize)
{
    return by_method(r, v, "capitalize", b->raw, out);
}

FILTER(f_replace)
{
    return by_method(r, v, "replace", b->raw, out);
}

FILTER(f_string)
{
    (void)b;
    return to_string(r, v, out);
}

FILTER(f_safe)
{
    (void)b;
    if (to_string(r, v, out) < 0)
        return -1;
    struct jstr *s = jinja_alloc(r, sizeof *s);
    *s = *out->u.s;
    s->markup = true;
    *out = jv_str(s);
    return 0;
}

FILTER(f_escape)
{
    (void)b;
    if (to_string(r, v, out) < 0)
        return -1;
    *out = jv_str(jstr_escape(r, out->u.s));
    return 0;
}

FILTER(f_length)
{
    (void)b;
    const struct jval *items;
    size_t n;
    if (v.type == J_STR) {
        *out = jv_int(jstr_length(v.u.s));
        return jinja_work(r, v.u.s->n);
    }
    if (v.type == J_DICT) {
        *out = jv_int((int64_t)v.u.d->n);
        return 0;
    }
    if (v.type == J_LOOP) {
        *out = jv_int((int64_t)v.u.loop->n);
        return 0;
    }
    if ((v.type != J_LIST && v.type != J_UNDEFINED) ||
        (v.type == J_LIST && v.u.l->kind == JL_ITERATOR))
        return jinja_fail(r, "a %s has no length", jv_type(v));
    if (jv_items(r, v, &items, &n) < 0)
        return -1;
    *out = jv_int((int64_t)n);
    return 0;
}

FILTER(f_default)
{
    bool boolean = b->has[1] && jv_truth(b->v[1]);
    (void)r;
    *out = v;
    if (v.type == J_UNDEFINED || (boolean && !jv_truth(v)))
        *out = b->has[0] ? b->v[0] : jv_text(r, "", JINJA_TEMPLATE);
    return 0;
}

static int separators(struct jrun *r, struct jval v, struct json_style *style)
{
    if (v.type == J_NONE)
        return 0;
    if (v.type != J_LIST || v.u.l->n != 2 || v.u.l->v[0].type != J_STR ||
        v.u.l->v[1].type != J_STR)
        return jinja_fail(r, "the separators of tojson are two strings");
    style->item = v.u.l->v[0].u.s->s;
    style->key = v.u.l->v[1].u.s->s;
    return 0;
}

FILTER(f_tojson)
{
    struct json_style style = {.indent = -1, .item = ", ", .key = ": "};
    struct strbuf text = {0};
    struct jbuf buf = {0};
    style.ascii = b->has[0] && jv_truth(b->v[0]);
    style.sort_keys = b->has[3] && jv_truth(b->v[3]);
    if (b->has[1] && b->v[1].type != J_NONE) {
        if (b->v[1].type != J_INT || b->v[1].u.i < 0 || b->v[1].u.i > 100)
            return jinja_fail(r, "the indent of tojson is not between 0 and 100");
        style.indent = (int)b->v[1].u.i;
        style.item = ",";
    }
    if (b->has[2] && separators(r, b->v[2], &style) < 0)
        return -1;
    int rc = jv_tojson(r, v, &style, 0, &text);
    if (rc == 0) {
        jbuf_add(&buf, text.buf, text.len, JINJA_DATA);
        *out = jv_str(jbuf_freeze(r, &buf));
        rc = jinja_work(r, text.len);
    }
    strbuf_release(&text);
    return rc;
}

/* --- numbers --------------------------------------------------------------------------------- */

/* As int(s): white space around, a sign, digits. */
static bool read_int(const struct jstr *s, int64_t *out)
{
    const char *p = s->s + strspn(s->s, " \t\r\n"), *digits = p + (*p == '-' || *p == '+');
    size_t n = strspn(digits, "0123456789");
    *out = strtoll(p, NULL, 10);
    return n > 0 && n < 19 && digits[n + strspn(digits + n, " \t\r\n")] == '\0';
}

static bool read_float(const struct jstr *s, double *out)
{
    const char *p = s->s + strspn(s->s, " \t\r\n");
    char *end;
    if (strspn(p, "0123456789+-.eE") == 0)
        return false;
    *out = strtod(p, &end);
    return end > p && end[strspn(end, " \t\r\n")] == '\0';
}

FILTER(f_int)
{
    double f = 0;
    int64_t i = 0;
    (void)r;
    *out = b->has[0] ? b->v[0] : jv_int(0);
    if (v.type == J_UNDEFINED)
        return jinja_fail(r, "'%s' is undefined", v.u.name ? v.u.name : "the value");
    if (b->has[1] && !(b->v[1].type == J_INT && b->v[1].u.i == 10))
        return jinja_fail(r, "'int' with another base than 10 is not supported");
    if (v.type == J_INT || v.type == J_BOOL)
        *out = jv_int(v.type == J_INT ? v.u.i : v.u.b);
    else if (v.type == J_STR && read_int(v.u.s, &i))
        *out = jv_int(i);
    else if (v.type == J_FLOAT || (v.type == J_STR && read_float(v.u.s, &f))) {
        f = v.type == J_FLOAT ? v.u.f : f;
        if (fabs(f) < 9e18)
            *out = jv_int((int64_t)f);
    }
    return 0;
}

FILTER(f_float)
{
    double f;
    (void)r;
    *out = b->has[0] ? b->v[0] : jv_float(0);
    if (v.type == J_UNDEFINED)
        return jinja_fail(r, "'%s' is undefined", v.u.name ? v.u.name : "the value");
    if (jv_is_number(v))
        *out = jv_float(jv_number(v));
    else if (v.type == J_STR && read_float(v.u.s, &f))
        *out = jv_float(f);
    return 0;
}

FILTER(f_abs)
{
    (void)b;
    if (!jv_is_number(v) || (v.type == J_INT && v.u.i == INT64_MIN))
        return jinja_fail(r, "'abs' of %s", jv_type(v));
    *out = v.type == J_FLOAT ? jv_float(fabs(v.u.f)) : jv_int(llabs(v.type == J_INT ? v.u.i : v.u.b));
    return 0;
}

/* To even, as Python's round(); "common" only, with at most 15 digits. */
FILTER(f_round)
{
    int64_t digits = b->has[0] && b->v[0].type == J_INT ? b->v[0].u.i : 0;
    const char *method = b->has[1] && b->v[1].type == J_STR ? b->v[1].u.s->s : "common";
    char text[400];
    if (!jv_is_number(v) || digits < 0 || digits > 15)
        return jinja_fail(r, "'round' of %s to %lld digits", jv_type(v), (long long)digits);
    double x = jv_number(v), scale = pow(10, (double)digits);
    if (strcmp(method, "ceil") == 0) {
        *out = jv_float(ceil(x * scale) / scale);
    } else if (strcmp(method, "floor") == 0) {
        *out = jv_float(floor(x * scale) / scale);
    } else if (v.type == J_FLOAT) {
        snprintf(text, sizeof text, "%.*f", (int)digits, x); /* exact, ties to even */
        *out = jv_float(strtod(text, NULL));
    } else {
        *out = jv_int(v.type == J_INT ? v.u.i : v.u.b);
    }
    return 0;
}

/* --- layout ---------------------------------------------------------------------------------- */

static size_t next_line(const struct jstr *s, size_t at)
{
    const char *end = memchr(s->s + at, '\n', s->n - at);
    return end ? (size_t)(end - s->s) : s->n;
}

/* Lines after the first get the margin, blank ones only if asked. */
FILTER(f_indent)
{
    struct jbuf buf = {0};
    struct strbuf margin = {0};
    bool first = b->has[1] && jv_truth(b->v[1]), blank = b->has[2] && jv_truth(b->v[2]);
    int64_t width = b->has[0] && b->v[0].type == J_INT ? b->v[0].u.i : 4;
    if (v.type != J_STR)
        return jinja_fail(r, "'indent' of %s", jv_type(v));
    if (width < 0 || width > 1000)
        return jinja_fail(r, "'indent' by %lld", (long long)width);
    if (b->has[0] && b->v[0].type == J_STR)
        strbuf_add(&margin, b->v[0].u.s->s, b->v[0].u.s->n);
    else
        for (int64_t i = 0; i < width; i++)
            strbuf_addc(&margin, ' ');
    const struct jstr *s = v.u.s;
    int rc = jinja_room(r, s->n + 1, margin.len + 1);
    for (size_t at = 0, end; rc == 0 && at <= s->n; at = end + 1) {
        end = next_line(s, at);
        if (at > 0)
            jbuf_add(&buf, "\n", 1, jstr_origin(s));
        if (at == 0 ? first : blank || end > at)
            jbuf_add(&buf, margin.buf, margin.len, JINJA_TEMPLATE);
        jbuf_add_str(&buf, jstr_part(r, s, at, end));
    }
    strbuf_release(&margin);
    *out = jv_str(jbuf_freeze(r, &buf));
    return rc;
}

static bool starts_word(const struct jstr *s, size_t i)
{
    return i == 0 || strchr("-({[<", s->s[i - 1]) || is_python_space((unsigned char)s->s[i - 1]);
}

/* Each word's first letter large, the others small. */
FILTER(f_title)
{
    struct jval text, word;
    struct jbuf buf = {0};
    (void)b;
    if (to_string(r, v, &text) < 0)
        return -1;
    const struct jstr *s = text.u.s;
    int rc = 0;
    for (size_t at = 0, end; at < s->n && rc == 0; at = end) {
        for (end = at + 1; end < s->n && !starts_word(s, end);)
            end++;
        struct jargs none = {0};
        rc = by_method(r, jv_str(jstr_part(r, s, at, end)), "capitalize", &none, &word);
        if (rc == 0)
            jbuf_add_str(&buf, word.u.s);
    }
    *out = jv_str(jbuf_freeze(r, &buf));
    return rc;
}

FILTER(f_format)
{
    struct jlist *args = jlist_new(r, JL_TUPLE, 0);
    if (b->raw->n_kw > 0)
        return jinja_fail(r, "'format' with named values is not supported");
    for (int i = 0; i < b->raw->n; i++)
        jlist_add(r, args, b->raw->v[i]);
    return jinja_binary(r, '%', v, jv_list(args), out);
}

/* \w of Python's regular expressions. */
static bool is_word_char(uint32_t c)
{
    utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);
    return c == '_' || (k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO) ||
           (k >= UTF8PROC_CATEGORY_ND && k <= UTF8PROC_CATEGORY_NO);
}

FILTER(f_wordcount)
{
    struct jval text;
    int64_t n = 0;
    bool inside = false;
    size_t bytes;
    (void)b;
    if (to_string(r, v, &text) < 0)
        return -1;
    for (size_t i = 0; i < text.u.s->n; i += bytes) {
        bool word = is_word_char(utf8_at(text.u.s->s + i, &bytes));
        n += word && !inside;
        inside = word;
    }
    *out = jv_int(n);
    return 0;
}

static const struct jfilter filters[] = {
    {"trim", f_trim, {0, {"chars"}}},
    {"upper", f_upper, {0, {NULL}}},
    {"lower", f_lower, {0, {NULL}}},
    {"capitalize", f_capitalize, {0, {NULL}}},
    {"title", f_title, {0, {NULL}}},
    {"replace", f_replace, {2, {"old", "new", "count"}}},
    {"string", f_string, {0, {NULL}}},
    {"safe", f_safe, {0, {NULL}}},
    {"escape", f_escape, {0, {NULL}}},
    {"e", f_escape, {0, {NULL}}},
    {"length", f_length, {0, {NULL}}},
    {"count", f_length, {0, {NULL}}},
    {"default", f_default, {0, {"default_value", "boolean"}}},
    {"d", f_default, {0, {"default_value", "boolean"}}},
    {"tojson", f_tojson, {0, {"ensure_ascii", "indent", "separators", "sort_keys"}}},
    {"int", f_int, {0, {"default", "base"}}},
    {"float", f_float, {0, {"default"}}},
    {"abs", f_abs, {0, {NULL}}},
    {"round", f_round, {0, {"precision", "method"}}},
    {"indent", f_indent, {0, {"width", "first", "blank"}}},
    {"format", f_format, {0, {"*"}}},
    {"wordcount", f_wordcount, {0, {NULL}}},
    {NULL, NULL, {0, {NULL}}},
};

static const struct jfilter *find_in(const struct jfilter *table, const char *name)
{
    for (; table->name; table++)
        if (strcmp(table->name, name) == 0)
            return table;
    return NULL;
}

const struct jfilter *jinja_filter_find(const char *name)
{
    const struct jfilter *f = find_in(filters, name);
    return f ? f : find_in(jinja_list_filters, name);
}
