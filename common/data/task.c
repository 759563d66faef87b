/* task.c - problems with exact answers: choosing, splitting, writing. */
#include "data/task.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/mem.h"
#include "data/task_internal.h"

#define TEST_SHARE 8      /* one in so many problems is a test problem */
#define SPLIT_SEED 0x7470 /* apart from the hash that makes the id */
/* Failing so often in a row means that hardly a new problem is left. */
#define MAX_ATTEMPTS 20000

const struct opt_enum task_names[] = {
    {"arithmetic", TASK_ARITHMETIC},
    {"countdown", TASK_COUNTDOWN},
    {"sort", TASK_SORT},
    {"list", TASK_LIST},
    {"count", TASK_COUNT},
    {"date", TASK_DATE},
    {"string", TASK_STRING},
    {"mix", TASK_MIX},
    {NULL, 0},
};

/* Helpers of the generators. */

void task_line(struct problem *p, const char *fmt, ...)
{
    va_list ap;
    if (p->trace.len)
        strbuf_addc(&p->trace, '\n');
    va_start(ap, fmt);
    strbuf_vaddf(&p->trace, fmt, ap);
    va_end(ap);
}

void task_set_number(struct problem *p, int64_t x)
{
    strbuf_addf(&p->truth, "%lld", (long long)x);
    p->answer = json_integer(x);
    p->dataset = "gsm8k";
}

int64_t task_between(struct rng *rng, int64_t low, int64_t high)
{
    return low + (int64_t)rng_below(rng, (uint64_t)(high - low + 1));
}

/* One problem. */

static void problem_clear(struct problem *p)
{
    strbuf_clear(&p->prompt);
    strbuf_clear(&p->key);
    strbuf_clear(&p->truth);
    strbuf_clear(&p->reply);
    strbuf_clear(&p->trace);
    json_decref(p->answer);
    p->answer = NULL;
    p->dataset = "exact";
}

void problem_release(struct problem *p)
{
    strbuf_release(&p->prompt);
    strbuf_release(&p->key);
    strbuf_release(&p->truth);
    strbuf_release(&p->reply);
    strbuf_release(&p->trace);
    json_decref(p->answer);
    *p = (struct problem){0};
}

static void make_kind(enum task_kind kind, int level, const struct task_options *o, struct rng *rng,
                      struct problem *p)
{
    switch (kind) {
    case TASK_ARITHMETIC:
        task_make_arithmetic(level, o, rng, p);
        return;
    case TASK_COUNTDOWN:
        task_make_countdown(level, rng, p);
        return;
    case TASK_SORT:
        task_make_sort(level, rng, p);
        return;
    case TASK_LIST:
        task_make_list(level, rng, p);
        return;
    case TASK_COUNT:
        task_make_count(level, rng, p);
        return;
    case TASK_DATE:
        task_make_date(level, rng, p);
        return;
    case TASK_STRING:
        task_make_string(level, rng, p);
        return;
    case TASK_MIX:
        break;
    }
    BUG("task %d makes no problems", (int)kind);
}

void task_make(enum task_kind kind, int difficulty, const struct task_options *o, struct rng *rng,
               struct problem *p)
{
    problem_clear(p);
    make_kind(kind, difficulty, o, rng, p);
    if (p->key.len == 0)
        strbuf_adds(&p->key, p->prompt.buf);
    if (p->reply.len == 0)
        strbuf_adds(&p->reply, p->truth.buf);
    if (!p->answer)
        p->answer = json_string(p->truth.buf);
}

bool task_in_test_split(const struct problem *p)
{
    return XXH3_64bits_withSeed(p->key.buf, p->key.len, SPLIT_SEED) % TEST_SHARE == 0;
}

/* The stream of problems. */

struct task_source {
    struct task_options o;
    uint64_t seed, n; /* n: records made */
    uint64_t *seen;   /* open hash table of keys' hashes, 0 = free */
    size_t n_seen, cap_seen;
    int order[TASK_N_KINDS];
    struct problem problem;
    int kind, level; /* of problem */
};

struct task_source *task_source_open(const struct task_options *o, uint64_t seed)
{
    struct task_source *s = xcalloc(1, sizeof *s);
    s->o = *o;
    s->seed = seed;
    return s;
}

void task_source_close(struct task_source *s)
{
    if (!s)
        return;
    problem_release(&s->problem);
    free(s->seen);
    free(s);
}

