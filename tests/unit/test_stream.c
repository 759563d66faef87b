/* test_stream.c - lines, compression, cut streams. */
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "check.h"
#include "data/stream.h"

static char dir[] = "/tmp/test_stream.XXXXXX";

static char *in_dir(const char *name)
{
    return path_join(dir, name);
}

static void write_file(const char *path, const void *bytes, size_t n)
{
    struct err err = {0};
    CHECK(file_write_atomic(path, bytes, n, &err) == 0);
}

static void test_lines(void)
{
    char *path = in_dir("lines");
    write_file(path, "one\r\n\ntwo\nlast", 14);
    struct err err = {0};
    struct stream *s = stream_open(path, &err);
    struct strbuf line = {0};
    bool cut = true;
    CHECK(stream_ready(s));
    CHECK(stream_line(s, &line, 0, &cut, &err) == 1 && !cut);
    CHECK_STR(line.buf, "one");
    CHECK(stream_offset(s) == 5);
    CHECK(stream_line(s, &line, 0, &cut, &err) == 1 && line.len == 0);
    CHECK(stream_line(s, &line, 0, NULL, &err) == 1);
    CHECK_STR(line.buf, "two");
    CHECK(stream_line(s, &line, 0, &cut, &err) == 1 && cut);
    CHECK_STR(line.buf, "last");
    CHECK(stream_line(s, &line, 0, &cut, &err) == 0 && !cut);
    CHECK(stream_rewind(s, &err));
    CHECK(stream_line(s, &line, 3, NULL, &err) == -1 && stream_line_too_long(s)); /* "one\r" */
    err_clear(&err);
    CHECK(stream_line(s, &line, 3, NULL, &err) == 1);
    CHECK(stream_line(s, &line, 3, NULL, &err) == 1);
    CHECK_STR(line.buf, "two");
    strbuf_release(&line);
    stream_close(s);
    CHECK(!stream_open("/nonexistent/x", &err) && err.set);
    err_clear(&err);
    CHECK(!stream_open(dir, &err) && err.set);
    free(path);
}

/* Reads all of a file; -1 with an error set, else the length. */
static ssize_t read_all(const char *path, struct strbuf *out, struct err *err)
{
    struct stream *s = stream_open(path, err);
    ssize_t got = -1;
    strbuf_clear(out);
    char buf[777];
    while (s && (got = stream_read(s, buf, sizeof buf, err)) > 0)
        strbuf_add(out, buf, (size_t)got);
    stream_close(s);
    return got < 0 ? -1 : (ssize_t)out->len;
}

static void fill(struct strbuf *text, int n)
{
    unsigned x = 1;
    for (int i = 0; i < n; i++) {
        x = x * 1103515245u + 12345u;
        strbuf_addf(text, "line %d %u\n", i, x >> 16);
    }
}

static void check_suffix(const char *suffix, const struct strbuf *text)
{
    char *name = xasprintf("out%s", suffix), *path = in_dir(name), *cut_path = in_dir("cut");
    struct err err = {0};
    struct strbuf packed = {0}, again = {0}, back = {0};
    for (int round = 0; round < 2; round++) {
        struct stream_out *o = stream_out_open(path, &err);
        CHECK(o != NULL);
        size_t half = text->len / 2;
        CHECK(stream_out_write(o, text->buf, half, &err) == 0);
        CHECK(stream_out_write(o, text->buf + half, text->len - half, &err) == 0);
        CHECK(stream_out_commit(o, &err) == 0);
        CHECK(file_read(path, round ? &again : &packed, &err) == 0);
    }
    CHECK(packed.len == again.len && memcmp(packed.buf, again.buf, packed.len) == 0);
    CHECK((packed.len < text->len) == (suffix[0] != '\0'));
    CHECK(read_all(path, &back, &err) == (ssize_t)text->len);
    CHECK(memcmp(back.buf, text->buf, text->len) == 0);
    CHECK_MSG(!err.set, "%s", err.text);

    /* Cut anywhere behind the magic number: an error, never a short result. */
    for (size_t n = 6; suffix[0] && n < packed.len; n += 1 + n / 40) {
        write_file(cut_path, packed.buf, n);
        err_clear(&err);
        CHECK_MSG(read_all(cut_path, &back, &err) == -1 && err.set, "%s cut at %zu", suffix, n);
    }
    err_clear(&err);
    /* Two in a row are one stream. */
    strbuf_add(&packed, again.buf, again.len);
    write_file(cut_path, packed.buf, packed.len);
    CHECK(read_all(cut_path, &back, &err) == 2 * (ssize_t)text->len);
    strbuf_release(&packed);
    strbuf_release(&again);
    strbuf_release(&back);
    free(name);
    free(path);
    free(cut_path);
}

