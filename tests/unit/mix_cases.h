/* mix_cases.h - what the tests of mix-fit share: a file to read from, mixtures at random. */
#ifndef TESTS_MIX_CASES_H
#define TESTS_MIX_CASES_H

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/rng.h"

#include "check.h"

static char temp[] = "/tmp/test_mix.XXXXXX"; /* for mkstemp() */

static const char *write_temp(const char *text)
{
    struct err err = {0};
    CHECK(file_write_atomic(temp, text, strlen(text), &err) == 0);
    return temp;
}

/* Dirichlet's, with all parameters alpha. */
static inline void random_mixture(struct rng *r, double *x, int64_t m, double alpha)
{
    double sum = 0;
    for (int64_t j = 0; j < m; j++)
        sum += x[j] = exp(rng_gamma_log(r, alpha));
    for (int64_t j = 0; j < m; j++)
        x[j] /= sum;
}

#endif
