/* math_print.c - trees as text, and whether two are the same. */
#include <string.h>

#include "reward/math_node.h"

static const char *const kinds[] = {
    [MATH_PI] = "pi",
    [MATH_E] = "e",
    [MATH_I] = "i",
    [MATH_INFINITY] = "infinity",
    [MATH_ADD] = "+",
    [MATH_MUL] = "*",
    [MATH_NEG] = "-",
    [MATH_DIV] = "/",
    [MATH_POW] = "^",
    [MATH_ROOT] = "root",
    [MATH_FACTORIAL] = "!",
    [MATH_BINOMIAL] = "binomial",
    [MATH_PLUSMINUS] = "+-",
    [MATH_PERCENT] = "%",
    [MATH_DEGREE] = "degrees",
    [MATH_UNIT] = "unit",
    [MATH_LIST] = "list",
    [MATH_SET] = "set",
    [MATH_SEQUENCE] = "seq",
    [MATH_MATRIX] = "matrix",
    [MATH_CHAIN] = "chain",
    [MATH_SETOP] = "sets",
};

static const char *const functions[] = {
    "sin",  "cos", "tan", "cot", "sec", "csc",   "asin", "acos", "atan", "acot", "sinh", "cosh",
    "tanh", "exp", "ln",  "log", "abs", "floor", "ceil", "max",  "min",  "gcd",  "lcm",
};

static void print_head(const struct math_node *m, struct strbuf *out)
{
    strbuf_addc(out, '(');
    strbuf_adds(out, m->kind == MATH_FUNCTION ? functions[m->func] : kinds[m->kind]);
    if (m->kind == MATH_SEQUENCE)
        strbuf_addf(out, "%c%c", m->open, m->close);
    if (m->kind == MATH_MATRIX)
        strbuf_addf(out, " %dx%d", m->rows, m->n / m->rows);
    if (m->kind == MATH_CHAIN)
        strbuf_addf(out, " '%s'", m->text);
    if (m->kind == MATH_SETOP || m->kind == MATH_PLUSMINUS)
        strbuf_addf(out, " %c", m->op);
    if (m->kind == MATH_UNIT)
        strbuf_addf(out, " '%s'", m->text);
}

void math_print(const struct math_node *m, struct strbuf *out)
{
    if (m->kind == MATH_TEXT) {
        strbuf_addf(out, "'%s'", m->text);
    } else if (m->kind == MATH_NUMBER || m->kind == MATH_NAME || m->kind == MATH_BASED) {
        strbuf_adds(out, m->text);
        if (m->base)
            strbuf_addf(out, "_%d", m->base);
        if (m->repeat)
            strbuf_addf(out, "~%d", m->repeat);
    } else if (m->n == 0 && m->kind < MATH_ADD) {
        strbuf_adds(out, kinds[m->kind]);
    } else {
        print_head(m, out);
        for (int i = 0; i < m->n; i++) {
            strbuf_addc(out, ' ');
            math_print(m->arg[i], out);
        }
        strbuf_addc(out, ')');
    }
}

bool math_same_tree(const struct math_node *a, const struct math_node *b)
{
    if (a == b)
        return true;
    if (a->kind != b->kind || a->n != b->n || a->func != b->func || a->op != b->op ||
        a->open != b->open || a->close != b->close || a->rows != b->rows || a->base != b->base ||
        a->repeat != b->repeat || (a->text == NULL) != (b->text == NULL) ||
        (a->text && strcmp(a->text, b->text) != 0))
        return false;
    for (int i = 0; i < a->n; i++) {
        if (!math_same_tree(a->arg[i], b->arg[i]))
            return false;
    }
    return true;
}
