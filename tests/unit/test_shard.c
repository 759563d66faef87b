/* test_shard.c - token shards: there and back, cut, damaged, joined, blended. */
#include <unistd.h>
#include <xxhash.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "check.h"
#include "data/blend.h"
#include "data/safetensors.h"
#include "data/shard.h"

static char dir[] = "/tmp/test_shard.XXXXXX";
static char *path, *other;

/* n sequences of growing length; ids "s0".. ; mask and reward. */
static void write_shard(const char *to, int n, int64_t blob_tokens)
{
    struct err err = {0};
    struct shard_writer *w = shard_writer_open(to, blob_tokens, &err);
    CHECK(w != NULL);
    for (int i = 0; i < n; i++) {
        int32_t tokens[100];
        uint8_t mask[100];
        float reward = (float)i / 3;
        char id[16];
        snprintf(id, sizeof id, "s%d", i);
        for (int k = 0; k < i % 100; k++) {
            tokens[k] = i * 1000 + k;
            mask[k] = k % 2;
        }
        struct shard_seq s = {.id = i % 5 ? id : NULL,
                              .n_tokens = i % 100,
                              .tokens = tokens,
                              .loss_mask = mask,
                              .reward = &reward};
        CHECK(shard_writer_add(w, &s, &err) == 0);
    }
    CHECK_MSG(shard_writer_close(w, &err) == 0, "%s", err.text);
}

/* Reads a shard to its end; the number of sequences or -1. */
static int64_t read_shard(const char *from, int64_t *n_blobs, struct err *err)
{
    struct shard_reader *r = shard_reader_open(from, err);
    struct shard_batch b;
    int64_t n = 0;
    int rc;
    *n_blobs = 0;
    while ((rc = shard_reader_next(r, &b, err)) > 0) {
        n += b.n_seqs;
        ++*n_blobs;
        shard_batch_release(&b);
    }
    shard_reader_close(r);
    return rc < 0 ? -1 : n;
}

static void test_round_trip(void)
{
    struct err err = {0};
    struct shard_batch b;
    int64_t i = 0, n_blobs = 0;
    write_shard(path, 200, 1000);
    struct shard_reader *r = shard_reader_open(path, &err);
    while (shard_reader_next(r, &b, &err) > 0) {
        CHECK(b.loss_mask && b.reward && !b.logprobs && !b.policy_version);
        for (int64_t k = 0; k < b.n_seqs; k++, i++) {
            struct shard_seq s = shard_batch_seq(&b, k);
            CHECK(s.n_tokens == i % 100 && *s.reward == (float)i / 3);
            CHECK((s.id == NULL) == (i % 5 == 0) && (!s.id || atoi(s.id + 1) == i));
            if (s.n_tokens > 3)
                CHECK(s.tokens[3] == i * 1000 + 3 && s.loss_mask[3] == 1);
        }
        n_blobs++;
        shard_batch_release(&b);
    }
    CHECK_MSG(i == 200 && n_blobs > 5 && !err.set, "%s", err.text);
    shard_reader_close(r);
}

static void test_empty_and_joined(void)
{
    struct err err = {0};
    int64_t n_blobs;
    struct strbuf a = {0}, b = {0};
    write_shard(path, 0, 1000);
    CHECK(read_shard(path, &n_blobs, &err) == 0 && n_blobs == 1);
    CHECK(file_read(path, &a, &err) == 0);
    write_shard(path, 30, 100);
    CHECK(file_read(path, &b, &err) == 0);
    strbuf_add(&b, a.buf, a.len);
    strbuf_add(&b, b.buf, b.len - a.len);
    CHECK(file_write_atomic(path, b.buf, b.len, &err) == 0);
    CHECK_MSG(read_shard(path, &n_blobs, &err) == 60, "%s", err.text);
    CHECK(file_write_atomic(path, "", 0, &err) == 0);
    CHECK(read_shard(path, &n_blobs, &err) == -1 && strstr(err.text, "empty"));
    strbuf_release(&a);
    strbuf_release(&b);
}

/* Cut at every byte and with every byte changed: an error each time, never a short result. */
static void test_damage(void)
{
    struct err err = {0};
    int64_t n_blobs;
    struct strbuf s = {0};
    write_shard(path, 12, 20);
    CHECK(file_read(path, &s, &err) == 0);
    for (size_t n = 0; n < s.len; n++) {
        err_clear(&err);
        CHECK(file_write_atomic(other, s.buf, n, &err) == 0);
        CHECK_MSG(read_shard(other, &n_blobs, &err) == -1 && err.set, "cut at %zu", n);
    }
    /* Data and lengths are covered; in the header's JSON a change of an unknown word may be none.
     */
    struct strbuf one = {0};
    int passed = 0;
    write_shard(path, 3, 20);
    CHECK(file_read(path, &one, &err) == 0);
    for (size_t i = 0; i < one.len; i++) {
        err_clear(&err);
        one.buf[i] ^= 0x11;
        CHECK(file_write_atomic(other, one.buf, one.len, &err) == 0);
        one.buf[i] ^= 0x11;
        passed += read_shard(other, &n_blobs, &err) >= 0;
    }
    /* The names of the optional arrays and the digits of ids: nothing else may pass. */
    CHECK_MSG(passed < 60, "%d changes went unseen", passed);
    strbuf_release(&one);
    strbuf_release(&s);
}

