/* eval_pass.c - pass@k of samples that already have rewards.
 *
 * The samples of one prompt are not independent, so prompts are the units: of the
 * standard errors, and of the bootstrap behind the intervals.  One sample a prompt
 * is plain success counting and gets Wilson's interval.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "data/jsonl.h"
#include "gen/eval.h"

struct sample {
    int64_t group;
    double reward, tokens; /* tokens: -1 = not in the record */
    bool cut;              /* finish_reason is "length" */
};

struct prompt_sums {
    int64_t n, right;
    double reward;
};

struct pass_task {
    struct eval *e;
    int64_t n, cap, n_prompts;
    struct sample *samples;
    struct prompt_sums *prompts;
    double *values; /* [n_prompts] of the metric in work */
};

double pass_at_k(int64_t n, int64_t c, int64_t k)
{
    double miss = 1;
    if (n - c < k)
        return 1;
    for (int64_t i = n - c + 1; i <= n; i++)
        miss *= 1 - (double)k / (double)i;
    return 1 - miss;
}

void wilson_interval(int64_t c, int64_t n, double *low, double *high)
{
    const double z = 1.959963984540054;
    double total = (double)n, p = (double)c / total, scale = 1 + z * z / total;
    double centre = (p + z * z / (2 * total)) / scale;
    double half = z * sqrt(p * (1 - p) / total + z * z / (4 * total * total)) / scale;
    *low = c == 0 ? 0 : centre - half;
    *high = c == n ? 1 : centre + half;
}

static int read_sample(const json_t *obj, struct sample *s, struct err *err)
{
    const char *finish = "";
    const json_t *ids = json_object_get(obj, "token_ids");
    if (json_get_int(obj, "group", &s->group, err) < 0 ||
        json_get_num(obj, "reward", &s->reward, err) < 0 ||
        json_opt_str(obj, "finish_reason", &finish, err) < 0)
        return -1;
    s->tokens = json_is_array(ids) ? (double)json_array_size(ids) : -1;
    s->cut = strcmp(finish, "length") == 0;
    return 0;
}

static int read_samples(struct pass_task *t, const char *path, struct err *err)
{
    struct jsonl_reader *r = jsonl_reader_open(&path, 1, err);
    struct record rec;
    int rc = r ? 1 : -1;
    while (rc >= 0 && (rc = jsonl_reader_next(r, &rec, err)) > 0) {
        struct err why = {0};
        GROW(t->samples, t->n, t->cap);
        rc = read_sample(rec.obj, &t->samples[t->n], &why);
        if (rc == 0)
            t->n++;
        else if ((rc = jsonl_reader_reject(r, &rec, &why)) < 0)
            *err = why;
        json_decref(rec.obj);
    }
    jsonl_reader_close(r);
    return rc;
}

static int compare_groups(const void *a, const void *b)
{
    int64_t x = ((const struct sample *)a)->group, y = ((const struct sample *)b)->group;
    return x < y ? -1 : x > y;
}

static int sum_prompts(struct pass_task *t, const char *task, struct err *err)
{
    int64_t most = 0;
    if (t->n == 0)
        return err_set(err, "%s: no sample", task);
    qsort(t->samples, (size_t)t->n, sizeof *t->samples, compare_groups);
    t->prompts = xcalloc((size_t)t->n, sizeof *t->prompts);
    t->values = xcalloc((size_t)t->n, sizeof *t->values);
    for (int64_t i = 0; i < t->n; i++) {
        if (i == 0 || t->samples[i].group != t->samples[i - 1].group)
            t->n_prompts++;
        struct prompt_sums *p = &t->prompts[t->n_prompts - 1];
        p->n++;
        p->right += t->samples[i].reward >= t->e->o->threshold;
        p->reward += t->samples[i].reward;
    }
    for (int i = 0; i < t->e->o->n_k; i++)
        if (t->e->o->k[i] > most)
            most = t->e->o->k[i];
    for (int64_t i = 0; i < t->n_prompts; i++)
        if (t->prompts[i].n < most)
            return err_set(err, "%s: a group has %lld samples, pass@%lld needs as many as k", task,
                           (long long)t->prompts[i].n, (long long)most);
    return 0;
}

