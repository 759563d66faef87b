/* convert.c - models into directories and GGUF files. */
#include "model/convert.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/half.h"
#include "data/tokenizer_gguf.h"

static bool is_plain(enum ggml_type t)
{
    return ggml_format(t)->block == 1;
}

/* The type of matrices; the first one is the embedding. */
static enum ggml_type wanted_type(const struct model_source *s, const struct convert_options *o,
                                  bool plain)
{
    enum ggml_type own = s->tensors[0].type;

    if (o->type >= 0)
        return (enum ggml_type)o->type;
    return is_plain(own) || (own == GGML_Q8_0 && !plain) ? own : GGML_F32;
}

/* --- to a GGUF file -------------------------------------------------------------------------- */

enum { DIVISORS = -1 }; /* in place of a parameter: rope_freqs.weight */

struct gguf_plan {
    const struct model_source *s;
    struct gguf_writer w;
    int *param; /* [tensor] */
};

static enum ggml_type gguf_type_of(const struct param *p, enum ggml_type wanted)
{
    if (p->n_dims == 1)
        return GGML_F32;
    return p->n_cols % ggml_format(wanted)->block ? GGML_F16 : wanted;
}

static void add_tensor(struct gguf_plan *plan, int param, const char *name, enum ggml_type type)
{
    const struct param *p = &plan->s->params[param];
    const int64_t vector[] = {p->n_cols}, matrix[] = {p->n_rows, p->n_cols};

    plan->param[plan->w.n_tensors] = param;
    gguf_add_tensor(&plan->w, name, type, p->n_dims, p->n_dims == 1 ? vector : matrix);
}

static void add_tensors(struct gguf_plan *plan, enum ggml_type wanted)
{
    const struct model_config *c = &plan->s->cfg;
    const int64_t half[] = {c->head_dim / 2};
    char name[96];

    for (int i = 0; i < plan->s->n_params; i++) {
        gguf_tensor_name(c, plan->s->params[i].name, name);
        add_tensor(plan, i, name, gguf_type_of(&plan->s->params[i], wanted));
    }
    /* llama.cpp has no tied head for Olmo. */
    if (c->tied_embeddings && c->norm_place == NORM_AFTER)
        add_tensor(plan, 0, "output.weight", gguf_type_of(&plan->s->params[0], wanted));
    if (c->rope.type == ROPE_LLAMA3) {
        plan->param[plan->w.n_tensors] = DIVISORS;
        gguf_add_tensor(&plan->w, GGUF_ROPE_FREQS, GGML_F32, 1, half);
    }
}

static int write_divisors(const struct model_config *c, FILE *fp, struct err *err)
{
    const size_t n = (size_t)c->head_dim / 2;
    float *divisors = xcalloc(n, sizeof(*divisors));
    uint8_t *bytes = xcalloc(n, sizeof(float));

    gguf_rope_divisors(c, divisors);
    ggml_format(GGML_F32)->encode(divisors, bytes, (int64_t)n);
    int rc = file_put(fp, bytes, n * sizeof(float), GGUF_ROPE_FREQS, err);
    free(divisors);
    free(bytes);
    return rc;
}

static int write_tensor(void *arg, int i, FILE *fp, struct err *err)
{
    const struct gguf_plan *plan = arg;

    if (plan->param[i] == DIVISORS)
        return write_divisors(&plan->s->cfg, fp, err);
    return convert_tensor(plan->s, plan->param[i], plan->w.tensors[i].type, true, fp, err);
}

/* llama.cpp's numbers for "mostly this type". */
static uint32_t file_type(enum ggml_type t)
{
    return t == GGML_F32 ? 0 : t == GGML_F16 ? 1 : t == GGML_Q8_0 ? 7 : 32;
}

/* models/Name-F16.gguf: "Name-F16"; a directory: its last part. */
static char *name_of(const char *path)
{
    size_t n = strlen(path);

    while (n > 1 && path[n - 1] == '/')
        n--;
    size_t begin = n;
    while (begin > 0 && path[begin - 1] != '/')
        begin--;
    char *name = xstrndup(path + begin, n - begin);
    if (path_is_gguf(name))
        name[strlen(name) - 5] = '\0';
    return name;
}

