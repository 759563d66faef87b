/* escape_processes.c - attacks: other processes, and more of one's own than allowed. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/sandbox/escape.h"

#define ENOUGH 200 /* processes or threads: far above the limit in the tests */

static volatile long counter;

static void kill_canary(const char *pid)
{
    tried("kill", kill(atoi(pid), SIGKILL));
}

static void kill_thread(const char *pid)
{
    tried("tgkill", syscall(SYS_tgkill, atoi(pid), atoi(pid), SIGKILL));
    tried("tkill", syscall(SYS_tkill, atoi(pid), SIGKILL));
}

/* Process 1 is the sandbox's; from inside it cannot be killed. */
static void kill_first(const char *unused)
{
    (void)unused;
    kill(1, SIGKILL);
    kill(getppid(), SIGKILL);
    kill(getppid(), SIGSTOP);
    usleep(10000);
    escaped_if(getppid() != 1, "the parent is gone");
}

static void kill_all(const char *unused)
{
    (void)unused;
    signal(SIGTERM, SIG_IGN);
    kill(-1, SIGTERM);
    kill(-1, SIGSTOP); /* the tests look whether their canaries still run */
}

static void trace_canary(const char *pid)
{
    tried("attach", ptrace(PTRACE_ATTACH, atoi(pid), NULL, NULL));
    tried("seize", ptrace(PTRACE_SEIZE, atoi(pid), NULL, NULL));
}

static void trace_parent(const char *unused)
{
    (void)unused;
    tried("attach", ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
    tried("let oneself be traced", ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static void read_memory(const char *pid)
{
    char bytes[8];
    struct iovec here = {bytes, sizeof bytes}, there = {(void *)0x400000, sizeof bytes};
    tried("of the canary", process_vm_readv(atoi(pid), &here, 1, &there, 1, 0));
    tried("of the parent", process_vm_readv(getppid(), &here, 1, &there, 1, 0));
    tried("write", process_vm_writev(getppid(), &here, 1, &there, 1, 0));
}

static void take_descriptors(const char *pid)
{
    int fd = (int)syscall(SYS_pidfd_open, atoi(pid), 0);
    tried("pidfd of the canary", fd);
    fd = (int)syscall(SYS_pidfd_open, 1, 0);
    tried("pidfd of the first process", fd);
    tried("its descriptor", syscall(SYS_pidfd_getfd, fd, 0, 0));
}

static void be_first(const char *unused)
{
    struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
    (void)unused;
    tried("nice", setpriority(PRIO_PROCESS, 0, -20));
    tried("more memory", setrlimit(RLIMIT_AS, &none));
    tried("more processes", setrlimit(RLIMIT_NPROC, &none));
    tried("more time", setrlimit(RLIMIT_CPU, &none));
    tried("larger files", setrlimit(RLIMIT_FSIZE, &none));
    tried("core files", setrlimit(RLIMIT_CORE, &none));
}

static void fork_many(const char *unused)
{
    int n = 0;
    (void)unused;
    for (; n < ENOUGH; n++) {
        pid_t pid = fork();
        if (pid < 0)
            break;
        if (pid == 0) {
            pause();
            _exit(0);
        }
    }
    escaped_if(n == ENOUGH, "many processes");
}

static void *wait_for_ever(void *unused)
{
    pause();
    return unused;
}

static void thread_many(const char *unused)
{
    pthread_attr_t small;
    pthread_t thread;
    int n = 0;
    (void)unused;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536);
    while (n < ENOUGH && pthread_create(&thread, &small, wait_for_ever, NULL) == 0)
        n++;
    escaped_if(n == ENOUGH, "many threads");
}

static void zombie_many(const char *unused)
{
    int n = 0;
    (void)unused;
    for (; n < ENOUGH; n++) {
        pid_t pid = fork();
        if (pid < 0)
            break;
        if (pid == 0)
            _exit(0);
    }
    escaped_if(n == ENOUGH, "many zombies");
}

static void fork_bomb(const char *unused)
{
    (void)unused;
    for (;;) {
        if (fork() < 0)
            counter++;
    }
}

/* Each burns less than one limit allows, and nobody waits for it. */
static void burn_in_turn(const char *unused)
{
    (void)unused;
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        pid_t pid = fork();
        if (pid == 0) {
            clock_t until = clock() + CLOCKS_PER_SEC / 20;
            while (clock() < until)
                counter++;
            _exit(0);
        }
        while (pid > 0 && kill(pid, 0) == 0)
            usleep(1000);
    }
}

static void burn(const char *unused)
{
    (void)unused;
    for (;;)
        counter++;
}

static void burn_deaf(const char *unused)
{
    (void)unused;
    for (int i = 1; i < 65; i++)
        signal(i, SIG_IGN);
    burn(NULL);
}

static void sleep_on(const char *unused)
{
    (void)unused;
    for (;;)
        pause();
}

static void stop_oneself(const char *unused)
{
    (void)unused;
    raise(SIGSTOP);
    printf("ESCAPED: somebody woke it\n");
}

/* The name is for the tests, which look for it among the machine's processes. */
static void leave_daemons(const char *unused)
{
    (void)unused;
    for (int i = 0; i < 4; i++) {
        if (fork() != 0)
            continue;
        setsid();
        if (fork() != 0)
            _exit(0);
        close(0);
        close(1);
        close(2);
        alarm(20); /* where they do escape they go by themselves */
        pause();
        _exit(0);
    }
}

static void crash(const char *unused)
{
    (void)unused;
    abort();
}

const struct attack process_attacks[] = {
    {"kill-canary", kill_canary},   {"kill-thread", kill_thread},
    {"kill-first", kill_first},     {"kill-all", kill_all},
    {"trace-canary", trace_canary}, {"trace-parent", trace_parent},
    {"read-memory", read_memory},   {"take-descriptors", take_descriptors},
    {"be-first", be_first},         {"fork-many", fork_many},
    {"thread-many", thread_many},   {"zombie-many", zombie_many},
    {"fork-bomb", fork_bomb},       {"burn-in-turn", burn_in_turn},
    {"burn", burn},                 {"burn-deaf", burn_deaf},
    {"sleep-on", sleep_on},         {"stop-oneself", stop_oneself},
    {"leave-daemons", leave_daemons}, {"crash", crash},
    {NULL, NULL},
};
