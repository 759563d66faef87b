/* recalc.c - records in, the same with a model's log-probabilities. */
#include "gen/recalc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "data/example.h"
#include "data/jsonl.h"
#include "gen/score.h"
#include "model/vocab.h"

/* A record in work: one sequence, or a pair's two. */
struct item {
    json_t *obj;
    int n_sides;
    struct example sides[2];
    float *logprobs[2]; /* [n_tokens] */
};

struct recalc {
    const struct recalc_options *o;
    const char *name; /* of the array */
    struct model *model;
    struct tokenizer *tokenizer; /* or NULL */
    int64_t n, cap, positions;
    struct item *items;
    struct mismatch mismatch;
};

static const char *const side_prefix[2] = {"chosen_", "rejected_"};

static void item_release(struct item *it)
{
    json_decref(it->obj);
    for (int s = 0; s < it->n_sides; s++) {
        example_release(&it->sides[s]);
        free(it->logprobs[s]);
    }
}

static struct score_seq side_seq(const struct item *it, int side)
{
    const struct example *e = &it->sides[side];
    return (struct score_seq){
        .tokens = e->tokens, .n = e->n_tokens, .first = e->n_prompt, .logprobs = it->logprobs[side],
        .sampling = {.temperature = e->temperature, .top_p = e->top_p, .min_p = e->min_p,
                     .top_k = e->top_k},
    };
}

/* Ids that are given are the model's business alone: a vocabulary may be padded beyond the
 * tokenizer's. */
static int parse_item(const struct recalc *r, json_t *obj, struct item *it, struct err *err)
{
    bool ids = example_has(obj, "token_ids") || example_has(obj, "tokens") || example_has(obj, "chosen_token_ids");
    struct example_reader reader = {.tokenizer = ids ? NULL : r->tokenizer,
                                    .tpl = (enum chat_template)r->o->tpl};
    bool pair = example_is_pair(obj);
    int rc = pair ? example_parse_pair(&reader, obj, &it->sides[0], &it->sides[1], err)
                  : example_parse(&reader, obj, &it->sides[0], err);
    if (rc < 0)
        return -1;
    it->n_sides = pair ? 2 : 1;
    it->obj = json_incref(obj);
    for (int s = 0; s < it->n_sides; s++) {
        const struct score_seq seq = side_seq(it, s);
        if (score_check(r->model, &seq, err) < 0)
            return -1;
    }
    return 0;
}

static void set_ids(json_t *obj, const char *prefix, const struct example *e)
{
    char key[64];
    int64_t n = e->n_tokens - e->n_prompt;
    snprintf(key, sizeof key, "%stoken_ids", prefix);
    json_object_set_new(obj, "prompt_token_ids", json_from_i32s(e->tokens, e->n_prompt));
    json_object_set_new(obj, key, json_from_i32s(e->tokens + e->n_prompt, n));
    /* Later user turns of a conversation are not trained on; the ids alone would not say so. */
    json_t *mask = json_array();
    bool holes = false;
    for (int64_t i = e->n_prompt; i < e->n_tokens; i++) {
        json_array_append_new(mask, json_integer(e->loss_mask[i]));
        holes |= e->loss_mask[i] == 0;
    }
    snprintf(key, sizeof key, "%sloss_mask", prefix);
    if (holes)
        json_object_set(obj, key, mask);
    json_decref(mask);
}

static void write_side(struct recalc *r, const struct item *it, int side)
{
    const struct example *e = &it->sides[side];
    const char *prefix = it->n_sides == 2 ? side_prefix[side] : "";
    bool whole = it->n_sides == 1 && example_has(it->obj, "tokens");
    int64_t first = whole ? 0 : e->n_prompt, n = e->n_tokens - first;
    char key[64];
    snprintf(key, sizeof key, "%stoken_ids", prefix);
    if (!whole && !(example_has(it->obj, key) && example_has(it->obj, "prompt_token_ids")))
        set_ids(it->obj, prefix, e);
    char *name = xasprintf("%s%s", prefix, r->name);
    json_object_set_new(it->obj, name, json_from_f32s(it->logprobs[side] + first, n));
    free(name);
    if (e->logprobs)
        mismatch_add(&r->mismatch, e->logprobs + e->n_prompt, it->logprobs[side] + e->n_prompt,
                     e->n_tokens - e->n_prompt);
}

