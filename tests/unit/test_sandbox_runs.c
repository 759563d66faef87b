/* The sandbox from outside: what goes in and comes out, how runs end, what is left behind, a killed
 * parent, a busy machine.  LONG=1 makes 100,000 runs instead of 300, LONG=N makes N. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/mem.h"
#include "reward/sandbox_internal.h"
#include "tests/unit/check.h"

static struct sandbox *s;

static const char *const *shell(const char *script)
{
    static const char *argv[4] = {"/bin/sh", "-c", NULL, NULL};
    argv[2] = script;
    return argv;
}

static struct sandbox_limits seconds(double cpu, double idle)
{
    struct sandbox_limits l = sandbox_default_limits;
    l.cpu_seconds = cpu;
    l.idle_seconds = idle;
    return l;
}

static struct sandbox_result run(const char *script, const struct sandbox_limits *l)
{
    struct sandbox_program p = {.argv = shell(script)};
    struct sandbox_result r;
    struct err err = {0};
    int rc = sandbox_run(s, l, &p, &r, 1, &err);
    CHECK_MSG(rc == 0, "%s: %s", script, err.text);
    return r;
}

static void ends(const char *script, enum sandbox_end end, int code)
{
    struct sandbox_limits l = seconds(0.3, 0.3);
    struct sandbox_result r = run(script, &l);
    CHECK_MSG(r.end == end && r.code == code, "%s: %s, code %d", script, sandbox_end_name(r.end),
              r.code);
    sandbox_result_release(&r);
}

static void test_ends(void)
{
    ends("exit 0", SANDBOX_EXITED, 0);
    ends("exit 7", SANDBOX_EXITED, 7);
    ends("kill -TERM $$", SANDBOX_SIGNALED, SIGTERM);
    ends("while :; do :; done", SANDBOX_CPU, 0);
    ends("sleep 100", SANDBOX_IDLE, 0);
    ends("kill -STOP $$", SANDBOX_IDLE, 0);
    ends("sleep 100 & exit 3", SANDBOX_EXITED, 3);
    ends("yes", SANDBOX_OUTPUT, 0);
    ends("yes >&2", SANDBOX_OUTPUT, 0);
    ends("read x; [ -z \"$x\" ]", SANDBOX_EXITED, 0);
}

/* Input and output of a megabyte, both ways at once. */
static void test_streams(void)
{
    struct sandbox_limits l = seconds(10, 10);
    size_t n = (size_t)1 << 20;
    char *text = xmalloc(n);
    for (size_t i = 0; i < n; i++)
        text[i] = (char)('a' + i % 26);
    struct sandbox_program p = {.argv = shell("cat; echo done >&2"), .input = text, .n_input = n};
    struct sandbox_result r;
    struct err err = {0};
    CHECK(sandbox_run(s, &l, &p, &r, 1, &err) == 0);
    CHECK(r.end == SANDBOX_EXITED && r.out.len == n && memcmp(r.out.buf, text, n) == 0);
    CHECK(r.err.len == 5);
    sandbox_result_release(&r);
    p.argv = shell("exit 0"); /* nobody reads */
    CHECK(sandbox_run(s, &l, &p, &r, 1, &err) == 0);
    CHECK(r.end == SANDBOX_EXITED && r.code == 0);
    sandbox_result_release(&r);
    free(text);
}

static void test_files(void)
{
    struct sandbox_limits l = seconds(5, 5);
    struct sandbox_file files[] = {{"a.txt", "one\n", 4}, {"run", "#!/bin/sh\necho two\n", 19}};
    struct sandbox_program p = {
        .argv = shell("pwd; cat a.txt; ./run; env | sort; ls"), .files = files, .n_files = 2,
        .runs_files = true};
    struct sandbox_result r;
    struct err err = {0};
    CHECK(sandbox_run(s, &l, &p, &r, 1, &err) == 0);
    strbuf_addc(&r.out, '\0');
    CHECK_STR(r.out.buf, "/box\none\ntwo\nHOME=/box\nLANG=C.UTF-8\nPATH=/usr/bin:/bin\nPWD=/box\n"
                         "PYTHONDONTWRITEBYTECODE=1\nPYTHONHASHSEED=0\nTMPDIR=/box\na.txt\nrun\n");
    sandbox_result_release(&r);
    const char *none[] = {"/usr/bin/no-such-program", NULL};
    p.argv = none;
    CHECK(sandbox_run(s, &l, &p, &r, 1, &err) < 0);
    CHECK_MSG(strstr(err.text, "no-such-program: No such file"), "%s", err.text);
    err_clear(&err);
    char *big = xcalloc(1, (size_t)65 << 20);
    files[0] = (struct sandbox_file){"big", big, (size_t)65 << 20};
    p.argv = shell("exit 0");
    CHECK(sandbox_run(s, &l, &p, &r, 1, &err) < 0);
    CHECK_MSG(strstr(err.text, "big"), "%s", err.text);
    free(big);
}

/* Two that talk; the first one's end is the other's. */
static void test_pair(void)
{
    struct sandbox_limits l = seconds(5, 5);
    int there[2], back[2];
    CHECK(pipe2(there, O_CLOEXEC) == 0 && pipe2(back, O_CLOEXEC) == 0);
    int first[2] = {back[0], there[1]}, second[2] = {there[0], back[1]};
    const char *ask[] = {"/bin/sh", "-c", "echo hello >&4; read x <&3; echo \"$x\"", NULL};
    const char *reply[] = {"/bin/sh", "-c", "read x <&3; echo \"$x back\" >&4; sleep 100", NULL};
    struct sandbox_program p[2] = {{.argv = ask, .channel = first},
                                   {.argv = reply, .channel = second}};
    struct sandbox_result r[2];
    struct err err = {0};
    CHECK_MSG(sandbox_run(s, &l, p, r, 2, &err) == 0, "%s", err.text);
    strbuf_addc(&r[0].out, '\0');
    CHECK_STR(r[0].out.buf, "hello back\n");
    CHECK(r[0].end == SANDBOX_EXITED && r[1].end == SANDBOX_STOPPED);
    sandbox_result_release(&r[0]);
    sandbox_result_release(&r[1]);
}

