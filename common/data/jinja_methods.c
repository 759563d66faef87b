/* jinja_methods.c - methods of strings, lists, dictionaries and loops; those on letters are in
 * jinja_letters.c. */
#include <stdlib.h>
#include <string.h>

#include "data/jinja_internal.h"

#define METHOD(name)                                                                               \
    static int name(struct jrun *r, struct jval self, const struct jbind *b, struct jval *out)

/* Argument i, which is a string. */
static int string_arg(struct jrun *r, const struct jbind *b, int i, const struct jstr **out)
{
    *out = b->v[i].u.s;
    return b->v[i].type == J_STR
               ? jinja_work(r, (*out)->n)
               : jinja_fail(r, "a string was expected, not %s", jv_type(b->v[i]));
}

static int int_arg(struct jrun *r, const struct jbind *b, int i, int64_t otherwise, int64_t *out)
{
    *out = otherwise;
    if (!b->has[i] || b->v[i].type == J_NONE)
        return 0;
    if (b->v[i].type != J_INT)
        return jinja_fail(r, "an integer was expected, not %s", jv_type(b->v[i]));
    *out = b->v[i].u.i;
    return 0;
}

/* --- strip ----------------------------------------------------------------------------------- */

static bool strips(uint32_t c, const struct jstr *chars)
{
    size_t bytes;
    if (!chars)
        return is_python_space(c);
    for (size_t i = 0; i < chars->n; i += bytes)
        if (utf8_at(chars->s + i, &bytes) == c)
            return true;
    return false;
}

static int strip(struct jrun *r, const struct jstr *s, const struct jbind *b, bool left, bool right,
                 struct jval *out)
{
    const struct jstr *chars = NULL;
    size_t begin = 0, end = s->n, bytes;
    if (b->has[0] && b->v[0].type != J_NONE && string_arg(r, b, 0, &chars) < 0)
        return -1;
    while (left && begin < end && strips(utf8_at(s->s + begin, &bytes), chars))
        begin += bytes;
    while (right && end > begin) {
        size_t last = end - 1;
        while (((unsigned char)s->s[last] & 0xc0) == 0x80)
            last--;
        if (!strips(utf8_at(s->s + last, &bytes), chars))
            break;
        end = last;
    }
    *out = jv_str(jstr_part(r, s, begin, end));
    return jinja_work(r, (s->n - (end - begin)) * (chars ? chars->n : 1) + end - begin);
}

METHOD(s_strip)
{
    return strip(r, self.u.s, b, true, true, out);
}

METHOD(s_lstrip)
{
    return strip(r, self.u.s, b, true, false, out);
}

METHOD(s_rstrip)
{
    return strip(r, self.u.s, b, false, true, out);
}

/* --- split ----------------------------------------------------------------------------------- */

static void split_space(struct jrun *r, const struct jstr *s, int64_t most, struct jlist *l)
{
    size_t bytes;
    for (size_t i = 0; i < s->n;) {
        while (i < s->n && is_python_space(utf8_at(s->s + i, &bytes)))
            i += bytes;
        size_t begin = i, end = s->n;
        if (i == s->n)
            break;
        if ((int64_t)l->n == most) { /* the rest, without the space behind it */
            while (is_python_space((unsigned char)s->s[end - 1]))
                end--;
            i = s->n;
        } else {
            while (i < s->n && !is_python_space(utf8_at(s->s + i, &bytes)))
                i += bytes;
            end = i;
        }
        jlist_add(r, l, jv_str(jstr_part(r, s, begin, end)));
    }
}

METHOD(s_split)
{
    const struct jstr *s = self.u.s, *sep = NULL;
    struct jlist *l = jlist_new(r, JL_LIST, 0);
    int64_t most;
    if ((b->has[0] && b->v[0].type != J_NONE && string_arg(r, b, 0, &sep) < 0) ||
        int_arg(r, b, 1, -1, &most) < 0)
        return -1;
    *out = jv_list(l);
    if (!sep) {
        split_space(r, s, most, l);
        return jinja_work(r, s->n + l->n * sizeof *l->v);
    }
    if (sep->n == 0)
        return jinja_fail(r, "split by an empty string");
    size_t at = 0;
    const char *found;
    while ((int64_t)l->n != most && (found = jstr_find(s, at, sep->s, sep->n))) {
        jlist_add(r, l, jv_str(jstr_part(r, s, at, (size_t)(found - s->s))));
        at = (size_t)(found - s->s) + sep->n;
    }
    jlist_add(r, l, jv_str(jstr_part(r, s, at, s->n)));
    return jinja_work(r, s->n + l->n * sizeof *l->v);
}

