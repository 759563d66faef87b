/* test_jsonl.c - filters: order, threads, bad records, what comes out when. */
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/tool.h"
#include "check.h"
#include "data/jsonl.h"

static char dir[] = "/tmp/test_jsonl.XXXXXX";
static char *in_path, *out_path, *rejects_path;

struct self {
    int64_t sum;
    bool finished;
};

/* Copies the record twice if "n" is even, drops it if it is 7, refuses 13, stops at 99. */
static int process(void *arg, struct record *rec, struct emit *out, struct err *err)
{
    int64_t n;
    (void)arg;
    if (json_get_int(rec->obj, "n", &n, err) < 0)
        return -1;
    if (n == 13)
        return err_set(err, "'n' is 13");
    if (n == 99) {
        err_set(err, "the disk is full");
        return JSONL_STOP;
    }
    json_object_set_new(rec->obj, "index", json_integer(rec->index));
    for (int i = 0; i < (n == 7 ? 0 : n % 2 ? 1 : 2); i++)
        emit(out, rec->obj);
    return 0;
}

static int finish(void *arg, struct emit *out, struct err *err)
{
    struct self *self = arg;
    (void)err;
    self->finished = true;
    emit_raw(out, "end\n", 4);
    return 0;
}

/* Runs the filter over text; its output into out. */
static int run(const struct jsonl_filter *f, const char *text, size_t n, struct strbuf *out,
               struct err *err)
{
    struct err ignored = {0};
    const char *files[] = {in_path};
    CHECK(file_write_atomic(in_path, text, n, &ignored) == 0);
    fflush(stdout);
    int kept = dup(STDOUT_FILENO);
    FILE *fp = fopen(out_path, "w");
    dup2(fileno(fp), STDOUT_FILENO);
    tool_counts = (struct tool_counts){0};
    err_clear(err);
    int rc = jsonl_run(f, files, 1, err);
    fflush(stdout);
    dup2(kept, STDOUT_FILENO);
    close(kept);
    fclose(fp);
    CHECK(file_read(out_path, out, &ignored) == 0);
    return rc;
}

static void test_simple(void)
{
    struct self self = {0};
    struct jsonl_filter f = {.self = &self, .process = process, .finish = finish};
    struct strbuf out = {0};
    struct err err = {0};
    const char *text = "\xef\xbb\xbf{\"x\":0.1,\"n\":1}\r\n\n  \n{\"n\":7}\n{\"n\":2}";
    CHECK_MSG(run(&f, text, strlen(text), &out, &err) == 0, "%s", err.text);
    CHECK_STR(out.buf, "{\"x\":0.1,\"n\":1,\"index\":0}\n{\"n\":2,\"index\":2}\n"
                       "{\"n\":2,\"index\":2}\nend\n");
    CHECK(tool_counts.in == 3 && tool_counts.out == 3 && tool_counts.rejected == 0);
    CHECK(self.finished);
    CHECK(run(&f, "", 0, &out, &err) == 0);
    CHECK_STR(out.buf, "end\n");
    strbuf_release(&out);
}

static void check_stops(const char *text, const char *expected_err, const char *expected_out)
{
    struct self self = {0};
    struct jsonl_filter f = {.self = &self, .process = process, .finish = finish};
    struct strbuf out = {0};
    struct err err = {0};
    char *expected = xasprintf("%s:%s", in_path, expected_err);
    CHECK(run(&f, text, strlen(text), &out, &err) == -1);
    CHECK_STR(err.text, expected);
    CHECK_STR(out.buf, expected_out);
    CHECK(!self.finished);
    free(expected);
    strbuf_release(&out);
}

