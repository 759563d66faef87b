/* kv_cache.c - keys and values, in the layout that attention reads (see cpu.h). */
#include "kernels/cpu/pairs.h"

static void store_one(void *p, enum dtype t, int64_t i, float x)
{
    if (t == DTYPE_F32)
        ((float *)p)[i] = x;
    else
        ((uint16_t *)p)[i] = f32_to_bf16(x); /* exact: x came from bf16 */
}

static void zero_block(const struct kv_view *kv, int64_t block)
{
    int64_t k = LANES * kv->k_dim, v = LANES * kv->v_dim;
    memset(elem_mut(kv->k, kv->dtype, block * k), 0, (size_t)k * dtype_bytes(kv->dtype));
    memset(elem_mut(kv->v, kv->dtype, block * v), 0, (size_t)v * dtype_bytes(kv->dtype));
}

static void put_pairs(const struct kv_view *kv, int64_t pos, const uint16_t *k, const uint16_t *v)
{
    uint16_t *k_to = (uint16_t *)kv->k + pos / LANES * LANES * kv->k_dim + pos % LANES * 2;
    uint16_t *v_to = (uint16_t *)kv->v + pos / 2 * 2 * kv->v_dim + pos % 2;
    for (int64_t d = 0; d < kv->head_dim; d++) {
        k_to[d / 2 * LANES * 2 + d % 2] = k[d];
        v_to[d * 2] = v[d];
    }
}

static void put_row(const struct kv_view *kv, int64_t pos, const void *k, const void *v,
                    enum dtype from, int64_t at)
{
    float row[MAX_HEAD_DIM + LANES];
    int64_t hd = kv->head_dim, k_at = pos / LANES * LANES * kv->k_dim + pos % LANES;
    if (DOTS && kv->dtype == DTYPE_BF16) {
        put_pairs(kv, pos, (const uint16_t *)k + at, (const uint16_t *)v + at);
        return;
    }
    load_floats(row, k, from, at, hd);
    for (int64_t d = 0; d < hd; d++)
        store_one(kv->k, kv->dtype, k_at + d * LANES, row[d]);
    load_row(row, v, from, at, hd);
    store_row(kv->v, kv->dtype, pos * kv->v_dim, row, kv->v_dim);
}

size_t cpu_kv_cache_bytes(struct dev *dev, const struct kv_shape *s)
{
    return (size_t)(s->n_slots * s->n_kv_heads * kv_elems(kv_blocks(s->max_len), s->head_dim)) *
           dtype_bytes(dev->dtype);
}

struct append_job {
    const struct kv_append_args *a;
    enum dtype t;
};

static struct kv_view slot_view(const struct append_job *j, int64_t slot, int64_t head)
{
    return kv_slot_view(j->a->cache, j->t, &j->a->shape, slot, head);
}

/* Heads are shared out, not rows: the first row of a block of positions also clears the block, so
 * that lanes not yet written hold zeros and never a NaN of the slot's last tenant. */
static void append_head(void *arg, int64_t head, int thread)
{
    const struct append_job *j = arg;
    const struct kv_append_args *a = j->a;
    (void)thread;
    for (int64_t i = 0; i < a->n; i++)
        if (a->pos[i] % LANES == 0) {
            struct kv_view kv = slot_view(j, a->slot[i], head);
            zero_block(&kv, a->pos[i] / LANES);
        }
    for (int64_t i = 0; i < a->n; i++) {
        struct kv_view kv = slot_view(j, a->slot[i], head);
        put_row(&kv, a->pos[i], a->k, a->v, j->t, i * a->kv_stride + head * a->shape.head_dim);
    }
}

void cpu_kv_append(struct dev *dev, const struct kv_append_args *a)
{
    if (a->shape.head_dim > MAX_HEAD_DIM) {
        fail(dev, "head_dim above 256 is not supported");
        return;
    }
    for (int64_t i = 0; i < a->n; i++)
        if (a->slot[i] < 0 || a->slot[i] >= a->shape.n_slots || a->pos[i] < 0 ||
            a->pos[i] >= a->shape.max_len) {
            fail(dev, "kv_append: slot or position outside the cache");
            return;
        }
    struct append_job j = {a, dev->dtype};
    cpu_for(dev, a->shape.n_kv_heads, append_head, &j);
}

void cpu_kv_copy(struct dev *dev, const struct kv_copy_args *a)
{
    enum dtype t = dev->dtype;
    int64_t first = a->first / LANES, blocks = kv_blocks(a->len) - first;
    size_t bytes = (size_t)max_i64(0, blocks) * LANES * dtype_bytes(t);
    if (a->src == a->dst || blocks <= 0)
        return;
    for (int64_t h = 0; h < a->shape.n_kv_heads; h++) {
        struct kv_view from = kv_slot_view(a->cache, t, &a->shape, a->src, h);
        struct kv_view to = kv_slot_view(a->cache, t, &a->shape, a->dst, h);
        int64_t k = first * LANES * from.k_dim, v = first * LANES * from.v_dim;
        memcpy(elem_mut(to.k, t, k), elem(from.k, t, k), bytes * (size_t)from.k_dim);
        memcpy(elem_mut(to.v, t, v), elem(from.v, t, v), bytes * (size_t)from.v_dim);
    }
}
