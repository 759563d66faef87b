/* test_reward.c - extraction, equality and every verifier, by tables. */
#include "base/mem.h"
#include "check.h"
#include "data/response.h"
#include "reward/expression.h"
#include "reward/extract.h"
#include "reward/mathtext.h"
#include "reward/rational.h"
#include "reward/verifier.h"

static const struct {
    const char *a, *b;
    bool equal;
} math_cases[] = {
    {"42", "42", true},
    {"42", "43", false},
    {"042", "42", true},
    {"+42", "42", true},
    {"-42", "42", false},
    {"\xe2\x88\x92"
     "42",
     "-42", true},
    {"42.0", "42", true},
    {"42.", "42", true},
    {"1,234", "1234", true},
    {"1,234,567.50", "1234567.5", true},
    {"1,23", "123", false},
    {"12,34", "1234", false},
    {"(1,234)", "1234", false},
    {"0.5", "1/2", true},
    {".5", "0.50", true},
    {"\\frac{1}{2}", "0.5", true},
    {"\\frac12", "1/2", true},
    {"\\dfrac{3}{4}", "\\tfrac{3}{4}", true},
    {"\\frac{2}{4}", "\\frac{1}{2}", true},
    {"\\frac 1 2", "0.5", true},
    {"-\\frac{1}{2}", "\\frac{-1}{2}", true},
    {"\\frac{1}{-2}", "-0.5", true},
    {"-\\frac{1}{2}", "\\frac{1}{2}", false},
    {"0.333", "1/3", false},
    {"0.3333333333333333", "1/3", false},
    {"1/3", "2/6", true},
    {"1/0", "1/0", true}, /* no number, but the same text */
    {"1/0", "2/0", false},
    {"1\\frac{1}{2}", "1.5", true},
    {"1 1/2", "3/2", true},
    {"1 \\frac{1}{2}", "\\frac{3}{2}", true},
    {"-1\\frac{1}{2}", "-1.5", true},
    {"11/2", "1 1/2", false},
    {"50%", "50\\%", true},
    {"50%", "0.5", true},
    {"50%", "50", true},
    {"50%", "1/2", true},
    {"50%", "5", false},
    {"50%", "0.5%", false},
    {"12.5 \\%", "12.5%", true},
    {"$42$", "42", true},
    {"$$42$$", "42", true},
    {"\\(42\\)", "42", true},
    {"\\$42", "42", true},
    {"\\$1,000.00", "1000", true},
    {"x = 5", "5", true},
    {"x=5", "6", false},
    {"x = 5", "x=5", true},
    {"f(x) = 2x", "2x", true},
    {"x + y = 5", "5", false},
    {"x \\le 5", "5", false},
    {"5 cm", "5", true},
    {"5\\text{ cm}", "5", true},
    {"5 \\text{ square feet}", "5", true},
    {"5\\,\\mathrm{kg}", "5", true},
    {"5 cm^2", "5", true},
    {"5 cm", "5 km", false},
    {"5cm", "5", true},
    {"42 apples", "42", true},
    {"60 miles/hour", "60", true},
    {"5x", "5", false},
    {"5 x", "5", false},
    {"5y", "5", false},
    {"5xy", "5", false},
    {"5\\pi", "5", false},
    {"5 pi", "5", false},
    {"5/x", "5", false},
    {"5 or 6", "5", false},
    {"5 and 6", "5", false},
    {"5, 6", "5", false},
    {"90^\\circ", "90", true},
    {"90^{\\circ}", "90", true},
    {"90\xc2\xb0", "90", true},
    {"90\\degree", "90", true},
    {"2\\times10^3", "2000", true},
    {"2 \\times 10^{3}", "2000", true},
    {"2 \\cdot 10^{-3}", "0.002", true},
    {"1e3", "1000", true},
    {"1.5e-2", "0.015", true},
    {"2^3", "8", true},
    {"10^{500}", "10^{500}", true},
    {"1*10^{99}", "1*10^{99}", true},
    {"123456789012345678901234567890123456789012345",
     "123456789012345678901234567890123456789012345", true},
    {"123456789012345678901234567890123456789012345",
     "123456789012345678901234567890123456789012346", false},
    {"123456789012345678901234567890123456789012345.0",
     "123456789012345678901234567890123456789012345", true},
    {"\\sqrt{2}", "\\sqrt2", true},
    {"\\sqrt{2}", "\\sqrt{3}", false},
    {"2\\sqrt{3}", "2 \\sqrt{3}", true},
    {"x^{2}", "x^2", true},
    {"x^{2}+1", "x^2 + 1", true},
    {"\\pi", "\\pi", true},
    {"\\frac{\\pi}{2}", "\\dfrac{\\pi}{2}", true},
    {"\\frac{a}{b}", "\\frac{b}{a}", false},
    {"(1,2)", "(1, 2)", true},
    {"(1,2)", "(2,1)", false},
    {"(1,2)", "[1,2]", false},
    {"[0,1)", "[0, 1)", true},
    {"[0,1)", "[0,1]", false},
    {"(0.5, 3)", "(\\frac{1}{2}, 3)", true},
    {"\\left(1,2\\right)", "(1,2)", true},
    {"1, 2, 3", "1,2,3", true},
    {"1,2,3", "1,2", false},
    {"\\{1,2\\}", "{1, 2}", true},
    {"((1,2),(3,4))", "((1, 2), (3, 4))", true},
    {"(1,2),(3,4)", "(1,2),(3,5)", false},
    {"\\text{Evelyn}", "Evelyn", true},
    {"evelyn", "Evelyn", true},
    {"\\text{even}", "odd", false},
    {"A", "a", false}, /* a label or a variable: case counts */
    {"\\text{(A)}", "(A)", true},
    {"\\text{yes}", "Yes", true},
    {"", "", false},
    {"", "0", false},
    {"0", "-0", true},
    {"  7 ", "7.", true},
};

