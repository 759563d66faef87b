/* math_atom.c - numbers, names, functions, roots, fractions. */
#include <ctype.h>
#include <string.h>

#include "reward/math_parser.h"

/* What \frac, \sqrt and ^ take: a group, or one digit ("\frac12"), or one atom. */
node parser_argument(struct parser *s, bool one_digit)
{
    if (one_digit && parser_at(s, TOK_NUMBER) && s->t->n > 1 &&
        isdigit((unsigned char)s->t->text[0])) {
        node m = parser_number(s, parser_text(s, s->t->text, 1));
        s->t->text++;
        s->t->n--;
        return m;
    }
    if (parser_at(s, TOK_END))
        return parser_fail(s, "argument-missing");
    return parser_atom(s);
}

static bool is_integer(const struct math_token *t)
{
    return t->kind == TOK_NUMBER && strspn(t->text, "0123456789") == t->n;
}

static int compare_digits(const struct math_token *a, const struct math_token *b)
{
    if (a->n != b->n)
        return a->n < b->n ? -1 : 1;
    return memcmp(a->text, b->text, a->n);
}

/* "{3}{4}" or "34" behind \frac: are numerator and denominator whole numbers?  *proper: is it less
 * than 1? */
static bool whole_fraction(const struct parser *s, bool *proper)
{
    const struct math_token *t = s->t + 1; /* behind \frac */
    struct math_token a = t[0], b = t[0];
    if (is_integer(t) && t->n == 2) {
        b.text++;
        a.n = b.n = 1;
    } else {
        if (t->kind == '{' && is_integer(t + 1) && t[2].kind == '}') {
            a = t[1];
            t += 3;
        } else if (is_integer(t) && t->n == 1) {
            t++;
        } else {
            return false;
        }
        if (t->kind == '{')
            t++;
        if (!is_integer(t) || (t[-1].kind == '{' && t[1].kind != '}'))
            return false;
        b = *t;
    }
    *proper = compare_digits(&a, &b) < 0;
    return true;
}

static node repeating(struct parser *s, const char *digits)
{
    /* \overline was taken */
    bool braced = parser_take(s, '{');
    if (!is_integer(s->t))
        return parser_fail(s, "unknown-notation");
    struct math_node *m = parser_node(s, MATH_NUMBER, 0);
    struct strbuf all = {0};
    strbuf_addf(&all, "%s%.*s", digits, (int)s->t->n, s->t->text);
    m->repeat = (int)s->t->n;
    m->text = parser_text(s, all.buf, all.len);
    strbuf_release(&all);
    s->t++;
    if (braced && !parser_take(s, '}'))
        return parser_fail(s, "bracket-not-closed");
    return m;
}

/* "_8" behind a number. */
static node based(struct parser *s, const struct math_token *number)
{
    bool braced = parser_take(s, '{');
    if (!is_integer(number) || !is_integer(s->t) || s->t->n > 2)
        return parser_fail(s, "unknown-notation");
    struct math_node *m = parser_node(s, MATH_BASED, 0);
    m->text = parser_text(s, number->text, number->n);
    for (size_t i = 0; i < s->t->n; i++)
        m->base = 10 * m->base + (s->t->text[i] - '0');
    s->t++;
    if (braced && !parser_take(s, '}'))
        return parser_fail(s, "bracket-not-closed");
    for (const char *p = m->text; *p; p++) {
        if (*p - '0' >= m->base)
            return parser_fail(s, "digit-above-base");
    }
    return m;
}

static node parse_number(struct parser *s)
{
    const struct math_token *t = s->t++;
    node value = parser_number(s, parser_text(s, t->text, t->n));
    if (parser_at(s, '_')) {
        s->t++;
        return based(s, t);
    }
    if (memchr(t->text, '.', t->n) && parser_at(s, TOK_OVERLINE)) {
        s->t++;
        return repeating(s, value->text);
    }
    if (!is_integer(t))
        return value;
    bool proper;
    if (parser_at(s, TOK_FRAC) && whole_fraction(s, &proper)) { /* a mixed number */
        if (!proper)
            return parser_fail(s, "ambiguous"); /* "1\frac{5}{3}": a product or a sum? */
        return parser_node2(s, MATH_ADD, value, parser_power(s));
    }
    if (is_integer(s->t) && s->t->blank && s->t[1].kind == '/' && is_integer(&s->t[2]) &&
        compare_digits(s->t, &s->t[2]) < 0) {
        node top = parser_number(s, parser_text(s, s->t->text, s->t->n));
        node bottom = parser_number(s, parser_text(s, s->t[2].text, s->t[2].n));
        s->t += 3;
        return parser_node2(s, MATH_ADD, value, parser_node2(s, MATH_DIV, top, bottom));
    }
    return value;
}

/* "x", "x_1", "a_{n+1}", "f'". */
static node parse_name(struct parser *s)
{
    struct strbuf text = {0};
    const struct math_token *t = s->t++;
    if (t->value == -1)
        strbuf_addc(&text, '\\');
    strbuf_add(&text, t->text, t->n);
    while (parser_take(s, TOK_PRIME))
        strbuf_addc(&text, '\'');
    if (parser_take(s, '_')) {
        int depth = 0;
        strbuf_addc(&text, '_');
        do {
            if (parser_at(s, TOK_END))
                break;
            depth += parser_at(s, '{') ? 1 : parser_at(s, '}') ? -1 : 0;
            if (!parser_at(s, '{') && !parser_at(s, '}'))
                strbuf_add(&text, s->t->text, s->t->n);
            s->t++;
        } while (depth > 0);
    }
    while (parser_take(s, TOK_PRIME))
        strbuf_addc(&text, '\'');
    struct math_node *m = parser_node(s, MATH_NAME, 0);
    m->text = parser_text(s, text.buf, text.len);
    strbuf_release(&text);
    return m;
}

