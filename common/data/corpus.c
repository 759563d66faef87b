/* corpus.c - documents out of whatever they come in: operands, folders, formats. */
#include "data/corpus.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "data/corpus_part.h"
#include "data/jsonl.h"
#include "data/jsonl_line.h"
#include "data/utf8.h"

#define MAX_DEPTH 64 /* of folders */
#define BINARY_LOOK 8192

const struct opt_enum corpus_format_names[] = {
    {"auto", CORPUS_AUTO},
    {"text", CORPUS_TEXT},
    {"jsonl", CORPUS_JSONL},
    {"json", CORPUS_JSON},
    {"csv", CORPUS_CSV},
    {"tsv", CORPUS_TSV},
    {NULL, 0},
};

const struct opt_enum corpus_archive_names[] = {
    {"auto", ARCHIVE_AUTO}, {"tar", ARCHIVE_AUTO},  {"zip", ARCHIVE_AUTO},  {"cpio", ARCHIVE_CPIO},
    {"7z", ARCHIVE_7Z},     {"warc", ARCHIVE_WARC}, {"none", ARCHIVE_NONE}, {NULL, 0},
};

struct corpus *corpus_open(const struct corpus_options *o,
                           int (*sink)(void *self, const char *line, size_t n, struct err *err),
                           void *self, struct err *err)
{
    struct corpus *c = xcalloc(1, sizeof *c);
    c->o = *o;
    c->sink = sink;
    c->self = self;
    if ((o->encoding && corpus_check_encoding(o->encoding, err) < 0) ||
        corpus_open_split(c, err) < 0) {
        corpus_close(c);
        return NULL;
    }
    return c;
}

void corpus_close(struct corpus *c)
{
    if (!c)
        return;
    corpus_close_split(c);
    strbuf_release(&c->line);
    strbuf_release(&c->piece);
    strbuf_release(&c->repaired);
    strbuf_release(&c->out);
    free(c);
}

const struct corpus_counts *corpus_counts(const struct corpus *c)
{
    return &c->counts;
}

int corpus_bad(struct corpus *c, const char *source, int64_t line, const char *raw, size_t n,
               struct err *err)
{
    if (!c->stopped && jsonl_bad_record(source, line, raw, n, err) < 0)
        c->stopped = true;
    return c->stopped ? -1 : 0;
}

int corpus_bad_file(struct corpus *c, const char *path, struct err *err)
{
    if (!jsonl_options.skip_bad) /* such messages name the file themselves */
        return -1;
    return corpus_bad(c, path, 0, "", 0, err);
}

/* Formats. */

static bool ends_with(const char *name, size_t n, const char *suffix)
{
    size_t m = strlen(suffix);
    return n > m && strncasecmp(name + n - m, suffix, m) == 0;
}

static enum corpus_format format_of_name(const char *name, bool is_array)
{
    static const char *const packed[] = {".gz", ".zst", ".xz", ".bz2"};
    size_t n = strlen(name);
    for (size_t i = 0; i < ARRAY_SIZE(packed); i++)
        if (ends_with(name, n, packed[i]))
            n -= strlen(packed[i]);
    if (ends_with(name, n, ".jsonl") || ends_with(name, n, ".ndjson"))
        return CORPUS_JSONL;
    if (ends_with(name, n, ".json") && is_array)
        return CORPUS_JSON;
    if (ends_with(name, n, ".csv"))
        return CORPUS_CSV;
    return ends_with(name, n, ".tsv") ? CORPUS_TSV : CORPUS_TEXT;
}

/* Standard input has no name to go by. */
static enum corpus_format format_of_stdin(const unsigned char *bytes, ssize_t n, bool is_array)
{
    if (is_array)
        return CORPUS_JSON;
    return n >= 2 && memcmp(bytes, "{\"", 2) == 0 ? CORPUS_JSONL : CORPUS_TEXT;
}

/* An array of objects begins here: other JSON files are text like any. */
static bool begins_array(const unsigned char *bytes, ssize_t n)
{
    ssize_t i = n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    for (const char *want = "[{"; *want; want++, i++) {
        while (i < n && bytes[i] && strchr(" \t\r\n", bytes[i]))
            i++;
        if (i == n || bytes[i] != *want)
            return false;
    }
    return true;
}

