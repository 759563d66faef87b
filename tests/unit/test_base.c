/* test_base.c - errors, memory, byte strings, files, threads, signals. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/stop.h"
#include "base/strbuf.h"
#include "check.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif

static void test_err(void)
{
    struct err err = {0};
    CHECK(err_prefix(&err, "nothing to prefix") == -1 && !err.set);
    CHECK(err_set(&err, "first %d", 1) == -1 && err.set);
    CHECK(err_set(&err, "second") == -1);
    CHECK_STR(err.text, "first 1");
    CHECK(err_prefix(&err, "file:%d", 17) == -1);
    CHECK_STR(err.text, "file:17: first 1");
    err.status = EXIT_USAGE;
    err_clear(&err);
    CHECK(!err.set && err.status == 0 && err.text[0] == '\0');
    errno = ENOENT;
    CHECK(err_errno(&err, "cannot open '%s'", "x") == -1);
    CHECK_STR(err.text, "cannot open 'x': No such file or directory");
    CHECK(err_set(NULL, "nobody listens") == -1);

    /* Too long a text is cut, and a long prefix leaves room for the cause. */
    char big[3000];
    memset(big, 'a', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    err_clear(&err);
    err_set(&err, "cause");
    err_prefix(&err, "%s", big);
    CHECK(strlen(err.text) < sizeof err.text);
    CHECK_STR(err.text + strlen(err.text) - 7, ": cause");
    err_clear(&err);
    err_set(&err, "%s", big);
    CHECK(strlen(err.text) == sizeof err.text - 1);
    err_prefix(&err, "p");
    CHECK(strlen(err.text) == sizeof err.text - 1 && strncmp(err.text, "p: aaa", 6) == 0);
}

static int status_of_child(void (*fn)(void))
{
    int status = 0;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open("/dev/null", O_WRONLY);
        dup2(fd, 2);
        fn();
        _exit(0);
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static volatile size_t impossible = SIZE_MAX / 4;

static void ask_too_much(void)
{
    free(xmalloc(impossible));
}

static void overflow_a_product(void)
{
    free(xreallocarray(NULL, impossible, 8));
}

static void break_an_invariant(void)
{
    BUG("the moon is %s", "cheese");
}

static void test_mem(void)
{
    CHECK(status_of_child(overflow_a_product) == EXIT_NO_MEMORY);
#ifndef SANITIZED
    CHECK(status_of_child(ask_too_much) == EXIT_NO_MEMORY);
#else
    (void)ask_too_much; /* the sanitizer has its own opinion of such sizes */
#endif
    CHECK(status_of_child(break_an_invariant) == 1000 + SIGABRT);

    char *z = xcalloc(10, 10), *text = xasprintf("%d-%s", 5, "x"), *cut = xstrndup("hello", 2);
    CHECK(z[0] == 0 && z[99] == 0);
    CHECK_STR(text, "5-x");
    CHECK_STR(cut, "he");
    char *small = xaligned(100), *large = xaligned((size_t)5 << 20);
    CHECK((uintptr_t)small % 64 == 0 && (uintptr_t)large % 64 == 0);
    memset(small, 1, 100);
    large[((size_t)5 << 20) - 1] = 1;
    free(z), free(text), free(cut), free(small), free(large);

    int *numbers = NULL, n = 0, cap = 0;
    for (; n < 1000; n++) {
        GROW(numbers, n, cap);
        numbers[n] = n;
    }
    CHECK(cap >= 1000 && numbers[0] == 0 && numbers[999] == 999);
    free(numbers);
}

static void test_arena(void)
{
    struct arena a = {0};
    char *kept[200];
    bool aligned = true, intact = true;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 200; i++) {
            size_t n = (size_t)i * 37 + (i == 150 ? 500000 : 1);
            kept[i] = arena_alloc(&a, n);
            memset(kept[i], i, n);
            aligned = aligned && (uintptr_t)kept[i] % 16 == 0;
        }
        for (int i = 0; i < 200; i++)
            intact = intact && kept[i][0] == (char)i && kept[i][i * 37] == (char)i;
        CHECK_STR(arena_strdup(&a, "word"), "word");
        arena_release(&a);
        CHECK(!a.first && !a.current);
    }
    CHECK(aligned && intact);
    arena_release(&a);
}

