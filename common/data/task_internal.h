/* task_internal.h - shared by the task generators. */
#ifndef TP_DATA_TASK_INTERNAL_H
#define TP_DATA_TASK_INTERNAL_H

#include "data/task.h"

/* Each fills prompt, truth, trace and answer; key, reply and dataset where they differ from the
 * prompt, the truth and "exact". */
void task_make_arithmetic(int level, const struct task_options *o, struct rng *rng,
                          struct problem *p);
void task_make_countdown(int level, struct rng *rng, struct problem *p);
void task_make_sort(int level, struct rng *rng, struct problem *p);
void task_make_list(int level, struct rng *rng, struct problem *p);
void task_make_count(int level, struct rng *rng, struct problem *p);
void task_make_date(int level, struct rng *rng, struct problem *p);
void task_make_string(int level, struct rng *rng, struct problem *p);

/* A line of the trace. */
void task_line(struct problem *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Truth and answer are this number, checked by its value. */
void task_set_number(struct problem *p, int64_t x);
int64_t task_between(struct rng *rng, int64_t low, int64_t high); /* both included */

/* Arithmetic as it is done on paper, digit by digit; returns the result.  The last line is
 * "a + b = c", with the digits' lines before it where the numbers are long. */
int64_t task_steps_add(struct problem *p, int64_t a, int64_t b);      /* any a, b >= 0 */
int64_t task_steps_subtract(struct problem *p, int64_t a, int64_t b); /* any a, b >= 0 */
int64_t task_steps_multiply(struct problem *p, int64_t a, int64_t b); /* both >= 0 */

#endif
