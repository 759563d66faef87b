/* judge.c - verifiers applied to records: what is judged, by whom. */
#include "reward/judge.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/mem.h"
#include "base/pool.h"
#include "base/rng.h"
#include "data/response.h"
#include "reward/judge_internal.h"

/* Options. */

static const struct {
    const char *name;
    enum term_kind kind;
} controls[] = {
    {"random", TERM_RANDOM},
    {"incorrect", TERM_INCORRECT},
    {"inverse", TERM_INVERSE},
    {"python-only", TERM_PYTHON},
    {"majority", TERM_MAJORITY},
};

static int find_term(const char *name, struct term *t, struct err *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(controls); i++) {
        if (strcmp(controls[i].name, name) == 0) {
            t->kind = controls[i].kind;
            return 0;
        }
    }
    t->kind = TERM_VERIFIER;
    t->verifier = verifier_find(name);
    if (!t->verifier)
        return err_set(err,
                       "unknown verifier '%s', expected one of %s, random, incorrect, inverse, "
                       "python-only, majority",
                       name, verifier_names());
    return 0;
}

static int parse_term(const char *text, struct term *t, struct err *err)
{
    size_t n = strcspn(text, ":");
    const char *rest = text[n] ? text + n + 1 : NULL;
    *t = (struct term){.name = xstrndup(text, n), .weight = 1, .p = 0.5};
    if (find_term(t->name, t, err) < 0)
        return -1;
    if (rest && t->kind == TERM_RANDOM) {
        n = strcspn(rest, ":");
        char *p = xstrndup(rest, n);
        int rc = parse_float(p, 0, 1, &t->p, err);
        free(p);
        if (rc < 0)
            return err_prefix(err, "probability in '%s'", text);
        rest = rest[n] ? rest + n + 1 : NULL;
    }
    if (rest && parse_float(rest, -1e9, 1e9, &t->weight, err) < 0)
        return err_prefix(err, "weight in '%s'", text);
    return 0;
}

static int add_term(struct judge *j, const char *text, struct err *err)
{
    if (j->n_terms == MAX_SCORES)
        return err_set(err, "more than %d verifiers", MAX_SCORES);
    struct term *t = &j->terms[j->n_terms++];
    if (parse_term(text, t, err) < 0)
        return -1;
    for (int i = 0; i + 1 < j->n_terms; i++) {
        if (strcmp(j->terms[i].name, t->name) == 0)
            return err_set(err, "verifier '%s' is given twice", t->name);
    }
    j->has_majority = j->has_majority || t->kind == TERM_MAJORITY;
    return 0;
}

/* A thread waits for each worker that is busy, so there are as many. */
static int start_workers(struct judge *j, struct err *err)
{
    int n = j->o.workers ? (int)j->o.workers : pool_threads();
    if (n != pool_threads())
        pool_init(n);
    j->workers = workers_open(n, j->o.verifier_seconds, err);
    if (!j->workers)
        return -1;
    j->cache = j->o.cache ? verdict_cache_open(j->o.cache, err) : NULL;
    return j->o.cache && !j->cache ? -1 : 0;
}

struct judge *judge_open(const struct judge_options *o, uint64_t seed, struct err *err)
{
    struct judge *j = xcalloc(1, sizeof *j);
    j->o = *o;
    j->seed = seed;
    pthread_mutex_init(&j->lock, NULL);
    int rc = shaping_check(&o->shaping, err);
    for (int i = 0; i < o->verifiers.n && rc == 0; i++)
        rc = add_term(j, o->verifiers.items[i], err);
    if (rc < 0) {
        err->status = EXIT_USAGE;
        judge_close(j);
        return NULL;
    }
    if (start_workers(j, err) < 0) {
        judge_close(j);
        return NULL;
    }
    return j;
}