static void test_math_equal(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(math_cases); i++) {
        CHECK_MSG(math_equal(math_cases[i].a, math_cases[i].b) == math_cases[i].equal, "'%s' '%s'",
                  math_cases[i].a, math_cases[i].b);
        CHECK_MSG(math_equal(math_cases[i].b, math_cases[i].a) == math_cases[i].equal, "'%s' '%s'",
                  math_cases[i].b, math_cases[i].a);
    }
    char deep[400];
    memset(deep, '(', 200);
    memset(deep + 200, ')', 199);
    deep[399] = '\0';
    CHECK(math_equal(deep, deep)); /* as text, without recursing without end */
}

/* Verifiers: text, truth (JSON), score, what was extracted (or NULL) and the rule. */
static const struct {
    const char *verifier, *text, *truth;
    double score;
    const char *extracted, *rule;
} judge_cases[] = {
    /* math */
    {"math", "so \\boxed{42}.", "\"42\"", 1, "42", "boxed"},
    {"math", "\\boxed{41} no, \\boxed{42}", "\"42\"", 1, "42", "boxed"},
    {"math", "\\boxed{42} no, \\boxed{41}", "\"42\"", 0, "41", "boxed"},
    {"math", "\\boxed{\\frac{1}{2}}", "\"0.5\"", 1, "\\frac{1}{2}", "boxed"},
    {"math", "\\boxed{\\text{a}{b}} x", "\"ab\"", 1, "\\text{a}{b}", "boxed"},
    {"math", "\\fbox{7}", "7", 1, "7", "boxed"},
    {"math", "\\boxed 7 done", "7", 1, "7", "boxed"},
    {"math", "\\boxed{42} though 43", "43", 0, "42", "boxed"},
    {"math", "\\boxed{42", "42", 1, "42", "last-number"}, /* cut short: what is there counts */
    {"math", "\\boxed{}", "\"\"", 0, "\\boxed{}", "whole-text"},
    {"math", "Final Answer: The final answer is $3$. I hope it is correct.", "3", 1, "$3$",
     "final-answer"},
    {"math", "the final answer is 4. I hope it is correct. 5", "5", 0, "4", "final-answer"},
    {"math", "The answer is 42.", "42", 1, "42", "answer-is"},
    {"math", "the ANSWER IS: 42", "42", 1, "42", "answer-is"},
    {"math", "**Answer:** 42", "42", 1, "42", "answer-is"},
    {"math", "Answer: **42**", "42", 1, "42", "answer-is"},
    {"math", "The answer is 41. No, the answer is 42.", "42", 1, "42", "answer-is"},
    {"math", "The answer is 42. No, the answer is 41.", "42", 0, "41", "answer-is"},
    {"math", "The answer is 3.5", "\"7/2\"", 1, "3.5", "answer-is"},
    {"math", "The answer is 3.5. Great", "3.5", 1, "3.5", "answer-is"},
    {"math", "The answer is $x^2$", "\"x^{2}\"", 1, "$x^2$", "answer-is"},
    {"math", "The answer is 41 or 42", "42", 0, "41 or 42", "answer-is"},
    {"math", "hence $x = 42$ holds", "42", 1, "x = 42", "formula"},
    {"math", "hence $41$ and $42$", "42", 1, "42", "formula"},
    {"math", "hence $$42$$", "42", 1, "42", "formula"},
    {"math", "costs $5 and saves $7", "7", 1, "7", "last-number"},
    {"math", "17 + 25 = 42", "42", 1, "42", "last-number"},
    {"math", "we get 3/4 of it", "0.75", 1, "3/4", "last-number"},
    {"math", "that is \\frac{3}{4} there", "0.75", 1, "\\frac{3}{4}", "last-number"},
    {"math", "it is 1,234", "1234", 1, "1,234", "last-number"},
    {"math", "it is -7", "-7", 1, "-7", "last-number"},
    {"math", "10-7", "-7", 0, "7", "last-number"},
    {"math", "about 50%", "0.5", 1, "50%", "last-number"},
    {"math", "Paris", "\"Paris\"", 1, "Paris", "whole-text"},
    {"math", "", "0", 0, NULL, "empty"},
    {"math", "  \n", "0", 0, NULL, "empty"},
    {"math", "5", "\"We find $x$ is \\\\boxed{5}.\"", 1, "5", "last-number"},
    {"math", "hence \\(x = 42\\) holds", "42", 1, "x = 42", "formula"},
    {"math", "hence \\[ \\frac{1}{2} \\]", "0.5", 1, "\\frac{1}{2}", "formula"},
    {"math", "\\(41\\) and $42$", "42", 1, "42", "formula"},
    {"math", "\\( 7 $ $ ", "7", 1, "7", "last-number"},
    {"math", "a \\\\[6pt] b 7", "7", 1, "7", "last-number"},
    {"math", "The answer is:\n\\[\n\\sqrt{8}\n\\]\nDone.", "\"2\\\\sqrt{2}\"", 1, "\\sqrt{8}",
     "answer-is"},
    {"math", "n $$x = 42$", "42", 1, "x = 42", "formula"},
    {"math", "The answer is\n42", "42", 1, "42", "last-number"},
    {"math", "**Final Answer:**\n\n$$x = 3$$", "3", 1, "x = 3", "answer-is"},
    /* strict_math */
    {"strict_math", "The final answer is $\\frac12$. I hope it is correct.", "0.5", 1, "$\\frac12$",
     "final-answer"},
    {"strict_math", "\\boxed{42}", "42", 0, NULL, "no-final-answer"},
    {"strict_math", "the final answer is 42", "42", 0, NULL, "no-final-answer"},
    /* gsm8k */
    {"gsm8k", "so 18", "\"18\"", 1, "18", "last-number"},
    {"gsm8k", "so 18 of 20", "18", 0, "20", "last-number"},
    {"gsm8k", "$1,234.", "1234", 1, "1,234", "last-number"},
    {"gsm8k", "18.0 dollars", "18", 1, "18.0", "last-number"},
    {"gsm8k", "18.01", "18", 0, "18.01", "last-number"},
    {"gsm8k", "x\n#### 18", "\"text\\n#### 18\"", 1, "18", "hashes"},
    {"gsm8k", "#### 18\nand 20 more", "18", 1, "18", "hashes"},
    {"gsm8k", "#### none\n18", "18", 1, "18", "last-number"},
    {"gsm8k", "it is -3", "-3", 1, "-3", "last-number"},
    {"gsm8k",
     "it is \xe2\x88\x92"
     "3",
     "-3", 1,
     "\xe2\x88\x92"
     "3",
     "last-number"},
    {"gsm8k", "it is 3", "-3", 0, "3", "last-number"},
    {"gsm8k", "8-3", "3", 1, "3", "last-number"},
    {"gsm8k", "nothing", "3", 0, NULL, "no-number"},
    {"gsm8k", "", "3", 0, NULL, "no-number"},
    {"gsm8k", "1,2,3", "3", 1, "3", "last-number"},
    {"gsm8k", "1,2,3", "123", 0, "3", "last-number"},
    {"gsm8k", "\\boxed{80,000}", "80000", 1, "80,000", "last-number"},
    {"gsm8k", "123456789012345678901234567890123456789012345",
     "\"123456789012345678901234567890123456789012345\"", 1,
     "123456789012345678901234567890123456789012345", "last-number"},
    /* string_matcher */
    {"string_matcher", "<answer>Paris</answer>", "\"paris\"", 1, "Paris", "answer-tag"},
    {"string_matcher", "<answer>x</answer> <answer> The Paris! </answer>", "\"paris\"", 1,
     "The Paris!", "answer-tag"},
    {"string_matcher", "<answer></answer>Paris", "\"Paris\"", 0, "<answer></answer>Paris",
     "whole-text"},
    {"string_matcher", "The answer is Monday.", "\"Monday\"", 1, "Monday", "answer-is"},
    {"string_matcher", "The answer is Tuesday.", "\"Monday\"", 0, "Tuesday", "answer-is"},
    {"string_matcher", "\\boxed{Monday}", "\"monday\"", 1, "Monday", "boxed"},
    {"string_matcher", " Monday\n", "\"Monday\"", 1, "Monday", "whole-text"},
    {"string_matcher", "It was Monday", "\"Monday\"", 0, "It was Monday", "whole-text"},
    {"string_matcher", "a  big   dog", "\"The big, dog\"", 1, "a  big   dog", "whole-text"},
    {"string_matcher", "A", "\"the\"", 0, "A", "whole-text"},
    {"string_matcher", "A", "\"a\"", 1, "A", "whole-text"},
    {"string_matcher", "42", "42", 1, "42", "whole-text"},
    {"string_matcher", "", "\"x\"", 0, NULL, "empty"},
    /* exact */
    {"exact", "The answer is ABC", "\"ABC\"", 1, "ABC", "answer-is"},
    {"exact", "The answer is abc", "\"ABC\"", 0, "abc", "answer-is"},
    {"exact", "The answer is ABC.", "\"ABC\"", 1, "ABC", "answer-is"},
    {"exact", "1, 2, 3", "\"1 2 3\"", 1, "1, 2, 3", "whole-text"},
    {"exact", "[1,2,3]", "\"1 2 3\"", 1, "[1,2,3]", "whole-text"},
    {"exact", "-1 2", "\"1 2\"", 0, "-1 2", "whole-text"},
    {"exact", "1 23", "\"12 3\"", 0, "1 23", "whole-text"},
    {"exact", "1 2 3 4", "\"1 2 3\"", 0, "1 2 3 4", "whole-text"},
    {"exact", "2024-03-05", "\"2024-03-05\"", 1, "2024-03-05", "whole-text"},
    {"exact", "\\boxed{2 1}", "\"2 1\"", 1, "2 1", "boxed"},
    /* countdown */
    {"countdown", "The answer is (3 + 5) * 3", "{\"target\":24,\"numbers\":[3,5,3]}", 1,
     "(3 + 5) * 3", "answer-is"},
    {"countdown", "<answer>(3+5)*3 = 24</answer>", "{\"target\":24,\"numbers\":[3,5,3]}", 1,
     "(3+5)*3", "answer-tag"},
    {"countdown", "\\boxed{(3+5)\\times 3}", "{\"target\":24,\"numbers\":[3,5,3]}", 1,
     "(3+5)\\times 3", "boxed"},
    {"countdown", "let us see\n3 * (3 + 5)", "\"{\\\"target\\\":24,\\\"numbers\\\":[3,5,3]}\"", 1,
     "3 * (3 + 5)", "last-line"},
    {"countdown", "The answer is 24", "{\"target\":24,\"numbers\":[3,5,3]}", 0, "24",
     "other-numbers"},
    {"countdown", "The answer is 3 * 8", "{\"target\":24,\"numbers\":[3,5,3]}", 0, "3 * 8",
     "other-numbers"},
    {"countdown", "The answer is 3 * 5 * 3 * 3", "{\"target\":24,\"numbers\":[3,5,3]}", 0,
     "3 * 5 * 3 * 3", "other-numbers"},
    {"countdown", "The answer is 3 + 5", "{\"target\":8,\"numbers\":[3,5,3]}", 0, "3 + 5",
     "numbers-left"},
    {"countdown", "The answer is 3 + 5", "{\"target\":8,\"numbers\":[3,5,3],\"use\":\"any\"}", 1,
     "3 + 5", "answer-is"},
    {"countdown", "The answer is 3 + 5 + 3", "{\"target\":24,\"numbers\":[3,5,3]}", 0, "3 + 5 + 3",
     "other-value"},
    {"countdown", "The answer is 3 + 5 + 3 = 24", "{\"target\":24,\"numbers\":[3,5,3]}", 0,
     "3 + 5 + 3", "other-value"},
    {"countdown", "The answer is (3 + 5) * 3 = 24", "{\"target\":24,\"numbers\":[3,5,3]}", 1,
     "(3 + 5) * 3", "answer-is"},
    {"countdown", "The answer is (3 + 5 * 3", "{\"target\":24,\"numbers\":[3,5,3]}", 0,
     "(3 + 5 * 3", "not-an-expression"},
    {"countdown", "The answer is 3 / (5 - 5)", "{\"target\":1,\"numbers\":[3,5,5]}", 0,
     "3 / (5 - 5)", "division-by-zero"},
    {"countdown", "The answer is 8 / (3 - 8 / 3)", "{\"target\":24,\"numbers\":[3,3,8,8]}", 1,
     "8 / (3 - 8 / 3)", "answer-is"},
    {"countdown", "The answer is 35 + 3", "{\"target\":38,\"numbers\":[3,5,3]}", 0, "35 + 3",
     "other-numbers"},
    {"countdown", "no idea", "{\"target\":38,\"numbers\":[3,5,3]}", 0, NULL, "no-expression"},
    {"countdown", "", "{\"target\":38,\"numbers\":[3,5,3]}", 0, NULL, "no-expression"},
    /* format, of the whole text */
    {"format", "<think>a</think>b", "null", 1, NULL, "think-then-answer"},
    {"format", "\n<think>\na\n</think>\n\nb", "null", 1, NULL, "think-then-answer"},
    {"format", "<think></think>b", "null", 1, NULL, "think-then-answer"},
    {"format", "<think>a</think> \n", "null", 0, NULL, "no-answer"},
    {"format", "<think>a", "null", 0, NULL, "no-think-end"},
    {"format", "a</think>b", "null", 0, NULL, "no-think-start"},
    {"format", "x<think>a</think>b", "null", 0, NULL, "no-think-start"},
    {"format", "<think>a</think>b</think>c", "null", 0, NULL, "several-think-ends"},
    {"format", "<think>a<think></think>b", "null", 0, NULL, "several-think-starts"},
    {"format", "b", "null", 0, NULL, "no-think-end"},
};

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void test_verifiers(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(judge_cases); i++) {
        struct err err = {0};
        struct verdict v = {0};
        const struct verifier *verifier = verifier_find(judge_cases[i].verifier);
        json_t *truth = json_parse(judge_cases[i].truth, strlen(judge_cases[i].truth), &err);
        struct answer a = {.text = judge_cases[i].text, .whole = judge_cases[i].text};
        CHECK_MSG(verifier && truth && verifier->judge(&a, truth, &v, &err) == 0, "%s: %s",
                  judge_cases[i].text, err.text);
        CHECK_MSG(v.score == judge_cases[i].score, "%s '%s' against %s: %g",
                  judge_cases[i].verifier, a.text, judge_cases[i].truth, v.score);
        CHECK_MSG(same_text(v.extracted, judge_cases[i].extracted), "'%s' gave '%s'", a.text,
                  v.extracted ? v.extracted : "(null)");
        CHECK_MSG(same_text(v.rule, judge_cases[i].rule), "'%s' by '%s'", a.text, v.rule);
        verdict_release(&v);
        json_decref(truth);
    }
    CHECK(!verifier_find("nothing") && !verifier_find(""));
}

