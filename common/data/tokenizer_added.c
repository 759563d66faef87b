/* tokenizer_added.c - finding added tokens in text: leftmost, then longest. */
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/mem.h"
#include "data/tokenizer_internal.h"

static int by_first_byte_then_length(const void *a, const void *b)
{
    const struct added_token *x = *(const struct added_token *const *)a;
    const struct added_token *y = *(const struct added_token *const *)b;
    unsigned char cx = (unsigned char)x->match[0], cy = (unsigned char)y->match[0];
    if (cx != cy)
        return cx < cy ? -1 : 1;
    size_t nx = strlen(x->match), ny = strlen(y->match);
    if (nx != ny)
        return nx > ny ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

void added_set_build(struct added_set *s, const struct added_token *tokens, int n,
                     bool (*wanted)(const struct added_token *))
{
    s->tokens = xcalloc((size_t)n + 1, sizeof *s->tokens);
    for (int i = 0; i < n; i++)
        if (tokens[i].match[0] && wanted(&tokens[i]))
            s->tokens[s->n++] = &tokens[i];
    if (s->n > 0)
        qsort(s->tokens, (size_t)s->n, sizeof *s->tokens, by_first_byte_then_length);
    int k = 0;
    for (int c = 0; c <= 256; c++) {
        while (k < s->n && (unsigned char)s->tokens[k]->match[0] < c)
            k++;
        s->first[c] = k;
    }
}

void added_set_release(struct added_set *s)
{
    free(s->tokens);
    *s = (struct added_set){0};
}

static utf8proc_int32_t char_at(const char *text, size_t n, size_t i, size_t *bytes)
{
    utf8proc_int32_t c = -1;
    utf8proc_ssize_t k =
        utf8proc_iterate((const utf8proc_uint8_t *)text + i, (utf8proc_ssize_t)(n - i), &c);
    *bytes = k > 0 ? (size_t)k : 1;
    return c;
}

static utf8proc_int32_t char_before(const char *text, size_t i, size_t *bytes)
{
    size_t start = i - 1;
    while (start > 0 && ((unsigned char)text[start] & 0xc0) == 0x80)
        start--;
    return char_at(text, i, start, bytes);
}

static bool is_space(utf8proc_int32_t c)
{
    if ((c >= 9 && c <= 13) || c == 0x85)
        return true;
    utf8proc_category_t k = c < 0 ? UTF8PROC_CATEGORY_CN : utf8proc_category(c);
    return k == UTF8PROC_CATEGORY_ZS || k == UTF8PROC_CATEGORY_ZL || k == UTF8PROC_CATEGORY_ZP;
}

/* \w of UTS 18: letters, marks, digits, connector punctuation, joiners. */
static bool is_word(utf8proc_int32_t c)
{
    if (c == 0x200c || c == 0x200d)
        return true;
    switch (c < 0 ? UTF8PROC_CATEGORY_CN : utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
        return true;
    default:
        return false;
    }
}

static bool is_single_word(const char *text, size_t n, size_t begin, size_t end)
{
    size_t bytes;
    return (begin == 0 || !is_word(char_before(text, begin, &bytes))) &&
           (end == n || !is_word(char_at(text, n, end, &bytes)));
}

static const struct added_token *match_at(const struct added_set *s, const char *text, size_t n,
                                          size_t i)
{
    unsigned char c = (unsigned char)text[i];
    for (int k = s->first[c]; k < s->first[c + 1]; k++) {
        size_t len = strlen(s->tokens[k]->match);
        if (len <= n - i && memcmp(text + i, s->tokens[k]->match, len) == 0)
            return s->tokens[k];
    }
    return NULL;
}

/* White space beside the token belongs to it where it says so, but never what an earlier match
 * has taken (before `from`). */
static void strip(const char *text, size_t n, size_t from, struct added_match *m)
{
    size_t bytes;
    while (m->token->lstrip && m->begin > from && is_space(char_before(text, m->begin, &bytes)))
        m->begin -= bytes;
    while (m->token->rstrip && m->end < n && is_space(char_at(text, n, m->end, &bytes)))
        m->end += bytes;
}

bool added_set_find(const struct added_set *s, const char *text, size_t n, size_t from,
                    struct added_match *m)
{
    if (s->n == 0)
        return false;
    for (size_t i = from; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if (s->first[c] == s->first[c + 1])
            continue;
        const struct added_token *token = match_at(s, text, n, i);
        if (!token)
            continue;
        *m = (struct added_match){.token = token, .begin = i, .end = i + strlen(token->match)};
        if (token->single_word && !is_single_word(text, n, m->begin, m->end)) {
            i = m->end - 1; /* the reference searches on behind a match it refuses */
            continue;
        }
        strip(text, n, from, m);
        return true;
    }
    return false;
}
