/* judge_group.c - the end of judging: votes of a group, the record's fields, the counts. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "reward/judge_internal.h"

void judged_release(struct judged *g)
{
    for (int i = 0; i < g->n_scores; i++)
        verdict_release(&g->scores[i].verdict);
    json_decref(g->obj);
    *g = (struct judged){0};
}

static struct tally *find_tally(struct judge *j, const char *name)
{
    for (int i = 0; i < j->n_tallies; i++) {
        if (strcmp(j->tallies[i].name, name) == 0)
            return &j->tallies[i];
    }
    if (j->n_tallies == MAX_TALLIES)
        return NULL;
    j->tallies[j->n_tallies].name = xstrdup(name);
    return &j->tallies[j->n_tallies++];
}

static void count(struct judge *j, const char *name, double x)
{
    struct tally *t = find_tally(j, name);
    if (t) {
        t->n++;
        t->sum_millionths += llround(x * 1e6);
    }
}

static void count_record(struct judge *j, const struct judged *g, double reward, bool dropped)
{
    pthread_mutex_lock(&j->lock);
    count(j, "reward", reward);
    for (int i = 0; i < g->n_scores; i++)
        count(j, g->scores[i].name, g->scores[i].verdict.score);
    j->n_filtered += dropped;
    pthread_mutex_unlock(&j->lock);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct tally *)a)->name, ((const struct tally *)b)->name);
}

/* Threads meet the names in any order; people read them in one. */
void judge_log(const struct judge *j)
{
    struct tally sorted[MAX_TALLIES];
    memcpy(sorted, j->tallies, sizeof sorted);
    qsort(sorted, (size_t)j->n_tallies, sizeof *sorted, by_name);
    for (int i = 0; i < j->n_tallies; i++)
        log_info("%s: mean %.4f over %lld records", sorted[i].name,
                 (double)sorted[i].sum_millionths / 1e6 / (double)sorted[i].n,
                 (long long)sorted[i].n);
    if (j->o.filtering)
        log_info("%lld records with a reward below %g dropped", (long long)j->n_filtered,
                 j->o.filter_min);
    if (j->n_unverified)
        log_warn("%lld records without a verdict, in '%s'", (long long)j->n_unverified,
                 j->o.unverified);
}

static double write_fields(const struct judge *j, const struct judged *g)
{
    json_t *rewards = json_object(), *verdicts = j->o.explain ? json_object() : NULL;
    double sum = 0;
    for (int i = 0; i < g->n_scores; i++) {
        const struct score *s = &g->scores[i];
        sum += s->weight * s->verdict.score;
        json_object_set_new(rewards, s->name, json_number(s->verdict.score));
        if (verdicts)
            json_object_set_new(verdicts, s->name, verdict_to_json(&s->verdict));
    }
    double reward = sum * j->o.scale;
    for (int i = 0; i < g->shaping.n; i++) {
        reward -= g->shaping.items[i].taken;
        json_object_set_new(rewards, g->shaping.items[i].name,
                            json_number(0 - g->shaping.items[i].taken));
    }
    json_object_set_new(g->obj, "reward", json_number(reward));
    json_object_set_new(g->obj, "rewards", rewards);
    if (verdicts)
        json_object_set_new(g->obj, "verdict", verdicts);
    return reward;
}

void judged_finish(struct judge *j, struct judged *g, struct emit *out)
{
    double reward = write_fields(j, g);
    bool dropped = j->o.filtering && reward < j->o.filter_min;
    count_record(j, g, reward, dropped);
    if (!dropped)
        emit(out, g->obj);
    judged_release(g);
}

/* Votes. */

static const char *vote_of(const struct judged *g)
{
    return g->scores[g->majority].verdict.extracted;
}

static int by_vote(const void *a, const void *b)
{
    const struct ballot *x = a, *y = b;
    int order = strcmp(x->text, y->text);
    return order ? order : strcmp(x->voter->name, y->voter->name);
}

static int by_vote_and_place(const void *a, const void *b)
{
    const struct ballot *x = a, *y = b;
    int order = by_vote(a, b);
    return order ? order : (x->first > y->first) - (x->first < y->first);
}

/* One for each different text, in their order; returns how many. */
static size_t collect_ballots(const struct judge *j, struct ballot *all)
{
    size_t n = 0, kept = 0;
    for (int i = 0; i < j->n_waiting; i++) {
        const struct judged *g = &j->waiting[i];
        if (vote_of(g))
            all[n++] = (struct ballot){g->voter, vote_of(g), 1, i, false};
    }
    qsort(all, n, sizeof *all, by_vote_and_place);
    for (size_t i = 0; i < n; i++) {
        if (kept > 0 && by_vote(&all[kept - 1], &all[i]) == 0)
            all[kept - 1].n++;
        else
            all[kept++] = all[i];
    }
    return kept;
}

static void score_votes(struct judge *j, const struct ballot *all, size_t n)
{
    for (int i = 0; i < j->n_waiting; i++) {
        struct judged *g = &j->waiting[i];
        struct verdict *v = &g->scores[g->majority].verdict;
        struct ballot own = {.voter = g->voter, .text = v->extracted};
        const struct ballot *b = own.text ? bsearch(&own, all, n, sizeof *all, by_vote) : NULL;
        v->score = b && b->won;
        v->rule = !own.text ? "no-vote" : v->score > 0 ? "most-common" : "outvoted";
    }
}

/* What is compared was said by a model: a worker does it. */
static int vote(struct judge *j, struct err *err)
{
    struct ballot *all = xcalloc((size_t)j->n_waiting + 1, sizeof *all);
    size_t n = collect_ballots(j, all);
    int rc = n ? workers_vote(j->workers, all, n, err) : 0;
    if (rc == 0)
        score_votes(j, all, n);
    free(all);
    return rc;
}

int group_flush(struct judge *j, struct emit *out, struct err *err)
{
    int rc = j->n_waiting ? vote(j, err) : 0;
    bool voted = rc == 0;
    for (int i = 0; i < j->n_waiting; i++) {
        if (voted) {
            judged_finish(j, &j->waiting[i], out);
            continue;
        }
        if (rc != JSONL_STOP)
            rc = judge_set_aside(j, &j->waiting[i], out, err);
        judged_release(&j->waiting[i]);
    }
    j->n_waiting = 0;
    json_decref(j->group);
    j->group = NULL;
    if (rc == 0)
        err_clear(err);
    return rc;
}

int group_add(struct judge *j, struct judged *g, struct emit *out, struct err *err)
{
    json_t *group = json_object_get(g->obj, "group");
    int rc = 0;
    if (!group) {
        judged_release(g);
        return err_set(err, "'group' is missing; 'majority' votes within groups");
    }
    if (j->group && !json_equal(group, j->group))
        rc = group_flush(j, out, err);
    if (!j->group)
        j->group = json_incref(group);
    GROW(j->waiting, j->n_waiting, j->cap_waiting);
    j->waiting[j->n_waiting++] = *g;
    return rc;
}
