/* test_ggml.c - 16-bit floats by their definition; quantised blocks against the gguf package. */
#include "base/file.h"
#include "base/rng.h"
#include "check.h"
#include "data/ggml.h"
#include "data/half.h"
#include "data/safetensors.h"

/* sign 2^(e-15) (1 + m/1024), or m 2^-24 for e = 0 */
static float f16_by_definition(uint16_t h)
{
    int e = h >> 10 & 31, m = h & 1023;
    float x = e == 31 ? (m ? NAN : INFINITY) : e ? ldexpf((float)(1024 + m), e - 25) : ldexpf((float)m, -24);
    return h & 0x8000 ? -x : x;
}

static void test_f16(void)
{
    int wrong = 0;
    for (uint32_t i = 0; i < 65536; i++) {
        uint16_t h = (uint16_t)i;
        float x = f16_to_float(h), want = f16_by_definition(h);
        if (isnan(want)) {
            wrong += !isnan(x) || !isnan(f16_to_float(float_to_f16(x)));
            continue;
        }
        wrong += float_bits(x) != float_bits(want) || float_to_f16(x) != h;
        if ((h & 0x7fff) >= 0x7bff)
            continue; /* the largest has no next */
        /* Half way to the next one: the even one; a little more or less: the nearer one. */
        float next = f16_by_definition((uint16_t)(h + 1)), middle = x + (next - x) / 2;
        wrong += float_to_f16(middle) != (h & 1 ? h + 1 : h);
        wrong += float_to_f16(nextafterf(middle, x)) != h;
        wrong += float_to_f16(nextafterf(middle, next)) != h + 1;
    }
    CHECK_MSG(wrong == 0, "%d", wrong);
    CHECK(float_to_f16(65519.996f) == 0x7bff && float_to_f16(65520) == 0x7c00);
    CHECK(float_to_f16(-1e30f) == 0xfc00 && float_to_f16(INFINITY) == 0x7c00);
    CHECK(float_to_f16(0x1p-25f) == 0 && float_to_f16(0x1.000002p-25f) == 1);
}

static void test_bf16(void)
{
    CHECK(float_to_bf16(1) == 0x3f80 && bf16_to_float(0x3f80) == 1);
    CHECK(float_to_bf16(float_of_bits(0x3f808000)) == 0x3f80);
    CHECK(float_to_bf16(float_of_bits(0x3f818000)) == 0x3f82);
    CHECK(float_to_bf16(float_of_bits(0x3f808001)) == 0x3f81);
    CHECK(float_to_bf16(float_of_bits(0x7f7fffff)) == 0x7f80);
    CHECK(isnan(bf16_to_float(float_to_bf16(float_of_bits(0x7f800001)))));
}

static const struct st_tensor *find(const struct st_file *f, const char *name, const char *part)
{
    char full[32];
    snprintf(full, sizeof full, "%s.%s", name, part);
    const struct st_tensor *t = st_find(f, full);
    CHECK_MSG(t, "no %s", full);
    if (!t)
        exit(check_done());
    return t;
}

static void check_format(const struct st_file *f, enum ggml_type type)
{
    const struct ggml_format *format = ggml_format(type);
    const struct st_tensor *blocks = find(f, format->name, "blocks");
    const struct st_tensor *values = find(f, format->name, "values");
    int64_t n = blocks->shape[0];
    float *x = calloc((size_t)values->numel, sizeof *x);
    CHECK(n >= 6 && blocks->shape[1] == format->bytes && values->numel == n * format->block);
    format->decode(blocks->data, x, n);
    CHECK_MSG(memcmp(x, values->data, (size_t)values->numel * 4) == 0, "%s", format->name);
    free(x);
}

static void test_formats(void)
{
    static const enum ggml_type types[] = {GGML_Q4_0, GGML_Q4_1, GGML_Q5_0, GGML_Q5_1, GGML_Q8_0,
                                           GGML_Q2_K, GGML_Q3_K, GGML_Q4_K, GGML_Q5_K, GGML_Q6_K};
    struct st_file f;
    struct err err = {0};
    const char *root = getenv("TESTS");
    char path[4096];
    snprintf(path, sizeof path, "%s/golden/ggml/formats.safetensors", root ? root : "tests");
    CHECK_MSG(st_open(&f, path, &err) == 0, "%s", err.text);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        check_format(&f, types[i]);
    const struct st_tensor *source = find(&f, "Q8_0", "source"), *blocks = find(&f, "Q8_0", "blocks");
    uint8_t *out = calloc((size_t)blocks->numel, 1);
    ggml_format(GGML_Q8_0)->encode(source->data, out, blocks->shape[0]);
    CHECK(memcmp(out, blocks->data, (size_t)blocks->numel) == 0);
    free(out);
    st_release(&f);
}

/* What is read from Q8_0 is Q8_0 again, and plain numbers keep their bits. */
static void test_again(void)
{
    static const enum ggml_type types[] = {GGML_F32, GGML_F16, GGML_BF16, GGML_Q8_0};
    enum { N = 64 };
    struct rng r;
    float x[N], y[N];
    uint8_t once[N * 4], twice[N * 4];
    rng_init(&r, 3, "test_ggml", 0, 0);
    for (int round = 0; round < 500; round++)
        for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
            const struct ggml_format *f = ggml_format(types[i]);
            for (int k = 0; k < N; k++)
                x[k] = (float)rng_normal(&r);
            f->encode(x, once, N / f->block);
            f->decode(once, y, N / f->block);
            f->encode(y, twice, N / f->block);
            if (types[i] == GGML_Q8_0) /* the scale's own rounding may show in the last digit */
                f->decode(twice, x, N / f->block);
            CHECK(types[i] != GGML_Q8_0 ? memcmp(once, twice, (size_t)(N * f->bytes)) == 0
                                        : fabsf(x[0] - y[0]) <= fabsf(y[0]) * 1e-3f);
        }
}

int main(void)
{
    test_f16();
    test_bf16();
    test_formats();
    test_again();
    CHECK(!ggml_format(4) && !ggml_format(9) && !ggml_format(31) && !ggml_format(UINT32_MAX));
    return check_done();
}
