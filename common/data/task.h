/* task.h - problems with exact answers, made by the thousand.
 *
 * A problem is a short question, the truth a verifier of reward/ checks, and a
 * worked trace with one elementary operation a line.  Whether a problem belongs to
 * the training or the test split is decided by a hash of what it asks, so the two
 * never share one, whatever the seeds.
 *
 *     struct task_source *s = task_source_open(&options, seed);
 *     json_t *obj = task_source_next(s, err);      // NULL: the space is exhausted
 *     task_source_close(s);
 */
#ifndef TP_DATA_TASK_H
#define TP_DATA_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/opt.h"
#include "base/rng.h"
#include "data/json.h"

enum task_kind {
    TASK_ARITHMETIC,
    TASK_COUNTDOWN,
    TASK_SORT,
    TASK_LIST,
    TASK_COUNT,
    TASK_DATE,
    TASK_STRING,
    TASK_MIX /* all of them, evenly */
};
#define TASK_N_KINDS TASK_MIX
#define TASK_MAX_DIFFICULTY 5
extern const struct opt_enum task_names[];

enum task_split { TASK_TRAIN, TASK_TEST };
enum task_form { TASK_RLVR, TASK_MESSAGES };
enum task_reply { TASK_SENTENCE, TASK_BOXED };

struct task_options {
    int kind, split, form, reply;        /* of the enums above */
    int min_difficulty, max_difficulty;  /* drawn evenly */
    int64_t terms, digits;               /* of arithmetic; 0 = by difficulty */
    bool trace, allow_duplicates;
    const char *prompt_suffix;           /* or NULL */
};

struct task_source;
struct task_source *task_source_open(const struct task_options *o, uint64_t seed);
/* The next record, a new reference. */
json_t *task_source_next(struct task_source *s, struct err *err);
void task_source_close(struct task_source *s);

/* One problem.  Zero it before the first use; task_make() clears it. */
struct problem {
    struct strbuf prompt;
    struct strbuf key;     /* what is asked, in one spelling: decides the split, the id, duplicates */
    struct strbuf truth;   /* ground_truth */
    struct strbuf reply;   /* the answer as a model should say it */
    struct strbuf trace;   /* lines, without a newline at the end */
    json_t *answer;        /* owned: number, list or string */
    const char *dataset;   /* verifier */
};
void task_make(enum task_kind kind, int difficulty, const struct task_options *o, struct rng *rng,
               struct problem *p);
void problem_release(struct problem *p);
bool task_in_test_split(const struct problem *p); /* one in eight */

#endif
