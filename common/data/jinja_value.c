/* jinja_value.c - values: what is true, equal, less, inside; members and slices; from JSON. */
#include <math.h>
#include <string.h>

#include "data/jinja_internal.h"

struct jval jv_none(void)
{
    return (struct jval){.type = J_NONE};
}

struct jval jv_undefined(const char *name)
{
    return (struct jval){.type = J_UNDEFINED, .u.name = name};
}

struct jval jv_bool(bool b)
{
    return (struct jval){.type = J_BOOL, .u.b = b};
}

struct jval jv_int(int64_t i)
{
    return (struct jval){.type = J_INT, .u.i = i};
}

struct jval jv_float(double f)
{
    return (struct jval){.type = J_FLOAT, .u.f = f};
}

struct jval jv_str(const struct jstr *s)
{
    return (struct jval){.type = J_STR, .u.s = s};
}

struct jval jv_list(struct jlist *l)
{
    return (struct jval){.type = J_LIST, .u.l = l};
}

bool jv_truth(struct jval v)
{
    switch (v.type) {
    case J_UNDEFINED:
    case J_NONE:
        return false;
    case J_BOOL:
        return v.u.b;
    case J_INT:
        return v.u.i != 0;
    case J_FLOAT:
        return v.u.f != 0;
    case J_STR:
        return v.u.s->n > 0;
    case J_LIST:
        return v.u.l->n > 0 || v.u.l->kind == JL_ITERATOR;
    case J_DICT:
        return v.u.d->n > 0;
    case J_LOOP:
        return v.u.loop->n > 0;
    default:
        return true;
    }
}

const char *jv_type(struct jval v)
{
    static const char *const names[] = {
        [J_UNDEFINED] = "undefined", [J_NONE] = "None",          [J_BOOL] = "bool",
        [J_INT] = "int",             [J_FLOAT] = "float",        [J_STR] = "str",
        [J_LIST] = "list",           [J_DICT] = "dict",          [J_NAMESPACE] = "namespace",
        [J_LOOP] = "loop",           [J_MACRO] = "macro",        [J_FUNCTION] = "function",
        [J_METHOD] = "method"};
    static const char *const lists[] = {"list", "tuple", "generator", "view"};
    return v.type == J_LIST ? lists[v.u.l->kind] : names[v.type];
}

bool jv_is_number(struct jval v)
{
    return v.type == J_BOOL || v.type == J_INT || v.type == J_FLOAT;
}

double jv_number(struct jval v)
{
    return v.type == J_BOOL ? v.u.b : v.type == J_INT ? (double)v.u.i : v.u.f;
}

/* --- lists and dictionaries ------------------------------------------------------------------ */

struct jlist *jlist_new(struct jrun *r, enum jlist_kind kind, size_t cap)
{
    struct jlist *l = jinja_alloc(r, sizeof *l);
    *l = (struct jlist){.kind = kind, .cap = cap};
    l->v = cap ? jinja_alloc(r, cap * sizeof *l->v) : NULL;
    return l;
}

/* The old array stays in the arena until the end: at most as much again. */
static void *grown(struct jrun *r, const void *old, size_t n, size_t *cap, size_t size)
{
    *cap = *cap ? *cap * 2 : 4;
    void *p = jinja_alloc(r, *cap * size);
    if (n > 0)
        memcpy(p, old, n * size);
    return p;
}

void jlist_add(struct jrun *r, struct jlist *l, struct jval v)
{
    if (l->n == l->cap)
        l->v = grown(r, l->v, l->n, &l->cap, sizeof *l->v);
    l->v[l->n++] = v;
}

struct jdict *jdict_new(struct jrun *r)
{
    struct jdict *d = jinja_alloc(r, sizeof *d);
    *d = (struct jdict){0};
    return d;
}

struct jval *jdict_find(const struct jdict *d, const char *key, size_t n)
{
    for (size_t i = 0; i < d->n; i++) {
        const struct jpair *p = &d->p[i];
        if (p->key.type == J_STR && p->key.u.s->n == n && memcmp(p->key.u.s->s, key, n) == 0)
            return &d->p[i].value;
    }
    return NULL;
}

