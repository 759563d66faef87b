/* fuzz_tokenizer.c - any text as tokenizer.json, and behind a NUL byte as tokenizer_config.json, and behind
 * another as generation_config.json: refused with a reason, or it gives every text ids that exist or says why
 * it cannot.  Build and run with tests/fuzz/run.sh. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/tokenizer.h"
#include "tests/fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static const char *const names[] = {"tokenizer.json", "tokenizer_config.json", "generation_config.json"};
static char dir[] = "/tmp/fuzz_tokenizer.XXXXXX";

static void encode(const struct tokenizer *t, const char *text, size_t n, unsigned flags)
{
    struct token_list ids = {0};
    struct strbuf back = {0};
    struct err err = {0};
    int rc = tokenizer_encode(t, text, n, flags, &ids, &err);
    require((rc < 0) == err.set);
    for (int64_t i = 0; i < ids.n; i++)
        require(ids.ids[i] >= 0 && ids.ids[i] < tokenizer_vocab_size(t));
    require(rc < 0 || tokenizer_decode(t, ids.ids, ids.n, false, &back, &err) == 0);
    strbuf_release(&back);
    token_list_release(&ids);
}

static void use(const struct tokenizer *t)
{
    static const char text[] = "ab<x> don't 12345 \t\n\n e\xcc\x81 \xf0\x9f\x98\x80 <x><x>abababababababababababababababab"
                               "abababababababababababababababab";
    encode(t, text, sizeof text - 1, 0);
    encode(t, text, sizeof text - 1, TOKENIZE_SPECIAL);
    const int32_t ids[] = {tokenizer_bos(t), tokenizer_eos(t), tokenizer_pad(t)};
    for (int i = 0; i < 3; i++)
        require(ids[i] >= -1 && ids[i] < tokenizer_vocab_size(t));
}

static void from_text(const char *text, size_t n)
{
    struct err err = {0};
    json_t *doc = json_parse(text, n, &err);
    struct tokenizer *t = doc ? tokenizer_from_json(doc, "fuzz", &err) : NULL;
    require((t == NULL) == err.set);
    if (t)
        use(t);
    tokenizer_free(t);
    json_decref(doc);
}

/* The parts of the input as the files of a folder. */
static void from_files(const char *text, size_t n)
{
    struct err err = {0};
    for (size_t i = 0, used = 0; i < ARRAY_SIZE(names); i++) {
        size_t len = used < n ? strnlen(text + used, n - used) : 0;
        char *path = path_join(dir, names[i]);
        unlink(path);
        if (len > 0) {
            FILE *fp = fopen(path, "w");
            require(fp && fwrite(text + used, 1, len, fp) == len && fclose(fp) == 0);
        }
        used += len + 1;
        free(path);
    }
    struct tokenizer *t = tokenizer_load(dir, &err);
    require((t == NULL) == err.set);
    if (t)
        use(t);
    tokenizer_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    const char *text = (const char *)bytes;
    static bool made;
    if (!made) {
        mem_init();
        require(mkdtemp(dir) != NULL);
        made = true;
    }
    if (n > 0 && memchr(text, 0, n))
        from_files(text, n);
    else
        from_text(text, n);
    return 0;
}
