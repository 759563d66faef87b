/* math_parse.c - tokens to a tree, by recursive descent.
 *
 *     list    = chain { (,|;|and|or) chain }
 *     chain   = setexpr { (=|<|>|...) setexpr }
 *     setexpr = sum { (cup|cap|setminus) sum } [unit]
 *     sum     = [+|-|pm] product { (+|-|pm) product }
 *     product = power { [*|/] power }            what stands side by side is multiplied
 *     power   = atom { ! | % | degree } [ ^ power ]
 */
#include <ctype.h>
#include <ctype.h>
#include <string.h>

#include "reward/math_parser.h"
#include "reward/math_unit.h"

static bool is_degree_group(const struct parser *s)
{
    return s->t->kind == '{' && s->t[1].kind == TOK_DEGREE && s->t[2].kind == '}';
}

static node parse_exponent(struct parser *s, node base)
{
    if (parser_take(s, TOK_DEGREE))
        return parser_node1(s, MATH_DEGREE, base);
    if (is_degree_group(s)) {
        s->t += 3;
        return parser_node1(s, MATH_DEGREE, base);
    }
    if (parser_at(s, '{') || parser_at(s, TOK_END))
        return parser_node2(s, MATH_POW, base, parser_argument(s, false));
    return parser_node2(s, MATH_POW, base, parser_power(s)); /* to the right: 2^3^2 is 2^9 */
}

static node parse_power_inside(struct parser *s)
{
    node m = parser_atom(s);
    while (m) {
        if (parser_at(s, '!')) {
            s->t++;
            if (parser_at(s, '!'))
                return parser_fail(s, "unknown-notation"); /* the double factorial */
            m = parser_node1(s, MATH_FACTORIAL, m);
        } else if (parser_take(s, '%')) {
            m = parser_node1(s, MATH_PERCENT, m);
        } else if (parser_take(s, TOK_DEGREE)) {
            m = parser_node1(s, MATH_DEGREE, m);
        } else if (parser_take(s, '^')) {
            m = parse_exponent(s, m);
        } else {
            break;
        }
        if (++s->wraps > PARSER_MAX_WRAPS) /* the tree gets deeper, too */
            return parser_fail(s, "too-deep");
    }
    return m;
}

node parser_power(struct parser *s)
{
    int depth = s->depth;
    node m = parser_deeper(s) ? parse_power_inside(s) : NULL;
    s->depth = depth;
    return m;
}

/* What is divided by stays one quotient deep: a / b / c = a / (b * c). */
static node quotient(struct parser *s, const struct items *top, const struct items *bottom)
{
    node over = top->n == 1 ? top->item[0] : parser_node_items(s, MATH_MUL, top);
    if (bottom->n == 0)
        return over;
    return parser_node2(s, MATH_DIV, over,
                        bottom->n == 1 ? bottom->item[0] : parser_node_items(s, MATH_MUL, bottom));
}

static node parse_product(struct parser *s)
{
    struct items top = {0}, bottom = {0};
    if (!parser_items_add(s, &top, parser_power(s)))
        return NULL;
    for (;;) {
        struct items *to = &top;
        if (parser_at(s, '*') || parser_at(s, '/')) {
            if (s->t++->kind == '/')
                to = &bottom;
        } else if (!parser_starts_atom(s) ||
                   (parser_at(s, TOK_NUMBER) && s->t[-1].kind == TOK_NUMBER)) {
            break;
        }
        if (!parser_items_add(s, to, parser_power(s)))
            return NULL;
    }
    return quotient(s, &top, &bottom);
}

static node sum_so_far(struct parser *s, struct items *terms)
{
    if (terms->n == 1)
        return terms->item[0];
    node sum = parser_node_items(s, MATH_ADD, terms);
    *terms = (struct items){0};
    return sum;
}

