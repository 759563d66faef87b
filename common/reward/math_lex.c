/* math_lex.c - the tokens of a mathematical text, in LaTeX, plain ASCII or Unicode. */
#include "reward/math_lex.h"

#include <ctype.h>
#include <string.h>

#include "reward/math_spelling.h"

#define SPACED_REACH 200 /* how far a bracket is searched for the way its items are parted */

struct lexer {
    const char *text, *p, *end;
    struct arena *arena;
    struct math_token *tokens;
    int n, cap, nesting;
    int text_depth; /* braces open since \text{, 0 outside */
    bool blank, commas_part, full;
};
/* Superscript digits and vulgar fractions stand for several tokens. */
static const struct {
    const char *from, *to;
} expansions[] = {
    {"\xc2\xb2", "^2"},           {"\xc2\xb3", "^3"},           {"\xc2\xb9", "^1"},
    {"\xe2\x81\xb4", "^4"},       {"\xe2\x81\xb5", "^5"},       {"\xe2\x81\xb6", "^6"},
    {"\xc2\xbd", "\\frac12"},     {"\xc2\xbc", "\\frac14"},     {"\xc2\xbe", "\\frac34"},
    {"\xe2\x85\x93", "\\frac13"}, {"\xe2\x85\x94", "\\frac23"},
};

static void push(struct lexer *l, int kind, int value, const char *text, size_t n)
{
    if (l->n + 1 >= l->cap) {
        if (l->cap >= MATH_MAX_TOKENS) {
            l->full = true;
            return;
        }
        int cap = l->cap ? 2 * l->cap : 32;
        struct math_token *grown = arena_alloc(l->arena, (size_t)cap * sizeof *grown);
        if (l->n)
            memcpy(grown, l->tokens, (size_t)l->n * sizeof *grown);
        l->tokens = grown;
        l->cap = cap;
    }
    l->tokens[l->n++] = (struct math_token){kind, value, text, n, l->blank, l->text_depth > 0};
    l->blank = false;
}

static bool begins(const struct lexer *l, const char *p, const char *what)
{
    size_t n = strlen(what);
    return (size_t)(l->end - p) >= n && memcmp(p, what, n) == 0;
}

static bool digit_at(const struct lexer *l, const char *p)
{
    return p < l->end && isdigit((unsigned char)*p);
}

/* Is there a ", " in the innermost bracket around p?  Then bare commas in it part no items. */
static bool spaced_around(const struct lexer *l, const char *p)
{
    const char *start = p - l->text < SPACED_REACH ? l->text : p - SPACED_REACH;
    const char *end = l->end - p < SPACED_REACH ? l->end : p + SPACED_REACH;
    int depth = 0;
    for (const char *q = p; q > start && depth <= 0; q--) {
        depth += strchr("([", q[-1]) ? 1 : strchr(")]", q[-1]) ? -1 : 0;
        if (depth == 0 && q[-1] == ',' && (q[0] == ' ' || q[0] == '\\'))
            return true;
    }
    depth = 0;
    for (const char *q = p; q + 1 < end && depth <= 0; q++) {
        depth += strchr(")]", *q) ? 1 : strchr("([", *q) ? -1 : 0;
        if (depth == 0 && q[0] == ',' && (q[1] == ' ' || q[1] == '\\'))
            return true;
    }
    return false;
}

/* "1,234,567": all of what digits and bare commas there are, in groups of three. */
static bool grouped(const struct lexer *l, const char *start)
{
    size_t n = 0;
    const char *p = start;
    if (p - l->text >= 2 && p[-1] == ',' && isdigit((unsigned char)p[-2]))
        return false;
    for (; digit_at(l, p); p++)
        n++;
    while (n <= 3 && p < l->end && *p == ',' && digit_at(l, p + 1)) {
        for (n = 0, p++; digit_at(l, p); p++)
            n++;
        if (n != 3)
            return false;
    }
    return true;
}

