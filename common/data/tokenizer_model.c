/* tokenizer_model.c - the BPE model: vocabulary, merges, and merging one pre-token.
 *
 * Pieces are held as the bytes they stand for.  Most pre-tokens of natural text are
 * pieces themselves, and merging their bytes mostly gives that piece; `whole`
 * remembers for which, so that those cost one look-up.
 */
#define XXH_INLINE_ALL
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/mem.h"
#include "data/tokenizer_internal.h"

#define SHORT_PIECE 48 /* up to here a scan over all pairs beats a heap */
#define EMPTY UINT32_MAX

enum { WHOLE_UNKNOWN, WHOLE_YES, WHOLE_NO };

/* --- byte alphabet -------------------------------------------------------------------------- */

void byte_level_alphabet(uint32_t code[256], uint8_t order[256])
{
    uint32_t next = 256;
    int n_printable = 0, n_other = 0;
    for (int b = 0; b < 256; b++) {
        bool printable = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
        code[b] = printable ? (uint32_t)b : next++;
        if (order)
            order[printable ? n_printable : 188 + n_other] = (uint8_t)b;
        n_printable += printable;
        n_other += !printable;
    }
}

void byte_level_spell(struct strbuf *out, const char *bytes, size_t n)
{
    uint32_t code[256];
    byte_level_alphabet(code, NULL);
    for (size_t i = 0; i < n; i++) {
        uint32_t c = code[(unsigned char)bytes[i]];
        if (c >= 0x80) {
            strbuf_addc(out, (char)(0xc0 | c >> 6));
            c = 0x80 | (c & 0x3f);
        }
        strbuf_addc(out, (char)c);
    }
}

struct byte_reader {
    int16_t byte[0x144]; /* by code point, -1 = not of the alphabet */
};

static void byte_reader_init(struct byte_reader *r)
{
    uint32_t code[256];
    byte_level_alphabet(code, NULL);
    memset(r->byte, -1, sizeof r->byte);
    for (int b = 0; b < 256; b++)
        r->byte[code[b]] = (int16_t)b;
}

static bool read_bytes(const struct byte_reader *r, struct strbuf *out, const char *text, size_t n)
{
    size_t start = out->len;
    for (size_t i = 0; i < n; i++) {
        uint32_t c = (unsigned char)text[i];
        if (c >= 0xc2 && c < 0xe0 && i + 1 < n)
            c = (c & 0x1f) << 6 | ((unsigned char)text[++i] & 0x3f);
        else if (c >= 0x80)
            c = UINT32_MAX;
        if (c >= ARRAY_SIZE(r->byte) || r->byte[c] < 0) {
            out->len = start;
            return false;
        }
        strbuf_addc(out, (char)r->byte[c]);
    }
    return true;
}

bool byte_level_read(struct strbuf *out, const char *text, size_t n)
{
    struct byte_reader r;
    byte_reader_init(&r);
    return read_bytes(&r, out, text, n);
}

/* --- look-ups ------------------------------------------------------------------------------- */

static uint64_t table_size(size_t n)
{
    uint64_t size = 16;
    while (size < 2 * (uint64_t)n)
        size *= 2;
    return size;
}

static const char *piece_bytes(const struct bpe_model *m, int32_t id)
{
    return m->bytes.buf + m->pieces[id].offset;
}

int32_t bpe_model_find(const struct bpe_model *m, const char *bytes, size_t n)
{
    for (uint64_t h = XXH3_64bits(bytes, n);; h++) {
        int32_t id = m->by_bytes[h & m->by_bytes_mask];
        if (id < 0)
            return -1;
        if (m->pieces[id].n == n && memcmp(piece_bytes(m, id), bytes, n) == 0)
            return id;
    }
}

static void remember_bytes(struct bpe_model *m, int32_t id)
{
    uint64_t h = XXH3_64bits(piece_bytes(m, id), m->pieces[id].n);
    while (m->by_bytes[h & m->by_bytes_mask] >= 0)
        h++;
    m->by_bytes[h & m->by_bytes_mask] = id;
}

static inline uint64_t pair_hash(uint32_t left, uint32_t right)
{
    uint64_t h = ((uint64_t)left << 32 | right) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 32;
}

