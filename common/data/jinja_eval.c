/* jinja_eval.c - expressions to values. */
#include <math.h>
#include <string.h>

#include "data/jinja_internal.h"

#define MAX_EVAL_DEPTH 1000

static const struct jval *lookup(const struct jrun *r, const char *name)
{
    for (const struct jscope *s = r->scope; s; s = s->up)
        for (const struct jvar *v = s->vars; v; v = v->next)
            if (strcmp(v->name, name) == 0)
                return &v->value;
    return NULL;
}

static void eval_name(const struct jrun *r, const char *name, struct jval *out)
{
    const struct jval *v = lookup(r, name);
    const struct jfunction *fn = v ? NULL : jinja_function_find(name);
    if (v)
        *out = *v;
    else if (fn)
        *out = (struct jval){.type = J_FUNCTION, .u.fn = fn};
    else
        *out = jv_undefined(name);
}

/* --- operators ------------------------------------------------------------------------------- */

static int undefined_in(struct jrun *r, struct jval a, struct jval b, int op)
{
    struct jval v = a.type == J_UNDEFINED ? a : b;
    char sign[] = {(char)(op & 255), (char)(op >> 8), '\0'};
    if (v.type == J_UNDEFINED)
        return jinja_fail(r, "'%s' is undefined", v.u.name ? v.u.name : "the value");
    return jinja_fail(r, "'%s' does not go between %s and %s", sign, jv_type(a), jv_type(b));
}

static int overflow(struct jrun *r)
{
    return jinja_fail(r, "a number is too large");
}

static int64_t as_int(struct jval v)
{
    return v.type == J_BOOL ? v.u.b : v.u.i;
}

static int int_power(struct jrun *r, int64_t x, int64_t n, struct jval *out)
{
    int64_t y = 1;
    if (n < 0) {
        *out = jv_float(pow((double)x, (double)n));
        return x == 0 ? jinja_fail(r, "0 to a negative power") : 0;
    }
    if (n > 64 && x != 0 && x != 1 && x != -1)
        return overflow(r);
    for (int64_t i = 0; i < (n > 64 ? 64 + n % 2 : n); i++)
        if (__builtin_mul_overflow(y, x, &y))
            return overflow(r);
    *out = jv_int(y);
    return 0;
}

static int int_op(struct jrun *r, int op, int64_t x, int64_t y, struct jval *out)
{
    int64_t z = 0;
    bool over = false;
    if ((op == '/' || op == '%' || op == JOP('/', '/')) && y == 0)
        return jinja_fail(r, "division by zero");
    switch (op) {
    case '+':
        over = __builtin_add_overflow(x, y, &z);
        break;
    case '-':
        over = __builtin_sub_overflow(x, y, &z);
        break;
    case '*':
        over = __builtin_mul_overflow(x, y, &z);
        break;
    case '/':
        *out = jv_float((double)x / (double)y);
        return 0;
    case '%':
        z = y == -1 ? 0 : x % y;
        z += z != 0 && (z < 0) != (y < 0) ? y : 0;
        break;
    case JOP('/', '/'):
        over = x == INT64_MIN && y == -1;
        z = over ? 0 : x / y - (x % y != 0 && (x < 0) != (y < 0));
        break;
    default:
        return int_power(r, x, y, out);
    }
    *out = jv_int(z);
    return over ? overflow(r) : 0;
}

static int float_op(struct jrun *r, int op, double x, double y, struct jval *out)
{
    double z;
    if ((op == '/' || op == '%' || op == JOP('/', '/')) && y == 0)
        return jinja_fail(r, "division by zero");
    switch (op) {
    case '+':
        z = x + y;
        break;
    case '-':
        z = x - y;
        break;
    case '*':
        z = x * y;
        break;
    case '/':
        z = x / y;
        break;
    case '%':
        z = fmod(x, y);
        z += z != 0 && (z < 0) != (y < 0) ? y : 0;
        break;
    case JOP('/', '/'):
        z = floor(x / y);
        break;
    default:
        z = pow(x, y);
        break;
    }
    *out = jv_float(z);
    return 0;
}

static int repeat_string(struct jrun *r, const struct jstr *s, int64_t times, struct jval *out)
{
    struct jbuf b = {0};
    if (times > 0 && jinja_room(r, (size_t)times, s->n + 1) < 0)
        return -1;
    for (int64_t i = 0; i < times; i++)
        jbuf_add_str(&b, s);
    *out = jv_str(jbuf_freeze(r, &b));
    return jinja_work(r, s->n * (size_t)(times > 0 ? times : 0));
}

