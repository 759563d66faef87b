/* decontam_items.c - evaluation items, and the index of their n-grams. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "base/tool.h"
#include "data/decontam_internal.h"
#include "data/jsonl.h"
#include "data/record_text.h"

#define MOST_ITEMS ((int64_t)UINT32_MAX / N_PARTS)

const struct opt_enum decontam_rule_names[] = {
    {"rare", RULE_RARE}, {"ngram", RULE_NGRAM}, {NULL, 0}};

/* The first of these that an item has. */
static const char *const usual[N_PARTS][9] = {
    {"question", "problem", "prompt", "text", "instruction", "query", "input", "doc.question"},
    {"answer", "solution", "ground_truth", "canonical_solution", "code", "completion", "response",
     "output", "doc.answer"},
    {"passage", "context", "article"},
};

struct decontam *decontam_open(const struct decontam_options *o)
{
    struct decontam *d = xcalloc(1, sizeof *d);
    d->o = *o;
    if (d->o.ngram == 0)
        d->o.ngram = o->rule == RULE_NGRAM ? 8 : 5;
    if (d->o.threshold == 0)
        d->o.threshold = o->rule == RULE_NGRAM ? 0.5 : 0.6;
    return d;
}

const uint64_t *part_words(const struct decontam *d, const struct eval_part *p)
{
    return d->words + p->first;
}

/* Reading. */

static void message_text(const json_t *messages, bool assistant, struct strbuf *out)
{
    size_t i;
    const json_t *m;
    int n_found = 0;
    json_array_foreach(messages, i, m)
    {
        const char *role = json_string_value(json_object_get(m, "role"));
        if (role && strcmp(role, assistant ? "assistant" : "user") == 0) {
            json_t *one = json_pack("[O]", m);
            value_text(one, out, &n_found);
            json_decref(one);
        }
    }
}

static bool part_text(const struct decontam *d, const json_t *obj, int kind, struct strbuf *out)
{
    const char *named = d->o.fields[kind];
    const json_t *value = named ? value_at(obj, named) : NULL;
    for (size_t i = 0; i < ARRAY_SIZE(usual[0]) && usual[kind][i] && !named && !value; i++)
        value = value_at(obj, usual[kind][i]);
    int n_found = 0;
    strbuf_clear(out);
    value_text(value, out, &n_found);
    if (json_is_number(value))
        json_write(out, value);
    const json_t *messages = json_object_get(obj, "messages");
    if (!named && out->len == 0 && kind != PART_PASSAGE)
        message_text(messages, kind == PART_ANSWER, out);
    return out->len > 0;
}

static void add_part(struct decontam *d, struct eval_part *p, const struct words *w)
{
    size_t need = d->n_words + w->n;
    while (need > d->cap_words) {
        d->cap_words = d->cap_words ? d->cap_words * 2 : 65536;
        d->words = xreallocarray(d->words, d->cap_words, sizeof *d->words);
    }
    if (w->n)
        memcpy(d->words + d->n_words, w->hash, w->n * sizeof *w->hash);
    *p = (struct eval_part){.first = d->n_words, .n = (uint32_t)w->n};
    d->n_words = need;
}

/* True if an item with the same words was there before; remembers it. */
static bool repeated(struct decontam *d, const struct eval_item *it)
{
    size_t n = 0;
    for (int k = 0; k < N_PARTS; k++)
        n += it->parts[k].n;
    uint64_t hash = XXH3_64bits(d->words + it->parts[0].first, n * sizeof *d->words);
    hash = words_mix(hash + it->parts[0].n) | 1;
    if ((size_t)d->n_items * 2 >= d->cap_seen) { /* made anew at twice the size */
        size_t cap = d->cap_seen ? d->cap_seen * 2 : 8192;
        uint64_t *seen = xcalloc(cap, sizeof *seen);
        for (size_t i = 0; i < d->cap_seen; i++) {
            size_t at = d->seen[i] >> 1 & (cap - 1);
            while (d->seen[i] && seen[at])
                at = (at + 1) & (cap - 1);
            if (d->seen[i])
                seen[at] = d->seen[i];
        }
        free(d->seen);
        d->seen = seen;
        d->cap_seen = cap;
    }
    size_t at = hash >> 1 & (d->cap_seen - 1);
    for (; d->seen[at]; at = (at + 1) & (d->cap_seen - 1))
        if (d->seen[at] == hash)
            return true;
    d->seen[at] = hash;
    return false;
}

