/* instruct_words.c - IFBench's kinds about single words and sentences: words:* and sentence:*
 * (Pyatkin et al., arXiv:2507.02833, appendix A). */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "reward/english.h"
#include "reward/instruct.h"
#include "reward/sentence.h"

/* Words in small letters, ASCII punctuation left out; *text holds them. */
static struct spans plain_words(struct span s, char **text)
{
    struct spans words = {0};
    char *lower = text_lower(s);
    *text = text_without_marks(span_of(lower));
    free(lower);
    split_words(span_of(*text), &words);
    return words;
}

static bool all_words(struct span s, bool (*yes)(struct span word))
{
    char *text;
    struct spans words = plain_words(s, &text);
    bool all = true;
    for (size_t i = 0; i < words.n && all; i++)
        all = yes(words.at[i]);
    spans_release(&words);
    free(text);
    return all;
}

/* Does yes(a, b) hold for each word and the one after it? */
static bool all_pairs(struct span s, bool (*yes)(struct span a, struct span b))
{
    char *text;
    struct spans words = plain_words(s, &text);
    bool all = true;
    for (size_t i = 1; i < words.n && all; i++)
        all = yes(words.at[i - 1], words.at[i]);
    spans_release(&words);
    free(text);
    return all;
}

static bool next_in_alphabet(struct span a, struct span b)
{
    int32_t x = span_first(a), y = span_first(b);
    return x >= 'a' && x <= 'z' && y == (x == 'z' ? 'a' : x + 1);
}

static int check_alphabet(const struct instruct *in, struct err *err)
{
    char *text;
    struct spans words = plain_words(in->text, &text);
    int32_t first = words.n > 0 ? span_first(words.at[0]) : 0;
    (void)err;
    spans_release(&words);
    free(text);
    return first >= 'a' && first <= 'z' && all_pairs(in->text, next_in_alphabet);
}

/* One paragraph with at most three different vowels. */
static int check_vowel(const struct instruct *in, struct err *err)
{
    struct span s = span_strip(in->text);
    int different = 0;
    (void)err;
    if (memchr(s.start, '\n', s.n))
        return 0;
    for (const char *v = "aeiou"; *v; v++)
        different += memchr(s.start, *v, s.n) || memchr(s.start, toupper(*v), s.n);
    return different <= 3;
}

static bool is_consonant(char c)
{
    return islower((unsigned char)c) && !strchr("aeiou", c);
}

/* Two consonants beside each other in every word. */
static int check_consonants(const struct instruct *in, struct err *err)
{
    char *lower = text_lower(in->text);
    struct spans words = {0};
    bool all = true;
    (void)err;
    split_words(span_of(lower), &words);
    for (size_t i = 0; i < words.n && all; i++) {
        const struct span *w = &words.at[i];
        size_t k = 1;
        while (k < w->n && !(is_consonant(w->start[k - 1]) && is_consonant(w->start[k])))
            k++;
        all = k < w->n;
    }
    spans_release(&words);
    free(lower);
    return all;
}

static struct span drop_marks_left(struct span s)
{
    while (s.n > 0 && (char_is_punctuation(span_first(s)) || *s.start == ' '))
        span_char(&s);
    return s;
}

static struct span drop_marks_right(struct span s)
{
    while (s.n > 0 && (char_is_punctuation(span_last(s)) || s.start[s.n - 1] == ' '))
        s.n--;
    return s;
}

/* Words of a sentence that begin as a neighbour does. */
static int alliterations(struct span sentence)
{
    struct spans words = {0};
    int32_t before = 0;
    bool running = false;
    int n = 0;
    split_words(sentence, &words);
    for (size_t i = 0; i < words.n; i++) {
        struct span word = drop_marks_left(words.at[i]);
        if (word.n == 0)
            continue;
        int32_t first = span_first(word);
        bool same = first == before;
        n += same ? (running ? 1 : 2) : 0;
        running = same;
        before = first;
    }
    spans_release(&words);
    return n;
}

