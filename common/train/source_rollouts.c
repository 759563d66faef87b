/* source_rollouts.c - reinforcement learning: groups of rewarded rollouts, as they come. */
#include "train/source_rollouts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "data/jsonl.h"

void source_rollouts_open(struct source_rollouts *s, const char **files, int n_files,
                          const struct example_reader *reader, const struct planner *plan)
{
    input_open(&s->input, files, n_files, reader);
    s->planner = *plan;
    s->planner.fields = s->fields | BATCH_SAMPLER_LOGPROBS;
    s->batch = -1;
}

static void release_batch(struct source_rollouts *s)
{
    for (int64_t i = 0; i < s->n; i++)
        example_release(&s->rollouts[i].e);
    s->n = s->n_kept = 0;
}

void source_rollouts_release(struct source_rollouts *s)
{
    release_batch(s);
    if (s->have_pending)
        example_release(&s->pending);
    free(s->rollouts);
    free(s->kept);
    input_close(&s->input);
    planner_release(&s->planner);
    *s = (struct source_rollouts){0};
}

/* --- records --------------------------------------------------------------------------------- */

static void warn_truncated_sampling(struct source_rollouts *s, const struct example *e)
{
    if (s->told_truncation || (e->top_p >= 1 && e->top_k == 0 && e->min_p <= 0))
        return;
    s->told_truncation = true;
    log_warn("the rollouts were sampled with top_p, top_k or min_p: the ratios compare with the "
             "untruncated distribution");
}

static int check_rollout(struct source_rollouts *s, const struct example *e, struct err *why)
{
    if (e->group < 0)
        return err_set(why, "'group' is missing");
    if (!e->has_reward)
        return err_set(why, "'reward' is missing (reward-verify adds it)");
    if (!e->logprobs && !e->old_logprobs)
        return err_set(why, "'logprobs' is missing: what the sampler recorded, or logprob-recalc adds");
    if (!e->logprobs && s->fields & BATCH_SAMPLER_LOGPROBS)
        return err_set(why, "'logprobs' is missing; --correction needs what the sampler recorded");
    if (!e->ref_logprobs && s->fields & BATCH_REF_LOGPROBS)
        return err_set(why, "'ref_logprobs' is missing; --kl-coef needs it (logprob-recalc --as "
                            "ref_logprobs)");
    if (!(e->temperature > 0))
        return err_set(why, "the temperature is %g: greedy rollouts have no log-probabilities to learn "
                            "from",
                       e->temperature);
    if (!isfinite(e->reward))
        return err_set(why, "the reward is not finite");
    return 0;
}

/* The verifiers' own rewards, for the plots. */
static void verifier_metrics(const json_t *obj, struct metrics *m)
{
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(obj, "rewards"), name, value) {
        char metric[48];
        snprintf(metric, sizeof metric, "rewards/%.24s/mean", name);
        if (json_is_number(value))
            metrics_add(m, metric, json_number_value(value), 1);
    }
}

/* The place in the input; extra_groups is a count of its own. */
static void set_place(struct rollout_place *to, const struct rollout_place *from)
{
    to->records = from->records;
    memcpy(to->digest, from->digest, sizeof to->digest);
}

/* Gives the last record back: it belongs to the next group, and is not consumed yet. */
static void keep_for_later(struct source_rollouts *s, const struct example *e)
{
    s->pending = *e;
    s->have_pending = true;
    set_place(&s->after_pending, &s->place);
    set_place(&s->place, &s->before_last);
}

/* A bad record that is skipped stands for its place in its group, which would wait for it. */
static bool is_bad(const struct example *e)
{
    return e->n_tokens == 0;
}

static void stand_in(const json_t *obj, struct example *out)
{
    struct err ignored = {0};
    *out = (struct example){.group = -1};
    if (json_opt_int(obj, "group", &out->group, &ignored) < 0 || out->group < 0)
        out->group = -1;
    if (json_opt_int(obj, "group_size", &out->group_size, &ignored) < 0 || out->group_size < 0)
        out->group_size = 0;
}

