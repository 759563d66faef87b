/* jinja_expr.c - tokens to expressions, with Jinja's precedence:
 * if-else, or, and, not, comparisons, + -, ~, * / // %, **, signs, filters and tests. */
#include <string.h>

#include "data/jinja_internal.h"

#define MAX_DEPTH 100

static int parse_unary(struct jparser *p, bool with_filter, struct jnode **out);

static struct jnode *node_of(struct jparser *p, enum jkind kind, struct jnode *a, struct jnode *b)
{
    struct jnode *n = jinja_node(p, kind);
    n->a = a;
    n->b = b;
    return n;
}

/* --- primaries ------------------------------------------------------------------------------- */

/* Strings that stand side by side are one. */
static void parse_string(struct jparser *p, struct jnode *n)
{
    size_t len = 0, count = 0;
    while (jinja_peek(p, count)->type == T_STRING)
        len += jinja_peek(p, count++)->n;
    char *text = arena_alloc(&p->j->arena, len + 1);
    struct jstr *s = arena_alloc(&p->j->arena, sizeof *s);
    *s = (struct jstr){.s = text, .n = len};
    for (; count > 0; count--, p->at++) {
        memcpy(text, jinja_peek(p, 0)->s, jinja_peek(p, 0)->n);
        text += jinja_peek(p, 0)->n;
    }
    *text = '\0';
    n->value = jv_str(s);
}

static void parse_name(struct jparser *p, struct jnode *n)
{
    const char *name = n->name = jinja_peek(p, 0)->s;
    p->at++;
    n->kind = N_CONST;
    if (strcmp(name, "true") == 0 || strcmp(name, "True") == 0)
        n->value = jv_bool(true);
    else if (strcmp(name, "false") == 0 || strcmp(name, "False") == 0)
        n->value = jv_bool(false);
    else if (strcmp(name, "none") == 0 || strcmp(name, "None") == 0)
        n->value = jv_none();
    else
        n->kind = N_NAME;
}

/* Elements up to `end`, which is read; *commas tells (a) from (a,). */
static int parse_elements(struct jparser *p, int end, struct jnode *n, bool *commas)
{
    struct jnode **last = &n->kids;
    while (!jinja_skip_op(p, end)) {
        if (n->kids && jinja_expect_op(p, ',') < 0)
            return -1;
        *commas |= n->kids != NULL;
        if (jinja_skip_op(p, end))
            break;
        if (jinja_parse_expr(p, last) < 0)
            return -1;
        last = &(*last)->next;
    }
    return 0;
}

/* kids = keys, each with its value in kw */
static int parse_dict(struct jparser *p, struct jnode *n)
{
    struct jnode **last = &n->kids;
    while (!jinja_skip_op(p, '}')) {
        if (n->kids && jinja_expect_op(p, ',') < 0)
            return -1;
        if (jinja_skip_op(p, '}'))
            break;
        struct jnode *pair = *last = jinja_node(p, N_KEYWORD);
        if (jinja_parse_expr(p, &pair->a) < 0 || jinja_expect_op(p, ':') < 0 ||
            jinja_parse_expr(p, &pair->b) < 0)
            return -1;
        last = &pair->next;
    }
    return 0;
}

static int parse_bracket(struct jparser *p, struct jnode **out)
{
    struct jnode *n = jinja_node(p, N_LIST);
    bool commas = false;
    *out = n;
    if (jinja_skip_op(p, '['))
        return parse_elements(p, ']', n, &commas);
    if (jinja_skip_op(p, '{')) {
        n->kind = N_DICT;
        return parse_dict(p, n);
    }
    if (!jinja_skip_op(p, '('))
        return jinja_unexpected(p, "an expression");
    n->kind = N_TUPLE;
    if (parse_elements(p, ')', n, &commas) < 0)
        return -1;
    if (n->kids && !commas)
        *out = n->kids;
    return 0;
}

static int parse_primary(struct jparser *p, struct jnode **out)
{
    const struct jtoken *t = jinja_peek(p, 0);
    struct jnode *n = *out = jinja_node(p, N_CONST);
    switch (t->type) {
    case T_NAME:
        parse_name(p, n);
        return 0;
    case T_STRING:
        parse_string(p, n);
        return 0;
    case T_INT:
        n->value = jv_int(t->i);
        p->at++;
        return 0;
    case T_FLOAT:
        n->value = jv_float(t->f);
        p->at++;
        return 0;
    default:
        return parse_bracket(p, out);
    }
}

