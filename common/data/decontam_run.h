/* decontam_run.h - records without those that hold evaluation items. */
#ifndef TP_DATA_DECONTAM_RUN_H
#define TP_DATA_DECONTAM_RUN_H

#include "base/opt.h"
#include "data/decontam.h"
#include "data/jsonl.h"

struct decontam_run_options {
    struct decontam_options find;
    struct opt_list against;     /* FILE or NAME=FILE */
    struct opt_list text_fields; /* see record_text.h */
    bool mark;          /* contaminated records are printed, too, with a field 'contamination' */
    const char *report; /* file: a line for each item in each contaminated record, or NULL */
    struct jsonl_shard shard;
};

struct decontam_run_counts {
    struct decontam_counts items;
    int64_t records, contaminated, items_found;
};

/* From files (none = stdin) to stdout. */
int decontam_run(const struct decontam_run_options *o, const char **files, int n_files,
                 struct decontam_run_counts *counts, struct err *err) WARN_UNUSED;

#endif
