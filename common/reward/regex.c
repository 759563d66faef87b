/* regex.c - Perl-compatible patterns with a bound on the work. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "reward/regex.h"

#include <pcre2.h>
#include <string.h>

#include "base/mem.h"

struct work {
    size_t done, at;
};

/* Called before each item of the pattern, and so at each turn of a backtracking search. */
static int count_work(pcre2_callout_block *block, void *data)
{
    struct work *w = data;
    size_t at = block->current_position;
    w->done += 1 + (at > w->at ? at - w->at : 0);
    w->at = at;
    return w->done > REGEX_MAX_WORK ? PCRE2_ERROR_CALLOUT : 0;
}

static pcre2_code *compile(const char *pattern, unsigned flags, struct err *err)
{
    uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C | PCRE2_MATCH_UNSET_BACKREF;
    int code;
    size_t at, n = strlen(pattern);
    if (n > REGEX_MAX_PATTERN) {
        err_set(err, "pattern of %zu bytes, expected at most %d", n, REGEX_MAX_PATTERN);
        return NULL;
    }
    if (flags & REGEX_ANY_CASE)
        options |= PCRE2_CASELESS;
    if (flags & REGEX_LINES)
        options |= PCRE2_MULTILINE;
    if (flags & REGEX_LITERAL)
        options = (options & ~(uint32_t)(PCRE2_MULTILINE | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C |
                                         PCRE2_MATCH_UNSET_BACKREF)) |
                  PCRE2_LITERAL;
    else
        options |= PCRE2_AUTO_CALLOUT;
    pcre2_code *re = pcre2_compile((PCRE2_SPTR)pattern, n, options, &code, &at, NULL);
    if (!re) {
        char why[120];
        pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof why);
        err_set(err, "pattern '%.80s': %s at %zu", pattern, why, at);
    }
    return re;
}

static size_t next_char(struct span text, size_t at)
{
    do
        at++;
    while (at < text.n && ((unsigned char)text.start[at] & 0xc0) == 0x80);
    return at;
}

static long count(const pcre2_code *re, pcre2_match_data *m, pcre2_match_context *limits,
                  struct span text, long max, struct span *last)
{
    const PCRE2_SIZE *where = pcre2_get_ovector_pointer(m);
    size_t at = 0;
    long n = 0;
    uint32_t checked = 0; /* the first match checks that the text is UTF-8 */
    while (at <= text.n && (max == 0 || n < max)) {
        int rc = pcre2_match(re, (PCRE2_SPTR)text.start, text.n, at, checked, m, limits);
        if (rc == PCRE2_ERROR_NOMATCH)
            break;
        if (rc < 0)
            return -2;
        n++;
        if (last)
            *last = (struct span){text.start + where[0], where[1] - where[0]};
        checked = PCRE2_NO_UTF_CHECK;
        at = where[1] > where[0] && where[1] > at ? where[1] : next_char(text, where[1]);
    }
    return n;
}

long regex_count(const char *pattern, unsigned flags, struct span text, long max, struct span *last,
                 struct err *err)
{
    struct work work = {0};
    pcre2_code *re = compile(pattern, flags, err);
    if (!re)
        return -1;
    pcre2_match_data *m = pcre2_match_data_create_from_pattern(re, NULL);
    pcre2_match_context *limits = pcre2_match_context_create(NULL);
    if (!m || !limits)
        BUG("no memory for a match");
    pcre2_set_callout(limits, count_work, &work);
    pcre2_set_match_limit(limits, REGEX_MAX_WORK);
    pcre2_set_depth_limit(limits, 100000);
    pcre2_set_heap_limit(limits, 100000); /* kibibytes */
    long n = count(re, m, limits, text, max, last);
    pcre2_match_context_free(limits);
    pcre2_match_data_free(m);
    pcre2_code_free(re);
    return n;
}
