/* sandbox.c - the parent's side: starts sandboxes, feeds and watches them, ends them. */
#include "reward/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "reward/sandbox_internal.h"

#define TICK 0.02      /* seconds between two looks at what is used */
#define IDLE_STEP 0.05 /* one look vouches for no more time than this */

const struct sandbox_limits sandbox_default_limits = {
    .cpu_seconds = 10,
    .idle_seconds = 10,
    .wall_seconds = 600,
    .memory_bytes = (int64_t)1 << 30,
    .disk_bytes = (int64_t)64 << 20,
    .output_bytes = (int64_t)4 << 20,
    .n_processes = 32,
    .n_files = 64,
    .n_inodes = 1024,
};

const char *sandbox_end_name(enum sandbox_end end)
{
    static const char *const names[] = {
        [SANDBOX_EXITED] = "exited",
        [SANDBOX_SIGNALED] = "was killed by a signal",
        [SANDBOX_CPU] = "used too much CPU time",
        [SANDBOX_IDLE] = "slept too long",
        [SANDBOX_MEMORY] = "used too much memory",
        [SANDBOX_OUTPUT] = "wrote too much",
        [SANDBOX_STOPPED] = "was stopped",
    };
    return names[end];
}

void sandbox_result_release(struct sandbox_result *r)
{
    strbuf_release(&r->out);
    strbuf_release(&r->err);
    *r = (struct sandbox_result){0};
}

/* One sandbox that runs. */
struct box {
    const struct sandbox_program *p;
    struct sandbox_result *r;
    pid_t init;
    int pidfd, input, out, err, report; /* -1 = closed */
    size_t fed;                         /* bytes of the input */
    bool over, reported, ended;         /* ended: its end is decided */
    struct sandbox_report last;
    struct sandbox_watch watch;
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Start. */

static int write_map(pid_t pid, const char *file, const char *text)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = write(fd, text, strlen(text));
    close(fd);
    return n == (ssize_t)strlen(text) ? 0 : -1;
}

static int map_user(const struct sandbox *s, pid_t pid, struct err *err)
{
    char uid[64], gid[64];
    if (s->without & LAYER_USER)
        return 0;
    snprintf(uid, sizeof uid, "%d %u 1", BOX_ID, (unsigned)s->uid);
    snprintf(gid, sizeof gid, "%d %u 1", BOX_ID, (unsigned)s->gid);
    if (write_map(pid, "setgroups", "deny") < 0 || write_map(pid, "uid_map", uid) < 0 ||
        write_map(pid, "gid_map", gid) < 0)
        return err_errno(err, "user namespace: cannot map the user");
    return 0;
}

static uint64_t clone_flags(unsigned without)
{
    static const struct {
        unsigned layer;
        uint64_t flag;
    } spaces[] = {
        {LAYER_USER, CLONE_NEWUSER}, {LAYER_PID, CLONE_NEWPID}, {LAYER_MOUNT, CLONE_NEWNS},
        {LAYER_NET, CLONE_NEWNET},   {LAYER_IPC, CLONE_NEWIPC}, {LAYER_UTS, CLONE_NEWUTS},
        {LAYER_UTS, CLONE_NEWCGROUP},
    };
    uint64_t flags = 0;
    for (size_t i = 0; i < ARRAY_SIZE(spaces); i++)
        flags |= without & spaces[i].layer ? 0 : spaces[i].flag;
    return flags;
}

static pid_t clone_into(uint64_t flags, int *pidfd)
{
    struct clone_args a = {.flags = flags, .exit_signal = SIGCHLD};
    if (pidfd) {
        a.flags |= CLONE_PIDFD;
        a.pidfd = (uint64_t)(uintptr_t)pidfd;
    }
    return (pid_t)syscall(SYS_clone3, &a, sizeof a);
}

/* Lets the child go on, once it has become its user and waits for its parent's death. */
static int release(int sync, struct err *err)
{
    char byte;
    if (write(sync, "m", 1) != 1 || read(sync, &byte, 1) != 1 || write(sync, "g", 1) != 1)
        return err_set(err, "the first process died before it began");
    return 0;
}

static int make_pipes(int pipes[4][2], int sync[2], struct err *err)
{
    for (int i = 0; i < 4; i++) {
        if (pipe2(pipes[i], O_CLOEXEC) < 0)
            return err_errno(err, "cannot make a pipe");
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sync) < 0)
        return err_errno(err, "cannot make a socket pair");
    return 0;
}

