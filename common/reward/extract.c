/* extract.c - where in a response the answer stands. */
#include "reward/extract.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "reward/rational.h"

#define MAX_NUMBER 1000 /* of a number's part: the search must stay linear */
#define MAX_BOXES 16    /* of one answer; all that is searched for them is bounded, too */
#define MAX_JOINT 40
#define MAX_BOX 1000
#define BLANK " \t\r\n"
#define UNICODE_MINUS "\xe2\x88\x92"

void span_trim(struct span *s)
{
    while (s->n > 0 && strchr(BLANK, *s->start)) {
        s->start++;
        s->n--;
    }
    while (s->n > 0 && strchr(BLANK, s->start[s->n - 1]))
        s->n--;
}

char *span_dup(const struct span *s)
{
    return xstrndup(s->start, s->n);
}

bool extract_whole(const char *text, struct span *out)
{
    *out = (struct span){text, strlen(text)};
    span_trim(out);
    return out->n > 0;
}

static const char *last_of(const char *text, const char *what)
{
    const char *found = NULL;
    for (const char *p = strcasestr(text, what); p; p = strcasestr(p + 1, what))
        found = p;
    return found;
}

/* Length inside the braces that begin before s, or -1 if they do not close within max. */
static long braced_length(const char *s, long max)
{
    int depth = 1;
    for (long i = 0; s[i] && i < max; i++) {
        if (s[i] == '\\' && (s[i + 1] == '{' || s[i + 1] == '}' || s[i + 1] == '\\'))
            i++;
        else if (s[i] == '{')
            depth++;
        else if (s[i] == '}' && --depth == 0)
            return i;
    }
    return -1;
}

static bool boxed_at(const char *s, struct span *out)
{
    if (*s == '{') {
        long n = braced_length(s + 1, LONG_MAX);
        *out = (struct span){s + 1, n > 0 ? (size_t)n : 0};
    } else if (*s == ' ') {
        s += strspn(s, " ");
        *out = (struct span){s, strcspn(s, " \n$.,")};
    } else {
        return false;
    }
    span_trim(out);
    return out->n > 0;
}

bool extract_boxed(const char *text, struct span *out)
{
    const char *boxed = last_of(text, "\\boxed"), *fbox = last_of(text, "\\fbox");
    if (boxed && (!fbox || boxed > fbox))
        return boxed_at(boxed + strlen("\\boxed"), out);
    return fbox && boxed_at(fbox + strlen("\\fbox"), out);
}

/* What may stand between two boxes of one answer: signs around formulas and blanks, and with them
 * at least one comma, "and" or "or". */
static bool joins(const char *s, const char *end)
{
    static const char *const marks[] = {"\\text{", "}",   "\\(", "\\)", "\\[", "\\]", "\\quad",
                                        "\\,",     "\\;", "\\ ", "$",   " ",   "\n"};
    static const char *const joints[] = {",", ";", "and", "or"};
    bool joined = false;
    while (s < end) {
        size_t n = 0;
        for (size_t i = 0; i < ARRAY_SIZE(marks) && n == 0; i++)
            n = strncmp(s, marks[i], strlen(marks[i])) == 0 ? strlen(marks[i]) : 0;
        for (size_t i = 0; i < ARRAY_SIZE(joints) && n == 0; i++) {
            n = strncmp(s, joints[i], strlen(joints[i])) == 0 ? strlen(joints[i]) : 0;
            joined = joined || n > 0;
        }
        if (n == 0)
            return false;
        s += n;
    }
    return joined;
}

/* The box that ends in front of p, parted by not much more than a joint: its "\boxed", or NULL. */
static const char *box_before(const char *text, const char *p, struct span *inside)
{
    const char *close = p;
    /* \text{ and } between them has a brace of its own */
    while (close > text && p - close < MAX_JOINT && (*close != '}' || !joins(close + 1, p)))
        close--;
    if (close <= text || *close != '}' || !joins(close + 1, p))
        return NULL;
    int depth = 0;
    for (const char *q = close; q > text && close - q < MAX_BOX; q--) {
        bool escaped = q[-1] == '\\';
        depth += !escaped && *q == '}' ? 1 : !escaped && *q == '{' ? -1 : 0;
        if (depth > 0)
            continue;
        *inside = (struct span){q + 1, (size_t)(close - q - 1)};
        span_trim(inside);
        bool box = q - text >= 6 && memcmp(q - 6, "\\boxed", 6) == 0 && inside->n > 0;
        return box ? q - 6 : NULL;
    }
    return NULL;
}

