/* rational.c - exact fractions with 128-bit terms. */
#include "reward/rational.h"

#include <ctype.h>
#include <string.h>

/* Far enough from 2^127 that a sum of two fits. */
#define TERM_MAX ((__int128)1 << 125)

static __int128 magnitude(__int128 x)
{
    return x < 0 ? -x : x;
}

static __int128 gcd(__int128 a, __int128 b)
{
    while (b != 0) {
        __int128 rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* By division: the compiler's overflow builtin for 128 bits needs a runtime that clang lacks here.
 */
static bool multiply(__int128 a, __int128 b, __int128 *out)
{
    if (a != 0 && magnitude(b) > TERM_MAX / magnitude(a))
        return false;
    *out = a * b;
    return true;
}

bool rational_make(struct rational *r, __int128 num, __int128 den)
{
    if (den == 0 || magnitude(num) > TERM_MAX || magnitude(den) > TERM_MAX)
        return false;
    __int128 g = gcd(magnitude(num), magnitude(den));
    r->num = (den < 0 ? -num : num) / g;
    r->den = magnitude(den) / g;
    return true;
}

static bool add(const struct rational *a, const struct rational *b, int sign, struct rational *out)
{
    __int128 left, right, den;
    return multiply(a->num, b->den, &left) && multiply(b->num, a->den, &right) &&
           multiply(a->den, b->den, &den) && rational_make(out, left + sign * right, den);
}

bool rational_apply(char op, const struct rational *a, const struct rational *b,
                    struct rational *out)
{
    __int128 num, den;
    switch (op) {
    case '+':
        return add(a, b, 1, out);
    case '-':
        return add(a, b, -1, out);
    case '*':
        return multiply(a->num, b->num, &num) && multiply(a->den, b->den, &den) &&
               rational_make(out, num, den);
    case '/':
        return multiply(a->num, b->den, &num) && multiply(a->den, b->num, &den) &&
               rational_make(out, num, den);
    default:
        return false;
    }
}

bool rational_equal(const struct rational *a, const struct rational *b)
{
    return a->num == b->num && a->den == b->den;
}

static bool digit(char c)
{
    return isdigit((unsigned char)c) != 0;
}

static size_t digits(const char *s)
{
    size_t n = 0;
    while (digit(s[n]))
        n++;
    return n;
}

size_t decimal_length(const char *s)
{
    size_t n = digits(s);
    if (n >= 1 && n <= 3) {
        while (s[n] == ',' && digits(s + n + 1) == 3)
            n += 4;
    }
    if (s[n] == '.' && digit(s[n + 1]))
        n += 1 + digits(s + n + 1);
    return n;
}

void decimal_canonical(const char *s, size_t n, char *out)
{
    bool negative = n > 0 && s[0] == '-', point = false;
    size_t i = n > 0 && (s[0] == '-' || s[0] == '+'), len = 0;
    while (i < n && (s[i] == '0' || s[i] == ','))
        i++;
    if (i == n || s[i] == '.')
        out[len++] = '0';
    for (; i < n; i++) {
        if (s[i] == ',')
            continue;
        point = point || s[i] == '.';
        out[len++] = s[i];
    }
    while (point && (out[len - 1] == '0' || out[len - 1] == '.')) {
        point = out[len - 1] != '.';
        len--;
    }
    out[len] = '\0';
    if (negative && strcmp(out, "0") != 0) {
        memmove(out + 1, out, len + 1);
        out[0] = '-';
    }
}
