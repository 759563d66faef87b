/* readahead.h - a thread that empties a pipe into memory while the program computes.
 *
 * A pipe holds 64 KiB.  Without this, a program that reads only between two steps keeps the one
 * before it waiting for most of the time, and a pipeline of two runs on one core.
 */
#ifndef TP_DATA_READAHEAD_H
#define TP_DATA_READAHEAD_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct readahead;
/* Keeps at most max_bytes; NULL if no thread could be started (then read fd as before).  fd stays
 * the caller's, open until after readahead_stop(). */
struct readahead *readahead_start(int fd, size_t max_bytes);
/* As read(2): waits for the first byte; 0 = end, -1 = error with errno. */
ssize_t readahead_read(struct readahead *r, void *buf, size_t n);
bool readahead_ready(struct readahead *r); /* a read would not wait */
void readahead_stop(struct readahead *r);

#endif
