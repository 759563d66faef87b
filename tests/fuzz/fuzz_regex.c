/* fuzz_regex.c - any pattern and any text, parted by a newline: no crash, bounded work, and the
 * same count twice.  Build and run with tests/fuzz/run.sh. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "reward/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *pattern = xstrndup((const char *)data, size), *text = strchr(pattern, '\n');
    struct err err = {0};
    struct span last = {0};
    if (text) {
        *text++ = '\0';
        long once = regex_count(pattern, REGEX_LINES, span_of(text), 0, &last, &err);
        err_clear(&err);
        if (once > 0 && (last.start < text || last.start + last.n > text + strlen(text)))
            abort();
        if (once != regex_count(pattern, REGEX_LINES, span_of(text), 0, NULL, &err))
            abort();
    }
    free(pattern);
    return 0;
}
