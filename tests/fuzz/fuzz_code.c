/* fuzz_code.c - any text as tests in C, and any text as what programs printed, parted by form feeds:
 *   each side of an assertion lies inside its test
 *   there are never more tests passed than there are, and none more with the two prints exchanged
 *   what the right sides print passes where it has a line for each of them
 * Build and run with tests/fuzz/run.sh. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "reward/code_internal.h"
#include "tests/fuzz/require.h"

#define MAX_TESTS 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool inside(const struct span *s, const char *text)
{
    return s->start >= text && s->start + s->n <= text + strlen(text);
}

static int passed(const struct code_task *t, const struct code_assertions *all,
                  const struct strbuf *got, const struct strbuf *want)
{
    struct code_outcome o = {0};
    code_assertions_compare(t, all, got, want, &o);
    require_that(o.n_passed >= 0 && o.n_passed <= t->n_tests && o.n_run == t->n_tests, "count\n");
    require_that((o.n_passed < t->n_tests) == (o.decided != NULL), "a failure without its reason\n");
    strbuf_release(&o.detail);
    return o.n_passed;
}

/* A line of a value for each assertion, none of which is no number. */
static bool is_whole(const struct strbuf *lines, int n)
{
    const char *p = lines->len ? lines->buf : "";
    for (int i = 0; i < n; i++) {
        const char *end = strchr(p, '\n');
        if (!end || end == p)
            return false;
        p = end + 1;
    }
    return !strstr(lines->buf, "nan");
}

/* The part before the next form feed; owned, and never longer than what is left. */
static char *take_part(const char **at)
{
    size_t n = strcspn(*at, "\f");
    char *part = xstrndup(*at, n);
    *at += n + ((*at)[n] == '\f');
    return part;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = xstrndup((const char *)data, size), *parts[MAX_TESTS];
    const char *at = text, *tests[MAX_TESTS];
    struct code_task t = {.entry = "", .prompt = "", .setup = "", .tests = tests};
    struct code_assertions all = {0};
    struct strbuf got = {0}, want = {0};
    struct err err = {0};
    char *one = take_part(&at), *two = take_part(&at);
    while (*at && t.n_tests < MAX_TESTS) {
        parts[t.n_tests] = take_part(&at);
        tests[t.n_tests] = parts[t.n_tests];
        t.n_tests++;
    }
    strbuf_adds(&got, one);
    strbuf_adds(&want, two);
    int rc = code_assertions_read(&t, &all, &err);
    require_that(rc == 0 || err.set, "no reason\n");
    for (int i = 0; i < all.n; i++) {
        const struct code_assertion *a = &all.items[i];
        require_that(a->test >= 0 && a->test < t.n_tests && inside(&a->left, tests[a->test]) &&
                         inside(&a->right, tests[a->test]),
                     "a side outside its test\n");
    }
    if (rc == 0) {
        require_that(passed(&t, &all, &got, &want) == passed(&t, &all, &want, &got), "one direction\n");
        if (is_whole(&want, all.n))
            require_that(passed(&t, &all, &want, &want) == t.n_tests, "not itself\n");
    }
    for (int i = 0; i < t.n_tests; i++)
        free(parts[i]);
    free(all.items);
    free(one);
    free(two);
    free(text);
    strbuf_release(&got);
    strbuf_release(&want);
    return 0;
}
