/* test_safetensors.c - the tensor file format, what is written and all that is refused. */
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "check.h"
#include "data/safetensors.h"

static void add_u64(struct strbuf *out, uint64_t x)
{
    for (int i = 0; i < 8; i++)
        strbuf_addc(out, (char)(x >> 8 * i & 0xff));
}

static struct strbuf file_of(const char *header, size_t n_data)
{
    struct strbuf s = {0};
    add_u64(&s, strlen(header));
    strbuf_adds(&s, header);
    for (size_t i = 0; i < n_data; i++)
        strbuf_addc(&s, (char)i);
    return s;
}

static void check_refused(const char *header, size_t n_data, const char *expected)
{
    struct strbuf s = file_of(header, n_data);
    struct st_file f;
    struct err err = {0};
    int rc = st_parse(&f, "x", s.buf, s.len, &err);
    CHECK_MSG(rc == -1 && strstr(err.text, expected), "%s: '%s' without '%s'", header, err.text,
              expected);
    if (rc == 0)
        st_release(&f);
    strbuf_release(&s);
}

#define T(name, dtype, shape, offsets)                                                             \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void test_refused(void)
{
    check_refused("", 0, "not a JSON object");
    check_refused("[]", 0, "not a JSON object");
    check_refused(" {}", 0, "not a JSON object");
    check_refused("{} x", 0, "not a JSON object");
    check_refused("{\"a\":1}", 0, "expected an object");
    check_refused("{}", 1, "take 0 bytes, the data has 1");
    check_refused("{" T("a", "U8", "[2]", "[0,2]") "}", 1, "take 2 bytes, the data has 1");
    check_refused("{" T("a", "U8", "[2]", "[0,2]") "}", 3, "take 2 bytes, the data has 3");
    check_refused("{" T("a", "U8", "[2]", "[1,3]") "}", 3, "a hole");
    check_refused("{" T("a", "U8", "[2]", "[0,2]") "," T("b", "U8", "[2]", "[1,3]") "}", 3,
                  "an overlap");
    check_refused("{" T("a", "U8", "[2]", "[0,2]") "," T("b", "U8", "[1]", "[3,4]") "}", 4,
                  "a hole");
    check_refused("{" T("a", "U8", "[2]", "[0,2]") "," T("a", "U8", "[1]", "[2,3]") "}", 3,
                  "duplicate");
    check_refused("{" T("a", "U8", "[2]", "[2,0]") "}", 2, "not [begin, end]");
    check_refused("{" T("a", "U8", "[2]", "[0,2,3]") "}", 2, "not [begin, end]");
    check_refused("{" T("a", "U8", "[2]", "[-1,1]") "}", 2, "not [begin, end]");
    check_refused("{" T("a", "U8", "[2]", "[0,2.0]") "}", 2, "not [begin, end]");
    check_refused("{" T("a", "F32", "[2]", "[0,2]") "}", 2, "needs 8 bytes");
    check_refused("{" T("a", "F8_E4M3", "[2]", "[0,2]") "}", 2, "'F8_E4M3' is not supported");
    check_refused("{" T("a", "U8", "[-2]", "[0,2]") "}", 2, "is not a size");
    check_refused("{" T("a", "U8", "[\"2\"]", "[0,2]") "}", 2, "is not a size");
    check_refused("{" T("a", "U8", "[1,1,1,1,1,1,1,1,2]", "[0,2]") "}", 2, "dimensions");
    check_refused("{" T("a", "U8", "[4294967296,4294967296]", "[0,0]") "}", 0, "overflows");
    check_refused("{" T("a", "U8", "[0,4294967296,4294967296]", "[0,0]") "}", 0, "overflows");
    check_refused("{" T("a", "U8", "[4294967296,4294967296,0]", "[0,0]") "}", 0, "overflows");
    check_refused("{" T("a", "F64", "[2305843009213693952]", "[0,0]") "}", 0, "overflows");
    check_refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, "not [begin, end]");
    check_refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"x\":1}}", 1,
                  "more than");
    check_refused("{\"__metadata__\":{\"a\":1}}", 0, "expected a string");
    check_refused("{\"__metadata__\":[]}", 0, "expected an object");
    check_refused("{\"__metadata__\":{},\"__metadata__\":{}}", 0, "duplicate");
    check_refused("{\"\xff\":{}}", 0, "header");
}

static void test_lengths(void)
{
    static const uint64_t lengths[] = {3, 100000001, (uint64_t)1 << 63, UINT64_MAX, UINT64_MAX - 7};
    struct st_file f;
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        struct strbuf s = {0};
        struct err err = {0};
        add_u64(&s, lengths[i]);
        strbuf_adds(&s, "{}");
        CHECK(st_parse(&f, "x", s.buf, s.len, &err) == -1 && err.set);
        strbuf_release(&s);
    }
    struct err err = {0};
    CHECK(st_parse(&f, "x", "1234567", 7, &err) == -1 && err.set);
    /* A header of nothing but tiny numbers is refused before it becomes a huge tree. */
    struct strbuf dense = {0};
    strbuf_adds(&dense, "{\"a\":[0");
    for (int i = 0; i < 1000000; i++)
        strbuf_adds(&dense, ",0");
    strbuf_adds(&dense, "]}");
    err_clear(&err);
    CHECK(st_parse_header(&f, "x", dense.buf, dense.len, 0, &err) == -1);
    CHECK(strstr(err.text, "not one of tensors"));
    strbuf_release(&dense);
}

