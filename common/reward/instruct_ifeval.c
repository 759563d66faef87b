/* instruct_ifeval.c - the 25 kinds of IFEval (Zhou et al., arXiv:2311.07911, table 1). */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "reward/instruct.h"
#include "reward/language.h"
#include "reward/sentence.h"

/* Keywords. */

static int check_existence(const struct instruct *in, struct err *err)
{
    const json_t *list, *item;
    size_t i;
    if (arg_list(in, "keywords", &list, err) < 0)
        return -1;
    json_array_foreach(list, i, item)
    {
        if (!json_is_string(item))
            return err_set(err, "'keywords' holds %s, expected strings", json_type_name(item));
        if (text_count(in->text, span_of(json_string_value(item))) == 0)
            return 0;
    }
    return 1;
}

static int check_frequency(const struct instruct *in, struct err *err)
{
    long n = arg_matches(in, "keyword", err);
    return n < 0 ? -1 : arg_relation(in, "relation", "frequency", (double)n, err);
}

static int check_forbidden(const struct instruct *in, struct err *err)
{
    const json_t *list, *item;
    size_t i;
    if (arg_list(in, "forbidden_words", &list, err) < 0)
        return -1;
    json_array_foreach(list, i, item)
    {
        if (!json_is_string(item))
            return err_set(err, "'forbidden_words' holds %s, expected strings",
                           json_type_name(item));
        if (span_has_word(in->text, json_string_value(item), true))
            return 0;
    }
    return 1;
}

static int check_letter_frequency(const struct instruct *in, struct err *err)
{
    const char *letter;
    if (arg_text(in, "letter", &letter, err) < 0)
        return -1;
    struct span one = span_strip(span_of(letter));
    if (span_length(one) != 1)
        return err_set(err, "'letter' is '%.20s', expected one letter", letter);
    char *text = text_lower(in->text), *small = text_lower(one);
    size_t n = span_count(span_of(text), small);
    free(text);
    free(small);
    return arg_relation(in, "let_relation", "let_frequency", (double)n, err);
}

/* Language and case. */

static int check_language(const struct instruct *in, struct err *err)
{
    const char *wanted, *found = text_language(in->text);
    if (arg_text(in, "language", &wanted, err) < 0)
        return -1;
    return !found || strcmp(found, wanted) == 0;
}

static bool is_english(struct span text)
{
    const char *found = text_language(text);
    return !found || strcmp(found, "en") == 0;
}

static int check_capital(const struct instruct *in, struct err *err)
{
    (void)err;
    return text_is_upper(in->text) && is_english(in->text);
}

static int check_lowercase(const struct instruct *in, struct err *err)
{
    (void)err;
    return text_is_lower(in->text) && is_english(in->text);
}

static int check_capital_words(const struct instruct *in, struct err *err)
{
    struct spans tokens = {0};
    size_t n = 0;
    split_tokens(in->text, &tokens);
    for (size_t i = 0; i < tokens.n; i++)
        n += text_is_upper(tokens.at[i]);
    spans_release(&tokens);
    return arg_relation(in, "capital_relation", "capital_frequency", (double)n, err);
}

/* Length. */

static int check_sentences(const struct instruct *in, struct err *err)
{
    return arg_relation(in, "relation", "num_sentences", (double)count_sentences(in->text), err);
}

static int check_words(const struct instruct *in, struct err *err)
{
    return arg_relation(in, "relation", "num_words", (double)count_words(in->text), err);
}

static bool is_blank(struct span s)
{
    return span_strip(s).n == 0;
}

/* Paragraphs between "***"; only the first and the last may be blank, they do not count then. */
static int check_paragraphs(const struct instruct *in, struct err *err)
{
    double wanted;
    struct spans parts = {0};
    if (arg_number(in, "num_paragraphs", &wanted, err) < 0)
        return -1;
    split_by(in->text, "***", &parts);
    size_t n = parts.n;
    bool gap = false;
    for (size_t i = 0; i < parts.n; i++) {
        if (!is_blank(parts.at[i]))
            continue;
        gap = gap || (i > 0 && i + 1 < parts.n);
        n--;
    }
    spans_release(&parts);
    return !gap && (double)n == wanted;
}

