/* math_rewrite.c - answers in another form: signs spread, claims taken out of equations,
 * inequalities as intervals. */
#include "reward/math_rewrite.h"

#include <math.h>
#include <string.h>

#define ABOUT 0.01 /* how near the two sides of \approx must be */
#define MAX_HOLES 16

struct math_node *rewrite_node(struct compare *c, enum math_kind kind, int n)
{
    struct math_node *m = arena_alloc(c->arena, sizeof *m);
    *m = (struct math_node){.kind = kind, .n = n};
    m->arg = arena_alloc(c->arena, (size_t)(n ? n : 1) * sizeof *m->arg);
    return m;
}

bool rewrite_has_kind(node m, enum math_kind kind)
{
    if (m->kind == kind)
        return true;
    for (int i = 0; i < m->n; i++) {
        if (rewrite_has_kind(m->arg[i], kind))
            return true;
    }
    return false;
}

/* The tree with every plus-minus replaced by its upper or lower sign. */
static node choose_sign(struct compare *c, node m, bool upper)
{
    if (!rewrite_has_kind(m, MATH_PLUSMINUS))
        return m;
    struct math_node *copy = rewrite_node(c, m->kind, m->n);
    const struct math_node **arg = copy->arg;
    *copy = *m;
    copy->arg = arg;
    for (int i = 0; i < m->n; i++)
        arg[i] = choose_sign(c, m->arg[i], upper);
    if (m->kind == MATH_PLUSMINUS) {
        copy->kind = MATH_ADD;
        if (upper != (m->op == '+')) {
            struct math_node *minus = rewrite_node(c, MATH_NEG, 1);
            minus->arg[0] = arg[1];
            arg[1] = minus;
        }
    }
    return copy;
}

/* "1 \pm \sqrt 2" is a list of two; one inside a list makes one longer. */
node rewrite_spread_signs(struct compare *c, node m)
{
    if (!rewrite_has_kind(m, MATH_PLUSMINUS))
        return m;
    bool items = m->kind == MATH_LIST || m->kind == MATH_SET;
    int n = items ? m->n : 1, k = 0;
    struct math_node *list = rewrite_node(c, items ? m->kind : MATH_LIST, 2 * n);
    for (int i = 0; i < n; i++) {
        node one = items ? m->arg[i] : m;
        list->arg[k++] = choose_sign(c, one, true);
        if (rewrite_has_kind(one, MATH_PLUSMINUS))
            list->arg[k++] = choose_sign(c, one, false);
    }
    list->n = k;
    return list;
}

/* Equations. */

static bool is_label(node m)
{
    if (m->kind == MATH_NAME || m->kind == MATH_E || m->kind == MATH_I)
        return true;
    if (m->kind == MATH_MUL || m->kind == MATH_SEQUENCE) { /* AB, f(x), (x, y) */
        for (int i = 0; i < m->n; i++) {
            if (m->arg[i]->kind != MATH_NAME && !(i > 0 && m->arg[i]->kind == MATH_NUMBER) &&
                !(i > 0 && m->arg[i]->kind == MATH_SEQUENCE && is_label(m->arg[i])))
                return false;
        }
        return m->n > 0;
    }
    return m->kind == MATH_TEXT || (m->kind == MATH_FUNCTION && rewrite_has_kind(m, MATH_NAME));
}

/* "\sqrt{2} \approx 1.41": the exact side; NULL if the other is not near it. */
static node before_about(struct compare *c, node m)
{
    double exact, about;
    int last = m->n - 1;
    node side = m->arg[last - 1];
    if (!math_approximate(side, &c->effort, &exact) ||
        !math_approximate(m->arg[last], &c->effort, &about) ||
        fabs(exact - about) > ABOUT * fabs(exact))
        return NULL;
    if (m->n == 2)
        return side;
    struct math_node *rest = rewrite_node(c, MATH_CHAIN, last);
    for (int i = 0; i < last; i++)
        rest->arg[i] = m->arg[i];
    char *ops = arena_strdup(c->arena, m->text);
    ops[last - 1] = '\0';
    rest->text = ops;
    return rest;
}

/* What is equated with the answer must be a name for it or its equal. */
static bool may_equal(struct compare *c, node m, int i)
{
    const char *ignored;
    node side = m->arg[i], last = m->arg[m->n - 1];
    if (is_label(side))
        return true;
    bool solved = i == 0 && m->n > 2 && rewrite_has_kind(side, MATH_NAME) &&
                  !rewrite_has_kind(last, MATH_NAME);
    return solved || math_value_compare(side, last, &c->effort, &ignored) == MATH_SAME;
}

