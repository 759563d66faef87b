/* distill_http.c - a teacher behind an OpenAI-compatible endpoint: chat completions. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "gen/distill.h"
#include "net/secret.h"

enum { MAX_REASON = 300 };

struct remote {
    const struct distill_options *o;
    struct http_client *client;
    char *url, *key;
    struct strbuf body;
};

/* Requests. */

/* Below 2^31, which every server takes; another for each sample, or all would be the same. */
static json_t *request_seed(uint64_t seed, int64_t group, int64_t sample)
{
    struct rng r;
    rng_init(&r, seed, "distill-gen", (uint64_t)group, (uint64_t)sample);
    return json_integer((json_int_t)(rng_u64_at(&r, 0) >> 33));
}

/* What chat completions are asked with. */
static void request_body(struct strbuf *out, const struct distill_options *o, const json_t *messages,
                         int64_t group, int64_t sample)
{
    json_t *body = json_object();
    if (o->endpoint_model)
        json_object_set_new(body, "model", json_string(o->endpoint_model));
    json_object_set(body, "messages", (json_t *)(uintptr_t)messages);
    json_object_set_new(body, o->old_max_tokens ? "max_tokens" : "max_completion_tokens",
                        json_integer(o->max_tokens));
    json_object_set_new(body, "temperature", json_number(o->sampling.temperature));
    /* What is off is left out: not every server knows these. */
    if (o->sampling.top_p < 1)
        json_object_set_new(body, "top_p", json_number(o->sampling.top_p));
    if (o->sampling.top_k > 0)
        json_object_set_new(body, "top_k", json_integer(o->sampling.top_k));
    if (o->sampling.min_p > 0)
        json_object_set_new(body, "min_p", json_number(o->sampling.min_p));
    if (o->send_seed)
        json_object_set_new(body, "seed", request_seed(o->seed, group, sample));
    json_write(out, body);
    json_decref(body);
}

static int submit(void *self, struct task *t, struct err *why)
{
    struct remote *r = self;
    if (json_is_true(json_object_get(t->obj, "continue_final_message")))
        return err_set(why, "'continue_final_message' is for --model");
    json_t *messages = distill_messages(t->obj);
    if (!json_is_array(messages) || json_array_size(messages) == 0) {
        json_decref(messages);
        return err_set(why, "no prompt: expected 'messages' or 'prompt'");
    }
    strbuf_clear(&r->body);
    request_body(&r->body, r->o, messages, t->group, t->sample);
    http_submit(r->client, r->body.buf, r->body.len, t);
    json_decref(messages);
    return 0;
}

/* Answers. */

static const json_t *first_choice(const json_t *doc)
{
    return json_array_get(json_object_get(doc, "choices"), 0);
}

static const char *reasoning_of(const json_t *message)
{
    const char *a = json_string_value(json_object_get(message, "reasoning_content"));
    const char *b = json_string_value(json_object_get(message, "reasoning"));
    return a && *a ? a : b && *b ? b : NULL;
}

/* The assistant message (new reference, reasoning under reasoning_content) of an answer that is complete;
 * NULL and why otherwise. */
static json_t *parse_answer(const json_t *doc, const char **finish_reason, struct err *why)
{
    const json_t *choice = first_choice(doc), *message = json_object_get(choice, "message");
    const json_t *content = json_object_get(message, "content");
    *finish_reason = json_string_value(json_object_get(choice, "finish_reason"));
    if (!json_is_object(message)) {
        err_set(why, "the answer has no choices[0].message");
        return NULL;
    }
    if (!*finish_reason) {
        err_set(why, "the answer is not finished: finish_reason is missing");
        return NULL;
    }
    const char *text = json_string_value(content), *reasoning = reasoning_of(message);
    bool called = json_array_size(json_object_get(message, "tool_calls")) > 0;
    bool cut = strcmp(*finish_reason, "length") == 0;
    if ((!text || !*text) && !(reasoning && cut) && !called && !cut) {
        err_set(why, "the answer is empty");
        return NULL;
    }
    json_t *m = json_pack("{s:s}", "role", "assistant");
    if (reasoning)
        json_object_set_new(m, "reasoning_content", json_string(reasoning));
    json_object_set_new(m, "content",
                        text ? json_stringn(text, json_string_length(content)) : json_string(""));
    if (called)
        json_object_set(m, "tool_calls", json_object_get(message, "tool_calls"));
    return m;
}

static void set_reason(const struct remote *r, long status, const char *text, struct err *why)
{
    char *clean = secret_clean(text, MAX_REASON, r->key);
    err_set(why, "status %ld: %s", status, clean);
    free(clean);
}

