/* rmsnorm.c - root mean square normalisation and its gradient. */
#include "kernels/cpu/cpu.h"

struct forward {
    struct dev *dev;
    const struct rmsnorm_args *a;
};

static float mean_square(const float *x, int64_t dim)
{
    vf sum[LV] = {{0}};
    for (int64_t i = 0; i < dim; i += LANES) /* rows are padded with zeros */
        for (int v = 0; v < LV; v++) {
            vf t = vload(x + i + v * VW);
            sum[v] = vfma(t, t, sum[v]);
        }
    return lanes_sum(sum) / (float)dim;
}

/* y = x * rstd * w, by the rounding that the model family uses. */
static void scale_row(float *y, const float *x, const float *w, float rstd, int64_t dim, bool round)
{
    for (int64_t i = 0; i < dim; i += VW) {
        vf t = vload(x + i) * rstd;
        if (round) {
            uint16_t h[VW];
            vstore_bf16(h, t);
            t = vload_bf16(h);
        }
        vstore(y + i, t * vload(w + i));
    }
}

static void forward_rows(void *arg, int64_t first, int64_t last, int thread)
{
    const struct forward *j = arg;
    const struct rmsnorm_args *a = j->a;
    enum dtype w_type = j->dev->dtype, x_type = a->x_acc ? DTYPE_F32 : w_type;
    enum dtype y_type = a->y_acc ? DTYPE_F32 : w_type;
    int64_t dim = a->dim, padded = round_up(dim, LANES);
    float *x_buf = thread_scratch(j->dev, thread), *y_buf = x_buf + padded, *old = y_buf + padded;
    const float *w = row_view(old + padded, a->w, w_type, 0, dim);
    for (int64_t r = first; r < last; r++) {
        int64_t row = r / a->heads, head = r % a->heads * dim;
        const float *x = row_view(x_buf, a->x, x_type, row * a->x_stride + head, dim);
        float rstd = 1.0f / sqrtf(mean_square(x, dim) + (float)a->eps);
        if (a->rstd)
            ((float *)a->rstd)[r] = rstd;
        int64_t at = row * a->y_stride + head;
        bool add = a->y_acc && a->y_accumulate;
        float *y = add ? y_buf : row_target(y_buf, a->y, y_type, at, dim);
        scale_row(y, x, w, rstd, dim, a->round_first && w_type == DTYPE_BF16);
        if (add) {
            load_row(old, a->y, y_type, at, dim);
            for (int64_t i = 0; i < dim; i++)
                y[i] += old[i];
            store_row(a->y, y_type, at, y, dim);
        } else {
            row_done(y, a->y, y_type, at, dim);
        }
    }
}

size_t rmsnorm_scratch(int64_t dim)
{
    return (size_t)round_up(dim, LANES) * 4 * sizeof(float);
}

void cpu_rmsnorm(struct dev *dev, const struct rmsnorm_args *a)
{
    struct forward j = {dev, a};
    if (cpu_scratch(dev, rmsnorm_scratch(a->dim)))
        cpu_rows(dev, a->n_rows, a->dim, forward_rows, &j);
}

/* The gradient of w is summed in blocks of rows, each block by one thread, and the blocks' sums are
 * added in order: the same for any number of threads. */
#define BLOCK_ROWS 64

struct backward {
    struct dev *dev;
    const struct rmsnorm_backward_args *a;
    float *partial; /* [blocks][dim padded] */
};

static void backward_row(const float *g, const float *x, const float *w, float rstd, int64_t dim,
                         float *dx, float *dw)
{
    vf sum[LV] = {{0}};
    int64_t padded = round_up(dim, LANES);
    for (int64_t i = 0; i < padded; i += LANES)
        for (int v = 0; v < LV; v++) {
            int64_t k = i + v * VW;
            vf gx = vload(g + k) * (vload(x + k) * rstd);
            vstore(dw + k, vload(dw + k) + gx);
            sum[v] = vfma(gx, vload(w + k), sum[v]);
        }
    float mean = lanes_sum(sum) / (float)dim;
    for (int64_t i = 0; i < padded; i += VW) {
        vf xhat = vload(x + i) * rstd;
        vstore(dx + i, rstd * vfma(-xhat, vset(mean), vload(g + i) * vload(w + i)));
    }
}

static void backward_block(void *arg, int64_t block, int thread)
{
    const struct backward *j = arg;
    const struct rmsnorm_backward_args *a = j->a;
    enum dtype t = j->dev->dtype, dx_type = a->dx_acc ? DTYPE_F32 : t;
    int64_t dim = a->dim, padded = round_up(dim, LANES);
    float *buf = thread_scratch(j->dev, thread), *dx_buf = buf + 3 * padded;
    float *dw = j->partial + block * padded;
    memset(dw, 0, (size_t)padded * sizeof(float));
    const float *w = row_view(buf + 2 * padded, a->w, t, 0, dim);
    for (int64_t r = block * BLOCK_ROWS; r < min_i64(a->n_rows, (block + 1) * BLOCK_ROWS); r++) {
        int64_t row = r / a->heads, head = r % a->heads * dim, at = row * a->x_stride + head;
        const float *x = row_view(buf, a->x, a->x_acc ? DTYPE_F32 : t, at, dim);
        const float *g = row_view(buf + padded, a->dy, a->dy_acc ? DTYPE_F32 : t,
                                  row * a->y_stride + head, dim);
        float *dx = a->dx_accumulate ? dx_buf : row_target(dx_buf, a->dx, dx_type, at, dim);
        backward_row(g, x, w, ((const float *)a->rstd)[r], dim, dx, dw);
        if (a->dx_accumulate) {
            const float *old = row_view(buf, a->dx, dx_type, at, dim);
            for (int64_t i = 0; i < dim; i++)
                dx[i] += old[i];
            store_row(a->dx, dx_type, at, dx, dim);
        } else {
            row_done(dx, a->dx, dx_type, at, dim);
        }
    }
}

static int64_t blocks_of(int64_t n_rows)
{
    return (n_rows + BLOCK_ROWS - 1) / BLOCK_ROWS;
}

size_t rmsnorm_backward_shared(int64_t n_rows, int64_t dim)
{
    return (size_t)(blocks_of(n_rows) * round_up(dim, LANES) + 1) * sizeof(float);
}

void cpu_rmsnorm_backward(struct dev *dev, const struct rmsnorm_backward_args *a)
{
    int64_t padded = round_up(a->dim, LANES);
    int64_t blocks = blocks_of(a->n_rows);
    struct backward j = {dev, a, cpu_shared(dev, rmsnorm_backward_shared(a->n_rows, a->dim))};
    if (!j.partial || !cpu_scratch(dev, rmsnorm_scratch(a->dim)))
        return;
    cpu_for(dev, blocks, backward_block, &j);
    float *dw = a->dw;
    for (int64_t b = 0; b < blocks; b++)
        for (int64_t i = 0; i < a->dim; i++)
            dw[i] += j.partial[b * padded + i];
}
