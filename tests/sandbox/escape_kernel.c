/* escape_kernel.c - attacks: networks, namespaces, and odd doors of the kernel. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/sandbox/escape.h"

static struct sockaddr_in loopback(const char *port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)atoi(port)),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void net_tcp(const char *port)
{
    struct sockaddr_in to = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    tried("socket", fd);
    tried("connect", connect(fd, (struct sockaddr *)&to, sizeof to));
}

static void net_udp(const char *port)
{
    struct sockaddr_in to = loopback(port);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    tried("socket", fd);
    tried("send", sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof to));
}

static void net_family(const char *number)
{
    tried("stream", socket(atoi(number), SOCK_STREAM, 0));
    tried("datagram", socket(atoi(number), SOCK_DGRAM, 0));
    tried("raw", socket(atoi(number), SOCK_RAW, 0));
    tried("packets", socket(atoi(number), SOCK_SEQPACKET, 0));
    /* The upper half of the argument does not count for the kernel. */
    tried("high bits", syscall(SYS_socket, 0x100000000ul | (unsigned)atoi(number), SOCK_RAW, 0));
}

static void net_abstract(const char *name)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    memcpy(to.sun_path + 1, name, strlen(name));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    tried("connect", connect(fd, (struct sockaddr *)&to,
                             (socklen_t)(sizeof to.sun_family + 1 + strlen(name))));
}

/* Which network is it in?  The machine's own has a number that is known. */
static void net_number(const char *cookie)
{
    uint64_t own = 0;
    socklen_t n = sizeof own;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (getsockopt(fd, SOL_SOCKET, 71 /* SO_NETNS_COOKIE */, &own, &n) == 0)
        escaped_if(own == strtoull(cookie, NULL, 10), "in the machine's network");
}

static void space_unshare(const char *unused)
{
    (void)unused;
    tried("user", unshare(CLONE_NEWUSER));
    tried("mount", unshare(CLONE_NEWNS));
    tried("pid", unshare(CLONE_NEWPID));
    tried("network", unshare(CLONE_NEWNET));
    tried("user and mount", unshare(CLONE_NEWUSER | CLONE_NEWNS));
}

static void space_clone(const char *unused)
{
    (void)unused;
    tried("user", syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
    tried("mount", syscall(SYS_clone, CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0));
}

static void space_clone3(const char *unused)
{
    uint64_t arguments[11] = {CLONE_NEWUSER, 0, 0, 0, SIGCHLD};
    (void)unused;
    tried("clone3", syscall(SYS_clone3, arguments, sizeof arguments));
}

static void space_enter(const char *unused)
{
    (void)unused;
    tried("setns", syscall(SYS_setns, 0, 0));
    tried("pivot_root", syscall(SYS_pivot_root, ".", "."));
}

static void mount_new(const char *unused)
{
    (void)unused;
    tried("tmpfs", mount("tmpfs", ".", "tmpfs", 0, NULL));
    tried("proc", mount("proc", ".", "proc", 0, NULL));
    tried("bind", mount("/usr", ".", NULL, MS_BIND, NULL));
}

static void mount_again(const char *unused)
{
    (void)unused;
    tried("/ writable", mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL));
    tried("/usr writable", mount(NULL, "/usr", NULL, MS_REMOUNT | MS_BIND, NULL));
    tried("without /usr", umount2("/usr", MNT_DETACH));
    tried("without the box", umount2("/box", MNT_DETACH));
}

struct call {
    const char *name;
    long number;
};

static void call_each(const struct call *calls)
{
    for (; calls->name; calls++) {
        char space[4096] = {0};
        tried(calls->name, syscall(calls->number, 0xffffffffl, space, 0, 0, 0, 0));
    }
}

static void calls_mount(const char *unused)
{
    static const struct call calls[] = {{"fsopen", 430},        {"open_tree", 428},
                                        {"move_mount", 429},    {"fsconfig", 431},
                                        {"fsmount", 432},       {"fspick", 433},
                                        {"mount_setattr", 442}, {NULL, 0}};
    (void)unused;
    call_each(calls);
}

static void calls_kernel(const char *unused)
{
    static const struct call calls[] = {{"init_module", 175},   {"finit_module", 313},
                                        {"delete_module", 176}, {"kexec_load", 246},
                                        {"reboot", 169},        {"swapon", 167},
                                        {"acct", 163},          {"quotactl", 179},
                                        {"syslog", 103},        {NULL, 0}};
    (void)unused;
    call_each(calls);
}

