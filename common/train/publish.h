/* publish.h - the trainer's end of asynchronous RL (see gen/follow.h for the protocol). */
#ifndef TP_TRAIN_PUBLISH_H
#define TP_TRAIN_PUBLISH_H

#include "base/err.h"
#include "model/checkpoint.h"

struct publisher {
    char *dir;
    int64_t groups_per_step, max_staleness;
    int keep; /* versions kept on disk */
    /* Groups that were read and did not count (stale, or without signal): the generator has to make
     * as many more, or both sides would wait for ever. */
    int64_t extra_groups;
    /* Where a generator begins that is started anew: after the groups of the last checkpoint. */
    int64_t next_group;
};
enum publisher_state { PUBLISHER_RUNNING, PUBLISHER_STOPPED, PUBLISHER_DONE };

/* Removes the credits of an earlier run: nobody is to act on them. */
int publisher_init(struct publisher *p, const char *dir, int64_t groups_per_step,
                   int64_t max_staleness, struct err *err) WARN_UNUSED;
/* Writes DIR/v%06d, moves DIR/latest to it, removes versions older than keep. */
int publisher_weights(struct publisher *p, int32_t version, const struct checkpoint_write *w,
                      struct err *err) WARN_UNUSED;
/* After `version` batches are done: lets the generator start (version + 1 + max_staleness) *
 * groups_per_step + extra_groups groups. */
int publisher_credits(struct publisher *p, int32_t version, enum publisher_state state,
                      struct err *err) WARN_UNUSED;
void publisher_release(struct publisher *p);

#endif
