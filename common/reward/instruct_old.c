/* instruct_old.c - the 25 constraints of open-instruct's first training set for instructions
 * (Lambert et al., "Tulu 3", arXiv:2411.15124), under the names it has for them.
 *
 * They are IFEval's by subject but not by rule: counts are exact or "around", case counts in some,
 * and words are what white space parts.  Sentences end as in sentence.h. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "reward/instruct.h"
#include "reward/language.h"
#include "reward/sentence.h"

/* "at least", "at most" or "around": within tolerance. */
static int quantified(const struct instruct *in, double x, double tolerance, struct err *err)
{
    const char *how;
    double n;
    if (arg_text(in, "quantifier", &how, err) < 0 || arg_number(in, "N", &n, err) < 0)
        return -1;
    if (strcmp(how, "at least") == 0)
        return x >= n;
    if (strcmp(how, "at most") == 0)
        return x <= n;
    if (strcmp(how, "around") == 0)
        return fabs(x - n) <= (tolerance > 0 ? tolerance : fmax(round(n * 0.1), 1));
    return err_set(err, "argument 'quantifier' is '%.40s', expected at least, at most or around",
                   how);
}

static int exactly(const struct instruct *in, size_t x, struct err *err)
{
    double n;
    return arg_number(in, "N", &n, err) < 0 ? -1 : (double)x == n;
}

/* Keywords and letters. */

/* Are all (or is one) of the list's texts in the text, whatever the case? */
static int has_texts(const struct instruct *in, const char *name, bool all, struct err *err)
{
    const json_t *list, *item;
    size_t i;
    if (arg_list(in, name, &list, err) < 0)
        return -1;
    json_array_foreach(list, i, item)
    {
        if (!json_is_string(item))
            return err_set(err, "'%s' holds %s, expected strings", name, json_type_name(item));
        bool found = text_count(in->text, span_of(json_string_value(item))) > 0;
        if (found != all)
            return !all;
    }
    return all;
}

static int check_keywords(const struct instruct *in, struct err *err)
{
    return has_texts(in, "keyword_list", true, err);
}

static int check_forbidden(const struct instruct *in, struct err *err)
{
    int found = has_texts(in, "forbidden_words", false, err);
    return found < 0 ? -1 : !found;
}

static int check_keyword_frequency(const struct instruct *in, struct err *err)
{
    const char *word;
    size_t n = 0;
    if (arg_text(in, "word", &word, err) < 0)
        return -1;
    char *all = text_lower(in->text), *lower = text_lower(span_of(word));
    struct span rest = span_of(all);
    while (rest.n > 0) {
        struct span run = rest;
        while (rest.n > 0 && char_is_word(span_first(rest)))
            span_char(&rest);
        run.n -= rest.n;
        n += run.n > 0 && span_is(run, lower);
        span_char(&rest);
    }
    free(all);
    free(lower);
    return exactly(in, n, err);
}

static int check_letter_frequency(const struct instruct *in, struct err *err)
{
    const char *letter;
    if (arg_text(in, "letter", &letter, err) < 0)
        return -1;
    if (span_length(span_of(letter)) != 1)
        return err_set(err, "argument 'letter' is '%.20s', expected one letter", letter);
    return exactly(in, span_count(in->text, letter), err);
}

static int check_choice(const struct instruct *in, struct err *err)
{
    const json_t *list, *item;
    size_t i;
    if (arg_list(in, "options", &list, err) < 0)
        return -1;
    json_array_foreach(list, i, item)
    {
        if (json_is_string(item) && span_find(in->text, json_string_value(item)))
            return 1;
    }
    return 0;
}

/* Length. */

static size_t count_tokens(struct span text)
{
    struct spans words = {0};
    split_words(text, &words);
    size_t n = words.n;
    spans_release(&words);
    return n;
}

static int check_words(const struct instruct *in, struct err *err)
{
    return quantified(in, (double)count_tokens(in->text), 0, err);
}

static int check_sentences(const struct instruct *in, struct err *err)
{
    return quantified(in, (double)count_sentences(in->text), 1, err);
}

/* Between "* * *"; none may be blank. */
static int check_paragraph_count(const struct instruct *in, struct err *err)
{
    struct spans parts = {0};
    bool blank = false;
    split_by(in->text, "* * *", &parts);
    for (size_t i = 0; i < parts.n; i++)
        blank = blank || span_strip(parts.at[i]).n == 0;
    int yes = exactly(in, parts.n, err);
    spans_release(&parts);
    return yes < 0 ? -1 : yes && !blank;
}

static int check_paragraphs(const struct instruct *in, struct err *err)
{
    const char *word;
    double nth;
    if (arg_text(in, "first_word", &word, err) < 0 || arg_number(in, "i", &nth, err) < 0)
        return -1;
    struct spans parts = {0};
    split_by(in->text, "\n\n", &parts);
    int yes = exactly(in, parts.n, err);
    if (yes == 1)
        yes = nth >= 1 && nth <= (double)parts.n &&
              span_starts(span_strip(parts.at[(size_t)nth - 1]), word);
    spans_release(&parts);
    return yes;
}

/* Content and form. */

static int check_postscript(const struct instruct *in, struct err *err)
{
    const char *marker;
    if (arg_text(in, "postscript_marker", &marker, err) < 0)
        return -1;
    const char *at = span_find(in->text, marker);
    if (!at)
        return 0;
    struct span rest = {at, in->text.n - (size_t)(at - in->text.start)};
    return span_strip(rest).n > strlen(marker);
}

/* Pairs of marks on one line. */
static size_t count_pairs(struct span text, char open, char close)
{
    const char stop[] = {close, '\n', '\0'};
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.start[i] != open)
            continue;
        size_t end = i + 1 + strcspn(text.start + i + 1, stop);
        if (end < text.n && text.start[end] == close) {
            n++;
            i = end;
        }
    }
    return n;
}

