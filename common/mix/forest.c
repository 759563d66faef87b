/* forest.c - a sum of regression trees: its text, and fast predictions. */
#include "mix/forest.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/pool.h"

/* Trees whose tables are in the cache at once; rows that share the work of making them. */
enum { BLOCK_TREES = 32, CHUNK_ROWS = 8192, FEW_ROWS = 64 };

struct forest *forest_new(void)
{
    struct forest *f = xcalloc(1, sizeof *f);
    f->scale = 1;
    return f;
}

void forest_free(struct forest *f)
{
    if (f)
        free(f->trees);
    free(f);
}

struct tree *forest_add(struct forest *f)
{
    GROW(f->trees, f->n_trees, f->cap);
    memset(&f->trees[f->n_trees], 0, sizeof *f->trees);
    return &f->trees[f->n_trees++];
}

static float tree_value(const struct tree *t, const double *x)
{
    int at = t->n_leaves > 1 ? 0 : -1;
    while (at >= 0)
        at = (float)x[t->feature[at]] < t->threshold[at] ? t->left[at] : t->right[at];
    return t->leaf[~at];
}

double forest_value(const struct forest *f, const double *x)
{
    double sum = 0;
    for (int64_t i = 0; i < f->n_trees; i++)
        sum += (double)tree_value(&f->trees[i], x);
    return f->bias + f->scale * sum;
}

/* Many rows. */

/* The thresholds of each feature, in order, without repetition; interval k of a feature has k of its
 * thresholds at or below it. */
struct cuts {
    int64_t m;
    int64_t *first; /* [m + 1] where a feature's begin */
    float *at;
    int64_t *interval; /* [m + 1] where a feature's intervals begin: one more than its thresholds */
};