static int find_key(struct jrun *r, const struct jdict *d, struct jval key, struct jval **out)
{
    *out = NULL;
    if (jinja_work(r, d->n * sizeof *d->p) < 0)
        return -1;
    if (key.type == J_STR) {
        *out = jdict_find(d, key.u.s->s, key.u.s->n);
        return 0;
    }
    if (key.type == J_DICT || (key.type == J_LIST && key.u.l->kind != JL_TUPLE))
        return jinja_fail(r, "a %s cannot be a key", jv_type(key));
    for (size_t i = 0; i < d->n && !*out; i++) {
        bool same;
        if (jv_equal(r, d->p[i].key, key, &same) < 0)
            return -1;
        if (same)
            *out = &d->p[i].value;
    }
    return 0;
}

int jdict_set(struct jrun *r, struct jdict *d, struct jval key, struct jval value)
{
    struct jval *old;
    if (find_key(r, d, key, &old) < 0)
        return -1;
    if (old) {
        *old = value;
        return 0;
    }
    if (d->n == d->cap)
        d->p = grown(r, d->p, d->n, &d->cap, sizeof *d->p);
    d->p[d->n++] = (struct jpair){key, value};
    return 0;
}

/* --- equal, less, inside --------------------------------------------------------------------- */

static int equal_lists(struct jrun *r, const struct jlist *a, const struct jlist *b, bool *out)
{
    *out = a->kind == b->kind && a->n == b->n;
    for (size_t i = 0; i < a->n && *out; i++)
        if (jv_equal(r, a->v[i], b->v[i], out) < 0)
            return -1;
    return 0;
}

static int equal_dicts(struct jrun *r, const struct jdict *a, const struct jdict *b, bool *out)
{
    *out = a->n == b->n;
    for (size_t i = 0; i < a->n && *out; i++) {
        struct jval *other;
        if (find_key(r, b, a->p[i].key, &other) < 0)
            return -1;
        *out = other != NULL;
        if (other && jv_equal(r, a->p[i].value, *other, out) < 0)
            return -1;
    }
    return 0;
}

/* Exact for integers against floats beyond 2^53, too. */
static bool equal_numbers(struct jval a, struct jval b)
{
    if (a.type != J_FLOAT && b.type != J_FLOAT)
        return (a.type == J_BOOL ? a.u.b : a.u.i) == (b.type == J_BOOL ? b.u.b : b.u.i);
    return jv_number(a) == jv_number(b);
}

int jv_equal(struct jrun *r, struct jval a, struct jval b, bool *out)
{
    *out = false;
    if (jinja_work(r, 0) < 0)
        return -1;
    if (jv_is_number(a) && jv_is_number(b)) {
        *out = equal_numbers(a, b);
        return 0;
    }
    if (a.type != b.type)
        return 0;
    switch (a.type) {
    case J_UNDEFINED:
    case J_NONE:
        *out = true;
        return 0;
    case J_STR:
        *out = a.u.s->n == b.u.s->n && memcmp(a.u.s->s, b.u.s->s, a.u.s->n) == 0;
        return jinja_work(r, a.u.s->n);
    case J_LIST:
    case J_DICT: {
        if (a.u.d == b.u.d) {
            *out = true;
            return 0;
        }
        if (++r->depth > 200)
            return jinja_fail(r, "values are nested too deeply to be compared");
        int rc = a.type == J_LIST ? equal_lists(r, a.u.l, b.u.l, out)
                                  : equal_dicts(r, a.u.d, b.u.d, out);
        r->depth--;
        return rc;
    }
    default:
        *out = a.u.d == b.u.d;
        return 0;
    }
}

static int compare_strings(const struct jstr *a, const struct jstr *b)
{
    /* UTF-8 sorts as its code points do. */
    size_t n = a->n < b->n ? a->n : b->n;
    int c = memcmp(a->s, b->s, n);
    return c ? c : (a->n > b->n) - (a->n < b->n);
}

static int compare_lists(struct jrun *r, const struct jlist *a, const struct jlist *b, int *out)
{
    for (size_t i = 0; i < a->n && i < b->n; i++) {
        bool same;
        if (jv_equal(r, a->v[i], b->v[i], &same) < 0)
            return -1;
        if (!same)
            return jv_compare(r, a->v[i], b->v[i], out);
    }
    *out = (a->n > b->n) - (a->n < b->n);
    return 0;
}

