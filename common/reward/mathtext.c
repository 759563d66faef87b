/* mathtext.c - do two mathematical answers mean the same? */
#include "reward/mathtext.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "reward/rational.h"

#define MAX_DEPTH 8

/* Spelling. */

/* Longer ones first where one begins another. */
static const struct {
    const char *from, *to;
} rewrites[] = {
    {"\\left", ""},
    {"\\right", ""},
    {"\\!", ""},
    {"\\,", " "},
    {"\\;", " "},
    {"\\:", " "},
    {"\\ ", " "},
    {"\\quad", " "},
    {"\\dfrac", "\\frac"},
    {"\\tfrac", "\\frac"},
    {"\\cfrac", "\\frac"},
    {"^{\\circ}", ""},
    {"^\\circ", ""},
    {"\\degree", ""},
    {"\xc2\xb0", ""},
    {"\\%", "%"},
    {"\\$", ""},
    {"$", ""},
    {"\\(", ""},
    {"\\)", ""},
    {"\\[", ""},
    {"\\]", ""},
    {"~", " "},
    {"\xe2\x88\x92", "-"},
    {"\xc2\xa0", " "},
    {"\\cdot", "*"},
    {"\\times", "*"},
    {"\xc3\x97", "*"},
    {"\\leq", "\\le"},
    {"\\geq", "\\ge"},
    {"\\neq", "\\ne"},
    {"\\{", "{"},
    {"\\}", "}"},
};

static bool command_goes_on(const char *from, const char *next)
{
    size_t n = strlen(from);
    return from[0] == '\\' && isalpha((unsigned char)from[n - 1]) && isalpha((unsigned char)*next);
}

static size_t rewrite_at(const char *s, struct strbuf *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(rewrites); i++) {
        size_t n = strlen(rewrites[i].from);
        if (strncmp(s, rewrites[i].from, n) == 0 && !command_goes_on(rewrites[i].from, s + n)) {
            strbuf_adds(out, rewrites[i].to);
            return n;
        }
    }
    return 0;
}

/* \text{..} alone is the answer; behind something it is a unit, and left out. */
static size_t text_at(const char *s, struct strbuf *out)
{
    static const char *const names[] = {"\\text{", "\\textbf{", "\\mathrm{", "\\mbox{",
                                        "\\mathbf{"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        size_t n = strlen(names[i]);
        if (strncmp(s, names[i], n) != 0)
            continue;
        size_t inside = strcspn(s + n, "{}");
        if (s[n + inside] != '}')
            return 0;
        if (out->len == 0 || out->buf[out->len - 1] == '(' || out->buf[out->len - 1] == ',')
            strbuf_add(out, s + n, inside);
        return n + inside + 1;
    }
    return 0;
}

static void trim(struct strbuf *s)
{
    size_t from = 0;
    while (s->len > 0 && strchr(" \t\r\n.,;:", s->buf[s->len - 1]))
        s->len--;
    while (from < s->len && strchr(" \t\r\n:", s->buf[from]))
        from++;
    s->len -= from;
    memmove(s->buf, s->buf + from, s->len);
    s->buf[s->len] = '\0';
}

/* "x = 5" answers the same as "5". */
static void drop_left_side(struct strbuf *s)
{
    char *equals = strchr(s->buf, '=');
    if (!equals || equals == s->buf || strchr(equals + 1, '=') ||
        !isalpha((unsigned char)*s->buf) || strchr("<>!", equals[-1]))
        return;
    size_t left = (size_t)(equals - s->buf);
    while (left > 0 && s->buf[left - 1] == ' ')
        left--;
    if (left > 1 && !(left == 4 && s->buf[1] == '(')) /* f(x) */
        return;
    s->len -= (size_t)(equals + 1 - s->buf);
    memmove(s->buf, equals + 1, s->len + 1);
    trim(s);
}

char *math_normalize(const char *s)
{
    struct strbuf out = {0};
    strbuf_adds(&out, "");
    while (*s) {
        size_t n = text_at(s, &out);
        if (n == 0)
            n = rewrite_at(s, &out);
        if (n == 0)
            strbuf_addc(&out, s[n++]);
        s += n;
    }
    trim(&out);
    drop_left_side(&out);
    return strbuf_detach(&out, NULL);
}

/* Numbers. */

static const char *skip(const char *s)
{
    return s + strspn(s, " ");
}

static const char *read_decimal(const char *s, struct rational *out)
{
    size_t n = decimal_length(s);
    return n && decimal_value(s, n, out) ? s + n : NULL;
}

