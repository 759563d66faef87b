/* bpe.c - training a byte-level BPE vocabulary.
 *
 * Words (distinct pre-tokens) are counted first.  Then, again and again, the pair of
 * symbols with the highest count is joined in every word that holds it.  A pair knows
 * the words it was seen in, so that a merge looks at those only; a heap holds pairs by
 * count, and an entry whose count is out of date is put back with the true one when it
 * comes up (a pair whose count rises, because it holds the new symbol, is pushed again).
 */
#define XXH_INLINE_ALL
#include "data/bpe.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/mem.h"
#include "data/tokenizer_internal.h"
#include "data/utf8.h"

struct word {
    size_t offset; /* in trainer.bytes */
    uint32_t n;    /* bytes; while merging: symbols */
    int64_t count;
};

struct bpe_trainer {
    enum bpe_pattern pattern;
    struct pretok pretok;
    pcre2_match_data *data;
    struct strbuf bytes;
    int64_t n_words, cap_words;
    struct word *words;
    int64_t *by_bytes; /* hash -> word, -1 = empty */
    uint64_t mask;
};

/* --- counting words ------------------------------------------------------------------------- */

static const char *const pattern_regex[] = {
    [BPE_PATTERN_CL100K_1DIGIT] = byte_level_cl100k_1digit_regex,
    [BPE_PATTERN_CL100K] = byte_level_cl100k_regex,
    [BPE_PATTERN_GPT2] = byte_level_gpt2_regex,
};

static void resize_hash(struct bpe_trainer *b, uint64_t size)
{
    free(b->by_bytes);
    b->by_bytes = xreallocarray(NULL, size, sizeof *b->by_bytes);
    memset(b->by_bytes, -1, size * sizeof *b->by_bytes);
    b->mask = size - 1;
    for (int64_t i = 0; i < b->n_words; i++) {
        uint64_t h = XXH3_64bits(b->bytes.buf + b->words[i].offset, b->words[i].n);
        while (b->by_bytes[h & b->mask] >= 0)
            h++;
        b->by_bytes[h & b->mask] = i;
    }
}

struct bpe_trainer *bpe_trainer_new(enum bpe_pattern pattern)
{
    struct bpe_trainer *b = xcalloc(1, sizeof *b);
    struct err err = {0};
    b->pattern = pattern;
    if (pretok_from_regex(&b->pretok, pattern_regex[pattern], &err) < 0)
        BUG("%s", err.text);
    b->data = pretok_match_data();
    resize_hash(b, 1 << 16);
    return b;
}

void bpe_trainer_free(struct bpe_trainer *b)
{
    if (!b)
        return;
    pretok_release(&b->pretok);
    pcre2_match_data_free(b->data);
    strbuf_release(&b->bytes);
    free(b->words);
    free(b->by_bytes);
    free(b);
}

static int count_word(void *arg, const char *piece, size_t n, struct err *err)
{
    struct bpe_trainer *b = arg;
    uint64_t h = XXH3_64bits(piece, n);
    int64_t i;
    if (n > INT32_MAX)
        return err_set(err, "a pre-token of %zu bytes is too long", n);
    for (; (i = b->by_bytes[h & b->mask]) >= 0; h++)
        if (b->words[i].n == n && memcmp(b->bytes.buf + b->words[i].offset, piece, n) == 0) {
            b->words[i].count++;
            return 0;
        }
    GROW(b->words, b->n_words, b->cap_words);
    b->by_bytes[h & b->mask] = b->n_words;
    b->words[b->n_words++] = (struct word){b->bytes.len, (uint32_t)n, 1};
    strbuf_add(&b->bytes, piece, n);
    if ((uint64_t)b->n_words * 2 > b->mask)
        resize_hash(b, (b->mask + 1) * 2);
    return 0;
}

static int add_text(struct bpe_trainer *b, const char *text, size_t n, struct err *err)
{
    struct strbuf repaired = {0};
    if (utf8_valid_prefix(text, n) < n) {
        utf8_repair(&repaired, text, n);
        text = repaired.buf;
        n = repaired.len;
    }
    int rc = pretok_split(&b->pretok, b->data, text, n, count_word, b, err);
    strbuf_release(&repaired);
    return rc;
}

static int add_string(struct bpe_trainer *b, const json_t *text, int *n_found, struct err *err)
{
    if (!json_is_string(text))
        return 0;
    ++*n_found;
    return add_text(b, json_string_value(text), json_string_length(text), err);
}

