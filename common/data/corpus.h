/* corpus.h - documents out of whatever they come in.
 *
 * Operands are files, folders (walked in order of name) and "-" for standard
 * input.  Inside: plain text, JSON lines or arrays, CSV or TSV (RFC 4180), any of these in
 * tar, zip, cpio, 7z or WARC, any of all that compressed.  Each document is one record
 *
 *     {"id":"9f86d081884c7d65","text":"...","source":"a.tar.gz!b/c.txt","domain":"web","offset":0}
 *
 * `offset` is where the document begins in its decompressed source, in bytes.
 * `id` is the XXH3 hash of source, offset and text, so a second run gives the same
 * one.  Records of JSON lines and CSV keep their other fields, and their own id.
 * Text that is not UTF-8 gets U+FFFD; binary files (a NUL in the first 8 KiB) are
 * passed over.  Links are not followed, nothing is ever written to disk.
 */
#ifndef TP_DATA_CORPUS_H
#define TP_DATA_CORPUS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "data/json.h"
#include "base/opt.h"

enum corpus_format { CORPUS_AUTO, CORPUS_TEXT, CORPUS_JSONL, CORPUS_JSON, CORPUS_CSV, CORPUS_TSV };
extern const struct opt_enum corpus_format_names[];
/* AUTO: tar, zip and cpio, by their first bytes. */
enum corpus_archive { ARCHIVE_AUTO, ARCHIVE_CPIO, ARCHIVE_7Z, ARCHIVE_WARC, ARCHIVE_NONE };
extern const struct opt_enum corpus_archive_names[];

struct corpus_options {
    int format;             /* enum corpus_format; CORPUS_AUTO: by the name's suffix */
    int archive;            /* enum corpus_archive */
    const char *encoding;   /* of all files, as iconv names it; NULL: UTF-8, or UTF-16 with a mark */
    const char *split;      /* "file", "paragraphs", "lines", "headings" or "regex:PATTERN" */
    const char *text_field; /* of JSON lines and CSV */
    const char *domain;     /* or NULL */
    int64_t max_chars;      /* longer documents are cut, at paragraph ends if they can; 0 = never */
    int64_t min_chars;      /* shorter ones are dropped */
    int64_t max_bytes;      /* most that one text file or archive member may hold */
    double max_ratio;       /* most that compressed data may expand; 0 = any */
    const char **globs;     /* names taken from folders and archives; none = all */
    int n_globs;
    const char **excludes;
    int n_excludes;
};

struct corpus_counts {
    int64_t files, documents, bytes, binary, repaired, short_documents, passed_over;
};

struct corpus;
/* sink(self, line, n, err) gets every document as a line of JSON with its '\n'.  NULL: the options are
 * wrong. */
struct corpus *corpus_open(const struct corpus_options *o,
                           int (*sink)(void *self, const char *line, size_t n, struct err *err),
                           void *self, struct err *err);
/* One operand, whole.  A bad file or record follows the policy of jsonl.h. */
int corpus_read(struct corpus *c, const char *path, struct err *err) WARN_UNUSED;
const struct corpus_counts *corpus_counts(const struct corpus *c);
void corpus_close(struct corpus *c);

#endif
