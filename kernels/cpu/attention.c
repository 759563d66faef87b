/* attention.c - causal attention over packed sequences.
 *
 * A thread takes a block of QB queries and the query heads of one key head.  Scores are computed
 * once; their maximum, exponentials and sum follow (the sum in LANES partial sums, by key % LANES,
 * then a fixed tree), and then one chain over ascending keys per output element.  Whole blocks of
 * LANES keys by absolute position are covered; a masked key has probability 0, which leaves a
 * chain as it is.
 */
#include "kernels/cpu/attention.h"

struct sequences {
    struct dev *dev;
    const struct attention_args *a;
    struct head head;
    int64_t *first_key; /* [n_seqs + 1]: rows of keys of the sequences before */
    int64_t *first_block; /* [n_seqs + 1]: blocks of queries of the sequences before */
    float *kv;
};

/* One (sequence, key head): lines of K, columns of V, with zeros up to whole blocks. */
struct keys {
    float *k, *v;
};

/* Floats of one key and its value. */
static int64_t key_floats(const struct head *h)
{
    return h->width + h->dim / h->per;
}

static struct keys keys_of(const struct sequences *j, int64_t seq, int64_t head)
{
    int64_t n = j->first_key[seq + 1] - j->first_key[seq];
    int64_t before = j->first_key[seq] * j->a->n_kv_heads + head * n;
    float *k = j->kv + before * key_floats(&j->head);
    return (struct keys){k, k + n * j->head.width};
}

static void copy_sequence(void *arg, int64_t i, int thread)
{
    const struct sequences *j = arg;
    const struct attention_args *a = j->a;
    int64_t seq = i / a->n_kv_heads, head = i % a->n_kv_heads;
    int64_t rows = j->first_key[seq + 1] - j->first_key[seq];
    int64_t len = a->seq_start[seq + 1] - a->seq_start[seq];
    struct keys kv = keys_of(j, seq, head);
    struct rows k = {a->k, j->dev->dtype, a->seq_start[seq] * a->kv_stride + head * a->head_dim,
                     a->kv_stride};
    struct rows v = {a->v, k.dtype, k.at, k.stride};
    (void)thread;
    load_lines(kv.k, &j->head, &k, len, rows, 1);
    load_columns(kv.v, &j->head, &v, len, rows, 1);
}

/* Scores to exponentials (pairs of keys, in half as many rows); each lane's sum, and maximum as scaled. */
static void exponentials(const struct head *h, float *s, int64_t n_keys, float *sum, float *max)
{
    const vf scale = vset(h->score_scale);
    vf m[2], part[LANES][2];
    m[0] = m[1] = vset(-INFINITY);
    for (int64_t j = 0; j < n_keys; j++)
        for (int i = 0; i < 2; i++)
            m[i] = vmax(m[i], vload(s + j * QB + i * VW));
    for (int i = 0; i < 2; i++)
        m[i] *= scale;
    memset(part, 0, sizeof part);
    for (int64_t j = 0; j < n_keys; j += LANES)
        for (int64_t l = 0; l < LANES; l += 2)
            for (int i = 0; i < 2; i++) {
                float *x = s + (j + l) * QB + i * VW;
                vf e = vexp(vfma(vload(x), scale, -m[i])), next = vexp(vfma(vload(x + QB), scale, -m[i]));
                part[l][i] += e;
                part[l + 1][i] += next;
                if (h->pairs) {
                    vstore(s + (j + l) / 2 * QB + i * VW, vpair(e, next));
                } else {
                    vstore(x, e);
                    vstore(x + QB, next);
                }
            }
    for (int step = LANES / 2; step; step /= 2)
        for (int l = 0; l < step; l++)
            for (int i = 0; i < 2; i++)
                part[l][i] += part[l + step][i];
    for (int i = 0; i < 2; i++) {
        vstore(sum + i * VW, part[0][i]);
        vstore(max + i * VW, m[i]);
    }
}

size_t attention_scratch(const struct dev *dev, int64_t longest, int64_t head_dim)
{
    struct head h = head_of(dev, head_dim, 1);
    return (size_t)((2 * h.width + h.dim + round_up(longest, LANES)) * QB) * sizeof(float);
}

/* Where each sequence begins: its keys, its blocks. */
static size_t table_bytes(int64_t n_seqs)
{
    return (size_t)round_up(2 * (n_seqs + 1), 8) * sizeof(int64_t);
}

/* keys: positions of the sequences, each rounded up to LANES. */
size_t attention_shared(const struct dev *dev, int64_t keys, int64_t n_seqs, int64_t n_kv_heads,
                        int64_t head_dim)
{
    struct head h = head_of(dev, head_dim, 1);
    return table_bytes(n_seqs) + (size_t)(keys * n_kv_heads * key_floats(&h)) * sizeof(float);
}