/* The first word of a paragraph, without quotes and what follows it. */
static struct span first_word(struct span paragraph)
{
    struct span w = span_strip(paragraph), rest = w;
    while (w.n > 0 && *w.start == '\'')
        span_char(&w);
    while (w.n > 0 && *w.start == '"')
        span_char(&w);
    for (rest = w; rest.n > 0; span_char(&rest)) {
        int32_t c = span_first(rest);
        if (char_is_space(c) || (c < 0x80 && strchr(".,?!'\"", c)))
            break;
    }
    return (struct span){w.start, w.n - rest.n};
}

static int check_nth_paragraph(const struct instruct *in, struct err *err)
{
    double wanted, nth;
    const char *word;
    struct spans parts = {0};
    if (arg_number(in, "num_paragraphs", &wanted, err) < 0 ||
        arg_number(in, "nth_paragraph", &nth, err) < 0 ||
        arg_text(in, "first_word", &word, err) < 0)
        return -1;
    split_by(in->text, "\n\n", &parts);
    size_t n = 0, k = nth >= 1 && nth <= (double)parts.n ? (size_t)nth : 0;
    for (size_t i = 0; i < parts.n; i++)
        n += !is_blank(parts.at[i]);
    bool yes = false;
    if (k > 0 && (double)n == wanted && nth <= (double)n && !is_blank(parts.at[k - 1])) {
        char *found = text_lower(first_word(parts.at[k - 1])), *lower = text_lower(span_of(word));
        yes = strcmp(found, lower) == 0;
        free(found);
        free(lower);
    }
    spans_release(&parts);
    return yes;
}

/* Content. */

static int check_placeholders(const struct instruct *in, struct err *err)
{
    double wanted;
    size_t n = 0;
    if (arg_number(in, "num_placeholders", &wanted, err) < 0)
        return -1;
    for (size_t i = 0; i < in->text.n; i++) {
        if (in->text.start[i] != '[')
            continue;
        size_t end = i + strcspn(in->text.start + i, "]\n");
        n += in->text.start[end] == ']';
        i = end;
    }
    return (double)n >= wanted;
}

/* The mark in small letters, one blank allowed behind each full stop but the last. */
static bool has_spaced(struct span text, const char *mark)
{
    for (size_t i = 0; i < text.n; i++) {
        struct span rest = {text.start + i, text.n - i};
        const char *m = mark;
        while (*m && rest.n > 0 && *rest.start == *m) {
            m++;
            span_char(&rest);
            if (m[-1] == '.' && *m && char_is_space(span_first(rest)))
                span_char(&rest);
        }
        if (!*m)
            return true;
    }
    return false;
}

static int check_postscript(const struct instruct *in, struct err *err)
{
    const char *marker;
    if (arg_text(in, "postscript_marker", &marker, err) < 0)
        return -1;
    char *mark = text_lower(span_strip(span_of(marker))), *text = text_lower(in->text);
    bool spaced = strcmp(mark, "p.p.s") == 0 || strcmp(mark, "p.s.") == 0;
    bool yes = spaced ? has_spaced(span_of(text), mark) : strstr(text, mark) != NULL;
    free(mark);
    free(text);
    return yes;
}

/* Format. */

static size_t line_end(struct span text, size_t at)
{
    const char *end = memchr(text.start + at, '\n', text.n - at);
    return end ? (size_t)(end - text.start) : text.n;
}

static size_t skip_blank(struct span text, size_t at)
{
    struct span rest = {text.start + at, text.n - at};
    while (rest.n > 0 && char_is_space(span_first(rest)))
        span_char(&rest);
    return text.n - rest.n;
}