static void check_bad_truth(const char *name, const char *truth_text, const char *message)
{
    struct err err = {0};
    struct verdict v = {0};
    json_t *truth = json_parse(truth_text, strlen(truth_text), &err), *record = json_object();
    struct answer a = {.text = "1 + 1", .whole = "1 + 1", .record = record};
    CHECK(verifier_find(name)->judge(&a, truth, &v, &err) < 0);
    CHECK_MSG(strstr(err.text, message) != NULL, "%s", err.text);
    verdict_release(&v);
    json_decref(truth);
    json_decref(record);
}

static void test_bad_truths(void)
{
    check_bad_truth("math", "{}", "'ground_truth' is an object, expected a string or a number");
    check_bad_truth("gsm8k", "\"none\"", "'ground_truth' is 'none', expected a number");
    check_bad_truth("exact", "null", "'ground_truth' is null");
    check_bad_truth("countdown", "{\"numbers\":[1]}", "'target' is missing");
    check_bad_truth("countdown", "\"2\"", "'nums' is missing");
    check_bad_truth("countdown", "\"{\"", "'ground_truth'");
    check_bad_truth("countdown", "[]", "'ground_truth' is an array");
}

static void test_rational(void)
{
    struct rational a, b, r;
    char text[64];
    __int128 big = (__int128)1 << 124;
    CHECK(rational_make(&a, -6, -4) && a.num == 3 && a.den == 2);
    CHECK(!rational_make(&a, 1, 0));
    CHECK(rational_make(&a, 1, 3) && rational_make(&b, 1, 6));
    CHECK(rational_apply('+', &a, &b, &r) && r.num == 1 && r.den == 2);
    CHECK(rational_apply('-', &a, &b, &r) && r.num == 1 && r.den == 6);
    CHECK(rational_apply('*', &a, &b, &r) && r.num == 1 && r.den == 18);
    CHECK(rational_apply('/', &a, &b, &r) && r.num == 2 && r.den == 1);
    CHECK(rational_make(&b, 0, 5) && !rational_apply('/', &a, &b, &r));
    CHECK(rational_make(&a, big, 1) && !rational_apply('*', &a, &a, &r));
    CHECK(rational_make(&b, 1, big) && !rational_apply('*', &b, &b, &r));
    CHECK(rational_apply('+', &a, &a, &r) && !rational_apply('+', &r, &r, &r));
    CHECK(decimal_length("12a") == 2 && decimal_length("1,234,56") == 5 &&
          decimal_length(".5.") == 2);
    CHECK(decimal_length("a") == 0 && decimal_length(".") == 0 && decimal_length("1234,567") == 4);
    decimal_canonical("-001,230.450", 12, text);
    CHECK_STR(text, "-1230.45");
    decimal_canonical("-0.00", 5, text);
    CHECK_STR(text, "0");
    decimal_canonical("100", 3, text);
    CHECK_STR(text, "100");
    decimal_canonical(".50", 3, text);
    CHECK_STR(text, "0.5");
}

