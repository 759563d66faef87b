/* expression.c - arithmetic, evaluated exactly by recursive descent.
 *
 *     sum     = product { (+|-) product }
 *     product = factor { (*|/) factor }
 *     factor  = number | ( sum ) | - factor
 */
#include "reward/expression.h"

#include <ctype.h>
#include <string.h>

#include "base/mem.h"

#define MAX_DEPTH 100

struct parser {
    const char *p, *end, *error;
    int depth;
    struct expression *out;
};

static const struct {
    const char *text;
    char op;
} spellings[] = {
    {"+", '+'},        {"-", '-'},        {"\xe2\x88\x92", '-'},
    {"*", '*'},        {"\xc3\x97", '*'}, {"\xc2\xb7", '*'},
    {"\\times", '*'},  {"\\cdot", '*'},   {"/", '/'},
    {"\xc3\xb7", '/'}, {"\\div", '/'},    {"\\left(", '('},
    {"(", '('},        {"\\right)", ')'}, {")", ')'},
};

/* The sign at the cursor, 0 for a number, the end or something else. */
static char peek(struct parser *s, size_t *n)
{
    while (s->p < s->end && (isspace((unsigned char)*s->p) || *s->p == '$'))
        s->p++;
    for (size_t i = 0; i < ARRAY_SIZE(spellings); i++) {
        *n = strlen(spellings[i].text);
        if ((size_t)(s->end - s->p) >= *n && memcmp(s->p, spellings[i].text, *n) == 0)
            return spellings[i].op;
    }
    return 0;
}

static char take(struct parser *s, const char *wanted)
{
    size_t n;
    char op = peek(s, &n);
    if (op == 0 || !strchr(wanted, op))
        return 0;
    s->p += n;
    return op;
}

static bool fail(struct parser *s, const char *why)
{
    if (!s->error)
        s->error = why;
    return false;
}

static bool number(struct parser *s, struct rational *out)
{
    int64_t value = 0;
    const char *start = s->p;
    while (s->p < s->end && isdigit((unsigned char)*s->p)) {
        if (value > INT64_MAX / 100)
            return fail(s, "number-too-long");
        value = value * 10 + (*s->p++ - '0');
    }
    if (s->p == start)
        return fail(s, "not-an-expression");
    if (s->out->n_numbers == EXPRESSION_MAX_NUMBERS)
        return fail(s, "too-many-numbers");
    s->out->numbers[s->out->n_numbers++] = value;
    return rational_make(out, value, 1);
}

static bool sum(struct parser *s, struct rational *out);

static bool factor(struct parser *s, struct rational *out)
{
    char op = take(s, "(-");
    if (op == 0)
        return number(s, out);
    if (s->depth == MAX_DEPTH)
        return fail(s, "too-deep");
    s->depth++;
    bool ok = op == '(' ? sum(s, out) : factor(s, out);
    s->depth--;
    if (ok && op == '-')
        out->num = -out->num;
    if (ok && op == '(' && !take(s, ")"))
        return fail(s, "not-an-expression");
    return ok;
}

static bool apply(struct parser *s, char op, struct rational *left, const struct rational *right)
{
    if (op == '/' && right->num == 0)
        return fail(s, "division-by-zero");
    return rational_apply(op, left, right, left) || fail(s, "too-large");
}

static bool product(struct parser *s, struct rational *out)
{
    struct rational right;
    bool ok = factor(s, out);
    for (char op; ok && (op = take(s, "*/"));)
        ok = factor(s, &right) && apply(s, op, out, &right);
    return ok;
}

static bool sum(struct parser *s, struct rational *out)
{
    struct rational right;
    bool ok = product(s, out);
    for (char op; ok && (op = take(s, "+-"));)
        ok = product(s, &right) && apply(s, op, out, &right);
    return ok;
}

const char *expression_evaluate(const char *text, size_t n, struct expression *out)
{
    struct parser s = {.p = text, .end = text + n, .out = out};
    size_t length;
    out->n_numbers = 0;
    if (!sum(&s, &out->value))
        return s.error;
    peek(&s, &length); /* past blanks */
    return s.p == s.end ? NULL : "not-an-expression";
}
