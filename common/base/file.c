/* file.c - paths, whole files, and files that appear whole or not at all. */
#define XXH_STATIC_LINKING_ONLY /* XXH3_state_t on the stack */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/tool.h"

#define IO_BYTES ((size_t)256 << 10)

/* Paths. */

char *path_join(const char *dir, const char *name)
{
    size_t n = strlen(dir);
    if (n == 0 || name[0] == '/')
        return xstrdup(name);
    return xasprintf("%s%s%s", dir, dir[n - 1] == '/' ? "" : "/", name);
}

char *path_dirname(const char *path)
{
    char *copy = xstrdup(path); /* dirname(3) writes into its argument */
    char *dir = xstrdup(dirname(copy));
    free(copy);
    return dir;
}

/* ".NAME.tmp.PID" beside path. */
static char *temp_path(const char *path)
{
    const char *slash = strrchr(path, '/');
    int dir_len = slash ? (int)(slash + 1 - path) : 0;
    return xasprintf("%.*s.%s.tmp.%ld", dir_len, path, path + dir_len, (long)getpid());
}

bool file_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && !S_ISDIR(st.st_mode);
}

bool dir_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool same_directory(const char *a, const char *b)
{
    struct stat sa, sb;
    return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
           sa.st_ino == sb.st_ino;
}

/* Atomic files. */

/* A device, a pipe, or a descriptor by name: nothing a rename could replace. */
static bool written_directly(const char *path, const struct stat *st)
{
    return (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode)) || strncmp(path, "/dev/std", 8) == 0 ||
           strncmp(path, "/dev/fd/", 8) == 0 || strncmp(path, "/proc/", 6) == 0;
}

/* Writing through a symbolic link replaces the file it leads to, not the link. */
static char *link_target(const char *path)
{
    struct stat st;
    if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode)) {
        char *real = realpath(path, NULL);
        if (real)
            return real;
    }
    return xstrdup(path);
}

static int open_temp(struct atomic_file *f, const struct stat *replaced, struct err *err)
{
    f->tmp = temp_path(f->path);
    int fd = open(f->tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0)
        return err_errno(err, "cannot create '%s'", f->path);
    if (replaced)
        (void)!fchmod(fd, replaced->st_mode & 07777); /* a private file stays private */
    f->fp = fdopen(fd, "wb");
    if (!f->fp) {
        err_errno(err, "cannot create '%s'", f->path);
        close(fd);
        unlink(f->tmp);
        return -1;
    }
    return 0;
}

int atomic_file_open(struct atomic_file *f, const char *path, struct err *err)
{
    struct stat st;
    bool exists = stat(path, &st) == 0;
    int rc;
    *f = (struct atomic_file){0};
    if (exists && S_ISDIR(st.st_mode))
        return err_set(err, "cannot write '%s': Is a directory", path);
    if (tool_check_output(path, err) < 0)
        return -1;
    if (exists && written_directly(path, &st)) {
        f->path = xstrdup(path);
        f->fp = fopen(path, "wbe");
        rc = f->fp ? 0 : err_errno(err, "cannot open '%s'", path);
    } else {
        f->path = link_target(path);
        rc = open_temp(f, exists ? &st : NULL, err);
    }
    if (rc < 0) {
        free(f->path);
        free(f->tmp);
        *f = (struct atomic_file){0};
    }
    return rc;
}

static int dir_sync(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, "cannot open directory '%s'", path);
    int rc = 0;
    /* EINVAL: a file system that has no such operation for directories. */
    if (fsync(fd) != 0 && errno != EINVAL)
        rc = err_errno(err, "cannot sync directory '%s'", path);
    close(fd);
    return rc;
}

static int sync_parent(const char *path, struct err *err)
{
    char *dir = path_dirname(path);
    int rc = dir_sync(dir, err);
    free(dir);
    return rc;
}

static int flush_and_close(struct atomic_file *f, struct err *err)
{
    errno = 0;
    bool failed = ferror(f->fp) != 0;
    if (fflush(f->fp) != 0)
        failed = true;
    if (!failed && f->tmp && fsync(fileno(f->fp)) != 0)
        failed = true;
    int number = errno;
    if (fclose(f->fp) != 0 && !failed) {
        failed = true;
        number = errno;
    }
    f->fp = NULL;
    errno = number ? number : EIO; /* an earlier fwrite failed and its errno is gone */
    return failed ? err_errno(err, "cannot write '%s'", f->path) : 0;
}

