/* source_tokens.c - pretraining: documents in stream order, cut into pieces. */
#include "train/source_tokens.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/tool.h"

void source_tokens_open(struct source_tokens *s, const char **files, int n_files,
                        const struct example_reader *reader, int64_t micro_tokens)
{
    input_open(&s->input, files, n_files, reader);
    s->planner = (struct planner){.reduction = REDUCE_TOKEN_MEAN, .micro_tokens = micro_tokens};
}

void source_tokens_release(struct source_tokens *s)
{
    input_close(&s->input);
    planner_release(&s->planner);
    example_release(&s->doc);
    free(s->store);
    free(s->starts);
    *s = (struct source_tokens){0};
}

/* The next document into s->doc, counted and digested.  1, 0 at the end of the input, -1. */
static int next_document(struct source_tokens *s, struct err *err)
{
    example_release(&s->doc);
    s->doc = (struct example){0};
    int rc = input_next(&s->input, &s->doc, err);
    if (rc <= 0)
        return rc;
    s->place.sequences++;
    s->place.position = 0;
    chain_digest(s->place.digest, s->doc.tokens, (size_t)s->doc.n_tokens * sizeof *s->doc.tokens);
    return 1;
}

/* At the end of the input: 1 = it was rewound, 0 = that was all, -1. */
static int next_epoch(struct source_tokens *s, struct err *err)
{
    int64_t read = s->place.sequences;
    if (read == 0)
        return err_set(err, "the input has no tokens to train on");
    if (s->epochs && s->place.epoch + 1 >= s->epochs)
        return 0;
    if (!input_seekable(&s->input))
        return err_set(err, "the input ended after %lld sequences and cannot be read again, because it "
                            "is a pipe; give more data, a file, or a smaller --steps",
                       (long long)read);
    if (input_rewind(&s->input, err) < 0)
        return -1;
    s->place = (struct token_place){.epoch = s->place.epoch + 1};
    if (!s->told_rewind)
        log_info("the input ended after %lld sequences: reading it again (epoch %lld)",
                 (long long)read, (long long)s->place.epoch);
    s->told_rewind = true;
    return 1;
}

static bool doc_finished(const struct source_tokens *s)
{
    return s->doc.n_tokens - 1 <= s->place.position;
}

static void store_piece(struct source_tokens *s, int64_t n)
{
    if (s->n_pieces + 2 > s->starts_cap) {
        s->starts_cap = s->starts_cap ? 2 * s->starts_cap : 64;
        s->starts = xreallocarray(s->starts, (size_t)s->starts_cap, sizeof *s->starts);
    }
    if (s->store_n + n + 1 > s->store_cap) {
        s->store_cap = 2 * (s->store_n + n + 1);
        s->store = xreallocarray(s->store, (size_t)s->store_cap, sizeof *s->store);
    }
    memcpy(s->store + s->store_n, s->doc.tokens + s->place.position,
           (size_t)(n + 1) * sizeof *s->store);
    s->starts[s->n_pieces++] = s->store_n;
    s->store_n += n + 1;
    s->starts[s->n_pieces] = s->store_n;
    s->place.position += n;
}

/* Cuts pieces until the step is full: 1, or 0 / -1 when the data does not fill it. */
static int fill_step(struct source_tokens *s, struct err *err)
{
    int64_t need = s->batch_tokens, rewound_at = -1;
    s->store_n = s->n_pieces = 0;
    while (need > 0) {
        if (doc_finished(s)) {
            int rc = next_document(s, err);
            if (rc == 0 && rewound_at == s->store_n)
                return err_set(err, "%s: no sequence has the two tokens that training needs", s->input.file);
            if (rc == 0 && stop_requested()) { /* the step has not begun, and may need passes without number */
                err->status = EXIT_RESUMABLE;
                return err_set(err, "stopped by a signal while reading %s", s->input.file);
            }
            if (rc == 0) {
                rewound_at = s->store_n;
                rc = next_epoch(s, err);
            }
            if (rc <= 0)
                return rc;
            continue;
        }
        int64_t n = s->doc.n_tokens - 1 - s->place.position;
        n = n > s->seq_len ? s->seq_len : n;
        n = n > need ? need : n;
        store_piece(s, n);
        need -= n;
    }
    if (doc_finished(s))
        s->place.position = 0;
    return 1;
}

static int plan_step(void *self, int64_t step, struct metrics *m, struct err *err)
{
    struct source_tokens *s = self;
    (void)step;
    /* Position 0 says that the document under the cursor is finished, for save(). */
    if (s->place.position == 0)
        s->doc.n_tokens = 0;
    int rc = fill_step(s, err);
    if (rc <= 0)
        return rc;
    planner_clear(&s->planner);
    for (int64_t i = 0; i < s->n_pieces; i++)
        planner_add(&s->planner, &(struct plan_seq){.tokens = s->store + s->starts[i],
                                                    .n_tokens = s->starts[i + 1] - s->starts[i],
                                                    .inv_temp = 1});
    s->planned = s->place;
    metrics_sum(m, "epoch", (double)s->place.epoch);
    return planner_finish(&s->planner);
}

static int micro_batch(void *self, int i, struct batch *out, struct err *err)
{
    (void)err;
    planner_batch(&((struct source_tokens *)self)->planner, i, out);
    return 0;
}

static json_t *save(void *self)
{
    const struct token_place *p = &((struct source_tokens *)self)->planned;
    json_t *o = json_object();
    json_object_set_new(o, "epoch", json_integer(p->epoch));
    json_object_set_new(o, "sequences", json_integer(p->sequences));
    json_object_set_new(o, "position", json_integer(p->position));
    json_object_set_new(o, "digest", json_string(p->digest));
    return o;
}

static int load(void *self, const json_t *state, struct err *err)
{
    struct source_tokens *s = self;
    const char *digest;
    int64_t sequences, position;
    if (json_get_int(state, "epoch", &s->place.epoch, err) < 0 ||
        json_get_int(state, "sequences", &sequences, err) < 0 ||
        json_get_int(state, "position", &position, err) < 0 ||
        json_get_str(state, "digest", &digest, err) < 0)
        return -1;
    while (s->place.sequences < sequences) {
        int rc = next_document(s, err);
        if (rc < 0)
            return -1;
        if (rc == 0)
            return err_set(err, "the input has %lld sequences, the checkpoint was made after %lld: it is "
                                "not the same data",
                           (long long)s->place.sequences, (long long)sequences);
    }
    if (strcmp(digest, s->place.digest) != 0)
        return err_set(err, "the first %lld sequences of the input are not those that the checkpoint was "
                            "trained on",
                       (long long)sequences);
    s->place.position = position;
    s->planned = s->place;
    return 0;
}

struct batch_source source_tokens_source(struct source_tokens *s)
{
    return (struct batch_source){.plan_step = plan_step, .micro_batch = micro_batch, .save = save,
                                 .load = load, .self = s};
}
