/* task_arithmetic.c - expressions of +, - and *. */
#include "base/mem.h"
#include "data/task_internal.h"

#define MAX_TERMS 64

static const struct {
    int terms, digits, products, factor_digits;
} levels[] = {
    {2, 2, 0, 0}, {3, 2, 0, 0}, {3, 2, 1, 1}, {4, 3, 1, 1}, {5, 3, 2, 2},
};

struct expression {
    int n;
    int64_t terms[MAX_TERMS];
    char ops[MAX_TERMS]; /* ops[i] stands in front of terms[i]; ops[0] is unused */
};

/* Half of the numbers have all the digits, half one less, so that lengths mix. */
static int64_t draw_number(struct rng *rng, int64_t digits)
{
    int64_t low = 1;
    if (digits > 1 && rng_below(rng, 2) == 0)
        digits--;
    for (int64_t i = 1; i < digits; i++)
        low *= 10;
    return task_between(rng, low, low * 10 - 1);
}

static void draw(struct expression *e, int level, const struct task_options *o, struct rng *rng)
{
    int64_t digits = o->digits ? o->digits : levels[level - 1].digits;
    int64_t factor = levels[level - 1].factor_digits;
    e->n = o->terms ? (int)o->terms : levels[level - 1].terms;
    for (int i = 0; i < e->n; i++) {
        e->ops[i] = rng_below(rng, 2) ? '+' : '-';
        e->terms[i] = draw_number(rng, digits);
    }
    for (int i = 0; i < levels[level - 1].products; i++) {
        int at = (int)task_between(rng, 1, e->n - 1);
        e->ops[at] = '*';
        e->terms[at] = draw_number(rng, factor < digits ? factor : digits);
    }
}

static void add_expression(struct strbuf *out, const struct expression *e)
{
    for (int i = 0; i < e->n; i++) {
        if (i > 0)
            strbuf_addf(out, " %c ", e->ops[i]);
        strbuf_addf(out, "%lld", (long long)e->terms[i]);
    }
}

/* Products first, left to right; then the shorter expression once, to work on. */
static void fold_products(struct problem *p, struct expression *e)
{
    int n = 1;
    for (int i = 1; i < e->n; i++) {
        if (e->ops[i] == '*') {
            e->terms[n - 1] = task_steps_multiply(p, e->terms[n - 1], e->terms[i]);
        } else {
            e->ops[n] = e->ops[i];
            e->terms[n++] = e->terms[i];
        }
    }
    bool shorter = n < e->n;
    e->n = n;
    if (shorter && n > 1) {
        struct strbuf text = {0};
        add_expression(&text, e);
        task_line(p, "%s", text.buf);
        strbuf_release(&text);
    }
}

static int64_t fold_sums(struct problem *p, const struct expression *e)
{
    int64_t total = e->terms[0];
    for (int i = 1; i < e->n; i++)
        total = e->ops[i] == '+' ? task_steps_add(p, total, e->terms[i])
                                 : task_steps_subtract(p, total, e->terms[i]);
    return total;
}

void task_make_arithmetic(int level, const struct task_options *o, struct rng *rng,
                          struct problem *p)
{
    struct expression e;
    draw(&e, level, o, rng);
    strbuf_adds(&p->prompt, "Compute ");
    add_expression(&p->prompt, &e);
    strbuf_addc(&p->prompt, '.');
    if (e.n == 2 && e.ops[1] != '-') { /* 3 + 5 and 5 + 3 are one problem to a split */
        struct expression k = e;
        bool swap = k.terms[0] > k.terms[1];
        k.terms[0] = e.terms[swap];
        k.terms[1] = e.terms[!swap];
        add_expression(&p->key, &k);
    }
    fold_products(p, &e);
    task_set_number(p, fold_sums(p, &e));
}