/* n <= QB queries of one head, at positions from pos of the sequence that starts at row0. */
static void attend(const struct sequences *j, const struct keys *kv, int64_t row0, int64_t pos,
                   int64_t n, int64_t head, float *scratch)
{
    const struct attention_args *a = j->a;
    const struct head *h = &j->head;
    float *x = scratch, *t = x + QB * h->width, *out = t + QB * h->width, *s = out + QB * h->dim;
    float sum[QB], max[QB];
    struct key_span keys = keys_seen(pos, n, a->window);
    int64_t row = row0 + pos;
    struct rows q = {a->q, j->dev->dtype, row * a->q_stride + head * a->head_dim, a->q_stride};
    load_lines(x, h, &q, n, QB, h->q_scale);
    transpose_queries(t, x, h->width);
    key_products(h, kv->k, t, keys, s);
    mask_scores(s, keys, pos, a->window);
    exponentials(h, s, keys.end - keys.first, sum, max);
    for (int64_t k = keys.first; k < keys.end; k += K_BLOCK)
        dim_products((struct tile){.a = s + (k - keys.first) / h->per * QB, .lda = QB,
                                   .b = kv->v + k / h->per * h->dim,
                                   .K = min_i64(K_BLOCK, keys.end - k) / h->per, .c = out,
                                   .load = k > keys.first},
                     h, TILE_COLS, n);
    for (int64_t r = 0; r < n; r++) {
        float *y = out + r * h->dim, inverse = 1.0f / sum[r];
        for (int64_t d = 0; d < h->dim; d += VW)
            vstore(y + d, vload(y + d) * inverse);
        store_row(a->out, j->dev->dtype, ((row + r) * a->n_heads + head) * a->head_dim, y,
                  a->head_dim);
        if (a->lse)
            ((float *)a->lse)[(row + r) * a->n_heads + head] = max[r] + logf(sum[r]);
    }
}

static void attend_block(void *arg, int64_t i, int thread)
{
    const struct sequences *j = arg;
    const struct attention_args *a = j->a;
    int64_t block = i / a->n_kv_heads, kv_head = i % a->n_kv_heads;
    int64_t group = a->n_heads / a->n_kv_heads;
    int64_t low = 0, high = a->n_seqs; /* the last sequence that starts at or before the block */
    while (high - low > 1) {
        int64_t mid = (low + high) / 2;
        if (j->first_block[mid] <= block)
            low = mid;
        else
            high = mid;
    }
    int64_t row0 = a->seq_start[low], pos = (block - j->first_block[low]) * QB;
    int64_t n = min_i64(QB, a->seq_start[low + 1] - row0 - pos);
    struct keys kv = keys_of(j, low, kv_head);
    for (int64_t h = 0; h < group; h++)
        attend(j, &kv, row0, pos, n, kv_head * group + h, thread_scratch(j->dev, thread));
}

void cpu_attention(struct dev *dev, const struct attention_args *a)
{
    struct sequences j = {.dev = dev, .a = a, .head = head_of(dev, a->head_dim, (float)a->scale)};
    int64_t keys = 0, longest = 0, blocks = 0;
    if (a->head_dim > MAX_HEAD_DIM) {
        fail(dev, "head_dim above 256 is not supported");
        return;
    }
    for (int64_t s = 0; s < a->n_seqs; s++) {
        int64_t len = a->seq_start[s + 1] - a->seq_start[s];
        keys += round_up(len, LANES);
        longest = max_i64(longest, len);
    }
    char *shared = cpu_shared(dev, attention_shared(dev, keys, a->n_seqs, a->n_kv_heads, a->head_dim));
    if (!shared || !cpu_scratch(dev, attention_scratch(dev, longest, a->head_dim)))
        return;
    j.first_key = (int64_t *)(void *)shared;
    j.first_block = j.first_key + a->n_seqs + 1;
    j.kv = (float *)(void *)(shared + table_bytes(a->n_seqs));
    j.first_key[0] = j.first_block[0] = 0;
    for (int64_t s = 0; s < a->n_seqs; s++) {
        int64_t len = a->seq_start[s + 1] - a->seq_start[s];
        j.first_key[s + 1] = j.first_key[s] + round_up(len, LANES);
        j.first_block[s + 1] = blocks += (len + QB - 1) / QB;
    }
    cpu_for(dev, a->n_seqs * a->n_kv_heads, copy_sequence, &j);
    cpu_for(dev, blocks * a->n_kv_heads, attend_block, &j);
}
