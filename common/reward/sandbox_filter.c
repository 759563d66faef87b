/* sandbox_filter.c - the system calls a program in the sandbox may make.
 *
 * What is not named fails with ENOSYS, as on an older kernel, so that libraries
 * fall back; what a hostile program would try fails with EPERM; foreign calling
 * conventions (int 0x80, x32) kill.
 */
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "reward/sandbox_internal.h"

#define SET_PIPE_SIZE 1031 /* F_SETPIPE_SZ: pipes are memory that no limit counts */

static const char *const allowed[] = {
    /* memory */
    "brk", "madvise", "membarrier", "mincore", "mprotect", "mremap", "msync", "munmap",
    /* files */
    "access", "chdir", "chmod", "close", "close_range", "copy_file_range", "creat", "dup", "dup2",
    "dup3", "faccessat", "faccessat2", "fadvise64", "fallocate", "fchdir", "fchmod", "fchmodat",
    "fdatasync", "fgetxattr", "flistxattr", "flock", "fstat", "fstatfs", "fsync", "ftruncate",
    "getcwd", "getdents", "getdents64", "getxattr", "lgetxattr", "link", "linkat", "listxattr",
    "llistxattr", "lseek", "lstat", "mkdir", "mkdirat", "newfstatat", "open", "openat", "openat2",
    "pread64", "preadv", "preadv2", "pwrite64", "pwritev", "pwritev2", "read", "readahead",
    "readlink", "readlinkat", "readv", "rename", "renameat", "renameat2", "rmdir", "sendfile",
    "stat", "statfs", "statx", "symlink", "symlinkat", "sync_file_range", "truncate", "umask",
    "unlink", "unlinkat", "utime", "utimensat", "utimes", "write", "writev",
    /* pipes, events, local sockets */
    "accept", "accept4", "bind", "connect", "epoll_create", "epoll_create1", "epoll_ctl",
    "epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd", "eventfd2", "getpeername",
    "getsockname", "getsockopt", "listen", "pipe", "pipe2", "poll", "ppoll", "pselect6",
    "recvfrom", "recvmmsg", "recvmsg", "select", "sendmmsg", "sendmsg", "sendto", "setsockopt",
    "shutdown", "socketpair", "tee",
    /* processes and threads */
    "arch_prctl", "capget", "execve", "execveat", "exit", "exit_group", "fork", "futex",
    "futex_waitv", "get_robust_list", "getcpu", "getegid", "geteuid", "getgid", "getgroups",
    "getpgid", "getpgrp", "getpid", "getppid", "getpriority", "getresgid", "getresuid",
    "getrlimit", "getrusage", "getsid", "gettid", "getuid", "kill", "prctl", "prlimit64", "rseq",
    "sched_get_priority_max", "sched_get_priority_min", "sched_getaffinity", "sched_getattr",
    "sched_getparam", "sched_getscheduler", "sched_yield", "set_robust_list", "set_tid_address",
    "setpgid", "setrlimit", "setsid", "tgkill", "tkill", "vfork", "wait4", "waitid",
    /* signals and time */
    "alarm", "clock_getres", "clock_gettime", "clock_nanosleep", "getitimer", "gettimeofday",
    "nanosleep", "pause", "restart_syscall", "rt_sigaction", "rt_sigpending", "rt_sigprocmask",
    "rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "rt_tgsigqueueinfo",
    "setitimer", "sigaltstack", "time", "timer_create", "timer_delete", "timer_getoverrun",
    "timer_gettime", "timer_settime", "timerfd_create", "timerfd_gettime", "timerfd_settime",
    "times",
    /* the machine */
    "getrandom", "sysinfo", "uname",
};

static const char *const refused[] = {
    "acct", "add_key", "bpf", "chown", "chroot", "clone3", "delete_module", "fchown", "fchownat",
    "finit_module", "fsetxattr", "init_module", "io_uring_enter", "io_uring_register",
    "io_uring_setup", "ioperm", "iopl", "kexec_file_load", "kexec_load", "keyctl", "lchown",
    "lsetxattr", "memfd_create", "memfd_secret", "migrate_pages", "mknod", "mknodat", "mlock",
    "mlock2", "mlockall", "modify_ldt", "mount", "mount_setattr", "move_mount", "move_pages",
    "mq_open", "msgctl", "msgget", "msgrcv", "msgsnd", "name_to_handle_at", "open_by_handle_at",
    "open_tree", "perf_event_open", "personality", "pidfd_getfd", "pidfd_open",
    "pidfd_send_signal", "pivot_root", "process_madvise", "process_vm_readv", "process_vm_writev",
    "ptrace", "quotactl", "reboot", "request_key", "sched_setaffinity", "seccomp", "semctl",
    "semget", "semop", "semtimedop", "setfsgid", "setfsuid", "setgid", "setgroups", "sethostname",
    "setns", "setpriority", "setregid", "setresgid", "setresuid", "setreuid", "setuid",
    "setxattr", "shmat", "shmctl", "shmdt", "shmget", "splice", "swapoff", "swapon", "syslog",
    "umount2", "unshare", "userfaultfd", "vmsplice",
};