int atomic_file_commit(struct atomic_file *f, struct err *err)
{
    if (!f->fp)
        BUG("commit of a file that is not open");
    int rc = flush_and_close(f, err);
    if (rc == 0 && f->tmp) {
        if (rename(f->tmp, f->path) != 0) {
            rc = err_errno(err, "cannot rename '%s' to '%s'", f->tmp, f->path);
        } else {
            free(f->tmp);
            f->tmp = NULL;
            rc = sync_parent(f->path, err);
        }
    }
    atomic_file_abort(f);
    return rc;
}

void atomic_file_abort(struct atomic_file *f)
{
    if (f->fp)
        fclose(f->fp);
    if (f->tmp)
        unlink(f->tmp);
    free(f->tmp);
    free(f->path);
    *f = (struct atomic_file){0};
}

int file_put(FILE *fp, const void *bytes, size_t n, const char *path, struct err *err)
{
    return n == 0 || fwrite(bytes, 1, n, fp) == n ? 0 : err_errno(err, "cannot write '%s'", path);
}

int file_write_atomic(const char *path, const void *bytes, size_t n, struct err *err)
{
    struct atomic_file f;
    if (atomic_file_open(&f, path, err) < 0)
        return -1;
    if (fwrite(bytes, 1, n, f.fp) != n) {
        err_errno(err, "cannot write '%s'", path);
        atomic_file_abort(&f);
        return -1;
    }
    return atomic_file_commit(&f, err);
}

/* Whole files. */

static int open_read(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? err_errno(err, "cannot open '%s'", path) : fd;
}

static ssize_t read_some(int fd, void *buf, size_t n, const char *path, struct err *err)
{
    ssize_t got;
    do
        got = read(fd, buf, n);
    while (got < 0 && errno == EINTR);
    return got < 0 ? err_errno(err, "cannot read '%s'", path) : got;
}

int file_read(const char *path, struct strbuf *out, struct err *err)
{
    int fd = open_read(path, err);
    if (fd < 0)
        return -1;
    strbuf_clear(out);
    struct stat st;
    size_t room = IO_BYTES;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        room = (size_t)st.st_size + 1; /* the extra byte sees the end without growing */
    ssize_t got;
    do {
        strbuf_reserve(out, room);
        got = read_some(fd, out->buf + out->len, out->cap - out->len - 1, path, err);
        if (got > 0)
            out->len += (size_t)got;
        out->buf[out->len] = '\0';
        room = IO_BYTES;
    } while (got > 0);
    close(fd);
    return got < 0 ? -1 : 0;
}

int file_view_open(struct file_view *v, const char *path, struct err *err)
{
    struct strbuf text = {0};
    struct stat st;
    int fd = open_read(path, err);
    *v = (struct file_view){0};
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
        v->n = (size_t)st.st_size;
        v->bytes = mmap(NULL, v->n, PROT_READ, MAP_PRIVATE, fd, 0);
        v->mapped = v->bytes != MAP_FAILED;
    }
    close(fd);
    if (v->mapped)
        return 0;
    if (file_read(path, &text, err) < 0) {
        strbuf_release(&text);
        *v = (struct file_view){0};
        return -1;
    }
    v->bytes = strbuf_detach(&text, &v->n);
    return 0;
}

void file_view_release(struct file_view *v)
{
    if (v->mapped)
        munmap(v->bytes, v->n);
    else
        free(v->bytes);
    *v = (struct file_view){0};
}

/* Calls sink(arg, bytes, n) for the pieces of a file in order. */
static int for_pieces(const char *path, int (*sink)(void *arg, const void *bytes, size_t n),
                      void *arg, struct err *err)
{
    int fd = open_read(path, err);
    if (fd < 0)
        return -1;
    char *buf = xmalloc(IO_BYTES);
    ssize_t got;
    while ((got = read_some(fd, buf, IO_BYTES, path, err)) > 0)
        if (sink(arg, buf, (size_t)got) < 0)
            break; /* the sink's stream keeps the error */
    free(buf);
    close(fd);
    return got < 0 ? -1 : 0;
}

