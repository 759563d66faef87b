/* test_corpus.c - documents out of archives, arrays and encodings; records that are copied against
 * records that are parsed; what is cut, at every byte. */
#include <archive.h>
#include <archive_entry.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "check.h"
#include "data/corpus.h"
#include "data/jsonl.h"

static char dir[] = "/tmp/test_corpus.XXXXXX";
static const struct corpus_options usual = {
    .split = "file", .text_field = "text", .max_bytes = 1 << 20, .max_ratio = 1000};

static int collect(void *self, const char *line, size_t n, struct err *err)
{
    (void)err;
    strbuf_add(self, line, n);
    return 0;
}

/* Reads bytes under a name into out; -1 = an error. */
static int read_bytes(const struct corpus_options *o, const char *name, const void *bytes, size_t n,
                      struct strbuf *out, struct corpus_counts *counts, struct err *err)
{
    char *path = path_join(dir, name);
    FILE *fp = fopen(path, "w");
    CHECK(fp && (n == 0 || fwrite(bytes, 1, n, fp) == n) && fclose(fp) == 0);
    strbuf_clear(out);
    err_clear(err);
    struct corpus *c = corpus_open(o, collect, out, err);
    int rc = c ? corpus_read(c, path, err) : -1;
    if (c && counts)
        *counts = *corpus_counts(c);
    corpus_close(c);
    free(path);
    return rc;
}

static int n_lines(const struct strbuf *s)
{
    int n = 0;
    for (size_t i = 0; i < s->len; i++)
        n += s->buf[i] == '\n';
    return n;
}

/* Records. */

static void random_record(struct rng *r, struct strbuf *line)
{
    static const char *const members[] = {"\"id\":\"x\"",
                                          "\"id\":17",
                                          "\"source\":\"s\"",
                                          "\"domain\":\"d\"",
                                          "\"offset\":3",
                                          "\"n\":1.50",
                                          "\"n\":-2",
                                          "\"e\":\"\\u00e9\\n\\/\"",
                                          "\"o\":{\"a\":[1]}",
                                          "\"b\":true",
                                          "\"z\":null",
                                          "\"d\":\"\x7f\"",
                                          "\"text2\":\"t\"",
                                          "\"x\" : 1e3",
                                          "\"c\":\"caf\xc3\xa9\""};
    static const char *const texts[] = {"plain",
                                        "two\\nlines and \\\"quotes\\\"",
                                        "\\u4f60\\ud83d\\ude00",
                                        "",
                                        " \\t\\n ",
                                        "\\ud800",
                                        "sl\\/ash",
                                        "caf\xc3\xa9",
                                        "\\u0000z"};
    bool used[ARRAY_SIZE(members)] = {false};
    strbuf_addc(line, '{');
    int n = (int)rng_below(r, 5), text_at = (int)rng_below(r, (uint64_t)n + 1);
    for (int i = 0; i <= n; i++) {
        size_t k = rng_below(r, ARRAY_SIZE(members));
        if (i == text_at)
            strbuf_addf(line, "%s\"text\":\"%s\"", line->buf[line->len - 1] == '{' ? "" : ",",
                        texts[rng_below(r, ARRAY_SIZE(texts))]);
        else if (!used[k] && !(k < 2 && used[1 - k]) && !((k == 5 || k == 6) && used[11 - k]))
            strbuf_addf(line, "%s%s", line->buf[line->len - 1] == '{' ? "" : ", ", members[k]);
        used[k] |= i != text_at;
    }
    strbuf_adds(line, "}\n");
}

/* With max_chars every record is parsed, and none is cut. */
static void test_flat_records(void)
{
    struct corpus_options flat = usual, parsed = usual;
    struct strbuf in = {0}, a = {0}, b = {0};
    struct err err = {0};
    struct corpus_counts x, y;
    struct rng r;
    rng_init(&r, 1, "test", 0, 0);
    strbuf_adds(&in, "{\"text\":\"first\"}\n");
    for (int i = 0; i < 3000; i++)
        random_record(&r, &in);
    for (int i = 0; i < 4; i++) {
        flat.min_chars = parsed.min_chars = i & 1 ? 6 : 0;
        flat.domain = parsed.domain = i & 2 ? "a \"domain\"" : NULL;
        parsed.max_chars = 1000000000;
        CHECK_MSG(read_bytes(&flat, "a.jsonl", in.buf, in.len, &a, &x, &err) == 0, "%s", err.text);
        CHECK(read_bytes(&parsed, "a.jsonl", in.buf, in.len, &b, &y, &err) == 0);
        CHECK(a.len == b.len && memcmp(a.buf, b.buf, a.len) == 0);
        CHECK(x.documents > 500 && x.documents == y.documents && x.bytes == y.bytes);
        CHECK(x.short_documents == y.short_documents && x.short_documents > 100);
    }
    strbuf_release(&in);
    strbuf_release(&a);
    strbuf_release(&b);
}

