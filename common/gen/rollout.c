/* rollout.c - prompts in, groups of sampled completions out. */
#include "gen/rollout.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/tool.h"
#include "data/example.h"
#include "gen/engine.h"
#include "gen/follow.h"
#include "gen/sampling.h"
#include "gen/stoptext.h"
#include "gen/weights_cost.h"
#include "model/vocab.h"

const struct opt_enum swap_mode_names[] = {
    {"inflight", SWAP_INFLIGHT}, {"sequence", SWAP_SEQUENCE}, {NULL, 0}};

/* One record and its samples, until the last of them is written. */
struct group {
    struct group *next;
    json_t *obj;
    int64_t number, n_done;
    struct token_list prompt;
    struct strbuf lines;
};

struct rollout {
    const struct rollout_options *o;
    const char *model_name;
    struct model *model;
    struct tokenizer *tokenizer; /* or NULL */
    struct engine *engine;
    struct prompt_source *source;
    struct follow follow;
    struct stop_text stop_text;
    struct token_list stop_ids;
    struct group *first, *last; /* open groups, in order */
    int64_t first_group, next_group, groups_done;
    bool ended, draining; /* no more input; new weights wait for running sequences to finish */
    struct weights_cost cost; /* of int8 weights */
    struct memory_report memory;
};

/* Groups. */

static void group_free(struct group *g)
{
    json_decref(g->obj);
    token_list_release(&g->prompt);
    strbuf_release(&g->lines);
    free(g);
}

/* Text is a view: ids that the tokenizer lacks (padding of the vocabulary) do not show. */
static json_t *completion_text(const struct tokenizer *t, const struct gen_result *res, struct err *err)
{
    struct strbuf text = {0};
    struct token_list known = {0};
    json_t *out = NULL;
    for (int64_t i = 0; i < res->n_tokens; i++)
        if (res->tokens[i] < tokenizer_vocab_size(t))
            token_list_add(&known, res->tokens[i]);
    strbuf_reserve(&text, 0);
    if (tokenizer_decode(t, known.ids, known.n, true, &text, err) == 0)
        out = json_stringn(text.buf, text.len);
    token_list_release(&known);
    strbuf_release(&text);
    return out;
}

/* The record with what was generated. */
static json_t *sample_json(const struct rollout *r, const struct group *g,
                           const struct gen_result *res, struct err *err)
{
    json_t *obj = json_copy(g->obj);
    json_object_set_new(obj, "prompt_token_ids", json_from_i32s(g->prompt.ids, g->prompt.n));
    json_object_set_new(obj, "token_ids", json_from_i32s(res->tokens, res->n_tokens));
    json_object_set_new(obj, "logprobs", json_from_f32s(res->logprobs, res->n_tokens));
    if (r->tokenizer) {
        json_t *text = completion_text(r->tokenizer, res, err);
        if (!text) {
            json_decref(obj);
            return NULL;
        }
        json_object_set_new(obj, "completion", text);
        if (chat_ids_open_think(r->tokenizer, g->prompt.ids, g->prompt.n))
            json_object_set_new(obj, "think_opened", json_true());
    }
    json_object_set_new(obj, "finish_reason", json_string(finish_reason_name(res->finish)));
    json_object_set_new(obj, "policy_version", json_from_i32s(res->policy_version, res->n_tokens));
    json_object_set_new(obj, "group", json_integer(g->number));
    json_object_set_new(obj, "group_size", json_integer(r->o->group));
    json_object_set_new(obj, "sample", json_integer((json_int_t)res->sample));
    json_object_set_new(obj, "seed", json_integer((json_int_t)r->o->prompts.seed));
    json_object_set_new(obj, "sampling", sampling_json(&r->o->sampling));
    json_object_set_new(obj, "model", json_string(r->model_name));
    return obj;
}

static int write_group(struct rollout *r, struct group *g, struct err *err)
{
    if (fwrite(g->lines.buf, 1, g->lines.len, stdout) != g->lines.len || fflush(stdout) != 0)
        return err_errno(err, "cannot write standard output");
    tool_counts.out += g->n_done;
    r->groups_done++;
    return 0;
}

