/* test_dedup.c - words, signatures against sets counted in full, the index against all pairs, and
 * the quick reader of flat objects against the parser. */
#include "base/bigarray.h"
#include "base/mem.h"
#include "base/rng.h"
#include "check.h"
#include "data/json.h"
#include "data/json_flat.h"
#include "data/neardup.h"

static bool same_words(const char *a, const char *b)
{
    struct words x = {0}, y = {0};
    words_of(&x, a, strlen(a));
    words_of(&y, b, strlen(b));
    bool same = x.n == y.n && (x.n == 0 || memcmp(x.hash, y.hash, x.n * sizeof *x.hash) == 0);
    words_release(&x);
    words_release(&y);
    return same;
}

static void test_words(void)
{
    CHECK(same_words("The cat, the dog.", "  THE cat\nthe-dog"));
    CHECK(same_words("\xc3\x89T\xc3\x89 \xe2\x80\x9cou\xe2\x80\x9d", "\xc3\xa9t\xc3\xa9 ou"));
    CHECK(!same_words("ab c", "a bc"));
    CHECK(!same_words("a b", "b a"));
    CHECK(same_words("...", ""));
    struct words w = {0};
    const char *han = "\xe4\xbd\xa0\xe5\xa5\xbd ok7\xff";
    words_of(&w, han, strlen(han));
    CHECK(w.n == 3 && w.begin[1] == 3 && w.end[1] == 6 && w.begin[2] == 7 && w.end[2] == 10);
    uint64_t grams[3];
    CHECK(words_ngrams(&w, 2, grams) == 2 && grams[0] != grams[1]);
    CHECK(words_ngrams(&w, 5, grams) == 1);
    words_of(&w, "a b a b", 7);
    uint64_t four[4];
    CHECK(words_ngrams(&w, 2, four) == 3 && four[0] == four[2] && four[0] != four[1]);
    words_of(&w, "!", 1);
    CHECK(w.n == 0 && words_ngrams(&w, 2, four) == 0);
    words_release(&w);
}

/* Two sets of n numbers that share some: the estimate is within 4 standard deviations. */
static void test_similarity(void)
{
    enum { K = 256, N = 400 };
    struct minhash m;
    minhash_init(&m, K, 0);
    struct rng r;
    rng_init(&r, 1, "test", 0, 0);
    double worst = 0, sum = 0;
    int trials = 0;
    for (int shared = 0; shared <= N; shared += 20) {
        for (int again = 0; again < 5; again++, trials++) {
            uint64_t a[N], b[N];
            uint16_t x[K], y[K];
            for (int i = 0; i < N; i++) {
                a[i] = words_mix(rng_below(&r, UINT64_MAX));
                b[i] = i < shared ? a[i] : words_mix(rng_below(&r, UINT64_MAX));
            }
            minhash_sign(&m, a, N, x);
            minhash_sign(&m, b, N, y);
            double j = (double)shared / (2 * N - shared), got = minhash_similarity(x, y, K);
            double sd = sqrt(j * (1 - j) / K) + 1e-3;
            worst = check_larger(worst, fabs(got - j) / sd);
            sum += (got - j) / sd;
        }
    }
    CHECK_MSG(worst < 4, "%g standard deviations off", worst);
    CHECK_MSG(fabs(sum / trials) < 0.4, "biased by %g standard deviations", sum / trials);
    /* A k that is no multiple of the lanes gives the first ones of it. */
    struct minhash odd;
    minhash_init(&odd, 21, 0);
    uint64_t grams[3] = {1, 2, 3};
    uint16_t x[21], y[K];
    minhash_sign(&odd, grams, 3, x);
    minhash_sign(&m, grams, 3, y);
    CHECK(memcmp(x, y, sizeof x) == 0);
    minhash_release(&odd);
    minhash_release(&m);
}

static void random_text(struct rng *r, char *text, int n_words)
{
    for (int i = 0; i < n_words; i++)
        text += sprintf(text, "w%llu ", (unsigned long long)rng_below(r, 500));
}

