/* test_pair.c - joining, pools, filters, and counts that add up. */
#include "base/mem.h"
#include "check.h"
#include "data/pair.h"

static json_t *parse(const char *text)
{
    struct err err = {0};
    json_t *obj = json_parse(text, strlen(text), &err);
    if (!obj)
        BUG("%s: %s", text, err.text);
    return obj;
}

static void add_rejected(struct pair_maker *m, const char *text)
{
    struct err err = {0};
    json_t *obj = parse(text);
    CHECK_MSG(pair_add_rejected(m, obj, &err) == 0, "%s", err.text);
    json_decref(obj);
}

static json_t *match(struct pair_maker *m, const char *text)
{
    struct err err = {0};
    json_t *obj = parse(text), *pair = NULL;
    CHECK_MSG(pair_match(m, obj, &pair, &err) == 0, "%s", err.text);
    json_decref(obj);
    return pair;
}

static void check_json(const json_t *value, const char *text)
{
    struct strbuf s = {0};
    if (value)
        json_write(&s, value);
    CHECK_STR(s.buf ? s.buf : "(none)", text);
    strbuf_release(&s);
}

/* Matches and compares the text of the rejected answer; NULL = no pair. */
static void check_match(struct pair_maker *m, const char *text, const char *rejected)
{
    json_t *pair = match(m, text);
    if (!rejected) {
        CHECK_MSG(!pair, "%s", text);
    } else {
        const json_t *r = json_object_get(pair, "rejected");
        if (json_is_array(r))
            r = json_object_get(json_array_get(r, 0), "content");
        CHECK_STR(json_string_value(r), rejected);
    }
    json_decref(pair);
}

static int64_t count(const json_t *report, const char *side, const char *name)
{
    return json_integer_value(json_object_get(json_object_get(report, side), name));
}

static void check_conserved(const json_t *report, const char *side, int64_t read)
{
    static const char *const names[] = {"paired",   "unmatched",  "surplus", "truncated",
                                        "too_long", "low_reward", "equal",   "small_gap"};
    int64_t sum = 0;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        sum += count(report, side, names[i]);
    CHECK_MSG(sum == read && count(report, side, "read") == read, "%s: %lld", side, (long long)sum);
}

static void test_record(void)
{
    struct pair_options o = {.pairs_per_prompt = 1};
    struct pair_maker *m = pair_open(&o);
    add_rejected(
        m, "{\"id\":\"a\",\"messages\":[{\"role\":\"user\",\"content\":\"q\"}],\"completion\":"
           "\"t</think>\\n6\",\"template\":\"chatml-think\",\"reward\":0,\"model\":\"weak\","
           "\"prompt_token_ids\":[1],\"token_ids\":[2,3],\"logprobs\":[-1,-2],\"sample\":1}");
    json_t *pair =
        match(m, "{\"id\":\"a\",\"ground_truth\":\"5\",\"messages\":[{\"role\":\"user\","
                 "\"content\":\"q\"}],\"completion\":\"5\",\"reward\":1,\"model\":\"strong\","
                 "\"prompt_token_ids\":[1],\"token_ids\":[4],\"logprobs\":[-0.5],\"extra\":[1]}");
    check_json(
        pair,
        "{\"id\":\"a\",\"prompt\":[{\"role\":\"user\",\"content\":\"q\"}],"
        "\"chosen\":[{\"role\":\"assistant\",\"content\":\"5\"}],"
        "\"rejected\":[{\"role\":\"assistant\",\"reasoning_content\":\"t\",\"content\":\"6\"}],"
        "\"prompt_token_ids\":[1],\"chosen_reward\":1,\"rejected_reward\":0,"
        "\"chosen_model\":\"strong\",\"rejected_model\":\"weak\",\"rejected_sample\":1,"
        "\"chosen_token_ids\":[4],\"rejected_token_ids\":[2,3],"
        "\"chosen_logprobs\":[-0.5],\"rejected_logprobs\":[-1,-2],"
        "\"ground_truth\":\"5\",\"extra\":[1]}");
    json_decref(pair);
    json_t *report = pair_report(m);
    check_json(json_object_get(report, "mean"),
               "{\"pairs_with_rewards\":1,\"chosen_reward\":1.0,\"rejected_reward\":0.0,"
               "\"chosen_better\":1.0,\"chosen_chars\":1.0,\"rejected_chars\":11.0,"
               "\"pairs_with_token_ids\":1,\"chosen_tokens\":1.0,\"rejected_tokens\":2.0}");
    json_decref(report);
    pair_close(m);
}

/* Ids of different prompts' tokens are never mixed, nor kept when not wanted. */
static void check_no_ids(bool drop, const char *other_prompt)
{
    struct pair_options o = {.pairs_per_prompt = 1, .drop_token_ids = drop};
    struct pair_maker *m = pair_open(&o);
    char *text = xasprintf("{\"prompt\":\"q\",\"completion\":\"6\",\"prompt_token_ids\":%s,"
                           "\"token_ids\":[2],\"ref_logprobs\":[-1]}",
                           other_prompt);
    add_rejected(m, text);
    json_t *pair = match(m, "{\"prompt\":\"q\",\"completion\":\"5\",\"prompt_token_ids\":[1],"
                            "\"token_ids\":[4],\"ref_logprobs\":[-1]}");
    check_json(pair, "{\"prompt\":\"q\",\"chosen\":\"5\",\"rejected\":\"6\"}");
    json_decref(pair);
    free(text);
    pair_close(m);
}