static int start_child(const struct sandbox *s, const struct sandbox_limits *l, struct box *b,
                       int pipes[4][2], int sync[2], struct err *err)
{
    b->init = clone_into(clone_flags(s->without), &b->pidfd);
    if (b->init == 0) {
        struct sandbox_pipes fd = {pipes[0][0], pipes[1][1], pipes[2][1], pipes[3][1], sync[1]};
        close(sync[0]);
        sandbox_init_main(s, l, b->p, &fd);
    }
    if (b->init < 0)
        return err_errno(err, "cannot make the namespaces");
    b->input = pipes[0][1];
    b->out = pipes[1][0];
    b->err = pipes[2][0];
    b->report = pipes[3][0];
    pipes[0][1] = pipes[1][0] = pipes[2][0] = pipes[3][0] = -1;
    int ours[] = {b->input, b->out, b->err, b->report};
    for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
        fcntl(ours[i], F_SETFL, O_NONBLOCK);
    close_fd(&sync[1]); /* so that a dead child is an end of file */
    if (map_user(s, b->init, err) < 0)
        return -1;
    return release(sync[0], err);
}

static int start(const struct sandbox *s, const struct sandbox_limits *l, struct box *b,
                 struct err *err)
{
    int pipes[4][2] = {{-1, -1}, {-1, -1}, {-1, -1}, {-1, -1}}, sync[2] = {-1, -1};
    int rc = make_pipes(pipes, sync, err);
    if (rc == 0)
        rc = start_child(s, l, b, pipes, sync, err);
    for (int i = 0; i < 4; i++) {
        close_fd(&pipes[i][0]);
        close_fd(&pipes[i][1]);
    }
    close_fd(&sync[0]);
    close_fd(&sync[1]);
    if (b->p->n_input == 0)
        close_fd(&b->input);
    return rc;
}

/* Run. */

static void end_with(struct box *b, enum sandbox_end end, int code)
{
    if (b->ended)
        return;
    b->ended = true;
    b->r->end = end;
    b->r->code = code;
}

static void stop(struct box *b, enum sandbox_end end)
{
    end_with(b, end, 0);
    syscall(SYS_pidfd_send_signal, b->pidfd, SIGKILL, NULL, 0);
}