static void put_general(struct gguf_writer *w, const struct model_source *s, const char *path,
                        const struct convert_options *o, enum ggml_type type)
{
    const char *arch = gguf_arch(&s->cfg);
    char *name = o->name ? xstrdup(o->name) : name_of(path);

    gguf_put_str(w, "general.architecture", arch, strlen(arch));
    gguf_put_str(w, "general.type", "model", 5);
    gguf_put_str(w, "general.name", name, strlen(name));
    gguf_put_u32(w, "general.file_type", file_type(type));
    if (!is_plain(type))
        gguf_put_u32(w, "general.quantization_version", 2);
    free(name);
}

/* A tokenizer comes from the directory's files, or stays as the GGUF file has it. */
static int put_tokenizer(struct gguf_writer *w, const struct model_source *s,
                         const struct convert_options *o, struct err *err)
{
    const struct model_config *c = &s->cfg;
    const struct tokenizer_ids ids = {.bos = c->bos, .pad = c->pad, .n_eos = c->n_eos,
                                      .eos = c->eos};

    if (s->is_gguf && !o->no_tokenizer && gguf_find(&s->gguf, "tokenizer.ggml.model")) {
        gguf_copy_values(w, &s->gguf, "tokenizer.");
        gguf_copy_values(w, &s->gguf, "thinkpipe.normalizer");
        return 0;
    }
    if (s->is_gguf || o->no_tokenizer || !tokenizer_exists(s->path)) {
        tokenizer_put_none(w, &ids);
        return 0;
    }
    return tokenizer_put_gguf(w, s->path, c->vocab_size, &ids, err);
}

static void put_lineage(struct gguf_writer *w, const json_t *lineage)
{
    struct strbuf text = {0};

    if (lineage) {
        json_write(&text, lineage);
        gguf_put_str(w, "thinkpipe.lineage", text.buf, text.len);
    }
    strbuf_release(&text);
}

int convert_to_gguf(const struct model_source *s, const char *path, const struct convert_options *o,
                    struct err *err)
{
    struct gguf_plan plan = {.s = s, .param = xcalloc((size_t)s->n_params + 2, sizeof(int))};
    const enum ggml_type type = wanted_type(s, o, false);
    int rc = gguf_check_config(&s->cfg, err) < 0 ? err_prefix(err, "%s", s->path) : 0;

    if (rc == 0) {
        put_general(&plan.w, s, path, o, type);
        gguf_put_config(&plan.w, &s->cfg);
        rc = put_tokenizer(&plan.w, s, o, err);
    }
    if (rc == 0) {
        put_lineage(&plan.w, o->lineage);
        add_tensors(&plan, type);
        rc = o->shard_bytes > 0 ? gguf_save_split(&plan.w, path, (uint64_t)o->shard_bytes, write_tensor, &plan, err)
                                : gguf_save(&plan.w, path, write_tensor, &plan, err);
    }
    gguf_writer_release(&plan.w);
    free(plan.param);
    return rc;
}

/* --- to a directory -------------------------------------------------------------------------- */

struct dir_plan {
    const struct model_source *s;
    enum ggml_type type;
    const char *dir;
    int n;
    struct st_write_tensor *tensors; /* in the checkpoint's order */
    int *first;                      /* [n_files + 1] of each file */
    int n_files;
};

static int64_t param_bytes(const struct dir_plan *plan, int i)
{
    return plan->s->params[i].numel * ggml_format(plan->type)->bytes;
}

/* In order, each file as full as the limit lets it be; a larger tensor has one for itself. */
static void plan_files(struct dir_plan *plan, int64_t limit)
{
    int64_t used = 0;

    plan->first = xcalloc((size_t)plan->n + 1, sizeof(*plan->first));
    for (int i = 0; i < plan->n; i++) {
        int64_t bytes = param_bytes(plan, i);
        if (i > 0 && limit > 0 && used + bytes > limit) {
            plan->first[++plan->n_files] = i;
            used = 0;
        }
        used += bytes;
    }
    plan->first[++plan->n_files] = plan->n;
}