/* Length of a thousands separator at p, 0 if there is none.  A bare comma parts the items of
 * "(1,234)", but not of "(40,000, 60,000)". */
static size_t separator(const struct lexer *l, const char *p)
{
    static const char *const always[] = {"{,}", ",\\!", "\\!,", "\\,", "\\ ", "\\!", " "};
    for (size_t i = 0; i < ARRAY_SIZE(always); i++) {
        if (begins(l, p, always[i]))
            return strlen(always[i]);
    }
    return p < l->end && *p == ',' && !l->commas_part && (l->nesting == 0 || spaced_around(l, p));
}

static bool three_digits(const struct lexer *l, const char *p)
{
    return digit_at(l, p) && digit_at(l, p + 1) && digit_at(l, p + 2) && !digit_at(l, p + 3);
}

/* ".(142857)" behind a number, digits that repeat for ever; 0 or its length.  "0.1(6)" may be a
 * product as well and stays one. */
static size_t repeating_length(const struct lexer *l, const char *p)
{
    size_t n = 2;
    if (!begins(l, p, ".(") || !digit_at(l, p + n))
        return 0;
    while (digit_at(l, p + n))
        n++;
    return begins(l, p + n, ")") ? n + 1 : 0;
}

/* As \overline{..} is. */
static void push_repeating(struct lexer *l, size_t n)
{
    const char *p = l->p;
    push(l, TOK_OVERLINE, 0, p, 1);
    push(l, '{', 0, p + 1, 1);
    push(l, TOK_NUMBER, 0, p + 2, n - 3);
    push(l, '}', 0, p + n - 1, 1);
    l->p += n;
}

static void lex_number(struct lexer *l)
{
    const char *start = l->p;
    struct strbuf digits = {0};
    while (digit_at(l, l->p))
        strbuf_addc(&digits, *l->p++);
    size_t first = digits.len, n;
    bool commas = grouped(l, start);
    while (first >= 1 && first <= 3 && *start != '0' && (n = separator(l, l->p)) &&
           three_digits(l, l->p + n) && (commas || n > 1 || *l->p != ',')) {
        strbuf_add(&digits, l->p + n, 3);
        l->p += n + 3;
    }
    size_t repeats = repeating_length(l, l->p);
    if (repeats) {
        strbuf_addc(&digits, '.');
        push(l, TOK_NUMBER, 0, arena_strdup(l->arena, digits.buf), digits.len);
        push_repeating(l, repeats);
        strbuf_release(&digits);
        return;
    }
    if (l->p < l->end && *l->p == '.' &&
        (digit_at(l, l->p + 1) || begins(l, l->p, ".\\overline") || begins(l, l->p, ".\\bar"))) {
        strbuf_addc(&digits, '.');
        for (l->p++; digit_at(l, l->p);)
            strbuf_addc(&digits, *l->p++);
    }
    const char *e = l->p;
    if (e < l->end && (*e == 'e' || *e == 'E')) {
        e += e + 1 < l->end && (e[1] == '-' || e[1] == '+') ? 2 : 1;
        const char *exponent = e;
        while (digit_at(l, e))
            e++;
        if (e > exponent && !(e < l->end && isalpha((unsigned char)*e))) {
            strbuf_add(&digits, l->p, (size_t)(e - l->p));
            l->p = e;
        }
    }
    push(l, TOK_NUMBER, 0, arena_strdup(l->arena, digits.buf), digits.len);
    strbuf_release(&digits);
}

/* "sinx", "lnab": the length of a function's name that runs on into at most two letters. */
static size_t function_length(const char *p, size_t n)
{
    static const char *const names[] = {"sin", "cos", "tan", "log", "ln"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        size_t length = strlen(names[i]);
        if (n > length && n <= length + 2 && memcmp(p, names[i], length) == 0)
            return length;
    }
    return 0;
}

