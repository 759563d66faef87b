/* mismatch.c - how far a generator's log-probabilities are from the trainer's. */
#include "gen/mismatch.h"

#include <math.h>

#include "data/json.h"

void mismatch_add(struct mismatch *m, const float *sampled, const float *recomputed, int64_t n)
{
    m->records++;
    for (int64_t i = 0; i < n; i++) {
        double d = (double)recomputed[i] - (double)sampled[i], w = exp(d);
        m->tokens++;
        m->equal += recomputed[i] == sampled[i];
        m->sum_abs += fabs(d);
        m->max_abs = fmax(m->max_abs, fabs(d));
        m->k1 -= d;
        m->k3 += w - 1 - d;
        m->w += w;
        m->w2 += w * w;
    }
}

json_t *mismatch_json(const struct mismatch *m)
{
    json_t *obj = json_object();
    double n = (double)m->tokens;
    json_object_set_new(obj, "records", json_integer(m->records));
    json_object_set_new(obj, "tokens", json_integer(m->tokens));
    if (m->tokens == 0)
        return obj;
    json_object_set_new(obj, "mean_abs_difference", json_number(m->sum_abs / n));
    json_object_set_new(obj, "max_abs_difference", json_number(m->max_abs));
    json_object_set_new(obj, "k1", json_number(m->k1 / n));
    json_object_set_new(obj, "k3", json_number(m->k3 / n));
    json_object_set_new(obj, "effective_sample_size", json_number(m->w * m->w / (n * m->w2)));
    json_object_set_new(obj, "bitwise_equal", json_number((double)m->equal / n));
    return obj;
}