static void test_accepted(void)
{
    struct st_file f;
    struct err err = {0};
    /* An empty tensor between two others, a scalar, out of order, padded, odd addresses. */
    struct strbuf s =
        file_of("{" T("b", "F32", "[]", "[3,7]") "," T("e", "F32", "[0,3]", "[3,3]") "," T(
                    "a", "U8", "[3]", "[0,3]") "}   ",
                7);
    CHECK_MSG(st_parse(&f, "x", s.buf, s.len, &err) == 0, "%s", err.text);
    CHECK(f.n_tensors == 3);
    CHECK_STR(f.tensors[0].name, "a");
    CHECK_STR(f.tensors[1].name, "e");
    CHECK(f.tensors[1].numel == 0 && f.tensors[2].numel == 1 && f.tensors[2].n_dims == 0);
    const struct st_tensor *b = st_find(&f, "b");
    CHECK(b && (uintptr_t)b->data % 4 == 0 && memcmp(b->data, "\3\4\5\6", 4) == 0);
    CHECK(!st_find(&f, "c") && json_object_size(f.metadata) == 0);
    st_release(&f);
    strbuf_release(&s);
    s = file_of("{}", 0);
    CHECK(st_parse(&f, "x", s.buf, s.len, &err) == 0 && f.n_tensors == 0);
    st_release(&f);
    strbuf_release(&s);
}

/* Byte for byte what safetensors 0.4 writes for the same tensors. */
static void test_write(void)
{
    static const float w[2][3] = {{1, 2, 3}, {4, 5, 6}};
    static const uint8_t m[3] = {7, 8, 9};
    static const int64_t o[1] = {-1};
    static const float a[1] = {0.5f};
    struct st_write_tensor t[] = {
        {.name = "m", .dtype = ST_U8, .n_dims = 1, .shape = {3}, .data = m},
        {.name = "w", .dtype = ST_F32, .n_dims = 2, .shape = {2, 3}, .data = w},
        {.name = "o", .dtype = ST_I64, .n_dims = 0, .data = o},
        {.name = "a", .dtype = ST_F32, .n_dims = 1, .shape = {1}, .data = a},
    };
    json_t *metadata = json_pack("{ss}", "format", "pt");
    struct strbuf out = {0};
    st_encode(&out, t, 4, metadata, false);
    const char *header =
        "{\"__metadata__\":{\"format\":\"pt\"}," T("o", "I64", "[]", "[0,8]") "," T(
            "a", "F32", "[1]", "[8,12]") "," T("w", "F32", "[2,3]",
                                               "[12,36]") "," T("m", "U8", "[3]", "[36,39]") "}";
    CHECK(strncmp(out.buf + 8, header, strlen(header)) == 0);
    size_t n = (unsigned char)out.buf[0] + 256u * (unsigned char)out.buf[1];
    CHECK(n % 8 == 0 && n >= strlen(header) && n < strlen(header) + 8 && out.len == 8 + n + 39);

    struct st_file f;
    struct err err = {0};
    CHECK_MSG(st_parse(&f, "x", out.buf, out.len, &err) == 0, "%s", err.text);
    CHECK(memcmp(st_find(&f, "w")->data, w, sizeof w) == 0);
    CHECK(memcmp(st_find(&f, "m")->data, m, sizeof m) == 0);
    CHECK_STR(json_string_value(json_object_get(f.metadata, "format")), "pt");
    st_release(&f);

    char path[] = "/tmp/test_safetensors.XXXXXX";
    close(mkstemp(path));
    struct strbuf file = {0};
    CHECK(st_save(path, t, 4, metadata, &err) == 0 && file_read(path, &file, &err) == 0);
    CHECK(file.len == out.len && memcmp(file.buf, out.buf, out.len) == 0);
    CHECK(st_open(&f, path, &err) == 0 && f.file.mapped);
    CHECK(memcmp(st_find(&f, "w")->data, w, sizeof w) == 0);
    st_release(&f);
    /* Cut anywhere: refused. */
    for (size_t cut = 0; cut < out.len; cut++) {
        err_clear(&err);
        CHECK(st_parse(&f, "x", out.buf, cut, &err) == -1 && err.set);
    }
    err_clear(&err);
    CHECK(st_open(&f, "/nonexistent/x", &err) == -1 && err.set);
    unlink(path);
    strbuf_release(&file);
    strbuf_release(&out);
    json_decref(metadata);
}

int main(void)
{
    test_refused();
    test_lengths();
    test_accepted();
    test_write();
    return check_done();
}
