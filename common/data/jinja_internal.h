/* jinja_internal.h - the parts of the interpreter; for jinja_*.c only.
 *
 *     text -> tokens -> tree -> values and output
 *         _lex.c   _parse.c, _expr.c   _eval.c, _exec.c; _filters.c, _methods.c, _is.c
 *
 * Values behave as Python's do, for that is what templates were written against.
 * Everything a rendering makes lies in its arena; nothing is freed before its end.
 */
#ifndef TP_DATA_JINJA_INTERNAL_H
#define TP_DATA_JINJA_INTERNAL_H

#include "base/mem.h"
#include "data/jinja.h"

/* --- values -------------------------------------------------------------------------------- */

enum jtype {
    J_UNDEFINED,
    J_NONE,
    J_BOOL,
    J_INT,
    J_FLOAT,
    J_STR,
    J_LIST, /* and tuples, iterators, views of dictionaries: see jlist_kind */
    J_DICT,
    J_NAMESPACE, /* a dictionary whose members can be set */
    J_LOOP,
    J_MACRO,
    J_FUNCTION, /* a global function */
    J_METHOD    /* a method bound to its object */
};

struct jval {
    enum jtype type;
    union {
        bool b;
        int64_t i;
        double f;
        const char *name; /* of J_UNDEFINED, for messages; may be NULL */
        const struct jstr *s;
        struct jlist *l;
        struct jdict *d;
        struct jloop *loop;
        const struct jmacro *macro;
        const struct jfunction *fn;
        const struct jbound *bound;
    } u;
};

struct jstr {
    size_t n;
    const char *s;         /* valid UTF-8, NUL after the end */
    const uint8_t *origin; /* [n], or NULL: all bytes are `uniform` */
    uint8_t uniform;
    bool markup; /* marked safe: what is added to it is escaped */
};

enum jlist_kind { JL_LIST, JL_TUPLE, JL_ITERATOR, JL_VIEW };
struct jlist {
    enum jlist_kind kind;
    bool used; /* an iterator that was read is empty */
    size_t n, cap;
    struct jval *v;
};

struct jpair {
    struct jval key, value;
};
struct jdict {
    size_t n, cap;
    struct jpair *p;
    int64_t message; /* 1 + number of the message it is; 0 = none */
};

struct jloop {
    size_t i, n;
    const struct jval *items; /* [n] */
    struct jval last_changed;
    bool has_changed;
};

struct jbound {
    struct jval self;
    const struct jmethod *method;
};

/* --- tree ---------------------------------------------------------------------------------- */

enum jkind {
    /* expressions */
    N_CONST, N_NAME, N_LIST, N_TUPLE, N_DICT, N_ATTR, N_ITEM, N_SLICE, N_CALL, N_FILTER, N_TEST,
    N_NEG, N_POS, N_NOT, N_AND, N_OR, N_BINARY, N_CONCAT, N_COMPARE, N_COMPARE_STEP, N_COND,
    N_KEYWORD, N_STAR,
    /* statements */
    N_BODY, N_TEXT, N_PRINT, N_IF, N_FOR, N_SET, N_SET_BLOCK, N_MACRO, N_CALL_BLOCK, N_FILTER_BLOCK,
    N_WITH, N_GENERATION, N_BREAK, N_CONTINUE
};

struct jnode {
    enum jkind kind;
    int line;
    int op;                    /* N_BINARY, N_COMPARE_STEP: a JOP() */
    struct jnode *a, *b, *c;   /* by kind, see the parser */
    struct jnode *kids, *next; /* kids: arguments, elements, statements; linked by next */
    struct jnode *kw;          /* N_KEYWORDs */
    const char *name;
    struct jval value;         /* N_CONST, N_TEXT */
    const struct jfilter *filter;
    const struct jtest *test;
    bool negated;
};

#define JOP(a, b) ((a) | (b) << 8)
enum { JOP_IN = 1, JOP_NOT_IN = 2 };

enum jtoken_type { T_TEXT, T_PRINT_BEGIN, T_PRINT_END, T_BLOCK_BEGIN, T_BLOCK_END, T_NAME, T_STRING,
                   T_INT, T_FLOAT, T_OP, T_END };
struct jtoken {
    enum jtoken_type type;
    int line;
    int op; /* T_OP */
    const char *s; /* T_TEXT, T_NAME, T_STRING: NUL-terminated in the arena */
    size_t n;
    int64_t i;
    double f;
};

struct jinja {
    struct arena arena;
    char *name;
    struct jnode *body;
    bool marks_generation;
};

