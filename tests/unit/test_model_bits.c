/* One set of bits, for models drawn at random: shapes, switches, sequences, packings, prefill chunks,
 * batches of a cache of up to 64 sequences, threads and instruction sets.
 *
 *     test_model_bits [SEED [N]]     the draws SEED, SEED + 1, ...
 */
#include "tests/unit/model_cases.h"

enum { MOST_SEQS = 64, MOST_TOKENS = 700, MOST_THREADS = 4 };

/* Those that the processor lacks are passed over. */
static const char *const cpus[] = {"base", "avx2", "avx512", "avx512bf16", "amx", "amx-bf16x3", "amx-bf16x6"};

struct draw {
    struct rng r;
    uint64_t seed;
    struct model_case k;
    struct model_config c;
    enum dtype dtype;
    int lengths[MOST_SEQS], n_seqs, longest;
    struct case_batch batch; /* all sequences, in order */
    float *weights;
    float logprobs[MOST_TOKENS]; /* the trainer's, one thread */
    int64_t n_different;
};

static int below(struct draw *d, int n)
{
    return (int)rng_below(&d->r, (uint64_t)n);
}

static bool coin(struct draw *d)
{
    return below(d, 2) != 0;
}

static void draw_config(struct draw *d)
{
    static const int kv_of[] = {1, 2, 3, 1, 5, 2};
    const int kv = kv_of[below(d, 6)], window = coin(d) ? 1 + below(d, 70) : 0;
    struct model_config *c = &d->c;

    d->k = (struct model_case){.name = "drawn", .kv_heads = kv, .qk_norm = (enum qk_norm)below(d, 3),
                               .norm_place = (enum norm_place)below(d, 2), .qkv_bias = coin(d),
                               .o_bias = coin(d), .mlp_bias = coin(d), .tied = coin(d),
                               .round_first = coin(d), .window = window,
                               .rope = (enum rope_scaling)below(d, 4), .full_only = window && coin(d),
                               .inv_temp = coin(d)};
    case_config(c, &d->k, 2 * (1 + below(d, 40)), 1 + below(d, 3), 20 + below(d, 900));
    c->n_heads = kv * (1 + below(d, 4));
    c->dim = 1 + below(d, 200);
    c->hidden_dim = 1 + below(d, 300);
}

static void draw_sequences(struct draw *d)
{
    const int most = 1 + below(d, MOST_SEQS), longest = 1 + below(d, 120);
    int total = 0;

    d->n_seqs = d->longest = 0;
    while (d->n_seqs < most) {
        int n = 1 + below(d, longest);
        if (total + n > MOST_TOKENS)
            break;
        d->lengths[d->n_seqs++] = n;
        d->longest = n > d->longest ? n : d->longest;
        total += n;
    }
    case_batch_init(&d->batch, &d->k, d->c.vocab_size, d->lengths, d->n_seqs, d->seed);
    d->batch.b.loss_mask = NULL;
}

static struct model *open_with(struct draw *d, int threads, bool trainable)
{
    pool_release();
    pool_init(threads);
    struct model *m = case_model(&d->c, d->dtype, NULL, trainable);
    if (!d->weights)
        d->weights = case_weights(m, d->seed, false);
    model_set_weights(m, d->weights);
    return m;
}

static void check_bits(struct draw *d, const char *what, const struct model *m, const float *a, const float *b,
                       int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (memcmp(&a[i], &b[i], sizeof *a) != 0) {
            CHECK_MSG(false, "draw %llu, %s, %s, %d threads: value %lld of %lld", (unsigned long long)d->seed, what,
                      m->dev.name, m->dev.n_threads, (long long)i, (long long)n);
            return;
        }
    CHECK(true);
}

/* Some sequences, in the given order, as one packed call. */
static void check_pack(struct draw *d, struct model *m, const int64_t *order, int n)
{
    const struct batch *all = &d->batch.b;
    int32_t tokens[MOST_TOKENS], targets[MOST_TOKENS], start[MOST_SEQS + 1] = {0};
    float inv_temp[MOST_TOKENS], expected[MOST_TOKENS], logprobs[MOST_TOKENS];
    struct err err = {0};

    for (int s = 0; s < n; s++) {
        const int64_t from = all->seq_start[order[s]];
        start[s + 1] = start[s] + d->lengths[order[s]];
        for (int32_t i = start[s]; i < start[s + 1]; i++) {
            const int64_t at = from + i - start[s];
            tokens[i] = all->tokens[at];
            targets[i] = all->targets[at];
            inv_temp[i] = d->batch.inv_temp[at];
            expected[i] = d->logprobs[at];
        }
    }
    const struct batch b = {.n_tokens = start[n], .n_seqs = n, .tokens = tokens, .targets = targets,
                            .seq_start = start, .inv_temp = all->inv_temp ? inv_temp : NULL};
    CHECK_MSG(model_forward(m, &b, &(struct forward_out){.logprobs = logprobs}, &err) == 0, "%s", err.text);
    check_bits(d, "packed", m, logprobs, expected, start[n]);
}

static void check_packings(struct draw *d)
{
    struct model *m = open_with(d, 1 + below(d, MOST_THREADS), coin(d));
    int64_t order[MOST_SEQS];
    const int cut = 1 + below(d, d->n_seqs);

    rng_permutation(&d->r, order, d->n_seqs);
    check_pack(d, m, order, cut);
    if (cut < d->n_seqs)
        check_pack(d, m, order + cut, d->n_seqs - cut);
    model_free(m);
}

