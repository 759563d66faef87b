/* checkpoint.c - reading model directories. */
#include "model/checkpoint.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "data/safetensors.h"
#include "model/model_internal.h"

struct finder {
    const struct param *params;
    int n_params, next; /* next: where the last one was found, plus one */
    bool tied;
};

static const struct param *find_param(struct finder *f, const char *name)
{
    for (int i = 0; i < f->n_params; i++) {
        int at = (f->next + i) % f->n_params; /* files are mostly in order */
        if (!strcmp(f->params[at].name, name)) {
            f->next = at + 1;
            return &f->params[at];
        }
    }
    return NULL;
}

/* Tensors that other writers store and that hold no information. */
static bool redundant(const struct finder *f, const char *name)
{
    size_t n = strlen(name);
    static const char inv_freq[] = ".rotary_emb.inv_freq";

    return (f->tied && !strcmp(name, "lm_head.weight")) ||
           (n >= sizeof(inv_freq) && !strcmp(name + n - (sizeof(inv_freq) - 1), inv_freq));
}

enum ggml_type checkpoint_type(const struct st_tensor *t)
{
    return t->dtype == ST_F32 ? GGML_F32 : t->dtype == ST_F16 ? GGML_F16 : GGML_BF16;
}

static void shape_text(char *out, size_t size, const struct param *p, const struct st_tensor *t)
{
    struct strbuf s = {0};

    for (int i = 0; i < t->n_dims; i++)
        strbuf_addf(&s, "%s%lld", i ? ", " : "", (long long)t->shape[i]);
    if (p->n_dims == 1)
        snprintf(out, size, "has shape [%s], expected [%lld]", s.buf ? s.buf : "",
                 (long long)p->n_cols);
    else
        snprintf(out, size, "has shape [%s], expected [%lld, %lld]", s.buf ? s.buf : "",
                 (long long)p->n_rows, (long long)p->n_cols);
    strbuf_release(&s);
}

static int check_tensor(const struct param *p, const struct st_tensor *t, struct err *err)
{
    char text[256];
    bool same = t->n_dims == p->n_dims && t->numel == p->numel &&
                t->shape[t->n_dims - 1] == p->n_cols;

    if (t->dtype != ST_F32 && t->dtype != ST_F16 && t->dtype != ST_BF16)
        return err_set(err, "tensor '%s' is %s, expected F32, F16 or BF16", t->name,
                       st_dtype_name(t->dtype));
    if (!same) {
        shape_text(text, sizeof(text), p, t);
        return err_set(err, "tensor '%s' %s", t->name, text);
    }
    return 0;
}

static int map_file(struct checkpoint_map *m, struct finder *find, const struct st_file *f,
                    struct err *err)
{
    int rc = 0;

    for (int i = 0; rc == 0 && i < f->n_tensors; i++) {
        const struct st_tensor *t = &f->tensors[i];
        const struct param *p = find_param(find, t->name);
        int64_t at = p ? p - find->params : 0;

        if (!p && redundant(find, t->name))
            continue;
        if (!p)
            rc = err_set(err, "tensor '%s' is not part of the model that config.json describes",
                         t->name);
        else if (m->tensors[at])
            rc = err_set(err, "tensor '%s' occurs twice", t->name);
        else
            rc = check_tensor(p, t, err);
        if (rc == 0) {
            m->tensors[at] = t;
            m->file_of[at] = f;
        }
    }
    return rc < 0 ? err_prefix(err, "%s", f->path) : 0;
}

/* A shard's name comes from a downloaded file: it must not lead out of the directory. */
static int check_shard_name(const char *name, struct err *err)
{
    if (!name || !name[0] || name[0] == '.' || strchr(name, '/') || strchr(name, '\\'))
        return err_set(err, "'weight_map' names the file '%s', expected a plain file name",
                       name ? name : "(no string)");
    return 0;
}