static int count_entries(const char *path)
{
    int n = 0;
    DIR *dir = opendir(path);
    while (dir && readdir(dir))
        n++;
    if (dir)
        closedir(dir);
    return n;
}

static long lines_of(const char *path, const char *with)
{
    struct strbuf text = {0};
    struct err err = {0};
    long n = 0;
    CHECK(file_read(path, &text, &err) == 0);
    for (char *line = text.len ? text.buf : NULL, *end; line && *line; line = end ? end + 1 : NULL) {
        end = strchr(line, '\n');
        if (end)
            *end = '\0';
        if (!with)
            n++;
        else if (strncmp(line, with, strlen(with)) == 0)
            n = atol(line + strlen(with));
    }
    strbuf_release(&text);
    return n;
}

struct belongings {
    int descriptors, children, files;
    long mounts, kib;
};

static struct belongings look(void)
{
    struct belongings b = {
        .descriptors = count_entries("/proc/self/fd"),
        .files = count_entries("/tmp"),
        .mounts = lines_of("/proc/self/mountinfo", NULL),
        .kib = lines_of("/proc/self/status", "RssAnon:"),
    };
    b.children = waitpid(-1, NULL, WNOHANG) >= 0;
    return b;
}

static void test_nothing_left(void)
{
    const char *long_run = getenv("LONG");
    int n = !long_run || !*long_run ? 300 : atoi(long_run) > 1 ? atoi(long_run) : 100000;
    struct sandbox_limits l = seconds(5, 5);
    struct belongings before = {0};
    for (int i = -20; i < n; i++) {
        struct sandbox_result r = run(i % 10 ? "exit 0" : "sleep 99 & echo x >f; exit 0", &l);
        CHECK(r.end == SANDBOX_EXITED && r.code == 0);
        sandbox_result_release(&r);
        if (i == -1)
            before = look();
    }
    struct belongings after = look();
    CHECK(after.descriptors == before.descriptors);
    CHECK(after.children == 0 && before.children == 0);
    CHECK(after.mounts == before.mounts);
#ifndef __SANITIZE_ADDRESS__ /* which keeps what was freed for a while */
    CHECK_MSG(after.kib - before.kib < 1024, "%ld KiB more", after.kib - before.kib);
#endif
    if (n > 300)
        printf("%d runs: %ld KiB more\n", n, after.kib - before.kib);
}

/* The parent is killed in the middle: the kernel ends the sandbox. */
static void test_killed_parent(void)
{
    int p[2];
    char byte;
    CHECK(pipe2(p, 0) == 0);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        /* The sandbox's output is a pipe of its own, so the test listens on a channel. */
        int none = open("/dev/null", O_RDONLY), channel[2] = {none, p[1]};
        struct sandbox_limits l = seconds(100, 100);
        struct sandbox_program prog = {
            .argv = shell("for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; echo x >&4; wait"),
            .channel = channel};
        struct sandbox_result r;
        struct err err = {0};
        close(p[0]);
        _exit(sandbox_run(s, &l, &prog, &r, 1, &err) == 0);
    }
    close(p[1]);
    CHECK(read(p[0], &byte, 1) == 1); /* all nine run */
    kill(pid, SIGKILL);
    CHECK(waitpid(pid, NULL, 0) == pid);
    CHECK(read(p[0], &byte, 1) == 1); /* the newline */
    CHECK(read(p[0], &byte, 1) == 0); /* no process has the pipe any more */
    close(p[0]);
}

/* A program's end does not depend on what else the machine does. */
static void test_busy(void)
{
    static const struct {
        const char *script;
        enum sandbox_end end;
    } programs[] = {
        {"i=0; while [ $i -lt 30000 ]; do i=$((i + 1)); done", SANDBOX_EXITED},
        {"while :; do :; done", SANDBOX_CPU},
        {"sleep 0.2", SANDBOX_EXITED},
        {"sleep 100", SANDBOX_IDLE},
        {"for i in 1 2 3 4; do sh -c 'i=0; while [ $i -lt 10000 ]; do i=$((i+1)); done' & done; wait",
         SANDBOX_EXITED},
    };
    const char *long_run = getenv("LONG");
    int n = long_run && atoi(long_run) == 1 ? 40 : 1;
    struct sandbox_limits l = seconds(0.5, 0.5);
    pid_t hogs[4];
    fflush(stdout);
    for (size_t i = 0; i < ARRAY_SIZE(hogs); i++) {
        hogs[i] = fork();
        if (hogs[i] == 0) {
            for (;;)
                ;
        }
    }
    for (int k = 0; k < n; k++) {
        for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
            struct sandbox_result r = run(programs[i].script, &l);
            CHECK_MSG(r.end == programs[i].end, "busy: %s: %s, %.3f s", programs[i].script,
                      sandbox_end_name(r.end), r.cpu_seconds);
            sandbox_result_release(&r);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(hogs); i++) {
        kill(hogs[i], SIGKILL);
        waitpid(hogs[i], NULL, 0);
    }
}

int main(void)
{
    struct err err = {0};
    s = sandbox_open(&err);
    if (!s) {
        printf("skip: %s\n", err.text);
        return 77;
    }
    test_ends();
    test_streams();
    test_files();
    test_pair();
    test_nothing_left();
    test_killed_parent();
    test_busy();
    sandbox_close(s);
    return check_done();
}