/* A string, a list of messages, or a message's list of parts. */
static int add_said(struct bpe_trainer *b, const json_t *value, int *n_found, struct err *err)
{
    static const char *const keys[] = {"text", "reasoning_content", "reasoning", "thinking"};
    const json_t *item;
    size_t i;
    json_array_foreach (value, i, item) {
        for (size_t k = 0; k < ARRAY_SIZE(keys); k++)
            if (add_string(b, json_object_get(item, keys[k]), n_found, err) < 0)
                return -1;
        if (add_said(b, json_object_get(item, "content"), n_found, err) < 0)
            return -1;
    }
    return add_string(b, value, n_found, err);
}

int bpe_trainer_add_record(struct bpe_trainer *b, const json_t *obj, struct err *err)
{
    static const char *const keys[] = {"text", "messages", "prompt", "completion"};
    int n_found = 0;
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (add_said(b, json_object_get(obj, keys[i]), &n_found, err) < 0)
            return -1;
    return n_found ? 0
                   : err_set(err, "the record has no text in 'text', 'messages', 'prompt' or "
                                  "'completion'");
}

int64_t bpe_trainer_words(const struct bpe_trainer *b)
{
    return b->n_words;
}

/* --- merging -------------------------------------------------------------------------------- */

struct pair {
    int32_t left, right;
    int64_t count;
    int64_t n_words, cap_words;
    int64_t *words; /* where it has been seen; some may have lost it since */
    bool merged, risen; /* risen: in merger.risen */
};

struct entry { /* of the heap */
    int64_t count;
    int64_t pair;
};

struct symbol {
    char *bytes; /* owned */
    size_t n;
};

struct merger {
    struct word *words; /* offset and n are of symbols here */
    int64_t n_words;
    int32_t *symbols;
    struct pair *pairs;
    int64_t n_pairs, cap_pairs;
    int64_t *by_pair; /* hash -> pair, -1 = empty */
    uint64_t mask;
    struct entry *heap;
    int64_t n_heap, cap_heap;
    int64_t *risen; /* pairs to push after the present merge */
    int64_t n_risen, cap_risen;
    struct symbol *vocab;
    int64_t n_vocab, cap_vocab;
    json_t *spelled; /* piece in the byte alphabet -> id */
    json_t *merges;
};