/* --- what stands behind ---------------------------------------------------------------------- */

static int parse_arg(struct jparser *p, struct jnode ***last, struct jnode ***last_kw)
{
    const struct jtoken *t = jinja_peek(p, 0), *after = jinja_peek(p, 1);
    if (jinja_skip_op(p, '*')) {
        **last = jinja_node(p, N_STAR);
        if (jinja_parse_expr(p, &(**last)->a) < 0)
            return -1;
        *last = &(**last)->next;
        return 0;
    }
    if (jinja_at_op(p, JOP('*', '*')))
        return jinja_fail_at(p, t->line, "arguments given with ** are not supported");
    if (t->type == T_NAME && after->type == T_OP && after->op == '=') {
        struct jnode *kw = **last_kw = jinja_node(p, N_KEYWORD);
        kw->name = t->s;
        p->at += 2;
        *last_kw = &kw->next;
        return jinja_parse_expr(p, &kw->a);
    }
    if (jinja_parse_expr(p, *last) < 0)
        return -1;
    *last = &(**last)->next;
    return 0;
}

static int parse_args(struct jparser *p, struct jnode *call)
{
    struct jnode **last = &call->kids, **last_kw = &call->kw;
    if (jinja_expect_op(p, '(') < 0)
        return -1;
    while (!jinja_skip_op(p, ')')) {
        if ((call->kids || call->kw) && jinja_expect_op(p, ',') < 0)
            return -1;
        if (jinja_skip_op(p, ')'))
            break;
        if (parse_arg(p, &last, &last_kw) < 0)
            return -1;
    }
    return 0;
}

static int parse_attr(struct jparser *p, struct jnode **out)
{
    const struct jtoken *t = jinja_peek(p, 0);
    struct jnode *n = node_of(p, N_ATTR, *out, NULL);
    if (t->type == T_INT) { /* x.0 is x[0] */
        n->kind = N_ITEM;
        n->b = jinja_node(p, N_CONST);
        n->b->value = jv_int(t->i);
    } else if (t->type != T_NAME) {
        return jinja_unexpected(p, "a name");
    }
    n->name = t->s;
    p->at++;
    *out = n;
    return 0;
}

/* [a] or [a:b:c]; N_SLICE keeps its parts in b, c and kw */
static int parse_subscript(struct jparser *p, struct jnode **out)
{
    struct jnode *n = node_of(p, N_ITEM, *out, NULL), *parts[3] = {0};
    int k = 0;
    while (!jinja_at_op(p, ']')) {
        if (jinja_skip_op(p, ':')) {
            n->kind = N_SLICE;
            if (++k > 2)
                return jinja_unexpected(p, "']'");
        } else if (parts[k] || jinja_parse_expr(p, &parts[k]) < 0) {
            return jinja_unexpected(p, "']'");
        }
    }
    p->at++;
    if (n->kind == N_ITEM && !parts[0])
        return jinja_fail_at(p, n->line, "[] is empty");
    n->b = parts[0];
    n->c = parts[1];
    n->kw = parts[2];
    *out = n;
    return 0;
}

static int parse_postfix(struct jparser *p, struct jnode **out)
{
    for (;;) {
        if (jinja_skip_op(p, '.')) {
            if (parse_attr(p, out) < 0)
                return -1;
        } else if (jinja_skip_op(p, '[')) {
            if (parse_subscript(p, out) < 0)
                return -1;
        } else if (jinja_at_op(p, '(')) {
            *out = node_of(p, N_CALL, *out, NULL);
            if (parse_args(p, *out) < 0)
                return -1;
        } else {
            return 0;
        }
    }
}

static int parse_primary_postfix(struct jparser *p, struct jnode **out)
{
    return parse_primary(p, out) < 0 ? -1 : parse_postfix(p, out);
}

