/* sentence.c - where sentences end, and the words and marks in them. */
#include "reward/sentence.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "reward/english.h"

/* Sentences. */

/* These part a word from what follows, with no white space between. */
static bool parts_word(char c)
{
    return c && strchr(")\";}]*:@'({[!?", c) != NULL;
}

static bool ends_sentence(char c)
{
    return c == '.' || c == '?' || c == '!';
}

static size_t chunk_end(const char *text, size_t n, size_t from)
{
    struct span rest = {text + from, n - from};
    while (rest.n > 0 && !char_is_space(span_first(rest)))
        span_char(&rest);
    return n - rest.n;
}

static size_t skip_space(const char *text, size_t n, size_t from)
{
    struct span rest = {text + from, n - from};
    while (rest.n > 0 && char_is_space(span_first(rest)))
        span_char(&rest);
    return n - rest.n;
}

/* Where the last mark that could end a sentence stands in text[start, end), with something behind
 * it; -1 if nowhere. */
static long last_mark(const char *text, size_t start, size_t end, bool more)
{
    for (size_t i = end; i-- > start;) {
        if (!ends_sentence(text[i]))
            continue;
        if (i + 1 == end ? more : parts_word(text[i + 1]))
            return (long)i;
    }
    return -1;
}

/* The word that text[at] closes, without the marks before it. */
static struct span word_before(const char *text, size_t start, size_t at)
{
    size_t from = at;
    while (from > start && !parts_word(text[from - 1]) && text[from - 1] != ',')
        from--;
    while (from < at && strchr("(\"`{[:;&#*@)}]-,", text[from]))
        from++;
    return (struct span){text + from, at - from};
}

static bool is_number(struct span w)
{
    bool digits = false;
    if (w.n > 0 && *w.start == '-')
        w = (struct span){w.start + 1, w.n - 1};
    if (w.n > 0 && (*w.start == '.' || *w.start == ','))
        w = (struct span){w.start + 1, w.n - 1};
    for (size_t i = 0; i < w.n; i++) {
        if (isdigit((unsigned char)w.start[i]))
            digits = true;
        else if (i == 0 || !strchr(",.-", w.start[i]))
            return false;
    }
    return digits;
}

static bool is_initial(struct span w)
{
    return w.n > 0 && span_length(w) == 1 && char_is_letter(span_first(w));
}

static bool is_abbreviation(struct span w)
{
    char *lower = text_lower(w), *hyphen = strrchr(lower, '-');
    bool yes = english_abbreviation(lower) || (hyphen && english_abbreviation(hyphen + 1));
    free(lower);
    return yes;
}

/* A word with a capital that is small inside sentences: a new sentence begins. */
static bool is_common_capital(struct span next)
{
    size_t n = 0;
    if (!char_is_upper(span_first(next)))
        return false;
    while (n < next.n && (isalpha((unsigned char)next.start[n]) || next.start[n] == '\''))
        n++;
    char *lower = text_lower((struct span){next.start, n});
    bool yes = english_small_word(lower);
    free(lower);
    return yes;
}

/* Does an earlier word of text[start, at) close a sentence already, as in `stop.").`? */
static bool closed_before(const char *text, size_t start, size_t at)
{
    for (size_t i = start; i + 1 < at; i++) {
        if (text[i] == '?' || text[i] == '!')
            return true;
        if (text[i] == '.' && parts_word(text[i + 1]) && i > start && text[i - 1] != '.') {
            struct span w = word_before(text, start, i);
            if (!is_abbreviation(w))
                return true;
        }
    }
    return false;
}

/* The first word that stands at `from`. */
static struct span word_at(const char *text, size_t n, size_t from)
{
    size_t end = from;
    while (end < n && !isspace((unsigned char)text[end]) && !parts_word(text[end]))
        end++;
    return (struct span){text + from, end - from};
}

static bool is_end(const char *text, size_t n, size_t start, size_t at, size_t next_at)
{
    if (text[at] != '.' || closed_before(text, start, at))
        return true;
    struct span w = word_before(text, start, at);
    struct span next = word_at(text, n, next_at);
    int32_t c = span_first(next);
    bool ellipsis = at > start && text[at - 1] == '.';
    if (w.n == 0 && !ellipsis)
        return true;
    bool common = is_common_capital(next);
    if (ellipsis)
        return common;
    if (is_initial(w))
        return char_is_upper(c) ? common : !char_is_lower(c) && !is_abbreviation(w);
    if (is_abbreviation(w))
        return common;
    return !(is_number(w) && char_is_lower(c));
}

/* Closing marks at `from` that belong to the sentence before: their number. */
static size_t closing_marks(const char *text, size_t n, size_t from)
{
    size_t i = from;
    while (i < n && strchr("\"')]}", text[i]) && text[i])
        i++;
    if (i == from)
        return 0;
    bool parted =
        i == n || skip_space(text, n, i) > i || (i + 1 < n && text[i] == '-' && text[i + 1] == '-');
    return parted ? i - from : 0;
}