char *extract_boxes(const char *text)
{
    const char *p = last_of(text, "\\boxed"), *fbox = last_of(text, "\\fbox");
    struct span box[MAX_BOXES];
    int n = 1;
    if (!p || (fbox && fbox > p) || !boxed_at(p + strlen("\\boxed"), &box[0]))
        return NULL;
    while (n < MAX_BOXES && (p = box_before(text, p, &box[n])))
        n++;
    if (n == 1)
        return NULL;
    struct strbuf list = {0};
    for (int i = n - 1; i >= 0; i--) {
        strbuf_add(&list, box[i].start, box[i].n);
        strbuf_adds(&list, i > 0 ? ", " : "");
    }
    return strbuf_detach(&list, NULL);
}

bool extract_minerva(const char *text, struct span *out)
{
    const char *lead = "the final answer is", *start = last_of(text, lead);
    if (!start)
        return false;
    start += strlen(lead);
    const char *end = strcasestr(start, "i hope it is correct");
    if (!end)
        return false;
    *out = (struct span){start, (size_t)(end - start)};
    span_trim(out);
    while (out->n > 0 && out->start[out->n - 1] == '.')
        out->n--;
    span_trim(out);
    return out->n > 0;
}

bool extract_tag(const char *text, const char *name, struct span *out)
{
    char *open = xasprintf("<%s>", name), *close = xasprintf("</%s>", name);
    const char *end = last_of(text, close), *start = NULL;
    for (const char *p = strcasestr(text, open); p && end && p < end; p = strcasestr(p + 1, open))
        start = p + strlen(open);
    bool found = start != NULL;
    if (found) {
        *out = (struct span){start, (size_t)(end - start)};
        span_trim(out);
        found = out->n > 0;
    }
    free(open);
    free(close);
    return found;
}

static bool is_sign(const char *text, const char *p)
{
    return *p == '$' && (p == text || p[-1] != '\\');
}

/* Behind "$" or "$$" at p: the length inside, or 0.  Pandoc's rule: a formula touches both its
 * signs, and no digit follows the closing one. */
static size_t dollars_length(const char *text, const char *p, size_t *open)
{
    *open = p[1] == '$' ? 2 : 1;
    const char *start = p + *open, *end = start;
    while (*end && !is_sign(text, end))
        end++;
    bool closes = *end && end > start && !isdigit((unsigned char)end[1]) &&
                  (*open == 2 || (!strchr(BLANK, *start) && !strchr(BLANK, end[-1])));
    return closes ? (size_t)(end - start) : 0;
}

/* Behind "\(" or "\[" at p: the length up to its closing, or 0.  Stops at the next opening, so that
 * a text of openings takes no more than one pass. */
static size_t parens_length(const char *p, size_t *open)
{
    char close = p[1] == '(' ? ')' : ']';
    *open = 2;
    for (const char *q = p + 2; *q; q++) {
        if (q[0] == '\\' && q[1] == close)
            return (size_t)(q - p - 2);
        if (q[0] == '\\' && q[1] == p[1])
            return 0;
        q += q[0] == '\\' && q[1] == '\\';
    }
    return 0;
}

static size_t formula_length(const char *text, const char *p, size_t *open)
{
    if (is_sign(text, p))
        return dollars_length(text, p, open);
    if (p[0] == '\\' && (p[1] == '(' || p[1] == '['))
        return parens_length(p, open);
    return 0;
}

