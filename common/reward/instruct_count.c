/* instruct_count.c - IFBench's kinds that count: count:* and ratio:* (Pyatkin et al.,
 * arXiv:2507.02833, appendix A). */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "reward/english.h"
#include "reward/instruct.h"
#include "reward/sentence.h"

static int at_least(const struct instruct *in, const char *name, size_t n, struct err *err)
{
    double wanted;
    return arg_number(in, name, &wanted, err) < 0 ? -1 : (double)n >= wanted;
}

static int check_word_range(const struct instruct *in, struct err *err)
{
    double min, max, n = (double)count_words(in->text);
    if (arg_number(in, "min_words", &min, err) < 0 || arg_number(in, "max_words", &max, err) < 0)
        return -1;
    return min <= n && n <= max;
}

static int check_unique_words(const struct instruct *in, struct err *err)
{
    char *lower = text_lower(in->text);
    struct spans words = {0};
    split_words(span_of(lower), &words);
    for (size_t i = 0; i < words.n; i++)
        words.at[i] = span_strip_marks(words.at[i]);
    struct frequency f = spans_frequency(&words);
    spans_release(&words);
    free(lower);
    return at_least(in, "N", f.distinct, err);
}

/* Runs of word characters; each is given to yes() in small letters. */
static size_t count_runs(struct span text, bool (*yes)(const char *word))
{
    char *lower = text_lower(text);
    struct span rest = span_of(lower);
    size_t n = 0;
    while (rest.n > 0) {
        while (rest.n > 0 && !char_is_word(span_first(rest)))
            span_char(&rest);
        struct span word = rest;
        while (rest.n > 0 && char_is_word(span_first(rest)))
            span_char(&rest);
        word.n -= rest.n;
        char *copy = xstrndup(word.start, word.n);
        n += word.n > 0 && yes(copy);
        free(copy);
    }
    free(lower);
    return n;
}

static int check_stop_words(const struct instruct *in, struct err *err)
{
    double most;
    if (arg_number(in, "percentage", &most, err) < 0)
        return -1;
    size_t words = count_words(in->text), stop = count_runs(in->text, english_stop_word);
    return words > 0 && 100.0 * (double)stop / (double)words <= most;
}

/* Sentences by what they end in. */
struct endings {
    size_t stops, questions, exclamations;
};

static struct endings count_endings(struct span text)
{
    struct endings e = {0};
    struct spans sentences = {0};
    split_sentences(text, &sentences);
    for (size_t i = 0; i < sentences.n; i++) {
        char last = sentences.at[i].start[sentences.at[i].n - 1];
        e.stops += last == '.';
        e.questions += last == '?';
        e.exclamations += last == '!';
    }
    spans_release(&sentences);
    return e;
}

static int check_sentence_type(const struct instruct *in, struct err *err)
{
    struct endings e = count_endings(in->text);
    (void)err;
    return e.stops == 2 * e.questions;
}

static int check_sentence_balance(const struct instruct *in, struct err *err)
{
    struct endings e = count_endings(in->text);
    (void)err;
    return e.stops == e.questions && e.questions == e.exclamations;
}

/* Three sentences of one length in characters, and no word twice. */
static int check_sentence_words(const struct instruct *in, struct err *err)
{
    struct spans s = {0}, words = {0};
    (void)err;
    split_sentences(in->text, &s);
    bool yes = s.n == 3 && span_length(s.at[0]) == span_length(s.at[1]) &&
               span_length(s.at[1]) == span_length(s.at[2]);
    if (yes) {
        char *lower = text_lower(in->text), *plain = text_without_marks(span_of(lower));
        split_words(span_of(plain), &words);
        yes = spans_frequency(&words).most <= 1;
        free(lower);
        free(plain);
    }
    spans_release(&s);
    spans_release(&words);
    return yes;
}

