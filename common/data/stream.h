/* stream.h - bytes and lines in, whatever the compression.
 *
 * A path of NULL or "-" is standard input.  zstd, gzip, xz and bzip2 are found
 * by their magic numbers (libarchive); anything else is taken as it is.  A
 * compressed stream that is cut short is an error, never a short result.
 */
#ifndef TP_DATA_STREAM_H
#define TP_DATA_STREAM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/strbuf.h"

struct stream;

struct stream *stream_open(const char *path, struct err *err); /* NULL on failure */
/* A stream over somebody else's bytes (a member of an archive).  read fills buf and returns how many
 * bytes, 0 = end, -1 = error; self must outlive the stream. */
struct stream_source {
    void *self;
    ssize_t (*read)(void *self, void *buf, size_t n, struct err *err);
};
struct stream *stream_from(const char *name, struct stream_source source);
const char *stream_name(const struct stream *s); /* the path, or "stdin" */
/* Reads up to n bytes; 0 = end, -1 = error. */
ssize_t stream_read(struct stream *s, void *buf, size_t n, struct err *err) WARN_UNUSED;
/* Exactly n bytes, or 0 if the stream ended right here; an end in between is an error. */
int stream_read_exact(struct stream *s, void *buf, size_t n, struct err *err) WARN_UNUSED;
/* All of a document, added to out, with a NUL behind it; one of more than 1 GiB fails, whatever it is
 * compressed to. */
int stream_read_all(struct stream *s, struct strbuf *out, struct err *err) WARN_UNUSED;
/* One line without its '\n' (and '\r'); 1 = got one, 0 = end.  A last line without '\n' sets
 * *cut if cut is not NULL.  Lines over max_bytes fail (0 = 1 GiB). */
int stream_line(struct stream *s, struct strbuf *line, size_t max_bytes, bool *cut,
                struct err *err) WARN_UNUSED;
/* Peeks at up to n bytes without consuming them; returns how many there are. */
ssize_t stream_peek(struct stream *s, const unsigned char **bytes, size_t n, struct err *err) WARN_UNUSED;
/* The next byte, STREAM_END or STREAM_FAILED; it stays until stream_take_byte(), which is only for a byte
 * that was seen like this. */
enum { STREAM_END = -1, STREAM_FAILED = -2 };
int stream_see_byte(struct stream *s, struct err *err) WARN_UNUSED;
void stream_take_byte(struct stream *s);
/* After stream_line failed: true if only the length was wrong.  The rest of the line is gone, its
 * beginning is in `line`, and reading can go on. */
bool stream_line_too_long(const struct stream *s);
/* True if a line, or the end, can probably be had without waiting. */
bool stream_ready(const struct stream *s);
/* From now on a thread reads up to max_bytes ahead (readahead.h); files are left as they are. */
void stream_read_ahead(struct stream *s, size_t max_bytes);
/* Compressed input that expands more than `ratio` times (looked at from 10 MB on) becomes an error;
 * for input from strangers.  0 = no limit, the default. */
void stream_limit_ratio(struct stream *s, double ratio);
int64_t stream_offset(const struct stream *s); /* decompressed bytes consumed */
/* True if the stream can start again from its beginning (a regular file); does so. */
bool stream_rewind(struct stream *s, struct err *err);
void stream_close(struct stream *s);

/* Compressed output chosen by the path's suffix (.zst, .gz, .xz); NULL or "-" is stdout.  A named
 * file appears whole at stream_out_commit() or not at all. */
struct stream_out;
struct stream_out *stream_out_open(const char *path, struct err *err);
int stream_out_write(struct stream_out *o, const void *bytes, size_t n, struct err *err) WARN_UNUSED;
int stream_out_commit(struct stream_out *o, struct err *err) WARN_UNUSED; /* frees o */
void stream_out_abort(struct stream_out *o);

#endif
