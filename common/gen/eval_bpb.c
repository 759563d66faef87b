/* eval_bpb.c - bits per byte of documents.
 *
 * nats / ln 2 / bytes, where bytes are those that the scored tokens stand for.
 * Special tokens stand for none and are not scored, so vocabularies of any size
 * compare.  A document longer than the window is cut into windows end to end, each
 * beginning with the last token of the one before, as lm-evaluation-harness does.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/example.h"
#include "data/jsonl.h"
#include "data/shard.h"
#include "gen/eval.h"
#include "gen/score.h"

struct document {
    int64_t n;
    int32_t *tokens;
    uint8_t *scored;  /* [n] */
    float *logprobs;  /* [n] */
};

struct bpb {
    struct eval *e;
    int64_t n_bytes_of;
    uint16_t *bytes_of; /* of each token id; NULL without a tokenizer */
    int64_t n, cap, positions;
    struct document *docs; /* waiting to be scored */
    /* sums over documents: of nats, bytes, and what the standard error needs */
    int64_t n_docs, tokens, bytes;
    double nats, nn, nb, bb;
};

static void document_release(struct document *d)
{
    free(d->tokens);
    free(d->scored);
    free(d->logprobs);
}

static int count_bytes(struct bpb *b, struct err *err)
{
    const struct tokenizer *t = b->e->tokenizer;
    struct strbuf text = {0};
    int rc = 0;
    b->n_bytes_of = tokenizer_vocab_size(t);
    b->bytes_of = xcalloc((size_t)b->n_bytes_of, sizeof *b->bytes_of);
    for (int32_t id = 0; id < b->n_bytes_of && rc == 0; id++) {
        struct err hole = {0}; /* ids that no token has */
        strbuf_clear(&text);
        if (tokenizer_is_special(t, id) || tokenizer_decode_bytes(t, &id, 1, true, &text, &hole) < 0)
            continue;
        if (text.len > UINT16_MAX)
            rc = err_set(err, "token %d is %zu bytes long", id, text.len);
        b->bytes_of[id] = (uint16_t)text.len;
    }
    strbuf_release(&text);
    return rc;
}

static int64_t token_bytes(const struct bpb *b, int32_t id)
{
    return b->bytes_of && id < b->n_bytes_of ? b->bytes_of[id] : 0;
}

static void add_sums(struct bpb *b, const struct document *d)
{
    double nats = 0;
    int64_t bytes = 0, tokens = 0;
    for (int64_t i = 1; i < d->n; i++) {
        int64_t here = token_bytes(b, d->tokens[i]);
        if (!d->scored[i] || (b->bytes_of && here == 0))
            continue;
        nats -= (double)d->logprobs[i];
        bytes += here;
        tokens++;
    }
    b->n_docs++;
    b->tokens += tokens;
    b->bytes += bytes;
    double per = b->bytes_of ? (double)bytes : (double)tokens;
    b->nats += nats;
    b->nn += nats * nats;
    b->nb += nats * per;
    b->bb += per * per;
}

static int score_documents(struct bpb *b, struct err *err)
{
    struct score_seq *seqs = NULL;
    int64_t n = 0, cap = 0;
    for (int64_t k = 0; k < b->n; k++) {
        struct document *d = &b->docs[k];
        for (int64_t i = 0; i + 1 < d->n; i += b->e->seq_len) {
            int64_t len = d->n - i < b->e->seq_len + 1 ? d->n - i : b->e->seq_len + 1;
            GROW(seqs, n, cap);
            /* The window's own first entry belongs to the window before and is kept. */
            seqs[n++] = (struct score_seq){.tokens = d->tokens + i, .n = len,
                                           .sampling = SAMPLING_DEFAULT,
                                           .logprobs = xcalloc((size_t)len, sizeof(float))};
        }
    }
    int rc = score_run(b->e->model, seqs, n, b->e->o->batch_tokens, err);
    int64_t w = 0;
    for (int64_t k = 0; k < b->n; k++) {
        struct document *d = &b->docs[k];
        for (int64_t i = 0; i + 1 < d->n; i += b->e->seq_len, w++) {
            memcpy(d->logprobs + i + 1, seqs[w].logprobs + 1, (size_t)(seqs[w].n - 1) * sizeof(float));
            free(seqs[w].logprobs);
        }
        if (rc == 0)
            add_sums(b, d);
        document_release(d);
    }
    free(seqs);
    b->n = b->positions = 0;
    return rc;
}