static void test_json(void)
{
    static const struct {
        const char *json;
        int documents; /* -1: an error */
    } cases[] = {
        {"[{\"text\":\"a\"},{\"text\":\"b ]}\\\" \"}]", 2},
        {" [ {\n\"text\" : \"a\"\n} , {\"text\":\"b\"} ] \n", 2},
        {"\xef\xbb\xbf[{\"text\":\"a\"}]", 1},
        {"[{\"text\":\"a\",\"m\":[[{}],\"]\"]}]", 1},
        {"[{\"text\":\"a\"}{\"text\":\"b\"}]", -1},
        {"[{\"text\":\"a\"},]", -1},
        {"[{\"text\":\"a\"}", -1},
        {"[{\"text\":\"a\"", -1},
        {"[{\"text\":\"a\"}] x", -1},
        {"[{\"text\":1}]", -1},
        {"[{\"text\":\"a\"}, 7]", -1},
        {"[{not json}]", -1},
    };
    struct strbuf out = {0};
    struct err err = {0};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int rc =
            read_bytes(&usual, "a.json", cases[i].json, strlen(cases[i].json), &out, NULL, &err);
        CHECK_MSG(rc == (cases[i].documents < 0 ? -1 : 0), "%s: %s", cases[i].json, err.text);
        CHECK_MSG(cases[i].documents < 0 || n_lines(&out) == cases[i].documents, "%s",
                  cases[i].json);
    }
    struct corpus_options json = usual;
    json.format = CORPUS_JSON;
    const char *pretty = "{\n  \"text\": \"a\"\n}\n{\n  \"text\": \"b\"\n}\n";
    CHECK(read_bytes(&json, "b.json", pretty, strlen(pretty), &out, NULL, &err) == 0);
    CHECK(n_lines(&out) == 2 && strstr(out.buf, "\"offset\":18"));
    const char *settings = "{\"name\": \"not a corpus\"}\n";
    CHECK(read_bytes(&usual, "c.json", settings, strlen(settings), &out, NULL, &err) == 0);
    CHECK(n_lines(&out) == 1 && strstr(out.buf, "not a corpus"));
    strbuf_release(&out);
}

/* Archives. */

static char *make_archive(const char *format, const char *const *names, const char *body, size_t *n)
{
    char *bytes = xmalloc(1 << 20);
    struct archive *a = archive_write_new();
    CHECK(archive_write_set_format_by_name(a, format) == ARCHIVE_OK);
    archive_write_set_bytes_in_last_block(a, 1);
    CHECK(archive_write_open_memory(a, bytes, 1 << 20, n) == ARCHIVE_OK);
    for (; *names; names++) {
        struct archive_entry *e = archive_entry_new();
        archive_entry_set_pathname(e, *names);
        archive_entry_set_size(e, (la_int64_t)strlen(body));
        archive_entry_set_filetype(e, AE_IFREG);
        archive_entry_set_perm(e, 0644);
        CHECK(archive_write_header(a, e) == ARCHIVE_OK);
        CHECK(archive_write_data(a, body, strlen(body)) == (la_ssize_t)strlen(body));
        archive_entry_free(e);
    }
    CHECK(archive_write_close(a) == ARCHIVE_OK);
    archive_write_free(a);
    return bytes;
}

