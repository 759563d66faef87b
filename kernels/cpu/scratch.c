/* scratch.c - the memory that this backend comes to hold for itself. */
#include "kernels/cpu/gemm.h"

static size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* A linear layer's product of M rows, or with `weight` the one for its weight's gradient. */
static size_t product(struct dev *dev, int64_t M, int64_t N, int64_t K, bool weight)
{
    struct gemm g = {.M = weight ? N : M, .N = weight ? K : N, .K = weight ? M : K,
                     .a_order = weight ? TILE_COLS : TILE_ROWS, .w = dev->dtype,
                     .c_type = weight ? dev->acc : dev->dtype};
    return gemm_scratch(dev, &g);
}

/* The products of a layer and the head, forward and (dx and dw) backward. */
static size_t products(struct dev *dev, const struct scratch_use *u, int64_t rows, bool backward)
{
    const int64_t qkv = (u->n_heads + 2 * u->n_kv_heads) * u->head_dim;
    const int64_t shapes[][2] = {{qkv, u->dim},
                                 {u->dim, u->n_heads * u->head_dim},
                                 {2 * u->hidden_dim, u->dim},
                                 {u->dim, u->hidden_dim},
                                 {u->vocab, u->dim}};
    size_t most = 0;
    for (int i = 0; i < 5; i++) {
        int64_t M = i == 4 ? u->logits_rows : rows, N = shapes[i][0], K = shapes[i][1];
        most = max_size(most, product(dev, M, N, K, false));
        if (backward)
            most = max_size(most, max_size(product(dev, M, K, N, false), product(dev, M, N, K, true)));
    }
    return most;
}

size_t cpu_scratch_bytes(struct dev *dev, const struct scratch_use *u)
{
    size_t each = rmsnorm_scratch(u->dim), shared = 0;
    if (u->n > 0) {
        int64_t n_seqs = (u->n + u->longest - 1) / u->longest;
        shared = attention_shared(dev, n_seqs * round_up(u->longest, LANES), n_seqs, u->n_kv_heads, u->head_dim);
        each = max_size(each, attention_scratch(dev, u->longest, u->head_dim));
        each = max_size(each, products(dev, u, u->n, u->backward));
    }
    if (u->n > 0 && u->backward) {
        each = max_size(each, attention_backward_scratch(dev, u->longest, u->head_dim));
        shared = max_size(shared, rmsnorm_backward_shared(u->n, u->dim));
        shared = max_size(shared, sum_squares_shared(u->vocab * u->dim));
    }
    if (u->cached_rows > 0) {
        each = max_size(each, attention_cached_scratch(u->cached_len));
        each = max_size(each, products(dev, u, u->cached_rows, false));
        shared = max_size(shared, attention_cached_shared(u->cached_rows));
        shared = max_size(shared, draw_shared(u->vocab, dev->n_threads));
        shared = max_size(shared, truncate_shared(u->vocab, dev->n_threads));
    }
    return shared + scratch_size(each) * (size_t)max_i64(1, dev->n_threads);
}