/* Lines that begin with the mark, blank lines before them skipped; no second '*' may follow '*'. */
static size_t count_bullets(struct span text, char mark)
{
    size_t n = 0;
    for (size_t at = 0; at < text.n;) {
        size_t i = skip_blank(text, at), end = i < text.n ? i : text.n;
        bool bullet = i < text.n && text.start[i] == mark;
        if (bullet && mark == '*') {
            bullet = i + 1 < text.n && text.start[i + 1] != '*';
            end = i + 1 < text.n ? i + 1 + (text.start[i + 1] == '\n') : text.n;
        }
        n += bullet;
        at = line_end(text, end < text.n ? end : text.n) + 1;
    }
    return n;
}

static int check_bullets(const struct instruct *in, struct err *err)
{
    double wanted;
    if (arg_number(in, "num_bullets", &wanted, err) < 0)
        return -1;
    return (double)(count_bullets(in->text, '*') + count_bullets(in->text, '-')) == wanted;
}

static int check_constrained(const struct instruct *in, struct err *err)
{
    (void)err;
    return span_find(in->text, "My answer is yes.") || span_find(in->text, "My answer is no.") ||
           span_find(in->text, "My answer is maybe.");
}

/* Texts on one line between marks of 1 or 2 asterisks. */
static size_t count_highlights(struct span text, size_t marks)
{
    size_t n = 0;
    for (size_t i = 0; i + 2 * marks <= text.n;) {
        if (memcmp(text.start + i, "**", marks) != 0) {
            i++;
            continue;
        }
        size_t end = i + marks + strcspn(text.start + i + marks, "*\n");
        if (end + marks > text.n || memcmp(text.start + end, "**", marks) != 0) {
            i++;
            continue;
        }
        n += !is_blank((struct span){text.start + i + marks, end - i - marks});
        i = end + marks;
    }
    return n;
}

static int check_highlights(const struct instruct *in, struct err *err)
{
    double wanted;
    if (arg_number(in, "num_highlights", &wanted, err) < 0)
        return -1;
    return (double)(count_highlights(in->text, 1) + count_highlights(in->text, 2)) >= wanted;
}

static int check_sections(const struct instruct *in, struct err *err)
{
    double wanted;
    const char *splitter;
    if (arg_number(in, "num_sections", &wanted, err) < 0 ||
        arg_text(in, "section_spliter", &splitter, err) < 0)
        return -1;
    struct span mark = span_strip(span_of(splitter));
    char *name = xstrndup(mark.start, mark.n);
    struct span rest = in->text;
    size_t n = 0;
    const char *at;
    while (*name && (at = span_find(rest, name)) != NULL) {
        struct span after = {at + mark.n, rest.n - (size_t)(at - rest.start) - mark.n};
        struct span number = after;
        if (char_is_space(span_first(number)))
            span_char(&number);
        n += number.n > 0 && isdigit((unsigned char)*number.start);
        rest = after;
    }
    free(name);
    return (double)n >= wanted;
}

static int check_json(const struct instruct *in, struct err *err)
{
    static const char *const fences[] = {"```json", "```Json", "```JSON", "```"};
    struct span s = span_strip(in->text);
    json_error_t ignored;
    (void)err;
    for (size_t i = 0; i < ARRAY_SIZE(fences); i++) {
        size_t n = strlen(fences[i]);
        if (span_starts(s, fences[i]))
            s = (struct span){s.start + n, s.n - n};
    }
    if (span_ends(s, "```"))
        s.n -= 3;
    json_t *value = json_loadb(
        s.start, s.n, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &ignored);
    json_decref(value);
    return value != NULL;
}

