/* fuzz_flat.c - any bytes as the token files of other trainers: every format, with and without what says where documents
 * end.  Ids and masks stay within the file, or there is a reason.  Build and run with tests/fuzz/run.sh.
 *
 * The first byte says format, dtype and marks; what follows is, up to the first "----", the file beside (.csv.gz as
 * plain text, .idx or .json) and behind it the ids.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/flat.h"
#include "tests/fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/fuzz_flat.XXXXXX";

static void put(const char *name, const uint8_t *bytes, size_t n)
{
    char *path = path_join(dir, name);
    FILE *f = fopen(path, "w");
    require(f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
    free(path);
}

static void drop(const char *name)
{
    char *path = path_join(dir, name);
    unlink(path);
    free(path);
}

static void read_all(const char *name, const struct flat_options *o)
{
    struct err err = {0};
    struct shard_seq seq;
    int64_t sum = 0, n = 0;
    int rc = -1;
    char *path = path_join(dir, name);
    struct flat_reader *r = flat_reader_open(path, o, &err);
    while (r && n++ < 100000 && (rc = flat_reader_next(r, &seq, &err)) > 0)
        for (int64_t i = 0; i < seq.n_tokens; i++) {
            require(seq.tokens[i] >= 0);
            sum += seq.tokens[i] + (seq.loss_mask ? seq.loss_mask[i] : 0) + (seq.id ? seq.id[0] : 0);
        }
    require(r || err.set);
    require(rc >= 0 || err.set);
    require(sum > INT64_MIN);
    flat_reader_close(r);
    free(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool made;
    if (!made && !mkdtemp(dir))
        abort();
    made = true;
    if (size < 1)
        return 0;
    const uint8_t *text = data + 1, *mark = memmem(text, size - 1, "----", 4);
    const uint8_t *ids = mark ? mark + 4 : text;
    size_t n_beside = mark ? (size_t)(mark - text) : 0, n_ids = (size_t)(data + size - ids);
    struct flat_options o = {.format = (enum flat_format)(1 + data[0] % 3),
                             .dtype = (enum flat_dtype)(data[0] / 3 % 6),
                             .eos = data[0] / 18 % 2 ? 2 : -1,
                             .bos = data[0] / 36 % 2 ? 1 : -1};
    switch (o.format) {
    case FLAT_NPY:
        put("token_ids_a.npy", ids, n_ids);
        put("labels_mask_a.npy", text, n_beside);
        put("token_ids_a.csv.gz", text, n_beside); /* a stream takes plain text as it is */
        read_all("token_ids_a.npy", &o);
        drop("labels_mask_a.npy");
        read_all("token_ids_a.npy", &o);
        drop("token_ids_a.csv.gz");
        read_all("token_ids_a.npy", &o);
        break;
    case FLAT_MEGATRON:
        put("b.idx", text, n_beside);
        put("b.bin", ids, n_ids);
        read_all("b.bin", &o);
        break;
    default:
        put("c.bin.json", text, n_beside);
        put("c.bin", ids, n_ids);
        read_all("c.bin", &o);
        drop("c.bin.json");
        read_all("c.bin", &o);
    }
    return 0;
}
