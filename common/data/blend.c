/* blend.c - several token shards blended into one by weights. */
#include "data/blend.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "data/shard_field.h"

/* Beyond four passes repeated data is worth clearly less than new data (Muennighoff et al.,
 * "Scaling Data-Constrained Language Models", arXiv:2305.16264). */
#define MANY_EPOCHS 4

struct source {
    char *name;
    double weight;
    struct strbuf tokens, mask, offsets; /* int32; uint8, if has_mask; int64 */
    json_t *ids;
    bool has_mask;
    int64_t n_seqs, n_tokens;
    /* The pass going on. */
    int64_t *order; /* [n_seqs] */
    int64_t next, epoch;
    int64_t seqs_out, tokens_out;
};

struct blend {
    uint64_t seed;
    int n, cap;
    struct source *sources;
    int64_t tokens_out, seqs_out;
    struct strbuf ones; /* the mask of sources that have none, when others have one */
};

struct blend *blend_new(uint64_t seed)
{
    struct blend *b = xcalloc(1, sizeof *b);
    b->seed = seed;
    return b;
}

void blend_free(struct blend *b)
{
    if (!b)
        return;
    for (int i = 0; i < b->n; i++) {
        struct source *s = &b->sources[i];
        free(s->name);
        strbuf_release(&s->tokens);
        strbuf_release(&s->mask);
        strbuf_release(&s->offsets);
        json_decref(s->ids);
        free(s->order);
    }
    free(b->sources);
    strbuf_release(&b->ones);
    free(b);
}

/* Reading the sources. */

static int check_batch(const struct source *s, const struct shard_batch *b, struct err *err)
{
    for (int i = 0; i < n_shard_fields; i++)
        if (shard_batch_field(b, i) && strcmp(shard_fields[i].name, "loss_mask") != 0)
            return err_set(err, "it has '%s': only tokens and loss masks can be blended",
                           shard_fields[i].name);
    if (s->n_tokens && s->has_mask != (b->loss_mask != NULL))
        return err_set(err, "some of its sequences have a 'loss_mask', others do not");
    return 0;
}

static void add_batch(struct source *s, const struct shard_batch *b)
{
    for (int64_t i = 0; i < b->n_seqs; i++) {
        struct shard_seq seq = shard_batch_seq(b, i);
        if (seq.n_tokens == 0)
            continue; /* it could not advance any share */
        s->n_tokens += seq.n_tokens;
        s->n_seqs++;
        strbuf_add(&s->tokens, seq.tokens, (size_t)seq.n_tokens * sizeof *seq.tokens);
        strbuf_add(&s->offsets, &s->n_tokens, sizeof s->n_tokens);
        if (seq.loss_mask) {
            s->has_mask = true;
            strbuf_add(&s->mask, seq.loss_mask, (size_t)seq.n_tokens);
        }
        json_array_append_new(s->ids, seq.id ? json_string(seq.id) : json_null());
    }
}

static int read_source(struct source *s, const char *path, struct err *err)
{
    struct shard_reader *r = shard_reader_open(path, err);
    struct shard_batch batch;
    int rc = r ? 1 : -1;
    while (rc > 0 && (rc = shard_reader_next(r, &batch, err)) > 0) {
        if (check_batch(s, &batch, err) < 0) {
            err_prefix(err, "%s", path);
            rc = -1;
        } else {
            add_batch(s, &batch);
        }
        shard_batch_release(&batch);
    }
    shard_reader_close(r);
    if (rc == 0 && s->n_tokens == 0)
        rc = err_set(err, "%s: '%s' has weight %g and no tokens", path, s->name, s->weight);
    return rc;
}

int blend_add(struct blend *b, const char *name, const char *path, double weight, struct err *err)
{
    if (!(weight >= 0) || !isfinite(weight))
        return err_set(err, "the weight of '%s' is %g", name, weight);
    for (int i = 0; i < b->n; i++)
        if (strcmp(b->sources[i].name, name) == 0)
            return err_set(err, "'%s' is there twice", name);
    GROW(b->sources, b->n, b->cap);
    struct source *s = &b->sources[b->n++];
    *s = (struct source){.name = xstrdup(name), .weight = weight, .ids = json_array()};
    int64_t zero = 0;
    strbuf_add(&s->offsets, &zero, sizeof zero);
    if (weight == 0)
        return 0;
    log_debug("reading '%s' from %s", name, path);
    return read_source(s, path, err);
}

/* Writing. */

