/* task_word.c - counting in and rewriting of made-up words. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/task_internal.h"

#define CONSONANTS "bcdfghjklmnprstvwz"
#define VOWELS "aeiou"
#define CODAS "lnrs"
#define MAX_WORD 32

static char pick(struct rng *rng, const char *letters)
{
    return letters[rng_below(rng, strlen(letters))];
}

/* Syllables of consonant, vowel and sometimes a closing consonant. */
static void draw_word(struct rng *rng, int syllables, bool codas, char word[MAX_WORD])
{
    int n = 0;
    for (int i = 0; i < syllables; i++) {
        word[n++] = pick(rng, CONSONANTS);
        word[n++] = pick(rng, VOWELS);
        if (codas && rng_below(rng, 3) == 0)
            word[n++] = pick(rng, CODAS);
    }
    word[n] = '\0';
}

/* count */

static void count_letters(int level, struct rng *rng, struct problem *p)
{
    char word[MAX_WORD];
    int count = 0;
    draw_word(rng, 1 + level, level >= 3, word);
    /* Now and then a letter that may well be absent. */
    char letter = rng_below(rng, 6) ? word[rng_below(rng, strlen(word))] : pick(rng, CONSONANTS);
    strbuf_addf(&p->prompt, "How many %c in %s?", letter, word);
    for (const char *c = word; *c; c++) {
        count += *c == letter;
        task_line(p, "%c %d", *c, count);
    }
    task_set_number(p, count);
}

static void count_items(int level, struct rng *rng, struct problem *p)
{
    int n = 2 + 2 * level, count = 0;
    int64_t wanted = task_between(rng, 0, 2 + level), item;
    strbuf_addf(&p->prompt, "How many %lld in", (long long)wanted);
    for (int i = 0; i < n; i++) {
        item = rng_below(rng, 3) ? task_between(rng, 0, 4 + level) : wanted;
        count += item == wanted;
        strbuf_addf(&p->prompt, " %lld", (long long)item);
        task_line(p, "%lld: %d", (long long)item, count);
    }
    strbuf_addc(&p->prompt, '?');
    task_set_number(p, count);
}

void task_make_count(int level, struct rng *rng, struct problem *p)
{
    if (rng_below(rng, 3))
        count_letters(level, rng, p);
    else
        count_items(level, rng, p);
}

/* string */

enum string_op { OP_REVERSE, OP_UPPERCASE, OP_ROTATE, OP_VOWELS, OP_REVERSE_UPPERCASE };

static const int string_ops[TASK_MAX_DIFFICULTY] = {2, 3, 4, 4, 5}; /* the first so many */

static void reverse(char *s)
{
    size_t n = strlen(s);
    for (size_t i = 0; i < n / 2; i++) {
        char c = s[i];
        s[i] = s[n - 1 - i];
        s[n - 1 - i] = c;
    }
}

static void uppercase(char *s)
{
    for (; *s; s++)
        *s = (char)toupper((unsigned char)*s);
}

static void rotate(char *s, size_t by)
{
    char copy[MAX_WORD];
    size_t n = strlen(s);
    memcpy(copy, s, n);
    for (size_t i = 0; i < n; i++)
        s[i] = copy[(i + by) % n];
}

static void remove_vowels(char *s)
{
    char *to = s;
    for (; *s; s++) {
        if (!strchr(VOWELS, *s))
            *to++ = *s;
    }
    *to = '\0';
}

/* Letter by letter: what a model that reads whole words as tokens has to learn first. */
static void spell(struct problem *p, const char *word, size_t bar)
{
    struct strbuf line = {0};
    for (size_t i = 0; word[i]; i++)
        strbuf_addf(&line, "%s%s%c", i ? " " : "", bar && i == bar ? "| " : "", word[i]);
    task_line(p, "%s", line.buf);
    strbuf_release(&line);
}

void task_make_string(int level, struct rng *rng, struct problem *p)
{
    char word[MAX_WORD];
    draw_word(rng, 1 + level, level >= 3, word);
    enum string_op op = (enum string_op)rng_below(rng, (uint64_t)string_ops[level - 1]);
    size_t by = op == OP_ROTATE ? (size_t)task_between(rng, 1, (int64_t)strlen(word) / 2) : 0;
    char question[32];
    static const char *const questions[] = {"Reverse", "Uppercase", "", "Remove vowels",
                                            "Reverse and uppercase"};
    snprintf(question, sizeof question, "%s", questions[op]);
    if (op == OP_ROTATE)
        snprintf(question, sizeof question, "Rotate left by %zu", by);
    strbuf_addf(&p->prompt, "%s: %s", question, word);
    spell(p, word, by);
    if (op == OP_ROTATE)
        rotate(word, by);
    else if (op == OP_VOWELS)
        remove_vowels(word);
    if (op == OP_REVERSE || op == OP_REVERSE_UPPERCASE)
        reverse(word);
    if (op == OP_REVERSE_UPPERCASE)
        spell(p, word, 0);
    if (op == OP_UPPERCASE || op == OP_REVERSE_UPPERCASE)
        uppercase(word);
    spell(p, word, 0);
    strbuf_adds(&p->truth, word);
}