/* "x = 5", "x \in (0, 1)", "2 + 3 = 5": what is claimed; NULL if it is no answer to that form. */
node rewrite_claimed(struct compare *c, node m)
{
    if (m->kind != MATH_CHAIN)
        return m;
    int last = m->n - 1;
    if (m->n == 2 && m->text[0] == 'i')
        return is_label(m->arg[0]) ? m->arg[1] : NULL;
    if (m->text[last - 1] == '~' && !is_label(m->arg[last - 1])) {
        node exact = before_about(c, m);
        return exact ? rewrite_claimed(c, exact) : NULL;
    }
    for (int i = 0; i < last; i++) {
        bool about = m->text[i] == '~' && is_label(m->arg[i]);
        if (!about && (m->text[i] != '=' || !may_equal(c, m, i)))
            return NULL;
    }
    return m->arg[last];
}

static bool upward(char op)
{
    return op == '<' || op == 'l';
}

static char mirrored(char op)
{
    switch (op) {
    case '<':
        return '>';
    case '>':
        return '<';
    case 'l':
        return 'g';
    case 'g':
        return 'l';
    default:
        return op;
    }
}

/* "a > b" as "b < a", chains turned around. */
node rewrite_upward(struct compare *c, node m)
{
    if (m->text[0] != '>' && m->text[0] != 'g')
        return m;
    struct math_node *r = rewrite_node(c, MATH_CHAIN, m->n);
    char *ops = arena_strdup(c->arena, m->text);
    for (int i = 0; i < m->n; i++)
        r->arg[i] = m->arg[m->n - 1 - i];
    for (int i = 0; i + 1 < m->n; i++)
        ops[i] = mirrored(m->text[m->n - 2 - i]);
    r->text = ops;
    return r;
}

static node infinite(struct compare *c, bool minus)
{
    node inf = rewrite_node(c, MATH_INFINITY, 0);
    if (!minus)
        return inf;
    struct math_node *m = rewrite_node(c, MATH_NEG, 1);
    m->arg[0] = inf;
    return m;
}

static node interval(struct compare *c, char open, node low, node high, char close)
{
    struct math_node *m = rewrite_node(c, MATH_SEQUENCE, 2);
    m->open = open;
    m->close = close;
    m->arg[0] = low;
    m->arg[1] = high;
    return m;
}

/* "x >= 3" as [3, infinity), "1 < x <= 2" as (1, 2]; NULL if it bounds no single variable. */
node rewrite_interval(struct compare *c, node chain)
{
    node m = rewrite_upward(c, chain);
    bool ok = upward(m->text[0]) && (m->n == 2 || (m->n == 3 && upward(m->text[1])));
    if (m->n == 2 && m->text[0] == 'n' && m->arg[0]->kind == MATH_NAME) {
        struct math_node *both = rewrite_node(c, MATH_SETOP, 2);
        both->op = 'u';
        both->arg[0] = interval(c, '(', infinite(c, true), m->arg[1], ')');
        both->arg[1] = interval(c, '(', m->arg[1], infinite(c, false), ')');
        return both;
    }
    if (!ok)
        return NULL;
    if (m->n == 3 && m->arg[1]->kind == MATH_NAME)
        return interval(c, m->text[0] == 'l' ? '[' : '(', m->arg[0], m->arg[2],
                        m->text[1] == 'l' ? ']' : ')');
    if (m->n == 2 && m->arg[0]->kind == MATH_NAME && !rewrite_has_kind(m->arg[1], MATH_NAME))
        return interval(c, '(', infinite(c, true), m->arg[1], m->text[0] == 'l' ? ']' : ')');
    if (m->n == 2 && m->arg[1]->kind == MATH_NAME && !rewrite_has_kind(m->arg[0], MATH_NAME))
        return interval(c, m->text[0] == 'l' ? '[' : '(', m->arg[0], infinite(c, false), ')');
    return NULL;
}

static node interval_of_item(struct compare *c, node item, const char **name)
{
    node span = item->kind == MATH_CHAIN ? rewrite_interval(c, item) : NULL;
    if (!span || span->kind != MATH_SEQUENCE)
        return NULL;
    for (int i = 0; i < item->n; i++) {
        if (item->arg[i]->kind != MATH_NAME)
            continue;
        if (*name && strcmp(*name, item->arg[i]->text) != 0)
            return NULL;
        *name = item->arg[i]->text;
    }
    return span;
}

