/* jinja_parse.c - tokens to statements, and what a compiled template is. */
#include <stdlib.h>
#include <string.h>

#include "data/jinja_internal.h"
#include "data/utf8.h"

#define MAX_DEPTH 100 /* of tags inside tags and brackets inside brackets */

int jinja_fail_at(struct jparser *p, int line, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *text = xvasprintf(fmt, ap);
    va_end(ap);
    err_set(p->err, "%s:%d: %s", p->j->name, line, text);
    free(text);
    return -1;
}

/* --- looking at tokens ----------------------------------------------------------------------- */

const struct jtoken *jinja_peek(const struct jparser *p, size_t ahead)
{
    size_t i = p->at + ahead;
    return &p->tokens[i < p->n ? i : p->n - 1];
}

bool jinja_at_name(const struct jparser *p, const char *name)
{
    const struct jtoken *t = jinja_peek(p, 0);
    return t->type == T_NAME && strcmp(t->s, name) == 0;
}

bool jinja_skip_name(struct jparser *p, const char *name)
{
    bool there = jinja_at_name(p, name);
    p->at += there;
    return there;
}

bool jinja_at_op(const struct jparser *p, int op)
{
    const struct jtoken *t = jinja_peek(p, 0);
    return t->type == T_OP && t->op == op;
}

bool jinja_skip_op(struct jparser *p, int op)
{
    bool there = jinja_at_op(p, op);
    p->at += there;
    return there;
}

int jinja_unexpected(struct jparser *p, const char *wanted)
{
    const struct jtoken *t = jinja_peek(p, 0);
    switch (t->type) {
    case T_NAME:
        return jinja_fail_at(p, t->line, "'%s', expected %s", t->s, wanted);
    case T_OP:
        return jinja_fail_at(p, t->line, "'%c%.1s', expected %s", t->op & 255,
                             t->op > 255 ? (char[]){(char)(t->op >> 8), '\0'} : "", wanted);
    case T_PRINT_END:
    case T_BLOCK_END:
        return jinja_fail_at(p, t->line, "the tag ends, expected %s", wanted);
    case T_END:
        return jinja_fail_at(p, t->line, "the template ends, expected %s", wanted);
    default:
        return jinja_fail_at(p, t->line, "a value, expected %s", wanted);
    }
}

int jinja_expect_op(struct jparser *p, int op)
{
    char wanted[] = {'\'', (char)op, '\'', '\0'};
    return jinja_skip_op(p, op) ? 0 : jinja_unexpected(p, wanted);
}

static int expect(struct jparser *p, enum jtoken_type type, const char *wanted)
{
    if (jinja_peek(p, 0)->type != type)
        return jinja_unexpected(p, wanted);
    p->at++;
    return 0;
}

static int end_block(struct jparser *p)
{
    return expect(p, T_BLOCK_END, "'%}'");
}

struct jnode *jinja_node(struct jparser *p, enum jkind kind)
{
    struct jnode *n = arena_alloc(&p->j->arena, sizeof *n);
    *n = (struct jnode){.kind = kind, .line = jinja_peek(p, 0)->line};
    return n;
}

/* Is the tag at hand {% name ...? */
static bool at_tag(const struct jparser *p, const char *name)
{
    const struct jtoken *t = jinja_peek(p, 1);
    return jinja_peek(p, 0)->type == T_BLOCK_BEGIN && t->type == T_NAME && strcmp(t->s, name) == 0;
}

/* {% end %} */
static int end_of(struct jparser *p, const char *end)
{
    if (!at_tag(p, end)) {
        p->at += jinja_peek(p, 0)->type == T_BLOCK_BEGIN;
        return jinja_unexpected(p, end);
    }
    p->at += 2;
    return end_block(p);
}

/* Statements up to {% end %}, which is read as well. */
static int parse_block(struct jparser *p, const char *end, struct jnode **out)
{
    return jinja_parse_body(p, out) < 0 ? -1 : end_of(p, end);
}

/* --- statements ------------------------------------------------------------------------------ */

