/* math_compare.c - do two parsed answers mean the same? */
#include "reward/math_compare.h"

#include <string.h>

#include "reward/math_rewrite.h"
#include "reward/math_unit.h"

#define MAX_PAIRS 20000 /* item comparisons in one verdict */

static bool same(struct compare *c, node a, node b);

static bool decided(struct compare *c, const char *rule, bool equal)
{
    c->rule = rule;
    return equal;
}

static bool chain_sides(struct compare *c, node a, node b)
{
    for (int i = 0; i < a->n; i++) {
        if (!same(c, a->arg[i], b->arg[i]))
            return false;
    }
    return true;
}

/* 1:2 is 2:4, but 5:00 is a time. */
static bool is_zero(struct compare *c, node m)
{
    double value;
    return math_approximate(m, &c->effort, &value) && value == 0;
}

static bool same_ratio_list(struct compare *c, node a, node b)
{
    for (int i = 0; i < a->n; i++) {
        if (is_zero(c, a->arg[i]) || is_zero(c, b->arg[i]))
            return chain_sides(c, a, b);
    }
    for (int i = 0; i + 1 < a->n; i++) {
        struct math_node *left = rewrite_node(c, MATH_MUL, 2),
                         *right = rewrite_node(c, MATH_MUL, 2);
        left->arg[0] = a->arg[i];
        left->arg[1] = b->arg[i + 1];
        right->arg[0] = b->arg[i];
        right->arg[1] = a->arg[i + 1];
        if (math_value_compare(left, right, &c->effort, &c->rule) != MATH_SAME)
            return false;
    }
    return true;
}

static bool same_chain(struct compare *c, node a, node b)
{
    a = rewrite_upward(c, a);
    b = rewrite_upward(c, b);
    if (a->n != b->n || strcmp(a->text, b->text) != 0)
        return decided(c, "relation", false);
    if (a->text[0] == ':')
        return same_ratio_list(c, a, b);
    if (chain_sides(c, a, b))
        return true;
    if (a->n != 2 || !strchr("=n<l", a->text[0]))
        return false;
    bool equation = a->text[0] == '=' || a->text[0] == 'n';
    const struct math_node *const x[2] = {a->arg[0], a->arg[1]}, *const y[2] = {b->arg[0],
                                                                                b->arg[1]};
    return math_ratio_compare(x, y, equation, &c->effort, &c->rule) == MATH_SAME;
}

/* Collections. */

static bool same_items(struct compare *c, node a, node b)
{
    if (a->n != b->n)
        return false;
    for (int i = 0; i < a->n; i++) {
        if (!same(c, a->arg[i], b->arg[i]))
            return false;
    }
    return true;
}

static bool contains(struct compare *c, node list, node item, bool *used)
{
    for (int i = 0; i < list->n; i++) {
        if (used && used[i])
            continue;
        if (--c->pairs < 0)
            return decided(c, "too-many-items", false);
        if (same(c, list->arg[i], item)) {
            if (used)
                used[i] = true;
            return true;
        }
    }
    return false;
}

static bool same_unordered(struct compare *c, node a, node b)
{
    if (a->n != b->n)
        return decided(c, "count", false);
    bool *used = arena_alloc(c->arena, (size_t)a->n + 1);
    memset(used, 0, (size_t)a->n + 1);
    for (int i = 0; i < a->n; i++) {
        if (!contains(c, b, a->arg[i], used))
            return false;
    }
    return true;
}

static bool same_set(struct compare *c, node a, node b)
{
    for (int i = 0; i < a->n; i++) {
        if (!contains(c, b, a->arg[i], NULL))
            return false;
    }
    for (int i = 0; i < b->n; i++) {
        if (!contains(c, a, b->arg[i], NULL))
            return false;
    }
    return a->n == 0 || b->n > 0;
}

static int union_parts(node m)
{
    bool both = m->kind == MATH_SETOP && m->op == 'u';
    return both ? union_parts(m->arg[0]) + union_parts(m->arg[1]) : 1;
}

