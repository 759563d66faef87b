/* math_unit.c - units of measure by name, and how many of a basic one they are. */
#include "reward/math_unit.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"

static const struct unit {
    const char *name, *dimension, *factor;
} units[] = {
    {"mm", "length", "0.001"},
    {"millimeter", "length", "0.001"},
    {"cm", "length", "0.01"},
    {"centimeter", "length", "0.01"},
    {"centimetre", "length", "0.01"},
    {"m", "length", "1"},
    {"meter", "length", "1"},
    {"metre", "length", "1"},
    {"km", "length", "1000"},
    {"kilometer", "length", "1000"},
    {"kilometre", "length", "1000"},
    {"in", "us-length", "1"},
    {"inch", "us-length", "1"},
    {"inche", "us-length", "1"},
    {"ft", "us-length", "12"},
    {"foot", "us-length", "12"},
    {"feet", "us-length", "12"},
    {"yd", "us-length", "36"},
    {"yard", "us-length", "36"},
    {"mg", "mass", "0.001"},
    {"g", "mass", "1"},
    {"gram", "mass", "1"},
    {"kg", "mass", "1000"},
    {"kilogram", "mass", "1000"},
    {"sec", "time", "1"},
    {"second", "time", "1"},
    {"s", "time", "1"},
    {"min", "time", "60"},
    {"minute", "time", "60"},
    {"hr", "time", "3600"},
    {"hour", "time", "3600"},
    {"cent", "money", "1"},
    {"dollar", "money", "100"},
    {"degree", "angle", "1"},
    {"ml", "volume", "1"},
    {"milliliter", "volume", "1"},
    {"l", "volume", "1000"},
    {"liter", "volume", "1000"},
    {"lb", "us-mass", "16"},
    {"pound", "us-mass", "16"},
    {"oz", "us-mass", "1"},
    {"ounce", "us-mass", "1"},
    {"unit", "unit", "1"},
    {"mile", "us-distance", "1"},
    {"mi", "us-distance", "1"},
    {"day", "time", "86400"},
    {"week", "time", "604800"},
    {"mph", "us-speed", "1"},
    {"mile per hour", "us-speed", "1"},
    {"miles per hour", "us-speed", "1"},
    {"miles/hour", "us-speed", "1"},
    {"kph", "speed", "1"},
    {"km/h", "speed", "1"},
    {"kilometers per hour", "speed", "1"},
    {"am", "morning", "1"},
    {"pm", "afternoon", "1"},
};

/* The singular: "miles" and "mile" are one unit. */
static size_t stem(const char *s, size_t n)
{
    return n > 2 && s[n - 1] == 's' ? n - 1 : n;
}

static const struct unit *find(const char *s, size_t n)
{
    n = stem(s, n);
    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        if (strlen(units[i].name) == n && strncasecmp(units[i].name, s, n) == 0)
            return &units[i];
    }
    return NULL;
}

bool math_unit_known(const char *name, size_t n)
{
    return find(name, n) != NULL;
}

/* "square feet", "sq ft", "ft^2" as feet and 2. */
static int power_of(const char **s, size_t *n)
{
    static const struct {
        const char *word;
        int power;
    } before[] = {{"square ", 2}, {"sq ", 2}, {"cubic ", 3}, {"cu ", 3}};
    *n = strlen(*s);
    for (size_t i = 0; i < ARRAY_SIZE(before); i++) {
        size_t length = strlen(before[i].word);
        if (strncmp(*s, before[i].word, length) == 0) {
            *s += length;
            *n -= length;
            return before[i].power;
        }
    }
    if (*n < 3 || (*s)[*n - 2] != '^')
        return 1;
    *n -= 2;
    return (*s)[*n + 1] - '0';
}

bool math_unit_same(const char *a, const char *b, const char **factor_a, const char **factor_b)
{
    const struct unit *x = find(a, strlen(a)), *y = find(b, strlen(b));
    *factor_a = *factor_b = NULL;
    if (x && y) {
        *factor_a = x->factor;
        *factor_b = y->factor;
        return strcmp(x->dimension, y->dimension) == 0;
    }
    size_t na, nb;
    if (power_of(&a, &na) != power_of(&b, &nb))
        return false;
    x = find(a, na);
    y = find(b, nb);
    if (x && y)
        return strcmp(x->dimension, y->dimension) == 0 && strcmp(x->factor, y->factor) == 0;
    na = stem(a, na);
    return na == stem(b, nb) && memcmp(a, b, na) == 0;
}