static const char *value_of(const char *text, int64_t *out)
{
    struct expression e = {0};
    const char *fault = expression_evaluate(text, strlen(text), &e);
    *out = fault || e.value.den != 1 ? -999999 : (int64_t)e.value.num;
    return fault;
}

static void test_expression(void)
{
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {
        {"1", 1},
        {"1+2*3", 7},
        {"(1+2)*3", 9},
        {"-3+5", 2},
        {"2*-3", -6},
        {"8/4/2", 1},
        {"8-4-2", 2},
        {"8/(4/2)", 4},
        {"3 \xc3\x97 4", 12},
        {"12 \xc3\xb7 4", 3},
        {"3\\cdot 4", 12},
        {"\\left(1+2\\right)*2", 6},
        {"$1+1$", 2},
        {"((((7))))", 7},
        {"1/3*3", 1},
    };
    static const char *const bad[] = {
        "", "+", "1+", "(1", "1)", "1 2", "a", "2^3", "1//2", "1.5", "9999999999999999999999"};
    int64_t value;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        CHECK_MSG(!value_of(good[i].text, &value) && value == good[i].value, "%s", good[i].text);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        CHECK_MSG(value_of(bad[i], &value) != NULL, "%s", bad[i]);
    char deep[2001];
    memset(deep, '(', 2000);
    deep[2000] = '\0';
    CHECK_STR(value_of(deep, &value), "too-deep");
    memset(deep, '-', 2000);
    CHECK_STR(value_of(deep, &value), "too-deep");
}

