/* verifier.c - functions that say how right an answer is. */
#include "reward/verifier.h"

#include <ctype.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "reward/code.h"
#include "reward/countdown.h"
#include "reward/extract.h"
#include "reward/mathtext.h"
#include "reward/rational.h"

/* The truth as text; owned, NULL if it is neither text nor a number. */
static char *truth_text(const json_t *truth, struct err *err)
{
    struct strbuf text = {0};
    if (json_is_string(truth))
        return xstrdup(json_string_value(truth));
    if (json_is_number(truth)) {
        json_write(&text, truth);
        return strbuf_detach(&text, NULL);
    }
    err_set(err, "'ground_truth' is %s, expected a string or a number", json_type_name(truth));
    return NULL;
}

static void found(struct verdict *out, const struct span *span, const char *rule)
{
    out->extracted = span_dup(span);
    out->rule = rule;
}

static int judge_by(const json_t *truth, bool (*same)(const char *, const char *),
                    struct verdict *out, struct err *err)
{
    char *text = truth_text(truth, err);
    if (!text)
        return -1;
    out->score = out->extracted && same(out->extracted, text);
    free(text);
    return 0;
}

/* math: the most explicit form decides, so that a boxed answer cannot be hedged by another number.
 */
static void extract_math(const char *text, struct verdict *out)
{
    struct span span;
    if ((out->extracted = extract_boxes(text)))
        out->rule = "boxes";
    else if (extract_boxed(text, &span))
        found(out, &span, "boxed");
    else if (extract_minerva(text, &span))
        found(out, &span, "final-answer");
    else if (extract_answer_is(text, &span))
        found(out, &span, "answer-is");
    else if (extract_formula(text, &span))
        found(out, &span, "formula");
    else if (extract_number(text, true, &span))
        found(out, &span, "last-number");
    else if (extract_whole(text, &span))
        found(out, &span, "whole-text");
    else
        out->rule = "empty";
}

/* The answer in a worked solution, else all of it; owned. */
static char *math_truth(const char *truth)
{
    struct span boxed;
    char *boxes = extract_boxes(truth);
    if (boxes)
        return boxes;
    return extract_boxed(truth, &boxed) ? span_dup(&boxed) : xstrdup(truth);
}

static bool math_same(const char *answer, const char *truth)
{
    char *inside = math_truth(truth);
    bool same = math_equal(answer, inside);
    free(inside);
    return same;
}

static int compare_math(const json_t *truth, struct verdict *out, struct err *err)
{
    char *text = truth_text(truth, err);
    if (!text)
        return -1;
    if (out->extracted) {
        struct math_result result;
        char *inside = math_truth(text);
        out->score = math_judge(out->extracted, inside, &result);
        out->parsed = result.parsed;
        out->compared = result.rule;
        free(inside);
    }
    free(text);
    return 0;
}

static int judge_math(const struct answer *answer, const json_t *truth, struct verdict *out,
                      struct err *err)
{
    extract_math(answer->text, out);
    return compare_math(truth, out, err);
}

/* strict_math: only the form that was asked for counts. */
static int judge_strict_math(const struct answer *answer, const json_t *truth, struct verdict *out,
                             struct err *err)
{
    struct span span;
    out->rule = "no-final-answer";
    if (extract_minerva(answer->text, &span))
        found(out, &span, "final-answer");
    return compare_math(truth, out, err);
}

/* gsm8k: numbers as canonical decimals, so that length does not matter. */
static char *canonical(const char *s)
{
    size_t n = strlen(s), minus = strncmp(s, "\xe2\x88\x92", 3) == 0 ? 3 : 0;
    char *out = xmalloc(n + 2);
    if (minus) {
        char *plain = xasprintf("-%s", s + minus);
        decimal_canonical(plain, strlen(plain), out);
        free(plain);
    } else {
        decimal_canonical(s, n, out);
    }
    return out;
}

