/* eval_choice.c - multiple choice by log-probability.
 *
 * The answer is the choice whose text is likeliest after the context: acc by the
 * sum of its tokens' log-probabilities, acc_norm by that sum per byte of the
 * choice, as in lm-evaluation-harness.  Context and choice are encoded together
 * and cut where the context alone ends.  Ties go to the first choice.
 */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/jsonl.h"
#include "data/tokenizer.h"
#include "gen/eval.h"
#include "gen/score.h"

struct choice {
    struct token_list ids;
    int64_t n_prompt, n_bytes;
    float *logprobs;
};

struct question {
    int64_t n, cap, answer;
    struct choice *choices;
    json_t *doc_id; /* of a request record, whose neighbours belong to the same question */
};

struct choice_task {
    struct eval *e;
    int64_t n, cap, positions;
    struct question *questions; /* waiting to be scored */
    int64_t n_done, right, right_norm;
};

static void question_release(struct question *q)
{
    for (int64_t i = 0; i < q->n; i++) {
        token_list_release(&q->choices[i].ids);
        free(q->choices[i].logprobs);
    }
    free(q->choices);
    json_decref(q->doc_id);
}

/* Tokens of context and choice; those of the context that do not fit are cut at its front. */
static int encode_choice(const struct eval *e, const char *context, const char *text,
                         struct choice *c, struct err *err)
{
    size_t n = strlen(context), whole_n;
    const char *space = n > 0 && !isspace((unsigned char)text[0]) ? e->o->delimiter : "";
    /* A trailing space of the context belongs to the choice: tokenizers put spaces in front. */
    while (n > 0 && context[n - 1] == ' ') {
        n--;
        space = "";
    }
    char *whole = xasprintf("%s%s%s", context, space, text);
    struct token_list ids = {0}, head = {0};
    whole_n = strlen(whole);
    int rc = tokenizer_encode(e->tokenizer, whole, whole_n, TOKENIZE_PLAIN, &ids, err);
    if (rc == 0)
        rc = tokenizer_encode(e->tokenizer, context, n, TOKENIZE_PLAIN, &head, err);
    int64_t skip = ids.n + 1 > e->seq_len + 1 ? ids.n - e->seq_len : 0;
    if (rc == 0 && (head.n >= ids.n || skip > head.n))
        rc = err_set(err, "the choice '%.40s' has %s tokens", text, skip ? "too many" : "no");
    if (rc == 0 && e->prefix >= 0)
        token_list_add(&c->ids, e->prefix);
    for (int64_t i = skip; i < ids.n && rc == 0; i++)
        token_list_add(&c->ids, ids.ids[i]);
    c->n_prompt = c->ids.n - (ids.n - head.n);
    c->n_bytes = (int64_t)strlen(text);
    token_list_release(&ids);
    token_list_release(&head);
    free(whole);
    return rc;
}

static int add_choice(struct choice_task *t, struct question *q, const char *context,
                      const json_t *text, struct err *err)
{
    if (!json_is_string(text) || !*json_string_value(text))
        return err_set(err, "a choice is %s, expected a string that is not empty",
                       json_type_name(text));
    GROW(q->choices, q->n, q->cap);
    struct choice *c = &q->choices[q->n++];
    *c = (struct choice){0};
    if (encode_choice(t->e, context, json_string_value(text), c, err) < 0)
        return -1;
    c->logprobs = xcalloc((size_t)c->ids.n, sizeof(float));
    t->positions += c->ids.n;
    return 0;
}

/* The first of the keys that the record has. */
static json_t *first_of(const json_t *obj, const char *const *keys)
{
    json_t *value = NULL;
    for (; *keys && !value; keys++)
        value = json_object_get(obj, *keys);
    return value;
}

/* An index, a letter, one of the labels, or the text of a choice; -1 = none of them. */
static int64_t answer_index(const json_t *answer, const json_t *choices, const json_t *labels)
{
    if (json_is_integer(answer))
        return json_integer_value(answer);
    const char *text = json_string_value(answer);
    if (!text)
        return -1;
    for (size_t i = 0; i < json_array_size(choices); i++) {
        const char *label = json_string_value(json_array_get(labels, i));
        const char *choice = json_string_value(json_array_get(choices, i));
        if ((label && strcmp(label, text) == 0) || (choice && strcmp(choice, text) == 0))
            return (int64_t)i;
    }
    if (text[0] >= 'A' && text[0] <= 'Z' && !text[1])
        return text[0] - 'A';
    return -1;
}

static int read_question(struct choice_task *t, const json_t *obj, struct question *q,
                         struct err *err)
{
    static const char *const context_keys[] = {"context", "prompt", "question", "query", NULL};
    static const char *const answer_keys[] = {"answer", "gold", "label", "answer_idx", "answerKey",
                                              NULL};
    const json_t *context = first_of(obj, context_keys), *choices = json_object_get(obj, "choices");
    const json_t *labels = NULL, *answer = first_of(obj, answer_keys);
    if (json_is_object(choices)) { /* ARC: {"text": [...], "label": [...]} */
        labels = json_object_get(choices, "label");
        choices = json_object_get(choices, "text");
    }
    if (!json_is_string(context))
        return err_set(err, "'prompt' is %s, expected a string",
                       context ? json_type_name(context) : "missing");
    if (!json_is_array(choices) || json_array_size(choices) == 0)
        return err_set(err, "'choices' is %s, expected a list of strings",
                       !choices ? "missing" : json_is_array(choices) ? "empty" : json_type_name(choices));
    q->answer = answer_index(answer, choices, labels);
    if (q->answer < 0 || q->answer >= (int64_t)json_array_size(choices))
        return err_set(err, "'answer' does not name one of the %zu choices", json_array_size(choices));
    for (size_t i = 0; i < json_array_size(choices); i++)
        if (add_choice(t, q, json_string_value(context), json_array_get(choices, i), err) < 0)
            return -1;
    return 0;
}