static void check_bad_blob(const char *kind, const char *xxh64, const char *end, int32_t token,
                           int64_t offset, const char *expected)
{
    int32_t tokens[2] = {1, token};
    int64_t offsets[2] = {0, offset};
    struct st_write_tensor t[] = {
        {.name = "offsets", .dtype = ST_I64, .n_dims = 1, .shape = {2}, .data = offsets},
        {.name = "tokens", .dtype = ST_I32, .n_dims = 1, .shape = {2}, .data = tokens},
    };
    struct err err = {0};
    int64_t n_blobs;
    char data[24], right[20]; /* as they are laid out: offsets first */
    memcpy(data, offsets, 16);
    memcpy(data + 16, tokens, 8);
    snprintf(right, sizeof right, "%016llx", (unsigned long long)XXH64(data, sizeof data, 0));
    json_t *m = json_pack("{ss ss ss}", "kind", kind, "xxh64", xxh64 ? xxh64 : right, "end", end);
    CHECK(st_save(path, t, 2, m, &err) == 0);
    json_decref(m);
    CHECK(read_shard(path, &n_blobs, &err) == -1);
    CHECK_MSG(strstr(err.text, expected), "'%s' without '%s'", err.text, expected);
}

static void test_bad_blobs(void)
{
    check_bad_blob("weights", NULL, "1", 2, 2, "its kind is 'weights'");
    check_bad_blob("tokens", "0123456789abcdef", "1", 2, 2, "damaged");
    check_bad_blob("tokens", NULL, "1", -2, 2, "token 1 is -2");
    check_bad_blob("tokens", NULL, "1", 2, 1, "'offsets' do not cut");
    check_bad_blob("tokens", NULL, "2", 2, 2, "the end marker says 2");
}

static void test_writer_refuses(void)
{
    struct err err = {0};
    int32_t tokens[1] = {1};
    uint8_t mask[1] = {1};
    struct shard_writer *w = shard_writer_open(path, 10, &err);
    struct shard_seq s = {.n_tokens = 1, .tokens = tokens};
    CHECK(shard_writer_add(w, &s, &err) == 0);
    s.loss_mask = mask;
    CHECK(shard_writer_add(w, &s, &err) == -1);
    CHECK_STR(err.text, "'loss_mask' is there, unlike in earlier sequences");
    shard_writer_abort(w);
}

static void test_sniff(void)
{
    struct err err = {0};
    static const char *const texts[] = {"{\"a\":1}\n", "", " {\"a\":1}\n", "\x40\0\0\0\0\0\0\0[1"};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        CHECK(file_write_atomic(path, texts[i], i == 3 ? 10 : strlen(texts[i]), &err) == 0);
        struct stream *s = stream_open(path, &err);
        CHECK(!shard_sniff(s));
        stream_close(s);
    }
    write_shard(path, 1, 10);
    struct stream *s = stream_open(path, &err);
    CHECK(shard_sniff(s));
    struct shard_reader *r = shard_reader_from(s);
    struct shard_batch b;
    CHECK(shard_reader_next(r, &b, &err) == 1);
    shard_batch_release(&b);
    shard_reader_close(r);
}

static void test_blend(void)
{
    struct err err = {0};
    int64_t n_blobs, n;
    struct shard_writer *w = shard_writer_open(path, 1000, &err);
    for (int i = 0; i < 50; i++) {
        int32_t tokens[10] = {i};
        struct shard_seq s = {.n_tokens = 10, .tokens = tokens};
        CHECK(shard_writer_add(w, &s, &err) == 0);
    }
    CHECK(shard_writer_close(w, &err) == 0);
    struct strbuf out[2] = {{0}, {0}};
    for (int round = 0; round < 2; round++) {
        struct blend *b = blend_new(7);
        CHECK(blend_add(b, "one", path, 1, &err) == 0 && blend_add(b, "two", path, 2, &err) == 0 &&
              blend_add(b, "none", "/nonexistent", 0, &err) == 0);
        w = shard_writer_open(other, 1000, &err);
        CHECK(blend_write(b, 1495, w, &err) == 0 && shard_writer_close(w, &err) == 0);
        json_t *report = blend_report(b);
        json_t *two = json_object_get(json_object_get(report, "domains"), "two");
        CHECK(json_integer_value(json_object_get(report, "tokens")) == 1500);
        CHECK(json_integer_value(json_object_get(two, "tokens")) == 1000);
        CHECK(json_number_value(json_object_get(two, "epochs")) == 2.0);
        json_decref(report);
        blend_free(b);
        CHECK(file_read(other, &out[round], &err) == 0);
    }
    CHECK(out[0].len == out[1].len && memcmp(out[0].buf, out[1].buf, out[0].len) == 0);
    n = read_shard(other, &n_blobs, &err);
    CHECK(n == 150);
    struct blend *b = blend_new(7);
    CHECK(blend_add(b, "a", path, -1, &err) == -1 && err.set);
    blend_free(b);
    strbuf_release(&out[0]);
    strbuf_release(&out[1]);
}

int main(void)
{
    struct err err = {0};
    if (!mkdtemp(dir))
        return 1;
    log_init("test_shard", LOG_WARN);
    path = path_join(dir, "a.shard");
    other = path_join(dir, "b.shard");
    test_round_trip();
    test_empty_and_joined();
    test_damage();
    test_bad_blobs();
    test_writer_refuses();
    test_sniff();
    test_blend();
    CHECK(dir_remove(dir, &err) == 0);
    free(path);
    free(other);
    return check_done();
}