static int repeat_list(struct jrun *r, const struct jlist *l, int64_t times, struct jval *out)
{
    if (times > 0 && jinja_room(r, (size_t)times, l->n * sizeof *l->v + 1) < 0)
        return -1;
    struct jlist *all = jlist_new(r, l->kind, 0);
    for (int64_t i = 0; i < times; i++)
        for (size_t k = 0; k < l->n; k++)
            jlist_add(r, all, l->v[k]);
    *out = jv_list(all);
    return jinja_work(r, all->n * sizeof *all->v);
}

static int add_lists(struct jrun *r, const struct jlist *a, const struct jlist *b, struct jval *out)
{
    struct jlist *all = jlist_new(r, a->kind, a->n + b->n);
    for (size_t i = 0; i < a->n; i++)
        jlist_add(r, all, a->v[i]);
    for (size_t i = 0; i < b->n; i++)
        jlist_add(r, all, b->v[i]);
    *out = jv_list(all);
    return jinja_work(r, all->n * sizeof *all->v);
}

/* 'x %s' % y: %s, %d and %% are known. */
static int format_string(struct jrun *r, const struct jstr *s, struct jval arg, struct jval *out)
{
    struct jbuf b = {0};
    struct jval one[] = {arg};
    const struct jval *args = one;
    size_t n = 1, used = 0;
    if (arg.type == J_LIST && arg.u.l->kind == JL_TUPLE)
        args = arg.u.l->v, n = arg.u.l->n;
    int rc = jinja_work(r, s->n);
    for (size_t i = 0; i < s->n && rc == 0; i++) {
        char c = s->s[i], kind = c == '%' && i + 1 < s->n ? s->s[i + 1] : 0;
        if (c != '%') {
            jbuf_add(&b, &c, 1, (enum jinja_origin)(s->origin ? s->origin[i] : s->uniform));
        } else if (kind == '%') {
            jbuf_add(&b, "%", 1, jstr_origin(s));
        } else if (used >= n || !((kind == 's') || (kind == 'd' && args[used].type == J_INT))) {
            rc = jinja_fail(r, "this use of '%%' in a format is not supported");
        } else {
            rc = jv_print(r, args[used++], &b);
        }
        i += c == '%';
    }
    bool indexed = args == one && (arg.type == J_DICT || arg.type == J_LIST); /* not counted */
    if (rc == 0 && used < n && !indexed)
        rc = jinja_fail(r, "a format has fewer places than values");
    if (rc == 0)
        *out = jv_str(jbuf_freeze(r, &b));
    jbuf_release(&b);
    return rc;
}

static bool is_int(struct jval v)
{
    return v.type == J_INT || v.type == J_BOOL;
}

static bool is_plain_list(struct jval v)
{
    return v.type == J_LIST && v.u.l->kind <= JL_TUPLE;
}

int jinja_binary(struct jrun *r, int op, struct jval a, struct jval b, struct jval *out)
{
    if (is_int(a) && is_int(b))
        return int_op(r, op, as_int(a), as_int(b), out);
    if (jv_is_number(a) && jv_is_number(b))
        return float_op(r, op, jv_number(a), jv_number(b), out);
    if (op == '+' && a.type == J_STR && b.type == J_STR) {
        *out = jv_str(jstr_concat(r, a.u.s, b.u.s));
        return jinja_work(r, a.u.s->n + b.u.s->n);
    }
    if (op == '+' && is_plain_list(a) && is_plain_list(b) && a.u.l->kind == b.u.l->kind)
        return add_lists(r, a.u.l, b.u.l, out);
    if (op == '%' && a.type == J_STR && !a.u.s->markup)
        return format_string(r, a.u.s, b, out);
    if (op == '*' && (is_int(a) || is_int(b))) {
        struct jval many = is_int(a) ? b : a;
        int64_t times = as_int(is_int(a) ? a : b);
        if (many.type == J_STR && !many.u.s->markup)
            return repeat_string(r, many.u.s, times, out);
        if (is_plain_list(many))
            return repeat_list(r, many.u.l, times, out);
    }
    return undefined_in(r, a, b, op);
}

