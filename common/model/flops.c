/* flops.c - floating-point operations of a forward. */
#include "model/flops.h"

/* Keys that positions [0, n) see with themselves: position i sees min(i + 1, window) of them. */
static double keys_seen(int64_t n, int64_t window)
{
    double all = (double)n, w = (double)window;

    if (window < 1 || n <= window)
        return all * (all + 1) / 2;
    return w * (w + 1) / 2 + (all - w) * w;
}

struct flops flops_forward(const struct model_config *c, int64_t first, int64_t end)
{
    const double n = (double)(end - first), dim = (double)c->dim;
    const double q = (double)(c->n_heads * c->head_dim), kv = (double)(c->n_kv_heads * c->head_dim);
    const double layer = dim * (q + 2 * kv) + q * dim + 3 * dim * (double)c->hidden_dim;
    struct flops f = {.products = 2 * n * layer * (double)c->n_layers,
                      .head = 2 * n * dim * (double)c->vocab_size};

    for (int64_t i = 0; i < c->n_layers; i++) {
        int64_t window = c->sliding[i] ? c->sliding_window : 0;
        f.attention += 4 * q * (keys_seen(end, window) - keys_seen(first, window));
    }
    return f;
}

struct flops flops_training(const struct model_config *c, int64_t first, int64_t end)
{
    struct flops f = flops_forward(c, first, end);

    return (struct flops){.products = 3 * f.products, .attention = 3.5 * f.attention, .head = 3 * f.head};
}

double flops_total(const struct flops *f)
{
    return f->products + f->attention + f->head;
}

void flops_add(struct flops *f, const struct flops *g, double by)
{
    f->products += g->products * by;
    f->attention += g->attention * by;
    f->head += g->head * by;
}
