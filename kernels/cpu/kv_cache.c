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
    return (size_t)(s->n_pages * s->n_kv_heads * kv_elems(PAGE_BLOCKS, s->head_dim)) * dtype_bytes(dev->dtype);
}

struct append_job {
    const struct kv_append_args *a;
    enum dtype t;
};

/* The page of row i; outside the cache: -1. */
static int64_t page_of_row(const struct kv_append_args *a, int64_t i)
{
    const struct kv_table *t = &a->table;
    if (a->slot[i] < 0 || a->slot[i] >= t->n_slots || a->pos[i] < 0 || a->pos[i] / KV_PAGE >= t->slot_pages)
        return -1;
    int64_t page = t->pages[a->slot[i] * t->slot_pages + a->pos[i] / KV_PAGE];
    return page < a->shape.n_pages ? page : -1;
}

static struct kv_view view_of_row(const struct append_job *j, int64_t i, int64_t head)
{
    return kv_page_view(j->a->cache, j->t, &j->a->shape, page_of_row(j->a, i), head);
}

/* Heads are shared out, not rows: the first row of a block of positions also clears the block, so
 * that lanes not yet written hold zeros and never a NaN of the page's last tenant. */
static void append_head(void *arg, int64_t head, int thread)
{
    const struct append_job *j = arg;
    const struct kv_append_args *a = j->a;
    (void)thread;
    for (int64_t i = 0; i < a->n; i++)
        if (a->pos[i] % LANES == 0) {
            struct kv_view kv = view_of_row(j, i, head);
            zero_block(&kv, a->pos[i] % KV_PAGE / LANES);
        }
    for (int64_t i = 0; i < a->n; i++) {
        struct kv_view kv = view_of_row(j, i, head);
        put_row(&kv, a->pos[i] % KV_PAGE, a->k, a->v, j->t, i * a->kv_stride + head * a->shape.head_dim);
    }
}

void cpu_kv_append(struct dev *dev, const struct kv_append_args *a)
{
    if (a->shape.head_dim > MAX_HEAD_DIM) {
        fail(dev, "head_dim above 256 is not supported");
        return;
    }
    for (int64_t i = 0; i < a->n; i++)
        if (page_of_row(a, i) < 0) {
            fail(dev, "kv_append: slot, position or page outside the cache");
            return;
        }
    struct append_job j = {a, dev->dtype};
    cpu_for(dev, a->shape.n_kv_heads, append_head, &j);
}

void cpu_kv_copy(struct dev *dev, const struct kv_copy_args *a)
{
    const struct kv_shape page = {1, a->shape.n_kv_heads, a->shape.head_dim};
    size_t bytes = cpu_kv_cache_bytes(dev, &page);
    char *cache = a->cache;
    if (a->src != a->dst)
        memcpy(cache + (size_t)a->dst * bytes, cache + (size_t)a->src * bytes, bytes);
}