static uint64_t pair_hash(int32_t left, int32_t right)
{
    uint64_t h = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

static void resize_pairs(struct merger *m, uint64_t size)
{
    free(m->by_pair);
    m->by_pair = xreallocarray(NULL, size, sizeof *m->by_pair);
    memset(m->by_pair, -1, size * sizeof *m->by_pair);
    m->mask = size - 1;
    for (int64_t i = 0; i < m->n_pairs; i++) {
        uint64_t h = pair_hash(m->pairs[i].left, m->pairs[i].right);
        while (m->by_pair[h & m->mask] >= 0)
            h++;
        m->by_pair[h & m->mask] = i;
    }
}

static int64_t pair_index(struct merger *m, int32_t left, int32_t right)
{
    uint64_t h = pair_hash(left, right);
    int64_t i;
    for (; (i = m->by_pair[h & m->mask]) >= 0; h++)
        if (m->pairs[i].left == left && m->pairs[i].right == right)
            return i;
    GROW(m->pairs, m->n_pairs, m->cap_pairs);
    m->pairs[m->n_pairs] = (struct pair){.left = left, .right = right};
    m->by_pair[h & m->mask] = m->n_pairs++;
    if ((uint64_t)m->n_pairs * 2 > m->mask)
        resize_pairs(m, (m->mask + 1) * 2);
    return m->n_pairs - 1;
}

/* The order of merges: by count, then the smaller left, then the smaller right symbol. */
static bool goes_first(const struct merger *m, struct entry a, struct entry b)
{
    const struct pair *p = &m->pairs[a.pair], *q = &m->pairs[b.pair];
    if (a.count != b.count)
        return a.count > b.count;
    return p->left != q->left ? p->left < q->left : p->right < q->right;
}

static void heap_push(struct merger *m, struct entry e)
{
    GROW(m->heap, m->n_heap, m->cap_heap);
    int64_t i = m->n_heap++;
    while (i > 0 && goes_first(m, e, m->heap[(i - 1) / 2])) {
        m->heap[i] = m->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    m->heap[i] = e;
}

static struct entry heap_pop(struct merger *m)
{
    struct entry top = m->heap[0], last = m->heap[--m->n_heap];
    int64_t i = 0;
    for (;;) {
        int64_t child = 2 * i + 1;
        if (child >= m->n_heap)
            break;
        if (child + 1 < m->n_heap && goes_first(m, m->heap[child + 1], m->heap[child]))
            child++;
        if (!goes_first(m, m->heap[child], last))
            break;
        m->heap[i] = m->heap[child];
        i = child;
    }
    m->heap[i] = last;
    return top;
}

static void count_pair(struct merger *m, int32_t left, int32_t right, int64_t by, int64_t word)
{
    int64_t index = pair_index(m, left, right);
    struct pair *p = &m->pairs[index];
    p->count += by;
    if (by < 0)
        return;
    if (!p->risen) {
        GROW(m->risen, m->n_risen, m->cap_risen);
        m->risen[m->n_risen++] = index;
        p->risen = true;
    }
    if (p->n_words > 0 && p->words[p->n_words - 1] == word)
        return;
    GROW(p->words, p->n_words, p->cap_words);
    p->words[p->n_words++] = word;
}

static void push_risen(struct merger *m)
{
    for (int64_t i = 0; i < m->n_risen; i++) {
        struct pair *p = &m->pairs[m->risen[i]];
        p->risen = false;
        if (p->count >= 2) /* a pair seen once teaches nothing */
            heap_push(m, (struct entry){p->count, m->risen[i]});
    }
    m->n_risen = 0;
}

/* Joins the pair in one word, left to right, and keeps the counts of its neighbours true. */
static void merge_word(struct merger *m, int64_t index, int32_t left, int32_t right, int32_t joined)
{
    struct word *w = &m->words[index];
    int32_t *s = m->symbols + w->offset;
    uint32_t out = 0;
    for (uint32_t i = 0; i < w->n;) {
        if (s[i] != left || i + 1 >= w->n || s[i + 1] != right) {
            s[out++] = s[i++];
            continue;
        }
        if (out > 0) {
            count_pair(m, s[out - 1], left, -w->count, index);
            count_pair(m, s[out - 1], joined, w->count, index);
        }
        if (i + 2 < w->n) {
            count_pair(m, right, s[i + 2], -w->count, index);
            count_pair(m, joined, s[i + 2], w->count, index);
        }
        s[out++] = joined;
        i += 2;
    }
    w->n = out;
}

/* The symbol that two make; it may exist already, made of other parts ("a"+"bc", "ab"+"c"). */
static int32_t join_symbols(struct merger *m, int32_t left, int32_t right)
{
    const struct symbol *a = &m->vocab[left], *b = &m->vocab[right];
    struct symbol joined = {xmalloc(a->n + b->n), a->n + b->n};
    struct strbuf text = {0};
    memcpy(joined.bytes, a->bytes, a->n);
    memcpy(joined.bytes + a->n, b->bytes, b->n);
    byte_level_spell(&text, joined.bytes, joined.n);
    const json_t *known = json_object_getn(m->spelled, text.buf, text.len);
    int32_t id = known ? (int32_t)json_integer_value(known) : (int32_t)m->n_vocab;
    if (known) {
        free(joined.bytes);
    } else {
        json_object_setn_new(m->spelled, text.buf, text.len, json_integer(id));
        GROW(m->vocab, m->n_vocab, m->cap_vocab);
        m->vocab[m->n_vocab++] = joined;
    }
    strbuf_release(&text);
    return id;
}

static void add_merge(struct merger *m, int32_t left, int32_t right)
{
    struct strbuf a = {0}, b = {0};
    byte_level_spell(&a, m->vocab[left].bytes, m->vocab[left].n);
    byte_level_spell(&b, m->vocab[right].bytes, m->vocab[right].n);
    json_array_append_new(m->merges, json_pack("[s%, s%]", a.buf, a.len, b.buf, b.len));
    strbuf_release(&a);
    strbuf_release(&b);
}

static void merge_pair(struct merger *m, int64_t index)
{
    struct pair p = m->pairs[index];
    int32_t joined = join_symbols(m, p.left, p.right);
    /* A symbol made in two ways can bring a merged pair back to life; its rank is settled. */
    if (!p.merged)
        add_merge(m, p.left, p.right);
    for (int64_t i = 0; i < p.n_words; i++)
        merge_word(m, p.words[i], p.left, p.right, joined);
    free(p.words);
    struct pair *now = &m->pairs[index];
    now->words = NULL;
    now->n_words = now->cap_words = now->count = 0;
    now->merged = true;
    push_risen(m);
}

static void merger_init(struct merger *m, const struct bpe_trainer *b)
{
    uint8_t order[256], place[256];
    uint32_t code[256];
    *m = (struct merger){.spelled = json_object(), .merges = json_array()};
    byte_level_alphabet(code, order);
    for (int i = 0; i < 256; i++) {
        char byte = (char)order[i];
        struct strbuf text = {0};
        place[order[i]] = (uint8_t)i;
        GROW(m->vocab, m->n_vocab, m->cap_vocab);
        m->vocab[m->n_vocab++] = (struct symbol){xmalloc(1), 1};
        m->vocab[i].bytes[0] = byte;
        byte_level_spell(&text, &byte, 1);
        json_object_setn_new(m->spelled, text.buf, text.len, json_integer(i));
        strbuf_release(&text);
    }
    m->n_words = b->n_words;
    m->words = xreallocarray(NULL, (size_t)b->n_words + 1, sizeof *m->words);
    m->symbols = xreallocarray(NULL, b->bytes.len + 1, sizeof *m->symbols);
    for (int64_t i = 0; i < b->n_words; i++)
        m->words[i] = b->words[i]; /* a byte is a symbol: the offsets stay */
    for (size_t i = 0; i < b->bytes.len; i++)
        m->symbols[i] = place[(unsigned char)b->bytes.buf[i]];
    resize_pairs(m, 1 << 16);
    for (int64_t i = 0; i < m->n_words; i++)
        for (uint32_t k = 0; k + 1 < m->words[i].n; k++)
            count_pair(m, m->symbols[m->words[i].offset + k], m->symbols[m->words[i].offset + k + 1],
                       m->words[i].count, i);
    push_risen(m);
}

static void merger_release(struct merger *m)
{
    for (int64_t i = 0; i < m->n_pairs; i++)
        free(m->pairs[i].words);
    for (int64_t i = 0; i < m->n_vocab; i++)
        free(m->vocab[i].bytes);
    free(m->words);
    free(m->symbols);
    free(m->pairs);
    free(m->by_pair);
    free(m->heap);
    free(m->risen);
    free(m->vocab);
    json_decref(m->spelled);
    json_decref(m->merges);
}

static void learn(struct merger *m, int64_t n_vocab)
{
    while (m->n_vocab < n_vocab && m->n_heap > 0) {
        struct entry top = heap_pop(m);
        int64_t count = m->pairs[top.pair].count;
        if (count != top.count) {
            if (count >= 2)
                heap_push(m, (struct entry){count, top.pair});
            continue;
        }
        merge_pair(m, top.pair);
    }
}

/* --- tokenizer.json ------------------------------------------------------------------------- */

static json_t *byte_level(bool use_regex)
{
    return json_pack("{ss sb sb sb}", "type", "ByteLevel", "add_prefix_space", 0, "trim_offsets", 0,
                     "use_regex", use_regex);
}

static json_t *pre_tokenizer(enum bpe_pattern pattern)
{
    if (pattern == BPE_PATTERN_GPT2)
        return byte_level(true);
    return json_pack("{ss s[{ss s{ss} ss sb} o]}", "type", "Sequence", "pretokenizers", "type",
                     "Split", "pattern", "Regex", pattern_regex[pattern], "behavior", "Isolated",
                     "invert", 0, byte_level(false));
}

/* Reasoning is part of the text that people read, so its marks stay when specials are skipped. */
static bool is_reasoning_mark(const char *content)
{
    return strcmp(content, "<think>") == 0 || strcmp(content, "</think>") == 0;
}

static json_t *added_tokens(int64_t first_id, const char *const *specials, int n)
{
    json_t *list = json_array();
    for (int i = 0; i < n; i++)
        json_array_append_new(list, json_pack("{sI ss sb sb sb sb sb}", "id",
                                              (json_int_t)(first_id + i), "content", specials[i],
                                              "single_word", 0, "lstrip", 0, "rstrip", 0,
                                              "normalized", 0, "special",
                                              !is_reasoning_mark(specials[i])));
    return list;
}

static json_t *document(const struct bpe_trainer *b, const struct merger *m,
                        const char *const *specials, int n_specials)
{
    json_t *model = json_pack("{ss sn sn ss ss sb sb sb sO sO}", "type", "BPE", "dropout",
                              "unk_token", "continuing_subword_prefix", "", "end_of_word_suffix",
                              "", "fuse_unk", 0, "byte_fallback", 0, "ignore_merges", 0, "vocab",
                              m->spelled, "merges", m->merges);
    return json_pack("{ss sn sn so sn so sn so so}", "version", "1.0", "truncation", "padding",
                     "added_tokens", added_tokens(m->n_vocab, specials, n_specials), "normalizer",
                     "pre_tokenizer", pre_tokenizer(b->pattern), "post_processor", "decoder",
                     byte_level(true), "model", model);
}

json_t *bpe_trainer_finish(struct bpe_trainer *b, int64_t vocab_size, const char *const *specials,
                           int n_specials, struct err *err)
{
    struct merger m;
    if (vocab_size < 256 + n_specials || vocab_size > TOKENIZER_MAX_ID) {
        err_set(err, "a vocabulary of %lld is impossible: 256 bytes and %d special tokens need %d, "
                     "and %d is the most",
                (long long)vocab_size, n_specials, 256 + n_specials, TOKENIZER_MAX_ID);
        return NULL;
    }
    merger_init(&m, b);
    learn(&m, vocab_size - n_specials);
    json_t *doc = document(b, &m, specials, n_specials);
    if (!doc)
        BUG("cannot build tokenizer.json");
    merger_release(&m);
    return doc;
}