static void add_stripped(struct spans *out, const char *text, size_t start, size_t end)
{
    struct span s = span_strip((struct span){text + start, end - start});
    if (s.n > 0)
        spans_add(out, s.start, s.n);
}

void split_sentences(struct span all, struct spans *out)
{
    const char *text = all.start;
    size_t n = span_strip(all).start + span_strip(all).n - text, start = 0;
    for (size_t chunk = skip_space(text, n, 0); chunk < n;) {
        size_t end = chunk_end(text, n, chunk), next = skip_space(text, n, end);
        long mark = last_mark(text, chunk, end, next < n);
        if (mark < 0) {
            chunk = next;
            continue;
        }
        size_t after = (size_t)mark + 1, begin = after == end ? next : after;
        if (is_end(text, n, chunk, (size_t)mark, begin)) {
            size_t closing = closing_marks(text, n, begin);
            add_stripped(out, text, start, closing ? begin + closing : after);
            start = begin + closing;
        }
        chunk = next;
    }
    add_stripped(out, text, start, n);
}

size_t count_sentences(struct span text)
{
    struct spans list = {0};
    split_sentences(text, &list);
    size_t n = list.n;
    spans_release(&list);
    return n;
}

/* Tokens. */

/* Characters that are tokens of their own; multi-byte ones are quotes. */
static size_t lone_bytes(const char *s, size_t n)
{
    static const char *const quotes[] = {"«", "»", "“", "”", "‘", "’", "„"};
    if (strchr(";@#$%&?!*[](){}<>\"", *s) && *s)
        return 1;
    for (size_t i = 0; i < ARRAY_SIZE(quotes); i++) {
        size_t length = strlen(quotes[i]);
        if (n >= length && memcmp(s, quotes[i], length) == 0)
            return length;
    }
    return 0;
}

/* Bytes of the mark that text[at] begins, 0 if it belongs to a word. */
static size_t mark_bytes(const char *text, size_t at, size_t n)
{
    const char *s = text + at;
    size_t run = 1;
    if (*s == '.' || *s == '`') {
        while (at + run < n && s[run] == *s)
            run++;
        return *s == '`' || run > 1 ? run : 0;
    }
    if (*s == ',' || *s == ':')
        return at + 1 < n && isdigit((unsigned char)s[1]) ? 0 : 1;
    if (at + 1 < n && (memcmp(s, "--", 2) == 0 || memcmp(s, "''", 2) == 0))
        return 2;
    if (*s == '\'' && at + 1 == n && at > 0 && s[-1] != '\'')
        return 1;
    return lone_bytes(s, n - at);
}

static bool ends_any_case(struct span w, const char *suffix)
{
    size_t n = strlen(suffix);
    return w.n > n && strncasecmp(w.start + w.n - n, suffix, n) == 0;
}

static void add_word(struct spans *out, struct span w)
{
    static const char *const endings[] = {"'s", "'m", "'d", "'ll", "'re", "'ve", "n't"};
    static const struct {
        const char *word;
        size_t first;
    } fused[] = {{"cannot", 3}, {"gonna", 3}, {"gotta", 3},
                 {"wanna", 3},  {"gimme", 3}, {"lemme", 3}};
    for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
        size_t n = strlen(endings[i]);
        if (ends_any_case(w, endings[i])) {
            spans_add(out, w.start, w.n - n);
            spans_add(out, w.start + w.n - n, n);
            return;
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(fused); i++) {
        if (w.n == strlen(fused[i].word) && strncasecmp(w.start, fused[i].word, w.n) == 0) {
            spans_add(out, w.start, fused[i].first);
            spans_add(out, w.start + fused[i].first, w.n - fused[i].first);
            return;
        }
    }
    if (w.n > 0)
        spans_add(out, w.start, w.n);
}

/* One piece between white space. */
static void split_chunk(struct span chunk, bool last, struct spans *out)
{
    size_t start = 0, n = chunk.n, stop = n;
    if (last) { /* the full stop that ends the sentence, before closing marks */
        size_t i = n;
        while (i > 0 && strchr("])}>\"'", chunk.start[i - 1]))
            i--;
        if (i > 1 && chunk.start[i - 1] == '.' && chunk.start[i - 2] != '.')
            stop = i - 1;
    }
    for (size_t i = 0; i < n;) {
        size_t bytes = i == stop ? 1 : mark_bytes(chunk.start, i, i < stop ? stop : n);
        if (bytes == 0) {
            i++;
            continue;
        }
        add_word(out, (struct span){chunk.start + start, i - start});
        spans_add(out, chunk.start + i, bytes);
        start = i += bytes;
    }
    add_word(out, (struct span){chunk.start + start, n - start});
}

void split_tokens(struct span text, struct spans *out)
{
    struct spans sentences = {0}, chunks = {0};
    split_sentences(text, &sentences);
    for (size_t i = 0; i < sentences.n; i++) {
        chunks.n = 0;
        split_words(sentences.at[i], &chunks);
        for (size_t k = 0; k < chunks.n; k++)
            split_chunk(chunks.at[k], k + 1 == chunks.n, out);
    }
    spans_release(&sentences);
    spans_release(&chunks);
}