/* One record: 1 (is_bad() if it was skipped), 0 at the end, -1. */
static int read_rollout(struct source_rollouts *s, struct example *out, struct metrics *m,
                        struct err *err)
{
    json_t *obj;
    struct err why = {0};
    int rc = input_next_object(&s->input, &obj, err);
    if (rc <= 0)
        return rc;
    s->place.records++;
    chain_digest(s->place.digest, s->input.text.buf, s->input.text.len);
    rc = example_parse(s->input.reader, obj, out, &why);
    if (rc == 0 && (rc = check_rollout(s, out, &why)) < 0)
        example_release(out);
    if (rc == 0) {
        verifier_metrics(obj, m);
        warn_truncated_sampling(s, out);
    } else {
        stand_in(obj, out);
        rc = input_reject(&s->input, &why, err);
    }
    json_decref(obj);
    return rc < 0 ? -1 : 1;
}

/* The next record that was not trained on before: 1, 0 at the end, -1. */
static int next_rollout(struct source_rollouts *s, struct example *out, struct metrics *m,
                        struct err *err)
{
    if (s->have_pending) {
        *out = s->pending;
        s->have_pending = false;
        set_place(&s->place, &s->after_pending);
        return 1;
    }
    for (;;) {
        set_place(&s->before_last, &s->place);
        int rc = read_rollout(s, out, m, err);
        if (rc <= 0 || out->group < 0 || out->group >= s->first_group)
            return rc;
        if (!s->told_earlier)
            log_warn("groups below %lld come again: they were trained on before the checkpoint, "
                     "and are left out",
                     (long long)s->first_group);
        s->told_earlier = true;
        example_release(out);
    }
}

/* --- groups ---------------------------------------------------------------------------------- */

void group_advantages(enum advantage_type type, double eps, const double *rewards, int64_t n,
                      double *advantages)
{
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < n; i++)
        mean += rewards[i];
    mean /= (double)n;
    for (int64_t i = 0; i < n; i++)
        variance += (rewards[i] - mean) * (rewards[i] - mean);
    variance /= (double)n;
    double scale = type == ADVANTAGE_STANDARD        ? 1 / (sqrt(variance) + eps)
                   : type == ADVANTAGE_RLOO && n > 1 ? (double)n / (double)(n - 1)
                                                     : 1;
    for (int64_t i = 0; i < n; i++)
        advantages[i] = scale * (rewards[i] - mean);
}

static void add_rollout(struct source_rollouts *s, const struct example *e)
{
    GROW(s->rollouts, s->n, s->cap);
    s->rollouts[s->n++] = (struct rollout){.e = *e, .keep = true};
}

static void drop_since(struct source_rollouts *s, int64_t first)
{
    while (s->n > first)
        example_release(&s->rollouts[--s->n].e);
}

static void add_extra_groups(struct source_rollouts *s, int64_t n)
{
    s->place.extra_groups += n;
    if (s->publisher)
        s->publisher->extra_groups = s->place.extra_groups;
}

/* A group the generator made for nothing: it may make another. */
static int group_does_not_count(struct source_rollouts *s, struct err *err)
{
    add_extra_groups(s, 1);
    if (!s->publisher)
        return 0;
    return publisher_credits(s->publisher, (int32_t)s->batch, PUBLISHER_RUNNING, err);
}

#define DROPS_SHOWN 10

/* A stream of old groups is one fact, not a thousand. */
static bool may_tell(struct source_rollouts *s)
{
    s->told_drops++;
    if (s->told_drops == DROPS_SHOWN + 1)
        log_warn("more groups are left out without a message");
    return s->told_drops <= DROPS_SHOWN;
}

static int leave_out(struct source_rollouts *s, int64_t first, int64_t size, struct err *err)
{
    int64_t n_usable = 0;
    for (int64_t i = first; i < s->n; i++)
        n_usable += !is_bad(&s->rollouts[i].e);
    if (may_tell(s))
        log_warn("group %lld has only %lld of %lld usable records and is left out",
                 (long long)s->rollouts[first].e.group, (long long)n_usable, (long long)size);
    drop_since(s, first);
    return group_does_not_count(s, err);
}

/* Another group begins before the last one was whole: bad data, unless bad records were skipped. */
static int cut_short(struct source_rollouts *s, int64_t first, int64_t size,
                     const struct example *next, struct err *err)
{
    if (jsonl_options.skip_bad)
        return leave_out(s, first, size, err);
    return err_set(err, "%s:%lld: group %lld begins, but group %lld has only %lld of %lld records "
                        "(--group)",
                   s->input.file, (long long)s->input.line, (long long)next->group,
                   (long long)s->rollouts[first].e.group, (long long)(s->n - first),
                   (long long)size);
}