/* a, b = of for and set: names, and members of a namespace where allowed. */
static int parse_target(struct jparser *p, bool members, struct jnode **out)
{
    struct jnode *tuple = NULL, **last = NULL;
    for (;;) {
        struct jnode *n = jinja_node(p, N_NAME);
        bool bracket = !tuple && jinja_skip_op(p, '(');
        if (bracket) {
            if (++p->depth > MAX_DEPTH)
                return jinja_fail_at(p, n->line, "more than %d brackets inside one another",
                                     MAX_DEPTH);
            if (parse_target(p, members, &n) < 0 || jinja_expect_op(p, ')') < 0)
                return -1;
            p->depth--;
        } else {
            n->name = jinja_peek(p, 0)->s;
            if (expect(p, T_NAME, "a name") < 0)
                return -1;
            if (strcmp(n->name, "loop") == 0 && (!members || p->loop_depth > 0))
                return jinja_fail_at(p, n->line, "'loop' cannot be assigned to");
            if (members && jinja_skip_op(p, '.')) {
                struct jnode *attr = jinja_node(p, N_ATTR);
                attr->a = n;
                attr->name = jinja_peek(p, 0)->s;
                if (expect(p, T_NAME, "a name") < 0)
                    return -1;
                n = attr;
            }
        }
        if (tuple)
            *last = n;
        last = &n->next;
        if (!jinja_skip_op(p, ',')) {
            *out = tuple ? tuple : n;
            return 0;
        }
        if (!tuple) {
            tuple = jinja_node(p, N_TUPLE);
            tuple->kids = n;
        }
        if (jinja_at_name(p, "in") || jinja_at_op(p, '=')) {
            *out = tuple;
            return 0;
        }
    }
}

/* a = condition, b = body, c = else, or another N_IF */
static int parse_if(struct jparser *p, struct jnode **out)
{
    for (;; p->at += 2) {
        struct jnode *n = *out = jinja_node(p, N_IF);
        if (jinja_parse_tuple(p, false, &n->a) < 0 || end_block(p) < 0 ||
            jinja_parse_body(p, &n->b) < 0)
            return -1;
        out = &n->c;
        if (!at_tag(p, "elif"))
            break;
    }
    if (!at_tag(p, "else"))
        return end_of(p, "endif");
    p->at += 2;
    return end_block(p) < 0 ? -1 : parse_block(p, "endif", out);
}

/* kids = target, a = iterable, kw = condition or NULL, b = body, c = else */
static int parse_for(struct jparser *p, struct jnode **out)
{
    struct jnode *n = *out = jinja_node(p, N_FOR);
    if (parse_target(p, false, &n->kids) < 0)
        return -1;
    if (!jinja_skip_name(p, "in"))
        return jinja_unexpected(p, "'in'");
    if (jinja_parse_tuple(p, false, &n->a) < 0)
        return -1;
    if (jinja_skip_name(p, "if") && jinja_parse_expr(p, &n->kw) < 0)
        return -1;
    if (jinja_at_name(p, "recursive"))
        return jinja_fail_at(p, n->line, "a recursive loop is not supported");
    p->loop_depth++;
    if (end_block(p) < 0 || jinja_parse_body(p, &n->b) < 0)
        return -1;
    p->loop_depth--;
    if (!at_tag(p, "else"))
        return end_of(p, "endfor");
    p->at += 2;
    return end_block(p) < 0 ? -1 : parse_block(p, "endfor", &n->c);
}

static int parse_filters(struct jparser *p, struct jnode **out)
{
    while (jinja_at_op(p, '|'))
        if (jinja_parse_filter(p, out) < 0)
            return -1;
    return 0;
}

/* N_SET: a = target, b = value.  N_SET_BLOCK: a = target, b = body, c = filters over N_TEXT or NULL. */
static int parse_set(struct jparser *p, struct jnode **out)
{
    struct jnode *n = *out = jinja_node(p, N_SET);
    if (parse_target(p, true, &n->a) < 0)
        return -1;
    if (jinja_skip_op(p, '='))
        return jinja_parse_tuple(p, true, &n->b) < 0 ? -1 : end_block(p);
    n->kind = N_SET_BLOCK;
    n->c = jinja_node(p, N_TEXT);
    if (parse_filters(p, &n->c) < 0 || end_block(p) < 0)
        return -1;
    return parse_block(p, "endset", &n->b);
}

