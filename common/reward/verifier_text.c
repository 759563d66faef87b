/* verifier_text.c - verifiers of text and length, as open-instruct names them. */
#include "reward/verifier_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "reward/regex.h"
#include "reward/verifier.h"
#include "reward/pieces.h"

#define FORMAT_FLOOR 0.1

static double length_scale = 32768;

const struct opt text_option_table[] = {
    OPT_FLOAT(0, "length-scale", &length_scale, "L",
              "max_length: tokens too many or too few that make the score 0", 1, 1e12),
    OPT_END,
};

static void length_settings(struct strbuf *out)
{
    strbuf_addf(out, "%.17g ", length_scale);
}

/* Truths: text, a number, or a list as text of JSON ("[\"a\", \"b\"]"), of which any will do. */

static json_t *truths_of(const json_t *truth, bool json_text, struct err *err)
{
    struct err ignored = {0};
    const char *text = json_string_value(truth);
    json_t *list =
        text && json_text && *text == '[' ? json_parse(text, strlen(text), &ignored) : NULL;
    if (json_is_array(list) && json_array_size(list) > 0)
        return list;
    json_decref(list);
    list = json_array();
    json_array_append(list, (json_t *)(uintptr_t)truth);
    if (json_is_string(truth) || json_is_number(truth))
        return list;
    json_decref(list);
    err_set(err, "'ground_truth' is %s, expected a string or a number", json_type_name(truth));
    return NULL;
}

/* One truth as text; owned. */
static char *text_of(const json_t *truth)
{
    struct strbuf out = {0};
    if (json_is_string(truth))
        return xstrdup(json_string_value(truth));
    json_write(&out, truth);
    return strbuf_detach(&out, NULL);
}

/* The best score of the extracted text against each truth. */
static int best_of(const json_t *truth, bool json_text, double (*score)(const char *, const char *),
                   struct verdict *out, struct err *err)
{
    json_t *list = truths_of(truth, json_text, err);
    const json_t *item;
    size_t i;
    if (!list)
        return -1;
    json_array_foreach(list, i, item)
    {
        char *text = text_of(item);
        double x = out->extracted ? score(out->extracted, text) : 0;
        out->score = x > out->score ? x : out->score;
        free(text);
    }
    json_decref(list);
    return 0;
}

static double exact_match(const char *a, const char *b)
{
    char *x = squad_normalize(a), *y = squad_normalize(b);
    /* "A" is an answer, though it is an article. */
    bool same = *x || *y ? strcmp(x, y) == 0 : strcasecmp(a, b) == 0;
    free(x);
    free(y);
    return same;
}

static bool same_text(const char *a, const char *b)
{
    return exact_match(a, b) > 0;
}

static int by_bytes(const void *a, const void *b)
{
    const struct span *x = a, *y = b;
    int order = memcmp(x->start, y->start, x->n < y->n ? x->n : y->n);
    return order ? order : (x->n > y->n) - (x->n < y->n);
}

static struct spans sorted_words(const char *normalized)
{
    struct spans words = {0};
    split_words(span_of(normalized), &words);
    if (words.n > 0)
        qsort(words.at, words.n, sizeof *words.at, by_bytes);
    return words;
}

/* Harmonic mean of the shares of words that the other has, too, each as often as it stands there.
 * (Rajpurkar et al., arXiv:1606.05250) */
static double f1_score(const char *a, const char *b)
{
    char *x = squad_normalize(a), *y = squad_normalize(b);
    struct spans mine = sorted_words(x), theirs = sorted_words(y);
    size_t same = 0;
    for (size_t i = 0, k = 0; i < mine.n && k < theirs.n;) {
        int order = by_bytes(&mine.at[i], &theirs.at[k]);
        same += order == 0;
        i += order <= 0;
        k += order >= 0;
    }
    double f1 = same ? 2.0 * (double)same / (double)(mine.n + theirs.n) : 0;
    spans_release(&mine);
    spans_release(&theirs);
    free(x);
    free(y);
    return f1;
}

/* Answers. */

/* All of it, the tags of an answer left out. */
static void extract_plain(const char *text, struct verdict *out)
{
    char *open = text_without(span_of(text), "<answer>");
    char *both = text_without(span_of(open), "</answer>");
    struct span s = span_strip(span_of(both));
    out->rule = s.n > 0 ? "whole-text" : "empty";
    if (s.n > 0)
        out->extracted = xstrndup(s.start, s.n);
    free(open);
    free(both);
}

static int judge_f1(const struct answer *a, const json_t *truth, struct verdict *out,
                    struct err *err)
{
    extract_plain(a->text, out);
    return best_of(truth, false, f1_score, out, err);
}

static int judge_puzzle(const struct answer *a, const json_t *truth, struct verdict *out,
                        struct err *err)
{
    extract_plain(a->text, out);
    return best_of(truth, false, exact_match, out, err);
}

static int judge_flan(const struct answer *a, const json_t *truth, struct verdict *out,
                      struct err *err)
{
    static const char lead[] = "The answer is: ";
    const char *text = a->text, *at;
    out->rule = "whole-text";
    while ((at = strstr(text, lead)) != NULL) {
        text = at + strlen(lead);
        out->rule = "answer-is";
    }
    struct span s = span_strip(span_of(text));
    out->extracted = xstrndup(s.start, s.n);
    return best_of(truth, false, exact_match, out, err);
}