static int check_conjunctions(const struct instruct *in, struct err *err)
{
    static const char *const conjunctions[] = {"and", "but", "for", "nor", "or", "so", "yet"};
    char *lower = text_lower(in->text);
    struct spans words = {0};
    size_t n = 0;
    split_words(span_of(lower), &words);
    for (size_t i = 0; i < words.n; i++)
        words.at[i] = span_strip_marks(words.at[i]);
    for (size_t k = 0; k < ARRAY_SIZE(conjunctions); k++) {
        size_t i = 0;
        while (i < words.n && !span_is(words.at[i], conjunctions[k]))
            i++;
        n += i < words.n;
    }
    spans_release(&words);
    free(lower);
    return at_least(in, "small_n", n, err);
}

static int check_person_names(const struct instruct *in, struct err *err)
{
    static const char *const names[] = {
        "Emma",     "Liam",     "Sophia",   "Jackson", "Olivia",      "Noah",      "Ava",
        "Lucas",    "Isabella", "Mason",    "Mia",     "Ethan",       "Charlotte", "Alexander",
        "Amelia",   "Benjamin", "Harper",   "Leo",     "Zoe",         "Daniel",    "Chloe",
        "Samuel",   "Lily",     "Matthew",  "Grace",   "Owen",        "Abigail",   "Gabriel",
        "Ella",     "Jacob",    "Scarlett", "Nathan",  "Victoria",    "Elijah",    "Layla",
        "Nicholas", "Audrey",   "David",    "Hannah",  "Christopher", "Penelope",  "Thomas",
        "Nora",     "Andrew",   "Aria",     "Joseph",  "Claire",      "Ryan",      "Stella",
        "Jonathan",
    };
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        n += span_has_word(in->text, names[i], false);
    return at_least(in, "N", n, err);
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The different triples of characters in order; owned. */
static uint64_t *trigrams(struct span text, size_t *n)
{
    uint64_t *list = xmalloc((text.n + 1) * sizeof *list), last = 0;
    size_t length = 0, kept = 0;
    while (text.n > 0) {
        last = (last << 21 | (uint64_t)span_char(&text)) & (((uint64_t)1 << 63) - 1);
        if (++length >= 3)
            list[kept++] = last;
    }
    qsort(list, kept, sizeof *list, by_number);
    *n = 0;
    for (size_t i = 0; i < kept; i++) {
        if (i == 0 || list[i] != list[i - 1])
            list[(*n)++] = list[i];
    }
    return list;
}

/* Trigrams are of characters; the share is of the text's. */
static int check_overlap(const struct instruct *in, struct err *err)
{
    double percent;
    const char *reference;
    if (arg_number(in, "percentage", &percent, err) < 0 ||
        arg_text(in, "reference_text", &reference, err) < 0)
        return -1;
    size_t n, m, same = 0;
    uint64_t *mine = trigrams(in->text, &n), *theirs = trigrams(span_of(reference), &m);
    for (size_t i = 0, k = 0; i < n && k < m;) {
        same += mine[i] == theirs[k];
        uint64_t x = mine[i], y = theirs[k];
        i += x <= y;
        k += y <= x;
    }
    free(mine);
    free(theirs);
    double overlap = n > 0 ? 100.0 * ((double)same / (double)n) : 0;
    return n > 0 && percent - 2 <= overlap && overlap <= percent + 2;
}

/* Runs of digits after punctuation is left out: 1,000 is one number, 3.14 is one. */
static int check_numbers(const struct instruct *in, struct err *err)
{
    double wanted;
    if (arg_number(in, "N", &wanted, err) < 0)
        return -1;
    char *plain = text_without_marks(in->text);
    size_t n = 0;
    for (size_t i = 0; plain[i]; i++)
        n += isdigit((unsigned char)plain[i]) && !isdigit((unsigned char)plain[i + 1]);
    free(plain);
    return (double)n == wanted;
}

/* Every mark beside one interrobang. */
static int check_punctuation(const struct instruct *in, struct err *err)
{
    const char *bang = span_find(in->text, "?!");
    (void)err;
    if (!bang)
        bang = span_find(in->text, "!?");
    if (!bang && !span_find(in->text, "‽"))
        return 0;
    size_t skip = bang ? (size_t)(bang - in->text.start) : in->text.n;
    for (const char *mark = ".,!?;:"; *mark; mark++) {
        bool found = memchr(in->text.start, *mark, skip) != NULL;
        if (!found && bang)
            found = memchr(bang + 2, *mark, in->text.n - skip - 2) != NULL;
        if (!found)
            return 0;
    }
    return 1;
}

static bool is_japanese(struct span word)
{
    while (word.n > 0) {
        int32_t c = span_char(&word);
        if ((c >= 0x3040 && c <= 0x30ff) || (c >= 0x4e00 && c <= 0x9fff))
            return true;
    }
    return false;
}

static bool is_digits(struct span word)
{
    while (word.n > 0) {
        int32_t c = span_char(&word);
        if (!char_is_word(c) || char_is_letter(c) || c == '_')
            return false;
    }
    return true;
}

static int check_words_japanese(const struct instruct *in, struct err *err)
{
    double every;
    if (arg_number(in, "N", &every, err) < 0)
        return -1;
    if (every < 1 || every > 1e9)
        return err_set(err, "argument 'N' is %g, expected 1 or more", every);
    struct spans words = {0};
    bool yes = true;
    split_words(in->text, &words);
    for (size_t i = (size_t)every - 1; i < words.n && yes; i += (size_t)every) {
        struct span word = span_strip_marks(words.at[i]);
        yes = word.n == 0 || is_digits(word) || is_japanese(word);
    }
    spans_release(&words);
    return yes;
}

static int check_pronouns(const struct instruct *in, struct err *err)
{
    char *lower = text_lower(in->text);
    struct spans tokens = {0};
    size_t n = 0;
    for (char *p = lower; *p; p++) {
        if (*p == '/') /* she/her */
            *p = ' ';
    }
    split_tokens(span_of(lower), &tokens);
    for (size_t i = 0; i < tokens.n; i++) {
        char *word = xstrndup(tokens.at[i].start, tokens.at[i].n);
        n += english_pronoun(word);
        free(word);
    }
    spans_release(&tokens);
    free(lower);
    return at_least(in, "N", n, err);
}

static int check_keywords_multiple(const struct instruct *in, struct err *err)
{
    static const size_t wanted[] = {1, 2, 3, 5, 7};
    char *text = text_lower(in->text);
    int yes = 1;
    for (size_t i = 0; i < ARRAY_SIZE(wanted) && yes == 1; i++) {
        char name[] = {'k', 'e', 'y', 'w', 'o', 'r', 'd', (char)('1' + i), '\0'};
        const char *keyword;
        yes = arg_text(in, name, &keyword, err);
        if (yes < 0)
            break;
        char *lower = text_lower(span_strip(span_of(keyword)));
        yes = span_count(span_of(text), lower) == wanted[i];
        free(lower);
    }
    free(text);
    return yes;
}

const struct instruct_kind instruct_ifbench_count[] = {
    {"count:word_count_range", check_word_range},
    {"count:unique_word_count", check_unique_words},
    {"count:conjunctions", check_conjunctions},
    {"count:person_names", check_person_names},
    {"count:numbers", check_numbers},
    {"count:punctuation", check_punctuation},
    {"count:words_japanese", check_words_japanese},
    {"count:pronouns", check_pronouns},
    {"count:keywords_multiple", check_keywords_multiple},
    {"ratio:stop_words", check_stop_words},
    {"ratio:sentence_type", check_sentence_type},
    {"ratio:sentence_balance", check_sentence_balance},
    {"ratio:sentence_words", check_sentence_words},
    {"ratio:overlap", check_overlap},
    {NULL, NULL},
};
