/* evaluate.c - validation loss on held-out shards, between steps. */
#include "train/evaluate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/tool.h"

/* Cuts a document as training would, each piece predicting from its own beginning. */
static void add_pieces(struct eval_set *set, const struct example *doc, int64_t seq_len)
{
    for (int64_t at = 0; at + 1 < doc->n_tokens; at += seq_len) {
        int64_t n = doc->n_tokens - at;
        n = n > seq_len + 1 ? seq_len + 1 : n;
        GROW(set->docs, set->n, set->cap);
        struct example *e = &set->docs[set->n++];
        *e = (struct example){.n_tokens = n};
        e->tokens = xreallocarray(NULL, (size_t)n, sizeof *e->tokens);
        memcpy(e->tokens, doc->tokens + at, (size_t)n * sizeof *e->tokens);
    }
}

static int load_set(struct eval_set *set, const char *spec, int64_t seq_len,
                    const struct example_reader *reader, struct err *err)
{
    const char *equals = strchr(spec, '=');
    if (!equals || equals == spec || !equals[1]) {
        err->status = EXIT_USAGE;
        return err_set(err, "--eval-shard '%s' is not NAME=FILE", spec);
    }
    const char *path = equals + 1;
    struct input in;
    struct example doc;
    int64_t counted = tool_counts.in;
    int rc;
    set->name = xstrndup(spec, (size_t)(equals - spec));
    input_open(&in, &path, 1, reader);
    while ((rc = input_next(&in, &doc, err)) > 0) {
        add_pieces(set, &doc, seq_len);
        example_release(&doc);
    }
    input_close(&in);
    tool_counts.in = counted;
    if (rc == 0 && set->n == 0)
        rc = err_set(err, "%s: nothing to evaluate on", path);
    return rc;
}

int evaluation_load(struct evaluation *e, const struct opt_list *specs, int64_t seq_len,
                    int64_t micro_tokens, const struct example_reader *reader, struct err *err)
{
    e->sets = xcalloc((size_t)specs->n + 1, sizeof *e->sets);
    e->planner = (struct planner){.reduction = REDUCE_TOKEN_MEAN, .micro_tokens = micro_tokens};
    for (int i = 0; i < specs->n; i++, e->n_sets++)
        if (load_set(&e->sets[i], specs->items[i], seq_len, reader, err) < 0) {
            e->n_sets++;
            return -1;
        }
    return 0;
}

void evaluation_release(struct evaluation *e)
{
    for (int i = 0; i < e->n_sets; i++) {
        for (int64_t k = 0; k < e->sets[i].n; k++)
            example_release(&e->sets[i].docs[k]);
        free(e->sets[i].docs);
        free(e->sets[i].name);
    }
    free(e->sets);
    planner_release(&e->planner);
    *e = (struct evaluation){0};
}

static int run_batch(struct model *m, const struct batch *b, double *sum, struct err *err)
{
    float *logprobs = xreallocarray(NULL, (size_t)b->n_tokens, sizeof *logprobs);
    int rc = model_forward(m, b, &(struct forward_out){.logprobs = logprobs}, err);
    for (int64_t i = 0; rc == 0 && i < b->n_tokens; i++)
        *sum -= (double)logprobs[i];
    free(logprobs);
    return rc;
}

static int run_set(struct evaluation *e, const struct eval_set *set, struct model *m,
                   struct metrics *out, struct err *err)
{
    struct planner *p = &e->planner;
    double sum = 0;
    char name[48];
    planner_clear(p);
    for (int64_t i = 0; i < set->n; i++)
        planner_add(p, &(struct plan_seq){.n_tokens = set->docs[i].n_tokens,
                                          .tokens = set->docs[i].tokens, .inv_temp = 1});
    int n = planner_finish(p);
    for (int i = 0; i < n; i++) {
        struct batch b;
        planner_batch(p, i, &b);
        if (run_batch(m, &b, &sum, err) < 0)
            return -1;
    }
    snprintf(name, sizeof name, "eval/%s/loss", set->name);
    metrics_add(out, name, sum, (double)p->n_positions);
    return 0;
}

int evaluation_run(struct evaluation *e, struct model *m, int64_t step, bool last,
                   struct metrics *out, struct err *err)
{
    if (e->done == step || (!last && (!e->every || step % e->every != 0)))
        return 0;
    e->done = step;
    for (int i = 0; i < e->n_sets; i++)
        if (run_set(e, &e->sets[i], m, out, err) < 0)
            return -1;
    return 0;
}