static node parse_sum_inside(struct parser *s)
{
    struct items terms = {0};
    int plus_minus = 0;
    for (;;) {
        int kind = s->t->kind;
        bool sign = kind == '+' || kind == '-' || kind == TOK_PLUSMINUS || kind == TOK_MINUSPLUS;
        if (!sign && terms.n > 0)
            break;
        s->t += sign;
        node term = parse_product(s);
        if (kind == '-')
            term = parser_node1(s, MATH_NEG, term);
        if (kind == TOK_PLUSMINUS || kind == TOK_MINUSPLUS) {
            node left = terms.n ? sum_so_far(s, &terms) : parser_number(s, "0");
            struct math_node *pm;
            if (!term || ++plus_minus > 4)
                return parser_fail(s, "unknown-notation");
            pm = parser_node(s, MATH_PLUSMINUS, 2);
            pm->op = kind == TOK_PLUSMINUS ? '+' : '-';
            pm->arg[0] = left;
            pm->arg[1] = term;
            term = pm;
            terms.n = 0;
        }
        if (!parser_items_add(s, &terms, term))
            return NULL;
    }
    return sum_so_far(s, &terms);
}

node parser_sum(struct parser *s)
{
    node m = parser_deeper(s) ? parse_sum_inside(s) : NULL;
    s->depth--;
    return m;
}

/* Words. */

static bool at_word(const struct parser *s)
{
    return parser_at(s, TOK_WORD);
}

/* Lower case, single blanks; "cm^2" keeps its power. */
static const char *collect_words(struct parser *s, bool unit)
{
    struct strbuf text = {0};
    for (;;) {
        bool power = parser_at(s, '^') && unit && text.len &&
                     (s->t[1].kind == TOK_NUMBER || s->t[1].kind == '{');
        bool slash = parser_at(s, '/') && text.len && s->t[1].kind == TOK_WORD;
        bool between = !unit && text.len && (parser_at(s, '-') || parser_at(s, TOK_PRIME)) &&
                       (s->t[1].kind == TOK_WORD || s->t[1].kind == TOK_NAME);
        bool name = (parser_at(s, TOK_NAME) || parser_at(s, TOK_NUMBER)) && !unit && text.len;
        if (power) {
            s->t++;
            bool braced = parser_take(s, '{');
            if (!parser_at(s, TOK_NUMBER))
                break;
            strbuf_addc(&text, '^');
            strbuf_add(&text, s->t->text, s->t->n);
            s->t++;
            if (braced && !parser_take(s, '}'))
                break;
            continue;
        }
        if (!at_word(s) && !slash && !between && !name)
            break;
        if (text.len && (at_word(s) || name) && s->t->blank && text.buf[text.len - 1] != '/')
            strbuf_addc(&text, ' ');
        for (size_t i = 0; i < s->t->n; i++)
            strbuf_addc(&text, (char)tolower((unsigned char)s->t->text[i]));
        s->t++;
    }
    const char *copy = parser_text(s, text.len ? text.buf : "", text.len);
    strbuf_release(&text);
    return copy;
}

static node parse_words(struct parser *s)
{
    struct math_node *m = parser_node(s, MATH_TEXT, 0);
    m->text = collect_words(s, false);
    if (strcmp(m->text, "all real numbers") == 0 || strcmp(m->text, "all reals") == 0)
        return parser_reals(s);
    if (strcmp(m->text, "no solution") == 0 || strcmp(m->text, "no solutions") == 0 ||
        strcmp(m->text, "empty set") == 0)
        return parser_node(s, MATH_SET, 0);
    return m;
}

/* Written onto a number, "2sinx", only what we know is a unit; "2 apples" may be anything. */
static bool may_be_unit(const struct math_token *t)
{
    return t->blank || t->plain || (unsigned char)t->text[0] >= 0x80 ||
           math_unit_known(t->text, t->n);
}

/* Sets, chains, lists. */

