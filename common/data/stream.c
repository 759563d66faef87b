/* stream.c - bytes and lines in, whatever the compression. */
#include "data/stream.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "data/readahead.h"

#define IO_BYTES ((size_t)256 << 10)
#define RATIO_FROM_BYTES ((int64_t)10 << 20)
#define MAX_LINE_BYTES ((size_t)1 << 30)
#define MAX_DOCUMENT_BYTES ((size_t)1 << 30)

struct stream {
    char *name;
    int fd; /* -1: bytes come from source */
    struct stream_source source;
    struct readahead *ahead; /* reads fd, if not NULL */
    bool regular;
    off_t start; /* where the descriptor stood when we got it */

    /* The compressed side, when there is one. */
    struct archive *archive;
    char *raw;
    size_t raw_ready;  /* bytes in raw that the decompressor has not been given yet */
    int64_t raw_bytes; /* read so far, compressed or not */
    struct err raw_err;

    char *buf; /* clear bytes [pos, end) */
    size_t pos, end, cap;
    int64_t clear_bytes; /* that ever entered buf */
    bool started, at_end, too_long;
    double max_ratio;
};

static struct stream *new_stream(const char *name, int fd)
{
    struct stream *s = xcalloc(1, sizeof *s);
    s->name = xstrdup(name);
    s->fd = fd;
    return s;
}

struct stream *stream_from(const char *name, struct stream_source source)
{
    struct stream *s = new_stream(name, -1);
    s->source = source;
    return s;
}

struct stream *stream_open(const char *path, struct err *err)
{
    bool is_stdin = !path || strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) {
        err_errno(err, "cannot open '%s'", is_stdin ? "stdin" : path);
        if (fd > STDIN_FILENO)
            close(fd);
        return NULL;
    }
    if (S_ISDIR(st.st_mode)) {
        err_set(err, "cannot read '%s': it is a directory", is_stdin ? "stdin" : path);
        if (!is_stdin)
            close(fd);
        return NULL;
    }
    struct stream *s = new_stream(is_stdin ? "stdin" : path, fd);
    s->regular = S_ISREG(st.st_mode);
    s->start = s->regular ? lseek(fd, 0, SEEK_CUR) : 0;
    return s;
}

const char *stream_name(const struct stream *s)
{
    return s->name;
}

int64_t stream_offset(const struct stream *s)
{
    return s->clear_bytes - (int64_t)(s->end - s->pos);
}

bool stream_line_too_long(const struct stream *s)
{
    return s->too_long;
}

void stream_read_ahead(struct stream *s, size_t max_bytes)
{
    if (s->fd >= 0 && !s->regular && !s->ahead)
        s->ahead = readahead_start(s->fd, max_bytes);
}

void stream_limit_ratio(struct stream *s, double ratio)
{
    s->max_ratio = ratio;
}

/* Filling the buffer. */

static ssize_t read_raw(struct stream *s, void *buf, size_t n, struct err *err)
{
    ssize_t got;
    if (s->fd < 0) {
        got = s->source.read(s->source.self, buf, n, err);
    } else {
        do
            got = s->ahead ? readahead_read(s->ahead, buf, n) : read(s->fd, buf, n);
        while (got < 0 && errno == EINTR);
        if (got < 0)
            err_errno(err, "cannot read '%s'", s->name);
    }
    if (got > 0)
        s->raw_bytes += got;
    return got;
}

static la_ssize_t feed_archive(struct archive *a, void *self, const void **bytes)
{
    struct stream *s = self;
    ssize_t got = (ssize_t)s->raw_ready;
    *bytes = s->raw;
    s->raw_ready = 0;
    if (got == 0)
        got = read_raw(s, s->raw, IO_BYTES, &s->raw_err);
    if (got < 0)
        archive_set_error(a, EIO, "%s", s->raw_err.text);
    return got;
}

static int archive_failed(struct stream *s, struct err *err)
{
    if (s->raw_err.set)
        return err_set(err, "%s", s->raw_err.text);
    const char *why = archive_error_string(s->archive);
    return err_set(err, "cannot decompress '%s': %s", s->name, why ? why : "damaged data");
}

