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

static double attention(const struct model_config *c, int64_t layer, int64_t first, int64_t end)
{
    const int64_t window = c->sliding[layer] ? c->sliding_window : 0;

    return 4 * (double)(c->n_heads * c->head_dim) * (keys_seen(end, window) - keys_seen(first, window));
}

struct flops flops_forward(const struct model_config *c, int64_t first, int64_t end)
{
    const double n = (double)(end - first), dim = (double)c->dim;
    const double q = (double)(c->n_heads * c->head_dim), kv = (double)(c->n_kv_heads * c->head_dim);
    const double layer = dim * (q + 2 * kv) + q * dim + 3 * dim * (double)c->hidden_dim;
    struct flops f = {.products = 2 * n * layer * (double)c->n_layers,
                      .head = 2 * n * dim * (double)c->vocab_size};

    for (int64_t i = 0; i < c->n_layers; i++)
        f.attention += attention(c, i, first, end);
    return f;
}

/* What model_layer_again() does. */
static struct flops again(const struct model_config *c, int64_t first, int64_t end, const struct flops *forward)
{
    const double layers = (double)c->n_layers, dim = (double)c->dim, hidden = (double)c->hidden_dim;
    const double down = c->norm_place == NORM_BEFORE ? 2 * (double)(end - first) * dim * hidden : 0;

    return (struct flops){.products = (layers - 1) * (forward->products / layers - down),
                          .attention = forward->attention - attention(c, c->n_layers - 1, first, end)};
}

struct flops flops_training(const struct model_config *c, int64_t first, int64_t end, bool recompute)
{
    struct flops f = flops_forward(c, first, end), more = {0};

    if (recompute)
        more = again(c, first, end, &f);
    f = (struct flops){.products = 3 * f.products, .attention = 3.5 * f.attention, .head = 3 * f.head};
    flops_add(&f, &more, 1);
    return f;
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