/* The group that begins at `first` is read: it stays, or is left out when it has bad records. */
static int end_group(struct source_rollouts *s, int64_t first, int64_t size, struct err *err)
{
    int64_t group = s->rollouts[first].e.group;
    bool bad = false;
    if (s->place.next_group <= group)
        s->place.next_group = group + 1;
    for (int64_t i = first; i < s->n; i++)
        bad |= is_bad(&s->rollouts[i].e);
    return bad && leave_out(s, first, size, err) < 0 ? -1 : 1;
}

/* The input ended within the group that begins at `first`: as read_group(). */
static int last_group(struct source_rollouts *s, int64_t first, int64_t size, struct err *err)
{
    if (s->n == first)
        return 0;
    if (size == 0)
        return end_group(s, first, size, err);
    log_warn("the input ended in group %lld, which is left out",
             (long long)s->rollouts[first].e.group);
    drop_since(s, first);
    return 0;
}

/* Appends one group to s->rollouts, or nothing if it is left out: 1, 0 when the input ends, -1. */
static int read_group(struct source_rollouts *s, struct metrics *m, struct err *err)
{
    int64_t first = s->n, size = s->group_size;
    while (size == 0 || s->n - first < size) {
        struct example e;
        int rc = next_rollout(s, &e, m, err);
        if (rc <= 0)
            return rc < 0 ? -1 : last_group(s, first, size, err);
        bool goes_on = s->n > first && (e.group < 0 || e.group == s->rollouts[first].e.group);
        if (s->n > first && !goes_on && size == 0) {
            keep_for_later(s, &e);
            break;
        }
        if (s->n > first && !goes_on && cut_short(s, first, size, &e, err) < 0) {
            example_release(&e);
            return -1;
        }
        if (!goes_on)
            size = s->group_size ? s->group_size : e.group_size;
        if (is_bad(&e) && (size == 0 || (!goes_on && e.group < 0)))
            continue; /* nobody waits for it */
        add_rollout(s, &e);
    }
    return end_group(s, first, size, err);
}

/* Versions between the weights that train and the oldest that sampled a token of e. */
static int64_t staleness(const struct source_rollouts *s, const struct example *e)
{
    int64_t oldest = s->batch;
    for (int64_t i = 0; e->policy_version && i < e->n_tokens; i++)
        if (e->loss_mask[i] && e->policy_version[i] >= 0 && e->policy_version[i] < oldest)
            oldest = e->policy_version[i];
    return s->batch - oldest;
}

/* Marks what is too old.  Returns how many of the group are left, -1 with --stale fail. */
static int64_t judge_staleness(struct source_rollouts *s, int64_t first, struct metrics *m,
                               struct err *err)
{
    int64_t left = 0;
    for (int64_t i = first; i < s->n; i++) {
        struct rollout *r = &s->rollouts[i];
        int64_t age = staleness(s, &r->e);
        bool stale = s->max_staleness >= 0 && age > s->max_staleness;
        metrics_add(m, "staleness/mean", (double)age, 1);
        metrics_max(m, "staleness/max", (double)age);
        metrics_sum(m, "stale_dropped", stale);
        if (stale && s->stale_fail)
            return err_set(err, "a rollout of group %lld is %lld policy versions old, more than "
                                "--max-staleness %lld",
                           (long long)r->e.group, (long long)age, (long long)s->max_staleness);
        r->keep = !stale;
        left += !stale;
    }
    return left;
}

static void length_metrics(const struct rollout *r, struct metrics *m)
{
    double n = 0;
    for (int64_t i = 1; i < r->e.n_tokens; i++)
        n += r->e.loss_mask[i] != 0;
    metrics_add(m, "completions/mean_length", n, 1);
    metrics_max(m, "completions/max_length", n);
    metrics_add(m, "completions/clipped_ratio", r->e.truncated, 1);
}

/* The records' own advantages if all have one, else those of their rewards.  Returns whether they
 * say anything. */
static bool settle_advantages(struct source_rollouts *s, int64_t first, const double *rewards)
{
    int64_t n = s->n - first;
    double *advantages = xreallocarray(NULL, (size_t)n, sizeof *advantages);
    bool own = true, differ = false;
    group_advantages(s->advantage, s->advantage_eps, rewards, n, advantages);
    for (int64_t i = 0; i < n; i++)
        own &= s->rollouts[first + i].e.has_advantage;
    for (int64_t i = 0; i < n; i++) {
        struct rollout *r = &s->rollouts[first + i];
        r->advantage = own ? r->e.advantage : advantages[i];
        differ |= own ? r->advantage != 0 : rewards[i] != rewards[0];
    }
    free(advantages);
    return differ;
}

