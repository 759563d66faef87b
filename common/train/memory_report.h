/* memory_report.h - what a run is going to need, and what it needed: two lines of -v. */
#ifndef TP_TRAIN_MEMORY_REPORT_H
#define TP_TRAIN_MEMORY_REPORT_H

#include "train/optimizer.h"

struct memory_report {
    double before, planned; /* MiB: of the process without the model, and with everything */
};

struct memory_report memory_report_begin(void); /* before the model is there */
/* Prints the plan for micro-batches of `rows` positions. */
void memory_report_plan(struct memory_report *r, struct model *m, const struct optimizer *o,
                        int64_t rows);
void memory_report_end(const struct memory_report *r); /* prints the peak beside the plan */

#endif