static void test_bad_stops(void)
{
    check_stops("{\"n\":1}\n\n{\"n\":13}\n{\"n\":1}\n", "3: 'n' is 13", "{\"n\":1,\"index\":0}\n");
    check_stops("[1]\n", "1: the record is an array, expected an object", "");
    check_stops("{\"m\":1}\n", "1: 'n' is missing", "");
    check_stops("{\"n\":1}\n{\"n\":",
                "2: the line is cut (no newline at its end): not JSON: "
                "unexpected token near end of file (byte 5)",
                "{\"n\":1,\"index\":0}\n");
}

static void test_skip_bad(void)
{
    struct self self = {0};
    struct jsonl_filter f = {.self = &self, .process = process, .finish = finish};
    struct strbuf out = {0}, rejects = {0};
    struct err err = {0};
    jsonl_options.skip_bad = true;
    jsonl_options.rejects = rejects_path;
    jsonl_options.max_line_bytes = 30;
    const char *text = "{\"n\":13}\nx\xff\n{\"n\":1}\n{\"n\":1,\"long\":\"1234567890123456789\"}\n"
                       "{\"n\":3}\n";
    CHECK_MSG(run(&f, text, strlen(text), &out, &err) == 0, "%s", err.text);
    CHECK_STR(out.buf, "{\"n\":1,\"index\":2}\n{\"n\":3,\"index\":4}\nend\n");
    CHECK(tool_counts.in == 5 && tool_counts.out == 2 && tool_counts.rejected == 3);
    CHECK(file_read(rejects_path, &rejects, &err) == 0);
    char *expected = xasprintf("{\"file\":\"%s\",\"line\":1,\"error\":\"'n' is 13\","
                               "\"raw\":\"{\\\"n\\\":13}\"}\n",
                               in_path);
    CHECK(strncmp(rejects.buf, expected, strlen(expected)) == 0);
    CHECK(strstr(rejects.buf, "\"raw\":\"x\xef\xbf\xbd\"}"));
    free(expected);

    jsonl_options.max_rejects = 2;
    CHECK(run(&f, text, strlen(text), &out, &err) == -1 && err.status == EXIT_LIMIT);
    CHECK_STR(out.buf, "{\"n\":1,\"index\":2}\n");
    text = "{\"n\":1}\n{\"n\":99}\n";
    CHECK(run(&f, text, strlen(text), &out, &err) == -1);
    CHECK_STR(err.text, "the disk is full");
    jsonl_options.skip_bad = false;
    jsonl_options.rejects = NULL;
    jsonl_options.max_rejects = -1;
    jsonl_options.max_line_bytes = (int64_t)64 << 20;
    strbuf_release(&out);
    strbuf_release(&rejects);
}

static int count(void *arg, struct record *rec, struct emit *out, struct err *err)
{
    struct self *self = arg;
    (void)err;
    self->sum = (self->sum * 31 + rec->index) % 1000003; /* order matters */
    json_object_set_new(rec->obj, "sum", json_integer(self->sum));
    emit(out, rec->obj);
    return 0;
}

/* The bytes do not depend on the number of threads. */
static void test_threads(void)
{
    struct strbuf text = {0}, out[2] = {{0}, {0}};
    struct err err = {0};
    for (int i = 0; i < 5000; i++)
        strbuf_addf(&text, "{\"n\":%d,\"pad\":\"%*s\"}\n", i == 13 || i == 99 ? 0 : i, i % 300, "");
    for (int serial = 0; serial < 2; serial++) {
        for (int round = 0; round < 2; round++) {
            struct self self = {0};
            struct jsonl_filter f = {
                .self = &self, .process = serial ? count : process, .serial = serial};
            pool_init(round ? 4 : 1);
            CHECK_MSG(run(&f, text.buf, text.len, &out[round], &err) == 0, "%s", err.text);
            pool_release();
            CHECK(tool_counts.in == 5000);
        }
        CHECK(out[0].len == out[1].len && memcmp(out[0].buf, out[1].buf, out[0].len) == 0);
    }
    strbuf_release(&text);
    strbuf_release(&out[0]);
    strbuf_release(&out[1]);
}

