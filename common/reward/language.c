/* language.c - the language a text is written in. */
#include "reward/language.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "reward/language_words.h"

#define MAX_TEXT (256 << 10) /* bytes that are looked at */

/* Scripts: ranges of letters and what they are written for; a script of one language names it. */
enum script { LATIN, CYRILLIC, ARABIC, DEVANAGARI, KANA, HAN, FIRST_OWN };
static const struct {
    int32_t from, to;
    int script;
    const char *language;
} ranges[] = {
    {'A', 'Z', LATIN, NULL},
    {'a', 'z', LATIN, NULL},
    {0xc0, 0x24f, LATIN, NULL},
    {0x1e00, 0x1eff, LATIN, NULL},
    {0x400, 0x52f, CYRILLIC, NULL},
    {0x600, 0x6ff, ARABIC, NULL},
    {0x750, 0x77f, ARABIC, NULL},
    {0xfb50, 0xfdff, ARABIC, NULL},
    {0x900, 0x97f, DEVANAGARI, NULL},
    {0x3040, 0x30ff, KANA, NULL},
    {0x4e00, 0x9fff, HAN, NULL},
    {0x370, 0x3ff, FIRST_OWN + 0, "el"},
    {0x590, 0x5ff, FIRST_OWN + 1, "he"},
    {0x980, 0x9ff, FIRST_OWN + 2, "bn"},
    {0xa00, 0xa7f, FIRST_OWN + 3, "pa"},
    {0xa80, 0xaff, FIRST_OWN + 4, "gu"},
    {0xb80, 0xbff, FIRST_OWN + 5, "ta"},
    {0xc00, 0xc7f, FIRST_OWN + 6, "te"},
    {0xc80, 0xcff, FIRST_OWN + 7, "kn"},
    {0xd00, 0xd7f, FIRST_OWN + 8, "ml"},
    {0xe00, 0xe7f, FIRST_OWN + 9, "th"},
    {0xac00, 0xd7af, FIRST_OWN + 10, "ko"},
    {0x530, 0x58f, FIRST_OWN + 11, "hy"},
    {0x10a0, 0x10ff, FIRST_OWN + 12, "ka"},
    {0xd80, 0xdff, FIRST_OWN + 13, "si"},
    {0xe80, 0xeff, FIRST_OWN + 14, "lo"},
    {0x1780, 0x17ff, FIRST_OWN + 15, "km"},
    {0x1000, 0x109f, FIRST_OWN + 16, "my"},
    {0x1200, 0x137f, FIRST_OWN + 17, "am"},
};
#define N_SCRIPTS (FIRST_OWN + 18)

/* Letters that one language of its script has and its neighbours lack; each counts as a word. */
static const struct {
    const char *language, *letters;
} own_letters[] = {
    {"ru", "ыэё"},
    {"uk", "іїєґ"},
    {"ur", "ٹڈڑںےہھ"},
    {"fa", "ژ"},
    {"de", "ß"},
    {"pl", "łąęśźż"},
    {"vi", "đơưạảấầẩậắằểễệỉịọốồổộớờởợụủứừửựỳỷỹ"},
    {"es", "ñ¿¡"},
    {"pt", "ãõ"},
    {"ro", "țșă"},
    {"tr", "ğış"},
    {"hu", "őű"},
    {"cs", "řěů"},
    {"mr", "ळ"},
    {"fr", "œ"},
};

static int script_of(int32_t c)
{
    for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
        if (c >= ranges[i].from && c <= ranges[i].to)
            return (int)i;
    }
    return -1;
}

static const char *script_language(int script)
{
    for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
        if (ranges[i].script == script)
            return ranges[i].language;
    }
    return NULL;
}

/* Letters of each script; returns how many there are in all. */
static size_t count_scripts(struct span text, size_t counts[N_SCRIPTS])
{
    size_t n = 0;
    while (text.n > 0) {
        int32_t c = span_char(&text);
        int range = char_is_letter(c) ? script_of(c) : -1;
        n += char_is_letter(c);
        if (range >= 0)
            counts[ranges[range].script]++;
    }
    return n;
}

static bool is_script_of(const char *words, int script)
{
    struct span s = {words + 1, strlen(words) - 1};
    int range = script_of(span_first(s));
    return range >= 0 && ranges[range].script == script;
}

/* Letters that only this language uses, in text[]. */
static size_t count_letters(struct span text, const char *language)
{
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_SIZE(own_letters); i++) {
        struct span letters = span_of(own_letters[i].letters);
        if (strcmp(own_letters[i].language, language) != 0)
            continue;
        while (letters.n > 0) {
            struct span one = letters;
            span_char(&letters);
            char *letter = xstrndup(one.start, one.n - letters.n);
            n += span_count(text, letter);
            free(letter);
        }
    }
    return n;
}

/* How many words of the text are in the list. */
static size_t count_common(const struct spans *words, const char *list)
{
    size_t n = 0;
    char key[64];
    for (size_t i = 0; i < words->n; i++) {
        struct span w = words->at[i];
        if (w.n == 0 || w.n + 3 > sizeof key)
            continue;
        key[0] = ' ';
        memcpy(key + 1, w.start, w.n);
        memcpy(key + 1 + w.n, " ", 2);
        n += strstr(list, key) != NULL;
    }
    return n;
}

static bool is_ascii(struct span text)
{
    while (text.n > 0) {
        int32_t c = span_char(&text);
        if (c >= 0x80 && char_is_letter(c))
            return false;
    }
    return true;
}

/* Words with the marks off their ends. */
static void clean_words(struct span text, struct spans *out)
{
    split_words(text, out);
    for (size_t i = 0; i < out->n; i++)
        out->at[i] = span_strip_marks(out->at[i]);
}

static const char *by_words(struct span text, int script)
{
    char *lower = text_lower(text);
    struct span all = span_of(lower);
    struct spans words = {0};
    const char *best = NULL;
    size_t most = 0;
    clean_words(all, &words);
    for (size_t i = 0; i < ARRAY_SIZE(common_words); i++) {
        if (!is_script_of(common_words[i].words, script))
            continue;
        size_t hits = count_common(&words, common_words[i].words) +
                      count_letters(all, common_words[i].language);
        bool english = strcmp(common_words[i].language, "en") == 0;
        if (hits > most || (english && hits > 0 && hits == most)) {
            most = hits;
            best = common_words[i].language;
        }
    }
    if (!best && script == LATIN && is_ascii(all))
        best = "en";
    spans_release(&words);
    free(lower);
    return best ? best : "und";
}

const char *text_language(struct span text)
{
    size_t counts[N_SCRIPTS] = {0};
    int most = 0;
    if (text.n > MAX_TEXT) /* a whole character is cut at most */
        text.n = MAX_TEXT;
    size_t letters = count_scripts(text, counts);
    if (letters == 0)
        return NULL;
    if (counts[KANA] * 10 >= counts[HAN] && counts[KANA] > 0) { /* Japanese has both */
        counts[KANA] += counts[HAN];
        counts[HAN] = 0;
    }
    for (int i = 1; i < N_SCRIPTS; i++) {
        if (counts[i] > counts[most])
            most = i;
    }
    if (counts[most] == 0)
        return "und";
    if (most == KANA)
        return "ja";
    if (most == HAN)
        return "zh";
    return most >= FIRST_OWN ? script_language(most) : by_words(text, most);
}
