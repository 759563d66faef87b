/* resume.c - a training run's checkpoints: finding, writing, reading. */
#include "train/resume.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

#define STATE_FILE "trainer_state.safetensors"

void train_state_release(struct train_state *s)
{
    json_decref(s->source);
    json_decref(s->options);
    *s = (struct train_state){0};
}

/* --- step directories ------------------------------------------------------------------------ */

/* The number of "step-000100", -1 if the name is another. */
static int64_t step_of(const char *name)
{
    int64_t step;
    struct err ignored = {0};
    if (strncmp(name, "step-", 5) != 0 || name[5] < '0' || name[5] > '9' ||
        parse_int(name + 5, 0, 1e15, &step, &ignored) < 0)
        return -1;
    return step;
}

struct steps {
    int64_t n, cap, *items; /* ascending */
};

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static struct steps list_steps(const char *out)
{
    struct steps s = {0};
    DIR *d = opendir(out);
    const struct dirent *e;
    while (d && (e = readdir(d))) {
        int64_t step = step_of(e->d_name);
        if (step < 0)
            continue;
        GROW(s.items, s.n, s.cap);
        s.items[s.n++] = step;
    }
    if (d)
        closedir(d);
    if (s.n)
        qsort(s.items, (size_t)s.n, sizeof *s.items, compare);
    return s;
}

static char *step_dir(const char *out, int64_t step)
{
    return xasprintf("%s/step-%06lld", out, (long long)step);
}

static bool has_file(const char *dir, const char *name)
{
    char *path = path_join(dir, name);
    bool is = file_exists(path);
    free(path);
    return is;
}

static bool is_whole(const char *dir, struct train_state *s)
{
    struct err ignored = {0};
    return checkpoint_exists(dir) && has_file(dir, STATE_FILE) &&
           train_state_load(dir, s, NULL, &ignored) == 0;
}

char *resume_find(const char *out)
{
    struct steps s = list_steps(out);
    char *found = NULL;
    for (int64_t i = s.n - 1; i >= 0 && !found; i--) {
        struct train_state state = {0};
        char *dir = step_dir(out, s.items[i]);
        if (is_whole(dir, &state)) {
            found = dir;
        } else {
            log_warn("'%s' is damaged, looking for an older checkpoint", dir);
            free(dir);
        }
        train_state_release(&state);
    }
    free(s.items);
    return found;
}

bool resume_is_done(const char *out, int64_t min_steps)
{
    struct train_state state = {0};
    bool done = has_file(out, CHECKPOINT_WEIGHTS) && is_whole(out, &state) && state.done &&
                state.step >= min_steps;
    train_state_release(&state);
    return done;
}

bool resume_has_checkpoints(const char *out)
{
    struct steps s = list_steps(out);
    free(s.items);
    return s.n > 0 || has_file(out, CHECKPOINT_WEIGHTS);
}

bool resume_has_run(const char *out)
{
    return resume_has_checkpoints(out) || has_file(out, STATE_FILE);
}

static int remove_file(const char *dir, const char *name, struct err *err)
{
    char *path = path_join(dir, name);
    int rc = 0;
    if (file_exists(path) && unlink(path) != 0)
        rc = err_errno(err, "cannot remove '%s'", path);
    free(path);
    return rc;
}

/* Removes all but the newest `keep` step directories. */
static int prune(const char *out, int64_t keep, struct err *err)
{
    struct steps s = list_steps(out);
    int rc = 0;
    for (int64_t i = 0; rc == 0 && i < s.n - keep; i++) {
        char *dir = step_dir(out, s.items[i]);
        rc = dir_remove(dir, err);
        free(dir);
    }
    free(s.items);
    return rc;
}

int resume_remove_run(const char *out, struct err *err)
{
    /* The weights go first: without them nothing takes the rest for a finished run. */
    if (remove_file(out, CHECKPOINT_WEIGHTS, err) < 0 || remove_file(out, STATE_FILE, err) < 0)
        return -1;
    return prune(out, 0, err);
}

int resume_clean(const char *out, struct err *err)
{
    DIR *d = opendir(out);
    const struct dirent *e;
    int rc = 0;
    while (d && rc == 0 && (e = readdir(d))) {
        size_t n = strlen(e->d_name);
        if (strncmp(e->d_name, "step-", 5) != 0 || n < 9 || strcmp(e->d_name + n - 4, ".tmp") != 0)
            continue;
        char *dir = path_join(out, e->d_name);
        rc = dir_remove(dir, err);
        free(dir);
    }
    if (d)
        closedir(d);
    return rc;
}