/* "5.4 million dollars". */
static node scaled(struct parser *s, node m)
{
    static const struct {
        const char *word, *factor;
    } scales[] = {
        {"dozen", "12"},        {"hundred", "100"},        {"thousand", "1000"},
        {"million", "1000000"}, {"billion", "1000000000"}, {"trillion", "1000000000000"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(scales); i++) {
        if (strlen(scales[i].word) == s->t->n && memcmp(scales[i].word, s->t->text, s->t->n) == 0) {
            s->t++;
            return parser_node2(s, MATH_MUL, m, parser_number(s, scales[i].factor));
        }
    }
    return m;
}

static node parse_setexpr(struct parser *s)
{
    if (at_word(s) && !(s->t->n == 1 && s->t[1].kind != TOK_WORD))
        return parse_words(s);
    node m = parser_sum(s);
    while (m && parser_at(s, TOK_SETOP)) {
        char op = (char)s->t++->value;
        node right = parser_sum(s);
        struct math_node *both =
            (struct math_node *)(uintptr_t)parser_node2(s, MATH_SETOP, m, right);
        if (!both)
            return NULL;
        both->op = op;
        m = both;
        if (++s->wraps > PARSER_MAX_WRAPS)
            return parser_fail(s, "too-deep");
    }
    if (m && at_word(s))
        m = scaled(s, m);
    if (m && at_word(s) && !may_be_unit(s->t))
        return parser_fail(s, "unknown-notation");
    if (m && at_word(s)) {
        struct math_node *unit = parser_node(s, MATH_UNIT, 1);
        unit->arg[0] = m;
        unit->text = collect_words(s, true);
        m = unit;
    }
    return m;
}

static node parse_chain(struct parser *s)
{
    struct items sides = {0};
    char ops[64];
    int depth = s->depth;
    for (;;) {
        if (!parser_items_add(s, &sides, parse_setexpr(s)))
            return NULL;
        s->depth = depth;
        if (!parser_at(s, TOK_RELATION))
            break;
        if (sides.n >= (int)sizeof ops)
            return parser_fail(s, "too-long");
        ops[sides.n - 1] = (char)s->t++->value;
    }
    if (sides.n == 1)
        return sides.item[0];
    struct math_node *m = parser_node_items(s, MATH_CHAIN, &sides);
    m->text = parser_text(s, ops, (size_t)sides.n - 1);
    return m;
}

static bool take_separators(struct parser *s)
{
    bool any = false;
    while (parser_take(s, ',') || parser_take(s, ';'))
        any = true;
    return any;
}

static bool ends_list(const struct parser *s)
{
    int k = s->t->kind;
    return k == TOK_END || k == ')' || k == ']' || k == '}' || k == TOK_CLOSE;
}

static node parse_list_inside(struct parser *s)
{
    struct items items = {0};
    take_separators(s);
    do {
        if (!parser_items_add(s, &items, parse_chain(s)))
            return NULL;
    } while (take_separators(s) && !ends_list(s));
    return items.n == 1 ? items.item[0] : parser_node_items(s, MATH_LIST, &items);
}

node parser_list(struct parser *s)
{
    node m = parser_deeper(s) ? parse_list_inside(s) : NULL;
    s->depth--;
    return m;
}

static node parse_text(const char *text, size_t n, bool commas_part, struct arena *arena,
                       const char **fault)
{
    struct parser s = {.arena = arena};
    s.t = math_lex(text, n, commas_part, arena, fault);
    if (!s.t)
        return NULL;
    if (parser_at(&s, TOK_RELATION) && s.t->value == '~') /* "\approx 8.24" */
        s.t++;
    node m = parser_list(&s);
    if (m && !parser_at(&s, TOK_END))
        m = parser_fail(&s, "not-a-formula");
    *fault = m ? NULL : s.fault ? s.fault : "not-a-formula";
    return m;
}

const struct math_node *math_parse(const char *text, size_t n, struct arena *arena,
                                   const char **fault)
{
    return parse_text(text, n, false, arena, fault);
}

const struct math_node *math_parse_list(const char *text, size_t n, struct arena *arena,
                                        const char **fault)
{
    return parse_text(text, n, true, arena, fault);
}
