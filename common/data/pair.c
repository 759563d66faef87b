/* pair.c - preference pairs: filters, the output record, the report. */
#include "data/pair.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "data/pair_internal.h"

struct pair_maker *pair_open(const struct pair_options *o)
{
    struct pair_maker *m = xcalloc(1, sizeof *m);
    m->o = *o;
    return m;
}

void pair_close(struct pair_maker *m)
{
    if (!m)
        return;
    held_free(m->held);
    for (int i = 0; i < m->n_group; i++)
        half_release(&m->group[i]);
    free(m->group);
    strbuf_release(&m->group_key);
    free(m);
}

/* Halves. */

static int64_t count_chars(const char *s)
{
    int64_t n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

/* How many ids a member holds; absent ones leave *n alone. */
static int count_ids(const json_t *obj, const char *key, int64_t *n, struct err *err)
{
    int32_t *ids;
    int64_t count = json_get_i32s(obj, key, false, &ids, err);
    free(ids);
    if (count >= 0 && json_is_array(json_object_get(obj, key)))
        *n = count;
    return count < 0 ? -1 : 0;
}

int half_read(json_t *obj, struct half *out, struct err *err)
{
    int64_t n_prompt;
    *out = (struct half){.tokens = -1};
    if (response_read(obj, &out->response, err) < 0)
        return -1;
    if (response_check_prompt(obj, err) < 0 || json_opt_num(obj, "reward", &out->reward, err) < 0 ||
        count_ids(obj, "token_ids", &out->tokens, err) < 0 ||
        count_ids(obj, "prompt_token_ids", &n_prompt, err) < 0) {
        response_release(&out->response);
        return -1;
    }
    out->has_reward = json_is_number(json_object_get(obj, "reward"));
    out->chars = count_chars(out->response.text);
    out->obj = json_incref(obj);
    return 0;
}

void half_release(struct half *h)
{
    response_release(&h->response);
    json_decref(h->obj);
    *h = (struct half){0};
}

enum outcome half_check(const struct pair_options *o, const struct half *h, bool chosen)
{
    if (o->drop_truncated && h->response.truncated)
        return TRUNCATED;
    if (o->max_length && (h->tokens >= 0 ? h->tokens : h->chars) > o->max_length)
        return TOO_LONG;
    if (chosen && o->has_min_chosen && !(h->has_reward && h->reward >= o->min_chosen))
        return LOW_REWARD;
    return PAIRED;
}

enum outcome pair_check(const struct pair_options *o, const struct half *chosen,
                        const struct half *rejected)
{
    if (o->drop_equal && strcmp(chosen->response.text, rejected->response.text) == 0)
        return EQUAL_TEXT;
    if (o->has_min_gap && !(chosen->has_reward && rejected->has_reward &&
                            chosen->reward - rejected->reward >= o->min_gap))
        return SMALL_GAP;
    return PAIRED;
}

/* The output record. */

/* What describes one generation, not the prompt: kept twice. */
static const struct {
    const char *name, *chosen, *rejected;
    bool per_token; /* means something only beside the token ids */
} own_fields[] = {
    {"reward", "chosen_reward", "rejected_reward", false},
    {"rewards", "chosen_rewards", "rejected_rewards", false},
    {"verdict", "chosen_verdict", "rejected_verdict", false},
    {"model", "chosen_model", "rejected_model", false},
    {"finish_reason", "chosen_finish_reason", "rejected_finish_reason", false},
    {"sample", "chosen_sample", "rejected_sample", false},
    {"seed", "chosen_seed", "rejected_seed", false},
    {"sampling", "chosen_sampling", "rejected_sampling", false},
    {"weight_version", "chosen_weight_version", "rejected_weight_version", false},
    {"logprobs_mode", "chosen_logprobs_mode", "rejected_logprobs_mode", false},
    {"token_ids", "chosen_token_ids", "rejected_token_ids", true},
    {"logprobs", "chosen_logprobs", "rejected_logprobs", true},
    {"old_logprobs", "chosen_old_logprobs", "rejected_old_logprobs", true},
    {"ref_logprobs", "chosen_ref_logprobs", "rejected_ref_logprobs", true},
    {"policy_version", "chosen_policy_version", "rejected_policy_version", true},
};

static const char *const replaced[] = {"prompt",   "messages",         "completion",
                                       "response", "prompt_token_ids", "think_opened"};

static bool is_replaced(const char *key)
{
    for (size_t i = 0; i < ARRAY_SIZE(replaced); i++) {
        if (strcmp(replaced[i], key) == 0)
            return true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(own_fields); i++) {
        if (strcmp(own_fields[i].name, key) == 0)
            return true;
    }
    return false;
}

/* Ids of another tokenizer would be garbage beside the prompt's. */
static bool share_token_ids(const struct half *a, const struct half *b)
{
    const json_t *pa = json_object_get(a->obj, "prompt_token_ids");
    const json_t *pb = json_object_get(b->obj, "prompt_token_ids");
    return a->tokens >= 0 && b->tokens >= 0 && json_is_array(pa) && json_is_array(pb) &&
           json_equal(pa, pb);
}

static json_t *answer_value(const struct half *h, bool as_messages)
{
    if (!as_messages)
        return json_string(h->response.text);
    json_t *list = json_array();
    json_array_append_new(list, response_message(&h->response));
    return list;
}

static void add_texts(json_t *pair, const struct half *chosen, const struct half *rejected)
{
    json_t *prompt = response_prompt(chosen->obj);
    bool as_messages = json_is_array(prompt);
    if (prompt)
        json_object_set_new(pair, "prompt", prompt);
    json_object_set_new(pair, "chosen", answer_value(chosen, as_messages));
    json_object_set_new(pair, "rejected", answer_value(rejected, as_messages));
}

static void add_own_fields(json_t *pair, const struct half *chosen, const struct half *rejected,
                           bool with_ids)
{
    if (with_ids)
        json_object_set(pair, "prompt_token_ids", json_object_get(chosen->obj, "prompt_token_ids"));
    for (size_t i = 0; i < ARRAY_SIZE(own_fields); i++) {
        json_t *c = json_object_get(chosen->obj, own_fields[i].name);
        json_t *r = json_object_get(rejected->obj, own_fields[i].name);
        if (own_fields[i].per_token && !with_ids)
            continue;
        if (c)
            json_object_set(pair, own_fields[i].chosen, c);
        if (r)
            json_object_set(pair, own_fields[i].rejected, r);
    }
}

static void add_totals(struct totals *t, const struct half *h, bool rewarded, bool with_ids)
{
    t->reward += rewarded ? h->reward : 0;
    t->chars += (double)h->chars;
    t->tokens += with_ids ? (double)h->tokens : 0;
}

static void count_pair(struct pair_maker *m, const struct half *chosen, const struct half *rejected)
{
    bool rewarded = chosen->has_reward && rejected->has_reward;
    bool with_ids = chosen->tokens >= 0 && rejected->tokens >= 0;
    m->n_pairs++;
    m->n_rewarded += rewarded;
    m->n_better += rewarded && chosen->reward > rejected->reward;
    m->n_with_ids += with_ids;
    add_totals(&m->chosen_sum, chosen, rewarded, with_ids);
    add_totals(&m->rejected_sum, rejected, rewarded, with_ids);
}

json_t *pair_make(struct pair_maker *m, const struct half *chosen, const struct half *rejected)
{
    json_t *pair = json_object(), *value, *id = json_object_get(chosen->obj, "id");
    const char *key;
    if (id)
        json_object_set(pair, "id", id);
    add_texts(pair, chosen, rejected);
    add_own_fields(pair, chosen, rejected,
                   !m->o.drop_token_ids && share_token_ids(chosen, rejected));
    json_object_foreach(chosen->obj, key, value)
    {
        if (!is_replaced(key) && !json_object_get(pair, key))
            json_object_set(pair, key, value);
    }
    count_pair(m, chosen, rejected);
    return pair;
}

/* The report. */

static const char *const outcome_names[N_OUTCOMES] = {
    "paired", "unmatched", "surplus", "truncated", "too_long", "low_reward", "equal", "small_gap",
};

static json_t *side_json(const struct side *s)
{
    json_t *obj = json_object(), *counts = json_object();
    int64_t read = 0;
    for (int i = 0; i < N_OUTCOMES; i++) {
        read += s->n[i];
        json_object_set_new(counts, outcome_names[i], json_integer(s->n[i]));
    }
    json_object_set_new(obj, "read", json_integer(read));
    json_object_update(obj, counts);
    json_decref(counts);
    return obj;
}

static json_t *mean(double sum, int64_t n)
{
    return n ? json_number(sum / (double)n) : json_null();
}

static json_t *delta_json(const struct pair_maker *m)
{
    const struct totals *c = &m->chosen_sum, *r = &m->rejected_sum;
    json_t *obj = json_object();
    json_object_set_new(obj, "pairs_with_rewards", json_integer(m->n_rewarded));
    json_object_set_new(obj, "chosen_reward", mean(c->reward, m->n_rewarded));
    json_object_set_new(obj, "rejected_reward", mean(r->reward, m->n_rewarded));
    json_object_set_new(obj, "chosen_better", mean((double)m->n_better, m->n_rewarded));
    json_object_set_new(obj, "chosen_chars", mean(c->chars, m->n_pairs));
    json_object_set_new(obj, "rejected_chars", mean(r->chars, m->n_pairs));
    json_object_set_new(obj, "pairs_with_token_ids", json_integer(m->n_with_ids));
    json_object_set_new(obj, "chosen_tokens", mean(c->tokens, m->n_with_ids));
    json_object_set_new(obj, "rejected_tokens", mean(r->tokens, m->n_with_ids));
    return obj;
}

json_t *pair_report(struct pair_maker *m)
{
    json_t *obj = json_object();
    if (!m->pooled)
        held_count(m);
    json_object_set_new(obj, "mode", json_string(m->pooled ? "pool" : "join"));
    json_object_set_new(obj, "pairs", json_integer(m->n_pairs));
    if (m->pooled) {
        json_object_set_new(obj, "pool", side_json(&m->pool));
    } else {
        json_object_set_new(obj, "chosen", side_json(&m->chosen));
        json_object_set_new(obj, "rejected", side_json(&m->rejected));
    }
    json_object_set_new(obj, "mean", delta_json(m));
    return obj;
}

static void log_side(const char *name, const struct side *s)
{
    struct strbuf text = {0};
    int64_t read = 0;
    for (int i = 0; i < N_OUTCOMES; i++) {
        read += s->n[i];
        if (s->n[i])
            strbuf_addf(&text, ", %lld %s", (long long)s->n[i], outcome_names[i]);
    }
    log_info("%s: %lld read%s", name, (long long)read, text.len ? text.buf : "");
    strbuf_release(&text);
}

void pair_log(struct pair_maker *m)
{
    const struct totals *c = &m->chosen_sum, *r = &m->rejected_sum;
    double n = (double)m->n_pairs, k = (double)m->n_rewarded;
    if (m->pooled) {
        log_side("pool", &m->pool);
    } else {
        held_count(m);
        log_side("chosen", &m->chosen);
        log_side("rejected", &m->rejected);
    }
    log_info("%lld pairs", (long long)m->n_pairs);
    if (m->n_rewarded)
        log_info("mean reward: chosen %.4f, rejected %.4f; chosen is better in %.1f%%",
                 c->reward / k, r->reward / k, 100 * (double)m->n_better / k);
    if (m->n_pairs)
        log_info("mean length: chosen %.1f, rejected %.1f characters", c->chars / n, r->chars / n);
}
