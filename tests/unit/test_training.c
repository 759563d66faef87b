/* test_training.c - schedules, the shuffled order, AdamW's updates, advantages of a group. */
#include <string.h>

#include "tests/unit/model_cases.h"
#include "train/optimizer.h"
#include "train/shuffle.h"
#include "train/source_rollouts.h"
#include "train/trainer.h"

static void test_schedule(void)
{
    struct schedule_options o = {.lr = 2, .min_lr_ratio = 0.1, .warmup_steps = 4, .decay_ratio = 0.25};

    for (int t = SCHEDULE_COSINE; t <= SCHEDULE_WSD; t++) {
        o.type = t;
        CHECK_CLOSE(schedule_lr(&o, 0, 20), 0.5, 0, 1e-12); /* warm-up does not begin at 0 */
        CHECK_CLOSE(schedule_lr(&o, 3, 20), 2, 0, 1e-12);
        CHECK_CLOSE(schedule_lr(&o, 4, 20), 2, 0, 1e-12);
        CHECK_CLOSE(schedule_lr(&o, 20, 20), t == SCHEDULE_CONSTANT ? 2 : 0.2, 0, 1e-12);
        double before = 2;
        for (int s = 4; s <= 20; s++) {
            double lr = schedule_lr(&o, s, 20);
            CHECK(lr <= before + 1e-12);
            before = lr;
        }
    }
    o.type = SCHEDULE_COSINE;
    CHECK_CLOSE(schedule_lr(&o, 12, 20), 0.2 + 0.9, 0, 1e-12); /* half way down */
    CHECK_CLOSE(schedule_lr(&o, 8, 20), 0.2 + 1.8 * (0.5 + sqrt(0.125)), 0, 1e-12);
    o.type = SCHEDULE_LINEAR;
    CHECK_CLOSE(schedule_lr(&o, 8, 20), 2 - 1.8 * 4 / 16, 0, 1e-12);
    o.type = SCHEDULE_WSD; /* stable to step 15, then five steps down */
    CHECK_CLOSE(schedule_lr(&o, 15, 20), 2, 0, 1e-12);
    CHECK_CLOSE(schedule_lr(&o, 16, 20), 2 - 1.8 / 5, 0, 1e-12);
    o.warmup_steps = -1; /* by the ratio */
    o.warmup_ratio = 0.5;
    CHECK_CLOSE(schedule_lr(&o, 4, 20), 1, 0, 1e-12);
}

/* The first and the last step of a run, and runs of one step, with and without warm-up. */
static void test_schedule_edges(void)
{
    struct schedule_options o = {.lr = 2, .min_lr_ratio = 0.1, .decay_ratio = 0.25};
    const double last[] = {[SCHEDULE_COSINE] = 0.2 + 0.9 * (1 + cos(M_PI * 19 / 20)),
                           [SCHEDULE_LINEAR] = 2 - 1.8 * 19 / 20, [SCHEDULE_CONSTANT] = 2,
                           [SCHEDULE_WSD] = 2 - 1.8 * 4 / 5};

    for (int t = SCHEDULE_COSINE; t <= SCHEDULE_WSD; t++) {
        o.type = t;
        o.warmup_steps = 0;
        CHECK_CLOSE(schedule_lr(&o, 0, 20), 2, 0, 1e-12);
        CHECK_CLOSE(schedule_lr(&o, 19, 20), last[t], 0, 1e-12);
        CHECK_CLOSE(schedule_lr(&o, 0, 1), 2, 0, 1e-12);
        o.warmup_steps = 1;
        CHECK_CLOSE(schedule_lr(&o, 0, 1), 2, 0, 1e-12);
        o.warmup_steps = 40; /* longer than the run: it never arrives */
        CHECK_CLOSE(schedule_lr(&o, 0, 20), 0.05, 0, 1e-12);
        CHECK_CLOSE(schedule_lr(&o, 19, 20), 1, 0, 1e-12);
        o.warmup_steps = -1;
        o.warmup_ratio = 0.03; /* of one step: none */
        CHECK_CLOSE(schedule_lr(&o, 0, 1), 2, 0, 1e-12);
    }
    o.type = SCHEDULE_WSD;
    o.decay_ratio = 1; /* all of it after the warm-up */
    o.warmup_steps = 10;
    CHECK_CLOSE(schedule_lr(&o, 15, 20), 2 - 1.8 / 2, 0, 1e-12);
    o.decay_ratio = 0; /* none */
    CHECK_CLOSE(schedule_lr(&o, 19, 20), 2, 0, 1e-12);
}

static void test_shuffle(void)
{
    enum { K = 50 };
    struct shuffle s = {.seed = 3, .stream = "test", .n = K}, again = s, other = {.seed = 3, .stream = "else", .n = K};
    int64_t first[K];
    int same_epoch = 0, same_stream = 0;

    for (int epoch = 0; epoch < 3; epoch++) {
        bool seen[K] = {false};
        for (int i = 0; i < K; i++) {
            int64_t x = shuffle_at(&s, (int64_t)epoch * K + i);
            CHECK(x >= 0 && x < K && !seen[x]);
            seen[x] = true;
            if (epoch == 0)
                first[i] = x;
            same_epoch += epoch == 1 && first[i] == x;
            same_stream += epoch == 0 && shuffle_at(&other, i) == x;
        }
    }
    CHECK(same_epoch < K / 2 && same_stream < K / 2);
    CHECK(shuffle_at(&again, 2 * K + 7) == shuffle_at(&s, 2 * K + 7)); /* from the middle, as a resumed run */
    shuffle_release(&s);
    shuffle_release(&again);
    shuffle_release(&other);
}

