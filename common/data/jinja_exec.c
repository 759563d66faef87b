/* jinja_exec.c - statements, macros, and a whole rendering with its limits. */
#include <stdlib.h>
#include <string.h>

#include "data/jinja_internal.h"

#define MAX_STEPS ((int64_t)20000000)
#define MAX_BYTES ((size_t)256 << 20)
#define MAX_OUTPUT ((size_t)64 << 20)
#define MAX_EXEC_DEPTH 1000

int jinja_fail(struct jrun *r, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *text = xvasprintf(fmt, ap);
    va_end(ap);
    err_set(r->err, "%s:%d: %s", r->j->name, r->line, text);
    free(text);
    return -1;
}

int jinja_work(struct jrun *r, size_t bytes)
{
    r->steps += 1 + (int64_t)(bytes / 32);
    int64_t most = r->in->max_steps ? r->in->max_steps : MAX_STEPS;
    if (r->steps > most)
        return jinja_fail(r, "the template does not end: stopped after %lld steps",
                          (long long)most);
    if (r->bytes > MAX_BYTES)
        return jinja_fail(r, "the template uses more than %zu MiB", MAX_BYTES >> 20);
    if (r->out->text.len > MAX_OUTPUT)
        return jinja_fail(r, "the template writes more than %zu MiB", MAX_OUTPUT >> 20);
    return 0;
}

int jinja_room(struct jrun *r, size_t n, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(n, size, &total) || total > MAX_BYTES - r->bytes)
        return jinja_fail(r, "the template uses more than %zu MiB", MAX_BYTES >> 20);
    return 0;
}

void *jinja_alloc(struct jrun *r, size_t bytes)
{
    r->bytes += bytes;
    return arena_alloc(&r->arena, bytes);
}

/* --- names ----------------------------------------------------------------------------------- */

static void jinja_scope_set(struct jrun *r, const char *name, struct jval v)
{
    for (struct jvar *var = r->scope->vars; var; var = var->next)
        if (strcmp(var->name, name) == 0) {
            var->value = v;
            return;
        }
    struct jvar *var = jinja_alloc(r, sizeof *var);
    *var = (struct jvar){name, v, r->scope->vars};
    r->scope->vars = var;
}

static struct jscope *enter(struct jrun *r, struct jscope *up)
{
    struct jscope *s = jinja_alloc(r, sizeof *s), *before = r->scope;
    *s = (struct jscope){.up = up};
    r->scope = s;
    return before;
}

static int assign(struct jrun *r, const struct jnode *target, struct jval v);

static int unpack(struct jrun *r, const struct jnode *target, struct jval v)
{
    const struct jval *items;
    size_t n, i = 0;
    if (jv_items(r, v, &items, &n) < 0)
        return -1;
    for (const struct jnode *kid = target->kids; kid; kid = kid->next, i++)
        if (i < n && assign(r, kid, items[i]) < 0)
            return -1;
    return i == n ? 0 : jinja_fail(r, "%zu values for %zu names", n, i);
}

static int assign(struct jrun *r, const struct jnode *target, struct jval v)
{
    if (target->kind == N_TUPLE)
        return unpack(r, target, v);
    if (target->kind == N_NAME) {
        jinja_scope_set(r, target->name, v);
        return 0;
    }
    struct jval ns;
    if (jinja_eval(r, target->a, &ns) < 0)
        return -1;
    if (ns.type != J_NAMESPACE)
        return jinja_fail(r, "'%s' is not a namespace, so its members cannot be set",
                          target->a->name);
    if (target->name[0] == '_')
        return jinja_fail(r, "a namespace cannot hold '%s'", target->name);
    return jdict_set(r, ns.u.d, jv_text(r, target->name, JINJA_TEMPLATE), v);
}

/* --- what is written ------------------------------------------------------------------------- */

/* Runs body in a scope of its own below `up`; what it writes becomes a string. */
static int capture(struct jrun *r, const struct jnode *body, struct jscope *up,
                   const struct jstr **out)
{
    struct jbuf buf = {0}, *before = r->out;
    struct jscope *scope = enter(r, up);
    r->out = &buf;
    int rc = jinja_exec(r, body);
    r->out = before;
    r->scope = scope;
    if (rc == 0)
        *out = jbuf_freeze(r, &buf);
    jbuf_release(&buf);
    return rc;
}

static void add_span(struct jinja_spans *s, size_t begin, size_t end, int64_t message)
{
    if (begin == end)
        return;
    GROW(s->spans, s->n, s->cap);
    s->spans[s->n++] = (struct jinja_span){begin, end, message};
}