static void plan_tensors(struct dir_plan *plan)
{
    plan->n = plan->s->n_params;
    plan->tensors = xcalloc((size_t)plan->n, sizeof(*plan->tensors));
    for (int i = 0; i < plan->n; i++) {
        const struct param *p = &plan->s->params[i];
        struct st_write_tensor *t = &plan->tensors[i];
        *t = (struct st_write_tensor){.name = p->name, .n_dims = p->n_dims, .tag = i};
        t->dtype = plan->type == GGML_F32 ? ST_F32 : plan->type == GGML_F16 ? ST_F16 : ST_BF16;
        t->shape[0] = p->n_dims == 1 ? p->n_cols : p->n_rows;
        t->shape[1] = p->n_cols;
    }
}

static int write_dir_tensor(void *arg, const struct st_write_tensor *t, FILE *fp, struct err *err)
{
    const struct dir_plan *plan = arg;
    return convert_tensor(plan->s, t->tag, plan->type, false, fp, err);
}

static char *file_name(const struct dir_plan *plan, int i)
{
    if (plan->n_files == 1)
        return xstrdup(CHECKPOINT_WEIGHTS);
    return xasprintf("model-%05d-of-%05d.safetensors", i + 1, plan->n_files);
}

static int write_index(const struct dir_plan *plan, json_t *files, struct err *err)
{
    char *path = path_join(plan->dir, CHECKPOINT_INDEX);
    int64_t total = 0;

    for (int i = 0; i < plan->n; i++)
        total += param_bytes(plan, i);
    json_t *doc = json_pack("{s{sI} sO}", "metadata", "total_size", (json_int_t)total, "weight_map",
                            files);
    int rc = json_save_path(path, doc, err);
    json_decref(doc);
    free(path);
    return rc;
}

static int write_weights(struct dir_plan *plan, struct err *err)
{
    json_t *metadata = json_pack("{s:s}", "format", "pt"), *files = json_object();
    int rc = 0;

    for (int i = 0; rc == 0 && i < plan->n_files; i++) {
        const int first = plan->first[i], n = plan->first[i + 1] - first;
        char *name = file_name(plan, i), *path = path_join(plan->dir, name);
        for (int k = 0; k < n; k++)
            json_object_set_new(files, plan->s->params[first + k].name, json_string(name));
        rc = st_save_made(path, plan->tensors + first, n, metadata, write_dir_tensor, plan, err);
        free(name);
        free(path);
    }
    if (rc == 0 && plan->n_files > 1)
        rc = write_index(plan, files, err);
    json_decref(metadata);
    json_decref(files);
    return rc;
}

static int write_dir(struct dir_plan *plan, const struct convert_options *o, struct err *err)
{
    static const char *const names[] = {[GGML_F32] = "float32", [GGML_F16] = "float16"};
    const struct model_source *s = plan->s;
    struct checkpoint_write w = {.cfg = &s->cfg, .lineage = o->lineage,
                                 .dtype_name = plan->type == GGML_BF16 ? "bfloat16"
                                                                       : names[plan->type],
                                 .tokenizer_from = s->is_gguf || o->no_tokenizer ? NULL : s->path};

    if (checkpoint_write_beside(plan->dir, &w, err) < 0)
        return -1;
    if (s->is_gguf && !o->no_tokenizer && tokenizer_from_gguf(&s->gguf, plan->dir, err) < 0)
        return -1;
    return write_weights(plan, err);
}

int convert_to_dir(const struct model_source *s, const char *dir, const struct convert_options *o,
                   struct err *err)
{
    struct dir_plan plan = {.s = s, .type = wanted_type(s, o, true)};
    struct atomic_dir d;
    int rc;

    if (!is_plain(plan.type))
        return err_set(err, "a model directory cannot hold %s", ggml_format(plan.type)->name);
    if (atomic_dir_open(&d, dir, err) < 0)
        return -1;
    plan.dir = d.tmp;
    plan_tensors(&plan);
    plan_files(&plan, o->shard_bytes);
    rc = write_dir(&plan, o, err);
    if (rc == 0)
        rc = atomic_dir_commit(&d, plan.n_files > 1 ? CHECKPOINT_INDEX : CHECKPOINT_WEIGHTS, err);
    else
        atomic_dir_abort(&d);
    free(plan.tensors);
    free(plan.first);
    return rc;
}
