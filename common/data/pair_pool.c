/* pair_pool.c - the best against the worst answer of one rewarded pool. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/pair_internal.h"

static int group_key(const json_t *obj, struct strbuf *out, struct err *err)
{
    static const char *const names[] = {"group", "id"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const json_t *value = json_object_get(obj, names[i]);
        if (value && !json_is_null(value)) {
            strbuf_addf(out, "%s:", names[i]);
            json_write(out, value);
            return 0;
        }
    }
    if (response_prompt_key(obj, out))
        return 0;
    return err_set(err, "nothing to group by: expected 'group', 'id', 'messages' or 'prompt'");
}

static bool same_key(const struct strbuf *a, const struct strbuf *b)
{
    return a->len == b->len && memcmp(a->buf, b->buf, a->len) == 0;
}

/* Best first; equal rewards in the order they came. */
static void sort_by_reward(struct half *h, int n)
{
    for (int i = 1; i < n; i++) {
        struct half moving = h[i];
        int k = i;
        for (; k > 0 && h[k - 1].reward < moving.reward; k--)
            h[k] = h[k - 1];
        h[k] = moving;
    }
}

/* Takes out what no pair may have; returns how many stay. */
static int drop_unfit(struct pair_maker *m)
{
    int kept = 0;
    for (int i = 0; i < m->n_group; i++) {
        enum outcome outcome = half_check(&m->o, &m->group[i], false);
        if (outcome == PAIRED) {
            m->group[kept++] = m->group[i];
        } else {
            m->pool.n[outcome]++;
            half_release(&m->group[i]);
        }
    }
    return kept;
}

static enum outcome check_ends(const struct pair_options *o, const struct half *best,
                               const struct half *worst)
{
    enum outcome outcome = half_check(o, best, true);
    if (outcome == PAIRED && best->reward <= worst->reward)
        return SMALL_GAP;
    return outcome == PAIRED ? pair_check(o, best, worst) : outcome;
}

/* Best with worst, second best with second worst, and so on; the middle is left over. */
static void flush_group(struct pair_maker *m, json_t *pairs)
{
    int n = drop_unfit(m), made = 0;
    enum outcome rest = n < 2 ? UNMATCHED : SURPLUS;
    sort_by_reward(m->group, n);
    for (; made < m->o.pairs_per_prompt && made < n / 2; made++) {
        const struct half *best = &m->group[made], *worst = &m->group[n - 1 - made];
        enum outcome outcome = check_ends(&m->o, best, worst);
        if (outcome != PAIRED) {
            rest = outcome;
            break;
        }
        json_array_append_new(pairs, pair_make(m, best, worst));
    }
    m->pool.n[PAIRED] += 2 * made;
    m->pool.n[rest] += n - 2 * made;
    for (int i = 0; i < n; i++)
        half_release(&m->group[i]);
    m->n_group = 0;
}

static int add_to_group(struct pair_maker *m, json_t *obj, json_t *pairs, struct err *err)
{
    struct strbuf key = {0};
    struct half half = {0};
    int rc = group_key(obj, &key, err);
    if (rc == 0)
        rc = half_read(obj, &half, err);
    if (rc == 0 && !half.has_reward) {
        half_release(&half);
        rc = err_set(err, "'reward' is missing");
    }
    if (rc < 0) {
        strbuf_release(&key);
        return -1;
    }
    if (m->n_group && !same_key(&key, &m->group_key))
        flush_group(m, pairs);
    strbuf_release(&m->group_key);
    m->group_key = key;
    GROW(m->group, m->n_group, m->cap_group);
    m->group[m->n_group++] = half;
    return 0;
}

int pair_pool(struct pair_maker *m, json_t *obj, json_t *pairs, struct err *err)
{
    m->pooled = true;
    if (obj)
        return add_to_group(m, obj, pairs, err);
    flush_group(m, pairs);
    return 0;
}
