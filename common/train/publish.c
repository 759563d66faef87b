/* publish.c - weights first, then the link, then the credits that go with them. */
#include "train/publish.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

int publisher_init(struct publisher *p, const char *dir, int64_t groups_per_step,
                   int64_t max_staleness, struct err *err)
{
    *p = (struct publisher){.dir = xstrdup(dir), .groups_per_step = groups_per_step,
                            .max_staleness = max_staleness, .keep = 4};
    if (dir_make(dir, err) < 0)
        return -1;
    char *credits = path_join(dir, "credits.json");
    int rc = 0;
    if (unlink(credits) < 0 && errno != ENOENT)
        rc = err_errno(err, "cannot remove '%s'", credits);
    free(credits);
    return rc;
}

static char *version_path(const struct publisher *p, int32_t version, const char *suffix)
{
    return xasprintf("%s/v%06d%s", p->dir, version, suffix);
}

/* Replaces DIR/latest by way of a second link and rename(2), so it is never absent. */
static int point_latest(const struct publisher *p, int32_t version, struct err *err)
{
    char *link = path_join(p->dir, "latest"), *aside = path_join(p->dir, ".latest.tmp");
    char target[32];
    int rc = 0;

    snprintf(target, sizeof target, "v%06d", version);
    unlink(aside);
    if (symlink(target, aside) < 0 || rename(aside, link) < 0)
        rc = err_errno(err, "cannot point '%s' at %s", link, target);
    free(link);
    free(aside);
    return rc;
}

static int remove_old(const struct publisher *p, int32_t version, struct err *err)
{
    char *old = version_path(p, version - p->keep, "");
    int rc = version >= p->keep && dir_exists(old) ? dir_remove(old, err) : 0;

    free(old);
    return rc;
}

/* What the run that was interrupted had published may be being read: it is never absent. */
static int replace_version(const char *tmp, const char *dir, struct err *err)
{
    if (renameat2(AT_FDCWD, tmp, AT_FDCWD, dir, RENAME_EXCHANGE) == 0)
        return dir_remove(tmp, err);
    /* Not every file system can. */
    return dir_remove(dir, err) < 0 ? -1 : dir_commit(tmp, dir, err);
}

int publisher_weights(struct publisher *p, int32_t version, const struct checkpoint_write *w,
                      struct err *err)
{
    char *tmp = version_path(p, version, ".tmp"), *dir = version_path(p, version, "");
    int rc = 0;

    if (dir_exists(tmp))
        rc = dir_remove(tmp, err);
    if (rc == 0)
        rc = checkpoint_write(tmp, w, err);
    if (rc == 0)
        rc = dir_exists(dir) ? replace_version(tmp, dir, err) : dir_commit(tmp, dir, err);
    if (rc < 0 && dir_exists(tmp)) {
        struct err ignored = {0}; /* the first failure is the one to report */
        (void)!dir_remove(tmp, &ignored);
    }
    if (rc == 0)
        rc = point_latest(p, version, err);
    if (rc == 0)
        rc = remove_old(p, version, err);
    free(tmp);
    free(dir);
    return rc;
}

int publisher_credits(struct publisher *p, int32_t version, enum publisher_state state,
                      struct err *err)
{
    int64_t groups = (version + 1 + p->max_staleness) * p->groups_per_step + p->extra_groups;
    json_t *j = json_pack("{s:i, s:I, s:I, s:b, s:b}", "version", version, "groups",
                          (json_int_t)groups, "next_group", (json_int_t)p->next_group, "done", state == PUBLISHER_DONE,
                          "stopped", state == PUBLISHER_STOPPED);
    char *path = path_join(p->dir, "credits.json");
    int rc = json_save_path(path, j, err);

    free(path);
    json_decref(j);
    return rc;
}

void publisher_release(struct publisher *p)
{
    free(p->dir);
    p->dir = NULL;
}