/* One argument of \frac: {12}, {-3} or a single digit. */
static const char *frac_argument(const char *s, struct rational *out)
{
    s = skip(s);
    if (*s != '{')
        return isdigit((unsigned char)*s) && decimal_value(s, 1, out) ? s + 1 : NULL;
    s = skip(s + 1);
    bool negative = *s == '-';
    s = read_decimal(s + negative, out);
    if (!s || *skip(s) != '}')
        return NULL;
    if (negative)
        out->num = -out->num;
    return skip(s) + 1;
}

static const char *read_frac(const char *s, struct rational *out)
{
    struct rational num, den;
    if (strncmp(s, "\\frac", 5) != 0)
        return NULL;
    s = frac_argument(s + 5, &num);
    s = s ? frac_argument(s, &den) : NULL;
    return s && rational_apply('/', &num, &den, out) ? s : NULL;
}

static const char *read_slash(const char *s, struct rational *out)
{
    struct rational num, den;
    s = read_decimal(s, &num);
    if (!s || *skip(s) != '/')
        return NULL;
    s = read_decimal(skip(skip(s) + 1), &den);
    return s && rational_apply('/', &num, &den, out) ? s : NULL;
}

/* "1 1/2" and "1\frac{1}{2}". */
static const char *read_mixed(const char *s, struct rational *out)
{
    struct rational whole, part;
    const char *end = read_decimal(s, &whole);
    if (!end || whole.den != 1)
        return NULL;
    const char *rest = skip(end), *done = read_frac(rest, &part);
    if (!done && rest > end)
        done = read_slash(rest, &part);
    return done && rational_apply('+', &whole, &part, out) ? done : NULL;
}

/* "*10^{5}", "e-3" behind a number. */
static const char *read_power(const char *s, struct rational *value)
{
    const char *p = skip(s);
    bool braced = false, exponent = (*s == 'e' || *s == 'E');
    if (exponent) {
        p = s + 1;
    } else {
        p = *p == '*' ? skip(p + 1) : "";
        if (strncmp(p, "10^", 3) != 0)
            return s;
        p += 3;
        braced = *p == '{';
        p += braced;
    }
    bool negative = *p == '-';
    p += *p == '-' || *p == '+';
    int n = 0;
    const char *first = p;
    while (isdigit((unsigned char)*p) && n < 100)
        n = n * 10 + (*p++ - '0');
    if (p == first || (braced && *p != '}'))
        return s;
    const struct rational ten = {10, 1};
    for (; n > 0; n--) {
        if (!rational_apply(negative ? '/' : '*', value, &ten, value))
            return NULL;
    }
    return p + braced;
}

struct number {
    struct rational value;
    bool percent;
    const char *unit; /* what stands behind it, or "" */
};

/* Written onto the number a unit looks like a product of variables, so these must be known. */
static bool attached_unit(const char *s)
{
    static const char *const names[] = {"cm", "mm", "km", "kg", "mg", "ml",  "ft",  "in",
                                        "lb", "oz", "hr", "am", "pm", "mph", "min", "sec"};
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz");
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strlen(names[i]) == n && memcmp(names[i], s, n) == 0)
            return true;
    }
    return false;
}

/* "apples", "cm^2", "miles/hour"; a single letter is a variable, pi a number. */
static bool is_unit(const char *s)
{
    if (!isalpha((unsigned char)s[0]) || !isalpha((unsigned char)s[1]) || strcmp(s, "pi") == 0)
        return false;
    for (; *s; s++) {
        bool power = *s == '^' && (s[1] == '2' || s[1] == '3') && !isalnum((unsigned char)s[2]);
        if (!isalpha((unsigned char)*s) && !strchr(" ./", *s) && !power)
            return false;
        s += power;
    }
    return true;
}

/* The whole text as a number, perhaps with percent and a unit. */
static bool read_number(const char *s, struct number *out)
{
    bool negative = *s == '-';
    s = skip(s + (*s == '-' || *s == '+'));
    const char *end = read_mixed(s, &out->value);
    if (!end)
        end = read_frac(s, &out->value);
    if (!end)
        end = read_slash(s, &out->value);
    if (!end)
        end = read_decimal(s, &out->value);
    if (end)
        end = read_power(*end == '.' ? end + 1 : end, &out->value);
    if (!end)
        return false;
    if (negative)
        out->value.num = -out->value.num;
    out->percent = *skip(end) == '%';
    const char *rest = out->percent ? skip(end) + 1 : end;
    out->unit = skip(rest);
    return *out->unit == '\0' || ((out->unit > rest || attached_unit(rest)) && is_unit(out->unit));
}

