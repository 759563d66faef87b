/* test_math.c - the corpus of answer pairs, trees, and hostile answers.  With --report: agreement
 * with the corpus by kind (make verifier-report). */
#include <time.h>

#include "base/mem.h"
#include "check.h"
#include "reward/math_node.h"
#include "reward/mathtext.h"
#include "reward/verifier.h"

/* kind, "same" or "other", answer, truth; parted by tabs. */
static void check_pair(char *line, int number)
{
    char *field[4], *rest = line;
    for (int i = 0; i < 4; i++) {
        field[i] = rest ? rest : "";
        if (rest && (rest = strchr(rest, '\t')))
            *rest++ = '\0';
    }
    bool answers = strcmp(field[1], "answers") == 0;
    bool same = answers || strcmp(field[1], "same") == 0;
    if (!same && strcmp(field[1], "other") != 0)
        CHECK_MSG(false, "line %d: verdict '%s'", number, field[1]);
    for (int turned = 0; turned < (answers ? 1 : 2); turned++) {
        struct math_result r;
        bool equal = math_judge(field[2 + turned], field[3 - turned], &r);
        CHECK_MSG(equal == same, "line %d: %s: '%s' and '%s', by %s, %s", number, field[0],
                  field[2 + turned], field[3 - turned], r.rule, r.parsed ? r.parsed : "no formula");
        math_result_release(&r);
    }
}

/* Pairs of one kind stand together. */
struct tally {
    char kind[64];
    int pairs, checks, failed;
};

static void report_kind(struct tally *t, bool report, const char *next)
{
    if (report && t->pairs)
        printf("%-32s %5d pairs  %5.1f %% of %d verdicts right\n", t->kind, t->pairs,
               100.0 - 100.0 * (check_failed - t->failed) / (check_n - t->checks),
               check_n - t->checks);
    *t = (struct tally){.checks = check_n, .failed = check_failed};
    snprintf(t->kind, sizeof t->kind, "%s", next);
}

static void test_corpus(bool report)
{
    struct tally tally = {0};
    FILE *f = fopen("tests/verifier/math.tsv", "r");
    char *line = NULL;
    size_t cap = 0;
    int n = 0, number = 0;
    CHECK(f != NULL);
    for (ssize_t len; f && (len = getline(&line, &cap, f)) > 0;) {
        number++;
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '#' || line[0] == '\0')
            continue;
        size_t kind = strcspn(line, "\t");
        if (strlen(tally.kind) != kind || memcmp(tally.kind, line, kind) != 0) {
            char *next = xstrndup(line, kind);
            report_kind(&tally, report, next);
            free(next);
        }
        check_pair(line, number);
        tally.pairs++;
        n++;
    }
    report_kind(&tally, report, "");
    CHECK_MSG(n > 1500, "%d pairs", n);
    if (f)
        fclose(f);
    free(line);
}

