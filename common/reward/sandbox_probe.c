/* sandbox_probe.c - from inside the finished sandbox: do the walls hold?
 *
 * What a layer promises is tried, so that a kernel that accepts the calls and
 * does something else is found out before a program runs.  (The limit of
 * processes does not bind the machine's real root, for example.)
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reward/sandbox_internal.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

static bool user_holds(void)
{
    return getuid() == BOX_ID && geteuid() == BOX_ID && setuid(0) < 0;
}

static bool pid_holds(void)
{
    return getppid() == 1;
}

static bool mount_holds(void)
{
    return access("/etc/shadow", F_OK) < 0 && access("/proc/self", F_OK) < 0 &&
           open("/usr/written", O_CREAT | O_WRONLY, 0600) < 0;
}

static bool net_holds(const struct sandbox *s)
{
    uint64_t cookie = 0;
    socklen_t n = sizeof cookie;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &n) < 0)
        return s->net_cookie == 0;
    return cookie != s->net_cookie;
}

static bool uts_holds(void)
{
    struct utsname u;
    return uname(&u) == 0 && strcmp(u.nodename, "box") == 0;
}

/* Listing /etc is forbidden by Landlock alone. */
static bool landlock_holds(void)
{
    return open("/etc", O_RDONLY | O_DIRECTORY) < 0 && errno == EACCES;
}

static bool seccomp_holds(void)
{
    return socket(AF_INET, SOCK_STREAM, 0) < 0 && socket(40 /* AF_VSOCK */, SOCK_STREAM, 0) < 0 &&
           unshare(CLONE_NEWUSER) < 0 && syscall(SYS_ptrace, 0, 0, 0, 0) < 0 &&
           syscall(SYS_memfd_create, "m", 0) < 0;
}

static bool limits_hold(const struct sandbox_limits *l)
{
    struct rlimit r, one = {1, 1};
    if (getrlimit(RLIMIT_AS, &r) < 0 || r.rlim_max != (rlim_t)l->memory_bytes ||
        getrlimit(RLIMIT_CPU, &r) < 0 || r.rlim_max == RLIM_INFINITY ||
        setrlimit(RLIMIT_NPROC, &one) < 0)
        return false;
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return pid < 0;
}

static bool disk_holds(const struct sandbox_limits *l)
{
    struct statvfs v;
    return statvfs(BOX, &v) == 0 &&
           v.f_blocks * v.f_frsize <= (uint64_t)l->disk_bytes + v.f_frsize &&
           v.f_files <= (uint64_t)l->n_inodes;
}

static bool descriptors_hold(void)
{
    for (int fd = 3; fd < 256; fd++) {
        int flags = fcntl(fd, F_GETFD);
        if (flags >= 0 && !(flags & FD_CLOEXEC))
            return false;
    }
    return true;
}

static void need(unsigned layer, bool holds)
{
    if (!holds)
        _exit(__builtin_ctz(layer) + 1);
}

noreturn void sandbox_probe(const struct sandbox *s, const struct sandbox_limits *l)
{
    need(LAYER_DESCRIPTORS, descriptors_hold()); /* the first: the others open some */
    need(LAYER_USER, user_holds());
    need(LAYER_PID, pid_holds());
    need(LAYER_MOUNT, mount_holds());
    need(LAYER_NET, net_holds(s));
    need(LAYER_UTS, uts_holds());
    need(LAYER_LANDLOCK, landlock_holds());
    need(LAYER_SECCOMP, seccomp_holds());
    need(LAYER_DISK, disk_holds(l));
    need(LAYER_LIMITS, limits_hold(l)); /* the last: no process can be made after it */
    _exit(0);
}
