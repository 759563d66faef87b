/* test_strings.c - the corpus of answers and texts for the verifiers of text, length and form;
 * errors; what models and programs reply.  With --report: agreement by verifier (make
 * verifier-report). */
#include "base/mem.h"
#include "check.h"
#include "reward/shaping.h"
#include "reward/verifier.h"
#include "reward/verifier_exec.h"
#include "reward/verifier_judge.h"

static int judge(const char *verifier, const char *text, const json_t *truth, const json_t *record,
                 struct verdict *out, struct err *err)
{
    struct answer a = {.text = text, .whole = text, .record = record};
    const struct verifier *v = verifier_find(verifier);
    if (!v)
        return err_set(err, "no verifier '%s'", verifier);
    return v->judge(&a, json_is_null(truth) ? NULL : truth, out, err);
}

/* verifier, text, ground_truth, score, and for lengths tokens. */
static void check_case(const json_t *c, int number)
{
    struct verdict v = {0};
    struct err err = {0};
    const char *name = json_string_value(json_object_get(c, "verifier"));
    const char *text = json_string_value(json_object_get(c, "text"));
    json_t *record = json_object();
    json_object_set(record, "n_token_ids", json_object_get(c, "tokens"));
    double wanted = json_number_value(json_object_get(c, "score"));
    int rc = judge(name, text, json_object_get(c, "ground_truth"), record, &v, &err);
    CHECK_MSG(rc == 0 && fabs(v.score - wanted) < 1e-9,
              "strings.jsonl:%d: %s of '%s': %g, expected %g %s", number, name, text, v.score,
              wanted, err.text);
    CHECK_MSG(rc < 0 || v.rule, "strings.jsonl:%d: no rule", number);
    verdict_release(&v);
    json_decref(record);
}

static void report_line(const char *name, int texts, int failed)
{
    if (texts)
        printf("%-32s %4d texts  %5.1f %% right\n", name, texts, 100.0 - 100.0 * failed / texts);
}

static void test_corpus(bool report)
{
    FILE *f = fopen("tests/verifier/strings.jsonl", "r");
    char *line = NULL, last[80] = "";
    size_t cap = 0;
    int number = 0, texts = 0, failed = 0;
    CHECK(f != NULL);
    for (ssize_t len; f && (len = getline(&line, &cap, f)) > 0;) {
        struct err err = {0};
        json_t *c = json_parse(line, (size_t)len, &err);
        const char *name = json_string_value(json_object_get(c, "verifier"));
        number++;
        CHECK_MSG(name != NULL, "line %d: %s", number, err.text);
        if (name && strcmp(name, last) != 0) {
            if (report)
                report_line(last, texts, check_failed - failed);
            snprintf(last, sizeof last, "%s", name);
            texts = 0;
            failed = check_failed;
        }
        check_case(c, number);
        texts++;
        json_decref(c);
    }
    if (report)
        report_line(last, texts, check_failed - failed);
    CHECK_MSG(number >= 150, "%d texts", number);
    if (f)
        fclose(f);
    free(line);
}

static void check_error(const char *verifier, const char *truth, int wanted, const char *message)
{
    struct err err = {0};
    struct verdict v = {0};
    json_t *t = json_loads(truth, JSON_DECODE_ANY, NULL), *record = json_object();
    char *text = xmalloc((1 << 20) + 1);
    memset(text, 'a', 1 << 20);
    text[1 << 20] = '\0';
    int rc = judge(verifier, text, t, record, &v, &err);
    CHECK_MSG(rc == wanted && strstr(err.text, message), "%s of %s: %d '%s'", verifier, truth, rc,
              err.text);
    verdict_release(&v);
    json_decref(t);
    json_decref(record);
    free(text);
}