int checkpoint_files(const char *dir, char ***names, struct err *err)
{
    char *single = path_join(dir, CHECKPOINT_WEIGHTS);
    char *index = path_join(dir, CHECKPOINT_INDEX);
    json_t *doc = NULL, *map, *value;
    const char *key;
    int n = 0, cap = 0;

    *names = NULL;
    if (file_exists(single)) {
        GROW(*names, n, cap);
        (*names)[n++] = xstrdup(CHECKPOINT_WEIGHTS);
        goto out;
    }
    if (!file_exists(index)) {
        char *pickle = path_join(dir, "pytorch_model.bin");
        n = err_set(err, "%s: no such file (nor model.safetensors.index.json)%s", single,
                    file_exists(pickle) ? "; pytorch_model.bin is a pickle, which is not read" : "");
        free(pickle);
        goto out;
    }
    doc = json_load_path(index, err);
    if (!doc) {
        n = -1;
        goto out;
    }
    map = json_object_get(doc, "weight_map");
    if (!json_is_object(map) || !json_object_size(map)) {
        n = err_set(err, "%s: 'weight_map' is missing", index);
        goto out;
    }
    json_object_foreach(map, key, value) {
        const char *name = json_string_value(value);
        int i = 0;

        if (check_shard_name(name, err) < 0) {
            err_prefix(err, "%s", index);
            checkpoint_files_free(*names, n);
            *names = NULL;
            n = -1;
            goto out;
        }
        while (i < n && strcmp((*names)[i], name) != 0)
            i++;
        if (i < n)
            continue;
        GROW(*names, n, cap);
        (*names)[n++] = xstrdup(name);
    }
out:
    json_decref(doc);
    free(single);
    free(index);
    return n;
}

void checkpoint_files_free(char **names, int n)
{
    for (int i = 0; i < n; i++)
        free(names[i]);
    free(names);
}

int checkpoint_map_open(struct checkpoint_map *m, const char *dir, const struct param *params,
                        int n_params, bool tied_embeddings, struct err *err)
{
    struct finder find = {.params = params, .n_params = n_params, .tied = tied_embeddings};
    char **names;
    int n = checkpoint_files(dir, &names, err), rc = n < 0 ? -1 : 0;

    *m = (struct checkpoint_map){.n_params = n_params};
    m->tensors = xcalloc((size_t)n_params, sizeof(*m->tensors));
    m->file_of = xcalloc((size_t)n_params, sizeof(*m->file_of));
    m->files = xcalloc(n > 0 ? (size_t)n : 1, sizeof(*m->files));
    for (int i = 0; rc == 0 && i < n; i++) {
        char *path = path_join(dir, names[i]);
        rc = st_open(&m->files[i], path, err); /* names the file itself */
        free(path);
        if (rc == 0) {
            m->n_files++;
            rc = map_file(m, &find, &m->files[i], err);
        }
    }
    for (int i = 0; rc == 0 && i < n_params; i++)
        if (!m->tensors[i])
            rc = err_set(err, "%s: tensor '%s' is missing", dir, params[i].name);
    if (n > 0)
        checkpoint_files_free(names, n);
    if (rc < 0)
        checkpoint_map_release(m);
    return rc;
}

void checkpoint_map_release(struct checkpoint_map *m)
{
    for (int i = 0; i < m->n_files; i++)
        st_release(&m->files[i]);
    free(m->files);
    free(m->tensors);
    free(m->file_of);
    *m = (struct checkpoint_map){0};
}

static int read_tensor(const struct st_file *f, const struct st_tensor *t, float *dst, struct err *err)
{
    ggml_format(checkpoint_type(t))->decode(t->data, dst, t->numel);
    for (int64_t i = 0; i < t->numel; i++)
        if (!isfinite(dst[i]))
            return err_set(err, "%s: tensor '%s' holds %s at element %lld", f->path, t->name,
                           isnan(dst[i]) ? "NaN" : "infinity", (long long)i);
    return 0;
}

int checkpoint_read_weights(const char *dir, const struct param *params, int n_params,
                            bool tied_embeddings, float *dst, struct err *err)
{
    struct checkpoint_map m;
    int rc = checkpoint_map_open(&m, dir, params, n_params, tied_embeddings, err);

    for (int i = 0; rc == 0 && i < n_params; i++)
        rc = read_tensor(m.file_of[i], m.tensors[i], dst + params[i].offset, err);
    checkpoint_map_release(&m);
    return rc;
}

bool checkpoint_exists(const char *dir)
{
    static const char *const weights[] = {CHECKPOINT_WEIGHTS, CHECKPOINT_INDEX};
    char *config = path_join(dir, "config.json");
    bool found = false, has_config = file_exists(config);

    free(config);
    for (size_t i = 0; has_config && i < ARRAY_SIZE(weights); i++) {
        char *path = path_join(dir, weights[i]);
        found = found || file_exists(path);
        free(path);
    }
    return found;
}
