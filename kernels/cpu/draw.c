/* draw.c - a token from each row of logits, by inverting the cumulative distribution.
 *
 * The row's exponentials are summed LOGITS_CHUNK by LOGITS_CHUNK (LANES partial sums each, then doubles); the chunk
 * that holds the token is computed again and walked.
 */
#include "kernels/cpu/cpu.h"

struct draw {
    const struct draw_args *a;
    double *sums; /* [threads][chunks] */
    int64_t n_chunks;
};

static int32_t argmax(const float *row, int64_t vocab)
{
    int64_t best = 0;
    for (int64_t i = 1; i < vocab; i++)
        if (row[i] > row[best])
            best = i;
    return (int32_t)best;
}

float logits_max(const float *row, int64_t n)
{
    vf m = vset(-INFINITY);
    float best = -INFINITY;
    int64_t i = 0;
    for (; i + VW <= n; i += VW)
        m = vmax(vload(row + i), m);
    for (; i < n; i++)
        best = row[i] > best ? row[i] : best;
    for (i = 0; i < VW; i++)
        best = m[i] > best ? m[i] : best;
    return best;
}

float logits_exponentials(const float *row, int64_t vocab, int64_t c, float inv_temp, float max, float *e)
{
    int64_t n = min_i64(LOGITS_CHUNK, vocab - c * LOGITS_CHUNK);
    vf sum[LV] = {{0}};
    load_row(e, row, DTYPE_F32, c * LOGITS_CHUNK, n);
    for (int64_t i = n; i < round_up(n, LANES); i++)
        e[i] = -INFINITY;
    for (int64_t i = 0; i < n; i += LANES)
        for (int v = 0; v < LV; v++) {
            vf x = vexp(vload(e + i + v * VW) * inv_temp - max);
            vstore(e + i + v * VW, x);
            sum[v] += x;
        }
    return lanes_sum(sum);
}

static int32_t draw_row(const struct draw *j, int64_t r, double *sums)
{
    const struct draw_args *a = j->a;
    const float *row = (const float *)a->logits + r * a->stride;
    float inv_temp = a->inv_temp ? ((const float *)a->inv_temp)[r] : 1.0f;
    float max = logits_max(row, a->vocab) * inv_temp, e[LOGITS_CHUNK + LANES];
    double total = 0, below = 0;
    for (int64_t c = 0; c < j->n_chunks; c++)
        total += sums[c] = (double)logits_exponentials(row, a->vocab, c, inv_temp, max, e);
    double target = a->u[r] * total;
    int64_t c = 0;
    while (c + 1 < j->n_chunks && !(below + sums[c] > target))
        below += sums[c++];
    while (c > 0 && sums[c] == 0) /* rounding left the end without a chance */
        below -= sums[--c];
    logits_exponentials(row, a->vocab, c, inv_temp, max, e);
    int64_t n = min_i64(LOGITS_CHUNK, a->vocab - c * LOGITS_CHUNK), token = 0;
    for (int64_t i = 0; i < n; i++) {
        if (!(e[i] > 0))
            continue;
        token = i; /* the last with a chance, should rounding leave the sum short */
        below += (double)e[i];
        if (below > target)
            break;
    }
    return (int32_t)(c * LOGITS_CHUNK + token);
}

static void draw_rows(void *arg, int64_t first, int64_t last, int thread)
{
    const struct draw *j = arg;
    const struct draw_args *a = j->a;
    for (int64_t r = first; r < last; r++)
        a->tokens[r] = a->u[r] < 0 ? argmax((const float *)a->logits + r * a->stride, a->vocab)
                                   : draw_row(j, r, j->sums + thread * j->n_chunks);
}

static int64_t chunks_of(int64_t vocab)
{
    return (vocab + LOGITS_CHUNK - 1) / LOGITS_CHUNK;
}

size_t draw_shared(int64_t vocab, int64_t n_threads)
{
    return (size_t)(chunks_of(vocab) * max_i64(1, n_threads)) * sizeof(double);
}

void cpu_draw(struct dev *dev, const struct draw_args *a)
{
    struct draw j = {.a = a, .n_chunks = chunks_of(a->vocab)};
    j.sums = cpu_shared(dev, draw_shared(a->vocab, dev->n_threads));
    if (j.sums)
        cpu_rows(dev, a->n, 4 * a->vocab, draw_rows, &j);
}
