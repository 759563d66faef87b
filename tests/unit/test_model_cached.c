/* Bit for bit: packed or not, cut into any chunks, any batch, any number of threads, the cached
 * forward gives the log-probabilities that the trainer's forward gives. */
#include "tests/unit/model_cases.h"

enum { LEN = 41, N_SEQS = 16, VOCAB = 97 };

static struct case_batch batch;

static struct model *open_model(const struct model_case *k, enum dtype dtype, bool trainable)
{
    struct model_config c;

    case_config(&c, k, 8, 3, VOCAB);
    struct model *m = case_model(&c, dtype, NULL, trainable);
    float *w = case_weights(m, 7, false);
    model_set_weights(m, w);
    free(w);
    return m;
}

static void forward(struct model *m, const struct batch *b, float *logprobs, float *entropy)
{
    struct forward_out out = {.logprobs = logprobs, .entropy = entropy};
    struct err err = {0};

    CHECK_MSG(model_forward(m, b, &out, &err) == 0, "%s", err.text);
}

/* The sequences first..first+n of the batch, all tokens, through a cache: chunk rows of each
 * sequence at a time. */
static void run_cached(struct model *m, int first, int n, int chunk, float *logprobs,
                       float *entropy)
{
    struct err err = {0};
    struct kv_cache *cache = kv_cache_new(m, n, LEN, 0, &err);
    int32_t tokens[N_SEQS * LEN], slot[N_SEQS * LEN], pos[N_SEQS * LEN], rows[N_SEQS * LEN];
    int32_t targets[N_SEQS * LEN], from[N_SEQS * LEN];
    float inv_temp[N_SEQS * LEN], lp[N_SEQS * LEN], ent[N_SEQS * LEN];

    for (int at = 0; at < LEN; at += chunk) {
        int k = 0;
        for (int s = 0; s < n; s++) {
            for (int i = at; i < at + chunk && i < LEN; i++, k++) {
                from[k] = (first + s) * LEN + i;
                tokens[k] = batch.tokens[from[k]];
                targets[k] = batch.targets[from[k]];
                inv_temp[k] = batch.inv_temp[from[k]];
                slot[k] = s;
                pos[k] = i;
                rows[k] = k;
            }
        }
        struct cached_rows r = {.n = k, .tokens = tokens, .slot = slot, .pos = pos, .n_out = k,
                                .out_rows = rows};
        CHECK_MSG(model_forward_cached(m, cache, &r, &err) == 0, "%s", err.text);
        model_row_logprobs(m, targets, inv_temp, lp, ent);
        for (int i = 0; i < k; i++) {
            logprobs[from[i]] = lp[i];
            entropy[from[i]] = ent[i];
        }
    }
    kv_cache_free(cache);
}

static void check_same(const char *what, const struct model_case *k, enum dtype t, int threads,
                       int arg, const float *a, const float *b, int64_t n)
{
    int64_t different = 0;

    for (int64_t i = 0; i < n; i++)
        different += memcmp(&a[i], &b[i], sizeof(float)) != 0;
    CHECK_MSG(different == 0, "%s, %s, %s, %d threads, %d: %lld of %lld differ", what, k->name,
              t == DTYPE_BF16 ? "bf16" : "fp32", threads, arg, (long long)different, (long long)n);
}

static void test_case(const struct model_case *k, enum dtype t, int threads, float *reference)
{
    static const int chunks[] = {1, 5, LEN}, batches[] = {1, 3, 16};
    const int64_t n = N_SEQS * LEN;
    float lp[N_SEQS * LEN], ent[N_SEQS * LEN], other[N_SEQS * LEN], other_ent[N_SEQS * LEN];
    struct model *m = open_model(k, t, false);

    forward(m, &batch.b, lp, ent);
    if (threads == 1)
        memcpy(reference, lp, sizeof(lp));
    check_same("threads", k, t, threads, threads, lp, reference, n);
    for (size_t i = 0; i < ARRAY_SIZE(chunks); i++) {
        for (size_t j = 0; j < ARRAY_SIZE(batches); j++) {
            int seqs = batches[j];
            run_cached(m, N_SEQS - seqs, seqs, chunks[i], other, other_ent);
            int64_t first = (int64_t)(N_SEQS - seqs) * LEN;
            check_same("cached", k, t, threads, chunks[i] * 100 + seqs, other + first, lp + first,
                       (int64_t)seqs * LEN);
            check_same("entropy", k, t, threads, chunks[i] * 100 + seqs, other_ent + first,
                       ent + first, (int64_t)seqs * LEN);
        }
    }
    model_free(m);
}