static void check_answer(const char *json, const char *text, const char *answer)
{
    struct err err = {0};
    struct response r;
    json_t *record = json_parse(json, strlen(json), &err);
    CHECK_MSG(record && response_read(record, &r, &err) == 0, "%s", err.text);
    CHECK_STR(r.text, text);
    CHECK_STR(r.answer, answer);
    response_release(&r);
    json_decref(record);
}

static void test_response(void)
{
    check_answer("{\"completion\":\"a\",\"response\":\"b\"}", "a", "a");
    check_answer("{\"response\":\"b\"}", "b", "b");
    check_answer("{\"completion\":\"<think>a</think>\\n b\"}", "<think>a</think>\n b", "b");
    check_answer("{\"completion\":\"<think>5\"}", "<think>5", "");
    check_answer("{\"completion\":\"5\",\"template\":\"chatml-think\"}", "5", "");
    check_answer("{\"completion\":\"5</think>6\",\"template\":\"chatml-think\"}", "5</think>6",
                 "6");
    check_answer("{\"completion\":\"5\",\"prompt\":\"q <think>\\n\"}", "5", "");
    check_answer("{\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\","
                 "\"content\":\"6\",\"reasoning_content\":\"5\"}]}",
                 "<think>\n5\n</think>\n6", "6");
    check_answer("{\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":"
                 "\"6\"},{\"type\":\"text\",\"text\":\"7\"}]}]}",
                 "67", "67");
    check_answer("{\"prompt\":[],\"completion\":[{\"role\":\"assistant\",\"content\":\"6\"}]}", "6",
                 "6");
    check_answer("{\"completion\":\"6\\u00007\"}", "6 7", "6 7");
}