static const json_t *error_object(const json_t *doc)
{
    const json_t *error = json_object_get(doc, "error");
    return error && !json_is_null(error) ? error : NULL;
}

static const char *error_text(const json_t *error)
{
    const char *text = json_string_value(error);
    if (!text)
        text = json_string_value(json_object_get(error, "message"));
    return text ? text : "error without a message";
}

static bool quota_is_gone(const json_t *error)
{
    const char *code = json_string_value(json_object_get(error, "code"));
    const char *type = json_string_value(json_object_get(error, "type"));
    return (code && strcmp(code, "insufficient_quota") == 0) ||
           (type && strcmp(type, "insufficient_quota") == 0);
}

static enum http_verdict judge_document(const struct remote *r, const struct http_response *res,
                                        const json_t *doc, struct err *why)
{
    const char *reason;
    const json_t *error = error_object(doc);
    if (error) {
        set_reason(r, res->status, error_text(error), why);
        return quota_is_gone(error) ? HTTP_STOP : HTTP_RETRY;
    }
    const char *early = json_string_value(json_object_get(first_choice(doc), "finish_reason"));
    if (early && strcmp(early, "content_filter") == 0) {
        err_set(why, "refused by the server's content filter");
        return HTTP_GIVE_UP;
    }
    json_t *message = parse_answer(doc, &reason, why);
    json_decref(message);
    return message ? HTTP_DONE : HTTP_RETRY;
}

static enum http_verdict judge(void *arg, const struct http_response *res,
                               enum http_verdict by_status, struct err *why)
{
    const struct remote *r = arg;
    struct err parse_error = {0};
    json_t *doc = json_parse(res->body, res->n, &parse_error);
    enum http_verdict v = by_status;
    if (by_status != HTTP_DONE) {
        const json_t *error = error_object(doc);
        set_reason(r, res->status, error ? error_text(error) : res->n ? res->body : "no text", why);
        if (quota_is_gone(error))
            v = HTTP_STOP;
    } else if (!doc) {
        err_set(why, "the answer is no JSON object; %s", parse_error.text);
        v = HTTP_RETRY;
    } else {
        v = judge_document(r, res, doc, why);
    }
    json_decref(doc);
    return v;
}

/* One text with the reasoning in front, as a local model would have written it. */
static void whole_text(struct strbuf *out, const json_t *message)
{
    const char *reasoning = json_string_value(json_object_get(message, "reasoning_content"));
    const json_t *content = json_object_get(message, "content");
    strbuf_reserve(out, 1);
    if (reasoning)
        strbuf_addf(out, "<think>\n%s\n</think>\n", reasoning);
    strbuf_add(out, json_string_value(content), json_string_length(content));
}

static json_t *make_result(const struct remote *r, const struct task *t, const struct http_result *h)
{
    struct err why = {0};
    struct strbuf text = {0};
    const char *reason;
    json_t *doc = json_parse(h->body, h->n, &why);
    json_t *message = parse_answer(doc, &reason, &why);
    if (!message)
        BUG("an answer that was judged complete is not: %s", why.text);
    whole_text(&text, message);
    json_t *out = distill_record(t, message, text.buf, text.len, reason);
    const char *model = json_string_value(json_object_get(doc, "model"));
    if (!model)
        model = r->o->endpoint_model;
    if (model)
        json_object_set_new(out, "model", json_string(model));
    json_t *usage = json_object_get(doc, "usage");
    if (json_is_object(usage))
        json_object_set(out, "usage", usage);
    strbuf_release(&text);
    json_decref(doc);
    return out;
}

static int work(void *self, struct err *err)
{
    struct remote *r = self;
    struct http_result h;
    /* Short, so that a signal is seen soon. */
    int rc = http_work(r->client, 250, err);
    while (http_next(r->client, &h)) {
        struct task *t = h.user;
        t->finished = true;
        t->why = h.why;
        if (h.done)
            t->result = make_result(r, t, &h);
        http_result_release(&h);
    }
    return rc;
}

static void remote_free(void *self)
{
    struct remote *r = self;
    http_client_free(r->client);
    strbuf_release(&r->body);
    secret_free(r->key);
    free(r->url);
    free(r);
}

int teacher_open_endpoint(struct teacher *t, const struct distill_options *o, struct err *err)
{
    struct remote *r = xcalloc(1, sizeof *r);
    r->o = o;
    *t = (struct teacher){r, o->http.concurrency, submit, work, remote_free};
    r->url = http_chat_url(o->endpoint);
    if (secret_load(o->key_env, o->key_file, o->key_required, &r->key, err) < 0)
        return -1;
    struct http_options http = o->http;
    http.seed = o->seed;
    r->client = http_client_new(r->url, r->key, &http, judge, r, err);
    return r->client ? 0 : -1;
}
