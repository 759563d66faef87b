/* clock.h - seconds, for the benchmarks. */
#ifndef TP_TESTS_BENCH_CLOCK_H
#define TP_TESTS_BENCH_CLOCK_H

#include <time.h>

static inline double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#endif
