/* sandbox_internal.h - between sandbox.c (the parent), sandbox_child.c (inside), the filter, the
 * probe and the watch. */
#ifndef TP_REWARD_SANDBOX_INTERNAL_H
#define TP_REWARD_SANDBOX_INTERNAL_H

#include <linux/filter.h>
#include <sys/types.h>

#include "reward/sandbox.h"

/* Bits: what a test can leave out to see what it is good for. */
enum sandbox_layer {
    LAYER_USER = 1 << 0,
    LAYER_PID = 1 << 1,
    LAYER_MOUNT = 1 << 2,
    LAYER_NET = 1 << 3,
    LAYER_IPC = 1 << 4,
    LAYER_UTS = 1 << 5,
    LAYER_LANDLOCK = 1 << 6,
    LAYER_SECCOMP = 1 << 7,
    LAYER_LIMITS = 1 << 8,
    LAYER_DISK = 1 << 9, /* the size of /box */
    LAYER_ENVIRONMENT = 1 << 10,
    LAYER_DESCRIPTORS = 1 << 11,
    LAYER_WATCH = 1 << 12
};
/* sandbox_open() without some layers; for tests only. */
struct sandbox *sandbox_open_without(unsigned layers, struct err *err);
const char *sandbox_layer_name(unsigned layer);

#define SANDBOX_MAX 2 /* at once, in one sandbox_run() */
#define BOX "/box"
#define BOX_ID 1000 /* user and group inside */

struct sandbox {
    unsigned without;
    uid_t uid; /* outside */
    gid_t gid;
    int landlock_version;
    uint64_t net_cookie; /* of the network outside, 0 = unknown */
    struct sock_fprog filter;
};

/* From init to the parent, through a pipe that the program does not have. */
struct sandbox_report {
    enum { REPORT_ENDED = 1, REPORT_FAILED } what;
    int status; /* ENDED: wait status of the program; FAILED: errno */
    char where[64];
};

/* The parent's descriptors that the child needs. */
struct sandbox_pipes {
    int input, out, err, report, sync;
};

/* Inside: process 1. */
noreturn void sandbox_init_main(const struct sandbox *s, const struct sandbox_limits *limits,
                                const struct sandbox_program *p, const struct sandbox_pipes *fd);
noreturn void sandbox_fail(const char *where); /* reports errno */
void sandbox_build_root(const struct sandbox *s, const struct sandbox_limits *limits);
void sandbox_restrict_files(const struct sandbox *s, bool runs_files);
/* Ends with 0, or with the bit's number + 1 of the layer that does not hold. */
noreturn void sandbox_probe(const struct sandbox *s, const struct sandbox_limits *limits);

int sandbox_filter_build(struct sock_fprog *out, struct err *err) WARN_UNUSED;

/* The processes of one sandbox, seen from outside. */
struct sandbox_watch {
    struct watched {
        pid_t pid;
        double cpu;
        bool seen;
    } * live;
    int n_live, cap_live;
    double gone; /* seconds used by those that are gone */
    double cpu;  /* all together */
    int64_t resident_bytes;
    bool running; /* one of them runs, or waits for a processor or a disk */
};
/* Looks at init and all below it. */
void sandbox_watch_look(struct sandbox_watch *w, pid_t init);
/* Has init nobody to wait for that still runs?  Also before it has started anybody. */
bool sandbox_watch_ended(pid_t init);
void sandbox_watch_release(struct sandbox_watch *w);

#endif
