/* secret.c - an API key that stays a secret. */
#include "net/secret.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

enum { MAX_KEY = 4096 };

static int read_key_file(const char *path, char **key, struct err *err)
{
    struct stat st;
    char buf[MAX_KEY + 1];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, "cannot open '%s'", path);
    ssize_t n = fstat(fd, &st) < 0 ? -1 : read(fd, buf, sizeof buf);
    close(fd);
    if (n < 0)
        return err_errno(err, "cannot read '%s'", path);
    if (S_ISREG(st.st_mode) && (st.st_mode & 077))
        return err_set(err, "%s: others can read this key; chmod 600 it", path);
    if (n > MAX_KEY)
        return err_set(err, "%s: longer than any key", path);
    while (n > 0 && strchr(" \t\r\n", buf[n - 1]))
        n--;
    *key = xstrndup(buf, (size_t)n);
    explicit_bzero(buf, sizeof buf);
    return 0;
}

/* It goes into a header line: anything but printable ASCII could end that line. */
static int check_key(const char *key, struct err *err)
{
    for (const char *c = key; *c; c++)
        if (*c <= ' ' || *c > '~')
            return err_set(err, "the API key holds a character that no key has");
    return *key ? 0 : err_set(err, "the API key is empty");
}

static void protect_process(void)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

int secret_load(const char *variable, const char *file, bool required, char **key, struct err *err)
{
    *key = NULL;
    if (file) {
        if (read_key_file(file, key, err) < 0)
            return -1;
    } else {
        const char *value = getenv(variable);
        if ((!value || !*value) && required)
            return err_set(err, "the environment variable %s is not set", variable);
        if (!value || !*value)
            return 0;
        *key = xstrdup(value);
        unsetenv(variable); /* children have no use for it */
    }
    if (check_key(*key, err) < 0) {
        secret_free(*key);
        *key = NULL;
        return file ? err_prefix(err, "%s", file) : err_prefix(err, "%s", variable);
    }
    protect_process();
    return 0;
}

void secret_free(char *key)
{
    if (key)
        explicit_bzero(key, strlen(key));
    free(key);
}

char *secret_clean(const char *text, size_t max, const char *key)
{
    char *copy = xstrdup(text);
    size_t key_len = key ? strlen(key) : 0, n = strlen(copy);
    for (char *at = copy; key_len && (at = strstr(at, key)); at += key_len)
        memset(at, '*', key_len);
    for (char *c = copy; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
    }
    if (n > max) {
        n = max;
        while (n && ((unsigned char)copy[n] & 0xc0) == 0x80)
            n--;
        copy[n] = '\0';
    }
    return copy;
}
