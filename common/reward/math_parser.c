/* math_parser.c - the parser's tools: failing, tokens, making nodes. */
#include "reward/math_parser.h"

#include <string.h>

#define MAX_ITEMS 4096

node parser_fail(struct parser *s, const char *why)
{
    if (!s->fault)
        s->fault = why;
    return NULL;
}

struct math_node *parser_node(struct parser *s, enum math_kind kind, int n)
{
    struct math_node *m = arena_alloc(s->arena, sizeof *m);
    *m = (struct math_node){.kind = kind, .n = n};
    if (n)
        m->arg = arena_alloc(s->arena, (size_t)n * sizeof *m->arg);
    return m;
}

node parser_node1(struct parser *s, enum math_kind kind, node a)
{
    if (!a)
        return NULL;
    struct math_node *m = parser_node(s, kind, 1);
    m->arg[0] = a;
    return m;
}

node parser_node2(struct parser *s, enum math_kind kind, node a, node b)
{
    if (!a || !b)
        return NULL;
    struct math_node *m = parser_node(s, kind, 2);
    m->arg[0] = a;
    m->arg[1] = b;
    return m;
}

node parser_number(struct parser *s, const char *text)
{
    struct math_node *m = parser_node(s, MATH_NUMBER, 0);
    m->text = text;
    return m;
}

const char *parser_text(struct parser *s, const char *start, size_t n)
{
    char *copy = arena_alloc(s->arena, n + 1);
    memcpy(copy, start, n);
    copy[n] = '\0';
    return copy;
}

bool parser_at(const struct parser *s, int kind)
{
    return s->t->kind == kind;
}

bool parser_take(struct parser *s, int kind)
{
    if (!parser_at(s, kind))
        return false;
    s->t++;
    return true;
}

bool parser_deeper(struct parser *s)
{
    if (++s->depth <= MATH_MAX_DEPTH)
        return true;
    parser_fail(s, "too-deep");
    return false;
}
bool parser_items_add(struct parser *s, struct items *list, node m)
{
    if (!m)
        return false;
    if (list->n == list->cap) {
        int cap = list->cap ? 2 * list->cap : 4;
        if (cap > MAX_ITEMS)
            return parser_fail(s, "too-long") != NULL;
        node *grown = arena_alloc(s->arena, (size_t)cap * sizeof *grown);
        if (list->n)
            memcpy(grown, list->item, (size_t)list->n * sizeof *grown);
        list->item = grown;
        list->cap = cap;
    }
    list->item[list->n++] = m;
    return true;
}

struct math_node *parser_node_items(struct parser *s, enum math_kind kind, const struct items *list)
{
    struct math_node *m = parser_node(s, kind, 0);
    m->n = list->n;
    m->arg = list->item;
    return m;
}
node parser_function(struct parser *s, enum math_function func, node arg)
{
    if (!arg)
        return NULL;
    struct math_node *m = parser_node(s, MATH_FUNCTION, 0);
    m->func = func;
    if (arg->kind == MATH_LIST || arg->kind == MATH_SET ||
        (arg->kind == MATH_SEQUENCE && arg->open == '(')) {
        m->n = arg->n;
        m->arg = arg->arg;
    } else {
        m->n = 1;
        m->arg = arena_alloc(s->arena, sizeof *m->arg);
        m->arg[0] = arg;
    }
    return m;
}