/* Results come in the order of submission, so a group's are neighbours. */
static int take_results(struct rollout *r, struct err *err)
{
    struct gen_result res;
    while (engine_next(r->engine, &res)) {
        struct group *g = res.user;
        json_t *obj = NULL;
        if (weights_cost_add(&r->cost, r->model, &res, &r->o->sampling, err) == 0)
            obj = sample_json(r, g, &res, err);
        gen_result_release(&res);
        if (!obj)
            return -1;
        json_write(&g->lines, obj);
        strbuf_addc(&g->lines, '\n');
        json_decref(obj);
        if (++g->n_done < r->o->group)
            continue;
        if (write_group(r, g, err) < 0)
            return -1;
        r->first = g->next;
        if (!r->first)
            r->last = NULL;
        group_free(g);
    }
    return 0;
}

static int submit_group(struct rollout *r, struct group *g, struct err *err)
{
    struct gen_request q = {
        .prompt = g->prompt.ids, .n_prompt = g->prompt.n, .max_tokens = r->o->max_tokens,
        .sampling = r->o->sampling, .seed = r->o->prompts.seed, .record = (uint64_t)g->number,
        .stop_ids = r->stop_ids.ids, .n_stop_ids = (int)r->stop_ids.n,
        .stop_text = r->o->stop.n ? stop_text_found : NULL, .stop_arg = &r->stop_text, .user = g,
    };
    for (int64_t i = 0; i < r->o->group; i++) {
        q.sample = (uint64_t)i;
        if (engine_submit(r->engine, &q, err) < 0) {
            if (i > 0)
                BUG("sample %lld of a group is refused", (long long)i);
            return -1;
        }
    }
    if (r->last)
        r->last->next = g;
    else
        r->first = g;
    r->last = g;
    return 0;
}

/* Input. */

static int start_record(struct rollout *r, struct record *rec, struct err *err)
{
    struct example_reader reader = {.tokenizer = r->tokenizer, .tpl = (enum chat_template)r->o->tpl};
    struct group *g = xcalloc(1, sizeof *g);
    int64_t limit = r->o->max_prompt_tokens;
    g->obj = json_incref(rec->obj);
    g->number = r->next_group;
    int rc = example_parse_prompt(&reader, rec->obj, &g->prompt, err);
    if (rc == 0 && limit > 0 && g->prompt.n > limit)
        rc = err_set(err, "the prompt has %lld tokens, more than the %lld allowed "
                          "(--max-prompt-tokens)", (long long)g->prompt.n, (long long)limit);
    bool skipped = rc == 0 && g->number < r->first_group;
    if (rc == 0 && !skipped)
        rc = submit_group(r, g, err);
    if (rc == 0)
        r->next_group++;
    if (rc < 0 || skipped)
        group_free(g);
    return rc;
}

static bool may_start(const struct rollout *r)
{
    if (r->ended || r->draining || engine_running(r->engine) + engine_waiting(r->engine) >= r->o->batch)
        return false;
    if (r->o->follow && r->next_group >= r->follow.groups && r->next_group >= r->first_group)
        return false;
    /* Reading would stop the sequences that run. */
    return !engine_busy(r->engine) || prompt_source_ready(r->source);
}

static int fill(struct rollout *r, struct err *err)
{
    while (may_start(r)) {
        struct record rec;
        struct err why = {0};
        int rc = prompt_source_next(r->source, &rec, err);
        if (rc < 0)
            return -1;
        if (rc == 0) {
            r->ended = true;
            break;
        }
        rc = start_record(r, &rec, &why);
        if (rc < 0)
            rc = prompt_source_reject(r->source, &rec, &why);
        json_decref(rec.obj);
        if (rc < 0) {
            *err = why;
            return -1;
        }
    }
    return 0;
}

/* Following a policy. */

static int look_for_weights(struct rollout *r, struct err *err)
{
    if (!r->o->follow)
        return 0;
    int rc = follow_look(&r->follow, err);
    r->draining = rc > 0 && r->o->swap == SWAP_SEQUENCE && engine_busy(r->engine);
    if (rc > 0 && !r->draining)
        rc = follow_poll(&r->follow, r->model, err);
    if (rc > 0 && !r->draining)
        engine_set_version(r->engine, r->follow.version);
    return rc < 0 ? -1 : 0;
}

