/* fuzz_corpus.c - any bytes as a corpus: JSON arrays, CSV, TSV, JSON lines, text that is split, archives.  What comes
 * out is a line of JSON with a text, whatever went in; what does not has a reason.  Build and run with
 * tests/fuzz/run.sh.
 *
 * The first byte chooses format and way to split, the second the archive.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "data/corpus.h"
#include "data/jsonl.h"
#include "tests/fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/fuzz_corpus.XXXXXX";

static int take(void *self, const char *line, size_t n, struct err *err)
{
    int64_t *count = self;
    require(n > 1 && line[n - 1] == '\n' && memchr(line, '\n', n) == line + n - 1);
    json_t *doc = json_parse(line, n - 1, err);
    require(doc && json_is_string(json_object_get(doc, "text")) && json_is_string(json_object_get(doc, "source")));
    json_decref(doc);
    ++*count;
    return 0;
}

static void read_as(const char *path, struct corpus_options *o)
{
    struct err err = {0};
    int64_t n = 0;
    struct corpus *c = corpus_open(o, take, &n, &err);
    require(c != NULL);
    int rc = corpus_read(c, path, &err);
    require(rc >= 0 || err.set);
    require(rc < 0 || corpus_counts(c)->documents == n);
    corpus_close(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const splits[] = {"file", "paragraphs", "lines", "headings", "regex:^#+ "};
    static bool made;
    if (!made && !mkdtemp(dir))
        abort();
    if (!made)
        log_init("fuzz", LOG_WARN);
    made = true;
    if (size < 2)
        return 0;
    char *path = path_join(dir, "a");
    FILE *f = fopen(path, "w");
    require(f && fwrite(data + 2, 1, size - 2, f) == size - 2 && fclose(f) == 0);
    struct corpus_options o = {.format = data[0] % 6,
                               .split = splits[data[0] / 6 % ARRAY_SIZE(splits)],
                               .archive = data[1] % 5,
                               .text_field = "text",
                               .max_chars = data[1] / 5 % 3 * 100,
                               .max_bytes = 1 << 20,
                               .max_ratio = 100};
    if (o.format != CORPUS_AUTO && o.format != CORPUS_TEXT)
        o.split = "file";
    jsonl_options.max_line_bytes = 1 << 16;
    jsonl_options.skip_bad = data[1] & 128;
    read_as(path, &o);
    free(path);
    return 0;
}