/* The bytes in buf turned out to be compressed: hands them to libarchive. */
static int start_archive(struct stream *s, struct err *err)
{
    struct archive *a = archive_read_new();
    if (!a)
        return err_set(err, "cannot decompress '%s': out of memory", s->name);
    s->archive = a;
    s->raw = xmalloc(IO_BYTES);
    memcpy(s->raw, s->buf, s->end);
    s->raw_ready = s->end;
    s->clear_bytes = 0;
    s->pos = s->end = 0;
    archive_read_support_filter_zstd(a);
    archive_read_support_filter_gzip(a);
    archive_read_support_filter_xz(a);
    archive_read_support_filter_bzip2(a);
    archive_read_support_format_raw(a);
    archive_read_support_format_empty(a);
    if (archive_read_open(a, s, NULL, feed_archive, NULL) != ARCHIVE_OK)
        return archive_failed(s, err);
    /* Our magic numbers are shorter than the headers libarchive wants to see. */
    if (archive_filter_code(a, 0) == ARCHIVE_FILTER_NONE)
        return err_set(err, "cannot decompress '%s': damaged or cut data", s->name);
    struct archive_entry *entry;
    int rc = archive_read_next_header(a, &entry);
    if (rc == ARCHIVE_EOF)
        s->at_end = true;
    else if (rc != ARCHIVE_OK)
        return archive_failed(s, err);
    return 0;
}

static const struct {
    const char *bytes;
    size_t n;
} magics[] = {
    {"\x28\xb5\x2f\xfd", 4},
    {"\x1f\x8b", 2},
    {"\xfd"
     "7zXZ\0",
     6},
};

/* 1 = a compression's magic number, 0 = it is not, -1 = more bytes are needed to tell. */
static int sniff(const char *bytes, size_t n)
{
    for (size_t i = 0; i < ARRAY_SIZE(magics); i++) {
        size_t m = n < magics[i].n ? n : magics[i].n;
        if (memcmp(bytes, magics[i].bytes, m) == 0)
            return m == magics[i].n ? 1 : -1;
    }
    /* bzip2: "BZh", the level, then the magic of a block or of the end of the stream. */
    if (memcmp(bytes, "BZh", n < 3 ? n : 3) != 0)
        return 0;
    if (n < 10)
        return -1;
    return bytes[3] >= '1' && bytes[3] <= '9' &&
           (memcmp(bytes + 4, "1AY&SY", 6) == 0 ||
            memcmp(bytes + 4, "\x17\x72\x45\x38\x50\x90", 6) == 0);
}

/* First bytes: is it compressed?  Reads no more than it takes to tell, so that a person typing at
 * a terminal is not kept waiting. */
static int start(struct stream *s, struct err *err)
{
    s->started = true;
    s->cap = IO_BYTES;
    s->buf = xmalloc(s->cap);
    int compressed = -1;
    while (compressed < 0) {
        ssize_t got = read_raw(s, s->buf + s->end, s->cap - s->end, err);
        if (got < 0)
            return -1;
        if (got == 0) {
            s->at_end = true;
            return 0;
        }
        s->end += (size_t)got;
        s->clear_bytes += got;
        compressed = sniff(s->buf, s->end);
    }
    return compressed ? start_archive(s, err) : 0;
}

static void make_room(struct stream *s)
{
    if (s->pos == s->end) {
        s->pos = s->end = 0;
    } else if (s->end == s->cap && s->pos > 0) {
        memmove(s->buf, s->buf + s->pos, s->end - s->pos);
        s->end -= s->pos;
        s->pos = 0;
    } else if (s->end == s->cap) {
        s->cap *= 2;
        s->buf = xrealloc(s->buf, s->cap);
    }
}

/* More clear bytes behind those in the buffer; 0 at the end. */
static int fill(struct stream *s, struct err *err)
{
    if (!s->started) {
        if (start(s, err) < 0)
            return -1;
        if (s->pos < s->end)
            return 0;
    }
    if (s->at_end)
        return 0;
    make_room(s);
    char *to = s->buf + s->end;
    size_t room = s->cap - s->end;
    ssize_t got = s->archive ? archive_read_data(s->archive, to, room) : read_raw(s, to, room, err);
    if (got < 0)
        return s->archive ? archive_failed(s, err) : -1;
    if (got == 0)
        s->at_end = true;
    s->end += (size_t)got;
    s->clear_bytes += got;
    if (s->archive && s->max_ratio > 0 && s->clear_bytes > RATIO_FROM_BYTES &&
        (double)s->clear_bytes > s->max_ratio * (double)s->raw_bytes)
        return err_set(err, "'%s' expands more than %g times: refused", s->name, s->max_ratio);
    return 0;
}

/* Reading. */

ssize_t stream_read(struct stream *s, void *buf, size_t n, struct err *err)
{
    if (s->pos == s->end && fill(s, err) < 0)
        return -1;
    size_t take = s->end - s->pos < n ? s->end - s->pos : n;
    if (take)
        memcpy(buf, s->buf + s->pos, take);
    s->pos += take;
    return (ssize_t)take;
}