static int exec_print(struct jrun *r, const struct jnode *n)
{
    struct jval v;
    if (jinja_eval(r, n->a, &v) < 0)
        return -1;
    r->line = n->line;
    return jv_print(r, v, r->out);
}

static int filtered(struct jrun *r, const struct jnode *filters, const struct jstr *text,
                    struct jval *out)
{
    struct jval before = r->piped;
    *out = r->piped = jv_str(text);
    int rc = filters->kind == N_TEXT ? 0 : jinja_eval(r, filters, out);
    r->piped = before;
    return rc;
}

static int exec_captured(struct jrun *r, const struct jnode *n)
{
    const struct jstr *text = NULL;
    struct jval v;
    if (capture(r, n->b, r->scope, &text) < 0 || filtered(r, n->c, text, &v) < 0)
        return -1;
    return n->kind == N_SET_BLOCK ? assign(r, n->a, v) : jv_print(r, v, r->out);
}

static int exec_generation(struct jrun *r, const struct jnode *n)
{
    struct jscope *scope = r->scope;
    size_t begin = r->out->text.len;
    if (r->out != r->root)
        return jinja_fail(r, "{%% generation %%} inside a macro or a captured block is not "
                             "supported");
    enter(r, scope);
    int rc = jinja_exec(r, n->b);
    r->scope = scope;
    add_span(&r->result->generation, begin, r->out->text.len, -1);
    return rc;
}

/* --- macros ---------------------------------------------------------------------------------- */

static const struct jval *keyword(const struct jargs *args, const char *name)
{
    for (int i = 0; i < args->n_kw; i++)
        if (strcmp(args->kw[i], name) == 0)
            return &args->kwv[i];
    return NULL;
}

static int bind_params(struct jrun *r, const struct jmacro *m, const struct jargs *args)
{
    int i = 0, used = 0;
    for (const struct jnode *p = m->node->kids; p; p = p->next, i++) {
        const struct jval *kw = keyword(args, p->name);
        struct jval v = jv_undefined(p->name);
        if (i < args->n && kw)
            return jinja_fail(r, "'%s' is given twice", p->name);
        if (i < args->n)
            v = args->v[i];
        else if (kw)
            v = *kw;
        else if (p->a && jinja_eval(r, p->a, &v) < 0)
            return -1;
        used += kw != NULL;
        jinja_scope_set(r, p->name, v);
    }
    const struct jval *caller = keyword(args, "caller");
    if (caller)
        jinja_scope_set(r, "caller", *caller);
    if (args->n > i || args->n_kw > used + (caller != NULL))
        return jinja_fail(r, "the macro '%s' is called with more than its %d arguments",
                          m->node->name, i);
    return 0;
}

int jinja_call_macro(struct jrun *r, const struct jmacro *m, const struct jargs *args,
                     struct jval *out)
{
    struct jbuf buf = {0}, *before = r->out;
    struct jscope *scope = enter(r, m->scope);
    r->out = &buf;
    int rc = bind_params(r, m, args);
    if (rc == 0)
        rc = jinja_exec(r, m->node->b);
    r->out = before;
    r->scope = scope;
    if (rc == 0)
        *out = jv_str(jbuf_freeze(r, &buf));
    jbuf_release(&buf);
    return rc;
}

static struct jval new_macro(struct jrun *r, const struct jnode *n)
{
    struct jmacro *m = jinja_alloc(r, sizeof *m);
    *m = (struct jmacro){n, r->scope};
    return (struct jval){.type = J_MACRO, .u.macro = m};
}

/* {% call f(x) %}: f(x, caller=...) */
static int exec_call_block(struct jrun *r, const struct jnode *n)
{
    struct jnode call = *n->a, kw = {.kind = N_KEYWORD, .line = n->line, .name = "caller"};
    struct jnode value = {.kind = N_CONST, .line = n->line, .value = new_macro(r, n)};
    struct jval v;
    kw.a = &value;
    kw.next = call.kw;
    call.kw = &kw;
    return jinja_eval(r, &call, &v) < 0 ? -1 : jv_print(r, v, r->out);
}

/* --- loops ----------------------------------------------------------------------------------- */

/* The items for which the loop's condition holds. */
static int select_items(struct jrun *r, const struct jnode *n, const struct jval **items, size_t *n_items)
{
    struct jlist *l = jlist_new(r, JL_LIST, 0);
    for (size_t i = 0; i < *n_items; i++) {
        struct jscope *scope = enter(r, r->scope);
        struct jval holds;
        int rc = assign(r, n->kids, (*items)[i]);
        if (rc == 0)
            rc = jinja_eval(r, n->kw, &holds);
        r->scope = scope;
        if (rc < 0)
            return -1;
        if (jv_truth(holds))
            jlist_add(r, l, (*items)[i]);
    }
    *items = l->v;
    *n_items = l->n;
    return 0;
}

