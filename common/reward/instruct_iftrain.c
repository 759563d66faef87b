/* instruct_iftrain.c - the kinds that are in training sets only (IFTrain, Pyatkin et al.,
 * arXiv:2507.02833, appendix B; the names are those of open-instruct's IFEvalG). */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "reward/instruct.h"
#include "reward/sentence.h"

/* Copies. */

static int check_copy(const struct instruct *in, struct err *err)
{
    const char *prompt;
    if (arg_text(in, "prompt_to_repeat", &prompt, err) < 0)
        return -1;
    return span_same_any_case(span_strip(in->text), span_strip(span_of(prompt)));
}

static int check_copy_multiple(const struct instruct *in, struct err *err)
{
    const char *prompt;
    double n;
    if (arg_text(in, "prompt_to_repeat", &prompt, err) < 0 || arg_number(in, "N", &n, err) < 0)
        return -1;
    struct spans parts = {0};
    split_by(in->text, "******", &parts);
    bool yes = (double)parts.n == n;
    for (size_t i = 0; i < parts.n && yes; i++)
        yes = span_same_any_case(span_strip(parts.at[i]), span_strip(span_of(prompt)));
    spans_release(&parts);
    return yes;
}

/* Characters n_start to n_end, the last left out. */
static int check_copy_span(const struct instruct *in, struct err *err)
{
    struct span part;
    if (arg_span(in, false, &part, err) < 0)
        return -1;
    return span_same_any_case(span_strip(in->text), span_strip(part));
}

/* n times the phrase, with one word changed each time; its first and last word tell where. */
static int check_repeat_phrase(const struct instruct *in, struct err *err)
{
    const char *phrase;
    double wanted;
    if (arg_text(in, "phrase", &phrase, err) < 0 || arg_number(in, "small_n", &wanted, err) < 0)
        return -1;
    struct spans ref = {0}, words = {0};
    size_t found = 0;
    bool yes = true;
    split_words(span_of(phrase), &ref);
    split_words(in->text, &words);
    for (size_t i = 0; ref.n >= 2 && i + ref.n <= words.n && yes; i++) {
        if (!span_same(words.at[i], ref.at[0]))
            continue;
        size_t other = 0;
        for (size_t k = 1; k + 1 < ref.n; k++)
            other += !span_same(words.at[i + k], ref.at[k]);
        struct span last = words.at[i + ref.n - 1];
        last.n = last.n > ref.at[ref.n - 1].n ? ref.at[ref.n - 1].n : last.n;
        if (!span_same(last, ref.at[ref.n - 1]) || other > 1)
            continue;
        yes = other == 1;
        found++;
        i += ref.n - 1;
    }
    spans_release(&ref);
    spans_release(&words);
    return yes && (double)found == wanted;
}

/* Form. */

/* Hyphens between the sentences, no blanks around them. */
static int check_sentence_hyphens(const struct instruct *in, struct err *err)
{
    struct spans parts = {0}, sentences = {0};
    char *blanks = xstrndup(in->text.start, in->text.n);
    bool yes = true;
    (void)err;
    for (char *p = blanks; *p; p++) {
        if (*p == '-')
            *p = ' ';
    }
    split_by(in->text, "-", &parts);
    split_sentences(span_of(blanks), &sentences);
    for (size_t i = 0; i < parts.n && i < sentences.n && yes; i++)
        yes = span_same(parts.at[i], span_strip(parts.at[i])) &&
              span_same(parts.at[i], sentences.at[i]);
    spans_release(&parts);
    spans_release(&sentences);
    free(blanks);
    return yes;
}

static int check_square_brackets(const struct instruct *in, struct err *err)
{
    struct spans words = {0};
    bool yes = true;
    (void)err;
    split_words(in->text, &words);
    for (size_t i = 0; i < words.n && yes; i++)
        yes = span_starts(words.at[i], "[") && span_ends(words.at[i], "]");
    spans_release(&words);
    return yes;
}

/* <<two words>> each; one that is left over may stand alone. */
static int check_bigrams(const struct instruct *in, struct err *err)
{
    struct spans words = {0};
    bool yes = true;
    (void)err;
    split_words(in->text, &words);
    for (size_t i = 0; i + 1 < words.n && yes; i += 2)
        yes = span_starts(words.at[i], "<<") && span_ends(words.at[i + 1], ">>");
    spans_release(&words);
    return yes;
}

static int count_parts(struct span text, const char *separator)
{
    struct spans parts = {0};
    split_by(text, separator, &parts);
    int n = (int)parts.n;
    for (size_t i = 0; i < parts.n && n >= 0; i++) {
        if (span_strip(parts.at[i]).n == 0)
            n = i == 0 || i + 1 == parts.n ? n - 1 : -1;
    }
    spans_release(&parts);
    return n;
}

