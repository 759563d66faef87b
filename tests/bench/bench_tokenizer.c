/* bench_tokenizer.c - the tokenizer alone, for tests/bench/tokenizer.py and tests/interop/tokenizers.py.
 *
 *   bench_tokenizer DIR ids THREADS <strings >ids    added tokens in the text are recognised
 *   bench_tokenizer DIR speed <strings               then, for each line "THREADS" on stdin,
 *                                                    prints the seconds of a pass over all strings,
 *                                                    by the clock and of processor time
 *
 * Strings: uint32 their number, then uint32 bytes and the bytes of each.  Ids: uint32 their number and
 * int32 ids of each string; a number of 0xffffffff where it cannot be encoded.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/pool.h"
#include "data/tokenizer.h"
#include "tests/bench/clock.h"

struct string {
    char *text;
    uint32_t n;
    struct token_list ids;
    bool failed;
};

struct job {
    const struct tokenizer *t;
    unsigned flags;
    uint32_t n;
    struct string *strings;
};

static void die(const char *what)
{
    fprintf(stderr, "bench_tokenizer: %s\n", what);
    exit(1);
}

static uint32_t read_u32(void)
{
    uint32_t x;
    if (fread(&x, sizeof x, 1, stdin) != 1)
        die("the strings end early");
    return x;
}

static void read_strings(struct job *j)
{
    j->n = read_u32();
    j->strings = xcalloc(j->n, sizeof *j->strings);
    for (uint32_t i = 0; i < j->n; i++) {
        struct string *s = &j->strings[i];
        s->n = read_u32();
        s->text = xmalloc((size_t)s->n + 1);
        if (fread(s->text, 1, s->n, stdin) != s->n)
            die("the strings end early");
    }
}

static void encode(void *arg, int64_t i, int thread)
{
    const struct job *j = arg;
    struct string *s = &j->strings[i];
    struct err err = {0};
    (void)thread;
    s->ids.n = 0;
    s->failed = tokenizer_encode(j->t, s->text, s->n, j->flags, &s->ids, &err) < 0;
}

static void write_ids(const struct job *j)
{
    for (uint32_t i = 0; i < j->n; i++) {
        const struct string *s = &j->strings[i];
        uint32_t n = s->failed ? UINT32_MAX : (uint32_t)s->ids.n;
        fwrite(&n, sizeof n, 1, stdout);
        if (!s->failed)
            fwrite(s->ids.ids, sizeof *s->ids.ids, n, stdout);
    }
    if (fflush(stdout) != 0)
        die("cannot write the ids");
}

static double cpu_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void measure(struct job *j)
{
    int threads;
    while (scanf("%d", &threads) == 1) {
        pool_init(threads);
        double start = now(), cpu = cpu_now();
        pool_for(j->n, encode, j);
        printf("%.6f %.6f\n", now() - start, cpu_now() - cpu);
        fflush(stdout);
        pool_release();
    }
}

int main(int argc, char **argv)
{
    struct err err = {0};
    bool ids = argc == 4 && !strcmp(argv[2], "ids");
    if (!ids && !(argc == 3 && !strcmp(argv[2], "speed")))
        die("usage: bench_tokenizer DIR ids THREADS | DIR speed");
    struct job j = {.t = tokenizer_load(argv[1], &err), .flags = ids ? TOKENIZE_SPECIAL : TOKENIZE_PLAIN};
    if (!j.t)
        die(err.text);
    read_strings(&j);
    if (!ids) {
        measure(&j);
        return 0;
    }
    pool_init(atoi(argv[3]));
    pool_for(j.n, encode, &j);
    pool_release();
    write_ids(&j);
    return 0;
}
