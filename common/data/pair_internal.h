/* pair_internal.h - shared by the ways of making pairs. */
#ifndef TP_DATA_PAIR_INTERNAL_H
#define TP_DATA_PAIR_INTERNAL_H

#include "data/pair.h"
#include "data/response.h"

/* What became of a record; every record counts exactly once. */
enum outcome {
    PAIRED,
    UNMATCHED, /* nothing on the other side asks the same */
    SURPLUS,   /* the prompt has its pairs, or the other side has no more */
    TRUNCATED,
    TOO_LONG,
    LOW_REWARD,
    EQUAL_TEXT,
    SMALL_GAP,
    N_OUTCOMES
};

struct side {
    int64_t n[N_OUTCOMES];
};

/* An answer that may become half of a pair. */
struct half {
    json_t *obj; /* owned */
    struct response response;
    double reward;
    bool has_reward;
    int64_t chars, tokens; /* tokens: -1 = no ids */
};

struct totals {
    double reward, chars, tokens;
};

struct held; /* pair_join.c: the rejected side */

struct pair_maker {
    struct pair_options o;
    struct side chosen, rejected, pool;
    bool pooled;
    int64_t n_pairs, n_rewarded, n_with_ids, n_better;
    struct totals chosen_sum, rejected_sum;
    struct held *held;
    struct half *group;
    int n_group, cap_group;
    struct strbuf group_key;
};

int half_read(json_t *obj, struct half *out, struct err *err) WARN_UNUSED;
void half_release(struct half *h);
/* PAIRED where nothing speaks against it. */
enum outcome half_check(const struct pair_options *o, const struct half *h, bool chosen);
enum outcome pair_check(const struct pair_options *o, const struct half *chosen,
                        const struct half *rejected);
/* The output record, counted.  New reference. */
json_t *pair_make(struct pair_maker *m, const struct half *chosen, const struct half *rejected);
void held_free(struct held *held);
void held_count(struct pair_maker *m); /* outcomes of rejected records that are in no pair */

#endif