/* mask may be NULL: everything is scored. */
static int add_document(struct bpb *b, const int32_t *tokens, int64_t n, const uint8_t *mask,
                        struct err *err)
{
    const struct eval *e = b->e;
    bool prefix = e->prefix >= 0 && n > 0 && !tokenizer_is_special(e->tokenizer, tokens[0]);
    struct document d = {.n = n + prefix};
    size_t cap = (size_t)d.n + 1;
    d.tokens = xcalloc(cap, sizeof *d.tokens);
    d.scored = xcalloc(cap, sizeof *d.scored);
    d.logprobs = xcalloc(cap, sizeof *d.logprobs);
    d.tokens[0] = e->prefix;
    if (n > 0)
        memcpy(d.tokens + prefix, tokens, (size_t)n * sizeof *tokens);
    for (int64_t i = 0; i < n; i++)
        d.scored[i + prefix] = mask ? mask[i] : 1;
    for (int64_t i = 0; i < d.n; i++)
        if (d.tokens[i] < 0 || d.tokens[i] >= e->model->cfg.vocab_size) {
            err_set(err, "token %lld has id %d, the model's vocabulary has %lld", (long long)i,
                    d.tokens[i], (long long)e->model->cfg.vocab_size);
            document_release(&d);
            return -1;
        }
    GROW(b->docs, b->n, b->cap);
    b->docs[b->n++] = d;
    b->positions += d.n;
    return 0;
}

static int read_records(struct bpb *b, struct stream *s, struct err *err)
{
    struct example_reader reader = {.tokenizer = b->e->tokenizer,
                                    .tpl = (enum chat_template)b->e->o->tpl, .no_eos = true};
    struct jsonl_reader *r = jsonl_reader_from(s, err);
    struct record rec;
    int rc = r ? 1 : -1;
    while (rc >= 0 && (rc = jsonl_reader_next(r, &rec, err)) > 0) {
        struct err why = {0};
        struct example ex = {0};
        rc = example_parse(&reader, rec.obj, &ex, &why);
        if (rc == 0)
            rc = add_document(b, ex.tokens, ex.n_tokens, ex.loss_mask, &why);
        example_release(&ex);
        if (rc < 0 && (rc = jsonl_reader_reject(r, &rec, &why)) < 0)
            *err = why;
        json_decref(rec.obj);
        if (rc == 0 && b->positions >= b->e->o->batch_tokens)
            rc = score_documents(b, err);
    }
    jsonl_reader_close(r);
    return rc;
}

static int read_shard(struct bpb *b, struct stream *s, struct err *err)
{
    struct shard_reader *r = shard_reader_from(s);
    struct shard_batch batch;
    int rc;
    while ((rc = shard_reader_next(r, &batch, err)) > 0) {
        for (int64_t i = 0; i < batch.n_seqs && rc > 0; i++) {
            int64_t at = batch.offsets[i], n = batch.offsets[i + 1] - at;
            const uint8_t *mask = batch.loss_mask ? batch.loss_mask + at : NULL;
            if (add_document(b, batch.tokens + at, n, mask, err) < 0)
                rc = err_prefix(err, "%s: sequence %lld", stream_name(s), (long long)b->n_docs);
            else if (b->positions >= b->e->o->batch_tokens && score_documents(b, err) < 0)
                rc = -1;
        }
        shard_batch_release(&batch);
        if (rc < 0)
            break;
    }
    shard_reader_close(r);
    return rc;
}

/* It is opened once: a pipe, with a name or without, is there but once. */
static int read_documents(struct bpb *b, const char *path, struct err *err)
{
    struct stream *s = stream_open(path, err);
    if (!s)
        return -1;
    return shard_sniff(s) ? read_shard(b, s, err) : read_records(b, s, err);
}

/* Standard error of the ratio sum(nats) / sum(per), documents being the independent units. */
static double ratio_error(const struct bpb *b, double per)
{
    if (b->n_docs < 2)
        return NAN;
    double n = (double)b->n_docs, ratio = b->nats / per;
    double squares = b->nn - 2 * ratio * b->nb + ratio * ratio * b->bb;
    return sqrt(fmax(0, squares) * n / (n - 1)) / per;
}

static int report(struct bpb *b, const char *task, struct err *err)
{
    double tokens = (double)b->tokens, bytes = (double)b->bytes, loss = b->nats / tokens;
    if (b->tokens == 0)
        return err_set(err, "%s: no token to score", task);
    if (b->bytes_of) {
        double bits = b->nats / M_LN2 / bytes;
        eval_metric(b->e, task, "bits_per_byte", bits, ratio_error(b, bytes) / M_LN2, false);
        eval_metric(b->e, task, "byte_perplexity", exp2(bits), NAN, false);
    }
    eval_metric(b->e, task, "loss", loss, b->bytes_of ? NAN : ratio_error(b, tokens), false);
    eval_samples(b->e, task, b->n_docs);
    eval_count(b->e, task, "tokens", b->tokens);
    if (b->bytes_of)
        eval_count(b->e, task, "bytes", b->bytes);
    return 0;
}

int eval_bpb(struct eval *e, const char *task, const char *path, struct err *err)
{
    struct bpb b = {.e = e};
    int rc = e->tokenizer ? count_bytes(&b, err) : 0;
    if (rc == 0)
        rc = read_documents(&b, path, err);
    if (rc == 0 && b.n > 0)
        rc = score_documents(&b, err);
    if (rc == 0)
        rc = report(&b, task, err);
    for (int64_t i = 0; i < b.n; i++)
        document_release(&b.docs[i]);
    free(b.docs);
    free(b.bytes_of);
    return rc;
}
