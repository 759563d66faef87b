/* fuzz_cache.c - any bytes as a cache of verdicts: it is opened, what is found in it is a verdict or
 * nothing; then one is put into it and found, now and by the next one that opens it.
 * Build and run with tests/fuzz/run.sh. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "reward/verdict_cache.h"
#include "tests/fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct verdict_cache *open_cache(const char *dir)
{
    struct err err = {0};
    struct verdict_cache *c = verdict_cache_open(dir, &err);
    require_that(c != NULL, "%s\n", err.text);
    return c;
}

/* The key in the first 32 digits, as the file has it. */
static struct verdict_key first_key(const uint8_t *data, size_t size)
{
    char text[33] = {0};
    struct verdict_key key = {0};
    unsigned long long high, low;
    memcpy(text, data, size < 32 ? size : 32);
    if (sscanf(text, "%16llx%16llx", &high, &low) == 2)
        key = (struct verdict_key){high, low};
    return key;
}

static void check_has(struct verdict_cache *c, struct verdict_key key)
{
    struct verdict v = {0};
    require_that(verdict_cache_get(c, key, &v) && v.score == 0.25 && strcmp(v.rule, "r") == 0,
                 "what was put in is not found\n");
    verdict_release(&v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char dir[] = "/dev/shm/fuzz-cache-XXXXXX", path[64]; /* in memory: it is opened a lot */
    struct verdict v = {0};
    struct verdict put = {.score = 0.25, .rule = "r"};
    struct err err = {0};
    if (!*path) {
        log_init("fuzz", LOG_WARN);
        require_that(mkdtemp(dir) != NULL, "no folder\n");
        snprintf(path, sizeof path, "%s/verdicts", dir);
    }
    FILE *f = fopen(path, "we");
    require_that(f && fwrite(data, 1, size, f) == size && fclose(f) == 0, "cannot write\n");
    struct verdict_cache *c = open_cache(dir);
    struct verdict_key key = first_key(data, size);
    if (verdict_cache_get(c, key, &v)) {
        verdict_release(&v);
    } else {
        require_that(verdict_cache_put(c, key, &put, &err) == 0, "%s\n", err.text);
        check_has(c, key);
        struct verdict_cache *other = open_cache(dir);
        check_has(other, key);
        verdict_cache_close(other);
    }
    verdict_cache_close(c);
    return 0;
}