bool parser_starts_atom(const struct parser *s)
{
    switch (s->t->kind) {
    case TOK_NUMBER:
    case TOK_NAME:
    case TOK_FUNCTION:
    case TOK_CONSTANT:
    case TOK_SQRT:
    case TOK_FRAC:
    case TOK_BINOM:
    case TOK_OPEN:
    case TOK_BEGIN:
    case TOK_EMPTY:
    case TOK_REALS:
    case '(':
    case '[':
    case '{':
        return true;
    case '|':
        return s->bars == 0;
    default:
        return false;
    }
}

/* "\sin 2x": all that is multiplied without a sign, up to the next function. */
static node function_argument(struct parser *s)
{
    struct items factors = {0};
    if (parser_at(s, '(') || parser_at(s, '{'))
        return parser_atom(s);
    if (parser_at(s, '-') || parser_at(s, '+')) {
        bool minus = s->t++->kind == '-';
        node arg = parser_deeper(s) ? function_argument(s) : NULL;
        s->depth--;
        return minus ? parser_node1(s, MATH_NEG, arg) : arg;
    }
    do {
        if (!parser_items_add(s, &factors, parser_power(s)))
            return NULL;
    } while (parser_starts_atom(s) && !parser_at(s, TOK_FUNCTION) && !parser_at(s, '(') &&
             !parser_at(s, TOK_NUMBER));
    return factors.n == 1 ? factors.item[0] : parser_node_items(s, MATH_MUL, &factors);
}

static enum math_function inverse_of(enum math_function f)
{
    switch (f) {
    case MATH_SIN:
        return MATH_ASIN;
    case MATH_COS:
        return MATH_ACOS;
    case MATH_TAN:
        return MATH_ATAN;
    case MATH_COT:
        return MATH_ACOT;
    default:
        return f;
    }
}

static bool is_minus_one(node m)
{
    return m->kind == MATH_NEG && m->arg[0]->kind == MATH_NUMBER &&
           strcmp(m->arg[0]->text, "1") == 0;
}

/* "\sin^2 x", "\sin^{-1} x", "\log_2 x". */
static node parse_function(struct parser *s)
{
    enum math_function func = (enum math_function)s->t++->value;
    node power = NULL, base = NULL;
    for (int i = 0; i < 2; i++) {
        if (func == MATH_LOG && !base && parser_take(s, '_')) {
            if (!(base = parser_argument(s, true)))
                return NULL;
        } else if (!power && parser_take(s, '^')) {
            if (!(power = parser_argument(s, false)))
                return NULL;
        }
    }
    if (power && is_minus_one(power) && inverse_of(func) != func) {
        func = inverse_of(func);
        power = NULL;
    }
    node m = parser_function(s, func, function_argument(s));
    if (m && base) {
        if (m->n != 1)
            return parser_fail(s, "unknown-notation");
        struct math_node *both = parser_node(s, MATH_FUNCTION, 2);
        both->func = func;
        both->arg[0] = m->arg[0];
        both->arg[1] = base;
        m = both;
    }
    return power ? parser_node2(s, MATH_POW, m, power) : m;
}

static node parse_root(struct parser *s)
{
    node index = parser_number(s, "2");
    if (parser_take(s, '[')) {
        index = parser_sum(s);
        if (!index || !parser_take(s, ']'))
            return parser_fail(s, "bracket-not-closed");
    }
    node radicand = parser_argument(s, true);
    return parser_node2(s, MATH_ROOT, radicand, index);
}

static node parse_fraction(struct parser *s, enum math_kind kind)
{
    node top = parser_argument(s, true);
    node bottom = top ? parser_argument(s, true) : NULL;
    return parser_node2(s, kind, top, bottom);
}

static node atom_inside(struct parser *s)
{
    int kind = s->t->kind, value = s->t->value;
    if (kind == TOK_NUMBER)
        return parse_number(s);
    if (kind == TOK_NAME || (kind == TOK_WORD && s->t->n == 1))
        return parse_name(s);
    if (kind == TOK_FUNCTION)
        return parse_function(s);
    s->t++;
    switch (kind) {
    case TOK_CONSTANT:
        return parser_node(s, (enum math_kind)value, 0);
    case TOK_SQRT:
        return parse_root(s);
    case TOK_FRAC:
        return parse_fraction(s, MATH_DIV);
    case TOK_BINOM:
        return parse_fraction(s, MATH_BINOMIAL);
    case TOK_EMPTY:
        return parser_node(s, MATH_SET, 0);
    case TOK_REALS:
        return parser_reals(s);
    case TOK_OPEN:
        return parser_open(s, value);
    case TOK_BEGIN:
        return parser_matrix(s);
    case '(':
    case '[':
        return parser_bracket(s, (char)kind);
    case '{':
        return parser_group(s);
    case '|':
        return parser_bars(s, '|');
    case '-': /* 2^-1, 3*-4 */
        return parser_node1(s, MATH_NEG, parser_power(s));
    default:
        s->t--;
        return parser_fail(s, "not-a-formula");
    }
}

node parser_atom(struct parser *s)
{
    node m = parser_deeper(s) ? atom_inside(s) : NULL;
    s->depth--;
    return m;
}
