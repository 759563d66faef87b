/* example_pack.h - records to a token shard, encoded on all threads, in input order. */
#ifndef TP_DATA_EXAMPLE_PACK_H
#define TP_DATA_EXAMPLE_PACK_H

#include "data/example.h"
#include "data/shard.h"

/* Reads files (none = stdin) and adds every record's tokens and loss mask to w.  Bad records are
 * handled by jsonl_options; updates tool_counts.  The shard does not depend on the threads. */
int example_pack(const struct example_reader *r, const char **files, int n_files,
                 struct shard_writer *w, struct err *err) WARN_UNUSED;

#endif
