/* math_spelling.c - what commands, words and signs mean. */
#include "reward/math_spelling.h"

#include <string.h>

#include "base/mem.h"

#define SKIP SPELLING_SKIP
#define STYLE SPELLING_STYLE
#define FAIL SPELLING_FAIL
#define HIDE SPELLING_HIDE

/* Commands, without their backslash. */
static const struct math_spelling commands[] = {
    {"left", SKIP, 0},
    {"right", SKIP, 0},
    {"big", SKIP, 0},
    {"Big", SKIP, 0},
    {"bigg", SKIP, 0},
    {"Bigg", SKIP, 0},
    {"bigl", SKIP, 0},
    {"bigr", SKIP, 0},
    {"Bigl", SKIP, 0},
    {"Bigr", SKIP, 0},
    {"displaystyle", SKIP, 0},
    {"textstyle", SKIP, 0},
    {"limits", SKIP, 0},
    {"quad", SKIP, 1},
    {"qquad", SKIP, 1},
    {"mathbf", SKIP, 0},
    {"mathit", SKIP, 0},
    {"boldsymbol", SKIP, 0},
    {"bm", SKIP, 0},
    {"pmb", SKIP, 0},
    {"mathtt", SKIP, 0},
    {"mathnormal", SKIP, 0},
    {"tiny", SKIP, 0},
    {"small", SKIP, 0},
    {"normalsize", SKIP, 0},
    {"large", SKIP, 0},
    {"Large", SKIP, 0},
    {"LARGE", SKIP, 0},
    {"huge", SKIP, 0},
    {"Huge", SKIP, 0},
    {"bf", SKIP, 0},
    {"rm", SKIP, 0},
    {"it", SKIP, 0},
    {"boxed", SKIP, 0},
    {"fbox", STYLE, 0},
    {"middle", SKIP, 0},
    {"thinspace", SKIP, 1},
    {"bold", SKIP, 0},
    {"text", STYLE, 0},
    {"textbf", STYLE, 0},
    {"textit", STYLE, 0},
    {"textrm", STYLE, 0},
    {"mathrm", STYLE, 0},
    {"mbox", STYLE, 0},
    {"hbox", STYLE, 0},
    {"operatorname", STYLE, 0},
    {"textnormal", STYLE, 0},
    {"textsf", STYLE, 0},
    {"mathsf", STYLE, 0},
    {"texttt", STYLE, 0},
    {"textup", STYLE, 0},
    {"textsl", STYLE, 0},
    {"emph", STYLE, 0},
    {"frac", TOK_FRAC, 0},
    {"dfrac", TOK_FRAC, 0},
    {"tfrac", TOK_FRAC, 0},
    {"cfrac", TOK_FRAC, 0},
    {"binom", TOK_BINOM, 0},
    {"dbinom", TOK_BINOM, 0},
    {"tbinom", TOK_BINOM, 0},
    {"choose", TOK_CHOOSE, 0},
    {"sqrt", TOK_SQRT, 0},
    {"overline", TOK_OVERLINE, 0},
    {"bar", TOK_OVERLINE, 0},
    {"circ", TOK_DEGREE, 0},
    {"degree", TOK_DEGREE, 0},
    {"prime", TOK_PRIME, 0},
    {"pm", TOK_PLUSMINUS, 0},
    {"mp", TOK_MINUSPLUS, 0},
    {"cdot", '*', 0},
    {"times", '*', 0},
    {"ast", '*', 0},
    {"div", '/', 0},
    {"le", TOK_RELATION, 'l'},
    {"leq", TOK_RELATION, 'l'},
    {"leqslant", TOK_RELATION, 'l'},
    {"ge", TOK_RELATION, 'g'},
    {"geq", TOK_RELATION, 'g'},
    {"geqslant", TOK_RELATION, 'g'},
    {"lt", TOK_RELATION, '<'},
    {"gt", TOK_RELATION, '>'},
    {"ne", TOK_RELATION, 'n'},
    {"neq", TOK_RELATION, 'n'},
    {"in", TOK_RELATION, 'i'},
    {"approx", TOK_RELATION, '~'},
    {"colon", TOK_RELATION, ':'},
    {"cup", TOK_SETOP, 'u'},
    {"cap", TOK_SETOP, 'i'},
    {"setminus", TOK_SETOP, 'd'},
    {"backslash", TOK_SETOP, 'd'},
    {"emptyset", TOK_EMPTY, 0},
    {"varnothing", TOK_EMPTY, 0},
    {"infty", TOK_CONSTANT, MATH_INFINITY},
    {"pi", TOK_CONSTANT, MATH_PI},
    {"lbrace", TOK_OPEN, '{'},
    {"rbrace", TOK_CLOSE, '{'},
    {"langle", TOK_OPEN, 'a'},
    {"rangle", TOK_CLOSE, 'a'},
    {"lfloor", TOK_OPEN, 'f'},
    {"rfloor", TOK_CLOSE, 'f'},
    {"lceil", TOK_OPEN, 'c'},
    {"rceil", TOK_CLOSE, 'c'},
    {"lvert", TOK_OPEN, '|'},
    {"rvert", TOK_CLOSE, '|'},
    {"vert", '|', 0},
    {"lbrack", '[', 0},
    {"rbrack", ']', 0},
    {"begin", TOK_BEGIN, 0},
    {"end", TOK_FINISH, 0},
    {"sum", FAIL, 0},
    {"int", FAIL, 0},
    {"prod", FAIL, 0},
    {"lim", FAIL, 0},
    {"to", FAIL, 0},
    {"mapsto", FAIL, 0},
    {"rightarrow", FAIL, 0},
    {"implies", FAIL, 0},
    {"iff", FAIL, 0},
    {"pmod", FAIL, 0},
    {"bmod", FAIL, 0},
    {"mod", FAIL, 0},
    {"equiv", FAIL, 0},
    {"mid", FAIL, 0},
    {"forall", FAIL, 0},
    {"exists", FAIL, 0},
    {"ldots", FAIL, 0},
    {"dots", FAIL, 0},
    {"cdots", FAIL, 0},
    {"underline", SKIP, 0},
    {"mathbb", SKIP, 0},
    {"mathcal", SKIP, 0},
    {"textdegree", TOK_DEGREE, 0},
    {"percent", '%', 0},
    {"phantom", HIDE, 0},
    {"hphantom", HIDE, 0},
    {"vphantom", HIDE, 0},
    {"color", HIDE, 0},
    {"textcolor", HIDE, 0}, /* {red}, and what is red follows */
    {"hspace", HIDE, 0},
    {"tag", HIDE, 0},
    {"label", HIDE, 0},
};

