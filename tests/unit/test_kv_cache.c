/* Which slot has which pages: random calls beside a record that is kept by hand. */
#include "base/rng.h"
#include "model/model_internal.h"
#include "tests/unit/gen_cases.h"

enum { SLOTS = 5, LEN = 250, SLOT_PAGES = (LEN + KV_PAGE - 1) / KV_PAGE, PAGES = 11 };

/* What each slot should have: numbers that are the same where a page is. */
static struct {
    int64_t n[SLOTS];
    int page[SLOTS][SLOT_PAGES], next;
} kept;

static int64_t pages_in_use(void)
{
    int64_t n = 0;
    for (int s = 0; s < SLOTS; s++)
        for (int64_t p = 0; p < kept.n[s]; p++) {
            bool first = true;
            for (int o = 0; o < s; o++)
                for (int64_t k = 0; k < kept.n[o]; k++)
                    first &= kept.page[o][k] != kept.page[s][p];
            n += first;
        }
    return n;
}

/* Pages are the same in the cache where they are here, and nowhere else. */
static void check_pages(const struct kv_cache *c)
{
    for (int s = 0; s < SLOTS; s++)
        for (int o = 0; o < SLOTS; o++)
            for (int64_t p = 0; p < kept.n[s]; p++)
                for (int64_t k = 0; k < kept.n[o]; k++)
                    CHECK((kept.page[s][p] == kept.page[o][k]) ==
                          (c->pages[s * SLOT_PAGES + p] == c->pages[o * SLOT_PAGES + k]));
    CHECK(kv_cache_free_pages(c) == PAGES - pages_in_use());
}

static void extend(struct kv_cache *c, int slot, int64_t len)
{
    int64_t want = kv_cache_pages(len), have = kept.n[slot];
    bool fits = len <= SLOT_PAGES * KV_PAGE && (want <= have || want - have <= PAGES - pages_in_use());
    CHECK(kv_cache_extend(c, slot, len) == fits);
    for (; fits && kept.n[slot] < want; kept.n[slot]++)
        kept.page[slot][kept.n[slot]] = kept.next++;
}

static void cut(struct kv_cache *c, int slot, int64_t len)
{
    kv_cache_cut(c, slot, len);
    if (kept.n[slot] > kv_cache_pages(len))
        kept.n[slot] = kv_cache_pages(len);
}

static void share(struct kv_cache *c, int src, int dst, int64_t len)
{
    if (src == dst || kept.n[src] < kv_cache_pages(len))
        return;
    cut(c, dst, 0);
    bool fits = len % KV_PAGE == 0 || pages_in_use() < PAGES;
    CHECK(kv_cache_share(c, src, dst, len) == fits);
    if (!fits)
        return;
    for (kept.n[dst] = 0; kept.n[dst] < len / KV_PAGE; kept.n[dst]++)
        kept.page[dst][kept.n[dst]] = kept.page[src][kept.n[dst]];
    if (len % KV_PAGE)
        kept.page[dst][kept.n[dst]++] = kept.next++;
}

/* A slot may write where it has or gets a page that nobody else reads. */
static void check_writes(struct kv_cache *c, int slot, int64_t pos)
{
    int64_t p = pos / KV_PAGE;
    bool alone = true;
    extend(c, slot, pos + 1);
    for (int o = 0; o < SLOTS && p < kept.n[slot]; o++)
        for (int64_t k = 0; k < kept.n[o]; k++)
            alone &= (o == slot && k == p) || kept.page[o][k] != kept.page[slot][p];
    CHECK(kv_cache_writes(c, slot, pos) == (p < kept.n[slot] && alone));
}

int main(void)
{
    struct model *m = gen_model(PRECISION_FP32, 1);
    struct err err = {0};
    struct kv_cache *c = kv_cache_new(m, SLOTS, LEN, PAGES, &err);
    struct rng r;
    CHECK_MSG(c, "%s", err.text);
    rng_init(&r, 1, "test_kv_cache", 0, 0);
    for (int i = 0; i < 20000; i++) {
        int slot = (int)rng_below(&r, SLOTS), other = (int)rng_below(&r, SLOTS);
        int64_t len = (int64_t)rng_below(&r, LEN + 1);
        switch (rng_below(&r, 4)) {
        case 0:
            extend(c, slot, len);
            break;
        case 1:
            cut(c, slot, len / 2);
            break;
        case 2:
            share(c, slot, other, len);
            break;
        default:
            check_writes(c, slot, len < LEN ? len : 0);
        }
        check_pages(c);
    }
    CHECK(!kv_cache_extend(c, 0, SLOT_PAGES * KV_PAGE + 1));
    kv_cache_free(c);

    CHECK(!kv_cache_new(m, 1, m->cfg.max_seq_len + 1, 0, &err) && strstr(err.text, "max_position_embeddings"));
    model_free(m);
    return check_done();
}
