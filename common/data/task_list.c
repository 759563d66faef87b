/* task_list.c - sorting and other questions about a list of numbers. */
#include <stdlib.h>

#include "base/mem.h"
#include "data/task_internal.h"

#define MAX_ITEMS 10

struct list {
    int n;
    int64_t items[MAX_ITEMS];
};

static struct list draw_list(struct rng *rng, int n, int64_t low, int64_t high)
{
    struct list l = {.n = n};
    for (int i = 0; i < n; i++)
        l.items[i] = task_between(rng, low, high);
    return l;
}

static void add_items(struct strbuf *out, const struct list *l)
{
    for (int i = 0; i < l->n; i++)
        strbuf_addf(out, "%s%lld", i ? " " : "", (long long)l->items[i]);
}

static void remove_item(struct list *l, int at)
{
    l->n--;
    for (int i = at; i < l->n; i++)
        l->items[i] = l->items[i + 1];
}

/* The whole list is the answer. */
static void answer_list(struct problem *p, const struct list *l)
{
    add_items(&p->truth, l);
    p->answer = json_array();
    for (int i = 0; i < l->n; i++)
        json_array_append_new(p->answer, json_integer(l->items[i]));
}

static void ask(struct problem *p, const char *question, const struct list *l, const char *end)
{
    strbuf_adds(&p->prompt, question);
    strbuf_addc(&p->prompt, ' ');
    add_items(&p->prompt, l);
    strbuf_adds(&p->prompt, end);
}

static int extreme_at(const struct list *l, bool largest)
{
    int best = 0;
    for (int i = 1; i < l->n; i++) {
        if (largest ? l->items[i] > l->items[best] : l->items[i] < l->items[best])
            best = i;
    }
    return best;
}

/* sort: by selection, one line an element: what is left -> the next of the result. */

static const struct {
    int n;
    int64_t low, high;
    bool may_descend;
} sort_levels[] = {
    {3, 0, 20, false}, {4, 0, 50, false}, {5, 0, 99, true}, {7, 0, 99, true}, {10, -99, 999, true},
};

void task_make_sort(int level, struct rng *rng, struct problem *p)
{
    struct list left = draw_list(rng, sort_levels[level - 1].n, sort_levels[level - 1].low,
                                 sort_levels[level - 1].high);
    struct list sorted = {0};
    bool descend = sort_levels[level - 1].may_descend && rng_below(rng, 2) == 1;
    ask(p, descend ? "Sort descending:" : "Sort:", &left, "");
    while (left.n > 0) {
        struct strbuf text = {0};
        int at = extreme_at(&left, descend);
        add_items(&text, &left);
        task_line(p, "%s -> %lld", text.buf, (long long)left.items[at]);
        sorted.items[sorted.n++] = left.items[at];
        remove_item(&left, at);
        strbuf_release(&text);
    }
    answer_list(p, &sorted);
}

/* list */

enum list_op { OP_LARGEST, OP_SMALLEST, OP_SUM, OP_REVERSE, OP_ITEM, OP_SECOND, N_OPS };

static const struct {
    int n;
    int64_t high;
    int n_ops; /* the first so many of the enum */
} list_levels[] = {
    {3, 20, 2}, {4, 50, 4}, {5, 99, 6}, {7, 99, 6}, {9, 999, 6},
};

/* Walks the list; each line compares the best so far with the next item. */
static int64_t trace_extreme(struct problem *p, const struct list *l, bool largest)
{
    int64_t best = l->items[0];
    for (int i = 1; i < l->n; i++) {
        int64_t x = l->items[i], next = (largest ? x > best : x < best) ? x : best;
        task_line(p, "%lld %lld -> %lld", (long long)best, (long long)x, (long long)next);
        best = next;
    }
    return best;
}

static void make_sum(struct problem *p, const struct list *l)
{
    int64_t total = l->items[0];
    ask(p, "Sum of", l, "?");
    for (int i = 1; i < l->n; i++)
        total = task_steps_add(p, total, l->items[i]);
    task_set_number(p, total);
}

static void make_reverse(struct problem *p, const struct list *l)
{
    struct list r = {.n = l->n};
    ask(p, "Reverse:", l, "");
    for (int i = 0; i < l->n; i++) {
        r.items[i] = l->items[l->n - 1 - i];
        task_line(p, "%d: %lld", l->n - i, (long long)r.items[i]);
    }
    answer_list(p, &r);
}

static void make_item(struct rng *rng, struct problem *p, const struct list *l)
{
    int at = (int)rng_below(rng, (uint64_t)l->n);
    char *question = xasprintf("Item %d of", at + 1);
    ask(p, question, l, "?");
    for (int i = 0; i <= at; i++)
        task_line(p, "%d: %lld", i + 1, (long long)l->items[i]);
    task_set_number(p, l->items[at]);
    free(question);
}

/* A largest number that occurs twice is also the second largest. */
static void make_second(struct problem *p, const struct list *l)
{
    struct list rest = *l;
    struct strbuf text = {0};
    ask(p, "Second largest of", l, "?");
    trace_extreme(p, l, true);
    remove_item(&rest, extreme_at(&rest, true));
    add_items(&text, &rest);
    task_line(p, "%s", text.buf);
    task_set_number(p, trace_extreme(p, &rest, true));
    strbuf_release(&text);
}

static void make_extreme(struct problem *p, const struct list *l, bool largest)
{
    ask(p, largest ? "Largest of" : "Smallest of", l, "?");
    task_set_number(p, trace_extreme(p, l, largest));
}

void task_make_list(int level, struct rng *rng, struct problem *p)
{
    struct list l = draw_list(rng, list_levels[level - 1].n, 0, list_levels[level - 1].high);
    switch ((enum list_op)rng_below(rng, (uint64_t)list_levels[level - 1].n_ops)) {
    case OP_LARGEST:
    case N_OPS:
        make_extreme(p, &l, true);
        break;
    case OP_SMALLEST:
        make_extreme(p, &l, false);
        break;
    case OP_SUM:
        make_sum(p, &l);
        break;
    case OP_REVERSE:
        make_reverse(p, &l);
        break;
    case OP_ITEM:
        make_item(rng, p, &l);
        break;
    case OP_SECOND:
        make_second(p, &l);
        break;
    }
}
