/* input.c - what the trainers read: token shards or JSON lines, whichever a file holds. */
#include "train/input.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/tool.h"
#include "data/jsonl.h"

/* Of a pipe: what a generator makes during a step waits here, not in the pipe. */
#define READ_AHEAD ((size_t)64 << 20)

static bool is_stdin(const char *path)
{
    return strcmp(path, "-") == 0;
}

static const char *path_of(const struct input *in, int i)
{
    return in->n_files ? in->files[i] : "-";
}

static int n_paths(const struct input *in)
{
    return in->n_files ? in->n_files : 1;
}

void input_open(struct input *in, const char **files, int n_files,
                const struct example_reader *reader)
{
    *in = (struct input){.files = files, .n_files = n_files, .reader = reader};
    in->stdin_start = lseek(STDIN_FILENO, 0, SEEK_CUR); /* -1 for a pipe */
}

static void close_file(struct input *in)
{
    shard_batch_release(&in->blob);
    in->blob = (struct shard_batch){0};
    in->blob_next = 0;
    if (in->shard)
        shard_reader_close(in->shard);
    else
        stream_close(in->stream);
    in->shard = NULL;
    in->stream = NULL;
}

void input_close(struct input *in)
{
    close_file(in);
    strbuf_release(&in->text);
    *in = (struct input){0};
}

/* 1 = a file is open, 0 = there are no more. */
static int open_file(struct input *in, struct err *err)
{
    if (in->stream)
        return 1;
    if (in->next_file >= n_paths(in))
        return 0;
    const char *path = path_of(in, in->next_file++);
    in->stream = stream_open(path, err);
    if (!in->stream)
        return -1;
    in->file = is_stdin(path) ? "stdin" : path;
    in->line = 0;
    stream_read_ahead(in->stream, READ_AHEAD);
    if (shard_sniff(in->stream)) {
        in->shard = shard_reader_from(in->stream);
        if (!in->shard) {
            in->stream = NULL;
            return err_set(err, "cannot read '%s' as a shard", in->file);
        }
    }
    in->lines = (struct lines){.stream = in->stream, .file = in->file, .next_file = 1};
    return 1;
}

/* read(2) is restarted after a signal, so a trainer that waits for its generator has to look up. */
static int wait_for_line(struct input *in, struct err *err)
{
    while (!stream_ready(in->stream)) {
        if (stop_requested()) {
            err->status = EXIT_RESUMABLE;
            return err_set(err, "stopped by a signal while waiting for %s", in->file);
        }
        nanosleep(&(struct timespec){.tv_nsec = 5 * 1000 * 1000}, NULL);
    }
    return 0;
}

int input_reject(struct input *in, struct err *why, struct err *err)
{
    const char *raw = in->line ? in->text.buf : NULL;
    if (jsonl_bad_record(in->file, in->line, raw, raw ? in->text.len : 0, why) == 0)
        return 0;
    *err = *why;
    return -1;
}

/* One object of the open JSONL file: 1, 0 at its end, -1. */
static int next_line(struct input *in, json_t **out, struct err *err)
{
    for (;;) {
        bool cut = false;
        struct err why = {0};
        if (wait_for_line(in, err) < 0)
            return -1;
        int rc = lines_next(&in->lines, &in->text, &cut, &why, err);
        in->line = in->lines.line;
        if (rc == 0)
            in->stream = NULL; /* closed at its end */
        if (rc <= 0)
            return rc;
        *out = why.set ? NULL : line_parse(in->text.buf, in->text.len, cut, &why);
        if (*out)
            return 1;
        if (input_reject(in, &why, err) < 0)
            return -1;
    }
}

int input_next_object(struct input *in, json_t **out, struct err *err)
{
    for (;;) {
        int rc = open_file(in, err);
        if (rc <= 0)
            return rc;
        if (in->shard)
            return err_set(err, "%s: a token shard, expected JSON lines", in->file);
        rc = next_line(in, out, err);
        if (rc != 0)
            return rc;
        close_file(in);
    }
}