static const struct merge_slot *find_merge(const struct bpe_model *m, uint32_t left, uint32_t right)
{
    for (uint64_t h = pair_hash(left, right);; h++) {
        const struct merge_slot *slot = &m->merges[h & m->merge_mask];
        if (slot->left == left && slot->right == right)
            return slot;
        if (slot->left == EMPTY)
            return NULL;
    }
}

static void add_merge(struct bpe_model *m, int32_t left, int32_t right, uint32_t rank, int32_t id)
{
    uint64_t h = pair_hash((uint32_t)left, (uint32_t)right);
    struct merge_slot *slot = &m->merges[h & m->merge_mask];
    while (slot->left != EMPTY &&
           (slot->left != (uint32_t)left || slot->right != (uint32_t)right))
        slot = &m->merges[++h & m->merge_mask];
    /* A pair given twice has the later rank, as in the reference's map. */
    *slot = (struct merge_slot){(uint32_t)left, (uint32_t)right, rank, (uint32_t)id};
}

/* --- building ------------------------------------------------------------------------------- */

void bpe_model_set_piece(struct bpe_model *m, int32_t id, enum piece_kind kind, const char *bytes,
                         size_t n)
{
    m->pieces[id] = (struct piece){(uint32_t)m->bytes.len, (uint32_t)n, (uint8_t)kind};
    strbuf_add(&m->bytes, bytes, n);
}

static int highest_id(const json_t *ids_by_piece, const json_t *added, int64_t *highest,
                      struct err *err)
{
    const char *piece;
    json_t *value;
    size_t i;
    *highest = -1;
    json_object_foreach ((json_t *)(uintptr_t)ids_by_piece, piece, value) {
        int64_t id = json_is_integer(value) ? json_integer_value(value) : -1;
        if (id < 0 || id > TOKENIZER_MAX_ID)
            return err_set(err, "the vocabulary gives '%s' no id between 0 and %d", piece,
                           TOKENIZER_MAX_ID);
        *highest = id > *highest ? id : *highest;
    }
    json_array_foreach (added, i, value) {
        int64_t id;
        if (json_get_int(value, "id", &id, err) < 0)
            return err_prefix(err, "added_tokens[%zu]", i);
        if (id < 0 || id > TOKENIZER_MAX_ID)
            return err_set(err, "added_tokens[%zu]: id %lld is not between 0 and %d", i,
                           (long long)id, TOKENIZER_MAX_ID);
        *highest = id > *highest ? id : *highest;
    }
    return 0;
}

static int read_vocab(struct bpe_model *m, const struct byte_reader *r, const json_t *vocab,
                      struct err *err)
{
    const char *piece;
    size_t n;
    json_t *value;
    struct strbuf bytes = {0};
    json_object_keylen_foreach ((json_t *)(uintptr_t)vocab, piece, n, value) {
        int32_t id = (int32_t)json_integer_value(value);
        if (m->pieces[id].kind != PIECE_NONE) {
            strbuf_release(&bytes);
            return err_set(err, "the vocabulary has id %d twice, once as '%s'", id, piece);
        }
        strbuf_clear(&bytes);
        /* A piece not of the alphabet is only ever an added token: text does not reach it. */
        bool reachable = read_bytes(r, &bytes, piece, n);
        bpe_model_set_piece(m, id, PIECE_VOCAB, reachable ? bytes.buf : piece,
                            reachable ? bytes.len : n);
        if (reachable && bytes.len > 0)
            remember_bytes(m, id);
    }
    strbuf_release(&bytes);
    return 0;
}

/* "a b" or ["a", "b"] */
static bool merge_parts(const json_t *merge, const char *part[2], size_t n[2])
{
    if (json_is_array(merge)) {
        for (size_t i = 0; i < 2; i++) {
            const json_t *s = json_array_get(merge, i);
            part[i] = json_string_value(s);
            n[i] = json_string_length(s);
        }
        return json_array_size(merge) == 2 && part[0] && part[1];
    }
    part[0] = json_string_value(merge);
    const char *space = part[0] ? strchr(part[0], ' ') : NULL;
    if (!space)
        return false;
    part[1] = space + 1;
    n[0] = (size_t)(space - part[0]);
    n[1] = json_string_length(merge) - n[0] - 1;
    return !strchr(part[1], ' ');
}

