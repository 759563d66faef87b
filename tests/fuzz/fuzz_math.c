/* fuzz_math.c - any two answers, parted by a newline: no crash, no endless loop, and
 *   an answer is equal to itself, unless it says nothing
 *   equality holds in both directions, a choice's letter aside
 *   what is printed is printed the same twice
 * Build and run with tests/fuzz/run.sh. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "reward/mathtext.h"
#include "tests/fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *a = xstrndup((const char *)data, size), *b = strchr(a, '\n');
    if (b)
        *b++ = '\0';
    else
        b = a;
    struct math_result ab, ba, again;
    math_judge(a, b, &ab);
    math_judge(b, a, &ba);
    math_judge(a, b, &again);
    bool choice = strcmp(ab.rule, "choice") == 0 || strcmp(ba.rule, "choice") == 0;
    require_that(choice || ab.equal == ba.equal, "one direction only: '%s' and '%s'\n", a, b);
    require_that(ab.equal == again.equal && strcmp(ab.rule, again.rule) == 0 &&
                !ab.parsed == !again.parsed &&
                (!ab.parsed || strcmp(ab.parsed, again.parsed) == 0), "another verdict: '%s' and '%s'\n", a, b);
    math_result_release(&again);
    math_judge(a, a, &again);
    require_that(again.equal || strcmp(again.rule, "empty") == 0, "not itself: '%s' and '%s'\n", a, a);
    math_result_release(&ab);
    math_result_release(&ba);
    math_result_release(&again);
    free(a);
    return 0;
}
