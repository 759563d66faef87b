/* test_gguf.c - the GGUF format: what is written and read, and all that is refused. */
#include "base/mem.h"
#include "base/rng.h"
#include "check.h"
#include "data/gguf.h"

/* --- files by hand --------------------------------------------------------------------------- */

static void num(struct strbuf *s, uint64_t x, int bytes)
{
    for (int i = 0; i < bytes; i++)
        strbuf_addc(s, i < 8 ? (char)(x >> 8 * i & 0xff) : 0);
}

static void text(struct strbuf *s, const char *t)
{
    num(s, strlen(t), 8);
    strbuf_adds(s, t);
}

static void header(struct strbuf *s, uint32_t version, uint64_t n_tensors, uint64_t n_values)
{
    strbuf_adds(s, "GGUF");
    num(s, version, 4);
    num(s, n_tensors, 8);
    num(s, n_values, 8);
}

static void tensor(struct strbuf *s, const char *name, uint64_t rows, uint64_t cols, uint32_t type,
                   uint64_t offset)
{
    text(s, name);
    num(s, rows ? 2 : 1, 4);
    num(s, cols, 8);
    if (rows)
        num(s, rows, 8);
    num(s, type, 4);
    num(s, offset, 8);
}

static void zeros(struct strbuf *s, size_t n)
{
    while (s->len % GGUF_ALIGNMENT)
        strbuf_addc(s, 0);
    for (size_t i = 0; i < n; i++)
        strbuf_addc(s, 0);
}

static void check_refused(struct strbuf *s, const char *expected)
{
    struct gguf_file f;
    struct err err = {0};
    char *copy = xmalloc(s->len ? s->len : 1); /* exact, so that ASan sees a read past the end */
    if (s->len)
        memcpy(copy, s->buf, s->len);
    int rc = gguf_parse(&f, "x", copy, s->len, &err);
    CHECK_MSG(rc == -1 && strstr(err.text, expected), "'%s' without '%s'", err.text, expected);
    if (rc == 0)
        gguf_release(&f);
    free(copy);
    strbuf_release(s);
}

static void test_headers(void)
{
    struct strbuf s = {0};
    check_refused(&s, "not a GGUF file");
    strbuf_adds(&s, "GGML");
    check_refused(&s, "not a GGUF file");
    header(&s, 1, 0, 0);
    check_refused(&s, "version 1 is not supported");
    header(&s, 4, 0, 0);
    check_refused(&s, "version 4 is not supported");
    header(&s, 0x03000000, 0, 0);
    check_refused(&s, "big-endian");
    header(&s, 3, 0, UINT64_MAX);
    check_refused(&s, "cannot be in a file of this size");
    header(&s, 3, UINT64_MAX / 2, 0);
    check_refused(&s, "cannot be in a file of this size");
    header(&s, 3, 1, 0);
    num(&s, 0, 32);
    check_refused(&s, "cannot be in a file of this size");
}

static void test_values(void)
{
    struct strbuf s = {0};
    static const struct {
        uint32_t type;
        uint64_t item, n;
        const char *expected;
    } arrays[] = {{GGUF_ARRAY, GGUF_ARRAY, 1, "array of items of type 9"},
                  {GGUF_ARRAY, 13, 1, "array of items of type 13"},
                  {GGUF_ARRAY, GGUF_U8, UINT64_MAX, "an array of 18446744073709551615 items"},
                  {GGUF_ARRAY, GGUF_U64, UINT64_MAX / 8 + 2, "items, the file has"},
                  {GGUF_ARRAY, GGUF_STRING, UINT64_MAX / 8, "items, the file has"}};
    for (size_t i = 0; i < ARRAY_SIZE(arrays); i++) {
        header(&s, 3, 0, 1);
        text(&s, "k");
        num(&s, arrays[i].type, 4);
        num(&s, arrays[i].item, 4);
        num(&s, arrays[i].n, 8);
        num(&s, 0, 8);
        check_refused(&s, arrays[i].expected);
    }
    header(&s, 3, 0, 1);
    text(&s, "k");
    num(&s, 13, 4);
    num(&s, 0, 8);
    check_refused(&s, "key 'k': a value of type 13");
    header(&s, 3, 0, 1);
    num(&s, UINT64_MAX, 8);
    num(&s, 0, 8);
    check_refused(&s, "a string of 18446744073709551615 bytes");
    header(&s, 3, 0, 1);
    text(&s, "");
    num(&s, 0, 8);
    check_refused(&s, "a key: expected 1 to");
    header(&s, 3, 0, 1);
    text(&s, "\xff");
    num(&s, 0, 8);
    check_refused(&s, "a key: expected 1 to");
    header(&s, 3, 0, 2);
    for (int i = 0; i < 2; i++) {
        text(&s, "twice");
        num(&s, GGUF_U32, 4);
        num(&s, 7, 4);
    }
    check_refused(&s, "key 'twice' occurs twice");
    for (uint64_t a = 0; a < 100; a += 3) {
        if (a && (a & (a - 1)) == 0)
            continue;
        header(&s, 3, 0, 1);
        text(&s, "general.alignment");
        num(&s, GGUF_U32, 4);
        num(&s, a, 4);
        check_refused(&s, "expected a power of two");
    }
    header(&s, 3, 0, 1);
    text(&s, "general.alignment");
    num(&s, GGUF_STRING, 4);
    text(&s, "32");
    check_refused(&s, "is a string, expected a whole number");
}