/* The last place of `what` that ends at or before `end`. */
static const char *find_last(const struct jstr *s, size_t end, const struct jstr *what)
{
    for (size_t i = end; i >= what->n; i--)
        if (memcmp(s->s + i - what->n, what->s, what->n) == 0)
            return s->s + i - what->n;
    return NULL;
}

METHOD(s_rsplit)
{
    const struct jstr *s = self.u.s, *sep;
    struct jlist *l = jlist_new(r, JL_LIST, 0);
    int64_t most;
    if (!b->has[0] || b->v[0].type == J_NONE)
        return jinja_fail(r, "rsplit without a separator is not supported");
    if (string_arg(r, b, 0, &sep) < 0 || int_arg(r, b, 1, -1, &most) < 0)
        return -1;
    if (sep->n == 0)
        return jinja_fail(r, "split by an empty string");
    size_t end = s->n;
    const char *found;
    while ((int64_t)l->n != most && (found = find_last(s, end, sep))) {
        jlist_add(r, l, jv_str(jstr_part(r, s, (size_t)(found - s->s) + sep->n, end)));
        end = (size_t)(found - s->s);
    }
    jlist_add(r, l, jv_str(jstr_part(r, s, 0, end)));
    for (size_t i = 0; i < l->n / 2; i++) {
        struct jval swap = l->v[i];
        l->v[i] = l->v[l->n - 1 - i];
        l->v[l->n - 1 - i] = swap;
    }
    *out = jv_list(l);
    return jinja_work(r, s->n * sep->n / 16 + s->n + l->n * sizeof *l->v);
}

static int partition(struct jrun *r, struct jval self, const struct jbind *b, bool last,
                     struct jval *out)
{
    const struct jstr *s = self.u.s, *sep;
    struct jlist *l = jlist_new(r, JL_TUPLE, 3);
    if (string_arg(r, b, 0, &sep) < 0)
        return -1;
    if (sep->n == 0)
        return jinja_fail(r, "partition by an empty string");
    const char *found = last ? find_last(s, s->n, sep) : jstr_find(s, 0, sep->s, sep->n);
    size_t at = found ? (size_t)(found - s->s) : last ? 0 : s->n;
    size_t end = found ? at + sep->n : at;
    jlist_add(r, l, jv_str(jstr_part(r, s, 0, at)));
    jlist_add(r, l, jv_str(jstr_part(r, s, at, end)));
    jlist_add(r, l, jv_str(jstr_part(r, s, end, s->n)));
    *out = jv_list(l);
    return jinja_work(r, s->n);
}

METHOD(s_partition)
{
    return partition(r, self, b, false, out);
}

METHOD(s_rpartition)
{
    return partition(r, self, b, true, out);
}

static bool ends_line(uint32_t c)
{
    return (c >= 10 && c <= 13) || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2028 ||
           c == 0x2029;
}

METHOD(s_splitlines)
{
    const struct jstr *s = self.u.s;
    struct jlist *l = jlist_new(r, JL_LIST, 0);
    bool keep = b->has[0] && jv_truth(b->v[0]);
    size_t bytes, begin = 0;
    for (size_t i = 0; i < s->n; i += bytes) {
        uint32_t c = utf8_at(s->s + i, &bytes);
        if (!ends_line(c))
            continue;
        if (c == '\r' && i + 1 < s->n && s->s[i + 1] == '\n')
            bytes = 2;
        jlist_add(r, l, jv_str(jstr_part(r, s, begin, keep ? i + bytes : i)));
        begin = i + bytes;
    }
    if (begin < s->n)
        jlist_add(r, l, jv_str(jstr_part(r, s, begin, s->n)));
    *out = jv_list(l);
    return jinja_work(r, s->n + l->n * sizeof *l->v);
}

/* --- search ---------------------------------------------------------------------------------- */

