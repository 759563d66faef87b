/* test_instruct.c - the corpus of instructions and texts, lists in all their forms, hostile texts.
 * With --report: agreement with the corpus by kind (make verifier-report). */
#include <time.h>

#include "base/mem.h"
#include "check.h"
#include "reward/english.h"
#include "reward/instruct.h"
#include "reward/language.h"
#include "reward/literal.h"
#include "reward/regex.h"
#include "reward/sentence.h"

/* The corpus: kind, args, text, strict, loose. */

static int verdict_of(const json_t *c, bool loose, struct err *err)
{
    const char *kind = json_string_value(json_object_get(c, "kind"));
    const struct instruct_kind *k = instruct_find(kind);
    if (!k)
        return err_set(err, "no kind '%s'", kind);
    return instruct_follows(k, json_string_value(json_object_get(c, "text")),
                            json_object_get(c, "args"), loose, err);
}

static void check_case(const json_t *c, int number)
{
    static const char *const modes[] = {"strict", "loose"};
    for (int loose = 0; loose < 2; loose++) {
        struct err err = {0};
        int yes = verdict_of(c, loose == 1, &err);
        CHECK_MSG(yes == json_is_true(json_object_get(c, modes[loose])),
                  "instructions.jsonl:%d: %s, %s: %d %s", number,
                  json_string_value(json_object_get(c, "kind")), modes[loose], yes, err.text);
    }
}

struct tally {
    char kind[80];
    int texts, checks, failed;
};

static void report_kind(struct tally *t, bool report, const char *next)
{
    if (report && t->texts)
        printf("%-44s %4d texts  %5.1f %% of %d verdicts right\n", t->kind, t->texts,
               100.0 - 100.0 * (check_failed - t->failed) / (check_n - t->checks),
               check_n - t->checks);
    *t = (struct tally){.checks = check_n, .failed = check_failed};
    snprintf(t->kind, sizeof t->kind, "%s", next);
}

static void test_corpus(bool report)
{
    struct tally tally = {0};
    FILE *f = fopen("tests/verifier/instructions.jsonl", "r");
    char *line = NULL;
    size_t cap = 0;
    int number = 0;
    CHECK(f != NULL);
    for (ssize_t len; f && (len = getline(&line, &cap, f)) > 0;) {
        struct err err = {0};
        json_t *c = json_parse(line, (size_t)len, &err);
        number++;
        CHECK_MSG(c != NULL, "line %d: %s", number, err.text);
        const char *kind = json_string_value(json_object_get(c, "kind"));
        if (kind && strcmp(kind, tally.kind) != 0)
            report_kind(&tally, report, kind);
        check_case(c, number);
        tally.texts++;
        json_decref(c);
    }
    report_kind(&tally, report, "");
    CHECK_MSG(number >= 700, "%d texts", number);
    if (f)
        fclose(f);
    free(line);
}

/* Every kind is in the corpus, with yes and with no. */
static void test_coverage(void)
{
    static const struct instruct_kind *const tables[] = {
        instruct_ifeval,
        instruct_ifbench_count,
        instruct_ifbench_words,
        instruct_ifbench_format,
        instruct_ifbench_custom,
        instruct_iftrain,
        instruct_old,
    };
    static const int sizes[] = {25, 14, 16, 17, 11, 29, 25};
    FILE *f = fopen("tests/verifier/instructions.jsonl", "r");
    struct strbuf all = {0};
    char block[4096];
    for (size_t n; f && (n = fread(block, 1, sizeof block, f)) > 0;)
        strbuf_add(&all, block, n);
    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        int n = 0;
        for (const struct instruct_kind *k = tables[i]; k->id; k++, n++) {
            char *start = xasprintf("{\"kind\": \"%s\", ", k->id);
            bool yes = false, no = false;
            for (const char *p = all.buf; (p = strstr(p, start)) != NULL; p++) {
                const char *end = strstr(p, "\n"),
                           *strict = strstr(p, "\"strict\": true, \"loose\"");
                yes = yes || (strict && end && strict < end);
                no = no || !(strict && end && strict < end);
            }
            CHECK_MSG(yes && no, "%s: %s", k->id, yes ? "no text fails" : "no text follows");
            free(start);
        }
        CHECK_MSG(n == sizes[i], "table %zu has %d kinds", i, n);
    }
    strbuf_release(&all);
    if (f)
        fclose(f);
}

/* Lists of instructions through the verifiers. */

static double score(const char *verifier, const char *record, const char *text, struct err *err)
{
    struct verdict v = {0};
    json_t *r = json_parse(record, strlen(record), err);
    struct answer a = {.text = text, .whole = text, .record = r};
    int rc = verifier_find(verifier)->judge(&a, json_object_get(r, "ground_truth"), &v, err);
    double x = rc < 0 ? rc : v.score;
    verdict_release(&v);
    json_decref(r);
    return x;
}

