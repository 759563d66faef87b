/* workers_internal.h - between workers.c (the parent), nursery.c and worker_loop.c. */
#ifndef TP_REWARD_WORKERS_INTERNAL_H
#define TP_REWARD_WORKERS_INTERNAL_H

#include <stdint.h>
#include <sys/types.h>

#include "reward/workers.h"

/* Messages are two lengths (uint32, native order), a JSON object and a text as it is, which is most of
 * a request and need not be JSON twice.  text: or NULL, which is an empty one. */
int message_send(int fd, const json_t *obj, const char *text);
/* NULL: the other side is gone, or would send more than limit.  *text is owned. */
json_t *message_receive(int fd, uint32_t limit, char **text);
/* What is judged goes beside it: a->whole. */
json_t *request_make(const struct verifier *v, const struct answer *a, const json_t *truth);
json_t *vote_request(const struct ballot *ballots, size_t n);
noreturn void worker_main(int fd);

/* The nursery forks workers and buries them.  Not for several threads at once. */
struct nursery {
    pid_t pid; /* of its guard */
    int fd;
};
int nursery_open(struct nursery *n, struct err *err) WARN_UNUSED;
int nursery_spawn(struct nursery *n, pid_t *pid, int *fd, struct err *err) WARN_UNUSED;
/* Kills it if it lives; its wait status, or -1. */
int nursery_bury(struct nursery *n, pid_t pid);
void nursery_close(struct nursery *n);

#endif