static void test_strbuf(void)
{
    struct strbuf s = {0};
    strbuf_adds(&s, "ab");
    strbuf_addc(&s, 'c');
    strbuf_addf(&s, "%04d", 7);
    strbuf_add(&s, "\0z", 2);
    CHECK(s.len == 9 && memcmp(s.buf, "abc0007\0z", 10) == 0);
    strbuf_clear(&s);
    CHECK(s.len == 0 && s.buf[0] == '\0');
    for (int i = 0; i < 10000; i++)
        strbuf_addc(&s, (char)('a' + i % 26));
    CHECK(s.len == 10000 && s.buf[9999] == 'a' + 9999 % 26 && s.buf[10000] == '\0');
    strbuf_addf(&s, "%5000d", 1);
    CHECK(s.len == 15000 && s.buf[14999] == '1');
    size_t n;
    char *bytes = strbuf_detach(&s, &n);
    CHECK(n == 15000 && !s.buf && s.len == 0);
    free(bytes);
    bytes = strbuf_detach(&s, NULL);
    CHECK_STR(bytes, "");
    free(bytes);
    strbuf_reserve(&s, 100);
    CHECK(s.cap >= 101 && s.buf[0] == '\0');
    strbuf_release(&s);
}

static int entries(const char *path)
{
    int n = 0;
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    if (d)
        closedir(d);
    return n;
}

static void check_content(const char *path, const char *want)
{
    struct strbuf s = {0};
    struct err err = {0};
    CHECK_MSG(file_read(path, &s, &err) == 0, "%s", err.text);
    CHECK_STR(s.buf, want);
    strbuf_release(&s);
}

static void test_atomic_file(const char *dir)
{
    struct err err = {0};
    struct atomic_file f;
    char *path = path_join(dir, "a.txt");
    CHECK(atomic_file_open(&f, path, &err) == 0);
    fputs("half", f.fp);
    fflush(f.fp);
    CHECK(!file_exists(path) && entries(dir) == 1);
    atomic_file_abort(&f);
    CHECK(entries(dir) == 0);
    atomic_file_abort(&f);

    CHECK(file_write_atomic(path, "one", 3, &err) == 0);
    check_content(path, "one");
    chmod(path, 0600);
    CHECK(atomic_file_open(&f, path, &err) == 0);
    fputs("two", f.fp);
    check_content(path, "one");
    CHECK(atomic_file_commit(&f, &err) == 0);
    check_content(path, "two");
    struct stat st;
    CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
    CHECK(entries(dir) == 1);

    /* Through a link the target is replaced and the link stays. */
    char *link_name = path_join(dir, "link");
    CHECK(symlink("a.txt", link_name) == 0);
    CHECK(file_write_atomic(link_name, "three", 5, &err) == 0);
    CHECK(lstat(link_name, &st) == 0 && S_ISLNK(st.st_mode));
    check_content(path, "three");
    CHECK(!err.set);

    CHECK(file_write_atomic("/dev/null", "x", 1, &err) == 0);
    CHECK(stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode));
    CHECK(file_write_atomic("/dev/full", "x", 1, &err) < 0);
    CHECK_STR(err.text, "cannot write '/dev/full': No space left on device");
    err_clear(&err);
    CHECK(file_write_atomic(dir, "x", 1, &err) < 0);
    err_clear(&err);
    CHECK(file_write_atomic("/nonexistent/x", "x", 1, &err) < 0);
    CHECK_STR(err.text, "cannot create '/nonexistent/x': No such file or directory");
    unlink(path), unlink(link_name);
    free(path), free(link_name);
}