/* Whoever reads a template: lexer and parser. */
struct jparser {
    struct jinja *j;
    struct jtoken *tokens;
    size_t n, cap, at;
    int depth, loop_depth;
    struct err *err;
};
int jinja_fail_at(struct jparser *p, int line, const char *fmt, ...) PRINTF_LIKE(3, 4); /* -1 */
int jinja_lex(struct jparser *p, const char *text, size_t n) WARN_UNUSED;
int jinja_parse_body(struct jparser *p, struct jnode **out) WARN_UNUSED;
struct jnode *jinja_node(struct jparser *p, enum jkind kind);
const struct jtoken *jinja_peek(const struct jparser *p, size_t ahead);
bool jinja_at_name(const struct jparser *p, const char *name);
bool jinja_skip_name(struct jparser *p, const char *name);
bool jinja_at_op(const struct jparser *p, int op);
bool jinja_skip_op(struct jparser *p, int op);
int jinja_expect_op(struct jparser *p, int op) WARN_UNUSED;
int jinja_unexpected(struct jparser *p, const char *wanted); /* -1 */
/* An expression; one that may be a tuple without parentheses; a filter from its "|" on. */
int jinja_parse_expr(struct jparser *p, struct jnode **out) WARN_UNUSED;
int jinja_parse_tuple(struct jparser *p, bool with_if, struct jnode **out) WARN_UNUSED;
int jinja_parse_filter(struct jparser *p, struct jnode **in_out) WARN_UNUSED;

/* --- rendering ----------------------------------------------------------------------------- */

struct jvar {
    const char *name;
    struct jval value;
    struct jvar *next;
};
struct jscope {
    struct jvar *vars;
    struct jscope *up;
};

struct jbuf {
    struct strbuf text, origin;
};

enum jflow { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE };

struct jrun {
    const struct jinja *j;
    const struct jinja_input *in;
    struct jinja_output *result;
    struct arena arena;
    size_t bytes;  /* given out by the arena */
    int64_t steps; /* done so far */
    int depth, line;
    struct jscope *scope;
    struct jbuf *out, *root; /* written to now; the result */
    enum jflow flow;
    struct jval piped; /* what a {% filter %} or {% set x | f %} works on */
    bool in_turn;      /* inside a loop over the messages */
    struct err *err;
};

struct jmacro {
    const struct jnode *node; /* N_MACRO, or N_CALL_BLOCK: the caller() of a call */
    struct jscope *scope;
};

/* Arguments as they were written. */
struct jargs {
    int n, n_kw;
    struct jval *v;         /* [n] */
    const char *const *kw;  /* [n_kw] */
    const struct jval *kwv; /* [n_kw] */
};
#define JINJA_MAX_PARAMS 5
/* Arguments bound to the parameters of a filter, test, method or function. */
struct jbind {
    struct jval v[JINJA_MAX_PARAMS];
    bool has[JINJA_MAX_PARAMS];
    const struct jargs *raw;
};
struct jparams {
    int least;
    const char *names[JINJA_MAX_PARAMS]; /* NULL-terminated if shorter; "*" first: takes any */
};
typedef int jinja_fn(struct jrun *r, struct jval self, const struct jbind *b, struct jval *out);
struct jfilter {
    const char *name;
    jinja_fn *fn;
    struct jparams params;
};
struct jtest {
    const char *name;
    int (*fn)(struct jrun *r, struct jval v, const struct jval *arg, bool *out);
    int n_args;
};
struct jmethod {
    enum jtype type;
    const char *name;
    jinja_fn *fn;
    struct jparams params;
};
struct jfunction {
    const char *name;
    jinja_fn *fn;
    struct jparams params;
};

int jinja_fail(struct jrun *r, const char *fmt, ...) PRINTF_LIKE(2, 3); /* -1 */
/* Counts work: one step and `bytes` of memory looked at.  -1 when the limits are reached. */
int jinja_work(struct jrun *r, size_t bytes) WARN_UNUSED;
/* May `n` elements of `size` bytes be made? */
int jinja_room(struct jrun *r, size_t n, size_t size) WARN_UNUSED;
void *jinja_alloc(struct jrun *r, size_t bytes);

int jinja_eval(struct jrun *r, const struct jnode *n, struct jval *out) WARN_UNUSED;
int jinja_exec(struct jrun *r, const struct jnode *body) WARN_UNUSED;
int jinja_call_macro(struct jrun *r, const struct jmacro *m, const struct jargs *args,
                     struct jval *out) WARN_UNUSED;
int jinja_bind(struct jrun *r, const char *what, const struct jparams *p, const struct jargs *args,
               struct jbind *out) WARN_UNUSED;