static void collect_parts(node m, struct math_node *out)
{
    if (m->kind == MATH_SETOP && m->op == 'u') {
        collect_parts(m->arg[0], out);
        collect_parts(m->arg[1], out);
    } else {
        out->arg[out->n++] = m;
    }
}

static node flat_union(struct compare *c, node m)
{
    struct math_node *list = rewrite_node(c, MATH_LIST, union_parts(m));
    list->n = 0;
    collect_parts(m, list);
    return list;
}

/* x < 1 or x > 2, \mathbb{R} \setminus \{1\}: beside a union of intervals */
static bool same_union(struct compare *c, node parts, node b)
{
    bool both = b->kind == MATH_SETOP && b->op == 'u';
    return both ? same_unordered(c, parts, flat_union(c, b)) : decided(c, "set", false);
}

static bool same_setop(struct compare *c, node a, node b)
{
    bool sets = a->kind == MATH_SETOP && b->kind == MATH_SETOP;
    bool puncture = sets && (a->op == 'd') != (b->op == 'd');
    node left = puncture && a->op == 'd' ? a : b, parts = puncture ? rewrite_union(c, left) : NULL;
    if (parts)
        return same_union(c, parts, left == a ? b : a);
    if (a->kind != MATH_SETOP || b->kind != MATH_SETOP || a->op != b->op)
        return decided(c, "set", false);
    if (a->op == 'u')
        return same_unordered(c, flat_union(c, a), flat_union(c, b));
    return same_items(c, a, b);
}

static bool same_matrix(struct compare *c, node a, node b)
{
    node m = a->kind == MATH_MATRIX ? a : b, other = m == a ? b : a;
    if (other->kind == MATH_MATRIX)
        return m->rows == other->rows && same_items(c, a, b);
    return other->kind == MATH_SEQUENCE && other->open == '(' && other->close == ')' &&
           m->rows == m->n && same_items(c, a, b);
}

static int infinity_sign(node m)
{
    if (m->kind == MATH_INFINITY)
        return 1;
    if (m->kind == MATH_NEG && m->arg[0]->kind == MATH_INFINITY)
        return -1;
    if (m->kind == MATH_ADD && m->n == 1)
        return infinity_sign(m->arg[0]);
    return 0;
}

/* An end at infinity is open, whatever its bracket. */
static bool same_end(char a, char b, node at)
{
    return a == b || (infinity_sign(at) != 0 && a && b && !strchr("([", a) == !strchr("([", b));
}

static bool same_sequence(struct compare *c, node a, node b)
{
    if (!same_items(c, a, b))
        return false;
    return a->n == 2
               ? same_end(a->open, b->open, a->arg[0]) && same_end(a->close, b->close, a->arg[1])
               : a->open == b->open && a->close == b->close;
}

static bool is_collection(node m)
{
    return m->kind == MATH_LIST || m->kind == MATH_SET;
}

static bool same_collection(struct compare *c, node a, node b)
{
    if (!is_collection(a) || !is_collection(b)) {
        node set = is_collection(a) ? a : b, one = set == a ? b : a, parts;
        if (one->kind == MATH_SETOP && (parts = rewrite_union(c, set)))
            return same_union(c, parts, one);
        if (set->kind == MATH_LIST && one->kind == MATH_SEQUENCE && set->n == one->n &&
            (parts = rewrite_named_tuple(c, set)))
            return decided(c, "named-tuple", same_sequence(c, parts, one));
        return set->kind == MATH_SET && set->n == 1 && same(c, set->arg[0], one);
    }
    if (a->kind == MATH_SET || b->kind == MATH_SET)
        return same_set(c, a, b);
    return same_unordered(c, a, b);
}

/* Numbers with something behind them. */

