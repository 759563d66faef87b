/* table.c - reference: memory, and the table. */
#include <stdlib.h>
#include <string.h>

#include "kernels/ref/ref_ops.h"

static void *ref_alloc(struct dev *dev, size_t bytes)
{
    (void)dev;
    size_t size = (bytes + 63) / 64 * 64 + 64;
    void *p = aligned_alloc(64, size);
    if (p)
        memset(p, 0, size);
    return p;
}

static void ref_free(struct dev *dev, void *p)
{
    (void)dev;
    free(p);
}

static void ref_copy(struct dev *dev, void *dst, const void *src, size_t bytes)
{
    (void)dev;
    if (bytes)
        memmove(dst, src, bytes);
}

static void ref_zero(struct dev *dev, void *dst, size_t bytes)
{
    (void)dev;
    if (bytes)
        memset(dst, 0, bytes);
}

static double read_value(const void *p, enum dtype t, int64_t i)
{
    uint32_t u;
    float f;
    switch (t) {
    case DTYPE_F64:
        return ((const double *)p)[i];
    case DTYPE_F32:
        return (double)((const float *)p)[i];
    default:
        u = (uint32_t)((const uint16_t *)p)[i] << 16;
        memcpy(&f, &u, 4);
        return (double)f;
    }
}

static void write_value(void *p, enum dtype t, int64_t i, double x)
{
    float f = (float)x;
    uint32_t u;
    memcpy(&u, &f, 4);
    if (t == DTYPE_F64)
        ((double *)p)[i] = x;
    else if (t == DTYPE_F32)
        ((float *)p)[i] = f;
    else if (f != f)
        ((uint16_t *)p)[i] = (uint16_t)(u >> 16 | 0x40);
    else
        ((uint16_t *)p)[i] = (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

static void ref_convert(struct dev *dev, void *dst, enum dtype to, const void *src, enum dtype from,
                        int64_t n)
{
    (void)dev;
    for (int64_t i = 0; i < n; i++)
        write_value(dst, to, i, read_value(src, from, i));
}

/* Its arrays are doubles. */
static const float *ref_host_view(struct dev *dev, const void *acc)
{
    (void)dev, (void)acc;
    return NULL;
}

static const struct ops ops_ref = {
    .abi = OPS_ABI,
    .name = "ref",
    .alloc = ref_alloc,
    .free = ref_free,
    .upload = ref_copy,
    .download = ref_copy,
    .copy = ref_copy,
    .zero = ref_zero,
    .host_view = ref_host_view,
    .convert = ref_convert,
    .packed_bytes = ref_packed_bytes,
    .pack_weight = ref_pack_weight,
    .linear = ref_linear,
    .linear_backward_input = ref_linear_backward_input,
    .linear_backward_weight = ref_linear_backward_weight,
    .embedding = ref_embedding,
    .embedding_backward = ref_embedding_backward,
    .rmsnorm = ref_rmsnorm,
    .rmsnorm_backward = ref_rmsnorm_backward,
    .rope = ref_rope,
    .swiglu = ref_swiglu,
    .swiglu_backward = ref_swiglu_backward,
    .add = ref_add,
    .attention = ref_attention,
    .attention_backward = ref_attention_backward,
    .kv_cache_bytes = ref_kv_cache_bytes,
    .kv_append = ref_kv_append,
    .kv_copy = ref_kv_copy,
    .attention_cached = ref_attention_cached,
    .logprob = ref_logprob,
    .logprob_backward = ref_logprob_backward,
    .truncate = ref_truncate,
    .draw = ref_draw,
    .adamw = ref_adamw,
    .sum_squares = ref_sum_squares,
};

void dev_open_ref(struct dev *dev)
{
    memset(dev, 0, sizeof *dev);
    dev->ops = &ops_ref;
    dev->name = "ref";
    dev->dtype = dev->acc = DTYPE_F64;
    dev->n_threads = 1;
}
