/* test_task.c - generated problems: right by other means than the generator's, and split for good.
 */
#include <time.h>

#include "base/mem.h"
#include "base/tool.h"
#include "check.h"
#include "data/task.h"
#include "reward/expression.h"
#include "reward/verifier.h"

#define PER_LEVEL 2000

static double judge(const struct problem *p, const char *text)
{
    struct err err = {0};
    struct verdict v = {0};
    json_t *truth = json_string(p->truth.buf);
    struct answer a = {.text = text, .whole = text};
    const struct verifier *verifier = verifier_find(p->dataset);
    CHECK_MSG(verifier && verifier->judge(&a, truth, &v, &err) == 0, "%s: %s", p->prompt.buf,
              err.text);
    double score = v.score;
    verdict_release(&v);
    json_decref(truth);
    return score;
}

/* Every line "arithmetic = number" must be true; returns how many there were. */
static int check_trace(const struct problem *p)
{
    int n = 0;
    char *copy = xstrdup(p->trace.buf), *save = NULL;
    for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        struct expression e = {0};
        char *equals = strstr(line, " = ");
        if (!equals || expression_evaluate(line, (size_t)(equals - line), &e))
            continue;
        n++;
        CHECK_MSG(e.value.den == 1 && e.value.num == atoll(equals + 3), "%s: %s", p->prompt.buf,
                  line);
    }
    CHECK_MSG(p->trace.len > 0 && !strstr(p->trace.buf, "\n\n"), "%s", p->prompt.buf);
    free(copy);
    return n;
}

static void check_arithmetic(const struct problem *p)
{
    struct expression e = {0};
    const char *text = p->prompt.buf + strlen("Compute ");
    CHECK_MSG(!expression_evaluate(text, strlen(text) - 1, &e) && e.value.den == 1 &&
                  e.value.num == atoll(p->truth.buf),
              "%s %s", p->prompt.buf, p->truth.buf);
}

static int64_t numbers_in(const char *s, int64_t *out)
{
    int64_t n = 0;
    char *end;
    for (; *s; s = end) {
        long long x = strtoll(s, &end, 10);
        if (end == s)
            break;
        out[n++] = x;
    }
    return n;
}

static void check_sort(const struct problem *p)
{
    int64_t given[32], sorted[32], sum = 0;
    bool descending = strstr(p->prompt.buf, "descending") != NULL;
    int64_t n = numbers_in(strchr(p->prompt.buf, ':') + 1, given);
    CHECK(numbers_in(p->truth.buf, sorted) == n && n >= 3);
    for (int64_t i = 0; i < n; i++) {
        sum += given[i] * given[i] * given[i] - sorted[i] * sorted[i] * sorted[i];
        if (i > 0)
            CHECK(descending ? sorted[i - 1] >= sorted[i] : sorted[i - 1] <= sorted[i]);
    }
    CHECK(sum == 0);
}

static void check_date(const struct problem *p)
{
    int n, y, m, d;
    char word[16], got[32], weekday[16];
    struct tm tm = {0};
    if (sscanf(p->prompt.buf, "What day was %d-%d-%d?", &y, &m, &d) == 3) {
        tm = (struct tm){.tm_year = y - 1900, .tm_mon = m - 1, .tm_mday = d};
        timegm(&tm);
        strftime(got, sizeof got, "%A", &tm);
    } else if (sscanf(p->prompt.buf, "Date %d days %15s %d-%d-%d?", &n, word, &y, &m, &d) == 5) {
        tm = (struct tm){.tm_year = y - 1900,
                         .tm_mon = m - 1,
                         .tm_mday = d + (strcmp(word, "after") == 0 ? n : -n)};
        timegm(&tm);
        strftime(got, sizeof got, "%Y-%m-%d", &tm);
    } else {
        CHECK(sscanf(p->prompt.buf, "What day is %d days %15s %15[A-Za-z]?", &n, word, weekday) ==
              3);
        do { /* walk to such a weekday, then the days */
            tm.tm_mday++;
            timegm(&tm);
            strftime(got, sizeof got, "%A", &tm);
        } while (strcmp(got, weekday) != 0);
        tm.tm_mday += strcmp(word, "after") == 0 ? n : -n;
        timegm(&tm);
        strftime(got, sizeof got, "%A", &tm);
    }
    CHECK_STR(p->truth.buf, got);
}