static void test_errors(void)
{
    check_error("string_f1", "{}", -1, "expected a string or a number");
    check_error("regex", "5", -1, "expected a pattern");
    check_error("regex", "\"(\"", -1, "'ground_truth': pattern '('");
    check_error("regex", "\"(a|a)*[bc]\"", NO_VERDICT, "too much work");
    check_error("regex", "\"(a+)+[bc]\"", NO_VERDICT, "too much work");
    check_error("max_length", "\"x\"", -1, "expected a number of tokens");
    check_error("max_length", "5", -1, "neither 'token_ids' nor 'usage'");
    check_error("exec", "5", NO_VERDICT, "needs --exec");
    check_error("judge", "5", NO_VERDICT, "needs --judge-endpoint");
    check_error("rubric", "\"5\"", -1, "no object with 'rubrics'");
    check_error("rubric", "{\"rubrics\":[]}", -1, "0 criteria");
    check_error("rubric", "{\"rubrics\":[{\"weight\":1}]}", -1, "no 'description'");
    check_error("rubric", "{\"rubrics\":[{\"description\":\"a\",\"weight\":0}]}", -1, "no weight");
}

/* Replies. */

static void check_judge(const char *text, size_t n, bool list, double first, const char *reason)
{
    double scores[4] = {-1, -1, -1, -1};
    char *why = NULL;
    struct err err = {0};
    int rc = judge_read_reply(text, scores, n, list, &why, &err);
    CHECK_MSG(first < 0 ? rc < 0 && err.set : rc == 0 && scores[0] == first, "'%s': %d, %g %s",
              text, rc, scores[0], err.text);
    CHECK_MSG(!reason || (why && strcmp(why, reason) == 0), "'%s': '%s'", text, why ? why : "");
    free(why);
}

static void test_replies(void)
{
    check_judge("{\"score\": 7}", 1, false, 7, NULL);
    check_judge("```json\n{\"reason\": \"so\", \"score\": \"7.5\"}\n```", 1, false, 7.5, "so");
    check_judge("{\"REASONING\": \"r\", \"SCORE\": \"3/10\"} ok", 1, false, 3, "r");
    check_judge("{\"score\": 1} {\"score\": 2, \"reason\": \"later\"}", 1, false, 2, "later");
    check_judge("{ {\"score\": 1}", 1, false, 1, NULL);
    check_judge("{\"a\": {\"score\": 9}}", 1, false, -1, NULL);
    check_judge("<think>{\"score\": 9}</think> none", 1, false, -1, NULL);
    check_judge("{\"score\": 10.5}", 1, false, -1, NULL);
    check_judge("{\"score\": -1}", 1, false, -1, NULL);
    check_judge("{\"score\": null}", 1, false, -1, NULL);
    check_judge("score: 7", 1, false, -1, NULL);
    check_judge("", 1, false, -1, NULL);
    check_judge("{\"scores\": [1, 2, 3]}", 3, true, 1, NULL);
    check_judge("{\"scores\": [1, 2]}", 3, true, -1, NULL);
    check_judge("{\"score\": 1}", 1, true, -1, NULL);
    struct strbuf many = {0};
    for (int i = 0; i < 100000; i++)
        strbuf_adds(&many, "{\"a\":");
    check_judge(many.buf, 1, false, -1, NULL);
    strbuf_release(&many);
}

static void check_exec(const char *line, double score, const char *message)
{
    struct verdict v = {0};
    struct err err = {0};
    int rc = exec_read_reply(line, strlen(line), &v, &err);
    CHECK_MSG(message ? rc == NO_VERDICT && strstr(err.text, message) : rc == 0 && v.score == score,
              "'%s': %d, %g %s", line, rc, v.score, err.text);
    verdict_release(&v);
}