/* From the "|" on; the filter's argument list is optional. */
int jinja_parse_filter(struct jparser *p, struct jnode **in_out)
{
    p->at++;
    const struct jtoken *t = jinja_peek(p, 0);
    if (t->type != T_NAME)
        return jinja_unexpected(p, "the name of a filter");
    struct jnode *n = node_of(p, N_FILTER, *in_out, NULL);
    n->name = t->s;
    n->filter = jinja_filter_find(t->s); /* an unknown one may stand where it is never needed */
    p->at++;
    *in_out = n;
    return jinja_at_op(p, '(') ? parse_args(p, n) : 0;
}

static bool starts_argument(const struct jparser *p)
{
    const struct jtoken *t = jinja_peek(p, 0);
    if (t->type == T_NAME)
        return !jinja_at_name(p, "else") && !jinja_at_name(p, "or") && !jinja_at_name(p, "and");
    return t->type == T_STRING || t->type == T_INT || t->type == T_FLOAT ||
           (t->type == T_OP && (t->op == '(' || t->op == '[' || t->op == '{'));
}

/* From behind `is`. */
static int parse_test(struct jparser *p, struct jnode **in_out)
{
    struct jnode *n = node_of(p, N_TEST, *in_out, NULL);
    n->negated = jinja_skip_name(p, "not");
    const struct jtoken *t = jinja_peek(p, 0);
    if (t->type != T_NAME)
        return jinja_unexpected(p, "the name of a test");
    n->name = t->s;
    n->test = jinja_test_find(t->s);
    p->at++;
    *in_out = n;
    if (jinja_at_op(p, '('))
        return parse_args(p, n);
    if (!starts_argument(p))
        return 0;
    if (jinja_at_name(p, "is"))
        return jinja_fail_at(p, t->line, "tests cannot be chained with 'is'");
    return parse_primary_postfix(p, &n->kids);
}

static int parse_filters_and_tests(struct jparser *p, struct jnode **out)
{
    for (;;) {
        int rc = 0;
        if (jinja_at_op(p, '|')) {
            rc = jinja_parse_filter(p, out);
        } else if (jinja_skip_name(p, "is")) {
            rc = parse_test(p, out);
        } else if (jinja_at_op(p, '(')) {
            *out = node_of(p, N_CALL, *out, NULL);
            rc = parse_args(p, *out);
        } else {
            return 0;
        }
        if (rc < 0)
            return -1;
    }
}

/* --- operators ------------------------------------------------------------------------------- */

static int parse_unary(struct jparser *p, bool with_filter, struct jnode **out)
{
    bool minus = jinja_skip_op(p, '-');
    int rc;
    if (++p->depth > MAX_DEPTH)
        return jinja_fail_at(p, jinja_peek(p, 0)->line, "more than %d brackets and signs inside "
                             "one another", MAX_DEPTH);
    if (minus || jinja_skip_op(p, '+')) {
        struct jnode *n = jinja_node(p, minus ? N_NEG : N_POS);
        rc = parse_unary(p, false, &n->a);
        *out = n;
    } else {
        rc = parse_primary_postfix(p, out);
    }
    if (rc == 0 && with_filter)
        rc = parse_filters_and_tests(p, out);
    p->depth--;
    return rc;
}

static int parse_pow(struct jparser *p, struct jnode **out)
{
    if (parse_unary(p, true, out) < 0)
        return -1;
    while (jinja_skip_op(p, JOP('*', '*'))) {
        struct jnode *n = *out = node_of(p, N_BINARY, *out, NULL);
        n->op = JOP('*', '*');
        if (parse_unary(p, true, &n->b) < 0)
            return -1;
    }
    return 0;
}

typedef int parse_fn(struct jparser *p, struct jnode **out);

/* One level of left-associative operators. */
static int parse_level(struct jparser *p, const int *ops, parse_fn *inner, struct jnode **out)
{
    if (inner(p, out) < 0)
        return -1;
    for (int i = 0; ops[i];) {
        if (!jinja_skip_op(p, ops[i])) {
            i++;
            continue;
        }
        struct jnode *n = *out = node_of(p, ops[i] == '~' ? N_CONCAT : N_BINARY, *out, NULL);
        n->op = ops[i];
        if (inner(p, &n->b) < 0)
            return -1;
        i = 0;
    }
    return 0;
}

static int parse_product(struct jparser *p, struct jnode **out)
{
    static const int ops[] = {'*', '/', JOP('/', '/'), '%', 0};
    return parse_level(p, ops, parse_pow, out);
}