static void test_whole_files(const char *dir)
{
    struct err err = {0};
    struct strbuf s = {0};
    CHECK(file_read("/nonexistent", &s, &err) < 0);
    CHECK_STR(err.text, "cannot open '/nonexistent': No such file or directory");
    err_clear(&err);
    CHECK(file_read(dir, &s, &err) < 0);
    err_clear(&err);
    CHECK(file_read("/proc/self/status", &s, &err) == 0 && s.len > 100); /* size 0 by stat */

    size_t n = 1000003;
    char *bytes = xmalloc(n), *path = path_join(dir, "path");
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)(i * i >> 3);
    CHECK(file_write_atomic(path, bytes, n, &err) == 0);
    CHECK(file_read(path, &s, &err) == 0 && s.len == n && memcmp(s.buf, bytes, n) == 0);

    char a[40], b[40];
    bytes_digest(bytes, n, a);
    CHECK(file_digest(path, b, &err) == 0);
    CHECK_STR(a, b);
    bytes_digest("", 0, a); /* as xxhsum -H2 prints it */
    CHECK_STR(a, "xxh3:99aa06d3014798d86001c324468d497f");
    CHECK(file_digest("/nonexistent", a, &err) < 0);
    err_clear(&err);

    unlink(path);
    free(bytes), free(path);
    strbuf_release(&s);
}

static void check_join(const char *dir, const char *name, const char *want)
{
    char *path = path_join(dir, name);
    CHECK_STR(path, want);
    free(path);
}

static void check_dirname(const char *path, const char *want)
{
    char *dir = path_dirname(path);
    CHECK_STR(dir, want);
    free(dir);
}

static void test_dirs(const char *dir)
{
    struct err err = {0};
    check_join("a", "b", "a/b");
    check_join("a/", "b", "a/b");
    check_join("", "b", "b");
    check_join("a", "/b", "/b");
    check_dirname("a", ".");
    check_dirname("a/b", "a");
    check_dirname("/a", "/");

    char *deep = path_join(dir, "x/y/z/"), *top = path_join(dir, "x"), *moved = path_join(dir, "m");
    CHECK(dir_make(deep, &err) == 0 && dir_exists(deep));
    CHECK(dir_make(deep, &err) == 0);
    CHECK(!file_exists(deep));
    char *file = path_join(deep, "f"), *under = path_join(file, "g");
    CHECK(file_write_atomic(file, "1", 1, &err) == 0);
    CHECK(dir_make(under, &err) < 0);
    err_clear(&err);
    CHECK(dir_commit(top, moved, &err) == 0);
    CHECK(dir_exists(moved) && !dir_exists(top));
    CHECK(dir_remove(moved, &err) == 0 && entries(dir) == 0);
    CHECK(dir_remove(moved, &err) < 0);
    free(deep), free(top), free(moved), free(file), free(under);
}

static void put(const char *dir, const char *name, const char *text)
{
    struct err err = {0};
    char *path = path_join(dir, name);
    CHECK(file_write_atomic(path, text, strlen(text), &err) == 0);
    free(path);
}

static bool has(const char *dir, const char *name)
{
    char *path = path_join(dir, name);
    bool is = file_exists(path) || dir_exists(path);
    free(path);
    return is;
}