static void test_compression(void)
{
    static const char *const suffixes[] = {"", ".zst", ".gz", ".xz"};
    struct strbuf text = {0};
    fill(&text, 3000);
    for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
        check_suffix(suffixes[i], &text);
    strbuf_release(&text);
}

static void test_flipped_bit(void)
{
    char *path = in_dir("flip.zst");
    struct err err = {0};
    struct strbuf text = {0}, packed = {0}, back = {0};
    fill(&text, 300);
    struct stream_out *o = stream_out_open(path, &err);
    CHECK(stream_out_write(o, text.buf, text.len, &err) == 0 && stream_out_commit(o, &err) == 0);
    CHECK(file_read(path, &packed, &err) == 0);
    for (size_t i = 8; i < packed.len; i += 7) {
        packed.buf[i] ^= 4;
        write_file(path, packed.buf, packed.len);
        packed.buf[i] ^= 4;
        err_clear(&err);
        ssize_t n = read_all(path, &back, &err);
        CHECK_MSG(n == -1 || (n == (ssize_t)text.len && memcmp(back.buf, text.buf, text.len) == 0),
                  "bit of byte %zu", i);
    }
    strbuf_release(&text);
    strbuf_release(&packed);
    strbuf_release(&back);
    free(path);
}

static void test_ratio(void)
{
    char *path = in_dir("bomb.gz");
    struct err err = {0};
    size_t n = (size_t)16 << 20;
    char *zeros = xcalloc(1, n), buf[4096];
    struct stream_out *o = stream_out_open(path, &err);
    for (int i = 0; i < 4; i++)
        CHECK(stream_out_write(o, zeros, n, &err) == 0);
    CHECK(stream_out_commit(o, &err) == 0);
    struct stream *s = stream_open(path, &err);
    stream_limit_ratio(s, 100);
    ssize_t got;
    while ((got = stream_read(s, buf, sizeof buf, &err)) > 0)
        ;
    CHECK(got == -1 && strstr(err.text, "expands"));
    stream_close(s);
    free(zeros);
    free(path);
}

static void test_pipe(void)
{
    int fds[2];
    CHECK(pipe(fds) == 0);
    char *path = xasprintf("/dev/fd/%d", fds[0]);
    struct err err = {0};
    struct stream *s = stream_open(path, &err);
    const unsigned char *p;
    CHECK(!stream_ready(s));
    CHECK(write(fds[1], "{}\nx", 4) == 4);
    CHECK(stream_ready(s));
    struct strbuf line = {0};
    CHECK(stream_line(s, &line, 0, NULL, &err) == 1); /* without waiting for more */
    CHECK_STR(line.buf, "{}");
    CHECK(!stream_ready(s));
    close(fds[1]);
    CHECK(stream_ready(s));
    CHECK(stream_peek(s, &p, 10, &err) == 1 && p[0] == 'x');
    CHECK(!stream_rewind(s, &err) && err.set);
    err_clear(&err);
    char two[2];
    CHECK(stream_read_exact(s, two, 2, &err) == -1 && err.set);
    err_clear(&err);
    CHECK(stream_read_exact(s, two, 2, &err) == 0);
    strbuf_release(&line);
    stream_close(s);
    close(fds[0]);
    free(path);
}

static void test_abort(void)
{
    char *path = in_dir("never");
    struct err err = {0};
    struct stream_out *o = stream_out_open(path, &err);
    CHECK(stream_out_write(o, "x", 1, &err) == 0);
    stream_out_abort(o);
    CHECK(!file_exists(path));
    CHECK(!stream_out_open("/nonexistent/x.zst", &err) && err.set);
    free(path);
}

int main(void)
{
    struct err err = {0};
    if (!mkdtemp(dir))
        return 1;
    test_lines();
    test_compression();
    test_flipped_bit();
    test_ratio();
    test_pipe();
    test_abort();
    CHECK(dir_remove(dir, &err) == 0);
    return check_done();
}
