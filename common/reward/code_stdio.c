/* code_stdio.c - programs that read an input and write an output. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "reward/code_internal.h"
#include "reward/rational.h"

#define BLANK " \t\r\f\v"

/* A decimal number without separators, in one spelling; NULL if it is none.  Owned. */
static char *decimal(const struct span *w)
{
    char *text = xstrndup(w->start, w->n), *out = NULL;
    const char *digits = text + strspn(text, "+-");
    size_t n = decimal_length(digits);
    if (n > 0 && !digits[n] && digits - text <= 1 && !strchr(digits, ',')) {
        out = xmalloc(w->n + 2);
        decimal_canonical(text, w->n, out);
    }
    free(text);
    return out;
}

/* Two words of output: the same text, or the same number (1.50 and 1.5). */
static bool word_same(const struct span *a, const struct span *b)
{
    if (a->n == b->n && memcmp(a->start, b->start, a->n) == 0)
        return true;
    char *ca = decimal(a), *cb = ca ? decimal(b) : NULL;
    bool same = ca && cb && strcmp(ca, cb) == 0;
    free(ca);
    free(cb);
    return same;
}

static struct span next_word(const char **p, const char *end)
{
    while (*p < end && strchr(BLANK, **p))
        (*p)++;
    struct span w = {*p, 0};
    while (*p < end && !strchr(BLANK, **p))
        (*p)++;
    w.n = (size_t)(*p - w.start);
    return w;
}

static bool line_same(const char *a, const char *a_end, const char *b, const char *b_end)
{
    for (;;) {
        struct span wa = next_word(&a, a_end), wb = next_word(&b, b_end);
        if (wa.n == 0 || wb.n == 0)
            return wa.n == wb.n;
        if (!word_same(&wa, &wb))
            return false;
    }
}

/* Line by line, word by word; blank lines at the end do not count. */
bool code_output_same(const char *a, const char *b)
{
    const char *blank = " \t\r\f\v\n";
    for (;;) {
        bool a_over = a[strspn(a, blank)] == '\0', b_over = b[strspn(b, blank)] == '\0';
        if (a_over || b_over)
            return a_over && b_over;
        const char *a_end = a + strcspn(a, "\n"), *b_end = b + strcspn(b, "\n");
        if (!line_same(a, a_end, b, b_end))
            return false;
        a = a_end + (*a_end != '\0');
        b = b_end + (*b_end != '\0');
    }
}

static int run_test(const struct sandbox *s, const struct code_task *t, int i,
                    struct sandbox_program *p, struct code_outcome *o, struct err *err)
{
    struct sandbox_result r;
    p->input = t->inputs[i];
    p->n_input = strlen(t->inputs[i]);
    int rc = code_run(s, p, &r, 1, o, err);
    if (rc < 0)
        return rc;
    char *got = xstrndup(r.out.len ? r.out.buf : "", r.out.len);
    o->n_run++;
    if (code_ended_well(o, &r, i + 1)) {
        /* A NUL is no text; nothing behind it is looked at. */
        if (strlen(got) == r.out.len && code_output_same(got, t->outputs[i]))
            o->n_passed++;
        else
            code_failed(o, "tests", "test %d: wrong output", i + 1);
    }
    free(got);
    sandbox_result_release(&r);
    return 0;
}

int code_run_stdio(const struct sandbox *s, const struct code_task *t, const char *source,
                   struct code_outcome *o, struct err *err)
{
    static const char *const python[] = {"/usr/bin/python3", "-sS", "main.py", NULL};
    static const char *const compiled[] = {"/box/main", NULL};
    bool c = t->language == CODE_C;
    struct strbuf binary = {0};
    struct sandbox_file file = {"main.py", source, strlen(source)};
    struct sandbox_program p = {.argv = python, .files = &file, .n_files = 1};
    int rc = c ? code_compile_c(s, source, strlen(source), &binary, o, err)
               : code_check_python(s, err);
    if (c) {
        file = (struct sandbox_file){"main", binary.buf, binary.len};
        p.argv = compiled;
        p.runs_files = true;
    }
    bool runs = rc == 0 && (!c || binary.len > 0);
    /* All or nothing: the first failure decides. */
    for (int i = 0; runs && rc == 0 && i < t->n_tests; i++) {
        rc = run_test(s, t, i, &p, o, err);
        if (o->decided && !code_options.share)
            break;
    }
    strbuf_release(&binary);
    return rc;
}