static void begin_epoch(const struct blend *b, struct source *s)
{
    struct rng rng;
    uint64_t record = XXH64(s->name, strlen(s->name), 0);
    rng_init(&rng, b->seed, "shard-mix", record, (uint64_t)s->epoch);
    if (!s->order)
        s->order = xreallocarray(NULL, (size_t)s->n_seqs, sizeof *s->order);
    rng_permutation(&rng, s->order, s->n_seqs);
    s->next = 0;
    s->epoch++;
    if (s->epoch == MANY_EPOCHS + 1)
        log_warn("'%s' is repeated more than %d times", s->name, MANY_EPOCHS);
}

/* The source that lags most; of equals, the first. */
static struct source *choose(const struct blend *b, double total_weight)
{
    struct source *best = NULL;
    double best_lag = 0;
    for (int i = 0; i < b->n; i++) {
        struct source *s = &b->sources[i];
        /* + 1 so that the first choice of all is the largest weight. */
        double due = s->weight / total_weight * ((double)b->tokens_out + 1);
        double lag = due - (double)s->tokens_out;
        if (s->weight > 0 && (!best || lag > best_lag)) {
            best = s;
            best_lag = lag;
        }
    }
    if (!best)
        BUG("no source to choose from");
    return best;
}

static const uint8_t *all_ones(struct blend *b, int64_t n)
{
    while ((int64_t)b->ones.len < n)
        strbuf_addc(&b->ones, 1);
    return (const uint8_t *)b->ones.buf;
}

static int write_next(struct blend *b, struct source *s, bool with_mask, struct shard_writer *w,
                      struct err *err)
{
    if (s->epoch == 0 || s->next == s->n_seqs)
        begin_epoch(b, s);
    int64_t i = s->order[s->next++];
    int64_t span[2];
    memcpy(span, s->offsets.buf + (size_t)i * sizeof *span, sizeof span);
    struct shard_seq seq = {.n_tokens = span[1] - span[0],
                            .tokens = (const int32_t *)(const void *)s->tokens.buf + span[0],
                            .id = json_string_value(json_array_get(s->ids, (size_t)i)),
                            .domain = s->name};
    if (with_mask)
        seq.loss_mask =
            s->has_mask ? (const uint8_t *)s->mask.buf + span[0] : all_ones(b, seq.n_tokens);
    s->seqs_out++;
    b->seqs_out++;
    s->tokens_out += seq.n_tokens;
    b->tokens_out += seq.n_tokens;
    return shard_writer_add(w, &seq, err) < 0 ? -1 : 0;
}

int blend_write(struct blend *b, int64_t n_tokens, struct shard_writer *w, struct err *err)
{
    double total = 0;
    bool with_mask = false;
    for (int i = 0; i < b->n; i++) {
        total += b->sources[i].weight;
        with_mask |= b->sources[i].has_mask;
    }
    if (!(total > 0) || !isfinite(total))
        return err_set(err, "no source has a weight above 0");
    while (b->tokens_out < n_tokens) {
        if (write_next(b, choose(b, total), with_mask, w, err) < 0)
            return -1;
        progress("tokens", b->tokens_out, n_tokens, "%s", "");
    }
    return 0;
}

int64_t blend_seqs_read(const struct blend *b)
{
    int64_t n = 0;
    for (int i = 0; i < b->n; i++)
        n += b->sources[i].n_seqs;
    return n;
}

int64_t blend_seqs_written(const struct blend *b)
{
    return b->seqs_out;
}

static json_t *source_report(const struct blend *b, const struct source *s, double total)
{
    json_t *obj = json_object();
    double share = b->tokens_out ? (double)s->tokens_out / (double)b->tokens_out : 0;
    double epochs = s->n_tokens ? (double)s->tokens_out / (double)s->n_tokens : 0;
    json_object_set_new(obj, "weight", json_number(s->weight / total));
    json_object_set_new(obj, "tokens", json_integer(s->tokens_out));
    json_object_set_new(obj, "share", json_number(share));
    json_object_set_new(obj, "seqs", json_integer(s->seqs_out));
    json_object_set_new(obj, "epochs", json_number(epochs));
    json_object_set_new(obj, "source_tokens", json_integer(s->n_tokens));
    return obj;
}

json_t *blend_report(const struct blend *b)
{
    json_t *obj = json_object(), *domains = json_object();
    double total = 0;
    for (int i = 0; i < b->n; i++)
        total += b->sources[i].weight;
    for (int i = 0; i < b->n; i++)
        json_object_set_new(domains, b->sources[i].name, source_report(b, &b->sources[i], total));
    json_object_set_new(obj, "tokens", json_integer(b->tokens_out));
    json_object_set_new(obj, "seqs", json_integer(b->seqs_out));
    json_object_set_new(obj, "seed", json_integer((json_int_t)b->seed));
    json_object_set_new(obj, "domains", domains);
    return obj;
}