static int eval_concat(struct jrun *r, const struct jnode *n, struct jval *out)
{
    struct jval a, b;
    const struct jstr *x, *y;
    struct jbuf buf = {0};
    if (jinja_eval(r, n->a, &a) < 0 || jinja_eval(r, n->b, &b) < 0 || jv_string(r, a, &x) < 0 ||
        jv_string(r, b, &y) < 0)
        return -1;
    jbuf_add_str(&buf, x);
    jbuf_add_str(&buf, y);
    *out = jv_str(jbuf_freeze(r, &buf));
    return jinja_work(r, x->n + y->n);
}

static int compare_step(struct jrun *r, int op, struct jval a, struct jval b, bool *out)
{
    int order;
    switch (op) {
    case JOP('=', '='):
        return jv_equal(r, a, b, out);
    case JOP('!', '='):
        if (jv_equal(r, a, b, out) < 0)
            return -1;
        *out = !*out;
        return 0;
    case JOP_IN:
        return jv_contains(r, b, a, out);
    case JOP_NOT_IN:
        if (jv_contains(r, b, a, out) < 0)
            return -1;
        *out = !*out;
        return 0;
    default:
        break;
    }
    if (jv_compare(r, a, b, &order) < 0)
        return -1;
    *out = op == '<' ? order < 0 : op == '>' ? order > 0 : op == JOP('<', '=') ? order <= 0
                                                                              : order >= 0;
    return 0;
}

static int eval_compare(struct jrun *r, const struct jnode *n, struct jval *out)
{
    struct jval left, right;
    bool holds = true;
    if (jinja_eval(r, n->a, &left) < 0)
        return -1;
    for (const struct jnode *step = n->kids; step && holds; step = step->next) {
        if (jinja_eval(r, step->a, &right) < 0 || compare_step(r, step->op, left, right, &holds) < 0)
            return -1;
        left = right;
    }
    *out = jv_bool(holds);
    return 0;
}

static int eval_sign(struct jrun *r, const struct jnode *n, struct jval *out)
{
    if (jinja_eval(r, n->a, out) < 0)
        return -1;
    if (!jv_is_number(*out))
        return jinja_fail(r, "a sign before %s", jv_type(*out));
    if (out->type == J_FLOAT)
        out->u.f = n->kind == N_NEG ? -out->u.f : out->u.f;
    else
        *out = jv_int(n->kind == N_NEG ? -as_int(*out) : as_int(*out));
    return 0;
}

/* --- containers ------------------------------------------------------------------------------ */

static int eval_list(struct jrun *r, const struct jnode *n, struct jval *out)
{
    struct jlist *l = jlist_new(r, n->kind == N_TUPLE ? JL_TUPLE : JL_LIST, 0);
    for (const struct jnode *kid = n->kids; kid; kid = kid->next) {
        struct jval v;
        if (jinja_eval(r, kid, &v) < 0)
            return -1;
        jlist_add(r, l, v);
    }
    *out = jv_list(l);
    return 0;
}

static int eval_dict(struct jrun *r, const struct jnode *n, struct jval *out)
{
    struct jdict *d = jdict_new(r);
    for (const struct jnode *kid = n->kids; kid; kid = kid->next) {
        struct jval key, value;
        if (jinja_eval(r, kid->a, &key) < 0 || jinja_eval(r, kid->b, &value) < 0 ||
            jdict_set(r, d, key, value) < 0)
            return -1;
    }
    *out = (struct jval){.type = J_DICT, .u.d = d};
    return 0;
}

static int eval_slice(struct jrun *r, const struct jnode *n, struct jval *out)
{
    const struct jnode *nodes[3] = {n->b, n->c, n->kw};
    struct jval of, parts[3] = {jv_none(), jv_none(), jv_none()};
    if (jinja_eval(r, n->a, &of) < 0)
        return -1;
    for (int i = 0; i < 3; i++)
        if (nodes[i] && jinja_eval(r, nodes[i], &parts[i]) < 0)
            return -1;
    return jv_slice(r, of, parts, out);
}

/* --- calls, filters, tests ------------------------------------------------------------------- */

/* A value, or those of *list. */
static int add_arg(struct jrun *r, const struct jnode *n, struct jlist *l)
{
    const struct jval *items;
    struct jval v;
    size_t n_items;
    if (jinja_eval(r, n->kind == N_STAR ? n->a : n, &v) < 0)
        return -1;
    if (n->kind != N_STAR) {
        jlist_add(r, l, v);
        return 0;
    }
    if (jv_items(r, v, &items, &n_items) < 0 || jinja_work(r, n_items * sizeof *items) < 0)
        return -1;
    if (n_items > 1000)
        return jinja_fail(r, "a call with %zu arguments", n_items);
    for (size_t i = 0; i < n_items; i++)
        jlist_add(r, l, items[i]);
    return 0;
}

