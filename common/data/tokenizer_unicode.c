/* tokenizer_unicode.c - the reference's versions of Unicode, where they are not those of our libraries.
 *
 * The tokenizers library splits text by Unicode 16 (Oniguruma) and normalises it by Unicode 9; Debian 12 has
 * PCRE2 with Unicode 14 and utf8proc with Unicode 15.  A model has learnt with the reference's ids, so what
 * differs is made equal: new letters and numbers are added to the classes of the regexes, and later marks are
 * kept away from normalisation; so is U+11A7, which utf8proc 2.8 loses behind a Hangul syllable.  Libraries
 * that know more or less than Debian's change nothing.
 */
#include <pthread.h>
#include <string.h>

#include "base/mem.h"
#include "data/tokenizer_internal.h"

struct new_range {
    uint32_t first, last;
    char category[3];
};
struct plain_range {
    uint32_t first, last;
};
#include "data/tokenizer_unicode.inc"

enum { IS_NEW = 1, IS_PLAIN = 2, IS_WORK = 4, PAGE_BITS = 6 };

/* Which 64 code points have some of them: few, so that most text needs no search. */
static uint8_t pages[0x110000 >> PAGE_BITS];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void mark(uint32_t first, uint32_t last, uint8_t what)
{
    for (uint32_t page = first >> PAGE_BITS; page <= last >> PAGE_BITS; page++)
        pages[page] |= what;
}

static void mark_pages(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(new_ranges); i++)
        mark(new_ranges[i].first, new_ranges[i].last, IS_NEW);
    for (size_t i = 0; i < ARRAY_SIZE(plain_ranges); i++)
        mark(plain_ranges[i].first, plain_ranges[i].last, IS_PLAIN);
    for (size_t i = 0; i < ARRAY_SIZE(work_ranges); i++)
        mark(work_ranges[i].first, work_ranges[i].last, IS_WORK);
}

static bool is_new(uint32_t c)
{
    for (size_t i = 0; i < ARRAY_SIZE(new_ranges) && new_ranges[i].first <= c; i++)
        if (c <= new_ranges[i].last)
            return true;
    return false;
}

static bool is_in(const struct plain_range *ranges, size_t n, uint32_t c)
{
    size_t low = 0;
    while (low < n) { /* the range that c would be in is in [low, n) */
        size_t middle = low + (n - low) / 2;
        if (c > ranges[middle].last)
            low = middle + 1;
        else if (c < ranges[middle].first)
            n = middle;
        else
            return true;
    }
    return false;
}

static bool is_plain(uint32_t c)
{
    return is_in(plain_ranges, ARRAY_SIZE(plain_ranges), c);
}

/* The first byte from i on that begins a character of three bytes or more; ASCII goes by in words. */
static size_t skip_short(const char *text, size_t n, size_t i)
{
    uint64_t word;
    while (i < n) {
        if (i + 8 <= n && (memcpy(&word, text + i, 8), !(word & 0x8080808080808080u)))
            i += 8;
        else if ((unsigned char)text[i] < 0xe0)
            i++;
        else
            break;
    }
    return i;
}

/* Of three or four bytes; the text is UTF-8. */
static uint32_t long_char(const char *s, size_t *bytes)
{
    const unsigned char *p = (const unsigned char *)s;
    *bytes = p[0] < 0xf0 ? 3 : 4;
    uint32_t c = (uint32_t)(p[0] & (p[0] < 0xf0 ? 0x0f : 0x07)) << 12 | (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
    return p[0] < 0xf0 ? c : c << 6 | (p[3] & 0x3f);
}

/* The character at i; 0 for one below U+0080. */
static uint32_t next_char(const char *text, size_t i, size_t *bytes)
{
    unsigned char lead = (unsigned char)text[i];
    if (lead >= 0xe0)
        return long_char(text + i, bytes);
    *bytes = lead < 0x80 ? 1 : 2;
    return lead < 0x80 ? 0 : (uint32_t)(lead & 0x1f) << 6 | ((unsigned char)text[i + 1] & 0x3f);
}

bool unicode_has_new(const char *text, size_t n)
{
    size_t bytes;
    pthread_once(&once, mark_pages);
    for (size_t i = 0; (i = skip_short(text, n, i)) < n; i += bytes) {
        uint32_t c = long_char(text + i, &bytes);
        if (pages[c >> PAGE_BITS] & IS_NEW && is_new(c))
            return true;
    }
    return false;
}

void unicode_add_new(struct strbuf *out, const char *category, size_t n)
{
    for (size_t i = 0; i < ARRAY_SIZE(new_ranges); i++)
        if (strncmp(new_ranges[i].category, category, n) == 0)
            strbuf_addf(out, "\\x{%x}-\\x{%x}", new_ranges[i].first, new_ranges[i].last);
}

bool unicode_is_normal(const char *text, size_t n)
{
    pthread_once(&once, mark_pages);
    for (size_t i = 0, bytes; i < n; i += bytes) {
        uint32_t c = next_char(text, i, &bytes);
        if (pages[c >> PAGE_BITS] & IS_WORK && is_in(work_ranges, ARRAY_SIZE(work_ranges), c))
            return false;
    }
    return true;
}

size_t unicode_find_plain(const char *text, size_t n, size_t from, size_t *bytes)
{
    *bytes = 0;
    pthread_once(&once, mark_pages);
    for (size_t i = from; i < n; i += *bytes) {
        uint32_t c = next_char(text, i, bytes);
        if (pages[c >> PAGE_BITS] & IS_PLAIN && is_plain(c))
            return i;
    }
    return n;
}