/* Digests. */

static void write_digest(XXH128_hash_t h, char out[40])
{
    snprintf(out, 40, "xxh3:%016llx%016llx", (unsigned long long)h.high64,
             (unsigned long long)h.low64);
}

void bytes_digest(const void *bytes, size_t n, char out[40])
{
    write_digest(XXH3_128bits(bytes, n), out);
}

static int digest_piece(void *state, const void *bytes, size_t n)
{
    return XXH3_128bits_update(state, bytes, n) == XXH_OK ? 0 : -1;
}

int file_digest(const char *path, char out[40], struct err *err)
{
    XXH3_state_t state;
    XXH3_INITSTATE(&state);
    XXH3_128bits_reset(&state);
    if (for_pieces(path, digest_piece, &state, err) < 0)
        return -1;
    write_digest(XXH3_128bits_digest(&state), out);
    return 0;
}

/* Directories. */

static int make_one(const char *path, struct err *err)
{
    if (mkdir(path, 0777) == 0)
        return 0;
    if (errno == EEXIST && dir_exists(path))
        return 0;
    return err_errno(err, "cannot create directory '%s'", path);
}

int dir_make(const char *path, struct err *err)
{
    char *copy = xstrdup(path);
    int rc = 0;
    for (char *p = copy + 1; rc == 0 && copy[0] && *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        rc = dir_exists(copy) ? 0 : make_one(copy, err);
        *p = '/';
    }
    free(copy);
    return rc < 0 ? rc : make_one(path, err);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

int dir_remove(const char *path, struct err *err)
{
    if (nftw(path, remove_entry, 32, FTW_DEPTH | FTW_PHYS) != 0)
        return err_errno(err, "cannot remove '%s'", path);
    return 0;
}

int dir_commit(const char *tmp, const char *path, struct err *err)
{
    if (dir_sync(tmp, err) < 0)
        return -1;
    if (rename(tmp, path) != 0)
        return err_errno(err, "cannot rename '%s' to '%s'", tmp, path);
    return sync_parent(path, err);
}

/* Atomic directories. */

int atomic_dir_open(struct atomic_dir *d, const char *path, struct err *err)
{
    *d = (struct atomic_dir){.path = xstrdup(path), .tmp = path_join(path, ".writing.tmp")};
    /* What an interrupted process left there is of no use to anybody. */
    if ((dir_exists(d->tmp) && dir_remove(d->tmp, err) < 0) || dir_make(d->tmp, err) < 0) {
        atomic_dir_abort(d);
        return -1;
    }
    return 0;
}

static int move_up(const struct atomic_dir *d, const char *name, struct err *err)
{
    char *from = path_join(d->tmp, name), *to = path_join(d->path, name);
    int rc = rename(from, to) == 0 ? 0 : err_errno(err, "cannot rename '%s' to '%s'", from, to);
    free(from);
    free(to);
    return rc;
}

int atomic_dir_commit(struct atomic_dir *d, const char *last, struct err *err)
{
    DIR *dir = opendir(d->tmp);
    const struct dirent *e;
    int rc = dir ? 0 : err_errno(err, "cannot open directory '%s'", d->tmp);
    while (rc == 0 && (e = readdir(dir)))
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
            strcmp(e->d_name, last) != 0)
            rc = move_up(d, e->d_name, err);
    if (dir)
        closedir(dir);
    if (rc == 0)
        rc = dir_sync(d->path, err);
    if (rc == 0)
        rc = move_up(d, last, err);
    if (rc == 0)
        rc = dir_sync(d->path, err);
    atomic_dir_abort(d);
    return rc;
}

void atomic_dir_abort(struct atomic_dir *d)
{
    struct err ignored = {0};
    if (d->tmp && dir_exists(d->tmp) && dir_remove(d->tmp, &ignored) < 0)
        log_warn("%s", ignored.text);
    if (d->path)
        rmdir(d->path); /* refuses one that holds something */
    free(d->path);
    free(d->tmp);
    *d = (struct atomic_dir){0};
}
