/* jinja_letters.c - methods of strings about letters: large and small, digits, space. */
#include <utf8proc.h>

#include "data/jinja_internal.h"

#define METHOD(name)                                                                               \
    static int name(struct jrun *r, struct jval self, const struct jbind *b, struct jval *out)

static enum jinja_origin origin_at(const struct jstr *s, size_t i)
{
    return (enum jinja_origin)(s->origin ? s->origin[i] : s->uniform);
}

static void add_char(struct jbuf *b, utf8proc_int32_t c, enum jinja_origin origin)
{
    utf8proc_uint8_t text[4];
    utf8proc_ssize_t n = utf8proc_encode_char(c, text);
    jbuf_add(b, (const char *)text, (size_t)n, origin);
}

enum letters { UPPER, LOWER, CAPITAL, TITLE };

static int change_case(struct jrun *r, const struct jstr *s, enum letters how, struct jval *out)
{
    struct jbuf buf = {0};
    bool first = true;
    size_t bytes;
    for (size_t i = 0; i < s->n; i += bytes) {
        utf8proc_int32_t c = (utf8proc_int32_t)utf8_at(s->s + i, &bytes);
        bool cased = utf8proc_isupper(c) || utf8proc_islower(c) || utf8proc_totitle(c) != c;
        bool up = how == UPPER || (how != LOWER && first);
        if (c == 0xdf && up) { /* the one common letter that becomes two */
            jbuf_add(&buf, how == UPPER ? "SS" : "Ss", 2, origin_at(s, i));
        } else {
            add_char(&buf, up ? (how == UPPER ? utf8proc_toupper(c) : utf8proc_totitle(c))
                              : utf8proc_tolower(c), origin_at(s, i));
        }
        first = how == TITLE ? !cased : false;
    }
    *out = jv_str(jbuf_freeze(r, &buf));
    return jinja_work(r, 4 * s->n);
}

METHOD(s_upper)
{
    (void)b;
    return change_case(r, self.u.s, UPPER, out);
}

METHOD(s_lower)
{
    (void)b;
    return change_case(r, self.u.s, LOWER, out);
}

METHOD(s_capitalize)
{
    (void)b;
    return change_case(r, self.u.s, CAPITAL, out);
}

METHOD(s_title)
{
    (void)b;
    return change_case(r, self.u.s, TITLE, out);
}

/* --- what the characters are ------------------------------------------------------------------ */

static bool is_letter(utf8proc_category_t k)
{
    return k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO;
}

static int all_chars(struct jrun *r, const struct jstr *s, bool (*holds)(uint32_t c),
                     struct jval *out)
{
    bool all = s->n > 0;
    size_t bytes;
    for (size_t i = 0; i < s->n && all; i += bytes)
        all = holds(utf8_at(s->s + i, &bytes));
    *out = jv_bool(all);
    return jinja_work(r, s->n);
}

static bool char_is_digit(uint32_t c)
{
    return utf8proc_category((utf8proc_int32_t)c) == UTF8PROC_CATEGORY_ND;
}

static bool char_is_alpha(uint32_t c)
{
    return is_letter(utf8proc_category((utf8proc_int32_t)c));
}

static bool char_is_alnum(uint32_t c)
{
    return char_is_digit(c) || char_is_alpha(c);
}

METHOD(s_isdigit)
{
    (void)b;
    return all_chars(r, self.u.s, char_is_digit, out);
}

METHOD(s_isalpha)
{
    (void)b;
    return all_chars(r, self.u.s, char_is_alpha, out);
}

METHOD(s_isalnum)
{
    (void)b;
    return all_chars(r, self.u.s, char_is_alnum, out);
}

METHOD(s_isspace)
{
    (void)b;
    return all_chars(r, self.u.s, is_python_space, out);
}

static int by_test(struct jrun *r, struct jval self, const char *test, struct jval *out)
{
    struct jargs none = {0};
    bool holds;
    if (jinja_apply_test(r, jinja_test_find(test), self, &none, &holds) < 0)
        return -1;
    *out = jv_bool(holds);
    return 0;
}

METHOD(s_isupper)
{
    (void)b;
    return by_test(r, self, "upper", out);
}

METHOD(s_islower)
{
    (void)b;
    return by_test(r, self, "lower", out);
}

const struct jmethod jinja_letter_methods[] = {
    {J_STR, "upper", s_upper, {0, {NULL}}},
    {J_STR, "lower", s_lower, {0, {NULL}}},
    {J_STR, "capitalize", s_capitalize, {0, {NULL}}},
    {J_STR, "title", s_title, {0, {NULL}}},
    {J_STR, "isdigit", s_isdigit, {0, {NULL}}},
    {J_STR, "isalpha", s_isalpha, {0, {NULL}}},
    {J_STR, "isalnum", s_isalnum, {0, {NULL}}},
    {J_STR, "isspace", s_isspace, {0, {NULL}}},
    {J_STR, "isupper", s_isupper, {0, {NULL}}},
    {J_STR, "islower", s_islower, {0, {NULL}}},
    {J_NONE, NULL, NULL, {0, {NULL}}},
};
