/* attention_cached.c - causal attention over a KV cache.
 *
 * Keys stand in the lanes, so that a single query row fills them.  A row makes two passes over its
 * keys: scores, their maximum, exponentials and their sum (LANES partial sums, lane = position %
 * LANES, then a fixed tree), and then one chain over ascending keys per output element.  It always
 * covers whole blocks of LANES keys by absolute position; a key that is masked has probability 0,
 * which leaves a chain as it is.  Rows of one call share the reading of K and V, no arithmetic; and
 * attention.c does the same arithmetic.
 */
#include "kernels/cpu/cpu.h"

#define ROWS 8 /* query rows worked on together */

#if VW == 16
#define KEYS_4_ROWS 4 /* most rows for which 4 (2) blocks of keys fit the registers */
#define KEYS_2_ROWS 8
#define VALUES_4_ROWS 4
#elif VW == 8
#define KEYS_4_ROWS 1
#define KEYS_2_ROWS 3
#define VALUES_4_ROWS 2
#else
#define KEYS_4_ROWS 0
#define KEYS_2_ROWS 0
#define VALUES_4_ROWS 2
#endif

struct query {
    int64_t row, head, pos;
};

struct attn {
    struct dev *dev;
    const void *q;
    void *out;
    int64_t n_heads, n_kv_heads, head_dim, q_stride, window;
    float scale;
};

/* Where rows of one block of positions look: blocks [first, first + n). */
struct span {
    int64_t first, n;
};

static struct span block_span(const struct query *q, int rows, int64_t window)
{
    int64_t low = q[0].pos;
    for (int r = 1; r < rows; r++)
        low = min_i64(low, q[r].pos);
    low = window > 0 ? max_i64(0, low - window + 1) : 0;
    return (struct span){low / LANES, q[0].pos / LANES - low / LANES + 1};
}

/* Scores lie as A of the product with V does: [K_BLOCK keys][row][A_STRIDE]. */
static void scores(const struct kv_view *kv, const float *q, int rows, struct span s, float *p)
{
    const int64_t per_chunk = K_BLOCK / LANES, block = LANES * kv->head_dim;
    for (int64_t b = 0; b < s.n;) {
        int64_t left = min_i64(s.n - b, per_chunk - b % per_chunk);
        int np = left >= 4 && rows <= KEYS_4_ROWS ? 4 : left >= 2 && rows <= KEYS_2_ROWS ? 2 : 1;
        struct tile t = {
            .a = q,
            .lda = A_STRIDE,
            .b = elem(kv->k, kv->dtype, (s.first + b) * block),
            .ldb = LANES,
            .panel = block,
            .K = kv->head_dim,
            .c = p + b / per_chunk * ROWS * A_STRIDE + b % per_chunk * LANES,
            .ldc = A_STRIDE,
            .b_type = kv->dtype == DTYPE_BF16 ? B_BF16 : B_F32,
        };
        tile_run(&t, TILE_ROWS, np, LV, rows);
        b += np;
    }
}

static float *score_at(float *p, int r, int64_t key)
{
    return p + (key / K_BLOCK * ROWS + r) * A_STRIDE + key % K_BLOCK;
}

/* Turns row r's scores into exponentials; returns their sum. */
static float exponentials(const struct query *q, int r, struct span s, int64_t window, float *p)
{
    int64_t n = s.n * LANES, own = q->pos - s.first * LANES;
    if (window > 0)
        for (int64_t j = 0; j <= own - window; j++)
            *score_at(p, r, j) = -INFINITY;
    for (int64_t j = own + 1; j < n; j++)
        *score_at(p, r, j) = -INFINITY;
    vf m = vset(-INFINITY), sum[LV] = {{0}};
    for (int64_t j = 0; j < n; j += VW)
        m = vmax(m, vload(score_at(p, r, j)));
    vf shift = vset(lanes_max(m));
    for (int64_t j = 0; j < n; j += LANES) {
        float *x = score_at(p, r, j);
        for (int i = 0; i < LV; i++) {
            vf e = vexp(vload(x + i * VW) - shift);
            vstore(x + i * VW, e);
            sum[i] += e;
        }
    }
    return lanes_sum(sum);
}

static void values(const struct kv_view *kv, const float *p, int rows, struct span s, float *out)
{
    int64_t n = s.n * LANES, vectors = kv->v_dim / VW;
    for (int64_t j = 0; j < n; j += K_BLOCK)
        for (int64_t v = 0; v < vectors;) {
            int64_t left = vectors - v;
            int nv = left >= 4 && rows <= VALUES_4_ROWS ? 4 : left >= 2 ? 2 : 1;
            struct tile t = {
                .a = p + j / K_BLOCK * ROWS * A_STRIDE,
                .lda = A_STRIDE,
                .b = elem(kv->v, kv->dtype, (s.first * LANES + j) * kv->v_dim + v * VW),
                .ldb = kv->v_dim,
                .K = min_i64(K_BLOCK, n - j),
                .c = out + v * VW,
                .ldc = A_STRIDE,
                .b_type = kv->dtype == DTYPE_BF16 ? B_BF16 : B_F32,
                .load = j > 0,
            };
            tile_run(&t, TILE_ROWS, 1, nv, rows);
            v += nv;
        }
}

