/* lineage_tree.c - a lineage as a tree, and whether its files are still what they were. */
#include "model/lineage_tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "model/checkpoint.h"

/* --- reading ----------------------------------------------------------------------------------- */

static int check_entry(const json_t *entry, bool parent, struct err *err)
{
    const char *path, *digest;
    const json_t *own = json_object_get(entry, "lineage");

    if (!json_is_object(entry))
        return err_set(err, "an entry is %s, expected an object", json_type_name(entry));
    if (json_get_str(entry, "path", &path, err) < 0 || json_get_str(entry, "digest", &digest, err) < 0)
        return -1;
    if (!parent || !own || json_is_null(own))
        return 0;
    return lineage_check_shape(own, err) < 0 ? err_prefix(err, "'lineage' of '%s'", path) : 0;
}

static int check_list(const json_t *lineage, const char *key, struct err *err)
{
    const json_t *list = json_object_get(lineage, key), *entry;
    size_t i;

    if (!json_is_array(list))
        return err_set(err, "'%s' is %s, expected an array", key, json_type_name(list));
    json_array_foreach(list, i, entry)
        if (check_entry(entry, !strcmp(key, "parents"), err) < 0)
            return err_prefix(err, "'%s'", key);
    return 0;
}

int lineage_check_shape(const json_t *lineage, struct err *err)
{
    const json_t *list = json_object_get(lineage, "arguments"), *argument;
    const char *program, *version;
    int64_t seed;
    size_t i;

    if (!json_is_object(lineage))
        return err_set(err, "the lineage is %s, expected an object", json_type_name(lineage));
    if (json_get_str(lineage, "program", &program, err) < 0 ||
        json_get_str(lineage, "version", &version, err) < 0 || json_opt_int(lineage, "seed", &seed, err) < 0)
        return -1;
    if (!json_is_array(list))
        return err_set(err, "'arguments' is %s, expected an array", json_type_name(list));
    json_array_foreach(list, i, argument)
        if (!json_is_string(argument))
            return err_set(err, "'arguments' holds %s, expected strings", json_type_name(argument));
    return check_list(lineage, "inputs", err) < 0 ? -1 : check_list(lineage, "parents", err);
}

json_t *lineage_load(const char *path, struct err *err)
{
    char *file = dir_exists(path) ? path_join(path, "lineage.json") : xstrdup(path);
    json_t *lineage = json_load_path(file, err);

    if (lineage && lineage_check_shape(lineage, err) < 0) {
        err_prefix(err, "%s", file);
        json_decref(lineage);
        lineage = NULL;
    }
    free(file);
    return lineage;
}

/* --- checking ---------------------------------------------------------------------------------- */

enum state { MISSING, CHANGED, SAME };

/* A folder stands for its weights. */
static int state_of(const char *path, const char *digest, struct err *err)
{
    char now[40];
    bool dir = dir_exists(path);

    if (dir ? !checkpoint_exists(path) : !file_exists(path))
        return MISSING;
    if ((dir ? checkpoint_digest(path, now, err) : file_digest(path, now, err)) < 0)
        return -1;
    return strcmp(now, digest) == 0 ? SAME : CHANGED;
}

static const char *last_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash && slash[1] ? slash + 1 : path;
}

/* Where the same bytes are, in one of the roots; *found is owned, or NULL. */
static int look_elsewhere(const struct lineage_check *c, const char *path, const char *digest, char **found,
                          struct err *err)
{
    *found = NULL;
    for (int i = 0; c->roots && i < c->roots->n; i++) {
        const char *names[] = {path, last_name(path)};
        for (int k = path[0] == '/'; k < 2; k++) {
            char *at = path_join(c->roots->items[i], names[k]);
            int state = state_of(at, digest, err);
            if (state == SAME) {
                *found = at;
                return 0;
            }
            free(at);
            if (state < 0)
                return -1;
        }
    }
    return 0;
}

static int check_one(json_t *entry, struct lineage_check *c, struct err *err)
{
    const char *path = json_string_value(json_object_get(entry, "path"));
    const char *digest = json_string_value(json_object_get(entry, "digest")), *status;
    char *found = NULL;

    if (!strcmp(path, "-")) {
        json_object_set_new(entry, "status", json_string("stream"));
        return 0;
    }
    int state = state_of(path, digest, err);
    if (state < 0 || (state != SAME && look_elsewhere(c, path, digest, &found, err) < 0))
        return -1;
    if (found) {
        json_object_set_new(entry, "found", json_string(found));
        c->moved++;
    } else {
        ++*(state == SAME ? &c->ok : state == CHANGED ? &c->changed : &c->missing);
    }
    status = found ? "moved" : state == SAME ? "ok" : state == CHANGED ? "changed" : "missing";
    json_object_set_new(entry, "status", json_string(status));
    free(found);
    return 0;
}