/* "40 min" and "5 sec" are no functions. */
static bool is_minutes(const struct lexer *l, const struct math_spelling *w)
{
    return w->kind == TOK_FUNCTION && (w->value == MATH_MIN || w->value == MATH_SEC) && l->n > 0 &&
           l->tokens[l->n - 1].kind == TOK_NUMBER;
}

static void lex_letters(struct lexer *l)
{
    const char *p = l->p;
    size_t n = 0, function;
    while (p + n < l->end && isalpha((unsigned char)p[n]))
        n++;
    if (l->text_depth == 0 && (function = function_length(p, n)))
        n = function;
    if (l->text_depth == 0 && (n == 5 || n == 6) && memcmp(p + n - 4, "sqrt", 4) == 0)
        n -= 4; /* "xsqrt(2)", "pisqrt(2)" */
    l->p += n;
    const struct math_spelling *w = math_word(p, n);
    if (w && !is_minutes(l, w)) {
        push(l, w->kind, w->value, p, n);
    } else if (l->text_depth > 0 || n >= 4 || math_short_word(p, n)) {
        push(l, TOK_WORD, 0, p, n);
    } else {
        for (size_t i = 0; i < n; i++) {
            int kind = p[i] == 'e' ? MATH_E : p[i] == 'i' ? MATH_I : -1;
            push(l, kind >= 0 ? TOK_CONSTANT : TOK_NAME, kind >= 0 ? kind : 0, p + i, 1);
        }
    }
}

/* The name in braces behind \begin and \end. */
static bool lex_environment(struct lexer *l, int kind)
{
    const char *close;
    if (l->p >= l->end || *l->p != '{' ||
        !(close = memchr(l->p, '}', (size_t)(l->end - l->p < 40 ? l->end - l->p : 40))))
        return false;
    push(l, kind, 0, l->p + 1, (size_t)(close - l->p - 1));
    l->p = close + 1;
    return true;
}

/* A group or one character. */
static bool skip_argument(struct lexer *l)
{
    int depth = 0;
    while (l->p < l->end && isspace((unsigned char)*l->p))
        l->p++;
    do {
        if (l->p >= l->end)
            return false;
        depth += *l->p == '{' ? 1 : *l->p == '}' ? -1 : 0;
        l->p++;
    } while (depth > 0);
    return true;
}

static bool lex_symbol(struct lexer *l);

static bool lex_command(struct lexer *l)
{
    const char *p = l->p + 1;
    size_t n = 0;
    const struct math_spelling *whole = math_symbol(l->p, (size_t)(l->end - l->p));
    if (whole && whole->kind == TOK_REALS)
        return lex_symbol(l);
    while (p + n < l->end && isalpha((unsigned char)p[n]))
        n++;
    if (n == 0)
        return false;
    l->p = p + n;
    const struct math_spelling *c = math_command(p, n);
    if (!c) {
        push(l, TOK_NAME, -1, p, n);
        return true;
    }
    if (c->kind == TOK_BEGIN || c->kind == TOK_FINISH)
        return lex_environment(l, c->kind);
    if (c->kind == SPELLING_HIDE)
        return skip_argument(l);
    if (c->kind == SPELLING_STYLE) {
        while (l->p < l->end && *l->p == ' ')
            l->p++;
        if (l->p < l->end && *l->p == '{' && l->text_depth == 0) {
            l->text_depth = 1;
            l->p++;
        }
        l->blank = true;
        return true;
    }
    l->blank = l->blank || (c->kind == SPELLING_SKIP && c->value);
    /* "\left." is an invisible bracket */
    if (c->kind == SPELLING_SKIP && (n == 4 || n == 5) && l->p < l->end && *l->p == '.' &&
        (memcmp(p, "left", 4) == 0 || memcmp(p, "right", n) == 0))
        l->p++;
    if (c->kind == SPELLING_FAIL)
        return false;
    if (c->kind != SPELLING_SKIP)
        push(l, c->kind, c->value, p, n);
    return true;
}