static bool has_end(const struct jstr *s, const struct jstr *x, bool start)
{
    return x->n <= s->n && memcmp(start ? s->s : s->s + s->n - x->n, x->s, x->n) == 0;
}

/* A string or a tuple of strings. */
static int has_any_end(struct jrun *r, const struct jstr *s, const struct jbind *b, bool start,
                       struct jval *out)
{
    struct jval one = b->v[0];
    bool found = false;
    const struct jval *items = &one;
    size_t n = 1;
    if (b->has[1])
        return jinja_fail(r, "startswith and endswith with positions are not supported");
    if (one.type == J_LIST && one.u.l->kind == JL_TUPLE)
        items = one.u.l->v, n = one.u.l->n;
    for (size_t i = 0; i < n; i++) {
        if (items[i].type != J_STR)
            return jinja_fail(r, "a string was expected, not %s", jv_type(items[i]));
        found |= has_end(s, items[i].u.s, start);
    }
    *out = jv_bool(found);
    return jinja_work(r, n * 16);
}

METHOD(s_startswith)
{
    return has_any_end(r, self.u.s, b, true, out);
}

METHOD(s_endswith)
{
    return has_any_end(r, self.u.s, b, false, out);
}

static int find(struct jrun *r, struct jval self, const struct jbind *b, bool last, bool needed,
                struct jval *out)
{
    const struct jstr *s = self.u.s, *what;
    int64_t from;
    if (string_arg(r, b, 0, &what) < 0 || int_arg(r, b, 1, 0, &from) < 0)
        return -1;
    if (from < 0 || (last && from > 0))
        return jinja_fail(r, "a search from %lld is not supported", (long long)from);
    size_t begin = jstr_offset(s, from);
    const char *found = from > jstr_length(s) ? NULL
                        : last                ? find_last(s, s->n, what)
                                              : jstr_find(s, begin, what->s, what->n);
    struct jstr before = {.s = s->s, .n = found ? (size_t)(found - s->s) : 0};
    if (!found && needed)
        return jinja_fail(r, "the substring is not found");
    *out = jv_int(found ? jstr_length(&before) : -1);
    return jinja_work(r, s->n);
}

METHOD(s_find)
{
    return find(r, self, b, false, false, out);
}

METHOD(s_rfind)
{
    return find(r, self, b, true, false, out);
}

METHOD(s_index)
{
    return find(r, self, b, false, true, out);
}

METHOD(s_count)
{
    const struct jstr *s = self.u.s, *what;
    int64_t n = 0;
    if (string_arg(r, b, 0, &what) < 0)
        return -1;
    if (what->n == 0)
        n = jstr_length(s) + 1;
    size_t at = 0;
    for (const char *p; what->n > 0 && (p = jstr_find(s, at, what->s, what->n)); n++)
        at = (size_t)(p - s->s) + what->n;
    *out = jv_int(n);
    return jinja_work(r, s->n);
}

/* --- changes --------------------------------------------------------------------------------- */

METHOD(s_replace)
{
    const struct jstr *s = self.u.s, *old, *new;
    struct jbuf buf = {0};
    int64_t most, done = 0;
    size_t at = 0;
    const char *p;
    if (string_arg(r, b, 0, &old) < 0 || string_arg(r, b, 1, &new) < 0 ||
        int_arg(r, b, 2, -1, &most) < 0 || jinja_room(r, s->n + 1, new->n + 1) < 0)
        return -1;
    if (old->n == 0)
        return jinja_fail(r, "replacing an empty string is not supported");
    for (; done != most && (p = jstr_find(s, at, old->s, old->n)); done++) {
        jbuf_add_str(&buf, jstr_part(r, s, at, (size_t)(p - s->s)));
        jbuf_add_str(&buf, new);
        at = (size_t)(p - s->s) + old->n;
    }
    if (done == 0) {
        *out = self;
        return jinja_work(r, s->n);
    }
    jbuf_add_str(&buf, jstr_part(r, s, at, s->n));
    size_t n = buf.text.len;
    *out = jv_str(jbuf_freeze(r, &buf));
    return jinja_work(r, s->n + n);
}