int stream_read_all(struct stream *s, struct strbuf *out, struct err *err)
{
    ssize_t got;
    do {
        strbuf_reserve(out, 65536);
        got = stream_read(s, out->buf + out->len, 65536, err);
        out->len += got > 0 ? (size_t)got : 0;
        if (out->len > MAX_DOCUMENT_BYTES)
            return err_set(err, "'%s' is longer than %zu MiB", s->name, MAX_DOCUMENT_BYTES >> 20);
    } while (got > 0);
    out->buf[out->len] = '\0';
    return got < 0 ? -1 : 0;
}

int stream_read_exact(struct stream *s, void *buf, size_t n, struct err *err)
{
    size_t have = 0;
    while (have < n) {
        ssize_t got = stream_read(s, (char *)buf + have, n - have, err);
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        have += (size_t)got;
    }
    if (have == n)
        return 1;
    return have == 0 ? 0
                     : err_set(err, "'%s' is cut: %zu of %zu bytes are there", s->name, have, n);
}

ssize_t stream_peek(struct stream *s, const unsigned char **bytes, size_t n, struct err *err)
{
    while (s->end - s->pos < n && !s->at_end)
        if (fill(s, err) < 0)
            return -1;
    *bytes = (const unsigned char *)s->buf + s->pos;
    return (ssize_t)(s->end - s->pos < n ? s->end - s->pos : n);
}

int stream_see_byte(struct stream *s, struct err *err)
{
    if (s->pos == s->end && fill(s, err) < 0)
        return STREAM_FAILED;
    return s->pos == s->end ? STREAM_END : (unsigned char)s->buf[s->pos];
}

void stream_take_byte(struct stream *s)
{
    s->pos++;
}

static void keep(struct stream *s, struct strbuf *line, const char *bytes, size_t n, size_t max)
{
    if (line->len + n > max) {
        s->too_long = true;
        n = max > line->len ? max - line->len : 0;
    }
    strbuf_add(line, bytes, n);
}

int stream_line(struct stream *s, struct strbuf *line, size_t max_bytes, bool *cut, struct err *err)
{
    size_t max = max_bytes ? max_bytes : MAX_LINE_BYTES;
    bool any = false, ended = false;
    strbuf_clear(line);
    s->too_long = false;
    while (!ended) {
        if (s->pos == s->end && fill(s, err) < 0) {
            s->too_long = false; /* that is not what stops the caller */
            return -1;
        }
        if (s->pos == s->end)
            break;
        any = true;
        const char *from = s->buf + s->pos;
        const char *newline = memchr(from, '\n', s->end - s->pos);
        size_t n = newline ? (size_t)(newline - from) : s->end - s->pos;
        ended = newline != NULL;
        keep(s, line, from, n, max);
        s->pos += n + ended;
    }
    if (cut)
        *cut = any && !ended;
    if (s->too_long)
        return err_set(err, "the line is longer than %zu bytes", max);
    if (ended && line->len && line->buf[line->len - 1] == '\r')
        line->buf[--line->len] = '\0';
    return any;
}

bool stream_ready(const struct stream *s)
{
    if (s->at_end || s->regular || s->fd < 0)
        return true;
    if (s->pos < s->end && memchr(s->buf + s->pos, '\n', s->end - s->pos))
        return true;
    if (s->ahead)
        return readahead_ready(s->ahead);
    struct pollfd p = {.fd = s->fd, .events = POLLIN};
    return poll(&p, 1, 0) != 0;
}

bool stream_rewind(struct stream *s, struct err *err)
{
    if (s->fd < 0 || !s->regular)
        return err_set(err, "cannot read '%s' a second time: it is not a file", s->name) == 0;
    if (lseek(s->fd, s->start, SEEK_SET) < 0)
        return err_errno(err, "cannot rewind '%s'", s->name) == 0;
    archive_read_free(s->archive);
    free(s->raw);
    free(s->buf);
    *s = (struct stream){.name = s->name,
                         .fd = s->fd,
                         .regular = true,
                         .start = s->start,
                         .max_ratio = s->max_ratio};
    return true;
}

void stream_close(struct stream *s)
{
    if (!s)
        return;
    readahead_stop(s->ahead);
    archive_read_free(s->archive); /* NULL is fine */
    if (s->fd > STDIN_FILENO)
        close(s->fd);
    free(s->raw);
    free(s->buf);
    free(s->name);
    free(s);
}
