/* judge_group.c - the end of judging: votes of a group, the record's fields, the counts. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/pool.h"
#include "reward/judge_internal.h"

void judged_release(struct judged *g)
{
    for (int i = 0; i < g->n_scores; i++)
        verdict_release(&g->scores[i].verdict);
    free(g->no_verdict);
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

struct group {
    struct judged *all; /* [n], in order */
    int n, rc;
    struct err err;
};

struct election {
    struct judge *j;
    struct group *groups;
    int n, cap;
};

static const char *vote_of(const struct judged *g)
{
    return g->no_verdict ? NULL : g->scores[g->majority].verdict.extracted;
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
static size_t collect_ballots(const struct group *group, struct ballot *all)
{
    size_t n = 0, kept = 0;
    for (int i = 0; i < group->n; i++) {
        const struct judged *g = &group->all[i];
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

static void score_votes(const struct group *group, const struct ballot *all, size_t n)
{
    for (int i = 0; i < group->n; i++) {
        struct judged *g = &group->all[i];
        if (g->no_verdict)
            continue;
        struct verdict *v = &g->scores[g->majority].verdict;
        struct ballot own = {.voter = g->voter, .text = v->extracted};
        const struct ballot *b = own.text ? bsearch(&own, all, n, sizeof *all, by_vote) : NULL;
        v->score = b && b->won;
        v->rule = !own.text ? "no-vote" : v->score > 0 ? "most-common" : "outvoted";
    }
}

/* What is compared was said by a model: a worker does it. */
static void vote(void *arg, int64_t i, int thread)
{
    const struct election *e = arg;
    struct group *group = &e->groups[i];
    struct ballot *all = xcalloc((size_t)group->n + 1, sizeof *all);
    size_t n = collect_ballots(group, all);
    (void)thread;
    group->rc = n ? workers_vote(e->j->workers, all, n, &group->err) : 0;
    if (group->rc == 0)
        score_votes(group, all, n);
    free(all);
}

static int emit_group(struct judge *j, struct group *group, struct emit *out, struct err *err)
{
    for (int i = 0; i < group->n; i++) {
        struct judged *g = &group->all[i];
        if (!g->no_verdict && group->rc == 0) {
            judged_finish(j, g, out);
            continue;
        }
        err_set(err, "%s", g->no_verdict ? g->no_verdict : group->err.text);
        if (judge_set_aside(j, g, out, err) < 0)
            return -1;
        judged_release(g);
    }
    return 0;
}

void group_add(struct judge *j, struct judged *g)
{
    pthread_mutex_lock(&j->lock);
    GROW(j->waiting, j->n_waiting, j->cap_waiting);
    j->waiting[j->n_waiting++] = *g;
    pthread_mutex_unlock(&j->lock);
}

static int by_index(const void *a, const void *b)
{
    const struct judged *x = a, *y = b;
    return (x->index > y->index) - (x->index < y->index);
}

/* Records of one group follow one another.  Returns how many of those that wait are in a group that
 * is complete. */
static int find_groups(struct election *e, bool end)
{
    struct judge *j = e->j;
    int start = 0;
    for (int i = j->n_open ? j->n_open : 1; i <= j->n_waiting; i++) {
        if (i == j->n_waiting && !end)
            break;
        if (i < j->n_waiting && json_equal(json_object_get(j->waiting[i].obj, "group"),
                                           json_object_get(j->waiting[start].obj, "group")))
            continue;
        GROW(e->groups, e->n, e->cap);
        e->groups[e->n++] = (struct group){.all = &j->waiting[start], .n = i - start};
        start = i;
    }
    return start;
}

int group_settle(struct judge *j, bool end, struct emit *out, struct err *err)
{
    struct election e = {.j = j};
    if (j->n_waiting == 0)
        return 0;
    qsort(j->waiting + j->n_open, (size_t)(j->n_waiting - j->n_open), sizeof *j->waiting, by_index);
    int n_done = find_groups(&e, end), rc = 0;
    pool_for(e.n, vote, &e);
    for (int i = 0; i < e.n && rc == 0; i++)
        rc = emit_group(j, &e.groups[i], out, err);
    free(e.groups);
    if (rc < 0)
        return rc;
    j->n_waiting -= n_done;
    memmove(j->waiting, j->waiting + n_done, (size_t)j->n_waiting * sizeof *j->waiting);
    j->n_open = j->n_waiting;
    return 0;
}