void judge_close(struct judge *j)
{
    if (!j)
        return;
    judge_log(j);
    workers_close(j->workers);
    verdict_cache_close(j->cache);
    for (int i = 0; i < j->n_terms; i++)
        free(j->terms[i].name);
    for (int i = 0; i < j->n_tallies; i++)
        free(j->tallies[i].name);
    for (int i = 0; i < j->n_waiting; i++)
        judged_release(&j->waiting[i]);
    free(j->waiting);
    pthread_mutex_destroy(&j->lock);
    free(j);
}

/* One verifier. */

static int check_truth(const struct verifier *v, const json_t *truth, struct err *err)
{
    if (v->needs_truth && !truth)
        return err_set(err, "'ground_truth' is missing; verifier '%s' needs it", v->name);
    if (v->needs_truth && json_is_array(truth) && json_array_size(truth) == 0)
        return err_set(err, "'ground_truth' is an empty list");
    return 0;
}

static int judge_truths(const struct judge *j, const struct verifier *v, const struct answer *a,
                        const json_t *truth, struct verdict *out, struct err *err)
{
    struct verdict_key key;
    if (check_truth(v, truth, err) < 0)
        return -1;
    if (j->cache) {
        key = verdict_key(v, a, truth);
        if (verdict_cache_get(j->cache, key, out))
            return 0;
    }
    int rc = workers_judge(j->workers, v, a, truth, out, err);
    if (rc == 0 && j->cache)
        rc = verdict_cache_put(j->cache, key, out, err) < 0 ? JSONL_STOP : 0;
    return rc;
}

static int add_score(struct judged *g, const char *name, double weight, struct verdict v,
                     struct err *err)
{
    if (g->n_scores == MAX_SCORES) {
        verdict_release(&v);
        return err_set(err, "more than %d verifiers", MAX_SCORES);
    }
    g->scores[g->n_scores++] = (struct score){name, weight, v};
    return 0;
}

static int judge_one(const struct judge *j, const struct verifier *v, const struct answer *a,
                     const json_t *truth, double weight, struct judged *g, struct err *err)
{
    struct verdict verdict = {0};
    int rc = judge_truths(j, v, a, truth, &verdict, err);
    if (rc < 0) {
        verdict_release(&verdict);
        return rc;
    }
    return add_score(g, v->name, weight, verdict, err);
}

/* The record's own verifiers. */

/* NAME or NAME:WEIGHT */
static const struct verifier *named_by(const json_t *name, double *weight, struct err *err)
{
    const char *text = json_string_value(name), *colon;
    if (!text) {
        err_set(err, "'dataset' holds %s, expected a verifier's name", json_type_name(name));
        return NULL;
    }
    colon = strchr(text, ':');
    char *plain = xstrndup(text, strcspn(text, ":"));
    const struct verifier *v = verifier_find(plain);
    free(plain);
    *weight = 1;
    if (!v)
        err_set(err, "unknown verifier '%s' in 'dataset', expected one of %s (or use --verifier)",
                text, verifier_names());
    else if (colon && parse_float(colon + 1, -1e9, 1e9, weight, err) < 0) {
        err_prefix(err, "weight of '%s' in 'dataset'", text);
        v = NULL;
    }
    return v;
}

