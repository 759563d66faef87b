/* utf8.c - is it UTF-8, and what to do when it is not. */
#include "data/utf8.h"

#include <string.h>

/* Table 3-7 of the Unicode standard: the second byte's range depends on the first. */
static int sequence(unsigned char first, unsigned char *low, unsigned char *high)
{
    *low = 0x80;
    *high = 0xbf;
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first <= 0xdf)
        return 2;
    if (first >= 0xe0 && first <= 0xef) {
        if (first == 0xe0)
            *low = 0xa0; /* shorter form exists */
        if (first == 0xed)
            *high = 0x9f; /* surrogates */
        return 3;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        if (first == 0xf0)
            *low = 0x90;
        if (first == 0xf4)
            *high = 0x8f; /* above U+10FFFF */
        return 4;
    }
    return 0;
}

int utf8_char_bytes(const unsigned char *s, size_t n)
{
    unsigned char low, high;
    int len = sequence(s[0], &low, &high);
    if (len == 0)
        return -1;
    for (int i = 1; i < len; i++) {
        if ((size_t)i >= n || s[i] < low || s[i] > high)
            return -i;
        low = 0x80;
        high = 0xbf;
    }
    return len;
}

static size_t ascii_prefix(const unsigned char *s, size_t n)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t word;
        memcpy(&word, s + i, 8);
        if (word & 0x8080808080808080u)
            break;
    }
    while (i < n && s[i] < 0x80)
        i++;
    return i;
}

size_t utf8_valid_prefix(const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t i = ascii_prefix(s, n);
    while (i < n) {
        int len = utf8_char_bytes(s + i, n - i);
        if (len < 0)
            break;
        i += (size_t)len;
        if (len > 1 && i < n && s[i] < 0x80)
            i += ascii_prefix(s + i, n - i);
    }
    return i;
}

int64_t utf8_repair(struct strbuf *out, const char *s, size_t n)
{
    int64_t replaced = 0;
    for (;;) {
        size_t good = utf8_valid_prefix(s, n);
        strbuf_add(out, s, good);
        if (good == n)
            return replaced;
        int bad = -utf8_char_bytes((const unsigned char *)s + good, n - good);
        strbuf_add(out, "\xef\xbf\xbd", 3);
        replaced++;
        s += good + (size_t)bad;
        n -= good + (size_t)bad;
    }
}