static size_t attend_scratch(int64_t max_len)
{
    int64_t chunks = (round_up(max_len, LANES) + K_BLOCK - 1) / K_BLOCK + 1;
    return (size_t)((2 + chunks) * ROWS * A_STRIDE) * sizeof(float);
}

/* At most ROWS query rows of one key head, all within one block of LANES positions. */
static void attend(const struct attn *a, const struct kv_view *kv, const struct query *query,
                   int rows, float *scratch)
{
    float *q = scratch, *out = q + ROWS * A_STRIDE, *p = out + ROWS * A_STRIDE;
    struct span s = block_span(query, rows, a->window);
    for (int r = 0; r < rows; r++) {
        float *x = q + r * A_STRIDE;
        load_row(x, a->q, a->dev->dtype, query[r].row * a->q_stride + query[r].head * a->head_dim,
                 a->head_dim);
        for (int64_t d = 0; d < a->head_dim; d++)
            x[d] *= a->scale;
    }
    scores(kv, q, rows, s, p);
    float sum[ROWS];
    for (int r = 0; r < rows; r++)
        sum[r] = exponentials(query + r, r, s, a->window, p);
    values(kv, p, rows, s, out);
    for (int r = 0; r < rows; r++) {
        float *x = out + r * A_STRIDE, inverse = 1.0f / sum[r];
        for (int64_t d = 0; d < kv->v_dim; d++)
            x[d] *= inverse;
        store_row(a->out, a->dev->dtype, (query[r].row * a->n_heads + query[r].head) * a->head_dim,
                  x, a->head_dim);
    }
}

/* n rows at consecutive positions of one block, and the query heads of one key head. */
static void attend_group(const struct attn *a, const struct kv_view *kv, int64_t row, int64_t pos,
                         int64_t n, int64_t kv_head, float *scratch)
{
    int64_t group = a->n_heads / a->n_kv_heads;
    struct query q[ROWS];
    int rows = 0;
    for (int64_t i = 0; i < n * group; i++) {
        q[rows++] = (struct query){row + i / group, kv_head * group + i % group, pos + i / group};
        if (rows == ROWS || i == n * group - 1) {
            attend(a, kv, q, rows, scratch);
            rows = 0;
        }
    }
}

/* Rows that follow each other in one block of a slot read K and V together. */
struct run {
    int64_t row, n;
};

struct cached {
    struct attn attn;
    const struct attention_cached_args *a;
    struct run *runs;
    void *cache; /* a->cache; only read */
};

static void attend_run(void *arg, int64_t i, int thread)
{
    const struct cached *j = arg;
    const struct attention_cached_args *a = j->a;
    struct run run = j->runs[i / a->shape.n_kv_heads];
    int64_t head = i % a->shape.n_kv_heads;
    struct kv_view kv =
        kv_slot_view(j->cache, j->attn.dev->dtype, &a->shape, a->slot[run.row], head);
    attend_group(&j->attn, &kv, run.row, a->pos[run.row], run.n, head,
                 thread_scratch(j->attn.dev, thread));
}

static int64_t find_runs(const struct attention_cached_args *a, struct run *runs, int64_t *longest)
{
    int64_t n = 0;
    *longest = 0;
    for (int64_t i = 0; i < a->n; i++) {
        *longest = max_i64(*longest, a->pos[i] + 1);
        if (i && a->slot[i] == a->slot[i - 1] && a->pos[i] == a->pos[i - 1] + 1 &&
            a->pos[i] % LANES)
            runs[n - 1].n++;
        else
            runs[n++] = (struct run){i, 1};
    }
    return n;
}

void cpu_attention_cached(struct dev *dev, const struct attention_cached_args *a)
{
    if (a->shape.head_dim > MAX_HEAD_DIM) {
        fail(dev, "head_dim above 256 is not supported");
        return;
    }
    struct cached j = {
        .attn = {dev, a->q, a->out, a->n_heads, a->shape.n_kv_heads, a->shape.head_dim,
                 a->q_stride, a->window, (float)a->scale},
        .a = a,
    };
    memcpy(&j.cache, &a->cache, sizeof j.cache);
    j.runs = cpu_shared(dev, (size_t)max_i64(1, a->n) * sizeof *j.runs);
    if (!j.runs)
        return;
    int64_t longest, n = find_runs(a, j.runs, &longest);
    if (cpu_scratch(dev, attend_scratch(longest)))
        cpu_for(dev, n * a->shape.n_kv_heads, attend_run, &j);
}
