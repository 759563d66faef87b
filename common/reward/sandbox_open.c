/* sandbox_open.c - is everything there that a sandbox is made of? */
#include <errno.h>
#include <linux/landlock.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "reward/sandbox_internal.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif
#define NOBODY 1999999990u /* outside: a user that owns nothing */

const char *sandbox_layer_name(unsigned layer)
{
    static const char *const names[] = {
        "user namespace", "pid namespace", "mount namespace", "network namespace",
        "IPC namespace",  "UTS namespace", "Landlock",        "seccomp",
        "resource limits", "size of /box", "environment",     "descriptors",
        "watch over /proc",
    };
    unsigned i = (unsigned)__builtin_ctz(layer);
    return i < ARRAY_SIZE(names) ? names[i] : "nothing";
}

/* The machine's own root may map any user; who is root in a container may not, and is bound by no
 * limit of processes: the probe finds that out. */
static void choose_user(struct sandbox *s)
{
    unsigned inside, outside, count;
    FILE *f = fopen("/proc/self/uid_map", "re");
    bool whole = f && fscanf(f, "%u %u %u", &inside, &outside, &count) == 3 && inside == 0 &&
                 count > NOBODY;
    if (f)
        fclose(f);
    bool root = geteuid() == 0 && whole;
    s->uid = root ? NOBODY : geteuid();
    s->gid = root ? NOBODY : getegid();
}

static uint64_t own_network(void)
{
    uint64_t cookie = 0;
    socklen_t n = sizeof cookie;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &n) < 0)
        cookie = 0;
    close(fd);
    return cookie;
}

/* Which namespace is it that cannot be made?  A child tries them one by one. */
static int find_namespace(struct err *err)
{
    static const struct {
        unsigned layer;
        int flag;
    } spaces[] = {
        {LAYER_USER, CLONE_NEWUSER}, {LAYER_PID, CLONE_NEWPID}, {LAYER_MOUNT, CLONE_NEWNS},
        {LAYER_NET, CLONE_NEWNET},   {LAYER_IPC, CLONE_NEWIPC}, {LAYER_UTS, CLONE_NEWUTS},
    };
    for (size_t i = 0; i < ARRAY_SIZE(spaces); i++) {
        int status = 0;
        pid_t pid = fork();
        if (pid == 0)
            _exit(unshare(CLONE_NEWUSER | spaces[i].flag) < 0 ? errno : 0);
        if (pid < 0 || waitpid(pid, &status, 0) < 0 || WEXITSTATUS(status) != 0)
            return err_set(err, "sandbox: %s: %s", sandbox_layer_name(spaces[i].layer),
                           strerror(WEXITSTATUS(status)));
    }
    return 0;
}

static int find_landlock(struct sandbox *s, struct err *err)
{
    int version = (int)syscall(SYS_landlock_create_ruleset, NULL, 0,
                               LANDLOCK_CREATE_RULESET_VERSION);
    s->landlock_version = version;
    return version < 1 ? err_set(err, "sandbox: Landlock: %s", strerror(errno)) : 0;
}

/* The watch must see a process below our own. */
static int find_watch(struct err *err)
{
    struct sandbox_watch w = {0};
    int hold[2], status;
    if (pipe(hold) < 0)
        return err_errno(err, "cannot make a pipe");
    pid_t pid = fork();
    if (pid == 0) {
        char byte;
        close(hold[1]);
        _exit(read(hold[0], &byte, 1) < 0);
    }
    sandbox_watch_look(&w, getpid());
    bool seen = pid > 0 && w.n_live >= 2 && w.resident_bytes > 0;
    close(hold[0]);
    close(hold[1]);
    if (pid > 0)
        waitpid(pid, &status, 0);
    sandbox_watch_release(&w);
    return seen ? 0
                : err_set(err, "sandbox: watch over /proc: no /proc/PID/task/TID/children");
}

static int probe(const struct sandbox *s, struct err *err)
{
    struct sandbox_program p = {.argv = NULL};
    struct sandbox_result r = {0};
    int rc = sandbox_run(s, &sandbox_default_limits, &p, &r, 1, err);
    if (rc == 0 && r.end != SANDBOX_EXITED)
        rc = err_set(err, "sandbox: the probe %s", sandbox_end_name(r.end));
    else if (rc == 0 && r.code != 0)
        rc = err_set(err, "sandbox: %s: does not hold", sandbox_layer_name(1u << (r.code - 1)));
    sandbox_result_release(&r);
    return rc;
}

struct sandbox *sandbox_open_without(unsigned layers, struct err *err)
{
    struct sandbox *s = xcalloc(1, sizeof *s);
    s->without = layers;
    choose_user(s);
    s->net_cookie = own_network();
    if (find_landlock(s, err) < 0 || (!layers && find_namespace(err) < 0) || find_watch(err) < 0 ||
        sandbox_filter_build(&s->filter, err) < 0 || (!layers && probe(s, err) < 0)) {
        sandbox_close(s);
        return NULL;
    }
    return s;
}

struct sandbox *sandbox_open(struct err *err)
{
    return sandbox_open_without(0, err);
}
