/* sources.c - the domains there are to mix. */
#include "mix/sources.h"

#include <math.h>
#include <stdbool.h>
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

const struct source *sources_part(const struct sources *s, const char *name)
{
    for (int64_t i = 0; i < s->n_parts; i++)
        if (strcmp(s->parts[i].name, name) == 0)
            return &s->parts[i];
    return NULL;
}

static void release_items(struct source *items, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        for (int64_t k = 0; k < items[i].n_members; k++)
            free(items[i].members[k].name);
        free(items[i].members);
        free(items[i].name);
        free(items[i].group);
    }
    free(items);
}

void sources_release(struct sources *s)
{
    release_items(s->items, s->n);
    release_items(s->parts, s->n_parts);
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

static int read_members(struct source *d, const json_t *members, struct err *err)
{
    const char *name;
    json_t *share;
    double sum = 0;
    if (!members)
        return 0;
    if (!json_is_object(members) || json_object_size(members) == 0)
        return err_set(err, "domain '%s': 'members' is %s, expected an object of shares", d->name,
                       json_is_object(members) ? "empty" : json_type_name(members));
    d->members = xcalloc(json_object_size(members), sizeof *d->members);
    json_object_foreach((json_t *)(uintptr_t)members, name, share)
    {
        if (!json_is_number(share) || !(json_number_value(share) >= 0))
            return err_set(err, "domain '%s': the share of '%s' is not a number from 0 on", d->name, name);
        d->members[d->n_members++] = (struct member){xstrdup(name), json_number_value(share)};
        sum += json_number_value(share);
    }
    if (fabs(sum - 1) > 0.01)
        return err_set(err, "domain '%s': the shares of its members sum to %.6g, expected 1", d->name, sum);
    for (int64_t k = 0; k < d->n_members; k++)
        d->members[k].share /= sum;
    return 0;
}

static int read_source(struct sources *s, const json_t *obj, int64_t *cap, struct err *err)
{
    const char *name, *group = NULL;
    if (json_get_str(obj, "name", &name, err) < 0 || sources_add(s, name, cap, err) < 0)
        return -1;
    struct source *d = &s->items[s->n - 1];
    if (json_opt_num(obj, "tokens", &d->tokens, err) < 0 ||
        json_opt_num(obj, "max_epochs", &d->max_epochs, err) < 0 ||
        json_opt_num(obj, "min", &d->min, err) < 0 || json_opt_num(obj, "max", &d->max, err) < 0 ||
        json_opt_str(obj, "group", &group, err) < 0)
        return -1;
    if (d->tokens < 0 || d->max_epochs < 0 || d->min < 0 || d->max < 0)
        return err_set(err, "domain '%s' has a negative number", name);
    d->group = group ? xstrdup(group) : NULL;
    return read_members(d, json_object_get(obj, "members"), err);
}

/* Which virtual domain has the member, -1 = none. */
static int64_t owner_of(const struct sources *s, const char *name)
{
    for (int64_t i = 0; i < s->n; i++)
        for (int64_t k = 0; k < s->items[i].n_members; k++)
            if (strcmp(s->items[i].members[k].name, name) == 0)
                return i;
    return -1;
}

static int check_members(const struct sources *s, struct err *err)
{
    for (int64_t i = 0; i < s->n; i++)
        for (int64_t k = 0; k < s->items[i].n_members; k++) {
            const char *name = s->items[i].members[k].name;
            int64_t same = sources_find(s, name);
            if (owner_of(s, name) != i)
                return err_set(err, "'%s' is a member of '%s' and of '%s'", name,
                               s->items[owner_of(s, name)].name, s->items[i].name);
            if (same >= 0 && s->items[same].n_members)
                return err_set(err, "'%s', a member of '%s', has members itself", name, s->items[i].name);
        }
    return 0;
}

/* Moves the lines of members out of the list of domains. */
static void part_members(struct sources *s)
{
    int64_t kept = 0, cap = 0;
    struct source *items = xcalloc((size_t)s->n, sizeof *items);
    for (int64_t i = 0; i < s->n; i++)
        if (owner_of(s, s->items[i].name) < 0) {
            items[kept++] = s->items[i];
        } else {
            GROW(s->parts, s->n_parts, cap);
            s->parts[s->n_parts++] = s->items[i];
        }
    free(s->items);
    s->items = items;
    s->n = kept;
    for (int64_t i = 0; i < s->n; i++) {
        struct source *d = &s->items[i];
        double sum = 0;
        for (int64_t k = 0; k < d->n_members; k++) {
            const struct source *part = sources_part(s, d->members[k].name);
            sum += part ? part->tokens : NAN;
        }
        if (d->n_members && isnan(d->tokens))
            d->tokens = sum;
    }
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
    if (rc == 0 && check_members(s, err) < 0)
        rc = err_prefix(err, "%s", path);
    if (rc == 0)
        part_members(s);
    else
        sources_release(s);
    return rc;
}

/* Each member may be repeated as often as it may, so the scarcest decides. */
double source_cap(const struct sources *s, const struct source *d, double max_epochs, double run_tokens)
{
    double epochs = isnan(d->max_epochs) ? max_epochs : d->max_epochs, cap = INFINITY;
    bool known = false;
    for (int64_t k = 0; k < d->n_members; k++) {
        const struct source *part = sources_part(s, d->members[k].name);
        if (!part || isnan(part->tokens) || d->members[k].share <= 0)
            continue;
        double times = isnan(part->max_epochs) ? epochs : part->max_epochs;
        cap = fmin(cap, times * part->tokens / d->members[k].share / run_tokens);
        known = true;
    }
    return known ? cap : epochs * d->tokens / run_tokens;
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