/* Parameters: kids = N_NAMEs with their default, or NULL, in a. */
static int parse_params(struct jparser *p, struct jnode *n)
{
    struct jnode **last = &n->kids;
    if (jinja_expect_op(p, '(') < 0)
        return -1;
    while (!jinja_at_op(p, ')')) {
        if (n->kids && jinja_expect_op(p, ',') < 0)
            return -1;
        struct jnode *param = *last = jinja_node(p, N_NAME);
        param->name = jinja_peek(p, 0)->s;
        if (expect(p, T_NAME, "the name of a parameter") < 0)
            return -1;
        if (jinja_skip_op(p, '=') && jinja_parse_expr(p, &param->a) < 0)
            return -1;
        last = &param->next;
    }
    return jinja_expect_op(p, ')');
}

/* kids = parameters, b = body */
static int parse_macro(struct jparser *p, struct jnode **out)
{
    struct jnode *n = *out = jinja_node(p, N_MACRO);
    int loops = p->loop_depth;
    n->name = jinja_peek(p, 0)->s;
    p->loop_depth = 0;
    if (expect(p, T_NAME, "the macro's name") < 0 || parse_params(p, n) < 0 || end_block(p) < 0 ||
        parse_block(p, "endmacro", &n->b) < 0)
        return -1;
    p->loop_depth = loops;
    return 0;
}

/* kids = parameters, a = the call, b = body */
static int parse_call(struct jparser *p, struct jnode **out)
{
    struct jnode *n = *out = jinja_node(p, N_CALL_BLOCK);
    int loops = p->loop_depth;
    n->name = "caller";
    if (jinja_at_op(p, '(') && parse_params(p, n) < 0)
        return -1;
    if (jinja_parse_expr(p, &n->a) < 0)
        return -1;
    if (n->a->kind != N_CALL)
        return jinja_fail_at(p, n->line, "{%% call %%} needs a call");
    p->loop_depth = 0;
    if (end_block(p) < 0 || parse_block(p, "endcall", &n->b) < 0)
        return -1;
    p->loop_depth = loops;
    return 0;
}

/* b = body, c = filters over N_TEXT */
static int parse_filter_block(struct jparser *p, struct jnode **out)
{
    struct jnode *n = *out = jinja_node(p, N_FILTER_BLOCK);
    n->c = jinja_node(p, N_TEXT);
    p->at--; /* the word `filter` stands where a "|" would */
    if (jinja_parse_filter(p, &n->c) < 0 || parse_filters(p, &n->c) < 0 || end_block(p) < 0)
        return -1;
    return parse_block(p, "endfilter", &n->b);
}

/* kids = N_SETs, b = body */
static int parse_with(struct jparser *p, struct jnode **out)
{
    struct jnode *n = *out = jinja_node(p, N_WITH), **last = &n->kids;
    while (jinja_peek(p, 0)->type != T_BLOCK_END) {
        if (n->kids && jinja_expect_op(p, ',') < 0)
            return -1;
        struct jnode *set = *last = jinja_node(p, N_SET);
        set->a = jinja_node(p, N_NAME);
        set->a->name = jinja_peek(p, 0)->s;
        if (expect(p, T_NAME, "a name") < 0 || jinja_expect_op(p, '=') < 0 ||
            jinja_parse_expr(p, &set->b) < 0)
            return -1;
        last = &set->next;
    }
    return end_block(p) < 0 ? -1 : parse_block(p, "endwith", &n->b);
}

static int parse_generation(struct jparser *p, struct jnode **out)
{
    struct jnode *n = *out = jinja_node(p, N_GENERATION);
    int loops = p->loop_depth;
    p->j->marks_generation = true;
    p->loop_depth = 0;
    if (end_block(p) < 0 || parse_block(p, "endgeneration", &n->b) < 0)
        return -1;
    p->loop_depth = loops;
    return 0;
}

static int parse_jump(struct jparser *p, enum jkind kind, struct jnode **out)
{
    *out = jinja_node(p, kind);
    if (p->loop_depth == 0)
        return jinja_fail_at(p, (*out)->line, "%s outside of a loop",
                             kind == N_BREAK ? "'break'" : "'continue'");
    return end_block(p);
}

static int parse_break(struct jparser *p, struct jnode **out)
{
    return parse_jump(p, N_BREAK, out);
}