static int check_alliteration(const struct instruct *in, struct err *err)
{
    struct spans sentences = {0};
    int before = -1;
    bool yes = true;
    (void)err;
    split_sentences(in->text, &sentences);
    for (size_t i = 0; i < sentences.n && yes; i++) {
        char *small = text_lower(sentences.at[i]);
        int n = alliterations(span_of(small));
        free(small);
        yes = n > before;
        before = n;
    }
    spans_release(&sentences);
    return yes;
}

static bool is_palindrome(struct span word)
{
    while (word.n > 0) {
        struct span rest = word;
        int32_t first = span_char(&rest), last = span_last(word);
        if (first != last)
            return false;
        if (rest.n == 0)
            return true;
        size_t bytes = word.n - rest.n; /* the last character has as many */
        word = (struct span){rest.start, rest.n - bytes};
    }
    return true;
}

static int check_palindrome(const struct instruct *in, struct err *err)
{
    char *text;
    struct spans words = plain_words(in->text, &text);
    size_t n = 0;
    (void)err;
    for (size_t i = 0; i < words.n; i++)
        n += span_length(words.at[i]) >= 5 && is_palindrome(words.at[i]);
    spans_release(&words);
    free(text);
    return n >= 10;
}

static bool has_prime_length(struct span word)
{
    size_t n = span_length(word);
    for (size_t d = 2; d * d <= n && n < 100; d++) {
        if (n % d == 0)
            return false;
    }
    return n >= 2 && n < 100;
}

static int check_prime_lengths(const struct instruct *in, struct err *err)
{
    (void)err;
    return all_words(in->text, has_prime_length);
}

static int check_start_verb(const struct instruct *in, struct err *err)
{
    char *lower = text_lower(in->text);
    struct spans tokens = {0};
    bool yes = false;
    (void)err;
    split_tokens(span_of(lower), &tokens);
    if (tokens.n > 0) {
        char *word = xstrndup(tokens.at[0].start, tokens.at[0].n);
        yes = english_verb(word);
        free(word);
    }
    spans_release(&tokens);
    free(lower);
    return yes;
}

static int check_repeats(const struct instruct *in, struct err *err)
{
    double most;
    char *text;
    if (arg_number(in, "small_n", &most, err) < 0)
        return -1;
    struct spans words = plain_words(in->text, &text);
    struct frequency f = spans_frequency(&words);
    spans_release(&words);
    free(text);
    return (double)f.most <= most;
}

static bool other_parity(struct span a, struct span b)
{
    char *x = xstrndup(a.start, a.n), *y = xstrndup(b.start, b.n);
    int parity = english_syllables(x) + english_syllables(y);
    free(x);
    free(y);
    return parity % 2 == 1;
}

static int check_syllables(const struct instruct *in, struct err *err)
{
    (void)err;
    return all_pairs(in->text, other_parity);
}

static bool other_first_letter(struct span a, struct span b)
{
    return span_first(a) != span_first(b);
}

static int check_no_consecutive(const struct instruct *in, struct err *err)
{
    (void)err;
    return all_pairs(in->text, other_first_letter);
}

/* Is the last word of one the first of the other? */
static bool links(struct span one, struct span next)
{
    struct spans a = {0}, b = {0};
    split_words(drop_marks_right(one), &a);
    split_words(drop_marks_left(next), &b);
    bool yes = a.n > 0 && b.n > 0 && span_same_any_case(a.at[a.n - 1], b.at[0]);
    spans_release(&a);
    spans_release(&b);
    return yes;
}

static int check_last_first(const struct instruct *in, struct err *err)
{
    struct spans sentences = {0};
    bool yes = true;
    (void)err;
    split_sentences(in->text, &sentences);
    for (size_t i = 1; i < sentences.n && yes; i++)
        yes = links(sentences.at[i - 1], sentences.at[i]);
    spans_release(&sentences);
    return yes;
}