static void check_count(const struct problem *p)
{
    char letter, word[64];
    int64_t wanted, items[64], count = 0;
    if (sscanf(p->prompt.buf, "How many %c in %63[a-z]?", &letter, word) == 2) {
        for (const char *c = word; *c; c++)
            count += *c == letter;
    } else {
        wanted = atoll(p->prompt.buf + strlen("How many "));
        int64_t n = numbers_in(strstr(p->prompt.buf, "in ") + 3, items);
        for (int64_t i = 0; i < n; i++)
            count += items[i] == wanted;
    }
    CHECK_MSG(count == atoll(p->truth.buf), "%s %s", p->prompt.buf, p->truth.buf);
}

static void check_string(const struct problem *p)
{
    char word[64], up[64];
    const char *truth = p->truth.buf;
    snprintf(word, sizeof word, "%s", strchr(p->prompt.buf, ':') + 2);
    size_t n = strlen(word);
    int by = 0;
    if (sscanf(p->prompt.buf, "Rotate left by %d", &by) == 1) {
        snprintf(up, sizeof up, "%s%.*s", word + by, by, word);
        CHECK_STR(truth, up);
    } else if (strncmp(p->prompt.buf, "Remove", 6) == 0) {
        CHECK(strpbrk(truth, "aeiou") == NULL && strlen(truth) >= n / 3);
    } else {
        bool reverse = strncmp(p->prompt.buf, "Reverse", 7) == 0;
        bool upper = strstr(p->prompt.buf, "ppercase") != NULL;
        CHECK(strlen(truth) == n);
        for (size_t i = 0; i < n; i++) {
            char c = reverse ? word[n - 1 - i] : word[i];
            CHECK(truth[i] == (upper ? (char)(c - 32) : c));
        }
    }
}

static void check_list(const struct problem *p)
{
    int64_t x[32], r[32], sum = 0, most = INT64_MIN, least = INT64_MAX, value = atoll(p->truth.buf);
    const char *text = p->prompt.buf;
    int at = 0;
    if (strncmp(text, "Reverse: ", 9) == 0) {
        int64_t n = numbers_in(text + 9, x);
        CHECK(numbers_in(p->truth.buf, r) == n);
        for (int64_t i = 0; i < n; i++)
            CHECK(r[i] == x[n - 1 - i]);
        return;
    }
    int64_t n = numbers_in(strstr(text, " of ") + 4, x), above = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += x[i];
        most = x[i] > most ? x[i] : most;
        least = x[i] < least ? x[i] : least;
        above += x[i] > value;
    }
    if (strncmp(text, "Sum", 3) == 0)
        CHECK(value == sum);
    else if (strncmp(text, "Largest", 7) == 0)
        CHECK(value == most);
    else if (strncmp(text, "Smallest", 8) == 0)
        CHECK(value == least);
    else if (sscanf(text, "Item %d", &at) == 1)
        CHECK(value == x[at - 1]);
    else
        CHECK(above == 1 || (above == 0 && value == most));
}

static void check_right(enum task_kind kind, const struct problem *p)
{
    static void (*const checks[])(const struct problem *) = {
        [TASK_ARITHMETIC] = check_arithmetic,
        [TASK_SORT] = check_sort,
        [TASK_LIST] = check_list,
        [TASK_COUNT] = check_count,
        [TASK_DATE] = check_date,
        [TASK_STRING] = check_string,
    };
    if (kind != TASK_COUNTDOWN) /* its verifier is the independent check */
        checks[kind](p);
}

static void test_level(enum task_kind kind, int level)
{
    struct task_options o = {0};
    struct problem p = {0};
    struct strbuf text = {0};
    char before[128] = "";
    int n_test = 0, n_steps = 0;
    for (uint64_t i = 0; i < PER_LEVEL; i++) {
        struct rng rng;
        rng_init(&rng, 7, "test", i, (uint64_t)(level * 100 + (int)kind));
        task_make(kind, level, &o, &rng, &p);
        check_right(kind, &p);
        strbuf_clear(&text);
        strbuf_addf(&text, "The answer is %s", p.reply.buf);
        CHECK_MSG(judge(&p, text.buf) == 1, "%s %s", p.prompt.buf, text.buf);
        strbuf_clear(&text);
        strbuf_addf(&text, "\\boxed{%s}", p.reply.buf);
        CHECK_MSG(judge(&p, text.buf) == 1, "%s %s", p.prompt.buf, text.buf);
        /* Another problem's answer is wrong (of a list, the last number might be right). */
        if (*before && !strchr(before, ' ') && strcmp(before, p.reply.buf) != 0)
            CHECK_MSG(judge(&p, before) == 0, "%s %s", p.prompt.buf, before);
        snprintf(before, sizeof before, "%s", p.reply.buf);
        n_steps += check_trace(&p);
        n_test += task_in_test_split(&p);
    }
    if (kind == TASK_ARITHMETIC || kind == TASK_COUNTDOWN)
        CHECK(n_steps >= PER_LEVEL);
    CHECK_MSG(n_test > PER_LEVEL / 16 && n_test < PER_LEVEL / 4, "%s %d: %d of %d in test",
              task_names[kind].name, level, n_test, PER_LEVEL);
    problem_release(&p);
    strbuf_release(&text);
}