static void calls_machine(const char *unused)
{
    static const struct call calls[] = {{"settimeofday", 164}, {"clock_settime", 227},
                                        {"adjtimex", 159},     {"sethostname", 170},
                                        {"iopl", 172},         {"ioperm", 173},
                                        {"personality", 135},  {"modify_ldt", 154},
                                        {NULL, 0}};
    (void)unused;
    call_each(calls);
}

static void calls_trace(const char *unused)
{
    static const struct call calls[] = {
        {"bpf", 321},  {"perf_event_open", 298}, {"userfaultfd", 323}, {"process_madvise", 440},
        {"kcmp", 312}, {"process_mrelease", 448}, {"seccomp", 317},    {"pidfd_open", 434},
        {NULL, 0}};
    (void)unused;
    call_each(calls);
}

static void calls_keys(const char *unused)
{
    static const struct call calls[] = {
        {"keyctl", 250}, {"add_key", 248}, {"request_key", 249}, {NULL, 0}};
    (void)unused;
    call_each(calls);
}

static void calls_files(const char *unused)
{
    static const struct call calls[] = {
        {"open_by_handle_at", 304}, {"name_to_handle_at", 303}, {"vmsplice", 278},
        {"splice", 275},            {"fanotify_init", 300},     {"inotify_init1", 294},
        {"lookup_dcookie", 212},    {"mq_open", 240},           {NULL, 0}};
    (void)unused;
    call_each(calls);
}

static void calls_ring(const char *unused)
{
    static const struct call calls[] = {{"io_uring_setup", 425},
                                        {"io_uring_enter", 426},
                                        {"io_uring_register", 427},
                                        {"io_setup", 206},
                                        {NULL, 0}};
    (void)unused;
    call_each(calls);
}

static void calls_unknown(const char *unused)
{
    (void)unused;
    for (long n = 463; n < 600; n++) {
        char space[4096] = {0};
        tried("a call of a newer kernel", syscall(n, 0, space, 0, 0, 0, 0));
    }
    tried("far away", syscall(0x7fffffff));
}

/* Calls by other conventions, which a filter of numbers would read wrongly. */
static void foreign_x32(const char *unused)
{
    (void)unused;
    tried("getpid", syscall(0x40000000 | 39));
}

static void foreign_int80(const char *unused)
{
    (void)unused;
#ifdef __x86_64__
    long r;
    __asm__ volatile("int $0x80" : "=a"(r) : "a"(20L) : "memory");
    escaped_if(r > 0, "getpid");
#endif
}

static void push_characters(const char *unused)
{
    char c = 'x';
    (void)unused;
    tried("TIOCSTI", ioctl(0, 0x5412, &c));
    tried("TIOCSTI, high bits", syscall(SYS_ioctl, 0, 0x100005412ul, &c));
    tried("TIOCLINUX", ioctl(0, 0x541c, &c));
}

static void regain(const char *unused)
{
    (void)unused;
    tried("keep capabilities", prctl(PR_SET_SECUREBITS, 0x10));
    tried("ambient", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 21, 0, 0));
    tried("new privileges", prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
    tried("without a filter", prctl(PR_SET_SECCOMP, 0, NULL));
}

const struct attack kernel_attacks[] = {
    {"net-tcp", net_tcp},           {"net-udp", net_udp},
    {"net-family", net_family},     {"net-abstract", net_abstract},
    {"net-number", net_number},     {"space-unshare", space_unshare},
    {"space-clone", space_clone},   {"space-clone3", space_clone3},
    {"space-enter", space_enter},   {"mount-new", mount_new},
    {"mount-again", mount_again},   {"calls-mount", calls_mount},
    {"calls-kernel", calls_kernel}, {"calls-machine", calls_machine},
    {"calls-trace", calls_trace},   {"calls-keys", calls_keys},
    {"calls-files", calls_files},   {"calls-ring", calls_ring},
    {"calls-unknown", calls_unknown}, {"foreign-x32", foreign_x32},
    {"foreign-int80", foreign_int80}, {"push-characters", push_characters},
    {"regain", regain},             {NULL, NULL},
};
