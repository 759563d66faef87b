/* countdown.c - does an expression reach a target with the given numbers? */
#include "reward/countdown.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "reward/expression.h"
#include "reward/extract.h"

struct goal {
    int64_t target;
    int32_t *numbers; /* owned */
    int64_t n_numbers;
    bool use_all;
};

static int read_numbers(const json_t *obj, struct goal *goal, struct err *err)
{
    const char *key = json_object_get(obj, "numbers") ? "numbers" : "nums";
    goal->n_numbers = json_get_i32s(obj, key, true, &goal->numbers, err);
    return goal->n_numbers < 0 ? -1 : 0;
}

static int read_goal_object(const json_t *obj, struct goal *goal, struct err *err)
{
    const char *use = "all";
    if (json_get_int(obj, "target", &goal->target, err) < 0 || read_numbers(obj, goal, err) < 0 ||
        json_opt_str(obj, "use", &use, err) < 0)
        return err_prefix(err, "'ground_truth'");
    goal->use_all = strcmp(use, "any") != 0;
    return 0;
}

static int read_goal(const json_t *truth, const json_t *record, struct goal *goal, struct err *err)
{
    const char *text = json_string_value(truth);
    json_t *parsed = NULL;
    *goal = (struct goal){.use_all = true};
    if (json_is_object(truth))
        return read_goal_object(truth, goal, err);
    if (text) {
        parsed = json_parse(text, strlen(text), err);
        if (!parsed)
            return err_prefix(err, "'ground_truth'");
        truth = parsed;
    }
    int rc = -1;
    if (json_is_object(truth))
        rc = read_goal_object(truth, goal, err);
    else if (json_is_integer(truth))
        rc = read_numbers(record, goal, err);
    else
        err_set(err, "'ground_truth' is %s, expected a target with numbers", json_type_name(truth));
    if (rc == 0 && json_is_integer(truth))
        goal->target = json_integer_value(truth);
    json_decref(parsed);
    return rc;
}

/* The last line that looks like arithmetic. */
static bool last_expression_line(const char *text, struct span *out)
{
    bool found = false;
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, "\n");
        struct span line = {p, n};
        span_trim(&line);
        bool digit = false, letter = false;
        for (size_t i = 0; i < line.n; i++) {
            digit = digit || isdigit((unsigned char)line.start[i]);
            letter = letter ||
                     (isalpha((unsigned char)line.start[i]) && !memchr(line.start, '\\', line.n));
        }
        if (digit && !letter) {
            *out = line;
            found = true;
        }
        p += n + (p[n] == '\n');
    }
    return found;
}

/* "(3 + 5) * 3 = 24": the left side is the answer, its claim is checked by evaluation. */
static void cut_at_equals(struct span *s)
{
    const char *equals = memchr(s->start, '=', s->n);
    if (equals)
        s->n = (size_t)(equals - s->start);
    span_trim(s);
}

static bool extract_expression(const char *text, struct span *out, const char **rule)
{
    bool found = true;
    if (extract_tag(text, "answer", out))
        *rule = "answer-tag";
    else if (extract_boxed(text, out))
        *rule = "boxed";
    else if (extract_answer_is(text, out))
        *rule = "answer-is";
    else if (last_expression_line(text, out))
        *rule = "last-line";
    else
        found = false;
    if (found)
        cut_at_equals(out);
    return found && out->n > 0;
}

static const char *numbers_fault(const struct expression *e, const struct goal *goal)
{
    bool *used = xcalloc((size_t)goal->n_numbers + 1, sizeof *used);
    const char *fault = NULL;
    for (int i = 0; i < e->n_numbers && !fault; i++) {
        int64_t j = 0;
        while (j < goal->n_numbers && (used[j] || goal->numbers[j] != e->numbers[i]))
            j++;
        if (j == goal->n_numbers)
            fault = "other-numbers";
        else
            used[j] = true;
    }
    if (!fault && goal->use_all && e->n_numbers < goal->n_numbers)
        fault = "numbers-left";
    free(used);
    return fault;
}

static const char *expression_fault(const char *text, const struct goal *goal)
{
    struct expression e;
    struct rational target;
    const char *fault = expression_evaluate(text, strlen(text), &e);
    if (!fault)
        fault = numbers_fault(&e, goal);
    if (!fault && !(rational_make(&target, goal->target, 1) && rational_equal(&e.value, &target)))
        fault = "other-value";
    return fault;
}

int judge_countdown(const struct answer *answer, const json_t *truth, struct verdict *out,
                    struct err *err)
{
    struct goal goal;
    struct span span;
    int rc = read_goal(truth, answer->record, &goal, err);
    out->rule = "no-expression";
    if (rc == 0 && extract_expression(answer->text, &span, &out->rule)) {
        out->extracted = span_dup(&span);
        const char *fault = expression_fault(out->extracted, &goal);
        out->score = fault == NULL;
        if (fault)
            out->rule = fault;
    }
    free(goal.numbers);
    return rc;
}

bool countdown_same(const char *a, const char *b)
{
    struct expression ea, eb;
    return !expression_evaluate(a, strlen(a), &ea) && !expression_evaluate(b, strlen(b), &eb) &&
           rational_equal(&ea.value, &eb.value);
}
