/* sandbox_child.c - inside the namespaces: process 1, and the program before it is executed.
 *
 * A copy of the parent that may call nothing that takes a lock or allocates.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "reward/sandbox_internal.h"

#define EXIT_SANDBOX 125
#define MIB ((int64_t)1 << 20)

static int report_fd = -1;

static void report(const struct sandbox_report *r)
{
    /* At most PIPE_BUF: whole or not at all. */
    if (write(report_fd, r, sizeof *r) != sizeof *r)
        _exit(EXIT_SANDBOX);
}

noreturn void sandbox_fail(const char *where)
{
    struct sandbox_report r = {.what = REPORT_FAILED, .status = errno};
    snprintf(r.where, sizeof r.where, "%s", where);
    report(&r);
    _exit(EXIT_SANDBOX);
}

static bool has(const struct sandbox *s, unsigned layer)
{
    return !(s->without & layer);
}

/* The program. */

static void limit(int what, int64_t most)
{
    struct rlimit l = {(rlim_t)most, (rlim_t)most};
    if (setrlimit(what, &l) < 0)
        sandbox_fail("limits: setrlimit");
}

static void set_limits(const struct sandbox_limits *l)
{
    int64_t cpu = (int64_t)l->cpu_seconds + 1;
    struct rlimit time = {(rlim_t)cpu, (rlim_t)cpu + 1}; /* SIGXCPU, then SIGKILL */
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_FSIZE, l->disk_bytes);
    limit(RLIMIT_NOFILE, l->n_files);
    limit(RLIMIT_STACK, l->memory_bytes < 64 * MIB ? l->memory_bytes : 64 * MIB);
    limit(RLIMIT_MEMLOCK, 0);
    limit(RLIMIT_MSGQUEUE, 0);
    limit(RLIMIT_SIGPENDING, 256);
    /* Counted within the user namespace since Linux 5.14; init is one of them. */
    limit(RLIMIT_NPROC, l->n_processes + 1);
    if (setrlimit(RLIMIT_CPU, &time) < 0)
        sandbox_fail("limits: setrlimit");
    limit(RLIMIT_AS, l->memory_bytes);
}

static void reset_signals(void)
{
    struct sigaction sa = {.sa_handler = SIG_DFL};
    sigset_t none;
    for (int i = 1; i <= SIGRTMAX; i++)
        sigaction(i, &sa, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void drop_capabilities(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}};
    if (syscall(SYS_capset, &head, none) < 0)
        sandbox_fail("capabilities: capset");
}

/* 0, 1, 2 and, with a channel, 3 and 4; everything else is closed by execve(). */
static void set_descriptors(const struct sandbox *s, const struct sandbox_program *p,
                            const struct sandbox_pipes *fd)
{
    int from[5] = {fd->input, fd->out, fd->err, p->channel ? p->channel[0] : -1,
                   p->channel ? p->channel[1] : -1};
    int n = p->channel ? 5 : 3;
    for (int i = 0; i < n; i++) { /* out of the way first */
        from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 16);
        if (from[i] < 0)
            sandbox_fail("descriptors: fcntl");
    }
    report_fd = fcntl(report_fd, F_DUPFD_CLOEXEC, 16);
    for (int i = 0; i < n; i++) {
        if (dup2(from[i], i) < 0)
            sandbox_fail("descriptors: dup2");
    }
    if (has(s, LAYER_DESCRIPTORS) && close_range((unsigned)n, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
        sandbox_fail("descriptors: close_range");
}

static noreturn void program_main(const struct sandbox *s, const struct sandbox_limits *l,
                                  const struct sandbox_program *p, const struct sandbox_pipes *fd)
{
    static const char *const clean[] = {"PATH=/usr/bin:/bin", "HOME=" BOX, "TMPDIR=" BOX,
                                        "LANG=C.UTF-8", "PYTHONHASHSEED=0",
                                        "PYTHONDONTWRITEBYTECODE=1", NULL};
    char *const *env = has(s, LAYER_ENVIRONMENT) ? (char *const *)(uintptr_t)clean : environ;
    setsid();
    reset_signals();
    umask(077);
    set_descriptors(s, p, fd);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        sandbox_fail("no_new_privs: prctl");
    if (has(s, LAYER_LANDLOCK))
        sandbox_restrict_files(s, p->runs_files);
    drop_capabilities();
    if (has(s, LAYER_LIMITS))
        set_limits(l);
    if (has(s, LAYER_SECCOMP) && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &s->filter) < 0)
        sandbox_fail("seccomp: prctl");
    if (!p->argv)
        sandbox_probe(s, l);
    execve(p->argv[0], (char *const *)(uintptr_t)p->argv, env);
    sandbox_fail(p->argv[0]);
}

