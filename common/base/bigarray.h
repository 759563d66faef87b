/* bigarray.h - a growing block of bytes, in memory or in a file.
 *
 * With a folder the bytes lie in a nameless file there, mapped: the kernel writes
 * out what memory has no room for, and nothing is left when the process ends,
 * however it ends.  Its blocks are reserved as it grows, so a full disk is an error
 * here and not a signal later.
 */
#ifndef TP_BASE_BIGARRAY_H
#define TP_BASE_BIGARRAY_H

#include <stddef.h>

#include "base/err.h"

struct bigarray {
    char *bytes; /* moves when the array grows; new bytes are zero */
    size_t cap;
    const char *dir; /* NULL: in memory */
    int fd;
};

void bigarray_init(struct bigarray *a, const char *dir);
/* Makes room for at least n bytes. */
int bigarray_reserve(struct bigarray *a, size_t n, struct err *err) WARN_UNUSED;
void bigarray_release(struct bigarray *a);

#endif
