/* code_c.c - programs in C, and tests of the form assert(F(..) == VALUE).
 *
 * C has no way to tell a function from its caller, so the test is taken apart:
 * the left side is evaluated and printed by a program with the solution in it,
 * the right side by one without, and the two are compared here.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "reward/code_internal.h"

/* One assertion; spans into the tests' text. */
struct assertion {
    struct span left, right;
    bool texts; /* of strcmp(left, right) == 0 */
    int test;   /* which of the task's tests it belongs to */
};
struct assertions {
    struct assertion *items;
    int n, cap;
};

/* Past a string or character constant, or one character. */
static const char *skip_one(const char *p)
{
    char quote = *p++;
    if (quote != '"' && quote != '\'')
        return p;
    while (*p && *p != quote)
        p += *p == '\\' && p[1] ? 2 : 1;
    return *p ? p + 1 : p;
}

/* The first place of c at the level of s's start, or NULL. */
static const char *find_outside(const struct span *s, const char *what)
{
    int depth = 0;
    const char *end = s->start + s->n;
    for (const char *p = s->start; p < end;) {
        if (depth == 0 && strncmp(p, what, strlen(what)) == 0)
            return p;
        depth += strchr("([{", *p) != NULL;
        depth -= strchr(")]}", *p) != NULL;
        p = skip_one(p);
    }
    return NULL;
}

/* What stands in the parentheses that open at p; false if they do not close. */
static bool read_parentheses(const char *p, struct span *inside)
{
    int depth = 0;
    for (const char *q = p; *q; q = skip_one(q)) {
        depth += *q == '(';
        depth -= *q == ')';
        if (depth == 0) {
            *inside = (struct span){p + 1, (size_t)(q - p) - 1};
            return true;
        }
    }
    return false;
}

static bool is_word(const struct span *s, const char *word)
{
    return s->n == strlen(word) && memcmp(s->start, word, s->n) == 0;
}

/* strcmp(A, B) with == 0 behind it. */
static void read_strcmp(struct assertion *a)
{
    struct span inside;
    if (a->left.n < 8 || strncmp(a->left.start, "strcmp", 6) != 0 || !is_word(&a->right, "0"))
        return;
    const char *open = a->left.start + 6 + strspn(a->left.start + 6, " ");
    if (*open != '(' || !read_parentheses(open, &inside) ||
        inside.start + inside.n + 1 != a->left.start + a->left.n)
        return;
    const char *comma = find_outside(&inside, ",");
    if (!comma)
        return;
    a->texts = true;
    a->right = (struct span){comma + 1, (size_t)(inside.start + inside.n - comma - 1)};
    a->left = (struct span){inside.start, (size_t)(comma - inside.start)};
}

static int read_condition(struct span inside, int test, struct assertions *all, struct err *err)
{
    const char *equal = find_outside(&inside, "==");
    if (!equal || find_outside(&inside, "&&") || find_outside(&inside, "||") ||
        find_outside(&inside, "?"))
        return err_set(err, "test %d: 'assert(%.*s)', expected assert(F(..) == VALUE)", test + 1,
                       (int)(inside.n < 200 ? inside.n : 200), inside.start);
    struct assertion a = {
        .left = {inside.start, (size_t)(equal - inside.start)},
        .right = {equal + 2, (size_t)(inside.start + inside.n - equal) - 2},
        .test = test,
    };
    span_trim(&a.left);
    span_trim(&a.right);
    read_strcmp(&a);
    GROW(all->items, all->n, all->cap);
    all->items[all->n++] = a;
    return 0;
}

/* A test is assertions and nothing else. */
static int read_test(const char *text, int test, struct assertions *all, struct err *err)
{
    int before = all->n;
    for (const char *p = text; *(p += strspn(p, " \t\r\n;"));) {
        struct span inside;
        size_t word = strncmp(p, "assert", 6) == 0 ? 6 : 0;
        const char *open = p + word + strspn(p + word, " ");
        if (!word || *open != '(' || !read_parentheses(open, &inside))
            return err_set(err, "test %d: '%.80s', expected assert(F(..) == VALUE);", test + 1, p);
        if (read_condition(inside, test, all, err) < 0)
            return -1;
        p = inside.start + inside.n + 1;
    }
    return all->n > before ? 0 : err_set(err, "test %d is empty", test + 1);
}

static const char headers[] = "#include <ctype.h>\n#include <float.h>\n#include <limits.h>\n"
                              "#include <math.h>\n#include <stdbool.h>\n#include <stddef.h>\n"
                              "#include <stdint.h>\n#include <stdio.h>\n#include <stdlib.h>\n"
                              "#include <string.h>\n";

