/* Programs a second in the sandbox, beside the same without one, and beside bubblewrap where it is
 * installed; each by several processes at once, in turn, medians of the rounds.
 *
 *     bench_sandbox [PROCESSES [ROUNDS [SECONDS]]]
 */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "reward/sandbox.h"
#include "tests/bench/clock.h"

#define PROGRAM "/tmp/bench-sandbox-nothing"
#define MAX_ROUNDS 99

static const char *const static_argv[] = {PROGRAM, NULL};
static const char *const python_argv[] = {"/usr/bin/python3", "-I", "-S", "-c", "pass", NULL};

static struct strbuf nothing; /* the static program, as bytes */
static struct sandbox *s;

static bool run_sandbox(const char *const *argv)
{
    static const char *const inside[] = {"/box/nothing", NULL};
    struct sandbox_file file = {"nothing", nothing.buf, nothing.len};
    struct sandbox_program p = {.argv = argv};
    struct sandbox_result r;
    struct err err = {0};
    if (argv == static_argv)
        p = (struct sandbox_program){
            .argv = inside, .files = &file, .n_files = 1, .runs_files = true};
    if (sandbox_run(s, &sandbox_default_limits, &p, &r, 1, &err) < 0) {
        fprintf(stderr, "bench_sandbox: %s\n", err.text);
        return false;
    }
    bool ok = r.end == SANDBOX_EXITED && r.code == 0;
    sandbox_result_release(&r);
    return ok;
}

static bool run_plain(const char *const *argv)
{
    pid_t pid;
    int status;
    if (posix_spawn(&pid, argv[0], NULL, NULL, (char *const *)(uintptr_t)argv, environ) != 0)
        return false;
    return waitpid(pid, &status, 0) == pid && status == 0;
}

/* Namespaces and mounts alone: no seccomp, no limits, no time, nothing captured. */
static bool run_bwrap(const char *const *argv)
{
    const char *all[32] = {"/usr/bin/bwrap", "--unshare-all", "--ro-bind", "/usr", "/usr",
                           "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64",
                           "--ro-bind", "/tmp", "/tmp", "--die-with-parent"};
    int n = 15;
    while (*argv)
        all[n++] = *argv++;
    return run_plain(all);
}

/* Runs a second of n processes together. */
static double rate(bool (*run)(const char *const *), const char *const *argv, int n, double seconds)
{
    long *counts = mmap(NULL, (size_t)n * sizeof *counts, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    double begin = now();
    long sum = 0;
    for (int i = 0; i < n; i++) {
        if (fork() != 0)
            continue;
        while (now() < begin + seconds) {
            if (!run(argv)) {
                counts[i] = -1;
                _exit(1);
            }
            counts[i]++;
        }
        _exit(0);
    }
    while (wait(NULL) > 0)
        ;
    double passed = now() - begin;
    for (int i = 0; i < n; i++)
        sum = counts[i] < 0 || sum < 0 ? -1 : sum + counts[i];
    munmap(counts, (size_t)n * sizeof *counts);
    return sum < 0 ? 0 : (double)sum / passed;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void make_program(void)
{
    if (system("echo 'int main(void) { return 0; }' | gcc -O1 -static -x c -o " PROGRAM " -") != 0)
        exit(1);
    FILE *f = fopen(PROGRAM, "re");
    char bytes[65536];
    size_t n;
    while (f && (n = fread(bytes, 1, sizeof bytes, f)) > 0)
        strbuf_add(&nothing, bytes, n);
    if (f)
        fclose(f);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        bool (*run)(const char *const *);
    } ways[] = {{"sandbox", run_sandbox}, {"no sandbox", run_plain}, {"bwrap", run_bwrap}};
    static const struct {
        const char *name;
        const char *const *argv;
    } programs[] = {{"static program", static_argv}, {"python3 -I -S", python_argv}};
    static double rates[2][3][MAX_ROUNDS];
    int n = argc > 1 ? atoi(argv[1]) : 2, rounds = argc > 2 ? atoi(argv[2]) : 5;
    double seconds = argc > 3 ? atof(argv[3]) : 1;
    struct err err = {0};
    s = sandbox_open(&err);
    if (!s || rounds > MAX_ROUNDS || rounds < 1) {
        fprintf(stderr, "bench_sandbox: %s\n", s ? "wrong number of rounds" : err.text);
        return 1;
    }
    make_program();
    for (int k = 0; k < rounds; k++) {
        for (int p = 0; p < 2; p++) {
            for (int w = 0; w < 3; w++) {
                if (w < 2 || access("/usr/bin/bwrap", X_OK) == 0)
                    rates[p][w][k] = rate(ways[w].run, programs[p].argv, n, seconds);
            }
        }
    }
    printf("%d processes, median (least to most) of %d rounds, runs a second\n", n, rounds);
    for (int p = 0; p < 2; p++) {
        for (int w = 0; w < 3; w++) {
            qsort(rates[p][w], (size_t)rounds, sizeof(double), by_size);
            printf("%-15s %-11s %7.0f (%.0f to %.0f)\n", programs[p].name, ways[w].name,
                   rates[p][w][rounds / 2], rates[p][w][0], rates[p][w][rounds - 1]);
        }
    }
    unlink(PROGRAM);
    strbuf_release(&nothing);
    sandbox_close(s);
    return 0;
}