static bool long_enough(const struct decontam *d, const struct eval_part *p)
{
    int64_t least = d->o.rule == RULE_NGRAM ? d->o.ngram : d->o.min_words;
    return (int64_t)p->n >= least;
}

static int add_item(struct decontam *d, const char *name, const struct record *rec,
                    struct strbuf *text, struct words *words, struct err *err)
{
    struct eval_item it = {.set = name, .line = rec->line};
    if (d->n_items == MOST_ITEMS)
        return err_set(err, "more than %lld evaluation items", (long long)MOST_ITEMS);
    size_t before = d->n_words;
    bool any = false;
    for (int k = 0; k < N_PARTS; k++) {
        words->n = 0;
        if (part_text(d, rec->obj, k, text)) {
            words_of(words, text->buf, text->len);
            any = true;
        }
        add_part(d, &it.parts[k], words);
    }
    if (!any || (it.parts[PART_QUESTION].n == 0 && it.parts[PART_ANSWER].n == 0))
        return err_set(err, "the item has neither question nor answer (--question-field, "
                            "--answer-field)");
    if (repeated(d, &it)) {
        d->counts.repeated++;
        d->n_words = before;
        return 0;
    }
    d->counts.too_short +=
        !long_enough(d, &it.parts[PART_QUESTION]) && !long_enough(d, &it.parts[PART_ANSWER]);
    const json_t *id = json_object_get(rec->obj, "id");
    if (json_is_string(id)) {
        it.id = xstrdup(json_string_value(id));
    } else if (json_is_integer(id)) {
        it.id = xasprintf("%lld", (long long)json_integer_value(id));
    }
    GROW(d->items, d->n_items, d->cap_items);
    d->items[d->n_items++] = it;
    d->counts.items++;
    return 0;
}

int decontam_add_set(struct decontam *d, const char *name, const char *path, struct err *err)
{
    struct strbuf text = {0};
    struct words words = {0};
    struct record rec;
    int rc = -1;
    int64_t in = tool_counts.in; /* items are no records of the program's input */
    name = arena_strdup(&d->names, name);
    struct jsonl_reader *r = jsonl_reader_open(&path, 1, err);
    while (r && (rc = jsonl_reader_next(r, &rec, err)) > 0) {
        struct err why = {0};
        rc = add_item(d, name, &rec, &text, &words, &why);
        json_decref(rec.obj);
        if (rc < 0 && (rc = jsonl_reader_reject(r, &rec, &why)) < 0) {
            *err = why;
            break;
        }
    }
    tool_counts.in = in;
    jsonl_reader_close(r);
    words_release(&words);
    strbuf_release(&text);
    return rc < 0 ? -1 : 0;
}

/* Weights: log(1 + items / items with the word). */

struct counted {
    uint64_t word;
    int64_t last; /* item that was counted last */
    uint32_t n;
};

static struct counted *find_counted(struct counted *table, uint64_t mask, uint64_t word)
{
    uint64_t at = words_mix(word) & mask;
    while (table[at].n && table[at].word != word)
        at = (at + 1) & mask;
    return &table[at];
}

static void weigh_words(struct decontam *d)
{
    uint64_t mask = 1023;
    while (mask < d->n_words * 2)
        mask = mask * 2 + 1;
    struct counted *table = xcalloc((size_t)mask + 1, sizeof *table);
    for (int64_t i = 0; i < d->n_items; i++) {
        for (int k = 0; k < N_PARTS; k++) {
            const struct eval_part *p = &d->items[i].parts[k];
            for (uint32_t j = 0; j < p->n; j++) {
                struct counted *c = find_counted(table, mask, part_words(d, p)[j]);
                c->n += c->n == 0 || c->last != i;
                c->word = part_words(d, p)[j];
                c->last = i;
            }
        }
    }
    d->weights = xcalloc(d->n_words, sizeof *d->weights);
    for (size_t i = 0; i < d->n_words; i++) {
        const struct counted *c = find_counted(table, mask, d->words[i]);
        d->weights[i] = c->n ? (float)log1p((double)d->n_items / c->n) : 1;
    }
    free(table);
    for (int64_t i = 0; i < d->n_items; i++) {
        for (int k = 0; k < N_PARTS; k++) {
            struct eval_part *p = &d->items[i].parts[k];
            for (uint32_t j = 0; j < p->n; j++)
                p->weight += d->weights[p->first + j];
        }
    }
}