static void test_tensors(void)
{
    struct strbuf s = {0};
    static const struct {
        const char *a;
        uint64_t rows, cols;
        uint32_t type;
        uint64_t offset;
        const char *expected;
    } bad[] = {
        {"a", 2, 8, 4, 0, "type 4 is not supported"},
        {"a", 2, 8, UINT32_MAX, 0, "is not supported"},
        {"a", 2, 0, GGML_F32, 0, "a dimension of 0"},
        {"a", 2, UINT64_MAX, GGML_F32, 0, "a dimension of"},
        {"a", 1ull << 62, 1ull << 62, GGML_F32, 0, "overflows"},
        {"a", 1ull << 31, 1ull << 31, GGML_F32, 0, "overflows"},
        {"a", 1ull << 31, 1ull << 30, GGML_F32, 0, "needs 9223372036854775808 bytes"},
        {"a", 2, 33, GGML_Q8_0, 0, "not a multiple of 32, the block of Q8_0"},
        {"a", 2, 128, GGML_Q4_K, 0, "not a multiple of 256, the block of Q4_K"},
        {"a", 2, 8, GGML_F32, 8, "its offset 8 is no multiple of 32"},
        {"a", 2, 8, GGML_F32, 32, "begins at byte 32, expected 0 (a hole)"},
        {"a", 2, 80, GGML_F32, 0, "needs 640 bytes at byte 0, the data has 256"},
        {"", 2, 8, GGML_F32, 0, "a tensor's name: expected 1 to 63"},
        {"0123456789012345678901234567890123456789012345678901234567890123", 2, 8, GGML_F32, 0,
         "a tensor's name: expected 1 to 63"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        header(&s, 3, 1, 0);
        tensor(&s, bad[i].a, bad[i].rows, bad[i].cols, bad[i].type, bad[i].offset);
        zeros(&s, 256);
        check_refused(&s, bad[i].expected);
    }
    static const uint64_t places[][2] = {{0, 0}, {0, 32}, {0, 96}, {64, 32}};
    static const char *const expected[] = {"(an overlap)", "(an overlap)", "(a hole)", "(a hole)"};
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        header(&s, 3, 2, 0);
        tensor(&s, "a", 2, 8, GGML_F32, places[i][0]);
        tensor(&s, "b", 2, 8, GGML_F32, places[i][1]);
        zeros(&s, 256);
        check_refused(&s, expected[i]);
    }
    header(&s, 3, 2, 0);
    tensor(&s, "a", 2, 8, GGML_F32, 0);
    tensor(&s, "a", 2, 8, GGML_F32, 64);
    zeros(&s, 256);
    check_refused(&s, "tensor 'a' occurs twice");
    header(&s, 3, 1, 0);
    text(&s, "a");
    num(&s, 5, 4);
    num(&s, 0, 64);
    check_refused(&s, "it has 5 dimensions");
}

/* --- what is written is read ----------------------------------------------------------------- */

static const float numbers[] = {1, -2, 3.5f, 1e-30f, 5, 6};

static int write_numbers(void *arg, int i, FILE *fp, struct err *err)
{
    (void)arg;
    return file_put(fp, numbers, i == 0 ? 24 : 12, "numbers", err);
}

static struct strbuf written(void)
{
    char path[] = "/tmp/test_gguf.XXXXXX";
    struct gguf_writer w = {0};
    struct strbuf bytes = {0};
    struct err err = {0};
    int fd = mkstemp(path);

    gguf_put_str(&w, "general.architecture", "llama", 5);
    gguf_put_u32(&w, "u32", 4000000000u);
    gguf_put_i32(&w, "i32", -5);
    gguf_put_f32(&w, "f32", 0.1f);
    gguf_put_bool(&w, "bool", true);
    gguf_put_array(&w, "strings", GGUF_STRING, 3);
    gguf_add_str(&w, "", 0);
    gguf_add_str(&w, "b\0c", 3);
    gguf_add_str(&w, "\xc4\xa0", 2);
    gguf_put_array(&w, "ints", GGUF_I32, 2);
    gguf_add_u32(&w, (uint32_t)-7);
    gguf_add_u32(&w, 8);
    gguf_add_tensor(&w, "z", GGML_F32, 2, (const int64_t[]){2, 3});
    gguf_add_tensor(&w, "a", GGML_F32, 1, (const int64_t[]){3});
    CHECK_MSG(fd >= 0 && gguf_save(&w, path, write_numbers, NULL, &err) == 0, "%s", err.text);
    CHECK(file_read(path, &bytes, &err) == 0);
    unlink(path);
    close(fd);
    gguf_writer_release(&w);
    return bytes;
}