static int read_merge(struct bpe_model *m, const struct byte_reader *r, const json_t *merge,
                      size_t rank, struct strbuf *bytes, struct err *err)
{
    const char *part[2];
    size_t n[2], cut;
    if (!merge_parts(merge, part, n))
        return err_set(err, "merges[%zu] is not a pair of pieces", rank);
    strbuf_clear(bytes);
    bool known = read_bytes(r, bytes, part[0], n[0]);
    cut = bytes->len;
    known = known && read_bytes(r, bytes, part[1], n[1]);
    int32_t left = known ? bpe_model_find(m, bytes->buf, cut) : -1;
    int32_t right = known ? bpe_model_find(m, bytes->buf + cut, bytes->len - cut) : -1;
    int32_t joined = known ? bpe_model_find(m, bytes->buf, bytes->len) : -1;
    if (left < 0 || right < 0 || joined < 0)
        return err_set(err, "merges[%zu]: '%.*s' + '%.*s' uses a piece the vocabulary lacks", rank,
                       (int)n[0], part[0], (int)n[1], part[1]);
    add_merge(m, left, right, (uint32_t)rank, joined);
    return 0;
}

static int read_merges(struct bpe_model *m, const struct byte_reader *r, const json_t *merges,
                       struct err *err)
{
    struct strbuf bytes = {0};
    json_t *merge;
    size_t rank;
    int rc = 0;
    uint64_t size = table_size(json_array_size(merges));
    m->merges = xcalloc(size, sizeof *m->merges);
    for (uint64_t i = 0; i < size; i++)
        m->merges[i].left = EMPTY;
    m->merge_mask = size - 1;
    json_array_foreach (merges, rank, merge)
        if ((rc = read_merge(m, r, merge, rank, &bytes, err)) < 0)
            break;
    strbuf_release(&bytes);
    return rc;
}

static int refuse_unsupported(const json_t *model, struct err *err)
{
    const char *type = "BPE", *prefix = "", *suffix = "";
    double dropout = 0;
    bool fallback = false;
    if (json_opt_str(model, "type", &type, err) < 0 ||
        json_opt_str(model, "continuing_subword_prefix", &prefix, err) < 0 ||
        json_opt_str(model, "end_of_word_suffix", &suffix, err) < 0 ||
        json_opt_num(model, "dropout", &dropout, err) < 0 ||
        json_opt_bool(model, "byte_fallback", &fallback, err) < 0)
        return err_prefix(err, "model");
    if (strcmp(type, "BPE") != 0)
        return err_set(err, "model '%s' is not supported, only byte-level BPE", type);
    if (prefix[0])
        return err_set(err, "model with 'continuing_subword_prefix' is not supported");
    if (suffix[0])
        return err_set(err, "model with 'end_of_word_suffix' is not supported");
    if (dropout != 0)
        return err_set(err, "model with 'dropout' is not supported");
    if (fallback)
        return err_set(err, "model with 'byte_fallback' is not supported, only byte-level BPE");
    return 0;
}

static void allocate(struct bpe_model *m, int64_t n_ids, size_t n_vocab)
{
    m->n_ids = (int32_t)n_ids;
    m->pieces = xcalloc((size_t)n_ids + 1, sizeof *m->pieces);
    m->whole = xcalloc((size_t)n_ids + 1, sizeof *m->whole);
    uint64_t size = table_size(n_vocab);
    m->by_bytes = xmalloc(size * sizeof *m->by_bytes);
    memset(m->by_bytes, -1, size * sizeof *m->by_bytes);
    m->by_bytes_mask = size - 1;
}

int bpe_model_from_json(struct bpe_model *m, const json_t *model, const json_t *added_tokens,
                        struct err *err)
{
    const json_t *vocab = json_object_get(model, "vocab"), *merges = json_object_get(model, "merges");
    int64_t highest;
    struct byte_reader reader;