static int eval_args(struct jrun *r, const struct jnode *n, struct jargs *args)
{
    int n_kw = 0;
    *args = (struct jargs){0};
    if (!n->kids && !n->kw)
        return 0;
    struct jlist *l = jlist_new(r, JL_LIST, 0);
    for (const struct jnode *kid = n->kids; kid; kid = kid->next)
        if (add_arg(r, kid, l) < 0)
            return -1;
    for (const struct jnode *kid = n->kw; kid; kid = kid->next)
        n_kw++;
    struct jval *values = jinja_alloc(r, (size_t)n_kw * sizeof *values + 1);
    const char **names = jinja_alloc(r, (size_t)n_kw * sizeof *names + 1);
    for (const struct jnode *kid = n->kw; kid; kid = kid->next, args->n_kw++) {
        names[args->n_kw] = kid->name;
        if (jinja_eval(r, kid->a, &values[args->n_kw]) < 0)
            return -1;
    }
    args->n = (int)l->n;
    args->v = l->v;
    args->kw = names;
    args->kwv = values;
    return 0;
}

static int param_index(const struct jparams *p, const char *name)
{
    for (int i = 0; i < JINJA_MAX_PARAMS && p->names[i]; i++)
        if (strcmp(p->names[i], name) == 0)
            return i;
    return -1;
}

int jinja_bind(struct jrun *r, const char *what, const struct jparams *p, const struct jargs *args,
               struct jbind *out)
{
    int most = 0;
    *out = (struct jbind){.raw = args};
    if (p->names[0] && strcmp(p->names[0], "*") == 0)
        return args->n < p->least ? jinja_fail(r, "'%s' needs an argument", what) : 0;
    while (most < JINJA_MAX_PARAMS && p->names[most])
        most++;
    if (args->n > most)
        return jinja_fail(r, "'%s' takes %d arguments, not %d", what, most, args->n);
    for (int i = 0; i < args->n; i++) {
        out->v[i] = args->v[i];
        out->has[i] = true;
    }
    for (int i = 0; i < args->n_kw; i++) {
        int k = param_index(p, args->kw[i]);
        if (k < 0 || out->has[k])
            return jinja_fail(r, "'%s' with the argument '%s' is not supported", what, args->kw[i]);
        out->v[k] = args->kwv[i];
        out->has[k] = true;
    }
    for (int i = 0; i < p->least; i++)
        if (!out->has[i])
            return jinja_fail(r, "'%s' needs the argument '%s'", what, p->names[i]);
    return 0;
}

static int jinja_call(struct jrun *r, struct jval callee, const struct jargs *args, struct jval *out)
{
    struct jbind bind;
    switch (callee.type) {
    case J_MACRO:
        return jinja_call_macro(r, callee.u.macro, args, out);
    case J_FUNCTION:
        return jinja_bind(r, callee.u.fn->name, &callee.u.fn->params, args, &bind) < 0
                   ? -1
                   : callee.u.fn->fn(r, callee, &bind, out);
    case J_METHOD: {
        const struct jmethod *m = callee.u.bound->method;
        return jinja_bind(r, m->name, &m->params, args, &bind) < 0
                   ? -1
                   : m->fn(r, callee.u.bound->self, &bind, out);
    }
    case J_UNDEFINED:
        return jinja_fail(r, "'%s' cannot be called: it is not defined, or not supported",
                          callee.u.name ? callee.u.name : "it");
    default:
        return jinja_fail(r, "a %s cannot be called", jv_type(callee));
    }
}

static int eval_call(struct jrun *r, const struct jnode *n, struct jval *out)
{
    struct jval callee;
    struct jargs args;
    if (jinja_eval(r, n->a, &callee) < 0 || eval_args(r, n, &args) < 0)
        return -1;
    r->line = n->line;
    return jinja_call(r, callee, &args, out);
}

int jinja_apply_filter(struct jrun *r, const struct jfilter *f, struct jval in,
                       const struct jargs *args, struct jval *out)
{
    struct jbind bind;
    return jinja_bind(r, f->name, &f->params, args, &bind) < 0 ? -1 : f->fn(r, in, &bind, out);
}