static int check_two_paragraphs(const struct instruct *in, struct err *err)
{
    (void)err;
    return count_parts(in->text, "***") == 2;
}

static int check_two_paragraphs_blank(const struct instruct *in, struct err *err)
{
    (void)err;
    return count_parts(in->text, "\n\n") == 2;
}

static int check_no_dot(const struct instruct *in, struct err *err)
{
    (void)err;
    return memchr(in->text.start, '.', in->text.n) == NULL;
}

static int check_no_exclamation(const struct instruct *in, struct err *err)
{
    (void)err;
    return memchr(in->text.start, '!', in->text.n) == NULL;
}

/* Words. */

/* No word begins with the letter after the one that begins the word before it. */
static int check_adjacent(const struct instruct *in, struct err *err)
{
    char *lower = text_lower(in->text);
    struct spans words = {0};
    bool yes = true;
    (void)err;
    split_words(span_of(lower), &words);
    for (size_t i = 1; i < words.n && yes; i++)
        yes = span_first(words.at[i]) - span_first(words.at[i - 1]) != 1;
    spans_release(&words);
    free(lower);
    return yes;
}

static int check_word_once(const struct instruct *in, struct err *err)
{
    long n = arg_matches(in, "keyword", err);
    return n < 0 ? -1 : n == 1;
}

static int check_word_count(const struct instruct *in, struct err *err)
{
    long n = arg_matches(in, "keyword", err);
    return n < 0 ? -1 : arg_relation(in, "relation", "frequency", (double)n, err);
}

static int check_exclude_word(const struct instruct *in, struct err *err)
{
    const char *keyword;
    if (arg_text(in, "keyword", &keyword, err) < 0)
        return -1;
    char *between = xasprintf(" %s ", keyword);
    bool found = span_find(in->text, between) != NULL;
    free(between);
    return !found;
}

static int check_increment_word(const struct instruct *in, struct err *err)
{
    long a = arg_matches(in, "keyword1", err), b = a < 0 ? -1 : arg_matches(in, "keyword2", err);
    return a < 0 || b < 0 ? -1 : a == 1 && b == 2;
}

/* The first or last word of each part is the argument, a last one without its punctuation. */
static int check_edge(const struct instruct *in, struct spans *parts, bool first, struct err *err)
{
    const char *wanted;
    bool yes = true;
    if (arg_text(in, first ? "first_word" : "last_word", &wanted, err) < 0) {
        spans_release(parts);
        return -1;
    }
    for (size_t i = 0; i < parts->n && yes; i++) {
        struct spans words = {0};
        split_words(parts->at[i], &words);
        yes = words.n > 0;
        if (yes && first)
            yes = span_same_any_case(words.at[0], span_of(wanted));
        else if (yes)
            yes = span_same_any_case(span_strip_marks(words.at[words.n - 1]), span_of(wanted));
        spans_release(&words);
    }
    spans_release(parts);
    return yes;
}

static int check_first_of_sentences(const struct instruct *in, struct err *err)
{
    struct spans parts = {0};
    split_sentences(in->text, &parts);
    return check_edge(in, &parts, true, err);
}

static int check_last_of_sentences(const struct instruct *in, struct err *err)
{
    struct spans parts = {0};
    split_sentences(in->text, &parts);
    return check_edge(in, &parts, false, err);
}

static int check_first_of_text(const struct instruct *in, struct err *err)
{
    struct spans parts = {0};
    spans_add(&parts, in->text.start, in->text.n);
    return check_edge(in, &parts, true, err);
}

static int check_last_of_text(const struct instruct *in, struct err *err)
{
    struct spans parts = {0};
    spans_add(&parts, in->text.start, in->text.n);
    return check_edge(in, &parts, false, err);
}

static int check_start_end(const struct instruct *in, struct err *err)
{
    struct spans t = {0};
    (void)err;
    split_tokens(in->text, &t);
    bool yes = t.n >= 2 && span_same_any_case(t.at[0], t.at[t.n - 1]);
    spans_release(&t);
    return yes;
}

/* Marks are words here, and case matters. */
static int check_specific_position(const struct instruct *in, struct err *err)
{
    const char *keyword;
    struct span token;
    if (arg_text(in, "keyword", &keyword, err) < 0 || arg_token(in, false, &token, err) < 0)
        return -1;
    return token.n > 0 && span_same(token, span_strip(span_of(keyword)));
}