/* Spelled with or without a backslash. */
static const struct math_spelling words[] = {
    {"sin", TOK_FUNCTION, MATH_SIN},
    {"cos", TOK_FUNCTION, MATH_COS},
    {"tan", TOK_FUNCTION, MATH_TAN},
    {"tg", TOK_FUNCTION, MATH_TAN},
    {"cot", TOK_FUNCTION, MATH_COT},
    {"sec", TOK_FUNCTION, MATH_SEC},
    {"csc", TOK_FUNCTION, MATH_CSC},
    {"arcsin", TOK_FUNCTION, MATH_ASIN},
    {"asin", TOK_FUNCTION, MATH_ASIN},
    {"arccos", TOK_FUNCTION, MATH_ACOS},
    {"acos", TOK_FUNCTION, MATH_ACOS},
    {"arctan", TOK_FUNCTION, MATH_ATAN},
    {"atan", TOK_FUNCTION, MATH_ATAN},
    {"arccot", TOK_FUNCTION, MATH_ACOT},
    {"sinh", TOK_FUNCTION, MATH_SINH},
    {"cosh", TOK_FUNCTION, MATH_COSH},
    {"tanh", TOK_FUNCTION, MATH_TANH},
    {"exp", TOK_FUNCTION, MATH_EXP},
    {"ln", TOK_FUNCTION, MATH_LN},
    {"log", TOK_FUNCTION, MATH_LOG},
    {"abs", TOK_FUNCTION, MATH_ABS},
    {"floor", TOK_FUNCTION, MATH_FLOOR},
    {"ceil", TOK_FUNCTION, MATH_CEIL},
    {"ceiling", TOK_FUNCTION, MATH_CEIL},
    {"max", TOK_FUNCTION, MATH_MAX},
    {"min", TOK_FUNCTION, MATH_MIN},
    {"gcd", TOK_FUNCTION, MATH_GCD},
    {"lcm", TOK_FUNCTION, MATH_LCM},
    {"sqrt", TOK_SQRT, 0},
    {"pi", TOK_CONSTANT, MATH_PI},
    {"inf", TOK_CONSTANT, MATH_INFINITY},
    {"infty", TOK_CONSTANT, MATH_INFINITY},
    {"infinity", TOK_CONSTANT, MATH_INFINITY},
    {"oo", TOK_CONSTANT, MATH_INFINITY},
    {"and", ',', 0},
    {"or", ',', 0},
    {"union", TOK_SETOP, 'u'},
    {"percent", '%', 0},
    {"lg", TOK_FUNCTION, MATH_LOG},
    {"alpha", TOK_NAME, -1},
    {"beta", TOK_NAME, -1},
    {"gamma", TOK_NAME, -1},
    {"delta", TOK_NAME, -1},
    {"theta", TOK_NAME, -1},
    {"lambda", TOK_NAME, -1},
    {"sigma", TOK_NAME, -1},
    {"omega", TOK_NAME, -1},
};