/* A ready request: {request: {context, continuation}, doc_id, label}, one choice a record. */
static int read_request(struct choice_task *t, const json_t *obj, struct err *err)
{
    const json_t *request = json_object_get(obj, "request");
    json_t *doc_id = json_object_get(obj, "doc_id");
    const char *context;
    int64_t label;
    if (json_get_str(request, "context", &context, err) < 0 ||
        json_get_int(obj, "label", &label, err) < 0)
        return -1;
    struct question *last = t->n > 0 ? &t->questions[t->n - 1] : NULL;
    if (!last || !doc_id || !last->doc_id || !json_equal(last->doc_id, doc_id)) {
        GROW(t->questions, t->n, t->cap);
        last = &t->questions[t->n++];
        *last = (struct question){.answer = label, .doc_id = json_incref(doc_id)};
    }
    return add_choice(t, last, context, json_object_get(request, "continuation"), err);
}

static int add_record(struct choice_task *t, const json_t *obj, struct err *err)
{
    if (json_is_object(json_object_get(obj, "request")))
        return read_request(t, obj, err);
    struct question q = {0};
    if (read_question(t, obj, &q, err) < 0) {
        question_release(&q);
        return -1;
    }
    GROW(t->questions, t->n, t->cap);
    t->questions[t->n++] = q;
    return 0;
}

static void judge(struct choice_task *t, const struct question *q)
{
    int64_t best = 0, best_norm = 0;
    double top = -INFINITY, top_norm = -INFINITY;
    for (int64_t i = 0; i < q->n; i++) {
        const struct choice *c = &q->choices[i];
        double sum = 0;
        for (int64_t j = c->n_prompt; j < c->ids.n; j++)
            sum += (double)c->logprobs[j];
        if (sum > top) {
            top = sum;
            best = i;
        }
        if (sum / (double)c->n_bytes > top_norm) {
            top_norm = sum / (double)c->n_bytes;
            best_norm = i;
        }
    }
    t->n_done++;
    t->right += best == q->answer;
    t->right_norm += best_norm == q->answer;
}

/* Scores the first n questions that wait. */
static int score_questions(struct choice_task *t, int64_t n, struct err *err)
{
    struct score_seq *seqs = NULL;
    int64_t n_seqs = 0, cap = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < t->questions[i].n; j++) {
            struct choice *c = &t->questions[i].choices[j];
            GROW(seqs, n_seqs, cap);
            seqs[n_seqs++] = (struct score_seq){.tokens = c->ids.ids, .n = c->ids.n,
                                                .first = c->n_prompt, .logprobs = c->logprobs,
                                                .sampling = SAMPLING_DEFAULT};
        }
    int rc = 0;
    for (int64_t i = 0; i < n_seqs && rc == 0; i++)
        rc = score_check(t->e->model, &seqs[i], err);
    if (rc == 0)
        rc = score_run(t->e->model, seqs, n_seqs, t->e->o->batch_tokens, err);
    free(seqs);
    for (int64_t i = 0; i < n; i++) {
        if (rc == 0)
            judge(t, &t->questions[i]);
        question_release(&t->questions[i]);
    }
    memmove(t->questions, t->questions + n, (size_t)(t->n - n) * sizeof *t->questions);
    t->n -= n;
    t->positions = 0;
    return rc;
}

static int read_records(struct choice_task *t, const char *path, struct err *err)
{
    struct jsonl_reader *r = jsonl_reader_open(&path, 1, err);
    struct record rec;
    int rc = r ? 1 : -1;
    while (rc >= 0 && (rc = jsonl_reader_next(r, &rec, err)) > 0) {
        struct err why = {0};
        rc = add_record(t, rec.obj, &why);
        if (rc < 0 && (rc = jsonl_reader_reject(r, &rec, &why)) < 0)
            *err = why;
        json_decref(rec.obj);
        /* The last question may still get choices from the next record. */
        if (rc == 0 && t->n > 1 && t->positions >= t->e->o->batch_tokens)
            rc = score_questions(t, t->n - 1, err);
    }
    jsonl_reader_close(r);
    return rc < 0 || t->n == 0 ? rc : score_questions(t, t->n, err);
}

static void report_share(struct choice_task *t, const char *task, const char *metric, int64_t right)
{
    double n = (double)t->n_done, p = (double)right / n;
    eval_metric(t->e, task, metric, p, t->n_done > 1 ? sqrt(p * (1 - p) / (n - 1)) : NAN, true);
}

int eval_choice(struct eval *e, const char *task, const char *path, struct err *err)
{
    struct choice_task t = {.e = e};
    if (!e->tokenizer)
        return err_set(err, "--task choice needs a tokenizer, and '%s' has none", e->o->model);
    int rc = read_records(&t, path, err);
    if (rc == 0 && t.n_done == 0)
        rc = err_set(err, "%s: no question", task);
    if (rc == 0) {
        report_share(&t, task, "acc", t.right);
        report_share(&t, task, "acc_norm", t.right_norm);
        eval_samples(e, task, t.n_done);
    }
    for (int64_t i = 0; i < t.n; i++)
        question_release(&t.questions[i]);
    free(t.questions);
    return rc;
}