/* What stands in the last <finish>..</finish>. */
static void extract_finish(const char *text, struct verdict *out)
{
    struct span inside;
    out->rule = "no-finish-tag";
    if (!extract_tag(text, "finish", &inside))
        return;
    inside = span_strip(inside);
    out->rule = inside.n > 0 ? "finish-tag" : "empty";
    if (inside.n > 0)
        out->extracted = xstrndup(inside.start, inside.n);
}

static int judge_search(const struct answer *a, const json_t *truth, struct verdict *out,
                        struct err *err)
{
    extract_finish(a->text, out);
    return best_of(truth, true, exact_match, out, err);
}

static int judge_search_f1(const struct answer *a, const json_t *truth, struct verdict *out,
                           struct err *err)
{
    extract_finish(a->text, out);
    if (best_of(truth, true, f1_score, out, err) < 0)
        return -1;
    if (out->extracted && out->score == 0) {
        out->score = FORMAT_FLOOR;
        out->compared = "format-floor";
    }
    return 0;
}

static int judge_regex(const struct answer *a, const json_t *truth, struct verdict *out,
                       struct err *err)
{
    struct span found = {0};
    if (!json_is_string(truth))
        return err_set(err, "'ground_truth' is %s, expected a pattern", json_type_name(truth));
    const char *pattern = json_string_value(truth);
    long n = regex_count(pattern, 0, span_of(a->text), 1, &found, err);
    if (n == -1)
        return err_prefix(err, "'ground_truth'");
    if (n < 0) {
        err_set(err, "pattern '%.80s' takes too much work on this text", pattern);
        return NO_VERDICT;
    }
    out->score = n > 0;
    out->rule = n > 0 ? "found" : "not-found";
    if (n > 0)
        out->extracted = xstrndup(found.start, found.n);
    return 0;
}

/* Length. */

/* Tokens generated, by the record's ids or as the server counted (workers_record). */
static int count_tokens(const json_t *record, double *out, struct err *err)
{
    const json_t *n = json_object_get(record, "n_token_ids");
    if (!json_is_number(n))
        return err_set(err, "neither 'token_ids' nor 'usage' tells how many tokens there are");
    *out = json_number_value(n);
    return 0;
}

static int wanted_length(const json_t *truth, double *out, struct err *err)
{
    char *end;
    const char *text = json_string_value(truth);
    *out = json_number_value(truth);
    if (text) {
        *out = strtod(text, &end);
        if (end == text || end[strspn(end, " \t\n")] || !isfinite(*out))
            return err_set(err, "'ground_truth' is '%.40s', expected a number of tokens", text);
    } else if (!json_is_number(truth)) {
        return err_set(err, "'ground_truth' is %s, expected a number of tokens",
                       json_type_name(truth));
    }
    return 0;
}

static int judge_length(const struct answer *a, const json_t *truth, bool up_to,
                        struct verdict *out, struct err *err)
{
    double n = 0, wanted = 0;
    if (wanted_length(truth, &wanted, err) < 0 || count_tokens(a->record, &n, err) < 0)
        return -1;
    double off = n < wanted && up_to ? 0 : fabs(n - wanted);
    out->score = off < length_scale ? 1 - off / length_scale : 0;
    out->rule = off == 0 ? "in-length" : n > wanted ? "too-long" : "too-short";
    return 0;
}

static int judge_max_length(const struct answer *a, const json_t *truth, struct verdict *out,
                            struct err *err)
{
    return judge_length(a, truth, false, out, err);
}

static int judge_up_to(const struct answer *a, const json_t *truth, struct verdict *out,
                       struct err *err)
{
    return judge_length(a, truth, true, out, err);
}

/* Form. */

static int judge_r1_format(const struct answer *a, const json_t *truth, struct verdict *out,
                           struct err *err)
{
    (void)truth;
    (void)err;
    const char *close = NULL;
    out->rule = "no-answer-after-thinking";
    for (const char *p = strstr(a->whole, "</answer>"); p; p = strstr(p + 1, "</answer>"))
        close = p;
    for (const char *p = a->whole; !out->score && (p = strstr(p, "</think>")) != NULL;) {
        p += strlen("</think>");
        const char *tag = p + strspn(p, " \t\r\n");
        if (strncmp(tag, "<answer>", strlen("<answer>")) == 0 && close && close > tag)
            out->score = 1;
    }
    if (out->score)
        out->rule = "think-then-answer-tag";
    return 0;
}

static int judge_passthrough(const struct answer *a, const json_t *truth, struct verdict *out,
                             struct err *err)
{
    (void)a;
    (void)truth;
    (void)err;
    out->rule = "passthrough";
    return 0;
}

const struct verifier text_verifiers[] = {
    {.name = "string_f1", .needs_truth = true, .judge = judge_f1, .same = same_text},
    {.name = "puzzle", .needs_truth = true, .judge = judge_puzzle, .same = same_text},
    {.name = "flan", .needs_truth = true, .judge = judge_flan, .same = same_text},
    {.name = "re_search", .needs_truth = true, .judge = judge_search, .same = same_text},
    {.name = "re_search_f1", .needs_truth = true, .judge = judge_search_f1, .same = same_text},
    {.name = "regex", .needs_truth = true, .judge = judge_regex, .same = same_text},
    {.name = "max_length",
     .needs_truth = true,
     .judge = judge_max_length,
     .same = same_text,
     .settings = length_settings},
    {.name = "up_to_max_length",
     .needs_truth = true,
     .judge = judge_up_to,
     .same = same_text,
     .settings = length_settings},
    {.name = "r1_format", .judge = judge_r1_format, .same = same_text},
    {.name = "passthrough", .judge = judge_passthrough, .same = same_text},
    {.name = NULL},
};