/* Greek letters as their commands. */
static const struct {
    const char *from, *to;
} greek[] = {
    {"\xce\xb1", "alpha"},   {"\xce\xb2", "beta"},  {"\xce\xb3", "gamma"},  {"\xce\xb4", "delta"},
    {"\xce\xb5", "epsilon"}, {"\xce\xb8", "theta"}, {"\xce\xbb", "lambda"}, {"\xce\xbc", "mu"},
    {"\xcf\x81", "rho"},     {"\xcf\x83", "sigma"}, {"\xcf\x84", "tau"},    {"\xcf\x86", "phi"},
    {"\xcf\x95", "phi"},     {"\xcf\x89", "omega"}, {"\xce\x94", "Delta"},
};

static const struct math_spelling symbols[] = {
    {"\xe2\x88\x92", '-', 0},
    {"\xe2\x80\x93", '-', 0},
    {"\xe2\x80\x94", '-', 0},
    {"\xef\xbc\x8d", '-', 0},
    {"\xc3\x97", '*', 0},
    {"\xc2\xb7", '*', 0},
    {"\xe2\x8b\x85", '*', 0},
    {"\xc3\xb7", '/', 0},
    {"\xe2\x88\x95", '/', 0},
    {"\xe2\x89\xa4", TOK_RELATION, 'l'},
    {"\xe2\x89\xa5", TOK_RELATION, 'g'},
    {"\xe2\x89\xa0", TOK_RELATION, 'n'},
    {"\xe2\x88\x88", TOK_RELATION, 'i'},
    {"\xe2\x89\x88", TOK_RELATION, '~'},
    {"\xef\xbc\x9d", TOK_RELATION, '='},
    {"\xef\xbc\x9a", TOK_RELATION, ':'},
    {"\xe2\x88\x9e", TOK_CONSTANT, MATH_INFINITY},
    {"\xcf\x80", TOK_CONSTANT, MATH_PI},
    {"\xe2\x88\x9a", TOK_SQRT, 0},
    {"\xc2\xb0", TOK_DEGREE, 0},
    {"\xe2\x88\xaa", TOK_SETOP, 'u'},
    {"\xe2\x88\xa9", TOK_SETOP, 'i'},
    {"\xe2\x88\x85", TOK_EMPTY, 0},
    {"\xe2\x84\x9d", TOK_REALS, 0},
    {"\\mathbb{R}", TOK_REALS, 0},
    {"\\mathbb R", TOK_REALS, 0},
    {"\xc2\xb1", TOK_PLUSMINUS, 0},
    {"\xe2\x88\x93", TOK_MINUSPLUS, 0},
    {"\xef\xbc\x88", '(', 0},
    {"\xef\xbc\x89", ')', 0},
    {"\xef\xbc\x8c", ',', 0},
    {"\xe3\x80\x81", ',', 0},
    {"\xef\xbc\x9b", ';', 0},
    {"\xe2\x8c\x8a", TOK_OPEN, 'f'},
    {"\xe2\x8c\x8b", TOK_CLOSE, 'f'},
    {"\xe2\x8c\x88", TOK_OPEN, 'c'},
    {"\xe2\x8c\x89", TOK_CLOSE, 'c'},
    {"\xe2\x9f\xa8", TOK_OPEN, 'a'},
    {"\xe2\x9f\xa9", TOK_CLOSE, 'a'},
    {"\xc2\xa0", SKIP, 1},
    {"\xe2\x80\x89", SKIP, 1},
    {"\xe2\x80\xaf", SKIP, 1},
    {"\xe3\x80\x82", SKIP, 0},
    {"\xe2\x82\xac", SKIP, 0},
    {"\xc2\xa3", SKIP, 0},
    {"\xe2\x80\xb2", TOK_PRIME, 0},
    {"\\{", TOK_OPEN, '{'},
    {"\\}", TOK_CLOSE, '{'},
    {"\\|", FAIL, 0},
    {"\\\\", TOK_ROW, 0},
    {"\\%", '%', 0},
    {"\\$", SKIP, 0},
    {"\\,", SKIP, 1},
    {"\\;", SKIP, 1},
    {"\\:", SKIP, 1},
    {"\\!", SKIP, 0},
    {"\\ ", SKIP, 1},
    {"\\(", SKIP, 0},
    {"\\)", SKIP, 0},
    {"\\[", SKIP, 0},
    {"\\]", SKIP, 0},
    {"\\_", SKIP, 1},
    {"\\&", FAIL, 0},
    {"\\#", FAIL, 0},
    {"**", '^', 0},
    {"<=", TOK_RELATION, 'l'},
    {">=", TOK_RELATION, 'g'},
    {"!=", TOK_RELATION, 'n'},
    {"==", TOK_RELATION, '='},
    {"...", FAIL, 0},
    {"+/-", TOK_PLUSMINUS, 0},
    {"=", TOK_RELATION, '='},
    {"<", TOK_RELATION, '<'},
    {">", TOK_RELATION, '>'},
    {":", TOK_RELATION, ':'},
    {"'", TOK_PRIME, 0},
    {"$", SKIP, 0},
    {"~", SKIP, 1},
};

