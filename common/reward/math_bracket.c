/* math_bracket.c - what stands in brackets: groups, tuples, intervals, sets, bars, matrices. */
#include <string.h>

#include "reward/math_parser.h"

static node sequence(struct parser *s, node inside, char open, char close)
{
    struct math_node *m = parser_node(s, MATH_SEQUENCE, 0);
    m->open = open;
    m->close = close;
    if (inside->kind == MATH_LIST) {
        m->n = inside->n;
        m->arg = inside->arg;
    } else {
        m = parser_node(s, MATH_SEQUENCE, 1);
        m->open = open;
        m->close = close;
        m->arg[0] = inside;
    }
    return m;
}

/* ( or [ was taken: a group, a tuple or an interval. */
node parser_bracket(struct parser *s, char open)
{
    int bars = s->bars;
    if (open == '(' && parser_take(s, ')')) { /* an empty tuple */
        struct math_node *m = parser_node(s, MATH_SEQUENCE, 0);
        m->open = '(';
        m->close = ')';
        return m;
    }
    s->bars = 0;
    node inside = parser_list(s);
    s->bars = bars;
    if (!inside)
        return NULL;
    int close = s->t->kind;
    if (close != ')' && close != ']')
        return parser_fail(s, "bracket-not-closed");
    s->t++;
    bool matched = (open == '(') == (close == ')');
    if (matched && inside->kind != MATH_LIST)
        return inside;
    return sequence(s, inside, open, (char)close);
}

static node parse_set(struct parser *s, int close_kind)
{
    struct math_node *m = parser_node(s, MATH_SET, 0);
    int bars = s->bars;
    s->bars = 0;
    node inside = parser_at(s, close_kind) ? m : parser_list(s);
    s->bars = bars;
    if (!inside)
        return NULL;
    if (!parser_take(s, close_kind))
        return parser_fail(s, "bracket-not-closed");
    if (inside->kind == MATH_LIST) {
        m->n = inside->n;
        m->arg = inside->arg;
    } else if (inside != m) {
        return parser_node1(s, MATH_SET, inside);
    }
    return m;
}

/* { was taken: TeX's group, or a set in plain notation. */
node parser_group(struct parser *s)
{
    int bars = s->bars;
    s->bars = 0;
    node inside = parser_list(s);
    if (inside && parser_take(s, TOK_CHOOSE))
        inside = parser_node2(s, MATH_BINOMIAL, inside, parser_sum(s));
    s->bars = bars;
    if (!inside)
        return NULL;
    if (!parser_take(s, '}'))
        return parser_fail(s, "bracket-not-closed");
    if (inside->kind != MATH_LIST)
        return inside;
    struct math_node *m = parser_node(s, MATH_SET, 0);
    m->n = inside->n;
    m->arg = inside->arg;
    return m;
}

node parser_bars(struct parser *s, int close_kind)
{
    s->bars++;
    node inside = parser_sum(s);
    s->bars--;
    if (!inside)
        return NULL;
    if (!parser_take(s, close_kind))
        return parser_fail(s, "bracket-not-closed");
    return parser_function(s, MATH_ABS, inside);
}

node parser_open(struct parser *s, int value)
{
    if (value == '{')
        return parse_set(s, TOK_CLOSE);
    if (value == '|')
        return parser_bars(s, TOK_CLOSE);
    node inside = parser_list(s);
    if (!inside)
        return NULL;
    if (!parser_at(s, TOK_CLOSE) || s->t->value != value)
        return parser_fail(s, "bracket-not-closed");
    s->t++;
    if (value == 'a')
        return sequence(s, inside, '(', ')');
    return parser_function(s, value == 'f' ? MATH_FLOOR : MATH_CEIL, inside);
}

static bool is_vector_environment(const struct math_token *t)
{
    static const char *const names[] = {"pmatrix", "bmatrix",     "matrix",
                                        "array",   "smallmatrix", "Bmatrix"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strlen(names[i]) == t->n && memcmp(names[i], t->text, t->n) == 0)
            return true;
    }
    return false;
}

static void skip_column_types(struct parser *s)
{
    if (!parser_at(s, '{'))
        return;
    while (!parser_at(s, '}') && !parser_at(s, TOK_END))
        s->t++;
    parser_take(s, '}');
}

node parser_matrix(struct parser *s)
{
    struct items cells = {0};
    int rows = 0, columns = 0, in_row = 0;
    bool array = s->t[-1].n == 5;
    if (!is_vector_environment(&s->t[-1]))
        return parser_fail(s, "unknown-notation");
    if (array)
        skip_column_types(s);
    while (!parser_at(s, TOK_FINISH)) {
        if (!parser_items_add(s, &cells, parser_sum(s)))
            return NULL;
        in_row++;
        if (parser_take(s, '&'))
            continue;
        if (!parser_at(s, TOK_ROW) && !parser_at(s, TOK_FINISH))
            return parser_fail(s, "bracket-not-closed");
        if (rows++ == 0)
            columns = in_row;
        if (in_row != columns)
            return parser_fail(s, "ragged-matrix");
        in_row = 0;
        parser_take(s, TOK_ROW);
    }
    s->t++;
    if (rows == 0 || in_row != 0)
        return parser_fail(s, "empty-matrix");
    struct math_node *m = parser_node_items(s, MATH_MATRIX, &cells);
    m->rows = rows;
    return m;
}

node parser_reals(struct parser *s)
{
    struct math_node *m = parser_node(s, MATH_SEQUENCE, 2);
    m->open = '(';
    m->close = ')';
    m->arg[1] = parser_node(s, MATH_INFINITY, 0);
    m->arg[0] = parser_node1(s, MATH_NEG, m->arg[1]);
    return m;
}
