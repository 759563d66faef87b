/* dedup_internal.h - inside of dedup*.c: the report, and signing on all threads. */
#ifndef TP_DATA_DEDUP_INTERNAL_H
#define TP_DATA_DEDUP_INTERNAL_H

#include "base/bigarray.h"
#include "base/freelist.h"
#include "data/dedup.h"

/* Signs records on any thread. */
struct dedup_signer {
    const struct dedup_options *o;
    struct neardup_signer signer;
    size_t sign_bytes;
    struct freelist scratch; /* of struct dedup_scratch */
};
void dedup_signer_init(struct dedup_signer *s, const struct dedup_options *o);
void dedup_signer_release(struct dedup_signer *s);
/* Puts the signature into rec->scratch, behind it (with a report) the record's id; *text_bytes of what
 * was signed. */
int dedup_sign_record(struct dedup_signer *s, struct record *rec, size_t *text_bytes,
                      struct err *err) WARN_UNUSED;

/* The clusters: ids of what was kept, and what was dropped for it. */
struct dedup_report {
    const char *path; /* NULL: nothing is kept of it */
    struct bigarray ids, kept, dropped;
    size_t ids_bytes;
    int64_t n_kept, n_dropped;
};
void dedup_report_init(struct dedup_report *r, const struct dedup_options *o);
int dedup_report_kept(struct dedup_report *r, const char *id, size_t n, struct err *err) WARN_UNUSED;
int dedup_report_dropped(struct dedup_report *r, const struct neardup_hit *hit, const char *id,
                         size_t n, struct err *err) WARN_UNUSED;
/* Writes the file, whole or not at all. */
int dedup_report_save(struct dedup_report *r, struct err *err) WARN_UNUSED;
void dedup_report_release(struct dedup_report *r);

/* Takes a signed text to the index, the counts and the report; 1 = a duplicate, *kept of which; 0 = new. */
int dedup_judge(struct neardup *index, struct dedup_report *report, struct dedup_counts *counts,
                const struct neardup_sign *sign, const char *id, size_t n_id, int64_t *kept,
                struct err *err) WARN_UNUSED;
void dedup_count_index(const struct neardup *index, struct dedup_counts *counts);

/* dedup_stages.c */
int dedup_stages(const struct dedup_options *o, const char **files, int n_files,
                 struct dedup_counts *counts, struct err *err) WARN_UNUSED;

#endif
