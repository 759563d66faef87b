/* readahead.c - a thread that empties a pipe into memory while the program computes. */
#include "data/readahead.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#define PIECE ((size_t)64 << 10)

struct readahead {
    int fd, stop[2]; /* closing stop[1] ends the thread, even from within its wait */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t bytes, room;
    /* under lock: a ring of cap bytes, len of them full from head on */
    char *ring;
    size_t head, len, cap, max;
    bool ended, stopping;
    int error; /* errno of the read that ended it */
};

static void grow(struct readahead *r)
{
    size_t cap = r->cap ? 2 * r->cap : 4 * PIECE;
    char *ring = xmalloc(cap);
    size_t first = r->cap - r->head < r->len ? r->cap - r->head : r->len;
    if (r->len) {
        memcpy(ring, r->ring + r->head, first);
        memcpy(ring + first, r->ring, r->len - first);
    }
    free(r->ring);
    r->ring = ring;
    r->cap = cap;
    r->head = 0;
}

static void append(struct readahead *r, const char *bytes, size_t n)
{
    while (r->len + n > r->cap)
        grow(r);
    size_t at = (r->head + r->len) % r->cap, first = r->cap - at < n ? r->cap - at : n;
    memcpy(r->ring + at, bytes, first);
    memcpy(r->ring, bytes + first, n - first);
    r->len += n;
}

/* As read(2), but 0 also when the thread is to stop. */
static ssize_t wait_and_read(const struct readahead *r, char *piece)
{
    struct pollfd p[2] = {{.fd = r->fd, .events = POLLIN}, {.fd = r->stop[0], .events = POLLIN}};
    for (;;) {
        if (poll(p, 2, -1) < 0) {
            if (errno != EINTR)
                return -1;
            continue;
        }
        if (p[1].revents)
            return 0;
        ssize_t got = read(r->fd, piece, PIECE);
        if (got >= 0 || (errno != EINTR && errno != EAGAIN))
            return got;
    }
}

static void *reader_main(void *arg)
{
    struct readahead *r = arg;
    char *piece = xmalloc(PIECE);
    bool ended = false;
    while (!ended) {
        ssize_t got = wait_and_read(r, piece);
        int error = errno;
        pthread_mutex_lock(&r->lock);
        if (got > 0)
            append(r, piece, (size_t)got);
        else
            r->ended = true;
        if (got < 0)
            r->error = error;
        pthread_cond_signal(&r->bytes);
        while (r->len >= r->max && !r->stopping)
            pthread_cond_wait(&r->room, &r->lock);
        ended = r->ended || r->stopping;
        pthread_mutex_unlock(&r->lock);
    }
    free(piece);
    return NULL;
}

struct readahead *readahead_start(int fd, size_t max_bytes)
{
    struct readahead *r = xcalloc(1, sizeof *r);
    sigset_t all, before;
    r->fd = fd;
    r->max = max_bytes;
    if (pipe2(r->stop, O_CLOEXEC) < 0) {
        free(r);
        return NULL;
    }
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->bytes, NULL);
    pthread_cond_init(&r->room, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals go to the main thread */
    int rc = pthread_create(&r->thread, NULL, reader_main, r);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0)
        return r;
    close(r->stop[0]);
    close(r->stop[1]);
    free(r);
    return NULL;
}

ssize_t readahead_read(struct readahead *r, void *buf, size_t n)
{
    pthread_mutex_lock(&r->lock);
    while (r->len == 0 && !r->ended)
        pthread_cond_wait(&r->bytes, &r->lock);
    size_t left = r->cap - r->head, take = n < r->len ? n : r->len;
    if (take > left)
        take = left;
    if (take)
        memcpy(buf, r->ring + r->head, take);
    r->len -= take;
    r->head = r->len ? (r->head + take) % r->cap : 0;
    int error = take ? 0 : r->error;
    pthread_cond_signal(&r->room);
    pthread_mutex_unlock(&r->lock);
    errno = error;
    return error ? -1 : (ssize_t)take;
}

bool readahead_ready(struct readahead *r)
{
    pthread_mutex_lock(&r->lock);
    bool ready = r->len > 0 || r->ended;
    pthread_mutex_unlock(&r->lock);
    return ready;
}

void readahead_stop(struct readahead *r)
{
    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    r->stopping = true;
    pthread_cond_signal(&r->room);
    pthread_mutex_unlock(&r->lock);
    close(r->stop[1]);
    pthread_join(r->thread, NULL);
    close(r->stop[0]);
    pthread_cond_destroy(&r->bytes);
    pthread_cond_destroy(&r->room);
    pthread_mutex_destroy(&r->lock);
    free(r->ring);
    free(r);
}