/* Takes what is there; false once it is more than may be written. */
static bool take(int *fd, struct strbuf *into, int64_t most)
{
    char bytes[65536];
    for (;;) {
        ssize_t n = read(*fd, bytes, sizeof bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            close_fd(fd);
        if (n <= 0)
            return true;
        if ((int64_t)into->len + n > most)
            return false;
        strbuf_add(into, bytes, (size_t)n);
    }
}

static void feed(struct box *b)
{
    const char *from = (const char *)b->p->input + b->fed;
    ssize_t n = write(b->input, from, b->p->n_input - b->fed);
    if (n > 0)
        b->fed += (size_t)n;
    if (b->fed == b->p->n_input || (n < 0 && errno != EAGAIN && errno != EINTR))
        close_fd(&b->input);
}

static void take_report(struct box *b)
{
    if (read(b->report, &b->last, sizeof b->last) == sizeof b->last)
        b->reported = true;
    close_fd(&b->report);
}

#define N_FDS 5

static void list_fds(const struct box *b, struct pollfd *p)
{
    p[0] = (struct pollfd){.fd = b->over ? -1 : b->pidfd, .events = POLLIN};
    p[1] = (struct pollfd){.fd = b->out, .events = POLLIN};
    p[2] = (struct pollfd){.fd = b->err, .events = POLLIN};
    p[3] = (struct pollfd){.fd = b->input, .events = POLLOUT};
    p[4] = (struct pollfd){.fd = b->report, .events = POLLIN};
}

static void serve(struct box *b, const struct sandbox_limits *l, const struct pollfd *p)
{
    if (p[1].revents && !take(&b->out, &b->r->out, l->output_bytes))
        stop(b, SANDBOX_OUTPUT);
    if (p[2].revents && !take(&b->err, &b->r->err, l->output_bytes))
        stop(b, SANDBOX_OUTPUT);
    if (p[3].revents)
        feed(b);
    if (p[4].revents)
        take_report(b);
    if (p[0].revents)
        b->over = true;
}

/* Process 1 is dead, and with it all others: what is left in the pipes is all there will be. */
static void finish(struct box *b, const struct sandbox_limits *l)
{
    struct rusage used = {0};
    int status;
    if (b->out >= 0 && !take(&b->out, &b->r->out, l->output_bytes))
        end_with(b, SANDBOX_OUTPUT, 0);
    if (b->err >= 0 && !take(&b->err, &b->r->err, l->output_bytes))
        end_with(b, SANDBOX_OUTPUT, 0);
    if (b->report >= 0)
        take_report(b);
    while (wait4(b->init, &status, 0, &used) < 0 && errno == EINTR)
        ;
    b->init = 0;
    double cpu = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                 (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-6;
    b->r->cpu_seconds = cpu > b->watch.cpu ? cpu : b->watch.cpu;
    if (b->reported && b->last.what == REPORT_ENDED) {
        int end = b->last.status;
        if (b->r->cpu_seconds > l->cpu_seconds)
            end_with(b, SANDBOX_CPU, 0);
        else if (WIFSIGNALED(end))
            end_with(b, SANDBOX_SIGNALED, WTERMSIG(end));
        else
            end_with(b, SANDBOX_EXITED, WEXITSTATUS(end));
    }
}

/* One look at all of them; adds to *idle what passed while nobody ran. */
static void look(const struct sandbox *s, struct box *b, int n, const struct sandbox_limits *l,
                 double passed, double *idle)
{
    bool running = false;
    if (s->without & LAYER_WATCH)
        return;
    for (int i = 0; i < n; i++) {
        if (b[i].over)
            continue;
        sandbox_watch_look(&b[i].watch, b[i].init);
        running = running || b[i].watch.running;
        if (b[i].watch.cpu > l->cpu_seconds)
            stop(&b[i], SANDBOX_CPU);
        else if (b[i].watch.resident_bytes > 2 * l->memory_bytes)
            stop(&b[i], SANDBOX_MEMORY);
    }
    if (!running)
        *idle += passed < IDLE_STEP ? passed : IDLE_STEP;
    for (int i = 0; i < n && *idle > l->idle_seconds; i++) {
        if (!b[i].over)
            stop(&b[i], SANDBOX_IDLE);
    }
}

static bool all_over(const struct box *b, int n)
{
    for (int i = 0; i < n; i++) {
        if (!b[i].over)
            return false;
    }
    return true;
}

static int poll_once(struct box *b, int n, const struct sandbox_limits *l, double seconds)
{
    struct pollfd fds[SANDBOX_MAX * N_FDS];
    for (int i = 0; i < n; i++)
        list_fds(&b[i], fds + i * N_FDS);
    if (poll(fds, (nfds_t)(n * N_FDS), seconds > 0 ? (int)(seconds * 1000) + 1 : 0) < 0)
        return errno == EINTR ? 0 : -1;
    for (int i = 0; i < n; i++) {
        if (!b[i].over)
            serve(&b[i], l, fds + i * N_FDS);
    }
    return 0;
}

static int watch_over(const struct sandbox *s, struct box *b, int n,
                      const struct sandbox_limits *l, struct err *err)
{
    double began = clock_s(), looked = began, idle = 0;
    while (!all_over(b, n)) {
        if (poll_once(b, n, l, looked + TICK - clock_s()) < 0)
            return err_errno(err, "cannot wait for the sandbox");
        double t = clock_s();
        if (t - looked >= TICK) {
            look(s, b, n, l, t - looked, &idle);
            looked = t;
        }
        /* One that has ended by itself, perhaps because of which the first did, says how. */
        for (int i = 1; i < n && b[0].over; i++) {
            if (!b[i].over && !b[i].reported && !sandbox_watch_ended(b[i].init))
                stop(&b[i], SANDBOX_STOPPED);
        }
        if (t - began > l->wall_seconds)
            return err_set(err, "no end after %g s, of which it slept %.1f s: the machine is too "
                           "busy", l->wall_seconds, idle);
    }
    return 0;
}

static int explain_failure(const struct box *b, struct err *err)
{
    if (b->ended)
        return 0;
    if (!b->reported)
        return err_set(err, "the sandbox's first process died");
    return err_set(err, "%s: %s", b->last.where, strerror(b->last.status));
}

static void release_box(struct box *b)
{
    if (b->init > 0) {
        kill(b->init, SIGKILL);
        while (waitpid(b->init, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    int *all[] = {&b->pidfd, &b->input, &b->out, &b->err, &b->report};
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        close_fd(all[i]);
    sandbox_watch_release(&b->watch);
}

int sandbox_run(const struct sandbox *s, const struct sandbox_limits *l,
                const struct sandbox_program *p, struct sandbox_result *r, int n, struct err *err)
{
    struct box boxes[SANDBOX_MAX];
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    int rc = 0;
    if (n > SANDBOX_MAX)
        BUG("%d sandboxes at once", n);
    for (int i = 0; i < n; i++) {
        r[i] = (struct sandbox_result){0};
        boxes[i] = (struct box){.p = &p[i], .r = &r[i], .pidfd = -1, .input = -1, .out = -1,
                                .err = -1, .report = -1};
    }
    sigaction(SIGPIPE, &ignore, &before); /* a program need not read its input */
    for (int i = 0; i < n && rc == 0; i++)
        rc = start(s, l, &boxes[i], err);
    for (int i = 0; i < n; i++) { /* they have theirs; ours would keep the channel open */
        if (p[i].channel) {
            close(p[i].channel[0]);
            close(p[i].channel[1]);
        }
    }
    if (rc == 0)
        rc = watch_over(s, boxes, n, l, err);
    for (int i = 0; i < n && rc == 0; i++)
        finish(&boxes[i], l);
    for (int i = 0; i < n && rc == 0; i++)
        rc = explain_failure(&boxes[i], err);
    for (int i = 0; i < n; i++) {
        release_box(&boxes[i]);
        if (rc < 0)
            sandbox_result_release(&r[i]);
    }
    sigaction(SIGPIPE, &before, NULL);
    return rc < 0 ? err_prefix(err, "sandbox") : 0;
}

void sandbox_close(struct sandbox *s)
{
    if (!s)
        return;
    free(s->filter.filter);
    free(s);
}
