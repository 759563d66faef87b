/* task_countdown.c - reach a target from given numbers, each used once. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/task_internal.h"

#define MAX_NUMBERS 5

static const struct {
    int n_numbers, max_number, max_target;
    const char *ops;
} levels[] = {
    {3, 12, 50, "+-"},    {3, 20, 99, "+-*"},   {4, 20, 99, "+-*"},
    {4, 50, 499, "+-*/"}, {5, 99, 999, "+-*/"},
};

struct item {
    int64_t value;
    char *text; /* owned */
    char op;    /* outermost; 0 for a plain number */
};

static int rank(char op)
{
    return op == 0 ? 3 : op == '*' || op == '/' ? 2 : 1;
}

static void add_operand(struct strbuf *out, const struct item *it, bool brackets)
{
    strbuf_addf(out, brackets ? "(%s)" : "%s", it->text);
}

static char *combined_text(const struct item *a, char op, const struct item *b)
{
    struct strbuf out = {0};
    bool strict = op == '-' || op == '/';
    add_operand(&out, a, rank(a->op) < rank(op));
    strbuf_addf(&out, " %c ", op);
    add_operand(&out, b, rank(b->op) < rank(op) || (strict && rank(b->op) == rank(op)));
    return strbuf_detach(&out, NULL);
}

/* 0 where the result would not be a whole number in [1, max]. */
static int64_t combine(int64_t a, char op, int64_t b, int64_t max)
{
    int64_t v = op == '+' ? a + b : op == '-' ? a - b : op == '*' ? a * b : a % b ? 0 : a / b;
    return v >= 1 && v <= max ? v : 0;
}

static void draw_numbers(int level, struct rng *rng, struct item *items, int64_t *numbers)
{
    for (int i = 0; i < levels[level - 1].n_numbers; i++) {
        numbers[i] = task_between(rng, 1, levels[level - 1].max_number);
        items[i] = (struct item){numbers[i], xasprintf("%lld", (long long)numbers[i]), 0};
    }
}

static void line_of_step(struct problem *p, int64_t a, char op, int64_t b, const struct item *items,
                         int n)
{
    task_line(p, "%lld %c %lld = %lld", (long long)a, op, (long long)b,
              (long long)items[n - 1].value);
    if (n > 1)
        strbuf_adds(&p->trace, " |");
    for (int i = 0; n > 1 && i < n; i++)
        strbuf_addf(&p->trace, " %lld", (long long)items[i].value);
}

/* Joins two random items; false if this pair and sign do not work out. */
static bool join(int level, struct rng *rng, struct problem *p, struct item *items, int n)
{
    const char *ops = levels[level - 1].ops;
    int i = (int)rng_below(rng, (uint64_t)n), k = (int)rng_below(rng, (uint64_t)n - 1);
    char op = ops[rng_below(rng, strlen(ops))];
    k += k >= i;
    struct item a = items[i], b = items[k];
    int64_t value = combine(a.value, op, b.value, levels[level - 1].max_target);
    if (!value)
        return false;
    struct item made = {value, combined_text(&a, op, &b), op};
    free(a.text);
    free(b.text);
    /* The two leave, the others keep their order, the result comes last. */
    int kept = 0;
    for (int m = 0; m < n; m++) {
        if (m != i && m != k)
            items[kept++] = items[m];
    }
    items[kept] = made;
    line_of_step(p, a.value, op, b.value, items, n - 1);
    return true;
}

static bool solve(int level, struct rng *rng, struct problem *p, struct item *items, int *n)
{
    for (int tries = 0; *n > 1; tries++) {
        if (tries == 100)
            return false;
        if (join(level, rng, p, items, *n))
            --*n;
    }
    return true;
}

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void write_problem(struct problem *p, const struct item *solution, const int64_t *numbers,
                          int n)
{
    int64_t sorted[MAX_NUMBERS];
    memcpy(sorted, numbers, sizeof *numbers * (size_t)n);
    qsort(sorted, (size_t)n, sizeof *sorted, ascending);
    strbuf_addf(&p->prompt, "Make %lld from", (long long)solution->value);
    strbuf_addf(&p->key, "Make %lld from", (long long)solution->value);
    strbuf_addf(&p->truth, "{\"target\":%lld,\"numbers\":[", (long long)solution->value);
    for (int i = 0; i < n; i++) {
        strbuf_addf(&p->prompt, " %lld", (long long)numbers[i]);
        strbuf_addf(&p->key, " %lld", (long long)sorted[i]);
        strbuf_addf(&p->truth, "%s%lld", i ? "," : "", (long long)numbers[i]);
    }
    strbuf_adds(&p->prompt, ", each used once.");
    strbuf_adds(&p->truth, "]}");
    strbuf_adds(&p->reply, solution->text);
    p->answer = json_string(solution->text);
    p->dataset = "countdown";
}

void task_make_countdown(int level, struct rng *rng, struct problem *p)
{
    struct item items[MAX_NUMBERS];
    int64_t numbers[MAX_NUMBERS];
    for (bool solved = false; !solved;) {
        int n = levels[level - 1].n_numbers;
        strbuf_clear(&p->trace);
        draw_numbers(level, rng, items, numbers);
        solved = solve(level, rng, p, items, &n);
        if (solved)
            write_problem(p, &items[0], numbers, levels[level - 1].n_numbers);
        for (int i = 0; i < n; i++)
            free(items[i].text);
    }
}
