/* dedup.h - records without the duplicates of what is kept.
 *
 * Records are looked at in an order of preference; one is dropped if it is a
 * duplicate (neardup.h) of one that was kept before it.  So every dropped record has
 * a kept one that is similar to it, which the report names, and no chain of ever less
 * similar records goes with the first.
 *
 * Where the order is that of the input this is one pass.  Otherwise, and where
 * several processes share the work, it takes three stages with files in a folder:
 *
 *     sign   (in parallel)  signatures of one shard of the records
 *     match  (once)         all signatures to one verdict a record, and the report
 *     drop   (in parallel)  the kept records of one shard
 */
#ifndef TP_DATA_DEDUP_H
#define TP_DATA_DEDUP_H

#include "base/opt.h"
#include "data/jsonl.h"
#include "data/neardup.h"

enum dedup_stage { DEDUP_ALL, DEDUP_SIGN, DEDUP_MATCH, DEDUP_DROP };
extern const struct opt_enum dedup_stage_names[];
extern const struct opt_enum dedup_exact_names[];

struct dedup_options {
    struct neardup_options near; /* near.dir is set from index */
    struct opt_list text_fields; /* see record_text.h */
    const char *keep;            /* first, last, longest, shortest, max:FIELD, min:FIELD */
    const char *index;           /* folder of the index and of the stages' files, or NULL */
    const char *report;          /* file of the clusters, or NULL */
    int stage;                   /* enum dedup_stage */
    struct jsonl_shard shard;
};

struct dedup_counts {
    int64_t kept, exact, near, index_bytes, unwalked;
};

/* From files (none = stdin) to stdout. */
int dedup_run(const struct dedup_options *o, const char **files, int n_files,
              struct dedup_counts *counts, struct err *err) WARN_UNUSED;

#endif
