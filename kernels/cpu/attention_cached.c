/* attention_cached.c - causal attention over a KV cache.
 *
 * Keys stand in the lanes, so that a single query row fills them.  A row makes two passes over its
 * keys: scores, their maximum, exponentials and their sum (LANES partial sums, lane = position %
 * LANES, then a fixed tree), and then one chain over ascending keys per output element.  It always
 * covers whole blocks of LANES keys by absolute position; a key that is masked has probability 0,
 * which leaves a chain as it is.  Rows of one call share the reading of K and V, no arithmetic; and
 * attention.c does the same arithmetic.
 *
 * Rows that begin with the same pages, a prompt shared by a group, read those together.
 */
#include "kernels/cpu/attention.h"

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
    const int32_t *pages; /* of its slot */
};

struct attn {
    struct dev *dev;
    const struct attention_cached_args *a;
    void *cache; /* a->cache; only read */
    struct unit *units;
    int32_t *order;      /* [n] rows, unit by unit */
    int32_t *first_page; /* [n] of each row; -1: it has no whole page before its own */
    bool *taken;         /* [n] in a unit */
    struct head head;
};

/* Rows that are worked on together; the first `shared` pages of all are the same. */
struct unit {
    int64_t first, n; /* in order */
    int64_t shared;
};
#define UNIT_ROWS 16

/* The keys of one head in a sequence. */
struct keys {
    const struct attn *j;
    const int32_t *pages;
    int64_t head;
};

static struct kv_view page_with(const struct keys *s, int64_t block)
{
    const struct attn *j = s->j;
    return kv_page_view(j->cache, j->dev->dtype, &j->a->shape, s->pages[block / PAGE_BLOCKS], s->head);
}

static enum b_type cache_type(const struct head *h, const struct kv_view *kv)
{
    return h->pairs ? B_PAIRS : kv->dtype == DTYPE_BF16 ? B_BF16 : B_F32;
}

/* Scores lie as A of the product with V does: [K_BLOCK keys][row][A_STRIDE], keys counted from block
 * `base` on.  Blocks [b0, b1) of one sequence. */
static void scores(const struct keys *s, const float *q, int rows, int64_t base, int64_t b0, int64_t b1, float *p)
{
    const int64_t per_chunk = K_BLOCK / LANES;
    const struct head *h = &s->j->head;
    for (int64_t b = b0; b < b1;) {
        int64_t in_page = (base + b) % PAGE_BLOCKS;
        int64_t left = min_i64(min_i64(b1 - b, per_chunk - b % per_chunk), PAGE_BLOCKS - in_page);
        int np = left >= 4 && rows <= KEYS_4_ROWS ? 4 : left >= 2 && rows <= KEYS_2_ROWS ? 2 : 1;
        struct kv_view kv = page_with(s, base + b);
        struct tile t = {
            .a = q,
            .lda = A_STRIDE,
            .b = elem(kv.k, kv.dtype, in_page * LANES * kv.k_dim),
            .ldb = LANES,
            .panel = LANES * kv.k_dim / h->per,
            .K = h->steps,
            .c = p + b / per_chunk * ROWS * A_STRIDE + b % per_chunk * LANES,
            .ldc = A_STRIDE,
            .b_type = cache_type(h, &kv),
        };
        tile_run(&t, TILE_ROWS, np, LV, rows);
        b += np;
    }
}

static float *score_at(float *p, int r, int64_t key)
{
    return p + (key / K_BLOCK * ROWS + r) * A_STRIDE + key % K_BLOCK;
}

/* Turns row r's scores of blocks [base, base + blocks) into exponentials (bf16 in the first half of each chunk, with
 * pairs); returns their sum. */
static float exponentials(const struct head *h, const struct query *q, int r, int64_t base, int64_t blocks,
                          int64_t window, float *p)
{
    int64_t n = blocks * LANES, own = q->pos - base * LANES;
    if (window > 0)
        for (int64_t j = 0; j <= own - window; j++)
            *score_at(p, r, j) = -INFINITY;
    for (int64_t j = own + 1; j < n; j++)
        *score_at(p, r, j) = -INFINITY;
    vf m = vset(-INFINITY), sum[LV] = {{0}};
    for (int64_t j = 0; j < n; j += VW)
        m = vmax(m, vload(score_at(p, r, j)));
    vf scale = vset(h->score_scale), shift = -(vset(lanes_max(m)) * scale);
    for (int64_t j = 0; j < n; j += LANES) {
        float *x = score_at(p, r, j);
        for (int i = 0; i < LV; i++) {
            vf e = vexp(vfma(vload(x + i * VW), scale, shift));
            if (h->pairs)
                vstore_bf16((uint16_t *)(void *)score_at(p, r, j / K_BLOCK * K_BLOCK) + j % K_BLOCK + i * VW, e);
            else
                vstore(x + i * VW, e);
            sum[i] += e;
        }
    }
    return lanes_sum(sum);
}

