/* jinja_is.c - the tests of `is`, and the global functions. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "data/jinja_internal.h"

/* --- tests ----------------------------------------------------------------------------------- */

#define TEST(name, condition)                                                                      \
    static int name(struct jrun *r, struct jval v, const struct jval *arg, bool *out)              \
    {                                                                                              \
        (void)r;                                                                                   \
        (void)arg;                                                                                 \
        *out = (condition);                                                                        \
        return 0;                                                                                  \
    }

static bool is_callable(struct jval v)
{
    return v.type == J_MACRO || v.type == J_FUNCTION || v.type == J_METHOD || v.type == J_LOOP ||
           v.type == J_UNDEFINED; /* Jinja's own objects can be called, to fail */
}

TEST(is_defined, v.type != J_UNDEFINED)
TEST(is_undefined, v.type == J_UNDEFINED)
TEST(is_none, v.type == J_NONE)
TEST(is_boolean, v.type == J_BOOL)
TEST(is_true, v.type == J_BOOL && v.u.b)
TEST(is_false, v.type == J_BOOL && !v.u.b)
TEST(is_integer, v.type == J_INT)
TEST(is_float, v.type == J_FLOAT)
TEST(is_number, jv_is_number(v))
TEST(is_string, v.type == J_STR)
TEST(is_mapping, v.type == J_DICT)
TEST(is_iterable, v.type == J_STR || v.type == J_LIST || v.type == J_DICT ||
                      v.type == J_UNDEFINED || v.type == J_LOOP)
/* What has a length and takes an index: Jinja asks for no more. */
TEST(is_sequence, v.type == J_STR || v.type == J_DICT ||
                      (v.type == J_LIST && v.u.l->kind <= JL_TUPLE) || v.type == J_UNDEFINED)
TEST(is_called, is_callable(v))
TEST(is_escaped, v.type == J_STR && v.u.s->markup)

/* v % by == rest */
static int leaves(struct jrun *r, struct jval v, struct jval by, int64_t rest, bool *out)
{
    struct jval left;
    return jinja_binary(r, '%', v, by, &left) < 0 ? -1 : jv_equal(r, left, jv_int(rest), out);
}

static int is_divisible(struct jrun *r, struct jval v, const struct jval *arg, bool *out)
{
    return leaves(r, v, *arg, 0, out);
}

static int is_odd(struct jrun *r, struct jval v, const struct jval *arg, bool *out)
{
    (void)arg;
    return leaves(r, v, jv_int(2), 1, out);
}

static int is_even(struct jrun *r, struct jval v, const struct jval *arg, bool *out)
{
    (void)arg;
    return leaves(r, v, jv_int(2), 0, out);
}

static int is_equal(struct jrun *r, struct jval v, const struct jval *arg, bool *out)
{
    return jv_equal(r, v, *arg, out);
}

static int is_unequal(struct jrun *r, struct jval v, const struct jval *arg, bool *out)
{
    int rc = jv_equal(r, v, *arg, out);
    *out = !*out;
    return rc;
}

#define ORDER(name, condition)                                                                     \
    static int name(struct jrun *r, struct jval v, const struct jval *arg, bool *out)              \
    {                                                                                              \
        int c = 0, rc = jv_compare(r, v, *arg, &c);                                                     \
        *out = (condition);                                                                        \
        return rc;                                                                                 \
    }
ORDER(is_less, c < 0)
ORDER(is_less_equal, c <= 0)
ORDER(is_greater, c > 0)
ORDER(is_greater_equal, c >= 0)

static int is_in(struct jrun *r, struct jval v, const struct jval *arg, bool *out)
{
    return jv_contains(r, *arg, v, out);
}

static int is_same(struct jrun *r, struct jval v, const struct jval *arg, bool *out)
{
    *out = false;
    if (v.type != arg->type)
        return 0;
    if (v.type == J_LIST || v.type == J_DICT || v.type == J_NAMESPACE) {
        *out = v.u.d == arg->u.d;
        return 0;
    }
    return jv_equal(r, v, *arg, out);
}

/* str.isupper() and str.islower(): some letter has case, and none the other. */
static int has_case(struct jrun *r, struct jval v, bool upper, bool *out)
{
    const struct jstr *s;
    size_t bytes;
    *out = false;
    if (jv_string(r, v, &s) < 0)
        return -1;
    for (size_t i = 0; i < s->n; i += bytes) {
        utf8proc_int32_t c = (utf8proc_int32_t)utf8_at(s->s + i, &bytes);
        bool is_up = utf8proc_isupper(c), is_low = utf8proc_islower(c);
        if (upper ? is_low : is_up) {
            *out = false;
            return 0;
        }
        *out |= upper ? is_up : is_low;
    }
    return jinja_work(r, s->n);
}

static int is_upper(struct jrun *r, struct jval v, const struct jval *arg, bool *out)
{
    (void)arg;
    return has_case(r, v, true, out);
}

static int is_lower(struct jrun *r, struct jval v, const struct jval *arg, bool *out)
{
    (void)arg;
    return has_case(r, v, false, out);
}

