/* source.h - a model's tensors wherever they lie: a directory or a GGUF file, mapped.
 *
 * Rows are asked for one tensor at a time, in the checkpoint's order, whatever the order and the
 * number format of the file.
 */
#ifndef TP_MODEL_SOURCE_H
#define TP_MODEL_SOURCE_H

#include "model/checkpoint.h"
#include "model/gguf_model.h"

struct source_tensor {
    const unsigned char *data;
    enum ggml_type type;
    int64_t head_rows; /* 0: rows lie as in a checkpoint; else see gguf_row_from_hf() */
};

struct model_source {
    char *path;
    bool is_gguf;
    struct model_config cfg;
    int n_params;
    struct param *params;
    struct source_tensor *tensors; /* [n_params] */
    struct checkpoint_map map;     /* of a directory */
    struct gguf_file gguf;
};

/* Names, shapes and types of all tensors are checked; the numbers are not read yet. */
int model_source_open(struct model_source *s, const char *path, struct err *err) WARN_UNUSED;
void model_source_release(struct model_source *s);
bool path_is_gguf(const char *path); /* by its name */
/* A tensor as rows: a vector is one row, unless its elements are in another order in the file. */
void source_shape(const struct param *p, int64_t head_rows, int64_t *n_rows, int64_t *n_cols);
/* Row `row` of the checkpoint's order as it lies in the file. */
const unsigned char *source_row(const struct model_source *s, int param, int64_t row, int64_t n_cols);

#endif
