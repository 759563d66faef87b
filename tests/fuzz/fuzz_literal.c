/* fuzz_literal.c - any text as a Python literal: no crash, and what is read is written as JSON that
 * reads back to the same.  Build and run with tests/fuzz/run.sh. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "reward/literal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = xstrndup((const char *)data, size);
    struct err err = {0};
    json_t *value = literal_parse(text, &err);
    if (value) {
        struct strbuf once = {0}, twice = {0};
        json_write(&once, value);
        json_t *again = literal_parse(once.buf, &err);
        if (again)
            json_write(&twice, again);
        if (!again || once.len != twice.len || memcmp(once.buf, twice.buf, once.len) != 0) {
            fprintf(stderr, "'%s' and '%s' (%s)\n", once.buf, twice.buf, err.text);
            abort();
        }
        json_decref(again);
        strbuf_release(&once);
        strbuf_release(&twice);
    } else if (!err.set) {
        abort();
    }
    json_decref(value);
    free(text);
    return 0;
}