static void test_archive(const char *format, const char *name, int kind)
{
    static const char *const names[] = {"one.txt", "d/two.txt", "three.jsonl", NULL};
    const char *body = "{\"text\":\"the same in all of them\"}\n";
    struct corpus_options o = usual;
    struct strbuf out = {0};
    struct err err = {0};
    size_t n = 0;
    o.archive = kind;
    char *bytes = make_archive(format, names, body, &n);
    CHECK_MSG(read_bytes(&o, name, bytes, n, &out, NULL, &err) == 0, "%s: %s", format, err.text);
    CHECK_MSG(n_lines(&out) == 3 && strstr(out.buf, "!d/two.txt\""), "%s: %s", format, out.buf);
    int n_taken = 0;
    for (size_t cut = 1; cut < n; cut += cut % 512 < 150 ? 3 : 23)
        n_taken += read_bytes(&o, name, bytes, cut, &out, NULL, &err) == 0 && n_lines(&out) < 3;
    CHECK_MSG(n_taken == 0, "%s: %d of the cut ones are taken for whole", format, n_taken);
    /* Damage must not crash, hang or read what is not there. */
    struct rng r;
    rng_init(&r, 1, format, 0, 0);
    for (int i = 0; i < 100; i++) {
        char *copy = xmalloc(n);
        memcpy(copy, bytes, n);
        copy[rng_below(&r, n)] = (char)rng_below(&r, 256);
        (void)!read_bytes(&o, name, copy, n, &out, NULL, &err);
        free(copy);
    }
    free(bytes);
    strbuf_release(&out);
}

static void test_names(void)
{
    static const char *const evil[] = {"../x",  "/etc/x", "a/../../x", "C:\\x",
                                       "..\\x", "a/..",   NULL};
    static const char *const good[] = {"a..b/...c", ".hidden", "a/.b", NULL};
    struct strbuf out = {0};
    struct err err = {0};
    size_t n = 0;
    for (const char *const *name = evil; *name; name++) {
        const char *const one[] = {*name, NULL};
        char *bytes = make_archive("ustar", one, "text", &n);
        CHECK_MSG(read_bytes(&usual, "x.tar", bytes, n, &out, NULL, &err) < 0, "%s", *name);
        CHECK_MSG(strstr(err.text, "leads out of it: refused"), "%s", err.text);
        free(bytes);
    }
    char *bytes = make_archive("ustar", good, "text", &n);
    CHECK(read_bytes(&usual, "x.tar", bytes, n, &out, NULL, &err) == 0 && n_lines(&out) == 3);
    free(bytes);
    strbuf_release(&out);
}

/* WARC. */

static void warc_record(struct strbuf *w, const char *type, const char *uri,
                        const char *content_type, const char *body)
{
    strbuf_addf(w, "WARC/1.0\r\nWARC-Type: %s\r\nWARC-Target-URI: %s\r\n", type, uri);
    strbuf_addf(w, "Content-Type: %s\r\nContent-Length: %zu\r\n\r\n%s\r\n\r\n", content_type,
                strlen(body), body);
}