static const struct jtest tests[] = {
    {"defined", is_defined, 0},      {"undefined", is_undefined, 0},
    {"none", is_none, 0},            {"boolean", is_boolean, 0},
    {"true", is_true, 0},            {"false", is_false, 0},
    {"integer", is_integer, 0},      {"float", is_float, 0},
    {"number", is_number, 0},        {"string", is_string, 0},
    {"mapping", is_mapping, 0},      {"iterable", is_iterable, 0},
    {"sequence", is_sequence, 0},    {"callable", is_called, 0},
    {"divisibleby", is_divisible, 1}, {"odd", is_odd, 0},
    {"even", is_even, 0},            {"eq", is_equal, 1},
    {"equalto", is_equal, 1},        {"==", is_equal, 1},
    {"ne", is_unequal, 1},           {"!=", is_unequal, 1},
    {"lt", is_less, 1},              {"lessthan", is_less, 1},
    {"<", is_less, 1},               {"le", is_less_equal, 1},
    {"<=", is_less_equal, 1},        {"gt", is_greater, 1},
    {"greaterthan", is_greater, 1},  {">", is_greater, 1},
    {"ge", is_greater_equal, 1},     {">=", is_greater_equal, 1},
    {"in", is_in, 1},                {"sameas", is_same, 1},
    {"upper", is_upper, 0},          {"lower", is_lower, 0},
    {"escaped", is_escaped, 0},
};

const struct jtest *jinja_test_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
        if (strcmp(tests[i].name, name) == 0)
            return &tests[i];
    return NULL;
}

/* --- functions ------------------------------------------------------------------------------- */

static int raise_exception(struct jrun *r, struct jval self, const struct jbind *b,
                           struct jval *out)
{
    const struct jstr *s;
    (void)self;
    *out = jv_none();
    return jv_string(r, b->v[0], &s) < 0 ? -1 : jinja_fail(r, "the template refuses: %s", s->s);
}

static int strftime_now(struct jrun *r, struct jval self, const struct jbind *b, struct jval *out)
{
    char text[256];
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    time_t now = r->in->now ? r->in->now : epoch ? (time_t)atoll(epoch) : time(NULL);
    struct tm tm;
    (void)self;
    if (b->v[0].type != J_STR || b->v[0].u.s->n > 100)
        return jinja_fail(r, "strftime_now needs a short format");
    if (!localtime_r(&now, &tm))
        return jinja_fail(r, "the time cannot be told");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    size_t n = strftime(text, sizeof text, b->v[0].u.s->s, &tm);
#pragma GCC diagnostic pop
    if (n == 0 && b->v[0].u.s->n > 0)
        return jinja_fail(r, "strftime_now: the time is too long");
    text[n] = '\0';
    *out = jv_text(r, text, JINJA_TEMPLATE);
    return 0;
}

static int need_int(struct jrun *r, struct jval v)
{
    return v.type == J_INT || v.type == J_BOOL ? 0 : jinja_fail(r, "%s is no integer", jv_type(v));
}

static int range(struct jrun *r, struct jval self, const struct jbind *b, struct jval *out)
{
    int64_t at[3] = {0, 0, 1};
    int n = b->has[2] ? 3 : b->has[1] ? 2 : 1;
    (void)self;
    for (int i = 0; i < n; i++) {
        if (need_int(r, b->v[i]) < 0)
            return -1;
        at[n == 1 ? 1 : i] = b->v[i].type == J_INT ? b->v[i].u.i : b->v[i].u.b;
    }
    if (at[2] == 0)
        return jinja_fail(r, "range with step 0");
    int64_t distance;
    if (__builtin_sub_overflow(at[1], at[0], &distance) || distance == INT64_MIN ||
        at[2] == INT64_MIN)
        return jinja_fail(r, "a number is too large");
    int64_t step = at[2] > 0 ? at[2] : -at[2], span = at[2] > 0 ? distance : -distance;
    int64_t count = span <= 0 ? 0 : (span - 1) / step + 1;
    if (count > 100000) /* MAX_RANGE of the sandbox */
        return jinja_fail(r, "range of %" PRId64 " numbers, more than 100000", count);
    struct jlist *l = jlist_new(r, JL_LIST, (size_t)count);
    for (int64_t i = 0; i < count; i++)
        jlist_add(r, l, jv_int(at[0] + i * at[2]));
    *out = jv_list(l);
    return jinja_work(r, (size_t)count * sizeof(struct jval));
}

static int make_dict(struct jrun *r, const struct jbind *b, enum jtype type, struct jval *out)
{
    const struct jargs *args = b->raw;
    struct jdict *d = jdict_new(r);
    if (args->n > 1 || (args->n == 1 && args->v[0].type != J_DICT))
        return jinja_fail(r, "dict and namespace take a dictionary and named values");
    for (size_t i = 0; args->n == 1 && i < args->v[0].u.d->n; i++)
        if (jdict_set(r, d, args->v[0].u.d->p[i].key, args->v[0].u.d->p[i].value) < 0)
            return -1;
    for (int i = 0; i < args->n_kw; i++) {
        if (type == J_NAMESPACE && args->kw[i][0] == '_')
            return jinja_fail(r, "a namespace cannot hold '%s'", args->kw[i]);
        if (jdict_set(r, d, jv_text(r, args->kw[i], JINJA_TEMPLATE), args->kwv[i]) < 0)
            return -1;
    }
    *out = (struct jval){.type = type, .u.d = d};
    return 0;
}

static int new_namespace(struct jrun *r, struct jval self, const struct jbind *b, struct jval *out)
{
    (void)self;
    return make_dict(r, b, J_NAMESPACE, out);
}

static int new_dict(struct jrun *r, struct jval self, const struct jbind *b, struct jval *out)
{
    (void)self;
    return make_dict(r, b, J_DICT, out);
}

static const struct jfunction functions[] = {
    {"raise_exception", raise_exception, {1, {"message"}}},
    {"strftime_now", strftime_now, {1, {"format"}}},
    {"range", range, {1, {"start", "stop", "step"}}},
    {"namespace", new_namespace, {0, {"*"}}},
    {"dict", new_dict, {0, {"*"}}},
};

const struct jfunction *jinja_function_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
        if (strcmp(functions[i].name, name) == 0)
            return &functions[i];
    return NULL;
}
