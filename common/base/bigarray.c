/* bigarray.c - a growing block of bytes, in memory or in a file. */
#include "base/bigarray.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

#define FIRST_BYTES ((size_t)1 << 16)

void bigarray_init(struct bigarray *a, const char *dir)
{
    *a = (struct bigarray){.dir = dir, .fd = -1};
}

static int open_file(struct bigarray *a, struct err *err)
{
    char *path = path_join(a->dir, "index.XXXXXX");
    a->fd = mkostemp(path, O_CLOEXEC);
    int rc = a->fd < 0 ? err_errno(err, "cannot create a file in '%s'", a->dir) : 0;
    if (rc == 0 && unlink(path) < 0)
        rc = err_errno(err, "cannot unlink '%s'", path);
    free(path);
    return rc;
}

static int grow_file(struct bigarray *a, size_t cap, struct err *err)
{
    if (a->fd < 0 && open_file(a, err) < 0)
        return -1;
    int rc = posix_fallocate(a->fd, 0, (off_t)cap);
    if (rc != 0) {
        errno = rc;
        return err_errno(err, "no room for %zu bytes of the index in '%s'", cap, a->dir);
    }
    void *p = a->bytes ? mremap(a->bytes, a->cap, cap, MREMAP_MAYMOVE)
                       : mmap(NULL, cap, PROT_READ | PROT_WRITE, MAP_SHARED, a->fd, 0);
    if (p == MAP_FAILED)
        return err_errno(err, "cannot map %zu bytes of the index in '%s'", cap, a->dir);
    a->bytes = p;
    return 0;
}

int bigarray_reserve(struct bigarray *a, size_t n, struct err *err)
{
    if (n <= a->cap)
        return 0;
    size_t cap = a->cap ? a->cap : FIRST_BYTES;
    while (cap < n)
        cap = cap < ((size_t)1 << 30) ? cap * 2 : cap + cap / 4 / 65536 * 65536;
    if (a->dir) {
        if (grow_file(a, cap, err) < 0)
            return -1;
    } else {
        a->bytes = xrealloc(a->bytes, cap);
        memset(a->bytes + a->cap, 0, cap - a->cap);
    }
    a->cap = cap;
    return 0;
}

void bigarray_release(struct bigarray *a)
{
    if (a->dir && a->bytes)
        munmap(a->bytes, a->cap);
    else
        free(a->bytes);
    if (a->fd > STDIN_FILENO)
        close(a->fd);
    *a = (struct bigarray){.fd = -1};
}