static void test_join(void)
{
    struct pair_options o = {.pairs_per_prompt = 2};
    struct pair_maker *m = pair_open(&o);
    add_rejected(m, "{\"id\":1,\"prompt\":\"p\",\"completion\":\"r1\"}");
    add_rejected(m, "{\"id\":1,\"prompt\":\"p\",\"completion\":\"r2\"}");
    add_rejected(m, "{\"id\":1,\"prompt\":\"p\",\"completion\":\"r3\"}");
    add_rejected(m, "{\"id\":2,\"prompt\":\"p2\",\"completion\":\"s1\"}");
    add_rejected(m, "{\"prompt\":\"p3\",\"completion\":\"t1\"}");
    check_match(m, "{\"id\":1,\"prompt\":\"p\",\"completion\":\"c1\"}", "r1");
    check_match(m, "{\"id\":1,\"prompt\":\"p\",\"completion\":\"c2\"}", "r2");
    check_match(m, "{\"id\":1,\"prompt\":\"p\",\"completion\":\"c3\"}", NULL); /* two a prompt */
    check_match(m, "{\"id\":9,\"prompt\":\"p2\",\"completion\":\"c\"}", NULL); /* ids differ */
    check_match(m, "{\"prompt\":\"p2\",\"completion\":\"c\"}", "s1");
    check_match(m, "{\"id\":9,\"prompt\":\"p3\",\"completion\":\"c\"}", "t1");
    check_match(m, "{\"id\":8,\"prompt\":\"p3\",\"completion\":\"c\"}", NULL); /* none is left */
    json_t *report = pair_report(m);
    check_conserved(report, "chosen", 7);
    check_conserved(report, "rejected", 5);
    CHECK(count(report, "chosen", "paired") == 4 && count(report, "rejected", "paired") == 4);
    CHECK(count(report, "chosen", "unmatched") == 1 && count(report, "chosen", "surplus") == 2);
    CHECK(count(report, "rejected", "surplus") == 1);
    json_decref(report);
    pair_close(m);
}

static void test_join_by_prompt(void)
{
    struct pair_options o = {.pairs_per_prompt = 1, .join = PAIR_JOIN_PROMPT};
    struct pair_maker *m = pair_open(&o);
    struct err err = {0};
    json_t *pair = NULL, *bad = parse("{\"id\":1,\"completion\":\"c\"}");
    add_rejected(m, "{\"id\":1,\"messages\":[{\"role\":\"user\",\"content\":\"q\"},"
                    "{\"role\":\"assistant\",\"content\":\"r\"}]}");
    check_match(m,
                "{\"id\":2,\"prompt\":[{\"content\":[{\"type\":\"text\",\"text\":\"q\"}],\"role\":"
                "\"user\"}],\"completion\":\"c\"}",
                "r");
    CHECK(pair_match(m, bad, &pair, &err) < 0 && !pair);
    CHECK_STR(err.text, "no prompt: expected 'messages', 'prompt' or 'prompt_token_ids'");
    json_decref(bad);
    pair_close(m);
}

static void test_join_refuses_mixed_up_ids(void)
{
    struct pair_options o = {.pairs_per_prompt = 1};
    struct pair_maker *m = pair_open(&o);
    struct err err = {0};
    json_t *pair = NULL, *obj = parse("{\"id\":1,\"prompt\":\"other\",\"completion\":\"c\"}");
    add_rejected(m, "{\"id\":1,\"prompt\":\"p\",\"completion\":\"r\"}");
    CHECK(pair_match(m, obj, &pair, &err) < 0 && !pair);
    CHECK(strstr(err.text, "different prompts") != NULL);
    json_decref(obj);
    json_t *report = pair_report(m);
    check_conserved(report, "rejected", 1);
    CHECK(count(report, "rejected", "unmatched") == 1);
    json_decref(report);
    pair_close(m);
}