/* Loshchilov and Hutter, arXiv:1711.05101, algorithm 2, in double. */
struct adamw {
    double *w, *m, *v;
};
static void adamw_step(struct adamw *a, const struct model *m, const float *g, const struct optimizer_options *o,
                       double lr, double norm, int t)
{
    double scale = norm > o->max_grad_norm ? o->max_grad_norm / norm : 1;

    for (int i = 0; i < m->n_params; i++)
        for (int64_t k = m->params[i].offset; k < m->params[i].offset + m->params[i].numel; k++) {
            double d = (double)g[k] * scale, decay = m->params[i].decay ? o->weight_decay : 0;
            a->m[k] = o->beta1 * a->m[k] + (1 - o->beta1) * d;
            a->v[k] = o->beta2 * a->v[k] + (1 - o->beta2) * d * d;
            double m_hat = a->m[k] / (1 - pow(o->beta1, t)), v_hat = a->v[k] / (1 - pow(o->beta2, t));
            a->w[k] -= lr * (m_hat / (sqrt(v_hat) + o->eps) + decay * a->w[k]);
        }
}

static void test_adamw(void)
{
    struct optimizer_options o = {.beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .weight_decay = 0.1, .max_grad_norm = 3};
    struct model_options mo = {.precision = PRECISION_FP32, .trainable = true};
    struct model_config c;
    struct err err = {0};
    struct optimizer opt;
    struct rng r;

    case_config(&c, &model_cases[1], 8, 1, 13);
    struct model *m = model_new(&c, &mo, &err);
    CHECK_MSG(m && optimizer_init(&opt, m, NULL, &err) == 0, "%s", err.text);
    size_t n = (size_t)m->n_elements;
    float *g = xreallocarray(NULL, n, sizeof *g), *w = case_weights(m, 4, false), *got = xreallocarray(NULL, n, sizeof *got);
    struct adamw a = {xreallocarray(NULL, n, 8), xcalloc(n, 8), xcalloc(n, 8)};
    model_set_weights(m, w);
    for (size_t k = 0; k < n; k++)
        a.w[k] = (double)w[k];
    rng_init(&r, 9, "test adamw", 0, 0);
    bool clipped = false, whole = false;
    for (int t = 1; t <= 5; t++) {
        double sum = 0, size = t % 2 ? 0.02 : 0.2;
        for (size_t k = 0; k < n; k++) {
            g[k] = (float)(size * rng_normal(&r));
            sum += (double)g[k] * (double)g[k];
        }
        m->dev.ops->upload(&m->dev, m->grads, g, n * sizeof *g);
        double norm = optimizer_grad_norm(&opt);
        CHECK_CLOSE(norm, sqrt(sum), 0, 1e-6);
        clipped |= norm > 3;
        whole |= norm < 3;
        optimizer_step(&opt, &o, 0.01, norm);
        adamw_step(&a, m, g, &o, 0.01, norm, t);
    }
    CHECK(clipped && whole);
    model_get_weights(m, got);
    double largest = 0;
    for (size_t k = 0; k < n; k++)
        largest = check_larger(largest, fabs((double)got[k] - a.w[k]));
    CHECK_MSG(largest < 2e-6, "weights differ by %g", largest);
    free(g);
    free(w);
    free(got);
    free(a.w);
    free(a.m);
    free(a.v);
    optimizer_release(&opt);
    model_free(m);
}

static void test_advantages(void)
{
    double r[4] = {1, 0, 0, 1}, a[4], one[1] = {5};

    group_advantages(ADVANTAGE_CENTERED, 0, r, 4, a);
    CHECK(a[0] == 0.5 && a[1] == -0.5);
    group_advantages(ADVANTAGE_STANDARD, 0.5, r, 4, a);
    CHECK_CLOSE(a[0], 0.5, 0, 1e-12); /* 0.5 / (0.5 + 0.5): the population's deviation */
    group_advantages(ADVANTAGE_RLOO, 0, r, 4, a);
    CHECK_CLOSE(a[0], 1 - 1 / 3.0, 0, 1e-12);
    CHECK_CLOSE(a[1], 0 - 2 / 3.0, 0, 1e-12);
    for (int t = ADVANTAGE_CENTERED; t <= ADVANTAGE_RLOO; t++) {
        double same[3] = {2, 2, 2};
        group_advantages((enum advantage_type)t, 1e-6, one, 1, a);
        CHECK(a[0] == 0);
        group_advantages((enum advantage_type)t, 1e-6, same, 3, a);
        CHECK(a[0] == 0 && a[2] == 0);
    }
}

int main(void)
{
    pool_init(2);
    test_schedule();
    test_schedule_edges();
    test_shuffle();
    test_adamw();
    test_advantages();
    return check_done();
}