int jv_compare(struct jrun *r, struct jval a, struct jval b, int *out)
{
    if (jv_is_number(a) && jv_is_number(b)) {
        double x = jv_number(a), y = jv_number(b);
        *out = (x > y) - (x < y);
        if (a.type == J_INT && b.type == J_INT)
            *out = (a.u.i > b.u.i) - (a.u.i < b.u.i);
        if (isnan(x) || isnan(y))
            return jinja_fail(r, "NaN cannot be compared");
        return 0;
    }
    if (a.type == J_STR && b.type == J_STR) {
        *out = compare_strings(a.u.s, b.u.s);
        return jinja_work(r, a.u.s->n < b.u.s->n ? a.u.s->n : b.u.s->n);
    }
    if (a.type == J_LIST && b.type == J_LIST && a.u.l->kind == b.u.l->kind &&
        a.u.l->kind <= JL_TUPLE) {
        if (++r->depth > 200)
            return jinja_fail(r, "values are nested too deeply to be compared");
        int rc = compare_lists(r, a.u.l, b.u.l, out);
        r->depth--;
        return rc;
    }
    if (a.type == J_UNDEFINED || b.type == J_UNDEFINED) {
        const char *name = a.type == J_UNDEFINED ? a.u.name : b.u.name;
        return jinja_fail(r, "'%s' is undefined", name ? name : "the value");
    }
    return jinja_fail(r, "%s and %s cannot be compared", jv_type(a), jv_type(b));
}

int jv_contains(struct jrun *r, struct jval all, struct jval one, bool *out)
{
    const struct jval *items;
    size_t n;
    *out = false;
    if (all.type == J_STR) {
        if (one.type != J_STR)
            return jinja_fail(r, "'in <string>' needs a string, not %s", jv_type(one));
        *out = jstr_find(all.u.s, 0, one.u.s->s, one.u.s->n) != NULL;
        return jinja_work(r, all.u.s->n);
    }
    if (all.type == J_DICT) {
        struct jval *found;
        if (find_key(r, all.u.d, one, &found) < 0)
            return -1;
        *out = found != NULL;
        return 0;
    }
    if (jv_items(r, all, &items, &n) < 0)
        return -1;
    for (size_t i = 0; i < n && !*out; i++)
        if (jv_equal(r, items[i], one, out) < 0)
            return -1;
    return 0;
}

/* --- elements, members, slices --------------------------------------------------------------- */

static struct jlist *characters(struct jrun *r, const struct jstr *s)
{
    struct jlist *l = jlist_new(r, JL_LIST, (size_t)jstr_length(s));
    size_t bytes;
    for (size_t i = 0; i < s->n; i += bytes) {
        utf8_at(s->s + i, &bytes);
        jlist_add(r, l, jv_str(jstr_part(r, s, i, i + bytes)));
    }
    return l;
}

static struct jlist *keys(struct jrun *r, const struct jdict *d)
{
    struct jlist *l = jlist_new(r, JL_LIST, d->n);
    for (size_t i = 0; i < d->n; i++)
        jlist_add(r, l, d->p[i].key);
    return l;
}

int jv_items(struct jrun *r, struct jval v, const struct jval **items, size_t *n)
{
    struct jlist *l;
    *n = 0;
    *items = NULL;
    switch (v.type) {
    case J_UNDEFINED:
        return 0;
    case J_STR:
        if (jinja_work(r, v.u.s->n) < 0 ||
            jinja_room(r, v.u.s->n, sizeof(struct jval) + sizeof(struct jstr)) < 0)
            return -1;
        l = characters(r, v.u.s);
        break;
    case J_DICT:
        if (jinja_work(r, v.u.d->n) < 0)
            return -1;
        l = keys(r, v.u.d);
        break;
    case J_LIST:
        l = v.u.l;
        if (l->kind == JL_ITERATOR && l->used)
            return 0;
        l->used = true;
        break;
    default:
        return jinja_fail(r, "%s is not iterable", jv_type(v));
    }
    *n = l->n;
    *items = l->v;
    return 0;
}

static int undefined_has(struct jrun *r, struct jval v, const char *member)
{
    return jinja_fail(r, "'%s' is undefined, so it has no '%s'", v.u.name ? v.u.name : "the value",
                      member);
}

static const char *key_name(struct jval key)
{
    return key.type == J_STR ? key.u.s->s : "item";
}

