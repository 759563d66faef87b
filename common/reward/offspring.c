/* offspring.c - kills what descends from this process, one generation after the other. */
#include "reward/offspring.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/strbuf.h"

/* Generations: programs that multiply faster than they are killed would keep us for ever. */
#define MAX_PASSES 1000

void offspring_adopt(void)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1);
}

/* The children of this process's one thread, as text; false if the kernel does not tell. */
static bool read_children(struct strbuf *out)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = -1;
    if (fd < 0)
        return false;
    do {
        strbuf_reserve(out, 4096);
        n = read(fd, out->buf + out->len, 4096);
        out->len += n > 0 ? (size_t)n : 0;
    } while (n > 0 || (n < 0 && errno == EINTR));
    close(fd);
    out->buf[out->len] = '\0';
    return n == 0;
}

static bool is_kept(pid_t pid, const pid_t *keep, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (keep[i] == pid)
            return true;
    }
    return false;
}

/* Children of this moment; returns how many of them were killed. */
static int kill_children(const char *list, const pid_t *keep, size_t n)
{
    int killed = 0;
    char *end;
    for (const char *p = list; *p; p = end) {
        pid_t pid = (pid_t)strtol(p, &end, 10);
        if (end == p)
            break;
        if (is_kept(pid, keep, n) || kill(pid, SIGKILL) < 0)
            continue;
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            continue;
        killed++;
        end += *end == ' ';
    }
    return killed;
}

void offspring_kill(const pid_t *keep, size_t n)
{
    struct strbuf list = {0};
    for (int pass = 0; pass < MAX_PASSES; pass++) {
        strbuf_clear(&list);
        if (!read_children(&list) || kill_children(list.buf, keep, n) == 0)
            break;
    }
    strbuf_release(&list);
}
