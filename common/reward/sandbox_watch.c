/* sandbox_watch.c - what the processes of a sandbox use, from /proc.
 *
 * Limits of the kernel are per process; this adds them up.  A process that ended
 * between two looks keeps what it had at the last one, so a chain of short-lived
 * processes is counted, too.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "reward/sandbox_internal.h"

#define MAX_DEPTH 256

/* A small file of /proc as a string; false if the process is gone. */
static bool read_small(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, size - 1);
    close(fd);
    if (n <= 0)
        return false;
    text[n] = '\0';
    return true;
}

/* Of "pid (name) S ..." the part from the state on; the name may hold anything. */
static const char *after_name(const char *stat)
{
    const char *end = strrchr(stat, ')');
    return end && end[1] ? end + 2 : NULL;
}

static void enter(struct sandbox_watch *w, pid_t pid, double cpu)
{
    for (int i = 0; i < w->n_live; i++) {
        struct watched *p = &w->live[i];
        if (p->pid == pid) {
            if (cpu < p->cpu) /* another one of that number */
                w->gone += p->cpu;
            p->cpu = cpu;
            p->seen = true;
            return;
        }
    }
    GROW(w->live, w->n_live, w->cap_live);
    w->live[w->n_live++] = (struct watched){pid, cpu, true};
}

/* Memory of its own, and shared memory, which is not a file's. */
static int64_t resident(const char *status)
{
    static const char *const rows[] = {"\nRssAnon:", "\nRssShmem:"};
    int64_t kib = 0;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *at = strstr(status, rows[i]);
        if (at)
            kib += strtoll(at + strlen(rows[i]), NULL, 10);
    }
    return kib * 1024;
}

static void look_at_process(struct sandbox_watch *w, pid_t pid)
{
    char path[64], text[4096];
    unsigned long user, system;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (!read_small(path, text, sizeof text))
        return;
    const char *rest = after_name(text);
    if (rest && sscanf(rest, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                       &system) == 2)
        enter(w, pid, (double)(user + system) / (double)sysconf(_SC_CLK_TCK));
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    if (read_small(path, text, sizeof text))
        w->resident_bytes += resident(text);
}

static void look_below(struct sandbox_watch *w, pid_t pid, int depth);

static void look_at_thread(struct sandbox_watch *w, pid_t pid, const char *thread, int depth)
{
    char path[128], text[4096];
    snprintf(path, sizeof path, "/proc/%d/task/%.20s/stat", (int)pid, thread);
    const char *rest = read_small(path, text, sizeof text) ? after_name(text) : NULL;
    if (rest && strchr("RD", *rest))
        w->running = true;
    snprintf(path, sizeof path, "/proc/%d/task/%.20s/children", (int)pid, thread);
    if (!read_small(path, text, sizeof text))
        return;
    char *end;
    for (char *p = text; *p; p = end) {
        long child = strtol(p, &end, 10);
        if (end == p)
            break;
        look_below(w, (pid_t)child, depth + 1);
    }
}

static void look_below(struct sandbox_watch *w, pid_t pid, int depth)
{
    char path[64];
    if (depth > MAX_DEPTH)
        return;
    look_at_process(w, pid);
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *dir = opendir(path);
    if (!dir)
        return;
    for (struct dirent *e; (e = readdir(dir));) {
        if (e->d_name[0] != '.')
            look_at_thread(w, pid, e->d_name, depth);
    }
    closedir(dir);
}

void sandbox_watch_look(struct sandbox_watch *w, pid_t init)
{
    w->resident_bytes = 0;
    w->running = false;
    for (int i = 0; i < w->n_live; i++)
        w->live[i].seen = false;
    look_below(w, init, 0);
    w->cpu = w->gone;
    int kept = 0;
    for (int i = 0; i < w->n_live; i++) {
        w->cpu += w->live[i].cpu;
        if (w->live[i].seen)
            w->live[kept++] = w->live[i];
        else
            w->gone += w->live[i].cpu;
    }
    w->n_live = kept;
}

/* Its descriptors are closed before it is a zombie: from then on others know. */
#define PF_EXITING 4u

static bool is_ending(pid_t pid)
{
    char path[64], text[4096], state;
    unsigned flags;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    const char *rest = read_small(path, text, sizeof text) ? after_name(text) : NULL;
    return !rest || sscanf(rest, "%c %*d %*d %*d %*d %*d %u", &state, &flags) != 2 ||
           state == 'Z' || (flags & PF_EXITING);
}

bool sandbox_watch_ended(pid_t init)
{
    char path[64], text[4096], *end;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)init, (int)init);
    if (!read_small(path, text, sizeof text))
        return true;
    for (char *p = text; *p; p = end) {
        long child = strtol(p, &end, 10);
        if (end == p)
            break;
        if (!is_ending((pid_t)child))
            return false;
    }
    return true;
}

void sandbox_watch_release(struct sandbox_watch *w)
{
    free(w->live);
    *w = (struct sandbox_watch){0};
}