/* One call on a cache: of each of some sequences one token or a chunk of its prompt. */
static int fill_rows(struct draw *d, const int *done, int32_t *slot, int32_t *pos)
{
    int n = 0;
    for (int s = 0; s < d->n_seqs; s++) {
        int left = d->lengths[s] - done[s];
        if (left == 0 || below(d, 4) == 0)
            continue;
        int chunk = coin(d) ? 1 : 1 + below(d, left);
        for (int i = 0; i < chunk; i++, n++) {
            slot[n] = s;
            pos[n] = done[s] + i;
        }
    }
    return n;
}

static void run_rows(struct draw *d, struct model *m, struct kv_cache *cache, int n, const int32_t *slot,
                     const int32_t *pos, float *logprobs)
{
    const struct batch *all = &d->batch.b;
    int32_t tokens[MOST_TOKENS], targets[MOST_TOKENS], rows[MOST_TOKENS];
    float inv_temp[MOST_TOKENS], got[MOST_TOKENS];
    struct err err = {0};

    for (int i = 0; i < n; i++) {
        const int32_t at = all->seq_start[slot[i]] + pos[i];
        tokens[i] = all->tokens[at];
        targets[i] = all->targets[at];
        inv_temp[i] = d->batch.inv_temp[at];
        rows[i] = i;
    }
    const struct cached_rows r = {.n = n, .tokens = tokens, .slot = slot, .pos = pos, .n_out = n, .out_rows = rows};
    CHECK_MSG(model_forward_cached(m, cache, &r, &err) == 0, "%s", err.text);
    model_row_logprobs(m, targets, all->inv_temp ? inv_temp : NULL, got, NULL);
    for (int i = 0; i < n; i++)
        logprobs[all->seq_start[slot[i]] + pos[i]] = got[i];
}

static void check_cached(struct draw *d)
{
    struct model *m = open_with(d, 1 + below(d, MOST_THREADS), false);
    struct err err = {0};
    struct kv_cache *cache = kv_cache_new(m, d->n_seqs, d->longest, 0, &err);
    int32_t slot[MOST_TOKENS], pos[MOST_TOKENS];
    int done[MOST_SEQS] = {0};
    float logprobs[MOST_TOKENS];

    CHECK_MSG(cache, "%s", err.text);
    for (int64_t left = d->batch.b.n_tokens; cache && left > 0;) {
        int n = fill_rows(d, done, slot, pos);
        if (n == 0)
            continue;
        run_rows(d, m, cache, n, slot, pos, logprobs);
        for (int i = 0; i < n; i++)
            done[slot[i]]++;
        left -= n;
    }
    check_bits(d, "cached", m, logprobs, d->logprobs, d->batch.b.n_tokens);
    kv_cache_free(cache);
    model_free(m);
}

/* The trainer's log-probabilities and gradients; owned. */
static float *train(struct draw *d, int threads, bool recompute, float *logprobs)
{
    struct err err = {0};
    struct model *m = open_with(d, threads, true);
    float *g = xcalloc((size_t)m->n_elements, sizeof *g);

    m->state->train.recompute = recompute;
    CHECK_MSG(model_forward(m, &d->batch.b, &(struct forward_out){.logprobs = logprobs}, &err) == 0, "%s", err.text);
    CHECK_MSG(model_backward(m, &d->batch.b, d->batch.dlogprobs, NULL, &err) == 0, "%s", err.text);
    memcpy(g, m->grads, (size_t)m->n_elements * sizeof *g);
    if (threads > 1)
        check_bits(d, "trainer", m, logprobs, d->logprobs, d->batch.b.n_tokens);
    model_free(m);
    return g;
}

static void check_draw(struct draw *d)
{
    float again[MOST_TOKENS];
    float *one = train(d, 1, false, d->logprobs);
    float *more = train(d, 2 + below(d, MOST_THREADS - 1), coin(d), again);
    struct model *m = open_with(d, 1, false);

    check_bits(d, "gradients", m, one, more, m->n_elements);
    model_free(m);
    check_packings(d);
    check_cached(d);
    free(one);
    free(more);
}

/* The index-th instruction set from `first` on that is there. */
static const char *some_cpu(struct draw *d)
{
    for (;;) {
        const char *name = cpus[below(d, (int)ARRAY_SIZE(cpus))], *error;
        struct dev dev;
        setenv("THINKPIPE_CPU", name, 1);
        if (dev_open_cpu(&dev, d->dtype, 1, NULL, &error) == 0) {
            dev_close(&dev);
            return name;
        }
    }
}

int main(int argc, char **argv)
{
    const uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    const int n = argc > 2 ? atoi(argv[2]) : getenv("LONG") ? 400 : 24;
    static struct draw d;

    pool_init(1);
    for (uint64_t seed = first; seed < first + (uint64_t)n; seed++) {
        d = (struct draw){.seed = seed};
        rng_init(&d.r, seed, "test bits", 0, 0);
        d.dtype = coin(&d) ? DTYPE_BF16 : DTYPE_F32;
        some_cpu(&d);
        draw_config(&d);
        draw_sequences(&d);
        check_draw(&d);
        case_batch_release(&d.batch);
        free(d.weights);
    }
    pool_release();
    return check_done();
}
