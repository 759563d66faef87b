/* metrics.h - named sums of one step, printed as one JSON object.
 *
 * Losses add (name, sum, weight); the printed value is sum / weight (mean), or
 * the extreme for max and min entries.  The order of first use is kept.
 */
#ifndef TP_TRAIN_METRICS_H
#define TP_TRAIN_METRICS_H

#include "data/json.h"

enum metric_kind { METRIC_MEAN, METRIC_SUM, METRIC_MAX, METRIC_MIN };
enum { METRICS_MAX = 96 };

struct metric {
    char name[48];
    enum metric_kind kind;
    double sum, weight;
};
struct metrics {
    int n;
    struct metric items[METRICS_MAX];
};

void metrics_clear(struct metrics *m);
/* Mean: value is already times its weight (a sum over `weight` tokens). */
void metrics_add(struct metrics *m, const char *name, double value, double weight);
void metrics_sum(struct metrics *m, const char *name, double value);
void metrics_max(struct metrics *m, const char *name, double value);
void metrics_min(struct metrics *m, const char *name, double value);
double metrics_get(const struct metrics *m, const char *name); /* NAN if absent */
void metrics_json(const struct metrics *m, json_t *obj);       /* adds the fields */

#endif
