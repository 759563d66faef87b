/* sources.c - the domains there are to mix. */
#include "mix/sources.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/jsonl.h"

int64_t sources_find(const struct sources *s, const char *name)
{
    for (int64_t i = 0; i < s->n; i++)
        if (strcmp(s->items[i].name, name) == 0)
            return i;
    return -1;
}

void sources_release(struct sources *s)
{
    for (int64_t i = 0; i < s->n; i++)
        free(s->items[i].name);
    free(s->items);
    memset(s, 0, sizeof *s);
}

static int sources_add(struct sources *s, const char *name, int64_t *cap, struct err *err)
{
    if (!*name)
        return err_set(err, "a domain has an empty name");
    if (sources_find(s, name) >= 0)
        return err_set(err, "domain '%s' is there twice", name);
    GROW(s->items, s->n, *cap);
    s->items[s->n++] = (struct source){
        .name = xstrdup(name), .tokens = NAN, .max_epochs = NAN, .min = NAN, .max = NAN};
    return 0;
}

static int read_source(struct sources *s, const json_t *obj, int64_t *cap, struct err *err)
{
    const char *name;
    if (json_get_str(obj, "name", &name, err) < 0 || sources_add(s, name, cap, err) < 0)
        return -1;
    struct source *d = &s->items[s->n - 1];
    if (json_opt_num(obj, "tokens", &d->tokens, err) < 0 ||
        json_opt_num(obj, "max_epochs", &d->max_epochs, err) < 0 ||
        json_opt_num(obj, "min", &d->min, err) < 0 || json_opt_num(obj, "max", &d->max, err) < 0)
        return -1;
    if (d->tokens < 0 || d->max_epochs < 0 || d->min < 0 || d->max < 0)
        return err_set(err, "domain '%s' has a negative number", name);
    return 0;
}

int sources_read(struct sources *s, const char *path, struct err *err)
{
    memset(s, 0, sizeof *s);
    struct jsonl_reader *in = jsonl_reader_open(&path, 1, err);
    if (!in)
        return -1;
    struct record rec;
    int64_t cap = 0;
    int got, rc = 0;
    while (rc == 0 && (got = jsonl_reader_next(in, &rec, err)) == 1) {
        rc = read_source(s, rec.obj, &cap, err);
        if (rc < 0)
            err_prefix(err, "%s:%lld", rec.file, (long long)rec.line);
        json_decref(rec.obj);
    }
    if (rc == 0)
        rc = got;
    jsonl_reader_close(in);
    if (rc == 0 && s->n == 0)
        rc = err_set(err, "%s: no domains", path);
    if (rc < 0)
        sources_release(s);
    return rc;
}

int sources_from_names(struct sources *s, const char *names, struct err *err)
{
    int64_t cap = 0;
    int rc = 0;
    memset(s, 0, sizeof *s);
    for (const char *at = names; rc == 0; at++) {
        size_t n = strcspn(at, ",");
        char *name = xstrndup(at, n);
        rc = sources_add(s, name, &cap, err);
        free(name);
        at += n;
        if (!*at)
            break;
    }
    if (rc < 0)
        sources_release(s);
    return rc;
}

int sources_prior(const struct sources *s, double *out, struct err *err)
{
    int64_t n_known = 0;
    double sum = 0;
    for (int64_t i = 0; i < s->n; i++)
        if (!isnan(s->items[i].tokens)) {
            n_known++;
            sum += s->items[i].tokens;
        }
    for (int64_t i = 0; i < s->n; i++) {
        if (n_known == 0) {
            out[i] = 1.0 / (double)s->n;
            continue;
        }
        if (isnan(s->items[i].tokens))
            return err_set(err, "domain '%s' has no 'tokens', others have", s->items[i].name);
        if (!(sum > 0))
            return err_set(err, "all domains have 0 tokens");
        out[i] = s->items[i].tokens / sum;
    }
    return 0;
}