static bool lex_symbol(struct lexer *l)
{
    for (size_t i = 0; i < ARRAY_SIZE(expansions); i++) {
        if (!begins(l, l->p, expansions[i].from))
            continue;
        const char *after = l->p + strlen(expansions[i].from);
        const char *to = expansions[i].to;
        if (to[0] == '^') {
            push(l, '^', 0, to, 1);
            push(l, TOK_NUMBER, 0, to + 1, 1);
        } else {
            push(l, TOK_FRAC, 0, to, 5);
            push(l, TOK_NUMBER, 0, to + 5, 2);
        }
        l->p = after;
        return true;
    }
    const struct math_spelling *s = math_symbol(l->p, (size_t)(l->end - l->p));
    if (!s || s->kind == SPELLING_FAIL)
        return false;
    if (s->kind == SPELLING_SKIP)
        l->blank = l->blank || s->value;
    else
        push(l, s->kind, s->value, l->p, strlen(s->from));
    l->p += strlen(s->from);
    return true;
}

static void count_brackets(struct lexer *l, char c)
{
    if (c == '(' || c == '[')
        l->nesting++;
    else if ((c == ')' || c == ']') && l->nesting > 0)
        l->nesting--;
}

/* A letter of another script. */
static void lex_foreign(struct lexer *l)
{
    size_t n = 1;
    while (l->p + n < l->end && ((unsigned char)l->p[n] & 0xc0) == 0x80)
        n++;
    const char *name = math_greek(l->p, (size_t)(l->end - l->p));
    if (name)
        push(l, TOK_NAME, -1, name, strlen(name));
    else
        push(l, (unsigned char)*l->p < 0xd0 ? TOK_NAME : TOK_WORD, 0, l->p, n);
    l->p += n;
}

/* False if it is a character we do not read. */
static bool lex_one(struct lexer *l)
{
    unsigned char c = (unsigned char)*l->p;
    if (isspace(c)) {
        l->blank = true;
        l->p++;
    } else if (l->text_depth > 0 && (c == '{' || c == '}')) {
        l->text_depth += c == '{' ? 1 : -1;
        l->blank = l->blank || l->text_depth == 0;
        l->p++;
    } else if (isdigit(c) || (c == '.' && digit_at(l, l->p + 1))) {
        lex_number(l);
    } else if (isalpha(c)) {
        lex_letters(l);
    } else if (c == '\\' && l->p + 1 < l->end && isalpha((unsigned char)l->p[1])) {
        return lex_command(l);
    } else if (lex_symbol(l)) {
        if (l->n > 0 && l->tokens[l->n - 1].kind == TOK_OPEN)
            l->nesting += l->tokens[l->n - 1].value == '{';
        return true;
    } else if (strchr("+-*/^_()[]{}|,;!%&", c) && c) {
        count_brackets(l, (char)c);
        push(l, c, 0, l->p++, 1);
    } else if (c == '.') {
        l->p++; /* the end of a sentence, or "p.m." */
        l->blank = l->blank || !(l->p < l->end && isalpha((unsigned char)*l->p));
    } else if (c >= 0x80 && c != 0xe2) { /* but U+2000 to U+2FFF are signs that we do not know */
        lex_foreign(l);
    } else {
        return false;
    }
    return true;
}

struct math_token *math_lex(const char *text, size_t n, bool commas_part, struct arena *arena,
                            const char **fault)
{
    struct lexer l = {
        .text = text, .p = text, .end = text + n, .arena = arena, .commas_part = commas_part};
    *fault = NULL;
    if (n > MATH_MAX_BYTES)
        *fault = "too-long";
    while (!*fault && l.p < l.end) {
        if (!lex_one(&l))
            *fault = "unknown-notation";
        else if (l.full)
            *fault = "too-long";
    }
    if (*fault)
        return NULL;
    push(&l, TOK_END, 0, text + n, 0);
    l.tokens[l.n] = (struct math_token){.kind = TOK_END}; /* room for one token of look-ahead */
    return l.full ? (*fault = "too-long", NULL) : l.tokens;
}