static node without_mark(node m, const char **unit, bool *percent)
{
    *unit = NULL;
    *percent = false;
    if (m->kind == MATH_UNIT) {
        *unit = m->text;
        m = m->arg[0];
    } else if (m->kind == MATH_DEGREE) {
        *unit = "degree";
        m = m->arg[0];
    }
    if (m->kind == MATH_NEG && m->arg[0]->kind == MATH_PERCENT)
        *percent = true;
    if (m->kind == MATH_PERCENT)
        *percent = true;
    return m;
}

static node percent_inside(struct compare *c, node m)
{
    if (m->kind == MATH_PERCENT)
        return m->arg[0];
    struct math_node *minus = rewrite_node(c, MATH_NEG, 1);
    minus->arg[0] = m->arg[0]->arg[0];
    return minus;
}

static bool is_angle(const char *unit)
{
    return unit && strncmp(unit, "degree", 6) == 0;
}

static node in_radians(struct compare *c, node m, const char *unit)
{
    if (!is_angle(unit))
        return m;
    struct math_node *angle = rewrite_node(c, MATH_DEGREE, 1);
    angle->arg[0] = m;
    return angle;
}

static bool same_value(struct compare *c, node a, node b)
{
    return math_value_compare(a, b, &c->effort, &c->rule) == MATH_SAME;
}

static bool same_marked(struct compare *c, node a, node b)
{
    const char *ua, *ub;
    bool pa, pb;
    node x = without_mark(a, &ua, &pa), y = without_mark(b, &ub, &pb);
    if (ua && ub) {
        struct math_node *scaled;
        const char *factor_a, *factor_b;
        if (!math_unit_same(ua, ub, &factor_a, &factor_b))
            return decided(c, "unit", false);
        if (!factor_a)
            return same(c, x, y);
        node parts[2][2] = {{x, NULL}, {y, NULL}};
        for (int i = 0; i < 2; i++) {
            struct math_node *number = rewrite_node(c, MATH_NUMBER, 0);
            number->text = i == 0 ? factor_a : factor_b;
            scaled = rewrite_node(c, MATH_MUL, 2);
            scaled->arg[0] = parts[i][0];
            scaled->arg[1] = number;
            parts[i][1] = scaled;
        }
        return same(c, parts[0][1], parts[1][1]);
    }
    if (!pa && !pb)
        return same(c, x, y) || (!is_angle(ua) != !is_angle(ub) &&
                                 same_value(c, in_radians(c, x, ua), in_radians(c, y, ub)));
    /* 50% is 0.5 to some and 50 to others; two percentages must agree as they stand */
    return same_value(c, x, y) || (pa != pb && same_value(c, pa ? percent_inside(c, x) : x,
                                                          pb ? percent_inside(c, y) : y));
}

static bool is_marked(node m)
{
    const char *unit;
    bool percent;
    without_mark(m, &unit, &percent);
    return unit || percent;
}

/* 1011_2 and 1011 are one answer; 1011_2 and 11 are not, though the values agree. */
static bool same_based(struct compare *c, node a, node b)
{
    bool na = a->kind == MATH_NEG, nb = b->kind == MATH_NEG;
    if (na != nb)
        return decided(c, "base", false);
    if (na)
        return same_based(c, a->arg[0], b->arg[0]);
    bool base = !a->base || !b->base || a->base == b->base;
    const char *x = a->text, *y = b->text;
    if (!x || !y || (a->kind != MATH_BASED && a->kind != MATH_NUMBER) ||
        (b->kind != MATH_BASED && b->kind != MATH_NUMBER))
        return decided(c, "base", false);
    x += strspn(x, "0");
    y += strspn(y, "0");
    return decided(c, "base", base && strcmp(x, y) == 0);
}

static bool is_based(node m)
{
    return m->kind == MATH_BASED || (m->kind == MATH_NEG && is_based(m->arg[0]));
}

/* x \in (0, 1) */
static bool is_membership(node m)
{
    return m->kind == MATH_CHAIN && m->n == 2 && m->text[0] == 'i' && m->arg[0]->kind == MATH_NAME;
}