/* Process 1. */

static void write_files(const struct sandbox_program *p)
{
    for (int i = 0; i < p->n_files; i++) {
        const struct sandbox_file *f = &p->files[i];
        int fd = open(f->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
        if (fd < 0)
            sandbox_fail(f->name);
        for (size_t done = 0; done < f->n;) {
            ssize_t k = write(fd, (const char *)f->bytes + done, f->n - done);
            if (k <= 0)
                sandbox_fail(f->name);
            done += (size_t)k;
        }
        close(fd);
    }
}

/* The parent writes the maps of ids; it may also be gone already, which the second byte tells:
 * the signal at its end must be asked for after the change of user, which clears it. */
static void become_user(const struct sandbox *s, int sync)
{
    char byte;
    if (read(sync, &byte, 1) != 1)
        _exit(EXIT_SANDBOX);
    if (has(s, LAYER_USER) && (setresgid(BOX_ID, BOX_ID, BOX_ID) < 0 ||
                               setresuid(BOX_ID, BOX_ID, BOX_ID) < 0))
        sandbox_fail("user namespace: setresuid");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (write(sync, "r", 1) != 1 || read(sync, &byte, 1) != 1)
        _exit(EXIT_SANDBOX);
}

/* In want of memory these go first. */
static void be_killed_first(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (write(fd, "1000", 4) < 0)
        errno = 0; /* no harm done */
    close(fd);
}

static int wait_for(pid_t program)
{
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, 0);
        if (pid == program)
            return status;
        if (pid < 0 && errno != EINTR)
            sandbox_fail("waitpid");
    }
}

/* The program shares our memory until it is executed, which saves a copy of it; the probe needs its own.
 * Only report_fd is changed meanwhile. */
static pid_t start_program(const struct sandbox *s, const struct sandbox_limits *l,
                           const struct sandbox_program *p, const struct sandbox_pipes *fd)
{
    int own = report_fd;
    pid_t program = p->argv ? vfork() : fork();
    if (program == 0)
        program_main(s, l, p, fd);
    report_fd = own;
    return program;
}

noreturn void sandbox_init_main(const struct sandbox *s, const struct sandbox_limits *l,
                                const struct sandbox_program *p, const struct sandbox_pipes *fd)
{
    report_fd = fd->report;
    become_user(s, fd->sync);
    be_killed_first();
    if (has(s, LAYER_UTS) && sethostname("box", 3) < 0)
        sandbox_fail("UTS namespace: sethostname");
    if (has(s, LAYER_MOUNT))
        sandbox_build_root(s, l);
    else if (chdir("/tmp") < 0)
        sandbox_fail("/tmp");
    write_files(p);
    prctl(PR_SET_DUMPABLE, 0);
    pid_t program = start_program(s, l, p, fd);
    if (program < 0)
        sandbox_fail("fork");
    /* Who holds a pipe's end keeps it open: nothing but the report is ours. */
    int keep = fcntl(report_fd, F_DUPFD_CLOEXEC, 3);
    dup2(keep, 0);
    report_fd = 0;
    close_range(1, ~0u, 0);
    drop_capabilities();
    struct sandbox_report r = {.what = REPORT_ENDED};
    r.status = wait_for(program);
    report(&r);
    _exit(0); /* with process 1 the kernel ends all others */
}