static const struct math_spelling *look_up(const struct math_spelling *table, size_t n,
                                           const char *p, size_t length)
{
    for (size_t i = 0; i < n; i++) {
        if (table[i].from[0] == *p && strlen(table[i].from) == length &&
            memcmp(table[i].from, p, length) == 0)
            return &table[i];
    }
    return NULL;
}

const struct math_spelling *math_word(const char *p, size_t n)
{
    return look_up(words, ARRAY_SIZE(words), p, n);
}

const struct math_spelling *math_command(const char *p, size_t n)
{
    const struct math_spelling *c = look_up(commands, ARRAY_SIZE(commands), p, n);
    return c ? c : math_word(p, n);
}

const struct math_spelling *math_symbol(const char *p, size_t left)
{
    for (size_t i = 0; i < ARRAY_SIZE(symbols); i++) {
        size_t n = strlen(symbols[i].from);
        if (n <= left && memcmp(symbols[i].from, p, n) == 0)
            return &symbols[i];
    }
    return NULL;
}

const char *math_greek(const char *p, size_t left)
{
    for (size_t i = 0; i < ARRAY_SIZE(greek); i++) {
        if (left >= 2 && memcmp(greek[i].from, p, 2) == 0)
            return greek[i].to;
    }
    return NULL;
}

/* Two- and three-letter words that are no products of variables. */
bool math_short_word(const char *p, size_t n)
{
    static const char *const known[] = {"cm",  "mm",  "km",  "kg", "mg",  "ml",  "mL",  "ft", "lb",
                                        "oz",  "hr",  "am",  "pm", "mph", "min", "sec", "sq", "in",
                                        "yes", "no",  "Yes", "No", "odd", "all", "the", "is", "lbs",
                                        "hrs", "per", "kph", "yd", "mi",  "YES", "NO",  "AM", "PM"};
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        if (strlen(known[i]) == n && memcmp(known[i], p, n) == 0)
            return true;
    }
    return false;
}