METHOD(s_join)
{
    struct jargs args = {.n = 1, .v = (struct jval[]){self}};
    const struct jval *items;
    size_t n;
    if (b->v[0].type == J_LIST && b->v[0].u.l->kind != JL_ITERATOR) {
        if (jv_items(r, b->v[0], &items, &n) < 0)
            return -1;
        for (size_t i = 0; i < n; i++)
            if (items[i].type != J_STR)
                return jinja_fail(r, "join: item %zu is %s, not a string", i, jv_type(items[i]));
    }
    return jinja_apply_filter(r, jinja_filter_find("join"), b->v[0], &args, out);
}

/* The value of {}, {0} or {name}: from behind the "{" to behind the "}". */
static int format_field(struct jrun *r, const struct jstr *s, size_t *i, int *next,
                        const struct jargs *a, struct jbuf *out)
{
    const char *begin = s->s + *i;
    size_t n = strcspn(begin, "}"), digits = strspn(begin, "0123456789");
    const struct jval *v = NULL;
    if (n == 0 && *next < a->n)
        v = &a->v[(*next)++];
    else if (n > 0 && n < 4 && digits == n && atoi(begin) < a->n)
        v = &a->v[atoi(begin)];
    for (int k = 0; n > 0 && k < a->n_kw && !v; k++)
        if (strlen(a->kw[k]) == n && memcmp(a->kw[k], begin, n) == 0)
            v = &a->kwv[k];
    if (!v || begin[n] != '}')
        return jinja_fail(r, "the field '{%.*s}' of a format is not supported", (int)n, begin);
    *i += n + 1;
    return jv_print(r, *v, out);
}

METHOD(s_format)
{
    const struct jstr *s = self.u.s;
    struct jbuf buf = {0};
    int next = 0, rc = jinja_work(r, s->n);
    for (size_t i = 0; i < s->n && rc == 0;) {
        size_t n = strcspn(s->s + i, "{}");
        jbuf_add_str(&buf, jstr_part(r, s, i, i + n));
        i += n;
        if (i == s->n)
            break;
        bool doubled = s->s[i + 1] == s->s[i];
        if (doubled)
            jbuf_add_str(&buf, jstr_part(r, s, i, i + 1));
        else if (s->s[i] == '}')
            rc = jinja_fail(r, "a single '}' in a format");
        i += doubled ? 2 : 1;
        if (rc == 0 && !doubled)
            rc = format_field(r, s, &i, &next, b->raw, &buf);
    }
    *out = jv_str(jbuf_freeze(r, &buf));
    return rc;
}

static int remove_end(struct jrun *r, struct jval self, const struct jbind *b, bool start,
                      struct jval *out)
{
    const struct jstr *s = self.u.s, *x;
    if (string_arg(r, b, 0, &x) < 0)
        return -1;
    *out = self;
    if (has_end(s, x, start))
        *out = jv_str(start ? jstr_part(r, s, x->n, s->n) : jstr_part(r, s, 0, s->n - x->n));
    return 0;
}

METHOD(s_removeprefix)
{
    return remove_end(r, self, b, true, out);
}

METHOD(s_removesuffix)
{
    return remove_end(r, self, b, false, out);
}

/* --- dictionaries, lists, loops ---------------------------------------------------------------- */

METHOD(d_get)
{
    *out = b->has[1] ? b->v[1] : jv_none();
    struct jval found;
    if (b->v[0].type == J_STR) { /* a key, never a method */
        const struct jval *v = jdict_find(self.u.d, b->v[0].u.s->s, b->v[0].u.s->n);
        *out = v ? *v : *out;
        return jinja_work(r, self.u.d->n * sizeof(struct jpair));
    }
    if (jv_get_item(r, self, b->v[0], &found) < 0)
        return -1;
    *out = found.type == J_UNDEFINED ? *out : found;
    return 0;
}

METHOD(d_items)
{
    struct jargs none = {0};
    (void)b;
    if (jinja_apply_filter(r, jinja_filter_find("items"), self, &none, out) < 0)
        return -1;
    out->u.l->kind = JL_VIEW;
    return 0;
}

static int view(struct jrun *r, const struct jdict *d, bool keys, struct jval *out)
{
    struct jlist *l = jlist_new(r, JL_VIEW, d->n);
    for (size_t i = 0; i < d->n; i++)
        jlist_add(r, l, keys ? d->p[i].key : d->p[i].value);
    *out = jv_list(l);
    return jinja_work(r, d->n * sizeof *l->v);
}