int jv_get_item(struct jrun *r, struct jval v, struct jval key, struct jval *out)
{
    *out = jv_undefined(key_name(key));
    if (v.type == J_UNDEFINED)
        return undefined_has(r, v, key_name(key));
    if (v.type == J_DICT) {
        struct jval *found;
        if (find_key(r, v.u.d, key, &found) < 0)
            return -1;
        if (found) {
            *out = *found;
            return 0;
        }
    }
    if (key.type == J_STR)
        return v.type == J_DICT && !jinja_method_find(v, key.u.s->s)
                   ? 0
                   : jv_get_attr(r, v, key.u.s->s, out);
    if (key.type != J_INT && key.type != J_BOOL)
        return 0;
    int64_t i = key.type == J_INT ? key.u.i : key.u.b;
    if (v.type == J_LIST && v.u.l->kind <= JL_TUPLE) {
        int64_t n = (int64_t)v.u.l->n;
        if (i < 0)
            i += n;
        if (i >= 0 && i < n)
            *out = v.u.l->v[i];
    } else if (v.type == J_STR) {
        int64_t n = jstr_length(v.u.s);
        if (i < 0)
            i += n;
        if (i >= 0 && i < n)
            *out = jv_str(jstr_part(r, v.u.s, jstr_offset(v.u.s, i), jstr_offset(v.u.s, i + 1)));
        return jinja_work(r, v.u.s->n);
    }
    return 0;
}

static int loop_attr(struct jrun *r, struct jloop *l, const char *name, struct jval *out)
{
    int64_t i = (int64_t)l->i, n = (int64_t)l->n;
    const struct {
        const char *name;
        struct jval value;
    } attrs[] = {
        {"index", jv_int(i + 1)},      {"index0", jv_int(i)},
        {"first", jv_bool(i == 0)},    {"last", jv_bool(i == n - 1)},
        {"length", jv_int(n)},         {"revindex", jv_int(n - i)},
        {"revindex0", jv_int(n - i - 1)}, {"depth", jv_int(1)},
        {"depth0", jv_int(0)},
        {"previtem", i > 0 ? l->items[i - 1] : jv_undefined("loop.previtem")},
        {"nextitem", i + 1 < n ? l->items[i + 1] : jv_undefined("loop.nextitem")},
    };
    for (size_t k = 0; k < ARRAY_SIZE(attrs); k++)
        if (strcmp(name, attrs[k].name) == 0) {
            *out = attrs[k].value;
            return 0;
        }
    if (jinja_method_find((struct jval){.type = J_LOOP}, name))
        return 1;
    return jinja_fail(r, "'loop.%s' is not supported", name);
}

int jv_get_attr(struct jrun *r, struct jval v, const char *name, struct jval *out)
{
    *out = jv_undefined(name);
    if (v.type == J_UNDEFINED)
        return undefined_has(r, v, name);
    if (v.type == J_LOOP) {
        int rc = loop_attr(r, v.u.loop, name, out);
        if (rc <= 0)
            return rc;
    }
    const struct jmethod *m = jinja_method_find(v, name);
    if (m) {
        struct jbound *b = jinja_alloc(r, sizeof *b);
        *b = (struct jbound){v, m};
        *out = (struct jval){.type = J_METHOD, .u.bound = b};
        return 0;
    }
    if (v.type == J_DICT || v.type == J_NAMESPACE) {
        const struct jval *found = jdict_find(v.u.d, name, strlen(name));
        if (found)
            *out = *found;
        return jinja_work(r, v.u.d->n * sizeof(struct jpair));
    }
    return 0;
}

/* Python's rules for start:stop:step over n elements. */
static int slice_range(struct jrun *r, const struct jval part[3], int64_t n, int64_t at[3])
{
    int64_t step = part[2].type == J_INT ? part[2].u.i : 1;
    at[0] = step > 0 ? 0 : n - 1;
    at[1] = step > 0 ? n : -1;
    at[2] = step;
    if (step == 0)
        return jinja_fail(r, "a slice with step 0");
    for (int i = 0; i < 2; i++) {
        if (part[i].type == J_NONE)
            continue;
        if (part[i].type != J_INT)
            return jinja_fail(r, "a slice from or to %s", jv_type(part[i]));
        int64_t x = part[i].u.i, low = step > 0 ? 0 : -1, high = step > 0 ? n : n - 1;
        if (x < 0)
            x = x < -n ? low : x + n;
        at[i] = x < low ? low : x > high ? high : x;
    }
    return part[2].type == J_INT || part[2].type == J_NONE
               ? 0
               : jinja_fail(r, "a slice with step %s", jv_type(part[2]));
}

