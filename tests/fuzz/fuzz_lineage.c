/* fuzz_lineage.c - any text as lineage.json: refused with a reason, or printed as a tree that holds nothing a
 * terminal would obey.  Build and run with tests/fuzz/run.sh. */

#include "data/utf8.h"
#include "model/lineage_tree.h"
#include "tests/fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct err err = {0};
    struct strbuf out = {0};
    json_t *doc = json_parse((const char *)bytes, n, &err);
    int rc = doc ? lineage_check_shape(doc, &err) : -1;
    require((rc < 0) == err.set);
    if (rc == 0) {
        lineage_tree(&out, "fuzz", doc);
        require(utf8_valid_prefix(out.buf, out.len) == out.len);
        for (size_t i = 0; i < out.len; i++)
            require(out.buf[i] == '\n' || ((unsigned char)out.buf[i] >= ' ' && out.buf[i] != 0x7f));
    }
    strbuf_release(&out);
    json_decref(doc);
    return 0;
}
