/* pair.h - preference pairs out of generations.
 *
 * Two ways: a strong model's answers joined with a weak model's (delta learning,
 * arXiv:2507.06187), or the best against the worst of one rewarded pool.
 *
 * Join: the rejected side is held in memory (as text), the chosen side streams by.
 *     pair_add_rejected(m, obj, err)  for all of them
 *     pair_match(m, obj, &pair, err)  for each chosen; pair may be NULL
 * Pool: groups are consecutive records with the same `group` (else `id`, else prompt).
 *     pair_pool(m, obj, pairs, err)   appends the pairs of each group that is complete
 *     pair_pool(m, NULL, pairs, err)  at the end
 */
#ifndef TP_DATA_PAIR_H
#define TP_DATA_PAIR_H

#include <stdbool.h>

#include "data/json.h"

enum pair_join { PAIR_JOIN_AUTO, PAIR_JOIN_ID, PAIR_JOIN_PROMPT };

struct pair_options {
    int join;                 /* auto: by id where both sides have one, else by prompt */
    int64_t pairs_per_prompt;
    int64_t max_length;       /* of either answer, in tokens or else characters; 0 = none */
    bool drop_equal, drop_truncated, drop_token_ids;
    bool has_min_gap, has_min_chosen;
    double min_gap;           /* chosen reward - rejected reward; the pool always wants more than 0 */
    double min_chosen;        /* least reward of a chosen answer */
};

struct pair_maker;
struct pair_maker *pair_open(const struct pair_options *o);
int pair_add_rejected(struct pair_maker *m, json_t *obj, struct err *err) WARN_UNUSED;
int pair_match(struct pair_maker *m, json_t *obj, json_t **pair, struct err *err) WARN_UNUSED;
int pair_pool(struct pair_maker *m, json_t *obj, json_t *pairs, struct err *err) WARN_UNUSED;
/* What became of every record, and how the two sides differ.  New reference. */
json_t *pair_report(struct pair_maker *m);
void pair_log(struct pair_maker *m);
void pair_close(struct pair_maker *m);

#endif
