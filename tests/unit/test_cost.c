/* test_cost.c - counts of operations against loops over what is computed; sizes of the ladder; plans of
 * outlines against what models allocate. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/flops.h"
#include "model/memory.h"
#include "model/model_internal.h"
#include "model/shape.h"
#include "tests/unit/check.h"

/* The same by counting every query, key and product. */
static struct flops count(const struct model_config *c, int64_t first, int64_t end)
{
    struct flops f = {0};
    for (int64_t i = first; i < end; i++) {
        for (int64_t l = 0; l < c->n_layers; l++) {
            const int64_t q = c->n_heads * c->head_dim, kv = c->n_kv_heads * c->head_dim;
            const int64_t shapes[][2] = {{q, c->dim}, {kv, c->dim}, {kv, c->dim}, {c->dim, q},
                                         {c->hidden_dim, c->dim}, {c->hidden_dim, c->dim},
                                         {c->dim, c->hidden_dim}};
            for (int s = 0; s < 7; s++)
                f.products += 2 * (double)(shapes[s][0] * shapes[s][1]);
            for (int64_t j = 0; j <= i; j++)
                if (!c->sliding[l] || i - c->sliding_window < j)
                    f.attention += (double)(c->n_heads * c->head_dim * 4); /* q k, and p v */
        }
        f.head += 2 * (double)(c->vocab_size * c->dim);
    }
    return f;
}

static void test_flops(void)
{
    struct model_config c = {.dim = 24, .hidden_dim = 40, .n_layers = 4, .n_heads = 4, .n_kv_heads = 2,
                             .head_dim = 8, .vocab_size = 50, .sliding_window = 7,
                             .sliding = {true, true, false, true}};
    const int64_t spans[][2] = {{0, 1}, {0, 7}, {0, 8}, {0, 33}, {5, 6}, {6, 20}, {20, 33}};
    for (int i = 0; i < 7; i++) {
        struct flops a = flops_forward(&c, spans[i][0], spans[i][1]), b = count(&c, spans[i][0], spans[i][1]);
        CHECK(a.products == b.products && a.attention == b.attention && a.head == b.head);
    }
    struct flops f = flops_forward(&c, 0, 9), t = flops_training(&c, 0, 9, false);
    CHECK(t.products == 3 * f.products && t.attention == 3.5 * f.attention && t.head == 3 * f.head);
    struct model_config three = c; /* the layers that run again */
    three.n_layers = 3;
    for (int after = 0; after < 2; after++) {
        three.norm_place = c.norm_place = after ? NORM_AFTER : NORM_BEFORE;
        struct flops r = flops_training(&c, 0, 9, true), g = flops_forward(&three, 0, 9);
        double left_out = after ? 0 : 3.0 * 2 * 9 * (double)(c.dim * c.hidden_dim);
        CHECK_CLOSE(r.products - t.products, g.products - left_out, 0, 1e-12);
        CHECK_CLOSE(r.attention - t.attention, g.attention, 0, 1e-12);
        CHECK(r.head == t.head);
    }
}

static void test_ladder(void)
{
    static const char *const names[] = {"llama", "smollm2", "qwen3", "olmo2", "olmo3"};
    for (int i = 0; i < 5; i++)
        for (double size = 1e6; size < 1e11; size *= 3.3) {
            struct err err = {0};
            struct model_config *c = xcalloc(1, sizeof *c);
            char text[32];
            snprintf(text, sizeof text, "%.0f", size);
            shape_options.like = names[i];
            shape_options.size = text;
            json_t *config = shape_from_ladder(300, &err);
            bool ok = config && model_config_parse(c, config, &err) == 0;
            if (!ok)
                printf("%s %s: %s\n", names[i], text, err.text);
            CHECK(ok);
            if (ok) {
                double n = (double)shape_parameters(c, false);
                CHECK(fabs(n / size - 1) <= SHAPE_TOLERANCE);
                CHECK(c->n_heads % c->n_kv_heads == 0 && c->n_layers >= 2 && c->vocab_size == 300);
            }
            json_decref(config);
            free(c);
        }
    shape_options.like = shape_options.size = NULL;
}

/* What an outline plans is what a model of that shape has when it has run. */
static void test_outline(void)
{
    struct model_config *c = xcalloc(1, sizeof *c);
    struct err err = {0};
    shape_options.like = "olmo3";
    shape_options.size = "1M";
    json_t *config = shape_from_ladder(300, &err);
    CHECK(config && model_config_parse(c, config, &err) == 0);
    for (int bf16 = 0; bf16 < 2; bf16++) {
        const struct model_options mo = {.precision = bf16 ? PRECISION_BF16 : PRECISION_FP32, .device = DEVICE_CPU,
                                         .trainable = true};
        const struct model_use use = {.rows = 100, .longest = 100, .slots = 3, .cache_len = 70, .cached_rows = 9,
                                      .out_rows = 3};
        struct model *a = model_outline(c, &mo, &err), *b = model_new(c, &mo, &err);
        CHECK(a && b && !a->weights && b->weights);
        struct model_memory pa = model_memory_plan(a, &use), pb = model_memory_plan(b, &use);
        CHECK(memcmp(&pa, &pb, sizeof pa) == 0 && pa.total > pa.weights);
        CHECK((b->state->packed_memory != NULL) == (pb.packed > 0));
        struct memory_plan cpu = memory_plan(a, &use, 1000, 500);
        CHECK(cpu.peak == (cpu.reading > pa.total + 1500 ? cpu.reading : pa.total + 1500));
        model_free(a);
        model_free(b);
        const struct model_options gpu = {.precision = mo.precision, .device = DEVICE_CPU, .trainable = true,
                                          .plan_gpu = true};
        a = model_outline(c, &gpu, &err);
        struct memory_plan plan = memory_plan(a, &use, 1000, 500);
        CHECK(plan.model.packed == 0 && plan.model.scratch == 0 && plan.copies == 500 && plan.peak == plan.model.total + 1000);
        model_free(a);
    }
    json_decref(config);
    free(c);
    shape_options.like = shape_options.size = NULL;
}

int main(void)
{
    test_flops();
    test_ladder();
    test_outline();
    return check_done();
}
