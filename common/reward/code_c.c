/* code_c.c - programs in C, and tests of the form assert(F(..) == VALUE).
 *
 * C has no way to tell a function from its caller, so the test is taken apart:
 * the left side is evaluated and printed by a program with the solution in it,
 * the right side by one without, and the two are compared here.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "reward/code_internal.h"

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
                          const struct code_assertions *all, bool left, struct strbuf *out)
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

/* The right sides must compile and run without the solution. */
static int print_expected(const struct sandbox *s, const struct code_task *t,
                          const struct code_assertions *all, struct strbuf *lines, struct err *err)
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
    struct code_assertions all = {0};
    struct strbuf program = {0}, got = {0}, want = {0};
    int rc = code_assertions_read(t, &all, err);
    if (rc == 0)
        rc = print_expected(s, t, &all, &want, err);
    if (rc == 0) {
        write_program(t, source, &all, true, &program);
        rc = print_values(s, &program, o, &got, err);
    }
    if (rc == 0)
        code_assertions_compare(t, &all, &got, &want, o);
    free(all.items);
    strbuf_release(&program);
    strbuf_release(&got);
    strbuf_release(&want);
    return rc;
}