bool extract_formula(const char *text, struct span *out)
{
    bool found = false;
    for (const char *p = text; *p; p++) {
        size_t open, n = formula_length(text, p, &open);
        if (n == 0) {
            p += p[0] == '\\' && p[1] == '\\';
            continue;
        }
        struct span inside = {p + open, n};
        span_trim(&inside);
        if (inside.n > 0)
            *out = inside;
        found = found || inside.n > 0;
        p += open + n; /* the closing; "$$x$" closes, too */
        p += p[0] != '$' || p[1] == '$';
    }
    return found;
}

static size_t sentence_length(const char *s)
{
    size_t n = 0;
    while (s[n] && s[n] != '\n' &&
           !(s[n] == '.' && (s[n + 1] == '\0' || isspace((unsigned char)s[n + 1]))))
        n++;
    return n;
}

/* Markdown stars and quotes around the answer are not part of it. */
static void strip_marks(struct span *s)
{
    span_trim(s);
    while (s->n > 0 && strchr("*`\":", *s->start)) {
        s->start++;
        s->n--;
    }
    while (s->n > 0 && strchr("*`\".!", s->start[s->n - 1]))
        s->n--;
    span_trim(s);
}

bool extract_answer_is(const char *text, struct span *out)
{
    static const char *const leads[] = {"answer is", "answer:", "answer**:", "option is",
                                        "choice is"};
    const char *start = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(leads); i++) {
        const char *p = last_of(text, leads[i]);
        if (p && (!start || p + strlen(leads[i]) > start))
            start = p + strlen(leads[i]);
    }
    if (!start)
        return false;
    size_t marks = strspn(start, " \t:*\"`"), open;
    if (start[marks] == '\n' && (start[-1] == ':' || memchr(start, ':', marks)))
        marks += strspn(start + marks, BLANK);
    start += marks;
    bool display = strncmp(start, "$$", 2) == 0 || strncmp(start, "\\[", 2) == 0;
    size_t formula = display ? formula_length(text, start, &open) : 0;
    *out = (struct span){start, sentence_length(start)};
    if (formula)
        *out = (struct span){start + open, formula};
    strip_marks(out);
    return out->n > 0;
}

/* A minus after a digit or a letter is an operator, not a sign. */
static size_t sign_before(const char *text, const char *p)
{
    size_t n = 0;
    if (p > text && (p[-1] == '-' || p[-1] == '+'))
        n = 1;
    else if (p - text >= 3 && memcmp(p - 3, UNICODE_MINUS, 3) == 0)
        n = 3;
    if (n == 0)
        return 0;
    const char *before = p - n;
    if (before > text && (isalnum((unsigned char)before[-1]) || strchr(")]}", before[-1])))
        return 0;
    return n;
}

static size_t latex_fraction_length(const char *s)
{
    if (strncmp(s, "\\frac", 5) != 0 && strncmp(s, "\\dfrac", 6) != 0 &&
        strncmp(s, "\\tfrac", 6) != 0)
        return 0;
    const char *p = strchr(s, 'c') + 1;
    for (int i = 0; i < 2; i++) {
        long n = *p == '{' ? braced_length(p + 1, MAX_NUMBER) : -1;
        if (n < 0)
            return 0;
        p += n + 2;
    }
    return (size_t)(p - s);
}

/* "3/4" after its first number; a second slash (a date) makes it no fraction. */
static size_t slash_length(const char *s)
{
    size_t n = *s == '/' ? decimal_length(s + 1) : 0;
    return n && s[1 + n] != '/' ? 1 + n : 0;
}

bool extract_number(const char *text, bool fractions, struct span *out)
{
    bool found = false;
    for (const char *p = text; *p;) {
        size_t n = fractions ? latex_fraction_length(p) : 0;
        if (n == 0) {
            n = decimal_length(p);
            if (n && fractions)
                n += slash_length(p + n);
        }
        if (n == 0) {
            p++;
            continue;
        }
        size_t sign = sign_before(text, p);
        *out = (struct span){p - sign, n + sign};
        p += n;
        if (fractions && p[0] == '\\' && p[1] == '%')
            out->n += 2;
        else if (fractions && p[0] == '%')
            out->n += 1;
        found = true;
    }
    return found;
}