METHOD(d_keys)
{
    (void)b;
    return view(r, self.u.d, true, out);
}

METHOD(d_values)
{
    (void)b;
    return view(r, self.u.d, false, out);
}

METHOD(l_index)
{
    for (size_t i = 0; i < self.u.l->n; i++) {
        bool same;
        if (jv_equal(r, self.u.l->v[i], b->v[0], &same) < 0)
            return -1;
        if (same) {
            *out = jv_int((int64_t)i);
            return 0;
        }
    }
    return jinja_fail(r, "the value is not in the list");
}

METHOD(l_count)
{
    int64_t n = 0;
    for (size_t i = 0; i < self.u.l->n; i++) {
        bool same;
        if (jv_equal(r, self.u.l->v[i], b->v[0], &same) < 0)
            return -1;
        n += same;
    }
    *out = jv_int(n);
    return 0;
}

METHOD(loop_cycle)
{
    if (b->raw->n == 0)
        return jinja_fail(r, "loop.cycle of nothing");
    *out = b->raw->v[self.u.loop->i % (size_t)b->raw->n];
    return 0;
}

METHOD(loop_changed)
{
    struct jlist *now = jlist_new(r, JL_TUPLE, 0);
    bool same = false;
    for (int i = 0; i < b->raw->n; i++)
        jlist_add(r, now, b->raw->v[i]);
    if (self.u.loop->has_changed &&
        jv_equal(r, self.u.loop->last_changed, jv_list(now), &same) < 0)
        return -1;
    self.u.loop->has_changed = true;
    self.u.loop->last_changed = jv_list(now);
    *out = jv_bool(!same);
    return 0;
}

static const struct jmethod methods[] = {
    {J_STR, "strip", s_strip, {0, {"chars"}}},
    {J_STR, "lstrip", s_lstrip, {0, {"chars"}}},
    {J_STR, "rstrip", s_rstrip, {0, {"chars"}}},
    {J_STR, "split", s_split, {0, {"sep", "maxsplit"}}},
    {J_STR, "rsplit", s_rsplit, {0, {"sep", "maxsplit"}}},
    {J_STR, "partition", s_partition, {1, {"sep"}}},
    {J_STR, "rpartition", s_rpartition, {1, {"sep"}}},
    {J_STR, "splitlines", s_splitlines, {0, {"keepends"}}},
    {J_STR, "startswith", s_startswith, {1, {"prefix", "start"}}},
    {J_STR, "endswith", s_endswith, {1, {"suffix", "start"}}},
    {J_STR, "find", s_find, {1, {"sub", "start"}}},
    {J_STR, "rfind", s_rfind, {1, {"sub", "start"}}},
    {J_STR, "index", s_index, {1, {"sub", "start"}}},
    {J_STR, "count", s_count, {1, {"sub"}}},
    {J_STR, "replace", s_replace, {2, {"old", "new", "count"}}},
    {J_STR, "format", s_format, {0, {"*"}}},
    {J_STR, "join", s_join, {1, {"iterable"}}},
    {J_STR, "removeprefix", s_removeprefix, {1, {"prefix"}}},
    {J_STR, "removesuffix", s_removesuffix, {1, {"suffix"}}},
    {J_DICT, "get", d_get, {1, {"key", "default"}}},
    {J_DICT, "items", d_items, {0, {NULL}}},
    {J_DICT, "keys", d_keys, {0, {NULL}}},
    {J_DICT, "values", d_values, {0, {NULL}}},
    {J_LIST, "index", l_index, {1, {"value"}}},
    {J_LIST, "count", l_count, {1, {"value"}}},
    {J_LOOP, "cycle", loop_cycle, {1, {"*"}}},
    {J_LOOP, "changed", loop_changed, {0, {"*"}}},
    {J_NONE, NULL, NULL, {0, {NULL}}},
};

static const struct jmethod *find_in(const struct jmethod *table, enum jtype type, const char *name)
{
    for (; table->name; table++)
        if (table->type == type && strcmp(table->name, name) == 0)
            return table;
    return NULL;
}

const struct jmethod *jinja_method_find(struct jval self, const char *name)
{
    const struct jmethod *m = find_in(methods, self.type, name);
    return m ? m : find_in(jinja_letter_methods, self.type, name);
}
