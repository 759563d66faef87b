/* jinja_lex.c - template text to tokens; white space as trim_blocks and lstrip_blocks have it. */
#include <stdlib.h>
#include <string.h>

#include "data/jinja_internal.h"

struct lexer {
    struct jparser *p;
    const char *s;
    size_t n, at;
    int line;
    bool line_starting; /* what was read last ended a line */
    int brackets;
};

static struct jtoken *add(struct lexer *x, enum jtoken_type type)
{
    struct jparser *p = x->p;
    GROW(p->tokens, p->n, p->cap);
    struct jtoken *t = &p->tokens[p->n++];
    *t = (struct jtoken){.type = type, .line = x->line};
    return t;
}

static char *keep(struct lexer *x, const char *s, size_t n)
{
    char *copy = arena_alloc(&x->p->j->arena, n + 1);
    memcpy(copy, s, n);
    copy[n] = '\0';
    return copy;
}

static void move_to(struct lexer *x, size_t at)
{
    for (; x->at < at; x->at++)
        x->line += x->s[x->at] == '\n';
}

static bool looking_at(const struct lexer *x, size_t at, const char *what)
{
    size_t n = strlen(what);
    return x->n - at >= n && memcmp(x->s + at, what, n) == 0;
}

static size_t skip_space(const struct lexer *x, size_t at)
{
    size_t bytes;
    while (at < x->n && is_python_space(utf8_at(x->s + at, &bytes)))
        at += bytes;
    return at;
}

/* End of the text before a tag that begins at `end`. */
static size_t text_end(const struct lexer *x, size_t end, char sign, bool print)
{
    size_t begin = x->at, bytes;
    if (sign == '-') {
        size_t last = begin;
        for (size_t i = begin; i < end; i += bytes)
            if (!is_python_space(utf8_at(x->s + i, &bytes)))
                last = i + bytes;
        return last;
    }
    if (sign == '+' || print)
        return end;
    size_t line = end;
    while (line > begin && x->s[line - 1] != '\n')
        line--;
    bool at_line = line > begin || x->line_starting;
    return at_line && skip_space(x, line) >= end ? line : end;
}

static void add_text(struct lexer *x, size_t end)
{
    if (end <= x->at)
        return;
    struct jtoken *t = add(x, T_TEXT);
    t->s = keep(x, x->s + x->at, end - x->at);
    t->n = end - x->at;
}

/* Behind the closing mark at `at` ("%}" or "#}"), which may have a sign before it: where the text
 * goes on. */
static size_t after_close(const struct lexer *x, size_t at, char sign, bool print)
{
    at += 2;
    if (sign == '-')
        return skip_space(x, at);
    return !print && sign != '+' && at < x->n && x->s[at] == '\n' ? at + 1 : at;
}

static void finish_close(struct lexer *x, size_t end)
{
    move_to(x, end);
    x->line_starting = end > 0 && x->s[end - 1] == '\n';
}

static int lex_comment(struct lexer *x)
{
    int line = x->line;
    for (size_t i = x->at + 2; i + 1 < x->n; i++) {
        if (!looking_at(x, i, "#}"))
            continue;
        char sign = i > x->at + 2 && strchr("-+", x->s[i - 1]) ? x->s[i - 1] : ' ';
        finish_close(x, after_close(x, i, sign, false));
        return 0;
    }
    return jinja_fail_at(x->p, line, "the comment never ends");
}

/* --- inside tags ----------------------------------------------------------------------------- */

static bool is_name_char(unsigned char c, bool first)
{
    return c == '_' || c >= 0x80 || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (!first && c >= '0' && c <= '9');
}

static void add_code_point(struct strbuf *out, uint32_t c)
{
    char b[4];
    int n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (int i = n - 1; i > 0; i--, c >>= 6)
        b[i] = (char)(0x80 | (c & 0x3f));
    b[0] = (char)(lead[n] | c);
    strbuf_add(out, b, (size_t)n);
}