static int parse_concat(struct jparser *p, struct jnode **out)
{
    static const int ops[] = {'~', 0};
    return parse_level(p, ops, parse_product, out);
}

static int parse_sum(struct jparser *p, struct jnode **out)
{
    static const int ops[] = {'+', '-', 0};
    return parse_level(p, ops, parse_concat, out);
}

/* The comparison operator at hand, which is read; 0 = none. */
static int comparison(struct jparser *p)
{
    static const int ops[] = {JOP('=', '='), JOP('!', '='), JOP('<', '='), JOP('>', '='), '<', '>'};
    const struct jtoken *after = jinja_peek(p, 1);
    for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
        if (jinja_skip_op(p, ops[i]))
            return ops[i];
    if (jinja_skip_name(p, "in"))
        return JOP_IN;
    if (jinja_at_name(p, "not") && after->type == T_NAME && strcmp(after->s, "in") == 0) {
        p->at += 2;
        return JOP_NOT_IN;
    }
    return 0;
}

/* a = first value; kids = N_COMPARE_STEPs with the others in a */
static int parse_compare(struct jparser *p, struct jnode **out)
{
    struct jnode *compare = NULL, **last = NULL;
    if (parse_sum(p, out) < 0)
        return -1;
    for (int op; (op = comparison(p)) != 0;) {
        if (!compare) {
            compare = *out = node_of(p, N_COMPARE, *out, NULL);
            last = &compare->kids;
        }
        struct jnode *step = *last = jinja_node(p, N_COMPARE_STEP);
        step->op = op;
        last = &step->next;
        if (parse_sum(p, &step->a) < 0)
            return -1;
    }
    return 0;
}

static int parse_not(struct jparser *p, struct jnode **out)
{
    if (!jinja_skip_name(p, "not"))
        return parse_compare(p, out);
    struct jnode *n = *out = jinja_node(p, N_NOT);
    if (++p->depth > MAX_DEPTH)
        return jinja_fail_at(p, n->line, "more than %d brackets and signs inside one another",
                             MAX_DEPTH);
    int rc = parse_not(p, &n->a);
    p->depth--;
    return rc;
}

static int parse_and(struct jparser *p, struct jnode **out)
{
    if (parse_not(p, out) < 0)
        return -1;
    while (jinja_skip_name(p, "and")) {
        *out = node_of(p, N_AND, *out, NULL);
        if (parse_not(p, &(*out)->b) < 0)
            return -1;
    }
    return 0;
}

static int parse_or(struct jparser *p, struct jnode **out)
{
    if (parse_and(p, out) < 0)
        return -1;
    while (jinja_skip_name(p, "or")) {
        *out = node_of(p, N_OR, *out, NULL);
        if (parse_and(p, &(*out)->b) < 0)
            return -1;
    }
    return 0;
}

/* N_COND: a if b else c */
int jinja_parse_expr(struct jparser *p, struct jnode **out)
{
    if (++p->depth > MAX_DEPTH)
        return jinja_fail_at(p, jinja_peek(p, 0)->line, "more than %d brackets and signs inside "
                             "one another", MAX_DEPTH);
    if (parse_or(p, out) < 0)
        return -1;
    while (jinja_skip_name(p, "if")) {
        struct jnode *n = *out = node_of(p, N_COND, *out, NULL);
        if (parse_or(p, &n->b) < 0)
            return -1;
        if (jinja_skip_name(p, "else") && jinja_parse_expr(p, &n->c) < 0)
            return -1;
    }
    p->depth--;
    return 0;
}

int jinja_parse_tuple(struct jparser *p, bool with_if, struct jnode **out)
{
    struct jnode *tuple = NULL, **last = NULL;
    for (;;) {
        struct jnode *n = NULL;
        enum jtoken_type type = jinja_peek(p, 0)->type;
        if (tuple && (type == T_PRINT_END || type == T_BLOCK_END || jinja_at_op(p, ')')))
            return 0;
        if ((with_if ? jinja_parse_expr(p, &n) : parse_or(p, &n)) < 0)
            return -1;
        if (tuple)
            *last = n;
        else
            *out = n;
        last = &n->next;
        if (!jinja_skip_op(p, ','))
            return 0;
        if (!tuple) {
            tuple = *out = jinja_node(p, N_TUPLE);
            tuple->kids = n;
        }
    }
}