/* Values as lines of text: a letter for the kind, then the value.  Texts as hexadecimal digits. */
static const char printers[] =
    "\n#undef main\n#include <fcntl.h>\n#include <unistd.h>\n"
    "static int tp_out;\n"
    "static void tp_int(long long x) { dprintf(tp_out, \"i %lld\\n\", x); }\n"
    "static void tp_uint(unsigned long long x) { dprintf(tp_out, \"i %llu\\n\", x); }\n"
    "static void tp_real(double x) { dprintf(tp_out, \"d %.17g\\n\", x); }\n"
    "static void tp_text(const char *s) {\n"
    "    if (!s) { dprintf(tp_out, \"n\\n\"); return; }\n"
    "    dprintf(tp_out, \"s \");\n"
    "    for (; *s; s++) dprintf(tp_out, \"%02x\", (unsigned char)*s);\n"
    "    dprintf(tp_out, \"\\n\");\n"
    "}\n"
    "static void tp_pointer(const void *p) { dprintf(tp_out, p ? \"p\\n\" : \"n\\n\"); }\n"
    "#define TP_SHOW(x) _Generic((x), char *: tp_text, const char *: tp_text, float: tp_real, "
    "double: tp_real, long double: tp_real, unsigned long: tp_uint, unsigned long long: tp_uint, "
    "void *: tp_pointer, const void *: tp_pointer, bool: tp_int, char: tp_int, "
    "signed char: tp_int, unsigned char: tp_int, short: tp_int, unsigned short: tp_int, "
    "int: tp_int, unsigned: tp_int, long: tp_int, long long: tp_int)(x)\n"
    "int main(void) {\n"
    "    tp_out = dup(1);\n"
    "    dup2(open(\"/dev/null\", O_WRONLY), 1);\n";

/* A program that prints one side of every assertion. */
static void write_program(const struct code_task *t, const char *solution,
                          const struct assertions *all, bool left, struct strbuf *out)
{
    strbuf_adds(out, headers);
    if (solution)
        strbuf_addf(out, "#define main tp_solution_main\n#line 1 \"solution.c\"\n%s\n", solution);
    strbuf_addf(out, "%s\n%s", t->setup, printers);
    for (int i = 0; i < all->n; i++) {
        const struct span *s = left ? &all->items[i].left : &all->items[i].right;
        const char *show = all->items[i].texts ? "tp_text" : "TP_SHOW";
        strbuf_addf(out, "    %s(%.*s);\n", show, (int)s->n, s->start);
    }
    strbuf_adds(out, "    return 0;\n}\n");
}

/* The line of the compiler's that says what is wrong. */
static struct span first_error(const struct strbuf *text)
{
    const char *at = text->len ? memmem(text->buf, text->len, "error:", 6) : NULL;
    if (!at)
        return (struct span){"the compiler was stopped", 24};
    const char *end = memchr(at, '\n', (size_t)(text->buf + text->len - at));
    struct span s = {at + 6, (size_t)((end ? end : text->buf + text->len) - at) - 6};
    span_trim(&s);
    return s;
}

/* binary is empty where there is an error; then o says which. */
static int compile(const struct sandbox *s, const char *source, size_t n, struct strbuf *binary,
                   struct code_outcome *o, struct err *err)
{
    static const char *const argv[] = {
        "/bin/sh", "-c", "/usr/bin/gcc -std=gnu11 -O1 -w -o main main.c -lm && cat main", NULL};
    struct sandbox_limits l = sandbox_default_limits;
    struct sandbox_file file = {"main.c", source, n};
    struct sandbox_program p = {.argv = argv, .files = &file, .n_files = 1};
    struct sandbox_result r;
    l.output_bytes = (int64_t)32 << 20;
    if (sandbox_run(s, &l, &p, &r, 1, err) < 0)
        return NO_VERDICT;
    o->seconds += r.cpu_seconds;
    if (r.end == SANDBOX_EXITED && r.code == 0) {
        strbuf_add(binary, r.out.buf, r.out.len);
    } else {
        struct span why = first_error(&r.err);
        code_failed(o, "not-compiled", "%.*s", (int)(why.n < 400 ? why.n : 400), why.start);
    }
    sandbox_result_release(&r);
    return 0;
}

/* Once a process: a compiler that is not there, or does not work, says nothing about programs. */
static int check_compiler(const struct sandbox *s, struct err *err)
{
    static bool works;
    static const char program[] = "#include <stdio.h>\nint main(void) { return puts(\"\") < 0; }\n";
    struct code_outcome o = {0};
    struct strbuf binary = {0};
    if (works)
        return 0;
    int rc = compile(s, program, strlen(program), &binary, &o, err);
    works = rc == 0 && binary.len > 0;
    if (rc == 0 && !works) {
        err_set(err, "/usr/bin/gcc is not there or does not work: %s", o.detail.buf);
        rc = NO_VERDICT;
    }
    strbuf_release(&binary);
    strbuf_release(&o.detail);
    return rc;
}

