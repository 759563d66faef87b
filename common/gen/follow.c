/* follow.c - the generator's end of asynchronous RL: published weights and credits. */
#include "gen/follow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "data/json.h"

#define POLL_MS 20

int follow_init(struct follow *f, const char *dir, struct err *err)
{
    *f = (struct follow){.version = -1};
    if (!dir || !*dir)
        return err_set(err, "no policy directory is named");
    /* The clock that files are stamped with. */
    clock_gettime(CLOCK_REALTIME_COARSE, &f->started);
    f->dir = xstrdup(dir);
    f->credits = path_join(dir, "credits.json");
    return 0;
}

void follow_release(struct follow *f)
{
    free(f->dir);
    free(f->credits);
    *f = (struct follow){.version = -1};
}

/* DIR/latest -> v000017 gives 17; -1 = nothing published yet, -2 = error. */
static int32_t latest_version(const struct follow *f, struct err *err)
{
    char target[4096];
    char *link = path_join(f->dir, "latest");
    ssize_t n = readlink(link, target, sizeof target - 1);
    int32_t version = -1;
    if (n < 0 && errno != ENOENT && errno != ENOTDIR) {
        err_errno(err, "cannot read '%s'", link);
        version = -2;
    } else if (n >= 0) {
        target[n] = '\0';
        const char *name = strrchr(target, '/') ? strrchr(target, '/') + 1 : target;
        char *end = NULL;
        long v = name[0] == 'v' ? strtol(name + 1, &end, 10) : -1;
        if (v < 0 || v > INT32_MAX || !end || end == name + 1 || *end) {
            err_set(err, "'%s' points to '%s', expected a version like v000017", link, target);
            version = -2;
        } else {
            version = (int32_t)v;
        }
    }
    free(link);
    return version;
}

static char *version_dir(const struct follow *f, int32_t version)
{
    return xasprintf("%s/v%06d", f->dir, version);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static bool older(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec < b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

/* Takes over what credits.json says. */
static int take_credits(struct follow *f, const json_t *obj, const struct stat *st, struct err *err)
{
    int64_t groups = 0, next_group = 0;
    bool done = false, stopped = false;
    if (json_get_int(obj, "groups", &groups, err) < 0 ||
        json_opt_int(obj, "next_group", &next_group, err) < 0 ||
        json_opt_bool(obj, "done", &done, err) < 0 ||
        json_opt_bool(obj, "stopped", &stopped, err) < 0)
        return err_prefix(err, "%s", f->credits);
    /* A trainer that stopped before we began: the next one will write its own. */
    if (stopped && older(&st->st_mtim, &f->started))
        return 0;
    f->groups = groups;
    f->next_group = next_group;
    f->done = done || stopped;
    return 0;
}

static int read_credits(struct follow *f, struct err *err)
{
    struct stat st;
    if (stat(f->credits, &st) < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0
                                                   : err_errno(err, "cannot read '%s'", f->credits);
    if (same_file(&st, &f->credits_seen))
        return 0;
    json_t *obj = json_load_path(f->credits, err);
    if (!obj)
        return -1;
    int rc = take_credits(f, obj, &st, err);
    json_decref(obj);
    if (rc == 0)
        f->credits_seen = st;
    return rc;
}

/* Credits first: the trainer publishes weights before it gives the credits that go with them, so
 * whoever sees the credits here sees those weights too. */
int follow_look(struct follow *f, struct err *err)
{
    if (read_credits(f, err) < 0)
        return -1;
    int32_t version = latest_version(f, err);
    if (version < -1)
        return -1;
    return version >= 0 && version != f->version;
}

/* The trainer may remove a version between our readlink and our read; then there is another one. */
int follow_poll(struct follow *f, struct model *m, struct err *err)
{
    int rc = follow_look(f, err);
    while (rc > 0) {
        int32_t version = latest_version(f, err);
        if (version < 0)
            return -1;
        char *dir = version_dir(f, version);
        struct err failure = {0};
        rc = model_reload(m, dir, &failure);
        free(dir);
        if (rc == 0) {
            f->version = version;
            log_debug("took over policy version %d", version);
            return 1;
        }
        int32_t now = latest_version(f, err);
        if (now == version) {
            *err = failure;
            return -1;
        }
        rc = now < -1 ? -1 : 1;
    }
    return rc;
}

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000L}, NULL);
}

int follow_wait_first(struct follow *f, double timeout_s, char **model_dir, struct err *err)
{
    double deadline = clock_s() + timeout_s;
    for (;;) {
        int rc = follow_look(f, err);
        if (rc < 0)
            return -1;
        if (rc > 0) {
            int32_t version = latest_version(f, err);
            if (version < 0)
                return -1;
            *model_dir = version_dir(f, version);
            f->version = version;
            return 0;
        }
        if (f->done)
            return 0;
        if (clock_s() >= deadline)
            return err_set(err, "waited %g s for '%s/latest': no weights were published", timeout_s,
                           f->dir);
        nap();
    }
}

static int timed_out(const struct follow *f, int64_t g, double timeout_s, struct err *err)
{
    if (f->version < 0)
        return err_set(err, "waited %g s for '%s/latest': no weights were published", timeout_s,
                       f->dir);
    return err_set(err,
                   "waited %g s for '%s' to allow group %lld: it allows %lld groups (is the trainer "
                   "still running?)",
                   timeout_s, f->credits, (long long)g, (long long)f->groups);
}

int follow_wait(struct follow *f, struct model *m, int64_t g, double timeout_s, struct err *err)
{
    double deadline = clock_s() + timeout_s;
    int loaded = 0;
    for (;;) {
        int rc = follow_poll(f, m, err);
        if (rc < 0)
            return -1;
        loaded |= rc;
        int64_t wanted = g == FOLLOW_NEXT ? f->next_group : g;
        if (f->done || (f->version >= 0 && wanted < f->groups))
            return loaded;
        if (clock_s() >= deadline)
            return timed_out(f, wanted, timeout_s, err);
        nap();
    }
}
