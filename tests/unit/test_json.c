/* test_json.c - exact writing, parsing, typed reading. */
#include <float.h>

#include "base/mem.h"
#include "base/rng.h"
#include "check.h"
#include "data/json.h"
#include "data/utf8.h"

static json_t *parse(const char *text)
{
    struct err err = {0};
    json_t *v = json_parse(text, strlen(text), &err);
    CHECK_MSG(v != NULL, "%s: %s", text, err.text);
    return v;
}

static void check_written(const char *text, const char *expected)
{
    struct strbuf out = {0};
    json_t *v = parse(text);
    json_write(&out, v);
    CHECK_STR(out.buf, expected);
    json_decref(v);
    strbuf_release(&out);
}

static void test_write(void)
{
    check_written("{ \"b\": 1, \"a\": [ ], \"c\": {}}", "{\"b\":1,\"a\":[],\"c\":{}}");
    check_written("0.1", "0.1");
    check_written("1e3", "1000.0");
    check_written("1e300", "1e+300");
    check_written("-0.0", "-0.0");
    check_written("0.30000000000000004", "0.30000000000000004");
    check_written("9223372036854775807", "9223372036854775807");
    check_written("-9223372036854775808", "-9223372036854775808");
    check_written("\"a\\u0000b\\u001f\\u007f\\n\\t\\\"\\\\\\/\"",
                  "\"a\\u0000b\\u001f\\u007f\\n\\t\\\"\\\\/\"");
    check_written("\"\\u00e9\\ud83d\\ude00\"", "\"\xc3\xa9\xf0\x9f\x98\x80\"");
    check_written("[true,false,null]", "[true,false,null]");
}

static void test_surrogates(void)
{
    check_written("\"\\ud800\"", "\"\xef\xbf\xbd\"");
    check_written("\"x\\udc00\\ud83d\\ude00\"", "\"x\xef\xbf\xbd\xf0\x9f\x98\x80\"");
    check_written("\"\\ud800\\ud83d\\ude00\"", "\"\xef\xbf\xbd\xf0\x9f\x98\x80\"");
    check_written("\"\\ud800\\n\"", "\"\xef\xbf\xbd\\n\"");
    check_written("\"\\\\ud800\"", "\"\\\\ud800\""); /* an escaped backslash */
    check_written("{\"\\ud800\":1}", "{\"\xef\xbf\xbd\":1}");
}

static void test_pretty(void)
{
    struct strbuf out = {0};
    json_t *v = parse("{\"a\":[1,2],\"b\":{}}");
    json_write_pretty(&out, v);
    CHECK_STR(out.buf, "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {}\n}");
    json_decref(v);
    strbuf_release(&out);
}

static void test_refused(void)
{
    static const char *const bad[] = {
        "",
        " ",
        "{",
        "{\"a\":1,\"a\":2}",
        "{} x",
        "NaN",
        "[1,]",
        "1e400",
        "\"\\ud8\"",
        "\"\\x\"",
        "\"\x01\"",
        "\"\xff\"",
        "18446744073709551616",
        "'a'",
        "{a:1}",
        "\"abc",
        "\\u",
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct err err = {0};
        json_t *v = json_parse(bad[i], strlen(bad[i]), &err);
        CHECK_MSG(!v && err.set && strncmp(err.text, "not JSON: ", 10) == 0, "%s", bad[i]);
        json_decref(v);
    }
    struct strbuf deep = {0};
    for (int i = 0; i < 100000; i++)
        strbuf_addc(&deep, '[');
    struct err err = {0};
    CHECK(!json_parse(deep.buf, deep.len, &err) && err.set);
    strbuf_release(&deep);
}

/* Any float32 must survive the pipe bit for bit, any double too. */
static void test_round_trip(void)
{
    struct rng r;
    rng_init(&r, 1, "test_json", 0, 0);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = (uint64_t)rng_u32(&r) << 32 | rng_u32(&r);
        uint32_t half = (uint32_t)bits;
        double d;
        float f;
        memcpy(&d, &bits, sizeof d);
        memcpy(&f, &half, sizeof f);
        struct strbuf out = {0};
        json_t *v = json_number(d);
        json_write(&out, v);
        if (isfinite(d))
            CHECK(strtod(out.buf, NULL) == d);
        else
            CHECK_STR(out.buf, "null");
        json_decref(v);
        strbuf_clear(&out);
        v = json_float(f);
        json_write(&out, v);
        if (isfinite(f)) {
            json_t *back = parse(out.buf);
            CHECK_MSG((float)json_real_value(back) == f, "%s", out.buf);
            json_decref(back);
        }
        json_decref(v);
        strbuf_release(&out);
    }
    struct strbuf out = {0};
    json_t *v = json_float(0.1f);
    json_write(&out, v);
    CHECK_STR(out.buf, "0.1");
    json_decref(v);
    strbuf_release(&out);
    v = json_float(NAN);
    CHECK(json_is_null(v));
    json_decref(v);
}