int jinja_apply_filter(struct jrun *r, const struct jfilter *f, struct jval in,
                       const struct jargs *args, struct jval *out) WARN_UNUSED;
int jinja_apply_test(struct jrun *r, const struct jtest *t, struct jval in,
                     const struct jargs *args, bool *out) WARN_UNUSED;
int jinja_binary(struct jrun *r, int op, struct jval a, struct jval b, struct jval *out) WARN_UNUSED;
const struct jfilter *jinja_filter_find(const char *name);
const struct jtest *jinja_test_find(const char *name);
const struct jmethod *jinja_method_find(struct jval self, const char *name);
const struct jfunction *jinja_function_find(const char *name);
extern const struct jfilter jinja_list_filters[];   /* in _lists.c */
extern const struct jmethod jinja_letter_methods[]; /* in _letters.c */

/* --- values, continued --------------------------------------------------------------------- */

struct jval jv_none(void);
struct jval jv_undefined(const char *name);
struct jval jv_bool(bool b);
struct jval jv_int(int64_t i);
struct jval jv_float(double f);
struct jval jv_str(const struct jstr *s);
struct jval jv_list(struct jlist *l);
struct jval jv_text(struct jrun *r, const char *s, enum jinja_origin origin); /* copies */
bool jv_truth(struct jval v);
const char *jv_type(struct jval v); /* Python's name of the type */
bool jv_is_number(struct jval v);   /* bool, int or float */
double jv_number(struct jval v);
int jv_equal(struct jrun *r, struct jval a, struct jval b, bool *out) WARN_UNUSED;
int jv_compare(struct jrun *r, struct jval a, struct jval b, int *out) WARN_UNUSED; /* <0, 0, >0 */
int jv_contains(struct jrun *r, struct jval all, struct jval one, bool *out) WARN_UNUSED;
/* The elements of anything iterable; reading an iterator empties it. */
int jv_items(struct jrun *r, struct jval v, const struct jval **items, size_t *n) WARN_UNUSED;
int jv_get_item(struct jrun *r, struct jval v, struct jval key, struct jval *out) WARN_UNUSED;
int jv_get_attr(struct jrun *r, struct jval v, const char *name, struct jval *out) WARN_UNUSED;
int jv_slice(struct jrun *r, struct jval v, const struct jval part[3], struct jval *out) WARN_UNUSED;
int jv_from_json(struct jrun *r, const json_t *j, enum jinja_origin origin,
                 struct jval *out) WARN_UNUSED;

struct jlist *jlist_new(struct jrun *r, enum jlist_kind kind, size_t cap);
void jlist_add(struct jrun *r, struct jlist *l, struct jval v);
struct jdict *jdict_new(struct jrun *r);
int jdict_set(struct jrun *r, struct jdict *d, struct jval key, struct jval value) WARN_UNUSED;
struct jval *jdict_find(const struct jdict *d, const char *key, size_t n);

/* Strings under construction; frozen ones keep the origin of each byte. */
void jbuf_add(struct jbuf *b, const char *s, size_t n, enum jinja_origin origin);
void jbuf_add_str(struct jbuf *b, const struct jstr *s);
void jbuf_release(struct jbuf *b);
const struct jstr *jbuf_freeze(struct jrun *r, struct jbuf *b); /* and releases it */
const struct jstr *jstr_part(struct jrun *r, const struct jstr *s, size_t begin, size_t end);
const struct jstr *jstr_concat(struct jrun *r, const struct jstr *a, const struct jstr *b);
const struct jstr *jstr_escape(struct jrun *r, const struct jstr *s);
enum jinja_origin jstr_origin(const struct jstr *s); /* the least trusted of its bytes */
int64_t jstr_length(const struct jstr *s);           /* in code points */
size_t jstr_offset(const struct jstr *s, int64_t chars);
const char *jstr_find(const struct jstr *s, size_t from, const char *what, size_t n);
uint32_t utf8_at(const char *s, size_t *bytes); /* of valid text */
bool is_python_space(uint32_t c);

/* --- printing ------------------------------------------------------------------------------ */

int jv_print(struct jrun *r, struct jval v, struct jbuf *out) WARN_UNUSED; /* str(v) */
int jv_string(struct jrun *r, struct jval v, const struct jstr **out) WARN_UNUSED;
int jv_repr(struct jrun *r, struct jval v, struct jbuf *out) WARN_UNUSED;
struct json_style {
    bool ascii, sort_keys;
    int indent; /* -1 = on one line */
    const char *item, *key; /* separators */
};
int jv_tojson(struct jrun *r, struct jval v, const struct json_style *style, int level,
              struct strbuf *out) WARN_UNUSED;

#endif
