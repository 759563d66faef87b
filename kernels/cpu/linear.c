/* linear.c - a linear layer: packing, forward, both gradients. */
#include "kernels/cpu/gemm.h"
#include "kernels/cpu/pairs.h"

/* An int8 copy: the rows' scales, then panels. */
size_t cpu_packed_bytes(struct dev *dev, int64_t N, int64_t K, enum packing how)
{
    int parts = gemm_parts(dev);
    if (how == PACK_INT8)
        return (size_t)round_up(N, NR) * ((size_t)int8_rows(dev, K) + sizeof(float));
    if (TILES && parts)
        return (size_t)amx_packed_elems(N, K, parts) * 2;
    if (dev_pairs(dev))
        return (size_t)round_up(N, NR) * (size_t)round_up(K, 2) * 2;
    return (size_t)round_up(N, NR) * (size_t)K * dtype_bytes(dev->dtype);
}

static void pack_panels(void *arg, int64_t first, int64_t last, int thread)
{
    const struct gemm *g = arg;
    (void)thread;
    for (int64_t p = first; p < last; p++) {
        if (TILES && g->parts) {
            uint16_t *dst = g->c;
            amx_pack_b(g, dst + p * amx_packed_elems(NR, g->K, g->parts), p, 0, g->K);
            continue;
        }
        if (DOTS && g->pairs) {
            pairs_pack_b(g, (uint32_t *)g->c + p * ((g->K + 1) / 2) * NR, p, 0, g->K);
            continue;
        }
        gemm_pack_transposed(elem_mut(g->c, g->w, p * g->K * NR), g->b, g->w, g->N, g->ldb, p * NR,
                             0, g->K);
    }
}

static void pack_int8(void *arg, int64_t first, int64_t last, int thread)
{
    const struct gemm *g = arg;
    float *scales = g->c, *row = thread_scratch(g->dev, thread);
    int8_t *panels = (int8_t *)(scales + round_up(g->N, NR));
    for (int64_t n = first; n < last; n++) {
        float max = 0;
        memset(row, 0, (size_t)g->K * sizeof(float));
        if (n < g->N)
            load_floats(row, g->b, g->w, n * g->K, g->K);
        for (int64_t k = 0; k < g->K; k++)
            max = fabsf(row[k]) > max ? fabsf(row[k]) : max;
        const int64_t rows = int8_rows(g->dev, g->K);
        int8_t *to = panels + n / NR * rows * NR + n % NR;
        for (int64_t k = 0; k < rows; k++)
            to[k * NR] = (int8_t)(max > 0 && k < g->K ? rintf(row[k] * 127 / max) : 0);
        scales[n] = max / 127;
    }
}

void cpu_pack_weight(struct dev *dev, void *packed, const void *w, int64_t N, int64_t K,
                     enum packing how)
{
    struct gemm j = {
        .dev = dev,
        .N = N,
        .K = K,
        .b = w,
        .ldb = K,
        .b_layout = B_TRANSPOSED,
        .w = dev->dtype,
        .c = packed,
        .parts = gemm_parts(dev),
        .pairs = dev_pairs(dev),
    };
    if (how == PACK_W)
        cpu_rows(dev, (N + NR - 1) / NR, K * NR, pack_panels, &j);
    else if (cpu_scratch(dev, (size_t)K * sizeof(float)))
        cpu_rows(dev, round_up(N, NR), K, pack_int8, &j);
}

void cpu_linear(struct dev *dev, const struct linear_args *a)
{
    struct gemm g = {
        .M = a->M,
        .N = a->N,
        .K = a->K,
        .a = a->x,
        .lda = a->K,
        .a_order = TILE_ROWS,
        .b = a->packed ? a->packed : a->w,
        .ldb = a->K,
        .b_layout = a->packed ? B_PANELS : B_TRANSPOSED,
        .bias = a->bias,
        .c = a->y,
        .c_type = a->y_acc ? dev->acc : dev->dtype,
        .w = dev->dtype,
        .accumulate = a->accumulate,
    };
    if (a->packed && a->packing == PACK_INT8) {
        g.scales = a->packed;
        g.b = g.scales + round_up(a->N, NR);
    }
    gemm_run(dev, &g);
}

void cpu_linear_backward_input(struct dev *dev, const struct linear_backward_input_args *a)
{
    struct gemm g = {
        .M = a->M,
        .N = a->K,
        .K = a->N,
        .a = a->dy,
        .lda = a->N,
        .a_order = TILE_ROWS,
        .b = a->w,
        .ldb = a->K,
        .b_layout = B_ROWS,
        .c = a->dx,
        .c_type = a->dx_acc ? dev->acc : dev->dtype,
        .w = dev->dtype,
        .accumulate = a->accumulate,
    };
    gemm_run(dev, &g);
}

#define BIAS_COLUMNS 64

/* Columns are shared out, so each sum runs over ascending tokens whatever the threads. */
static void bias_columns(void *arg, int64_t i, int thread)
{
    const struct gemm *g = arg;
    int64_t n0 = i * BIAS_COLUMNS, n = min_i64(BIAS_COLUMNS, g->M - n0);
    float sum[BIAS_COLUMNS] = {0}, row[BIAS_COLUMNS];
    (void)thread;
    for (int64_t k = 0; k < g->K; k++) {
        load_floats(row, g->a, g->w, k * g->lda + n0, n);
        for (int64_t j = 0; j < n; j++)
            sum[j] += row[j];
    }
    float *bias = (float *)g->c + n0;
    for (int64_t j = 0; j < n; j++)
        bias[j] += sum[j];
}

void cpu_linear_backward_weight(struct dev *dev, const struct linear_backward_weight_args *a)
{
    struct gemm g = {
        .M = a->N,
        .N = a->K,
        .K = a->M,
        .a = a->dy,
        .lda = a->N,
        .a_order = TILE_COLS,
        .b = a->x,
        .ldb = a->K,
        .b_layout = B_ROWS,
        .c = a->dw,
        .c_type = dev->acc,
        .w = dev->dtype,
        .accumulate = true,
    };
    gemm_run(dev, &g);
    if (!a->dbias)
        return;
    g.c = a->dbias;
    cpu_for(dev, (a->N + BIAS_COLUMNS - 1) / BIAS_COLUMNS, bias_columns, &g);
}