/* <<title>> on one line, from the first << to the last >>. */
static int check_title(const struct instruct *in, struct err *err)
{
    (void)err;
    for (size_t at = 0; at < in->text.n; at = line_end(in->text, at) + 1) {
        struct span line = {in->text.start + at, line_end(in->text, at) - at};
        const char *open = span_find(line, "<<"), *close = NULL;
        for (size_t i = line.n; open && i >= 2 && !close; i--) {
            if (memcmp(line.start + i - 2, ">>", 2) == 0)
                close = line.start + i - 2;
        }
        if (!open || !close || close < open + 3)
            continue;
        struct span title = {open, (size_t)(close + 2 - open)};
        while (title.n > 0 && *title.start == '<')
            span_char(&title);
        while (title.n > 0 && title.start[title.n - 1] == '>')
            title.n--;
        if (!is_blank(title))
            return 1;
    }
    return 0;
}

/* Combination, start and end, punctuation. */

static int check_two_responses(const struct instruct *in, struct err *err)
{
    struct spans parts = {0};
    struct span found[2] = {{0}};
    size_t n = 0;
    bool gap = false;
    (void)err;
    split_by(in->text, "******", &parts);
    for (size_t i = 0; i < parts.n; i++) {
        struct span part = span_strip(parts.at[i]);
        if (part.n == 0)
            gap = gap || (i > 0 && i + 1 < parts.n);
        else if (n++ < 2)
            found[n - 1] = part;
    }
    spans_release(&parts);
    return !gap && n == 2 && !span_same(found[0], found[1]);
}

static int check_repeat_prompt(const struct instruct *in, struct err *err)
{
    const char *prompt;
    if (arg_text(in, "prompt_to_repeat", &prompt, err) < 0)
        return -1;
    char *text = text_lower(span_strip(in->text)), *start = text_lower(span_strip(span_of(prompt)));
    bool yes = span_starts(span_of(text), start);
    free(text);
    free(start);
    return yes;
}

static int check_end(const struct instruct *in, struct err *err)
{
    const char *phrase;
    if (arg_text(in, "end_phrase", &phrase, err) < 0)
        return -1;
    struct span s = span_strip(in->text);
    while (s.n > 0 && *s.start == '"')
        span_char(&s);
    while (s.n > 0 && s.start[s.n - 1] == '"')
        s.n--;
    char *text = text_lower(s), *end = text_lower(span_strip(span_of(phrase)));
    bool yes = span_ends(span_of(text), end);
    free(text);
    free(end);
    return yes;
}

static int check_quotation(const struct instruct *in, struct err *err)
{
    struct span s = span_strip(in->text);
    (void)err;
    return s.n > 1 && *s.start == '"' && s.start[s.n - 1] == '"';
}

static int check_no_comma(const struct instruct *in, struct err *err)
{
    (void)err;
    return memchr(in->text.start, ',', in->text.n) == NULL;
}

const struct instruct_kind instruct_ifeval[] = {
    {"keywords:existence", check_existence},
    {"keywords:frequency", check_frequency},
    {"keywords:forbidden_words", check_forbidden},
    {"keywords:letter_frequency", check_letter_frequency},
    {"language:response_language", check_language},
    {"length_constraints:number_sentences", check_sentences},
    {"length_constraints:number_paragraphs", check_paragraphs},
    {"length_constraints:number_words", check_words},
    {"length_constraints:nth_paragraph_first_word", check_nth_paragraph},
    {"detectable_content:number_placeholders", check_placeholders},
    {"detectable_content:postscript", check_postscript},
    {"detectable_format:number_bullet_lists", check_bullets},
    {"detectable_format:constrained_response", check_constrained},
    {"detectable_format:number_highlighted_sections", check_highlights},
    {"detectable_format:multiple_sections", check_sections},
    {"detectable_format:json_format", check_json},
    {"detectable_format:title", check_title},
    {"combination:two_responses", check_two_responses},
    {"combination:repeat_prompt", check_repeat_prompt},
    {"startend:end_checker", check_end},
    {"change_case:capital_word_frequency", check_capital_words},
    {"change_case:english_capital", check_capital},
    {"change_case:english_lowercase", check_lowercase},
    {"punctuation:no_comma", check_no_comma},
    {"startend:quotation", check_quotation},
    {NULL, NULL},
};