static bool same_relation(struct compare *c, node a, node b)
{
    node chain = a->kind == MATH_CHAIN ? a : b, other = chain == a ? b : a;
    if (other->kind == MATH_CHAIN && is_membership(a) != is_membership(b)) {
        node member = is_membership(a) ? a : b, bounds = rewrite_interval(c, member == a ? b : a);
        return bounds && same(c, member->arg[1], bounds);
    }
    if (other->kind == MATH_CHAIN) {
        node x = rewrite_interval(c, a), y = rewrite_interval(c, b);
        if (x && y && x->kind != y->kind)
            return false;
        return same_chain(c, a, b);
    }
    node value = rewrite_claimed(c, chain);
    if (value && same(c, value, other))
        return true;
    if (value) /* both sides of "\sqrt{2} \approx 1.41" may have been asked for */
        return chain->text[chain->n - 2] == '~' && same(c, chain->arg[chain->n - 1], other);
    value = rewrite_interval(c, chain);
    if (value && (other->kind == MATH_SEQUENCE || other->kind == MATH_SETOP))
        return same(c, value, other);
    if (chain->text[0] == ':' && chain->n == 2) {
        struct math_node *quotient = rewrite_node(c, MATH_DIV, 2);
        quotient->arg[0] = chain->arg[0];
        quotient->arg[1] = chain->arg[1];
        return same(c, quotient, other);
    }
    return decided(c, "relation", false);
}

static bool same_kinds(struct compare *c, node a, node b)
{
    int sa = infinity_sign(a), sb = infinity_sign(b);
    if (sa || sb)
        return decided(c, "infinity", sa == sb);
    if (a->kind == MATH_CHAIN || b->kind == MATH_CHAIN)
        return same_relation(c, a, b);
    if (is_collection(a) || is_collection(b))
        return same_collection(c, a, b);
    if (a->kind == MATH_SETOP || b->kind == MATH_SETOP)
        return same_setop(c, a, b);
    if (a->kind == MATH_MATRIX || b->kind == MATH_MATRIX)
        return same_matrix(c, a, b);
    if (a->kind == MATH_SEQUENCE || b->kind == MATH_SEQUENCE)
        return decided(c, "sequence", a->kind == b->kind && same_sequence(c, a, b));
    if (a->kind == MATH_TEXT || b->kind == MATH_TEXT)
        return decided(c, "text", a->kind == b->kind && strcmp(a->text, b->text) == 0);
    if (is_marked(a) || is_marked(b))
        return same_marked(c, a, b);
    if (is_based(a) || is_based(b))
        return same_based(c, a, b);
    enum math_relation r = math_value_compare(a, b, &c->effort, &c->rule);
    if (r == MATH_UNDECIDED)
        return decided(c, "undecided", false);
    return r == MATH_SAME;
}

static bool same(struct compare *c, node a, node b)
{
    return same_kinds(c, rewrite_spread_signs(c, a), rewrite_spread_signs(c, b));
}
bool math_compare(const struct math_node *a, const struct math_node *b, struct arena *arena,
                  const char **rule)
{
    struct compare c = {
        .arena = arena, .rule = "tree", .pairs = MAX_PAIRS, .effort = {MATH_EFFORT}};
    bool equal = math_same_tree(a, b);
    math_eval_begin();
    if (!equal && rewrite_has_condition(a) != rewrite_has_condition(b)) {
        a = rewrite_has_condition(a) ? rewrite_without_conditions(&c, a) : a;
        b = rewrite_has_condition(b) ? rewrite_without_conditions(&c, b) : b;
    }
    if (!equal) {
        node x = rewrite_claims(&c, a), y = rewrite_claims(&c, b);
        equal = same(&c, x, y) || ((x != a || y != b) && same(&c, a, b));
    }
    *rule = c.rule;
    return equal;
}