int corpus_read_stream(struct corpus *c, struct stream *s, const char *source, struct err *err)
{
    bool done = false;
    stream_limit_ratio(s, c->o.max_ratio);
    int rc = corpus_convert(c, s, source, &done, err);
    return rc < 0 || done ? rc : corpus_read_utf8(c, s, source, err);
}

int corpus_read_utf8(struct corpus *c, struct stream *s, const char *source, struct err *err)
{
    const unsigned char *bytes;
    ssize_t n = stream_peek(s, &bytes, BINARY_LOOK, err);
    if (n < 0)
        return -1;
    c->counts.files++;
    if (n > 0 && memchr(bytes, 0, (size_t)n)) {
        c->counts.binary++;
        log_debug("%s: passed over, it is binary", source);
        return 0;
    }
    enum corpus_format format = (enum corpus_format)c->o.format;
    bool is_array = begins_array(bytes, n);
    if (format == CORPUS_AUTO)
        format = strcmp(source, "stdin") == 0 ? format_of_stdin(bytes, n, is_array)
                                              : format_of_name(source, is_array);
    switch (format) {
    case CORPUS_JSONL:
        return corpus_read_jsonl(c, s, source, err);
    case CORPUS_JSON:
        return corpus_read_json(c, s, source, err);
    case CORPUS_CSV:
        return corpus_read_csv(c, s, source, ',', err);
    case CORPUS_TSV:
        return corpus_read_csv(c, s, source, '\t', err);
    default:
        return corpus_read_text(c, s, source, err);
    }
}

static int use_object(struct corpus *c, const char *source, int64_t offset, json_t *obj,
                      struct err *err)
{
    const char *text;
    int rc = obj ? json_get_str(obj, c->o.text_field, &text, err) : -1;
    if (rc == 0) {
        struct corpus_text t = {
            source, text, json_string_length(json_object_get(obj, c->o.text_field)), offset, obj};
        rc = corpus_emit(c, &t, err);
    }
    json_decref(obj);
    return rc;
}

int corpus_use_json(struct corpus *c, const char *source, int64_t offset, const char *text,
                    size_t n, bool cut, struct err *err)
{
    int rc = corpus_emit_flat(c, source, offset, text, n, err);
    return rc ? rc : use_object(c, source, offset, line_parse(text, n, cut, err), err);
}

