/* convert.h - a model into another format: a directory or a GGUF file.
 *
 * Tensors are read, changed and written in pieces, so that memory does not grow with the model.
 * Numbers that are not finite, and numbers that the wanted type cannot hold, are errors that name
 * the tensor.  A tensor whose type stays keeps its bits.
 */
#ifndef TP_MODEL_CONVERT_H
#define TP_MODEL_CONVERT_H

#include "model/source.h"

struct convert_options {
    int type;            /* enum ggml_type of matrices, or -1: the source's own, F32 if it is quantised and
                            the result cannot be */
    const char *name;    /* general.name of a GGUF file; NULL: the file's own name */
    bool no_tokenizer;   /* leave it out */
    int64_t shard_bytes; /* the most that a file of weights holds; 0 = one file */
    json_t *lineage;     /* borrowed, or NULL */
};

/* Vectors are F32 in it, as everywhere; rows that are no multiple of the block are F16.  With shard_bytes, several
 * files, none of which may exist (gguf_save_split). */
int convert_to_gguf(const struct model_source *s, const char *path, const struct convert_options *o,
                    struct err *err) WARN_UNUSED;
/* F32, F16 or BF16; DIR holds no checkpoint yet. */
int convert_to_dir(const struct model_source *s, const char *dir, const struct convert_options *o,
                   struct err *err) WARN_UNUSED;

/* convert_tensor.c: the bytes of one tensor into fp, in the order of a GGUF file or a checkpoint. */
int convert_tensor(const struct model_source *s, int param, enum ggml_type type, bool gguf_order,
                   FILE *fp, struct err *err) WARN_UNUSED;

#endif