/* Trees in prefix form. */
static void test_trees(void)
{
    static const struct {
        const char *text, *tree;
    } cases[] = {
        {"1/2/3", "(/ 1 (* 2 3))"},
        {"-2^2", "(- (^ 2 2))"},
        {"2^{3^2}", "(^ 2 (^ 3 2))"},
        {"1\\frac12", "(+ 1 (/ 1 2))"},
        {"2\\frac{x}{3}", "(* 2 (/ x 3))"},
        {"\\sin 2x\\cos x", "(* (sin (* 2 x)) (cos x))"},
        {"\\sin^2 x", "(^ (sin x) 2)"},
        {"\\sqrt[3]{x}", "(root x 3)"},
        {"0.1\\overline{6}", "0.16~1"},
        {"1011_2", "1011_2"},
        {"[0,1)", "(seq[) 0 1)"},
        {"\\{1,2\\}", "(set 1 2)"},
        {"1 < x \\le 2", "(chain '<l' 1 x 2)"},
        {"5\\text{ cm}^2", "(unit 'cm^2' 5)"},
        {"50\\%", "(% 50)"},
        {"3 \\pm 2", "(+- + 3 2)"},
        {"\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}", "(matrix 2x2 1 2 3 4)"},
        {"1,234", "1234"},
        {"(1,234)", "(seq() 1 234)"},
        {"\\text{No Winner}", "'no winner'"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct arena arena = {0};
        struct strbuf out = {0};
        const char *fault = NULL;
        const struct math_node *m =
            math_parse(cases[i].text, strlen(cases[i].text), &arena, &fault);
        if (m)
            math_print(m, &out);
        CHECK_STR(m ? out.buf : fault, cases[i].tree);
        strbuf_release(&out);
        arena_release(&arena);
    }
}

/* What decides. */
static void test_rules(void)
{
    static const struct {
        const char *a, *b, *rule;
        bool equal;
    } cases[] = {
        {"42", "42", "spelling", true},
        {"0.5", "1/2", "rational", true},
        {"0.5", "1/3", "rational", false},
        {"\\sqrt{8}", "2\\sqrt{2}", "algebraic", true},
        {"\\sqrt{3+2\\sqrt{2}}", "1+\\sqrt{2}", "algebraic", true},
        {"(1+i)^2", "2i", "algebraic", true},
        {"\\sqrt{2}+\\sqrt{3}", "\\sqrt{10}", "ball", false},
        {"\\pi", "355/113", "ball", false},
        {"\\arctan 1", "\\pi/4", "ball", true},
        {"(x+1)^2", "x^2+2x+1", "points", true},
        {"(x+1)^2", "x^2+1", "points", false},
        {"x + y", "x + y", "spelling", true},
        {"x +y", "\\left. x+y\\right.", "tree", true},
        {"(1, 2)", "[1, 2]", "sequence", false},
        {"(B) 7", "B", "choice", true},
        {"5 cm", "5 kg", "unit", false},
        {"1011_2", "1011_3", "base", false},
        {"\\infty", "5", "infinity", false},
        {"yes", "no", "text", false},
        {"1/0", "2", "undecided", false},
        {"9^{9^{9^9}}", "9^{9^{9^8}}", "undecided", false},
        {"((((", "5", "not-a-formula", false},
        {"", "5", "empty", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct math_result r;
        CHECK_MSG(math_judge(cases[i].a, cases[i].b, &r) == cases[i].equal, "'%s' and '%s'",
                  cases[i].a, cases[i].b);
        CHECK_MSG(strcmp(r.rule, cases[i].rule) == 0, "'%s' and '%s' by '%s', not '%s'", cases[i].a,
                  cases[i].b, r.rule, cases[i].rule);
        math_result_release(&r);
    }
}

static void check_fault(const char *text, const char *want)
{
    struct arena arena = {0};
    const char *fault = NULL;
    CHECK_MSG(!math_parse(text, strlen(text), &arena, &fault), "'%.40s' was read", text);
    CHECK_STR(fault ? fault : "none", want);
    arena_release(&arena);
}

/* n times the same, owned. */
static char *repeat(const char *what, size_t n)
{
    struct strbuf s = {0};
    for (size_t i = 0; i < n; i++)
        strbuf_adds(&s, what);
    return strbuf_detach(&s, NULL);
}

static void test_faults(void)
{
    static const struct {
        const char *what, *fault;
        size_t n;
    } many[] = {
        {"(", "too-deep", 1000},   {"{", "too-deep", 10000},    {"\\sqrt{", "too-deep", 1000},
        {"-", "too-deep", 1000},   {"2^", "too-deep", 1000},    {"|", "too-deep", 1001},
        {"1", "too-long", 100000}, {"x+", "too-long", 12000},   {"\\frac", "too-deep", 1000},
        {"1%", "too-long", 19000}, {"\\sin", "too-deep", 3000},
    };
    check_fault("", "not-a-formula");
    check_fault("(1", "bracket-not-closed");
    check_fault("1 + ", "not-a-formula");
    check_fault("\\sum_k k", "unknown-notation");
    check_fault("12_2", "digit-above-base");
    check_fault("1\\frac{5}{3}", "ambiguous");
    check_fault("\\begin{pmatrix}1&2\\\\3\\end{pmatrix}", "ragged-matrix");
    for (size_t i = 0; i < ARRAY_SIZE(many); i++) {
        char *text = repeat(many[i].what, many[i].n);
        check_fault(text, many[i].fault);
        free(text);
    }
}

/* Answers made to take for ever.  Effort is counted, so the bound holds on any machine; the clock
 * here only says that the count means something. */
static void test_hostile(void)
{
    static const char *const pairs[][2] = {
        {"9^9^9^9", "1"},
        {"9^{9^{9^9}}", "9^{9^{9^8}}"},
        {"9^{9^{9^{9}}}+1", "9^{9^{9^{9}}}"},
        {"(10^{10^{10}})!", "1"},
        {"99999999!", "1"},
        {"5000!!!", "1"},
        {"\\binom{99999999}{5555}", "1"},
        {"1e999999999999999999999", "1"},
        {"1e-999999999999999999999", "0"},
        {"0.\\overline{0}", "0"},
        {"10^{-100000000}", "0"},
        {"\\sin(10^{10^{10}})", "0"},
        {"\\exp(\\exp(\\exp(100)))", "1"},
        {"\\tan(\\pi/2)", "\\infty"},
        {"2^{2^{2^{2^{2^2}}}}", "2^{2^{2^{2^{2^{2}}}}}+1"},
        {"\\sqrt[1000000]{2}", "1"},
        {"\\sqrt[0]{2}", "1"},
        {"0^0", "1"},
        {"0^{-1}", "1"},
        {"\\log_1 2", "1"},
        {"\\ln 0", "-\\infty"},
        {"x^{x^{x^{x^x}}}", "x^{x^{x^{x^{x}}}}+1"},
        {"(x+y+z)^{10000}", "1"},
        {"(1+10^{-9})^{10^9}", "e"},
        {"((2^{0.5})^{1/64})^{1/63}", "2^{1/8064}"},
    };
    struct timespec a, b;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
        bool equal = math_equal(pairs[i][0], pairs[i][1]);
        bool zero = strstr(pairs[i][0], "overline{0}") != NULL;
        bool chain = strstr(pairs[i][0], "0.5") != NULL;
        CHECK_MSG(equal == (zero || chain), "'%s' and '%s'", pairs[i][0], pairs[i][1]);
    }
    static const char *const parts[] = {"\\sqrt{2}+", "\\sqrt{1+x}*",
                                        "2^{0.5}+",   "1/997+",
                                        "\\sin(1)+",  "1,",
                                        "\\sqrt{2},", "(",
                                        "\\{",        "\\frac{1}{3}+",
                                        "x^{99}+",    "9^",
                                        "5!",         "%",
                                        "|",          "\\text{a ",
                                        "10^{4000}*", "\\sqrt{3}\\cup",
                                        "a=",         "x!*",
                                        "(1/3)!+",    "\\binom{x}{3}+",
                                        "1:"};
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        for (size_t n = 100; n <= 6400; n *= 4) {
            char *left = repeat(parts[i], n), *x = xasprintf("%s1", left),
                 *y = xasprintf("%s\\sqrt{2}", left);
            CHECK_MSG(!math_equal(x, y), "%zu times '%s'", n, parts[i]);
            free(left);
            free(x);
            free(y);
        }
    }
    char *radicals = xstrdup("0");
    for (int i = 2; i < 60; i++) {
        char *longer = xasprintf("%s+\\sqrt{%d+\\sqrt{%d}}", radicals, i * i + 1, i);
        free(radicals);
        radicals = longer;
    }
    char *more = xasprintf("%s+10^{-200}", radicals);
    CHECK(!math_equal(more, radicals));
    free(radicals);
    free(more);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    double seconds = (double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec);
    CHECK_MSG(seconds < 300, "%.1f s", seconds);
    printf("hostile answers: %.2f s\n", seconds);
}