static bool seen_add(struct task_source *s, uint64_t hash)
{
    size_t i = hash & (s->cap_seen - 1);
    while (s->seen[i] && s->seen[i] != hash)
        i = (i + 1) & (s->cap_seen - 1);
    if (s->seen[i] == hash)
        return false;
    s->seen[i] = hash;
    s->n_seen++;
    return true;
}

static void seen_grow(struct task_source *s)
{
    uint64_t *old = s->seen;
    size_t n = s->cap_seen;
    s->cap_seen = n ? 2 * n : 1024;
    s->seen = xcalloc(s->cap_seen, sizeof *s->seen);
    s->n_seen = 0;
    for (size_t i = 0; i < n; i++) {
        if (old[i])
            seen_add(s, old[i]);
    }
    free(old);
}

static uint64_t key_hash(const struct problem *p)
{
    return XXH3_64bits(p->key.buf, p->key.len) | 1; /* 0 marks a free place */
}

static bool acceptable(struct task_source *s)
{
    if (task_in_test_split(&s->problem) != (s->o.split == TASK_TEST))
        return false;
    if (s->o.allow_duplicates)
        return true;
    if (2 * s->n_seen >= s->cap_seen)
        seen_grow(s);
    return seen_add(s, key_hash(&s->problem));
}

/* Every block of as many records as there are tasks has each task once, in random order. */
static int mixed_kind(struct task_source *s)
{
    int place = (int)(s->n % TASK_N_KINDS);
    if (place == 0) {
        struct rng rng;
        rng_init(&rng, s->seed, "task-gen mix", s->n, 0);
        for (int i = 0; i < TASK_N_KINDS; i++) {
            int k = (int)rng_below(&rng, (uint64_t)i + 1);
            s->order[i] = s->order[k];
            s->order[k] = i;
        }
    }
    return s->order[place];
}

static json_t *messages_of(const struct task_source *s)
{
    const struct problem *p = &s->problem;
    json_t *messages = json_array();
    char *prompt = s->o.prompt_suffix ? xasprintf("%s %s", p->prompt.buf, s->o.prompt_suffix)
                                      : xstrdup(p->prompt.buf);
    json_array_append_new(messages, json_pack("{s:s,s:s}", "role", "user", "content", prompt));
    free(prompt);
    if (s->o.trace) {
        char *reply = s->o.reply == TASK_BOXED ? xasprintf("\\boxed{%s}", p->reply.buf)
                                               : xasprintf("The answer is %s", p->reply.buf);
        json_array_append_new(messages,
                              json_pack("{s:s,s:s,s:s}", "role", "assistant", "reasoning_content",
                                        p->trace.buf, "content", reply));
        free(reply);
    }
    return messages;
}

static json_t *record_of(const struct task_source *s)
{
    const struct problem *p = &s->problem;
    json_t *obj = json_object();
    char *id = xasprintf("%s-%016llx", task_names[s->kind].name, (unsigned long long)key_hash(p));
    json_object_set_new(obj, "id", json_string(id));
    json_object_set_new(obj, "task", json_string(task_names[s->kind].name));
    json_object_set_new(obj, "difficulty", json_integer(s->level));
    json_object_set_new(obj, "messages", messages_of(s));
    if (s->o.form == TASK_RLVR) {
        json_object_set_new(obj, "ground_truth", json_string(p->truth.buf));
        json_object_set_new(obj, "dataset", json_string(p->dataset));
        json_object_set(obj, "answer", p->answer);
    }
    free(id);
    return obj;
}

json_t *task_source_next(struct task_source *s, struct err *err)
{
    s->kind = s->o.kind == TASK_MIX ? mixed_kind(s) : s->o.kind;
    for (uint64_t attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
        struct rng rng;
        rng_init(&rng, s->seed, "task-gen", s->n, attempt);
        s->level = (int)task_between(&rng, s->o.min_difficulty, s->o.max_difficulty);
        task_make((enum task_kind)s->kind, s->level, &s->o, &rng, &s->problem);
        if (acceptable(s)) {
            s->n++;
            return record_of(s);
        }
    }
    err_set(err,
            "no new '%s' problem found for the %s split after %llu records: ask for fewer, for "
            "another difficulty, or give --allow-duplicates",
            task_names[s->kind].name, s->o.split == TASK_TEST ? "test" : "train",
            (unsigned long long)s->n);
    return NULL;
}