static void check_error(const json_t *obj, int which, const char *key, const char *expected)
{
    struct err err = {0};
    const char *s;
    int64_t i, rc;
    int32_t *xs = NULL;
    double d;
    float *fs = NULL;
    bool b;
    switch (which) {
    case 's':
        rc = json_get_str(obj, key, &s, &err);
        break;
    case 'i':
        rc = json_get_int(obj, key, &i, &err);
        break;
    case 'd':
        rc = json_get_num(obj, key, &d, &err);
        break;
    case 'b':
        rc = json_opt_bool(obj, key, &b, &err);
        break;
    case 'I':
        rc = json_get_i32s(obj, key, true, &xs, &err);
        break;
    default:
        rc = json_get_f32s(obj, key, true, &fs, &err);
    }
    CHECK(rc == -1 && !xs && !fs);
    CHECK_STR(err.text, expected);
}

static void test_get(void)
{
    json_t *obj = parse("{\"s\":\"x\",\"i\":3,\"d\":0.5,\"n\":null,\"t\":true,\"a\":[1,2],"
                        "\"m\":[1,\"x\"],\"big\":[3000000000],\"huge\":[1e39],\"e\":[]}");
    struct err err = {0};
    const char *s = NULL;
    int64_t i = 7;
    double d = 7;
    bool b = false;
    int32_t *xs;
    float *fs;
    CHECK(json_get_str(obj, "s", &s, &err) == 0);
    CHECK_STR(s, "x");
    CHECK(json_get_int(obj, "i", &i, &err) == 0 && i == 3);
    CHECK(json_get_num(obj, "i", &d, &err) == 0 && d == 3);
    CHECK(json_opt_num(obj, "n", &d, &err) == 0 && d == 3);
    CHECK(json_opt_int(obj, "none", &i, &err) == 0 && i == 3);
    CHECK(json_opt_bool(obj, "t", &b, &err) == 0 && b);
    CHECK(json_get_i32s(obj, "a", true, &xs, &err) == 2 && xs[1] == 2);
    free(xs);
    CHECK(json_get_f32s(obj, "a", true, &fs, &err) == 2 && fs[1] == 2.0f);
    free(fs);
    CHECK(json_get_i32s(obj, "e", true, &xs, &err) == 0 && xs);
    free(xs);
    CHECK(json_get_i32s(obj, "none", false, &xs, &err) == 0 && !xs);
    CHECK(!err.set);
    check_error(obj, 's', "zz", "'zz' is missing");
    check_error(obj, 's', "i", "'i' is an integer, expected a string");
    check_error(obj, 'd', "s", "'s' is a string, expected a number");
    check_error(obj, 'i', "d", "'d' is a number, expected an integer");
    check_error(obj, 'b', "i", "'i' is an integer, expected true or false");
    check_error(obj, 'I', "m", "'m'[1] is a string, expected an integer");
    check_error(obj, 'I', "big", "'big'[0] is 3000000000, which does not fit 32 bits");
    check_error(obj, 'F', "huge", "'huge'[0] is 1e+39, which does not fit 32 bits");
    check_error(obj, 'F', "n", "'n' is null, expected an array");
    json_decref(obj);
}

static void check_repaired(const char *text, size_t n, const char *expected, int64_t count)
{
    struct strbuf out = {0};
    CHECK(utf8_repair(&out, text, n) == count);
    CHECK_STR(out.buf, expected);
    CHECK(utf8_valid_prefix(out.buf, out.len) == out.len);
    strbuf_release(&out);
}

#define FFFD "\xef\xbf\xbd"
static void test_utf8(void)
{
    check_repaired("plain ascii text", 16, "plain ascii text", 0);
    check_repaired("\xc3\xa9\xf0\x9f\x98\x80", 6, "\xc3\xa9\xf0\x9f\x98\x80", 0);
    check_repaired("a\xff"
                   "b",
                   3, "a" FFFD "b", 1);
    check_repaired("\xe2\x82", 2, FFFD, 1);               /* cut: one replacement */
    check_repaired("\xed\xa0\x80", 3, FFFD FFFD FFFD, 3); /* a surrogate */
    check_repaired("\xc0\xaf", 2, FFFD FFFD, 2);          /* overlong */
    check_repaired("\xf4\x90\x80\x80", 4, FFFD FFFD FFFD FFFD, 4);
    /* The example of the Unicode standard, section 3.9. */
    check_repaired("\x61\xf1\x80\x80\xe1\x80\xc2\x62\x80\x63\x80\xbf\x64", 13,
                   "a" FFFD FFFD FFFD "b" FFFD "c" FFFD FFFD "d", 6);
}

int main(void)
{
    test_write();
    test_surrogates();
    test_pretty();
    test_refused();
    test_round_trip();
    test_get();
    test_utf8();
    return check_done();
}