static bool is_reals(node m)
{
    return m->kind == MATH_SEQUENCE && m->n == 2 && m->arg[0]->kind == MATH_NEG &&
           m->arg[0]->arg[0]->kind == MATH_INFINITY && m->arg[1]->kind == MATH_INFINITY;
}

/* Its numbers in rising order; false if they have none. */
static bool sort_numbers(struct compare *c, node *item, int n)
{
    for (int i = 0; i < n; i++) {
        double x, before;
        node m = item[i];
        if (!math_approximate(m, &c->effort, &x))
            return false;
        int k = i;
        for (; k > 0 && math_approximate(item[k - 1], &c->effort, &before) && before > x; k--)
            item[k] = item[k - 1];
        item[k] = m;
    }
    return true;
}

/* \mathbb{R} \setminus \{1, 2\} as (-infinity, 1), (1, 2), (2, infinity) */
static node punctured(struct compare *c, node m)
{
    node holes = m->arg[1];
    if (m->op != 'd' || !is_reals(m->arg[0]) || holes->kind != MATH_SET || holes->n < 1 ||
        holes->n > MAX_HOLES)
        return NULL;
    node item[MAX_HOLES], low = infinite(c, true);
    memcpy(item, holes->arg, (size_t)holes->n * sizeof *item);
    if (!sort_numbers(c, item, holes->n))
        return NULL;
    struct math_node *list = rewrite_node(c, MATH_LIST, holes->n + 1);
    for (int i = 0; i <= holes->n; i++) {
        node high = i < holes->n ? item[i] : infinite(c, false);
        list->arg[i] = interval(c, '(', low, high, ')');
        low = high;
    }
    return list;
}

node rewrite_union(struct compare *c, node m)
{
    const char *name = NULL;
    if (m->kind == MATH_SETOP)
        return punctured(c, m);
    if (m->kind != MATH_LIST)
        return NULL;
    struct math_node *list = rewrite_node(c, MATH_LIST, m->n);
    for (int i = 0; i < m->n; i++) {
        if (!(list->arg[i] = interval_of_item(c, m->arg[i], &name)))
            return NULL;
    }
    return list;
}

/* k \in \mathbb{Z}, n \in \mathbb{N}^+ */
static bool is_condition(node m)
{
    if (m->kind != MATH_CHAIN || m->n != 2 || m->text[0] != 'i' || m->arg[0]->kind != MATH_NAME)
        return false;
    node set = m->arg[1];
    return set->kind == MATH_NAME && (strcmp(set->text, "Z") == 0 || strcmp(set->text, "N") == 0);
}

bool rewrite_has_condition(node m)
{
    for (int i = 0; m->kind == MATH_LIST && i < m->n; i++) {
        if (is_condition(m->arg[i]))
            return true;
    }
    return false;
}

node rewrite_without_conditions(struct compare *c, node m)
{
    struct math_node *list = rewrite_node(c, MATH_LIST, m->n);
    list->n = 0;
    for (int i = 0; i < m->n; i++) {
        if (!is_condition(m->arg[i]))
            list->arg[list->n++] = m->arg[i];
    }
    return list->n == 1 ? list->arg[0] : list;
}

node rewrite_named_tuple(struct compare *c, node m)
{
    struct math_node *tuple = rewrite_node(c, MATH_SEQUENCE, m->n);
    tuple->open = '(';
    tuple->close = ')';
    for (int i = 0; i < m->n; i++) {
        node item = m->arg[i];
        bool equation = item->kind == MATH_CHAIN && item->n == 2 && item->text[0] == '=' &&
                        item->arg[0]->kind == MATH_NAME;
        if (!equation || (i > 0 && strcmp(m->arg[i - 1]->arg[0]->text, item->arg[0]->text) >= 0))
            return NULL;
        tuple->arg[i] = item->arg[1];
    }
    return tuple;
}

/* "x = 1 or x = 2", "x = 1, 2": each claim on its own. */
node rewrite_claims(struct compare *c, node m)
{
    if (m->kind != MATH_LIST)
        return m;
    struct math_node *list = rewrite_node(c, MATH_LIST, m->n);
    const char *name = NULL;
    for (int i = 0; i < m->n; i++) {
        node item = m->arg[i], value = rewrite_claimed(c, item);
        list->arg[i] = item;
        if (item->kind != MATH_CHAIN || !value)
            continue;
        /* one unknown with several values, not several unknowns */
        node label = item->arg[0];
        if (label->kind != MATH_NAME || (name && strcmp(name, label->text) != 0))
            return m;
        name = label->text;
        list->arg[i] = value;
    }
    return list;
}
