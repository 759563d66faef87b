/* follow.h - the generator's end of asynchronous RL: published weights and credits.
 *
 * The trainer publishes POLICY/v000017/ and atomically replaces the symbolic link
 * POLICY/latest.  POLICY/credits.json, also replaced atomically, holds
 * {"version": v, "groups": n, "next_group": g, "done": false, "stopped": false}:
 * the generator may start group numbers below n.  That bound, counted in groups
 * and not in pipe bytes, is what keeps rollouts from growing stale:
 * n = (step + 1 + max_staleness) * groups per step.  A generator that is started
 * anew begins at group g, the first one that the trainer's last checkpoint has not
 * seen.  "done" ends every generator, "stopped" (the trainer will be run again)
 * only those that were there when it was written.
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
    int64_t next_group; /* where to begin */
    bool done;
    struct timespec started;
    char *credits;            /* path */
    struct stat credits_seen; /* of the credits.json that was read last */
};

int follow_init(struct follow *f, const char *dir, struct err *err) WARN_UNUSED;
/* Waits until weights are published.  *model_dir (owned) gets their directory, f->version their
 * version; left alone if the run is already done. */
int follow_wait_first(struct follow *f, double timeout_s, char **model_dir, struct err *err) WARN_UNUSED;
/* Reads new credits.  1 = other weights than f->version are published, 0 = not.  They may be older:
 * a trainer that was killed goes on from its checkpoint. */
int follow_look(struct follow *f, struct err *err) WARN_UNUSED;
/* Looks at the directory (a stat, so it is cheap).  1 = other weights were loaded into m, 0 = no. */
int follow_poll(struct follow *f, struct model *m, struct err *err) WARN_UNUSED;
/* Waits until credits allow group number g (FOLLOW_NEXT: f->next_group), or done; gives up after
 * timeout_s with an error that says what it waited for.  Loads other weights while waiting: 1 = it
 * did, 0 = not. */
#define FOLLOW_NEXT (-1)
int follow_wait(struct follow *f, struct model *m, int64_t g, double timeout_s, struct err *err) WARN_UNUSED;
void follow_release(struct follow *f);

#endif
