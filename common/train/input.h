/* input.h - what the trainers read: token shards or JSON lines, whichever a file holds.
 *
 *     input_open(&in, files, n_files, &reader, &err);        // none = standard input
 *     while ((rc = input_next(&in, &example, &err)) > 0) ... // any mix of files
 *
 * Programs that need the records themselves (pairs, rollouts) take objects
 * instead, and hand back the bad ones:
 *
 *     while ((rc = input_next_object(&in, &obj, &err)) > 0)
 *         if (parse(obj, &why) < 0 && input_reject(&in, &why, &err) < 0) ...
 */
#ifndef TP_TRAIN_INPUT_H
#define TP_TRAIN_INPUT_H

#include <sys/types.h>

#include "data/example.h"
#include "data/jsonl_line.h"
#include "data/shard.h"

struct input {
    const char **files; /* borrowed */
    int n_files, next_file;
    const struct example_reader *reader;
    const char *file; /* of the last record: a path or "stdin" */
    int64_t line;     /* of the last record; 0 in a shard */
    struct stream *stream;
    struct lines lines; /* of stream */
    struct shard_reader *shard;
    struct shard_batch blob;
    int64_t blob_next;
    struct strbuf text;
    off_t stdin_start; /* where standard input began, if it is a file */
};

void input_open(struct input *in, const char **files, int n_files,
                const struct example_reader *reader);
/* The next sequence; 1 = got one (release it), 0 = end, -1 = error. */
int input_next(struct input *in, struct example *out, struct err *err) WARN_UNUSED;
/* The next record (new reference); shards are refused.  Waiting for a pipe ends with
 * EXIT_RESUMABLE when a signal asks to stop. */
int input_next_object(struct input *in, json_t **out, struct err *err) WARN_UNUSED;
/* The last record is unusable: applies the bad-record policy.  0 = go on, -1 = stop, err set. */
int input_reject(struct input *in, struct err *why, struct err *err) WARN_UNUSED;
bool input_seekable(const struct input *in); /* every file could be read a second time */
int input_rewind(struct input *in, struct err *err) WARN_UNUSED;
void input_close(struct input *in);

/* A digest over a sequence of byte strings: digest = H(digest, bytes).  Starts as "". */
void chain_digest(char digest[40], const void *bytes, size_t n);
/* Array of {"path", "digest"} of the files among `files`, for the lineage; NULL on error. */
json_t *input_digests(const char **files, int n_files, struct err *err);

#endif
