/* err.h - how library functions fail.
 *
 * A function that can fail on input returns 0 (or a count) or -1 and fills the
 * caller's `struct err`.  The first error wins: setting an err that is already
 * set changes nothing, so a caller can always report the root cause.  The text
 * is complete for a user ("train.jsonl:17: 'loss_mask' has 12 entries, 'tokens'
 * has 14"), lower case, no full stop, without the program's name.
 *
 *     struct err err = {0};
 *     int rc = thing_open(&t, path, &err);
 *     return tool_finish(rc, &err);       // tools only: prints err, leaves with its status
 */
#ifndef TP_BASE_ERR_H
#define TP_BASE_ERR_H

#include <stdbool.h>
#include <stdnoreturn.h>

#define WARN_UNUSED __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))

enum exit_status {
    EXIT_OK = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_LIMIT = 3,    /* a limit the user set was not met (--max-rejects, --fail-above) */
    EXIT_NO_MEMORY = 70,
    EXIT_RESUMABLE = 75 /* stopped by a signal with everything saved: run me again */
};

struct err {
    bool set;
    int status; /* exit status it should lead to; 0 means EXIT_FAILED */
    char text[1024];
};

/* Records the message unless one is recorded already.  Always returns -1. */
int err_set(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Same, followed by ": " and the text of errno as it was on entry. */
int err_errno(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Puts "prefix: " in front of a recorded message (file names, line numbers).  Returns -1. */
int err_prefix(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
void err_clear(struct err *err);

/* A broken invariant of the program itself: prints file, line and text, aborts. */
noreturn void bug_at(const char *file, int line, const char *fmt, ...) PRINTF_LIKE(3, 4);
#define BUG(...) bug_at(__FILE__, __LINE__, __VA_ARGS__)

#endif