static void test_filters(void)
{
    struct pair_options o = {.pairs_per_prompt = 1,
                             .max_length = 5,
                             .drop_equal = true,
                             .drop_truncated = true,
                             .has_min_chosen = true,
                             .min_chosen = 1,
                             .has_min_gap = true,
                             .min_gap = 0.5};
    struct pair_maker *m = pair_open(&o);
    add_rejected(m, "{\"id\":1,\"completion\":\"same\",\"reward\":0}");
    add_rejected(m, "{\"id\":1,\"completion\":\"other\",\"reward\":0}");
    add_rejected(m, "{\"id\":2,\"completion\":\"toolong\",\"reward\":0}");
    add_rejected(m, "{\"id\":3,\"completion\":\"cut\",\"reward\":0,\"finish_reason\":\"length\"}");
    add_rejected(m, "{\"id\":4,\"completion\":\"good\",\"reward\":0.75}");
    add_rejected(m, "{\"id\":5,\"completion\":\"x\",\"reward\":0}");
    add_rejected(m, "{\"id\":6,\"completion\":\"longtokens\",\"token_ids\":[1,2],\"reward\":0}");
    check_match(m, "{\"id\":1,\"completion\":\"same\",\"reward\":1}", "other");
    check_match(m, "{\"id\":2,\"completion\":\"c\",\"reward\":1}", NULL);
    check_match(m, "{\"id\":4,\"completion\":\"c\",\"reward\":1}", NULL);
    check_match(m, "{\"id\":5,\"completion\":\"c\",\"reward\":0.5}", NULL);
    check_match(m, "{\"id\":5,\"completion\":\"c\"}", NULL);
    check_match(m, "{\"id\":6,\"completion\":\"\xc3\xa4\xc3\xa4\xc3\xa4\",\"reward\":1}",
                "longtokens");
    json_t *report = pair_report(m);
    check_conserved(report, "chosen", 6);
    check_conserved(report, "rejected", 7);
    CHECK(count(report, "rejected", "equal") == 1 && count(report, "rejected", "too_long") == 1);
    CHECK(count(report, "rejected", "truncated") == 1 &&
          count(report, "rejected", "small_gap") == 1);
    CHECK(count(report, "rejected", "unmatched") == 1 && count(report, "rejected", "paired") == 2);
    CHECK(count(report, "chosen", "low_reward") == 2 && count(report, "chosen", "small_gap") == 1);
    CHECK(count(report, "chosen", "unmatched") == 1);
    json_decref(report);
    pair_close(m);
}

static json_t *run_pool(const struct pair_options *o, const char *const *records, int n,
                        json_t **report)
{
    struct pair_maker *m = pair_open(o);
    struct err err = {0};
    json_t *pairs = json_array();
    for (int i = 0; i < n; i++) {
        json_t *obj = parse(records[i]);
        CHECK_MSG(pair_pool(m, obj, pairs, &err) == 0, "%s", err.text);
        json_decref(obj);
    }
    CHECK(pair_pool(m, NULL, pairs, &err) == 0);
    *report = pair_report(m);
    pair_close(m);
    return pairs;
}

static const char *const pool_records[] = {
    "{\"group\":0,\"prompt\":\"p\",\"completion\":\"a\",\"reward\":0.5}",
    "{\"group\":0,\"prompt\":\"p\",\"completion\":\"b\",\"reward\":1}",
    "{\"group\":0,\"prompt\":\"p\",\"completion\":\"c\",\"reward\":0}",
    "{\"group\":0,\"prompt\":\"p\",\"completion\":\"d\",\"reward\":0.75}",
    "{\"group\":0,\"prompt\":\"p\",\"completion\":\"e\",\"reward\":0}",
    "{\"group\":1,\"prompt\":\"p\",\"completion\":\"f\",\"reward\":1}",
    "{\"group\":1,\"prompt\":\"p\",\"completion\":\"g\",\"reward\":1}",
    "{\"group\":2,\"prompt\":\"p\",\"completion\":\"h\",\"reward\":1}",
};

static void test_pool(void)
{
    struct pair_options o = {.pairs_per_prompt = 2};
    json_t *report, *pairs = run_pool(&o, pool_records, ARRAY_SIZE(pool_records), &report);
    check_json(pairs,
               "[{\"prompt\":\"p\",\"chosen\":\"b\",\"rejected\":\"e\",\"chosen_reward\":1,"
               "\"rejected_reward\":0,\"group\":0},"
               "{\"prompt\":\"p\",\"chosen\":\"d\",\"rejected\":\"c\",\"chosen_reward\":0.75,"
               "\"rejected_reward\":0,\"group\":0}]");
    check_conserved(report, "pool", 8);
    CHECK(count(report, "pool", "paired") == 4 && count(report, "pool", "surplus") == 1);
    CHECK(count(report, "pool", "small_gap") == 2 && count(report, "pool", "unmatched") == 1);
    json_decref(pairs);
    json_decref(report);

    o.has_min_gap = true;
    o.min_gap = 0.8;
    pairs = run_pool(&o, pool_records, ARRAY_SIZE(pool_records), &report);
    CHECK(json_array_size(pairs) == 1);
    check_conserved(report, "pool", 8);
    json_decref(pairs);
    json_decref(report);
}

static void test_pool_needs_rewards(void)
{
    struct pair_options o = {.pairs_per_prompt = 1};
    struct pair_maker *m = pair_open(&o);
    struct err err = {0};
    json_t *obj = parse("{\"prompt\":\"p\",\"completion\":\"a\"}"), *pairs = json_array();
    CHECK(pair_pool(m, obj, pairs, &err) < 0);
    CHECK_STR(err.text, "'reward' is missing");
    json_decref(obj);
    json_decref(pairs);
    pair_close(m);
}

int main(void)
{
    test_record();
    check_no_ids(true, "[1]");
    check_no_ids(false, "[9]");
    test_join();
    test_join_by_prompt();
    test_join_refuses_mixed_up_ids();
    test_filters();
    test_pool();
    test_pool_needs_rewards();
    return check_done();
}