/* The digits of \x41, \u1234, \U00012345 or \101 from *i on. */
static int lex_code(struct lexer *x, const char *s, size_t n, size_t *i, int digits, int base,
                    struct strbuf *out)
{
    uint32_t code = 0;
    int k = 0;
    for (; k < digits && *i < n; k++, (*i)++) {
        char c = s[*i];
        int d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
        if (d >= base)
            break;
        code = code * (uint32_t)base + (uint32_t)d;
    }
    if ((base == 16 && k < digits) || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        return jinja_fail_at(x->p, x->line, "an escape in a string is not a character");
    add_code_point(out, code);
    return 0;
}

static int lex_escape(struct lexer *x, const char *s, size_t n, size_t *i, struct strbuf *out)
{
    static const char from[] = "abfnrtv\\'\"", to[] = "\a\b\f\n\r\t\v\\'\"";
    char c = s[(*i)++];
    const char *known = strchr(from, c);
    if (known && c) {
        strbuf_addc(out, to[known - from]);
        return 0;
    }
    switch (c) {
    case '\n':
        return 0;
    case 'x':
        return lex_code(x, s, n, i, 2, 16, out);
    case 'u':
        return lex_code(x, s, n, i, 4, 16, out);
    case 'U':
        return lex_code(x, s, n, i, 8, 16, out);
    case 'N':
        return jinja_fail_at(x->p, x->line, "\\N{} in a string is not supported");
    default:
        break;
    }
    if (c >= '0' && c <= '7') {
        (*i)--;
        return lex_code(x, s, n, i, 3, 8, out);
    }
    strbuf_addc(out, '\\');
    strbuf_addc(out, c);
    return 0;
}

static int lex_string(struct lexer *x)
{
    char quote = x->s[x->at];
    size_t begin = x->at + 1, end = begin;
    while (end < x->n && x->s[end] != quote)
        end += x->s[end] == '\\' ? 2 : 1;
    if (end >= x->n)
        return jinja_fail_at(x->p, x->line, "a string never ends");
    struct strbuf text = {0};
    int rc = 0;
    strbuf_reserve(&text, 1);
    for (size_t i = begin; i < end && rc == 0;) {
        char c = x->s[i++];
        if (c == '\\')
            rc = lex_escape(x, x->s, end, &i, &text);
        else
            strbuf_addc(&text, c);
    }
    if (rc == 0) {
        struct jtoken *t = add(x, T_STRING);
        t->s = keep(x, text.buf, text.len);
        t->n = text.len;
        move_to(x, end + 1);
    }
    strbuf_release(&text);
    return rc;
}

static bool is_digit(const struct lexer *x, size_t at)
{
    return at < x->n && x->s[at] >= '0' && x->s[at] <= '9';
}

/* 12, 1_000, 1.5, 1e3 */
static int lex_number(struct lexer *x)
{
    char text[64];
    size_t n = 0, i = x->at;
    bool real = false;
    for (; n < sizeof text - 1 && i < x->n; i++) {
        bool point = x->s[i] == '.' && !real && is_digit(x, i + 1);
        bool sign = i > x->at && strchr("eE", x->s[i - 1]) && strchr("+-", x->s[i]) &&
                    is_digit(x, i + 1);
        bool power = n > 0 && strchr("eE", x->s[i]) && !memchr(text, 'e', n) &&
                     (is_digit(x, i + 1) ||
                      (i + 1 < x->n && strchr("+-", x->s[i + 1]) && is_digit(x, i + 2)));
        bool gap = x->s[i] == '_' && is_digit(x, i + 1);
        if (!is_digit(x, i) && !point && !sign && !power && !gap)
            break;
        real |= point || power;
        if (!gap)
            text[n++] = power ? 'e' : x->s[i];
    }
    text[n] = '\0';
    if (n == sizeof text - 1 || (!real && n > 18) ||
        (i < x->n && is_name_char((unsigned char)x->s[i], true)))
        return jinja_fail_at(x->p, x->line, "'%.20s' is not a number that can be read", text);
    struct jtoken *t = add(x, real ? T_FLOAT : T_INT);
    if (real)
        t->f = strtod(text, NULL);
    else
        t->i = strtoll(text, NULL, 10);
    move_to(x, i);
    return 0;
}

static void lex_name(struct lexer *x)
{
    size_t end = x->at;
    while (end < x->n && is_name_char((unsigned char)x->s[end], false))
        end++;
    struct jtoken *t = add(x, T_NAME);
    t->s = keep(x, x->s + x->at, end - x->at);
    t->n = end - x->at;
    move_to(x, end);
}

static int lex_op(struct lexer *x)
{
    static const char *const two[] = {"==", "!=", ">=", "<=", "//", "**"};
    unsigned char c = (unsigned char)x->s[x->at];
    int op = 0;
    for (size_t i = 0; i < ARRAY_SIZE(two); i++)
        if (looking_at(x, x->at, two[i]))
            op = JOP(two[i][0], two[i][1]);
    if (!op && strchr("+-/*%~[](){}=.:|,;<>", c) && c)
        op = c;
    if (!op)
        return jinja_fail_at(x->p, x->line, "unexpected character '%.1s' (byte 0x%02x)",
                             c < 0x80 ? &x->s[x->at] : "?", c);
    x->brackets += op == '(' || op == '[' || op == '{';
    x->brackets -= op == ')' || op == ']' || op == '}';
    add(x, T_OP)->op = op;
    move_to(x, x->at + (op > 255 ? 2 : 1));
    return 0;
}

/* From behind the opening mark to behind the closing one. */
static int lex_tag(struct lexer *x, bool print)
{
    const char *close = print ? "}}" : "%}";
    int line = x->line;
    x->brackets = 0;
    for (;;) {
        move_to(x, skip_space(x, x->at));
        if (x->at >= x->n)
            return jinja_fail_at(x->p, line, "the tag never ends: '%s' is missing", close);
        char c = x->s[x->at];
        bool sign = c == '-' || (c == '+' && !print);
        if (x->brackets <= 0 && looking_at(x, x->at + (sign ? 1 : 0), close)) {
            add(x, print ? T_PRINT_END : T_BLOCK_END);
            finish_close(x, after_close(x, x->at + (sign ? 1 : 0), sign ? c : ' ', print));
            return 0;
        }
        int rc = 0;
        if (c == '\'' || c == '"')
            rc = lex_string(x);
        else if (c >= '0' && c <= '9')
            rc = lex_number(x);
        else if (is_name_char((unsigned char)c, true))
            lex_name(x);
        else
            rc = lex_op(x);
        if (rc < 0)
            return -1;
    }
}

/* Of "{%- name -%}" at `at`: where it ends, with *close set to its "%}"; 0 = it is another tag. */
static size_t named_tag(const struct lexer *x, size_t at, const char *name, size_t *close)
{
    if (!looking_at(x, at, "{%"))
        return 0;
    at += 2;
    if (at < x->n && (x->s[at] == '-' || x->s[at] == '+'))
        at++;
    at = skip_space(x, at);
    if (!looking_at(x, at, name))
        return 0;
    at = skip_space(x, at + strlen(name));
    char sign = at < x->n && (x->s[at] == '-' || x->s[at] == '+') ? x->s[at] : ' ';
    *close = at + (sign == ' ' ? 0 : 1);
    return looking_at(x, *close, "%}") ? after_close(x, *close, sign, false) : 0;
}

/* From behind {% raw %}. */
static int lex_raw(struct lexer *x)
{
    int line = x->line;
    size_t close;
    for (size_t i = x->at; i < x->n; i++) {
        size_t end = named_tag(x, i, "endraw", &close);
        if (!end)
            continue;
        x->line_starting = false;
        add_text(x, text_end(x, i, x->s[i + 2], false));
        finish_close(x, end);
        return 0;
    }
    return jinja_fail_at(x->p, line, "{%% raw %%} never ends");
}

static int lex_next(struct lexer *x)
{
    size_t begin = x->at, close;
    while (begin + 1 < x->n && !(x->s[begin] == '{' && strchr("%{#", x->s[begin + 1])))
        begin++;
    if (begin + 1 >= x->n) {
        add_text(x, x->n);
        move_to(x, x->n);
        return 0;
    }
    char kind = x->s[begin + 1], sign = begin + 2 < x->n ? x->s[begin + 2] : ' ';
    add_text(x, text_end(x, begin, sign, kind == '{'));
    move_to(x, begin);
    x->line_starting = false;
    if (kind == '#')
        return lex_comment(x);
    if (kind == '%' && named_tag(x, begin, "raw", &close)) {
        move_to(x, x->s[close - 1] == '-' ? skip_space(x, close + 2) : close + 2);
        return lex_raw(x);
    }
    add(x, kind == '{' ? T_PRINT_BEGIN : T_BLOCK_BEGIN);
    move_to(x, begin + (sign == '-' || sign == '+' ? 3 : 2));
    return lex_tag(x, kind == '{');
}

/* "\r\n" and "\r" become "\n"; one newline at the end is dropped. */
static void normalize(struct strbuf *out, const char *s, size_t n)
{
    strbuf_reserve(out, n + 1);
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '\r' && i + 1 < n && s[i + 1] == '\n')
            continue;
        strbuf_addc(out, s[i] == '\r' ? '\n' : s[i]);
    }
    if (out->len > 0 && out->buf[out->len - 1] == '\n')
        out->buf[--out->len] = '\0';
}

int jinja_lex(struct jparser *p, const char *text, size_t n)
{
    struct strbuf clean = {0};
    normalize(&clean, text, n);
    struct lexer x = {.p = p, .s = clean.buf, .n = clean.len, .line = 1, .line_starting = true};
    int rc = 0;
    while (x.at < x.n && rc == 0)
        rc = lex_next(&x);
    add(&x, T_END);
    strbuf_release(&clean);
    return rc;
}
