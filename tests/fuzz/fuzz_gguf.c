/* fuzz_gguf.c - libFuzzer: any bytes as a GGUF file, its configuration and its tokenizer.
 *
 *     make fuzz SECONDS=600
 */
#include <stdlib.h>

#include "data/tokenizer_gguf.h"
#include "model/gguf_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static char dir[] = "/tmp/fuzz_gguf.XXXXXX";
    static bool made;
    struct gguf_file f;
    struct model_config *c = calloc(1, sizeof *c);
    struct err err = {0};

    if (!made && !mkdtemp(dir))
        abort();
    made = true;
    if (gguf_parse(&f, "fuzz", bytes, n, &err) == 0) {
        if (gguf_read_config(&f, c, &err) == 0 && gguf_check_config(c, &err) == 0)
            err_clear(&err);
        err_clear(&err);
        if (tokenizer_from_gguf(&f, dir, &err) < 0 && !err.set)
            abort(); /* refused without a word */
        gguf_release(&f);
    } else if (!err.set) {
        abort();
    }
    free(c);
    return 0;
}