static bool decimal_same(const char *a, const char *b)
{
    char *ca = canonical(a), *cb = canonical(b);
    bool same = strcmp(ca, cb) == 0;
    free(ca);
    free(cb);
    return same;
}

static const char *after_hashes(const char *text)
{
    const char *found_at = NULL;
    for (const char *p = strstr(text, "####"); p; p = strstr(p + 1, "####"))
        found_at = p;
    return found_at;
}

/* The number behind the last "####", else the last number. */
static bool extract_gsm8k(const char *text, struct span *out, const char **rule)
{
    const char *hashes = after_hashes(text);
    if (hashes) {
        size_t n = strcspn(hashes, "\n");
        char *line = xstrndup(hashes, n);
        bool ok = extract_number(line, false, out);
        if (ok)
            out->start = hashes + (out->start - line);
        free(line);
        *rule = "hashes";
        if (ok)
            return true;
    }
    *rule = "last-number";
    return extract_number(text, false, out);
}

static int judge_gsm8k(const struct answer *answer, const json_t *truth, struct verdict *out,
                       struct err *err)
{
    struct span span, wanted;
    const char *rule;
    char *text = truth_text(truth, err);
    if (!text)
        return -1;
    if (!extract_gsm8k(text, &wanted, &rule)) {
        err_set(err, "'ground_truth' is '%.80s', expected a number", text);
        free(text);
        return -1;
    }
    char *want = span_dup(&wanted);
    out->rule = "no-number";
    if (extract_gsm8k(answer->text, &span, &rule)) {
        found(out, &span, rule);
        out->score = decimal_same(out->extracted, want);
    }
    free(want);
    free(text);
    return 0;
}

/* Text. */

static void extract_text(const char *text, struct verdict *out)
{
    struct span span;
    if (extract_tag(text, "answer", &span))
        found(out, &span, "answer-tag");
    else if (extract_boxed(text, &span))
        found(out, &span, "boxed");
    else if (extract_answer_is(text, &span))
        found(out, &span, "answer-is");
    else if (extract_whole(text, &span))
        found(out, &span, "whole-text");
    else
        out->rule = "empty";
}

static bool is_article(const char *word, size_t n)
{
    return (n == 1 && word[0] == 'a') || (n == 2 && memcmp(word, "an", 2) == 0) ||
           (n == 3 && memcmp(word, "the", 3) == 0);
}

char *squad_normalize(const char *s)
{
    struct strbuf plain = {0}, out = {0};
    for (; *s; s++) {
        if (!ispunct((unsigned char)*s))
            strbuf_addc(&plain, (char)tolower((unsigned char)*s));
    }
    const char *p = plain.len ? plain.buf : "";
    while (*p) {
        p += strspn(p, " \t\r\n\v\f");
        size_t n = strcspn(p, " \t\r\n\v\f");
        if (n > 0 && !is_article(p, n)) {
            if (out.len)
                strbuf_addc(&out, ' ');
            strbuf_add(&out, p, n);
        }
        p += n;
    }
    strbuf_release(&plain);
    return strbuf_detach(&out, NULL);
}

static bool squad_same(const char *a, const char *b)
{
    char *na = squad_normalize(a), *nb = squad_normalize(b);
    /* An answer of articles alone ("A") would vanish and match every other such answer. */
    bool same = *na || *nb ? strcmp(na, nb) == 0 : strcasecmp(a, b) == 0;
    free(na);
    free(nb);
    return same;
}

static int judge_string(const struct answer *answer, const json_t *truth, struct verdict *out,
                        struct err *err)
{
    extract_text(answer->text, out);
    return judge_by(truth, squad_same, out, err);
}

/* exact: every character counts, except that items may be parted by commas or blanks, that a list
 * may stand in brackets, and a full stop at the end. */
