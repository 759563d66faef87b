/* corpus_archive.c - members of tar, zip and cpio archives, and of 7z when asked for.
 *
 * Only these formats are switched on in libarchive, and nothing is ever extracted.  A
 * member's name is a label; one that leads out of the archive is refused all the same, for
 * somebody may take the label for a path one day.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "data/corpus_part.h"
#include "data/utf8.h"

#define BLOCK_BYTES 65536
#define TAR_BLOCK 512
#define ZIP_END_BYTES 22
#define RATIO_FROM_BYTES ((int64_t)10 << 20)
#define MAX_MEMBERS 10000000

struct box {
    struct corpus *corpus;
    struct stream *stream;
    struct archive *archive;
    const char *path;
    char block[BLOCK_BYTES];
    /* Of what was fed: its length, the whole stream?  Zeros at its end?  Where a zip's end record
     * begins (-1: nowhere), its last bytes. */
    int64_t n_fed, zip_end_at;
    bool at_end, zero_tail;
    char tail[3];
    struct err feed_err;
    int64_t member_bytes, all_bytes;
    const char *member;
};

/* Looks at fed bytes for the marks that an archive is whole. */
static void note_end_marks(struct box *b, size_t n)
{
    char seam[6]; /* the mark may lie across two blocks */
    size_t m = n < 3 ? n : 3;
    memcpy(seam, b->tail, 3);
    memcpy(seam + 3, b->block, m);
    const char *in_seam = memmem(seam, 3 + m, "PK\5\6", 4);
    const char *in_block = memmem(b->block, n, "PK\5\6", 4);
    if (in_seam)
        b->zip_end_at = b->n_fed + (in_seam - seam) - 3;
    if (in_block)
        b->zip_end_at = b->n_fed + (in_block - b->block);
    b->n_fed += (int64_t)n;
    memcpy(b->tail, seam + m, 3);
    if (n >= 3)
        memcpy(b->tail, b->block + n - 3, 3);
    b->zero_tail = n >= TAR_BLOCK;
    for (size_t i = n - TAR_BLOCK; b->zero_tail && i < n; i++)
        b->zero_tail = b->block[i] == 0;
}

static la_ssize_t feed(struct archive *a, void *self, const void **bytes)
{
    struct box *b = self;
    *bytes = b->block;
    size_t n = 0;
    ssize_t got = 1;
    while (n < sizeof b->block && got > 0) {
        got = stream_read(b->stream, b->block + n, sizeof b->block - n, &b->feed_err);
        n += got > 0 ? (size_t)got : 0;
    }
    if (got < 0) {
        archive_set_error(a, EIO, "%s", b->feed_err.text);
        return -1;
    }
    if (n == 0)
        b->at_end = true;
    else
        note_end_marks(b, n);
    return (la_ssize_t)n;
}

static int archive_failed(struct box *b, struct err *err)
{
    const char *why = archive_error_string(b->archive);
    if (b->feed_err.set)
        return err_set(err, "%s", b->feed_err.text);
    return err_set(err, "cannot read archive '%s': %s", b->path, why ? why : "damaged");
}

static int open_archive(struct box *b, const char *zip_path, struct err *err)
{
    struct archive *a = b->archive = archive_read_new();
    if (!a)
        return err_set(err, "cannot read archive '%s': out of memory", b->path);
    switch ((enum corpus_archive)b->corpus->o.archive) {
    case ARCHIVE_CPIO:
        archive_read_support_format_cpio(a);
        break;
    case ARCHIVE_7Z:
        archive_read_support_format_7zip(a);
        break;
    default:
        archive_read_support_format_tar(a);
        archive_read_support_format_zip(a);
        archive_read_support_format_cpio(a);
    }
    int rc = zip_path ? archive_read_open_filename(a, zip_path, BLOCK_BYTES)
                      : archive_read_open(a, b, NULL, feed, NULL);
    return rc == ARCHIVE_OK ? 0 : archive_failed(b, err);
}

/* Bytes of the current member for its stream. */
static ssize_t read_member(void *self, void *buf, size_t n, struct err *err)
{
    struct box *b = self;
    const struct corpus_options *o = &b->corpus->o;
    la_ssize_t got = archive_read_data(b->archive, buf, n);
    if (got < 0)
        return archive_failed(b, err);
    b->member_bytes += got;
    b->all_bytes += got;
    if (b->member_bytes > o->max_bytes)
        return err_set(err, "'%s' holds more than %lld bytes (--max-bytes)", b->member,
                       (long long)o->max_bytes);
    double packed = (double)archive_filter_bytes(b->archive, -1);
    if (o->max_ratio > 0 && b->all_bytes > RATIO_FROM_BYTES &&
        (double)b->all_bytes > o->max_ratio * packed)
        return err_set(err, "archive '%s' expands more than %g times: refused", b->path,
                       o->max_ratio);
    return got;
}