/* Real labels against themselves, where the data is at hand. */
static void test_gsm8k_gold(void)
{
    char *path = check_data("gsm8k/test.jsonl");
    FILE *f = path ? fopen(path, "r") : NULL;
    char *line = NULL;
    size_t cap = 0;
    int n = 0, right = 0, as_math = 0, neighbour = 0;
    char *before = NULL;
    for (ssize_t len; f && (len = getline(&line, &cap, f)) > 0; n++) {
        struct err err = {0};
        struct verdict v = {0}, w = {0}, other = {0};
        json_t *obj = json_parse(line, (size_t)len - 1, &err),
               *truth = json_object_get(obj, "answer");
        struct answer a = {.text = json_string_value(truth), .whole = a.text};
        char *number = xstrdup(strstr(a.text, "#### ") + 5);
        json_t *label = json_string(number);
        CHECK(verifier_find("gsm8k")->judge(&a, truth, &v, &err) == 0);
        CHECK(verifier_find("math")->judge(&a, label, &w, &err) == 0);
        right += v.score == 1;
        as_math += w.score == 1;
        if (before && strcmp(before, number) != 0) {
            json_t *wrong = json_string(before);
            CHECK(verifier_find("gsm8k")->judge(&a, wrong, &other, &err) == 0);
            neighbour += other.score > 0;
            json_decref(wrong);
        }
        free(before);
        before = number;
        verdict_release(&v);
        verdict_release(&w);
        verdict_release(&other);
        json_decref(label);
        json_decref(obj);
    }
    CHECK_MSG(right == n && neighbour == 0, "%d of %d, %d wrong ones accepted", right, n,
              neighbour);
    /* The calculator notes "=$<<1+1=2>>2" look like formulas between dollar signs. */
    CHECK_MSG(as_math >= n * 9 / 10, "math: %d of %d", as_math, n);
    CHECK(n == (path ? 1319 : 0));
    if (f)
        fclose(f);
    free(before);
    free(line);
    free(path);
}

int main(void)
{
    test_math_equal();
    test_verifiers();
    test_bad_truths();
    test_rational();
    test_expression();
    test_response();
    test_gsm8k_gold();
    return check_done();
}