int jinja_apply_test(struct jrun *r, const struct jtest *t, struct jval in,
                     const struct jargs *args, bool *out)
{
    if (args->n_kw > 0 || args->n != t->n_args)
        return jinja_fail(r, "the test '%s' takes %d arguments", t->name, t->n_args);
    return t->fn(r, in, args->v, out);
}

static int eval_filter(struct jrun *r, const struct jnode *n, struct jval *out)
{
    struct jval in;
    struct jargs args;
    if (n->a->kind == N_TEXT) /* the body of {% filter %} */
        in = r->piped;
    else if (jinja_eval(r, n->a, &in) < 0)
        return -1;
    if (eval_args(r, n, &args) < 0)
        return -1;
    r->line = n->line;
    return n->filter ? jinja_apply_filter(r, n->filter, in, &args, out)
                     : jinja_fail(r, "the filter '%s' is not supported", n->name);
}

static int eval_test(struct jrun *r, const struct jnode *n, struct jval *out)
{
    struct jval in;
    struct jargs args;
    bool holds;
    if (jinja_eval(r, n->a, &in) < 0 || eval_args(r, n, &args) < 0)
        return -1;
    r->line = n->line;
    if (!n->test)
        return jinja_fail(r, "the test '%s' is not supported", n->name);
    if (jinja_apply_test(r, n->test, in, &args, &holds) < 0)
        return -1;
    *out = jv_bool(holds != n->negated);
    return 0;
}

/* --- all of them ----------------------------------------------------------------------------- */

static int eval_logic(struct jrun *r, const struct jnode *n, struct jval *out)
{
    if (n->kind == N_COND) {
        struct jval cond;
        if (jinja_eval(r, n->b, &cond) < 0)
            return -1;
        if (jv_truth(cond))
            return jinja_eval(r, n->a, out);
        *out = jv_undefined("an if without else");
        return n->c ? jinja_eval(r, n->c, out) : 0;
    }
    if (jinja_eval(r, n->a, out) < 0)
        return -1;
    if (n->kind == N_NOT)
        *out = jv_bool(!jv_truth(*out));
    else if (jv_truth(*out) == (n->kind == N_AND))
        return jinja_eval(r, n->b, out);
    return 0;
}

static int eval_operands(struct jrun *r, const struct jnode *n, struct jval *out)
{
    struct jval a, b;
    if (jinja_eval(r, n->a, &a) < 0 || (n->b && jinja_eval(r, n->b, &b) < 0))
        return -1;
    r->line = n->line;
    if (n->kind == N_ATTR)
        return jv_get_attr(r, a, n->name, out);
    return n->kind == N_ITEM ? jv_get_item(r, a, b, out) : jinja_binary(r, n->op, a, b, out);
}

static int eval_kind(struct jrun *r, const struct jnode *n, struct jval *out)
{
    switch (n->kind) {
    case N_CONST:
        *out = n->value;
        return 0;
    case N_NAME:
        eval_name(r, n->name, out);
        return 0;
    case N_LIST:
    case N_TUPLE:
        return eval_list(r, n, out);
    case N_DICT:
        return eval_dict(r, n, out);
    case N_ATTR:
    case N_ITEM:
    case N_BINARY:
        return eval_operands(r, n, out);
    case N_SLICE:
        return eval_slice(r, n, out);
    case N_CALL:
        return eval_call(r, n, out);
    case N_FILTER:
        return eval_filter(r, n, out);
    case N_TEST:
        return eval_test(r, n, out);
    case N_NEG:
    case N_POS:
        return eval_sign(r, n, out);
    case N_NOT:
    case N_AND:
    case N_OR:
    case N_COND:
        return eval_logic(r, n, out);
    case N_CONCAT:
        return eval_concat(r, n, out);
    case N_COMPARE:
        return eval_compare(r, n, out);
    default:
        BUG("node %d is no expression", (int)n->kind);
    }
}

int jinja_eval(struct jrun *r, const struct jnode *n, struct jval *out)
{
    r->line = n->line;
    if (jinja_work(r, 0) < 0)
        return -1;
    if (++r->depth > MAX_EVAL_DEPTH)
        return jinja_fail(r, "expressions and macros are nested too deeply");
    int rc = eval_kind(r, n, out);
    r->depth--;
    return rc;
}
