/* stream_out.c - compressed output chosen by the name's suffix.
 *
 * zstd is written by libzstd itself, which can add a checksum of the content
 * (libarchive's writer cannot); gzip and xz by libarchive.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/stream.h"

#define ZSTD_LEVEL 3

struct stream_out {
    bool is_stdout;
    struct atomic_file file;
    FILE *fp;
    char *name;
    ZSTD_CCtx *zstd;
    char *packed; /* zstd's output */
    size_t packed_cap;
    struct archive *archive;
};

static bool has_suffix(const char *path, const char *suffix)
{
    size_t n = strlen(path), m = strlen(suffix);
    return n > m && strcmp(path + n - m, suffix) == 0;
}

static int write_out(struct stream_out *o, const void *bytes, size_t n, struct err *err)
{
    if (n && fwrite(bytes, 1, n, o->fp) != n)
        return err_errno(err, "cannot write '%s'", o->name);
    return 0;
}

static int start_zstd(struct stream_out *o, struct err *err)
{
    o->zstd = ZSTD_createCCtx();
    if (!o->zstd)
        return err_set(err, "cannot compress '%s': out of memory", o->name);
    ZSTD_CCtx_setParameter(o->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL);
    ZSTD_CCtx_setParameter(o->zstd, ZSTD_c_checksumFlag, 1);
    o->packed_cap = ZSTD_CStreamOutSize();
    o->packed = xmalloc(o->packed_cap);
    return 0;
}

static int write_zstd(struct stream_out *o, const void *bytes, size_t n, ZSTD_EndDirective end,
                      struct err *err)
{
    ZSTD_inBuffer in = {bytes, n, 0};
    size_t left;
    do {
        ZSTD_outBuffer out = {o->packed, o->packed_cap, 0};
        left = ZSTD_compressStream2(o->zstd, &out, &in, end);
        if (ZSTD_isError(left))
            return err_set(err, "cannot compress '%s': %s", o->name, ZSTD_getErrorName(left));
        if (write_out(o, o->packed, out.pos, err) < 0)
            return -1;
    } while (end == ZSTD_e_end ? left != 0 : in.pos < in.size);
    return 0;
}

static la_ssize_t archive_sink(struct archive *a, void *self, const void *bytes, size_t n)
{
    struct stream_out *o = self;
    if (fwrite(bytes, 1, n, o->fp) == n)
        return (la_ssize_t)n;
    archive_set_error(a, errno, "cannot write");
    return -1;
}

static int archive_failed(struct stream_out *o, struct err *err)
{
    errno = archive_errno(o->archive) ? archive_errno(o->archive) : EIO;
    return err_errno(err, "cannot write '%s'", o->name);
}

static int start_archive(struct stream_out *o, bool gzip, struct err *err)
{
    struct archive_entry *entry = archive_entry_new();
    struct archive *a = o->archive = archive_write_new();
    int rc = a && entry ? ARCHIVE_OK : ARCHIVE_FATAL;
    if (rc == ARCHIVE_OK)
        rc = gzip ? archive_write_add_filter_gzip(a) : archive_write_add_filter_xz(a);
    if (rc == ARCHIVE_OK && gzip) /* the same input gives the same bytes tomorrow */
        rc = archive_write_set_filter_option(a, "gzip", "timestamp", NULL);
    if (rc == ARCHIVE_OK)
        rc = archive_write_set_format_raw(a);
    if (rc == ARCHIVE_OK) {
        archive_write_set_bytes_in_last_block(a, 1); /* no padding */
        rc = archive_write_open(a, o, NULL, archive_sink, NULL);
    }
    if (rc == ARCHIVE_OK) {
        archive_entry_set_filetype(entry, AE_IFREG);
        rc = archive_write_header(a, entry);
    }
    if (rc != ARCHIVE_OK)
        err_set(err, "cannot compress '%s': %s", o->name,
                a ? archive_error_string(a) : "out of memory");
    archive_entry_free(entry);
    return rc == ARCHIVE_OK ? 0 : -1;
}

struct stream_out *stream_out_open(const char *path, struct err *err)
{
    struct stream_out *o = xcalloc(1, sizeof *o);
    o->is_stdout = !path || strcmp(path, "-") == 0;
    o->name = xstrdup(o->is_stdout ? "standard output" : path);
    o->fp = stdout;
    if (o->is_stdout)
        return o;
    if (atomic_file_open(&o->file, path, err) < 0) {
        stream_out_abort(o);
        return NULL;
    }
    o->fp = o->file.fp;
    int rc = 0;
    if (has_suffix(path, ".zst"))
        rc = start_zstd(o, err);
    else if (has_suffix(path, ".gz") || has_suffix(path, ".xz"))
        rc = start_archive(o, has_suffix(path, ".gz"), err);
    if (rc < 0) {
        stream_out_abort(o);
        return NULL;
    }
    return o;
}

int stream_out_write(struct stream_out *o, const void *bytes, size_t n, struct err *err)
{
    if (o->zstd)
        return write_zstd(o, bytes, n, ZSTD_e_continue, err);
    if (!o->archive)
        return write_out(o, bytes, n, err);
    return archive_write_data(o->archive, bytes, n) == (la_ssize_t)n ? 0 : archive_failed(o, err);
}

static int finish(struct stream_out *o, struct err *err)
{
    if (o->zstd && write_zstd(o, NULL, 0, ZSTD_e_end, err) < 0)
        return -1;
    if (o->archive && archive_write_close(o->archive) != ARCHIVE_OK)
        return archive_failed(o, err);
    if (!o->is_stdout)
        return atomic_file_commit(&o->file, err);
    return fflush(stdout) == 0 ? 0 : err_errno(err, "cannot write standard output");
}

int stream_out_commit(struct stream_out *o, struct err *err)
{
    int rc = finish(o, err);
    stream_out_abort(o); /* nothing is left to undo after a commit */
    return rc;
}

void stream_out_abort(struct stream_out *o)
{
    if (!o)
        return;
    ZSTD_freeCCtx(o->zstd);
    if (o->archive)
        archive_write_free(o->archive);
    atomic_file_abort(&o->file);
    free(o->packed);
    free(o->name);
    free(o);
}