/* Advantages and the group's metrics.  Returns whether the group has a signal. */
static bool settle_group(struct source_rollouts *s, int64_t first, struct metrics *m)
{
    int64_t n = s->n - first;
    double *rewards = xreallocarray(NULL, (size_t)n, sizeof *rewards);
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < n; i++) {
        rewards[i] = s->rollouts[first + i].e.reward;
        mean += rewards[i] / (double)n;
        length_metrics(&s->rollouts[first + i], m);
        metrics_add(m, "reward", rewards[i], 1);
    }
    bool signal = settle_advantages(s, first, rewards);
    for (int64_t i = 0; i < n; i++) {
        struct rollout *r = &s->rollouts[first + i];
        variance += (rewards[i] - mean) * (rewards[i] - mean) / (double)n;
        r->keep = r->keep && signal && !(s->mask_truncated && r->e.truncated);
    }
    metrics_add(m, "reward_std", signal ? sqrt(variance) : 0, 1);
    metrics_add(m, "frac_reward_zero_std", !signal, 1);
    free(rewards);
    return signal;
}

/* Made by weights that were published and lost: a generator that begins before the resumed trainer
 * has published again finds them. */
static bool of_lost_weights(const struct source_rollouts *s, int64_t first)
{
    for (int64_t k = first; s->publisher && k < s->n; k++) {
        const struct example *e = &s->rollouts[k].e;
        for (int64_t i = 0; e->policy_version && i < e->n_tokens; i++)
            if (e->loss_mask[i] && e->policy_version[i] > s->batch)
                return true;
    }
    return false;
}

static int drop_group(struct source_rollouts *s, int64_t first, const char *why, struct err *err)
{
    if (may_tell(s))
        log_warn("group %lld %s and is left out", (long long)s->rollouts[first].e.group, why);
    drop_since(s, first);
    return group_does_not_count(s, err);
}

/* Whether the group just read counts towards the batch: 1, 0, -1. */
static int judge_group(struct source_rollouts *s, int64_t first, struct metrics *m, struct err *err)
{
    if (of_lost_weights(s, first))
        return drop_group(s, first, "was made by weights that an interrupted run published", err);
    int64_t left = judge_staleness(s, first, m, err);
    if (left < 0)
        return -1;
    bool signal = settle_group(s, first, m);
    if (left > 0 && (signal || !s->active_sampling))
        return 1;
    if (left == 0)
        return drop_group(s, first, "is stale", err);
    drop_since(s, first);
    return group_does_not_count(s, err);
}

/* --- batches --------------------------------------------------------------------------------- */

static void list_kept(struct source_rollouts *s)
{
    for (int64_t i = 0; i < s->n; i++) {
        if (!s->rollouts[i].keep)
            continue;
        GROW(s->kept, s->n_kept, s->kept_cap);
        s->kept[s->n_kept++] = i;
    }
}

/* Reads the groups of batch number `batch`: 1, 0 = no more data, -1. */
static int read_batch(struct source_rollouts *s, int64_t batch, struct metrics *m, struct err *err)
{
    int64_t groups = 0;
    release_batch(s);
    s->batch = batch;
    s->batch_start = s->place;
    while (groups < s->prompts_per_step && !s->ended) {
        int64_t first = s->n;
        int rc = read_group(s, m, err);
        s->ended = rc == 0;
        if (rc > 0)
            rc = s->n > first ? judge_group(s, first, m, err) : 0;
        if (rc < 0)
            return -1;
        groups += rc;
    }
    if (groups == 0)
        return 0;
    if (groups < s->prompts_per_step) {
        log_warn("the input ended: the last batch has %lld of %lld groups", (long long)groups,
                 (long long)s->prompts_per_step);
        /* Credits count whole batches: a resumed run's generator must not be ahead by the rest. */
        add_extra_groups(s, groups - s->prompts_per_step);
    }
    list_kept(s);
    metrics_sum(m, "num_groups", (double)groups);
    metrics_sum(m, "num_sequences", (double)s->n_kept);
    return 1;
}

