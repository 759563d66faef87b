/* follow.h - the generator's end of asynchronous RL: published weights and credits.
 *
 * The trainer publishes POLICY/v000017/ and atomically replaces the symbolic link
 * POLICY/latest.  POLICY/credits.json, also replaced atomically, holds
 * {"version": v, "groups": n, "done": false}: the generator may start group
 * numbers below n.  That bound, counted in groups and not in pipe bytes, is what
 * keeps rollouts from growing stale: n = (step + 1 + max_staleness) * groups per step.
 *
 * Every wait has a deadline and says what it waited for.
 */
#ifndef TP_GEN_FOLLOW_H
#define TP_GEN_FOLLOW_H

#include <sys/stat.h>

#include "model/model.h"

struct follow {
    char *dir;
    int32_t version;  /* of the weights in use; -1 = none yet */
    int64_t groups;   /* credits: groups that may be started */
    bool done;
    char *credits;            /* path */
    struct stat credits_seen; /* of the credits.json that was read last */
};

int follow_init(struct follow *f, const char *dir, struct err *err) WARN_UNUSED;
/* Waits until weights are published.  *model_dir (owned) gets their directory, f->version their
 * version; left alone if the run is already done. */
int follow_wait_first(struct follow *f, double timeout_s, char **model_dir, struct err *err) WARN_UNUSED;
/* Reads new credits.  1 = newer weights than f->version are published, 0 = not. */
int follow_look(struct follow *f, struct err *err) WARN_UNUSED;
/* Looks at the directory (a stat, so it is cheap).  1 = newer weights were loaded into m, 0 = not. */
int follow_poll(struct follow *f, struct model *m, struct err *err) WARN_UNUSED;
/* Waits until credits allow group number g, or done; gives up after timeout_s with an error that says
 * what it waited for.  Loads newer weights while waiting: 1 = it did, 0 = not. */
int follow_wait(struct follow *f, struct model *m, int64_t g, double timeout_s, struct err *err) WARN_UNUSED;
void follow_release(struct follow *f);

#endif
