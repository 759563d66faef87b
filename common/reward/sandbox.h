/* sandbox.h - runs programs that nobody trusts: no network, no files but theirs, bounded time.
 *
 * Layers, each of them needed (tests/unit/test_sandbox.c shows an attack that
 * gets through without it):
 *   user, pid, mount, network, IPC, UTS and cgroup namespaces; no capability
 *   a read-only root that has only /usr, a few devices and ld.so's cache
 *   /box, the working directory: a private file system of bounded size
 *   Landlock: what may be read, written and executed in there
 *   seccomp: an allow-list of system calls
 *   resource limits, and a watch over the time and memory of all processes together
 *   a clean environment, no descriptors, no /proc
 *
 * No cgroups and no privileges are needed; it works as root, too, where the
 * program runs as a user that owns nothing.  If one layer is missing nothing is
 * run: sandbox_open() tries them all from inside and names the one that is not
 * there.
 *
 * Time is counted on the processor, not on the wall: on a busy machine a program
 * is as fast as on an idle one.  A program that neither runs nor waits for a
 * processor is idle; that is counted, too.  The wall is a backstop: who reaches
 * it was not given the machine, and there is no result.
 *
 * Out of scope: faults of the kernel (for hostile authors use a machine that is
 * used for nothing else), and channels through time and caches.
 *
 *     struct sandbox *s = sandbox_open(&err);
 *     struct sandbox_limits limits = sandbox_default_limits;
 *     const char *argv[] = {"/usr/bin/python3", "-sS", "main.py", NULL};
 *     struct sandbox_file file = {"main.py", text, strlen(text)};
 *     struct sandbox_program p = {.argv = argv, .files = &file, .n_files = 1};
 *     struct sandbox_result r;
 *     if (sandbox_run(s, &limits, &p, &r, 1, &err) < 0)   // not run, or no result
 *     ... r.end, r.code, r.out ...
 *     sandbox_result_release(&r);
 *     sandbox_close(s);
 *
 * The process must have one thread and may have other children.
 */
#ifndef TP_REWARD_SANDBOX_H
#define TP_REWARD_SANDBOX_H

#include <stdint.h>

#include "base/strbuf.h"

struct sandbox_limits {
    double cpu_seconds;   /* of all its processes together */
    double idle_seconds;  /* asleep, all together */
    double wall_seconds;  /* the backstop */
    int64_t memory_bytes; /* address space of each process; twice as much resident in all */
    int64_t disk_bytes;   /* of /box */
    int64_t output_bytes; /* of standard output, and of standard error */
    int n_processes, n_files, n_inodes;
};
/* 10 s, 10 s asleep, 1 GiB, 64 MiB of disk, 4 MiB of output, 32 processes or threads. */
extern const struct sandbox_limits sandbox_default_limits;

/* Put into /box before the program starts, for its user to read, write and execute. */
struct sandbox_file {
    const char *name; /* without '/' */
    const void *bytes;
    size_t n;
};

struct sandbox_program {
    const char *const *argv; /* ends with NULL; argv[0] is a path in /usr, or in /box */
    const struct sandbox_file *files;
    int n_files;
    const void *input; /* its standard input */
    size_t n_input;
    const int *channel; /* two descriptors that become its 3 and 4, or NULL */
    bool runs_files;    /* may execute what is in /box */
};

enum sandbox_end {
    SANDBOX_EXITED,   /* code: its status */
    SANDBOX_SIGNALED, /* code: the signal */
    SANDBOX_CPU,
    SANDBOX_IDLE,
    SANDBOX_MEMORY,
    SANDBOX_OUTPUT,
    SANDBOX_STOPPED /* because the first program had ended */
};
/* "exited", "used too much CPU time", ... */
const char *sandbox_end_name(enum sandbox_end end);

struct sandbox_result {
    enum sandbox_end end;
    int code;
    double cpu_seconds;
    struct strbuf out, err; /* what it wrote, up to the limit */
};
void sandbox_result_release(struct sandbox_result *r);

struct sandbox;
/* Tries every layer; NULL if one is missing. */
struct sandbox *sandbox_open(struct err *err);
void sandbox_close(struct sandbox *s);
/* Runs n programs at once, each in a sandbox of its own; the end of the first stops the others.
 * -1: at least one was not run or has no result; nothing follows about the programs. */
int sandbox_run(const struct sandbox *s, const struct sandbox_limits *limits,
                const struct sandbox_program *p, struct sandbox_result *r, int n,
                struct err *err) WARN_UNUSED;

#endif