/* out (+)= probabilities times values, for blocks [b0, b1) of one sequence; from zero if b0 is 0. */
static void values(const struct keys *s, const float *p, int rows, int64_t base, int64_t b0, int64_t b1, float *out)
{
    const struct head *h = &s->j->head;
    for (int64_t j = b0 * LANES, n; j < b1 * LANES; j += n) {
        int64_t in_page = (base * LANES + j) % KV_PAGE;
        struct kv_view kv = page_with(s, base + j / LANES);
        n = min_i64(min_i64(K_BLOCK - j % K_BLOCK, b1 * LANES - j), KV_PAGE - in_page);
        for (int64_t v = 0, vectors = kv.v_dim / VW; v < vectors;) {
            int64_t left = vectors - v;
            int nv = left >= 4 && rows <= VALUES_4_ROWS ? 4 : left >= 2 ? 2 : 1;
            struct tile t = {
                .a = p + j / K_BLOCK * ROWS * A_STRIDE + j % K_BLOCK / h->per,
                .lda = A_STRIDE,
                .b = elem(kv.v, kv.dtype, in_page * kv.v_dim + v * VW * h->per),
                .ldb = kv.v_dim,
                .K = n / h->per,
                .c = out + v * VW,
                .ldc = A_STRIDE,
                .b_type = cache_type(h, &kv),
                .load = j > 0,
            };
            tile_run(&t, TILE_ROWS, 1, nv, rows);
            v += nv;
        }
    }
}

size_t attention_cached_scratch(int64_t max_len)
{
    int64_t chunks = (round_up(max_len, LANES) + K_BLOCK - 1) / K_BLOCK + 1;
    return (size_t)((2 + chunks) * ROWS * A_STRIDE) * sizeof(float);
}

static void load_query(const struct attn *j, const struct query *q, float *x)
{
    struct rows from = {j->a->q, j->dev->dtype, q->row * j->a->q_stride + q->head * j->head.head_dim, 0};
    load_lines(x, &j->head, &from, 1, 1, j->head.q_scale);
}

static void store_output(const struct attn *j, const struct query *q, float *x, float sum)
{
    int64_t hd = j->a->shape.head_dim;
    float inverse = 1.0f / sum;
    for (int64_t d = 0; d < hd; d++)
        x[d] *= inverse;
    store_row(j->a->out, j->dev->dtype, (q->row * j->a->n_heads + q->head) * hd, x, hd);
}

/* How many queries from the first on are in the same block of the same slot. */
static int same_block(const struct query *q, int rows)
{
    int n = 1;
    while (n < rows && q[n].pages == q[0].pages && q[n].pos / LANES == q[0].pos / LANES)
        n++;
    return n;
}

static int64_t first_block(const struct query *q, int rows, int64_t window)
{
    int64_t low = q[0].pos;
    for (int r = 1; r < rows; r++)
        low = min_i64(low, q[r].pos);
    return window > 0 ? max_i64(0, low - window + 1) / LANES : 0;
}

/* At most ROWS queries of one unit and key head. */
static void attend(const struct attn *j, const struct unit *u, const struct query *query, int rows,
                   int64_t kv_head, float *scratch)
{
    float *q = scratch, *out = q + ROWS * A_STRIDE, *p = out + ROWS * A_STRIDE;
    int64_t base = first_block(query, rows, j->a->window);
    int64_t shared = max_i64(0, u->shared * PAGE_BLOCKS - base);
    const struct keys all = {j, query[0].pages, kv_head};
    float sum[ROWS];
    for (int r = 0; r < rows; r++)
        load_query(j, query + r, q + r * A_STRIDE);
    scores(&all, q, rows, base, 0, shared, p);
    for (int r = 0, n; r < rows; r += n) {
        const struct keys own = {j, query[r].pages, kv_head};
        int64_t blocks = query[r].pos / LANES - base + 1;
        n = same_block(query + r, rows - r);
        scores(&own, q + r * A_STRIDE, n, base, shared, blocks, p + r * A_STRIDE);
        for (int i = r; i < r + n; i++)
            sum[i] = exponentials(&j->head, query + i, i, base, blocks, j->a->window, p);
    }
    values(&all, p, rows, base, 0, shared, out);
    for (int r = 0, n; r < rows; r += n) {
        const struct keys own = {j, query[r].pages, kv_head};
        n = same_block(query + r, rows - r);
        values(&own, p + r * A_STRIDE, n, base, shared, query[r].pos / LANES - base + 1, out + r * A_STRIDE);
    }
    for (int r = 0; r < rows; r++)
        store_output(j, query + r, out + r * A_STRIDE, sum[r]);
}