/* Packed copies, keeping activations, gathered rows: none of it may change a bit. */
static void test_variants(const struct model_case *k, enum dtype t)
{
    const int64_t n = N_SEQS * LEN;
    float lp[N_SEQS * LEN], other[N_SEQS * LEN];
    struct model *m = open_model(k, t, true);
    struct batch masked = batch.b, one = batch.b;
    float mask[N_SEQS * LEN];
    int32_t cut[2] = {0, LEN};

    forward(m, &batch.b, lp, NULL);
    for (int64_t i = 0; i < m->cfg.n_layers; i++)
        m->state->packed[i] = (struct packed_layer){0};
    m->state->packed_head = NULL;
    forward(m, &batch.b, other, NULL);
    check_same("unpacked", k, t, 0, 0, other, lp, n);
    model_free(m);

    m = open_model(k, t, false);
    for (int64_t i = 0; i < n; i++)
        mask[i] = i % 7 < 3;
    masked.loss_mask = mask;
    forward(m, &masked, other, NULL);
    for (int64_t i = 0; i < n; i++)
        if (!mask[i])
            lp[i] = 0;
    check_same("masked", k, t, 0, 0, other, lp, n);
    one.n_tokens = LEN;
    one.n_seqs = 1;
    one.seq_start = cut;
    one.loss_mask = mask;
    forward(m, &one, other, NULL);
    check_same("alone", k, t, 0, 0, other, lp, LEN);
    model_free(m);
}

/* Small chunks of logits in the forward and the backward give what one chunk gives. */
static void test_head_chunks(void)
{
    const struct model_case *k = &model_cases[1];
    const int64_t n = N_SEQS * LEN;
    float lp[N_SEQS * LEN], other[N_SEQS * LEN];
    struct model *m = open_model(k, DTYPE_F32, true), *cut = open_model(k, DTYPE_F32, true);
    struct err err = {0};

    forward(m, &batch.b, lp, NULL);
    cut->state->logits_bytes = 1; /* the least: 32 rows */
    forward(cut, &batch.b, other, NULL);
    CHECK(cut->state->logits_rows == 32);
    check_same("head chunks", k, DTYPE_F32, 0, 0, other, lp, n);
    CHECK(model_backward(m, &batch.b, batch.dlogprobs, batch.dz, &err) == 0);
    CHECK(model_backward(cut, &batch.b, batch.dlogprobs, batch.dz, &err) == 0);
    double *a = case_grads(m), *b = case_grads(cut);
    for (int64_t i = 0; i < m->n_elements; i++)
        CHECK_CLOSE(b[i], a[i], 1e-5, 1e-5);
    free(a);
    free(b);
    model_free(m);
    model_free(cut);
}

struct copy {
    float *logits;
    int64_t next;
};

static void take_logits(void *arg, int64_t first, int64_t n, const float *logits)
{
    struct copy *c = arg;

    CHECK(first == c->next);
    memcpy(c->logits + first * VOCAB, logits, (size_t)(n * VOCAB) * sizeof(float));
    c->next = first + n;
}