int lineage_check(json_t *lineage, struct lineage_check *c, struct err *err)
{
    json_t *entry, *own;
    size_t i;

    json_array_foreach(json_object_get(lineage, "inputs"), i, entry)
        if (check_one(entry, c, err) < 0)
            return -1;
    json_array_foreach(json_object_get(lineage, "parents"), i, entry) {
        own = json_object_get(entry, "lineage");
        if (check_one(entry, c, err) < 0 || (json_is_object(own) && lineage_check(own, c, err) < 0))
            return -1;
    }
    return 0;
}

/* --- printing ---------------------------------------------------------------------------------- */

/* As a shell reads it back; what a terminal would obey is shown as '?'. */
static void put_word(struct strbuf *out, const char *word)
{
    bool plain = *word && strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                       "-_./=:,@%+") == strlen(word);

    if (plain) {
        strbuf_adds(out, word);
        return;
    }
    strbuf_addc(out, '\'');
    for (; *word; word++) {
        if (*word == '\'')
            strbuf_adds(out, "'\\''");
        else
            strbuf_addc(out, (unsigned char)*word < ' ' || *word == 0x7f ? '?' : *word);
    }
    strbuf_addc(out, '\'');
}

static void put_command(struct strbuf *out, const char *indent, const json_t *lineage)
{
    const json_t *argument;
    size_t i;

    strbuf_addf(out, "%s", indent);
    put_word(out, json_string_value(json_object_get(lineage, "program")));
    json_array_foreach(json_object_get(lineage, "arguments"), i, argument) {
        strbuf_addc(out, ' ');
        put_word(out, json_string_value(argument));
    }
    strbuf_addf(out, "  (");
    put_word(out, json_string_value(json_object_get(lineage, "version")));
    if (json_is_integer(json_object_get(lineage, "seed")))
        strbuf_addf(out, ", seed %lld", (long long)json_integer_value(json_object_get(lineage, "seed")));
    strbuf_adds(out, ")\n");
}

static void put_entry(struct strbuf *out, const char *what, const json_t *entry)
{
    const char *status = json_string_value(json_object_get(entry, "status"));
    const char *found = json_string_value(json_object_get(entry, "found"));

    strbuf_addf(out, "%s ", what);
    put_word(out, json_string_value(json_object_get(entry, "path")));
    strbuf_addc(out, ' ');
    put_word(out, json_string_value(json_object_get(entry, "digest")));
    if (status)
        strbuf_addf(out, " [%s%s", status, found ? " to " : "]");
    if (found) {
        put_word(out, found);
        strbuf_addc(out, ']');
    }
    strbuf_addc(out, '\n');
}

static void put_tree(struct strbuf *out, const char *indent, const json_t *lineage)
{
    const json_t *inputs = json_object_get(lineage, "inputs"), *parents = json_object_get(lineage, "parents");
    size_t n_inputs = json_array_size(inputs), n = n_inputs + json_array_size(parents);

    put_command(out, indent, lineage);
    for (size_t i = 0; i < n; i++) {
        bool parent = i >= n_inputs, last = i + 1 == n;
        const json_t *entry = parent ? json_array_get(parents, i - n_inputs) : json_array_get(inputs, i);
        const json_t *own = json_object_get(entry, "lineage");
        char *deeper = xasprintf("%s%s   ", indent, last ? " " : "\xe2\x94\x82");
        strbuf_addf(out, "%s%s ", indent, last ? "\xe2\x94\x94\xe2\x94\x80\xe2\x94\x80" : "\xe2\x94\x9c\xe2\x94\x80\xe2\x94\x80");
        put_entry(out, parent ? "parent" : "input", entry);
        if (parent && json_is_object(own))
            put_tree(out, deeper, own);
        else if (parent)
            strbuf_addf(out, "%s(no lineage is known)\n", deeper);
        free(deeper);
    }
}

void lineage_tree(struct strbuf *out, const char *name, const json_t *lineage)
{
    put_word(out, name);
    strbuf_addc(out, '\n');
    put_tree(out, "", lineage);
}
