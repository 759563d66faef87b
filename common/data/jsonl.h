/* jsonl.h - JSON-lines filters: reading, threads, order, bad records, writing.
 *
 * A filter is process(record) and an optional finish(); jsonl_run() owns the
 * rest.  Records are read in order, processed on the pool's threads, and written
 * in input order, so the output's bytes do not depend on --threads.
 *
 * A bad line stops the program with "file:line: what was wrong"; with
 * --skip-bad it is set aside to --rejects FILE (one object with file, line,
 * error and the raw text) and counted.
 *
 *     static int process(void *self, struct record *rec, struct emit *out, struct err *err)
 *     {
 *         json_object_set_new(rec->obj, "n", json_integer(...));   // extend in place
 *         emit(out, rec->obj);                                     // 0, 1 or many
 *         return 0;          // -1: the record is bad; JSONL_STOP: the program must stop
 *     }
 */
#ifndef TP_DATA_JSONL_H
#define TP_DATA_JSONL_H

#include "base/err.h"
#include "base/opt.h"
#include "data/json.h"
#include "data/stream.h"

struct record {
    json_t *obj;      /* owned by the runner; may be changed */
    const char *file; /* "stdin" or the path */
    int64_t line;     /* 1-based */
    int64_t index;    /* 0-based, over all files */
    /* The line as it was read (borrowed), and whether it lacks its '\n'. */
    const char *text;
    size_t n;
    bool cut;
    struct strbuf *scratch; /* process() may leave something here for decide() */
};

struct emit; /* collects a record's output lines */
void emit(struct emit *out, const json_t *obj);
void emit_raw(struct emit *out, const void *bytes, size_t n); /* verbatim bytes, e.g. a shard blob */
void emit_aside(struct emit *out, const json_t *obj); /* to the filter's `aside` file */
void emit_line(struct emit *out, const struct record *rec);   /* the record as it was read */

/* From process(): err is not about this record (a full disk), so --skip-bad must not skip it. */
#define JSONL_STOP (-2)

struct jsonl_options {
    bool skip_bad;
    const char *rejects; /* path or NULL */
    int64_t max_rejects; /* -1 = no limit; above it: EXIT_LIMIT */
    int64_t max_line_bytes;
};
extern struct jsonl_options jsonl_options; /* filled by the rows below */
/* --skip-bad --rejects --max-rejects --max-line-bytes */
extern const struct opt jsonl_option_table[];
/* The bad-record policy, for programs that read something else than JSON lines: prefixes why with
 * "file:line: " ("file: " if line is 0), then 0 = set aside and counted, go on; -1 = stop. */
int jsonl_bad_record(const char *file, int64_t line, const char *raw, size_t n,
                     struct err *why) WARN_UNUSED;

/* One of several equal parts of the records, told apart by their index modulo n, so that n processes
 * share a work.  n = 0: all of it. */
struct jsonl_shard {
    int64_t i, n; /* i is 0-based */
};
/* "2/8" is the second of eight; NULL is all. */
int jsonl_shard_parse(const char *text, struct jsonl_shard *out, struct err *err) WARN_UNUSED;

struct jsonl_filter {
    void *self;
    /* May run on several threads at once unless serial; must not depend on order then. */
    int (*process)(void *self, struct record *rec, struct emit *out, struct err *err);
    /* Called after process(), on one thread and in input order; returns the same; or NULL. */
    int (*decide)(void *self, struct record *rec, struct emit *out, struct err *err);
    /* Called on one thread when all records that have arrived are decided, up to some thousand at a
     * time: what decide() has gathered can be worked off, on the pool, without anybody waiting for
     * more input.  What it emits is written even if it fails.  Or NULL. */
    int (*batch)(void *self, struct emit *out, struct err *err);
    int (*finish)(void *self, struct emit *out, struct err *err); /* the same, at the end; or NULL */
    bool serial;
    const char *aside; /* path of a second output for emit_aside(), in the same order; or NULL */
    bool unparsed; /* process() looks at rec->text; rec->obj is NULL */
    struct jsonl_shard shard;
};

/* Runs the filter over files (none = stdin) to stdout; updates tool_counts. */
int jsonl_run(const struct jsonl_filter *f, const char **files, int n_files, struct err *err) WARN_UNUSED;

/* For programs that need the records themselves: a reader.  1 = got one (caller decrefs rec->obj),
 * 0 = end, -1 = error.  Bad lines are handled by the same policy. */
struct jsonl_reader;
struct jsonl_reader *jsonl_reader_open(const char **files, int n_files, struct err *err);
/* The same over a stream that was opened to see what it holds; the reader closes it. */
struct jsonl_reader *jsonl_reader_from(struct stream *stream, struct err *err);
int jsonl_reader_next(struct jsonl_reader *r, struct record *rec, struct err *err) WARN_UNUSED;
/* False if the next record has not arrived yet: a program with other work can do it meanwhile. */
bool jsonl_reader_ready(const struct jsonl_reader *r);
/* The current record is unusable after all: applies the bad-record policy.  0 = go on, -1 = stop
 * (err holds file:line: text). */
int jsonl_reader_reject(struct jsonl_reader *r, const struct record *rec, struct err *why) WARN_UNUSED;
void jsonl_reader_close(struct jsonl_reader *r);

/* Writes one line to stdout and counts it; -1 when stdout is broken. */
int jsonl_print(const json_t *obj, struct err *err) WARN_UNUSED;
/* The same of a line that is written already, with its '\n'. */
int jsonl_print_line(const char *line, size_t n, struct err *err) WARN_UNUSED;

#endif
