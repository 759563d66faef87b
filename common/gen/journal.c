/* journal.c - an output file that remembers what is done. */
#include "gen/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "data/stream.h"

enum { SYNC_EVERY_S = 5 };

struct journal {
    char *path;
    int fd;
    int64_t n_found;
    struct name_set done;
    struct strbuf line;
    time_t synced;
};

/* A set of strings: open addressing, at most half full. */

static uint64_t hash_name(const char *name)
{
    uint64_t h = 14695981039346656037u; /* FNV-1a */
    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 1099511628211u;
    return h ^ h >> 29;
}

static int64_t find_slot(const struct name_set *s, const char *name)
{
    uint64_t mask = (uint64_t)s->cap - 1, i = hash_name(name) & mask;
    while (s->slots[i] && strcmp(s->slots[i], name) != 0)
        i = (i + 1) & mask;
    return (int64_t)i;
}

static void grow(struct name_set *s)
{
    struct name_set bigger = {.n = s->n, .cap = s->cap ? 2 * s->cap : 64};
    bigger.slots = xcalloc((size_t)bigger.cap, sizeof *bigger.slots);
    for (int64_t i = 0; i < s->cap; i++)
        if (s->slots[i])
            bigger.slots[find_slot(&bigger, s->slots[i])] = s->slots[i];
    free(s->slots);
    *s = bigger;
}

static bool name_set_has(const struct name_set *s, const char *name)
{
    return s->n > 0 && s->slots[find_slot(s, name)] != NULL;
}

bool name_set_add(struct name_set *s, const char *name)
{
    if (2 * (s->n + 1) > s->cap)
        grow(s);
    int64_t i = find_slot(s, name);
    if (s->slots[i])
        return false;
    s->slots[i] = xstrdup(name);
    s->n++;
    return true;
}

void name_set_release(struct name_set *s)
{
    for (int64_t i = 0; i < s->cap; i++)
        free(s->slots[i]);
    free(s->slots);
    memset(s, 0, sizeof *s);
}

/* Opening. */

static int check_parameters(const char *path, const json_t *parameters, bool has_records,
                            struct err *err)
{
    char *meta = xasprintf("%s.meta", path);
    int rc = 0;
    if (!file_exists(meta)) {
        rc = has_records
                 ? err_set(err, "%s holds records, but '%s' is missing: not made by this program, "
                                "or moved without it",
                           path, meta)
                 : json_save_path(meta, parameters, err);
        free(meta);
        return rc;
    }
    json_t *old = json_load_path(meta, err);
    const char *key;
    json_t *value;
    if (!old)
        rc = -1;
    json_object_foreach((json_t *)(uintptr_t)parameters, key, value) {
        if (rc == 0 && !json_equal(json_object_get(old, key), value))
            rc = err_set(err, "%s was made with another '%s' (see '%s'); give the same options or "
                              "another file",
                         path, key, meta);
    }
    if (rc == 0 && json_object_size(old) != json_object_size(parameters))
        rc = err_set(err, "%s was made with other options, see '%s'", path, meta);
    json_decref(old);
    free(meta);
    return rc;
}

/* Remembers every whole line; *good = bytes up to the end of the last one. */
static int read_lines(struct journal *j, char *(*key)(const json_t *), int64_t *good,
                      struct err *err)
{
    struct stream *in = stream_open(j->path, err);
    if (!in)
        return -1;
    int rc = 0, got;
    int64_t line = 0;
    bool cut = false;
    *good = 0;
    while (rc == 0 && (got = stream_line(in, &j->line, 0, &cut, err)) == 1 && !cut) {
        line++;
        json_t *obj = json_parse(j->line.buf, j->line.len, err);
        char *name = obj ? key(obj) : NULL;
        if (!obj)
            rc = err_prefix(err, "%s:%lld", j->path, (long long)line);
        else if (!name)
            rc = err_set(err, "%s:%lld: not a record of this program", j->path, (long long)line);
        else
            name_set_add(&j->done, name);
        free(name);
        json_decref(obj);
        *good = stream_offset(in);
    }
    if (rc == 0 && got < 0)
        rc = -1;
    stream_close(in);
    j->n_found = j->done.n;
    return rc;
}

static int load(struct journal *j, const json_t *parameters, char *(*key)(const json_t *),
                struct err *err)
{
    struct stat st;
    int64_t good;
    if (flock(j->fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno == EWOULDBLOCK)
            return err_set(err, "%s is being written by another process", j->path);
        return err_errno(err, "cannot lock '%s'", j->path);
    }
    if (fstat(j->fd, &st) < 0)
        return err_errno(err, "cannot look at '%s'", j->path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, "%s is not a file that can be continued", j->path);
    if (check_parameters(j->path, parameters, st.st_size > 0, err) < 0)
        return -1;
    if (st.st_size == 0)
        return 0;
    if (read_lines(j, key, &good, err) < 0)
        return -1;
    if (good < st.st_size) {
        log_warn("%s: the last line is cut; %lld bytes are dropped", j->path,
                 (long long)(st.st_size - good));
        if (ftruncate(j->fd, good) < 0)
            return err_errno(err, "cannot shorten '%s'", j->path);
    }
    return 0;
}

struct journal *journal_open(const char *path, const json_t *parameters,
                             char *(*key)(const json_t *), struct err *err)
{
    struct journal *j = xcalloc(1, sizeof *j);
    struct err ignored = {0};
    j->path = xstrdup(path);
    j->synced = time(NULL);
    j->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    int rc = j->fd < 0 ? err_errno(err, "cannot open '%s'", path) : load(j, parameters, key, err);
    if (rc == 0)
        return j;
    if (journal_close(j, &ignored) < 0)
        log_debug("%s", ignored.text);
    return NULL;
}

bool journal_has(const struct journal *j, const char *key)
{
    return name_set_has(&j->done, key);
}

int64_t journal_count(const struct journal *j)
{
    return j->n_found;
}

int journal_append(struct journal *j, const json_t *record, struct err *err)
{
    strbuf_clear(&j->line);
    json_write(&j->line, record);
    strbuf_addc(&j->line, '\n');
    for (size_t at = 0; at < j->line.len;) {
        ssize_t n = write(j->fd, j->line.buf + at, j->line.len - at);
        if (n < 0 && errno != EINTR)
            return err_errno(err, "cannot write '%s'", j->path);
        at += n > 0 ? (size_t)n : 0;
    }
    if (time(NULL) - j->synced >= SYNC_EVERY_S) {
        j->synced = time(NULL);
        if (fdatasync(j->fd) < 0)
            return err_errno(err, "cannot write '%s'", j->path);
    }
    return 0;
}

int journal_close(struct journal *j, struct err *err)
{
    int rc = 0;
    if (!j)
        return 0;
    if (j->fd >= 0 && fsync(j->fd) < 0)
        rc = err_errno(err, "cannot write '%s'", j->path);
    if (j->fd >= 0 && close(j->fd) < 0)
        rc = err_errno(err, "cannot write '%s'", j->path);
    name_set_release(&j->done);
    strbuf_release(&j->line);
    free(j->path);
    free(j);
    return rc;
}