static int judge_list(const struct judge *j, const json_t *names, const struct answer *a,
                      struct judged *g, struct err *err)
{
    const json_t *truth = json_object_get(a->record, "ground_truth"), *name;
    size_t i, n = json_array_size(names);
    if (n == 0)
        return err_set(err, "'dataset' is an empty list");
    if (n > 1 && json_array_size(truth) != n)
        return err_set(err, "'dataset' names %zu verifiers, 'ground_truth' has %zu entries", n,
                       json_array_size(truth));
    json_array_foreach(names, i, name)
    {
        double weight;
        const struct verifier *v = named_by(name, &weight, err);
        const json_t *own = n > 1 ? json_array_get(truth, i) : truth;
        if (!v)
            return -1;
        for (int k = 0; k < g->n_scores; k++) {
            if (strcmp(g->scores[k].name, v->name) == 0)
                return err_set(err, "'dataset' names '%s' twice", v->name);
        }
        int rc = judge_one(j, v, a, own, weight, g, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int judge_own(const struct judge *j, const struct answer *a, struct judged *g,
                     struct err *err)
{
    const json_t *names = json_object_get(a->record, "dataset");
    if (json_is_array(names))
        return judge_list(j, names, a, g, err);
    if (!names)
        return err_set(err, "'dataset' is missing and no --verifier is given");
    double weight;
    const struct verifier *v = named_by(names, &weight, err);
    if (!v)
        return -1;
    return judge_one(j, v, a, json_object_get(a->record, "ground_truth"), weight, g, err);
}

/* Controls. */

/* Keyed by what the record is, not by where it stands, so that a shuffled or sharded stream gets
 * the same rewards. */
static double draw(const struct judge *j, const json_t *record)
{
    static const char *const keys[] = {"id", "group", "seed"};
    struct strbuf text = {0};
    int64_t sample = 0;
    struct err ignored = {0};
    struct rng rng;
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        const json_t *value = json_object_get(record, keys[i]);
        strbuf_addc(&text, '|');
        if (value)
            json_write(&text, value);
    }
    if (!json_object_get(record, "id") && !json_object_get(record, "group"))
        response_prompt_key(record, &text);
    if (json_opt_int(record, "sample", &sample, &ignored) < 0)
        sample = 0;
    rng_init(&rng, j->seed, "reward-verify", XXH3_64bits(text.buf, text.len), (uint64_t)sample);
    strbuf_release(&text);
    return rng_uniform(&rng);
}

static int judge_incorrect(const struct judge *j, const struct term *t, const struct answer *a,
                           struct judged *g, struct err *err)
{
    struct judged own = {0};
    struct verdict v = {.score = 1, .rule = "own-says-wrong"};
    int rc = judge_own(j, a, &own, err);
    for (int i = 0; i < own.n_scores; i++) {
        if (own.scores[i].verdict.score > 0)
            v = (struct verdict){.score = 0, .rule = "own-says-right"};
    }
    if (rc == 0 && own.scores[0].verdict.extracted)
        v.extracted = xstrdup(own.scores[0].verdict.extracted);
    judged_release(&own);
    return rc < 0 ? rc : add_score(g, t->name, t->weight, v, err);
}

static int judge_inverse(const struct judge *j, const struct term *t, const struct answer *a,
                         struct judged *g, struct err *err)
{
    struct judged own = {0};
    struct verdict v = {.rule = "one-minus-own"};
    int rc = judge_own(j, a, &own, err);
    double sum = 0;
    for (int i = 0; i < own.n_scores; i++)
        sum += own.scores[i].verdict.score;
    v.score = own.n_scores ? 1 - sum / own.n_scores : 0;
    if (rc == 0 && own.scores[0].verdict.extracted)
        v.extracted = xstrdup(own.scores[0].verdict.extracted);
    judged_release(&own);
    return rc < 0 ? rc : add_score(g, t->name, t->weight, v, err);
}

/* The vote is what the record's first own verifier extracts; the score comes with the group. */
static int judge_majority(const struct judge *j, const struct term *t, const struct answer *a,
                          struct judged *g, struct err *err)
{
    struct judged own = {0};
    struct verdict v = {0};
    int rc = judge_own(j, a, &own, err);
    if (rc == 0) {
        g->voter = verifier_find(own.scores[0].name);
        g->majority = g->n_scores;
        if (own.scores[0].verdict.extracted)
            v.extracted = xstrdup(own.scores[0].verdict.extracted);
    }
    judged_release(&own);
    return rc < 0 ? rc : add_score(g, t->name, t->weight, v, err);
}

static int judge_term(const struct judge *j, const struct term *t, const struct answer *a,
                      struct judged *g, struct err *err)
{
    struct verdict v = {0};
    switch (t->kind) {
    case TERM_VERIFIER:
        return judge_one(j, t->verifier, a, json_object_get(a->record, "ground_truth"), t->weight,
                         g, err);
    case TERM_INCORRECT:
        return judge_incorrect(j, t, a, g, err);
    case TERM_INVERSE:
        return judge_inverse(j, t, a, g, err);
    case TERM_PYTHON:
        v.score = strcasestr(a->whole, "python") != NULL;
        v.rule = v.score > 0 ? "mentions-python" : "no-python";
        return add_score(g, t->name, t->weight, v, err);
    case TERM_MAJORITY:
        return judge_majority(j, t, a, g, err);
    case TERM_RANDOM:
        v.score = draw(j, a->record) < t->p;
        v.rule = "random";
        return add_score(g, t->name, t->weight, v, err);
    }
    BUG("term of kind %d", (int)t->kind);
}

static int judge_answer(const struct judge *j, const struct answer *a, struct judged *g,
                        struct err *err)
{
    if (j->n_terms == 0)
        return judge_own(j, a, g, err);
    int rc = 0;
    for (int i = 0; i < j->n_terms && rc == 0; i++)
        rc = judge_term(j, &j->terms[i], a, g, err);
    return rc;
}

int judge_set_aside(struct judge *j, const struct judged *g, struct emit *out, struct err *err)
{
    if (!j->o.unverified) {
        err_prefix(err, "%s:%lld: no verdict (--unverified FILE keeps such records and goes on)",
                   g->file, (long long)g->line);
        return JSONL_STOP;
    }
    json_object_set_new(g->obj, "no_verdict", json_string(err->text));
    emit_aside(out, g->obj);
    err_clear(err);
    pthread_mutex_lock(&j->lock);
    j->n_unverified++;
    pthread_mutex_unlock(&j->lock);
    return 0;
}

static int judge_record(struct judge *j, struct judged *g, struct err *err)
{
    struct response r;
    if (response_read(g->obj, &r, err) < 0)
        return -1;
    struct answer a = {
        .text = j->o.whole_text ? r.text : r.answer,
        .whole = r.text,
        .think_opened = r.think_opened,
        .record = g->obj,
    };
    int rc = judge_answer(j, &a, g, err);
    if (rc == 0)
        rc = shaping_of(&j->o.shaping, &r, g->obj, &g->shaping, err);
    response_release(&r);
    json_object_del(g->obj, "no_verdict"); /* of an earlier try */
    return rc;
}

static struct judged judged_of(const struct record *rec)
{
    return (struct judged){.majority = -1,
                           .obj = json_incref(rec->obj),
                           .file = rec->file,
                           .line = rec->line,
                           .index = rec->index};
}

static int judge_process(void *self, struct record *rec, struct emit *out, struct err *err)
{
    struct judge *j = self;
    struct judged g = judged_of(rec);
    int rc = judge_record(j, &g, err);
    if (rc == 0) {
        judged_finish(j, &g, out);
        return 0;
    }
    if (rc == NO_VERDICT)
        rc = judge_set_aside(j, &g, out, err);
    judged_release(&g);
    return rc;
}

/* With majority: one without a verdict keeps its place, too. */
static int judge_member(void *self, struct record *rec, struct emit *out, struct err *err)
{
    struct judge *j = self;
    (void)out;
    if (!json_object_get(rec->obj, "group"))
        return err_set(err, "'group' is missing; 'majority' votes within groups");
    struct judged g = judged_of(rec);
    int rc = judge_record(j, &g, err);
    if (rc == NO_VERDICT) {
        g.no_verdict = xstrdup(err->text);
        err_clear(err);
        rc = 0;
    }
    if (rc == 0)
        group_add(j, &g);
    else
        judged_release(&g);
    return rc;
}

static int settle_batch(void *self, struct emit *out, struct err *err)
{
    return group_settle(self, false, out, err);
}

static int settle_last(void *self, struct emit *out, struct err *err)
{
    return group_settle(self, true, out, err);
}

struct jsonl_filter judge_filter(struct judge *j)
{
    struct jsonl_filter f = {.self = j, .process = judge_process, .aside = j->o.unverified};
    if (j->has_majority) {
        f.process = judge_member;
        f.batch = settle_batch;
        f.finish = settle_last;
    }
    return f;
}