static void test_exec_replies(void)
{
    check_exec("{\"score\": 0}", 0, NULL);
    check_exec("{\"score\": 1, \"extracted\": \"a\", \"detail\": \"d\", \"x\": 1}", 1, NULL);
    check_exec("{\"score\": 1.01}", 0, "expected 0 to 1");
    check_exec("{\"score\": -0.1}", 0, "expected 0 to 1");
    check_exec("{\"score\": \"1\"}", 0, "'score' is a string");
    check_exec("{}", 0, "'score' is missing");
    check_exec("[1]", 0, "no JSON object");
    check_exec("1", 0, "no JSON object");
    check_exec("", 0, "JSON");
    check_exec("{\"error\": \"busy\", \"score\": 1}", 0, "busy");
}

/* Shaping. */

static void test_overlong(void)
{
    CHECK(overlong_share(0, 100, 20) == 0 && overlong_share(80, 100, 20) == 0);
    CHECK_CLOSE(overlong_share(81, 100, 20), 0.05, 1e-12, 0);
    CHECK_CLOSE(overlong_share(95, 100, 20), 0.75, 1e-12, 0);
    CHECK(overlong_share(100, 100, 20) == 1 && overlong_share(1e9, 100, 20) == 1);
    CHECK(overlong_share(100, 100, 0) == 0 && overlong_share(101, 100, 0) == 1);
}

static void test_repetition(void)
{
    CHECK(repetition_share("", 3) == 0 && repetition_share("a b", 3) == 0);
    CHECK(repetition_share("a b c", 3) == 0 && repetition_share("a b c d", 3) == 0);
    CHECK_CLOSE(repetition_share("a a a a", 3), 0.5, 1e-12, 0);
    CHECK_CLOSE(repetition_share("A b a  B\na b", 2), 1 - 2.0 / 5, 1e-12, 0);
    CHECK_CLOSE(repetition_share("ab c a bc", 1), 0, 1e-12, 0);
    CHECK_CLOSE(repetition_share("x y z x y z", 3), 1 - 3.0 / 4, 1e-12, 0);
    char *many = xmalloc(2000001);
    for (size_t i = 0; i < 2000000; i++)
        many[i] = i % 2 ? ' ' : 'a';
    many[2000000] = '\0';
    CHECK_CLOSE(repetition_share(many, 3), 1 - 1.0 / 999998, 1e-12, 0);
    free(many);
}

static void test_shaping(void)
{
    struct shaping_options o = SHAPING_DEFAULT;
    struct response r = {.text = xstrdup("a a a a"), .truncated = true};
    json_t *record = json_pack("{s:{s:i}}", "usage", "completion_tokens", 95),
           *empty = json_object();
    struct shaping s;
    struct err err = {0};
    CHECK(shaping_of(&o, &r, empty, &s, &err) == 0 && s.n == 0);
    o.overlong_length = 100;
    o.overlong_buffer = 20;
    o.overlong = 2;
    o.repetition = 0.5;
    o.non_stop = 3;
    CHECK(shaping_of(&o, &r, record, &s, &err) == 0 && s.n == 3);
    CHECK(s.items[0].taken == 1.5 && s.items[1].taken == 0.25 && s.items[2].taken == 3);
    CHECK_STR(s.items[2].name, "non_stop");
    CHECK(shaping_check(&o, &err) == 0);
    o.overlong_buffer = 0; /* a fifth */
    CHECK(shaping_of(&o, &r, record, &s, &err) == 0 && s.items[0].taken == 1.5);
    o.overlong_buffer = 101;
    CHECK(shaping_check(&o, &err) == -1);
    err_clear(&err);
    CHECK(shaping_of(&o, &r, empty, &s, &err) == -1 && strstr(err.text, "neither 'token_ids'"));
    free(r.text);
    json_decref(record);
    json_decref(empty);
}

int main(int argc, char **argv)
{
    bool report = argc > 1 && strcmp(argv[1], "--report") == 0;
    test_corpus(report);
    if (report)
        return check_done();
    test_errors();
    test_replies();
    test_exec_replies();
    test_overlong();
    test_repetition();
    test_shaping();
    return check_done();
}