/* Ids of n records into an object; returns how many were in it already. */
static int collect(const struct task_options *o, uint64_t seed, int n, json_t *ids)
{
    struct err err = {0};
    struct task_source *s = task_source_open(o, seed);
    int known = 0;
    for (int i = 0; i < n; i++) {
        json_t *obj = task_source_next(s, &err);
        CHECK_MSG(obj != NULL, "%s", err.text);
        const char *id = json_string_value(json_object_get(obj, "id"));
        known += json_object_get(ids, id) != NULL;
        json_object_set_new(ids, id, json_true());
        json_decref(obj);
    }
    task_source_close(s);
    return known;
}

static void test_split(void)
{
    struct task_options o = {.kind = TASK_MIX, .min_difficulty = 1, .max_difficulty = 3};
    json_t *train = json_object(), *again = json_object(), *test = json_object(), *value;
    const char *id;
    int shared = 0;
    CHECK(collect(&o, 1, 1400, train) == 0);
    CHECK(collect(&o, 2, 1400, again) == 0);
    o.split = TASK_TEST;
    for (uint64_t seed = 1; seed < 4; seed++)
        collect(&o, seed, 350, test);
    json_object_foreach(test, id, value) shared +=
        json_object_get(train, id) != NULL || json_object_get(again, id) != NULL;
    CHECK(shared == 0 && json_object_size(test) > 700);
    json_decref(train);
    json_decref(again);
    json_decref(test);
}

static void test_mix_is_even(void)
{
    struct task_options o = {.kind = TASK_MIX, .min_difficulty = 1, .max_difficulty = 1};
    struct task_source *s = task_source_open(&o, 3);
    struct err err = {0};
    json_t *counts = json_object(), *value;
    const char *name;
    for (int i = 0; i < 10 * TASK_N_KINDS; i++) {
        json_t *obj = task_source_next(s, &err);
        name = json_string_value(json_object_get(obj, "task"));
        json_int_t n = json_integer_value(json_object_get(counts, name));
        json_object_set_new(counts, name, json_integer(n + 1));
        json_decref(obj);
    }
    CHECK(json_object_size(counts) == TASK_N_KINDS);
    json_object_foreach(counts, name, value) CHECK_MSG(json_integer_value(value) == 10, "%s", name);
    json_decref(counts);
    task_source_close(s);
}

static void test_exhausted(void)
{
    struct task_options o = {.kind = TASK_ARITHMETIC,
                             .min_difficulty = 1,
                             .max_difficulty = 1,
                             .terms = 2,
                             .digits = 1,
                             .split = TASK_TEST};
    struct err err = {0};
    struct task_source *s = task_source_open(&o, 1);
    json_t *obj = NULL;
    int n = 0;
    while ((obj = task_source_next(s, &err))) {
        json_decref(obj);
        n++;
    }
    /* 81 differences and 45 sums, one in eight of them */
    CHECK_MSG(n >= 6 && n <= 30, "%d", n);
    CHECK_MSG(strstr(err.text, "no new 'arithmetic' problem found for the test split") != NULL,
              "%s", err.text);
    task_source_close(s);
    o.allow_duplicates = true;
    json_t *ids = json_object();
    CHECK(collect(&o, 1, 500, ids) > 400);
    CHECK(json_object_size(ids) == (size_t)n); /* all of the space and nothing else */
    json_decref(ids);
}

int main(void)
{
    for (int kind = 0; kind < TASK_N_KINDS; kind++) {
        for (int level = 1; level <= TASK_MAX_DIFFICULTY; level++)
            test_level((enum task_kind)kind, level);
    }
    test_split();
    test_mix_is_even();
    test_exhausted();
    return check_done();
}