static int check_paragraph_last_first(const struct instruct *in, struct err *err)
{
    struct spans paragraphs = {0}, words = {0};
    bool yes = true;
    (void)err;
    split_by(in->text, "\n", &paragraphs);
    for (size_t i = 0; i < paragraphs.n && yes; i++) {
        words.n = 0;
        split_words(span_strip_marks(span_strip(paragraphs.at[i])), &words);
        yes = words.n == 0 || span_same_any_case(words.at[0], words.at[words.n - 1]);
    }
    spans_release(&paragraphs);
    spans_release(&words);
    return yes;
}

/* Marks are no words here, and case does not matter. */
static int check_specific_position(const struct instruct *in, struct err *err)
{
    const char *keyword;
    struct span token;
    if (arg_text(in, "keyword", &keyword, err) < 0 || arg_token(in, true, &token, err) < 0)
        return -1;
    return token.n > 0 && span_same_any_case(token, span_strip(span_of(keyword)));
}

/* The second word and the last but one, a mark at the end aside. */
static int check_words_position(const struct instruct *in, struct err *err)
{
    const char *keyword;
    if (arg_text(in, "keyword", &keyword, err) < 0)
        return -1;
    struct spans t = {0};
    struct span word = span_strip(span_of(keyword));
    split_tokens(in->text, &t);
    size_t n = t.n;
    if (n > 0 && t.at[n - 1].n == 1 && char_is_punctuation(span_first(t.at[n - 1])))
        n--;
    bool yes =
        n >= 2 && t.n >= 2 && span_same_any_case(t.at[1], word) && span_same_any_case(t.at[n - 2], word);
    spans_release(&t);
    return yes;
}

/* Sentences. */

static int check_sentence_keyword(const struct instruct *in, struct err *err)
{
    const char *word;
    double n;
    if (arg_text(in, "word", &word, err) < 0 || arg_number(in, "N", &n, err) < 0)
        return -1;
    struct spans sentences = {0};
    split_sentences(in->text, &sentences);
    bool yes = n >= 1 && n <= (double)sentences.n &&
               span_has_word(sentences.at[(size_t)n - 1], word, true);
    spans_release(&sentences);
    return yes;
}

static size_t count_plain_words(struct span sentence)
{
    char *text;
    struct spans words = plain_words(sentence, &text);
    size_t n = words.n;
    spans_release(&words);
    free(text);
    return n;
}

static int check_increment(const struct instruct *in, struct err *err)
{
    double step;
    if (arg_number(in, "small_n", &step, err) < 0)
        return -1;
    struct spans sentences = {0};
    bool yes = true;
    split_sentences(in->text, &sentences);
    for (size_t i = 0, before = 0; i < sentences.n && yes; i++) {
        size_t n = count_plain_words(sentences.at[i]);
        yes = i == 0 || (double)n == (double)before + step;
        before = n;
    }
    spans_release(&sentences);
    return yes;
}

const struct instruct_kind instruct_ifbench_words[] = {
    {"words:alphabet", check_alphabet},
    {"words:vowel", check_vowel},
    {"words:consonants", check_consonants},
    {"words:palindrome", check_palindrome},
    {"words:prime_lengths", check_prime_lengths},
    {"words:start_verb", check_start_verb},
    {"words:repeats", check_repeats},
    {"words:odd_even_syllables", check_syllables},
    {"words:last_first", check_last_first},
    {"words:paragraph_last_first", check_paragraph_last_first},
    {"words:no_consecutive", check_no_consecutive},
    {"words:keywords_specific_position", check_specific_position},
    {"words:words_position", check_words_position},
    {"sentence:alliteration_increment", check_alliteration},
    {"sentence:keyword", check_sentence_keyword},
    {"sentence:increment", check_increment},
    {NULL, NULL},
};