    if (!json_is_object(model))
        return err_set(err, "'model' is missing");
    if (refuse_unsupported(model, err) < 0)
        return -1;
    if (!json_is_object(vocab) || !json_is_array(merges))
        return err_set(err, "the model has no 'vocab' object and 'merges' list");
    if (json_opt_bool(model, "ignore_merges", &m->ignore_merges, err) < 0 ||
        highest_id(vocab, added_tokens, &highest, err) < 0)
        return -1;
    byte_reader_init(&reader);
    allocate(m, highest + 1, json_object_size(vocab));
    if (read_vocab(m, &reader, vocab, err) < 0 || read_merges(m, &reader, merges, err) < 0)
        return -1;
    for (int b = 0; b < 256; b++) {
        char c = (char)b;
        m->byte_id[b] = bpe_model_find(m, &c, 1);
    }
    return 0;
}

void bpe_model_release(struct bpe_model *m)
{
    free(m->pieces);
    free(m->merges);
    free(m->by_bytes);
    free(m->whole);
    strbuf_release(&m->bytes);
    *m = (struct bpe_model){0};
}

/* --- merging -------------------------------------------------------------------------------- */

struct bpe_symbol { /* one part of a long pre-token; parts are a doubly linked list */
    int32_t id, prev, next; /* id -1: swallowed by its left neighbour */
};
struct bpe_candidate { /* a pair that may be merged: ordered by rank, then place */
    uint32_t rank;
    int32_t place, left, right;
    uint32_t id;
};

void bpe_scratch_release(struct bpe_scratch *s)
{
    free(s->symbols);
    free(s->heap);
    *s = (struct bpe_scratch){0};
}

/* Scans all ranks for the lowest, leftmost one; for a handful of bytes nothing is faster. */
static int64_t merge_short(const struct bpe_model *m, int32_t *ids, int64_t n)
{
    const struct merge_slot *merge[SHORT_PIECE];
    for (int64_t i = 0; i + 1 < n; i++)
        merge[i] = find_merge(m, (uint32_t)ids[i], (uint32_t)ids[i + 1]);
    while (n > 1) {
        int64_t best = -1;
        uint32_t rank = UINT32_MAX;
        for (int64_t i = 0; i + 1 < n; i++)
            if (merge[i] && merge[i]->rank < rank) {
                rank = merge[i]->rank;
                best = i;
            }
        if (best < 0)
            break;
        ids[best] = (int32_t)merge[best]->id;
        n--;
        for (int64_t i = best + 1; i < n; i++)
            ids[i] = ids[i + 1];
        for (int64_t i = best + 1; i + 1 < n; i++)
            merge[i] = merge[i + 1];
        if (best > 0)
            merge[best - 1] = find_merge(m, (uint32_t)ids[best - 1], (uint32_t)ids[best]);
        if (best + 1 < n)
            merge[best] = find_merge(m, (uint32_t)ids[best], (uint32_t)ids[best + 1]);
    }
    return n;
}

static bool goes_first(const struct bpe_candidate *a, const struct bpe_candidate *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->place < b->place;
}