static void plan_rollout(struct source_rollouts *s, const struct rollout *r)
{
    const struct example *e = &r->e;
    planner_add(&s->planner, &(struct plan_seq){
                                 .n_tokens = e->n_tokens,
                                 .tokens = e->tokens,
                                 .loss_mask = e->loss_mask,
                                 /* Our sampler's log-probabilities are, bit for bit, those of the
                                  * weights that sampled: recomputing them would change nothing. */
                                 .sampler_logprobs = e->logprobs ? e->logprobs : e->old_logprobs,
                                 .old_logprobs = e->old_logprobs ? e->old_logprobs : e->logprobs,
                                 .ref_logprobs = e->ref_logprobs,
                                 .advantage = (float)r->advantage,
                                 .inv_temp = (float)(1 / e->temperature),
                             });
}

static int plan_step(void *self, int64_t step, struct metrics *m, struct err *err)
{
    struct source_rollouts *s = self;
    int64_t k = s->minibatches, part = step % k;
    if (part == 0 || s->batch != step / k) {
        /* In the middle of a batch after a resume: its metrics were printed then. */
        struct metrics unused = {0};
        int rc = read_batch(s, step / k, part == 0 ? m : &unused, err);
        if (rc <= 0)
            return rc;
    }
    if (k > 1)
        metrics_sum(m, "minibatch", (double)part);
    planner_clear(&s->planner);
    for (int64_t i = s->n_kept * part / k; i < s->n_kept * (part + 1) / k; i++)
        plan_rollout(s, &s->rollouts[s->kept[i]]);
    s->planned = part == k - 1 ? s->place : s->batch_start;
    return planner_finish(&s->planner);
}

static int micro_batch(void *self, int i, struct batch *out, struct err *err)
{
    (void)err;
    planner_batch(&((struct source_rollouts *)self)->planner, i, out);
    return 0;
}

static json_t *save(void *self)
{
    const struct rollout_place *p = &((struct source_rollouts *)self)->planned;
    json_t *o = json_object();
    json_object_set_new(o, "records", json_integer(p->records));
    json_object_set_new(o, "extra_groups", json_integer(p->extra_groups));
    json_object_set_new(o, "next_group", json_integer(p->next_group));
    json_object_set_new(o, "digest", json_string(p->digest));
    return o;
}

static int skip_records(struct source_rollouts *s, int64_t records, const char *digest,
                        struct err *err)
{
    while (s->place.records < records) {
        json_t *obj;
        int rc = input_next_object(&s->input, &obj, err);
        if (rc < 0)
            return -1;
        if (rc == 0)
            return err_set(err, "the input has %lld records, the checkpoint was made after %lld "
                                "(--fresh-input: it is a new stream)",
                           (long long)s->place.records, (long long)records);
        json_decref(obj);
        s->place.records++;
        chain_digest(s->place.digest, s->input.text.buf, s->input.text.len);
    }
    if (strcmp(s->place.digest, digest) != 0)
        return err_set(err, "the first %lld records of the input are not those that the checkpoint was "
                            "trained on (--fresh-input: it is a new stream)",
                       (long long)records);
    return 0;
}

static int load(void *self, const json_t *state, struct err *err)
{
    struct source_rollouts *s = self;
    const char *digest;
    int64_t records;
    if (json_get_int(state, "records", &records, err) < 0 ||
        json_get_int(state, "extra_groups", &s->place.extra_groups, err) < 0 ||
        json_get_int(state, "next_group", &s->place.next_group, err) < 0 ||
        json_get_str(state, "digest", &digest, err) < 0)
        return -1;
    if (!s->fresh_input && !s->publisher && skip_records(s, records, digest, err) < 0)
        return -1;
    if (s->publisher) {
        s->publisher->extra_groups = s->place.extra_groups;
        s->publisher->next_group = s->place.next_group;
        s->first_group = s->fresh_input ? 0 : s->place.next_group;
    }
    s->planned = s->place;
    return 0;
}

struct batch_source source_rollouts_source(struct source_rollouts *s)
{
    return (struct batch_source){
        .plan_step = plan_step,
        .micro_batch = micro_batch,
        .save = save,
        .load = load,
        .self = s,
        .fields = s->fields | BATCH_OLD_LOGPROBS | BATCH_ADVANTAGES | BATCH_SAMPLER_LOGPROBS,
    };
}