static int exec_pass(struct jrun *r, const struct jnode *n, struct jloop *loop)
{
    struct jval item = loop->items[loop->i];
    struct jscope *scope = enter(r, r->scope);
    int64_t message = item.type == J_DICT ? item.u.d->message : 0;
    bool turn = message > 0 && !r->in_turn && r->out == r->root;
    size_t begin = r->out->text.len;
    int rc = assign(r, n->kids, item);
    r->in_turn |= turn;
    jinja_scope_set(r, "loop", (struct jval){.type = J_LOOP, .u.loop = loop});
    if (rc == 0)
        rc = jinja_exec(r, n->b);
    if (turn) {
        r->in_turn = false;
        add_span(&r->result->turns, begin, r->out->text.len, message - 1);
    }
    r->scope = scope;
    return rc;
}

static int exec_for(struct jrun *r, const struct jnode *n)
{
    struct jval iterable;
    struct jloop *loop = jinja_alloc(r, sizeof *loop);
    *loop = (struct jloop){0};
    if (jinja_eval(r, n->a, &iterable) < 0)
        return -1;
    r->line = n->line;
    if (jv_items(r, iterable, &loop->items, &loop->n) < 0 ||
        (n->kw && select_items(r, n, &loop->items, &loop->n) < 0))
        return -1;
    if (loop->n == 0 && n->c) {
        struct jscope *scope = enter(r, r->scope);
        int rc = jinja_exec(r, n->c);
        r->scope = scope;
        return rc;
    }
    for (; loop->i < loop->n; loop->i++) {
        if (exec_pass(r, n, loop) < 0)
            return -1;
        bool broken = r->flow == FLOW_BREAK;
        r->flow = FLOW_ON;
        if (broken)
            break;
    }
    return 0;
}

/* --- all of them ----------------------------------------------------------------------------- */

static int exec_if(struct jrun *r, const struct jnode *n)
{
    while (n && n->kind == N_IF) {
        struct jval cond;
        if (jinja_eval(r, n->a, &cond) < 0)
            return -1;
        if (jv_truth(cond))
            return jinja_exec(r, n->b);
        n = n->c;
    }
    return n ? jinja_exec(r, n) : 0;
}

static int exec_set(struct jrun *r, const struct jnode *n)
{
    struct jval v;
    if (jinja_eval(r, n->b, &v) < 0)
        return -1;
    r->line = n->line;
    return assign(r, n->a, v);
}

/* The values are of the scope outside. */
static int exec_with(struct jrun *r, const struct jnode *n)
{
    struct jlist *values = jlist_new(r, JL_LIST, 0);
    for (const struct jnode *set = n->kids; set; set = set->next) {
        struct jval v;
        if (jinja_eval(r, set->b, &v) < 0)
            return -1;
        jlist_add(r, values, v);
    }
    struct jscope *scope = enter(r, r->scope);
    size_t i = 0;
    for (const struct jnode *set = n->kids; set; set = set->next)
        jinja_scope_set(r, set->a->name, values->v[i++]);
    int rc = jinja_exec(r, n->b);
    r->scope = scope;
    return rc;
}

static int exec_statement(struct jrun *r, const struct jnode *n)
{
    r->line = n->line;
    if (jinja_work(r, 0) < 0)
        return -1;
    switch (n->kind) {
    case N_TEXT:
        jbuf_add_str(r->out, n->value.u.s);
        return jinja_work(r, n->value.u.s->n);
    case N_PRINT:
        return exec_print(r, n);
    case N_IF:
        return exec_if(r, n);
    case N_FOR:
        return exec_for(r, n);
    case N_SET:
        return exec_set(r, n);
    case N_SET_BLOCK:
    case N_FILTER_BLOCK:
        return exec_captured(r, n);
    case N_MACRO:
        jinja_scope_set(r, n->name, new_macro(r, n));
        return 0;
    case N_CALL_BLOCK:
        return exec_call_block(r, n);
    case N_WITH:
        return exec_with(r, n);
    case N_GENERATION:
        return exec_generation(r, n);
    case N_BREAK:
    case N_CONTINUE:
        r->flow = n->kind == N_BREAK ? FLOW_BREAK : FLOW_CONTINUE;
        return 0;
    default:
        BUG("node %d is no statement", (int)n->kind);
    }
}

