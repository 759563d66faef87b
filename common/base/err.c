/* err.c - how library functions fail. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static void append_error_text(char *text, size_t size, int number)
{
    char buf[128];
    size_t used = strlen(text);
    /* The GNU strerror_r: safe among threads, may or may not use buf. */
    snprintf(text + used, size - used, ": %s", strerror_r(number, buf, sizeof buf));
}

int err_set(struct err *err, const char *fmt, ...)
{
    if (!err || err->set)
        return -1;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err->text, sizeof err->text, fmt, ap);
    va_end(ap);
    err->set = true;
    return -1;
}

int err_errno(struct err *err, const char *fmt, ...)
{
    int number = errno;
    if (!err || err->set)
        return -1;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err->text, sizeof err->text, fmt, ap);
    va_end(ap);
    append_error_text(err->text, sizeof err->text, number);
    err->set = true;
    return -1;
}

int err_prefix(struct err *err, const char *fmt, ...)
{
    if (!err || !err->set)
        return -1;
    /* Half of the space at most, so that a long file name cannot push the cause out. */
    char prefix[sizeof err->text / 2];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(prefix, sizeof prefix, fmt, ap);
    va_end(ap);

    size_t n = strlen(prefix), room = sizeof err->text - n - 3;
    size_t kept = strlen(err->text);
    if (kept > room)
        kept = room;
    memmove(err->text + n + 2, err->text, kept);
    memcpy(err->text, prefix, n);
    memcpy(err->text + n, ": ", 2);
    err->text[n + 2 + kept] = '\0';
    return -1;
}

void err_clear(struct err *err)
{
    err->set = false;
    err->status = 0;
    err->text[0] = '\0';
}

noreturn void bug_at(const char *file, int line, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    log_error("bug at %s:%d: %s", file, line, text);
    abort();
}