/* --- writing --------------------------------------------------------------------------------- */

static int check_finite(const char *what, const float *x, int64_t n, struct err *err)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return err_set(err, "the %s have become infinite or not a number: no checkpoint is written",
                           what);
    return 0;
}

static json_t *state_json(const struct train_state *s)
{
    json_t *o = json_object();
    json_object_set_new(o, "step", json_integer(s->step));
    json_object_set_new(o, "updates", json_integer(s->updates));
    json_object_set_new(o, "num_tokens", json_integer(s->num_tokens));
    json_object_set_new(o, "skipped_steps", json_integer(s->skipped_steps));
    json_object_set_new(o, "done", json_boolean(s->done));
    json_object_set(o, "source", s->source);
    json_object_set(o, "options", s->options);
    return o;
}

static int write_state(const char *dir, const struct train_state *s, const struct optimizer_view *a,
                       struct err *err)
{
    struct st_write_tensor t[] = {
        {.name = "master", .dtype = ST_F32, .n_dims = 1, .shape = {a->n}, .data = a->master},
        {.name = "m", .dtype = ST_F32, .n_dims = 1, .shape = {a->n}, .data = a->m},
        {.name = "v", .dtype = ST_F32, .n_dims = 1, .shape = {a->n}, .data = a->v},
    };
    struct strbuf text = {0};
    json_t *state = state_json(s), *metadata = json_object();
    json_write(&text, state);
    json_object_set_new(metadata, "state", json_stringn(text.buf, text.len));
    char *path = path_join(dir, STATE_FILE);
    int rc = st_save(path, t, (int)ARRAY_SIZE(t), metadata, err);
    free(path);
    strbuf_release(&text);
    json_decref(state);
    json_decref(metadata);
    return rc;
}

static int write_files(const char *dir, const struct checkpoint_save *c, const struct optimizer_view *a,
                       struct err *err)
{
    const struct model *m = c->optimizer->model;
    struct checkpoint_write w = {
        .cfg = &m->cfg,
        .params = m->params,
        .n_params = m->n_params,
        .weights = a->master,
        .dtype = m->dev.dtype == DTYPE_BF16 ? DTYPE_BF16 : DTYPE_F32,
        .tokenizer_from = c->tokenizer_from,
        .lineage = c->lineage,
    };
    if (dir_make(dir, err) < 0 || write_state(dir, c->state, a, err) < 0)
        return -1;
    return checkpoint_write(dir, &w, err);
}

static int write_final(const struct checkpoint_save *c, const struct optimizer_view *a, struct err *err)
{
    struct atomic_dir d;
    if (atomic_dir_open(&d, c->out, err) < 0)
        return -1;
    if (write_files(d.tmp, c, a, err) < 0) {
        atomic_dir_abort(&d);
        return -1;
    }
    if (atomic_dir_commit(&d, CHECKPOINT_WEIGHTS, err) < 0)
        return -1;
    /* Of older weights in several files: readers would prefer neither to the other. */
    return remove_file(c->out, CHECKPOINT_INDEX, err);
}

/* After a failure: what was written is of no use, and may be all that fills the disk. */
static void remove_aside(const char *out, const char *tmp)
{
    struct err late = {0};
    if (dir_exists(tmp) && dir_remove(tmp, &late) < 0)
        log_warn("%s", late.text);
    rmdir(out); /* refuses one that holds something */
}

static int write_step(const struct checkpoint_save *c, const struct optimizer_view *a, struct err *err)
{
    char *dir = step_dir(c->out, c->state->step), *tmp = xasprintf("%s.tmp", dir);
    int rc = 0;
    if (dir_exists(tmp))
        rc = dir_remove(tmp, err);
    if (rc == 0)
        rc = write_files(tmp, c, a, err);
    /* Only there if it was damaged, or this process has just written it. */
    if (rc == 0 && dir_exists(dir))
        rc = dir_remove(dir, err);
    if (rc == 0)
        rc = dir_commit(tmp, dir, err);
    if (rc < 0)
        remove_aside(c->out, tmp);
    if (rc == 0 && c->keep > 0)
        rc = prune(c->out, c->keep, err);
    free(dir);
    free(tmp);
    return rc;
}

