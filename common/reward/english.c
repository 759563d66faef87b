/* english.c - lists and rules about English words. */
#include "reward/english.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "reward/english_lists.h"

static int by_text(const void *key, const void *item)
{
    return strcmp(key, *(const char *const *)item);
}

#define HAS(list, word) (bsearch(word, list, ARRAY_SIZE(list), sizeof *(list), by_text) != NULL)

bool english_abbreviation(const char *word)
{
    return HAS(abbreviations, word);
}

bool english_small_word(const char *word)
{
    return HAS(small_words, word);
}

bool english_stop_word(const char *word)
{
    return HAS(stop_words, word);
}

bool english_pronoun(const char *word)
{
    return HAS(pronouns, word);
}

/* Verbs. */

static bool is_vowel(char c)
{
    return c && strchr("aeiouy", c) != NULL;
}

/* Is the stem of an -ed, -ing or -es form a verb: bak(e), stop(p), carr(y)? */
static bool is_stem(const char *stem, size_t n)
{
    char word[40];
    if (n < 2 || n + 2 > sizeof word)
        return false;
    memcpy(word, stem, n);
    word[n] = '\0';
    if (HAS(verbs, word))
        return true;
    memcpy(word + n, "e", 2);
    if (HAS(verbs, word))
        return true;
    word[n] = '\0';
    if (word[n - 1] == 'i') {
        word[n - 1] = 'y';
        return HAS(verbs, word);
    }
    if (word[n - 1] == word[n - 2]) {
        word[n - 1] = '\0';
        return HAS(verbs, word);
    }
    return false;
}

static bool ends(const char *word, size_t n, const char *suffix)
{
    size_t length = strlen(suffix);
    return n > length && memcmp(word + n - length, suffix, length) == 0;
}

/* -ing and -ed are verbs even when the verb is not in the list, but for these. */
static bool looks_inflected(const char *word, size_t n)
{
    static const char *const others[] = {
        "anything", "ceiling", "during",  "evening", "everything", "hundred", "indeed",
        "morning",  "naked",   "nothing", "sacred",  "something",  "wedding", "wicked"};
    bool vowel = false;
    if (n < 6 || HAS(others, word) || ends(word, n, "eed"))
        return false;
    size_t stem = n - (ends(word, n, "ing") ? 3 : 2);
    for (size_t i = 0; i < stem; i++)
        vowel = vowel || is_vowel(word[i]);
    return vowel && (ends(word, n, "ing") || ends(word, n, "ed"));
}

/* "organize", "simplify": more than any list has. */
static bool looks_made(const char *word, size_t n)
{
    return n >= 7 && (ends(word, n, "ize") || ends(word, n, "ify"));
}

bool english_verb(const char *word)
{
    size_t n = strlen(word);
    if (looks_made(word, n) || HAS(verbs, word) || HAS(irregular_verbs, word))
        return true;
    if (ends(word, n, "s") && is_stem(word, n - 1))
        return true;
    if (ends(word, n, "es") && is_stem(word, n - 2))
        return true;
    if ((ends(word, n, "ed") && is_stem(word, n - 2)) ||
        (ends(word, n, "ing") && is_stem(word, n - 3)))
        return true;
    return looks_inflected(word, n);
}

/* Syllables. */

/* Groups of vowels that are two syllables: "di-a-logue", "cre-ate", "po-et". */
static bool is_hiatus(const char *s, const char *word)
{
    static const char *const pairs[] = {"ia", "io", "iu", "eo", "ua", "uo", "yi", "yo", "ya"};
    char before = s > word ? s[-1] : '\0';
    if (strncmp(s, "ing", 3) == 0)
        return false;
    if (s[0] == 'i' &&
        (before == 't' || before == 's' || before == 'c' || before == 'x' || before == 'g'))
        return false; /* -tion, -cial, -gion */
    if (s[0] == 'u' && (before == 'q' || before == 'g'))
        return false;
    if (s == word && s[0] == 'y')
        return false;
    if (strncmp(s, "ient", 4) == 0 || strncmp(s, "ienc", 4) == 0)
        return true;
    if (strncmp(s, "eop", 3) == 0)
        return false; /* "people" */
    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
        if (strncmp(s, pairs[i], 2) == 0)
            return strncmp(s, "eou", 3) != 0 && strncmp(s, "you", 3) != 0;
    }
    return strncmp(s, "eat", 3) == 0 && strncmp(s, "eate", 4) == 0 && before == 'r';
}

/* A vowel at the end that is not spoken: "make", "makes", "asked". */
static int silent_end(const char *word, size_t n)
{
    if (n < 3)
        return 0;
    if (ends(word, n, "e"))
        return !is_vowel(word[n - 2]) &&
               !(word[n - 2] == 'l' && !is_vowel(word[n - 3]) && word[n - 3] != 'l');
    if (ends(word, n, "ed"))
        return !is_vowel(word[n - 3]) && word[n - 3] != 't' && word[n - 3] != 'd' &&
               !(n > 4 && word[n - 3] == 'l' && !is_vowel(word[n - 4]) && word[n - 4] != 'l');
    if (ends(word, n, "es"))
        return !is_vowel(word[n - 3]) && !strchr("sxzcg", word[n - 3]) && !ends(word, n, "shes") &&
               !ends(word, n, "ches") &&
               !(n > 4 && word[n - 3] == 'l' && !is_vowel(word[n - 4]) && word[n - 4] != 'l');
    return 0;
}

int english_syllables(const char *word)
{
    size_t n = strlen(word);
    int count = 0;
    bool inside = false;
    for (size_t i = 0; i < n; i++) {
        bool vowel = is_vowel(word[i]) && !(i == 0 && word[i] == 'y' && n > 1 && is_vowel(word[1]));
        if (vowel && (!inside || (i > 0 && is_hiatus(word + i - 1, word))))
            count++;
        inside = vowel;
    }
    if (ends(word, n, "sm") || (ends(word, n, "sms")))
        count++; /* "prism" */
    count -= silent_end(word, n);
    return count > 0 ? count : 1;
}
