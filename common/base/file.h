/* file.h - paths, whole files, and files that appear whole or not at all.
 *
 * An atomic file is written beside its name, and gets the name only after its
 * bytes are on disk: write, fsync, close, rename, fsync of the directory.
 *
 *     struct atomic_file f;
 *     if (atomic_file_open(&f, path, &err) < 0) ...
 *     fwrite(..., f.fp);
 *     if (atomic_file_commit(&f, &err) < 0) ...    // or atomic_file_abort(&f)
 *
 * A set of files that belong together, in a directory that may hold others:
 * written to d.tmp inside it, then moved up, `last` last, so that whoever finds
 * `last` finds all.
 *
 *     struct atomic_dir d;
 *     if (atomic_dir_open(&d, path, &err) < 0) ...
 *     ... write files into d.tmp ...
 *     if (atomic_dir_commit(&d, "model.safetensors", &err) < 0) ...   // or atomic_dir_abort(&d)
 */
#ifndef TP_BASE_FILE_H
#define TP_BASE_FILE_H

#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "base/strbuf.h"

struct atomic_file {
    FILE *fp;
    char *path, *tmp;
};

int atomic_file_open(struct atomic_file *f, const char *path, struct err *err) WARN_UNUSED;
int atomic_file_commit(struct atomic_file *f, struct err *err) WARN_UNUSED;
void atomic_file_abort(struct atomic_file *f);
/* All n bytes to fp; path is for the message. */
int file_put(FILE *fp, const void *bytes, size_t n, const char *path, struct err *err) WARN_UNUSED;
int file_write_atomic(const char *path, const void *bytes, size_t n, struct err *err) WARN_UNUSED;

struct atomic_dir {
    char *path, *tmp;
};

int atomic_dir_open(struct atomic_dir *d, const char *path, struct err *err) WARN_UNUSED;
int atomic_dir_commit(struct atomic_dir *d, const char *last, struct err *err) WARN_UNUSED;
/* The directory goes, too, if nothing else is in it. */
void atomic_dir_abort(struct atomic_dir *d);

int file_read(const char *path, struct strbuf *out, struct err *err) WARN_UNUSED; /* whole file */
/* The same to be looked at only: mapped if it is a regular file, else read. */
struct file_view {
    void *bytes;
    size_t n;
    bool mapped;
};
int file_view_open(struct file_view *v, const char *path, struct err *err) WARN_UNUSED;
void file_view_release(struct file_view *v);
bool file_exists(const char *path);
bool dir_exists(const char *path);
bool same_directory(const char *a, const char *b); /* both exist and are one, whatever the names */
int dir_make(const char *path, struct err *err) WARN_UNUSED; /* with parents; existing is fine */
int dir_remove(const char *path, struct err *err) WARN_UNUSED; /* with contents */
/* Renames a finished directory into place and syncs the parent. */
int dir_commit(const char *tmp, const char *path, struct err *err) WARN_UNUSED;
char *path_join(const char *dir, const char *name); /* owned */
char *path_dirname(const char *path);               /* owned */
/* Digest of a file's bytes, "xxh3:" + 32 hex digits (XXH3, 128 bits). */
int file_digest(const char *path, char out[40], struct err *err) WARN_UNUSED;
void bytes_digest(const void *bytes, size_t n, char out[40]);

#endif