int jinja_exec(struct jrun *r, const struct jnode *body)
{
    if (++r->depth > MAX_EXEC_DEPTH)
        return jinja_fail(r, "expressions and macros are nested too deeply");
    for (const struct jnode *n = body->kids; n && r->flow == FLOW_ON; n = n->next)
        if (exec_statement(r, n) < 0)
            return -1;
    r->depth--;
    return 0;
}

/* --- a rendering ----------------------------------------------------------------------------- */

/* A plain word cannot forge a marker by itself, and markers like <|user|> are made of roles. */
static bool is_word(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    return n > 0 && s[n] == '\0';
}

/* The reasoning under the names that templates look for, as transformers does it. */
static int alias_reasoning(struct jrun *r, struct jdict *m)
{
    static const char *const names[] = {"reasoning_content", "thinking", "reasoning"};
    const struct jval *found = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(names) && (!found || found->type == J_NONE); i++)
        found = jdict_find(m, names[i], strlen(names[i]));
    if (!found || found->type == J_NONE)
        return 0;
    struct jval text = *found;
    if (!jdict_find(m, names[1], strlen(names[1])) &&
        jdict_set(r, m, jv_text(r, names[1], JINJA_TEMPLATE), text) < 0)
        return -1;
    return jdict_set(r, m, jv_text(r, names[0], JINJA_TEMPLATE), text);
}

static int add_message(struct jrun *r, struct jlist *all, const json_t *message)
{
    const char *role = json_string_value(json_object_get(message, "role"));
    bool assistant = role && strcmp(role, "assistant") == 0;
    struct jval v;
    if (jv_from_json(r, message, assistant ? JINJA_ASSISTANT : JINJA_DATA, &v) < 0)
        return -1;
    if (v.type == J_DICT) {
        v.u.d->message = (int64_t)all->n + 1;
        struct jval *named = jdict_find(v.u.d, "role", 4);
        if (role && is_word(role) && named)
            *named = jv_text(r, role, JINJA_TEMPLATE);
        if (alias_reasoning(r, v.u.d) < 0)
            return -1;
    }
    jlist_add(r, all, v);
    return 0;
}

static int set_json(struct jrun *r, const char *name, const json_t *value, enum jinja_origin origin)
{
    struct jval v;
    if (jv_from_json(r, value, origin, &v) < 0)
        return -1;
    jinja_scope_set(r, name, v);
    return 0;
}

static int set_all(struct jrun *r, const json_t *object, enum jinja_origin origin)
{
    json_t *obj = (json_t *)(uintptr_t)object; /* jansson's iterators change nothing */
    for (void *it = json_object_iter(obj); it; it = json_object_iter_next(obj, it))
        if (set_json(r, json_object_iter_key(it), json_object_iter_value(it), origin) < 0)
            return -1;
    return 0;
}

static int set_variables(struct jrun *r, const struct jinja_input *in)
{
    struct jlist *messages = jlist_new(r, JL_LIST, json_array_size(in->messages));
    for (size_t i = 0; i < json_array_size(in->messages); i++)
        if (add_message(r, messages, json_array_get(in->messages, i)) < 0)
            return -1;
    if (set_all(r, in->tokens, JINJA_TEMPLATE) < 0 || set_all(r, in->variables, JINJA_DATA) < 0 ||
        set_json(r, "tools", in->tools, JINJA_DATA) < 0 ||
        set_json(r, "documents", in->documents, JINJA_DATA) < 0)
        return -1;
    jinja_scope_set(r, "messages", jv_list(messages));
    jinja_scope_set(r, "add_generation_prompt", jv_bool(in->add_generation_prompt));
    return 0;
}

int jinja_render(const struct jinja *j, const struct jinja_input *in, struct jinja_output *out,
                 struct err *err)
{
    struct jbuf buf = {0};
    struct jscope root = {0};
    struct err why = {0};
    struct jrun r = {.j = j, .in = in, .result = out, .scope = &root, .out = &buf, .root = &buf,
                     .line = 1, .err = &why};
    strbuf_reserve(&buf.text, 1);
    strbuf_reserve(&buf.origin, 1);
    int rc = set_variables(&r, in);
    if (rc == 0)
        rc = jinja_exec(&r, j->body);
    arena_release(&r.arena);
    out->text = buf.text;
    out->origin = buf.origin;
    return rc < 0 ? err_set(err, "%s", why.text) : 0;
}

void jinja_output_release(struct jinja_output *out)
{
    strbuf_release(&out->text);
    strbuf_release(&out->origin);
    free(out->generation.spans);
    free(out->turns.spans);
    *out = (struct jinja_output){0};
}