static int parse_continue(struct jparser *p, struct jnode **out)
{
    return parse_jump(p, N_CONTINUE, out);
}

static const struct {
    const char *name;
    int (*parse)(struct jparser *p, struct jnode **out);
} statements[] = {
    {"if", parse_if},         {"for", parse_for},
    {"set", parse_set},       {"macro", parse_macro},
    {"call", parse_call},     {"filter", parse_filter_block},
    {"with", parse_with},     {"generation", parse_generation},
    {"break", parse_break},   {"continue", parse_continue},
};

static bool ends_block(const char *name)
{
    static const char *const ends[] = {"elif",     "else",    "endif",     "endfor",  "endset",
                                       "endmacro", "endcall", "endfilter", "endwith", "endgeneration"};
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
        if (strcmp(name, ends[i]) == 0)
            return true;
    return false;
}

/* From the tag's name on. */
static int parse_statement(struct jparser *p, struct jnode **out)
{
    const struct jtoken *t = jinja_peek(p, 0);
    for (size_t i = 0; i < ARRAY_SIZE(statements); i++)
        if (jinja_skip_name(p, statements[i].name))
            return statements[i].parse(p, out);
    if (t->type != T_NAME)
        return jinja_unexpected(p, "a statement");
    return jinja_fail_at(p, t->line, "the statement '%s' is not supported", t->s);
}

static int parse_print(struct jparser *p, struct jnode **out)
{
    struct jnode *n = *out = jinja_node(p, N_PRINT);
    return jinja_parse_tuple(p, true, &n->a) < 0 ? -1 : expect(p, T_PRINT_END, "'}}'");
}

static void parse_text(struct jparser *p, struct jnode **out)
{
    const struct jtoken *t = jinja_peek(p, 0);
    struct jnode *n = *out = jinja_node(p, N_TEXT);
    struct jstr *s = arena_alloc(&p->j->arena, sizeof *s);
    *s = (struct jstr){.s = t->s, .n = t->n};
    n->value = jv_str(s);
    p->at++;
}

/* Statements and text up to a tag that ends a block, or the end. */
int jinja_parse_body(struct jparser *p, struct jnode **out)
{
    struct jnode *body = *out = jinja_node(p, N_BODY), **last = &body->kids;
    if (++p->depth > MAX_DEPTH)
        return jinja_fail_at(p, body->line, "more than %d tags inside one another", MAX_DEPTH);
    for (;; last = &(*last)->next) {
        int rc = 0;
        const struct jtoken *t = jinja_peek(p, 0);
        if (t->type == T_END)
            break;
        if (t->type == T_BLOCK_BEGIN && jinja_peek(p, 1)->type == T_NAME &&
            ends_block(jinja_peek(p, 1)->s))
            break;
        if (t->type == T_TEXT) {
            parse_text(p, last);
            continue;
        }
        p->at++;
        rc = t->type == T_PRINT_BEGIN ? parse_print(p, last) : parse_statement(p, last);
        if (rc < 0)
            return -1;
    }
    p->depth--;
    return 0;
}

/* --- a template ------------------------------------------------------------------------------ */

static int compile(struct jparser *p, const char *text, size_t n)
{
    if (utf8_valid_prefix(text, n) < n || memchr(text, '\0', n))
        return err_set(p->err, "%s: not text in UTF-8", p->j->name);
    if (jinja_lex(p, text, n) < 0 || jinja_parse_body(p, &p->j->body) < 0)
        return -1;
    if (jinja_peek(p, 0)->type == T_END)
        return 0;
    p->at++;
    return jinja_unexpected(p, "a statement");
}

struct jinja *jinja_compile(const char *text, size_t n, const char *name, struct err *err)
{
    struct jinja *j = xcalloc(1, sizeof *j);
    struct jparser p = {.j = j, .err = err};
    j->name = xstrdup(name);
    int rc = compile(&p, text, n);
    free(p.tokens);
    if (rc == 0)
        return j;
    jinja_free(j);
    return NULL;
}

void jinja_free(struct jinja *j)
{
    if (!j)
        return;
    arena_release(&j->arena);
    free(j->name);
    free(j);
}

bool jinja_marks_generation(const struct jinja *j)
{
    return j->marks_generation;
}
