/* nursery.c - a process with one thread that forks the workers and waits for them.
 *
 * It ends when the program does, whatever ended that, and takes along all that the workers and their
 * programs have started (offspring.h).  So that this is done when the nursery itself is killed, too,
 * its parent is not the program but a guard, who does nothing but wait for its end and then ends what
 * it left; and when the guard is killed the nursery ends by itself.  What is left over after both
 * were killed at once nobody finds.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "reward/offspring.h"
#include "reward/workers_internal.h"

enum { SPAWN, BURY };
struct order {
    int what;
    pid_t pid;
};
struct answer_back {
    pid_t pid; /* -1: failed, status is errno */
    int status;
};

/* Inside the nursery: the workers that live. */
static struct {
    pid_t *pids;
    int n, cap;
} alive;

static void keep_only(int fd)
{
    int null = open("/dev/null", O_RDWR);
    if (null >= 0) {
        dup2(null, 0);
        dup2(null, 1);
    }
    if (fd > 3)
        close_range(3, (unsigned)fd - 1, 0);
    close_range((unsigned)fd + 1, ~0u, 0);
}

static int send_back(int control, const struct answer_back *back, int fd)
{
    struct iovec io = {(void *)(uintptr_t)back, sizeof *back};
    char space[CMSG_SPACE(sizeof(int))] = {0};
    struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};
    if (fd >= 0) {
        m.msg_control = space;
        m.msg_controllen = sizeof space;
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(c), &fd, sizeof fd);
    }
    return sendmsg(control, &m, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

/* The end of a parent that is not waited for: it may have ended before prctl() was called. */
static void die_with(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(0);
}

static int spawn(int control)
{
    int pair[2];
    struct answer_back back = {.pid = -1};
    pid_t self = getpid();
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        back.status = errno;
        return send_back(control, &back, -1);
    }
    back.pid = fork();
    if (back.pid == 0) {
        die_with(self);
        keep_only(pair[1]);
        signal(SIGTERM, SIG_DFL); /* a program that a worker runs need not be deaf to it */
        signal(SIGHUP, SIG_DFL);
        signal(SIGQUIT, SIG_DFL);
        worker_main(pair[1]);
    }
    back.status = errno;
    if (back.pid > 0) {
        GROW(alive.pids, alive.n, alive.cap);
        alive.pids[alive.n++] = back.pid;
    }
    int rc = send_back(control, &back, back.pid > 0 ? pair[0] : -1);
    close(pair[0]);
    close(pair[1]);
    return rc;
}

static void forget(pid_t pid)
{
    int kept = 0;
    for (int i = 0; i < alive.n; i++) {
        if (alive.pids[i] != pid)
            alive.pids[kept++] = alive.pids[i];
    }
    alive.n = kept;
}

/* What it has started is ours from then on, and ends, too. */
static int bury(int control, pid_t pid)
{
    struct answer_back back = {.pid = pid};
    kill(pid, SIGKILL);
    while (waitpid(pid, &back.status, 0) < 0) {
        if (errno != EINTR) {
            back.pid = -1;
            break;
        }
    }
    forget(pid);
    offspring_kill(alive.pids, (size_t)alive.n);
    return send_back(control, &back, -1);
}

/* False when the program or the guard is gone; guard is the end of a pipe that nobody writes to. */
static bool next_order(int control, int guard, struct order *order)
{
    struct pollfd p[] = {{.fd = control, .events = POLLIN}, {.fd = guard}};
    while (poll(p, ARRAY_SIZE(p), -1) < 0) {
        if (errno != EINTR)
            return false;
    }
    return !p[1].revents && recv(control, order, sizeof *order, 0) == sizeof *order;
}

static noreturn void nursery_main(int control, int guard)
{
    struct order order;
    offspring_adopt();
    while (next_order(control, guard, &order)) {
        int rc = order.what == SPAWN ? spawn(control) : bury(control, order.pid);
        if (rc < 0)
            break;
    }
    offspring_kill(NULL, 0);
    _exit(0);
}

static noreturn void guard_main(int control)
{
    int line[2];
    /* Signals to the whole group are for the program; its end, which closes the socket, is ours. */
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
        signal(ignored[i], SIG_IGN);
    signal(SIGCHLD, SIG_DFL); /* whoever started us may ignore it, and then nobody can be waited for */
    keep_only(control);
    offspring_adopt();
    if (pipe2(line, O_CLOEXEC) < 0)
        _exit(1);
    pid_t nursery = fork();
    if (nursery == 0) {
        close(line[1]);
        nursery_main(control, line[0]);
    }
    close(control);
    close(line[0]);
    while (nursery > 0 && waitpid(nursery, NULL, 0) < 0 && errno == EINTR)
        continue;
    offspring_kill(NULL, 0);
    _exit(0);
}

int nursery_open(struct nursery *n, struct err *err)
{
    int pair[2];
    *n = (struct nursery){.pid = -1, .fd = -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_errno(err, "cannot make a socket pair");
    n->pid = fork();
    if (n->pid == 0)
        guard_main(pair[1]);
    close(pair[1]);
    if (n->pid < 0) {
        close(pair[0]);
        return err_errno(err, "cannot start a process");
    }
    n->fd = pair[0];
    return 0;
}

/* The reply, and the descriptor that came with it or -1. */
static int ask(struct nursery *n, const struct order *order, struct answer_back *back, int *fd)
{
    struct iovec io = {back, sizeof *back};
    char space[CMSG_SPACE(sizeof(int))];
    struct msghdr m = {
        .msg_iov = &io, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
    *fd = -1;
    if (send(n->fd, order, sizeof *order, MSG_NOSIGNAL) != sizeof *order)
        return -1;
    ssize_t k;
    while ((k = recvmsg(n->fd, &m, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR)
        ;
    if (k != sizeof *back)
        return -1;
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    if (c && c->cmsg_type == SCM_RIGHTS)
        memcpy(fd, CMSG_DATA(c), sizeof *fd);
    return 0;
}

int nursery_spawn(struct nursery *n, pid_t *pid, int *fd, struct err *err)
{
    struct answer_back back;
    if (ask(n, &(struct order){.what = SPAWN}, &back, fd) < 0)
        return err_set(err, "the process that starts workers is gone");
    if (back.pid < 0 || *fd < 0)
        return err_set(err, "cannot start a worker: %s", strerror(back.status));
    *pid = back.pid;
    return 0;
}

int nursery_bury(struct nursery *n, pid_t pid)
{
    struct answer_back back;
    int none;
    if (ask(n, &(struct order){.what = BURY, .pid = pid}, &back, &none) < 0 || back.pid < 0)
        return -1;
    return back.status;
}

void nursery_close(struct nursery *n)
{
    if (n->fd >= 0)
        close(n->fd);
    while (n->pid > 0 && waitpid(n->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    *n = (struct nursery){.pid = -1, .fd = -1};
}
