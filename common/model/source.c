/* source.c - opening a model to read its tensors one by one. */
#include "model/source.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"

bool path_is_gguf(const char *path)
{
    size_t n = strlen(path);
    return n > 5 && strcasecmp(path + n - 5, ".gguf") == 0;
}

static int open_dir(struct model_source *s, struct err *err)
{
    int64_t n_elements;

    if (model_config_load(&s->cfg, s->path, err) < 0)
        return -1;
    s->params = model_param_table(&s->cfg, &s->n_params, &n_elements);
    if (checkpoint_map_open(&s->map, s->path, s->params, s->n_params, s->cfg.tied_embeddings, err) < 0)
        return -1;
    s->tensors = xcalloc((size_t)s->n_params, sizeof(*s->tensors));
    for (int i = 0; i < s->n_params; i++)
        s->tensors[i] = (struct source_tensor){.data = s->map.tensors[i]->data,
                                               .type = checkpoint_type(s->map.tensors[i])};
    return 0;
}

static int check_shape(const struct param *p, const struct gguf_tensor *t, struct err *err)
{
    bool same = t->n_dims == p->n_dims && t->numel == p->numel &&
                t->shape[t->n_dims - 1] == p->n_cols;

    if (same)
        return 0;
    return err_set(err, "tensor '%s' has rows of %lld and %lld numbers in all, expected %lld and %lld",
                   t->name, (long long)t->shape[t->n_dims - 1], (long long)t->numel,
                   (long long)p->n_cols, (long long)p->numel);
}

/* Every tensor of the file is one of the model's. */
static int check_strangers(const struct model_source *s, struct err *err)
{
    int known = gguf_find_tensor(&s->gguf, GGUF_ROPE_FREQS) ? s->n_params + 1 : s->n_params;

    if (s->gguf.n_tensors == known)
        return 0;
    for (int i = 0; i < s->gguf.n_tensors; i++) {
        const struct gguf_tensor *t = &s->gguf.tensors[i];
        bool found = !strcmp(t->name, GGUF_ROPE_FREQS);
        for (int j = 0; !found && j < s->n_params; j++)
            found = s->tensors[j].data == t->data;
        if (!found)
            return err_set(err, "tensor '%s' is not part of the model that its keys describe", t->name);
    }
    BUG("more parameters than tensors");
}

static int find_tensors(struct model_source *s, struct err *err)
{
    char name[96];

    for (int i = 0; i < s->n_params; i++) {
        const struct gguf_tensor *t;
        gguf_tensor_name(&s->cfg, s->params[i].name, name);
        t = gguf_find_tensor(&s->gguf, name);
        if (!t)
            return err_set(err, "tensor '%s' is missing", name);
        if (check_shape(&s->params[i], t, err) < 0)
            return -1;
        s->tensors[i] = (struct source_tensor){.data = t->data, .type = t->type,
                                               .head_rows = gguf_head_rows(&s->cfg,
                                                                           s->params[i].name)};
        if (s->params[i].n_dims == 1 && ggml_format(t->type)->block > 1)
            return err_set(err, "tensor '%s' is %s, expected plain numbers", name,
                           ggml_format(t->type)->name);
    }
    return check_strangers(s, err);
}

static int open_gguf(struct model_source *s, struct err *err)
{
    int64_t n_elements;

    if (gguf_open(&s->gguf, s->path, err) < 0 || gguf_read_config(&s->gguf, &s->cfg, err) < 0)
        return -1; /* these name the file */
    if (gguf_check_config(&s->cfg, err) < 0)
        return err_prefix(err, "%s", s->path);
    s->params = model_param_table(&s->cfg, &s->n_params, &n_elements);
    s->tensors = xcalloc((size_t)s->n_params, sizeof(*s->tensors));
    return find_tensors(s, err) < 0 ? err_prefix(err, "%s", s->path) : 0;
}

int model_source_open(struct model_source *s, const char *path, struct err *err)
{
    *s = (struct model_source){.path = xstrdup(path), .is_gguf = path_is_gguf(path)};
    if ((s->is_gguf ? open_gguf(s, err) : open_dir(s, err)) == 0)
        return 0;
    model_source_release(s);
    return -1;
}

void model_source_release(struct model_source *s)
{
    checkpoint_map_release(&s->map);
    gguf_release(&s->gguf);
    free(s->params);
    free(s->tensors);
    free(s->path);
    *s = (struct model_source){0};
}

void source_shape(const struct param *p, int64_t head_rows, int64_t *n_rows, int64_t *n_cols)
{
    bool elements = p->n_dims == 1 && head_rows;

    *n_rows = elements ? p->n_cols : p->n_rows;
    *n_cols = elements ? 1 : p->n_cols;
}

const unsigned char *source_row(const struct model_source *s, int param, int64_t row, int64_t n_cols)
{
    const struct source_tensor *t = &s->tensors[param];
    const struct ggml_format *format = ggml_format(t->type);
    int64_t at = t->head_rows ? gguf_row_from_hf(row, t->head_rows) : row;

    return t->data + (size_t)(at * (n_cols / format->block)) * (size_t)format->bytes;
}