int code_compile_c(const struct sandbox *s, const char *source, size_t n, struct strbuf *binary,
                   struct code_outcome *o, struct err *err)
{
    int rc = check_compiler(s, err);
    return rc < 0 ? rc : compile(s, source, n, binary, o, err);
}

/* Compiles and runs; lines is empty where that did not work. */
static int print_values(const struct sandbox *s, const struct strbuf *source,
                        struct code_outcome *o, struct strbuf *lines, struct err *err)
{
    static const char *const argv[] = {"/box/main", NULL};
    struct strbuf binary = {0};
    struct sandbox_result r;
    int rc = code_compile_c(s, source->buf, source->len, &binary, o, err);
    if (rc == 0 && binary.len) {
        struct sandbox_file file = {"main", binary.buf, binary.len};
        struct sandbox_program p = {.argv = argv, .files = &file, .n_files = 1, .runs_files = true};
        rc = code_run(s, &p, &r, 1, o, err);
        if (rc == 0) {
            strbuf_add(lines, r.out.buf, r.out.len);
            code_ended_well(o, &r, 0);
            sandbox_result_release(&r);
        }
    }
    strbuf_release(&binary);
    return rc;
}

/* The next line, or "" at the end. */
static struct span take_line(const struct strbuf *lines, size_t *at)
{
    const char *start = lines->len ? lines->buf + *at : "";
    const char *end = memchr(start, '\n', lines->len - *at);
    if (!end)
        return (struct span){"", 0};
    *at = (size_t)(end - lines->buf) + 1;
    return (struct span){start, (size_t)(end - start)};
}

/* Whole numbers and others are compared as C would: as doubles. */
static bool value_same(const struct span *a, const struct span *b)
{
    bool numbers = a->n > 2 && b->n > 2 && strchr("id", *a->start) && strchr("id", *b->start);
    if (a->n == 0 || b->n == 0)
        return false;
    if (!numbers || *a->start == *b->start)
        return a->n == b->n && memcmp(a->start, b->start, a->n) == 0 &&
               memmem(a->start, a->n, "nan", 3) == NULL;
    return strtod(a->start + 2, NULL) == strtod(b->start + 2, NULL);
}

static void compare(const struct code_task *t, const struct assertions *all,
                    const struct strbuf *got, const struct strbuf *want, struct code_outcome *o)
{
    size_t at_got = 0, at_want = 0;
    bool *failed = xcalloc((size_t)t->n_tests, sizeof *failed);
    for (int i = 0; i < all->n; i++) {
        struct span a = take_line(got, &at_got), b = take_line(want, &at_want);
        if (value_same(&a, &b))
            continue;
        failed[all->items[i].test] = true;
        code_failed(o, "tests", "test %d: %.*s", all->items[i].test + 1,
                    (int)all->items[i].left.n, all->items[i].left.start);
    }
    o->n_run = t->n_tests;
    for (int i = 0; i < t->n_tests; i++)
        o->n_passed += !failed[i];
    free(failed);
}

/* The right sides must compile and run without the solution. */
static int print_expected(const struct sandbox *s, const struct code_task *t,
                          const struct assertions *all, struct strbuf *lines, struct err *err)
{
    struct code_outcome o = {0};
    struct strbuf source = {0};
    write_program(t, NULL, all, false, &source);
    int rc = print_values(s, &source, &o, lines, err);
    if (rc == 0 && o.decided)
        rc = err_set(err, "'ground_truth': the expected values: %s", o.detail.buf);
    strbuf_release(&source);
    strbuf_release(&o.detail);
    return rc;
}

int code_run_c(const struct sandbox *s, const struct code_task *t, const char *source,
               struct code_outcome *o, struct err *err)
{
    struct assertions all = {0};
    struct strbuf program = {0}, got = {0}, want = {0};
    int rc = 0;
    for (int i = 0; i < t->n_tests && rc == 0; i++)
        rc = read_test(t->tests[i], i, &all, err);
    if (rc < 0)
        err_prefix(err, "'ground_truth'");
    if (rc == 0)
        rc = print_expected(s, t, &all, &want, err);
    if (rc == 0) {
        write_program(t, source, &all, true, &program);
        rc = print_values(s, &program, o, &got, err);
    }
    if (rc == 0)
        compare(t, &all, &got, &want, o);
    free(all.items);
    strbuf_release(&program);
    strbuf_release(&got);
    strbuf_release(&want);
    return rc;
}