static int check_placeholders(const struct instruct *in, struct err *err)
{
    double n;
    return arg_number(in, "N", &n, err) < 0 ? -1 : (double)count_pairs(in->text, '[', ']') >= n;
}

static int check_highlights(const struct instruct *in, struct err *err)
{
    double n;
    return arg_number(in, "N", &n, err) < 0 ? -1 : (double)count_pairs(in->text, '*', '*') >= n;
}

static int check_bullets(const struct instruct *in, struct err *err)
{
    struct spans lines = {0};
    size_t n = 0;
    split_by(in->text, "\n", &lines);
    for (size_t i = 0; i < lines.n; i++) {
        struct span line = span_strip(lines.at[i]);
        n += line.n > 0 && (*line.start == '*' || *line.start == '-');
    }
    spans_release(&lines);
    return exactly(in, n, err);
}

static int check_title(const struct instruct *in, struct err *err)
{
    struct spans lines = {0};
    bool yes = false;
    (void)err;
    split_by(in->text, "\n", &lines);
    for (size_t i = 0; i < lines.n && !yes; i++) {
        const char *open = span_find(lines.at[i], "<<");
        size_t before = open ? (size_t)(open + 2 - lines.at[i].start) : 0;
        yes = open && span_find((struct span){open + 2, lines.at[i].n - before}, ">>");
    }
    spans_release(&lines);
    return yes;
}

static int check_sections(const struct instruct *in, struct err *err)
{
    const char *splitter;
    if (arg_text(in, "section_splitter", &splitter, err) < 0)
        return -1;
    if (!*splitter)
        return err_set(err, "argument 'section_splitter' is empty");
    size_t n = span_count(in->text, splitter) + 1;
    return exactly(in, n - span_starts(in->text, splitter), err);
}

static int check_json(const struct instruct *in, struct err *err)
{
    json_error_t ignored;
    (void)err;
    json_t *value =
        json_loadb(in->text.start, in->text.n,
                   JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &ignored);
    json_decref(value);
    return value != NULL;
}

static int check_repeat_prompt(const struct instruct *in, struct err *err)
{
    const char *prompt;
    return arg_text(in, "original_prompt", &prompt, err) < 0 ? -1 : span_starts(in->text, prompt);
}

static int check_two_responses(const struct instruct *in, struct err *err)
{
    struct spans parts = {0};
    (void)err;
    split_by(in->text, "******", &parts);
    bool yes = parts.n == 2 && !span_same(span_strip(parts.at[0]), span_strip(parts.at[1]));
    spans_release(&parts);
    return yes;
}

/* Case, language, ends. */

static int check_language(const struct instruct *in, struct err *err)
{
    const char *wanted, *found = text_language(in->text);
    if (arg_text(in, "language", &wanted, err) < 0)
        return -1;
    return found && strcmp(found, wanted) == 0;
}

static bool has_case(struct span s, bool (*is_case)(int32_t))
{
    while (s.n > 0) {
        if (is_case(span_char(&s)))
            return true;
    }
    return false;
}

static int check_uppercase(const struct instruct *in, struct err *err)
{
    (void)err;
    return !has_case(in->text, char_is_lower);
}

static int check_lowercase(const struct instruct *in, struct err *err)
{
    (void)err;
    return !has_case(in->text, char_is_upper);
}

/* Runs of A to Z with no word character beside them. */
static int check_capital_words(const struct instruct *in, struct err *err)
{
    struct span rest = in->text;
    size_t n = 0;
    while (rest.n > 0) {
        bool capital = true, some = false;
        while (rest.n > 0 && char_is_word(span_first(rest))) {
            int32_t c = span_char(&rest);
            capital = capital && c >= 'A' && c <= 'Z';
            some = true;
        }
        n += capital && some;
        span_char(&rest);
    }
    return quantified(in, (double)n, 0, err);
}

static int check_end(const struct instruct *in, struct err *err)
{
    const char *phrase;
    return arg_text(in, "end_phrase", &phrase, err) < 0 ? -1 : span_ends(in->text, phrase);
}

static int check_quotation(const struct instruct *in, struct err *err)
{
    (void)err;
    return span_starts(in->text, "\"") && span_ends(in->text, "\"");
}

static int check_no_commas(const struct instruct *in, struct err *err)
{
    (void)err;
    return memchr(in->text.start, ',', in->text.n) == NULL;
}

const struct instruct_kind instruct_old[] = {
    {"verify_keywords", check_keywords},
    {"verify_keyword_frequency", check_keyword_frequency},
    {"validate_forbidden_words", check_forbidden},
    {"verify_letter_frequency", check_letter_frequency},
    {"validate_response_language", check_language},
    {"verify_paragraph_count", check_paragraph_count},
    {"validate_word_constraint", check_words},
    {"verify_sentence_constraint", check_sentences},
    {"validate_paragraphs", check_paragraphs},
    {"verify_postscript", check_postscript},
    {"validate_placeholders", check_placeholders},
    {"verify_bullet_points", check_bullets},
    {"validate_title", check_title},
    {"validate_choice", check_choice},
    {"validate_highlighted_sections", check_highlights},
    {"validate_sections", check_sections},
    {"validate_json_format", check_json},
    {"validate_repeat_prompt", check_repeat_prompt},
    {"validate_two_responses", check_two_responses},
    {"validate_uppercase", check_uppercase},
    {"validate_lowercase", check_lowercase},
    {"validate_frequency_capital_words", check_capital_words},
    {"validate_end", check_end},
    {"validate_quotation", check_quotation},
    {"validate_no_commas", check_no_commas},
    {NULL, NULL},
};
