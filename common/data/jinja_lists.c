/* jinja_lists.c - filters on lists and dictionaries. */
#include <stdlib.h>
#include <string.h>

#include "data/jinja_internal.h"

#define FILTER(name) static int name(struct jrun *r, struct jval v, const struct jbind *b, struct jval *out)

/* A list of the items that the caller may change. */
static int copy_items(struct jrun *r, struct jval v, struct jlist **out)
{
    const struct jval *items;
    size_t n;
    if (jv_items(r, v, &items, &n) < 0 || jinja_work(r, n * sizeof *items) < 0)
        return -1;
    *out = jlist_new(r, JL_LIST, n);
    for (size_t i = 0; i < n; i++)
        jlist_add(r, *out, items[i]);
    return 0;
}

/* item.a.0.b by "a.0.b"; the item itself if no attribute is asked for. */
static int attribute(struct jrun *r, struct jval item, struct jval path, struct jval *out)
{
    *out = item;
    if (path.type == J_NONE || path.type == J_UNDEFINED)
        return 0;
    if (path.type != J_STR)
        return jv_get_item(r, item, path, out);
    const char *s = path.u.s->s;
    for (;; s++) {
        size_t n = strcspn(s, ".");
        char *name = jinja_alloc(r, n + 1), *end;
        memcpy(name, s, n);
        name[n] = '\0';
        struct jval key = jv_int(strtol(name, &end, 10));
        if (n == 0 || *end || *name == '-' || *name == '+')
            key = jv_text(r, name, JINJA_TEMPLATE);
        if (jv_get_item(r, *out, key, out) < 0)
            return -1;
        s += n;
        if (!*s)
            return 0;
    }
}

FILTER(f_list)
{
    struct jlist *l;
    (void)b;
    if (copy_items(r, v, &l) < 0)
        return -1;
    *out = jv_list(l);
    return 0;
}

static int end_of(struct jrun *r, struct jval v, bool last, struct jval *out)
{
    const struct jval *items;
    size_t n;
    if (jv_items(r, v, &items, &n) < 0)
        return -1;
    *out = n == 0 ? jv_undefined("an item of nothing") : items[last ? n - 1 : 0];
    return 0;
}

FILTER(f_first)
{
    (void)b;
    return end_of(r, v, false, out);
}

FILTER(f_last)
{
    (void)b;
    if (v.type == J_LIST && v.u.l->kind == JL_ITERATOR)
        return jinja_fail(r, "a generator has no last item: make it a list");
    return end_of(r, v, true, out);
}

FILTER(f_join)
{
    const struct jval *items;
    const struct jstr *sep = NULL, *s;
    struct jbuf buf = {0};
    struct jval one;
    size_t n;
    int rc = 0;
    if (jv_items(r, v, &items, &n) < 0 || (b->has[0] && jv_string(r, b->v[0], &sep) < 0) ||
        (sep && jinja_room(r, n, sep->n) < 0))
        return -1;
    for (size_t i = 0; i < n && rc == 0; i++) {
        if (i > 0 && sep)
            jbuf_add_str(&buf, sep);
        rc = b->has[1] ? attribute(r, items[i], b->v[1], &one) : 0;
        if (rc == 0)
            rc = jv_string(r, b->has[1] ? one : items[i], &s);
        if (rc == 0) {
            jbuf_add_str(&buf, s);
            rc = jinja_work(r, s->n + (sep ? sep->n : 0));
        }
    }
    *out = jv_str(jbuf_freeze(r, &buf));
    return rc;
}

FILTER(f_reverse)
{
    struct jlist *l;
    (void)b;
    if (v.type == J_STR) {
        const struct jval back[3] = {jv_none(), jv_none(), jv_int(-1)};
        return jv_slice(r, v, back, out);
    }
    if (copy_items(r, v, &l) < 0)
        return -1;
    for (size_t i = 0; i < l->n / 2; i++) {
        struct jval swap = l->v[i];
        l->v[i] = l->v[l->n - 1 - i];
        l->v[l->n - 1 - i] = swap;
    }
    l->kind = JL_ITERATOR;
    *out = jv_list(l);
    return 0;
}

static struct jval pair_of(struct jrun *r, struct jpair p)
{
    struct jlist *pair = jlist_new(r, JL_TUPLE, 2);
    jlist_add(r, pair, p.key);
    jlist_add(r, pair, p.value);
    return jv_list(pair);
}

FILTER(f_items)
{
    struct jlist *l = jlist_new(r, JL_ITERATOR, 0);
    (void)b;
    if (v.type != J_DICT && v.type != J_UNDEFINED)
        return jinja_fail(r, "'items' of %s", jv_type(v));
    for (size_t i = 0; v.type == J_DICT && i < v.u.d->n; i++)
        jlist_add(r, l, pair_of(r, v.u.d->p[i]));
    *out = jv_list(l);
    return jinja_work(r, l->n * sizeof *l->v);
}

/* --- sorting --------------------------------------------------------------------------------- */