static const int32_t *pages_of(const struct attention_cached_args *a, int64_t row)
{
    return a->table.pages + a->slot[row] * a->table.slot_pages;
}

static void attend_unit(void *arg, int64_t i, int thread)
{
    const struct attn *j = arg;
    const struct attention_cached_args *a = j->a;
    int64_t kv_heads = a->shape.n_kv_heads, group = a->n_heads / kv_heads, kv_head = i % kv_heads;
    const struct unit *u = &j->units[i / kv_heads];
    struct query q[ROWS];
    int rows = 0;
    for (int64_t k = 0; k < u->n * group; k++) {
        int32_t row = j->order[u->first + k / group];
        q[rows++] = (struct query){row, kv_head * group + k % group, a->pos[row], pages_of(a, row)};
        if (rows == ROWS || k == u->n * group - 1) {
            attend(j, u, q, rows, kv_head, thread_scratch(j->dev, thread));
            rows = 0;
        }
    }
}

/* How many of the first n pages rows i and k have both. */
static int64_t pages_in_common(const struct attention_cached_args *a, int64_t i, int64_t k, int64_t n)
{
    const int32_t *x = pages_of(a, i), *y = pages_of(a, k);
    int64_t most = min_i64(n, a->pos[k] / KV_PAGE), same = 0;
    while (same < most && x[same] == y[same])
        same++;
    return same;
}

/* Is k in the same block of the same slot as the row before it, in the first page? */
static bool follows(const struct attention_cached_args *a, int64_t last, int64_t k)
{
    return k == last + 1 && a->slot[k] == a->slot[last] && a->pos[k] == a->pos[last] + 1 && a->pos[k] % LANES;
}

static void add_to_unit(struct attn *j, struct unit *u, int64_t row)
{
    j->taken[row] = true;
    j->order[u->first + u->n++] = (int32_t)row;
}

/* Rows that begin with the same page; in their first page, rows that follow each other. */
static void fill_unit(struct attn *j, struct unit *u, int64_t i)
{
    const struct attention_cached_args *a = j->a;
    const int32_t page = j->first_page[i];
    u->shared = a->pos[i] / KV_PAGE;
    add_to_unit(j, u, i);
    for (int64_t k = i + 1; page < 0 && k < a->n && u->n < UNIT_ROWS && follows(a, k - 1, k); k++)
        add_to_unit(j, u, k);
    for (int64_t k = i + 1; page >= 0 && k < a->n && u->n < UNIT_ROWS; k++) {
        if (j->first_page[k] != page || j->taken[k])
            continue;
        u->shared = pages_in_common(a, i, k, u->shared);
        add_to_unit(j, u, k);
    }
}

static int64_t find_units(struct attn *j)
{
    const struct attention_cached_args *a = j->a;
    int64_t n_units = 0, n = 0;
    memset(j->taken, 0, (size_t)a->n);
    for (int64_t i = 0; i < a->n; i++)
        j->first_page[i] = a->pos[i] < KV_PAGE ? -1 : pages_of(a, i)[0];
    for (int64_t i = 0; i < a->n; i++) {
        if (j->taken[i])
            continue;
        struct unit *u = &j->units[n_units++];
        *u = (struct unit){n, 0, 0};
        fill_unit(j, u, i);
        n += u->n;
    }
    return n_units;
}

size_t attention_cached_shared(int64_t rows)
{
    return (size_t)rows * (sizeof(struct unit) + 2 * sizeof(int32_t) + sizeof(bool));
}

void cpu_attention_cached(struct dev *dev, const struct attention_cached_args *a)
{
    if (a->shape.head_dim > MAX_HEAD_DIM) {
        fail(dev, "head_dim above 256 is not supported");
        return;
    }
    struct attn j = {.dev = dev, .a = a, .head = head_of(dev, a->shape.head_dim, (float)a->scale)};
    memcpy(&j.cache, &a->cache, sizeof j.cache);
    size_t rows = (size_t)max_i64(1, a->n), longest = 0;
    j.units = cpu_shared(dev, attention_cached_shared((int64_t)rows));
    if (!j.units)
        return;
    j.order = (int32_t *)(void *)(j.units + rows);
    j.first_page = j.order + rows;
    j.taken = (bool *)(void *)(j.first_page + rows);
    int64_t n = find_units(&j);
    for (int64_t i = 0; i < a->n; i++)
        longest = a->pos[i] + 1 > (int64_t)longest ? (size_t)a->pos[i] + 1 : longest;
    if (cpu_scratch(dev, attention_cached_scratch((int64_t)longest)))
        cpu_for(dev, n * a->shape.n_kv_heads, attend_unit, &j);
}
