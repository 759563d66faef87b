/* mathtext.c - do two mathematical answers, as text, mean the same? */
#include "reward/mathtext.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "reward/math_compare.h"
#include "reward/math_node.h"

/* What text comparison leaves out; longer ones first where one begins another. */
static const struct {
    const char *from, *to;
} rewrites[] = {
    {"\\left", ""},
    {"\\right", ""},
    {"\\!", ""},
    {"\\,", " "},
    {"\\;", " "},
    {"\\:", " "},
    {"\\ ", " "},
    {"\\qquad", " "},
    {"\\quad", " "},
    {"\\dfrac", "\\frac"},
    {"\\tfrac", "\\frac"},
    {"\\cfrac", "\\frac"},
    {"\\%", "%"},
    {"\\$", ""},
    {"$", ""},
    {"\\(", ""},
    {"\\)", ""},
    {"\\[", ""},
    {"\\]", ""},
    {"~", " "},
    {"\xe2\x88\x92", "-"},
    {"\xc2\xa0", " "},
    {"\\cdot", "*"},
    {"\\times", "*"},
    {"\xc3\x97", "*"},
    {"\\leq", "\\le"},
    {"\\geq", "\\ge"},
    {"\\neq", "\\ne"},
    {"\\{", "{"},
    {"\\}", "}"},
    {"\\textbf", ""},
    {"\\textit", ""},
    {"\\text", ""},
    {"\\mathrm", ""},
    {"\\mathbf", ""},
    {"\\mbox", ""},
    {"\\displaystyle", ""},
};

static bool command_goes_on(const char *from, const char *next)
{
    size_t n = strlen(from);
    return from[0] == '\\' && isalpha((unsigned char)from[n - 1]) && isalpha((unsigned char)*next);
}

static size_t rewrite_at(const char *s, struct strbuf *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(rewrites); i++) {
        size_t n = strlen(rewrites[i].from);
        if (strncmp(s, rewrites[i].from, n) == 0 && !command_goes_on(rewrites[i].from, s + n)) {
            strbuf_adds(out, rewrites[i].to);
            return n;
        }
    }
    return 0;
}

/* Blanks say nothing, except that 1 1/2 is not 11/2. */
static void drop_blanks(struct strbuf *s)
{
    size_t k = 0;
    for (size_t i = 0; i < s->len; i++) {
        if (!isspace((unsigned char)s->buf[i])) {
            s->buf[k++] = s->buf[i];
            continue;
        }
        while (i + 1 < s->len && isspace((unsigned char)s->buf[i + 1]))
            i++;
        if (k && isdigit((unsigned char)s->buf[k - 1]) && isdigit((unsigned char)s->buf[i + 1]))
            s->buf[k++] = ' ';
    }
    s->len = k;
    s->buf[k] = '\0';
}

/* {Evelyn}, what \text{} leaves; {1,2} may be a set. */
static void drop_outer_braces(struct strbuf *s)
{
    int depth = 0;
    if (s->len < 3 || s->buf[0] != '{' || strchr(s->buf, ','))
        return;
    for (size_t i = 0; i + 1 < s->len; i++) {
        depth += s->buf[i] == '{' ? 1 : s->buf[i] == '}' ? -1 : 0;
        if (depth == 0)
            return;
    }
    if (s->buf[s->len - 1] != '}')
        return;
    s->len -= 2;
    memmove(s->buf, s->buf + 1, s->len);
    s->buf[s->len] = '\0';
}

/* One spelling: no blanks, no braces around one character, no full stop at the end. */
static char *squeeze(const char *s)
{
    struct strbuf out = {0};
    strbuf_adds(&out, "");
    while (*s) {
        size_t n = strchr("\\$~\xe2\xc2\xc3", *s) ? rewrite_at(s, &out) : 0;
        if (n == 0 && s[0] == '{' && s[1] && !strchr("\\{}", s[1]) && s[2] == '}') {
            strbuf_addc(&out, s[1]);
            n = 3;
        } else if (n == 0) {
            strbuf_addc(&out, *s);
            n = 1;
        }
        s += n;
    }
    drop_blanks(&out);
    while (out.len && strchr(".,;:", out.buf[out.len - 1]))
        out.buf[--out.len] = '\0';
    drop_outer_braces(&out);
    return strbuf_detach(&out, NULL);
}

