/* test_rng.c - random numbers: the published vectors, independence of streams, moments. */
#include <stdbool.h>

#include "base/rng.h"

#include "check.h"

/* Known answers of the Random123 distribution (kat_vectors, philox4x32 10). */
static void test_vectors(void)
{
    static const struct {
        uint64_t counter;
        uint32_t hi[2], key[2], want[4];
    } cases[] = {
        {0, {0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {UINT64_MAX,
         {0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {0x85a308d3243f6a88,
         {0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rng r = {.key = {cases[i].key[0], cases[i].key[1]},
                        .hi = {cases[i].hi[0], cases[i].hi[1]},
                        .counter = cases[i].counter};
        uint64_t first = rng_u64_at(&r, cases[i].counter);
        CHECK(first == ((uint64_t)cases[i].want[1] << 32 | cases[i].want[0]));
        for (int w = 0; w < 4; w++)
            CHECK(rng_u32(&r) == cases[i].want[w]);
    }
}

static uint64_t first_of(uint64_t seed, const char *stream, uint64_t record, uint64_t sub)
{
    struct rng r;
    rng_init(&r, seed, stream, record, sub);
    return rng_u64_at(&r, 0);
}

static void test_streams(void)
{
    uint64_t base = first_of(1, "a", 2, 3);
    CHECK(base == first_of(1, "a", 2, 3));
    CHECK(base != first_of(2, "a", 2, 3));
    CHECK(base != first_of(1, "b", 2, 3));
    CHECK(base != first_of(1, "a", 3, 3));
    CHECK(base != first_of(1, "a", 2, 4));
    CHECK(base != first_of(1, "a", 3, 2));
    CHECK(base != first_of(1, "a", 2 + (UINT64_C(1) << 32), 3));
    CHECK(base != first_of(1, "a", 2, 3 + (UINT64_C(1) << 32)));

    /* Different (record, sub) must differ in the state itself, not just most of the time. */
    struct rng grid[16 * 16];
    for (uint64_t i = 0; i < 256; i++)
        rng_init(&grid[i], 5, "grid", i / 16, i % 16);
    int same = 0;
    for (int i = 0; i < 256; i++)
        for (int j = 0; j < i; j++)
            same += memcmp(grid[i].key, grid[j].key, sizeof grid[i].key) == 0 &&
                    memcmp(grid[i].hi, grid[j].hi, sizeof grid[i].hi) == 0;
    CHECK(same == 0);

    /* Random access leaves the sequence alone, and does not repeat it. */
    struct rng r, s;
    rng_init(&r, 1, "a", 0, 0);
    s = r;
    uint64_t at0 = rng_u64_at(&r, 0);
    uint32_t low = rng_u32(&r), high = rng_u32(&r);
    CHECK(low == rng_u32(&s) && high == rng_u32(&s));
    CHECK(at0 != ((uint64_t)high << 32 | low));
}

static void test_uniform_and_below(void)
{
    struct rng r;
    rng_init(&r, 7, "uniform", 0, 0);
    double sum = 0;
    bool inside = true;
    int counts[6] = {0};
    for (int i = 0; i < 60000; i++) {
        double u = rng_uniform(&r), v = rng_uniform_at(&r, (uint64_t)i);
        inside = inside && u >= 0 && u < 1 && v >= 0 && v < 1;
        sum += u + v;
        counts[rng_below(&r, 6)]++;
    }
    CHECK(inside);
    CHECK_CLOSE(sum / 120000, 0.5, 0.005, 0);
    for (int i = 0; i < 6; i++)
        CHECK_CLOSE(counts[i], 10000.0, 500, 0);
    CHECK(rng_below(&r, 1) == 0);
    for (int i = 0; i < 100; i++)
        CHECK(rng_below(&r, UINT64_C(3) << 62) < UINT64_C(3) << 62);
}

static void test_normal(void)
{
    struct rng r;
    rng_init(&r, 7, "normal", 0, 0);
    double sum = 0, squares = 0, fourth = 0;
    int n = 200000;
    for (int i = 0; i < n; i++) {
        double g = rng_normal(&r);
        sum += g;
        squares += g * g;
        fourth += g * g * g * g;
    }
    CHECK_CLOSE(sum / n, 0, 0.01, 0);
    CHECK_CLOSE(squares / n, 1, 0.02, 0);
    CHECK_CLOSE(fourth / n, 3, 0.15, 0);
}

/* E log Gamma(a) = digamma(a), E Gamma(a)^2 = a (a + 1); values from Abramowitz and Stegun, table 6.1, and the
 * recurrence 6.3.5. */
static void test_gamma(void)
{
    static const double alpha[] = {0.05, 0.3, 0.49, 0.5, 1, 2, 10},
                        digamma[] = {-20.4978450, -3.5025242, -2.0137161, -1.9635100, -0.5772157, 0.4227843, 2.2517526},
                        tolerance[] = {0.3, 0.06, 0.04, 0.04, 0.04, 0.04, 0.04};
    for (int a = 0; a < 7; a++) {
        struct rng r;
        rng_init(&r, 7, "gamma", (uint64_t)a, 0);
        double log_sum = 0, sum = 0, squares = 0;
        int n = 100000;
        for (int i = 0; i < n; i++) {
            double g = rng_gamma_log(&r, alpha[a]);
            log_sum += g;
            sum += exp(g);
            squares += exp(2 * g);
        }
        CHECK_CLOSE(log_sum / n, digamma[a], tolerance[a], 0);
        CHECK_CLOSE(sum / n, alpha[a], 0, 0.03);
        CHECK_CLOSE(squares / n, alpha[a] * (alpha[a] + 1), 0, 0.06);
    }
    struct rng r;
    rng_init(&r, 7, "gamma", 9, 0);
    bool finite = true;
    for (int i = 0; i < 1000; i++)
        finite = finite && isfinite(rng_gamma_log(&r, 1e-5));
    CHECK(finite);
}

static void test_permutation(void)
{
    int64_t order[1000], again[1000], fixed = 0;
    bool seen[1000] = {false};
    struct rng r;
    rng_init(&r, 3, "shuffle", 0, 0);
    rng_permutation(&r, order, 1000);
    for (int i = 0; i < 1000; i++) {
        CHECK(order[i] >= 0 && order[i] < 1000 && !seen[order[i]]);
        seen[order[i]] = true;
        fixed += order[i] == i;
    }
    CHECK(fixed < 10);
    rng_init(&r, 3, "shuffle", 0, 0);
    rng_permutation(&r, again, 1000);
    CHECK(memcmp(order, again, sizeof order) == 0);
    rng_permutation(&r, order, 1);
    CHECK(order[0] == 0);
    rng_permutation(&r, order, 0);

    /* All six orders of three, equally often. */
    int counts[27] = {0};
    for (int i = 0; i < 6000; i++) {
        rng_permutation(&r, order, 3);
        counts[order[0] * 9 + order[1] * 3 + order[2]]++;
    }
    static const int codes[] = {5, 7, 11, 15, 19, 21};
    for (int i = 0; i < 6; i++)
        CHECK_CLOSE(counts[codes[i]], 1000, 150, 0);
}

int main(void)
{
    test_vectors();
    test_streams();
    test_uniform_and_below();
    test_normal();
    test_gamma();
    test_permutation();
    return check_done();
}