int checkpoint_save(const struct checkpoint_save *c, struct err *err)
{
    struct optimizer_view a = optimizer_view(c->optimizer);
    int rc = check_finite("weights", a.master, a.n, err);
    if (rc == 0)
        rc = check_finite("optimiser's moments", a.m, a.n, err);
    if (rc == 0)
        rc = check_finite("optimiser's moments", a.v, a.n, err);
    if (rc == 0)
        rc = c->state->done ? write_final(c, &a, err) : write_step(c, &a, err);
    optimizer_view_release(&a);
    return rc;
}

/* --- reading --------------------------------------------------------------------------------- */

static int parse_state(const struct st_file *f, struct train_state *s, struct err *err)
{
    const char *text;
    json_t *o = NULL, *source, *options;
    int rc = -1;
    *s = (struct train_state){0};
    if (json_get_str(f->metadata, "state", &text, err) < 0 ||
        !(o = json_parse(text, strlen(text), err)) ||
        json_get_int(o, "step", &s->step, err) < 0 ||
        json_get_int(o, "updates", &s->updates, err) < 0 ||
        json_get_int(o, "num_tokens", &s->num_tokens, err) < 0 ||
        json_get_int(o, "skipped_steps", &s->skipped_steps, err) < 0 ||
        json_opt_bool(o, "done", &s->done, err) < 0)
        goto out;
    source = json_object_get(o, "source");
    options = json_object_get(o, "options");
    if (!json_is_object(source) || !json_is_object(options)) {
        err_set(err, "'source' or 'options' is missing");
        goto out;
    }
    s->source = json_incref(source);
    s->options = json_incref(options);
    rc = 0;
out:
    json_decref(o);
    return rc;
}

static const float *array_of(const struct st_file *f, const char *name, int64_t n, struct err *err)
{
    const struct st_tensor *t = st_find(f, name);
    if (t && t->dtype == ST_F32 && t->numel == n)
        return t->data;
    err_set(err, "'%s' is missing or has another size than the model", name);
    return NULL;
}

static int load_arrays(const struct st_file *f, struct optimizer *o, struct err *err)
{
    int64_t n = o->model->n_elements;
    const float *master = array_of(f, "master", n, err);
    const float *m = array_of(f, "m", n, err);
    const float *v = array_of(f, "v", n, err);
    if (!master || !m || !v || check_finite("saved weights", master, n, err) < 0)
        return -1;
    optimizer_load(o, master, m, v);
    return 0;
}

int train_state_load(const char *dir, struct train_state *s, struct optimizer *o, struct err *err)
{
    struct st_file f;
    char *path = path_join(dir, STATE_FILE);
    int rc = st_open(&f, path, err);
    if (rc == 0) {
        rc = parse_state(&f, s, err);
        if (rc == 0 && o)
            rc = load_arrays(&f, o, err);
        if (rc < 0) {
            err_prefix(err, "'%s'", path);
            train_state_release(s);
        }
        st_release(&f);
    }
    if (rc == 0 && o)
        o->updates = s->updates;
    free(path);
    return rc;
}

static bool same_value(const json_t *a, const json_t *b)
{
    /* 1 and 1.0 are the same number whatever the parser made of them. */
    if (json_is_number(a) && json_is_number(b))
        return json_number_value(a) == json_number_value(b);
    return json_equal(a, b);
}

static void text_of(const json_t *value, struct strbuf *out)
{
    if (value)
        json_write(out, value);
    else
        strbuf_adds(out, "not set");
}

int train_state_check(const struct train_state *s, const char *dir, const json_t *options,
                      struct err *err)
{
    json_t *all = json_copy(s->options);
    const char *key;
    json_t *ignored;
    int rc = 0;
    json_object_update_missing(all, (json_t *)(uintptr_t)options);
    json_object_foreach(all, key, ignored) {
        const json_t *was = json_object_get(s->options, key), *is = json_object_get(options, key);
        if (was && is && same_value(was, is))
            continue;
        struct strbuf a = {0}, b = {0};
        text_of(was, &a);
        text_of(is, &b);
        err->status = EXIT_USAGE;
        rc = err_set(err, "cannot resume from '%s': --%s was %s there and is %s now", dir, key, a.buf,
                     b.buf);
        strbuf_release(&a);
        strbuf_release(&b);
        break;
    }
    json_decref(all);
    return rc;
}