static char *exact_normalize(const char *s)
{
    struct strbuf out = {0};
    struct span span = {s, strlen(s)};
    span_trim(&span);
    if (span.n > 1 && span.start[span.n - 1] == '.')
        span.n--;
    if (span.n > 1 && *span.start == '[' && span.start[span.n - 1] == ']') {
        span.start++;
        span.n -= 2;
    }
    for (size_t i = 0; i < span.n; i++) {
        bool between = strchr(", \t\r\n", span.start[i]) != NULL;
        if (!between)
            strbuf_addc(&out, span.start[i]);
        else if (out.len && out.buf[out.len - 1] != ' ')
            strbuf_addc(&out, ' ');
    }
    while (out.len && out.buf[out.len - 1] == ' ')
        out.buf[--out.len] = '\0';
    return strbuf_detach(&out, NULL);
}

static bool exact_same(const char *a, const char *b)
{
    char *na = exact_normalize(a), *nb = exact_normalize(b);
    bool same = strcmp(na, nb) == 0;
    free(na);
    free(nb);
    return same;
}

static int judge_exact(const struct answer *answer, const json_t *truth, struct verdict *out,
                       struct err *err)
{
    extract_text(answer->text, out);
    return judge_by(truth, exact_same, out, err);
}

/* format: thinking, closed once, then an answer. */

static int occurrences(const char *text, const char *what)
{
    int n = 0;
    for (const char *p = strstr(text, what); p; p = strstr(p + 1, what))
        n++;
    return n;
}

static const char *format_fault(const struct answer *answer)
{
    const char *text = answer->whole, *open = "<think>", *close = "</think>";
    const char *start = text + strspn(text, " \t\r\n");
    bool opens = strncmp(start, open, strlen(open)) == 0;
    int n_opens = occurrences(text, open);
    if (occurrences(text, close) != 1)
        return strstr(text, close) ? "several-think-ends" : "no-think-end";
    if (!opens && !answer->think_opened)
        return "no-think-start";
    if (n_opens > (opens ? 1 : 0))
        return "several-think-starts";
    const char *end = strstr(text, close) + strlen(close);
    return end[strspn(end, " \t\r\n")] ? NULL : "no-answer";
}

static int judge_format(const struct answer *answer, const json_t *truth, struct verdict *out,
                        struct err *err)
{
    (void)truth;
    (void)err;
    const char *fault = format_fault(answer);
    out->score = fault == NULL;
    out->rule = fault ? fault : "think-then-answer";
    return 0;
}

static const struct verifier verifiers[] = {
    {"math", true, judge_math, math_same, false, NULL},
    {"strict_math", true, judge_strict_math, math_same, false, NULL},
    {"gsm8k", true, judge_gsm8k, decimal_same, false, NULL},
    {"string_matcher", true, judge_string, squad_same, false, NULL},
    {"exact", true, judge_exact, exact_same, false, NULL},
    {"countdown", true, judge_countdown, countdown_same, false, NULL},
    {"format", false, judge_format, exact_same, false, NULL},
    {"code", false, judge_code, code_same, true, code_settings},
    {"code_stdio", true, judge_code_stdio, code_same, true, code_settings},
    {.name = NULL},
};

/* The others have files of their own. */
static const struct verifier *const tables[] = {
    verifiers, instruct_verifiers, text_verifiers, exec_verifiers, judge_verifiers,
};

const struct verifier *verifier_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        for (const struct verifier *v = tables[i]; v->name; v++) {
            if (strcmp(v->name, name) == 0)
                return v;
        }
    }
    return NULL;
}

static char all_names[1000];

static void join_names(void)
{
    struct strbuf names = {0};
    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        for (const struct verifier *v = tables[i]; v->name; v++)
            strbuf_addf(&names, "%s%s", names.len ? ", " : "", v->name);
    }
    snprintf(all_names, sizeof all_names, "%s", names.buf);
    strbuf_release(&names);
}

const char *verifier_names(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, join_names);
    return all_names;
}