static void heap_push(struct bpe_scratch *s, int64_t *n, struct bpe_candidate c)
{
    GROW(s->heap, *n, s->heap_cap);
    int64_t i = (*n)++;
    while (i > 0 && goes_first(&c, &s->heap[(i - 1) / 2])) {
        s->heap[i] = s->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    s->heap[i] = c;
}

static struct bpe_candidate heap_pop(struct bpe_scratch *s, int64_t *n)
{
    struct bpe_candidate top = s->heap[0], last = s->heap[--*n];
    int64_t i = 0;
    for (;;) {
        int64_t child = 2 * i + 1;
        if (child >= *n)
            break;
        if (child + 1 < *n && goes_first(&s->heap[child + 1], &s->heap[child]))
            child++;
        if (!goes_first(&s->heap[child], &last))
            break;
        s->heap[i] = s->heap[child];
        i = child;
    }
    s->heap[i] = last;
    return top;
}

static void push_pair(const struct bpe_model *m, struct bpe_scratch *s, int64_t *n_heap,
                      int32_t place)
{
    const struct bpe_symbol *left = &s->symbols[place];
    if (left->next < 0)
        return;
    int32_t right_id = s->symbols[left->next].id;
    const struct merge_slot *merge = find_merge(m, (uint32_t)left->id, (uint32_t)right_id);
    if (merge)
        heap_push(s, n_heap,
                  (struct bpe_candidate){merge->rank, place, left->id, right_id, merge->id});
}

/* O(n log n).  A candidate whose parts have changed since it was pushed is skipped. */
static void merge_long(const struct bpe_model *m, struct bpe_scratch *s, int64_t n)
{
    int64_t n_heap = 0;
    for (int64_t i = 0; i + 1 < n; i++)
        push_pair(m, s, &n_heap, (int32_t)i);
    while (n_heap > 0) {
        struct bpe_candidate c = heap_pop(s, &n_heap);
        struct bpe_symbol *left = &s->symbols[c.place];
        if (left->id != c.left || left->next < 0 || s->symbols[left->next].id != c.right)
            continue;
        struct bpe_symbol *right = &s->symbols[left->next];
        left->id = (int32_t)c.id;
        left->next = right->next;
        right->id = -1;
        if (left->next >= 0)
            s->symbols[left->next].prev = c.place;
        if (left->prev >= 0)
            push_pair(m, s, &n_heap, left->prev);
        push_pair(m, s, &n_heap, c.place);
    }
}

static int no_such_byte(unsigned char byte, struct err *err)
{
    return err_set(err, "byte 0x%02x is not in the tokenizer's vocabulary", byte);
}

static int encode_short(const struct bpe_model *m, const char *piece, size_t n,
                        struct token_list *out, struct err *err)
{
    int32_t ids[SHORT_PIECE + 1];
    for (size_t i = 0; i < n; i++)
        if ((ids[i] = m->byte_id[(unsigned char)piece[i]]) < 0)
            return no_such_byte((unsigned char)piece[i], err);
    int64_t n_ids = merge_short(m, ids, (int64_t)n);
    for (int64_t i = 0; i < n_ids; i++)
        token_list_add(out, ids[i]);
    return 0;
}

static int encode_long(const struct bpe_model *m, struct bpe_scratch *s, const char *piece,
                       size_t n, struct token_list *out, struct err *err)
{
    if (n > INT32_MAX)
        return err_set(err, "a pre-token of %zu bytes is too long", n);
    if ((int64_t)n > s->cap) {
        s->cap = (int64_t)n;
        s->symbols = xreallocarray(s->symbols, n, sizeof *s->symbols);
    }
    for (size_t i = 0; i < n; i++) {
        int32_t id = m->byte_id[(unsigned char)piece[i]];
        if (id < 0)
            return no_such_byte((unsigned char)piece[i], err);
        s->symbols[i] =
            (struct bpe_symbol){id, (int32_t)i - 1, i + 1 < n ? (int32_t)(i + 1) : -1};
    }
    merge_long(m, s, (int64_t)n);
    for (int32_t i = 0; i >= 0; i = s->symbols[i].next)
        token_list_add(out, s->symbols[i].id);
    return 0;
}

int bpe_model_encode(const struct bpe_model *m, struct bpe_scratch *scratch, const char *piece,
                     size_t n, struct token_list *out, struct err *err)
{
    int32_t id = bpe_model_find(m, piece, n);
    /* Relaxed is enough: every thread would store the same value. */
    int whole = id < 0 ? WHOLE_NO : atomic_load_explicit(&m->whole[id], memory_order_relaxed);
    if (id >= 0 && (m->ignore_merges || whole == WHOLE_YES)) {
        token_list_add(out, id);
        return 0;
    }
    int64_t before = out->n;
    int rc = n <= SHORT_PIECE ? encode_short(m, piece, n, out, err)
                              : encode_long(m, scratch, piece, n, out, err);
    if (rc == 0 && whole == WHOLE_UNKNOWN)
        atomic_store_explicit(&m->whole[id],
                              out->n == before + 1 && out->ids[before] == id ? WHOLE_YES : WHOLE_NO,
                              memory_order_relaxed);
    return rc;
}
