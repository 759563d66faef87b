/* fuzz_safetensors.c - any bytes as a safetensors file: refused with a reason, or its tensors lie in it side
 * by side, and writing them gives a file that reads as the same.  Build and run with tests/fuzz/run.sh. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/safetensors.h"
#include "tests/fuzz/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check_same(const struct st_file *a, const struct st_file *b)
{
    require(a->n_tensors == b->n_tensors && json_equal(a->metadata, b->metadata));
    for (int i = 0; i < a->n_tensors; i++) {
        const struct st_tensor *t = &a->tensors[i], *u = st_find(b, t->name);
        require(u && u->dtype == t->dtype && u->n_dims == t->n_dims && u->numel == t->numel &&
                !memcmp(u->shape, t->shape, sizeof t->shape) && u->end - u->begin == t->end - t->begin);
        require(t->end == t->begin || !memcmp(t->data, u->data, (size_t)(t->end - t->begin)));
    }
}

static void check_written(const struct st_file *f)
{
    struct st_write_tensor *w = xcalloc((size_t)f->n_tensors + 1, sizeof *w);
    struct strbuf out = {0};
    struct st_file again;
    struct err err = {0};
    for (int i = 0; i < f->n_tensors; i++) {
        const struct st_tensor *t = &f->tensors[i];
        w[i] = (struct st_write_tensor){t->name, t->dtype, t->n_dims, {0}, t->data, i};
        memcpy(w[i].shape, t->shape, sizeof t->shape);
    }
    st_encode(&out, w, f->n_tensors, f->metadata, false);
    require(st_parse(&again, "again", out.buf, out.len, &err) == 0);
    check_same(f, &again);
    st_release(&again);
    strbuf_release(&out);
    free(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct st_file f;
    struct err err = {0};
    if (st_parse(&f, "fuzz", bytes, n, &err) < 0) {
        require(err.set && !strncmp(err.text, "fuzz: ", 6));
        return 0;
    }
    require(!err.set);
    check_written(&f);
    st_release(&f);
    return 0;
}