static int by_float(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void cuts_init(struct cuts *c, const struct forest *f, int64_t m)
{
    int64_t *n = xcalloc((size_t)m + 1, sizeof *n), total = 0, kept = 0;
    c->m = m;
    c->first = xcalloc((size_t)m + 1, sizeof *c->first);
    c->interval = xcalloc((size_t)m + 1, sizeof *c->interval);
    for (int64_t t = 0; t < f->n_trees; t++)
        for (int k = 0; k < f->trees[t].n_leaves - 1; k++)
            n[f->trees[t].feature[k]]++;
    for (int64_t j = 0; j < m; j++) {
        c->first[j] = total;
        total += n[j];
        n[j] = c->first[j];
    }
    c->at = xcalloc((size_t)total + 1, sizeof *c->at);
    for (int64_t t = 0; t < f->n_trees; t++)
        for (int k = 0; k < f->trees[t].n_leaves - 1; k++)
            c->at[n[f->trees[t].feature[k]]++] = f->trees[t].threshold[k];
    for (int64_t j = 0; j < m; j++) {
        int64_t begin = c->first[j], end = n[j];
        qsort(c->at + begin, (size_t)(end - begin), sizeof *c->at, by_float);
        c->first[j] = kept;
        for (int64_t i = begin; i < end; i++)
            if (kept == c->first[j] || c->at[i] != c->at[kept - 1])
                c->at[kept++] = c->at[i];
        c->interval[j + 1] = c->interval[j] + kept - c->first[j] + 1;
    }
    c->first[m] = kept;
    free(n);
}

static void cuts_release(struct cuts *c)
{
    free(c->first);
    free(c->interval);
    free(c->at);
}

/* How many of feature j's thresholds are at or below x. */
static int64_t find_interval(const struct cuts *c, int64_t j, float x)
{
    const float *at = c->at + c->first[j];
    int64_t low = 0, high = c->first[j + 1] - c->first[j];
    while (low < high) {
        int64_t mid = (low + high) / 2;
        if (at[mid] <= x)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* The leaves below a node, as bits. */
static uint32_t leaves_below(const struct tree *t, int at)
{
    return at < 0 ? 1u << ~at : leaves_below(t, t->left[at]) | leaves_below(t, t->right[at]);
}

/* table [intervals, BLOCK_TREES]: the leaves of each tree that an interval of a feature leaves. */
static void fill_table(const struct cuts *c, const struct tree *trees, int n, uint32_t *table)
{
    memset(table, 0xff, (size_t)c->interval[c->m] * BLOCK_TREES * sizeof *table);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < trees[i].n_leaves - 1; k++) {
            int64_t j = trees[i].feature[k];
            int64_t row = c->interval[j] + find_interval(c, j, trees[i].threshold[k]);
            table[row * BLOCK_TREES + i] &= ~leaves_below(&trees[i], trees[i].left[k]);
        }
    for (int64_t j = 0; j < c->m; j++)
        for (int64_t row = c->interval[j] + 1; row < c->interval[j + 1]; row++)
            for (int i = 0; i < BLOCK_TREES; i++)
                table[row * BLOCK_TREES + i] &= table[(row - 1) * BLOCK_TREES + i];
}

static double block_sum(const struct tree *trees, int n, const uint32_t *table, const int32_t *rows,
                        int64_t m, double sum)
{
    uint32_t left[BLOCK_TREES];
    memcpy(left, table + (int64_t)rows[0] * BLOCK_TREES, sizeof left);
    for (int64_t j = 1; j < m; j++) {
        const uint32_t *more = table + (int64_t)rows[j] * BLOCK_TREES;
        for (int i = 0; i < BLOCK_TREES; i++)
            left[i] &= more[i];
    }
    for (int i = 0; i < n; i++)
        sum += (double)trees[i].leaf[__builtin_ctz(left[i])];
    return sum;
}

struct batch {
    const struct forest *f;
    const struct cuts *cuts;
    const double *x;
    int64_t n, m;
    double *y;
};

static void predict_chunk(void *arg, int64_t chunk, int thread)
{
    const struct batch *b = arg;
    int64_t begin = chunk * CHUNK_ROWS, n = b->n - begin < CHUNK_ROWS ? b->n - begin : CHUNK_ROWS;
    int64_t m = b->m;
    int32_t *rows = xreallocarray(NULL, (size_t)(n * m), sizeof *rows);
    uint32_t *table = xaligned((size_t)b->cuts->interval[m] * BLOCK_TREES * sizeof *table);
    (void)thread;
    for (int64_t i = 0; i < n; i++) {
        b->y[begin + i] = 0;
        for (int64_t j = 0; j < m; j++)
            rows[i * m + j] = (int32_t)(b->cuts->interval[j] +
                                        find_interval(b->cuts, j, (float)b->x[(begin + i) * m + j]));
    }
    for (int64_t t = 0; t < b->f->n_trees; t += BLOCK_TREES) {
        const struct tree *trees = b->f->trees + t;
        int n_trees = (int)(b->f->n_trees - t < BLOCK_TREES ? b->f->n_trees - t : BLOCK_TREES);
        fill_table(b->cuts, trees, n_trees, table);
        for (int64_t i = 0; i < n; i++)
            b->y[begin + i] = block_sum(trees, n_trees, table, rows + i * m, m, b->y[begin + i]);
    }
    for (int64_t i = 0; i < n; i++)
        b->y[begin + i] = b->f->bias + b->f->scale * b->y[begin + i];
    free(rows);
    free(table);
}

void forest_values(const struct forest *f, const double *x, int64_t n, int64_t m, double *y)
{
    if (n < FEW_ROWS) {
        for (int64_t i = 0; i < n; i++)
            y[i] = forest_value(f, x + i * m);
        return;
    }
    struct cuts cuts;
    cuts_init(&cuts, f, m);
    struct batch b = {.f = f, .cuts = &cuts, .x = x, .n = n, .m = m, .y = y};
    pool_for((n + CHUNK_ROWS - 1) / CHUNK_ROWS, predict_chunk, &b);
    cuts_release(&cuts);
}

/* Text. */

static void print_float(struct strbuf *s, float x)
{
    char buf[32];
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(buf, sizeof buf, "%.*g", digits, (double)x);
        if (strtof(buf, NULL) == x)
            break;
    }
    strbuf_adds(s, buf);
}

static void print_node(struct strbuf *s, const struct tree *t, int at)
{
    if (at < 0) {
        print_float(s, t->leaf[~at]);
        return;
    }
    strbuf_addf(s, "%d<", t->feature[at]);
    print_float(s, t->threshold[at]);
    strbuf_addc(s, '(');
    print_node(s, t, t->left[at]);
    strbuf_addc(s, ',');
    print_node(s, t, t->right[at]);
    strbuf_addc(s, ')');
}

void tree_print(struct strbuf *s, const struct tree *t)
{
    print_node(s, t, t->n_leaves > 1 ? 0 : -1);
}

struct tree_text {
    const char *begin, *at;
    struct tree *tree;
    int64_t m;
    int n_nodes;
};

static int expect(struct tree_text *p, char c, struct err *err)
{
    if (*p->at != c)
        return err_set(err, "a tree has %s%.1s at character %d, expected '%c'", *p->at ? "" : "nothing",
                       p->at, (int)(p->at - p->begin), c);
    p->at++;
    return 0;
}

static int parse_number(struct tree_text *p, float *out, struct err *err)
{
    char *end;
    *out = strtof(p->at, &end);
    if (end == p->at || !isfinite(*out))
        return err_set(err, "a tree has no number at character %d", (int)(p->at - p->begin));
    p->at = end;
    return 0;
}

/* The depth of the recursion is bounded by the number of nodes. */
static int parse_node(struct tree_text *p, int8_t *out, struct err *err)
{
    struct tree *t = p->tree;
    const char *sign = p->at + strspn(p->at, "0123456789");
    if (*sign != '<') {
        if (t->n_leaves == MAX_LEAVES)
            return err_set(err, "a tree has more than %d leaves", MAX_LEAVES);
        *out = (int8_t)~t->n_leaves;
        return parse_number(p, &t->leaf[t->n_leaves++], err);
    }
    if (p->n_nodes == MAX_LEAVES - 1)
        return err_set(err, "a tree has more than %d leaves", MAX_LEAVES);
    int node = p->n_nodes++;
    int64_t feature = sign - p->at > 4 ? p->m : strtol(p->at, NULL, 10);
    if (sign == p->at || feature >= p->m)
        return err_set(err, "a tree asks for domain %.*s of %lld", (int)(sign - p->at), p->at,
                       (long long)p->m);
    t->feature[node] = (int16_t)feature;
    p->at = sign + 1;
    *out = (int8_t)node;
    if (parse_number(p, &t->threshold[node], err) < 0 || expect(p, '(', err) < 0 ||
        parse_node(p, &t->left[node], err) < 0 || expect(p, ',', err) < 0 ||
        parse_node(p, &t->right[node], err) < 0)
        return -1;
    return expect(p, ')', err);
}

int tree_parse(struct tree *t, const char *text, int64_t m, struct err *err)
{
    struct tree_text p = {.begin = text, .at = text, .tree = t, .m = m};
    int8_t root;
    memset(t, 0, sizeof *t);
    if (parse_node(&p, &root, err) < 0)
        return -1;
    return *p.at ? err_set(err, "a tree goes on at character %d", (int)(p.at - text)) : 0;
}
