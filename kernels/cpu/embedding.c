/* embedding.c - table lookup and its gradient. */
#include "kernels/cpu/cpu.h"

static bool tokens_valid(struct dev *dev, const int32_t *tokens, int64_t n, int64_t vocab)
{
    for (int64_t i = 0; i < n; i++)
        if (tokens[i] < 0 || tokens[i] >= vocab) {
            fail(dev, "embedding: token outside the vocabulary");
            return false;
        }
    return true;
}

struct lookup {
    struct dev *dev;
    const struct embedding_args *a;
};

static void copy_rows(void *arg, int64_t first, int64_t last, int thread)
{
    const struct lookup *j = arg;
    const struct embedding_args *a = j->a;
    (void)thread;
    for (int64_t i = first; i < last; i++)
        load_floats((float *)a->x + i * a->dim, a->table, j->dev->dtype, a->tokens[i] * a->dim,
                    a->dim);
}

void cpu_embedding(struct dev *dev, const struct embedding_args *a)
{
    struct lookup j = {dev, a};
    if (tokens_valid(dev, a->tokens, a->n, a->vocab))
        cpu_rows(dev, a->n, a->dim, copy_rows, &j);
}

#define COLUMNS 64

/* Threads take columns, not rows: two rows may be the same token, and the order of the sum over
 * tokens must stay ascending. */
static void add_columns(void *arg, int64_t i, int thread)
{
    const struct embedding_backward_args *a = arg;
    int64_t c0 = i * COLUMNS, n = min_i64(COLUMNS, a->dim - c0);
    (void)thread;
    for (int64_t r = 0; r < a->n; r++) {
        float *to = (float *)a->dtable + a->tokens[r] * a->dim + c0;
        const float *from = (const float *)a->dx + r * a->dim + c0;
        for (int64_t c = 0; c < n; c++)
            to[c] += from[c];
    }
}

void cpu_embedding_backward(struct dev *dev, const struct embedding_backward_args *a)
{
    struct embedding_backward_args copy = *a;
    if (tokens_valid(dev, a->tokens, a->n, a->vocab))
        cpu_for(dev, (a->dim + COLUMNS - 1) / COLUMNS, add_columns, &copy);
}