static void check_values(const struct gguf_file *f)
{
    struct err err = {0};
    int64_t i = 0;
    double x = 0;
    bool yes = false;
    char *s = NULL;
    uint64_t n;

    CHECK(gguf_get_int(f, "u32", &i, &err) == 1 && i == 4000000000);
    CHECK(gguf_get_int(f, "i32", &i, &err) == 1 && i == -5);
    CHECK(gguf_get_num(f, "f32", &x, &err) == 1 && x == (double)0.1f);
    CHECK(gguf_get_num(f, "i32", &x, &err) == 1 && x == -5);
    CHECK(gguf_get_bool(f, "bool", &yes, &err) == 1 && yes);
    CHECK(gguf_get_int(f, "none", &i, &err) == 0 && !err.set && i == -5);
    CHECK(gguf_get_int(f, "f32", &i, &err) == -1);
    CHECK_STR(err.text, "key 'f32' is f32, expected a whole number");
    err_clear(&err);
    CHECK(gguf_get_str(f, "general.architecture", &s, &err) == 1);
    CHECK_STR(s, "llama");
    free(s);
    const struct gguf_value *v = gguf_array(f, "strings", GGUF_STRING, &err);
    const unsigned char *at = v->data;
    CHECK(v->n == 3 && gguf_next_string(&at, &n) && n == 0);
    CHECK(memcmp(gguf_next_string(&at, &n), "b\0c", 3) == 0 && n == 3);
    CHECK(memcmp(gguf_next_string(&at, &n), "\xc4\xa0", 2) == 0 && n == 2 && at == v->end);
    v = gguf_array(f, "ints", GGUF_I32, &err);
    CHECK(gguf_i32_at(v, 0) == -7 && gguf_i32_at(v, 1) == 8);
    CHECK(!gguf_array(f, "ints", GGUF_STRING, &err) && err.set);
}

static void test_round_trip(const struct strbuf *bytes)
{
    struct gguf_file f;
    struct err err = {0};
    CHECK_MSG(gguf_parse(&f, "x", bytes->buf, bytes->len, &err) == 0, "%s", err.text);
    CHECK(f.version == 3 && f.n_values == 7 && f.n_tensors == 2 && bytes->len % 32 == 0);
    check_values(&f);
    const struct gguf_tensor *z = gguf_find_tensor(&f, "z"), *a = gguf_find_tensor(&f, "a");
    CHECK(z && a && z->shape[0] == 2 && z->shape[1] == 3 && z->offset == 0 && a->offset == 32);
    CHECK(memcmp(z->data, numbers, 24) == 0 && memcmp(a->data, numbers, 12) == 0);
    CHECK((a->data - (const unsigned char *)bytes->buf) % 32 == 0);
    CHECK(!gguf_find_tensor(&f, "b") && !gguf_find(&f, ""));
    gguf_release(&f);
}

/* Cut anywhere before the last tensor's end: refused, never a short result. */
static void test_cuts(const struct strbuf *bytes)
{
    for (size_t n = 0; n < bytes->len; n++) {
        struct gguf_file f;
        struct err err = {0};
        char *copy = xmalloc(n ? n : 1);
        memcpy(copy, bytes->buf, n);
        int rc = gguf_parse(&f, "cut", copy, n, &err);
        bool whole = n >= bytes->len - 20; /* only padding is missing */
        CHECK_MSG((rc == 0) == whole && (rc == 0 || strncmp(err.text, "cut: ", 5) == 0), "%zu: %s", n,
                  err.text);
        if (rc == 0)
            gguf_release(&f);
        free(copy);
    }
}

/* Damaged anywhere: taken or refused, but never a crash, a leak or a read past the end. */
static void test_damage(const struct strbuf *bytes)
{
    struct rng r;
    int refused = 0;
    rng_init(&r, 1, "test_gguf", 0, 0);
    for (int i = 0; i < 20000; i++) {
        struct gguf_file f;
        struct err err = {0};
        char *copy = xmalloc(bytes->len);
        memcpy(copy, bytes->buf, bytes->len);
        for (int k = 0; k < 1 + i % 3; k++)
            copy[rng_below(&r, bytes->len)] = (char)(i % 2 ? 0xff : rng_u32(&r));
        if (gguf_parse(&f, "x", copy, bytes->len, &err) == 0)
            gguf_release(&f);
        else
            refused++;
        free(copy);
    }
    CHECK_MSG(refused > 2000, "%d", refused);
}

int main(void)
{
    struct strbuf bytes = written(), again = written();
    CHECK(bytes.len == again.len && memcmp(bytes.buf, again.buf, bytes.len) == 0);
    test_headers();
    test_values();
    test_tensors();
    test_round_trip(&bytes);
    test_cuts(&bytes);
    test_damage(&bytes);
    strbuf_release(&bytes);
    strbuf_release(&again);
    return check_done();
}