/* Gathers on all threads, works off a batch at a time; refuses to when it has seen 14. */
static int gather(void *arg, struct record *rec, struct emit *out, struct err *err)
{
    int64_t n;
    (void)out;
    if (json_get_int(rec->obj, "n", &n, err) < 0)
        return -1;
    __atomic_fetch_add(&((struct self *)arg)->sum, n, __ATOMIC_RELAXED);
    return 0;
}

static int work_off(void *arg, struct emit *out, struct err *err)
{
    struct self *self = arg;
    int64_t sum = self->sum;
    self->sum = 0;
    if (sum)
        emit_raw(out, sum % 2 ? "odd\n" : "even\n", sum % 2 ? 4 : 5);
    return sum == 14 ? err_set(err, "fourteen") : 0;
}

static void test_batch(void)
{
    struct self self = {0};
    struct jsonl_filter f = {.self = &self, .process = gather, .batch = work_off, .finish = finish};
    struct strbuf text = {0}, out = {0};
    struct err err = {0};
    CHECK_MSG(run(&f, "{\"n\":2}\n{\"n\":3}\n", 16, &out, &err) == 0, "%s", err.text);
    CHECK_STR(out.buf, "odd\nend\n");
    /* What it says before it fails is written. */
    self.finished = false;
    CHECK(run(&f, "{\"n\":14}\n", 9, &out, &err) == -1 && !self.finished);
    CHECK_STR(out.buf, "even\n");
    CHECK_STR(err.text, "fourteen");
    for (int i = 0; i < 3000; i++)
        strbuf_adds(&text, "{\"n\":4}\n");
    CHECK_MSG(run(&f, text.buf, text.len, &out, &err) == 0, "%s", err.text);
    CHECK_MSG(out.len >= 5 * 3 && strncmp(out.buf, "even\neven\neven\n", 15) == 0, "%s", out.buf);
    strbuf_release(&text);
    strbuf_release(&out);
}

static void test_reader(void)
{
    struct err err = {0};
    struct record rec;
    const char *files[] = {in_path, in_path};
    CHECK(file_write_atomic(in_path, "{\"a\":1}\n{\"a\":2}\n", 16, &err) == 0);
    struct jsonl_reader *r = jsonl_reader_open(files, 2, &err);
    int64_t n = 0;
    while (jsonl_reader_next(r, &rec, &err) == 1) {
        CHECK(rec.index == n && rec.line == n % 2 + 1 && strcmp(rec.file, in_path) == 0);
        n++;
        json_decref(rec.obj);
    }
    CHECK(n == 4 && !err.set);
    err_set(&err, "no good");
    CHECK(jsonl_reader_reject(r, &rec, &err) == -1 && strstr(err.text, ": no good"));
    jsonl_reader_close(r);

    err_clear(&err);
    char *argv[] = {xstrdup("x"), xstrdup("--rejects"), xstrdup(rejects_path), NULL};
    const char *operands[4];
    CHECK(opt_parse(jsonl_option_table, 3, argv, operands, &err) < 0 && err.status == EXIT_USAGE);
    CHECK_STR(err.text, "--rejects needs --skip-bad");
    for (int i = 0; i < 3; i++)
        free(argv[i]);
    jsonl_options.rejects = NULL;
}

int main(void)
{
    struct err err = {0};
    if (!mkdtemp(dir))
        return 1;
    mem_init();
    log_init("test_jsonl", LOG_WARN);
    in_path = path_join(dir, "in.jsonl");
    out_path = path_join(dir, "out.jsonl");
    rejects_path = path_join(dir, "rejects.jsonl");
    pool_init(2);
    test_simple();
    test_bad_stops();
    pool_release();
    test_threads();
    pool_init(2);
    test_skip_bad();
    test_batch();
    test_reader();
    pool_release();
    CHECK(dir_remove(dir, &err) == 0);
    free(in_path);
    free(out_path);
    free(rejects_path);
    return check_done();
}