/* Nothing runs: either there is nothing left, or the trainer must allow the next group. */
static int wait_for_credits(struct rollout *r, struct err *err)
{
    if (!r->o->follow)
        return 0;
    fflush(stdout);
    int rc = follow_wait(&r->follow, r->model, r->next_group, r->o->follow_timeout, err);
    if (rc > 0)
        engine_set_version(r->engine, r->follow.version);
    return rc < 0 ? -1 : 0;
}

static int generate(struct rollout *r, struct err *err)
{
    double begin = clock_s();
    while (look_for_weights(r, err) == 0 && !r->follow.done && fill(r, err) == 0) {
        double rate = (double)engine_tokens(r->engine) / (clock_s() - begin + 1e-9);
        progress("groups", r->groups_done, 0, "%.0f tokens/s", rate);
        if (!engine_busy(r->engine)) {
            if (r->ended || wait_for_credits(r, err) < 0)
                break;
            continue;
        }
        if (engine_step(r->engine, err) < 0 || take_results(r, err) < 0)
            break;
    }
    progress_end();
    weights_cost_report(&r->cost);
    log_debug("%lld tokens, %.0f a second; %lld times a sequence gave up its place and started again",
              (long long)engine_tokens(r->engine), (double)engine_tokens(r->engine) / (clock_s() - begin + 1e-9),
              (long long)engine_preempted(r->engine));
    return err->set ? -1 : 0;
}

/* Set-up. */

static int load_from(struct rollout *r, const char *dir, struct err *err)
{
    struct model_options mo = {.precision = r->o->precision, .device = r->o->device,
                               .weights = r->o->weights};
    int64_t vocab_size;
    if (vocab_load(dir, &vocab_size, &r->tokenizer, err) < 0)
        return -1;
    r->model = model_load(dir, &mo, err);
    return r->model ? 0 : -1;
}

/* Leaves r->model NULL if the run that is followed is over before it began. */
static int load_model(struct rollout *r, struct err *err)
{
    const struct rollout_options *o = r->o;
    char *dir = NULL;
    int rc = 0;
    if (o->follow && follow_init(&r->follow, o->follow, err) < 0)
        return -1;
    if (o->model) {
        rc = load_from(r, o->model, err);
    } else {
        rc = follow_wait_first(&r->follow, o->follow_timeout, &dir, err);
        if (rc == 0 && dir)
            rc = load_from(r, dir, err);
        free(dir);
    }
    if (rc == 0 && r->model && o->follow)
        rc = follow_wait(&r->follow, r->model, o->first_group < 0 ? FOLLOW_NEXT : o->first_group,
                         o->follow_timeout, err);
    r->first_group = o->first_group < 0 ? r->follow.next_group : o->first_group;
    return rc < 0 ? -1 : 0;
}

static int set_up(struct rollout *r, struct err *err)
{
    const struct rollout_options *o = r->o;
    r->model_name = o->model ? o->model : o->follow;
    if (load_model(r, err) < 0 || !r->model)
        return err->set ? -1 : 0;
    if (o->stop.n && !r->tokenizer)
        return err_set(err, "--stop needs a tokenizer, and '%s' has none", r->model_name);
    if (!r->o->ignore_eos)
        sampling_stop_ids(&r->stop_ids, r->tokenizer, &r->model->cfg);
    stop_text_init(&r->stop_text, r->tokenizer, &o->stop);
    r->engine = engine_new(r->model, o->batch, 0, err);
    if (!r->engine)
        return -1;
    engine_limit_cache(r->engine, (size_t)o->kv_mib << 20);
    if (o->follow)
        engine_set_version(r->engine, r->follow.version);
    return 0;
}

static void tear_down(struct rollout *r)
{
    engine_free(r->engine);
    while (r->first) {
        struct group *g = r->first;
        r->first = g->next;
        group_free(g);
    }
    prompt_source_close(r->source);
    stop_text_release(&r->stop_text);
    token_list_release(&r->stop_ids);
    follow_release(&r->follow);
    tokenizer_free(r->tokenizer);
    model_free(r->model);
}

int rollout_run(const struct rollout_options *o, const char **files, int n_files, struct err *err)
{
    struct rollout r = {.o = o};
    int rc = -1;
    r.memory = memory_report_begin();
    r.source = prompt_source_open(files, n_files, &o->prompts, err);
    if (r.source)
        rc = set_up(&r, err);
    if (rc == 0 && r.model)
        rc = generate(&r, err);
    memory_report_end(&r.memory);
    tear_down(&r);
    return rc;
}
