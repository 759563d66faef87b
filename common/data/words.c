/* words.c - a text as the words that it is compared by. */
#include "data/words.h"

#include <stdbool.h>
#include <stdlib.h>
#include <utf8proc.h>

#include "base/mem.h"
#include "data/utf8.h"

#define WORD_FACTOR 0x100000001b3u /* of FNV-1a */
#define WORD_START 0xcbf29ce484222325u
#define NGRAM_FACTOR 0x9e3779b97f4a7c15u /* odd: of a polynomial modulo 2^64 */

/* What a code point does: 0 separates, 1 stands alone, else its lower case goes on a word. */
#define SEPARATES 0
#define ALONE 1

static const unsigned char ascii_lower[128] = {
    ['0'] = '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ['A'] = 'a', 'b', 'c',
    'd',         'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n',         'o', 'p',
    'q',         'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', ['a'] = 'a', 'b', 'c',
    'd',         'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n',         'o', 'p',
    'q',         'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z',
};

static bool is_ideograph(int32_t c)
{
    return (c >= 0x2e80 && c <= 0x9fff) || (c >= 0xf900 && c <= 0xfaff) ||
           (c >= 0x20000 && c <= 0x3ffff);
}

static int32_t kind_of(int32_t c)
{
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return is_ideograph(c) ? ALONE : utf8proc_tolower(c);
    default:
        return SEPARATES;
    }
}

static void add_word(struct words *w, uint64_t hash, size_t begin, size_t end)
{
    if (w->n == w->cap) {
        w->cap = w->cap ? w->cap * 2 : 1024;
        w->hash = xreallocarray(w->hash, w->cap, sizeof *w->hash);
        w->begin = xreallocarray(w->begin, w->cap, sizeof *w->begin);
        w->end = xreallocarray(w->end, w->cap, sizeof *w->end);
    }
    w->hash[w->n] = words_mix(hash);
    w->begin[w->n] = begin;
    w->end[w->n++] = end;
}

static size_t wide_char(const unsigned char *s, size_t n, int32_t *c)
{
    int len = utf8_char_bytes(s, n);
    *c = ' ';
    if (len < 0)
        return (size_t)-len;
    utf8proc_iterate(s, len, c);
    return (size_t)len;
}

void words_of(struct words *w, const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;
    uint64_t hash = WORD_START;
    size_t i = 0, begin = 0;
    bool open = false;
    w->n = 0;
    while (i < n) {
        size_t len = 1;
        int32_t c, kind;
        if (s[i] < 0x80) {
            kind = ascii_lower[s[i]];
        } else {
            len = wide_char(s + i, n - i, &c);
            kind = kind_of(c);
        }
        if (open && kind <= ALONE) {
            add_word(w, hash, begin, i);
            open = false;
        }
        if (kind == ALONE) {
            add_word(w, (WORD_START ^ (uint64_t)c) * WORD_FACTOR, i, i + len);
        } else if (kind != SEPARATES) {
            if (!open) {
                hash = WORD_START;
                begin = i;
                open = true;
            }
            hash = (hash ^ (uint64_t)kind) * WORD_FACTOR;
        }
        i += len;
    }
    if (open)
        add_word(w, hash, begin, n);
}

void words_release(struct words *w)
{
    free(w->hash);
    free(w->begin);
    free(w->end);
    *w = (struct words){0};
}

size_t words_ngrams(const struct words *w, size_t ngram, uint64_t *hashes)
{
    size_t len = w->n < ngram ? w->n : ngram;
    uint64_t sum = 0, leaving = 1;
    for (size_t i = 0; i < len; i++) {
        sum = sum * NGRAM_FACTOR + w->hash[i];
        leaving *= NGRAM_FACTOR;
    }
    if (len == 0)
        return 0;
    hashes[0] = words_mix(sum);
    size_t n = w->n - len + 1;
    for (size_t i = 1; i < n; i++) {
        sum = sum * NGRAM_FACTOR + w->hash[i + len - 1] - w->hash[i - 1] * leaving;
        hashes[i] = words_mix(sum);
    }
    return n;
}
