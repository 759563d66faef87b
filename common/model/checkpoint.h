/* checkpoint.h - model directories as transformers and vLLM load them, and lineage.
 *
 * config.json, model.safetensors (or sharded with an index on reading),
 * generation_config.json, the tokenizer's files, lineage.json.  A directory is
 * written aside and renamed, or, into an existing DIR, by an atomic_dir with
 * model.safetensors last: a directory that has it is whole.
 */
#ifndef TP_MODEL_CHECKPOINT_H
#define TP_MODEL_CHECKPOINT_H

#include "data/ggml.h"
#include "data/safetensors.h"
#include "model/model.h"

#define CHECKPOINT_WEIGHTS "model.safetensors"
#define CHECKPOINT_INDEX "model.safetensors.index.json" /* of weights in several files */

/* Where each parameter of DIR lies, mapped: names, shapes and types (F32, F16 or BF16) are checked, the
 * numbers are not read yet. */
struct checkpoint_map {
    int n_files, n_params;
    struct st_file *files;
    const struct st_tensor **tensors; /* [n_params] */
    const struct st_file **file_of;   /* [n_params] */
};
int checkpoint_map_open(struct checkpoint_map *m, const char *dir, const struct param *params,
                        int n_params, bool tied_embeddings, struct err *err) WARN_UNUSED;
void checkpoint_map_release(struct checkpoint_map *m);
enum ggml_type checkpoint_type(const struct st_tensor *t); /* F32, F16 or BF16 */

/* Reads the weights of DIR as fp32 [n_elements] by the table of params; F32, F16 and BF16 files,
 * one or sharded.  Missing, extra or misshapen tensors and non-finite values are errors that name
 * them. */
int checkpoint_read_weights(const char *dir, const struct param *params, int n_params,
                            bool tied_embeddings, float *dst, struct err *err) WARN_UNUSED;

struct checkpoint_write {
    const struct model_config *cfg;
    const struct param *params;
    int n_params;
    const float *weights;       /* fp32 [n_elements] */
    enum dtype dtype;           /* of the file */
    const char *dtype_name;     /* config.json's, where dtype does not say it; or NULL */
    const char *tokenizer_from; /* directory to copy tokenizer files from, or NULL */
    json_t *lineage;            /* borrowed, or NULL */
};
/* Writes into dir (made if missing). */
int checkpoint_write(const char *dir, const struct checkpoint_write *w, struct err *err) WARN_UNUSED;
/* All but the weights: config.json, generation_config.json, the tokenizer's files, lineage.json. */
int checkpoint_write_beside(const char *dir, const struct checkpoint_write *w,
                            struct err *err) WARN_UNUSED;
bool checkpoint_exists(const char *dir); /* config.json and model weights are there */
/* The safetensors files of DIR, one or the shards of its index: names without DIR, malloc'ed.
 * Returns how many, or -1. */
int checkpoint_files(const char *dir, char ***names, struct err *err) WARN_UNUSED;
void checkpoint_files_free(char **names, int n);

/* Lineage: program, version, arguments (without --resume, so a resumed run writes the same bytes),
 * seed, inputs [{path, digest}], parents [{path, digest, lineage}].  No clock, no host name. */
json_t *lineage_new(const char *parent_dir_or_null, struct err *err); /* digest of its weights */
/* Of DIR's weights.  One file: its digest.  Shards: the digest of their digests, in the order of their
 * names. */
int checkpoint_digest(const char *dir, char out[40], struct err *err) WARN_UNUSED;
void lineage_add_input(json_t *lineage, const char *name, const char *digest);
void lineage_add_parent(json_t *lineage, const char *path, const char *digest, json_t *parents_own);
json_t *lineage_read(const char *dir); /* new reference, or NULL when there is none */

#endif