static void check_score(const char *verifier, const char *record, const char *text, double wanted)
{
    struct err err = {0};
    double x = score(verifier, record, text, &err);
    CHECK_MSG(fabs(x - wanted) < 1e-9, "%s of %s: %g, expected %g %s", verifier, record, x, wanted,
              err.text);
}

static void test_lists(void)
{
    static const char plain[] =
        "{\"instruction_id_list\":[\"punctuation:no_comma\",\"detectable_format:title\"],"
        "\"kwargs\":[{},null]}";
    static const char python[] =
        "{\"ground_truth\":\"[{'instruction_id': ['punctuation:no_comma', "
        "'keywords:existence'], 'kwargs': [None, {'keywords': [\\\"it's\\\"], 'N': None}]}]\"}";
    static const char json[] =
        "{\"ground_truth\":[\"{\\\"instruction_id\\\": [\\\"punctuation:no_comma\\\"], "
        "\\\"kwargs\\\": [{}]}\"]}";
    check_score("ifeval", plain, "Text", 0.5);
    check_score("ifbench", plain, "<<Text>>", 1);
    check_score("ifeval_all", plain, "Text", 0);
    check_score("ifeval_all", plain, "<<Text>>", 1);
    check_score("ifeval_loose", plain, "Sure, so:\n<<Text>>", 1);
    check_score("ifeval", plain, "Sure, so:\n<<Text>>", 0.5);
    check_score("ifeval_all_loose", plain, "Sure, so:\n<<Text>>", 1);
    check_score("ifeval", plain, " \n", 0);
    check_score("ifeval", python, "It's so", 1);
    check_score("ifeval", python, "So", 0.5);
    check_score("ifeval", python, "It's so, yes", 0.5);
    check_score("ifeval", json, "So", 1);
    check_score("ifeval", json, "<answer>So</answer>", 1);
    static const char old[] =
        "{\"ground_truth\":\"{\\\"func_name\\\": \\\"validate_end\\\", \\\"N\\\": "
        "null, \\\"end_phrase\\\": \\\"so.\\\"}\"}";
    check_score("ifeval_old", old, "It is so.", 1);
    check_score("ifeval", old, "It is not.", 0);
    static const char quoted[] =
        "{\"instruction_id_list\":[\"startend:quotation\"],\"kwargs\":[{}]}";
    check_score("ifeval", quoted, "<answer>\n\"So\"\n</answer>", 1);
}

static void check_error(const char *record, const char *message)
{
    struct err err = {0};
    double x = score("ifeval", record, "text", &err);
    CHECK_MSG(x == -1 && strstr(err.text, message), "%s: %g '%s'", record, x, err.text);
}

static void test_errors(void)
{
    check_error("{}", "neither 'instruction_id_list' nor 'ground_truth'");
    check_error("{\"instruction_id_list\":[]}", "no list");
    check_error("{\"instruction_id_list\":[\"chess\"]}", "unknown instruction 'chess'");
    check_error("{\"instruction_id_list\":[3]}", "expected strings");
    check_error("{\"instruction_id_list\":[\"punctuation:no_comma\"],\"kwargs\":[]}",
                "'kwargs' has 0 entries");
    check_error("{\"instruction_id_list\":[\"punctuation:no_comma\"],\"kwargs\":[3]}",
                "expected objects");
    check_error("{\"instruction_id_list\":[\"count:numbers\"],\"kwargs\":[{\"N\":null}]}",
                "instruction 'count:numbers': argument 'N' is missing");
    check_error("{\"instruction_id_list\":[\"count:numbers\"],\"kwargs\":[{\"N\":\"3\"}]}",
                "argument 'N' is a string, expected a number");
    check_error("{\"instruction_id_list\":[\"length_constraints:number_words\"],\"kwargs\":"
                "[{\"num_words\":3,\"relation\":\"about\"}]}",
                "expected at least");
    check_error("{\"ground_truth\":\"[{'instruction_id': \"}", "not a literal at character 21");
    check_error("{\"ground_truth\":\"12\"}", "expected an object");
}

/* All instructions of the public sets are known and their arguments are understood. */
static void test_data(const char *path, int wanted)
{
    char *name = check_data(path);
    if (!name)
        return;
    FILE *f = fopen(name, "r");
    char *line = NULL;
    size_t cap = 0;
    int n = 0;
    CHECK_MSG(f != NULL, "%s", name);
    for (ssize_t len; f && (len = getline(&line, &cap, f)) > 0; n++) {
        struct err err = {0};
        double x = score("ifeval_loose", line, "My answer: one, two.\nThree?", &err);
        CHECK_MSG(x >= 0, "%s:%d: %s", path, n + 1, err.text);
    }
    CHECK_MSG(n == wanted, "%s: %d records", path, n);
    if (f)
        fclose(f);
    free(line);
    free(name);
}

