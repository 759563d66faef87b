/* pieces.c - text in pieces. */
#include "reward/pieces.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/mem.h"
#include "data/utf8.h"

void spans_add(struct spans *list, const char *start, size_t n)
{
    GROW(list->at, list->n, list->cap);
    list->at[list->n++] = (struct span){start, n};
}

void spans_release(struct spans *list)
{
    free(list->at);
    *list = (struct spans){0};
}

struct span span_of(const char *text)
{
    return (struct span){text, strlen(text)};
}

static void skip(struct span *s, size_t n)
{
    s->start += n;
    s->n -= n;
}

int32_t span_char(struct span *s)
{
    utf8proc_int32_t c;
    if (s->n == 0)
        return 0;
    unsigned char first = (unsigned char)*s->start;
    if (first < 0x80) {
        skip(s, 1);
        return first;
    }
    utf8proc_ssize_t n =
        utf8proc_iterate((const utf8proc_uint8_t *)s->start, (utf8proc_ssize_t)s->n, &c);
    skip(s, n > 0 ? (size_t)n : 1);
    return n > 0 ? c : 0xfffd;
}

int32_t span_first(struct span s)
{
    return span_char(&s);
}

/* The last character as a span. */
static struct span tail(struct span s)
{
    size_t n = s.n > 0;
    while (n > 0 && n < s.n && n < 4 && ((unsigned char)s.start[s.n - n] & 0xc0) == 0x80)
        n++;
    return (struct span){s.start + s.n - n, n};
}

int32_t span_last(struct span s)
{
    struct span last = tail(s);
    return span_char(&last);
}

size_t span_length(struct span s)
{
    size_t n = 0;
    for (; s.n > 0; n++)
        span_char(&s);
    return n;
}

bool char_is_space(int32_t c)
{
    if (c < 0x80)
        return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1c && c <= 0x1f);
    return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
           c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

bool char_is_letter(int32_t c)
{
    if (c < 0x80)
        return isalpha((unsigned char)c);
    utf8proc_category_t k = utf8proc_category(c);
    return k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO;
}

bool char_is_word(int32_t c)
{
    if (c < 0x80)
        return isalnum((unsigned char)c) || c == '_';
    utf8proc_category_t k = utf8proc_category(c);
    return (k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO) ||
           (k >= UTF8PROC_CATEGORY_ND && k <= UTF8PROC_CATEGORY_NO);
}

bool char_is_upper(int32_t c)
{
    return c < 0x80 ? isupper((unsigned char)c) : utf8proc_category(c) == UTF8PROC_CATEGORY_LU;
}

bool char_is_lower(int32_t c)
{
    return c < 0x80 ? islower((unsigned char)c) : utf8proc_category(c) == UTF8PROC_CATEGORY_LL;
}

bool char_is_punctuation(int32_t c)
{
    return c < 0x80 && ispunct((unsigned char)c);
}

static struct span strip(struct span s, bool (*out)(int32_t))
{
    while (s.n > 0 && out(span_first(s)))
        span_char(&s);
    while (s.n > 0 && out(span_last(s)))
        s.n -= tail(s).n;
    return s;
}

struct span span_strip(struct span s)
{
    return strip(s, char_is_space);
}

static bool is_mark(int32_t c)
{
    return c == ' ' || char_is_punctuation(c);
}

struct span span_strip_marks(struct span s)
{
    return strip(s, is_mark);
}

bool span_same(struct span a, struct span b)
{
    return a.n == b.n && memcmp(a.start, b.start, a.n) == 0;
}

bool span_same_any_case(struct span a, struct span b)
{
    char *x = text_lower(a), *y = text_lower(b);
    bool same = strcmp(x, y) == 0;
    free(x);
    free(y);
    return same;
}

bool span_is(struct span s, const char *text)
{
    return span_same(s, span_of(text));
}

bool span_starts(struct span s, const char *text)
{
    size_t n = strlen(text);
    return s.n >= n && memcmp(s.start, text, n) == 0;
}

bool span_ends(struct span s, const char *text)
{
    size_t n = strlen(text);
    return s.n >= n && memcmp(s.start + s.n - n, text, n) == 0;
}

const char *span_find(struct span s, const char *what)
{
    return memmem(s.start, s.n, what, strlen(what));
}

size_t span_count(struct span s, const char *what)
{
    size_t n = 0, length = strlen(what);
    const char *at;
    while (length > 0 && (at = span_find(s, what)) != NULL) {
        skip(&s, (size_t)(at - s.start) + length);
        n++;
    }
    return n;
}

static bool has_word(struct span s, const char *word)
{
    size_t length = strlen(word);
    struct span rest = s;
    const char *at;
    bool opens = char_is_word(span_first(span_of(word)));
    bool closes = char_is_word(span_last(span_of(word)));
    while (length > 0 && (at = span_find(rest, word)) != NULL) {
        struct span before = {s.start, (size_t)(at - s.start)};
        struct span after = {at + length, (size_t)(s.start + s.n - at) - length};
        bool left = before.n > 0 && char_is_word(span_last(before));
        bool right = after.n > 0 && char_is_word(span_first(after));
        if (left != opens && right != closes)
            return true;
        rest = (struct span){at + 1, (size_t)(s.start + s.n - at) - 1};
    }
    return false;
}

