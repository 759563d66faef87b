/* checkpoint.c - reading model directories. */
#include "model/checkpoint.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "data/safetensors.h"
#include "model/model_internal.h"

struct reader {
    const struct param *params;
    int n_params, next; /* next: where the last one was found, plus one */
    bool *seen;
    bool tied;
    float *dst;
};

static const struct param *find_param(struct reader *r, const char *name)
{
    for (int i = 0; i < r->n_params; i++) {
        int at = (r->next + i) % r->n_params; /* files are mostly in order */
        if (!strcmp(r->params[at].name, name)) {
            r->next = at + 1;
            return &r->params[at];
        }
    }
    return NULL;
}

/* Tensors that other writers store and that hold no information. */
static bool redundant(const struct reader *r, const char *name)
{
    size_t n = strlen(name);
    static const char inv_freq[] = ".rotary_emb.inv_freq";

    return (r->tied && !strcmp(name, "lm_head.weight")) ||
           (n >= sizeof(inv_freq) && !strcmp(name + n - (sizeof(inv_freq) - 1), inv_freq));
}

static float f16_to_f32(uint16_t h)
{
    int exponent = h >> 10 & 31;
    int mantissa = h & 1023;
    float x = exponent == 31 ? (mantissa ? NAN : INFINITY)
              : exponent     ? ldexpf((float)(mantissa + 1024), exponent - 25)
                             : ldexpf((float)mantissa, -24);

    return h & 0x8000 ? -x : x;
}

static float element(const struct st_tensor *t, int64_t i)
{
    uint16_t half;
    uint32_t bits;
    float x;

    if (t->dtype == ST_F32) {
        memcpy(&x, (const char *)t->data + i * 4, 4);
        return x;
    }
    memcpy(&half, (const char *)t->data + i * 2, 2);
    if (t->dtype == ST_F16)
        return f16_to_f32(half);
    bits = (uint32_t)half << 16;
    memcpy(&x, &bits, 4);
    return x;
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

static int read_tensor(const struct param *p, const struct st_tensor *t, float *dst, struct err *err)
{
    if (check_tensor(p, t, err) < 0)
        return -1;
    for (int64_t i = 0; i < t->numel; i++) {
        dst[i] = element(t, i);
        if (!isfinite(dst[i]))
            return err_set(err, "tensor '%s' holds %s at element %lld", t->name,
                           isnan(dst[i]) ? "NaN" : "infinity", (long long)i);
    }
    return 0;
}

static int read_file(struct reader *r, const char *path, struct err *err)
{
    struct st_file f = {0};
    int rc = st_open(&f, path, err);

    if (rc < 0)
        return -1; /* names the file itself */
    for (int i = 0; rc == 0 && i < f.n_tensors; i++) {
        const struct st_tensor *t = &f.tensors[i];
        const struct param *p = find_param(r, t->name);

        if (!p && redundant(r, t->name))
            continue;
        if (!p)
            rc = err_set(err, "tensor '%s' is not part of the model that config.json describes",
                         t->name);
        else if (r->seen[p - r->params])
            rc = err_set(err, "tensor '%s' occurs twice", t->name);
        else
            rc = read_tensor(p, t, r->dst + p->offset, err);
        if (p)
            r->seen[p - r->params] = true;
    }
    st_release(&f);
    return rc < 0 ? err_prefix(err, "%s", path) : 0;
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
        n = err_set(err, "%s: no such file (nor model.safetensors.index.json)", single);
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

int checkpoint_read_weights(const char *dir, const struct param *params, int n_params,
                            bool tied_embeddings, float *dst, struct err *err)
{
    struct reader r = {.params = params, .n_params = n_params, .tied = tied_embeddings, .dst = dst};
    char **names;
    int n = checkpoint_files(dir, &names, err), rc = n < 0 ? -1 : 0;

    r.seen = xcalloc((size_t)n_params, sizeof(*r.seen));
    for (int i = 0; rc == 0 && i < n; i++) {
        char *path = path_join(dir, names[i]);
        rc = read_file(&r, path, err);
        free(path);
    }
    for (int i = 0; rc == 0 && i < n_params; i++)
        if (!r.seen[i])
            rc = err_set(err, "%s: tensor '%s' is missing", dir, params[i].name);
    free(r.seen);
    if (n > 0)
        checkpoint_files_free(names, n);
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
