/* require.h - what must be true of any input; else the fuzzer has a finding. */
#ifndef TP_TESTS_FUZZ_REQUIRE_H
#define TP_TESTS_FUZZ_REQUIRE_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define require(ok) require_that(ok, "%s:%d: %s\n", __FILE__, __LINE__, #ok)

/* Same, with a printf message that shows the values. */
#define require_that(ok, ...)                                                                      \
    do {                                                                                           \
        if (!(ok)) {                                                                               \
            fprintf(stderr, __VA_ARGS__);                                                          \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#endif