/* The index. */

static void add_postings(struct decontam *d, uint32_t number, const struct eval_part *p)
{
    struct words w = {.hash = d->words + p->first, .n = p->n};
    size_t length = p->n < (uint64_t)d->o.ngram ? p->n : (size_t)d->o.ngram;
    uint64_t *hashes = xcalloc(p->n, sizeof *hashes);
    size_t n = words_ngrams(&w, length, hashes);
    d->lengths[length] = true;
    for (size_t i = 0; i < n; i++) {
        GROW(d->postings, d->n_postings, d->cap_postings);
        d->postings[d->n_postings++] =
            (struct posting){ngram_hash(hashes[i], length), number, (uint32_t)i};
    }
    free(hashes);
}

static int by_hash(const void *a, const void *b)
{
    const struct posting *x = a, *y = b;
    if (x->hash != y->hash)
        return (x->hash > y->hash) - (x->hash < y->hash);
    if (x->part != y->part)
        return (x->part > y->part) - (x->part < y->part);
    return (x->at > y->at) - (x->at < y->at);
}

static uint64_t mask_for(size_t n)
{
    uint64_t mask = 1023;
    while (mask < n)
        mask = mask * 2 + 1;
    return mask;
}

void decontam_index(struct decontam *d)
{
    weigh_words(d);
    for (int64_t i = 0; i < d->n_items; i++)
        for (int k = 0; k < N_PARTS; k++)
            if (long_enough(d, &d->items[i].parts[k]))
                add_postings(d, (uint32_t)(i * N_PARTS + k), &d->items[i].parts[k]);
    if (d->n_postings)
        qsort(d->postings, d->n_postings, sizeof *d->postings, by_hash);
    d->table_mask = mask_for(d->n_postings * 2);
    d->filter_mask = mask_for(d->n_postings * 16);
    d->table = xcalloc((size_t)d->table_mask + 1, sizeof *d->table);
    d->filter = xcalloc((size_t)(d->filter_mask + 1) / 64, sizeof *d->filter);
    for (size_t i = 0; i < d->n_postings; i++) {
        uint64_t hash = d->postings[i].hash;
        d->filter[(hash & d->filter_mask) / 64] |= (uint64_t)1 << (hash & 63);
        if (i > 0 && d->postings[i - 1].hash == hash)
            continue;
        uint64_t at = hash >> 20 & d->table_mask;
        while (d->table[at])
            at = (at + 1) & d->table_mask;
        d->table[at] = (uint32_t)i + 1;
    }
    d->counts.index_bytes =
        (int64_t)(d->n_words * (sizeof *d->words + sizeof *d->weights) +
                  d->n_postings * sizeof *d->postings + (d->table_mask + 1) * sizeof *d->table +
                  (d->filter_mask + 1) / 8 + (size_t)d->n_items * sizeof *d->items);
}

size_t decontam_look_up(const struct decontam *d, uint64_t hash, const struct posting **first)
{
    if (!(d->filter[(hash & d->filter_mask) / 64] >> (hash & 63) & 1))
        return 0;
    for (uint64_t at = hash >> 20 & d->table_mask; d->table[at]; at = (at + 1) & d->table_mask) {
        size_t i = d->table[at] - 1, n = 0;
        if (d->postings[i].hash != hash)
            continue;
        *first = &d->postings[i];
        while (i + n < d->n_postings && d->postings[i + n].hash == hash)
            n++;
        return n;
    }
    return 0;
}

const struct decontam_counts *decontam_counts(const struct decontam *d)
{
    return &d->counts;
}

const struct eval_item *decontam_item(const struct decontam *d, int64_t i)
{
    return &d->items[i];
}

void decontam_close(struct decontam *d)
{
    if (!d)
        return;
    for (int64_t i = 0; i < d->n_items; i++)
        free(d->items[i].id);
    arena_release(&d->names);
    free(d->items);
    free(d->words);
    free(d->weights);
    free(d->postings);
    free(d->table);
    free(d->filter);
    free(d->seen);
    free(d);
}