static int add_names(scmp_filter_ctx f, uint32_t action, const char *const *names, size_t n)
{
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        int nr = seccomp_syscall_resolve_name(names[i]);
        /* clone3 hides its flags behind a pointer: as if it did not exist, and libc takes clone. */
        uint32_t what = strcmp(names[i], "clone3") == 0 ? SCMP_ACT_ERRNO(ENOSYS) : action;
        /* A call that this architecture lacks cannot be made either. */
        if (nr >= 0 && what != SCMP_ACT_ERRNO(ENOSYS))
            rc = seccomp_rule_add(f, what, nr, 0);
    }
    return rc;
}

/* Of ioctl only the terminal's and the files' harmless ones, without pushing characters back. */
static int add_ioctls(scmp_filter_ctx f)
{
    static const unsigned requests[] = {
        0x5401 /* TCGETS */,  0x5402 /* TCSETS */,  0x5413 /* TIOCGWINSZ */, 0x541b /* FIONREAD */,
        0x5421 /* FIONBIO */, 0x5450 /* FIONCLEX */, 0x5451 /* FIOCLEX */,   0x540f /* TIOCGPGRP */,
    };
    int rc = 0;
    for (size_t i = 0; i < ARRAY_SIZE(requests) && rc == 0; i++)
        rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
                              SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffu, requests[i]));
    return rc;
}

/* Shared memory without a file would be counted by nobody once it is unmapped in part. */
static int add_mmap(scmp_filter_ctx f)
{
    static const unsigned kinds[] = {0, MAP_SHARED, MAP_ANONYMOUS};
    int rc = 0;
    for (size_t i = 0; i < ARRAY_SIZE(kinds) && rc == 0; i++)
        rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                              SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_SHARED | MAP_ANONYMOUS, kinds[i]));
    return rc;
}

static int add_rules(scmp_filter_ctx f)
{
    const uint64_t namespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET |
                                CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
    const uint64_t low = 0xffffffffu;
    int rc = add_names(f, SCMP_ACT_ALLOW, allowed, ARRAY_SIZE(allowed));
    if (rc == 0)
        rc = add_names(f, SCMP_ACT_ERRNO(EPERM), refused, ARRAY_SIZE(refused));
    if (rc == 0)
        rc = add_ioctls(f);
    if (rc == 0)
        rc = add_mmap(f);
    if (rc == 0)
        rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                              SCMP_A0(SCMP_CMP_MASKED_EQ, namespaces, 0));
    /* Processes of one sandbox may talk; there is nobody else to talk to. */
    if (rc == 0)
        rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                              SCMP_A0(SCMP_CMP_MASKED_EQ, low, AF_UNIX));
    if (rc == 0)
        rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
                              SCMP_A1(SCMP_CMP_NE, SET_PIPE_SIZE, 0));
    return rc;
}

/* The program, read back from libseccomp. */
static int export_filter(scmp_filter_ctx f, struct sock_fprog *out)
{
    int fd = memfd_create("filter", MFD_CLOEXEC);
    if (fd < 0)
        return -1;
    off_t n = seccomp_export_bpf(f, fd) < 0 ? -1 : lseek(fd, 0, SEEK_END);
    if (n > 0) {
        out->filter = xmalloc((size_t)n);
        out->len = (unsigned short)((size_t)n / sizeof *out->filter);
        if (pread(fd, out->filter, (size_t)n, 0) != n)
            n = -1;
    }
    close(fd);
    return n > 0 ? 0 : -1;
}

int sandbox_filter_build(struct sock_fprog *out, struct err *err)
{
    scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    int rc = f ? 0 : -ENOMEM;
    if (rc == 0)
        rc = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (rc == 0) /* a tree instead of a list: fewer steps a call */
        rc = seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (rc == 0)
        rc = add_rules(f);
    if (rc == 0 && export_filter(f, out) < 0)
        rc = -errno;
    if (f)
        seccomp_release(f);
    return rc < 0 ? err_set(err, "seccomp: cannot build the filter: %s", strerror(-rc)) : 0;
}
