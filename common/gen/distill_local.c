/* distill_local.c - a teacher on this machine: the engine. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/opt.h"
#include "data/example.h"
#include "gen/distill.h"
#include "gen/engine.h"
#include "gen/sampling.h"
#include "gen/weights_cost.h"
#include "model/vocab.h"

struct local {
    const struct distill_options *o;
    struct model *model;
    struct tokenizer *tokenizer;
    struct engine *engine;
    enum chat_template tpl;
    struct token_list stop_ids;
    struct weights_cost cost; /* of int8 weights */
};

static int submit(void *self, struct task *t, struct err *why)
{
    struct local *l = self;
    struct example_reader reader = {.tokenizer = l->tokenizer, .tpl = l->tpl};
    struct token_list prompt = {0};
    int rc = example_parse_prompt(&reader, t->obj, &prompt, why);
    struct gen_request req = {
        .prompt = prompt.ids,
        .n_prompt = prompt.n,
        .max_tokens = l->o->max_tokens,
        .sampling = l->o->sampling,
        .seed = l->o->seed,
        .record = (uint64_t)t->group,
        .sample = (uint64_t)t->sample,
        .stop_ids = l->stop_ids.ids,
        .n_stop_ids = (int)l->stop_ids.n,
        .user = t,
    };
    if (rc == 0)
        rc = engine_submit(l->engine, &req, why);
    token_list_release(&prompt);
    return rc;
}

/* The ids the answer was made from, so that a trainer need not tokenize its text again. */
static void add_exact(struct local *l, json_t *out, const struct gen_result *r, json_t *prompt_ids)
{
    json_object_set_new(out, "prompt_token_ids", prompt_ids);
    json_object_set_new(out, "token_ids", json_from_i32s(r->tokens, r->n_tokens));
    json_object_set_new(out, "logprobs", json_from_f32s(r->logprobs, r->n_tokens));
    json_object_set_new(out, "sampling", sampling_json(&l->o->sampling));
    json_object_set_new(out, "seed", json_integer((json_int_t)l->o->seed));
    json_object_set_new(out, "model", json_string(l->o->model));
    json_object_set_new(out, "usage", distill_usage(r->n_prompt, r->n_tokens));
    if (chat_ids_open_think(l->tokenizer, r->prompt, r->n_prompt)) /* the text begins inside the reasoning */
        json_object_set_new(out, "think_opened", json_true());
}

/* Encoding again is cheaper than keeping the ids of everything in flight. */
static json_t *prompt_ids(struct local *l, const struct task *t, struct err *why)
{
    struct example_reader reader = {.tokenizer = l->tokenizer, .tpl = l->tpl};
    struct token_list prompt = {0};
    json_t *ids = NULL;
    if (example_parse_prompt(&reader, t->obj, &prompt, why) == 0)
        ids = json_from_i32s(prompt.ids, prompt.n);
    token_list_release(&prompt);
    return ids;
}

/* As rollout-gen: ids that the tokenizer lacks (padding of the vocabulary) do not show. */
static int decode(const struct local *l, const struct gen_result *r, struct strbuf *text,
                  struct err *why)
{
    struct token_list known = {0};
    strbuf_reserve(text, 1);
    for (int64_t i = 0; i < r->n_tokens; i++)
        if (r->tokens[i] < tokenizer_vocab_size(l->tokenizer))
            token_list_add(&known, r->tokens[i]);
    int rc = tokenizer_decode(l->tokenizer, known.ids, known.n, true, text, why);
    token_list_release(&known);
    return rc;
}

static void finish(struct local *l, struct task *t, const struct gen_result *r)
{
    struct strbuf text = {0};
    t->finished = true;
    json_t *ids = prompt_ids(l, t, &t->why);
    if (ids && decode(l, r, &text, &t->why) == 0) {
        bool opens = chat_ids_open_think(l->tokenizer, r->prompt, r->n_prompt);
        json_t *message = chat_parse_completion(opens, text.buf);
        if (!message)
            BUG("decoded text is not UTF-8");
        t->result = distill_record(t, message, text.buf, text.len, finish_reason_name(r->finish));
        add_exact(l, t->result, r, json_incref(ids));
    }
    json_decref(ids);
    strbuf_release(&text);
}

static int work(void *self, struct err *err)
{
    struct local *l = self;
    struct gen_result r;
    if (engine_busy(l->engine) && engine_step(l->engine, err) < 0)
        return -1;
    while (engine_next(l->engine, &r)) {
        finish(l, r.user, &r);
        int rc = weights_cost_add(&l->cost, l->model, &r, &l->o->sampling, err);
        gen_result_release(&r);
        if (rc < 0)
            return -1;
    }
    return 0;
}

static void local_free(void *self)
{
    struct local *l = self;
    weights_cost_report(&l->cost);
    if (l->engine)
        engine_free(l->engine);
    if (l->model)
        model_free(l->model);
    if (l->tokenizer)
        tokenizer_free(l->tokenizer);
    token_list_release(&l->stop_ids);
    free(l);
}

int teacher_open_local(struct teacher *t, const struct distill_options *o, struct err *err)
{
    struct local *l = xcalloc(1, sizeof *l);
    int64_t vocab_size;
    l->o = o;
    /* Twice the slots: a free one never waits for the next prompt to be read. */
    *t = (struct teacher){l, 2 * o->batch, submit, work, local_free};
    if (vocab_load(o->model, &vocab_size, &l->tokenizer, err) < 0)
        return -1;
    if (!l->tokenizer)
        return err_set(err, "'%s' has no tokenizer.json", o->model);
    if (chat_resolve(l->tokenizer, (enum chat_template)o->tpl, &l->tpl, err) < 0)
        return -1;
    l->model = model_load(o->model, &o->device, err);
    if (!l->model)
        return -1;
    sampling_stop_ids(&l->stop_ids, l->tokenizer, &l->model->cfg);
    l->engine = engine_new(l->model, o->batch, o->max_length, err);
    if (!l->engine)
        return -1;
    engine_limit_cache(l->engine, (size_t)o->kv_mib << 20);
    return 0;
}
