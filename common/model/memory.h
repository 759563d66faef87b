/* memory.h - what a program is going to need, and what it needed: a plan, and two lines of -v. */
#ifndef TP_MODEL_MEMORY_H
#define TP_MODEL_MEMORY_H

#include "data/json.h"
#include "model/model.h"

/* Bytes.  peak is the larger of reading the weights (beside gradients and optimiser, which are there by
 * then) and running; without the process itself and its records, a few MiB. */
struct memory_plan {
    struct model_memory model;
    size_t optimizer;
    size_t copies;  /* of the weights, made by the host while they are written, published or replaced */
    size_t reading; /* everything there while the weights are read */
    size_t peak;
    bool on_host; /* the device's memory is the process's */
};
/* From what m is used for, and the optimiser's and copies' bytes.  Copies count towards the peak only
 * where the host's memory is the device's. */
struct memory_plan memory_plan(struct model *m, const struct model_use *use, size_t optimizer,
                               size_t copies);
/* Of replacing m's weights by those that a trainer of the same precision has published: fp32 numbers, and
 * the file, mapped. */
size_t memory_of_replacing(const struct model *m);
json_t *memory_plan_json(const struct memory_plan *p);

/* Another way to run, as options, and the peak that it would have. */
struct memory_way {
    char options[64];
    size_t peak;
};
/* On a device with memory of its own: takes p's peak at once, before the model's memory is (see
 * model_options.before_alloc).  Where it is not there, the error says how much is missing, and which is
 * the first of the ways that fits. */
int memory_take(struct model *m, const struct model_use *use, const struct memory_plan *p,
                const struct memory_way *ways, int n_ways, struct err *err) WARN_UNUSED;
/* Sets err to what the device lacks of so many bytes, and the advice. */
void memory_lack(struct model *m, size_t bytes, const char *advice, struct err *err);

struct memory_report {
    double before, planned; /* MiB: of the process without the model; with everything, 0 = unknown */
};
struct memory_report memory_report_begin(void); /* before the model is there */
void memory_report_plan(struct memory_report *r, const struct memory_plan *p);
void memory_report_end(const struct memory_report *r); /* prints the peak beside the plan */

#endif