static double mean_of(const struct pass_task *t, double *error)
{
    double n = (double)t->n_prompts, sum = 0, squares = 0;
    for (int64_t i = 0; i < t->n_prompts; i++)
        sum += t->values[i];
    for (int64_t i = 0; i < t->n_prompts; i++)
        squares += (t->values[i] - sum / n) * (t->values[i] - sum / n);
    *error = t->n_prompts > 1 ? sqrt(squares / (n - 1) / n) : NAN;
    return sum / n;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The middle 95% of means of prompts drawn again with replacement. */
static void bootstrap(const struct pass_task *t, int64_t k, double *low, double *high)
{
    int64_t n = t->e->o->resamples;
    double *means = xcalloc((size_t)n, sizeof *means);
    for (int64_t i = 0; i < n; i++) {
        struct rng rng;
        rng_init(&rng, t->e->o->seed, "model-eval/bootstrap", (uint64_t)i, (uint64_t)k);
        for (int64_t j = 0; j < t->n_prompts; j++)
            means[i] += t->values[rng_below(&rng, (uint64_t)t->n_prompts)];
        means[i] /= (double)t->n_prompts;
    }
    qsort(means, (size_t)n, sizeof *means, compare_doubles);
    *low = means[(int64_t)(0.025 * (double)(n - 1) + 0.5)];
    *high = means[(int64_t)(0.975 * (double)(n - 1) + 0.5)];
    free(means);
}

static void report_k(struct pass_task *t, const char *task, int64_t k)
{
    char metric[32], key[48];
    double low, high, error;
    int64_t right = 0;
    for (int64_t i = 0; i < t->n_prompts; i++) {
        t->values[i] = pass_at_k(t->prompts[i].n, t->prompts[i].right, k);
        right += t->prompts[i].right;
    }
    double mean = mean_of(t, &error);
    if (t->n == t->n_prompts)
        wilson_interval(right, t->n, &low, &high);
    else
        bootstrap(t, k, &low, &high);
    snprintf(metric, sizeof metric, "pass@%lld", (long long)k);
    eval_metric(t->e, task, metric, mean, error, true);
    snprintf(key, sizeof key, "%s_ci95,none", metric);
    json_t *results = json_object_get(json_object_get(t->e->root, "results"), task);
    json_object_set_new(results, key, json_pack("[f,f]", low, high));
}

static void report_rest(struct pass_task *t, const char *task)
{
    double error, tokens = 0, cut = 0;
    bool counted = true;
    for (int64_t i = 0; i < t->n_prompts; i++)
        t->values[i] = t->prompts[i].reward / (double)t->prompts[i].n;
    double reward = mean_of(t, &error);
    eval_metric(t->e, task, "reward", reward, error, true);
    for (int64_t i = 0; i < t->n; i++) {
        counted &= t->samples[i].tokens >= 0;
        tokens += t->samples[i].tokens;
        cut += t->samples[i].cut;
    }
    if (counted)
        eval_metric(t->e, task, "mean_tokens", tokens / (double)t->n, NAN, false);
    eval_metric(t->e, task, "length_stops", cut / (double)t->n, NAN, false);
    eval_samples(t->e, task, t->n_prompts);
    eval_count(t->e, task, "samples", t->n);
}

int eval_pass(struct eval *e, const char *task, const char *path, struct err *err)
{
    struct pass_task t = {.e = e};
    int rc = read_samples(&t, path, err);
    if (rc == 0)
        rc = sum_prompts(&t, task, err);
    if (rc == 0) {
        for (int i = 0; i < e->o->n_k; i++)
            report_k(&t, task, e->o->k[i]);
        report_rest(&t, task);
    }
    free(t.samples);
    free(t.prompts);
    free(t.values);
    return rc;
}