/* kv_cache_share(), row logits and forward logits. */
static void test_shared_prompt(enum dtype t)
{
    const struct model_case *k = &model_cases[15];
    struct model *m = open_model(k, t, false);
    struct err err = {0};
    struct kv_cache *cache = kv_cache_new(m, 2, LEN, 0, &err);
    struct copy all = {xcalloc((size_t)(N_SEQS * LEN * VOCAB), sizeof(float)), 0};
    int32_t slot[LEN] = {0}, pos[LEN], last = LEN - 2;
    float row[2 * VOCAB];

    for (int i = 0; i < LEN; i++)
        pos[i] = i;
    CHECK(model_forward_logits(m, &batch.b, take_logits, &all, &err) == 0);
    CHECK(all.next == N_SEQS * LEN);
    struct cached_rows prompt = {.n = LEN - 1, .tokens = batch.tokens, .slot = slot, .pos = pos,
                                 .n_out = 1, .out_rows = &last};
    CHECK(model_forward_cached(m, cache, &prompt, &err) == 0);
    model_row_logits(m, row);
    CHECK(!memcmp(row, all.logits + last * VOCAB, VOCAB * sizeof(float)));
    CHECK(kv_cache_share(cache, 0, 1, LEN - 1));
    int32_t tokens[2] = {batch.tokens[LEN - 1], batch.tokens[LEN - 1]};
    int32_t slots[2] = {1, 0}, at[2] = {LEN - 1, LEN - 1}, rows[2] = {0, 1};
    struct cached_rows next = {.n = 2, .tokens = tokens, .slot = slots, .pos = at, .n_out = 2,
                               .out_rows = rows};
    CHECK(model_forward_cached(m, cache, &next, &err) == 0);
    model_row_logits(m, row);
    for (int i = 0; i < 2; i++)
        CHECK(!memcmp(row + i * VOCAB, all.logits + (LEN - 1) * VOCAB, VOCAB * sizeof(float)));

    tokens[1] = VOCAB;
    CHECK(model_forward_cached(m, cache, &next, &err) < 0 && strstr(err.text, "vocabulary"));
    err_clear(&err);
    tokens[1] = 0;
    at[1] = LEN;
    CHECK(model_forward_cached(m, cache, &next, &err) < 0 && strstr(err.text, "outside the cache"));
    free(all.logits);
    kv_cache_free(cache);
    model_free(m);
}

static void test_bad_batches(void)
{
    struct model *m = open_model(&model_cases[0], DTYPE_F32, false);
    struct batch b = batch.b;
    struct forward_out out = {0};
    struct err err = {0};
    int32_t tokens[N_SEQS * LEN], start[2] = {0, 300};

    memcpy(tokens, batch.tokens, sizeof(tokens));
    tokens[50] = -1;
    b.tokens = tokens;
    CHECK(model_forward(m, &b, &out, &err) < 0);
    CHECK_STR(err.text, "position 50 of the batch: token id outside the model's vocabulary");
    err_clear(&err);
    b = batch.b;
    b.n_seqs = 1;
    b.n_tokens = 300;
    b.seq_start = start;
    CHECK(model_forward(m, &b, &out, &err) < 0 && strstr(err.text, "max_position_embeddings"));
    model_free(m);
}

int main(void)
{
    static const int cases[] = {0, 1, 2, 4, 7, 15, 16};
    static float reference[2][ARRAY_SIZE(model_cases)][N_SEQS * LEN];
    int lengths[N_SEQS];

    for (int i = 0; i < N_SEQS; i++)
        lengths[i] = LEN;
    case_batch_init(&batch, &model_cases[16], VOCAB, lengths, N_SEQS, 11);
    batch.b.loss_mask = NULL; /* all */
    for (int threads = 1; threads <= 2; threads++) {
        pool_init(threads);
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
            for (int t = 0; t < 2; t++)
                test_case(&model_cases[cases[i]], t ? DTYPE_BF16 : DTYPE_F32, threads,
                          reference[t][cases[i]]);
        pool_release();
    }
    pool_init(2);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        for (int t = 0; t < 2; t++)
            test_variants(&model_cases[cases[i]], t ? DTYPE_BF16 : DTYPE_F32);
    test_head_chunks();
    test_shared_prompt(DTYPE_F32);
    test_shared_prompt(DTYPE_BF16);
    test_bad_batches();
    case_batch_release(&batch);
    pool_release();
    return check_done();
}