static void test_warc(void)
{
    struct corpus_options o = usual;
    struct strbuf w = {0}, out = {0};
    struct err err = {0};
    struct corpus_counts counts = {0};
    const char *http = "application/http; msgtype=response";
    o.archive = ARCHIVE_WARC;
    warc_record(&w, "warcinfo", "x", "application/warc-fields", "software: none\r\n");
    warc_record(&w, "request", "http://a/", "application/http; msgtype=request",
                "GET / HTTP/1.1\r\n\r\n");
    warc_record(&w, "response", "<http://a/page>", http,
                "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<p>one page</p>");
    warc_record(&w, "response", "http://a/chunks", http,
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
                "4\r\nfour\r\n5;x=y\r\n and \r\n3\r\nmor\r\n0\r\n\r\n");
    warc_record(&w, "response", "http://a/none", http,
                "HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\n\r\n<p>none</p>");
    warc_record(&w, "response", "http://a/pic", http,
                "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n...");
    warc_record(&w, "response", "http://a/coded", http,
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\n\r\n...");
    warc_record(&w, "conversion", "http://a/wet", "text/plain", "the text of a page");
    CHECK_MSG(read_bytes(&o, "a.warc", w.buf, w.len, &out, &counts, &err) == 0, "%s", err.text);
    CHECK(n_lines(&out) == 3 && counts.passed_over == 3);
    CHECK(strstr(out.buf, "\"text\":\"<p>one page</p>\"") &&
          strstr(out.buf, "a.warc!http://a/page\""));
    CHECK(strstr(out.buf, "\"text\":\"four and mor\""));
    CHECK(strstr(out.buf, "\"text\":\"the text of a page\""));
    /* Cut at each byte: an error, unless it is between two records. */
    int n_whole = 0;
    for (size_t cut = 1; cut < w.len; cut++)
        n_whole += read_bytes(&o, "a.warc", w.buf, cut, &out, NULL, &err) == 0;
    CHECK_MSG(n_whole >= 8 && n_whole <= 8 * 5, "%d", n_whole);
    CHECK(read_bytes(&o, "a.warc", "WARC/1.0\r\n\r\n", 12, &out, NULL, &err) < 0);
    CHECK(read_bytes(&o, "a.warc", "text", 4, &out, NULL, &err) < 0);
    CHECK(read_bytes(&o, "a.warc", "", 0, &out, NULL, &err) < 0);
    strbuf_release(&w);
    strbuf_release(&out);
}

/* Encodings. */

static void test_encodings(void)
{
    struct corpus_options o = usual;
    struct strbuf out = {0};
    struct err err = {0};
    struct corpus_counts counts = {0};
    CHECK(read_bytes(&o, "a.txt",
                     "\xff\xfe"
                     "c\0a\0f\0\xe9\0\x60\x4f\n",
                     12, &out, &counts, &err) == 0);
    CHECK_MSG(strstr(out.buf, "\"caf\xc3\xa9\xe4\xbd\xa0"), "%s", out.buf);
    CHECK(read_bytes(&o, "a.txt", "\xfe\xff\0h\0i", 6, &out, &counts, &err) == 0);
    CHECK(strstr(out.buf, "\"hi\"") && counts.repaired == 0);
    CHECK(read_bytes(&o, "a.txt", "\xff\xfeh\0\0\xd8i\0z", 9, &out, &counts, &err) == 0);
    CHECK(counts.repaired > 0 && strstr(out.buf, "h\xef\xbf\xbd"));
    CHECK(read_bytes(&o, "a.txt", "caf\xe9", 4, &out, &counts, &err) == 0);
    CHECK(strstr(out.buf, "caf\xef\xbf\xbd") && counts.repaired == 1);
    o.encoding = "WINDOWS-1252";
    CHECK(read_bytes(&o, "a.txt", "caf\xe9 \x93q\x94 \x81", 10, &out, &counts, &err) == 0);
    CHECK(strstr(out.buf, "caf\xc3\xa9 \xe2\x80\x9cq\xe2\x80\x9d \xef\xbf\xbd") &&
          counts.repaired == 1);
    char *large = xmalloc(300000);
    memset(large, 0xe9, 300000);
    CHECK(read_bytes(&o, "a.txt", large, 300000, &out, &counts, &err) == 0);
    CHECK(counts.bytes == 600000);
    free(large);
    o.encoding = "nosuch";
    CHECK(read_bytes(&o, "a.txt", "x", 1, &out, NULL, &err) < 0);
    strbuf_release(&out);
}

static void test_headings(void)
{
    struct corpus_options o = usual;
    struct strbuf out = {0};
    struct err err = {0};
    const char *md =
        "intro\n\n# One\n\ntext\n## Two #\n```\n# no heading\n```\nmore\n#hash\n####### seven\n";
    o.split = "headings";
    CHECK(read_bytes(&o, "a.md", md, strlen(md), &out, NULL, &err) == 0);
    CHECK(n_lines(&out) == 3);
    CHECK(strstr(out.buf, "\"# One\\n\\ntext\"") && strstr(out.buf, "\"offset\":7"));
    CHECK(
        strstr(out.buf, "\"## Two #\\n```\\n# no heading\\n```\\nmore\\n#hash\\n####### seven\""));
    strbuf_release(&out);
}

int main(void)
{
    struct err err = {0};
    mem_init();
    log_init("test", LOG_WARN);
    CHECK(mkdtemp(dir) != NULL);
    test_flat_records();
    test_json();
    test_archive("cpio", "a.cpio", ARCHIVE_AUTO);
    test_archive("newc", "a.cpio", ARCHIVE_AUTO);
    test_archive("7zip", "a.7z", ARCHIVE_7Z);
    test_archive("ustar", "a.tar", ARCHIVE_AUTO);
    test_archive("zip", "a.zip", ARCHIVE_AUTO);
    test_names();
    test_warc();
    test_encodings();
    test_headings();
    CHECK(dir_remove(dir, &err) == 0);
    return check_done();
}
