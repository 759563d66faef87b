/* source_rollouts.c - groups of rollouts to advantages to a step's plan. */
#include "train/source_rollouts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

void source_rollouts_open(struct source_rollouts *s, const char **files, int n_files,
                          const struct example_reader *reader, int64_t micro_tokens)
{
    input_open(&s->input, files, n_files, reader);
    s->planner.micro_tokens = micro_tokens;
    s->planner.fields = BATCH_SAMPLER_LOGPROBS | BATCH_OLD_LOGPROBS | BATCH_ADVANTAGES |
                        (s->use_ref ? BATCH_REF_LOGPROBS : 0);
}

static int check_rollout(const struct source_rollouts *s, const struct example *e, struct err *err)
{
    const char *what = !e->has_reward ? "reward" : !e->logprobs ? "logprobs" : e->group < 0 ? "group"
                       : s->use_ref && !e->ref_logprobs ? "ref_logprobs" : NULL;

    if (what)
        return err_set(err, "%s:%lld: '%s' is missing", s->input.file, (long long)s->input.line, what);
    return 0;
}

/* 1 = got one, 0 = end, -1. */
static int next_rollout(struct source_rollouts *s, struct example *e, struct err *err)
{
    int rc;

    s->counted = s->records;
    memcpy(s->counted_digest, s->digest, sizeof s->digest);
    rc = input_next(&s->input, e, err);
    if (rc <= 0)
        return rc;
    s->records++;
    chain_digest(s->digest, e->tokens, (size_t)e->n_tokens * sizeof *e->tokens);
    chain_digest(s->digest, &e->reward, sizeof e->reward);
    return check_rollout(s, e, err) < 0 ? -1 : 1;
}

static void clear_batch(struct source_rollouts *s)
{
    for (int64_t i = 0; i < s->n; i++)
        example_release(&s->rollouts[i]);
    s->n = s->n_groups = 0;
}

static void start_group(struct source_rollouts *s)
{
    if (s->n_groups + 1 >= s->groups_cap) {
        s->groups_cap = s->groups_cap ? 2 * s->groups_cap : 64;
        s->group_first = xreallocarray(s->group_first, (size_t)s->groups_cap + 1, sizeof *s->group_first);
    }
    s->group_first[s->n_groups++] = s->n;
}

static void add_rollout(struct source_rollouts *s, const struct example *e)
{
    if (s->n == 0 || s->rollouts[s->n - 1].group != e->group)
        start_group(s);
    GROW(s->rollouts, s->n, s->cap);
    s->rollouts[s->n++] = *e;
}

/* Reads groups until the batch is full; the record that shows the last group's end is kept for the
 * next batch.  1 = full, 0 = the input ended before, -1. */
static int read_batch(struct source_rollouts *s, struct err *err)
{
    struct example e;
    int rc = 1;

    clear_batch(s);
    s->batch_start = s->counted;
    memcpy(s->batch_digest, s->counted_digest, sizeof s->counted_digest);
    if (s->has_pending)
        add_rollout(s, &s->pending);
    s->has_pending = false;
    while ((rc = next_rollout(s, &e, err)) > 0) {
        if (s->n_groups == s->groups_per_batch && s->rollouts[s->n - 1].group != e.group) {
            s->pending = e;
            s->has_pending = true;
            break;
        }
        add_rollout(s, &e);
    }
    if (rc < 0)
        return -1;
    if (rc == 0) {
        s->counted = s->records;
        memcpy(s->counted_digest, s->digest, sizeof s->digest);
    }
    if (s->n_groups > 0)
        s->group_first[s->n_groups] = s->n;
    return s->n_groups == s->groups_per_batch;
}

static int64_t staleness(const struct example *e, int64_t version)
{
    int64_t oldest = version;

    for (int64_t i = e->n_prompt; e->policy_version && i < e->n_tokens; i++)
        oldest = e->policy_version[i] < oldest ? e->policy_version[i] : oldest;
    return version - oldest;
}

/* Advantages of one group, and its share of the step's metrics.  Returns the standard deviation. */
static double judge_group(struct source_rollouts *s, int64_t first, int64_t n, struct metrics *m)
{
    double sum = 0, var = 0;

    for (int64_t i = 0; i < n; i++)
        sum += s->rollouts[first + i].reward;
    double mean = sum / (double)n;
    for (int64_t i = 0; i < n; i++) {
        double d = s->rollouts[first + i].reward - mean;
        var += d * d;
    }
    double sd = sqrt(var / (double)n);
    for (int64_t i = 0; i < n; i++) {
        struct example *e = &s->rollouts[first + i];
        double d = e->reward - mean;
        if (e->has_advantage)
            continue;
        e->advantage = s->advantage == ADVANTAGE_CENTERED   ? d
                       : s->advantage == ADVANTAGE_STANDARD ? d / (sd + 1e-6)
                       : n > 1                              ? d * (double)n / (double)(n - 1)
                                                            : 0;
    }
    metrics_add(m, "reward", sum, (double)n);
    metrics_add(m, "reward_std", sd, 1);
    metrics_add(m, "frac_reward_zero_std", sd == 0, 1);
    return sd;
}

