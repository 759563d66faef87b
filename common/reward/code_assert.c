/* code_assert.c - tests in C of the form assert(F(..) == VALUE), taken apart, and what the two sides
 * printed, compared. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "reward/code_internal.h"

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
static void read_strcmp(struct code_assertion *a)
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

static int read_condition(struct span inside, int test, struct code_assertions *all, struct err *err)
{
    const char *equal = find_outside(&inside, "==");
    if (!equal || find_outside(&inside, "&&") || find_outside(&inside, "||") ||
        find_outside(&inside, "?"))
        return err_set(err, "test %d: 'assert(%.*s)', expected assert(F(..) == VALUE)", test + 1,
                       (int)(inside.n < 200 ? inside.n : 200), inside.start);
    struct code_assertion a = {
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
static int read_test(const char *text, int test, struct code_assertions *all, struct err *err)
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

int code_assertions_read(const struct code_task *t, struct code_assertions *out, struct err *err)
{
    for (int i = 0; i < t->n_tests; i++) {
        if (read_test(t->tests[i], i, out, err) < 0)
            return err_prefix(err, "'ground_truth'");
    }
    return 0;
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

void code_assertions_compare(const struct code_task *t, const struct code_assertions *all,
                             const struct strbuf *got, const struct strbuf *want,
                             struct code_outcome *o)
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
