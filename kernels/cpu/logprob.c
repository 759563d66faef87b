/* logprob.c - log-probability of the target token, and its gradient.
 *
 * Logits are acc (fp32).  A row makes two passes, maximum and sum of exponentials, in LANES
 * partial results; CHUNK entries at a time are padded on the stack, so a row needs no tail code.
 */
#include "kernels/cpu/cpu.h"

#define CHUNK 512

struct forward {
    struct dev *dev;
    const struct logprob_args *a;
};

/* The next entries of a row times inv_temp, padded with pad to a multiple of LANES. */
static int64_t scaled_chunk(float *dst, const float *row, int64_t at, int64_t vocab, float inv_temp,
                            float pad)
{
    int64_t n = min_i64(CHUNK, vocab - at), padded = round_up(n, LANES);
    for (int64_t i = 0; i < n; i++)
        dst[i] = row[at + i] * inv_temp;
    for (int64_t i = n; i < padded; i++)
        dst[i] = pad;
    return padded;
}

static float row_max(const float *row, int64_t vocab, float inv_temp)
{
    float z[CHUNK];
    vf m = vset(-INFINITY);
    for (int64_t at = 0; at < vocab; at += CHUNK) {
        int64_t n = scaled_chunk(z, row, at, vocab, inv_temp, -INFINITY);
        for (int64_t i = 0; i < n; i += VW)
            m = vmax(m, vload(z + i));
    }
    return lanes_max(m);
}

/* Sum of e = exp(z - max), and of e * (z - max) for the entropy. */
static float row_sum(const float *row, int64_t vocab, float inv_temp, float max, float *weighted)
{
    float z[CHUNK];
    vf sum[LV] = {{0}}, product[LV] = {{0}}, floor = vset(-1e4f);
    for (int64_t at = 0; at < vocab; at += CHUNK) {
        int64_t n = scaled_chunk(z, row, at, vocab, inv_temp, -INFINITY);
        for (int64_t i = 0; i < n; i += LANES)
            for (int v = 0; v < LV; v++) {
                /* a floor, since 0 * -inf is no number */
                vf d = vmax(floor, vload(z + i + v * VW) - max), e = vexp(d);
                sum[v] += e;
                product[v] = vfma(e, d, product[v]);
            }
    }
    *weighted = lanes_sum(product);
    return lanes_sum(sum);
}

static void forward_rows(void *arg, int64_t first, int64_t last, int thread)
{
    const struct logprob_args *a = ((const struct forward *)arg)->a;
    (void)thread;
    for (int64_t r = first; r < last; r++) {
        const float *row = (const float *)a->logits + r * a->stride;
        float inv_temp = a->inv_temp ? ((const float *)a->inv_temp)[r] : 1.0f, weighted;
        float max = row_max(row, a->vocab, inv_temp);
        float sum = row_sum(row, a->vocab, inv_temp, max, &weighted);
        float log_sum = logf(sum), target = row[a->targets[r]] * inv_temp;
        ((float *)a->logprobs)[r] = target - max - log_sum;
        if (a->lse)
            ((float *)a->lse)[r] = max + log_sum;
        if (a->entropy)
            ((float *)a->entropy)[r] = log_sum - weighted / sum;
    }
}

static bool targets_valid(struct dev *dev, const int32_t *targets, int64_t n, int64_t vocab)
{
    for (int64_t i = 0; i < n; i++)
        if (targets[i] < 0 || targets[i] >= vocab) {
            fail(dev, "logprob: target outside the vocabulary");
            return false;
        }
    return true;
}

void cpu_logprob(struct dev *dev, const struct logprob_args *a)
{
    struct forward j = {dev, a};
    if (targets_valid(dev, a->targets, a->n, a->vocab))
        cpu_rows(dev, a->n, 2 * a->vocab, forward_rows, &j);
}

struct backward {
    struct dev *dev;
    const struct logprob_backward_args *a;
};

static void zero_columns(const struct backward *j, int64_t r, int64_t from)
{
    size_t size = dtype_bytes(j->dev->dtype);
    memset((char *)j->a->dlogits + (size_t)(r * j->a->stride + from) * size, 0,
           (size_t)(j->a->stride - from) * size);
}

static void backward_row(const struct backward *j, int64_t r)
{
    const struct logprob_backward_args *a = j->a;
    const float *row = (const float *)a->logits + r * a->stride;
    float inv_temp = a->inv_temp ? ((const float *)a->inv_temp)[r] : 1.0f;
    float lse = ((const float *)a->lse)[r], dlp = ((const float *)a->dlogprobs)[r];
    float dz = a->dz ? ((const float *)a->dz)[r] : 0.0f;
    float weight = inv_temp * (2.0f * dz * lse - dlp);
    if (dlp == 0 && dz == 0) { /* a masked token, which batches are full of */
        zero_columns(j, r, 0);
        return;
    }
    for (int64_t at = 0; at < a->vocab; at += CHUNK) {
        float d[CHUNK];
        int64_t n = scaled_chunk(d, row, at, a->vocab, inv_temp, 0), target = a->targets[r] - at;
        for (int64_t i = 0; i < n; i += VW)
            vstore(d + i, weight * vexp(vload(d + i) - lse));
        if (target >= 0 && target < n)
            d[target] += inv_temp * dlp;
        store_row(a->dlogits, j->dev->dtype, r * a->stride + at, d, min_i64(CHUNK, a->vocab - at));
    }
    zero_columns(j, r, a->vocab);
}

static void backward_rows(void *arg, int64_t first, int64_t last, int thread)
{
    (void)thread;
    for (int64_t r = first; r < last; r++)
        backward_row(arg, r);
}

void cpu_logprob_backward(struct dev *dev, const struct logprob_backward_args *a)
{
    struct backward j = {dev, a};
    if (targets_valid(dev, a->targets, a->n, a->vocab))
        cpu_rows(dev, a->n, 2 * a->stride, backward_rows, &j);
}
