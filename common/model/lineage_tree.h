/* lineage_tree.h - a checkpoint's lineage.json as a tree, and whether its files are still what they were.
 *
 * Paths are as they were written on the command line, so relative ones hold where that program ran; other
 * folders to look in are given.
 */
#ifndef TP_MODEL_LINEAGE_TREE_H
#define TP_MODEL_LINEAGE_TREE_H

#include "base/opt.h"
#include "data/json.h"

struct lineage_check {
    const struct opt_list *roots; /* look here, too: for the path, and for its last name */
    int64_t ok, moved, changed, missing; /* counted; a stream or a parent is one */
};

/* The lineage of a checkpoint's folder, or of a lineage.json by its own name, with its shape checked all
 * the way up; a new reference, or NULL. */
json_t *lineage_load(const char *path, struct err *err);
/* Has it what a lineage has, and its parents', too? */
int lineage_check_shape(const json_t *lineage, struct err *err) WARN_UNUSED;
/* Adds to each input and parent, all the way up, "status": "ok", "changed", "missing", "moved" (with
 * "found": where) or, for what came through a pipe, "stream". */
int lineage_check(json_t *lineage, struct lineage_check *c, struct err *err) WARN_UNUSED;
void lineage_tree(struct strbuf *out, const char *name, const json_t *lineage);

#endif
