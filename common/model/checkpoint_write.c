/* checkpoint_write.c - writing model directories, weights last. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "data/half.h"
#include "data/safetensors.h"
#include "data/tokenizer.h"
#include "model/checkpoint.h"
#include "model/config_internal.h"
#include "model/model_internal.h"

static int write_json(const char *dir, const char *name, const json_t *value, struct err *err)
{
    char *path = path_join(dir, name);
    int rc = json_save_path(path, value, err);

    free(path);
    return rc;
}

static int write_config(const char *dir, const struct checkpoint_write *w, struct err *err)
{
    struct model_config *c = xcalloc(1, sizeof(*c));
    json_t *obj;
    int rc;

    *c = *w->cfg;
    snprintf(c->dtype, sizeof(c->dtype), "%s",
             w->dtype_name               ? w->dtype_name
             : w->dtype == DTYPE_BF16 ? "bfloat16"
                                      : "float32");
    obj = model_config_json(c);
    rc = write_json(dir, "config.json", obj, err);
    json_decref(obj);
    free(c);
    return rc;
}

static void set_id(json_t *obj, const char *key, int32_t id)
{
    if (id >= 0)
        json_object_set_new(obj, key, json_integer(id));
}

/* What a server needs to know when there is no better file to copy. */
static int write_generation_config(const char *dir, const struct model_config *c, struct err *err)
{
    json_t *obj = json_object();
    int rc;

    set_id(obj, "bos_token_id", c->bos);
    if (c->n_eos)
        json_object_set_new(obj, "eos_token_id", model_config_eos_json(c));
    set_id(obj, "pad_token_id", c->pad);
    rc = write_json(dir, "generation_config.json", obj, err);
    json_decref(obj);
    return rc;
}

/* One for token ids only: it has none to hand on. */
static bool model_without_tokenizer(const char *dir)
{
    char *tokenizer = path_join(dir, "tokenizer.json");
    bool is = checkpoint_exists(dir) && !file_exists(tokenizer);
    free(tokenizer);
    return is;
}

/* Copying a directory's files onto themselves would lose them. */
static int copy_tokenizer(const char *dir, const char *from, struct err *err)
{
    char *parent;
    int rc;

    if (!from || same_directory(from, dir))
        return 0;
    if (dir_exists(from))
        return model_without_tokenizer(from) ? 0 : tokenizer_copy_files(from, dir, err);
    parent = path_dirname(from); /* a tokenizer.json by its own name */
    rc = same_directory(parent, dir) ? 0 : tokenizer_copy_files(parent, dir, err);
    free(parent);
    return rc;
}

static int write_weights(const char *dir, const struct checkpoint_write *w, struct err *err)
{
    const bool bf16 = w->dtype == DTYPE_BF16;
    const struct param *last = &w->params[w->n_params - 1];
    const int64_t n = last->offset + last->numel;
    struct st_write_tensor *t = xcalloc((size_t)w->n_params, sizeof(*t));
    uint16_t *half = bf16 ? xreallocarray(NULL, (size_t)n, sizeof(*half)) : NULL;
    json_t *metadata = json_pack("{s:s}", "format", "pt");
    char *path = path_join(dir, CHECKPOINT_WEIGHTS);
    int rc;

    for (int64_t i = 0; bf16 && i < n; i++)
        half[i] = float_to_bf16(w->weights[i]);
    for (int i = 0; i < w->n_params; i++) {
        const struct param *p = &w->params[i];
        t[i] = (struct st_write_tensor){.name = p->name, .dtype = bf16 ? ST_BF16 : ST_F32,
                                        .n_dims = p->n_dims};
        t[i].shape[0] = p->n_dims == 1 ? p->n_cols : p->n_rows;
        t[i].shape[1] = p->n_cols;
        t[i].data = bf16 ? (const void *)(half + p->offset) : (const void *)(w->weights + p->offset);
    }
    rc = st_save(path, t, w->n_params, metadata, err);
    json_decref(metadata);
    free(path);
    free(half);
    free(t);
    return rc;
}

int checkpoint_write_beside(const char *dir, const struct checkpoint_write *w, struct err *err)
{
    if (dir_make(dir, err) < 0 || write_config(dir, w, err) < 0)
        return -1;
    if (!w->tokenizer_from || !same_directory(w->tokenizer_from, dir))
        if (write_generation_config(dir, w->cfg, err) < 0)
            return -1;
    if (copy_tokenizer(dir, w->tokenizer_from, err) < 0)
        return -1;
    return w->lineage ? write_json(dir, "lineage.json", w->lineage, err) : 0;
}

int checkpoint_write(const char *dir, const struct checkpoint_write *w, struct err *err)
{
    if (checkpoint_write_beside(dir, w, err) < 0)
        return -1;
    return write_weights(dir, w, err);
}