/* Counts a rollout; 1 = it may be trained on, 0 = it is too old, -1. */
static int admit(struct source_rollouts *s, struct example *e, int64_t version, struct metrics *m,
                 struct err *err)
{
    int64_t stale = staleness(e, version);

    metrics_add(m, "completions/mean_length", (double)(e->n_tokens - e->n_prompt), 1);
    metrics_add(m, "completions/clipped_ratio", e->truncated, 1);
    metrics_add(m, "staleness/mean", (double)stale, 1);
    metrics_max(m, "staleness/max", (double)stale);
    if (s->max_staleness < 0 || stale <= s->max_staleness)
        return 1;
    metrics_sum(m, "stale_dropped", 1);
    if (s->stale_fails)
        return err_set(err, "a rollout of group %lld is %lld versions old, over --max-staleness %lld",
                       (long long)e->group, (long long)stale, (long long)s->max_staleness);
    return 0;
}

static void add_to_plan(struct source_rollouts *s, const struct example *e)
{
    struct plan_seq q = {.n_tokens = e->n_tokens, .tokens = e->tokens, .loss_mask = e->loss_mask,
                         .sampler_logprobs = e->logprobs,
                         .old_logprobs = e->old_logprobs ? e->old_logprobs : e->logprobs,
                         .ref_logprobs = e->ref_logprobs, .advantage = (float)e->advantage,
                         .inv_temp = e->temperature > 0 ? (float)(1 / e->temperature) : 1};

    planner_add(&s->planner, &q);
}

static int plan_groups(struct source_rollouts *s, int64_t from, int64_t to, int64_t version,
                       struct metrics *m, struct err *err)
{
    for (int64_t g = from; g < to; g++) {
        int64_t first = s->group_first[g], n = s->group_first[g + 1] - first;
        double sd = judge_group(s, first, n, m);
        for (int64_t i = first; i < first + n; i++) {
            int ok = admit(s, &s->rollouts[i], version, m, err);
            if (ok < 0)
                return -1;
            if (ok && sd > 0)
                add_to_plan(s, &s->rollouts[i]);
        }
    }
    return 0;
}

static int plan_step(void *self, int64_t step, struct metrics *m, struct err *err)
{
    struct source_rollouts *s = self;
    int64_t part = step % s->minibatches, n;

    /* A run resumed inside a batch reads that batch once more. */
    if (part == 0 || s->n_groups == 0) {
        int rc = read_batch(s, err);
        if (rc <= 0) {
            if (rc == 0 && s->n_groups > 0)
                log_info("the input ended %lld groups into a batch of %lld; they are not trained on",
                         (long long)s->n_groups, (long long)s->groups_per_batch);
            return rc;
        }
    }
    s->batch_used = part == s->minibatches - 1;
    planner_clear(&s->planner);
    n = s->n_groups;
    if (plan_groups(s, n * part / s->minibatches, n * (part + 1) / s->minibatches,
                    step / s->minibatches, m, err) < 0)
        return -1;
    return planner_finish(&s->planner);
}

static int micro_batch(void *self, int i, struct batch *out, struct err *err)
{
    struct source_rollouts *s = self;

    (void)err;
    planner_batch(&s->planner, i, out);
    return 0;
}

static json_t *save(void *self)
{
    struct source_rollouts *s = self;

    return json_pack("{s:I, s:s}", "records", (json_int_t)(s->batch_used ? s->counted : s->batch_start),
                     "digest", s->batch_used ? s->counted_digest : s->batch_digest);
}

/* A recorded stream is read again up to where the run was; a live one goes on by itself. */
static int load(void *self, const json_t *state, struct err *err)
{
    struct source_rollouts *s = self;
    const char *digest;
    int64_t records;
    struct example e;

    if (json_get_int(state, "records", &records, err) < 0 || json_get_str(state, "digest", &digest, err) < 0)
        return -1;
    if (!input_seekable(&s->input))
        return 0;
    while (s->records < records) {
        int rc = next_rollout(s, &e, err);
        if (rc < 0)
            return -1;
        if (rc == 0)
            return err_set(err, "the input has %lld rollouts; the run had read %lld", (long long)s->records,
                           (long long)records);
        example_release(&e);
    }
    s->counted = s->records;
    memcpy(s->counted_digest, s->digest, sizeof s->digest);
    if (strcmp(digest, s->digest) != 0)
        return err_set(err, "the first %lld rollouts are not those the run was trained on", (long long)records);
    return 0;
}

struct batch_source source_rollouts_source(struct source_rollouts *s)
{
    return (struct batch_source){.plan_step = plan_step, .micro_batch = micro_batch, .save = save,
                                 .load = load, .self = s, .fields = s->planner.fields};
}

void source_rollouts_release(struct source_rollouts *s)
{
    clear_batch(s);
    if (s->has_pending)
        example_release(&s->pending);
    free(s->rollouts);
    free(s->group_first);
    planner_release(&s->planner);
    input_close(&s->input);
}
