/* lineage.c - which program, arguments, data and parents made a model. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/tool.h"
#include "model/checkpoint.h"

/* Options that cannot change the result: with them in the file, a resumed run or one with other
 * threads would not write the same bytes. */
static bool no_effect(const char *arg, bool *takes_value)
{
    static const char *const flags[] = {"--resume", "--quiet", "--verbose", "-q", "-v"};

    *takes_value = !strcmp(arg, "--threads");
    if (*takes_value || !strncmp(arg, "--threads=", 10))
        return true;
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
        if (!strcmp(arg, flags[i]))
            return true;
    return false;
}

static json_t *arguments(void)
{
    json_t *list = json_array();
    bool takes_value;

    for (int i = 1; i < tool_common.argc; i++) {
        if (no_effect(tool_common.argv[i], &takes_value))
            i += takes_value;
        else
            json_array_append_new(list, json_string(tool_common.argv[i]));
    }
    return list;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int checkpoint_digest(const char *dir, char out[40], struct err *err)
{
    struct strbuf all = {0};
    char **names;
    int n = checkpoint_files(dir, &names, err), rc = n < 0 ? -1 : 0;

    if (n > 0)
        qsort(names, (size_t)n, sizeof(*names), compare_names);
    for (int i = 0; rc == 0 && i < n; i++) {
        char *path = path_join(dir, names[i]);
        rc = file_digest(path, out, err);
        if (rc == 0)
            strbuf_addf(&all, "%s\n", out);
        free(path);
    }
    if (rc == 0 && n > 1)
        bytes_digest(all.buf, all.len, out);
    if (n > 0)
        checkpoint_files_free(names, n);
    strbuf_release(&all);
    return rc;
}

json_t *lineage_read(const char *dir)
{
    char *path = path_join(dir, "lineage.json");
    struct err err = {0};
    json_t *l = file_exists(path) ? json_load_path(path, &err) : NULL;

    if (err.set)
        log_warn("%s: ignored", err.text);
    free(path);
    return l;
}

void lineage_add_parent(json_t *lineage, const char *path, const char *digest, json_t *parents_own)
{
    json_t *entry = json_object();

    json_object_set_new(entry, "path", json_string(path));
    json_object_set_new(entry, "digest", json_string(digest));
    json_object_set_new(entry, "lineage", parents_own ? json_incref(parents_own) : json_null());
    json_array_append_new(json_object_get(lineage, "parents"), entry);
}

static int add_parent_dir(json_t *lineage, const char *dir, struct err *err)
{
    char digest[40];
    json_t *own;

    if (checkpoint_digest(dir, digest, err) < 0)
        return -1;
    own = lineage_read(dir);
    lineage_add_parent(lineage, dir, digest, own);
    json_decref(own);
    return 0;
}

json_t *lineage_new(const char *parent_dir_or_null, struct err *err)
{
    json_t *l = json_object();

    json_object_set_new(l, "program", json_string(log_program()));
    json_object_set_new(l, "version", json_string(TP_VERSION));
    json_object_set_new(l, "arguments", arguments());
    json_object_set_new(l, "seed", json_integer(tool_common.seed));
    json_object_set_new(l, "inputs", json_array());
    json_object_set_new(l, "parents", json_array());
    if (!parent_dir_or_null || add_parent_dir(l, parent_dir_or_null, err) == 0)
        return l;
    json_decref(l);
    return NULL;
}

void lineage_add_input(json_t *lineage, const char *name, const char *digest)
{
    json_t *entry = json_object();

    json_object_set_new(entry, "path", json_string(name));
    json_object_set_new(entry, "digest", json_string(digest));
    json_array_append_new(json_object_get(lineage, "inputs"), entry);
}