static bool is_word(const char *s)
{
    return strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == strlen(s) && s[0] &&
           s[1];
}

static bool same_spelling(const char *a, const char *b)
{
    return *a && (is_word(a) ? strcasecmp(a, b) : strcmp(a, b)) == 0;
}

static bool is_choice_letter(char c)
{
    return c >= 'A' && c <= 'J';
}

/* "B) or C", from behind the first, without blanks. */
static bool goes_on(const char *s)
{
    static const char *const joints[] = {"or", "and", ",", "/", "&"};
    for (size_t i = 0; i < ARRAY_SIZE(joints); i++) {
        size_t n = strlen(joints[i]);
        if (strncmp(s, joints[i], n) != 0)
            continue;
        const char *letter = s + n + (s[n] == '(');
        if (is_choice_letter(*letter) && !isalnum((unsigned char)letter[1]))
            return true;
    }
    return false;
}

/* "(A) 5 (B) 6": is a letter but this one marked as a choice?  P(A) is no mark. */
static bool marks_another(const char *text, char letter)
{
    for (const char *p = text; *p; p++) {
        if (!is_choice_letter(*p) || *p == letter || p[1] != ')')
            continue;
        const char *before = p > text && p[-1] == '(' ? p - 1 : p;
        if (before == text || !isalnum((unsigned char)before[-1]))
            return true;
    }
    return false;
}

/* "(B)", "B", "B.", "option B", "B) 5 apples": the letter of a choice, 0 if it is none.  alone:
 * nothing may follow. */
static char choice(const char *s, bool alone)
{
    if (!alone && (strncasecmp(s, "option", 6) == 0 || strncasecmp(s, "choice", 6) == 0))
        s += 6;
    bool braced = *s == '{', open = s[braced] == '(';
    s += braced + open;
    if (!is_choice_letter(*s))
        return 0;
    char letter = *s++;
    bool closed = *s == ')' || *s == '.' || *s == ':';
    if (open && *s != ')')
        return 0;
    s += closed;
    s += braced && *s == '}';
    if (*s == '\0' || (!alone && closed && !goes_on(s)))
        return letter;
    return 0;
}

static bool judge_trees(const char *answer, const char *truth, struct math_result *out)
{
    struct arena arena = {0};
    const char *fault_a, *fault_b;
    const struct math_node *a = math_parse(answer, strlen(answer), &arena, &fault_a);
    const struct math_node *b = math_parse(truth, strlen(truth), &arena, &fault_b);
    bool equal = false;
    if (a) {
        struct strbuf text = {0};
        math_print(a, &text);
        out->parsed = strbuf_detach(&text, NULL);
    }
    /* "100,200" is a number, unless the truth shows that a list is meant */
    if (a && b && a->kind == MATH_NUMBER && b->kind == MATH_LIST)
        a = math_parse_list(answer, strlen(answer), &arena, &fault_a);
    if (a && b)
        equal = math_compare(a, b, &arena, &out->rule);
    else
        out->rule = b ? fault_a : fault_b;
    arena_release(&arena);
    return equal;
}

bool math_judge(const char *answer, const char *truth, struct math_result *out)
{
    char *a = squeeze(answer), *b = squeeze(truth);
    char letter = choice(b, true), chosen = letter ? choice(a, false) : 0;
    chosen = chosen && marks_another(answer, chosen) ? 0 : chosen;
    *out = (struct math_result){.rule = "empty"};
    if (*a && *b) {
        out->equal = same_spelling(a, b);
        out->rule = "spelling";
        if (!out->equal && letter && chosen) {
            out->equal = letter == chosen;
            out->rule = "choice";
        } else if (!out->equal) {
            out->equal = judge_trees(answer, truth, out);
        }
    }
    free(a);
    free(b);
    return out->equal;
}

void math_result_release(struct math_result *r)
{
    free(r->parsed);
    *r = (struct math_result){0};
}

bool math_equal(const char *a, const char *b)
{
    struct math_result r;
    bool equal = math_judge(a, b, &r);
    math_result_release(&r);
    return equal;
}