static void *copy_part(const void *array, int64_t first, int64_t n, size_t bytes)
{
    if (!array)
        return NULL;
    void *p = xmalloc((size_t)n * bytes + 1);
    memcpy(p, (const char *)array + (size_t)first * bytes, (size_t)n * bytes);
    return p;
}

static void example_from_blob(const struct shard_batch *b, int64_t i, struct example *out)
{
    int64_t first = b->offsets[i], n = b->offsets[i + 1] - first;
    *out = (struct example){.n_tokens = n, .temperature = 1, .top_p = 1, .group = -1, .sample = -1};
    out->tokens = copy_part(b->tokens, first, n, sizeof *b->tokens);
    out->loss_mask = copy_part(b->loss_mask, first, n, 1);
    if (!out->loss_mask) {
        out->loss_mask = xmalloc((size_t)n + 1);
        memset(out->loss_mask, 1, (size_t)n);
    }
}

/* One sequence of the open shard: 1, 0 at its end, -1. */
static int next_in_shard(struct input *in, struct example *out, struct err *err)
{
    while (in->blob_next >= in->blob.n_seqs) {
        shard_batch_release(&in->blob);
        in->blob = (struct shard_batch){0};
        in->blob_next = 0;
        int rc = shard_reader_next(in->shard, &in->blob, err);
        if (rc <= 0)
            return rc;
    }
    example_from_blob(&in->blob, in->blob_next++, out);
    tool_counts.in++;
    return 1;
}

static int next_from_lines(struct input *in, struct example *out, struct err *err)
{
    for (;;) {
        json_t *obj;
        struct err why = {0};
        int rc = next_line(in, &obj, err);
        if (rc <= 0)
            return rc;
        rc = example_parse(in->reader, obj, out, &why);
        json_decref(obj);
        if (rc == 0)
            return 1;
        if (input_reject(in, &why, err) < 0)
            return -1;
    }
}

int input_next(struct input *in, struct example *out, struct err *err)
{
    for (;;) {
        struct err why = {0};
        int rc = open_file(in, err);
        if (rc <= 0)
            return rc;
        if (!in->shard) {
            rc = next_from_lines(in, out, err);
        } else {
            rc = next_in_shard(in, out, err);
            if (rc > 0 && example_check(in->reader, out, &why) < 0) {
                example_release(out);
                if (input_reject(in, &why, err) < 0)
                    return -1;
                continue;
            }
        }
        if (rc != 0)
            return rc;
        close_file(in);
    }
}

bool input_seekable(const struct input *in)
{
    for (int i = 0; i < n_paths(in); i++) {
        const char *path = path_of(in, i);
        struct stat st;
        int rc = is_stdin(path) ? fstat(STDIN_FILENO, &st) : stat(path, &st);
        if (rc != 0 || !S_ISREG(st.st_mode) || (is_stdin(path) && in->stdin_start < 0))
            return false;
    }
    return true;
}

int input_rewind(struct input *in, struct err *err)
{
    close_file(in);
    in->next_file = 0;
    if (!input_seekable(in))
        return err_set(err, "the input cannot be read a second time: it is not a file");
    if (in->stdin_start >= 0 && lseek(STDIN_FILENO, in->stdin_start, SEEK_SET) < 0)
        return err_errno(err, "cannot rewind standard input");
    return 0;
}

void chain_digest(char digest[40], const void *bytes, size_t n)
{
    struct strbuf s = {0};
    strbuf_adds(&s, digest);
    strbuf_add(&s, bytes, n);
    bytes_digest(s.buf, s.len, digest);
    strbuf_release(&s);
}

json_t *input_digests(const char **files, int n_files, struct err *err)
{
    json_t *list = json_array();
    for (int i = 0; i < n_files; i++) {
        char digest[40];
        struct stat st;
        if (is_stdin(files[i]) || stat(files[i], &st) != 0 || !S_ISREG(st.st_mode))
            continue;
        if (file_digest(files[i], digest, err) < 0) {
            json_decref(list);
            return NULL;
        }
        json_t *entry = json_object();
        json_object_set_new(entry, "path", json_string(files[i]));
        json_object_set_new(entry, "digest", json_string(digest));
        json_array_append_new(list, entry);
    }
    return list;
}