/* What is compared: strings in small letters unless case counts. */
static int sort_key(struct jrun *r, struct jval item, struct jval path, bool keep_case,
                    struct jval *out)
{
    struct jargs none = {0};
    if (attribute(r, item, path, out) < 0)
        return -1;
    return keep_case || out->type != J_STR
               ? 0
               : jinja_apply_filter(r, jinja_filter_find("lower"), *out, &none, out);
}

/* Stable, by merging; descending keeps the order of equals, as Python's reverse=True does. */
static int merge_sort(struct jrun *r, struct jpair *p, struct jpair *spare, size_t n, bool down)
{
    size_t half = n / 2, i = 0, k = half;
    if (n < 2)
        return 0;
    if (merge_sort(r, p, spare, half, down) < 0 ||
        merge_sort(r, p + half, spare, n - half, down) < 0)
        return -1;
    for (size_t at = 0; at < n; at++) {
        int c = i == half ? 1 : -1;
        if (i < half && k < n) {
            bool same;
            c = 0;
            if (jv_equal(r, p[i].key, p[k].key, &same) < 0 ||
                (!same && jv_compare(r, p[i].key, p[k].key, &c) < 0))
                return -1;
            c = down ? -c : c;
        }
        spare[at] = c <= 0 ? p[i++] : p[k++];
    }
    memcpy(p, spare, n * sizeof *p);
    return 0;
}

static int sorted(struct jrun *r, const struct jval *items, size_t n, struct jval path,
                  bool keep_case, bool down, struct jval *out)
{
    if (jinja_work(r, n * sizeof(struct jpair)) < 0)
        return -1;
    struct jpair *p = jinja_alloc(r, (2 * n + 1) * sizeof *p);
    for (size_t i = 0; i < n; i++) {
        p[i].value = items[i];
        if (sort_key(r, items[i], path, keep_case, &p[i].key) < 0)
            return -1;
    }
    if (merge_sort(r, p, p + n, n, down) < 0)
        return -1;
    struct jlist *l = jlist_new(r, JL_LIST, n);
    for (size_t i = 0; i < n; i++)
        jlist_add(r, l, p[i].value);
    *out = jv_list(l);
    return 0;
}

FILTER(f_sort)
{
    const struct jval *items;
    size_t n;
    if (jv_items(r, v, &items, &n) < 0)
        return -1;
    return sorted(r, items, n, b->has[2] ? b->v[2] : jv_none(), b->has[1] && jv_truth(b->v[1]),
                  b->has[0] && jv_truth(b->v[0]), out);
}

FILTER(f_dictsort)
{
    struct jlist *l = jlist_new(r, JL_LIST, 0);
    bool by_value = b->has[1] && b->v[1].type == J_STR && strcmp(b->v[1].u.s->s, "value") == 0;
    if (v.type != J_DICT)
        return jinja_fail(r, "'dictsort' of %s", jv_type(v));
    for (size_t i = 0; i < v.u.d->n; i++)
        jlist_add(r, l, pair_of(r, v.u.d->p[i]));
    return sorted(r, l->v, l->n, jv_int(by_value), b->has[0] && jv_truth(b->v[0]),
                  b->has[2] && jv_truth(b->v[2]), out);
}

FILTER(f_unique)
{
    const struct jval *items;
    size_t n;
    struct jval path = b->has[1] ? b->v[1] : jv_none(), key;
    struct jlist *seen = jlist_new(r, JL_LIST, 0), *l = jlist_new(r, JL_ITERATOR, 0);
    if (jv_items(r, v, &items, &n) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        bool old;
        if (sort_key(r, items[i], path, b->has[0] && jv_truth(b->v[0]), &key) < 0 ||
            jv_contains(r, jv_list(seen), key, &old) < 0)
            return -1;
        if (!old) {
            jlist_add(r, seen, key);
            jlist_add(r, l, items[i]);
        }
    }
    *out = jv_list(l);
    return 0;
}

static int extreme(struct jrun *r, struct jval v, const struct jbind *b, int sign, struct jval *out)
{
    const struct jval *items;
    struct jval best, key;
    size_t n;
    int c;
    bool keep_case = b->has[0] && jv_truth(b->v[0]);
    struct jval path = b->has[1] ? b->v[1] : jv_none();
    *out = jv_undefined("the least or most of nothing");
    if (jv_items(r, v, &items, &n) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (sort_key(r, items[i], path, keep_case, &key) < 0)
            return -1;
        if (i > 0 && jv_compare(r, key, best, &c) < 0)
            return -1;
        if (i == 0 || c * sign > 0) {
            best = key;
            *out = items[i];
        }
    }
    return 0;
}

FILTER(f_min)
{
    return extreme(r, v, b, -1, out);
}

FILTER(f_max)
{
    return extreme(r, v, b, 1, out);
}