/* Scores what was collected and writes it, in order. */
static int flush_items(struct recalc *r, struct err *err)
{
    struct score_seq *seqs = xcalloc(2 * (size_t)r->n + 1, sizeof *seqs);
    int64_t n = 0;
    for (int64_t i = 0; i < r->n; i++)
        for (int s = 0; s < r->items[i].n_sides; s++)
            seqs[n++] = side_seq(&r->items[i], s);
    int rc = score_run(r->model, seqs, n, r->o->batch_tokens, err);
    free(seqs);
    for (int64_t i = 0; i < r->n; i++) {
        struct item *it = &r->items[i];
        for (int s = 0; s < it->n_sides && rc == 0; s++)
            write_side(r, it, s);
        if (rc == 0)
            rc = jsonl_print(it->obj, err);
        item_release(it);
    }
    r->n = r->positions = 0;
    if (rc == 0 && fflush(stdout) != 0)
        rc = err_errno(err, "cannot write standard output");
    return rc;
}

static int add_record(struct recalc *r, const struct record *rec, struct err *err)
{
    GROW(r->items, r->n, r->cap);
    struct item *it = &r->items[r->n];
    *it = (struct item){0};
    if (parse_item(r, rec->obj, it, err) < 0) {
        item_release(it);
        return -1;
    }
    for (int s = 0; s < it->n_sides; s++) {
        struct example *e = &it->sides[s];
        /* Nothing predicts the first token, so in ids that are made here it is context. */
        if (it->n_sides == 1 && e->n_prompt == 0 && e->n_tokens > 0 && !example_has(it->obj, "token_ids"))
            e->n_prompt = 1;
        it->logprobs[s] = xcalloc((size_t)e->n_tokens + 1, sizeof(float));
        r->positions += e->n_tokens;
    }
    r->n++;
    return 0;
}

/* A full batch is worth waiting for only while records are there to be read: in a pipe the producer
 * may be waiting for what is held here. */
static int recalc_records(struct recalc *r, struct jsonl_reader *reader, struct err *err)
{
    struct record rec;
    int rc;
    while ((rc = jsonl_reader_next(reader, &rec, err)) > 0) {
        struct err why = {0};
        rc = add_record(r, &rec, &why);
        if (rc < 0 && (rc = jsonl_reader_reject(reader, &rec, &why)) < 0)
            *err = why;
        json_decref(rec.obj);
        bool full = r->positions >= r->o->batch_tokens || !jsonl_reader_ready(reader);
        if (rc == 0 && full && r->n > 0)
            rc = flush_items(r, err);
        if (rc < 0)
            return -1;
    }
    return rc < 0 || r->n == 0 ? rc : flush_items(r, err);
}

/* What people call them in short. */
static const char *array_name(const char *as)
{
    if (strcmp(as, "ref") == 0)
        return "ref_logprobs";
    if (strcmp(as, "old") == 0)
        return "old_logprobs";
    return as;
}

static int report(const struct recalc *r, struct err *err)
{
    const struct mismatch *m = &r->mismatch;
    double n = (double)m->tokens;
    if (m->tokens > 0)
        log_info("mismatch over %lld tokens: mean %.3g, max %.3g, k1 %.3g, k3 %.3g, effective sample "
                 "size %.4g%%, bitwise equal %.4g%%", (long long)m->tokens, m->sum_abs / n, m->max_abs,
                 m->k1 / n, m->k3 / n, 100 * m->w * m->w / (n * m->w2), 100 * (double)m->equal / n);
    else if (r->o->fail_above >= 0)
        log_warn("no record had 'logprobs' to compare with");
    int rc = 0;
    if (r->o->report) {
        json_t *obj = mismatch_json(m);
        rc = json_save_path(r->o->report, obj, err);
        json_decref(obj);
    }
    if (rc == 0 && r->o->fail_above >= 0 && m->max_abs > r->o->fail_above) {
        log_error("the largest difference is %.9g, more than %.9g (--fail-above)", m->max_abs,
                  r->o->fail_above);
        rc = EXIT_LIMIT;
    }
    return rc;
}

static int load(struct recalc *r, struct err *err)
{
    struct model_options mo = {.precision = r->o->precision, .device = r->o->device};
    int64_t vocab_size;
    if (vocab_load(r->o->model, &vocab_size, &r->tokenizer, err) == 0)
        r->model = model_load(r->o->model, &mo, err);
    return r->model ? 0 : -1;
}

int recalc_run(const struct recalc_options *o, const char **files, int n_files, struct err *err)
{
    struct recalc r = {.o = o, .name = array_name(o->as)};
    struct jsonl_reader *reader = jsonl_reader_open(files, n_files, err);
    int rc = reader ? load(&r, err) : -1;
    if (rc == 0)
        rc = recalc_records(&r, reader, err);
    if (rc == 0)
        rc = report(&r, err);
    for (int64_t i = 0; i < r.n; i++)
        item_release(&r.items[i]);
    free(r.items);
    jsonl_reader_close(reader);
    tokenizer_free(r.tokenizer);
    model_free(r.model);
    return rc;
}
