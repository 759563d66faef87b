/* check.h - the whole unit-test library: CHECK, and a count at the end.
 *
 * A test program is a main() of CHECKs that returns check_done().  It prints
 * "ok N" or every failed check with its place, and exits 1 if any failed.
 * Real data is in $THINKPIPE_DATA.  A test that needs some ends
 * in check_need_data() as skipped (exit 77) without it; a part of a test asks
 * check_data(), and the runner counts the part as skipped.
 */
#ifndef TP_TESTS_CHECK_H
#define TP_TESTS_CHECK_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int check_n, check_failed;

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        check_n++;                                                                                 \
        if (!(cond)) {                                                                             \
            check_failed++;                                                                        \
            printf("%s:%d: failed: %s\n", __FILE__, __LINE__, #cond);                              \
        }                                                                                          \
    } while (0)

/* Same, with a printf message that shows the values. */
#define CHECK_MSG(cond, ...)                                                                       \
    do {                                                                                           \
        check_n++;                                                                                 \
        if (!(cond)) {                                                                             \
            check_failed++;                                                                        \
            printf("%s:%d: failed: %s: ", __FILE__, __LINE__, #cond);                              \
            printf(__VA_ARGS__);                                                                   \
            printf("\n");                                                                          \
        }                                                                                          \
    } while (0)

#define CHECK_STR(a, b)                                                                            \
    do {                                                                                           \
        const char *check_a = (a), *check_b = (b);                                                 \
        CHECK_MSG(check_a && check_b && strcmp(check_a, check_b) == 0, "'%s' is not '%s'",         \
                  check_a ? check_a : "(null)", check_b ? check_b : "(null)");                     \
    } while (0)

#define CHECK_CLOSE(a, b, abs_tol, rel_tol)                                                        \
    do {                                                                                           \
        double check_a = (a), check_b = (b);                                                       \
        CHECK_MSG(fabs(check_a - check_b) <= (abs_tol) + (rel_tol)*fabs(check_b),                  \
                  "%.9g is not %.9g", check_a, check_b);                                           \
    } while (0)

/* The larger one, or not a number once either is: fmax() would forget that, and the check of a
 * worst difference would pass. */
static inline double check_larger(double a, double b)
{
    return isnan(a) || a >= b ? a : b;
}

static inline int check_done(void)
{
    if (check_failed)
        printf("%d of %d checks failed\n", check_failed, check_n);
    else
        printf("ok %d\n", check_n);
    return check_failed || !check_n ? 1 : 0;
}

/* The path of NAME in the folder of real data, owned; NULL, and a line with the reason, if it is not
 * there. */
static inline char *check_data(const char *name)
{
    const char *root = getenv("THINKPIPE_DATA");
    char *path = NULL;

    if (asprintf(&path, "%s/%s", root && *root ? root : "/nowhere", name) < 0)
        abort();
    if (access(path, R_OK) == 0)
        return path;
    printf("skip: no %s in $THINKPIPE_DATA\n", name);
    free(path);
    return NULL;
}

static inline char *check_need_data(const char *name)
{
    char *path = check_data(name);

    if (!path)
        exit(77);
    return path;
}

#endif
