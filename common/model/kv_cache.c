/* kv_cache.c - which pages of the key-value cache each sequence has. */
#include <string.h>

#include "model/memory.h"
#include "model/model_internal.h"

int64_t kv_cache_pages(int64_t len)
{
    return (len + KV_PAGE - 1) / KV_PAGE;
}

static size_t layer_bytes(const struct model *m, const struct kv_shape *shape)
{
    struct dev dev = m->dev;

    return (dev.ops->kv_cache_bytes(&dev, shape) + 63) / 64 * 64;
}

static size_t table_bytes(int64_t n_slots, int64_t slot_pages)
{
    return (size_t)(n_slots * slot_pages) * sizeof(int32_t);
}

size_t kv_cache_bytes(const struct model *m, int64_t n_slots, int64_t max_len, int64_t n_pages)
{
    const struct kv_shape shape = {n_pages, m->cfg.n_kv_heads, m->cfg.head_dim};

    return (size_t)m->cfg.n_layers * layer_bytes(m, &shape) + table_bytes(n_slots, kv_cache_pages(max_len));
}

size_t kv_cache_page_bytes(const struct model *m)
{
    return kv_cache_bytes(m, 0, 0, 1);
}

void kv_cache_free(struct kv_cache *c)
{
    if (!c)
        return;
    if (c->memory)
        c->m->dev.ops->free(&c->m->dev, c->memory);
    free(c->pages);
    free(c->held);
    free(c->readers);
    free(c->free_pages);
    free(c);
}

/* Low page numbers are given out first. */
static void all_free(struct kv_cache *c)
{
    c->n_free = c->shape.n_pages;
    for (int64_t i = 0; i < c->n_free; i++)
        c->free_pages[i] = (int32_t)(c->n_free - 1 - i);
}

static int32_t *device_table(const struct kv_cache *c)
{
    return (int32_t *)(void *)((char *)c->memory + (size_t)c->m->cfg.n_layers * layer_bytes(c->m, &c->shape));
}

static int take_memory(struct kv_cache *c, int64_t max_len, struct err *err)
{
    struct model *m = c->m;
    const size_t layer = layer_bytes(m, &c->shape);
    const size_t bytes = kv_cache_bytes(m, c->n_slots, max_len, c->shape.n_pages);

    c->memory = m->dev.ops->alloc(&m->dev, bytes);
    if (!c->memory) {
        memory_lack(m, bytes, "fewer sequences at once (--batch), shorter ones (--max-tokens) or less memory for "
                    "them (--kv-memory) would do", err);
        err_prefix(err, "a key-value cache of %lld pages of %d tokens", (long long)c->shape.n_pages, KV_PAGE);
        return -1;
    }
    for (int64_t i = 0; i < m->cfg.n_layers; i++)
        c->layers[i] = (char *)c->memory + (size_t)i * layer;
    c->table.pages = device_table(c);
    return rope_reserve(m, max_len, err);
}

struct kv_cache *kv_cache_new(struct model *m, int64_t n_slots, int64_t max_len, int64_t n_pages, struct err *err)
{
    static uint64_t serials;
    struct kv_cache *c = xcalloc(1, sizeof(*c));
    const int64_t slot_pages = kv_cache_pages(max_len), all = n_slots * slot_pages;

    n_pages = n_pages > 0 && n_pages < all ? n_pages : all;
    *c = (struct kv_cache){.m = m, .serial = ++serials, .n_slots = n_slots, .max_len = max_len,
                           .shape = {n_pages, m->cfg.n_kv_heads, m->cfg.head_dim},
                           .table = {NULL, n_slots, slot_pages},
                           .dirty_to = n_slots};
    c->pages = xcalloc((size_t)all, sizeof *c->pages);
    c->held = xcalloc((size_t)n_slots, sizeof *c->held);
    c->readers = xcalloc((size_t)n_pages, sizeof *c->readers);
    c->free_pages = xcalloc((size_t)n_pages, sizeof *c->free_pages);
    all_free(c);
    if (max_len > m->cfg.max_seq_len)
        err_set(err, "a cache of %lld positions: the model has max_position_embeddings %lld",
                (long long)max_len, (long long)m->cfg.max_seq_len);
    else if (take_memory(c, max_len, err) == 0)
        return c;
    kv_cache_free(c);
    return NULL;
}

int64_t kv_cache_free_pages(const struct kv_cache *c)
{
    return c->n_free;
}

static int32_t *slot_pages(const struct kv_cache *c, int64_t slot)
{
    return c->pages + slot * c->table.slot_pages;
}

static void changed(struct kv_cache *c, int64_t slot)
{
    if (c->dirty_from == c->dirty_to)
        c->dirty_from = slot, c->dirty_to = slot + 1;
    c->dirty_from = slot < c->dirty_from ? slot : c->dirty_from;
    c->dirty_to = slot >= c->dirty_to ? slot + 1 : c->dirty_to;
}

static void add_page(struct kv_cache *c, int64_t slot, int32_t page)
{
    slot_pages(c, slot)[c->held[slot]++] = page;
    c->readers[page]++;
    changed(c, slot);
}

bool kv_cache_extend(struct kv_cache *c, int64_t slot, int64_t len)
{
    const int64_t want = kv_cache_pages(len);

    if (want > c->table.slot_pages || want - c->held[slot] > c->n_free)
        return false;
    while (c->held[slot] < want)
        add_page(c, slot, c->free_pages[--c->n_free]);
    return true;
}

void kv_cache_cut(struct kv_cache *c, int64_t slot, int64_t len)
{
    while (c->held[slot] > kv_cache_pages(len)) {
        const int32_t page = slot_pages(c, slot)[--c->held[slot]];

        if (--c->readers[page] == 0)
            c->free_pages[c->n_free++] = page;
    }
}

static void copy_page(struct kv_cache *c, int32_t src, int32_t dst)
{
    for (int64_t i = 0; i < c->m->cfg.n_layers; i++) {
        const struct kv_copy_args a = {.cache = c->layers[i], .shape = c->shape, .src = src, .dst = dst};

        c->m->dev.ops->kv_copy(&c->m->dev, &a);
    }
}

bool kv_cache_share(struct kv_cache *c, int64_t src, int64_t dst, int64_t len)
{
    const int64_t whole = len / KV_PAGE;
    const int32_t *from = slot_pages(c, src);

    if (len % KV_PAGE && c->n_free < 1)
        return false;
    if (c->held[dst] > 0 || c->held[src] < kv_cache_pages(len))
        BUG("slot %lld cannot begin as slot %lld does", (long long)dst, (long long)src);
    for (int64_t i = 0; i < whole; i++)
        add_page(c, dst, from[i]);
    if (len % KV_PAGE) {
        add_page(c, dst, c->free_pages[--c->n_free]);
        copy_page(c, from[whole], slot_pages(c, dst)[whole]);
    }
    return true;
}

bool kv_cache_writes(struct kv_cache *c, int64_t slot, int64_t pos)
{
    return kv_cache_extend(c, slot, pos + 1) && c->readers[slot_pages(c, slot)[pos / KV_PAGE]] == 1;
}

void kv_cache_upload_table(struct kv_cache *c)
{
    const int64_t first = c->dirty_from * c->table.slot_pages, n = (c->dirty_to - c->dirty_from) * c->table.slot_pages;

    if (n > 0)
        c->m->dev.ops->upload(&c->m->dev, device_table(c) + first, c->pages + first, (size_t)n * sizeof(int32_t));
    c->dirty_from = c->dirty_to = 0;
}