static bool within(int64_t i, const int64_t at[3])
{
    return at[2] > 0 ? i < at[1] : i > at[1];
}

static int slice_string(struct jrun *r, const struct jstr *s, const struct jval part[3],
                        struct jval *out)
{
    int64_t at[3];
    if (jinja_work(r, s->n) < 0 || slice_range(r, part, jstr_length(s), at) < 0)
        return -1;
    if (at[2] == 1) {
        size_t begin = jstr_offset(s, at[0]);
        size_t end = at[1] > at[0] ? jstr_offset(s, at[1]) : begin;
        *out = jv_str(jstr_part(r, s, begin, end));
        return 0;
    }
    struct jlist *all = characters(r, s);
    struct jbuf b = {0};
    for (int64_t i = at[0]; within(i, at); i += at[2])
        jbuf_add_str(&b, all->v[i].u.s);
    *out = jv_str(jbuf_freeze(r, &b));
    return 0;
}

int jv_slice(struct jrun *r, struct jval v, const struct jval part[3], struct jval *out)
{
    int64_t at[3];
    *out = jv_undefined("slice");
    if (v.type == J_STR)
        return slice_string(r, v.u.s, part, out);
    if (v.type == J_UNDEFINED)
        return undefined_has(r, v, "slice");
    if (v.type != J_LIST || v.u.l->kind > JL_TUPLE)
        return jinja_fail(r, "a slice of %s", jv_type(v));
    if (slice_range(r, part, (int64_t)v.u.l->n, at) < 0 ||
        jinja_work(r, v.u.l->n * sizeof(struct jval)) < 0)
        return -1;
    struct jlist *l = jlist_new(r, v.u.l->kind, 0);
    for (int64_t i = at[0]; within(i, at); i += at[2])
        jlist_add(r, l, v.u.l->v[i]);
    *out = jv_list(l);
    return 0;
}

/* --- from JSON ------------------------------------------------------------------------------- */

static int from_object(struct jrun *r, const json_t *j, enum jinja_origin origin, struct jval *out)
{
    struct jdict *d = jdict_new(r);
    json_t *obj = (json_t *)(uintptr_t)j; /* jansson's iterators change nothing */
    *out = (struct jval){.type = J_DICT, .u.d = d};
    d->cap = json_object_size(j);
    d->p = d->cap ? jinja_alloc(r, d->cap * sizeof *d->p) : NULL;
    for (void *it = json_object_iter(obj); it; it = json_object_iter_next(obj, it)) {
        struct jpair *p = &d->p[d->n++];
        p->key = jv_text(r, json_object_iter_key(it), origin);
        if (jv_from_json(r, json_object_iter_value(it), origin, &p->value) < 0)
            return -1;
    }
    return 0;
}

static int from_array(struct jrun *r, const json_t *j, enum jinja_origin origin, struct jval *out)
{
    struct jlist *l = jlist_new(r, JL_LIST, json_array_size(j));
    *out = jv_list(l);
    for (size_t i = 0; i < l->cap; i++, l->n++)
        if (jv_from_json(r, json_array_get(j, i), origin, &l->v[i]) < 0)
            return -1;
    return 0;
}

int jv_from_json(struct jrun *r, const json_t *j, enum jinja_origin origin, struct jval *out)
{
    *out = jv_none();
    if (jinja_work(r, 0) < 0)
        return -1;
    switch (j ? json_typeof(j) : JSON_NULL) {
    case JSON_OBJECT:
        return from_object(r, j, origin, out);
    case JSON_ARRAY:
        return from_array(r, j, origin, out);
    case JSON_STRING: {
        struct jbuf b = {0};
        jbuf_add(&b, json_string_value(j), json_string_length(j), origin);
        *out = jv_str(jbuf_freeze(r, &b));
        return jinja_work(r, json_string_length(j));
    }
    case JSON_INTEGER:
        *out = jv_int(json_integer_value(j));
        return 0;
    case JSON_REAL:
        *out = jv_float(json_real_value(j));
        return 0;
    case JSON_TRUE:
    case JSON_FALSE:
        *out = jv_bool(json_is_true(j));
        return 0;
    case JSON_NULL:
        return 0;
    }
    return 0;
}