static int check_palindrome(const struct instruct *in, struct err *err)
{
    struct spans words = {0};
    bool found = false;
    (void)err;
    split_words(in->text, &words);
    for (size_t i = 0; i < words.n && !found; i++) {
        struct span w = words.at[i];
        size_t k = 0;
        while (k < w.n / 2 && w.start[k] == w.start[w.n - 1 - k])
            k++;
        found = k == w.n / 2;
    }
    spans_release(&words);
    return found;
}

/* Counts. */

/* Words of small letters a to z. */
static int check_lowercase_count(const struct instruct *in, struct err *err)
{
    double most;
    struct span rest = in->text;
    size_t n = 0;
    if (arg_number(in, "N", &most, err) < 0)
        return -1;
    while (rest.n > 0) {
        bool small = true, some = false;
        while (rest.n > 0 && char_is_word(span_first(rest))) {
            int32_t c = span_char(&rest);
            small = small && c >= 'a' && c <= 'z';
            some = true;
        }
        n += small && some;
        span_char(&rest);
    }
    return (double)n <= most;
}

static int check_letter_count(const struct instruct *in, struct err *err)
{
    size_t n = 0;
    for (size_t i = 0; i < in->text.n; i++)
        n += isalpha((unsigned char)in->text.start[i]) != 0;
    return arg_relation(in, "relation", "N", (double)n, err);
}

static int check_letter_frequency(const struct instruct *in, struct err *err)
{
    const char *letter;
    if (arg_text(in, "letter", &letter, err) < 0)
        return -1;
    char *text = text_lower(in->text), *small = text_lower(span_strip(span_of(letter)));
    size_t n = span_count(span_of(text), small);
    free(text);
    free(small);
    return arg_relation(in, "let_relation", "let_frequency", (double)n, err);
}

static bool has_tokens(struct span sentence, double wanted)
{
    struct spans t = {0};
    split_tokens(sentence, &t);
    bool yes = (double)t.n == wanted;
    spans_release(&t);
    return yes;
}

/* Three paragraphs of n_sent sentences of n_words tokens each. */
static int check_composition(const struct instruct *in, struct err *err)
{
    double n_sent, n_words;
    if (arg_number(in, "n_sent", &n_sent, err) < 0 || arg_number(in, "n_words", &n_words, err) < 0)
        return -1;
    struct spans parts = {0}, sentences = {0};
    bool yes = count_parts(in->text, "***") == 3;
    split_by(in->text, "***", &parts);
    for (size_t i = 0; i < parts.n && yes; i++) {
        if (span_strip(parts.at[i]).n == 0)
            continue;
        sentences.n = 0;
        split_sentences(parts.at[i], &sentences);
        yes = (double)sentences.n == n_sent;
        for (size_t k = 0; k < sentences.n && yes; k++)
            yes = has_tokens(sentences.at[k], n_words);
    }
    spans_release(&parts);
    spans_release(&sentences);
    return yes;
}

static int check_unique(const struct instruct *in, struct err *err)
{
    struct spans t = {0};
    (void)err;
    split_tokens(in->text, &t);
    bool yes = spans_frequency(&t).most <= 1;
    spans_release(&t);
    return yes;
}

const struct instruct_kind instruct_iftrain[] = {
    {"copy:repeat_phrase", check_repeat_phrase},
    {"copy:copy", check_copy},
    {"copy:copying_simple", check_copy},
    {"copy:copying_multiple", check_copy_multiple},
    {"new:copy_span_idx", check_copy_span},
    {"detectable_format:sentence_hyphens", check_sentence_hyphens},
    {"detectable_format:square_brackets", check_square_brackets},
    {"detectable_format:bigram_wrapping", check_bigrams},
    {"paragraphs:paragraphs", check_two_paragraphs},
    {"paragraphs:paragraphs2", check_two_paragraphs_blank},
    {"punctuation:punctuation_dot", check_no_dot},
    {"punctuation:punctuation_exclamation", check_no_exclamation},
    {"keywords:no_adjacent_consecutive", check_adjacent},
    {"keywords:word_once", check_word_once},
    {"keywords:word_count_different_numbers", check_word_count},
    {"keywords:exclude_word_harder", check_exclude_word},
    {"keywords:palindrome", check_palindrome},
    {"keywords:keyword_specific_position", check_specific_position},
    {"keywords:start_end", check_start_end},
    {"first_word:first_word_sent", check_first_of_sentences},
    {"first_word:first_word_answer", check_first_of_text},
    {"last_word:last_word_sent", check_last_of_sentences},
    {"last_word:last_word_answer", check_last_of_text},
    {"count:lowercase_counting", check_lowercase_count},
    {"count:counting_composition", check_composition},
    {"count:count_unique", check_unique},
    {"count:count_increment_word", check_increment_word},
    {"letters:letter_counting", check_letter_count},
    {"letters:letter_counting2", check_letter_frequency},
    {NULL, NULL},
};