static bool number_equal(const struct number *a, const struct number *b)
{
    const struct rational hundred = {100, 1};
    struct rational scaled;
    if (*a->unit && *b->unit && strcmp(a->unit, b->unit) != 0)
        return false;
    if (rational_equal(&a->value, &b->value))
        return true;
    /* 50% is 0.5 to some and 50 to others; two percentages must agree as they stand. */
    const struct number *percent = a->percent ? a : b, *plain = a->percent ? b : a;
    return percent->percent && !plain->percent &&
           rational_apply('/', &percent->value, &hundred, &scaled) &&
           rational_equal(&scaled, &plain->value);
}

/* Text. */

/* Decimals too long for a fraction; equal as digits or not at all. */
static bool long_decimal_equal(const char *a, const char *b)
{
    size_t na = strlen(a), nb = strlen(b);
    size_t sa = *a == '-' || *a == '+', sb = *b == '-' || *b == '+';
    if (na == sa || nb == sb || decimal_length(a + sa) != na - sa ||
        decimal_length(b + sb) != nb - sb)
        return false;
    char *ca = xmalloc(na + 2), *cb = xmalloc(nb + 2);
    decimal_canonical(a, na, ca);
    decimal_canonical(b, nb, cb);
    bool equal = strcmp(ca, cb) == 0;
    free(ca);
    free(cb);
    return equal;
}

/* \frac12 and \frac{1}{2}, x^{2} and x^2, \sqrt{2} and \sqrt2, blanks: one spelling. */
static char *squeeze(const char *s)
{
    struct strbuf out = {0};
    for (; *s; s++) {
        if (s[0] == '{' && s[1] && s[1] != '\\' && s[2] == '}') {
            strbuf_addc(&out, s[1]);
            s += 2;
        } else if (!isspace((unsigned char)*s)) {
            strbuf_addc(&out, *s);
        }
    }
    return strbuf_detach(&out, NULL);
}

static bool squeezed_equal(const char *a, const char *b)
{
    char *sa = squeeze(a), *sb = squeeze(b);
    bool words = strspn(sa, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == strlen(sa);
    bool equal = (words && strlen(sa) > 1 ? strcasecmp(sa, sb) : strcmp(sa, sb)) == 0;
    free(sa);
    free(sb);
    return equal;
}

/* Lists. */

static size_t item_length(const char *s)
{
    int depth = 0;
    size_t n = 0;
    for (; s[n]; n++) {
        if (strchr("([{", s[n]))
            depth++;
        else if (strchr(")]}", s[n]))
            depth--;
        else if (s[n] == ',' && depth == 0)
            break;
    }
    return n;
}

/* Open and closed ends of an interval differ, so the brackets are compared, too. */
static bool strip_brackets(char **a, char **b)
{
    size_t na = strlen(*a), nb = strlen(*b);
    if (na < 2 || nb < 2 || !strchr("([{", **a) || **a != **b || !strchr(")]}", (*a)[na - 1]) ||
        (*a)[na - 1] != (*b)[nb - 1] || item_length(*a) != na || item_length(*b) != nb)
        return false;
    (*a)[na - 1] = '\0';
    (*b)[nb - 1] = '\0';
    ++*a;
    ++*b;
    return true;
}

static bool equal_at(const char *a, const char *b, int depth);

static bool items_equal(const char *a, const char *b, int depth)
{
    for (;;) {
        size_t na = item_length(a), nb = item_length(b);
        char *ia = xstrndup(a, na), *ib = xstrndup(b, nb);
        bool equal = equal_at(ia, ib, depth + 1);
        free(ia);
        free(ib);
        if (!equal || (a[na] == ',') != (b[nb] == ','))
            return false;
        if (!a[na])
            return true;
        a += na + 1;
        b += nb + 1;
    }
}

static bool list_equal(const char *a, const char *b, int depth)
{
    char *ca = xstrdup(a), *cb = xstrdup(b), *ia = ca, *ib = cb;
    bool bracketed = strip_brackets(&ia, &ib);
    bool list = ia[item_length(ia)] == ',' && ib[item_length(ib)] == ',';
    bool equal = (list || bracketed) && items_equal(ia, ib, depth);
    free(ca);
    free(cb);
    return equal;
}

static bool equal_at(const char *raw_a, const char *raw_b, int depth)
{
    if (depth > MAX_DEPTH)
        return false;
    char *a = math_normalize(raw_a), *b = math_normalize(raw_b);
    struct number na, nb;
    bool equal;
    if (*a == '\0' || *b == '\0')
        equal = false;
    else if (read_number(a, &na) && read_number(b, &nb))
        equal = number_equal(&na, &nb);
    else
        equal = long_decimal_equal(a, b) || squeezed_equal(a, b) || list_equal(a, b, depth);
    free(a);
    free(b);
    return equal;
}

bool math_equal(const char *a, const char *b)
{
    return equal_at(a, b, 0);
}
