/* convert_tensor.c - one tensor from one order and number format into another, on all threads. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/pool.h"
#include "data/half.h"
#include "model/convert.h"

enum { SLAB_ELEMENTS = 8 << 20, CHUNK_ELEMENTS = 1 << 16 };

struct job {
    const struct model_source *s;
    int param;
    enum ggml_type from, to;
    int64_t n_rows, n_cols;
    int64_t to_heads;           /* 0, or the size of heads whose rows the result has in GGUF's order */
    size_t row_bytes;           /* of the result */
    int64_t first, rows_a_chunk, last; /* the slab: rows [first, last) of the result */
    uint8_t *out;
    float *scratch;             /* [threads][n_cols] */
    bool *bad;                  /* [chunk] */
};

/* The smallest magnitude that the type cannot hold, as bits; infinity where it holds all. */
static uint32_t limit_of(enum ggml_type type)
{
    return type == GGML_F16    ? float_bits(65520)
           : type == GGML_Q8_0 ? float_bits(65520.0f * 127)
                               : float_bits(INFINITY);
}

/* Bits of floats are ordered as their magnitudes are. */
static uint32_t largest_bits(const float *x, int64_t n)
{
    uint32_t largest = 0;
    for (int64_t i = 0; i < n; i++) {
        uint32_t a = float_bits(x[i]) & 0x7fffffff;
        largest = a > largest ? a : largest;
    }
    return largest;
}

static int64_t hf_row(const struct job *j, int64_t row)
{
    return j->to_heads ? gguf_row_to_hf(row, j->to_heads) : row;
}

static void convert_chunk(void *arg, int64_t chunk, int thread)
{
    const struct job *j = arg;
    const struct ggml_format *from = ggml_format(j->from), *to = ggml_format(j->to);
    float *x = j->scratch + (int64_t)thread * j->n_cols;
    int64_t begin = j->first + chunk * j->rows_a_chunk, end = begin + j->rows_a_chunk;

    for (int64_t row = begin; row < end && row < j->last; row++) {
        const uint8_t *src = source_row(j->s, j->param, hf_row(j, row), j->n_cols);
        uint8_t *dst = j->out + (size_t)(row - j->first) * j->row_bytes;
        from->decode(src, x, j->n_cols / from->block);
        if (largest_bits(x, j->n_cols) >= limit_of(j->to))
            j->bad[chunk] = true;
        else if (j->from == j->to)
            memcpy(dst, src, j->row_bytes);
        else
            to->encode(x, dst, j->n_cols / to->block);
    }
}

/* Which number it was, in the checkpoint's order: found once more, since it is rare. */
static int report_bad(const struct job *j, struct err *err)
{
    const struct ggml_format *from = ggml_format(j->from);
    const char *name = j->s->params[j->param].name;

    for (int64_t row = 0; row < j->n_rows; row++) {
        from->decode(source_row(j->s, j->param, row, j->n_cols), j->scratch, j->n_cols / from->block);
        for (int64_t i = 0; i < j->n_cols; i++) {
            float x = j->scratch[i];
            long long at = (long long)(row * j->n_cols + i);
            if (!isfinite(x))
                return err_set(err, "tensor '%s' holds %s at element %lld", name,
                               isnan(x) ? "NaN" : "infinity", at);
            if ((float_bits(x) & 0x7fffffff) >= limit_of(j->to))
                return err_set(err, "tensor '%s' holds %g at element %lld, which is too large for %s",
                               name, (double)x, at, ggml_format(j->to)->name);
        }
    }
    BUG("a number was refused and then not found");
}

static int convert_slab(struct job *j, FILE *fp, struct err *err)
{
    const int64_t n = j->last - j->first, n_chunks = (n + j->rows_a_chunk - 1) / j->rows_a_chunk;

    memset(j->bad, 0, (size_t)n_chunks * sizeof(*j->bad));
    pool_for(n_chunks, convert_chunk, j);
    for (int64_t i = 0; i < n_chunks; i++)
        if (j->bad[i])
            return report_bad(j, err) < 0 ? err_prefix(err, "%s", j->s->path) : 0;
    if (fwrite(j->out, j->row_bytes, (size_t)n, fp) != (size_t)n)
        return err_errno(err, "cannot write the result");
    return 0;
}

static int64_t at_least_one(int64_t x)
{
    return x < 1 ? 1 : x;
}

int convert_tensor(const struct model_source *s, int param, enum ggml_type type, bool gguf_order,
                   FILE *fp, struct err *err)
{
    const struct source_tensor *t = &s->tensors[param];
    const struct param *p = &s->params[param];
    const struct ggml_format *to = ggml_format(type);
    struct job j = {.s = s, .param = param, .from = t->type, .to = type,
                    .to_heads = gguf_order ? gguf_head_rows(&s->cfg, p->name) : 0};
    int rc = 0;

    source_shape(p, t->head_rows ? t->head_rows : j.to_heads, &j.n_rows, &j.n_cols);
    j.row_bytes = (size_t)(j.n_cols / to->block) * (size_t)to->bytes;
    j.rows_a_chunk = at_least_one(CHUNK_ELEMENTS / j.n_cols);
    const int64_t slab = at_least_one(SLAB_ELEMENTS / j.n_cols);
    const int64_t room = slab < j.n_rows ? slab : j.n_rows;
    j.out = xaligned((size_t)room * j.row_bytes);
    j.scratch = xaligned((size_t)pool_threads() * (size_t)j.n_cols * sizeof(float));
    j.bad = xcalloc((size_t)(room / j.rows_a_chunk + 1), sizeof(*j.bad));
    for (j.first = 0; rc == 0 && j.first < j.n_rows; j.first = j.last) {
        j.last = j.first + room < j.n_rows ? j.first + room : j.n_rows;
        rc = convert_slab(&j, fp, err);
    }
    free(j.out);
    free(j.scratch);
    free(j.bad);
    return rc;
}