/* 200 kB of what extraction looks for (10 MB with LONG): one pass each, and no answer. */
static void test_large(void)
{
    static const char *const parts[] = {
        "\\boxed{",
        "\\boxed{1}",
        "{",
        "}",
        "\\(",
        "\\[ \\] ",
        "$",
        "$ ",
        "$1",
        "answer is ",
        "Answer:",
        "1",
        "1,",
        "1,234",
        "-",
        "\\frac{",
        "\\frac{1}",
        "1/",
        "<answer>",
        "final answer is ",
        ".",
        " ",
        "\n",
        "####",
        "#### 1 ",
        "\\",
        "\xe2\x88\x92",
    };
    static const char *const names[] = {"math", "strict_math", "gsm8k"};
    json_t *truth = json_string("987654321");
    size_t bytes = getenv("LONG") ? 10000000 : 200000;
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        char *text = repeat(parts[i], bytes / strlen(parts[i]));
        struct timespec a, b;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
        for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
            struct err err = {0};
            struct verdict v = {0};
            struct answer answer = {.text = text, .whole = text};
            CHECK(verifier_find(names[k])->judge(&answer, truth, &v, &err) == 0 && v.score == 0);
            verdict_release(&v);
        }
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
        double seconds = (double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec);
        CHECK_MSG(seconds < 30, "%zu bytes of '%s': %.1f s", bytes, parts[i], seconds);
        free(text);
    }
    json_decref(truth);
}

int main(int argc, char **argv)
{
    bool report = argc > 1 && strcmp(argv[1], "--report") == 0;
    test_corpus(report);
    if (report)
        return check_done();
    test_large();
    test_trees();
    test_rules();
    test_faults();
    test_hostile();
    return check_done();
}
