/* flat.c - token files of other trainers: names. */
#include "data/flat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

const char *const flat_format_names[] = {"shard", "npy", "megatron", "llmc", NULL};
const char *const flat_dtype_names[] = {"unknown", "u8", "u16", "i32", "u32", "u64", NULL};

size_t flat_dtype_bytes(enum flat_dtype t)
{
    static const size_t bytes[] = {0, 1, 2, 4, 4, 8};
    return bytes[t];
}

static bool ends_with(const char *path, const char *suffix)
{
    size_t n = strlen(path), k = strlen(suffix);
    return n >= k && strcmp(path + n - k, suffix) == 0;
}

char *flat_sibling(const char *path, const char *from, const char *to)
{
    size_t n = strlen(path);
    return xasprintf("%.*s%s", (int)(ends_with(path, from) ? n - strlen(from) : n), path, to);
}

char *megatron_prefix(const char *path)
{
    return flat_sibling(path, ends_with(path, ".idx") ? ".idx" : ".bin", "");
}

char *flat_mask_path(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (strncmp(name, "token_ids", 9) != 0)
        return NULL;
    return xasprintf("%.*slabels_mask%s", (int)(name - path), path, name + 9);
}

enum flat_format flat_guess(const char *path)
{
    if (!path || strcmp(path, "-") == 0)
        return FLAT_NONE;
    if (ends_with(path, ".npy"))
        return FLAT_NPY;
    if (ends_with(path, ".idx"))
        return FLAT_MEGATRON;
    char *prefix = megatron_prefix(path), *index = xasprintf("%s.idx", prefix);
    bool has_index = file_exists(index);
    free(prefix);
    free(index);
    if (has_index && (ends_with(path, ".bin") || !file_exists(path)))
        return FLAT_MEGATRON;
    return ends_with(path, ".bin") ? FLAT_LLMC : FLAT_NONE;
}