bool span_has_word(struct span s, const char *word, bool any_case)
{
    if (!any_case)
        return has_word(s, word);
    char *text = text_lower(s), *lower = text_lower(span_of(word));
    bool yes = has_word(span_of(text), lower);
    free(text);
    free(lower);
    return yes;
}

void split_words(struct span text, struct spans *out)
{
    const char *start = NULL;
    while (text.n > 0) {
        const char *here = text.start;
        bool space = char_is_space(span_char(&text));
        if (!space && !start)
            start = here;
        if (space && start)
            spans_add(out, start, (size_t)(here - start));
        if (space)
            start = NULL;
    }
    if (start)
        spans_add(out, start, (size_t)(text.start - start));
}

void split_by(struct span text, const char *separator, struct spans *out)
{
    size_t length = strlen(separator);
    const char *at;
    while ((at = span_find(text, separator)) != NULL) {
        size_t n = (size_t)(at - text.start);
        spans_add(out, text.start, n);
        skip(&text, n + length);
    }
    spans_add(out, text.start, text.n);
}

size_t count_words(struct span text)
{
    size_t n = 0;
    bool inside = false;
    while (text.n > 0) {
        bool word = char_is_word(span_char(&text));
        n += word && !inside;
        inside = word;
    }
    return n;
}

static void add_char(struct strbuf *out, int32_t c)
{
    utf8proc_uint8_t bytes[4];
    utf8proc_ssize_t n = utf8proc_encode_char(c, bytes);
    strbuf_add(out, bytes, n > 0 ? (size_t)n : 0);
}

static char *detach(struct strbuf *out)
{
    strbuf_adds(out, "");
    return strbuf_detach(out, NULL);
}

char *text_lower(struct span text)
{
    struct strbuf out = {0};
    strbuf_reserve(&out, text.n + 1);
    while (text.n > 0) {
        int32_t c = span_char(&text);
        if (c < 0x80)
            strbuf_addc(&out, (char)tolower(c));
        else
            add_char(&out, utf8proc_tolower(c));
    }
    return detach(&out);
}

long text_count(struct span text, struct span what)
{
    char *all = text_lower(text), *lower = text_lower(what);
    size_t n = span_count(span_of(all), lower);
    free(all);
    free(lower);
    return (long)n;
}

char *text_without_marks(struct span text)
{
    struct strbuf out = {0};
    strbuf_reserve(&out, text.n + 1);
    for (size_t i = 0; i < text.n; i++) {
        if (!ispunct((unsigned char)text.start[i]))
            strbuf_addc(&out, text.start[i]);
    }
    return detach(&out);
}

char *text_without(struct span text, const char *what)
{
    struct strbuf out = {0};
    struct spans parts = {0};
    split_by(text, what, &parts);
    for (size_t i = 0; i < parts.n; i++)
        strbuf_add(&out, parts.at[i].start, parts.at[i].n);
    spans_release(&parts);
    return detach(&out);
}

char *text_plain(struct span text)
{
    struct strbuf out = {0};
    while (text.n > 0) {
        utf8proc_int32_t parts[32];
        int last = 0;
        int32_t c = span_char(&text);
        utf8proc_ssize_t n =
            utf8proc_decompose_char(c, parts, 32, UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, &last);
        for (utf8proc_ssize_t i = 0; i < n && i < 32; i++) {
            if (parts[i] < 0x80)
                strbuf_addc(&out, (char)parts[i]);
        }
    }
    return detach(&out);
}

static bool all_of_case(struct span text, bool upper)
{
    bool some = false;
    while (text.n > 0) {
        int32_t c = span_char(&text);
        bool is_upper = char_is_upper(c), is_lower = char_is_lower(c);
        if ((upper ? is_lower : is_upper) || utf8proc_category(c) == UTF8PROC_CATEGORY_LT)
            return false;
        some = some || is_upper || is_lower;
    }
    return some;
}

bool text_is_upper(struct span text)
{
    return all_of_case(text, true);
}

bool text_is_lower(struct span text)
{
    return all_of_case(text, false);
}

static int by_bytes(const void *a, const void *b)
{
    const struct span *x = a, *y = b;
    int order = memcmp(x->start, y->start, x->n < y->n ? x->n : y->n);
    return order ? order : (x->n > y->n) - (x->n < y->n);
}

struct frequency spans_frequency(const struct spans *list)
{
    struct frequency f = {0};
    if (list->n == 0)
        return f;
    struct span *sorted = xmalloc(list->n * sizeof *sorted);
    memcpy(sorted, list->at, list->n * sizeof *sorted);
    qsort(sorted, list->n, sizeof *sorted, by_bytes);
    for (size_t i = 0, same = 0; i < list->n; i++) {
        bool fresh = i == 0 || !span_same(sorted[i], sorted[i - 1]);
        f.distinct += fresh;
        same = fresh ? 1 : same + 1;
        if (same > f.most)
            f.most = same;
    }
    free(sorted);
    return f;
}