static void test_atomic_dir(const char *dir)
{
    struct err err = {0};
    struct atomic_dir d;
    char *path = path_join(dir, "set/of/files");

    CHECK(atomic_dir_open(&d, path, &err) == 0);
    put(d.tmp, "a", "new");
    CHECK(!has(path, "a"));
    atomic_dir_abort(&d);
    CHECK(!dir_exists(path)); /* it was empty */

    put(dir, "set/of/stays", "old");
    CHECK(atomic_dir_open(&d, path, &err) == 0);
    free(d.path); /* interrupted: nobody tidies up */
    free(d.tmp);
    CHECK(atomic_dir_open(&d, path, &err) == 0);
    put(d.tmp, "a", "new");
    put(d.tmp, "last", "new");
    CHECK(atomic_dir_commit(&d, "last", &err) == 0);
    CHECK(has(path, "a") && has(path, "last") && !has(path, ".writing.tmp"));

    CHECK(atomic_dir_open(&d, path, &err) == 0);
    put(d.tmp, "b", "new");
    CHECK(atomic_dir_commit(&d, "last", &err) < 0); /* it is not there */
    CHECK(strstr(err.text, "last"));
    err_clear(&err);
    CHECK(atomic_dir_open(&d, path, &err) == 0);
    atomic_dir_abort(&d);
    CHECK(has(path, "a") && has(path, "last") && !has(path, ".writing.tmp"));
    CHECK(same_directory(path, path) && !same_directory(path, dir));
    CHECK(!same_directory(path, "no/such"));
    free(path);
    path = path_join(dir, "set");
    CHECK(dir_remove(path, &err) == 0);
    free(path);
}

static void test_files(void)
{
    char dir[] = "/tmp/test_base.XXXXXX";
    struct err err = {0};
    if (!mkdtemp(dir))
        BUG("mkdtemp failed");
    test_atomic_file(dir);
    test_atomic_dir(dir);
    test_whole_files(dir);
    test_dirs(dir);
    CHECK(dir_remove(dir, &err) == 0);
}

struct sum {
    int64_t values[5000];
    int hits[5000], max_thread;
    int64_t nested[16];
};

static void square(void *arg, int64_t i, int thread)
{
    struct sum *s = arg;
    s->values[i] = i * i;
    s->hits[i]++;
    if (thread < 0 || thread >= pool_threads())
        s->max_thread = -1;
}

static void count_nested(void *arg, int64_t i, int thread)
{
    (void)i;
    (void)thread;
    ++*(int64_t *)arg; /* no lock: a nested loop is serial */
}

static void nest(void *arg, int64_t i, int thread)
{
    struct sum *s = arg;
    (void)thread;
    pool_for(100, count_nested, &s->nested[i]);
}

static void test_pool(void)
{
    CHECK(pool_threads() == 1); /* works before pool_init, too */
    for (int threads = 0; threads <= 5; threads++) {
        if (threads > 0) {
            pool_init(threads);
            CHECK(pool_threads() == threads);
        }
        struct sum s = {0};
        int rounds = 2000, bad = 0;
        for (int r = 0; r < rounds; r++) {
            int64_t n = r % 7 == 0 ? 5000 : r % 50;
            int64_t got = 0, want = 0;
            memset(s.values, 0, sizeof s.values);
            pool_for(n, square, &s);
            for (int64_t i = 0; i < n; i++) {
                got += s.values[i];
                want += i * i;
            }
            bad += got != want;
            if (r % 500 == 0)
                usleep(2000); /* let the workers fall asleep */
        }
        CHECK(bad == 0 && s.max_thread == 0);
        pool_for(16, nest, &s);
        for (int i = 0; i < 16; i++)
            CHECK(s.nested[i] == 100);
    }
    pool_init(0);
    CHECK(pool_threads() >= 1);
    pool_release();
    pool_release();
    CHECK(pool_threads() == 1);
}

static void interrupt_twice(void)
{
    stop_install();
    raise(SIGINT);
    if (!stop_requested())
        _exit(1);
    raise(SIGINT);
}

static void test_stop(void)
{
    CHECK(status_of_child(interrupt_twice) == 1000 + SIGINT);
    stop_install();
    CHECK(!stop_requested() && !stop_checkpoint_requested());
    raise(SIGUSR2);
    CHECK(stop_checkpoint_requested() && !stop_checkpoint_requested() && !stop_requested());
    raise(SIGTERM);
    CHECK(stop_requested() && stop_requested());
    raise(SIGTERM);
    raise(SIGUSR1);
    CHECK(stop_requested());
}

int main(void)
{
    test_err();
    test_mem();
    test_arena();
    test_strbuf();
    test_files();
    test_pool();
    test_stop();
    return check_done();
}