/* "archive!member"; the member's name may be in no encoding at all.  Owned. */
static char *member_name(const struct box *b, struct archive_entry *entry, int64_t number)
{
    struct strbuf s = {0};
    const char *name = archive_entry_pathname(entry);
    if (!name)
        name = archive_entry_pathname_utf8(entry);
    strbuf_adds(&s, b->path);
    strbuf_addc(&s, '!');
    if (name)
        utf8_repair(&s, name, strlen(name));
    else
        strbuf_addf(&s, "member-%lld", (long long)number);
    return strbuf_detach(&s, NULL);
}

/* "/x", "C:\\x", "a/../../x". */
static bool leads_out(const char *name)
{
    if (*name == '/' || *name == '\\' || (*name && name[1] == ':' && strchr("/\\", name[2])))
        return true;
    for (const char *p = name; *p; p += strcspn(p, "/\\"), p += *p != '\0')
        if (strncmp(p, "..", 2) == 0 && strchr("/\\", p[2]))
            return true;
    return false;
}

/* Under the policy for bad records: with --skip-bad the other members are read. */
static int refuse_name(struct box *b, const char *name, struct err *err)
{
    err_set(err, "archive '%s': the name '%s' leads out of it: refused", b->path,
            name + strlen(b->path) + 1);
    return corpus_bad_file(b->corpus, name, err);
}

static int use_member(struct box *b, struct archive_entry *entry, int64_t number, struct err *err)
{
    struct corpus *c = b->corpus;
    if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry)) {
        if (archive_entry_filetype(entry) != AE_IFDIR)
            c->counts.passed_over++;
        return 0;
    }
    char *name = member_name(b, entry, number);
    int rc = 0;
    if (leads_out(name + strlen(b->path) + 1)) {
        rc = refuse_name(b, name, err);
    } else if (corpus_wants(c, name + strlen(b->path) + 1)) {
        struct stream *s = stream_from(name, (struct stream_source){b, read_member});
        b->member = name;
        b->member_bytes = 0;
        rc = corpus_read_stream(c, s, name, err);
        stream_close(s);
    }
    free(name);
    return rc;
}

/* libarchive takes the end of the data for the end of a tar even where its blocks of zeros are
 * missing because the rest was cut off, and makes do with a zip that lost its directory. */
static int check_end(struct box *b, struct err *err)
{
    int format = archive_format(b->archive) & ARCHIVE_FORMAT_BASE_MASK;
    bool tar = format == ARCHIVE_FORMAT_TAR;
    const void *rest;
    if (format == ARCHIVE_FORMAT_CPIO || format == ARCHIVE_FORMAT_7ZIP)
        return 0; /* libarchive sees to it */
    la_ssize_t n = tar ? 0 : 1;
    while (n > 0)
        n = feed(b->archive, b, &rest);
    if (n < 0)
        return archive_failed(b, err);
    bool zip_whole = b->zip_end_at >= 0 && b->n_fed - b->zip_end_at >= ZIP_END_BYTES;
    if (tar ? b->at_end && !b->zero_tail : !zip_whole)
        return err_set(err, "archive '%s' is cut: its end is missing", b->path);
    return 0;
}

static int read_members(struct box *b, struct err *err)
{
    struct archive_entry *entry;
    int rc;
    int64_t n = 0;
    while ((rc = archive_read_next_header(b->archive, &entry)) != ARCHIVE_EOF) {
        if (rc < ARCHIVE_WARN)
            return archive_failed(b, err);
        if (++n > MAX_MEMBERS)
            return err_set(err, "archive '%s' has more than %d members", b->path, MAX_MEMBERS);
        progress("members", n, 0, "%s", b->path);
        if (use_member(b, entry, n, err) < 0)
            return -1;
    }
    return check_end(b, err);
}

int corpus_read_archive(struct corpus *c, struct stream *s, const char *zip_path, struct err *err)
{
    struct box *b = xcalloc(1, sizeof *b);
    b->corpus = c;
    b->stream = s;
    b->zip_end_at = -1;
    b->path = stream_name(s);
    /* In the C locale libarchive has no names for members that are not in ASCII. */
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    locale_t before = utf8 ? uselocale(utf8) : (locale_t)0;
    int rc = open_archive(b, zip_path, err);
    if (rc == 0)
        rc = read_members(b, err);
    archive_read_free(b->archive);
    if (utf8) {
        uselocale(before);
        freelocale(utf8);
    }
    free(b);
    return rc;
}