/* The index finds what comparing all signatures finds, in memory and on disk. */
static void test_index(const char *dir)
{
    enum { N = 3000 };
    struct neardup_options o = {.ngram = 2, .bands = 64, .rows = 2, .threshold = 0.6, .dir = dir};
    struct neardup_signer signer;
    struct neardup_scratch scratch = {0};
    struct err err = {0};
    struct rng r;
    char text[2000] = "";
    size_t bytes = neardup_sign_bytes(&o);
    char *kept = xmalloc(N * bytes);
    int64_t n_kept = 0, n_dup = 0, n_missed = 0, n_wrong = 0, n_exact = 0;
    rng_init(&r, 2, "test", 0, 0);
    neardup_signer_init(&signer, &o);
    struct neardup *d = neardup_open(&o);
    struct neardup_sign *sign = xmalloc(bytes);
    for (int i = 0; i < N; i++) {
        uint64_t what = rng_below(&r, 4);
        if (what > 0 || i == 0)
            random_text(&r, text, 60); /* else the one before again, perhaps with an edit */
        else if (rng_below(&r, 2))
            text[rng_below(&r, 100)] = ' ';
        neardup_sign(&signer, &scratch, text, strlen(text), sign);
        double best = 0;
        int64_t of = -1;
        bool exact = false;
        for (int64_t k = 0; k < n_kept && !exact; k++) {
            const struct neardup_sign *s = (const void *)(kept + (size_t)k * bytes);
            exact = memcmp(s->exact, sign->exact, sizeof s->exact) == 0;
            double j = exact ? 1 : minhash_similarity(s->minhash, sign->minhash, 128);
            if (exact || (j >= o.threshold && j > best)) {
                best = j;
                of = k;
            }
        }
        struct neardup_hit hit = {.kept = -1};
        int rc = neardup_add(d, sign, &hit, &err);
        CHECK(rc >= 0);
        if (rc == 0)
            memcpy(kept + (size_t)n_kept++ * bytes, sign, bytes);
        n_dup += rc == 1;
        n_exact += rc == 1 && hit.exact;
        n_missed += of >= 0 && rc == 0;
        n_wrong += rc == 1 && (hit.kept != of || hit.exact != exact);
    }
    CHECK_MSG(n_dup > 600 && n_exact > 200, "%lld duplicates", (long long)n_dup);
    CHECK_MSG(n_missed == 0 && n_wrong == 0, "%lld missed, %lld wrong", (long long)n_missed,
              (long long)n_wrong);
    CHECK(neardup_kept(d) == n_kept);
    CHECK(neardup_bytes(d) <= n_kept * (int64_t)(24 + 2 * 128 + 65 * 10.7) + 65 * 4096 * 4);
    neardup_close(d);
    neardup_scratch_release(&scratch);
    neardup_signer_release(&signer);
    free(sign);
    free(kept);
}

static void test_bigarray(void)
{
    struct bigarray a;
    struct err err = {0};
    bigarray_init(&a, "/nonexistent");
    CHECK(bigarray_reserve(&a, 1, &err) < 0 && err.set);
    bigarray_release(&a);
    bigarray_init(&a, "/tmp");
    err_clear(&err);
    for (size_t n = 1; n <= (size_t)1 << 22; n *= 4) {
        CHECK(bigarray_reserve(&a, n, &err) == 0 && a.cap >= n);
        CHECK(a.bytes[n - 1] == 0);
        a.bytes[n - 1] = 7;
        CHECK(a.bytes[0] == 7);
    }
    bigarray_release(&a);
}