int corpus_read_jsonl(struct corpus *c, struct stream *s, const char *source, struct err *err)
{
    int64_t line = 0;
    bool cut;
    for (;;) {
        struct err why = {0};
        int64_t offset = stream_offset(s);
        int rc = stream_line(s, &c->line, (size_t)jsonl_options.max_line_bytes, &cut, &why);
        if (rc == 0)
            return 0;
        line++;
        if (rc < 0 && !stream_line_too_long(s)) {
            *err = why;
            return -1;
        }
        size_t bom =
            line == 1 && c->line.len >= 3 && memcmp(c->line.buf, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
        const char *text = c->line.buf + bom;
        size_t n = c->line.len - bom;
        if (rc > 0 && corpus_is_blank(text, n))
            continue;
        if (rc > 0)
            rc = corpus_use_json(c, source, offset, text, n, cut, &why) < 0 ? -1 : 1;
        if (rc < 0 && corpus_bad(c, source, line, text, n, &why) < 0) {
            *err = why;
            return -1;
        }
    }
}

/* Operands. */

bool corpus_wants(const struct corpus *c, const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    bool wanted = c->o.n_globs == 0;
    for (int i = 0; i < c->o.n_globs && !wanted; i++)
        wanted = fnmatch(c->o.globs[i], strchr(c->o.globs[i], '/') ? path : name, 0) == 0;
    for (int i = 0; i < c->o.n_excludes && wanted; i++)
        wanted = fnmatch(c->o.excludes[i], strchr(c->o.excludes[i], '/') ? path : name, 0) != 0;
    return wanted;
}

/* Called an archive, and found not to be one: it must not pass for text. */
static bool named_archive(const char *path)
{
    static const char *const suffixes[] = {".zip",    ".tar",     ".tgz",    ".txz",     ".tbz",
                                           ".tar.gz", ".tar.zst", ".tar.xz", ".tar.bz2", ".cpio"};
    for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
        if (ends_with(path, strlen(path), suffixes[i]))
            return true;
    return false;
}

static int read_opened(struct corpus *c, struct stream *s, const char *path, struct err *err)
{
    const unsigned char *bytes;
    stream_limit_ratio(s, c->o.max_ratio);
    /* Four bytes tell a zip; only the first block of a tar does. */
    ssize_t n = stream_peek(s, &bytes, 512, err);
    if (n < 0)
        return -1;
    bool zip = n >= 4 && (memcmp(bytes, "PK\3\4", 4) == 0 || memcmp(bytes, "PK\5\6", 4) == 0);
    bool tar = n >= 512 && memcmp(bytes + 257, "ustar", 5) == 0;
    bool cpio = n >= 6 && (memcmp(bytes, "070701", 6) == 0 || memcmp(bytes, "070702", 6) == 0 ||
                           memcmp(bytes, "070707", 6) == 0);
    if (c->o.archive == ARCHIVE_WARC)
        return corpus_read_warc(c, s, err);
    if (c->o.archive == ARCHIVE_7Z && strcmp(path, "-") == 0)
        return err_set(err, "a 7z archive cannot be read from standard input: name the file");
    if (c->o.archive != ARCHIVE_NONE && (zip || tar || cpio || c->o.archive != ARCHIVE_AUTO)) {
        bool by_path = (zip || c->o.archive == ARCHIVE_7Z) && strcmp(path, "-") != 0;
        return corpus_read_archive(c, s, by_path ? path : NULL, err);
    }
    if (n > 0 && c->o.archive != ARCHIVE_NONE && named_archive(path))
        return err_set(err, "'%s' is neither tar, zip nor cpio", path);
    return corpus_read_stream(c, s, stream_name(s), err);
}

static int read_file(struct corpus *c, const char *path, struct err *err)
{
    struct err why = {0};
    struct stream *s = stream_open(path, &why);
    int rc = s ? read_opened(c, s, path, &why) : -1;
    if (rc < 0)
        rc = corpus_bad_file(c, path, &why);
    stream_close(s);
    if (rc < 0)
        *err = why;
    return rc;
}

static int read_folder(struct corpus *c, const char *path, size_t root, int depth, struct err *err);

static int read_member(struct corpus *c, const char *path, size_t root, int depth, struct err *err)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return err_errno(err, "cannot read '%s'", path);
    if (S_ISDIR(st.st_mode))
        return read_folder(c, path, root, depth + 1, err);
    if (!S_ISREG(st.st_mode)) {
        c->counts.passed_over++; /* links could lead out or around in a circle */
        return 0;
    }
    progress("files", c->counts.files, 0, "%s", path);
    return corpus_wants(c, path + root) ? read_file(c, path, err) : 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in a folder, sorted by their bytes; -1 = cannot be read. */
static int list_folder(const char *path, char ***names, struct err *err)
{
    DIR *dir = opendir(path);
    int n = 0, cap = 0;
    *names = NULL;
    if (!dir)
        return err_errno(err, "cannot read folder '%s'", path);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        GROW(*names, n, cap);
        (*names)[n++] = xstrdup(e->d_name);
    }
    closedir(dir);
    if (n > 1)
        qsort(*names, (size_t)n, sizeof **names, by_name);
    return n;
}

static int read_folder(struct corpus *c, const char *path, size_t root, int depth, struct err *err)
{
    char **names;
    if (depth > MAX_DEPTH)
        return err_set(err, "'%s': folders are more than %d deep", path, MAX_DEPTH);
    int n = list_folder(path, &names, err);
    int rc = n < 0 ? corpus_bad_file(c, path, err) : 0;
    for (int i = 0; i < n; i++) {
        char *member = path_join(path, names[i]);
        if (rc == 0)
            rc = read_member(c, member, root, depth, err);
        free(member);
        free(names[i]);
    }
    free(names);
    return rc;
}

int corpus_read(struct corpus *c, const char *path, struct err *err)
{
    if (!path || strcmp(path, "-") == 0 || !dir_exists(path))
        return read_file(c, path ? path : "-", err);
    size_t root = strlen(path);
    while (root > 0 && path[root - 1] == '/')
        root--;
    return read_folder(c, path, root + 1, 0, err);
}
