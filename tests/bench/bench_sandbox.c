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
#include <sys/resource.h>
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

static double cpu_of_children(void)
{
    struct rusage u;
    getrusage(RUSAGE_CHILDREN, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

struct speed {
    double rate; /* runs a second of n processes together */
    double cpu;  /* seconds of CPU a run, which says something on a busy machine, too */
};

static struct speed measure(bool (*run)(const char *const *), const char *const *argv, int n, double seconds)
{
    long *counts = mmap(NULL, (size_t)n * sizeof *counts, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    double begin = now(), cpu = cpu_of_children();
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
    if (sum <= 0)
        return (struct speed){0, 0};
    return (struct speed){(double)sum / passed, (cpu_of_children() - cpu) / (double)sum};
}

static int by_size(const void *a, const void *b)
{
    double x = ((const struct speed *)a)->rate, y = ((const struct speed *)b)->rate;
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
    static struct speed speeds[2][3][MAX_ROUNDS];
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
                    speeds[p][w][k] = measure(ways[w].run, programs[p].argv, n, seconds);
            }
        }
    }
    printf("%d processes, medians (least to most) of %d rounds\n", n, rounds);
    for (int p = 0; p < 2; p++) {
        for (int w = 0; w < 3; w++) {
            struct speed *x = speeds[p][w];
            qsort(x, (size_t)rounds, sizeof *x, by_size);
            printf("%-15s %-11s %6.0f runs/s (%.0f to %.0f) %7.2f ms of CPU a run\n",
                   programs[p].name, ways[w].name, x[rounds / 2].rate, x[0].rate,
                   x[rounds - 1].rate, x[rounds / 2].cpu * 1e3);
        }
    }
    unlink(PROGRAM);
    strbuf_release(&nothing);
    sandbox_close(s);
    return 0;
}