/* What the quick reader takes, the parser takes, with the same members. */
static bool flat_agrees(const char *line, size_t n, bool *taken)
{
    struct json_member m[JSON_FLAT_MEMBERS];
    struct err err = {0};
    int count = json_flat(line, n, m);
    json_t *obj = json_parse(line, n, &err);
    *taken = count >= 0;
    bool same = count < 0 || (json_is_object(obj) && json_object_size(obj) == (size_t)count);
    for (int i = 0; same && i < count; i++) {
        char *key = xstrndup(m[i].key, m[i].key_bytes);
        const json_t *value = json_object_get(obj, key);
        struct strbuf text = {0}, written = {0};
        same = value && json_is_string(value) == m[i].string;
        if (same && m[i].string) {
            json_flat_string(&m[i], &text);
            same = text.len == json_string_length(value) &&
                   memcmp(text.buf, json_string_value(value), text.len) == 0;
        }
        if (same && m[i].canonical) {
            json_write(&written, value);
            size_t q = m[i].string;
            same = written.len == m[i].value_bytes + 2 * q &&
                   memcmp(written.buf + q, m[i].value, m[i].value_bytes) == 0;
        }
        same &= json_flat_find(m, count, key) == &m[i];
        strbuf_release(&text);
        strbuf_release(&written);
        free(key);
    }
    json_decref(obj);
    return same;
}

static void test_flat(void)
{
    static const char *const takes[] = {"{}",
                                        " { } ",
                                        "{\"a\":\"b\"}",
                                        "{\"a\": 1, \"b\": -12.50, \"c\": null, \"d\": true}",
                                        "{\"t\":\"\\u00e9\\ud83d\\ude00\\n\\/\\\"\"}",
                                        "{\"t\":\"\\u0000\"}",
                                        "{\"\":\"\x7f\"}",
                                        "{\"t\":\"\xf0\x9f\x98\x80 and more than eight bytes\"}"};
    static const char *const declines[] = {"",
                                           "{",
                                           "{\"a\":}",
                                           "{\"a\":1,}",
                                           "{\"a\":1} x",
                                           "{\"a\":01}",
                                           "{\"a\":-0}",
                                           "{\"a\":1e5}",
                                           "{\"a\":[1]}",
                                           "{\"a\":1,\"a\":2}",
                                           "{\"a\":\"\\ud800\"}",
                                           "{\"a\":\"\x01\"}",
                                           "{\"a\":\"\xff\"}",
                                           "{\"a\":\"\\x\"}",
                                           "{\"a\":\"\\u12g4\"}",
                                           "{\"a\":nul}",
                                           "[1]",
                                           "{\"a\" 1}",
                                           "{\"a\":\"b",
                                           "{\"a\":\"b\\",
                                           "{\"a\":\"b\\u12",
                                           "{\"\\u0061\":1}",
                                           "{\"a\":12345678901234567}",
                                           "{\"a\":.5}",
                                           "{\"a\":1.}",
                                           "{\"a\":-}"};
    bool taken;
    for (size_t i = 0; i < ARRAY_SIZE(takes); i++)
        CHECK_MSG(flat_agrees(takes[i], strlen(takes[i]), &taken) && taken, "%s", takes[i]);
    for (size_t i = 0; i < ARRAY_SIZE(declines); i++)
        CHECK_MSG(flat_agrees(declines[i], strlen(declines[i]), &taken) && !taken, "%s",
                  declines[i]);
    /* Damaged lines, and lines cut anywhere. */
    struct rng r;
    rng_init(&r, 3, "test", 0, 0);
    int n_taken = 0, n_wrong = 0;
    for (int i = 0; i < 20000; i++) {
        char line[200];
        strcpy(line, takes[rng_below(&r, ARRAY_SIZE(takes))]);
        size_t n = strlen(line);
        for (uint64_t k = rng_below(&r, 3); k > 0; k--)
            line[rng_below(&r, n)] =
                rng_below(&r, 3) ? "{}\",:\\u0d8 \t"[rng_below(&r, 12)] : (char)rng_below(&r, 256);
        n_wrong += !flat_agrees(line, rng_below(&r, 8) ? n : rng_below(&r, n), &taken);
        n_taken += taken;
    }
    CHECK_MSG(n_wrong == 0, "%d", n_wrong);
    CHECK(n_taken > 2000);
}

int main(void)
{
    mem_init();
    test_words();
    test_similarity();
    test_index(NULL);
    test_index("/tmp");
    test_bigarray();
    test_flat();
    return check_done();
}
