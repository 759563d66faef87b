/* corpus_part.h - inside of corpus*.c: the state they share. */
#ifndef TP_DATA_CORPUS_PART_H
#define TP_DATA_CORPUS_PART_H

#include "data/corpus.h"
#include "data/stream.h"

enum corpus_split { SPLIT_FILE, SPLIT_PARAGRAPHS, SPLIT_LINES, SPLIT_HEADINGS, SPLIT_REGEX };

struct corpus {
    struct corpus_options o;
    enum corpus_split split;
    bool in_fence; /* SPLIT_HEADINGS: inside a block of code */
    void *regex; /* pcre2_code, for SPLIT_REGEX */
    int (*sink)(void *self, const char *line, size_t n, struct err *err);
    void *self;
    struct corpus_counts counts;
    struct strbuf line, piece, repaired, out;
    bool stopped; /* the error is final, from the sink or the policy: not one to skip again */
};

/* A text that may become one document or, with max_chars, several. */
struct corpus_text {
    const char *source;
    const char *text;
    size_t n;
    int64_t offset;
    const json_t *fields; /* of the record it came in, or NULL */
};
/* Repairs, cuts and hands to the sink. */
int corpus_emit(struct corpus *c, const struct corpus_text *t, struct err *err) WARN_UNUSED;
/* A line of JSON that is flat: 1 = emitted, 0 = not of that kind, parse it; -1 = error. */
int corpus_emit_flat(struct corpus *c, const char *source, int64_t offset, const char *line,
                     size_t n_line, struct err *err) WARN_UNUSED;
bool corpus_is_blank(const char *text, size_t n);
/* Length of the first piece of at most max_chars characters of valid UTF-8. */
size_t corpus_cut(const char *text, size_t n, int64_t max_chars);

/* A readable source under a name: decides on the format and reads it. */
int corpus_read_stream(struct corpus *c, struct stream *s, const char *source,
                       struct err *err) WARN_UNUSED;
/* The same of what is UTF-8, more or less. */
int corpus_read_utf8(struct corpus *c, struct stream *s, const char *source,
                     struct err *err) WARN_UNUSED;
/* Reads it through a converter, *done, if it is in another encoding. */
int corpus_convert(struct corpus *c, struct stream *s, const char *source, bool *done,
                   struct err *err) WARN_UNUSED;
int corpus_check_encoding(const char *encoding, struct err *err) WARN_UNUSED;
int corpus_read_warc(struct corpus *c, struct stream *s, struct err *err) WARN_UNUSED;
/* tar, zip, cpio or 7z.  A zip or 7z that is a file is opened by its path (NULL: none), to read its directory. */
int corpus_read_archive(struct corpus *c, struct stream *s, const char *zip_path,
                        struct err *err) WARN_UNUSED;
int corpus_read_text(struct corpus *c, struct stream *s, const char *source,
                     struct err *err) WARN_UNUSED;
int corpus_read_jsonl(struct corpus *c, struct stream *s, const char *source,
                      struct err *err) WARN_UNUSED;
int corpus_read_json(struct corpus *c, struct stream *s, const char *source,
                     struct err *err) WARN_UNUSED;
/* One object of JSON as a record; cut: its line had no end. */
int corpus_use_json(struct corpus *c, const char *source, int64_t offset, const char *text,
                    size_t n, bool cut, struct err *err) WARN_UNUSED;
int corpus_read_csv(struct corpus *c, struct stream *s, const char *source, char separator,
                    struct err *err) WARN_UNUSED;
/* Is this member of a folder or archive wanted?  Patterns with a '/' see the path below the root,
 * others the last name. */
bool corpus_wants(const struct corpus *c, const char *path);
/* The bad-record policy for a record, and for a file that cannot be read (on). */
int corpus_bad(struct corpus *c, const char *source, int64_t line, const char *raw, size_t n,
               struct err *err) WARN_UNUSED;
int corpus_bad_file(struct corpus *c, const char *path, struct err *err) WARN_UNUSED;
int corpus_open_split(struct corpus *c, struct err *err) WARN_UNUSED;
void corpus_close_split(struct corpus *c);

#endif
