/* gguf_split.c - the GGUF file format: opening a file, or the several of a split model. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "data/gguf.h"

/* The length of the path without ".gguf". */
static size_t stem(const char *path)
{
    size_t n = strlen(path);
    return n > 5 && strcasecmp(path + n - 5, ".gguf") == 0 ? n - 5 : n;
}

char *gguf_part_path(const char *path, int i, int n)
{
    return xasprintf("%.*s-%05d-of-%05d.gguf", (int)stem(path), path, i + 1, n);
}

static int open_one(struct gguf_file *f, const char *path, struct err *err)
{
    struct file_view view;
    *f = (struct gguf_file){0};
    if (file_view_open(&view, path, err) < 0)
        return -1;
    int rc = gguf_parse(f, path, view.bytes, view.n, err);
    f->file = view;
    if (rc < 0)
        gguf_release(f);
    return rc;
}

/* Which part of how many it is; 1 of 1 unless it says so. */
static int read_place(const struct gguf_file *f, int64_t *no, int64_t *count, struct err *err)
{
    *no = 0;
    *count = 1;
    if (gguf_get_int(f, "split.no", no, err) < 0 || gguf_get_int(f, "split.count", count, err) < 0)
        return -1;
    if (*count == 0 && *no == 0) /* as some writers say that there is no other */
        *count = 1;
    if (*count < 1 || *count > GGUF_MAX_PARTS || *no < 0 || *no >= *count)
        return err_set(err, "'split.no' is %lld and 'split.count' is %lld, expected one of up to %d parts",
                       (long long)*no, (long long)*count, GGUF_MAX_PARTS);
    return 0;
}

/* The tensors of part i, with the file they are in, become f's. */
static int take_part(struct gguf_file *f, int i, struct err *err)
{
    struct gguf_file part;
    int64_t no, count;
    if (open_one(&part, f->part_paths[i], err) < 0)
        return -1;
    int rc = read_place(&part, &no, &count, err);
    if (rc == 0 && (no != i || count != f->n_parts))
        rc = err_set(err, "it says that it is part %lld of %lld, its name %d of %d", (long long)no + 1,
                     (long long)count, i + 1, f->n_parts);
    if (rc < 0) {
        err_prefix(err, "%s", part.path);
        gguf_release(&part);
        return -1;
    }
    f->tensors = xreallocarray(f->tensors, (size_t)(f->n_tensors + part.n_tensors) + 1, sizeof *f->tensors);
    if (part.n_tensors > 0)
        memcpy(f->tensors + f->n_tensors, part.tensors, (size_t)part.n_tensors * sizeof *f->tensors);
    f->n_tensors += part.n_tensors;
    f->more[i - 1] = part.file;
    part.n_tensors = 0;
    part.file = (struct file_view){0};
    gguf_release(&part);
    return 0;
}

/* The names of all parts, from the first one's; -1 if it is not called so. */
static int name_parts(struct gguf_file *f, int n, struct err *err)
{
    size_t end = strlen("-00001-of-00001"), len = stem(f->path);
    char *base = xstrndup(f->path, len > end ? len - end : 0), *first = gguf_part_path(base, 0, n);
    int rc = 0;
    if (len <= end || strncmp(first, f->path, len) != 0)
        rc = err_set(err, "%s: it is the first of %d parts, so its name must end in -00001-of-%05d.gguf", f->path,
                     n, n);
    f->part_paths = xcalloc((size_t)n, sizeof *f->part_paths);
    f->more = xcalloc((size_t)n, sizeof *f->more);
    f->n_parts = n;
    for (int i = 0; i < n && rc == 0; i++)
        f->part_paths[i] = i == 0 ? xstrdup(f->path) : gguf_part_path(base, i, n);
    free(base);
    free(first);
    return rc;
}

static int take_parts(struct gguf_file *f, int n, struct err *err)
{
    int64_t total = -1;
    if (name_parts(f, n, err) < 0)
        return -1; /* these name the file */
    for (int i = 1; i < n; i++)
        if (take_part(f, i, err) < 0)
            return -1;
    int rc = gguf_get_int(f, "split.tensors.count", &total, err) < 0 ? -1 : gguf_sort_tensors(f, err);
    if (rc == 0 && total >= 0 && total != f->n_tensors)
        rc = err_set(err, "its parts have %d tensors, 'split.tensors.count' is %lld", f->n_tensors, (long long)total);
    return rc < 0 ? err_prefix(err, "%s", f->path) : 0;
}

int gguf_open(struct gguf_file *f, const char *path, struct err *err)
{
    int64_t no, count;
    if (open_one(f, path, err) < 0)
        return -1;
    int rc = read_place(f, &no, &count, err);
    if (rc == 0 && no > 0)
        rc = err_set(err, "it is part %lld of %lld: open the first, ...-00001-of-%05lld.gguf", (long long)no + 1,
                     (long long)count, (long long)count);
    if (rc < 0)
        err_prefix(err, "%s", path);
    else if (count > 1)
        rc = take_parts(f, (int)count, err);
    if (rc < 0)
        gguf_release(f);
    return rc;
}