FILTER(f_sum)
{
    const struct jval *items;
    struct jval one;
    size_t n;
    *out = b->has[1] ? b->v[1] : jv_int(0);
    if (jv_items(r, v, &items, &n) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (attribute(r, items[i], b->has[0] ? b->v[0] : jv_none(), &one) < 0 ||
            jinja_binary(r, '+', *out, one, out) < 0)
            return -1;
    return 0;
}

/* --- map, select, reject ---------------------------------------------------------------------- */

static const char *string_arg(const struct jargs *a, int i)
{
    return i < a->n && a->v[i].type == J_STR ? a->v[i].u.s->s : NULL;
}

static struct jargs after(const struct jargs *a, int n)
{
    struct jargs rest = *a;
    rest.n -= n;
    rest.v += n;
    return rest;
}

/* map(attribute='x', default=y) or map('filter', ...) */
static int map_one(struct jrun *r, struct jval item, const struct jargs *a,
                   const struct jfilter *f, struct jval *out)
{
    const struct jval *path = NULL, *other = NULL;
    if (f) {
        struct jargs rest = after(a, 1);
        return jinja_apply_filter(r, f, item, &rest, out);
    }
    for (int i = 0; i < a->n_kw; i++) {
        if (strcmp(a->kw[i], "attribute") == 0)
            path = &a->kwv[i];
        else if (strcmp(a->kw[i], "default") == 0)
            other = &a->kwv[i];
    }
    if (!path)
        return jinja_fail(r, "'map' needs a filter or an attribute");
    if (attribute(r, item, *path, out) < 0)
        return -1;
    if (out->type == J_UNDEFINED && other)
        *out = *other;
    return 0;
}

FILTER(f_map)
{
    const struct jval *items;
    size_t n;
    struct jlist *l = jlist_new(r, JL_ITERATOR, 0);
    const char *name = string_arg(b->raw, 0);
    const struct jfilter *f = name ? jinja_filter_find(name) : NULL;
    *out = jv_list(l);
    if (!jv_truth(v)) /* None, too */
        return 0;
    if (name && !f)
        return jinja_fail(r, "the filter '%s' is not supported", name);
    if (jv_items(r, v, &items, &n) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        struct jval one;
        if (map_one(r, items[i], b->raw, f, &one) < 0)
            return -1;
        jlist_add(r, l, one);
    }
    return 0;
}

/* The items (or an attribute of theirs) for which a test holds, or what is true without a test. */
static int chosen(struct jrun *r, struct jval v, const struct jargs *args, bool by_attribute,
                  bool wanted, struct jval *out)
{
    const struct jval *items;
    size_t n;
    int first = by_attribute;
    struct jlist *l = jlist_new(r, JL_ITERATOR, 0);
    const char *name = string_arg(args, first);
    const struct jtest *t = name ? jinja_test_find(name) : NULL;
    struct jargs rest = t ? after(args, first + 1) : (struct jargs){0};
    *out = jv_list(l);
    if (!jv_truth(v)) /* None, too */
        return 0;
    if (name && !t)
        return jinja_fail(r, "the test '%s' is not supported", name);
    if (jv_items(r, v, &items, &n) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        struct jval x = items[i];
        bool holds;
        if (by_attribute && attribute(r, items[i], args->v[0], &x) < 0)
            return -1;
        holds = jv_truth(x);
        if (t && jinja_apply_test(r, t, x, &rest, &holds) < 0)
            return -1;
        if (holds == wanted)
            jlist_add(r, l, items[i]);
    }
    return 0;
}

FILTER(f_select)
{
    return chosen(r, v, b->raw, false, true, out);
}

FILTER(f_reject)
{
    return chosen(r, v, b->raw, false, false, out);
}

FILTER(f_selectattr)
{
    return chosen(r, v, b->raw, true, true, out);
}

FILTER(f_rejectattr)
{
    return chosen(r, v, b->raw, true, false, out);
}

const struct jfilter jinja_list_filters[] = {
    {"list", f_list, {0, {NULL}}},
    {"first", f_first, {0, {NULL}}},
    {"last", f_last, {0, {NULL}}},
    {"join", f_join, {0, {"d", "attribute"}}},
    {"reverse", f_reverse, {0, {NULL}}},
    {"items", f_items, {0, {NULL}}},
    {"sort", f_sort, {0, {"reverse", "case_sensitive", "attribute"}}},
    {"dictsort", f_dictsort, {0, {"case_sensitive", "by", "reverse"}}},
    {"unique", f_unique, {0, {"case_sensitive", "attribute"}}},
    {"min", f_min, {0, {"case_sensitive", "attribute"}}},
    {"max", f_max, {0, {"case_sensitive", "attribute"}}},
    {"sum", f_sum, {0, {"attribute", "start"}}},
    {"map", f_map, {0, {"*"}}},
    {"select", f_select, {0, {"*"}}},
    {"reject", f_reject, {0, {"*"}}},
    {"selectattr", f_selectattr, {1, {"*"}}},
    {"rejectattr", f_rejectattr, {1, {"*"}}},
    {NULL, NULL, {0, {NULL}}},
};
