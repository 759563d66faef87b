/* fuzz_instruct.c - any kind of instruction, its arguments, and a text, parted by newlines: no
 * crash, no endless loop, and the verdict is the same twice what is followed strictly is followed
 * loosely Build and run with tests/fuzz/run.sh. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "reward/instruct.h"
#include "reward/literal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *kind = xstrndup((const char *)data, size), *args = strchr(kind, '\n'), *text = NULL;
    if (args) {
        *args++ = '\0';
        text = strchr(args, '\n');
    }
    const struct instruct_kind *k = instruct_find(kind);
    struct err err = {0};
    if (text && k) {
        *text++ = '\0';
        json_t *object = literal_parse(args, &err);
        err_clear(&err);
        int strict = instruct_follows(k, text, object, false, &err);
        err_clear(&err);
        int again = instruct_follows(k, text, object, false, &err);
        err_clear(&err);
        int loose = instruct_follows(k, text, object, true, &err);
        if (strict != again || (strict == 1 && loose != 1)) {
            fprintf(stderr, "%s: %d, %d, loose %d\n", kind, strict, again, loose);
            abort();
        }
        json_decref(object);
    }
    free(kind);
    return 0;
}