/* Pieces. */

static void check_literal(const char *text, const char *json)
{
    struct err err = {0};
    struct strbuf out = {0};
    json_t *v = literal_parse(text, &err);
    if (v)
        json_write(&out, v);
    CHECK_MSG(v ? strcmp(out.buf, json) == 0 : *json == '\0', "%s: %s, expected %s", text,
              v ? out.buf : err.text, json);
    strbuf_release(&out);
    json_decref(v);
}

static void test_literals(void)
{
    check_literal("{'a': [1, -2.5, None, True], \"b\": ('x',)}",
                  "{\"a\":[1,-2.5,null,true],\"b\":[\"x\"]}");
    check_literal("{\"a\": null, \"b\": [false]}", "{\"a\":null,\"b\":[false]}");
    check_literal("'it\\'s \\x41\\u00e9\\n\\ud83d\\ude00\\q'",
                  "\"it's A\xc3\xa9\\n\xf0\x9f\x98\x80\\\\q\"");
    check_literal("\"it's\"", "\"it's\"");
    check_literal("[]", "[]");
    check_literal(" { } ", "{}");
    check_literal("[1, 2,]", "[1,2]");
    check_literal("{'a': 1, 'a': 2}", "{\"a\":2}");
    check_literal("'\\101\\0'", "\"A\\u0000\"");
    static const char *const bad[] = {"",       "[",     "{'a'}", "{'a': }", "{1: 2}",    "'open",
                                      "'\\x4'", "[1 2]", "nil",   "1 + 1",   "open('x')", "1e999",
                                      "--1",    "[1]]",  "Nonet", "'\\",     "{'a': 1",   "1_000"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        check_literal(bad[i], "");
    char deep[400];
    memset(deep, '[', sizeof deep);
    deep[sizeof deep - 1] = '\0';
    check_literal(deep, "");
}

static void check_split(void (*split)(struct span, struct spans *), const char *text,
                        const char *joined)
{
    struct spans list = {0};
    struct strbuf out = {0};
    split(span_of(text), &list);
    strbuf_adds(&out, "");
    for (size_t i = 0; i < list.n; i++)
        strbuf_addf(&out, "%s%.*s", i ? "|" : "", (int)list.at[i].n, list.at[i].start);
    CHECK_MSG(strcmp(out.buf, joined) == 0, "'%s': '%s'", text, out.buf);
    strbuf_release(&out);
    spans_release(&list);
}

static void test_sentences(void)
{
    check_split(split_sentences, "Mr. Smith went. He slept!  Why? ",
                "Mr. Smith went.|He slept!|Why?");
    check_split(split_sentences, "He said \"Go.\" Then (he left.) Done",
                "He said \"Go.\"|Then (he left.)|Done");
    check_split(split_sentences, "At 5 p.m. we ate. J. R. Smith came.",
                "At 5 p.m. we ate.|J. R. Smith came.");
    check_split(split_sentences, "In the U.S. The end... of it. Wait... The end.",
                "In the U.S.|The end... of it.|Wait...|The end.");
    check_split(split_sentences, "Pi is 3.14. See www.x.org", "Pi is 3.14.|See www.x.org");
    check_split(split_sentences, "1. one 2. Two", "1. one 2.|Two");
    check_split(split_sentences, "**Bold.** text", "**Bold.|** text");
    check_split(split_sentences, " \n ", "");
    check_split(split_sentences, "one", "one");
    check_split(split_tokens, "Don't go, Mr. Smith (it's 3,000 p.m.)!",
                "Do|n't|go|,|Mr.|Smith|(|it|'s|3,000|p.m.|)|!");
    check_split(split_tokens, "He left. \"I cannot\" -- 'tis: so...",
                "He|left|.|\"|I|can|not|\"|--|'tis|:|so|...");
    check_split(split_tokens, "a\xe2\x80\x9cq\xe2\x80\x9d dogs' $5 50%",
                "a|\xe2\x80\x9c|q|\xe2\x80\x9d|dogs|'|$|5|50|%");
}

static void test_english(void)
{
    static const struct {
        const char *word;
        int n;
    } words[] = {{"the", 1},    {"water", 2},     {"make", 1},     {"makes", 1},   {"asked", 1},
                 {"wanted", 2}, {"table", 2},     {"create", 2},   {"patient", 2}, {"nation", 2},
                 {"rhythm", 1}, {"beautiful", 3}, {"anything", 3}, {"boxes", 2},   {"x", 1},
                 {"people", 2}, {"you", 1}};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        CHECK_MSG(english_syllables(words[i].word) == words[i].n, "%s: %d", words[i].word,
                  english_syllables(words[i].word));
    CHECK(english_verb("go") && english_verb("stopping") && english_verb("carried") &&
          english_verb("was"));
    CHECK(!english_verb("the") && !english_verb("morning") && !english_verb("hundred") &&
          !english_verb(""));
    CHECK(text_language(span_of("123 !")) == NULL);
    CHECK(
        strcmp(
            text_language(span_of(
                "Ogham: \xe1\x9a\x81\xe1\x9a\x82\xe1\x9a\x83\xe1\x9a\x84\xe1\x9a\x85\xe1\x9a\x86")),
            "und") == 0 ||
        strcmp(text_language(span_of("Ogham")), "en") == 0);
}

/* Much of anything, against every kind. */

static char *filled(const char *unit, size_t bytes)
{
    char *text = xmalloc(bytes + 1);
    size_t n = strlen(unit);
    for (size_t i = 0; i < bytes; i++)
        text[i] = unit[i % n];
    text[bytes - bytes % n] = '\0';
    return text;
}

static void test_hostile(size_t bytes)
{
    static const char *const units[] = {
        "\n",           "*", " ",  "a", "[", "\"",  "mr.)", "a. ", "<<",   "Question 1. ", "***",
        "\xe6\x97\xa5", ".", "a-", "'", "(", "p. ", "?!",   ",",   "A\n\n"};
    FILE *f = fopen("tests/verifier/instructions.jsonl", "r");
    json_t *cases = json_array();
    char *line = NULL, last[80] = "";
    size_t cap = 0;
    for (ssize_t len; f && (len = getline(&line, &cap, f)) > 0;) {
        struct err err = {0};
        json_t *c = json_parse(line, (size_t)len, &err);
        const char *kind = json_string_value(json_object_get(c, "kind"));
        if (kind && strcmp(kind, last) != 0)
            json_array_append(cases, c);
        snprintf(last, sizeof last, "%s", kind ? kind : "");
        json_decref(c);
    }
    for (size_t u = 0; u < ARRAY_SIZE(units); u++) {
        char *text = filled(units[u], bytes);
        const json_t *c;
        size_t i;
        json_array_foreach(cases, i, c)
        {
            struct err err = {0};
            const struct instruct_kind *k =
                instruct_find(json_string_value(json_object_get(c, "kind")));
            clock_t start = clock();
            int yes = instruct_follows(k, text, json_object_get(c, "args"), false, &err);
            double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
            CHECK_MSG(yes >= 0, "%s: %s", k->id, err.text);
            if (seconds > 1)
                printf("# %s takes %.1f s for %zu bytes of '%s'\n", k->id, seconds, bytes,
                       units[u]);
        }
        free(text);
    }
    json_decref(cases);
    if (f)
        fclose(f);
    free(line);
}

static void check_regex(const char *pattern, const char *unit, long wanted)
{
    struct err err = {0};
    char *text = filled(unit, 10 << 20);
    long n = regex_count(pattern, REGEX_LINES, span_of(text), 1, NULL, &err);
    CHECK_MSG(n == wanted, "%s: %ld %s", pattern, n, err.text);
    free(text);
}

static void test_regex(void)
{
    struct err err = {0};
    struct span last;
    CHECK(regex_count("b+", 0, span_of("abbab"), 0, &last, &err) == 2 && last.n == 1);
    CHECK(regex_count("x*", 0, span_of("aa"), 0, NULL, &err) == 3);
    CHECK(regex_count("^.$", REGEX_LINES, span_of("a\n\xc3\xa9\nab"), 0, NULL, &err) == 2);
    CHECK(regex_count("A.", REGEX_ANY_CASE | REGEX_LITERAL, span_of("a.ab"), 0, NULL, &err) == 1);
    CHECK(regex_count("(", 0, span_of("a"), 0, NULL, &err) == -1 &&
          strstr(err.text, "pattern '('"));
    check_regex("(a|a)*b", "a", -2);
    check_regex("^\\s*-", "\n", -2);
    check_regex("(a+)+$", "ab", 0);
    check_regex("(?:(?:a*)*)*c", "a", -2);
    check_regex("a(?=.*b)", "a", -2);
}

int main(int argc, char **argv)
{
    bool report = argc > 1 && strcmp(argv[1], "--report") == 0;
    test_corpus(report);
    if (report)
        return check_done();
    test_coverage();
    test_lists();
    test_errors();
    test_data("ifeval/input_data.jsonl", 541);
    test_data("ifbench/IFBench_test.jsonl", 300);
    test_literals();
    test_sentences();
    test_english();
    test_regex();
    test_hostile(getenv("LONG") ? 1 << 20 : 1 << 16);
    return check_done();
}
