/* memory_report.c - what a run is going to need, and what it needed. */
#include "train/memory_report.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

/* A line of /proc/self/status, in MiB; 0 where there is none. */
static double status_mib(const char *name)
{
    char line[256];
    long long kib = 0;
    FILE *f = fopen("/proc/self/status", "re");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, name, strlen(name)) == 0)
            sscanf(line + strlen(name), ": %lld", &kib);
    if (f)
        fclose(f);
    return (double)kib / 1024;
}

static double mib(size_t bytes)
{
    return (double)bytes / (1 << 20);
}

struct memory_report memory_report_begin(void)
{
    return (struct memory_report){.before = status_mib("VmRSS")};
}

void memory_report_plan(struct memory_report *r, struct model *m, const struct optimizer *o,
                        int64_t rows)
{
    struct model_memory p = model_memory_plan(m, rows);
    /* A checkpoint of bfloat16 is written from a rounded copy. */
    double rounded = m->dev.dtype == DTYPE_BF16 ? mib((size_t)m->n_elements * 2) : 0;
    r->planned = r->before + mib(p.total) + mib(optimizer_bytes(o)) + rounded;
    log_debug("memory, MiB: weights %.1f, packed %.1f, gradients %.1f, optimiser %.1f, activations of "
              "%lld positions %.1f, logits %.1f, tables and scratch %.1f, writing %.1f; %.1f in all",
              mib(p.weights), mib(p.packed), mib(p.gradients), mib(optimizer_bytes(o)),
              (long long)rows, mib(p.activations), mib(p.logits), mib(p.tables + p.scratch), rounded,
              r->planned);
}

void memory_report_end(const struct memory_report *r)
{
    if (r->planned > 0)
        log_debug("memory: peak %.1f MiB, planned %.1f", status_mib("VmHWM"), r->planned);
}
